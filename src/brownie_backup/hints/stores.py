"""Hints about stores: folders, buckets, credentials and the network."""

from brownie_backup.hints.hint import HintCode

_GUIDE = "See the guide 'Store backups in "


class StoreHint(HintCode):
    """What to do so that a store can be used."""

    # Where it is
    CHECK_ADDRESS = "check_address", "Correct {setting:destination}"
    CREATE_BUCKET = "create_bucket", "Create the bucket, or correct {setting:destination}"
    CREATE_CONTAINER = (
        "create_container",
        "Create the container, or correct {setting:destination}",
    )
    CHECK_ENDPOINT = (
        "check_endpoint",
        "Check {setting:endpoint_url}, and proxies on the way",
    )
    S3_ENDPOINT = (
        "s3_endpoint",
        "Check {setting:destination}, and that {setting:endpoint_url} is the address of an S3 API",
    )
    JSON_ENDPOINT = (
        "json_endpoint",
        "Check {setting:endpoint_url}: it must be the address of the JSON API",
    )
    CHECK_REGION = (
        "check_region",
        "Set {setting:region} to the bucket's region, or {setting:endpoint_url} to the address "
        "that the service redirects to",
    )
    ONE_OF_STORES = (
        "one_of_stores",
        "Use one of {known}, or install a package with an entry point {entry_points}",
    )
    ASK_MAINTAINER = "ask_maintainer", "Ask the maintainer of the package that has it"
    CHECK_STORE_SETTINGS = "check_store_settings", "Check the settings of the store"
    AZURE_GUIDE = "azure_guide", _GUIDE + "Azure'"
    GCS_GUIDE = "gcs_guide", _GUIDE + "Google Cloud Storage'"
    S3_GUIDE = "s3_guide", _GUIDE + "S3'"

    # Credentials and rights
    S3_KEYS = (
        "s3_keys",
        "Check {setting:access_key} and {setting:secret_key}. Without them, check the sources of "
        "AWS's credential chain: environment, profile, role",
    )
    S3_RIGHTS = (
        "s3_rights",
        "Grant these credentials the rights in the guide 'Store backups in S3'. Without "
        "s3:ListBucket, S3 gives this answer for a missing object too",
    )
    READ_FILE = (
        "read_file",
        "Let the user that runs the backup read that file, or correct the setting that names it",
    )
    NEW_TEMPORARY_CREDENTIALS = (
        "new_temporary_credentials",
        "The temporary credentials have expired: get new ones",
    )
    SIGN_IN_AGAIN = "sign_in_again", "Sign in again, with 'aws sso login' or 'aws login'"
    AWS_PROFILE = "aws_profile", "Check AWS_PROFILE and the files in ~/.aws"
    GCS_KEYS = (
        "gcs_keys",
        "Check {setting:token}. Without it, check the sources of Google's credential chain: "
        "GOOGLE_APPLICATION_CREDENTIALS, workload identity, the host's service account",
    )
    GCS_TOKEN = (
        "gcs_token",
        "Give {setting:token} the whole JSON that Google made: a service account's key, or a "
        "configuration of workload identity federation",
    )
    GCS_RIGHTS = (
        "gcs_rights",
        "Grant the rights in the guide 'Store backups in Google Cloud Storage'. Without "
        "storage.objects.list, the service gives this answer for a missing object too",
    )
    GCS_CLOCK = (
        "gcs_clock",
        "The clock of this host may be wrong: set it by NTP. Otherwise check {setting:token}",
    )
    GCS_BILLING = "gcs_billing", "Check that the project's billing account is active"
    AZURE_KEYS = (
        "azure_keys",
        "Check {setting:access_key}, the storage account's name, and {setting:secret_key}, its key",
    )
    AZURE_IDENTITY = (
        "azure_identity",
        "Set {setting:secret_key}, or give this host an identity as in the guide 'Store backups in "
        "Azure': a managed identity, a workload identity, or AZURE_CLIENT_ID and the variables "
        "that belong to it",
    )
    AZURE_NO_KEYS = (
        "azure_no_keys",
        "The account accepts no keys: unset {setting:secret_key}, and use an identity",
    )
    AZURE_RIGHTS = (
        "azure_rights",
        "Assign the role 'Storage Blob Data Contributor' for the container, or see the guide",
    )
    AZURE_FIREWALL = (
        "azure_firewall",
        "Let the storage account's firewall admit this host. Check {setting:secret_key}; without "
        "it, check that the role 'Storage Blob Data Contributor' is assigned for the container",
    )
    AZURE_ENABLE_ACCOUNT = "azure_enable_account", "Have the storage account enabled"
    HOST_CLOCK = "host_clock", "The clock of this host is wrong: set it by NTP"

    # Encryption by the service, classes, tags
    S3_KMS = (
        "s3_kms",
        "Check {setting:sse_kms_key}: the key must exist and be enabled, and its policy must let "
        "these credentials use it",
    )
    GCS_KMS = (
        "gcs_kms",
        "Check {setting:sse_kms_key}: the key must exist, be enabled and be in the bucket's "
        "location, and the project's storage service agent must be allowed to use it",
    )
    AZURE_SCOPE = (
        "azure_scope",
        "Check {setting:sse_kms_key}, which names an encryption scope. The storage account must be "
        "allowed to use the scope's key in the key vault",
    )
    NO_KMS = "no_kms", "Unset {setting:sse_kms_key}"
    CHECK_TAGS = "check_tags", "Correct {setting:object_tags}"
    CHECK_STORAGE_CLASS = "check_storage_class", "Correct {setting:storage_class}"
    S3_UNSUPPORTED = (
        "s3_unsupported",
        "The service does not support a setting: unset {setting:object_lock_days}, "
        "{setting:object_tags}, {setting:storage_class} or {setting:sse_kms_key}. If none is set, "
        "the service has no create-if-absent, without which backups are not safe there",
    )
    AZURE_UNSUPPORTED = (
        "azure_unsupported",
        "The service, or this kind of storage account, does not support a setting: unset "
        "{setting:object_lock_days}, {setting:object_tags}, {setting:storage_class} or "
        "{setting:sse_kms_key}",
    )
    S3_UNARCHIVE = (
        "s3_unarchive",
        "Restore it from there with the service's own tools. Let no lifecycle rule archive backups",
    )
    AZURE_UNARCHIVE = (
        "azure_unarchive",
        "Rehydrate it first. Let no lifecycle rule of the account archive backups",
    )
    UNARCHIVE_OR_STORE_AGAIN = (
        "unarchive_or_store_again",
        "Remove the lifecycle rule that archives them. The next backup stores again what it needs "
        "of them; for older backups, retrieve them with the service's own tools",
    )
    OBJECT_SIZE_LIMIT = "object_size_limit", "Have the service's limit of object sizes raised"
    SERVICE_ERROR = "service_error", "See the service's documentation of this error"

    # Locks
    LOCKED_UNTIL = "locked_until", "It can be deleted after that date"
    REPLACING_REFUSED = (
        "replacing_refused",
        "Leases and records of attempts must be replaced and removed. Grant the right to replace "
        "and delete objects. If a retention policy of the bucket, container or folder forbids "
        "that, remove the policy, and lock the backups alone, with {setting:object_lock_days}",
    )
    DELETING_REFUSED = (
        "deleting_refused",
        "Grant the right to delete objects, or remove the retention policy: each lease stays until "
        "it expires, and a cleanup deletes nothing",
    )
    LOCKED_OR_HELD = (
        "locked_or_held",
        "It can be deleted after that date, or when the hold is lifted",
    )
    WAIT_UNTIL_THEN = "wait_until_then", "Wait until then"
    LIFT_HOLD = "lift_hold", "Have the hold lifted if it is no longer needed"
    S3_LOCK_OFF = (
        "s3_lock_off",
        "If {setting:object_lock_days} is set, the bucket needs object lock enabled",
    )
    S3_NO_LOCK = (
        "s3_no_lock",
        "Unset {setting:object_lock_days}, or use a bucket that was created with object lock "
        "enabled",
    )
    GCS_NO_LOCK = (
        "gcs_no_lock",
        "{setting:object_lock_days} needs a bucket that was created with object retention (gcloud "
        "storage buckets create --enable-per-object-retention), and the right "
        "storage.objects.setRetention",
    )
    AZURE_NO_LOCK = (
        "azure_no_lock",
        "{setting:object_lock_days} needs a container with version-level immutability, and the "
        "role 'Storage Blob Data Owner' or the account's key",
    )
    END_BLOB_LEASE = "end_blob_lease", "End the lease on it"
    DELETE_BLOB_SNAPSHOTS = "delete_blob_snapshots", "Delete the snapshots of it"

    # Space
    FREE_SPACE = "free_space", "Free some space, or store the backups elsewhere"
    FREE_SPACE_OR_QUOTA = "free_space_or_quota", "Free some space, or have the quota raised"
    FREE_SPACE_OR_LIMIT = (
        "free_space_or_limit",
        "Free some space, or have the account's limit raised",
    )
    RAISE_QUOTA = "raise_quota", "Have the quota raised"
    CLEAN_UP = "clean_up", "Free some space, or run {verb:cleanup}"

    # The network
    LATER = (
        "later",
        "If this lasts, check the service's status page and the network",
    )
    CHANGED_ON_THE_WAY = (
        "changed_on_the_way",
        "It was changed on the way: check the network, and proxies on the way",
    )
    CHECK_NETWORK = (
        "check_network",
        "Check the network, HTTPS_PROXY and NO_PROXY, and {setting:endpoint_url}",
    )
    CHECK_NETWORK_OR_REGION = (
        "check_network_or_region",
        "Check the network, HTTPS_PROXY and NO_PROXY, {setting:endpoint_url} and {setting:region}",
    )
    CHECK_NETWORK_AND_PROXIES = (
        "check_network_and_proxies",
        "Check the network, and proxies on the way",
    )
    CHECK_PROXIES = "check_proxies", "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
    CHECK_ENDPOINT_OR_PROXIES = (
        "check_endpoint_or_proxies",
        "Check {setting:endpoint_url}, HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
    )
    CERTIFICATE = (
        "certificate",
        "Check the service's certificate and {setting:endpoint_url}. For a CA of your own, set "
        "REQUESTS_CA_BUNDLE to the file of its certificates",
    )
    S3_CERTIFICATE = (
        "s3_certificate",
        "Check that {setting:endpoint_url} begins with https, and the service's certificate. For a "
        "CA of your own, set AWS_CA_BUNDLE to the file of its certificates",
    )

    # Folders
    RIGHT_TO_WRITE = (
        "right_to_write",
        "Give the user that runs the backup the right to write there",
    )
    CHECK_DISK = "check_disk", "Check the disk or the mount"
    CHECK_DISK_OR_NETWORK = "check_disk_or_network", "Check the disk, the mount or the network"
    MOUNT_OR_ALLOW_NEW = (
        "mount_or_allow_new",
        "Mount its disk, or correct {setting:destination}. For the first backup to a new store, "
        "unset {setting:require_existing}",
    )
    CHECK_FOLDER = "check_folder", "Check that it is a folder, and mounted"

    # Stores that cannot be relied on
    OMIT_OR_OTHER_STORE = "omit_or_other_store", "Omit that, or use a store that has it"
    DO_NOT_USE = "do_not_use", "Do not use it"
    ONE_HOST_ONLY = "one_host_only", "Let only one host back up to it"

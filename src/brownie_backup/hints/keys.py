"""Hints about keys, passphrases and gpg."""

from brownie_backup.hints.hint import HintCode


class KeyHint(HintCode):
    """What to do so that backups can be encrypted and decrypted."""

    TURN_ON_ENCRYPTION = (
        "turn_on_encryption",
        "Turn on encryption with {setting:encryption}, and give a key",
    )
    GIVE_CODECS = "give_codecs", "Give the repository a compressor and an encryptor"
    GIVE_COMPRESSOR = "give_compressor", "Give the repository that compressor"
    GIVE_ENCRYPTOR = "give_encryptor", "Give the repository an encryptor to make backups"
    GIVE_DECRYPTOR = "give_decryptor", "Give the repository a decryptor of that method"
    GIVE_ENCRYPTION_KEY = (
        "give_encryption_key",
        "Set {setting:gpg_recipients} or {setting:passphrase}",
    )
    GIVE_PRIVATE_KEY = (
        "give_private_key",
        "Give the private key with {setting:gpg_private_key}, or import it into your keyring and "
        "name it with {setting:gpg_recipients}. If it has a passphrase, give that with "
        "{setting:passphrase}",
    )
    NAME_KEY = (
        "name_key",
        "If they are your own, name that key with {setting:gpg_recipients}. If not, somebody else "
        "has written them",
    )
    GIVE_ARMOURED_KEY = (
        "give_armoured_key",
        "Give an armoured key: gpg --armor --export NAME",
    )
    GIVE_ARMOURED_PRIVATE_KEY = (
        "give_armoured_private_key",
        "Give an armoured key: gpg --armor --export-secret-keys NAME",
    )
    CHECK_KEYS = "check_keys", "Check the key and its passphrase"
    CHECK_PASSPHRASE = "check_passphrase", "Check {setting:passphrase}"
    PASSPHRASE_ON_ONE_LINE = "passphrase_on_one_line", "Use a passphrase on one line"
    PASSPHRASE_IN_UTF8 = "passphrase_in_utf8", "Use a UTF-8 locale, or another passphrase"
    PASSPHRASE_WITHOUT_SPACES = (
        "passphrase_without_spaces",
        "gpg would strip the space: use another passphrase",
    )
    NOTHING_STORED = "nothing_stored", "Run {verb:doctor}. Nothing was stored"
    RECIPIENT_FORM = (
        "recipient_form",
        "Name recipients as openpgp, passphrase, age:<recipient>, vault:<mount>/<key>, "
        "awskms:<key ARN>, gcpkms:<resource name> or azurekv:<key id>",
    )
    ADD_RECIPIENT = (
        "add_recipient",
        "Name one more in {setting:key_recipients} before the first backup, such as a key that is "
        "kept offline",
    )
    ROTATE_RECIPIENTS = (
        "rotate_recipients",
        "Set the recipients of the key ring, or change the key ring to those of the settings",
    )
    GIVE_RECIPIENT_KEY = (
        "give_recipient_key",
        "Give the private key, the passphrase or the rights of one of these recipients",
    )
    INSTALL_GNUPG = "install_gnupg", "Install GnuPG 2.2 or newer (package gnupg)"
    CHECK_GNUPGHOME = "check_gnupghome", "Check GNUPGHOME"
    IMPORT_KEY = "import_key", "Import it: gpg --import FILE; see gpg --list-keys"
    GIVE_FINGERPRINT = "give_fingerprint", "Give the fingerprint of one: {fingerprints}"
    RENEW_KEY = "renew_key", "Use another key, or extend it with gpg --edit-key"
    PLAIN_KEY_NAME = (
        "plain_key_name",
        "Use gpg 2.2 or newer, and a name of letters, digits and spaces",
    )

    # Data keys that a service wraps
    COMPARE_KEY_OBJECT = (
        "compare_key_object",
        "Compare the key's object with that in another copy of the store. It opens only in the "
        "repository that it was made for",
    )
    KEY_SERVICE_BUSY = (
        "key_service_busy",
        "Try again later. If this lasts, check the service's status and its limits",
    )

    # AWS KMS
    KMS_KEY_FORM = (
        "kms_key_form",
        "Give its ARN, such as arn:aws:kms:REGION:ACCOUNT:key/ID",
    )
    NAME_KMS_KEY = (
        "name_kms_key",
        "Name the key by its ARN, and check the account and the region in it. An alias may mean "
        "another key by now",
    )
    ENABLE_KMS_KEY = (
        "enable_kms_key",
        "Have the key enabled with 'aws kms enable-key'. If its deletion is scheduled, cancel that "
        "first with 'aws kms cancel-key-deletion'",
    )
    USE_SYMMETRIC_KMS_KEY = (
        "use_symmetric_kms_key",
        "Use a symmetric key whose usage is ENCRYPT_DECRYPT",
    )
    GRANT_KMS_RIGHTS = (
        "grant_kms_rights",
        "Grant these credentials kms:Encrypt on the key to make backups, or kms:Decrypt to read "
        "them, in their policy or in that of the key",
    )
    CHECK_AWS_CREDENTIALS = (
        "check_aws_credentials",
        "Check the sources of AWS's credential chain: environment, profile, role",
    )
    CHECK_KMS_ENDPOINT = (
        "check_kms_endpoint",
        "Check AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL, and proxies on the way",
    )
    CHECK_KMS_NETWORK = (
        "check_kms_network",
        "Check the network, HTTPS_PROXY and NO_PROXY, AWS_ENDPOINT_URL_KMS and AWS_ENDPOINT_URL",
    )
    CHECK_KMS_CERTIFICATE = (
        "check_kms_certificate",
        "Check the service's certificate. For a CA of your own, set AWS_CA_BUNDLE to the file of "
        "its certificates",
    )

    # Vault and OpenBao
    VAULT_SETTINGS = (
        "vault_settings",
        "Give an address such as https://vault.example.com:8200, the mount, the name of the key, "
        "and a token or the file of one",
    )
    CHECK_VAULT_ADDRESS = (
        "check_vault_address",
        "Check the address of Vault, and proxies on the way",
    )
    CHECK_VAULT_NETWORK = (
        "check_vault_network",
        "Check the address of Vault, the network, HTTPS_PROXY and NO_PROXY",
    )
    ACTIVE_VAULT = (
        "active_vault",
        "Give an address that leads to the active server, such as that of a load balancer. "
        "Redirects are not followed, because another host would get the token",
    )
    UNSEAL_VAULT = "unseal_vault", "Have the server unsealed with 'vault operator unseal'"
    VAULT_CERTIFICATE = (
        "vault_certificate",
        "Give the file with the certificate of the CA that signed that of the server, and check "
        "the host in the address",
    )
    CHECK_VAULT_TOKEN = (
        "check_vault_token",
        "Give a valid token: this one may be misspelt, expired or revoked",
    )
    CHECK_VAULT_MOUNT = (
        "check_vault_mount",
        "Check the mount and the namespace: 'vault secrets list' shows the mounts",
    )
    GRANT_VAULT_RIGHTS = (
        "grant_vault_rights",
        "Check the name of the key and the namespace. If this host should have that right, let the "
        "token's policy 'update' {path}",
    )
    CHECK_TRANSIT_KEY = (
        "check_transit_key",
        "Check the name of the key and the mount: 'vault list MOUNT/keys' shows the keys",
    )
    USE_TRANSIT_KEY = (
        "use_transit_key",
        "Use a key of the type aes256-gcm96 that is neither derived nor convergent",
    )
    TRANSIT_VERSIONS = (
        "transit_versions",
        "See the key's versions, and its min_decryption_version, with 'vault read MOUNT/keys/KEY'. "
        "If the server was set back to an older state, restore a newer one",
    )

    # Services that are called by way of `requests`
    KEY_SERVICE_NETWORK = (
        "key_service_network",
        "Check the network, HTTPS_PROXY and NO_PROXY, and the address of the key's service",
    )
    KEY_SERVICE_ADDRESS = (
        "key_service_address",
        "Check the address of the key's service, and proxies on the way",
    )
    KEY_SERVICE_CERTIFICATE = (
        "key_service_certificate",
        "Check the service's certificate. For a CA of your own, set REQUESTS_CA_BUNDLE to the file "
        "of its certificates",
    )

    # Google Cloud KMS
    CLOUDKMS_KEY_FORM = (
        "cloudkms_key_form",
        "Give its resource name without a version, such as "
        "projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
    )
    NAME_CLOUDKMS_KEY = (
        "name_cloudkms_key",
        "Check the project, the location, the ring and the key in its name: 'gcloud kms keys list' "
        "shows the names",
    )
    ENABLE_CLOUDKMS_VERSION = (
        "enable_cloudkms_version",
        "See the key's versions with 'gcloud kms keys versions list'. Have that version enabled, "
        "or, if it is to be destroyed, restored first. New data keys need an enabled primary "
        "version",
    )
    USE_SYMMETRIC_CLOUDKMS_KEY = (
        "use_symmetric_cloudkms_key",
        "Use a key whose purpose is ENCRYPT_DECRYPT",
    )
    GRANT_CLOUDKMS_RIGHTS = (
        "grant_cloudkms_rights",
        "Grant these credentials cloudkms.cryptoKeyVersions.useToEncrypt on the key to make "
        "backups, or cloudkms.cryptoKeyVersions.useToDecrypt to read them. A virtual machine also "
        "needs the access scope cloudkms or cloud-platform",
    )
    ENABLE_CLOUDKMS_API = (
        "enable_cloudkms_api",
        "Have the service cloudkms.googleapis.com enabled in the project, and its billing",
    )
    CHECK_GOOGLE_CREDENTIALS = (
        "check_google_credentials",
        "Check the sources of Google's credential chain: GOOGLE_APPLICATION_CREDENTIALS, workload "
        "identity, the host's service account",
    )

    # Azure Key Vault
    KEYVAULT_KEY_FORM = (
        "keyvault_key_form",
        "Give its id without a version, such as https://NAME.vault.azure.net/keys/KEY",
    )
    NAME_KEYVAULT_KEY = (
        "name_keyvault_key",
        "Check the vault and the key in its id: 'az keyvault key list' shows the ids, and 'az "
        "keyvault key list-deleted' those that can be recovered",
    )
    ENABLE_KEYVAULT_KEY = (
        "enable_keyvault_key",
        "See the key's versions with 'az keyvault key list-versions', and have that version "
        "enabled, and valid now, with 'az keyvault key set-attributes'",
    )
    USE_RSA_KEY = (
        "use_rsa_key",
        "Use an RSA key of 2048 bits or more, whose permitted operations are wrapKey and unwrapKey",
    )
    GRANT_KEYVAULT_RIGHTS = (
        "grant_keyvault_rights",
        "Grant this identity Microsoft.KeyVault/vaults/keys/wrap/action on the key to make "
        "backups, or Microsoft.KeyVault/vaults/keys/unwrap/action to read them; in a vault with "
        "access policies, the key permissions wrapKey or unwrapKey",
    )
    KEYVAULT_FIREWALL = (
        "keyvault_firewall",
        "Let this host through the vault's firewall, or use a private endpoint",
    )
    CHECK_AZURE_CREDENTIALS = (
        "check_azure_credentials",
        "Give this host an identity: a managed identity, a workload identity, or AZURE_CLIENT_ID "
        "and the variables that belong to it",
    )

    # age
    GIVE_AGE_RECIPIENTS = (
        "give_age_recipients",
        "Give recipients as age-keygen shows them: age1 and 58 more characters",
    )
    GIVE_AGE_IDENTITY = (
        "give_age_identity",
        "Give the file with the identity of one of the recipients, as age-keygen writes it; it "
        "must not be encrypted by a passphrase",
    )

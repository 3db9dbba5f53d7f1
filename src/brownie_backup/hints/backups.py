"""Hints about backups: their names, the catalogue, retention, leases and workers."""

from brownie_backup.hints.hint import HintCode


class BackupHint(HintCode):
    """What to do about a backup, a repository or an operation on them."""

    # Names and labels
    CHOOSE_ANOTHER_NAME = "choose_another_name", "Choose another name"
    OMIT_NAME = "omit_name", "Choose another name, or give none"
    NAME_RULE = (
        "name_rule",
        "Use 1 to {most} letters (A-Z, a-z), digits, dots, dashes and underscores, beginning with "
        "a letter or a digit",
    )
    FEWER_LABELS = "fewer_labels", "Use {most} labels at most"
    LABEL_KEY_RULE = (
        "label_key_rule",
        "Use letters, digits, dots, dashes, slashes and underscores",
    )
    LABEL_VALUE_RULE = "label_value_rule", "Use a short value on one line"

    # Which backup
    LIST_BACKUPS = "list_backups", "See {verb:list}"
    NAME_ONE_BACKUP = "name_one_backup", "Name one backup: see {verb:list}"
    NAME_DATABASE = (
        "name_database",
        "Name it with {setting:database_url}: 'postgresql:///NAME' is enough",
    )
    CHECK_SCHEDULER = (
        "check_scheduler",
        "Check that backups are scheduled, and the log of the last runs",
    )
    SEE_ITS_LOG = "see_its_log", "See its log, or run {verb:doctor}"
    CHECK_DESTINATION = "check_destination", "Check {setting:destination}"
    ADD_A_COPY = "add_a_copy", "Name one more store, or several, in {setting:copy_to}"
    VERIFY_ANOTHER = "verify_another", "Verify another backup: see {verb:list}"
    COMPARE_ANOTHER = "compare_another", "Compare another backup: see {verb:list}"
    OTHER_STORES_USED = (
        "other_stores_used",
        "Blobs that are missing or damaged there are read from the other stores",
    )
    REPAIR_BY_SYNC = (
        "repair_by_sync",
        "The first problem: {why}. {verb:sync} copies the missing blobs",
    )

    # Damage
    RESTORE_ANOTHER = "restore_another", "Restore another backup: see {verb:list}"
    RESTORE_ANOTHER_OR_VERIFY = (
        "restore_another_or_verify",
        "Restore another backup: see {verb:list}. If this one was repaired since, verify it",
    )
    NEXT_BACKUP_REPAIRS = (
        "next_backup_repairs",
        "Restore another backup. The next backup stores that blob again if its data still exists",
    )
    NEXT_BACKUP_STORES_AGAIN = (
        "next_backup_stores_again",
        "The next backup stores it again if its data still exists",
    )
    VERIFY_THERE = (
        "verify_there",
        "Verify the backups in that store, which records the damage. Then {verb:sync} repairs it",
    )
    TAKE_FROM_ANOTHER_COPY = (
        "take_from_another_copy",
        "Restore that file from another copy of the store",
    )
    TAKE_OR_DELETE = (
        "take_or_delete",
        "Restore that file from another copy of the store, or delete the backup",
    )
    GIVE_FORMER_NAME = (
        "give_former_name",
        "The file was renamed or copied: give it its former name",
    )
    CHECK_ORIGIN = (
        "check_origin",
        "Anyone who can write to the store could have made it: check that it is yours",
    )
    UPGRADE = "upgrade", "Upgrade brownie-backup: a newer version knows it"
    DO_NOT_TRUST_STORE = "do_not_trust_store", "Do not trust that store: run {verb:doctor}"

    # Retention
    RELEASE_FIRST = "release_first", "Release it first: {verb:release}"
    HOLD_LONGER = "hold_longer", "Give a date in the future, or none"
    KEPT_IN_ANY_CASE = "kept_in_any_case", "Retention keeps it in any case: look at its manifest"
    MANY_DELETED = (
        "many_deleted",
        "See {verb:cleanup_dry_run}. If that is right, repeat with {option:yes_delete_many}, or "
        "raise {setting:most_deleted_percent}",
    )
    BACK_UP_FIRST = (
        "back_up_first",
        "Make a good backup first. If the database is no longer backed up, delete its backups by "
        "name",
    )
    BY_CATALOGUE = (
        "by_catalogue",
        "Only the server knows whose backups may be deleted. To go by the catalogue alone, for "
        "every database in the store, use {option:all_databases}",
    )
    RETENTION_RULES = "retention_rules", "See the rules of retention in the documentation"
    PROVE_AUDIT = "prove_audit", "See {verb:audit_verify}"
    RIGHT_TO_RECORD = (
        "right_to_record",
        "A deletion must be recorded first: grant the right to write to the store",
    )

    # Other running operations
    TRY_AGAIN = "try_again", "Try again"
    TRY_WHEN_ENDED = "try_when_ended", "Try again when that has ended"
    LEASE_ENDS = (
        "lease_ends",
        "Try again later: the lease ends at {until}, unless it is renewed",
    )
    LEASE_REMOVED = "lease_removed", "Another process removed it, or the store lost it"
    LEASE_NOT_RENEWED = (
        "lease_not_renewed",
        "The store was out of reach for too long, or another process removed the lease",
    )
    RUN_AGAIN = "run_again", "Run it again: it reuses the blobs that are already stored"
    LIST_AND_RUN_AGAIN = (
        "list_and_run_again",
        "See {verb:list}. Run it again: it reuses the blobs that are already stored",
    )
    LIST_OPERATIONS = "list_operations", "See {verb:operations}. Old operations are removed"

    # Workers
    GIVE_EXECUTOR = "give_executor", "Give the executor too"
    GIVE_WORKER_FACTORY = (
        "give_worker_factory",
        "Give a worker factory, such as brownie_backup.config.make_worker",
    )
    SPAWN_PROCESSES = (
        "spawn_processes",
        "Use ProcessPoolExecutor(…, mp_context=multiprocessing.get_context('spawn'))",
    )
    SAME_SETTINGS = (
        "same_settings",
        "Give the workers the settings, and the stores, of the process that makes the backup",
    )
    SEE_WORKERS = "see_workers", "See the log of the executor's workers"

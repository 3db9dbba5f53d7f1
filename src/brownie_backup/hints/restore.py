"""Hints about restoring into PostgreSQL."""

from brownie_backup.hints.hint import HintCode


class RestoreHint(HintCode):
    """What to do so that a restore succeeds, or after it."""

    ABOUT = "about", "{subject}: {advice}"
    BOTH = "both", "{first}; {then}"
    TARGET_UNCHANGED = (
        "target_unchanged",
        "The target is unchanged. Remove the cause, or inspect what was restored: use "
        "{option:keep_failed}",
    )
    DROP_HALF_RESTORED = (
        "drop_half_restored",
        "Half restored, and still on the server: {names}. Drop that when done",
    )
    ACCEPT_DIFFERENCES = (
        "accept_differences",
        "Everything else was restored. Restore again with {option:accept_differences}, or look at "
        "the restored database, and give it its name: {rename}",
    )
    NOT_IN_THE_ARCHIVE = (
        "not_in_the_archive",
        "pg_dump leaves out invalid indexes, temporary objects and those of extensions",
    )
    ACCEPT_ERRORS = (
        "accept_errors",
        "Remove the cause, or restore everything else: {option:accept_errors} finishes without "
        "what failed (a table with one bad row stays empty), {option:keep_failed} keeps what was "
        "restored for inspection, and {option:table} restores single tables",
    )
    EXCLUDE_EXTENSION = (
        "exclude_extension",
        "Leave the extension out, with all that needs it: {option:exclude_extension}",
    )
    EXCLUDE_TABLE = "exclude_table", "Leave the table out: {option:exclude_table}"
    EXCLUDE_TABLE_DATA = (
        "exclude_table_data",
        "Restore it without its rows: {option:exclude_table_data}. Foreign keys that refer to its "
        "rows are then refused",
    )
    EXCLUDE_EVENT_TRIGGERS = (
        "exclude_event_triggers",
        "Leave the event triggers out: {option:exclude_event_triggers}",
    )
    EXCLUDE_SETTINGS = (
        "exclude_settings",
        "Leave the settings of the database out: {option:exclude_settings}",
    )
    OTHER_LOCALE = (
        "other_locale",
        "Install the locale on the server, or choose one that it has: {option:locale}",
    )

    # The target
    RENAME_OR_REPLACE = (
        "rename_or_replace",
        "Restore under another name with {option:target_database}, or replace the database with "
        "{option:replace}, which keeps the old one under a dated name",
    )
    RESTORE_BESIDE = (
        "restore_beside",
        "Restore under another name with {option:target_database}",
    )
    DATABASE_NAME_BYTES = (
        "database_name_bytes",
        "Use a name of 1 to {most} bytes, which is PostgreSQL's limit",
    )
    DROP_LEFTOVER_DATABASE = (
        "drop_leftover_database",
        "Drop it if no restore is running",
    )
    DROP_LEFTOVER_SCHEMAS = "drop_leftover_schemas", "Drop them if no restore is running"
    GRANT_CREATEDB = (
        "grant_createdb",
        'ALTER ROLE "{role}" CREATEDB, or connect as another role',
    )
    LET_CONNECT = "let_connect", "Let this role connect to the database 'postgres'"
    END_SESSIONS = (
        "end_sessions",
        'Have them ended by their role or a superuser, or GRANT pg_signal_backend TO "{role}", '
        "which is enough for those of ordinary roles; or restore under another name with "
        "{option:target_database}",
    )
    END_PREPARED = (
        "end_prepared",
        "Connect to that database and end each with COMMIT PREPARED or ROLLBACK PREPARED, or "
        "restore under another name with {option:target_database}",
    )
    RENAME_AS_OWNER = (
        "rename_as_owner",
        'GRANT "{owner}" TO "{role}", or connect as another role, or restore under another name '
        "with {option:target_database}",
    )
    FINISH_RENAME = (
        "finish_rename",
        "Remove the cause, then connect to another database and run: {statements}",
    )
    DROP_SLOTS = "drop_slots", "Drop those that nothing reads any more: each keeps WAL until then"
    DISABLE_SUBSCRIPTIONS = (
        "disable_subscriptions",
        "If the restored database is to go on instead, run ALTER SUBSCRIPTION … DISABLE in the old "
        "one first",
    )
    OLDER_SERVER = (
        "older_server",
        "The restore fails if the backup uses a feature that the older version lacks",
    )
    CONNECT_ELSEWHERE = "connect_elsewhere", "Connect to another server"
    CONNECT_TO_PRIMARY = "connect_to_primary", "Connect to its primary server"

    ACCEPT_UNENCRYPTED = (
        "accept_unencrypted",
        "Anyone who can write to the store can have made it. If it is yours, restore it with "
        "{option:accept_unencrypted}",
    )

    # What the server lacks
    CREATE_TABLESPACES = (
        "create_tablespaces",
        "Create them, or restore without them: {option:no_tablespaces}",
    )
    CREATE_ROLES = (
        "create_roles",
        "Create them ({option:with_roles}), or restore without owners ({option:no_owner}) and "
        "grants ({option:no_acl})",
    )
    CREATE_NEEDED_ROLES = (
        "create_needed_roles",
        "Create them ({option:with_roles}), or finish without the policies and user mappings that "
        "name them: {option:accept_errors}",
    )
    CREATE_ROLES_OF_SETTINGS = (
        "create_roles_of_settings",
        "Create them ({option:with_roles}), or leave the settings of the database out: "
        "{option:exclude_settings}",
    )
    CREATE_ROLES_OTHERWISE = (
        "create_roles_otherwise",
        "Have them created by another role, or restore without owners ({option:no_owner}) and "
        "grants ({option:no_acl})",
    )
    GRANT_OWNERS = (
        "grant_owners",
        "Restore without owners: {option:no_owner}; or connect as a superuser. For owners that are "
        'no superusers, this is enough: GRANT "{owner}" TO "{role}"',
    )
    DROPPED_ROLE = (
        "dropped_role",
        "Restore without grants: {option:no_acl}. To keep the others, run CREATE ROLE "
        '"{role}" on the server first; afterwards, in the restored database, DROP OWNED BY '
        '"{role}", then DROP ROLE "{role}"',
    )
    GRANT_TABLESPACE = (
        "grant_tablespace",
        'GRANT CREATE ON TABLESPACE "{tablespace}" TO "{role}", or restore without tablespaces: '
        "{option:no_tablespaces}",
    )
    INSTALL_LOCALE = (
        "install_locale",
        "Install its locale, or a server that has its provider, or finish without the objects that "
        "need it: {option:accept_errors}",
    )
    AS_SUPERUSER = (
        "as_superuser",
        "Connect as a superuser, or finish without them: {option:accept_errors}",
    )
    EXTENSION_AS_SUPERUSER = (
        "extension_as_superuser",
        "Connect as a superuser, or leave it out with all that needs it: "
        "{option:exclude_extension}",
    )
    INSTALL_EXTENSIONS = (
        "install_extensions",
        "Install their packages on the server, or restore without them: {option:exclude_extension}",
    )
    NEWER_EXTENSION = "newer_extension", "Install the newer version if the restore fails"
    UPGRADE_PACKAGE = "upgrade_package", "Upgrade the package"
    RUN_BY_HAND = "run_by_hand", "Check it, and run it by hand"
    DROP_SCHEMAS_BY_HAND = "drop_schemas_by_hand", "Drop them by hand: {why}"
    EVENT_TRIGGERS = (
        "event_triggers",
        "One may refuse what the restore does. Restore as a superuser, which keeps them from "
        "starting, or run ALTER EVENT TRIGGER … DISABLE first",
    )
    DROP_BY_HAND = "drop_by_hand", "Drop it by hand"
    COMPUTE_AGAIN = (
        "compute_again",
        "PostgreSQL computed it when it loaded the rows. If its function reads a table that came "
        "later, set {setting:parallel_jobs} to 2 or more: then it comes after all others. "
        "Or compute it again in the restored database: UPDATE {table} SET {column} = DEFAULT",
    )
    DOES_IT_MATTER = "does_it_matter", "Check whether that matters to you"

    # Some tables only
    NAME_TABLES = "name_tables", "Name the tables: {option:table}"
    NAME_ONE_TABLE = "name_one_table", "Name that one table: {option:table}"
    TABLE_SYNTAX = (
        "table_syntax",
        "Write schema.name. Quote a name with dots or quotes as in SQL: 'public.\"a.b\"'",
    )
    DID_YOU_MEAN = "did_you_mean", "Did you mean {names}?"
    NO_SUCH_NAME = "no_such_name", "The backup has no similar name"
    INTO_OR_TARGET = (
        "into_or_target",
        "Restore it under another name with {option:into}, or into another database with "
        "{option:target_database}",
    )
    ANOTHER_DATABASE = (
        "another_database",
        "Restore it into another database with {option:target_database}",
    )
    CREATE_SCHEMA = (
        "create_schema",
        "Run CREATE SCHEMA, or restore into another database with {option:target_database}",
    )
    ADD_TABLE = "add_table", "Ask for it too: {option:table_named}"
    ADD_OR_CREATE = "add_or_create", "Ask for that too, or create it by hand afterwards"
    ADD_OR_RUN = (
        "add_or_run",
        "Ask for that too, or create it by hand afterwards: {statement}",
    )
    FORGED = "forged", "It may be forged: restore another backup"

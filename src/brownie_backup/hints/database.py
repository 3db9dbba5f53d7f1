"""Hints about PostgreSQL: the connection, its programs, rights, and dumps."""

from brownie_backup.hints.hint import HintCode


class DatabaseHint(HintCode):
    """What to do so that a database can be reached and read."""

    # The connection
    CHECK_CONNECTION = (
        "check_connection",
        "Check {setting:database_url} or the PG* variables: run {verb:doctor}",
    )
    CHECK_DATABASE_ADDRESS = (
        "check_database_address",
        "Check {setting:database_url} or the PG* variables",
    )
    CHECK_PASSWORD = (
        "check_password",
        "libpq takes the password from {setting:database_url}, else from PGPASSWORD, else from "
        "the line of this server, database and user in ~/.pgpass (or PGPASSFILE), mode 0600",
    )
    LIST_DATABASES = "list_databases", "See: psql --list"
    NO_POOLER = (
        "no_pooler",
        "This is a connection pooler (pgbouncer): connect to PostgreSQL itself",
    )
    TOO_MANY_CONNECTIONS = (
        "too_many_connections",
        "Lower {setting:parallel_jobs}, or raise the server's max_connections",
    )
    ROLE_CONNECTION_LIMIT = (
        "role_connection_limit",
        'Lower {setting:parallel_jobs}, or let the role have more: ALTER ROLE "{role}" CONNECTION '
        "LIMIT …",
    )
    DATABASE_CONNECTION_LIMIT = (
        "database_connection_limit",
        "Lower {setting:parallel_jobs}, or let the database have more: ALTER DATABASE "
        '"{database}" CONNECTION LIMIT …',
    )
    MAX_LOCKS = (
        "max_locks",
        "Raise max_locks_per_transaction in postgresql.conf, and restart the server: every table "
        "is locked while it is dumped. {verb:doctor} computes how many locks that takes",
    )
    ONE_SERVER = (
        "one_server",
        "Connect to one server itself, not to an address that a load balancer or a pooler shares "
        "among several",
    )
    NAME_ONE_SERVER = (
        "name_one_server",
        "Name the hosts of one cluster, or one host",
    )
    SNAPSHOT_ELSEWHERE = (
        "snapshot_elsewhere",
        "Run the backup again. If that happens often, one address may lead to several servers: see "
        "{verb:doctor}",
    )
    CONNECT_DIRECTLY = "connect_directly", "Connect to PostgreSQL itself"
    PASSWORD_FILE_MODE = (
        "password_file_mode",
        "Other users may read {file}, so libpq ignores it: chmod 0600",
    )
    SEE_SERVER_LOG = "see_server_log", "See the server's log, and try again"
    SEE_WHAT_ENDED_IT = "see_what_ended_it", "Find out what ended it, and try again"
    CONNECTION_STRING = (
        "connection_string",
        "Use postgresql://user:password@host:5432/database, or host=… dbname=…",
    )
    ESCAPE_IN_URL = (
        "escape_in_url",
        "In a URL, write : as %3A, / as %2F, @ as %40, ? as %3F, # as %23 and % as %25; or use "
        "host=… user=… password=… dbname=…",
    )
    PASSWORD_ON_ONE_LINE = (
        "password_on_one_line",
        "Give the password without line breaks, in UTF-8",
    )
    CONNECTION_STRING_UTF8 = "connection_string_utf8", "Write its names in UTF-8"
    USE_SERVICE_FILE = (
        "use_service_file",
        "Put it into a service file and use service=NAME",
    )

    # Programs
    INSTALL_PROGRAMS = "install_programs", "Install PostgreSQL's client programs"
    INSTALL_PROGRAMS_OF = (
        "install_programs_of",
        "Install postgresql-client-{major} (Debian, Ubuntu) or postgresql{major} (Red Hat), or set "
        "{setting:pg_bin} to the folder of its programs",
    )
    NEWER_PROGRAMS = (
        "newer_programs",
        "Install newer client programs, or set {setting:pg_bin} to their folder",
    )
    UPGRADE_PROGRAMS = (
        "upgrade_programs",
        "Upgrade the package of PostgreSQL {major}'s client programs",
    )
    INSTALL_LIBPQ = (
        "install_libpq",
        "Install libpq (libpq5), or brownie-backup[binary], which includes it",
    )
    RENAME_DATABASE = "rename_database", "Rename it: ALTER DATABASE … RENAME"

    # Rights
    GRANT_READ = "grant_read", 'GRANT pg_read_all_data TO "{role}"'
    GRANT_READ_AND_LARGE_OBJECTS = (
        "grant_read_and_large_objects",
        'GRANT pg_read_all_data TO "{role}", and for large objects: GRANT SELECT ON LARGE OBJECT …',
    )
    GRANT_READ_TO_BACKUP_ROLE = (
        "grant_read_to_backup_role",
        "Grant pg_read_all_data to the backup role: {verb:doctor} shows which rights are missing",
    )
    GRANT_LARGE_OBJECTS = (
        "grant_large_objects",
        "GRANT SELECT ON LARGE OBJECT …, or connect as their owner: see {verb:doctor}",
    )
    BYPASS_ROW_SECURITY = "bypass_row_security", 'ALTER ROLE "{role}" BYPASSRLS'
    BYPASS_OR_OWN = (
        "bypass_or_own",
        "Give the backup role BYPASSRLS, or make it the owner of that table",
    )
    ROLE_PASSWORDS = (
        "role_passwords",
        "A managed service allows no more than that; on other servers, connect as a superuser",
    )
    STANDBY_DELAY = (
        "standby_delay",
        "On the standby, set max_standby_streaming_delay (and max_standby_archive_delay) to more "
        "than a backup takes, or to -1, and hot_standby_feedback to on; or back up the primary",
    )
    DAMAGED_TABLE = (
        "damaged_table",
        "The server's data is damaged: check its disks and memory, and see PostgreSQL's log. Keep "
        "the backups of before: {option:table} restores the table as it was",
    )
    WAL_SUMMARIES = "wal_summaries", "{statements}"

    # Dumps
    LOCKED_TABLE = (
        "locked_table",
        "A session holds an exclusive lock on a table: run the backup at another time",
    )
    LOCKED_TABLE_LOOK_AGAIN = (
        "locked_table_look_again",
        "A session holds an exclusive lock on a table: run this again when it has ended",
    )
    BACK_UP_AGAIN = "back_up_again", "Run the backup again"
    BACK_UP_WHEN_OVER = "back_up_when_over", "Run the backup again when that is over"
    NOTHING_KEPT = (
        "nothing_kept",
        "Nothing of this backup was kept: run it again, or see {verb:doctor}",
    )
    VERIFY_AGAIN = "verify_again", "Find out what ended it, and verify again"

"""Checks for problems that would make a dump fail or be incomplete."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from brownie_backup.dumpers.postgres.capacity import check_capacity, check_standby
from brownie_backup.dumpers.postgres.dump.large_tables import find_candidates
from brownie_backup.dumpers.postgres.dump.wal import SUMMARIES_SINCE
from brownie_backup.dumpers.postgres.restore.preflight import check_room
from brownie_backup.errors import BackupError, ConnectionFailed, DatabaseError, ProgramMissing
from brownie_backup.hints import DatabaseHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, quote_name
from brownie_backup.postgres.endpoint import Endpoint
from brownie_backup.wording import counted

_SHOWN = 10
_CONNECTIONS = 4
"""How often to connect, to see whether it is always to the same server."""
_PATIENCE_SECONDS = 5
"""How long to wait for a table that another session has locked exclusively."""
_MIB = 1 << 20

_DATABASE = """
SELECT current_database() AS name, pg_database_size(current_database()) AS size_bytes
"""

_RIGHTS = """
SELECT current_user AS me, r.rolsuper OR r.rolcreatedb AS may_create,
  has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS role_passwords,
  pg_is_in_recovery() AS standby
FROM pg_roles r WHERE rolname = current_user
"""

_UNREADABLE = """
SELECT CASE c.relkind WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind,
  format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'S') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT (CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
           ELSE has_table_privilege(c.oid, 'SELECT') END
           AND has_schema_privilege(n.oid, 'USAGE'))
ORDER BY 1, 2
"""

# A large object can be read by its owner, by roles with a grant on it, and by superusers;
# pg_read_all_data does not include it.
_UNREADABLE_LARGE_OBJECTS = """
SELECT 'large object' AS kind, m.oid::text AS name FROM pg_largeobject_metadata m
WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
  AND NOT pg_has_role(m.lomowner, 'USAGE')
  AND NOT EXISTS (SELECT FROM aclexplode(m.lomacl) a WHERE a.privilege_type = 'SELECT'
    AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
ORDER BY m.oid
"""

_HIDDEN_ROWS = """
SELECT 'table' AS kind, format('%I.%I', n.nspname, c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relrowsecurity AND row_security_active(c.oid) ORDER BY 2
"""


_SUMMARIES = """
SELECT current_setting('summarize_wal') = 'on' AS on,
  pg_has_role('pg_checkpoint', 'USAGE') AS may_checkpoint,
  has_function_privilege('pg_available_wal_summaries()', 'EXECUTE') AND
    has_function_privilege('pg_wal_summary_contents(bigint, pg_lsn, pg_lsn)', 'EXECUTE') AS may_read
"""
_READ_SUMMARIES = (
    "GRANT EXECUTE ON FUNCTION pg_available_wal_summaries(), "
    "pg_wal_summary_contents(bigint, pg_lsn, pg_lsn) TO {}, in this database"
)
_LARGE = "large tables"
_UNREAD = "backups read every large table in full"


def diagnose(client: Client, bulk_bytes: int, jobs: int) -> Iterator[Finding]:
    """Yield findings about programs, connection, rights and large tables; none raises.

    Args:
        client: connected to the database.
        bulk_bytes: the size from which a table is read in ranges.
        jobs: how many connections a backup reads with.
    """
    try:
        reached = [client.pinned() for _ in range(_CONNECTIONS)]
    except BackupError as error:
        yield Finding(Level.ERROR, "connection", error.message, error.hint)
        return
    servers = [*check_servers([each.endpoint for each in reached if each.endpoint])]
    yield from servers
    if any(each.level is Level.ERROR for each in servers):
        return
    client = reached[0]
    version = client.server_version
    (database,) = client.query(_DATABASE)
    yield Finding(Level.OK, "connection", f"PostgreSQL {version}, database '{database['name']}'")
    yield from _programs(client)
    (rights,) = client.query(_RIGHTS)
    yield from _readable(client, rights["me"])
    yield from _policies(client, rights["me"])
    if rights["role_passwords"]:
        yield Finding(Level.OK, "roles", "role passwords are readable and will be in backups")
    else:
        msg = "role passwords are not readable: backups will have the roles without them"
        yield Finding(Level.WARNING, "roles", msg, DatabaseHint.ROLE_PASSWORDS)
    may = "may" if rights["may_create"] else "may not, so restore as another role: it must"
    yield Finding(Level.OK, "restore", f"'{rights['me']}' {may} create databases")
    if rights["standby"]:
        yield check_standby(client)
    yield from check_capacity(client, database["name"], jobs)
    yield from _bulk(client, database["name"], bulk_bytes, rights)
    for finding in check_room(database["size_bytes"]):
        msg = f"a restore on this host might fail: {finding.message}"
        yield Finding(Level.WARNING, "space", msg, finding.hint)


def check_servers(reached: Sequence[Endpoint]) -> Iterator[Finding]:
    """Yield whether connections lead to more than one server, and whether that harms."""
    first = reached[0]
    identities = [each.identity for each in reached if each.identity]
    for each in reached:
        try:
            if each.identity and each.place == first.place:
                first.require(each.identity)
        except ConnectionFailed as error:
            yield Finding(Level.ERROR, "servers", error.message, error.hint)
            return
    places = ", ".join(dict.fromkeys(each.place for each in reached))
    if len({each.system_identifier for each in identities}) > 1:
        msg = f"the connection leads to several clusters: {places}"
        yield Finding(Level.WARNING, "servers", msg, DatabaseHint.NAME_ONE_SERVER)
    elif places != first.place:
        msg = f"the connection leads to {places}: a backup stays with the first that it reaches"
        yield Finding(Level.OK, "servers", msg)


def _programs(client: Client) -> Iterator[Finding]:
    try:
        programs = client.programs
    except ProgramMissing as error:
        yield Finding(Level.ERROR, "programs", error.message, error.hint)
        return
    found = f"pg_dump {programs.version} in {programs.folder}"
    if programs.vulnerable:
        hint = DatabaseHint.UPGRADE_PROGRAMS(major=str(programs.version.major))
        yield Finding(Level.WARNING, "programs", f"{found}: security fixes are missing", hint)
    else:
        yield Finding(Level.OK, "programs", found)


def _readable(client: Client, me: str) -> Iterator[Finding]:
    rows = client.query(_UNREADABLE) + client.query(_UNREADABLE_LARGE_OBJECTS)
    if not rows:
        msg = f"'{me}' may read every table, sequence and large object"
        yield Finding(Level.OK, "rights", msg)
        return
    shown = ", ".join(f"{row['kind']} {row['name']}" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    large = any(row["kind"] == "large object" for row in rows)
    code = DatabaseHint.GRANT_READ_AND_LARGE_OBJECTS if large else DatabaseHint.GRANT_READ
    yield Finding(Level.ERROR, "rights", f"'{me}' may not read {shown}{more}", code(role=me))


def _policies(client: Client, me: str) -> Iterator[Finding]:
    rows = client.query(_HIDDEN_ROWS)
    if rows:
        shown = ", ".join(row["name"] for row in rows[:_SHOWN])
        msg = f"row security hides rows of {shown} from '{me}': pg_dump will refuse"
        yield Finding(Level.ERROR, "rights", msg, DatabaseHint.BYPASS_ROW_SECURITY(role=me))
    else:
        yield Finding(Level.OK, "rights", "row security hides nothing")


def _bulk(
    client: Client, database: str, bulk_bytes: int, rights: Mapping[str, Any]
) -> Iterator[Finding]:
    """Report how large tables are read, and whether unchanged blocks can be skipped."""
    try:
        with client.session(database) as session:
            session.run(f"SET lock_timeout = '{_PATIENCE_SECONDS}s'")
            candidates = find_candidates(session, bulk_bytes).tables
    except DatabaseError as error:
        msg = f"the sizes of tables are not known: {error.message}"
        hint = DatabaseHint.LOCKED_TABLE_LOOK_AGAIN
        yield Finding(Level.WARNING, _LARGE, msg, hint)
        return
    if not candidates:
        yield Finding(Level.OK, _LARGE, f"no table is larger than {bulk_bytes / _MIB:g} MiB")
        return
    left = [each for each in candidates if each.reason]
    count = len(candidates) - len(left)
    are = "1 table is" if count == 1 else f"{count} tables are"
    text = f"{are} larger than {bulk_bytes / _MIB:g} MiB, and read in ranges"
    yield Finding(Level.OK, _LARGE, text)
    for each in left[:_SHOWN]:
        yield Finding(Level.OK, _LARGE, f"{each.quoted} is in the archive: {each.reason}")
    if len(left) > _SHOWN:
        more = counted(len(left) - _SHOWN, "more large table")
        text = f"also in the archive: {more}"
        yield Finding(Level.OK, _LARGE, text)
    if count:
        yield _summaries(client, rights)


def _summaries(client: Client, rights: Mapping[str, Any]) -> Finding:
    major = client.server_version.major
    if major < SUMMARIES_SINCE:
        msg = f"PostgreSQL {major} keeps no WAL summaries: {_UNREAD}"
        return Finding(Level.OK, "WAL summaries", msg)
    if rights["standby"]:
        return Finding(Level.OK, "WAL summaries", f"this is a standby: {_UNREAD}")
    (found,) = client.query(_SUMMARIES)
    me = quote_name(rights["me"])
    problems = {
        "on": ("summarize_wal is off", "ALTER SYSTEM SET summarize_wal = on; then reload"),
        "may_checkpoint": (f"{me} may not CHECKPOINT", f"GRANT pg_checkpoint TO {me}"),
        "may_read": (f"{me} may not read WAL summaries", _READ_SUMMARIES.format(me)),
    }
    missing = [problems[key] for key in problems if not found[key]]
    if missing:
        what = ", and ".join(problem for problem, _ in missing)
        hint = DatabaseHint.WAL_SUMMARIES(statements="; ".join(sql for _, sql in missing))
        return Finding(Level.WARNING, "WAL summaries", f"{what}: {_UNREAD}", hint)
    msg = "they are on: blocks that they show to be unchanged are not read again"
    return Finding(Level.OK, "WAL summaries", msg)

"""What would make a dump fail or be incomplete, found before it does."""

from collections.abc import Iterator

from brownie_backup.dumpers.postgres.client import Client
from brownie_backup.dumpers.postgres.preflight import check_room
from brownie_backup.errors import BackupError, ProgramMissing
from brownie_backup.reports import Finding, Level

_SHOWN = 10

_DATABASE = """
SELECT current_database() AS name, pg_database_size(current_database()) AS size_bytes
"""

_RIGHTS = """
SELECT current_user AS me, r.rolsuper AS super, r.rolbypassrls AS bypasses_policies,
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

# A large object's owner, whoever it is granted to, and superusers may read it; pg_read_all_data
# does not reach it.
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


def diagnose(client: Client) -> Iterator[Finding]:
    """Yield findings about programs, connection and rights; none raises."""
    try:
        version = client.server_version
    except BackupError as error:
        yield Finding(Level.ERROR, "connection", error.message, error.hint)
        return
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
        hint = "On a managed service that is as good as it gets; else connect as a superuser"
        yield Finding(Level.WARNING, "roles", msg, hint)
    if rights["standby"]:
        msg = "this is a standby: a long dump may be cancelled by what it replays"
        hint = "Set max_standby_streaming_delay, or hot_standby_feedback, on it"
        yield Finding(Level.WARNING, "standby", msg, hint)
    for finding in check_room(database["size_bytes"]):
        msg = f"a restore on this host might fail: {finding.message}"
        yield Finding(Level.WARNING, "space", msg, finding.hint)


def _programs(client: Client) -> Iterator[Finding]:
    try:
        programs = client.programs
    except ProgramMissing as error:
        yield Finding(Level.ERROR, "programs", error.message, error.hint)
        return
    found = f"pg_dump {programs.version} in {programs.folder}"
    if programs.vulnerable:
        hint = f"Upgrade the package of PostgreSQL {programs.version.major}'s client programs"
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
    hint = f'GRANT pg_read_all_data TO "{me}"'
    if any(row["kind"] == "large object" for row in rows):
        hint += ", and for large objects: GRANT SELECT ON LARGE OBJECT …"
    yield Finding(Level.ERROR, "rights", f"'{me}' may not read {shown}{more}", hint)


def _policies(client: Client, me: str) -> Iterator[Finding]:
    rows = client.query(_HIDDEN_ROWS)
    if rows:
        shown = ", ".join(row["name"] for row in rows[:_SHOWN])
        msg = f"row security hides rows of {shown} from '{me}': pg_dump will refuse"
        yield Finding(Level.ERROR, "rights", msg, f'ALTER ROLE "{me}" BYPASSRLS')
    else:
        yield Finding(Level.OK, "rights", "row security hides nothing")

"""The connections and locks that a backup takes, and how many the server has left."""

from collections.abc import Iterator, Mapping
from typing import Any

from brownie_backup.hints import DatabaseHint, Hint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client
from brownie_backup.wording import counted

_BESIDE_WORKERS = 4
"""Sessions beside those of the workers: of the snapshot, of pg_dump, and of what watches it."""
_CATALOGUE_LOCKS = 200
"""Locks of pg_dump on the system's own tables and their indexes, about."""
_NO_SEQUENCE_LOCKS_SINCE = 18

# Any role sees whose sessions there are, but only some see what each is. Neither role nor database
# limits a superuser.
_CONNECTIONS = """
WITH here AS (SELECT usesysid, datid FROM pg_stat_activity
  WHERE usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
   AND pid <> pg_backend_pid())
SELECT r.rolname AS role, d.datname AS database, r.rolsuper AS superuser,
  r.rolconnlimit AS role_limit, d.datconnlimit AS database_limit,
  (SELECT count(*) FROM here WHERE usesysid = r.oid) AS of_role,
  (SELECT count(*) FROM here WHERE datid = d.oid) AS of_database,
  (SELECT count(*) FROM here) AS of_server,
  current_setting('max_connections')::int AS server_limit,
  current_setting('superuser_reserved_connections')::int
   + coalesce(current_setting('reserved_connections', true), '0')::int AS reserved
FROM pg_roles r, pg_database d WHERE rolname = current_user AND datname = current_database()
"""

# See InitializeMaxBackends and LockShmemSize in PostgreSQL's source.
_LOCKS = """
SELECT current_setting('max_locks_per_transaction')::bigint * (
    current_setting('max_connections')::int + current_setting('max_worker_processes')::int
    + coalesce(current_setting('autovacuum_worker_slots', true),
        current_setting('autovacuum_max_workers'))::int + 1
    + current_setting('max_wal_senders')::int
    + current_setting('max_prepared_transactions')::int) AS capacity,
  (SELECT count(*) FROM pg_locks WHERE NOT fastpath) AS taken,
  count(*) FILTER (WHERE relkind IN ('r', 'p')) AS tables,
  count(*) FILTER (WHERE relkind IN ('v', 'm', 'f')) AS views,
  count(*) FILTER (WHERE relkind = 'S') AS sequences
FROM pg_class WHERE oid >= 16384 AND relpersistence <> 't'
"""
_STANDBY = """
SELECT current_setting('max_standby_streaming_delay') AS delay,
  current_setting('hot_standby_feedback') = 'on' AS feedback
"""


def check_capacity(client: Client, database: str, jobs: int) -> Iterator[Finding]:
    """Yield whether the server has enough connections and locks for a backup.

    Args:
        client: of the server.
        database: the name of the database.
        jobs: how many connections read at once.
    """
    (found,) = client.query(_CONNECTIONS, database)
    yield _connections(found, jobs + _BESIDE_WORKERS)
    (found,) = client.query(_LOCKS, database)
    yield _locks(found, client.server_version.major)


def check_standby(client: Client) -> Finding:
    """Return whether replaying WAL may cancel a dump."""
    (found,) = client.query(_STANDBY)
    if found["delay"] == "-1" and found["feedback"]:
        return Finding(Level.OK, "standby", "this is a standby, which waits for a dump to end")
    feedback = "on" if found["feedback"] else "off"
    settings = f"max_standby_streaming_delay is {found['delay']}, hot_standby_feedback {feedback}"
    msg = f"this is a standby: replaying WAL may cancel a long dump ({settings})"
    return Finding(Level.WARNING, "standby", msg, DatabaseHint.STANDBY_DELAY)


def _connections(found: Mapping[str, Any], needed: int) -> Finding:
    free, what, hint = min(_free(found), key=lambda each: each[0])
    are = f"{counted(free, 'connection')} left of {what}"
    if free < needed:
        msg = f"a backup takes up to {needed} connections, and there {_be(free)} {are}"
        return Finding(Level.WARNING, "connections", msg, hint)
    return Finding(Level.OK, "connections", f"a backup takes up to {needed}, of {are}")


def _free(found: Mapping[str, Any]) -> Iterator[tuple[int, str, Hint]]:
    """Yield how many connections each limit leaves."""
    reserved = 0 if found["superuser"] else found["reserved"]
    free = found["server_limit"] - reserved - found["of_server"]
    of_server = f"the server's {found['server_limit']} (max_connections)"
    yield max(free, 0), of_server, DatabaseHint.TOO_MANY_CONNECTIONS()
    if found["superuser"]:
        return
    role, database = found["role"], found["database"]
    limits = {
        f"the {found['role_limit']} of the role '{role}'": (
            *(found["role_limit"], found["of_role"]),
            DatabaseHint.ROLE_CONNECTION_LIMIT(role=role),
        ),
        f"the {found['database_limit']} of the database '{database}'": (
            *(found["database_limit"], found["of_database"]),
            DatabaseHint.DATABASE_CONNECTION_LIMIT(database=database),
        ),
    }
    for what, (most, used, hint) in limits.items():
        if most >= 0:
            yield max(most - used, 0), what, hint


def _locks(found: Mapping[str, Any], major: int) -> Finding:
    needed = found["tables"] + found["views"] + _CATALOGUE_LOCKS
    if major < _NO_SEQUENCE_LOCKS_SINCE:
        needed += found["sequences"]
    free = max(found["capacity"] - found["taken"], 0)
    if needed > free:
        msg = f"a backup takes about {needed} locks, and the server has room for about {free}"
        return Finding(Level.WARNING, "locks", msg, DatabaseHint.MAX_LOCKS)
    msg = f"a backup takes about {needed}, and the server has room for {free}"
    return Finding(Level.OK, "locks", msg)


def _be(count: int) -> str:
    return "is" if count == 1 else "are"

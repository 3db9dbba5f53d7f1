"""Putting a restored database in its place, in one transaction."""

import contextlib
import logging
import time

from brownie_backup.errors import (
    BackupError,
    DatabaseError,
    DatabaseNotFound,
    RestoreFailed,
    TargetExists,
)
from brownie_backup.hints import RestoreHint
from brownie_backup.postgres.client import Client, quote_name, quote_text

_log = logging.getLogger(__name__)

_OBJECT_IN_USE = "55006"
_TRIES = 20
_END_CREATION = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
)
_PAUSE_SECONDS = 0.5


def maintenance_client(client: Client, target: str) -> Client:
    """Return a client of a database to stay in while others are created, renamed and dropped.

    It is not the target, which may not exist, or may be about to lose its name.
    """
    why: BackupError = DatabaseNotFound("the server has no database to connect to")
    for name in ("postgres", "template1", client.access.conninfo.database):
        if name and name != target:
            other = client.connected_to(name)
            try:
                # A fact that is needed later anyway: this saves a second query.
                _log.debug("connected to '%s', PostgreSQL %s", name, other.server_version)
            except (DatabaseNotFound, DatabaseError) as error:
                why = error
            else:
                return other
    why.hint = why.hint or RestoreHint.LET_CONNECT()
    raise why


def put_in_place(client: Client, *, fresh: str, name: str, kept: str | None) -> str | None:
    """Rename the fresh database to `name`; one that has that name is renamed to `kept` first.

    Either both renames happen or neither. A session that connects after the others were ended and
    before the rename makes the rename fail, so it is tried again for some seconds. `client` is
    connected to another database than these.

    Returns:
        `kept`, if there was a database to keep.

    Raises:
        TargetExists: a database has that name, and `kept` is None.
    """
    for attempt in range(_TRIES):
        exists = bool(
            client.query(f"SELECT 1 AS one FROM pg_database WHERE datname = {quote_text(name)}")
        )
        if exists and kept is None:
            msg = f"a database named '{name}' was created during the restore"
            raise TargetExists(msg, hint=RestoreHint.RENAME_OR_REPLACE)
        moved = (name, fresh) if exists else (fresh,)
        renames = [f"ALTER DATABASE {quote_name(fresh)} RENAME TO {quote_name(name)}"]
        if exists and kept:
            renames.insert(0, f"ALTER DATABASE {quote_name(name)} RENAME TO {quote_name(kept)}")
        try:
            client.run(_swap(moved, renames))
        except DatabaseError as error:
            if error.sqlstate != _OBJECT_IN_USE or attempt == _TRIES - 1:
                hint = RestoreHint.END_SESSIONS
                msg = f"the restored database could not be renamed: {error.message}"
                raise RestoreFailed(msg, hint=hint, errors=[error.message]) from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return kept if exists else None
    return None


def end_sessions(client: Client, database: str) -> None:
    """End all sessions in a database. `client` is connected to another one."""
    client.run([_ending(database)])


def drop(client: Client, database: str) -> bool:
    """Drop a half-made database, overcoming any obstacle; return whether it is gone."""
    name, text = quote_name(database), quote_text(database)
    creating = quote_text(f"%CREATE DATABASE {name}%")
    steps = (
        # A CREATE DATABASE of ours may still run, although we no longer wait for it.
        _END_CREATION + f" AND query LIKE {creating}",
        f"ALTER DATABASE {name} IS_TEMPLATE false",
        f"ALTER DATABASE {name} CONNECTION LIMIT -1",
        None,
        f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
    )
    for step in steps:
        with contextlib.suppress(DatabaseError, DatabaseNotFound):
            if step:
                client.run([step])
            else:
                forget_subscriptions(client, database)
    with contextlib.suppress(DatabaseError, DatabaseNotFound):
        return not client.query(f"SELECT 1 AS one FROM pg_database WHERE datname = {text}")
    return False


def forget_subscriptions(client: Client, database: str) -> None:
    """Drop a database's subscriptions, which keep it from being dropped.

    First they are detached from their replication slots: those belong to the publisher, and are in
    use by others.
    """
    rows = client.query(
        "SELECT subname FROM pg_subscription WHERE subdbid = "
        "(SELECT oid FROM pg_database WHERE datname = current_database())",
        database,
    )
    for row in rows:
        name = quote_name(row["subname"])
        forget = (
            f"ALTER SUBSCRIPTION {name} DISABLE",
            f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)",
            f"DROP SUBSCRIPTION {name}",
        )
        client.run(forget, database)


def _swap(moved: tuple[str, ...], renames: list[str]) -> list[str]:
    return ["BEGIN", _ending(*moved), *renames, "COMMIT"]


def _ending(*databases: str) -> str:
    names = ", ".join(quote_text(name) for name in databases)
    return (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname IN ({names}) AND backend_type = 'client backend'"
    )

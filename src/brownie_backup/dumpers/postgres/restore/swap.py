"""Putting a restored database in its place, in one transaction."""

import contextlib
import logging
import time
from concurrent.futures import wait

from brownie_backup.concurrency.threads import Threads
from brownie_backup.dumpers.postgres.restore.obstruction import ending, find_obstructions
from brownie_backup.errors import (
    BackupError,
    DatabaseError,
    DatabaseNotFound,
    RenameFailed,
)
from brownie_backup.hints import RestoreHint
from brownie_backup.postgres.client import Client, quote_name, quote_text

_log = logging.getLogger(__name__)

_PASSING = ("55006", "55P03")
"""object_in_use, lock_not_available"""
_LONGEST_SECONDS = 10
_PAUSE_SECONDS = 0.1
_END_CREATION = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
)


def maintenance_client(client: Client, target: str) -> Client:
    """Return a client of a database to stay in while others are created, renamed and dropped.

    It is pinned to the server that it reaches.

    It is not the target, which may not exist, or may be about to lose its name.
    """
    why: BackupError = DatabaseNotFound("the server has no database to connect to")
    for name in ("postgres", "template1", client.access.conninfo.database):
        if name and name != target:
            other = client.connected_to(name)
            try:
                # One restore is on one server, whatever else the connection string leads to.
                other = other.pinned()
            except (DatabaseNotFound, DatabaseError) as error:
                why = error
            else:
                return other
    why.hint = why.hint or RestoreHint.LET_CONNECT()
    raise why


def put_in_place(client: Client, *, fresh: str, name: str, kept: str | None) -> str | None:
    """Rename the fresh database to `name`; one that has that name is renamed to `kept` first.

    Either both renames happen or neither. `client` is connected to another database than these.

    Returns:
        `kept`, if there was a database to keep.

    Raises:
        RenameFailed: something keeps a database from being renamed, for ten seconds.
    """
    until = time.monotonic() + _LONGEST_SECONDS
    moved: tuple[str, ...] = (fresh,)
    renames = [_rename(fresh, name)]
    while True:
        try:
            exists = _exists(client, name)
            if exists and kept:
                moved, renames = (name, fresh), [_rename(name, kept), _rename(fresh, name)]
            if not exists or kept:
                _rename_and_end_sessions(client, moved, renames, until)
        except DatabaseError as error:
            if _is_gone(client, fresh):  # only the answer was lost
                return kept if len(renames) > 1 else None
            reasons = _reasons(client, moved)
            if error.sqlstate in _PASSING and not reasons and time.monotonic() < until:
                continue
            raise _failed("; ".join([error.message, *reasons]), fresh, renames) from None
        if exists and not kept:
            msg = f"a database named '{name}' was created during the restore"
            raise _failed(msg, fresh, renames)
        return kept if exists else None


def end_sessions(client: Client, database: str) -> None:
    """End all sessions in a database. `client` is connected to another one."""
    client.run([ending(database)])


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


def _rename_and_end_sessions(
    client: Client, moved: tuple[str, ...], renames: list[str], until: float
) -> None:
    """Rename in one transaction, while another session ends all others in the databases.

    A rename first locks its database, so that no session can begin in it, then waits up to five
    seconds for the sessions in it to end. So no client that reconnects can get in between.
    """
    script = ["BEGIN", f"SET LOCAL lock_timeout = '{_LONGEST_SECONDS // 2}s'", *renames, "COMMIT"]
    with (
        client.session() as ending_them,
        client.session() as renaming,
        Threads(1, thread_name_prefix="rename") as pool,
    ):
        try:
            renamed = pool.submit(renaming.run, *script)
            while not renamed.done() and time.monotonic() < until + _PAUSE_SECONDS:
                with contextlib.suppress(DatabaseError):  # one may have ended by itself
                    ending_them.query(ending(*moved))
                wait([renamed], _PAUSE_SECONDS)
        finally:
            if not renamed.done():
                renaming.interrupt()
        renamed.result()


def _rename(old: str, new: str) -> str:
    return f"ALTER DATABASE {quote_name(old)} RENAME TO {quote_name(new)}"


def _exists(client: Client, name: str) -> bool:
    return bool(client.query(f"SELECT 1 FROM pg_database WHERE datname = {quote_text(name)}"))


def _is_gone(client: Client, name: str) -> bool:
    with contextlib.suppress(DatabaseError):
        return not _exists(client, name)
    return False


def _reasons(client: Client, moved: tuple[str, ...]) -> list[str]:
    """Return what is in the way of a rename and stays there."""
    with contextlib.suppress(DatabaseError):
        found = find_obstructions(client, *moved)
        return [reason.message for each in found for reason in each.reasons()]
    return []


def _failed(why: str, fresh: str, renames: list[str]) -> RenameFailed:
    msg = f"everything is restored into '{fresh}', but that could not be renamed: {why}"
    statements = "; ".join(["BEGIN", *renames, "COMMIT"])
    hint = RestoreHint.FINISH_RENAME(statements=statements)
    return RenameFailed(msg, hint=hint, errors=[why])

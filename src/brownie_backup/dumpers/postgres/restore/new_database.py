"""A fresh database, created like the one in the archive."""

import contextlib
import re
from collections.abc import Iterator

from brownie_backup.dumpers.postgres.restore import preflight, swap
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.obstruction import find_obstructions
from brownie_backup.dumpers.postgres.restore.statements import (
    for_database,
    is_ownership,
    split_statements,
)
from brownie_backup.errors import DatabaseError, RestoreFailed
from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, quote_name
from brownie_backup.postgres.output import is_about_database
from brownie_backup.postgres.session import Session


class NewDatabase:
    """A database with a unique name; `client` is connected to another one."""

    def __init__(self, client: Client, name: str, token: str) -> None:
        self._client = client
        # In ASCII, so that it reads the same in any database encoding: names of databases are
        # shared by all databases, and not converted.
        self.name = shorten(re.sub(r"\W", "_", name, flags=re.ASCII), f"_restoring_{token}")
        self.settings: list[str] = []
        """Statements about the database itself, for the end: one may make it read-only."""
        self.exists = False

    def make(self, archive: Archive, listing: str) -> Iterator[Finding]:
        """Create it, with the encoding, locale and owner that the archive has.

        They come from the archive itself: pg_dump knows best the properties of a database.
        """
        wanted = [line for line in listing.split("\n") if is_about_database(line)]
        lines = archive.use_lines("\n".join(wanted) + "\n", "database")
        script = archive.script("--create", lines, "--file=-")
        statements, strange = for_database(split_statements(script), quote_name(self.name))
        (create,) = (s for s in statements if s.startswith("CREATE DATABASE"))
        statements.remove(create)
        # Before, not after: a CREATE that we no longer wait for may still complete.
        self.exists = True
        # The owner comes first: our right to create anything in the database may depend on it.
        self.settings = [s for s in statements if not is_ownership(s)]
        owner = filter(is_ownership, statements)
        with or_fail("creating the database"), self._client.session() as session:
            session.run(create, "BEGIN", *owner)
            self._require_renaming(session)
            session.run("COMMIT")
        for statement in strange:
            msg = f"not applied to the database: {statement[:100]}"
            yield Finding(Level.WARNING, "database", msg, RestoreHint.RUN_BY_HAND)

    def _require_renaming(self, session: Session) -> None:
        """Raise if the new owner's database is not ours to rename, and to drop.

        Whoever is a member of a role may give it a database; renaming needs its rights, which not
        every member inherits.
        """
        for found in find_obstructions(session, self.name):
            for reason in found.reasons():
                raise RestoreFailed(reason.message, hint=reason.hint, errors=[reason.message])

    def drop(self) -> bool:
        """Drop it, if it is there; return whether it is gone."""
        self.exists = self.exists and not swap.drop(self._client, self.name)
        return not self.exists


def run_or_fail(
    client: Client, doing: str, statements: list[str], database: str | None = None
) -> None:
    """Run statements in one session, or raise `RestoreFailed`."""
    if statements:
        with or_fail(doing):
            client.run(statements, database)


@contextlib.contextmanager
def or_fail(doing: str) -> Iterator[None]:
    """Raise `RestoreFailed` for PostgreSQL's error."""
    try:
        yield
    except RestoreFailed:
        raise
    except DatabaseError as error:
        msg = f"{doing} failed: {error.message}"
        raise RestoreFailed(
            msg, hint=RestoreHint.TARGET_UNCHANGED, errors=[error.message]
        ) from None


def shorten(name: str, suffix: str) -> str:
    """Return `name` with the suffix, cut to PostgreSQL's limit, at a whole character."""
    suffix = suffix.encode()[: preflight.NAME_BYTES - 1].decode("utf-8", "ignore")
    room = preflight.NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode("utf-8", "ignore") + suffix

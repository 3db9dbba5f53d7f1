"""A fresh database, created like the one in the archive."""

import contextlib
import re
from collections.abc import Iterable, Iterator

from brownie_backup.dumpers.postgres.restore import preflight, swap
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.database_script import read_database_script
from brownie_backup.dumpers.postgres.restore.failures import Failure, Failures
from brownie_backup.dumpers.postgres.restore.obstruction import find_obstructions
from brownie_backup.dumpers.postgres.restore.statements import is_setting
from brownie_backup.errors import DatabaseError, RestoreFailed
from brownie_backup.hints import Hint, RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client
from brownie_backup.postgres.session import Session

# What PostgreSQL says if a locale is unknown, or does not fit the encoding or the provider.
_WRONG_LOCALE = ("42809", "22023", "0A000", "42P17")


class NewDatabase:
    """A database with a unique name; `client` is connected to another one."""

    def __init__(self, client: Client, name: str, token: str) -> None:
        self._client = client
        # In ASCII, so that it reads the same in any database encoding: names of databases are
        # shared by all databases, and not converted.
        self.name = shorten(re.sub(r"\W", "_", name, flags=re.ASCII), f"_restoring_{token}")
        self.properties: tuple[str, ...] = ()
        """Statements about the database itself, for the end: one may make it read-only."""
        self.exists = False

    def make(
        self, archive: Archive, listing: str, options: RestoreOptions, failures: Failures
    ) -> Iterator[Finding]:
        """Create it, with the encoding, locale and owner that the archive has."""
        script = read_database_script(archive, listing, self.name, options)
        # Before, not after: a CREATE that we no longer wait for may still complete.
        self.exists = True
        # The owner comes first: our right to create anything in the database may depend on it.
        self.properties = script.properties
        self._create(script.create)
        self._give_away(script.ownership, failures)
        for statement in script.strange:
            msg = f"not applied to the database: {statement[:100]}"
            yield Finding(Level.WARNING, "database", msg, RestoreHint.RUN_BY_HAND)

    def set_up(self, failures: Failures) -> None:
        """Set the properties of the database itself."""
        self._try(self.properties, self.name, failures)

    def _create(self, statement: str) -> None:
        try:
            self._client.run([statement])
        except DatabaseError as error:
            hint = error.hint or RestoreHint.TARGET_UNCHANGED()
            if error.sqlstate in _WRONG_LOCALE:
                hint = RestoreHint.OTHER_LOCALE()
            msg = f"creating the database failed: {error.message}"
            raise RestoreFailed(msg, hint=hint, errors=[error.message]) from None

    def _give_away(self, owner: Iterable[str], failures: Failures) -> None:
        with self._client.session() as session:
            try:
                session.run("BEGIN", *owner)
            except DatabaseError as error:
                session.run("ROLLBACK")
                failures.add(Failure("DATABASE", "owner", error.message))
                return
            self._require_renaming(session)
            session.run("COMMIT")

    def _try(self, statements: Iterable[str], database: str | None, failures: Failures) -> None:
        """Run statements about the database, each of which may fail."""
        with self._client.session(database) as session:
            for statement in statements:
                try:
                    session.run(statement)
                except DatabaseError as error:
                    kind = "DATABASE SETTING" if is_setting(statement) else "DATABASE"
                    # without the value: it may be a secret
                    name = re.split(r" TO |=", statement)[0][:200]
                    failures.add(Failure(kind, name, error.message))

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
        hint = error.hint or RestoreHint.TARGET_UNCHANGED()
        raise RestoreFailed(msg, hint=hint, errors=[error.message]) from None


def shorten(name: str, suffix: str) -> str:
    """Return `name` with the suffix, cut to PostgreSQL's limit, at a whole character."""
    suffix = suffix.encode()[: preflight.NAME_BYTES - 1].decode("utf-8", "ignore")
    room = preflight.NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode("utf-8", "ignore") + suffix


def with_leftover(hint: Hint | None, left: str) -> Hint:
    """Return a hint with the name of a database that is still there."""
    if hint is None or hint.code is RestoreHint.TARGET_UNCHANGED:
        return RestoreHint.DROP_HALF_RESTORED(names=left)
    last = hint.data.get("then", hint)
    if isinstance(last, Hint) and last.code is RestoreHint.ACCEPT_DIFFERENCES:  # it names it
        return hint
    return RestoreHint.BOTH(first=hint, then=RestoreHint.DROP_HALF_RESTORED(names=left))

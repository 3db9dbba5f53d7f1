"""Statements that are tried on the server and rolled back: only it knows whether it takes them."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from attrs import frozen

from brownie_backup.dumpers.postgres.inventory import Inventory
from brownie_backup.dumpers.postgres.restore import preflight
from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.contents import Contents
from brownie_backup.dumpers.postgres.restore.database_script import DatabaseScript
from brownie_backup.dumpers.postgres.restore.rights import (
    check_grants,
    check_statements,
    check_superuser,
    level_of,
    some,
)
from brownie_backup.dumpers.postgres.restore.statements import (
    collations,
    for_a_role,
    for_roles,
    function_settings,
    owners_in,
    roles_created,
    roles_to_create,
    split_statements,
)
from brownie_backup.errors import DamagedError, DatabaseError
from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import Client, quote_text
from brownie_backup.postgres.session import Session
from brownie_backup.wording import counted

# Another session holds what we would change, or the server has become a standby: that says nothing
# about the statement.
_UNDECIDED = ("55P03", "40P01", "25006")
_INSUFFICIENT_PRIVILEGE = "42501"
_PATIENCE = "SET LOCAL lock_timeout = '2s'"
_TEMPORARY = "CREATE COLLATION pg_temp.brownie_backup_trial "
_MAY_USE_TEMPORARY = """
SELECT has_database_privilege(current_database(), 'TEMPORARY') AS may,
  getdatabaseencoding() = 'UTF8' AS utf8
"""
# Since 16 a role may be a member without the right to give it something.
_NOT_OURS = """
SELECT rolname FROM pg_roles WHERE rolname = ANY ({names}) AND NOT pg_has_role(oid, '{right}')
ORDER BY 1
"""
_SET_SINCE = 16
_LONGEST = 200


class Trial:
    """A transaction in which statements are tried."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def refusal(self, *statements: str) -> DatabaseError | None:
        """Run statements; return the server's error, without which they stay for this trial."""
        try:
            self._session.run("SAVEPOINT trial", *statements, "RELEASE trial")
        except DatabaseError as error:
            self._session.run("ROLLBACK TO trial")
            return None if error.sqlstate in _UNDECIDED else error
        return None

    def owners_not_ours(self, names: AbstractSet[str], major: int) -> list[str]:
        """Return the roles among these to which we may not give objects."""
        right = "SET" if major >= _SET_SINCE else "MEMBER"
        array = f"ARRAY[{', '.join(map(quote_text, sorted(names)))}]::text[]"
        rows = self._session.query(_NOT_OURS.format(names=array, right=right))
        return [row["rolname"] for row in rows]

    def may_collate(self) -> bool:
        """Whether collations can be tried here."""
        (row,) = self._session.query(_MAY_USE_TEMPORARY)
        return bool(row["may"] and row["utf8"])


@contextlib.contextmanager
def trying(client: Client) -> Iterator[Trial]:
    """Begin a transaction; whatever happens in the block is rolled back."""
    with client.session() as session:
        session.run("BEGIN", _PATIENCE)
        yield Trial(session)
        session.run("ROLLBACK")


def try_roles(trial: Trial, script: Sequence[str]) -> Iterator[Finding]:
    """Yield why roles cannot be created; those that can are there for the rest of the trial."""
    error = trial.refusal(*script) if script else None
    if error:
        msg = f"the roles cannot be created: {said(error)}"
        yield Finding(Level.ERROR, "roles", msg, RestoreHint.CREATE_ROLES_OTHERWISE)


def try_owners(
    trial: Trial, owners: AbstractSet[str], me: str, major: int, level: Level
) -> Iterator[Finding]:
    """Yield the owners to which we may not give their objects."""
    names = trial.owners_not_ours({each for each in owners if not each.startswith("pg_")}, major)
    if names:
        msg = f"the role '{me}' may not give objects to their owners: {', '.join(names)}"
        yield Finding(level, "roles", msg, RestoreHint.GRANT_OWNERS(role=me, owner=names[0]))


def try_settings(
    trial: Trial, settings: Sequence[str], roles: AbstractSet[str]
) -> Iterator[Finding]:
    """Yield the settings of the database that the server refuses.

    Args:
        trial: the transaction.
        settings: the statements that set them.
        roles: the names of the roles that will be there.
    """
    for setting in settings:
        statement, role = for_a_role(setting)
        if role is not None and role not in roles:  # that is reported already
            continue
        if error := trial.refusal(statement):
            whose = f" of the role '{role}' in the database" if role else " of the database"
            msg = f"a setting{whose} is refused: {said(error)}"
            yield Finding(Level.ERROR, "settings", msg, RestoreHint.EXCLUDE_SETTINGS)


def try_functions(trial: Trial, functions: Sequence[str]) -> Iterator[Finding]:
    """Yield the functions whose own settings the server refuses."""
    refused: dict[str, str] = {}
    for function, statement in function_settings(functions):
        if error := trial.refusal(statement):
            refused.setdefault(function, said(error))
    if refused:
        first = next(iter(refused.values()))
        msg = f"settings of functions are refused: {some(refused)}: {first}"
        yield Finding(Level.ERROR, "functions", msg, RestoreHint.AS_SUPERUSER)


def try_locale(trial: Trial, script: DatabaseScript) -> Iterator[Finding]:
    """Yield why the server cannot make a database with that locale."""
    for name in script.locales():
        # The one category that every role may set, whatever the encoding of this database.
        if trial.refusal(f"SET LOCAL lc_monetary = {quote_text(name)}"):
            msg = f"the locale '{name}' is not installed on the server"
            yield Finding(Level.ERROR, "locale", msg, RestoreHint.OTHER_LOCALE)
    attributes = script.collation()
    if not attributes or not trial.may_collate():
        return
    if error := trial.refusal(f"{_TEMPORARY}({attributes})"):
        msg = f"the server cannot use the locale of the database: {said(error)}"
        yield Finding(Level.ERROR, "locale", msg, RestoreHint.OTHER_LOCALE)


def try_collations(trial: Trial, collations: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    """Yield the collations that the server cannot make."""
    if not collations or not trial.may_collate():
        return
    for name, attributes in collations:
        error = trial.refusal(
            f"{_TEMPORARY}{attributes}", "DROP COLLATION pg_temp.brownie_backup_trial"
        )
        if error and error.sqlstate != _INSUFFICIENT_PRIVILEGE:
            msg = f"the collation {name} cannot be made: {said(error)}"
            yield Finding(Level.ERROR, "collations", msg, RestoreHint.INSTALL_LOCALE)


def said(error: DatabaseError) -> str:
    """Return the first line of PostgreSQL's error."""
    first, *_ = error.message.removeprefix("PostgreSQL said: ").split("\n")
    return first.removeprefix("ERROR: ").strip()[:_LONGEST]


@frozen
class Requirements:
    """What a restore will run, as far as it is known beforehand."""

    archive: Archive
    contents: Contents
    """The entries that will be restored."""
    database: DatabaseScript
    inventory: Inventory
    globals: tuple[str, ...]
    """The statements that make the roles of the cluster, if some are to be created."""

    def owners(self) -> frozenset[str]:
        """Return the owners of these entries, and that of the database."""
        labels = [e.label for e in self.contents.values()]
        named = {o for o in self.inventory.owners if any(x.endswith(f" {o}") for x in labels)}
        return frozenset(named.union(owners_in(self.database.ownership)))

    def statements_of(self, *kinds: str) -> tuple[str, ...]:
        """Return the SQL of the entries of some types; none if it cannot be split.

        Then pg_restore will tell what it is: our own reading must not refuse a good backup.
        """
        numbers = frozenset(e.id for e in self.contents.values() if e.kind in kinds)
        if not numbers:
            return ()
        only = self.archive.use(self.contents, numbers, "tried")
        try:
            return tuple(split_statements(self.archive.script(only, "--file=-")))
        except DamagedError:
            return ()


def try_out(
    client: Client, server: Mapping[str, Any], needs: Requirements, options: RestoreOptions
) -> Iterator[Finding]:
    """Yield what would fail, and the roles that would be created; change nothing."""
    there = frozenset(server["roles"])
    needed = preflight.needed_roles(needs.inventory, options)
    created = roles_to_create(needs.globals, needed, there) if options.with_roles else frozenset()
    roles = there | created
    yield from check_superuser(server, needs.contents.values())
    functions = needs.statements_of("FUNCTION", "PROCEDURE")
    yield from check_statements(server, (*functions, *needs.statements_of("PUBLICATION")))
    if options.privileges:
        grants = [*needs.statements_of("ACL", "DEFAULT", "DEFAULT ACL"), *needs.database.properties]
        yield from check_grants(grants, roles)
    if options.with_roles:
        yield from _about_roles(needs, needed, there, created)
    collating = [*collations(needs.statements_of("COLLATION"))]
    with trying(client) as trial:
        script = for_roles(needs.globals, created, there)
        yield from try_roles(trial, script)
        if options.owner and not server["superuser"]:
            owners = needs.owners() & roles
            major = client.server_version.major
            yield from try_owners(trial, owners, server["me"], major, level_of(server))
        yield from try_settings(trial, needs.database.settings, roles)
        yield from try_functions(trial, functions)
        yield from try_locale(trial, needs.database)
        yield from try_collations(trial, collating)


def _about_roles(
    needs: Requirements,
    needed: AbstractSet[str],
    there: AbstractSet[str],
    created: AbstractSet[str],
) -> Iterator[Finding]:
    if created:
        msg = f"{counted(len(created), 'role')} will be created: {', '.join(sorted(created))}"
        yield Finding(Level.OK, "roles", msg)
    missing = needed - there - created
    if missing:
        msg = f"missing on the server and in the backup: {', '.join(sorted(missing))}"
        yield Finding(Level.ERROR, "roles", msg, RestoreHint.CREATE_ROLES_OTHERWISE)
    others = frozenset(roles_created(needs.globals)) - there - created
    if others:
        msg = f"not created, since nothing in the database needs them: {', '.join(sorted(others))}"
        yield Finding(Level.OK, "roles", msg)

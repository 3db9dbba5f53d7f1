"""The statements of an archive that make its database, and set its properties."""

import re
from collections.abc import Iterator

from attrs import frozen

from brownie_backup.dumpers.postgres.restore.archive import Archive
from brownie_backup.dumpers.postgres.restore.statements import (
    for_database,
    is_ownership,
    is_setting,
    split_statements,
    with_locale,
    without_tablespace,
)
from brownie_backup.errors import DamagedError
from brownie_backup.hints import BackupHint
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import quote_name
from brownie_backup.postgres.output import is_about_database

_CLAUSE = re.compile(r" ([A-Z_]+) = (?:'((?:[^']|'')*)'|(\w+))")
_LIBC = ("LOCALE", "LC_COLLATE", "LC_CTYPE")
_OTHERS = {"icu": ("ICU_LOCALE", "ICU_RULES"), "builtin": ("BUILTIN_LOCALE", "")}


@frozen
class DatabaseScript:
    """The statements, for a database of another name."""

    create: str
    ownership: tuple[str, ...]
    properties: tuple[str, ...]
    """For the end: one may make the database read-only."""
    strange: tuple[str, ...]
    """What was not understood, and is not run."""

    @property
    def settings(self) -> tuple[str, ...]:
        """Those that set a parameter."""
        return tuple(filter(is_setting, self.properties))

    def locales(self) -> Iterator[str]:
        """Yield the names of the operating system's locales that it needs."""
        found = self._clauses()
        yield from dict.fromkeys(found[name] for name in _LIBC if name in found)

    def collation(self) -> str | None:
        """Return the attributes of a collation like its default one, unless that is libc's."""
        found = self._clauses()
        locale, rules = _OTHERS.get(found.get("LOCALE_PROVIDER", ""), ("", ""))
        if locale not in found:
            return None
        more = f", rules = '{found[rules]}'" if rules in found else ""
        return f"provider = {found['LOCALE_PROVIDER']}, locale = '{found[locale]}'{more}"

    def _clauses(self) -> dict[str, str]:
        return {name: text or word for name, text, word in _CLAUSE.findall(self.create)}


def read_database_script(
    archive: Archive, listing: str, name: str, options: RestoreOptions
) -> DatabaseScript:
    """Return the statements, as the options want them.

    They come from the archive itself: pg_dump knows best the properties of a database.

    Raises:
        DamagedError: the archive does not make its own database.
    """
    wanted = [line for line in listing.split("\n") if is_about_database(line)]
    lines = archive.use_lines("\n".join(wanted) + "\n", "database")
    script = archive.script("--create", lines, "--file=-")
    statements, strange = for_database(split_statements(script), quote_name(name))
    creating = [s for s in statements if s.startswith("CREATE DATABASE")]
    if len(creating) != 1:
        msg = "the archive does not say how to create its database"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
    (create,) = creating
    statements.remove(create)
    if options.locale is not None:
        create = with_locale(create, options.locale)
    if not options.tablespaces:  # pg_restore leaves that one in
        create = without_tablespace(create)
    properties = [s for s in statements if not is_ownership(s)]
    if options.exclude_settings:
        properties = [s for s in properties if not is_setting(s)]
    ownership = filter(is_ownership, statements)
    return DatabaseScript(create, tuple(ownership), tuple(properties), tuple(strange))

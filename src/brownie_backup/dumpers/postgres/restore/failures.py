"""Objects that could not be restored, and PostgreSQL's errors about them. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence

from attrs import frozen

from brownie_backup.dumpers.postgres.restore.contents import TABLE_DATA, Contents
from brownie_backup.dumpers.postgres.restore.statements import unquote_name
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import Hint, HintCode, RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.model.restored import FailedObject
from brownie_backup.wording import counted

_ERROR = re.compile(r"pg_restore: error: (?:could not execute query: )?(.*)", re.DOTALL)
_COMMAND = re.compile(r"\nCommand was: (.*)", re.DOTALL)
_CUT = 1000
"""Longer commands are cut, and end in dots."""
_ENTRY = re.compile(r"^-- TOC entry (\d+) \(class \d+ OID \d+\)$", re.MULTILINE)
_NAME = r'("(?:[^"]|"")+"|\w+)'
_COPY = re.compile(rf"COPY {_NAME}\.{_NAME} ")
_COPY_FAILED = re.compile(r'COPY failed for table "(.+?)": ', re.DOTALL)
_NO_SERVER = re.compile(
    r"server closed the connection|no connection to the server|connection to server|"
    r"terminating connection|No space left on device|out of shared memory|out of memory"
)
"""Errors that no object is to blame for: the next one would fail too."""

NO_TABLES_FAULT = ("", "08", "53", "57", "58")
"""PostgreSQL's classes of such errors (its manual, appendix A)."""


@frozen
class Failure:
    """An object that could not be restored."""

    kind: str
    """Its type, as pg_restore calls it."""
    name: str
    error: str
    entry: int | None = None
    """The number of its entry in the archive."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.error}".strip()


class Failures:
    """The objects of a restore that could not be restored so far."""

    def __init__(self, options: RestoreOptions) -> None:
        self._accepted = options.accept_errors
        self.goes_on = options.accept_errors or options.keep_failed
        """Whether all other objects are to be restored after an error."""
        self._found: list[Failure] = []

    @property
    def entries(self) -> frozenset[int]:
        """The numbers of the entries that failed."""
        return frozenset(each.entry for each in self._found if each.entry is not None)

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[FailedObject]:
        return (FailedObject(each.kind, each.name, each.error) for each in self._found)

    def add(self, *failures: Failure) -> None:
        """Take note of failures; raise `RestoreFailed` now if nothing would be kept anyway."""
        self._found += failures
        if failures and not self.goes_on:
            raise self._error()

    def settle(self) -> Iterator[Finding]:
        """Yield the failures as warnings, if they are accepted; otherwise raise `RestoreFailed`."""
        if self._found and not self._accepted:
            raise self._error()
        for each in self._found:
            yield Finding(Level.WARNING, "failed", str(each), RestoreHint.DOES_IT_MATTER)

    def _error(self) -> RestoreFailed:
        objects = counted(len(self._found), "object")
        msg = f"{objects} could not be restored, the first: {self._found[0]}"
        return RestoreFailed(msg, hint=_hint(self._found), errors=[str(f) for f in self._found])


def parse_failures(
    messages: Sequence[str], contents: Contents, script: Callable[[], str]
) -> Iterator[Failure]:
    """Yield the failures that pg_restore reports: one for each object.

    It does not say which object it was about to restore, but its command.

    Args:
        messages: of pg_restore.
        contents: the contents of the archive.
        script: returns the commands of the archive, by ``pg_restore --verbose --file=-``.
    """
    named, commands = set[int](), ""
    for message in messages:
        error = _ERROR.fullmatch(message)
        if not error:
            continue
        commands = commands or script()
        text = " ".join(_COMMAND.sub("", error[1]).split())
        number = _entry_of(error[1], contents, commands)
        if number is None:
            yield Failure("", "pg_restore", text)
        elif number not in named:
            named.add(number)
            yield Failure(contents[number].kind, contents[number].title, text, number)


def _entry_of(error: str, contents: Contents, script: str) -> int | None:
    command = _COMMAND.search(error)
    text = command[1].strip() if command else ""
    copy, failed = _COPY.match(text), _COPY_FAILED.match(error)
    if copy or failed:
        name = f"{unquote_name(copy[2])} " if copy else f"{failed[1]} " if failed else ""
        schema = f"{unquote_name(copy[1])} " if copy else ""
        rows = (e for e in contents.values() if e.kind == TABLE_DATA)
        found = (
            e.id
            for e in rows
            if (e.label if schema else e.label.partition(" ")[2]).startswith(schema + name)
        )
        return next(found, None)
    at = script.find(text.removesuffix("...") if len(text) > _CUT else text) if text else -1
    numbers = [int(entry[1]) for entry in _ENTRY.finditer(script, 0, max(at, 0))]
    return numbers[-1] if numbers and numbers[-1] in contents else None


def is_fatal(messages: Sequence[str]) -> bool:
    """Whether pg_restore ended before it had tried everything, or an error is of no object."""
    ended = not any("errors ignored on restore" in message for message in messages)
    return ended or any(_NO_SERVER.search(_COMMAND.sub("", message)) for message in messages)


def _hint(found: Sequence[Failure]) -> Hint:
    for kind, code in _OPTIONS.items():
        named = [each.name for each in found if each.kind == kind]
        if named:
            advice = code(name=named[0])
            return RestoreHint.BOTH(first=advice, then=RestoreHint.ACCEPT_ERRORS())
    return RestoreHint.ACCEPT_ERRORS()


# The cause first: where an extension fails, everything fails that needs it.
_OPTIONS: dict[str, HintCode] = {
    "EXTENSION": RestoreHint.EXCLUDE_EXTENSION,
    "TABLE": RestoreHint.EXCLUDE_TABLE,
    TABLE_DATA: RestoreHint.EXCLUDE_TABLE_DATA,
    "MATERIALIZED VIEW DATA": RestoreHint.EXCLUDE_TABLE_DATA,
    "EVENT TRIGGER": RestoreHint.EXCLUDE_EVENT_TRIGGERS,
    "DATABASE SETTING": RestoreHint.EXCLUDE_SETTINGS,
}

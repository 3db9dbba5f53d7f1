"""The tables requested for a restore. Pure."""

import re
from difflib import get_close_matches

from attrs import frozen

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import Hint, RestoreHint
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.postgres.client import qualified, quote_name

_PART = r'("(?:[^"]|"")+"|[^".]+)'
_TABLE = re.compile(rf"{_PART}\.{_PART}")
_SCHEMA = re.compile(_PART)


@frozen(order=True)
class TableName:
    """A table's schema and name."""

    schema: str
    name: str

    def __str__(self) -> str:
        return ".".join(
            part if _SCHEMA.fullmatch(part) and part.strip() == part else quote_name(part)
            for part in (self.schema, self.name)
        )

    @property
    def sql(self) -> str:
        """The name as an SQL identifier."""
        return qualified(self.schema, self.name)


@frozen
class TableSelection:
    """The requested tables and schemas; empty if everything is wanted."""

    tables: tuple[TableName, ...] = ()
    schemas: tuple[str, ...] = ()
    into: TableName | None = None
    """The new name of the only table."""

    def __bool__(self) -> bool:
        return bool(self.tables or self.schemas)

    def name_of(self, table: TableName) -> TableName:
        """Return a table's name after the restore."""
        return self.into if self.into and table in self.tables else table


def parse_wanted(options: RestoreOptions) -> TableSelection:
    """Read the names, or raise `ConfigurationError`."""
    wanted = TableSelection(
        tuple(dict.fromkeys(parse_table(text) for text in options.tables)),
        tuple(dict.fromkeys(_unquoted(text) for text in options.schemas)),
        parse_table(options.into) if options.into is not None else None,
    )
    problem, hint = "", RestoreHint.NAME_TABLES
    if wanted and options.replace:
        problem = "a whole database cannot be replaced by some of its tables"
    elif not wanted and not (options.indexes and options.constraints):
        problem = "indexes and constraints can be omitted only if tables are named"
    elif wanted.into and (len(wanted.tables) != 1 or wanted.schemas):
        problem = "only one table, and no schema, can be restored under another name"
        hint = RestoreHint.NAME_ONE_TABLE
    if problem:
        raise ConfigurationError([problem], hint=hint)
    return wanted


def parse_table(text: str) -> TableName:
    """Read ``schema.name``; with quotes, as in SQL, a part may have dots. Case is kept."""
    found = _TABLE.fullmatch(text)
    if not found:
        problem = f"'{text}' does not name a table"
        raise ConfigurationError([problem], hint=RestoreHint.TABLE_SYNTAX)
    return TableName(_unquoted(found[1]), _unquoted(found[2]))


def similar(name: str, others: list[str]) -> Hint:
    """Return a hint with the names that are most similar to one that is not there."""
    found = get_close_matches(name, others, n=3, cutoff=0.5)
    if not found:
        return RestoreHint.NO_SUCH_NAME()
    return RestoreHint.DID_YOU_MEAN(names=" or ".join(found))


def _unquoted(part: str) -> str:
    if part.startswith('"') and part.endswith('"') and len(part) > 1:
        return part[1:-1].replace('""', '"')
    return part

"""Compares the database before the accident with the restored one."""

import csv
from collections.abc import Mapping, Sequence

from attrs import frozen

from brownie_backup_cli.output import table

_SHOWN = 12  # characters of a checksum, enough to compare by eye


@frozen
class Sum:
    """The number of rows of a table or of definitions, and their checksum."""

    rows: int
    checksum: str


@frozen
class Compared:
    """A table, or the definitions, on both sides; None where it is missing."""

    name: str
    before: Sum | None
    restored: Sum | None

    @property
    def same(self) -> bool:
        """Whether both sides have the same rows."""
        return self.before == self.restored


def read_sums(text: str) -> dict[str, Sum]:
    """Read the CSV output of checksums.sql."""
    return {
        row["name"]: Sum(int(row["rows"]), row["checksum"])
        for row in csv.DictReader(text.splitlines())
    }


def compare(before: Mapping[str, Sum], restored: Mapping[str, Sum]) -> tuple[Compared, ...]:
    """Compare by name, in the order of `before`. Names only in `restored` come last."""
    names = [*before, *(name for name in restored if name not in before)]
    return tuple(Compared(name, before.get(name), restored.get(name)) for name in names)


def comparison_lines(comparison: Sequence[Compared]) -> list[str]:
    """Return the comparison as the lines of a table."""
    header = ("", "Rows before", "Restored", "Checksum before", "Restored", "")
    rows = [
        (
            each.name,
            _rows(each.before),
            _rows(each.restored),
            _checksum(each.before),
            _checksum(each.restored),
            "same" if each.same else "DIFFERENT",
        )
        for each in comparison
    ]
    return table(header, rows)


def compared_document(compared: Compared) -> dict[str, object]:
    """Return one comparison as JSON."""
    before, restored = compared.before, compared.restored
    return {
        "name": compared.name,
        "rows_before": before.rows if before else None,
        "rows_restored": restored.rows if restored else None,
        "checksum_before": before.checksum if before else None,
        "checksum_restored": restored.checksum if restored else None,
        "same": compared.same,
    }


def _rows(side: Sum | None) -> str:
    return f"{side.rows:,}" if side else "-"


def _checksum(side: Sum | None) -> str:
    return side.checksum[:_SHOWN] if side else "-"

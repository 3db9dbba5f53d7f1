"""Reasons to doubt earlier backups, as a new one has found them."""

from collections.abc import Iterator, Sequence

from brownie_backup.model import Manifest
from brownie_backup.model.reports import TableRange
from brownie_backup.pipeline.parent import read_fully_at


def find_doubts(
    parent: Manifest | None, forged: Manifest | None, contradictions: Sequence[TableRange]
) -> Iterator[str]:
    """Report an inconsistency: the new backup is right, and earlier backups may be wrong.

    Args:
        parent: the backup that the new one was compared with.
        forged: a backup that would be the parent, if it had not been changed.
        contradictions: ranges that differ from the parent, although the WAL shows no change.
    """
    if forged:
        yield f"'{forged.name}' was changed since it was made, so every range was read"
    if not contradictions or parent is None:
        return
    tables = ", ".join(str(oid) for oid in sorted({each.oid for each in contradictions}))
    yield (
        f"{len(contradictions)} ranges of the tables with the oids {tables} have other bytes "
        f"than in '{parent.name}', although the WAL shows no change: do not trust backups made "
        f"since {read_fully_at(parent):%Y-%m-%d %H:%M} UTC, up to that one, and please report it"
    )

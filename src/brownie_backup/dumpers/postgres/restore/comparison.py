"""Comparing a restored database with its backup, before it gets its name."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from attrs import evolve, frozen

from brownie_backup.dumpers.postgres.inventory import COUNTS_SQL, NO_LONGER_COUNTED
from brownie_backup.dumpers.postgres.restore.contents import Contents
from brownie_backup.dumpers.postgres.restore.expected import (
    FOUND_SQL,
    differences,
    expected_objects,
)
from brownie_backup.errors import RestoreFailed
from brownie_backup.hints import Hint, RestoreHint
from brownie_backup.model.findings import Finding, Level
from brownie_backup.postgres.client import Client, quote_name
from brownie_backup.wording import counted


@frozen
class Comparison:
    """What the restored database lacks, and what to report."""

    differences: tuple[str, ...]
    findings: tuple[Finding, ...]


def compare(
    client: Client,
    database: str,
    contents: Contents,
    counts: Mapping[str, int],
    failed: AbstractSet[int] = frozenset(),
) -> Comparison:
    """Compare a restored database with what its archive lists.

    Args:
        client: of the server.
        database: its name.
        contents: what was to be restored.
        counts: how many objects the catalogue of the original had. pg_dump leaves some of them out
            on purpose, so these only lead to warnings.
        failed: the numbers of entries that could not be restored.
    """
    (row,) = client.query(FOUND_SQL, database)
    expected = expected_objects(contents, failed)
    fewer = differences(expected, row["found"])
    if fewer:
        msg = f"the restored database lacks objects that the archive lists: {', '.join(fewer)}"
        return Comparison(fewer, (Finding(Level.WARNING, "objects", msg),))
    number = counted(sum(expected.values()), "object")
    fine = Finding(Level.OK, "objects", f"{number} listed in the archive, and found")
    return Comparison((), (fine, *_compare_counts(client, database, counts)))


def acceptable(finding: Finding) -> Finding:
    """Return a finding of a difference as a warning."""
    return evolve(finding, level=Level.WARNING)


def differs(found: Sequence[str], database: str, name: str, advice: Hint | None) -> RestoreFailed:
    """Return the error about differences: the database stays under its temporary name."""
    rename = f"ALTER DATABASE {quote_name(database)} RENAME TO {quote_name(name)}"
    msg = f"the restored database differs from what was backed up: {'; '.join(found)}"
    hint = RestoreHint.ACCEPT_DIFFERENCES(rename=rename)
    both = RestoreHint.BOTH(first=advice, then=hint) if advice else hint
    return RestoreFailed(msg, hint=both, errors=found)


def _compare_counts(client: Client, database: str, counts: Mapping[str, int]) -> Iterator[Finding]:
    found = {row["what"]: row["n"] for row in client.query(COUNTS_SQL, database)}
    known = {what: number for what, number in counts.items() if what not in NO_LONGER_COUNTED}
    fewer = differences(known, found)
    if fewer:
        msg = f"the original database had more objects than its archive lists: {', '.join(fewer)}"
        yield Finding(Level.WARNING, "objects", msg, RestoreHint.NOT_IN_THE_ARCHIVE)

"""Whether WAL summaries are complete since an earlier backup. Pure.

Why these checks are sufficient: docs/explanation/incremental.md.
"""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from brownie_backup.model import WalPosition


@frozen
class Sample:
    """A position in the WAL, and a transaction ID that was not assigned before it."""

    timeline: int
    position: int
    next_xid: int
    server_started_at: datetime


@frozen
class Summary:
    """The part of the WAL that a summary covers."""

    start: int
    end: int


class NotKnown(Exception):
    """The reason why changes can't be known."""


def check_server(base: WalPosition, now: Sample) -> None:
    """Check that the server has run all the time, and on one timeline.

    Raises:
        NotKnown: it has not, so its files may have been set back to an earlier state, and it may
            have continued differently.
    """
    if base.timeline != now.timeline:
        raise NotKnown("the server is on another timeline than at the backup before")
    if base.server_started_at != now.server_started_at:
        raise NotKnown("the server was started again since the backup before")


def check_seal(base: WalPosition, summaries: Sequence[Summary]) -> None:
    """Check that a summary ends where one did at an earlier backup.

    Raises:
        NotKnown: none does, so a running machine was set back, including its memory.
    """
    if all(base.sealed_at not in {summary.start, summary.end} for summary in summaries):
        raise NotKnown("the server's history is not the one that the backup before was made in")


def check_gaps(summaries: Sequence[Summary], since: int, until: int) -> None:
    """Check that summaries have no gap between two positions.

    Args:
        summaries: the summaries that reach past `since`, in order.
        since: the first position.
        until: the last position.

    Raises:
        NotKnown: there is a gap.
    """
    reached = since
    for summary in summaries:
        if summary.start > reached:
            break
        reached = max(reached, summary.end)
    if reached < until:
        raise NotKnown("WAL summaries since the backup before are missing")

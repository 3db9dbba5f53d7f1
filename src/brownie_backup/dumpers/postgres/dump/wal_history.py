"""Whether WAL summaries tell of everything since an earlier backup. Pure.

Why these checks are what it takes: docs/explanation/incremental.md.
"""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen

from brownie_backup.model import WalPosition


@frozen
class Sample:
    """A position in the WAL, and a transaction number that nobody had before it."""

    timeline: int
    position: int
    next_xid: int
    server_started_at: datetime


@frozen
class Summary:
    """Which part of the WAL a summary is about."""

    start: int
    end: int


class NotKnown(Exception):
    """Why nothing can be known of changes."""


def check_server(base: WalPosition, now: Sample) -> None:
    """See that the server has run all the time, and on one timeline.

    Raises:
        NotKnown: it has not: its files may have been set back, and it may have gone on otherwise.
    """
    if base.timeline != now.timeline:
        raise NotKnown("the server is on another timeline than at the backup before")
    if base.server_started_at != now.server_started_at:
        raise NotKnown("the server was started again since the backup before")


def check_seal(base: WalPosition, summaries: Sequence[Summary]) -> None:
    """See that a summary ends where one did at an earlier backup.

    Raises:
        NotKnown: none does: a running machine was set back, its memory and all.
    """
    if all(base.sealed_at not in {summary.start, summary.end} for summary in summaries):
        raise NotKnown("the server's history is not the one that the backup before was made in")


def check_gaps(summaries: Sequence[Summary], since: int, until: int) -> None:
    """See that summaries leave nothing out between two positions.

    Args:
        summaries: those that reach behind `since`, in order.
        since: from where on.
        until: up to where.

    Raises:
        NotKnown: they do.
    """
    reached = since
    for summary in summaries:
        if summary.start > reached:
            break
        reached = max(reached, summary.end)
    if reached < until:
        raise NotKnown("WAL summaries since the backup before are missing")

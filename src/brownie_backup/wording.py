"""The format of numbers and times in messages: the same everywhere."""

from datetime import UTC, datetime

__all__ = ["counted", "written"]


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 table``, ``2 tables``.

    Args:
        count: how many.
        noun: in the singular.
        plural: of nouns that do not take an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def written(instant: datetime) -> str:
    """Return an instant in the format of messages: ``2026-01-15 02:00:00 UTC``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

"""How numbers and times are written in messages: in one way everywhere."""

from datetime import UTC, datetime

__all__ = ["counted", "written"]


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number and what it counts: ``1 table``, ``2 tables``.

    Args:
        count: how many.
        noun: in the singular.
        plural: of nouns that do not take an s.
    """
    return f"{count} {noun if count == 1 else plural or f'{noun}s'}"


def written(instant: datetime) -> str:
    """Return an instant as messages have it: ``2026-01-15 02:00:00 UTC``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

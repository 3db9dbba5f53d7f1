"""What can be reached in a graph. Pure."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def reachable(starts: Iterable[T], edges: Mapping[T, Iterable[T]]) -> set[T]:
    """Return the starts, and all that the edges lead to from there."""
    found: set[T] = set()
    waiting = [*starts]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += edges.get(node, ())
    return found

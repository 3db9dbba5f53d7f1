"""Do something in every store, so that one that fails keeps no other from it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from brownie_backup.errors import BackupError, BackupNotFound
from brownie_backup.model.reports import PerStore
from brownie_backup.repository import Repository

T = TypeVar("T")


def for_each_store(
    repositories: Iterable[Repository], verb: Callable[[Repository], T]
) -> PerStore[T]:
    """Do something in every store; return what came of it, and what went wrong.

    That a backup is not in a store is no problem, if it is in another.

    Raises:
        BackupError: it could be done nowhere.
    """
    done: dict[str, T] = {}
    problems: dict[str, BackupError] = {}
    for repository in repositories:
        try:
            done[repository.store.url] = verb(repository)
        except BackupError as error:
            problems[repository.store.url] = error
    serious = {u: e for u, e in problems.items() if not isinstance(e, BackupNotFound)}
    if not done:
        raise next(iter((serious or problems).values()))
    return PerStore(done, serious)

"""Do something in every store, so that a failure in one does not affect the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from brownie_backup.errors import BackupError, BackupNotFound
from brownie_backup.model.reports import PerStore
from brownie_backup.repository import Repository

T = TypeVar("T")


def for_each_store(
    repositories: Iterable[Repository], verb: Callable[[Repository], T]
) -> PerStore[T]:
    """Do something in every store; return the results and the problems.

    If some stores have the backup, its absence from others is no problem.

    Raises:
        BackupError: it failed in every store.
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

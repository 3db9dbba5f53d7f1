"""The lease of an operation that only reads: without it, if the store has no space for one."""

import contextlib
import logging
from collections.abc import Iterator

from brownie_backup.errors import StoreFull
from brownie_backup.repository import Repository

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def reading_lease(repository: Repository, purpose: str) -> Iterator[str]:
    """Keep a sweep away while blobs are read; yield why that is not possible, or nothing.

    A full disk must not keep a backup from being restored.
    """
    problem = ""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(repository.shared_lease(purpose))
        except StoreFull as error:
            _log.debug("%s", error)
            url = repository.store.url
            problem = f"{url} is full, so nothing keeps a cleanup from starting meanwhile"
        yield problem

"""Whether a store lets objects be replaced: leases, attempts and terms are, again and again.

A retention policy on a whole bucket, an immutable container or a WORM folder takes one backup, and
then no other. So the first backup looks for that, and says it.
"""

import contextlib
from collections.abc import Iterator

from brownie_backup.errors import (
    BackupError,
    ObjectLocked,
    StoreError,
    StoreFull,
    StoreUnavailable,
)
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Store


def put_replaceable(store: Store, key: str, data: bytes) -> None:
    """Put an object that is replaced later: twice, so that this is known to work.

    Raises:
        ObjectLocked: the store lets it be created, and not replaced.
    """
    with replacing(store, key):
        store.put(key, data)
        store.put(key, data)


@contextlib.contextmanager
def replacing(store: Store, key: str) -> Iterator[None]:
    """Say clearly why the block can't replace an object, if that is refused."""
    try:
        yield
    except (StoreUnavailable, StoreFull):
        raise
    except StoreError as error:
        if not _is_there(store, key):  # nothing at all may be written there
            raise
        msg = f"{store.url} does not let objects be replaced, so it cannot be used: {error.message}"
        raise ObjectLocked(msg, hint=StoreHint.REPLACING_REFUSED) from None


def _is_there(store: Store, key: str) -> bool:
    try:
        return any(found.key == key for found in store.list(key))
    except BackupError:
        return False

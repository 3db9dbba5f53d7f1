"""A store that fails at random, and reproducibly."""
# ruff: noqa: D102 - the methods are those of the protocol

import random
import threading
from collections.abc import Iterator

from brownie_backup.errors import StoreUnavailable
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, Store, StoredObject


class UnreliableStore:
    """A share of its calls fails, before or after it took effect.

    Its listings break off, after each key by the chance `midway`.
    """

    def __init__(self, inner: Store, seed: int, share: float, midway: float = 0.1) -> None:
        self.url = inner.url
        self._inner = inner
        self._share = share
        self._midway = midway
        self._random = random.Random(seed)  # noqa: S311 - it is to be reproducible
        self._lock = threading.Lock()

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        self._fail(self._share / 2)
        self._inner.put(key, data, if_absent=if_absent, use=use)
        self._fail(self._share / 2)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        self._fail(self._share / 2)
        data = self._inner.get(key, most_bytes)
        self._fail(self._share / 2)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        self._fail(self._share / 2)
        for found in self._inner.list(prefix):
            yield found
            self._fail(self._midway)
        self._fail(self._share / 2)

    def delete(self, key: str) -> None:
        self._fail(self._share / 2)
        self._inner.delete(key)
        self._fail(self._share / 2)

    def _fail(self, chance: float) -> None:
        with self._lock:
            number = self._random.random()
        if number < chance:
            msg = "this call fails by chance"
            raise StoreUnavailable(msg)

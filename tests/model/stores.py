"""A store whose every call is a step: the scheduler's owner says when it happens, and how."""
# ruff: noqa: D102 - the methods are those of the protocols

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any

from attrs import define
from tests.model.scheduler import Process, Scheduler

from brownie_backup.format.layout import BLOB_LISTS, BLOBS, MANIFESTS
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, Store, StoredObject

_PAGES = (2, 50, 50)
"""How many objects a listing tells at once."""


@define(eq=False)
class Call:
    """A request that a client has sent and that has not been carried out."""

    process: Process
    method: str
    key: str
    perform: Callable[[], Any]
    asked_at: datetime
    work: object
    """What the client sends it for."""

    def __str__(self) -> str:
        return f"{self.method} {self.key}"

    @property
    def writes(self) -> bool:
        """Whether it changes what is in the store."""
        return self.method in {"put", "delete"}

    @property
    def makes_a_backup(self) -> bool:
        """Whether it is the one that makes a backup exist."""
        return self.method == "put" and self.key.startswith(MANIFESTS)

    @property
    def destroys(self) -> bool:
        """Whether it removes what is, or may be, part of a backup."""
        return self.method == "delete" and self.key.startswith((MANIFESTS, BLOBS, BLOB_LISTS))


class Remembering:
    """A cache that forgets nothing, as long as the client's machine lives."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[StoredObject, bytes]] = {}

    def get(self, found: StoredObject) -> bytes | None:
        remembered, data = self._known.get(found.key, (None, b""))
        return data if remembered == found else None

    def get_many(self, found: Collection[StoredObject]) -> Mapping[str, bytes]:
        got = {each.key: self.get(each) for each in found}
        return {key: data for key, data in got.items() if data is not None}

    def put(self, found: StoredObject, data: bytes) -> None:
        self._known[found.key] = (found, data)

    def known(self) -> frozenset[str]:
        return frozenset(self._known)

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._known.pop(key, None)


class SteppedStore:
    """One client's way to the shared store."""

    def __init__(
        self,
        inner: Store,
        scheduler: Scheduler,
        process: Process,
        random: Random,
        work: object,
    ) -> None:
        self._inner = inner
        self._scheduler = scheduler
        self._process = process
        self._random = random
        self._work = work

    @property
    def url(self) -> str:
        return self._inner.url

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        self._call("put", key, lambda: self._inner.put(key, data, if_absent=if_absent, use=use))

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        data = self._call("get", key, lambda: self._inner.get(key, most_bytes))
        assert isinstance(data, bytes)
        return data

    def delete(self, key: str) -> None:
        self._call("delete", key, lambda: self._inner.delete(key))

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List in any order, a page a step, with no more of a snapshot than the protocol says.

        What is replaced meanwhile appears as it was or as it is.
        """
        there: list[StoredObject] = self._call("list", prefix, lambda: [*self._inner.list(prefix)])
        self._random.shuffle(there)
        size = self._random.choice(_PAGES)
        yield from there[:size]
        for start in range(size, len(there), size):
            yield from self._page(prefix, there[start : start + size])
        if len(there) > size:
            told = {item.key for item in there}
            new = (item for item in self._inner.list(prefix) if item.key not in told)
            yield from (item for item in new if self._random.random() < 1 / 2)

    def _page(self, prefix: str, page: Sequence[StoredObject]) -> Iterator[StoredObject]:
        """Tell of what is still there, and perhaps of what has gone."""
        found = self._call("list", f"{prefix} …", lambda: [*self._inner.list(prefix)])
        now = {item.key: item for item in found}
        for item in page:
            if item.key in now or self._random.random() < 1 / 2:
                yield self._random.choice((item, now.get(item.key, item)))

    def _call(self, method: str, key: str, perform: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the store returns
        asked_at = self._scheduler.now
        call = Call(self._process, method, key, perform, asked_at, self._work)
        return self._scheduler.wait_for(call)

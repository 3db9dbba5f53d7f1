"""Running something in a process of its own, and what it took."""

import multiprocessing
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from attrs import frozen

from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, Store, StoredObject

MIB = 1 << 20


@frozen
class Measured:
    """What a piece of work took."""

    seconds: float
    cpu_seconds: float
    """Of all threads: other programs on the machine weigh less on it."""
    peak_bytes: int
    """How much the process grew over what it had before."""
    calls: Counter[str]
    """How often each method of the store was called."""


class CountingStore:
    """Passes calls on to another store, and counts them."""

    def __init__(self, inner: Store) -> None:
        self.calls: Counter[str] = Counter()
        self._inner = inner

    @property
    def url(self) -> str:
        """Where the inner store is."""
        return self._inner.url

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store in the inner store."""
        self.calls["put"] += 1
        self._inner.put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return what the inner store has."""
        self.calls["get"] += 1
        return self._inner.get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        self.calls["list"] += 1
        return self._inner.list(prefix)

    def delete(self, key: str) -> None:
        """Delete from the inner store."""
        self.calls["delete"] += 1
        self._inner.delete(key)


Work = tuple[CountingStore, Callable[[], object]]
"""What is done, and the store that it is done to."""


def measure(prepare: Callable[..., Work], *arguments: object) -> Measured:
    """Do what `prepare` returns, in a new process, and return what it took."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return pool.submit(_measured, prepare, *arguments).result()


def measure_peak(work: Callable[..., object], *arguments: object) -> int:
    """Do something in a new process; return how much that grew over what it had before."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawning) as pool:
        return pool.submit(_peak, work, *arguments).result()


def _peak(work: Callable[..., object], *arguments: object) -> int:
    before = _most_bytes()
    work(*arguments)
    return _most_bytes() - before


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n{markdown(header, rows)}", end="")  # noqa: T201 - it is the result


def _measured(prepare: Callable[..., Work], *arguments: object) -> Measured:
    store, work = prepare(*arguments)
    before = _most_bytes()
    started, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return Measured(seconds, cpu, _most_bytes() - before, store.calls)


def _most_bytes() -> int:
    """Return the most memory that this process has had; Linux only."""
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * 1024

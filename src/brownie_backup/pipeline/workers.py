"""Workplaces: what workers in other processes, or on other hosts, work with.

What goes to them names no secret. Each worker makes its own stores, encryptor and dumper, once for
all that it does in one run.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.util import Finalize
from typing import Protocol

from attrs import define, field, frozen

from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.model import Encryption
from brownie_backup.pipeline.ranges import Bench
from brownie_backup.pipeline.replicas import Mirror
from brownie_backup.protocols import Dumper
from brownie_backup.repository import BlobWriter, Identity, Repository, Shelf, ShelfState, Shelves
from brownie_backup.repository.repository import watch

LINGER_SECONDS = 5.0
"""How long a worker that has nothing to do keeps what it works with: the next ranges may come."""

_HINT = "Give the workers the settings, and the stores, of the process that makes the backup"


class Workplace(Protocol):
    """Makes what a worker works with, in its own process.

    It gets pickled: a function of a module that workers can import, such as
    `brownie_backup.config.make_workplace`, and without any secret.
    """

    def __call__(self) -> AbstractContextManager[tuple[Sequence[Repository], Dumper]]:
        """Open the repositories of the run, in the same order, and the dumper; leaving closes them.

        Threads of the process share them.
        """
        ...


@frozen
class Place:
    """One store of a run."""

    url: str
    lease_id: str
    """What the run's lease in it is found by; empty if it is not in the run."""
    state: ShelfState


@frozen
class Errand:
    """What a worker is told of a run; it opens what the worker works with."""

    workplace: Workplace
    run: str
    identity: Identity
    compression: str
    encryption: Encryption
    places: tuple[Place, ...]

    def __call__(self) -> AbstractContextManager[Bench]:
        """Return a bench, which others in this process may work with too."""
        return _SHOP.bench(self)


def make_errand(
    workplace: Workplace, mirrors: Sequence[Mirror], writer: BlobWriter, identity: Identity
) -> Errand:
    """Return what to tell the workers of a run that begins."""
    return Errand(
        workplace,
        secrets.token_hex(8),
        identity,
        writer.compressor.name,
        writer.encryption,
        tuple(Place(m.repository.store.url, m.lease_id, m.shelf.state) for m in mirrors),
    )


def make_bench(errand: Errand, repositories: Sequence[Repository], dumper: Dumper) -> Bench:
    """Return what a worker works with.

    Raises:
        ConfigurationError: its stores or keys are not those of the run: blobs would be missed.
        StoreError: the only store is out of reach.
    """
    repositories = watch(repositories)
    ours = [repository.store.url for repository in repositories]
    theirs = [place.url for place in errand.places]
    if ours != theirs:
        problem = f"a worker has the stores {', '.join(ours)}, and the run {', '.join(theirs)}"
        raise ConfigurationError([problem], hint=_HINT)
    shelves = tuple(map(_make_shelf, errand.places, repositories))
    if len(shelves) == 1 and shelves[0].problem:
        raise shelves[0].problem
    writer = repositories[0].writer(Shelves(shelves), errand.identity)
    if (writer.compressor.name, writer.encryption) != (errand.compression, errand.encryption):
        problem = "a worker compresses or encrypts in another way, or with another key"
        raise ConfigurationError([problem], hint=_HINT)
    return Bench(dumper, writer, stores=lambda: tuple(shelf.state for shelf in shelves))


def _make_shelf(place: Place, repository: Repository) -> Shelf:
    """Return a store as the run knows it; without our lease in it, it is another of that name."""
    shelf = Shelf(repository.store, place.state.distrusted)
    shelf.learn(place.state)
    if shelf.problem:
        return shelf
    try:
        found = repository.has_lease(place.lease_id)
    except BackupError as error:
        shelf.leave(error)
    else:
        if not found:
            problem = f"what a worker finds at {place.url} is not the store of the run"
            raise ConfigurationError([problem], hint=_HINT)
    return shelf


@define(eq=False)
class _Opened:
    """What is open for one run, or about to be."""

    bench: Bench | None = None
    stack: ExitStack = field(factory=ExitStack)
    users: int = 0
    """How many threads are at work."""
    closing: threading.Timer | None = None
    lock: threading.Lock = field(factory=threading.Lock)


class _Shop:
    """The benches of this process: one for each run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}

    @contextmanager
    def bench(self, errand: Errand) -> Iterator[Bench]:
        """Work at the bench of a run, which is made when first asked for."""
        opened = self._enter(errand.run)
        try:
            yield _open(opened, errand)
        finally:
            self._leave(errand.run, opened)

    def close(self) -> None:
        """Close all."""
        while self._opened:
            _, opened = self._opened.popitem()
            opened.stack.close()

    def _enter(self, run: str) -> _Opened:
        with self._lock:
            if not self._opened:
                # Unlike atexit's, it is called at the end of a forked process too.
                Finalize(None, self.close, exitpriority=10)
            opened = self._opened.setdefault(run, _Opened())
            opened.users += 1
            if opened.closing:
                opened.closing.cancel()
            return opened

    def _leave(self, run: str, opened: _Opened) -> None:
        with self._lock:
            opened.users -= 1
            opened.closing = threading.Timer(LINGER_SECONDS, self._close, (run,))
            opened.closing.daemon = True
            opened.closing.start()

    def _close(self, run: str) -> None:
        """Close the bench of a run, unless somebody works at it again."""
        with self._lock:
            opened = self._opened.get(run)
            if opened is None or opened.users:
                return
            del self._opened[run]
        opened.stack.close()


def _open(opened: _Opened, errand: Errand) -> Bench:
    with opened.lock:
        if opened.bench is None:
            with ExitStack() as stack:
                opened.bench = make_bench(errand, *stack.enter_context(errand.workplace()))
                opened.stack = stack.pop_all()
        return opened.bench


_SHOP = _Shop()

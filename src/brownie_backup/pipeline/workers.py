"""Worker contexts: the objects that workers need in other processes, or on other hosts.

No secret is sent to workers. Each worker process makes its own stores, encryptor and dumper, once
for all its work in one run.
"""

import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.util import Finalize
from typing import Protocol

from attrs import define, field, frozen

from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.hints import BackupHint
from brownie_backup.model import Encryption
from brownie_backup.pipeline.ranges import WorkerContext
from brownie_backup.pipeline.replica import Replica, ReplicaState
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.pipeline.writer import BlobWriter, open_writer
from brownie_backup.protocols import Dumper
from brownie_backup.repository import Identity, Repository, Tuning, with_deadlines


class WorkerFactory(Protocol):
    """Makes the context of a worker, in its own process.

    It is pickled, so it must be a function of a module that workers can import, such as
    `brownie_backup.config.make_worker`, and without any secret.
    """

    def __call__(self) -> AbstractContextManager[tuple[Sequence[Repository], Dumper]]:
        """Open the repositories of the run, in the same order, and the dumper; close them after.

        The threads of the process share them.
        """
        ...


@frozen
class WorkerTask:
    """The description of a run that a worker gets; the worker opens its context from it."""

    worker_factory: WorkerFactory
    run: str
    identity: Identity
    compression: str
    encryption: Encryption
    stores: tuple[ReplicaState, ...]
    linger_seconds: float
    """How long an idle worker keeps its context open: the next ranges may come."""

    def __call__(self) -> AbstractContextManager[WorkerContext]:
        """Open the context of the run, which the workers of this process share."""
        return _CONTEXTS.context(self)


def make_task(
    worker_factory: WorkerFactory | None, writer: BlobWriter, identity: Identity, tuning: Tuning
) -> WorkerTask | None:
    """Return the task for the workers of a run that begins; None if it has threads alone.

    Blobs are listed now, where that was not done: otherwise workers would not know the suspect
    ones.
    """
    if worker_factory is None:
        return None
    writer.replicas.list_blobs()
    return WorkerTask(
        worker_factory,
        secrets.token_hex(8),
        identity,
        writer.compressor.name,
        writer.encryption,
        tuple(replica.state for replica in writer.replicas),
        tuning.linger_seconds,
    )


def make_context(
    task: WorkerTask, repositories: Sequence[Repository], dumper: Dumper
) -> WorkerContext:
    """Return the context of a worker.

    Raises:
        ConfigurationError: its stores or keys are not those of the run, so blobs would be missing.
        StoreError: the only store is out of reach.
    """
    repositories = with_deadlines(repositories)
    ours = [repository.store.url for repository in repositories]
    theirs = [state.url for state in task.stores]
    if ours != theirs:
        problem = f"a worker has the stores {', '.join(ours)}, and the run {', '.join(theirs)}"
        raise ConfigurationError([problem], hint=BackupHint.SAME_SETTINGS)
    replicas = ReplicaSet(map(_join, repositories, task.stores))
    if len(repositories) == 1:
        replicas.ensure_any()
    writer = open_writer(repositories[0], replicas, task.identity)
    if (writer.compressor.name, writer.encryption) != (task.compression, task.encryption):
        problem = "a worker compresses or encrypts in another way, or with another key"
        raise ConfigurationError([problem], hint=BackupHint.SAME_SETTINGS)
    return WorkerContext(
        dumper, writer, stores=lambda: tuple(replica.report() for replica in replicas)
    )


def _join(repository: Repository, state: ReplicaState) -> Replica:
    """Return a store as the run knows it; without our lease in it, it is another one."""
    replica = Replica(repository, state.suspect_blobs)
    replica.merge(state)
    if replica.problem:
        return replica
    try:
        found = repository.has_lease(state.lease_id)
    except BackupError as error:
        replica.drop(error)
    else:
        if not found:
            problem = f"what a worker finds at {state.url} is not the store of the run"
            raise ConfigurationError([problem], hint=BackupHint.SAME_SETTINGS)
    return replica


@define(eq=False)
class _Opened:
    """The open context of one run, or one that is about to be opened."""

    context: WorkerContext | None = None
    stack: ExitStack = field(factory=ExitStack)
    users: int = 0
    """How many threads are using it."""
    closing: threading.Timer | None = None
    lock: threading.Lock = field(factory=threading.Lock)


class _ContextPool:
    """The contexts of this process: one for each run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, _Opened] = {}

    @contextmanager
    def context(self, task: WorkerTask) -> Iterator[WorkerContext]:
        """Open the context of a run, which is created at its first use."""
        opened = self._enter(task.run)
        try:
            yield _open(opened, task)
        finally:
            self._leave(task, opened)

    def close(self) -> None:
        """Close all contexts."""
        with self._lock:  # a context that is being closed must be gone when the process ends
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

    def _leave(self, task: WorkerTask, opened: _Opened) -> None:
        with self._lock:
            opened.users -= 1
            opened.closing = threading.Timer(task.linger_seconds, self._close, (task.run,))
            opened.closing.daemon = True
            opened.closing.start()

    def _close(self, run: str) -> None:
        """Close the context of a run, unless a worker is using it again."""
        with self._lock:
            opened = self._opened.get(run)
            if opened is None or opened.users:
                return
            del self._opened[run]
            opened.stack.close()


def _open(opened: _Opened, task: WorkerTask) -> WorkerContext:
    with opened.lock:
        if opened.context is None:
            with ExitStack() as stack:
                opened.context = make_context(task, *stack.enter_context(task.worker_factory()))
                opened.stack = stack.pop_all()
        return opened.context


_CONTEXTS = _ContextPool()

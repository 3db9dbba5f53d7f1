"""The workers of one run: they read ranges, in this process or elsewhere."""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait

from attrs import field, frozen

from brownie_backup.concurrency.threads import Threads, carrying
from brownie_backup.errors import BackupError, ConfigurationError, DumpFailed, redact
from brownie_backup.hints import BackupHint
from brownie_backup.model import PartSpec
from brownie_backup.pipeline.ranges import (
    OpenContext,
    StoredBatch,
    WorkerContext,
    store_batch,
)

_SIDE = 4
"""Threads beside the workers, for parts that are streams and for waiting on the WAL."""
_END_SECONDS = 10.0
"""How long a failed run waits for workers in other processes to finish their current work."""


@frozen
class Workers:
    """The workers of one run.

    Args:
        executor: runs ranges.
        open_context: opens the context of a worker of the executor.
        context: our own context, in this process.
        count: how many ranges are processed at once.
        remote: whether the workers have contexts of their own.
    """

    executor: Executor
    open_context: OpenContext
    context: WorkerContext
    count: int
    side: Threads
    remote: bool
    begun: list[Future[StoredBatch]] = field(factory=list, eq=False)

    def begin(self, batch: Sequence[PartSpec]) -> Future[StoredBatch]:
        """Give a batch of ranges to a worker."""
        with self._explained():
            # The caller's executor has threads that know nothing of this operation.
            work = store_batch if self.remote else carrying(store_batch)
            future = self.executor.submit(work, self.open_context, batch)
        self.begun.append(future)
        return future

    def merge(self, batch: Sequence[PartSpec], future: Future[StoredBatch]) -> None:
        """Take in the results of a worker when it is done; or raise its error."""
        with self._explained():
            done = future.result()
        self.context.writer.replicas.merge(done.stores)
        for spec, stored in zip(batch, done.parts, strict=True):
            if stored and self.remote:
                self.context.meter.end(spec, stored.rows)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the executor's own errors into ours: each executor has different ones."""
        try:
            yield
        except BackupError:
            raise
        except Exception as error:
            if not self.remote:
                raise
            why = redact(f"{type(error).__name__}: {error}")
            msg = f"a worker of the executor failed: {why}"
            raise DumpFailed(msg, hint=BackupHint.SEE_WORKERS) from error


@contextlib.contextmanager
def worker_pool(
    context: WorkerContext, count: int, executor: Executor | None, open_context: OpenContext | None
) -> Iterator[Workers]:
    """Provide workers while the block runs; at its end none is working any more.

    The snapshot must be closed inside the block: that ends any reads of our threads.
    """
    own = ThreadPoolExecutor(count, thread_name_prefix="range")
    # With one worker, the work is done one after the other.
    side = Threads(_SIDE if count > 1 else 1, thread_name_prefix="part")
    here = contextlib.nullcontext(context)
    workers = Workers(
        executor or own,
        open_context or (lambda: here),
        context,
        count,
        side,
        remote=open_context is not None,
    )
    try:
        yield workers
    finally:
        context.stopping.set()
        for future in workers.begun:
            future.cancel()
        for pool in (own, side):
            pool.shutdown(cancel_futures=True)
        wait([future for future in workers.begun if not future.cancelled()], _END_SECONDS)


def check_executor(executor: Executor | None, worker_factory: object | None) -> None:
    """Refuse an executor whose workers could not work; `ConfigurationError` says why."""
    if executor is None and worker_factory is not None:
        problem = "there is a worker factory, and no executor whose workers would use it"
        raise ConfigurationError([problem], hint=BackupHint.GIVE_EXECUTOR)
    if (
        executor is not None
        and worker_factory is None
        and not isinstance(executor, ThreadPoolExecutor)
    ):
        problem = f"the workers of a {type(executor).__name__} don't know what to work with"
        raise ConfigurationError([problem], hint=BackupHint.GIVE_WORKER_FACTORY)
    if isinstance(executor, ProcessPoolExecutor) and _forks(executor):
        # Such a process inherits our ends of the pipes to psql, so psql never sees them closed.
        problem = "the executor forks its processes, while threads of ours run programs"
        raise ConfigurationError([problem], hint=BackupHint.SPAWN_PROCESSES)


def _forks(pool: ProcessPoolExecutor) -> bool:
    context = getattr(pool, "_mp_context", None)
    return context is not None and context.get_start_method() == "fork"

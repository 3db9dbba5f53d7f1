"""Mirrors: the repositories of one run, their leases, and which of them got the backup."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from brownie_backup.concurrency.background import close_all
from brownie_backup.errors import BackupError, BackupExists, Busy, StoreUnavailable
from brownie_backup.model import Attempt, Manifest
from brownie_backup.model.reports import StoreOutcome
from brownie_backup.pipeline.commit import commit
from brownie_backup.pipeline.parent import ParentFinder
from brownie_backup.repository import Identity, Lease, Replica, Repository
from brownie_backup.repository.blobs.transfer import Transferred, for_store, transfer_blobs
from brownie_backup.tracing import step

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Mirror:
    """One repository of a run, open for writing or already given up."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.replica = Replica(repository.store)
        self.candidates = ParentFinder()
        self.copied = Transferred()
        self.stored = False
        self.stack = ExitStack()
        """Releases its lease."""
        self._lease: Lease | None = None

    @property
    def problem(self) -> BackupError | None:
        """Why nothing is written to it."""
        return self.replica.problem

    @property
    def lease_id(self) -> str:
        """What its lease is found by; empty if there is none."""
        return self._lease.id if self._lease else ""

    def open(self, attempt: Attempt) -> None:
        """Take a lease, look at what is there, and write down that we begin.

        Should we fail, retention deletes nothing there.
        """
        name = attempt.backup
        if self.repository.exists(name):
            msg = f"a backup named '{name}' exists in {self.repository.store.url}"
            raise BackupExists(msg, hint="Choose another name, or leave it out")
        with ExitStack() as ours:
            purpose = f"backup '{name}'"
            lease = ours.enter_context(self.repository.shared_lease(purpose, backup=name))
            self.repository.record_attempt(attempt)
            self.replica = self.repository.replica(self.candidates.add)
            self.stack = ours.pop_all()
        self._lease = lease

    def publish(self, manifest: Manifest, sources: Sequence[Replica]) -> None:
        """Make the backup exist in it, after copying what it lacks from the others."""
        if self._lease is None or (self.problem and not self.replica.late):
            return
        try:
            if not self.replica.complete:
                self._catch_up(manifest, sources)
            commit(self.repository, for_store(manifest, self.replica.sizes), self._lease)
        except BackupError as error:
            self.replica.problem = error  # which says more than that it is slow
        else:
            self.stored = True
            _log.info("backup '%s' exists in %s", manifest.name, self.repository.store.url)

    def abandon(self) -> None:
        """Let the lease expire, of a store that did not answer: nobody waits for it again."""
        if self._lease and not self.stored and isinstance(self.problem, StoreUnavailable):
            self._lease.abandon()

    def outcome(self) -> StoreOutcome:
        """Return what came of it."""
        url = self.repository.store.url
        problem = "" if self.stored else str(self.problem)
        return StoreOutcome(url, problem, self.copied.blobs, self.copied.size_bytes)

    def _catch_up(self, manifest: Manifest, sources: Sequence[Replica]) -> None:
        url = self.repository.store.url
        _log.info("copying what %s lacks of backup '%s'", url, manifest.name)
        self.replica.set_sizes(self.repository.blob_sizes())
        self.copied = transfer_blobs(self.replica, sources, manifest.blobs)
        if self.copied.problem:
            raise self.copied.problem


@contextmanager
def open_mirrors(
    repositories: Sequence[Repository], attempt: Attempt
) -> Iterator[tuple[Mirror, ...]]:
    """Open the repositories, the primary one first; those that can't be are left out.

    Raises:
        Busy: the primary one is: then nothing is done at all.
        BackupExists: the primary one has a backup of that name.
        BackupError: none could be opened.
    """
    mirrors = tuple(Mirror(repository) for repository in repositories)
    try:
        with step("open stores"):
            for mirror in mirrors:
                try:
                    mirror.open(attempt)
                except (Busy, BackupExists) as error:
                    if mirror is mirrors[0]:
                        raise
                    mirror.replica.drop(error)
                except BackupError as error:
                    if len(mirrors) == 1:
                        raise
                    mirror.replica.drop(error)
            _ensure_any(mirrors)
        yield mirrors
    finally:
        for mirror in mirrors:
            mirror.abandon()
        close_all([mirror.stack for mirror in mirrors])


def agree_on_identity(mirrors: Sequence[Mirror]) -> Identity:
    """Return the identity by which blobs are named in all stores: the first that a store has.

    A store without one gets it too: so that it is a repository by itself, and goes on with its
    blobs in a run without the others.
    """
    known = next((found for found in _each(mirrors, Repository.known_identity) if found), None)
    agreed = known or next(_each(mirrors, Repository.identity))
    for _ in _each(mirrors, lambda repository: repository.identity(agreed)):
        pass
    return agreed


def _each(mirrors: Sequence[Mirror], call: Callable[[Repository], T]) -> Iterator[T]:
    """Yield what a call returns for each repository; those for which it raises are left."""
    for mirror in mirrors:
        if mirror.problem:
            continue
        try:
            result = call(mirror.repository)
        except BackupError as error:
            if len(mirrors) == 1:
                raise
            mirror.replica.drop(error)
        else:
            yield result
    _ensure_any(mirrors)


def _ensure_any(mirrors: Sequence[Mirror]) -> None:
    if all(mirror.problem for mirror in mirrors):
        raise next(mirror.problem for mirror in mirrors if mirror.problem)


def publish(mirrors: Sequence[Mirror], manifest: Manifest) -> None:
    """Make the backup exist wherever it can be, first where nothing has to be copied.

    Raises:
        BackupError: it could be nowhere.
    """
    for mirror in sorted(mirrors, key=lambda each: not each.replica.complete):
        others = [
            other.replica
            for other in sorted(mirrors, key=lambda each: not each.stored)
            if other is not mirror and (other.stored or not other.problem or other.replica.late)
        ]
        mirror.publish(manifest, others)
    if not any(mirror.stored for mirror in mirrors):
        _ensure_any(mirrors)

"""Mirrors: the repositories of one run, their leases, and which of them got the backup."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from brownie_backup.errors import BackupError, Busy, StoreError, StoreUnavailable
from brownie_backup.model import Attempt, Manifest
from brownie_backup.reports import StoreOutcome
from brownie_backup.repository import Lease, Repository, Shelf
from brownie_backup.repository.transfer import Transferred, transfer_blobs

_log = logging.getLogger(__name__)


class Mirror:
    """One repository of a run, open for writing or already given up."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.shelf = Shelf(repository.store)
        self.lease: Lease | None = None
        self.copied = Transferred()
        self.stored = False

    @property
    def problem(self) -> BackupError | None:
        """Why nothing is written to it."""
        return self.shelf.problem

    def open(self, stack: ExitStack, attempt: Attempt) -> None:
        """Take a lease, look at what is there, and write down that we begin.

        Should we fail, retention deletes nothing there.
        """
        name = attempt.backup
        lease = self.repository.shared_lease(f"backup '{name}'", backup=name)
        self.lease = stack.enter_context(lease)
        self.repository.record_attempt(attempt)
        self.shelf = self.repository.shelf()

    def publish(self, manifest: Manifest, sources: Sequence[Shelf]) -> None:
        """Make the backup exist in it, after copying what it lacks from the others."""
        if self.lease is None or (self.problem and not self.shelf.late):
            return
        try:
            if not self.shelf.complete:
                self.copied = self._catch_up(manifest, sources)
            self.lease.ensure_held()
            self.repository.add(manifest)
        except BackupError as error:
            self.shelf.late = False
            self.shelf.leave(error)
        else:
            self.stored = True
            _log.info("backup '%s' exists in %s", manifest.name, self.repository.store.url)

    def outcome(self) -> StoreOutcome:
        """Return what came of it."""
        url = self.repository.store.url
        problem = "" if self.stored else str(self.problem)
        return StoreOutcome(url, problem, self.copied.blobs, self.copied.size_bytes)

    def _catch_up(self, manifest: Manifest, sources: Sequence[Shelf]) -> Transferred:
        store = self.repository.store
        _log.info("copying what %s lacks of backup '%s'", store.url, manifest.name)
        sizes = self.repository.blob_sizes() | dict.fromkeys(self.shelf.distrusted, 0)
        return transfer_blobs(store, sources, manifest.blobs, sizes)


@contextmanager
def open_mirrors(
    repositories: Sequence[Repository], attempt: Attempt
) -> Iterator[tuple[Mirror, ...]]:
    """Open the repositories, the primary one first; those that are out of reach are left out.

    Raises:
        Busy: the primary one is: then nothing is done at all.
        BackupError: none could be opened.
    """
    mirrors = tuple(Mirror(repository) for repository in repositories)
    with ExitStack() as stack:
        for mirror in mirrors:
            try:
                mirror.open(stack, attempt)
            except (StoreError, Busy) as error:
                if mirror is mirrors[0] and (isinstance(error, Busy) or len(mirrors) == 1):
                    raise
                mirror.shelf.leave(error)
        problems = [mirror.problem for mirror in mirrors if mirror.problem]
        if len(problems) == len(mirrors):
            raise problems[0]
        try:
            yield mirrors
        finally:
            for mirror in mirrors:
                if mirror.lease and isinstance(mirror.problem, StoreUnavailable):
                    mirror.lease.abandon()


def publish(mirrors: Sequence[Mirror], manifest: Manifest) -> None:
    """Make the backup exist wherever it can be, first where nothing has to be copied.

    Raises:
        BackupError: it could be nowhere.
    """
    for mirror in sorted(mirrors, key=lambda each: not each.shelf.complete):
        others = [
            other.shelf
            for other in sorted(mirrors, key=lambda each: not each.stored)
            if other is not mirror and (not other.problem or other.shelf.late)
        ]
        mirror.publish(manifest, others)
    if not any(mirror.stored for mirror in mirrors):
        raise next(mirror.problem for mirror in mirrors if mirror.problem)

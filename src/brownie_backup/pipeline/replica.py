"""A replica: one store of a run, from its lease to the backups that it got."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from attrs import Factory, evolve, frozen

from brownie_backup.errors import (
    BackupError,
    BackupExists,
    DamagedError,
    LeaseLost,
    StoreUnavailable,
)
from brownie_backup.format.envelope import METHOD
from brownie_backup.hints import BackupHint
from brownie_backup.model import Attempt, Backup, BlobRef, Hold, Manifest, Status
from brownie_backup.model.findings import Problem
from brownie_backup.model.reports import StoreOutcome
from brownie_backup.pipeline.commit import commit
from brownie_backup.repository import Identity, Lease, Repository
from brownie_backup.repository.blobs.decoding import StructureDecoder
from brownie_backup.repository.blobs.index import BlobIndex
from brownie_backup.repository.blobs.transfer import Transferred, for_store, transfer_blobs
from brownie_backup.repository.catalogue.holds import add_hold
from brownie_backup.repository.catalogue.identity import strange
from brownie_backup.repository.catalogue.listing import sharing
from brownie_backup.repository.keys.objects import copy_keys, extend_locks
from brownie_backup.repository.keys.ring import copy_ring

_log = logging.getLogger(__name__)

Look = Callable[[Backup], None]
"""Called with every backup of a store while its catalogue is read."""


@frozen
class ReplicaState:
    """The state of one of a run's stores, as the run or one of its workers knows it; picklable."""

    url: str = ""
    lease_id: str = ""
    """The id of the run's lease in it; empty if it has none."""
    suspect_blobs: frozenset[str] = frozenset()
    sizes: Mapping[str, int] = Factory(dict)
    """The sizes of blobs that a worker has found or put since its last report."""
    problem: BackupError | None = None
    late: bool = False


class Replica:
    """One store of a run: its content, the run's writes, and its problems.

    The state read when it is opened serves the whole run. Its catalogue is read once, and its blobs
    are listed at most once. The run keeps both up to date with its own writes.

    Args:
        repository: the repository in that store.
        suspect_blobs: names of blobs in it that are known to be damaged.
    """

    def __init__(self, repository: Repository, suspect_blobs: Iterable[str] = ()) -> None:
        self.repository = repository
        self.blobs = BlobIndex(repository.store, suspect_blobs)
        self.backups: dict[str, Backup] = {}
        """Good blobs by name, if the run has several stores."""
        self.problem: BackupError | None = None
        """Why the run no longer writes to it."""
        self.late = False
        """Whether it is only too slow, without an error, so that copying can catch up."""
        self.stored = False
        """Whether it has the backup that the run makes."""
        self.copied = Transferred()
        """The blobs of that backup that it got by copying."""
        self.strange = ""
        """Why it may not be the store that it should be; empty if nothing suggests that."""
        self._identity: Identity | None = None
        self._lease: Lease | None = None
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The address of the store."""
        return self.repository.store.url

    # --- opening -----------------------------------------------------------------------------

    def open(
        self,
        attempt: Attempt | None = None,
        *,
        look: Look = lambda _: None,
        alone: bool = False,
    ) -> None:
        """Take a lease, record that a backup was started, and read the catalogue.

        If the run fails, retention deletes nothing there.

        Args:
            attempt: the backup that the run makes, if it makes one.
            look: called with each backup, its health judged by manifest and last verification
                alone.
            alone: whether the run has no other store. Then nothing is copied: the catalogue is not
                kept, and blobs are not listed until that is needed.

        Raises:
            BackupExists: a backup has that name.
            Busy: a sweep is running, or a backup of that name.
        """
        name = attempt.backup if attempt else None
        if name and self.repository.exists(name):
            msg = f"a backup named '{name}' exists in {self.url}"
            raise BackupExists(msg, hint=BackupHint.OMIT_NAME)
        purpose = f"backup '{name}'" if name else "sync"
        with ExitStack() as ours:
            lease = ours.enter_context(self.repository.shared_lease(purpose, backup=name))
            if attempt:
                self.repository.record_attempt(attempt)
            self._read(look, alone=alone)
            self._stack = ours.pop_all()
        self._lease = lease

    def _read(self, look: Look, *, alone: bool) -> None:
        blobs, backups = BlobIndex(self.repository.store), dict[str, Backup]()
        catalogue = self.repository.catalogue.read()
        for backup in catalogue if alone else sharing(catalogue):
            blobs.expect(backup)
            look(backup)
            if self._identity is None and backup.manifest:
                manifest = backup.manifest
                self._identity = Identity(manifest.repository_id, manifest.hash_key)
            if not alone:
                backups[backup.name] = backup
        if not alone:
            # Listed after the manifests are read: a backup that is finished between the two then
            # has all of its blobs in the listing.
            blobs.list_blobs()
        self.blobs, self.backups = blobs, backups

    def known_identity(self) -> Identity | None:
        """Return the repository's identity, or None if it was never used."""
        found = self.repository.known_identity(lambda: self._identity)
        self.strange = strange(self.repository.store, self.repository.record, found)
        return found

    def identity(self, proposed: Identity | None = None) -> Identity:
        """Return the repository's identity, assigning the proposed one if it has none."""
        return self.repository.identity(proposed, lambda: self._identity)

    # --- its problems ------------------------------------------------------------------------

    def drop(self, problem: BackupError, *, late: bool = False) -> None:
        """Write nothing more to it; if it is only `late`, nothing until the others are done."""
        if self.problem is None:
            # The frames of the traceback would keep blobs in memory.
            problem.__traceback__ = problem.__context__ = problem.__cause__ = None
            self.problem, self.late = problem, late
            _log.info("going on without %s: %s", self.url, problem)

    @property
    def can_catch_up(self) -> bool:
        """Whether it works, or is only late."""
        return self._lease is not None and (self.problem is None or self.late)

    @property
    def readable(self) -> bool:
        """Whether others may copy from it: it was opened, and still answers."""
        away = isinstance(self.problem, StoreUnavailable) and not self.late
        return self._lease is not None and not away

    def rejoin(self) -> None:
        """Open it again after a problem, which may be over by now; or there may be a new one."""
        self.release()
        self._stack, self._lease = ExitStack(), None
        try:
            self.open()
        except BackupError as error:
            self.problem, self.late = error, False
        else:
            self.problem, self.late = None, False

    def release(self) -> None:
        """End its lease; in a store that did not answer, let it expire without waiting again."""
        if self._lease and isinstance(self.problem, StoreUnavailable):
            self._lease.abandon()
        self._stack.close()

    # --- workers elsewhere -------------------------------------------------------------------

    @property
    def state(self) -> ReplicaState:
        """The state that a worker in another process needs."""
        lease_id = self._lease.id if self._lease else ""
        suspect_blobs = frozenset(self.blobs.suspect_blobs)
        return ReplicaState(self.url, lease_id, suspect_blobs, {}, self.problem, self.late)

    def report(self) -> ReplicaState:
        """Return the changes since the last report, for another process."""
        return evolve(self.state, sizes=self.blobs.take_sizes())

    def merge(self, state: ReplicaState) -> None:
        """Take in what another worker of the same run has learnt."""
        # a blob that is no longer suspect was stored again
        self.blobs.suspect_blobs &= state.suspect_blobs
        self.blobs.sizes.update(state.sizes)
        if state.problem:
            self.drop(state.problem, late=state.late)

    # --- catching up -------------------------------------------------------------------------

    def judge(self) -> None:
        """Check which of its backups are good, by the blobs here now, and which are held."""
        found, self.backups = self.backups.values(), {}
        judged = self.repository.catalogue.judge(found, self.blobs.sizes)
        self.backups = {backup.name: backup for backup in judged}

    def has(self, refs: Iterable[BlobRef]) -> bool:
        """Whether all these blobs were seen or put there, and none is suspect."""
        return all(self.blobs.whole(ref.name) is not None for ref in refs)

    def copy(
        self,
        manifest: Manifest,
        refs: Iterable[BlobRef],
        sources: "Iterable[Replica]",
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> Transferred:
        """Copy the blobs of a backup that it lacks from other stores; see `transfer_blobs`."""
        sources = tuple(sources)
        if manifest.encryption.method == METHOD:
            stores = [each.repository.store for each in sources]
            copy_ring(self.repository.store, stores)
            copy_keys(self.repository.store, stores)
        examine = StructureDecoder.of(manifest, self.repository.codecs).integrity
        indexes = [source.blobs for source in sources]
        copied = transfer_blobs(self.blobs, indexes, refs, examine=examine, on_bytes=on_bytes)
        for url, name in copied.damaged:
            _log.warning("blob %s in %s is damaged, and was not copied from there", name, url)
        return copied

    def commit(
        self, manifest: Manifest, hold: Hold | None = None, source: "Replica | None" = None
    ) -> None:
        """Make a backup exist whose blobs are all there; see `commit`.

        Args:
            manifest: the manifest of the backup. The stored one has the sizes of its blobs here.
            hold: its hold, which is put first, so that the backup never exists without it.
            source: the store from which a manifest of an unknown kind is copied.

        Raises:
            DamagedError: such a manifest would have to be rewritten for this store.
        """
        if self._lease is None:
            msg = f"there is no lease on {self.url}"
            raise LeaseLost(msg, hint=BackupHint.RUN_AGAIN)
        ours, as_it_is = for_store(manifest, self.blobs.sizes), None
        if source and not manifest.known:
            if ours.blobs != manifest.blobs:
                msg = "it is not copied: blobs of it have other sizes here"
                raise DamagedError(msg, hint=BackupHint.UPGRADE)
            ours, as_it_is = manifest, source.repository.store
        if manifest.encryption.method == METHOD:
            extend_locks(self.repository.store)
        if hold:
            self._lease.ensure_held()
            add_hold(self.repository.store, hold)
        commit(self.repository, ours, self._lease, as_it_is)
        self.backups[ours.name] = Backup(ours.name, Status.GOOD, ours, hold=hold)

    def publish(self, manifest: Manifest, sources: "Sequence[Replica]") -> None:
        """Make the run's backup exist in it, after copying missing blobs from the other stores.

        A store that was late catches up here, and then takes part in the run again.
        """
        if not self.can_catch_up:
            return
        try:
            if not self.has(manifest.blobs):
                _log.info("copying what %s lacks of backup '%s'", self.url, manifest.name)
                self.copied = self.copy(manifest, manifest.blobs, sources)
                if self.copied.problem:
                    raise self.copied.problem
            self.commit(manifest)
        except BackupError as error:
            # this error says more than that the store is slow
            self.problem, self.late = error, False
        else:
            self.stored, self.problem, self.late = True, None, False
            if not self.strange and self.repository.record:
                self.repository.record.write(manifest.repository_id)
            _log.info("backup '%s' exists in %s", manifest.name, self.url)

    def outcome(self) -> StoreOutcome:
        """Return the outcome of the run's backup in it."""
        problem = None if self.stored or not self.problem else Problem.of(self.problem)
        return StoreOutcome(self.url, problem, self.copied.blobs, self.copied.size_bytes)

"""Bring several stores to have the same backups, as far as each one's policy keeps them."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

from attrs import evolve

from brownie_backup.concurrency.background import close_all
from brownie_backup.errors import (
    BackupError,
    BackupExists,
    Busy,
    DamagedError,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.model import Backup, BlobRef, Manifest, Status
from brownie_backup.model.reports import StoreSync
from brownie_backup.pipeline.commit import commit
from brownie_backup.pipeline.progress import Meter, OnProgress
from brownie_backup.repository import Identity, Lease, Replica, Repository, with_deadlines
from brownie_backup.repository.blobs.transfer import for_store, transfer_blobs
from brownie_backup.repository.catalogue.holds import add_hold
from brownie_backup.retention import plan_retention

_log = logging.getLogger(__name__)

_LOST = "{} of its blobs are whole in no store that can be read"


def sync_backups(
    repositories: Sequence[Repository], *, on_progress: OnProgress | None = None
) -> tuple[StoreSync, ...]:
    """Copy to each store the backups that others have and its policy keeps, and bad blobs.

    Nothing is read from a database, nothing is decrypted, and nothing is deleted. A store that
    fails does not keep the others from what they lack: the report says which.

    Args:
        repositories: all stores, in the order in which they are read from.
        on_progress: called with stored bytes.

    Raises:
        BackupError: not even one store could be worked in.
    """
    replicas = [_SyncReplica(repository) for repository in with_deadlines(repositories)]
    try:
        for replica in replicas:
            replica.open()
        problems = [replica.problem for replica in replicas if replica.problem]
        if len(problems) == len(replicas):
            raise problems[0]
        meter = Meter(on_progress, "sync", None)
        for replica in replicas:
            replica.catch_up([other for other in replicas if other is not replica], meter)
    finally:
        for replica in replicas:
            replica.abandon()
        close_all([replica.stack for replica in replicas])
    return tuple(replica.result for replica in replicas)


class _SyncReplica:
    """One store of a sync: what it has, and what it got."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.replica = Replica(repository.store)
        self.problem: BackupError | None = None
        self.backups: dict[str, Backup] = {}
        self.result = StoreSync(repository.store.url)
        self.stack = ExitStack()
        """Releases its lease."""
        self._lease: Lease | None = None

    def open(self) -> None:
        """Take a lease and read the catalogue."""
        try:
            with ExitStack() as ours:
                lease = ours.enter_context(self.repository.shared_lease("sync"))
                self.backups = {backup.name: backup for backup in self.repository.backups()}
                self.replica = self.repository.replica()
                self.replica.set_sizes(self.repository.blob_sizes())
                self.stack = ours.pop_all()
            self._lease = lease
        except (StoreError, Busy) as error:
            self.backups = {}
            self._fail(error)

    def catch_up(self, others: "Sequence[_SyncReplica]", meter: Meter) -> None:
        """Mend what is damaged here, then copy what is missing, the newest backup first."""
        if self.problem:
            return
        try:
            # Looked at first, since backups have blobs in common.
            damaged = [(each, self._bad(each)) for each in self.backups.values() if not each.good]
            for backup, bad in damaged:
                self._mend(backup, bad, others, meter)
            wanted, refused = _lacking(self, others)
            self._note(*refused)
            for source, backup in wanted:
                self._copy(source, backup, others, meter)
        except (StoreError, Busy) as error:
            self._fail(error)

    def abandon(self) -> None:
        """Let the lease expire, of a store that did not answer: nobody waits for it again."""
        if self._lease and isinstance(self.problem, StoreUnavailable):
            self._lease.abandon()

    def _bad(self, backup: Backup) -> Sequence[BlobRef]:
        """Return the blobs of a backup that are missing or damaged here."""
        blobs = backup.manifest.blobs if backup.manifest else ()
        return list({ref.name: ref for ref in blobs if ref.name not in self.replica.sizes}.values())

    def _mend(
        self, backup: Backup, bad: Sequence[BlobRef], others: "Sequence[_SyncReplica]", meter: Meter
    ) -> None:
        """Copy the bad blobs of a backup, as far as others have them."""
        found = [ref for ref in bad if any(ref.name in o.replica.sizes for o in others)]
        lost = len(bad) - len(found)
        if lost:
            self._note(f"{backup.name}: {_LOST.format(lost)}")
        if not self._transfer(backup, found, others, meter):
            return
        if found:
            self.result = evolve(self.result, mended=(*self.result.mended, backup.name))
        if not lost:
            self._forget_damage(backup)

    def _copy(
        self, source: "_SyncReplica", backup: Backup, others: "Sequence[_SyncReplica]", meter: Meter
    ) -> None:
        """Make a backup exist here as well."""
        manifest = _manifest(backup)
        first = [source, *(other for other in others if other is not source)]
        lost = {ref.name for ref in manifest.blobs} - self.replica.sizes.keys()
        lost -= {name for name in lost if any(name in other.replica.sizes for other in others)}
        if lost:
            self._note(f"{backup.name} is not copied: {_LOST.format(len(lost))}")
            return
        try:
            if not self.backups:
                self.repository.identity(Identity(manifest.repository_id, manifest.hash_key))
            if not self._transfer(backup, manifest.blobs, first, meter):
                return
            self._commit(source, backup)
        except (BackupExists, DamagedError) as error:
            self._note(f"{backup.name}: {error}")
            return
        self.backups[backup.name] = evolve(backup, status=Status.GOOD, problem="")
        self.result = evolve(self.result, copied=(*self.result.copied, backup.name))
        _log.info("copied '%s' to %s", backup.name, self.repository.store.url)

    def _commit(self, source: "_SyncReplica", backup: Backup) -> None:
        if self._lease is None:
            return
        manifest = for_store(_manifest(backup), self.replica.sizes)
        as_it_is = None
        if not manifest.known:  # then only a newer version could write it anew
            as_it_is = source.repository.store
            if manifest.blobs != _manifest(backup).blobs:
                msg = "it is not copied: blobs of it have other sizes here"
                raise DamagedError(msg, hint="Use a version that knows its kind")
            manifest = _manifest(backup)
        if backup.hold:
            self._lease.ensure_held()
            add_hold(self.repository.store, backup.hold)
        commit(self.repository, manifest, self._lease, as_it_is)

    def _transfer(
        self,
        backup: Backup,
        refs: Iterable[BlobRef],
        sources: "Iterable[_SyncReplica]",
        meter: Meter,
    ) -> bool:
        """Copy blobs, and return whether all are here now."""
        replicas = [source.replica for source in sources if not source.problem]
        done = transfer_blobs(self.replica, replicas, refs, on_bytes=meter.add)
        self.result = evolve(
            self.result,
            copied_blobs=self.result.copied_blobs + done.blobs,
            copied_bytes=self.result.copied_bytes + done.size_bytes,
        )
        if done.problem:
            self._note(f"{backup.name}: {done.problem}")
        return not done.problem

    def _forget_damage(self, backup: Backup) -> None:
        """Remove the record of a failed verification, when all that it found bad is replaced."""
        outcome = backup.verification
        if outcome and not outcome.good and len(outcome.problems) == len(outcome.damaged_blobs):
            self.repository.forget_verification(backup.name)

    def _fail(self, error: BackupError) -> None:
        self.problem = error
        self._note(str(error))

    def _note(self, *problems: str) -> None:
        self.result = evolve(self.result, problems=(*self.result.problems, *problems))


_Wanted = tuple[_SyncReplica, Backup]


def _lacking(
    target: _SyncReplica, others: Sequence[_SyncReplica]
) -> tuple[Sequence[_Wanted], Sequence[str]]:
    """Return the backups that a store is to get, with where from, and why it can't get some.

    What its policy would delete at once is not copied to it.
    """
    elsewhere: dict[str, _Wanted] = {}
    refused: dict[str, str] = {}
    for other in others:
        for name, backup in other.backups.items():
            own = target.backups.get(name)
            if backup.manifest is None:
                if own is None:
                    refused.setdefault(name, f"{name} is not copied: {backup.problem}")
            elif own is None:
                if name not in elsewhere or (backup.good and not elsewhere[name][1].good):
                    elsewhere[name] = (other, backup)
            elif own.manifest is None or own.manifest.id != backup.manifest.id:
                refused[name] = _conflict(own, other.repository.store.url)
    # As if they were there and good, which they will be.
    would_be = [evolve(backup, status=Status.GOOD, problem="") for _, backup in elsewhere.values()]
    now = target.repository.clock()
    everything = (*target.backups.values(), *would_be)
    plan = plan_retention(everything, target.repository.policy, now, database=None)
    wanted = [elsewhere[d.backup.name] for d in plan if d.keep and d.backup.name in elsewhere]
    return wanted, [note for name, note in refused.items() if name not in elsewhere]


def _conflict(own: Backup, url: str) -> str:
    if own.manifest is None:
        return f"{own.name}, which {url} has, cannot be compared: {own.problem}"
    return f"{own.name} is another backup than that in {url}: delete one of the two"


def _manifest(backup: Backup) -> Manifest:
    assert backup.manifest is not None  # noqa: S101 - others are not copied
    return backup.manifest

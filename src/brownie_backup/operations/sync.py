"""Bring several stores to have the same backups, as far as each one's policy keeps them."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack

from attrs import evolve

from brownie_backup.errors import BackupError, Busy, StoreError, StoreUnavailable
from brownie_backup.model import Backup, Manifest, Status
from brownie_backup.operations.progress import Meter, OnProgress
from brownie_backup.reports import StoreSync
from brownie_backup.repository import Lease, Repository, Shelf
from brownie_backup.repository.holds import add_hold
from brownie_backup.repository.transfer import transfer_blobs, transfer_manifest
from brownie_backup.retention import plan_retention

_log = logging.getLogger(__name__)


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
    with ExitStack() as stack:
        replicas = [_Replica(repository) for repository in repositories]
        for replica in replicas:
            replica.open(stack)
        problems = [replica.problem for replica in replicas if replica.problem]
        if len(problems) == len(replicas):
            raise problems[0]
        meter = Meter(on_progress, "sync", None)
        for replica in replicas:
            replica.catch_up([other for other in replicas if other is not replica], meter)
    return tuple(replica.result for replica in replicas)


class _Replica:
    """One store of a sync: what it has, and what it got."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.shelf = Shelf(repository.store)
        self.problem: BackupError | None = None
        self.backups: dict[str, Backup] = {}
        self.result = StoreSync(repository.store.url)
        self._lease: Lease | None = None
        self._sizes: dict[str, int] = {}

    def open(self, stack: ExitStack) -> None:
        """Take a lease and read the catalogue."""
        try:
            self._lease = stack.enter_context(self.repository.shared_lease("sync"))
            self.backups = {backup.name: backup for backup in self.repository.backups()}
            self.shelf = self.repository.shelf()
            self._sizes = self.repository.blob_sizes() | dict.fromkeys(self.shelf.distrusted, 0)
        except (StoreError, Busy) as error:
            self._fail(error)

    def catch_up(self, others: "Sequence[_Replica]", meter: Meter) -> None:
        """Copy what is missing here, the newest backup first."""
        if self.problem:
            return
        wanted, refused = _lacking(self, others)
        self._note(*refused)
        for backup in wanted:
            have = [other for other in others if _same(backup, other.backups.get(backup.name))]
            try:
                self._copy(backup, have, meter)
            except (StoreError, Busy) as error:
                self._fail(error)
                return
            except BackupError as error:  # of this backup: the next one may be whole
                self._note(f"{backup.name}: {error}")

    def _copy(self, backup: Backup, have: "Sequence[_Replica]", meter: Meter) -> None:
        manifest = _manifest(backup)
        resized = backup.verification.resized if backup.verification else {}
        done = transfer_blobs(
            self.repository.store,
            [other.shelf for other in have],
            manifest.blobs,
            self._sizes,
            resized=resized,
            on_bytes=meter.add,
        )
        self._sizes |= {ref.name: ref.stored_bytes for ref in manifest.blobs}
        self.result = evolve(
            self.result,
            copied_blobs=self.result.copied_blobs + done.blobs,
            copied_bytes=self.result.copied_bytes + done.size_bytes,
        )
        if own := self.backups.get(backup.name):
            if done.blobs:
                self.result = evolve(self.result, mended=(*self.result.mended, backup.name))
            self._forget_damage(own)
            return
        if self._lease:
            self._lease.ensure_held()
        if backup.hold:
            add_hold(self.repository.store, backup.hold)
        transfer_manifest(self.repository.store, have[0].repository.store, manifest)
        if resized and backup.verification:
            self.repository.add_verification(backup.verification)
        self.backups[backup.name] = backup
        self.result = evolve(self.result, copied=(*self.result.copied, backup.name))
        _log.info("copied '%s' to %s", backup.name, self.repository.store.url)

    def _forget_damage(self, backup: Backup) -> None:
        """Remove the record of a failed verification, when all that it found bad is replaced."""
        outcome = backup.verification
        if outcome and not outcome.good and len(outcome.problems) == len(outcome.damaged_blobs):
            self.repository.forget_verification(backup.name)

    def _fail(self, error: BackupError) -> None:
        self.problem = error
        if self._lease and isinstance(error, StoreUnavailable):
            self._lease.abandon()
        self._note(str(error))

    def _note(self, *problems: str) -> None:
        self.result = evolve(self.result, problems=(*self.result.problems, *problems))


def _lacking(
    target: _Replica, others: Sequence[_Replica]
) -> tuple[tuple[Backup, ...], tuple[str, ...]]:
    """Return the backups that a store is to get or has with bad blobs, and why it can't get some.

    What its policy would delete at once is not copied to it.
    """
    elsewhere: dict[str, Backup] = {}
    for other in others:
        for name, backup in other.backups.items():
            if backup.manifest and (name not in elsewhere or not elsewhere[name].good):
                elsewhere[name] = backup
    # As if they were there and good, which they will be.
    missing = [
        evolve(backup, status=Status.GOOD, problem="")
        for name, backup in elsewhere.items()
        if name not in target.backups
    ]
    now = target.repository.clock()
    would_be = (*target.backups.values(), *missing)
    plan = plan_retention(would_be, target.repository.policy, now, database=None)
    kept = {decision.backup.name for decision in plan if decision.keep}
    wanted, refused = [], []
    for name, backup in elsewhere.items():
        own = target.backups.get(name)
        if own is None:
            if name in kept:
                wanted.append(backup)
        elif not _same(backup, own):
            url = target.repository.store.url
            what = "is another backup" if own.manifest else "has a manifest that cannot be read"
            refused.append(f"{name} in {url} {what}: delete it there to get the other store's")
        elif not own.good:
            wanted.append(backup)
    newest_first = sorted(wanted, key=lambda each: _manifest(each).finished_at, reverse=True)
    return tuple(newest_first), tuple(refused)


def _same(backup: Backup, other: Backup | None) -> bool:
    return bool(other and other.manifest and other.manifest.id == _manifest(backup).id)


def _manifest(backup: Backup) -> Manifest:
    assert backup.manifest is not None  # noqa: S101 - others are not copied
    return backup.manifest

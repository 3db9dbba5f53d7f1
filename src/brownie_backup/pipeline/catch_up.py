"""Catching up: each store of a run gets the backups that others have and it lacks, by copying."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from attrs import evolve

from brownie_backup.errors import BackupError, BackupExists, DamagedError
from brownie_backup.format.envelope import METHOD
from brownie_backup.hints import BackupHint
from brownie_backup.model import Backup, BlobRef, Manifest, Status
from brownie_backup.model.findings import Problem
from brownie_backup.model.reports import StoreSync
from brownie_backup.pipeline.progress import Meter
from brownie_backup.pipeline.replica import Replica
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.repository import Identity
from brownie_backup.repository.catalogue.manifests import read_verification
from brownie_backup.repository.keys.objects import copy_keys
from brownie_backup.retention import plan_retention
from brownie_backup.retention.policy import RetentionPolicy

_log = logging.getLogger(__name__)


def catch_up(
    replicas: ReplicaSet, policies: Sequence[RetentionPolicy] | None, meter: Meter
) -> tuple[StoreSync, ...]:
    """Copy to each store the backups that it lacks and its policy keeps, and replace bad blobs.

    It relies on the catalogues that the run read when it opened the stores, and on its own writes
    since then. A store that fails does not affect the others.

    Args:
        replicas: the stores of the run.
        policies: which backups each of them keeps; None for the default policy.
        meter: counts each stored byte.
    """
    stores = tuple(replicas)
    policies = policies or [RetentionPolicy()] * len(stores)
    targets = [
        _Target(replica, policy, meter) for replica, policy in zip(stores, policies, strict=True)
    ]
    for target in targets:
        target.begin()
    for target in targets:
        others = [each for each in replicas if each is not target.replica and each.readable]
        target.run(others)
    return tuple(target.result for target in targets)


class _Target:
    """A store that catches up, and the backups that it got."""

    def __init__(self, replica: Replica, policy: RetentionPolicy, meter: Meter) -> None:
        self.replica = replica
        self._policy = policy
        self.result = StoreSync(replica.url)
        self._meter = meter

    def begin(self) -> None:
        """Check which of its backups are good now, and held."""
        replica = self.replica
        if replica.problem is None:
            try:
                replica.judge()
            except BackupError as error:
                replica.drop(error)
        if replica.problem:
            self._note(Problem.of(replica.problem))

    def run(self, others: Sequence[Replica]) -> None:
        """Repair the damage here, then copy missing backups, the newest first."""
        replica = self.replica
        if replica.problem:
            return
        try:
            _mend_keys(replica, others)
            # Repaired first, since backups share blobs.
            damaged = [backup for backup in replica.backups.values() if not backup.good]
            for backup, bad in [(each, self._bad(each)) for each in damaged]:
                self._mend(backup, bad, others)
            wanted, refused = _lacking(replica, self._policy, others)
            self._note(*map(Problem, refused))
            for source, backup in wanted:
                self._copy(source, backup, others)
        except BackupError as error:
            replica.drop(error)
            self._note(Problem.of(error))

    def _bad(self, backup: Backup) -> Sequence[BlobRef]:
        """Return the blobs of a backup that are missing or damaged here."""
        blobs = backup.manifest.blobs if backup.manifest else ()
        whole = self.replica.blobs.whole
        return list({ref.name: ref for ref in blobs if whole(ref.name) is None}.values())

    def _mend(self, backup: Backup, bad: Sequence[BlobRef], others: Sequence[Replica]) -> None:
        """Copy the bad blobs of a backup, as far as others have them."""
        found = [ref for ref in bad if _anywhere(ref, others)]
        lost = len(bad) - len(found)
        if lost:
            self._note(Problem(f"{backup.name}: {_lost(lost)}"))
        if not self._transfer(backup, found, others):
            return
        if found:
            self.result = evolve(self.result, mended=(*self.result.mended, backup.name))
        if not lost:
            self._forget_damage(backup)

    def _copy(self, source: Replica, backup: Backup, others: Sequence[Replica]) -> None:
        """Make a backup exist here as well."""
        manifest = _manifest(backup)
        blobs = {ref.name: ref for ref in manifest.blobs}.values()
        lost = [ref for ref in blobs if not _anywhere(ref, (self.replica, *others))]
        if lost:
            self._note(Problem(f"{backup.name} is not copied: {_lost(len(lost))}"))
            return
        first = [source, *(other for other in others if other is not source)]
        try:
            if not self.replica.backups:
                self.replica.identity(Identity(manifest.repository_id, manifest.hash_key))
            if not self._transfer(backup, blobs, first) or not self._still_in(source, backup):
                return
            self.replica.commit(manifest, backup.hold, source)
        except (BackupExists, DamagedError) as error:
            self._note(Problem.of(error, f"{backup.name}: "))
            return
        self.result = evolve(self.result, copied=(*self.result.copied, backup.name))
        _log.info("copied '%s' to %s", backup.name, self.replica.url)

    def _still_in(self, source: Replica, backup: Backup) -> bool:
        """Whether the backup was not deleted meanwhile: a copy would bring it back."""
        try:
            return source.repository.exists(backup.name)
        except BackupError as error:
            self._note(Problem.of(error, f"{backup.name} is not copied: "))
            return False

    def _transfer(
        self, backup: Backup, refs: Collection[BlobRef], sources: Iterable[Replica]
    ) -> bool:
        """Copy blobs, and return whether all of them are here now."""
        if not refs:
            return True
        done = self.replica.copy(_manifest(backup), refs, sources, self._meter.add)
        self.result = evolve(
            self.result,
            copied_blobs=self.result.copied_blobs + done.blobs,
            copied_bytes=self.result.copied_bytes + done.size_bytes,
        )
        for url, name in done.damaged:
            damaged = (
                f"{backup.name}: blob {name} in {url} is damaged, and was not copied from there"
            )
            self._note(Problem(damaged, BackupHint.VERIFY_THERE))
        if done.problem:
            self._note(Problem.of(done.problem, f"{backup.name}: "))
        return not done.problem

    def _forget_damage(self, backup: Backup) -> None:
        """Remove the record of a failed verification, once all its bad blobs are replaced."""
        outcome = backup.verification
        if not outcome or outcome.good or len(outcome.problems) != len(outcome.damaged_blobs):
            return
        repository = self.replica.repository
        if read_verification(repository.store, _manifest(backup)) == outcome:  # and no newer record
            repository.forget_verification(backup.name)

    def _note(self, *problems: Problem) -> None:
        self.result = evolve(self.result, problems=(*self.result.problems, *problems))


_Wanted = tuple[Replica, Backup]


def _lacking(
    target: Replica, policy: RetentionPolicy, others: Sequence[Replica]
) -> tuple[Sequence[_Wanted], Sequence[str]]:
    """Return the backups that a store should get, with their sources, and the reasons for others.

    Backups that its policy would delete at once are not copied to it.
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
                refused[name] = _conflict(own, other.url)
    wanted = _kept(target, policy, elsewhere)
    return wanted, [note for name, note in refused.items() if name not in elsewhere]


def _kept(
    target: Replica, policy: RetentionPolicy, elsewhere: Mapping[str, _Wanted]
) -> Sequence[_Wanted]:
    """Return those backups that the target's policy would keep, the newest first."""
    # As if they were there and good: they will be.
    would_be = [evolve(backup, status=Status.GOOD, problem="") for _, backup in elsewhere.values()]
    now = target.repository.clock()
    everything = (*target.backups.values(), *would_be)
    plan = plan_retention(everything, policy, now, database=None)
    return [elsewhere[d.backup.name] for d in plan if d.keep and d.backup.name in elsewhere]


def _lost(count: int) -> str:
    blobs = "1 of its blobs is" if count == 1 else f"{count} of its blobs are"
    return f"{blobs} missing or damaged in every store"


def _conflict(own: Backup, url: str) -> str:
    if own.manifest is None:
        return f"{own.name}, which {url} has, cannot be compared: {own.problem}"
    return f"{own.name} is not the backup of that name in {url}: delete one of the two"


def _anywhere(ref: BlobRef, replicas: Iterable[Replica]) -> bool:
    return any(replica.has([ref]) for replica in replicas)


def _manifest(backup: Backup) -> Manifest:
    assert backup.manifest is not None  # noqa: S101 - others are not copied
    return backup.manifest


def _mend_keys(replica: Replica, others: Iterable[Replica]) -> None:
    """Copy the data keys that are missing or damaged in a store, if a backup there needs some."""
    manifests = (backup.manifest for backup in replica.backups.values())
    if any(manifest and manifest.encryption.method == METHOD for manifest in manifests):
        stores = [other.repository.store for other in others]
        copy_keys(replica.repository.store, stores, mend=True)

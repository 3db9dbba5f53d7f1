"""A repository: one store, how blobs are compressed and encrypted in it, and what is there."""

import contextlib
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from attrs import evolve, field, frozen

from brownie_backup.errors import (
    BackupNotFound,
    DamagedError,
    InvalidName,
    KeyNotFound,
    ObjectLocked,
    UnsupportedFormat,
)
from brownie_backup.format.layout import (
    BLOBS,
    hold_key,
    lease_key,
    manifest_key,
    name_in,
    verification_key,
)
from brownie_backup.format.names import LATEST, check_name
from brownie_backup.hints import BackupHint, KeyHint
from brownie_backup.model import Attempt, Backup, Manifest, Status, Verification
from brownie_backup.model.reports import OnCount
from brownie_backup.protocols import Cache, Clock, Compressor, Encryptor, Store
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.repository.blobs.sweep import SWEEP_MARGIN, ReferencedBlobs, Swept, sweep
from brownie_backup.repository.catalogue import holds, manifests
from brownie_backup.repository.catalogue.cached import RepositoryCache
from brownie_backup.repository.catalogue.identity import (
    Identity,
    Recover,
    ensure_identity,
    known_identity,
    read_identity,
)
from brownie_backup.repository.catalogue.listing import read_catalogue, sharing, sizes_of
from brownie_backup.repository.coordination.leases import (
    Lease,
    LeaseRecord,
    hold,
    list_leases,
    remove_expired,
)
from brownie_backup.repository.deadline import with_deadline
from brownie_backup.retention.policy import RetentionPolicy


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen
class Repository:
    """Backups in a store.

    Args:
        store: where they are.
        compressor, encryptor: for new backups, and for old ones made with the same.
        other_compressors: more that old backups may need.
        clock: the time now, UTC-aware.
        policy: which backups this store keeps.
        cache: remembers manifests on this machine, or None.
    """

    store: Store
    compressor: Compressor
    encryptor: Encryptor
    other_compressors: tuple[Compressor, ...] = ()
    clock: Clock = field(default=_utc_now)
    policy: RetentionPolicy = field(factory=RetentionPolicy)
    cache: Cache | None = None

    def identity(
        self, proposed: Identity | None = None, recover: Recover | None = None
    ) -> Identity:
        """Return the repository's identity, giving it one at its first use.

        Args:
            proposed: which, if it has none; by default a new one.
            recover: returns what its manifests say, if somebody has read them already.
        """
        return ensure_identity(self.store, proposed, recover)

    def known_identity(self, recover: Recover | None = None) -> Identity | None:
        """Return the repository's identity, or None if it was never used."""
        return known_identity(self.store, recover)

    def reader(self, manifest: Manifest, others: Sequence[Store] = ()) -> BlobReader:
        """Return a reader of the blobs of one backup; `UnsupportedFormat` if it can't be read.

        What is bad in this store it looks for in the others.
        """
        compressors = {c.name: c for c in (*self.other_compressors, self.compressor)}
        compressor = compressors.get(manifest.compression)
        if compressor is None:
            msg = f"'{manifest.name}' is compressed with {manifest.compression}, which is not here"
            raise UnsupportedFormat(msg, hint=KeyHint.GIVE_COMPRESSOR)
        method = manifest.encryption.method
        if method != self.encryptor.method:
            # Reading cleartext because a manifest says so would let whoever can write to the
            # store put anything into the restored database.
            msg = f"'{manifest.name}' has encryption '{method}', here is '{self.encryptor.method}'"
            clear = method == "none"
            hint = KeyHint.READ_UNENCRYPTED if clear else KeyHint.TURN_ON_ENCRYPTION
            raise UnsupportedFormat(msg, hint=hint)
        key = bytes.fromhex(manifest.hash_key)
        stores = (self.store, *others)
        return BlobReader(stores, compressor, self.encryptor, key, manifest.encryption)

    def backups(
        self, *, check_blobs: bool = True, on_progress: OnCount | None = None
    ) -> tuple[Backup, ...]:
        """Return every backup, newest first; with `check_blobs`, see that all blobs are there."""
        found = tuple(sharing(self._read(on_progress)))
        # Blobs are listed after the manifests are read: a backup that is finished between the two
        # then has all of its blobs in the listing.
        return self.judge(found, sizes_of(self.store, found) if check_blobs else None)

    def catalogue(self) -> Iterator[Backup]:
        """Yield every backup, in no order, its health by manifest and last verification alone."""
        return self._read()

    def judge(
        self, found: Iterable[Backup], sizes: Mapping[str, int | None] | None
    ) -> tuple[Backup, ...]:
        """Return backups of the catalogue, newest first, with their holds.

        Args:
            found: the backups.
            sizes: of the blobs in the store, which their health goes by too; or None.
        """
        if sizes is not None:
            found = [manifests.check_blobs(backup, sizes) for backup in found]
        held = holds.read_holds(self.store, self.clock())
        with_holds = (
            evolve(b, hold=holds.hold_of(b.name, b.manifest, held)) if b.name in held else b
            for b in found
        )
        return tuple(sorted(with_holds, key=_newest_first, reverse=True))

    def backup(self, name: str, *, database: str | None = None) -> Backup:
        """Return the backup of that name, or the newest good one for ``latest``.

        Its manifest comes from the store itself, even if it is in the cache.

        Args:
            name: of the backup, or ``latest``.
            database: whose ``latest``, since several may share the store: of another's only if
                the store has backups of that alone. None for anybody's.
        """
        if name == LATEST:
            seen = self._whose([each for each in self.backups() if each.good], database)
            good = (self._backup(each.name, each) for each in seen)
            backup = next((again for again in good if again and again.good), None)
        else:
            backup = self._backup(name)
        if backup:
            return backup
        wanted = "good backup" if name == LATEST else f"backup named '{name}'"
        msg = f"there is no {wanted} in {self.store.url}"
        raise BackupNotFound(msg, hint=BackupHint.LIST_BACKUPS)

    def _whose(self, backups: list[Backup], database: str | None) -> list[Backup]:
        names = {each.manifest.database.name for each in backups if each.manifest}
        if database in names:
            return [b for b in backups if b.manifest and b.manifest.database.name == database]
        if database is None or len(names) <= 1:
            return backups
        others = ", ".join(f"'{name}'" for name in sorted(names))
        msg = f"no good backup in {self.store.url} is of '{database}'; they are of {others}"
        raise BackupNotFound(msg, hint=BackupHint.NAME_ONE_BACKUP)

    def confirms(self, backup: Backup) -> bool:
        """Whether the store itself still has that manifest, which may have come from the cache."""
        return self.cache is None or self._backup(backup.name, backup) is backup

    def manifest(self, name: str) -> Manifest:
        """Return the manifest of that name; `KeyNotFound` if there is none."""
        return manifests.read_manifest(self.store, name)

    def exists(self, name: str) -> bool:
        """Whether a backup of that name exists, readable or not."""
        key = manifest_key(name)
        return any(found.key == key for found in self.store.list(key))

    def add_lists(self, manifest: Manifest) -> Manifest:
        """Store what is too long for a manifest; return the rest, which `add` is quick with."""
        return manifests.add_lists(self.store, manifest)

    def add(self, manifest: Manifest) -> None:
        """Make a backup exist; `BackupExists` if the name is taken."""
        manifests.add_manifest(self.store, manifest)

    def add_verification(self, verification: Verification) -> None:
        """Record the outcome of a verification."""
        manifests.add_verification(self.store, verification)

    def forget_verification(self, name: str) -> None:
        """Remove the outcome of a verification, which no longer says anything."""
        self.store.delete(verification_key(name))

    def remove(self, name: str) -> None:
        """Make a backup not exist. Its blobs stay until a sweep."""
        self.store.delete(manifest_key(name))
        for key in (verification_key(name), hold_key(name)):
            with contextlib.suppress(ObjectLocked):  # without its manifest it means nothing
                self.store.delete(key)

    def record_attempt(self, attempt: Attempt) -> None:
        """Write down that a backup was begun: nothing is deleted until a good one ends after."""
        holds.add_attempt(self.store, attempt)

    def shared_lease(
        self, purpose: str, *, backup: str | None = None
    ) -> AbstractContextManager[Lease]:
        """Hold a lease beside others who write or read; `Busy` during a sweep."""
        return hold(self.store, purpose, clock=self.clock, identifier=_lease_id(), backup=backup)

    def exclusive_lease(self, purpose: str) -> AbstractContextManager[Lease]:
        """Hold a lease alone; `Busy` while anybody writes or reads."""
        return hold(self.store, purpose, clock=self.clock, identifier=_lease_id(), exclusive=True)

    def has_lease(self, identifier: str) -> bool:
        """Whether a lease is there, expired or not."""
        try:
            self.store.get(lease_key(identifier))
        except KeyNotFound:
            return False
        return True

    def leases(self) -> tuple[LeaseRecord, ...]:
        """Return the leases in the store, expired ones too."""
        return list_leases(self.store)

    def unlock(self) -> tuple[LeaseRecord, ...]:
        """Remove the leases that have expired, by the store's clock, and return them.

        They exclude nobody any more; `Busy` if one that counts does.
        """
        with self.shared_lease("unlock") as lease:
            return remove_expired(self.store, lease.now())

    def sweep(
        self,
        lease: Lease | None,
        *,
        without: frozenset[str] = frozenset(),
        on_progress: OnCount | None = None,
    ) -> Swept:
        """Remove blobs that no backup names; with no lease, count what would be removed.

        Args:
            lease: an exclusive one.
            without: names of backups to take for deleted.
            on_progress: told how many backups are read, then how many blobs removed.

        A manifest that can't be read may name any blob: then nothing is swept.
        """
        live = ReferencedBlobs()
        for backup in self._read(on_progress):
            if backup.name in without:
                continue
            if backup.manifest is None:
                return Swept()
            live.add(backup.manifest)
        now = lease.now() if lease else self.clock()
        return sweep(
            self.store, live, lease=lease, now=now, margin=SWEEP_MARGIN, on_progress=on_progress
        )

    def blob_sizes(self) -> dict[str, int]:
        """Return the stored size of every blob."""
        return {name_in(found.key): found.size_bytes for found in self.store.list(BLOBS)}

    def _read(self, on_progress: OnCount | None = None) -> Iterator[Backup]:
        """Yield every backup, in no order, without a look at its blobs."""
        return read_catalogue(self.store, self._memory(), self.clock(), on_progress)

    def _backup(self, name: str, seen: Backup | None = None) -> Backup | None:
        """Return one backup without reading the others; `seen` if that is still what it is."""
        try:
            manifest = manifests.read_manifest(self.store, check_name(name))
        except (InvalidName, KeyNotFound):
            return None
        except (DamagedError, UnsupportedFormat) as error:
            if memory := self._memory():
                memory.forget(manifest_key(name))  # so that a listing finds it out too
            held = holds.read_hold(self.store, name, None, self.clock())
            return Backup(name, Status.DAMAGED, None, str(error), hold=held)
        if seen and seen.manifest == manifest:
            return seen
        backup = manifests.judge(manifest, manifests.read_verification(self.store, manifest))
        backup = manifests.check_blobs(backup, sizes_of(self.store, (backup,)))
        return evolve(backup, hold=holds.read_hold(self.store, name, manifest, self.clock()))

    def _memory(self) -> RepositoryCache | None:
        """Return what the cache knows of this very repository."""
        if self.cache is None:
            return None
        try:
            identity = read_identity(self.store)
        except (KeyNotFound, DamagedError):
            return None  # it could not be told from other repositories
        return RepositoryCache(self.cache, identity.id)


def with_deadlines(repositories: Sequence[Repository]) -> tuple[Repository, ...]:
    """Return repositories of which none that hangs keeps the others from their work."""
    if len(repositories) == 1:
        return tuple(repositories)
    return tuple(evolve(each, store=with_deadline(each.store)) for each in repositories)


def _newest_first(backup: Backup) -> tuple[float, str]:
    finished = backup.manifest.finished_at.timestamp() if backup.manifest else 0.0
    return finished, backup.name


def _lease_id() -> str:
    return secrets.token_hex(8)

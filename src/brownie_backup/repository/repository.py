"""A repository: one store, how its blobs are compressed and encrypted, and its contents."""

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Self

from attrs import evolve, frozen

from brownie_backup.errors import ObjectLocked
from brownie_backup.format.layout import (
    BLOBS,
    blob_in,
    hold_key,
    lease_key,
    manifest_key,
    verification_key,
)
from brownie_backup.model import Attempt, Backup, Kind, Manifest, Verification
from brownie_backup.model.reports import OnCount
from brownie_backup.process.key import process_key
from brownie_backup.protocols import (
    Cache,
    Clock,
    Compressor,
    Decryptor,
    Encryptor,
    RepositoryRecord,
    Store,
    SupportsClose,
)
from brownie_backup.repository.blobs.decoding import ContentDecoder
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.repository.blobs.sweep import Roots, Swept, sweep
from brownie_backup.repository.catalogue import holds, manifests
from brownie_backup.repository.catalogue.catalogue import Catalogue
from brownie_backup.repository.catalogue.identity import (
    Identity,
    Recover,
    ensure_identity,
    known_identity,
)
from brownie_backup.repository.codecs import Codecs
from brownie_backup.repository.coordination import leases
from brownie_backup.repository.coordination.leases import Lease, LeaseRecord
from brownie_backup.repository.deadline import with_deadline
from brownie_backup.repository.tuning import Tuning


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(init=False)
class Repository:
    """Backups in a store. Any backup in it is read with the codecs that its manifest names.

    Without a compressor and an encryptor it is read-only: no key is needed to list, delete, copy or
    clean up.

    Args:
        store: the store of the backups.
        compressor, encryptor: for new backups, and for old ones made with the same.
        other_compressors: more that old backups may need.
        clock: the time now, UTC-aware.
        cache: caches manifests on this machine, or None.
        other_decryptors: more that old backups may need, whose keys the encryptor does not have.
        roots: what objects of more kinds than manifests refer to, so that no sweep removes it.
        codecs: compressor, encryptor and all others together, in place of each by itself.
        tuning: sizes and times; by default, those for production.
        record: which repository the store had when this host last used it, or None.
        host_key: returns a secret of this host, which is not in the store. It authenticates the
            backups that a later one may build on, if the encryptor has no secret. By default, it is
            a key of this process, so that only its own backups are built on.
    """

    store: Store
    codecs: Codecs
    clock: Clock
    cache: Cache | None
    roots: tuple[Roots, ...]
    tuning: Tuning
    record: RepositoryRecord | None
    host_key: Callable[[], bytes]

    def __init__(
        self,
        store: Store,
        compressor: Compressor | None = None,
        encryptor: Encryptor | None = None,
        other_compressors: Sequence[Compressor] = (),
        *,
        clock: Clock = _utc_now,
        cache: Cache | None = None,
        other_decryptors: Sequence[Decryptor] = (),
        roots: Sequence[Roots] = (),
        codecs: Codecs | None = None,
        tuning: Tuning | None = None,
        record: RepositoryRecord | None = None,
        host_key: Callable[[], bytes] = process_key,
    ) -> None:
        if codecs is None:
            codecs = Codecs(
                compressor, encryptor, tuple(other_compressors), tuple(other_decryptors)
            )
        tuning = tuning or Tuning()
        self.__attrs_init__(store, codecs, clock, cache, tuple(roots), tuning, record, host_key)

    def close(self) -> None:
        """Close the store's connections, and the codecs (keyrings of gpg)."""
        self.codecs.close()
        if isinstance(self.store, SupportsClose):
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of backups."""
        return Catalogue(self.store, self.clock, self.cache)

    def identity(
        self, proposed: Identity | None = None, recover: Recover | None = None
    ) -> Identity:
        """Return the repository's identity, assigning one at its first use.

        Args:
            proposed: the identity to assign if it has none; by default a new one.
            recover: returns the identity from its manifests, if the caller has read them already.
        """
        return ensure_identity(self.store, proposed, recover)

    def known_identity(self, recover: Recover | None = None) -> Identity | None:
        """Return the repository's identity, or None if it was never used."""
        return known_identity(self.store, recover)

    def mac_key(self, salt: bytes) -> bytes:
        """Return the secret that authenticates our manifests: the encryptor's, or the host's."""
        return self.codecs.mac_key(salt) or self.host_key()

    def reader(self, manifest: Manifest, others: Sequence[Store] = ()) -> BlobReader:
        """Return a reader of the blobs of one backup, with the codecs that its manifest names.

        A blob that is bad in this store is read from the others.

        Raises:
            KeyMissing: the repository has no decryptor for that method.
            UnsupportedFormat: this version does not know the method or the compressor.
        """
        stores = (self.store, *others)
        return BlobReader(stores, ContentDecoder.of(manifest, self.codecs, stores))

    def backups(
        self, *, check_blobs: bool = True, on_progress: OnCount | None = None
    ) -> tuple[Backup, ...]:
        """Return every backup, newest first; see `Catalogue.backups`."""
        return self.catalogue.backups(check_blobs=check_blobs, on_progress=on_progress)

    def backup(self, name: str, *, database: str | None = None, kind: str = Kind.LOGICAL) -> Backup:
        """Return the backup of that name, or the newest good one; see `Catalogue.backup`."""
        return self.catalogue.backup(
            name, database=database, kind=kind, prefers=self.codecs.expects
        )

    def confirms(self, backup: Backup) -> bool:
        """Whether the store itself still has that manifest, which may have come from the cache."""
        return self.catalogue.confirms(backup)

    def manifest(self, name: str) -> Manifest:
        """Return the manifest of that name; `KeyNotFound` if there is none."""
        return manifests.read_manifest(self.store, name)

    def exists(self, name: str) -> bool:
        """Whether a backup of that name exists, readable or not."""
        return self._has(manifest_key(name))

    def add_lists(self, manifest: Manifest) -> Manifest:
        """Store what is too long for a manifest; return the rest, which `add` is quick with."""
        return manifests.add_lists(self.store, manifest, inline=self.tuning.inline_blobs)

    def add(self, manifest: Manifest) -> None:
        """Make a backup exist; `BackupExists` if the name is taken."""
        manifests.add_manifest(self.store, manifest, inline=self.tuning.inline_blobs)

    def add_verification(self, verification: Verification) -> None:
        """Record the outcome of a verification."""
        manifests.add_verification(self.store, verification)

    def forget_verification(self, name: str) -> None:
        """Remove the outcome of a verification, which is no longer valid."""
        self.store.delete(verification_key(name))

    def remove(self, name: str) -> None:
        """Delete a backup. Its blobs stay until a sweep."""
        self.store.delete(manifest_key(name))
        for key in (verification_key(name), hold_key(name)):
            with contextlib.suppress(ObjectLocked):  # without its manifest it means nothing
                self.store.delete(key)

    def record_attempt(self, attempt: Attempt) -> None:
        """Record that a backup was started: nothing is deleted until a good one has ended since."""
        holds.add_attempt(self.store, attempt)

    def shared_lease(
        self, purpose: str, *, backup: str | None = None
    ) -> AbstractContextManager[Lease]:
        """Hold a lease beside others who write or read; `Busy` during a sweep."""
        return self._lease(purpose, backup=backup)

    def exclusive_lease(self, purpose: str) -> AbstractContextManager[Lease]:
        """Hold a lease alone; `Busy` while anybody writes or reads."""
        return self._lease(purpose, exclusive=True)

    def _lease(
        self, purpose: str, *, exclusive: bool = False, backup: str | None = None
    ) -> AbstractContextManager[Lease]:
        return leases.hold(
            self.store,
            purpose,
            clock=self.clock,
            identifier=secrets.token_hex(8),
            exclusive=exclusive,
            backup=backup,
            renewal=self.tuning.lease_renewal,
            passing=self.tuning.lease_passing,
        )

    def has_lease(self, identifier: str) -> bool:
        """Whether a lease is there, expired or not."""
        return self._has(lease_key(identifier))

    def _has(self, key: str) -> bool:
        return any(found.key == key for found in self.store.list(key))

    def leases(self) -> tuple[LeaseRecord, ...]:
        """Return the leases in the store, expired ones too."""
        return leases.list_leases(self.store)

    def unlock(self) -> tuple[LeaseRecord, ...]:
        """Remove the leases that have expired, by the store's clock, and return them.

        They exclude no process any more; `Busy` if a valid lease does.
        """
        with self.shared_lease("unlock") as lease:
            return leases.remove_expired(self.store, lease.now())

    def sweep(
        self,
        lease: Lease | None,
        *,
        without: frozenset[str] = frozenset(),
        on_progress: OnCount | None = None,
    ) -> Swept:
        """Remove blobs that no root names; without a lease, count the blobs that would be removed.

        Args:
            lease: an exclusive one.
            without: names of backups to treat as deleted.
            on_progress: called with the number of backups read, then of blobs removed.

        A root that can't be read may name any blob: then nothing is swept.
        """

        def by_manifests(_: Store) -> Iterator[str]:
            return self.catalogue.roots(without, on_progress)

        return sweep(
            self.store,
            (by_manifests, *self.roots),
            lease=lease,
            now=lease.now() if lease else self.clock(),
            margin=self.tuning.sweep_margin,
            on_progress=on_progress,
        )

    def blob_sizes(self) -> dict[str, int]:
        """Return the stored size of every blob."""
        return {
            name: found.size_bytes
            for found in self.store.list(BLOBS)
            if (name := blob_in(found.key))
        }


def with_deadlines(repositories: Sequence[Repository]) -> tuple[Repository, ...]:
    """Return repositories whose calls end, so that a hanging one does not block the others."""
    if len(repositories) == 1:
        return tuple(repositories)
    return tuple(
        evolve(each, store=with_deadline(each.store, each.tuning.deadlines))
        for each in repositories
    )

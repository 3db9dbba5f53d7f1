"""The catalogue: every backup in a store, and its known health."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import evolve, frozen

from brownie_backup.errors import (
    BackupNotFound,
    DamagedError,
    InvalidName,
    KeyNotFound,
    ObjectArchived,
    UnsupportedFormat,
)
from brownie_backup.format.layout import manifest_key
from brownie_backup.format.names import LATEST, check_name
from brownie_backup.hints import BackupHint
from brownie_backup.model import Backup, Kind, Manifest
from brownie_backup.model.reports import OnCount
from brownie_backup.protocols import Cache, Clock, Store
from brownie_backup.repository.catalogue import holds, manifests
from brownie_backup.repository.catalogue.cached import RepositoryCache
from brownie_backup.repository.catalogue.identity import not_found, read_identity
from brownie_backup.repository.catalogue.listing import read_catalogue, sharing, sizes_of


@frozen
class Catalogue:
    """Reads the list of a store's backups. It needs no key.

    Args:
        store: where they are.
        clock: the time now, UTC-aware.
        cache: caches manifests on this machine, or None.
    """

    store: Store
    clock: Clock
    cache: Cache | None = None

    def backups(
        self, *, check_blobs: bool = True, on_progress: OnCount | None = None
    ) -> tuple[Backup, ...]:
        """Return every backup, newest first; with `check_blobs`, check that all blobs are there."""
        found = tuple(sharing(self.read(on_progress)))
        # Blobs are listed after the manifests are read: a backup that is finished between the two
        # then has all of its blobs in the listing.
        return self.judge(found, sizes_of(self.store, found) if check_blobs else None)

    def judge(
        self, found: Iterable[Backup], sizes: Mapping[str, int | None] | None
    ) -> tuple[Backup, ...]:
        """Return backups that were read, newest first, with their holds.

        Args:
            found: the backups.
            sizes: of the blobs in the store, which their health depends on too; or None.
        """
        if sizes is not None:
            found = [manifests.check_blobs(backup, sizes) for backup in found]
        held = holds.read_holds(self.store, self.clock())
        with_holds = (
            evolve(b, hold=holds.hold_of(b.name, b.manifest, held)) if b.name in held else b
            for b in found
        )
        return tuple(sorted(with_holds, key=_newest_first, reverse=True))

    def backup(
        self,
        name: str,
        *,
        database: str | None = None,
        kind: str = Kind.LOGICAL,
        prefers: Callable[[Manifest], bool] = lambda _: True,
    ) -> Backup:
        """Return the backup of that name, or the newest good one for ``latest``.

        Its manifest comes from the store itself, even if it is in the cache.

        Args:
            name: of the backup, or ``latest``.
            database: the database whose ``latest`` is meant, since several may share the store. A
                backup of another database is returned only if the store has backups of no other.
                None for any database.
            kind: the kind of ``latest``; a backup found by its name may be of any kind.
            prefers: selects the backups that ``latest`` prefers, however old they are.
        """
        if name == LATEST:
            seen = self._whose([each for each in self.backups() if each.good], database, kind)
            # The sort is stable: the others stay newest first. If the times of all lie in the
            # future, our clock is the wrong one.
            seen = sorted(seen, key=lambda b: (not (b.manifest and prefers(b.manifest)), b.ahead))
            good = (self._backup(each.name, each) for each in seen)
            backup = next((again for again in good if again and again.good), None)
        else:
            backup = self._backup(name)
        if backup:
            return backup
        wanted = "good backup" if name == LATEST else f"backup named '{name}'"
        raise not_found(self.store, wanted)

    def confirms(self, backup: Backup) -> bool:
        """Whether the store itself still has that manifest, which may have come from the cache."""
        return self.cache is None or self._backup(backup.name, backup) is backup

    def read(self, on_progress: OnCount | None = None) -> Iterator[Backup]:
        """Yield every backup, in any order, its health by manifest and last verification alone."""
        return read_catalogue(self.store, self._memory(), self.clock(), on_progress)

    def roots(
        self, without: frozenset[str] = frozenset(), on_progress: OnCount | None = None
    ) -> Iterator[str]:
        """Yield the names of all blobs, and lists of blobs, that the manifests hold.

        Args:
            without: names of backups to treat as deleted.
            on_progress: called with the number of backups read.

        Raises:
            DamagedError: a manifest can't be read, and so may name any blob.
        """
        for backup in self.read(on_progress):
            if backup.name in without:
                continue
            if backup.manifest is None:
                msg = "a manifest that cannot be read may need any of them"
                raise DamagedError(msg, hint=BackupHint.TAKE_OR_DELETE)
            for part in backup.manifest.parts:
                yield from part.blob_lists
                yield from (blob.name for blob in part.blobs)

    def _whose(self, backups: list[Backup], database: str | None, kind: str) -> list[Backup]:
        """Return the backups of that kind and database."""
        named: dict[str, list[Backup]] = {}
        for backup in backups:
            if backup.manifest and backup.manifest.kind == kind:
                named.setdefault(backup.manifest.backup_set.name, []).append(backup)
        if database in named:
            return named[database]
        if database is None or len(named) <= 1:
            return [b for b in backups if b.manifest and b.manifest.kind == kind]
        others = ", ".join(f"'{name}'" for name in sorted(named))
        msg = f"no good backup in {self.store.url} is of '{database}'; they are of {others}"
        raise BackupNotFound(msg, hint=BackupHint.NAME_ONE_BACKUP)

    def _backup(self, name: str, seen: Backup | None = None) -> Backup | None:
        """Return one backup without reading the others; `seen` if it is still the same."""
        try:
            manifest = manifests.read_manifest(self.store, check_name(name))
        except (InvalidName, KeyNotFound):
            return None
        except (DamagedError, UnsupportedFormat, ObjectArchived) as error:
            if memory := self._memory():
                memory.forget(manifest_key(name))  # so that a listing notices it too
            held = holds.read_hold(self.store, name, None, self.clock())
            return evolve(manifests.unread(name, error), hold=held)
        if seen and seen.manifest == manifest:
            return seen
        verification = manifests.read_verification(self.store, manifest)
        backup = manifests.judge(manifest, verification, self.clock())
        backup = manifests.check_blobs(backup, sizes_of(self.store, (backup,)))
        return evolve(backup, hold=holds.read_hold(self.store, name, manifest, self.clock()))

    def _memory(self) -> RepositoryCache | None:
        """Return the cache's entries of this very repository."""
        if self.cache is None:
            return None
        try:
            identity = read_identity(self.store)
        except (KeyNotFound, DamagedError, ObjectArchived):
            return None  # it could not be distinguished from other repositories
        return RepositoryCache(self.cache, identity.id)


def _newest_first(backup: Backup) -> tuple[float, str]:
    finished = backup.manifest.finished_at.timestamp() if backup.manifest else 0.0
    return finished, backup.name

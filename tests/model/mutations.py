"""Ways to break the library, each of which the checker must notice."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from tests.unit.fakes import tune

from brownie_backup import Repository
from brownie_backup.format.layout import MANIFESTS, name_in
from brownie_backup.model import Manifest
from brownie_backup.pipeline import commit, replica
from brownie_backup.repository import Lease, LeaseRecord, Swept
from brownie_backup.repository.blobs import sweep as sweep_module

Patch = pytest.MonkeyPatch


def nobody_looks_at_leases_again(patch: Patch) -> None:
    """Once acquired, a lease is taken for held."""
    patch.setattr(Lease, "ensure_held", lambda self: None)


def nobody_asks_the_clock(patch: Patch) -> None:
    """A process that slept goes on."""
    patch.setattr(Lease, "ensure_fresh", lambda self: None)


def nothing_excludes(patch: Patch) -> None:
    """Leases keep nobody away."""
    patch.setattr(LeaseRecord, "excludes", lambda self, other: False)


def no_margin(patch: Patch) -> None:
    """A blob may be swept as soon as it is there."""
    del patch
    tune(sweep_margin=timedelta(0))


def leases_expire_by_the_clients_clock(patch: Patch) -> None:
    """Each client compares what the store's clock says with its own."""
    patch.setattr(Lease, "clock_offset", property(lambda self: timedelta(0)))

    def give_way(self: Lease, found: tuple[LeaseRecord, ...], as_of: datetime) -> None:
        real(self, found, self._clock())

    real = Lease._give_way
    patch.setattr(Lease, "_give_way", give_way)


def no_look_before_the_manifest(patch: Patch) -> None:
    """A backup's manifest is written whatever has become of its lease."""

    def commit(repository: Repository, manifest: Manifest, lease: Lease, *_: object) -> None:
        repository.add(manifest)

    patch.setattr(replica, "commit", commit)


def no_look_after_the_manifest(patch: Patch) -> None:
    """A backup is taken for good although a sweep did not see its manifest."""
    patch.setattr(commit, "_confirm", lambda repository, manifest: None)


def manifests_are_read_before_the_lease(patch: Patch) -> None:
    """What was there before the sweep was alone is taken for all there is."""
    seen: set[str] = set()
    exclusive = Repository.exclusive_lease

    @contextlib.contextmanager
    def lease(self: Repository, purpose: str) -> Iterator[Lease]:
        seen.clear()
        seen.update(name_in(found.key) for found in self.store.list(MANIFESTS))
        with exclusive(self, purpose) as held:
            yield held

    def sweep(self: Repository, lease: Lease, **_: object) -> Swept:
        later = frozenset(backup.name for backup in self.catalogue.read()) - seen

        def roots(_: object) -> Iterator[str]:
            return self.catalogue.roots(without=later)

        return sweep_module.sweep(self.store, (roots,), lease=lease, now=lease.now())

    patch.setattr(Repository, "exclusive_lease", lease)
    patch.setattr(Repository, "sweep", sweep)


def a_write_without_an_answer_is_forgotten(patch: Patch) -> None:
    """A lease ends although what was done under it may still happen."""
    patch.setattr(Lease, "outlasting", lambda self: contextlib.nullcontext())

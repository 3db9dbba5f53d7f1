"""What every object is stored for, as stores with object lock or storage classes are told."""
# ruff: noqa: D102 - the methods are those of the protocol

from datetime import timedelta

from tests.unit.fakes import FakeClock, FakeDumper, make_repository, noise
from tests.unit.several import Wrapper
from tests.uses import use_of

from brownie_backup import (
    RetentionPolicy,
    apply_retention,
    create_backup,
    hold_backup,
    sync_backups,
    verify_backup,
)
from brownie_backup.audit.auditor import Auditor
from brownie_backup.audit.operation import Actor
from brownie_backup.protocols import ObjectUse
from brownie_backup.stores import MemoryStore


class Noting(Wrapper):
    """Notes what each object is stored for."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(MemoryStore(clock))
        self.uses: dict[str, set[ObjectUse]] = {}

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        self.uses.setdefault(key, set()).add(use)
        super().put(key, data, if_absent=if_absent, use=use)


def test_every_object_is_stored_for_its_use(clock: FakeClock) -> None:
    first, second = Noting(clock), Noting(clock)
    repository, copy = make_repository(first, clock=clock), make_repository(second, clock=clock)
    for size, name in enumerate(("one", "two", "three"), 5000):
        create_backup(repository, FakeDumper(noise(size)), name=name)
        clock.advance(timedelta(hours=1))
    sync_backups([repository, copy])
    verify_backup(repository, FakeDumper(), "three")
    hold_backup(repository, "two")
    with Auditor().operation([first], "cleanup", Actor("alice", "test here")):
        policy = RetentionPolicy(keep_within=None, keep_last=1)
        apply_retention(repository, policy, database=None, yes_delete_many=True)
    for uses in (first.uses, second.uses):
        assert uses == {key: {use_of(key)} for key in uses}
    kinds = {key.partition("/")[0] for key in first.uses}
    assert kinds >= {"blobs", "manifests", "repository.json", "leases", "holds", "audit"}

"""A repository's identity: given once, and found again whatever becomes of its object."""

import pytest
from tests.unit.fakes import make_repository, make_writer
from tests.unit.test_repository import add

from brownie_backup import Repository
from brownie_backup.format.layout import IDENTITY, manifest_key
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse
from brownie_backup.stores import MemoryStore
from brownie_backup.testing import FaultyStore


@pytest.fixture
def repository() -> Repository:
    return make_repository()


def test_an_identity_is_given_once(repository: Repository) -> None:
    identity = repository.identity()
    assert len(bytes.fromhex(identity.hash_key)) == 32
    assert repository.identity() == identity
    assert make_repository(repository.store).identity() == identity
    assert make_repository().identity() != identity


def test_a_lost_identity_is_recovered_from_a_manifest(repository: Repository) -> None:
    identity = repository.identity()
    add(repository, "one")
    repository.store.put(manifest_key("broken"), b"{")
    repository.store.delete(IDENTITY)
    again = make_repository(repository.store)
    assert again.identity() == identity
    assert [found.key for found in again.store.list(IDENTITY)] == [IDENTITY]
    assert not make_writer(again).put(b"data").new


@pytest.mark.parametrize("data", [b"", b"{", b'{"id": "x", "hash_key": "no hex"}'])
def test_a_damaged_identity_is_recovered_from_a_manifest(
    repository: Repository, data: bytes
) -> None:
    add(repository, "one")
    repository.store.put(IDENTITY, data)
    assert not make_writer(make_repository(repository.store)).put(b"data").new


def test_of_two_first_users_both_get_the_same_identity() -> None:
    inner = MemoryStore()
    other = make_repository(inner)

    class Late(FaultyStore):
        """Answers that there is no identity, and then somebody else gives one."""

        def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
            try:
                return super().get(key, most_bytes)
            finally:
                other.identity()

    assert make_repository(Late(inner)).identity() == other.identity()


def test_a_store_that_ignores_create_if_absent_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Weak(MemoryStore):
        def put(
            self,
            key: str,
            data: bytes,
            *,
            if_absent: bool = False,
            use: ObjectUse = ObjectUse.STATE,
        ) -> None:
            super().put(key, data)

    repository = make_repository(Weak())
    assert repository.identity() == repository.identity()
    (record,) = caplog.records
    assert "ignores create-if-absent" in record.getMessage()
    make_repository().identity()
    assert len(caplog.records) == 1

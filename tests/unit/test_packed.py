"""What is cached of manifests and verifications is read back as it was."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import NOON, make_manifest
from tests.unit.strategies import blob_refs, manifests, sizes, texts, unknown_for

from brownie_backup.model import BlobRef, Cluster, Mac, Manifest, Part, Verification
from brownie_backup.repository.catalogue import packed
from brownie_backup.repository.catalogue.packed import (
    Unpacker,
    pack_blobs,
    pack_manifest,
    pack_verification,
    unpack_verification,
)

NAMES = [f"{number:064x}" for number in range(20)]
macs = st.none() | st.builds(Mac, texts, texts)
clusters = st.none() | st.builds(Cluster, texts, unknown_for(Cluster))
verifications = st.builds(
    Verification,
    backup=texts,
    manifest_id=texts,
    verified_at=st.just(NOON),
    good=st.booleans(),
    checked_blobs=sizes,
    total_blobs=sizes,
    damaged_blobs=st.lists(texts, max_size=3).map(tuple),
    problems=st.lists(texts, max_size=3).map(tuple),
    resized=st.dictionaries(texts, sizes, max_size=3),
    warnings=st.lists(texts, max_size=3).map(tuple),
    checked=texts,
    size_only_blobs=sizes,
    content_verified_at=st.none() | st.just(NOON),
)


@given(st.lists(st.tuples(manifests, macs, clusters), max_size=3))
def test_manifests_are_read_back_as_they_were(found: list[tuple[Manifest, Mac, Cluster]]) -> None:
    those = [evolve(manifest, mac=mac, cluster=cluster) for manifest, mac, cluster in found]
    unpacker = Unpacker()
    assert [unpacker.manifest(pack_manifest(each)) for each in those] == those


@given(st.lists(blob_refs, max_size=5))
def test_lists_of_blobs_are_read_back_as_they_were(blobs: list[BlobRef]) -> None:
    assert Unpacker().blobs(pack_blobs(blobs)) == blobs


@given(verifications)
def test_verifications_are_read_back_as_they_were(verification: Verification) -> None:
    assert unpack_verification(pack_verification(verification)) == verification


def test_a_backup_shares_its_blobs_with_the_one_before() -> None:
    def manifest(name: str, *numbers: int) -> Manifest:
        refs = tuple(BlobRef(NAMES[number], 5, 6) for number in numbers)
        return make_manifest(name, NOON, parts=(Part("archive", 1, refs),))

    unpacker = Unpacker()
    one, other = (
        unpacker.manifest(pack_manifest(each))
        for each in (manifest("one", 1, 2, 3), manifest("other", 2, 3, 4))
    )
    assert [blob.name for blob in other.blobs] == NAMES[2:5]
    assert all(a is b for a, b in zip(one.blobs[1:], other.blobs, strict=False))
    assert one.database is other.database


def test_another_version_has_entries_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = packed.form()
    packed.form.cache_clear()
    try:
        monkeypatch.setattr(packed, "TOOL_VERSION", "99")
        assert packed.form() != before
    finally:
        packed.form.cache_clear()

"""The wire format: what is written reads back, and what is not whole is refused."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import NOON, make_manifest
from tests.unit.strategies import manifests

from brownie_backup.errors import DamagedError, UnsupportedFormat
from brownie_backup.format.converter import (
    _digest,
    from_json,
    manifest_from_bytes,
    manifest_to_bytes,
    to_json,
)
from brownie_backup.model import (
    FORMAT,
    BlobRef,
    BlockRange,
    Manifest,
    Part,
    RowRange,
    Table,
    Verification,
)
from brownie_backup.repository import LeaseRecord

MANIFEST = evolve(
    make_manifest("daily-1"),
    parts=(Part("archive", 10, (BlobRef("ab" * 32, 10, 9),), rows=3),),
    labels={"env": "größe"},
    notes=("a note",),
)
WRITTEN = manifest_to_bytes(MANIFEST)


def rewritten(**changes: object) -> bytes:
    """Return the manifest with other fields, and the digest that belongs to them."""
    plain = json.loads(WRITTEN) | changes
    del plain["digest"]
    return json.dumps(plain | {"digest": _digest(plain, plain["hash_key"])}).encode()


@given(manifests)
def test_every_manifest_reads_back_equal(manifest: Manifest) -> None:
    data = manifest_to_bytes(manifest)
    again = manifest_from_bytes(data, "it")
    assert again == manifest
    assert manifest_to_bytes(again) == data


@given(manifests)
def test_fields_of_the_future_survive(manifest: Manifest) -> None:
    again = manifest_from_bytes(manifest_to_bytes(manifest), "it")
    plain = json.loads(manifest_to_bytes(evolve(again, notes=("changed",))))
    assert {key: plain[key] for key in manifest.unknown} == manifest.unknown
    assert manifest.database
    assert {k: plain["database"][k] for k in manifest.database.unknown} == manifest.database.unknown
    for part, written in zip(manifest.parts, plain["parts"], strict=True):
        assert {key: written[key] for key in part.unknown} == part.unknown


def test_fields_of_the_future_are_read_into_unknown() -> None:
    plain = json.loads(WRITTEN)
    manifest = manifest_from_bytes(
        rewritten(
            mood={"a": [1]},
            unknown="a field of this very name",
            database=plain["database"] | {"owner": "me"},
            parts=[plain["parts"][0] | {"mirror": None}],
        ),
        "it",
    )
    assert manifest.unknown == {"mood": {"a": [1]}, "unknown": "a field of this very name"}
    assert manifest.database
    assert manifest.database.unknown == {"owner": "me"}
    assert manifest.parts[0].unknown == {"mirror": None}


@pytest.mark.parametrize("number", [FORMAT + 1, 999, 10**30])
def test_a_newer_format_is_refused_by_its_number(number: int) -> None:
    for data in (rewritten(format=number), b'{"format": %d, "all": "different"}' % number):
        with pytest.raises(UnsupportedFormat) as caught:
            manifest_from_bytes(data, "the manifest of 'x'")
        assert f"the manifest of 'x' has format {number}" in str(caught.value)
        assert "Upgrade" in str(caught.value.hint)


@pytest.mark.parametrize("number", [True, "2", 1.5, None, [2]])
def test_a_format_that_is_no_number_is_damage(number: object) -> None:
    with pytest.raises(DamagedError):
        manifest_from_bytes(rewritten(format=number), "it")


def test_every_cut_raises() -> None:
    for length in range(len(WRITTEN) - 1):
        with pytest.raises(DamagedError):
            manifest_from_bytes(WRITTEN[:length], "it")
    assert manifest_from_bytes(WRITTEN[:-1], "it") == MANIFEST  # all but the last line's end


def test_every_flipped_bit_raises_unless_it_means_the_same() -> None:
    same = 0
    for bit in range(len(WRITTEN) * 8):
        changed = bytearray(WRITTEN)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            assert manifest_from_bytes(bytes(changed), "it") == MANIFEST
        except DamagedError:
            continue
        except UnsupportedFormat:
            assert json.loads(changed)["format"] > FORMAT
            continue
        same += 1
    assert same < 300  # white space, and capital letters in an escape


@given(st.data())
def test_any_changed_bytes_raise_unless_they_mean_the_same(picked: st.DataObject) -> None:
    start = picked.draw(st.integers(0, len(WRITTEN)))
    end = picked.draw(st.integers(start, min(start + 20, len(WRITTEN))))
    data = WRITTEN[:start] + picked.draw(st.binary(max_size=20)) + WRITTEN[end:]
    try:
        assert manifest_from_bytes(data, "it") == MANIFEST
    except (DamagedError, UnsupportedFormat):
        return
    assert json.loads(data) == json.loads(WRITTEN)


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(DamagedError):
        manifest_from_bytes(data, "it")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"digest": "\\ud800", "hash_key": "00"}', id="digest is no text"),
        pytest.param(b"[" * 100_000, id="nested too deeply"),
    ],
)
def test_crafted_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(DamagedError):
        manifest_from_bytes(data, "it")


@pytest.mark.parametrize(
    "changes",
    [
        {"new_bytes": "1"},
        {"new_bytes": 1.0},
        {"new_bytes": True},
        {"new_bytes": None},
        {"name": 5},
        {"labels": {"a": 1}},
        {"labels": []},
        {"notes": [None]},
        {"database": None},
        {"database": "shop"},
        {"encryption": {"method": "none"}},
        {"parts": [{"kind": "archive"}]},
        {"parts": [1]},
        {"started_at": "2026-01-01"},
        {"started_at": "2026-01-01T00:00:00"},
        {"started_at": 5},
        {"started_at": "0001-01-01T00:00:00+23:59"},
    ],
    ids=repr,
)
def test_a_field_of_another_type_is_damage(changes: dict[str, object]) -> None:
    assert manifest_from_bytes(rewritten(), "it") == MANIFEST
    with pytest.raises(DamagedError) as caught:
        manifest_from_bytes(rewritten(**changes), "it")
    assert caught.value.__cause__ is None


def test_a_string_is_no_list_of_strings() -> None:
    with pytest.raises(DamagedError):
        manifest_from_bytes(rewritten(notes="abc"), "it")


@pytest.mark.parametrize(
    "field",
    sorted(set(json.loads(WRITTEN)) - {"labels", "notes", "format", "wal", "read_fully_at"}),
)
def test_a_missing_field_is_damage(field: str) -> None:
    plain: dict[str, Any] = json.loads(WRITTEN)
    del plain[field]
    if field not in {"digest", "hash_key"}:
        del plain["digest"]
        plain["digest"] = _digest(plain, plain["hash_key"])
    with pytest.raises(DamagedError):
        manifest_from_bytes(json.dumps(plain).encode(), "it")


def test_a_logical_manifest_is_stored_as_ever() -> None:
    """Byte for byte, by a manifest of the first version that is kept as data."""
    data = (Path(__file__).parent / "data" / "manifest-format-1.json").read_bytes()
    manifest = manifest_from_bytes(data, "it")
    assert manifest_to_bytes(manifest) == data
    assert manifest.unknown == {}
    assert manifest.database
    assert manifest.wal
    first, table = manifest.parts
    assert first == Part("inventory", 2, (BlobRef("ab" * 32, 2, 9),))
    assert table.table == Table(16384, 16390, "0f", "binary")
    assert table.blobs[0].begins == RowRange(BlockRange(0, 2048), 3)
    assert table.blobs[1].begins is None


def test_a_part_of_unknown_kind_is_read() -> None:
    part = json.loads(WRITTEN)["parts"][0] | {"kind": "physical"}
    assert manifest_from_bytes(rewritten(parts=[part]), "it").parts[0].kind == "physical"


VERIFICATION = Verification("b", "id", NOON, good=True, checked_blobs=1, total_blobs=1)
LEASE = LeaseRecord("id", "p", exclusive=False, owner="o", acquired_at=NOON, expires_at=NOON)


@pytest.mark.parametrize("value", [VERIFICATION, LEASE, evolve(LEASE, backup="b")], ids=repr)
def test_small_objects_read_back_equal(value: object) -> None:
    assert from_json(to_json(value), type(value), "it") == value


@pytest.mark.parametrize("wrong", ['"false"', "0", "1", "null", '"true"', "[]"])
def test_only_true_and_false_are_booleans(wrong: str) -> None:
    data = to_json(LEASE).replace(b'"exclusive":false', f'"exclusive":{wrong}'.encode())
    assert data != to_json(LEASE)
    with pytest.raises(DamagedError) as caught:
        from_json(data, LeaseRecord, "leases/x.json")
    assert "leases/x.json" in str(caught.value)


@pytest.mark.parametrize("wrong", ["true", '"1"', "1.0", "null"])
def test_only_whole_numbers_are_counts(wrong: str) -> None:
    data = to_json(VERIFICATION).replace(b'"checked_blobs":1', f'"checked_blobs":{wrong}'.encode())
    assert data != to_json(VERIFICATION)
    with pytest.raises(DamagedError):
        from_json(data, Verification, "it")


def test_instants_are_written_in_utc() -> None:
    written = json.loads(to_json(evolve(LEASE, acquired_at=NOON.astimezone(None))))
    assert written["acquired_at"] == "2026-03-01T12:00:00+00:00"
    again = from_json(to_json(LEASE), LeaseRecord, "it")
    assert again.acquired_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert again.acquired_at.utcoffset() == timedelta(0)

"""Hypothesis strategies for what is stored."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from brownie_backup.model import (
    FORMAT,
    BlobRef,
    BlockRange,
    Database,
    Encryption,
    Extension,
    Manifest,
    Part,
    PartKind,
    RowRange,
    Table,
    WalPosition,
)

sizes = st.integers(0, 2**63 - 1)
texts = st.text(max_size=20)
# Names that are no UTF-8 (SQL_ASCII) come from psql as surrogates that stand for bytes.
CHARACTERS = st.characters(codec="utf-8")
ESCAPED = st.integers(0xDC80, 0xDCFF).map(chr)
raw_texts = st.text(CHARACTERS | ESCAPED, max_size=20)
names = st.text("0123456789abcdef", min_size=64, max_size=64)
# Fixed offsets: a time that a zone has twice equals, for Python, no time in any other zone.
zones = st.integers(-14 * 60, 14 * 60).map(lambda offset: timezone(timedelta(minutes=offset)))
instants = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=zones)  # noqa: DTZ001 - zones are given

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def unknown_for(cls: type) -> st.SearchStrategy[dict[str, object]]:
    """Return fields that a newer version might add: any but those that the class has."""
    known = {field.name for field in cls.__attrs_attrs__}  # type: ignore[attr-defined]
    keys = st.text(min_size=1, max_size=12).filter(lambda key: key not in known | {"digest"})
    return st.dictionaries(keys, json_values, max_size=3)


row_ranges = st.builds(RowRange, st.builds(BlockRange, sizes, sizes), sizes)
blob_refs = st.builds(BlobRef, names, sizes, sizes, st.none() | row_ranges)
tables = st.builds(Table, sizes, sizes, texts, texts)
wal_positions = st.builds(WalPosition, sizes, st.none() | sizes, sizes, sizes, sizes, instants)
parts = st.builds(
    Part,
    kind=st.sampled_from([*PartKind, "of a newer version"]),
    size_bytes=sizes,
    blobs=st.lists(blob_refs, max_size=4).map(tuple),
    rows=st.none() | sizes,
    table=st.none() | tables,
    blob_lists=st.lists(names, max_size=2).map(tuple),
    unknown=unknown_for(Part),
)
databases = st.builds(
    Database,
    name=raw_texts,
    system_identifier=texts,
    server_version=texts,
    client_version=texts,
    size_bytes=sizes,
    encoding=texts,
    locale=raw_texts,
    extensions=st.lists(st.builds(Extension, raw_texts, texts), max_size=3).map(tuple),
    unknown=unknown_for(Database),
)
manifests = st.builds(
    Manifest,
    name=texts,
    id=st.uuids().map(str),
    kind=st.just("logical"),
    repository_id=st.uuids().map(str),
    hash_key=names,
    started_at=instants,
    finished_at=instants.map(lambda instant: instant.astimezone(UTC)),
    database=databases,
    compression=texts,
    encryption=st.builds(Encryption, texts, texts),
    parts=st.lists(parts, max_size=3).map(tuple),
    new_bytes=sizes,
    tool_version=texts,
    labels=st.dictionaries(texts, texts, max_size=3),
    notes=st.lists(texts, max_size=3).map(tuple),
    wal=st.none() | wal_positions,
    read_fully_at=st.none() | instants,
    format=st.just(FORMAT),
    unknown=unknown_for(Manifest),
)

"""Manifests and verifications as this host caches them: quick to read back.

What is packed was read and checked before, and the cache has a checksum. So nothing is checked
again, and what a backup has in common with the one read before it is not made again: the backups of
a database have most of their blobs in common.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from brownie_backup.model import (
    BlobRef,
    BlockRange,
    Cluster,
    Database,
    Encryption,
    Extension,
    Mac,
    Manifest,
    Part,
    RowRange,
    Table,
    Verification,
    WalPosition,
)
from brownie_backup.version import TOOL_VERSION

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError, struct.error)
"""What reading an entry may raise that is not as this version writes it."""

_CLASSES = (
    *(Manifest, Part, Table, Database, Extension, Cluster, Encryption, Mac, WalPosition),
    Verification,
)

_OWN = (
    *("name", "id", "started_at", "finished_at", "new_bytes", "labels", "notes", "wal"),
    *("read_fully_at", "mac"),
)
"""The fields of a manifest that are seldom the same as in the manifest before."""

_ROW = struct.Struct(">32s5Q")
_NO_RANGE = (1 << 64) - 1, 0, 0
_MOST_SHARED = 1_000


@cache
def form() -> str:
    """Return a name for the form of the entries: that of another version may differ."""
    fields = [(cls.__name__, [a.name for a in attrs.fields(cls)]) for cls in _CLASSES]
    return hashlib.sha256(repr((TOOL_VERSION, fields)).encode()).hexdigest()[:8]


def pack_manifest(manifest: Manifest) -> bytes:
    """Return a manifest as an entry: lines of JSON, then its blobs.

    What is often the same as in other manifests has lines of its own.
    """
    plain = _converter().unstructure
    fields = plain(manifest)
    own = {name: fields.pop(name) for name in _OWN}
    lines = [
        _text([own, [len(part.blobs) for part in manifest.parts]]),
        _text(fields),
        *(_text(plain(part)) for part in manifest.parts),
    ]
    return b"".join(line + b"\n" for line in lines) + pack_blobs(manifest.blobs)


def pack_blobs(blobs: Iterable[BlobRef]) -> bytes:
    """Return blobs as an entry, or as a part of one."""
    return b"".join(map(_packed, blobs))


def pack_verification(verification: Verification) -> bytes:
    """Return a verification as an entry."""
    return _text(_converter().unstructure(verification))


def unpack_verification(data: bytes) -> Verification:
    """Read an entry back."""
    return _converter().structure(json.loads(data), Verification)


class Unpacker:
    """Reads entries back, and shares what one has in common with the one before. Thread-safe."""

    def __init__(self) -> None:
        self._own = [(name, read) for name, read in _readers(Manifest).items() if name in _OWN]
        self._manifest = _Shared(Manifest, {*_OWN, "parts"})
        self._part = _Shared(Part, {"blobs"})
        self._before: Mapping[bytes, BlobRef] = {}

    def manifest(self, data: bytes) -> Manifest:
        """Return the manifest in an entry; one of `UNREADABLE` is raised if there is none."""
        first, _, rest = data.partition(b"\n")
        own, counts = json.loads(first.decode())
        common, *parts, rows = rest.split(b"\n", len(counts) + 1)
        for name, read in self._own:
            if own[name] is not None:
                own[name] = read(own[name])
        blobs = iter(self.blobs(rows))
        found = tuple(
            Part(blobs=tuple(islice(blobs, count)), **self._part.fields(line))
            for line, count in zip(parts, counts, strict=True)
        )
        return Manifest(parts=found, **self._manifest.fields(common), **own)

    def blobs(self, data: bytes) -> list[BlobRef]:
        """Return the blobs in an entry."""
        before = self._before
        rows = [row for (row,) in struct.iter_unpack(f"{_ROW.size}s", data)]
        self._before = now = {row: before.get(row) or _unpacked(row) for row in rows}
        return [now[row] for row in rows]


class _Shared:
    """Fields of objects, read once for each line that they were packed as."""

    def __init__(self, cls: type, without: Collection[str]) -> None:
        names = {a.name for a in attrs.fields(cls)} - {*without}
        self._names = names
        self._readers = {name: read for name, read in _readers(cls).items() if name in names}
        self._known: dict[bytes, dict[str, Any]] = {}

    def fields(self, line: bytes) -> dict[str, Any]:
        """Return the fields in a line."""
        if (known := self._known.get(line)) is not None:
            return known
        if len(self._known) >= _MOST_SHARED:
            self._known.clear()
        plain = json.loads(line)
        for name, read in self._readers.items():
            plain[name] = read(plain[name])
        return self._known.setdefault(line, {name: plain[name] for name in self._names})


@cache
def _converter() -> Converter:
    """Return a converter of model objects to plain values, and back without any check.

    Parts and their blobs are left out: they are packed by themselves.
    """
    converter = Converter(detailed_validation=False)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, lambda value, _: value)
    converter.register_structure_hook_func(lambda kind: kind is Any, lambda value, _: value)
    converter.register_structure_hook(datetime, lambda value, _: datetime.fromisoformat(value))
    converter.register_unstructure_hook(datetime, datetime.isoformat)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    omitted = override(omit=True)
    bare_part = make_dict_unstructure_fn(Part, converter, blobs=omitted)
    converter.register_unstructure_hook(Part, bare_part)
    bare_manifest = make_dict_unstructure_fn(Manifest, converter, parts=omitted)
    converter.register_unstructure_hook(Manifest, bare_manifest)
    return converter


def _is_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple


def _tuple_hook(kind: Any) -> Callable[[Any, Any], Any]:  # noqa: ANN401 - a type form
    item = get_args(kind)[0]
    hook = _converter().get_structure_hook(item)
    return lambda value, _: tuple([hook(each, item) for each in value])


def _readers(cls: type) -> dict[str, Callable[[Any], Any]]:
    """Return a function for each field of a class that is something else as a plain value."""

    def reader(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type form
        hook = _converter().get_structure_hook(kind)
        return lambda value: hook(value, kind)

    return {a.name: reader(a.type) for a in attrs.fields(cls) if a.type not in {str, int}}


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _text(plain: object) -> bytes:
    return _encode(plain).encode()


def _packed(blob: BlobRef) -> bytes:
    begins = blob.begins
    where = (begins.blocks.first, begins.blocks.end, begins.rows) if begins else _NO_RANGE
    return _ROW.pack(bytes.fromhex(blob.name), blob.size_bytes, blob.stored_bytes, *where)


def _unpacked(row: bytes) -> BlobRef:
    name, size_bytes, stored_bytes, *where = _ROW.unpack(row)
    if where[0] == _NO_RANGE[0]:
        return BlobRef(name.hex(), size_bytes, stored_bytes)
    first, end, rows = where
    begins = RowRange(BlockRange(first, end), rows)
    return BlobRef(name.hex(), size_bytes, stored_bytes, begins)

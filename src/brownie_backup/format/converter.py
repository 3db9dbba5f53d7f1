"""Conversion between the model and JSON bytes: strict, and tolerant of future fields.

A field that this version does not know is kept and written back; a format number that it does not
know is refused. ``docs/format.md`` specifies the result.
"""

import hmac
import json
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from attrs import evolve
from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from brownie_backup.errors import DamagedError, UnsupportedFormat
from brownie_backup.format import values
from brownie_backup.hints import BackupHint
from brownie_backup.model import FORMAT, Attempt, BlobRef, Cluster, Database, Kind, Manifest, Part

T = TypeVar("T")

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
_DIGEST = "digest"
_UNSTRUCTURABLE = (ValueError, TypeError, KeyError, RecursionError, BaseValidationError)
_OBJECTS = list[dict[str, Any]]

# The fields that manifests of all kinds have in common.
_COMMON = {
    *("name", "id", "kind", "format", "repository_id", "hash_key", "started_at", "finished_at"),
    *("compression", "encryption", "parts", "new_bytes", "tool_version", "labels", "notes"),
}
_COMMON_OF_PARTS = {"kind", "size_bytes", "blobs", "blob_lists"}
_COMMON_OF_BLOBS = ("name", "size_bytes", "stored_bytes")


def to_json(value: object) -> bytes:
    """Return one line of JSON for a model object (or a dict of plain values), keys sorted."""
    plain = converter.unstructure(value)
    return _canonical(plain).encode()


def from_json(data: bytes, kind: type[T], what: str) -> T:
    """Read a model object back; `DamagedError` names `what` when that can't be done."""
    try:
        return _structured(values.parse_object(data), kind, what)
    except ValueError:
        raise _unreadable(kind, what) from None


def _structured(plain: dict[str, Any], kind: type[T], what: str) -> T:
    try:
        return converter.structure(plain, kind)
    except _UNSTRUCTURABLE:
        # From None: cattrs' tracebacks hold the values.
        raise _unreadable(kind, what) from None


def _unreadable(kind: type, what: str) -> DamagedError:
    msg = f"{what} is cut short or changed: it cannot be read as {kind.__name__}"
    return DamagedError(msg, hint=BackupHint.TAKE_FROM_ANOTHER_COPY)


def manifest_to_bytes(manifest: Manifest) -> bytes:
    """Return the manifest as it is stored: one JSON object with a digest of all the rest.

    A manifest of an unknown kind is never rewritten: not all of it was read.
    """
    assert manifest.known, manifest.kind  # noqa: S101 - such a one is copied as it is
    plain = cast("dict[str, Any]", converter.unstructure(manifest))
    plain[_DIGEST] = _digest(plain, manifest.hash_key)
    return json.dumps(plain, sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def manifest_from_bytes(data: bytes, what: str) -> Manifest:
    """Read a manifest back.

    Raises:
        DamagedError: it is truncated, changed, or no manifest.
        UnsupportedFormat: a newer version wrote it, and it lacks the common fields.
    """
    damaged = f"{what} is cut short or changed"
    try:
        plain = values.parse_object(data)
    except ValueError:
        raise DamagedError(damaged, hint=BackupHint.TAKE_OR_DELETE) from None
    number = plain.get("format")
    if type(number) is int and number > FORMAT:
        msg = f"{what} has format {number}; this version reads up to {FORMAT}"
        raise UnsupportedFormat(msg, hint=BackupHint.UPGRADE)
    digest = plain.pop(_DIGEST, None)
    key = plain.get("hash_key")
    if not isinstance(digest, str) or not isinstance(key, str):
        raise DamagedError(damaged, hint=BackupHint.TAKE_OR_DELETE)
    try:
        same = hmac.compare_digest(digest.encode(), _digest(plain, key).encode())
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise DamagedError(damaged, hint=BackupHint.TAKE_OR_DELETE)
    kind = plain.get("kind")
    if isinstance(kind, str) and kind not in set(Kind):
        return _of_unknown_kind(plain, what)
    manifest = _structured(plain, Manifest, what)
    if manifest.database is None:
        raise _unreadable(Manifest, what)
    return manifest


def _of_unknown_kind(plain: dict[str, Any], what: str) -> Manifest:
    """Read the fields that manifests of all kinds have in common, and keep all others unread."""
    fields = {key: plain[key] for key in plain.keys() & _COMMON} | {"parts": [], "database": None}
    try:
        unknown = _unknown(plain, _COMMON)
        manifest = converter.structure(fields, Manifest)
        parts = tuple(map(_part_of_unknown_kind, converter.structure(plain["parts"], _OBJECTS)))
    except _UNSTRUCTURABLE:
        msg = f"{what} is of the kind '{plain['kind'][:100]}', which this version cannot read"
        raise UnsupportedFormat(msg, hint=BackupHint.UPGRADE) from None
    database = _taken_from(unknown, "database", Database)
    cluster = _taken_from(unknown, "cluster", Cluster)
    return evolve(manifest, parts=parts, database=database, cluster=cluster, unknown=unknown)


def _taken_from(plain: dict[str, Any], field: str, kind: type[T]) -> T | None:
    """Take a field out, if it has the known form; otherwise leave it."""
    try:
        found = converter.structure(plain[field], kind)
    except _UNSTRUCTURABLE:
        return None
    del plain[field]
    return found


def _part_of_unknown_kind(plain: dict[str, Any]) -> Part:
    """Read the blobs of a part; only its own kind knows their meaning."""
    blobs = [
        {key: blob.get(key) for key in _COMMON_OF_BLOBS}
        for blob in converter.structure(plain["blobs"], _OBJECTS)
    ]
    fields = {key: plain[key] for key in plain.keys() & _COMMON_OF_PARTS} | {"blobs": blobs}
    unknown = _unknown(plain, fields)
    return evolve(converter.structure(fields, Part), unknown=unknown)


def _unknown(plain: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Return the fields that are not known, to be kept."""
    return {values.text(key): values.anything(plain[key]) for key in plain if key not in known}


def _digest(plain: Mapping[str, Any], hash_key: str) -> str:
    """HMAC-SHA-256 of the canonical JSON: sorted keys, no spaces, ASCII.

    It guards against accidents (truncation, a flipped bit), not against anyone with write access to
    the store.
    """
    return hmac.digest(bytes.fromhex(hash_key), _canonical(plain).encode(), "sha256").hex()


_READERS: Mapping[type, Callable[[object], object]] = {
    bool: values.truth,
    int: values.number,
    float: values.seconds,
    str: values.text,
    datetime: values.instant,
}


def _of_any_type(read: Callable[[object], object]) -> Callable[[object, object], object]:
    return lambda value, _: read(value)


def _is_list(kind: object) -> bool:
    origin: object = get_origin(kind)
    return origin is tuple or origin is frozenset


def _list_hook(conv: Converter) -> Callable[[Any], Callable[[object, object], object]]:
    """Read tuples and sets only from JSON lists: a string would be split into characters."""

    def make_hook(kind: Any) -> Callable[[object, object], object]:  # noqa: ANN401 - a type form
        item = get_args(kind)[0]
        read, collect = conv.get_structure_hook(item), get_origin(kind)

        def structure(value: object, _: object) -> object:
            if not isinstance(value, list):
                msg = "expected a list"
                raise ValueError(msg)  # noqa: TRY004 - as for all other fields
            return collect(read(each, item) for each in value)

        return structure

    return make_hook


def _keep_unknown(conv: Converter, cls: type) -> None:
    """Read fields that `cls` does not have into its `unknown`, and write them back beside it."""
    known = {a.name for a in attrs.fields(cls)} - {"unknown"}
    read: Callable[..., Any] = make_dict_structure_fn(cls, conv, unknown=override(omit=True))
    write: Callable[..., dict[str, Any]] = make_dict_unstructure_fn(
        cls,
        conv,
        unknown=override(omit=True),
        # Fields that logical backups don't use are not written for them.
        **{name: override(omit_if_default=True) for name in known & {"cluster", "mac"}},  # type: ignore[arg-type] # fields only
    )

    def structure(value: object, kind: type) -> object:
        if not isinstance(value, dict):
            msg = f"expected an object for {kind.__name__}"
            raise ValueError(msg)  # noqa: TRY004 - as for all other fields
        unknown = _unknown(value, known)
        found = read(value, kind)
        return attrs.evolve(found, unknown=unknown) if unknown else found

    conv.register_structure_hook(cls, structure)
    conv.register_unstructure_hook(cls, lambda obj: {**obj.unknown, **write(obj)})


def _make_converter() -> Converter:
    conv = Converter(detailed_validation=True)
    for kind, read in _READERS.items():
        conv.register_structure_hook(kind, _of_any_type(read))
    conv.register_structure_hook_func(lambda kind: kind is Any, _of_any_type(values.anything))
    conv.register_unstructure_hook(datetime, lambda value: value.astimezone(UTC).isoformat())
    conv.register_unstructure_hook(timedelta, lambda value: value.total_seconds())
    conv.register_structure_hook_factory(_is_list, _list_hook(conv))
    # Most blobs have none of these fields, and there may be many blobs.
    brief = make_dict_unstructure_fn(BlobRef, conv, begins=override(omit_if_default=True))
    conv.register_unstructure_hook(BlobRef, brief)
    named = override(struct_hook=_of_any_type(values.name_of_blob))
    conv.register_structure_hook(BlobRef, make_dict_structure_fn(BlobRef, conv, name=named))
    usual = make_dict_unstructure_fn(Attempt, conv, kind=override(omit_if_default=True))
    conv.register_unstructure_hook(Attempt, usual)
    for cls in (Part, Database, Cluster, Manifest):
        _keep_unknown(conv, cls)
    return conv


converter = _make_converter()

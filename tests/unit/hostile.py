"""Changes to stored objects, as an attacker with write access to the store might make them."""

import hashlib
import json
import random
from typing import Any

from tests.unit.backups import sealed

from brownie_backup.audit.record import id_in
from brownie_backup.format.layout import AUDIT, MANIFESTS

_DEEP = json.loads("[" * 90 + "]" * 90)
VALUES: tuple[Any, ...] = (
    *(None, True, False, "", [], {}, [[]], [{}], _DEEP, {"a": _DEEP}, [None] * 300),
    *(0, -1, 1, 1 << 31, 1 << 63, -(1 << 63), 10**400, 0.5, -0.0, 1e308, float("nan")),
    *(float("inf"), "NaN", "1", "\ud800", "\udcff", "\x1b[2J", "\0", "a\nb", "é", "x" * 5000),
    *("../../etc/passwd", "/", ".", "a/b", "latest", "shop", "ab" * 32, "zz" * 32),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00"),
    *("2099-01-01T00:00:00+00:00", "2026-13-01T00:00:00Z", "gpg", "none", "zstd", "physical"),
)
_BYTES = (b"", b"\0", b"{}", b"[]", b"null", b"0", b'"a"', b"\xff\xfe", b"[" * 100_000, b"9" * 9000)


def changed(key: str, data: bytes, by: random.Random) -> tuple[str, bytes]:
    """Return the object changed in some way, and its key, which has its hash for some kinds."""
    if by.random() < 0.3 or not data.startswith((b"{", b"[")):
        return key, _bytes_changed(data, by)
    plain = json.loads(data)
    for _ in range(by.choice((1, 1, 1, 2, 5))):
        plain = _structure_changed(plain, by)
    written = json.dumps(plain).encode()
    if key.startswith(MANIFESTS) and isinstance(plain, dict) and by.random() < 0.9:
        try:
            return key, sealed(plain)
        except (ValueError, TypeError, KeyError):
            return key, written
    if key.startswith(AUDIT) and (name := id_in(key)) and by.random() < 0.9:
        return key.replace(name.hash, hashlib.sha256(written).hexdigest()), written
    return key, written


def _bytes_changed(data: bytes, by: random.Random) -> bytes:
    at = by.randrange(len(data) + 1)
    match by.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return by.choice(_BYTES)
        case 2:
            return data[:at] + by.randbytes(by.randrange(9)) + data[at:]
        case 3:
            return data + data
        case 4:
            return data[:at] + bytes(1 << by.randrange(22)) + data[at:]
        case _:
            return data[:at] + bytes([by.randrange(256)]) + data[at + 1 :]


def _structure_changed(plain: Any, by: random.Random) -> Any:  # noqa: ANN401 - any JSON
    """Change one value, at any depth."""
    inner = isinstance(plain, dict | list) and plain and by.random() < 0.85
    if not inner:
        return by.choice(VALUES)
    if isinstance(plain, list):
        at = by.randrange(len(plain))
        rest = [*plain]
        match by.randrange(8):
            case 0:
                del rest[at]
            case 1:
                rest.insert(at, rest[at])
            case _:
                rest[at] = _structure_changed(rest[at], by)
        return rest
    field = by.choice(sorted(plain))
    match by.randrange(10):
        case 0:
            return {name: value for name, value in plain.items() if name != field}
        case 1:
            return {**plain, str(by.choice(VALUES))[:50]: by.choice(VALUES)}
        case _:
            return {**plain, field: _structure_changed(plain[field], by)}

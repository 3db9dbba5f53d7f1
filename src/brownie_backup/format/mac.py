"""The message authentication code of a manifest: whether a holder of a secret wrote it.

The digest in a manifest guards against accidents, and anyone can compute it. This code guards
against anyone who can write to the store and does not know the secret.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator

from attrs import evolve

from brownie_backup.format.converter import to_json
from brownie_backup.model import Mac, Manifest

_CONTEXT = b"brownie-backup/manifest/1\n"


def with_mac(manifest: Manifest, secret: bytes) -> Manifest:
    """Return the manifest with its authentication code."""
    return evolve(manifest, mac=Mac(key_id(secret), _code(manifest, secret)))


def is_authentic(manifest: Manifest, secret: bytes) -> bool:
    """Whether a holder of the secret wrote this manifest, and nobody has changed it since."""
    mac = manifest.mac
    return mac is not None and hmac.compare_digest(
        mac.code.encode(), _code(manifest, secret).encode()
    )


def key_id(secret: bytes) -> str:
    """Return the public name of a secret."""
    return hashlib.sha256(b"brownie-backup/key-id/1\n" + secret).hexdigest()[:32]


def _code(manifest: Manifest, secret: bytes) -> str:
    code = hmac.new(secret, _CONTEXT, "sha256")
    for line in _lines(manifest):
        code.update(line + b"\n")
    return code.hexdigest()


def _lines(manifest: Manifest) -> Iterator[bytes]:
    """Yield what is authenticated: all but what differs between copies of a backup.

    In each store the blobs have their own stored sizes, and so the lists of blobs other names.
    """
    bare = tuple(evolve(part, blobs=(), blob_lists=()) for part in manifest.parts)
    yield to_json(evolve(manifest, parts=bare, mac=None))
    for number, part in enumerate(manifest.parts):
        for blob in part.blobs:
            line: list[int | str] = [number, blob.name, blob.size_bytes]
            if blob.begins:
                line += [blob.begins.blocks.first, blob.begins.blocks.end, blob.begins.rows]
            yield json.dumps(line).encode()

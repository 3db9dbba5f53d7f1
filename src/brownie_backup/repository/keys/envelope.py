"""Envelope encryption: a data key for each run, wrapped for each recipient of the key ring."""

import secrets
from collections.abc import Iterable
from typing import NoReturn

from attrs import field, frozen

from brownie_backup.format.envelope import KEY_BYTES, METHOD, key_id, open_, read_header, seal
from brownie_backup.model import Encryption
from brownie_backup.model.keys import KeyContext, KeyObject, KeyRing
from brownie_backup.protocols import KeySource, KeyWrapper
from brownie_backup.repository.keys.objects import wrap_key
from brownie_backup.repository.keys.ring import recipients_of, wrappers_for
from brownie_backup.repository.keys.unwrapping import DataKeys


@frozen
class Envelope:
    """Encrypts for these recipients; any one of them opens a backup.

    Args:
        sources: the recipients as they were configured.
    """

    sources: tuple[KeySource, ...]

    @property
    def method(self) -> str:
        """Its name in the manifest."""
        return METHOD


@frozen(eq=False)
class RunKey:
    """Encrypts the blobs of one run, with a data key that leaves this process only wrapped."""

    encryption: Encryption
    id: str
    """The public id of the data key."""
    wrapped: KeyObject
    """The data key as it is stored."""
    _data_key: bytes = field(repr=False)

    def seal(self, data: bytes, name: str) -> bytes:
        """Return the blob of that name as it is stored."""
        return seal(data, self._data_key, name)

    def __reduce__(self) -> NoReturn:
        msg = "a data key is not pickled: a worker makes its own"
        raise TypeError(msg)


def make_run_key(ring: KeyRing, wrappers: Iterable[KeyWrapper], repository_id: str) -> RunKey:
    """Return a new data key. Each store must have it, wrapped, before any blob.

    Raises:
        EncryptionError: it could not be wrapped for one of the recipients.
    """
    data_key = secrets.token_bytes(KEY_BYTES)
    name = key_id(data_key).hex()
    wrapped = wrap_key(ring, data_key, KeyContext(repository_id, name), wrappers)
    return RunKey(Encryption(METHOD, f"ring:{ring.id}"), name, wrapped, data_key)


def ensure_usable(sources: Iterable[KeySource], repository_id: str) -> None:
    """Wrap a key for each recipient, and throw it away, before a key ring is made of them.

    A ring with a misspelt recipient would stop all backups, and those with the right one too.

    Raises:
        EncryptionError: it could not be wrapped for one of the recipients.
    """
    wrappers = wrappers_for(None, sources)
    make_run_key(KeyRing(1, "0" * 32, recipients_of(wrappers)), wrappers, repository_id)


@frozen(eq=False)
class BlobOpener:
    """Decrypts the blobs of a repository, whichever of its data keys they need."""

    _keys: DataKeys
    method: str = METHOD

    def open(self, stored: bytes, name: str) -> bytes:
        """Return what the blob of that name contains, compressed."""
        return open_(stored, self._keys.get(read_header(stored).key_id.hex()), name)

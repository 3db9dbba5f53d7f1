"""Opening a repository by its URL: the short way for users of the library."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import evolve

from brownie_backup.config.codecs import known_compressors
from brownie_backup.config.factory import make_host_key
from brownie_backup.config.keys import KeysOfSettings, sources_at_hand
from brownie_backup.errors import ConfigurationError
from brownie_backup.repository import Codecs, EncryptorOnDemand, Repository
from brownie_backup.secret import Secret
from brownie_backup.stores import RetryingStore, RetryPolicy
from brownie_backup.stores.location import Location
from brownie_backup.stores.registry import open_store, store_type
from brownie_backup.stores.urls import parse_location

if TYPE_CHECKING:
    from brownie_backup.protocols import Compressor, Encryptor, Store

_ARMOUR = "-----BEGIN PGP"


def make_store(location: Location, *, retry_seconds: float | None = None) -> "Store":
    """Open a store that repeats calls while it is out of reach.

    Args:
        location: where it is.
        retry_seconds: how long to repeat them; by default, two minutes.

    Raises:
        ConfigurationError: as of `open_store`.
    """
    store = open_store(location)
    if not store_type(location.scheme).retried:
        return store
    if retry_seconds is None:
        return RetryingStore(store)
    return RetryingStore(store, RetryPolicy(give_up_after_seconds=retry_seconds))


def open_repository(
    place: str | PathLike[str],
    *,
    encryptor: "Encryptor | None" = None,
    recipients: Sequence[str] = (),
    public_key: str | PathLike[str] | None = None,
    private_key: Secret | str | PathLike[str] | None = None,
    passphrase: Secret | str | None = None,
    encrypt: bool = True,
    read_only: bool = False,
    compressor: "Compressor | None" = None,
) -> Repository:
    """Open the repository in a folder or a bucket; it need not exist.

    State how new backups are encrypted: by one `encryptor`, or by keys for gpg (the next four), or
    ``encrypt=False``. A repository that is ``read_only`` needs none of them. Keys are not read
    until a blob is written or read. Use it in a ``with`` block: that closes connections, and
    removes the keyrings that gpg was given.

    Args:
        place: a folder, or a URL such as ``s3://bucket/prefix``, ``gs://…``, ``azure://…`` or
            ``file:///folder``. Credentials come from the same sources that the cloud's own tools
            use.
        encryptor: encrypts new backups, and decrypts old ones of its method.
        recipients: key ids, fingerprints or addresses of keys in your keyring, to encrypt for.
        public_key: a key to encrypt for, as armoured text or as the path of a file.
        private_key: a key to decrypt with, as text or path too. New backups are encrypted for it if
            no other recipient is given. Without it, your keyring is used.
        passphrase: of the private key; or, with no key to encrypt for, the passphrase that encrypts
            backups.
        encrypt: whether new backups are encrypted.
        read_only: whether it makes no backups: they can be listed, verified, restored and deleted.
        compressor: compresses new backups; by default `brownie_backup.compressors.Zstd`.

    Raises:
        ConfigurationError: the place or a key is invalid, encryption is not specified or specified
            twice, the store is not there, or its SDK is not installed.
    """
    location = _locate(place)
    keyed = bool(recipients or public_key or private_key or passphrase)
    _check_choice(encryptor=encryptor is not None, keys=keyed, clear=not encrypt, none=read_only)
    first, *others = known_compressors("zstd")
    if compressor:
        first, others = compressor, [first, *others]
    public, private = _text(public_key, "public_key"), _secret(private_key)
    secret = Secret(passphrase) if isinstance(passphrase, str) else passphrase
    gpg = EncryptorOnDemand("gpg", lambda: _make_gpg(recipients, public, private, secret))
    keys = KeysOfSettings(gpg, by_public_key=bool(recipients or public_key or private_key))
    sources = sources_at_hand(keys, secret)
    if read_only:
        readers = (encryptor, gpg) if encryptor else (gpg,)
        codecs = Codecs(None, None, (first, *others), readers, key_sources=sources)
    elif keyed:
        codecs = Codecs(first, gpg, tuple(others), key_sources=sources)
    else:
        encrypts = encryptor or _cleartext()
        codecs = Codecs(first, encrypts, tuple(others), (gpg,), key_sources=sources)
    return Repository(make_store(location), codecs=codecs, host_key=make_host_key)


def _check_choice(*, encryptor: bool, keys: bool, clear: bool, none: bool) -> None:
    """Prevent unencrypted backups, or backups encrypted for an unintended key, by mistake."""
    ways = encryptor + keys + clear
    hint = "Give one of encryptor, recipients, public_key, passphrase; or encrypt=False"
    if ways > 1:
        raise ConfigurationError(["the encryption of new backups is specified twice"], hint=hint)
    if not ways and not none:
        raise ConfigurationError(["the encryption of new backups is not specified"], hint=hint)


def _cleartext() -> "Encryptor":
    from brownie_backup.encryptors import Cleartext

    return Cleartext()


def _make_gpg(
    recipients: Sequence[str], public: str | None, private: Secret | None, secret: Secret | None
) -> "Encryptor":
    from brownie_backup.encryptors import GnuPG

    return GnuPG(recipients=recipients, public_key=public, private_key=private, passphrase=secret)


def _locate(place: str | PathLike[str]) -> Location:
    if isinstance(place, str) and "://" in place:
        try:
            location = parse_location(place)
        except ValueError as error:
            hint = "Give a folder, or a URL such as s3://bucket/prefix"
            raise ConfigurationError([f"the repository's place{error}"], hint=hint) from None
    else:
        location = Location("file", path=str(place))
    if location.scheme != "file":
        return location
    try:
        return evolve(location, path=str(Path(location.path).expanduser().absolute()))
    except RuntimeError as error:  # the home folder is unknown
        problem = f"the repository's place '{location.path}': {error}"
        raise ConfigurationError([problem], hint="Give the whole path") from None


def _text(key: str | PathLike[str] | None, name: str) -> str | None:
    """Return a key's text, from its file if it is a path."""
    if key is None or (isinstance(key, str) and _ARMOUR in key):
        return key
    try:
        return Path(key).read_text(encoding="utf-8")
    except (OSError, ValueError):  # the text is left out: it may be a secret
        problem = f"{name} is neither an armoured key nor a file that can be read"
        hint = "Give the text of a key, or the path of its file"
        raise ConfigurationError([problem], hint=hint) from None


def _secret(key: Secret | str | PathLike[str] | None) -> Secret | None:
    if isinstance(key, Secret):
        return key
    text = _text(key, "private_key")
    return Secret(text) if text else None

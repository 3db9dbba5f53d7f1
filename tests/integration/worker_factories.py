"""What workers in other processes are given: they import this module, and get it by its name."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import evolve, frozen

from brownie_backup import Dumper, Repository, Secret, Store
from brownie_backup.compressors import Gzip, Zstd
from brownie_backup.config import make_worker
from brownie_backup.encryptors import GnuPG
from brownie_backup.errors import StoreFull
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, StoredObject
from brownie_backup.stores import LocalStore

Workshop = tuple[Sequence[Repository], Dumper]


@frozen
class Spoilt:
    """A store in which something happens before each put of a blob."""

    inner: Store
    before: Callable[[], None]

    @property
    def url(self) -> str:
        """Where the inner store is."""
        return self.inner.url

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` in the inner store."""
        if key.startswith("blobs/"):
            self.before()
        self.inner.put(key, data, if_absent=if_absent, use=use)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return what the inner store has."""
        return self.inner.get(key, most_bytes)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """List the inner store."""
        yield from self.inner.list(prefix)

    def delete(self, key: str) -> None:
        """Remove an object from the inner store."""
        self.inner.delete(key)


def full() -> None:
    """Find no room."""
    raise StoreFull("no room on purpose", hint="Make room")


def slow() -> None:
    """Take a while."""
    time.sleep(0.5)


def die() -> None:
    """End this process, as the kernel does when memory runs out."""
    os._exit(9)


@frozen
class Spoiling:
    """A worker factory as the environment says, one of whose stores is spoilt."""

    before: Callable[[], None]
    number: int = 0

    @contextmanager
    def __call__(self) -> Iterator[Workshop]:
        """Make it, in a worker."""
        with make_worker() as (repositories, dumper):
            spoilt = [*repositories]
            store = Spoilt(spoilt[self.number].store, self.before)
            spoilt[self.number] = evolve(spoilt[self.number], store=store)
            yield spoilt, dumper


@frozen
class OfAnother:
    """A worker factory as the environment says, but for the compressor, key or folder."""

    passphrase: str | None = None
    folder: str | None = None
    gzip: bool = False

    @contextmanager
    def __call__(self) -> Iterator[Workshop]:
        """Make it, in a worker."""
        with make_worker() as ((ours, *_), dumper):
            if self.passphrase:
                other = GnuPG(passphrase=Secret(self.passphrase))
            else:
                other = GnuPG(private_key=Secret(os.environ["BACKUP_GPG_PRIVATE_KEY"]))
            with other as encryptor:
                store = LocalStore(self.folder) if self.folder else ours.store
                yield (Repository(store, Gzip() if self.gzip else Zstd(), encryptor),), dumper


@contextmanager
def with_a_secret(secret: Secret) -> Iterator[Workshop]:
    """Be given a secret, which never arrives."""
    with make_worker() as made:
        yield made

"""Collaborators for tests without servers, and short ways to make what the tests are about."""
# ruff: noqa: D102 - the methods are those of the protocols

import contextlib
import hashlib
import hmac
import random
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve, field, frozen

from brownie_backup import (
    Backup,
    Finding,
    Level,
    Manifest,
    Repository,
    RestoredDatabase,
    RestoreOptions,
    Status,
)
from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.errors import DamagedError, DecryptionError, DumpFailed
from brownie_backup.model import (
    Database,
    DatabaseId,
    Encryption,
    Part,
    PartKind,
    PartSpec,
    Segment,
    WalPosition,
)
from brownie_backup.model.reports import TableRange
from brownie_backup.pipeline.replica import Replica
from brownie_backup.pipeline.replicas import ReplicaSet
from brownie_backup.pipeline.writer import BlobWriter, open_writer
from brownie_backup.protocols import Cache, Clock, Encryptor, Store, Unchanged
from brownie_backup.repository import Tuning
from brownie_backup.stores import MemoryStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
END = b"\n-- end\n"
"""What every part of a `FakeDumper` ends with, so that `check` can see a cut one."""

DATABASE = Database("shop", "7000000000000000001", "18.6", "18.6", 123_456, "UTF8", "C")


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, span: timedelta) -> None:
        self.now += span


@frozen
class FakeSnapshot:
    """A snapshot of a `FakeDumper`."""

    database: Database
    parts: tuple[PartSpec, ...]
    notes: tuple[str, ...] = ("made up",)

    @property
    def database_id(self) -> DatabaseId:
        return self.database.id

    def unchanged_since(self, base: Manifest) -> Unchanged:
        return Unchanged(why_not="nobody looked")

    def wal(self) -> WalPosition | None:
        return None


class FakeDumper:
    """A database in memory: the bytes of each kind of part.

    Args:
        content: the parts; an inventory and an archive of some noise by default.
        piece: how many bytes are yielded at once.
        fail_after: how many bytes of each part are yielded before its dump fails.
        meanwhile: called after each piece.
        database: what it says that it is.
    """

    kind = "logical"

    def __init__(
        self,
        content: Mapping[str, bytes] | None = None,
        *,
        piece: int = 700,
        fail_after: int | None = None,
        meanwhile: Callable[[], None] = lambda: None,
        database: Database = DATABASE,
    ) -> None:
        chosen = noise() if content is None else content
        self.content = {kind: data + END for kind, data in chosen.items()}
        self.fail_after = fail_after
        self.meanwhile = meanwhile
        self.database = database
        self.broken = False
        self.running: set[str] = set()
        self.databases: dict[str, dict[str, bytes]] = {}
        self._piece = piece
        self._numbers = iter(range(1_000_000))
        self._lock = threading.Lock()

    def database_name(self) -> str:
        return self.database.name

    def database_id(self) -> DatabaseId:
        return self.database.id

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[FakeSnapshot]:
        with self._work("snapshot") as token:
            parts = tuple(PartSpec(kind, kind, token) for kind in self.content)
            yield FakeSnapshot(self.database, parts)

    @contextlib.contextmanager
    def reading(self) -> Iterator["FakeDumper"]:
        yield self

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        if part.detail not in self.running:
            raise DumpFailed("that snapshot is over")
        data = self.content[part.kind]
        with self._work("reading"):
            for at in range(0, len(data), self._piece):
                if self.broken or (self.fail_after is not None and at >= self.fail_after):
                    raise DumpFailed("the server went away")
                yield data[at : at + self._piece]
                self.meanwhile()
        return None

    def split(self, part: PartSpec) -> Iterator[PartSpec] | None:
        assert part.kind in self.content
        return None

    def join(self, part: PartSpec, segments: Sequence[Segment]) -> Part:
        raise NotImplementedError(part, segments)

    def segments(self, part: Part) -> Iterator[Segment] | None:
        assert not part.table
        return None

    def locate(self, segment: PartSpec) -> TableRange:
        raise NotImplementedError(segment)

    def complete(self, inventory: bytes, parts: Sequence[Part]) -> bytes:
        assert all(part.kind != PartKind.INVENTORY for part in parts)
        return inventory

    def compare(self, inventory: bytes, parts: Sequence[Part]) -> None:
        """Lists nothing."""

    def check(self, part: Part, chunks: Iterable[bytes]) -> None:
        if not b"".join(chunks).endswith(END):
            raise DamagedError(f"the {part.kind} does not reach its end")

    @contextlib.contextmanager
    def restoring(
        self, source: Database, target_database: str, options: RestoreOptions, token: str
    ) -> Iterator["FakeTarget"]:
        yield FakeTarget(self, target_database, options)

    def diagnose(self, *, jobs: int = 1) -> Iterator[Finding]:
        yield Finding(Level.OK, "connection", "it is all in memory")

    @contextlib.contextmanager
    def _work(self, what: str) -> Iterator[str]:
        with self._lock:
            token = f"{what} {next(self._numbers)}"
            self.running.add(token)
        try:
            yield token
        finally:
            self.running.discard(token)


class FakeTarget:
    """A database of a `FakeDumper`'s server that is being restored."""

    def __init__(self, dumper: FakeDumper, name: str, options: RestoreOptions) -> None:
        self._dumper = dumper
        self._name = name
        self._options = options
        self._loaded: dict[str, bytes] = {}

    def preflight(self, inventory: bytes, archive_bytes: int) -> tuple[Finding, ...]:
        self._loaded[PartKind.INVENTORY] = inventory
        if self._name in self._dumper.databases and not self._options.replace:
            return (Finding(Level.ERROR, "target", f"'{self._name}' exists", "Use --replace"),)
        return (Finding(Level.OK, "target", f"'{self._name}' is free"),)

    def receive(
        self, parts: Iterable[tuple[Part, Iterable[bytes]]], *, contents_only: bool = False
    ) -> tuple[Finding, ...]:
        for part, chunks in parts:
            self._loaded[part.kind] = b"".join(chunks)
        return ()

    def wanted(self, part: Part) -> Iterator[Segment]:
        raise NotImplementedError(part)

    def name_of(self, part: Part) -> str:
        return part.kind

    def load(
        self, parts: Sequence[tuple[Part, Iterator[tuple[Segment, Iterable[bytes]]]]]
    ) -> tuple[Finding, ...]:
        assert not parts
        return ()

    def report(self) -> RestoredDatabase:
        return RestoredDatabase()

    def finish(self) -> tuple[Finding, ...]:
        self._dumper.databases[self._name] = self._loaded
        return (Finding(Level.OK, "rows", "all are there"),)


@frozen
class FakeEncryptor:
    """A toy that tells its own key, another key and damage apart, and is quick."""

    key: bytes = field(default=b"key", repr=False)
    method: str = "fake"

    def identity(self, salt: bytes) -> str:
        return hmac.new(self.key, salt, "sha256").hexdigest()

    def encrypt(self, data: bytes) -> bytes:
        return self._head() + hmac.digest(self.key, data, "sha256") + self._mask(data)

    def decrypt(self, data: bytes) -> bytes:
        head, tag, body = data[:8], data[8:40], data[40:]
        if head != self._head():
            raise DecryptionError("that is another key's")
        plain = self._mask(body)
        if not hmac.compare_digest(hmac.digest(self.key, plain, "sha256"), tag):
            raise DamagedError("the bytes were changed")
        return plain

    def _head(self) -> bytes:
        return hashlib.sha256(self.key).digest()[:8]

    def _mask(self, data: bytes) -> bytes:
        mask = hashlib.shake_256(self.key).digest(len(data))
        masked = int.from_bytes(data, "big") ^ int.from_bytes(mask, "big")
        return masked.to_bytes(len(data), "big")


def noise(seed: int = 1, size_bytes: int = 10_000) -> dict[str, bytes]:
    """Return parts that don't compress: a small inventory, and an archive."""
    random_ = random.Random(seed)  # noqa: S311 - the same in every run
    return {PartKind.INVENTORY: b"{}", PartKind.ARCHIVE: random_.randbytes(size_bytes)}


class Tuned:
    """The sizes and times of the repositories that a test makes."""

    now = Tuning()


def tune(**changes: Any) -> None:  # noqa: ANN401 - any of its fields
    """Let the repositories that are made from now on, in this test, have other sizes and times."""
    Tuned.now = evolve(Tuned.now, **changes)


def make_repository(
    store: Store | None = None,
    *,
    encryptor: Encryptor | None = None,
    clock: Clock | None = None,
    cache: Cache | None = None,
    tuning: Tuning | None = None,
) -> Repository:
    """Return a repository in memory, by a clock that stands still."""
    clock = clock or FakeClock()
    store = store or MemoryStore(clock)
    others = (Zstd(), Gzip())
    return Repository(
        store,
        Uncompressed(),
        encryptor or FakeEncryptor(),
        others,
        clock=clock,
        cache=cache,
        tuning=tuning or Tuned.now,
    )


def make_writer(repository: Repository) -> BlobWriter:
    """Return a writer of blobs into a repository, which knows the suspect ones in it."""
    replica = Replica(repository)
    for backup in repository.catalogue.read():
        replica.blobs.expect(backup)
    return open_writer(repository, ReplicaSet([replica]), repository.identity())


def make_manifest(
    name: str, finished_at: datetime = NOON, *, database: str = "shop", parts: tuple[Part, ...] = ()
) -> Manifest:
    """Return a manifest."""
    return Manifest(
        name=name,
        id=f"id of {name}",
        kind="logical",
        repository_id="repository",
        hash_key="00" * 32,
        started_at=finished_at - timedelta(seconds=5),
        finished_at=finished_at,
        database=evolve(DATABASE, name=database),
        compression="none",
        encryption=Encryption("fake", FakeEncryptor().identity(bytes(32))),
        parts=parts,
        new_bytes=0,
        tool_version="0.1.0",
    )


def make_backup(
    name: str, finished_at: datetime = NOON, *, database: str = "shop", good: bool = True
) -> Backup:
    """Return an entry of the catalogue."""
    status = Status.GOOD if good else Status.DAMAGED
    return Backup(name, status, make_manifest(name, finished_at, database=database))


def read_back(repository: Repository, backup: Backup) -> dict[str, bytes]:
    """Return the plaintext of each part; any blob that is not as it should be raises."""
    assert backup.manifest
    reader = repository.reader(backup.manifest)
    return {
        part.kind: b"".join(reader.get(ref) for ref in part.blobs) for part in backup.manifest.parts
    }

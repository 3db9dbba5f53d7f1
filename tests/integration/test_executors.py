"""Ranges of large tables are read by any executor, and are the same whoever reads them."""

import contextlib
import gc
import multiprocessing
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from distributed import Client, LocalCluster
from tests.integration.waiting import wait_until
from tests.integration.worker_factories import OfAnother, Spoiling, die, full, with_a_secret
from tests.servers.running import Server, Servers
from tests.unit.keys import plain_pair

from brownie_backup import Repository, Secret, create_backup, verify_backup
from brownie_backup.compressors import Zstd
from brownie_backup.config import make_worker
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.dumpers.postgres.dump.reader import PostgresReader
from brownie_backup.dumpers.postgres.segments import DumpDetail
from brownie_backup.encryptors import GnuPG
from brownie_backup.errors import ConfigurationError, DumpFailed, StoreFull
from brownie_backup.format.layout import blob_key
from brownie_backup.model import Manifest, RowFormat
from brownie_backup.repository import Tuning
from brownie_backup.stores import LocalStore

pytestmark = [
    pytest.mark.once,
    # Dask's own: its connections are closed by the garbage collector, and ports taken are others.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore:Port 8787"),
]

TABLES = """
CREATE TABLE wide (id bigint PRIMARY KEY, at timestamptz, text text, more jsonb);
INSERT INTO wide SELECT g, to_timestamp(g), repeat(md5(g::text), 8), jsonb_build_object('n', g)
  FROM generate_series(1, 20000) g;
CREATE TABLE narrow (a int, b int);
INSERT INTO narrow SELECT g, -g FROM generate_series(1, 60000) g;
CREATE TABLE few (n int);
INSERT INTO few VALUES (1);
"""
RANGE_BYTES = 512 << 10
MakeExecutor = Callable[[int], contextlib.AbstractContextManager[Executor]]


def processes(count: int) -> Executor:
    """Return processes that share nothing with ours."""
    return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"))


@contextlib.contextmanager
def dask(count: int) -> Iterator[Executor]:
    """Have a cluster on this host, without its dashboard."""
    with (
        LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
        client.get_executor() as executor,
    ):
        yield executor


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[str]:
    """A database with two large tables, as these tests see it, and a small one."""
    servers.get(18).create("executors")
    servers.get(18).sql("executors", TABLES)
    yield "executors"
    servers.get(18).drop("executors")


@pytest.fixture
def environment(
    servers: Servers, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Settings for workers, which find them in the environment; return the store's folder."""
    server = servers.get(18)
    with tempfile.TemporaryDirectory(prefix="bb-") as temporary:  # short, for gpg's sockets
        for name, value in {
            "BACKUP_DATABASE_URL": server.url(database),
            "BACKUP_DESTINATION": str(tmp_path / "store"),
            "BACKUP_GPG_PRIVATE_KEY": plain_pair().private.reveal(),
            "BACKUP_PG_BIN": str(server.client),
            "TMPDIR": temporary,
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(tempfile, "tempdir", temporary)
        yield tmp_path / "store"
        gc.collect()  # a failure that a test looked at keeps what it was about
        end = time.monotonic() + 20  # workers of a busy machine take a while to end
        while [*Path(temporary).glob("bb-*")] and time.monotonic() < end:
            time.sleep(0.05)
        assert not [*Path(temporary).glob("bb-*")]  # keyrings and passwords


@pytest.fixture
def repository(environment: Path) -> Iterator[Repository]:
    """The repository, as the coordinator sees it."""
    with GnuPG(private_key=plain_pair().private) as encryptor:
        tuning = Tuning(linger_seconds=0.1)
        yield Repository(LocalStore(environment), Zstd(), encryptor, tuning=tuning)


def dumper(server: Server, database: str, *, binary: bool = True) -> PostgresDumper:
    """Return a dumper for which some MiB are bulk, and many ranges."""
    return PostgresDumper(
        parse_conninfo(server.url(database)),
        pg_bin=str(server.client),
        bulk_table_bytes=1 << 20,
        range_bytes=RANGE_BYTES,
        binary=binary,
    )


def tables(manifest: Manifest) -> dict[int, tuple[tuple[str, ...], int | None, str]]:
    """Return the names of the blobs, the rows and the format of each large table."""
    return {
        part.table.oid: (tuple(ref.name for ref in part.blobs), part.rows, part.table.format)
        for part in manifest.parts
        if part.table
    }


@contextlib.contextmanager
def waiting(server: Server, database: str, sql: str) -> Iterator[None]:
    """Let somebody wait for an exclusive lock, and get it by the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(server.sql, database, sql)
        count = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
        wait_until(lambda: server.sql(database, count) != "0\n", what="the lock is waited for")
        yield
    done.result()


class Meanwhile(Executor):
    """Passes work on to another executor, after something was done once."""

    def __init__(self, inner: Executor, do: Callable[[], object]) -> None:
        self._inner = inner
        self._do = [do]

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - as Executor's
        """Give work to the other executor."""
        while self._do:
            self._do.pop()()
        return self._inner.submit(fn, *args, **kwargs)


@pytest.mark.parametrize("jobs", [*(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 2)), 4])
@pytest.mark.parametrize(
    "make", [ThreadPoolExecutor, processes, dask], ids=["threads", "processes", "dask"]
)
def test_blobs_are_the_same_whoever_reads(
    repository: Repository, servers: Servers, database: str, make: MakeExecutor, jobs: int
) -> None:
    with make(jobs) as executor:
        back_up = partial(
            create_backup, repository, executor=executor, worker_factory=make_worker, full=True
        )
        for row_format in RowFormat:
            binary = row_format == RowFormat.BINARY
            source = dumper(servers.get(18), database, binary=binary)
            seen: list[Any] = []
            made = back_up(dumper=source, jobs=jobs, on_progress=seen.append).manifest
            alone = tables(create_backup(repository, source, jobs=1, full=True).manifest)
            assert tables(made) == alone
            assert all(len(blobs) > 3 for blobs, _, _ in alone.values())
            assert {kind for _, _, kind in alone.values()} == {row_format}
            assert {rows for _, rows, _ in alone.values()} == {20_000, 60_000}
            assert seen[-1].done_bytes == seen[-1].total_bytes > 0


def test_threads_of_the_caller_need_no_worker_factory(
    repository: Repository, servers: Servers, database: str
) -> None:
    source = dumper(servers.get(18), database)
    with ThreadPoolExecutor(2) as executor:
        made = create_backup(repository, source, executor=executor).manifest
    assert tables(made) == tables(create_backup(repository, source, full=True).manifest)


def test_others_need_a_worker_factory(
    repository: Repository, servers: Servers, database: str
) -> None:
    source = dumper(servers.get(18), database)
    with processes(1) as executor, pytest.raises(ConfigurationError, match="ProcessPoolExecutor"):
        create_backup(repository, source, executor=executor)
    with pytest.raises(ConfigurationError, match="no executor"):
        create_backup(repository, source, worker_factory=make_worker)


@pytest.mark.parametrize(
    "other",
    [
        OfAnother(passphrase="another"),
        OfAnother(gzip=True),
        OfAnother(folder="/nowhere"),
    ],
    ids=["key", "compression", "folder"],
)
def test_workers_with_other_settings_are_refused(
    repository: Repository, servers: Servers, database: str, other: OfAnother
) -> None:
    source = dumper(servers.get(18), database)
    with processes(1) as executor, pytest.raises(ConfigurationError, match="a worker") as raised:
        create_backup(repository, source, executor=executor, worker_factory=other)
    assert "Give the workers the settings" in str(raised.value.hint)
    assert not repository.backups()


def test_another_disk_of_the_same_name_is_refused(
    repository: Repository, servers: Servers, database: str, environment: Path
) -> None:
    def move_away() -> None:
        environment.rename(environment.parent / "elsewhere")
        environment.mkdir()

    source = dumper(servers.get(18), database)
    with processes(1) as executor, pytest.raises(ConfigurationError, match="is not the store"):
        create_backup(
            repository, source, executor=Meanwhile(executor, move_away), worker_factory=make_worker
        )


def test_no_secret_is_sent_to_a_worker(
    repository: Repository, servers: Servers, database: str
) -> None:
    source = dumper(servers.get(18), database)
    work = partial(with_a_secret, Secret("s3cr3t-Pl4nted"))
    with processes(1) as executor, pytest.raises(DumpFailed, match="cannot be pickled") as raised:
        create_backup(repository, source, executor=executor, worker_factory=work)
    assert "s3cr3t" not in str(raised.value)
    assert not repository.backups()


def test_what_workers_get_no_lock_for_the_coordinator_reads(
    repository: Repository, servers: Servers, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = servers.get(18)
    source = dumper(server, database)
    before = tables(create_backup(repository, source, full=True).manifest)
    locked, read_archive = threading.Event(), PostgresReader._read_archive

    def read(self: PostgresReader, part: DumpDetail) -> Iterator[bytes]:
        stream = read_archive(self, part)
        yield next(stream)
        locked.set()  # pg_dump has begun to write, so it has its locks
        yield from stream

    monkeypatch.setattr(PostgresReader, "_read_archive", read)
    with contextlib.ExitStack() as stack, processes(2) as executor:
        # Behind who waits for the lock, pg_dump would wait too.
        lock = "BEGIN; LOCK TABLE wide IN ACCESS EXCLUSIVE MODE; COMMIT"

        def queue() -> None:
            assert locked.wait(60)
            stack.enter_context(waiting(server, database, lock))

        made = create_backup(
            repository,
            source,
            executor=Meanwhile(executor, queue),
            worker_factory=make_worker,
            full=True,
        ).manifest
    assert tables(made) == before


def test_workers_store_again_what_is_damaged(
    repository: Repository, servers: Servers, database: str, environment: Path
) -> None:
    source = dumper(servers.get(18), database)
    first = create_backup(repository, source).manifest
    damaged = next(part for part in first.parts if part.table).blobs[1]
    path = environment / blob_key(damaged.name)
    path.write_bytes(path.read_bytes()[:-1])
    with processes(2) as executor:
        create_backup(repository, source, executor=executor, worker_factory=make_worker, full=True)
    assert path.stat().st_size >= damaged.stored_bytes - 9
    (backup,) = repository.backups()[:1]
    assert verify_backup(repository, source, backup.name).good


def test_a_store_that_is_full_for_workers_is_left_behind(
    repository: Repository,
    servers: Servers,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = evolve(repository, store=LocalStore(tmp_path / "copy"))
    monkeypatch.setenv("BACKUP_COPY_TO", f"file://{tmp_path}/copy")
    source = dumper(servers.get(18), database)
    with processes(2) as executor:
        report = create_backup(
            repository,
            source,
            copies=[copy],
            executor=executor,
            worker_factory=Spoiling(full, number=1),
            full=True,
        )
    primary, other = report.stores
    assert primary.stored
    assert other.copied_blobs >= 10  # by the coordinator, which had to learn that they lack
    for each in (repository, copy):
        assert verify_backup(each, source, report.manifest.name).good


@pytest.mark.parametrize("make", [processes, dask], ids=["processes", "dask"])
def test_an_error_in_a_worker_is_the_backups(
    repository: Repository, servers: Servers, database: str, make: MakeExecutor
) -> None:
    server = servers.get(18)
    with make(2) as executor, pytest.raises(StoreFull) as raised:
        create_backup(
            repository,
            dumper(server, database),
            executor=executor,
            worker_factory=Spoiling(full),
        )
    assert str(raised.value) == "no room on purpose. Make room"
    assert not repository.backups()
    wait_until(lambda: server.sessions(database) == 0, what="no session is left", limit=5)


def test_a_worker_that_dies_is_a_failed_backup(
    repository: Repository, servers: Servers, database: str
) -> None:
    server = servers.get(18)
    with processes(2) as executor, pytest.raises(DumpFailed, match="BrokenProcessPool"):
        create_backup(
            repository, dumper(server, database), executor=executor, worker_factory=Spoiling(die)
        )
    assert not repository.backups()
    wait_until(lambda: server.sessions(database) == 0, what="no session is left", limit=5)
    for left in Path(tempfile.gettempdir()).glob("bb-*"):  # nobody could remove that
        shutil.rmtree(left) if left.is_dir() else left.unlink()

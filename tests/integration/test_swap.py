"""What keeps a database from being renamed is named before a restore, ended, or costs no rows."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.integration.conftest import SMALL
from tests.integration.waiting import wait_until
from tests.servers.running import Server

from brownie_backup import Repository, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import BackupError, RenameFailed, RestoreFailed, RestoreRefused
from brownie_backup.hints import RestoreHint
from brownie_backup.model.findings import Level
from brownie_backup.model.reports import RestoreReport
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

ROLES = """
CREATE ROLE restorer LOGIN CREATEDB PASSWORD 'r'; CREATE ROLE clerk LOGIN PASSWORD 'c';
CREATE ROLE seller;
"""
NAMES = "SELECT datname FROM pg_database WHERE datname ~ '^(shop|taken)' ORDER BY 1"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with prepared transactions, and roles that are no superusers."""
    server = Server(18, {"max_prepared_transactions": "2"})
    try:
        server.sql("postgres", ROLES)
        server.create("shop", "OWNER restorer TEMPLATE template0")
        server.sql("shop", f"SET ROLE restorer; {SMALL}")
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def repository(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with a backup of the database, which becomes a template for tests."""
    store = LocalStore(tmp_path_factory.mktemp("store"))
    repository = Repository(store, Zstd(), Cleartext())
    create_backup(repository, server.dumper("shop"), name="restorers")
    server.sql("shop", "INSERT INTO orders VALUES (0, 'new')")
    server.sql("postgres", "ALTER DATABASE shop OWNER TO seller")
    create_backup(repository, server.dumper("shop"), name="sellers")
    server.sql("postgres", "ALTER DATABASE shop RENAME TO original")
    return repository


@pytest.fixture
def shop(server: Server, repository: Repository) -> Iterator[str]:
    """A database with a backup, and one row more since."""
    del repository
    server.create("shop", "OWNER restorer TEMPLATE original")
    yield "shop"
    for name in server.sql("postgres", NAMES).split():
        server.drop(name)


@pytest.fixture
def connect(server: Server) -> Iterator[Callable[[str, str], None]]:
    """Keep a session in the database open; it is idle."""
    with ExitStack() as stack:

        def begin(role: str, password: str) -> None:
            url = f"postgresql://{role}:{password}@127.0.0.1:{server.port}/shop"
            argv = [str(server.client / "psql"), "-X", url, "-c", "SELECT pg_sleep(99)"]
            process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            sql = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{role}' AND datname = 'shop'"
            wait_until(lambda: server.sql("postgres", sql) != "", what="a session begins")

        yield begin


def restorer(server: Server) -> PostgresDumper:
    url = f"postgresql://restorer:r@127.0.0.1:{server.port}/shop"
    return PostgresDumper(url, pg_bin=str(server.client))


def replace(
    repository: Repository, dumper: PostgresDumper, during: Callable[[], object] = lambda: None
) -> RestoreReport:
    """Replace the database; do something after the checks, when the first bytes are read."""
    todo = [during]

    def once(_: object) -> None:
        if todo:
            todo.pop()()

    options = RestoreOptions(replace=True)
    return restore(repository, dumper, "restorers", options=options, on_progress=once)


def count(server: Server, database: str = "shop") -> str:
    return server.sql(database, "SELECT count(*) FROM orders").strip()


def named(server: Server) -> list[str]:
    return server.sql("postgres", NAMES).split()


def test_prepared_transactions_are_named_before_anything_is_loaded(
    server: Server, shop: str, repository: Repository
) -> None:
    server.sql(shop, "BEGIN; INSERT INTO orders VALUES (-1, 'x'); PREPARE TRANSACTION 'it''s mine'")
    try:
        with pytest.raises(RestoreRefused, match=r"shop.*E'it''s mine'") as refused:
            replace(repository, server.dumper(shop))
    finally:
        server.sql(shop, "ROLLBACK PREPARED 'it''s mine'")
    assert refused.value.hint == RestoreHint.END_PREPARED()
    assert named(server) == [shop]


def test_sessions_that_the_role_may_not_end_are_named_and_those_that_it_may_are_ended(
    server: Server, shop: str, repository: Repository, connect: Callable[[str, str], None]
) -> None:
    connect("clerk", "c")
    with pytest.raises(RestoreRefused, match=r"may not end these sessions.* of clerk"):
        replace(repository, restorer(server))
    assert named(server) == [shop]
    server.sql("postgres", "GRANT pg_signal_backend TO restorer")
    try:
        replace(repository, restorer(server))
        assert count(server) == "1000"
        connect("postgres", server.password.reveal())
        with pytest.raises(RestoreRefused, match=r"may not end these sessions.* of postgres"):
            replace(repository, restorer(server))
        server.sql("postgres", "ALTER DATABASE shop CONNECTION LIMIT 0")
        replace(repository, server.dumper(shop))
        assert count(server) == "1000"
    finally:
        server.sql("postgres", "REVOKE pg_signal_backend FROM restorer")


def test_a_database_of_another_owner_is_refused_before_anything_is_loaded(
    server: Server, shop: str, repository: Repository
) -> None:
    server.sql("postgres", "ALTER DATABASE shop OWNER TO seller")
    with pytest.raises(RestoreRefused, match="may not rename 'shop', which 'seller' owns"):
        replace(repository, restorer(server))
    assert named(server) == [shop]


def test_a_role_that_may_not_rename_what_it_has_made_is_told_before_anything_is_loaded(
    server: Server, shop: str, repository: Repository
) -> None:
    server.sql("postgres", "GRANT seller TO restorer WITH INHERIT FALSE")
    try:
        with pytest.raises(RestoreFailed, match="may not rename 'taken_restoring_") as failed:
            restore(repository, restorer(server), "sellers", target_database="taken")
    finally:
        server.sql("postgres", "REVOKE seller FROM restorer")
    assert failed.value.hint == RestoreHint.RENAME_AS_OWNER(owner="seller", role="restorer")
    assert named(server) == [shop]


def test_a_reader_of_a_logical_slot_is_ended_and_the_slot_is_named(
    server: Server, shop: str, repository: Repository
) -> None:
    server.sql(shop, "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    server.sql(shop, "CREATE PUBLICATION p FOR ALL TABLES")
    argv = [
        *(str(server.client.parent / "bin" / "pg_recvlogical"), "-d", server.url(shop), "-S"),
        *("feed", "--start", "-f", "-", "-o", "proto_version=1", "-o", "publication_names=p"),
    ]
    env = {"LD_LIBRARY_PATH": str(server.client.parent / "lib")}
    reader = subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        active = "SELECT active FROM pg_replication_slots WHERE slot_name = 'feed'"
        wait_until(lambda: server.sql(shop, active) == "t\n", what="the slot is read")
        report = replace(repository, server.dumper(shop))
    finally:
        reader.kill()
        reader.wait()
        server.sql("postgres", "SELECT pg_drop_replication_slot('feed')")
    assert count(server) == "1000"
    warnings = [each.message for each in report.findings if each.level is Level.WARNING]
    assert any("'shop' stay with it: feed" in each for each in warnings)


def test_a_subscription_that_keeps_connecting_does_not_keep_its_database(
    server: Server, shop: str, repository: Repository
) -> None:
    conninfo = f"host=127.0.0.1 port={server.port} user=postgres dbname=postgres password="
    server.sql(
        shop,
        "CREATE SUBSCRIPTION s CONNECTION "
        f"'{conninfo}{server.password.reveal()}' PUBLICATION p WITH (connect = false, "
        "slot_name = 'gone'); ALTER SUBSCRIPTION s ENABLE",
    )
    report = replace(repository, server.dumper(shop))
    assert count(server) == "1000"
    assert any("'shop' stay with it, and go on: s" in each.message for each in report.findings)


def test_a_rename_that_fails_costs_no_rows_and_its_hint_finishes_it(
    server: Server, shop: str, repository: Repository
) -> None:
    def prepare() -> None:
        server.sql(shop, "BEGIN; INSERT INTO orders VALUES (-1, 'x'); PREPARE TRANSACTION 'late'")

    try:
        with pytest.raises(RenameFailed, match="prepared transactions keep 'shop'") as failed:
            replace(repository, server.dumper(shop), prepare)
    finally:
        server.sql(shop, "ROLLBACK PREPARED 'late'")
    (loaded,) = (name for name in named(server) if name.startswith("shop_restoring_"))
    assert loaded in failed.value.message
    assert (count(server), count(server, loaded)) == ("1001", "1000")
    finish(server, failed.value)
    assert count(server) == "1000"
    assert len(named(server)) == 2


def test_a_name_that_is_taken_during_the_restore_costs_no_rows(
    server: Server, shop: str, repository: Repository
) -> None:
    todo = ["taken"]

    def once(_: object) -> None:
        if todo:
            server.create(todo.pop())

    with pytest.raises(RenameFailed, match="'taken' was created during the restore") as failed:
        restore(
            repository, server.dumper(shop), "restorers", target_database="taken", on_progress=once
        )
    server.drop("taken")
    finish(server, failed.value)
    assert count(server, "taken") == "1000"


def finish(server: Server, error: BackupError) -> None:
    """Run the SQL of a hint."""
    assert error.hint is not None
    server.sql("postgres", str(error.hint.data["statements"]))

"""3-2-1 by hand: a database, two clouds and a folder, and what can happen to each of them."""

import json
import os
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, Result, children, cli_for, finish
from tests.integration.waiting import wait_until
from tests.servers.objects import AzureServer, S3Server
from tests.servers.running import Server, Servers

from brownie_backup.config import load_settings, make_store
from brownie_backup.format.layout import (
    BLOB_LISTS,
    BLOBS,
    LEASES,
    MANIFESTS,
    blob_key,
    manifest_key,
)

pytestmark = pytest.mark.once

ROWS = """
CREATE TABLE rows AS SELECT g AS id, (
  SELECT string_agg(encode(sha512((g || ':' || i)::bytea), 'hex'), '') FROM generate_series(1, 80) i
) AS text FROM generate_series(1, 3000) g;
CREATE VIEW first AS SELECT * FROM rows WHERE id < 10;
"""
"""Some 30 MiB: two blobs and a few small ones."""
MORE = ROWS.replace("rows", "more").replace("first", "second").replace("':'", "'-'")


@pytest.fixture
def database(servers: Servers) -> Iterator[str]:
    """A database of our own on 18; whatever is named after it goes with it."""
    server = servers.get(18)
    name = f"several_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, ROWS)
    yield name
    for left in server.databases(f"{name}%"):
        server.drop(left)


@pytest.fixture
def server(servers: Servers) -> Server:
    """The server of that database."""
    return servers.get(18)


class Stores:
    """The command line with three stores, and a way around it to what they hold."""

    def __init__(self, cli: Cli) -> None:
        self.cli = cli
        environ = {name: cli.env[name] for name in cli.env if name.startswith("BACKUP_")}
        found = load_settings(environ).stores.values()
        self.urls = [location.url for location in found]
        self.stores = [make_store(location) for location in found]

    def content(self, number: int) -> dict[str, bytes]:
        """Return all that backups are made of in one store."""
        store, prefixes = self.stores[number], (BLOBS, BLOB_LISTS, MANIFESTS)
        return {found.key: store.get(found.key) for p in prefixes for found in store.list(p)}

    def wipe(self, number: int) -> None:
        """Remove every object of one store."""
        for found in [*self.stores[number].list("")]:
            self.stores[number].delete(found.key)

    def damage(self, number: int, key: str) -> None:
        """Change a byte of an object, which only reading it shows."""
        data = bytearray(self.stores[number].get(key))
        data[len(data) // 2] ^= 1
        self.stores[number].put(key, bytes(data))

    def leases(self, number: int) -> list[str]:
        """Return the keys of the leases in one store."""
        return [found.key for found in self.stores[number].list(LEASES)]

    def backups(self) -> list[int]:
        """Return how many backups each store has; none may be damaged."""
        status = self.cli.json("status")
        stores = [status, *status["copies"]]
        assert [store["damaged"] for store in stores] == [[]] * 3
        return [store["backups"] for store in stores]

    def assert_equal(self) -> None:
        """Check that all stores hold the same, byte for byte."""
        first, *others = [self.content(number) for number in range(3)]
        assert first
        assert all(other == first for other in others)


def begin_and_kill(cli: Cli, folder: Path, victim: S3Server, name: str, **settings: str) -> Result:
    """Start a backup, and kill a server when a part of its blobs is stored."""
    before = len([*folder.glob("blobs/*/*")])
    process = cli.start("backup", "--name", name, "--json", BACKUP_PARALLEL_JOBS="1", **settings)
    wait_until(
        lambda: (
            len([*folder.glob("blobs/*/*")]) >= before + 2 and any(children(process, "pg_dump"))
        ),
        what="two new blobs, and pg_dump at work",
    )
    victim.kill()
    return finish(process, 120)


@pytest.mark.timeout(600)  # 140 s on a quiet machine
def test_two_clouds_and_a_folder_lose_nothing(
    server: Server, database: str, azure_server: AzureServer, tmp_path: Path
) -> None:
    with S3Server() as s3_server:
        plain = cli_for(server, database, tmp_path)
        folder = tmp_path / "copy"
        azure = f"azure://{azure_server.new_container()}/a?endpoint_url={azure_server.endpoint_url}"
        stores = Stores(
            Cli(
                plain.env
                | {
                    "BACKUP_DESTINATION": f"s3://{s3_server.new_bucket()}/database",
                    "BACKUP_ENDPOINT_URL": s3_server.endpoint_url,
                    "BACKUP_REGION": s3_server.region,
                    "BACKUP_ACCESS_KEY": s3_server.access_key,
                    "BACKUP_SECRET_KEY": s3_server.secret_key,
                    "BACKUP_COPY_TO": f"{azure}, {folder.as_uri()}?retention_days=365",
                    "BACKUP_COPY1_ACCESS_KEY": azure_server.account,
                    "BACKUP_COPY1_SECRET_KEY": azure_server.key,
                    "BACKUP_RETRY_SECONDS": "1",
                }
            )
        )
        cli = stores.cli

        # One read of the database feeds all.
        first = cli.json("backup", "--name", "first")
        assert [each["url"] for each in first["stores"]] == stores.urls
        assert [each["stored"] for each in first["stores"]] == [True] * 3
        stores.assert_equal()

        # One server is killed in the middle: the others have it, and it is said.
        server.sql(database, MORE)
        expected = server.plain_dump(database)
        second = begin_and_kill(cli, folder, s3_server, "second")
        assert second.status == 3, second.err
        assert [each["stored"] for each in second.json["stores"]] == [False, True, True]
        assert f"not stored in {stores.urls[0]}: " in second.err
        wait_until(lambda: server.sessions(database) == 0, what="no session is left")

        # It is back: what it lacks it gets without the database, and without a key.
        s3_server.start()
        assert stores.backups() == [1, 2, 2]
        assert cli.backups() == {"first": "good"}
        no_key = {"BACKUP_PASSPHRASE": "", "BACKUP_DATABASE_URL": "postgresql://nowhere"}
        synced = cli.json("sync", **no_key)
        assert [each["copied"] for each in synced["stores"]] == [["second"], [], []]
        assert [each["problems"] for each in synced["stores"]] == [[], [], []]
        assert stores.backups() == [2, 2, 2]
        stores.assert_equal()
        whole = stores.content(0)

        # One store is wiped, and in another a blob is damaged: it restores all the same.
        stores.wipe(0)
        archive = json.loads(whole[manifest_key("second")])["parts"][-1]
        bad = blob_key(archive["blobs"][1]["name"])
        stores.damage(1, bad)
        restored = cli.run("restore", "second", "--target-db", f"{database}_again", "--json")
        assert restored.status == 3, restored.err
        assert restored.json["store"] == stores.urls[1]
        assert f"there is no backup named 'second' in {stores.urls[0]}" in restored.err
        assert f"'second' is taken from {stores.urls[1]}" in restored.err
        assert f"1 blob was read from {stores.urls[2]}" in restored.err
        assert server.plain_dump(f"{database}_again") == expected

        # A verification says what is bad where; then all is mended.
        verified = cli.run("verify", "second", "--from", "copy1", "--json")
        assert verified.status == 1
        assert verified.json["store"] == stores.urls[1]
        assert verified.json["verifications"][0]["damaged_blobs"] == [bad.rpartition("/")[2]]
        mended = cli.json("sync", **no_key)["stores"]
        assert {*mended[0]["copied"]} == {"first", "second"}
        assert mended[1]["mended"]
        assert stores.content(0) == stores.content(1) == stores.content(2) == whole
        for name in ("primary", "copy1", "copy2"):
            assert cli.json("verify", "second", "--from", name)["good"]
        assert [stores.leases(number) for number in (1, 2)] == [[], []]


def test_a_signal_ends_a_backup_soon_and_cleanly_though_a_store_hangs(
    server: Server, database: str, tmp_path: Path
) -> None:
    with S3Server() as s3_server:
        plain = cli_for(server, database, tmp_path)
        copy = f"s3://{s3_server.new_bucket()}?endpoint_url={s3_server.endpoint_url}"
        more = {
            "BACKUP_COPY_TO": f"{copy}&region={s3_server.region}",
            "BACKUP_COPY1_ACCESS_KEY": s3_server.access_key,
            "BACKUP_COPY1_SECRET_KEY": s3_server.secret_key,
        }
        cli = Cli(plain.env | more)
        process = cli.start("backup", "--name", "ended", BACKUP_PARALLEL_JOBS="1")
        wait_until(lambda: len(cli.blobs()) >= 2, what="two blobs")
        os.kill(s3_server.process_id, signal.SIGSTOP)
        try:
            process.terminate()
            result = finish(process, 40)
        finally:
            os.kill(s3_server.process_id, signal.SIGCONT)
        assert result.status == 128 + signal.SIGTERM, result
        wait_until(lambda: server.sessions(database) == 0, what="no session is left")
        assert cli.backups() == {}
        assert not list(cli.store.glob("leases/*"))
        assert not list(Path(cli.env["TMPDIR"]).iterdir())
        assert cli.json("list", "--from", "copy1")["backups"] == []

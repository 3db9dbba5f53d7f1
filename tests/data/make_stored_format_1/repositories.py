"""Three repositories, in which every prefix of a key occurs."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from brownie_backup.activity import Actor
from brownie_backup.settings import Settings
from tests.data.make_stored_format_1.records import add_leases, add_operations, add_terms
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server

from brownie_backup import BackupError, BackupReport
from brownie_backup.config import load_settings
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.repository import catalogue, layout
from brownie_backup.service import Service
from brownie_backup.stores import LocalStore

DATABASE = "stored_format"
HOST = "db1.example"
PASSPHRASE = "only for tests: Größe 3 → 4"
BULK_BYTES = 32 << 10
RANGE_BYTES = 16 << 10
CHANGE = """
INSERT INTO sales.orders (customer, what, at)
  SELECT 7, 'change ' || {0} || ' ' || g, timestamptz '2026-06-01 00:00+00' + g * interval '1 day'
  FROM generate_series(1, 5) g;
CHECKPOINT;
"""
_OF_A_KEY = ("BACKUP_GPG_PRIVATE_KEY_FILE", "BACKUP_PASSPHRASE")


def by_public_key(server: Server, folder: Path, data: Path) -> Cli:
    """Make backups that reuse what others have, and objects of each kind beside them."""
    cli = _cli(server, folder, BACKUP_GPG_PRIVATE_KEY_FILE=str(data / "private.asc"))
    with _service(cli) as service:
        service.create_backup(name="first", labels={"note": "Größe 3 → 4", "kind": "weekly"})
        service.verify("first")
        dump(server, data / "first.sql")
        report = _changed(server, service, "second")
        dump(server, data / "second.sql")
        assert report.skipped_ranges, report.all_read_because
        assert report.reused_blobs
        service.verify("second", sample_percent=30)
        service.hold("first")
        service.hold("second", until=datetime(2999, 1, 31, tzinfo=UTC))
        _changed(server, service, "third")
        _changed(server, service, "gone")
        service.delete("gone")  # its blobs stay, and its records
        with patch.object(catalogue, "INLINE_BLOBS", 2):
            report = service.create_backup(name="listed")
        dump(server, data / "listed.sql")
        service.restore("first", target_database=f"{DATABASE}_copy", dry_run=True)
        with suppress(BackupError):
            service.delete("second")  # it is held
        service.refuse("restore", "wrong token", backup="first")
        add_operations(service.register(), DATABASE, report)
    store = LocalStore(cli.store)
    add_terms(store, DATABASE)
    add_leases(store, HOST)
    return cli


def by_passphrase(server: Server, folder: Path) -> Cli:
    """Make one backup."""
    cli = _cli(server, folder, BACKUP_PASSPHRASE=PASSPHRASE)
    with _service(cli) as service:
        service.create_backup(name="only")
    return cli


def in_clear(server: Server, folder: Path) -> Cli:
    """Make backups of which one is damaged, and one attempt that fails."""
    cli = _cli(server, folder, BACKUP_ENCRYPTION="false", BACKUP_COMPRESSION="gzip")
    with _service(cli, binary=False) as service:
        service.create_backup(name="damaged")
        service.create_backup(name="resized")
        _change_a_bit(_own_blob(cli, "damaged", "resized"))
        larger = _own_blob(cli, "resized", "damaged")
        larger.write_bytes(gzip.compress(gzip.decompress(larger.read_bytes()), 0, mtime=0))
        service.verify("damaged")
        service.verify("resized")
    with _service(cli, binary=False, BACKUP_COMPRESSION="none") as service:
        service.create_backup(name="uncompressed")
    nowhere = f"postgresql://nobody@127.0.0.1:1/{DATABASE}"
    with _service(cli, BACKUP_DATABASE_URL=nowhere) as service, suppress(BackupError):
        service.create_backup(name="failed")
    return cli


def _changed(server: Server, service: Service, name: str) -> BackupReport:
    server.sql(DATABASE, CHANGE.format(len(name)))
    return service.create_backup(name=name)


def _own_blob(cli: Cli, name: str, other: str) -> Path:
    """Return the file of a blob that only the first of two backups has."""
    ours, theirs = (_blobs(cli, each) for each in (name, other))
    return cli.store / layout.blob_key(min(ours - theirs))


def _change_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def _blobs(cli: Cli, name: str) -> set[str]:
    manifest = json.loads((cli.store / layout.manifest_key(name)).read_bytes())
    return {blob["name"] for part in manifest["parts"] for blob in part["blobs"]}


def _cli(server: Server, folder: Path, **settings: str) -> Cli:
    folder.mkdir()
    env = cli_for(server, DATABASE, folder).env
    ours = {key: value for key, value in env.items() if key not in _OF_A_KEY}
    return Cli(ours | settings)


@contextmanager
def _service(cli: Cli, *, binary: bool = True, **more: str) -> Iterator[Service]:
    settings = load_settings(cli.env | {"BACKUP_PARALLEL_JOBS": "2"} | more)
    with patch("brownie_backup.service.make_dumper", _make_dumper(binary=binary)):
        yield Service(settings, Actor("alice", f"cli {HOST}"))


def _make_dumper(*, binary: bool) -> Callable[[Settings], PostgresDumper]:
    def make(settings: Settings) -> PostgresDumper:
        assert settings.database_url
        return PostgresDumper(
            parse_conninfo(settings.database_url.reveal()),
            pg_bin=settings.pg_bin,
            bulk_table_bytes=BULK_BYTES,
            range_bytes=RANGE_BYTES,
            binary=binary,
        )

    return make


def dump(server: Server, file: Path) -> None:
    """Keep a plain dump of the database."""
    file.write_text("\n".join(server.plain_dump(DATABASE)), encoding="utf-8")

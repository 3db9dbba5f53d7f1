"""How the library's types look from outside: this file is checked by mypy, and never run."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import assert_type

import brownie_backup as bb
from brownie_backup.compressors import Gzip, Uncompressed, Zstd
from brownie_backup.config import load_settings, make_dumper, make_repository
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.encryptors import Cleartext, GnuPG
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import ObjectUse, StoredObject
from brownie_backup.stores import LocalStore, MemoryStore, RetryingStore
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3 import open_store

stores: list[bb.Store] = [LocalStore("/backups"), MemoryStore(), RetryingStore(MemoryStore())]
stores.append(open_store(Location("s3", "bucket")))
compressors: list[bb.Compressor] = [Zstd(), Gzip(), Uncompressed()]
encryptors: list[bb.Encryptor] = [GnuPG(passphrase=bb.Secret("x")), Cleartext()]
dumper: bb.Dumper = PostgresDumper("postgresql://localhost/shop")


class TheirStore:
    """A third party's store needs no base class of ours."""

    url = "theirs:"

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store."""

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return."""
        return key.encode()

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield."""
        yield StoredObject(prefix, 0, datetime.now(UTC))

    def delete(self, key: str) -> None:
        """Remove."""


repository = bb.Repository(TheirStore(), Zstd(level=3), GnuPG(recipients=["ops@example.com"]))
decryptors: list[bb.Decryptor] = [*encryptors]
reading = bb.Repository(TheirStore(), other_compressors=compressors, other_decryptors=decryptors)
with bb.open_repository("s3://bucket/prefix", passphrase="x", compressor=Gzip()) as opened:
    assert_type(opened, bb.Repository)
settings = load_settings({"BACKUP_PASSPHRASE": "x"})
assert_type(make_repository(settings, writes=True), bb.Repository)
assert_type(make_dumper(settings), PostgresDumper)

report = bb.create_backup(repository, dumper, name="x", labels={"a": "b"}, jobs=2)
assert_type(report, bb.BackupReport)
assert_type(report.manifest.duration, timedelta)
assert_type(bb.list_backups(repository), tuple[bb.Backup, ...])
assert_type(bb.verify_backup(repository, dumper, "latest").good, bool)
options = bb.RestoreOptions(replace=True, with_roles=True)
restored = bb.restore(repository, dumper, "latest", target_database="x", options=options)
assert_type(restored.warnings, tuple[bb.Finding, ...])
policy = bb.RetentionPolicy(keep_within=timedelta(days=7), keep_min=2)
assert_type(
    bb.apply_retention(repository, policy, database=dumper.database_id(), dry_run=True),
    bb.RetentionReport,
)
bb.delete_backup(repository, "x")
assert_type(bb.hold_backup(repository, "x"), bb.Hold)
assert_type(bb.release_backup(repository, "x"), bool)

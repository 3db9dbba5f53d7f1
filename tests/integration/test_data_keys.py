"""Backups with a data key each, for several recipients: which host can do what with them."""

import base64
import json
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.integration.cli import PASSPHRASE, Cli, cli_for, finish
from tests.integration.key_hosts import (
    BY_PASSPHRASE,
    host,
    key_objects,
    opens,
    private_key,
    public_key,
    readable,
    ring,
    stored,
)
from tests.integration.test_secrets import Watch
from tests.integration.waiting import wait_until
from tests.servers.objects import S3Server
from tests.servers.running import Server, Servers
from tests.unit.keys import plain_pair

from brownie_backup.encryptors import GnuPG
from brownie_backup.encryptors.wrapping.openpgp import OpenPGPWrapper
from brownie_backup.model.keys import KeyContext

pytestmark = pytest.mark.once

BOTH = "openpgp,passphrase"
RANGES = {
    "BACKUP_BULK_TABLE_BYTES": "1M",
    "BACKUP_PARALLEL_JOBS": "4",
    "BACKUP_KEY_RECIPIENTS": BOTH,
}
LARGE = """
CREATE TABLE large AS SELECT g AS id, (
  SELECT string_agg(encode(sha512((g || ':' || i)::bytea), 'hex'), '') FROM generate_series(1, 14) i
) AS text FROM generate_series(1, 24000) g;
ALTER TABLE large ADD PRIMARY KEY (id);
"""
"""A heap of some 46 MiB: several ranges."""


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def maker(small_cli: Cli) -> Cli:
    """A host that has both keys, and makes backups for both."""
    return Cli(small_cli.env | {"BACKUP_KEY_RECIPIENTS": BOTH})


# --- who opens what ------------------------------------------------------------------------------


def test_each_recipient_alone_opens_a_backup(maker: Cli, server: Server, small: str) -> None:
    maker.json("backup", "--name", "one")
    (manifest,) = maker.store.glob("manifests/*")
    assert json.loads(manifest.read_bytes())["encryption"] == {
        "method": "aes-256-gcm",
        "identity": f"ring:{ring(maker.store)['id']}",
    }
    (key,) = key_objects(maker.store)
    assert [stanza["kind"] for stanza in key["stanzas"]] == ["openpgp", "passphrase"]
    opens(host(maker, BACKUP_KEY_RECIPIENTS="", **private_key(maker)), server, small)
    opens(host(maker, BACKUP_KEY_RECIPIENTS="", **BY_PASSPHRASE), server, small)


def test_a_host_without_a_recipients_key_is_told_whose_keys_open_it(
    maker: Cli, small: str, tmp_path: Path
) -> None:
    maker.json("backup", "--name", "one")
    ref = ring(maker.store)["recipients"]
    fingerprint = next(each["ref"] for each in ref if each["kind"] == "openpgp")
    neither = host(maker, BACKUP_KEY_RECIPIENTS="")
    only_public = host(maker, **public_key(tmp_path))
    for each in (neither, only_public):
        result = each.run("restore", "one", "--target-db", f"{small}_restored", "--json")
        assert (result.status, result.json["error"]["type"]) == (12, "KeyMissing"), result
        checked = each.json("verify", "one")["verifications"]
        assert [(found["good"], found["checked"]) for found in checked] == [(True, "structure")]
    said = neither.run("restore", "one", "--target-db", f"{small}_restored").err
    assert f"openpgp:{fingerprint}" in said
    assert "passphrase:" in said
    assert "Give the private key, the passphrase or the rights of one of these recipients" in said
    assert PASSPHRASE not in said


def test_a_wrong_passphrase_is_refused_and_is_no_damage(maker: Cli, small: str) -> None:
    maker.json("backup", "--name", "one")
    mistyped = host(maker, BACKUP_KEY_RECIPIENTS="", BACKUP_PASSPHRASE="mistyped")
    for command in (("verify", "one"), ("restore", "one", "--target-db", f"{small}_restored")):
        result = mistyped.run(*command, "--json")
        assert (result.status, result.json["error"]["type"]) == (12, "DecryptionError"), result
    assert maker.backups() == {"one": "good"}


def test_a_host_with_the_public_key_alone_makes_backups_and_finds_damage(
    small_cli: Cli, server: Server, small: str, tmp_path: Path
) -> None:
    maker = host(small_cli, **public_key(tmp_path))
    for number in range(3):
        server.sql(small, f"INSERT INTO orders VALUES ({2000 + number}, 'one more')")
        maker.json("backup", "--name", f"number-{number}")
    assert len(key_objects(maker.store)) == 3
    for command in (("verify", "--all"), ("verify", "--all", "--structure")):
        found = maker.json(*command)["verifications"]
        assert [(each["good"], each["checked"]) for each in found] == [(True, "structure")] * 3
        assert not any(each["size_only_blobs"] for each in found)
    opens(host(maker, BACKUP_KEY_RECIPIENTS="", **private_key(small_cli)), server, small)

    blobs = maker.blobs()
    damaged = max(blobs, key=lambda path: blobs[path])
    damaged.write_bytes(damaged.read_bytes()[:-100] + bytes(100))
    result = maker.run("verify", "--all", "--json")
    assert result.status == 1
    found = result.json["verifications"]
    assert {name for each in found for name in each["damaged_blobs"]} == {damaged.name}
    maker.json("backup", "--name", "healed")
    assert maker.json("verify", "--all")["good"]
    maker.json("delete", "number-0")
    maker.json("cleanup")
    assert len(key_objects(maker.store)) == 4  # a blob may need any of them


def test_other_recipients_than_those_of_the_ring_are_refused(maker: Cli) -> None:
    maker.json("backup", "--name", "one")
    before = stored(maker)
    passphrase = next(
        each["ref"] for each in ring(maker.store)["recipients"] if each["kind"] == "passphrase"
    )
    fewer = maker.run("backup", BACKUP_KEY_RECIPIENTS="openpgp")
    assert fewer.status == 2, fewer
    assert f"the settings lack the recipient passphrase:{passphrase}" in fewer.err
    assert "Set the recipients of the key ring" in fewer.err
    other = maker.run("backup", BACKUP_PASSPHRASE="mistyped")
    assert other.status == 2, other
    assert "passphrase" in other.err
    assert "mistyped" not in other.err
    assert stored(maker) == before
    assert len(key_objects(maker.store)) == 1


# --- large tables, kills, copies -----------------------------------------------------------------


def test_ranges_by_four_workers_and_an_incremental_backup(server: Server, tmp_path: Path) -> None:
    database = "data_keys_large"
    server.create(database)
    server.sql("postgres", "ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf()")
    try:
        server.sql(database, LARGE + "VACUUM (FREEZE, ANALYZE) large; CHECKPOINT")
        cli = Cli(cli_for(server, database, tmp_path).env | RANGES)
        killed = cli.start("backup", "--name", "killed")
        wait_until(
            lambda: len(cli.blobs()) >= 1 or killed.poll() is not None, what="the first blob"
        )
        killed.kill()
        assert finish(killed).status == -signal.SIGKILL
        assert cli.backups() == {}
        wait_until(lambda: server.sessions(database) == 0, what="no session is left")

        first = cli.json("backup", "--name", "first")
        assert first["ranges"] > 1
        server.sql(database, "UPDATE large SET text = 'new' WHERE id = 17")
        for number in range(2, 7):  # a summary may tell of changes before the first backup, too
            server.sql(database, "CHECKPOINT")
            later = cli.json("backup", "--name", f"backup-{number}")
            if later["skipped_ranges"]:
                break
        assert later["skipped_ranges"] > 0, later
        assert len(key_objects(cli.store)) == 1 + number
        reader = host(cli, BACKUP_KEY_RECIPIENTS="", **BY_PASSPHRASE)
        opens(reader, server, database, f"backup-{number}")
        assert reader.json("verify", "first")["good"]
    finally:
        server.sql("postgres", "ALTER SYSTEM RESET summarize_wal; SELECT pg_reload_conf()")
        server.drop(database)


def test_a_copy_restores_alone(maker: Cli, server: Server, small: str, tmp_path: Path) -> None:
    copy, away = tmp_path / "copy", tmp_path / "away"
    with_copy = Cli(maker.env | {"BACKUP_COPY_TO": copy.as_uri()})
    with_copy.json("backup", "--name", "one")
    maker.json("backup", "--name", "alone")  # the copy is away
    alone = host(
        maker, BACKUP_KEY_RECIPIENTS="", BACKUP_DESTINATION=str(copy), **private_key(maker)
    )
    opens(alone, server, small, "one")
    with_copy.json("sync")
    assert ring(copy) == ring(maker.store)
    assert len(key_objects(copy)) == 2
    shutil.move(maker.store, away)
    opens(alone, server, small, "alone")


def test_the_lock_of_each_key_is_as_long_as_that_of_the_newest_backup(
    maker: Cli, s3_server: S3Server
) -> None:
    """The second backup reuses blobs that need the key of the first."""
    bucket = s3_server.new_bucket(object_lock=True)
    for days, name in ((1, "one"), (9, "two")):
        maker.json(
            "backup",
            *("--name", name),
            BACKUP_DESTINATION=f"s3://{bucket}/backups",
            BACKUP_ENDPOINT_URL=s3_server.endpoint_url,
            BACKUP_REGION=s3_server.region,
            BACKUP_ACCESS_KEY=s3_server.access_key,
            BACKUP_SECRET_KEY=s3_server.secret_key,
            BACKUP_OBJECT_LOCK_DAYS=str(days),
        )
    found = s3_server.client.list_objects_v2(Bucket=bucket, Prefix="backups/key")["Contents"]
    heads = [s3_server.client.head_object(Bucket=bucket, Key=each["Key"]) for each in found]
    assert len(heads) == 3  # two keys and the key ring
    later = datetime.now(UTC) + timedelta(days=8)
    assert all(head["ObjectLockRetainUntilDate"] > later for head in heads)


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_comes_out(maker: Cli, server: Server, small: str) -> None:
    passphrase = "planted-passphrase-of-data-keys-Zü7"
    planted = Cli(maker.env | {"BACKUP_PASSPHRASE": passphrase, "BACKUP_DEBUG": "true"})
    outputs = []
    with Watch() as watch:
        for command in (
            ("config",),
            ("backup", "--name", "one", "--verbose"),
            ("show", "one", "--json"),
            ("verify", "one", "--verbose"),
            ("restore", "one", "--target-db", f"{small}_restored", "--verbose"),
            ("audit", "--json"),
        ):
            result = planted.run(*command)
            assert result.status in {0, 3}, (command, result)
            outputs.append(result.out + result.err)
    server.drop(f"{small}_restored")
    assert "gpg" in watch.programs
    secrets = (passphrase, *_data_keys(planted))
    texts = {
        "output": "\n".join(outputs),
        "the arguments or environment of a process": "\n".join(watch.seen),
        "the store": readable(planted.store),
    }
    for where, text in texts.items():
        assert [secret for secret in secrets if secret in text] == [], where


def _data_keys(cli: Cli) -> list[str]:
    """Return the data keys in a store, as they could be written."""
    identity = json.loads((cli.store / "repository.json").read_bytes())["id"]
    found = []
    with GnuPG(private_key=plain_pair().private) as gnupg:
        for path in cli.store.glob("keys/*/*.json"):
            stanza = json.loads(path.read_bytes())["stanzas"][0]
            wrapped = base64.b64decode(stanza["wrapped"])
            context = KeyContext(identity, path.parent.name)
            key = OpenPGPWrapper(gnupg).unwrap(wrapped, context)
            found += [key.hex(), key.decode("latin-1"), base64.b64encode(key).decode()]
    assert found
    return found

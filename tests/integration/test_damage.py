"""What happens to stored bytes is found out, said, and mended where it can be."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.integration.cli import Cli

pytestmark = pytest.mark.once


def largest_blob(cli: Cli) -> Path:
    """Return the path of the blob that holds the rows."""
    return max(cli.blobs(), key=lambda path: path.stat().st_size)


def flip_a_bit(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)


def test_a_deleted_blob_is_seen_by_list_and_refused_by_restore(small_cli: Cli, small: str) -> None:
    small_cli.json("backup", "--name", "one")
    largest_blob(small_cli).unlink()
    assert small_cli.backups() == {"one": "damaged"}
    assert small_cli.run("restore", "latest", "--target-db", f"{small}_r").status == 10
    result = small_cli.run("restore", "one", "--target-db", f"{small}_r", "--json")
    assert result.status == 1
    assert result.json["error"]["type"] == "DamagedError"
    assert small_cli.run("verify", "one").status == 1


def test_a_flipped_bit_is_found_by_verify_passed_by_latest_and_healed_by_the_next_backup(
    small_cli: Cli, small: str
) -> None:
    small_cli.json("backup", "--name", "one")
    blob = largest_blob(small_cli)
    flip_a_bit(blob)
    result = small_cli.run("verify", "one", "--json")
    assert result.status == 1
    (verification,) = result.json["verifications"]
    assert verification["damaged_blobs"] == [blob.name]
    assert small_cli.backups()["one"] == "damaged"
    assert small_cli.run("restore", "one", "--target-db", f"{small}_r").status == 1

    small_cli.json("backup", "--name", "two")  # of the same rows, hence the same blob
    assert blob.name in {path.name for path in small_cli.blobs()}
    assert small_cli.json("verify", "--all")["good"]
    assert set(small_cli.backups().values()) == {"good"}
    small_cli.json("restore", "one", "--target-db", f"{small}_r")


def test_a_restore_that_meets_a_flipped_bit_leaves_nothing(small_cli: Cli, small: str) -> None:
    small_cli.json("backup", "--name", "one")
    flip_a_bit(largest_blob(small_cli))
    result = small_cli.run("restore", "one", "--target-db", f"{small}_r", "--json")
    assert result.status == 1
    assert result.json["error"]["type"] == "DamagedError"


def test_a_manifest_cut_short_is_listed_as_damaged_and_stops_no_other(small_cli: Cli) -> None:
    small_cli.json("backup", "--name", "one")
    small_cli.json("backup", "--name", "two")
    path = small_cli.store / "manifests" / "two.json"
    path.write_bytes(path.read_bytes()[:-200])
    assert small_cli.backups() == {"one": "good", "two": "damaged"}
    shown = small_cli.run("show", "latest", "--json")
    assert (shown.status, shown.json["name"]) == (3, "one")
    assert "a later backup of" in shown.err
    result = small_cli.run("cleanup", "--json")
    assert result.status == 3  # done, and no blob removed: nobody knows what "two" needs
    assert result.json["swept_blobs"] == 0
    small_cli.json("delete", "two")
    assert small_cli.backups() == {"one": "good"}


@pytest.fixture
def keyless_cli(small_cli: Cli) -> Cli:
    """The command line with nothing but a passphrase."""
    return small_cli.by_passphrase()


def test_a_wrong_passphrase_is_no_damage(keyless_cli: Cli, small: str) -> None:
    keyless_cli.json("backup", "--name", "one")
    for command in (("restore", "one", "--target-db", f"{small}_r"), ("verify", "one")):
        result = keyless_cli.run(*command, "--json", BACKUP_PASSPHRASE="wrong")
        assert result.status == 12
        assert result.json["error"]["type"] == "DecryptionError"
    assert keyless_cli.backups() == {"one": "good"}


def test_a_missing_private_key_is_no_damage(keyless_cli: Cli, small: str, tmp_path: Path) -> None:
    keys = keyless_cli.json("keygen", "--directory", str(tmp_path / "keys"), BACKUP_PASSPHRASE="")
    public = {"BACKUP_PASSPHRASE": "", "BACKUP_GPG_PUBLIC_KEY_FILE": keys["public_key_file"]}
    private = public | {"BACKUP_GPG_PRIVATE_KEY_FILE": keys["private_key_file"]}
    keyless_cli.json("backup", "--name", "one", **public)
    assert keyless_cli.json("backup", "--name", "two", **public)["reused_blobs"] >= 1
    result = keyless_cli.run("restore", "one", "--target-db", f"{small}_r", **public)
    assert result.status == 12
    assert "BACKUP_GPG_PRIVATE_KEY (or …_FILE)" in result.err
    (found,) = keyless_cli.json("verify", "one", **public)["verifications"]
    assert (found["good"], found["checked"], found["size_only_blobs"]) == (True, "structure", 0)
    shown = keyless_cli.run("verify", "one", **public)
    assert (shown.status, "their contents were not checked" in shown.out) == (0, True)
    assert keyless_cli.json("verify", "--all", **private)["good"]
    keyless_cli.json("restore", "one", "--target-db", f"{small}_r", **private)


def test_rot_is_found_healed_and_recorded_without_a_private_key(
    keyless_cli: Cli, tmp_path: Path
) -> None:
    keys = keyless_cli.json("keygen", "--directory", str(tmp_path / "keys"), BACKUP_PASSPHRASE="")
    public = {"BACKUP_PASSPHRASE": "", "BACKUP_GPG_PUBLIC_KEY_FILE": keys["public_key_file"]}
    private = public | {"BACKUP_GPG_PRIVATE_KEY_FILE": keys["private_key_file"]}
    keyless_cli.json("backup", "--name", "one", **public)
    blob = largest_blob(keyless_cli)
    flip_a_bit(blob)
    result = keyless_cli.run("verify", "one", "--json", **public)
    (found,) = result.json["verifications"]
    assert (result.status, found["damaged_blobs"]) == (1, [blob.name])
    keyless_cli.json("backup", "--name", "two", **public)  # stores that blob again
    for keys in (public, private):
        assert keyless_cli.json("verify", "--all", **keys)["good"]
    verified = [e for e in keyless_cli.json("audit")["entries"] if e["action"] == "verify"]
    assert [e["checked"] for e in verified] == ["structure"] * 3 + ["content"] * 2


def test_a_private_key_with_a_passphrase_opens_with_it_alone(
    keyless_cli: Cli, small: str, tmp_path: Path
) -> None:
    keys = keyless_cli.json("keygen", "--directory", str(tmp_path / "keys"))
    private = {"BACKUP_GPG_PRIVATE_KEY_FILE": keys["private_key_file"]}
    keyless_cli.json("backup", "--name", "one", **private)
    target = ("restore", "one", "--target-db", f"{small}_r")
    assert keyless_cli.run(*target, **private, BACKUP_PASSPHRASE="wrong").status == 12
    keyless_cli.json(*target, **private)


def test_a_lost_repository_object_is_remade_from_a_manifest(small_cli: Cli) -> None:
    small_cli.json("backup", "--name", "one")
    (small_cli.store / "repository.json").unlink()
    again = small_cli.json("backup", "--name", "two")
    assert again["reused_blobs"] >= 1
    assert small_cli.json("verify", "--all")["good"]


def test_a_second_backup_of_an_unchanged_database_stores_next_to_nothing(small_cli: Cli) -> None:
    first = small_cli.json("backup", "--name", "one")
    second = small_cli.json("backup", "--name", "two")
    # The inventory, and the archive but for its head, which holds the time in seconds.
    assert second["reused_blobs"] >= 2
    assert second["new_bytes"] < 0.2 * first["new_bytes"]


def test_a_good_sample_takes_back_neither_a_failure_nor_a_full_reading(small_cli: Cli) -> None:
    small_cli.json("backup", "--name", "one")
    small_cli.json("verify", "one")
    small_cli.json("verify", "one", "--sample", "1%")
    assert small_cli.json("show", "one")["verification"]["complete"]
    flip_a_bit(largest_blob(small_cli))
    assert small_cli.run("verify", "one").status == 1
    for _ in range(8):  # some of which meet only good blobs
        small_cli.run("verify", "one", "--sample", "1%")
    assert small_cli.backups() == {"one": "damaged"}


def test_verify_all_reads_what_it_can_whatever_the_other_keys(keyless_cli: Cli) -> None:
    keyless_cli.json("backup", "--name", "one")
    other = keyless_cli.run("backup", "--name", "two", BACKUP_PASSPHRASE="another")
    assert other.status == 3  # the passphrase may be mistyped
    result = keyless_cli.run("verify", "--all", "--json")
    assert result.status == 12
    assert [outcome["backup"] for outcome in result.json["verifications"]] == ["one"]
    assert [item["name"] for item in result.json["unread"]] == ["two"]


def test_the_callers_keyring_is_asked_for_a_key_that_is_named(
    keyless_cli: Cli, small: str, tmp_path: Path
) -> None:
    keys = keyless_cli.json("keygen", "--directory", str(tmp_path / "keys"))
    public = {"BACKUP_GPG_PUBLIC_KEY_FILE": keys["public_key_file"], "BACKUP_PASSPHRASE": ""}
    keyless_cli.json("backup", "--name", "one", **public)
    target = ("restore", "one", "--target-db", f"{small}_r")
    assert keyless_cli.run(*target).status == 12
    home = {"GNUPGHOME": tempfile.mkdtemp(prefix="bb-test-")}
    try:
        gpg = ["gpg", "--batch", "--quiet", "--import", keys["private_key_file"]]
        subprocess.run(gpg, check=True, env=keyless_cli.env | home)
        refused = keyless_cli.run(*target, **home)  # a passphrase is set, and no key is named
        assert refused.status == 12
        assert "BACKUP_GPG_RECIPIENTS" in refused.err
        keyless_cli.json(*target, **home, BACKUP_GPG_RECIPIENTS=keys["fingerprint"])
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=False, env=keyless_cli.env | home)
        shutil.rmtree(home["GNUPGHOME"])

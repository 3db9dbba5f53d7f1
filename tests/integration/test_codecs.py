"""Switching encryption on, and from a passphrase to keys: old backups stay of use."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.integration.cli import Cli
from tests.servers.running import Servers

pytestmark = pytest.mark.once

CLEAR = "BACKUP_ENCRYPTION"
NO_KEYS = {"BACKUP_GPG_PRIVATE_KEY_FILE": "", "BACKUP_PASSPHRASE": ""}


@pytest.fixture
def keys(small_cli: Cli, tmp_path: Path) -> Mapping[str, str]:
    """Keys in files, made by the command."""
    made = small_cli.json("keygen", "--directory", str(tmp_path / "keys"))
    return {name: made[name] for name in ("public_key_file", "private_key_file", "fingerprint")}


@pytest.fixture
def switched(small_cli: Cli, keys: Mapping[str, str]) -> Cli:
    """The command with all keys, after a backup in clear, by a passphrase and by a public key."""
    public = {"BACKUP_GPG_PUBLIC_KEY_FILE": keys["public_key_file"]}
    private = {"BACKUP_GPG_PRIVATE_KEY_FILE": keys["private_key_file"]}
    passphrase = {"BACKUP_PASSPHRASE": small_cli.env["BACKUP_PASSPHRASE"]}
    small_cli.json("backup", "--name", "clear", **(NO_KEYS | {CLEAR: "false"}))
    small_cli.json("backup", "--name", "passphrase", **(NO_KEYS | passphrase))
    changed = small_cli.run("backup", "--name", "key", **(NO_KEYS | public))
    assert changed.status == 3  # all is stored again, for another key
    return Cli(small_cli.env | public | private)


def test_with_all_keys_each_backup_is_listed_verified_and_restored(
    switched: Cli, small: str, servers: Servers
) -> None:
    server = servers.get(18)
    assert switched.backups() == {"clear": "good", "passphrase": "good", "key": "good"}
    result = switched.run("verify", "--all", "--json")
    assert result.status == 3
    assert result.json["good"]
    assert result.json["unread"] == []
    warned = {each["backup"] for each in result.json["verifications"] if each["warnings"]}
    assert warned == {"clear"}
    assert "'clear' is not encrypted" in result.err
    assert "not encrypted" not in switched.run("verify", "key").err
    for name in ("clear", "passphrase", "key"):
        target = f"{small}_{name}"
        if name == "clear":
            refused = switched.run("restore", name, "--target-db", target)
            assert (refused.status, "is not encrypted" in refused.err) == (1, True)
            assert "accept" in refused.err
            assert server.databases(f"{target}%") == []
        accept = ["--accept-unencrypted"] if name == "clear" else []
        result = switched.run("restore", name, "--target-db", target, "--json", *accept)
        assert (name, result.status) == (name, 3 if name == "clear" else 0)
        assert ("is not encrypted" in result.err) == (name == "clear")
        assert server.sql(target, "SELECT count(*), max(id) FROM orders") == "1000|1000\n"


def test_nobody_who_does_without_encryption_is_warned(switched: Cli) -> None:
    result = switched.run("verify", "--all", "--json", **{CLEAR: "no"})
    assert result.status == 0
    assert len(result.json["verifications"]) == 3
    assert "not encrypted" not in result.err


def test_of_what_has_no_key_here_only_the_structure_is_verified(
    switched: Cli,
) -> None:
    without = {"BACKUP_GPG_PRIVATE_KEY_FILE": ""}
    result = switched.run("verify", "--all", "--json", **without)
    assert result.status == 3
    checked = {each["backup"]: each["checked"] for each in result.json["verifications"]}
    assert checked == {"clear": "content", "passphrase": "content", "key": "structure"}
    assert result.json["unread"] == []
    result = switched.run("verify", "passphrase", BACKUP_PASSPHRASE="wrong")
    assert result.status == 12
    assert "gpg, passphrase:" in result.err


def test_the_catalogue_needs_neither_gpg_nor_a_key(switched: Cli, tmp_path: Path) -> None:
    bare = NO_KEYS | {"BACKUP_GPG_PUBLIC_KEY_FILE": "", "PATH": str(tmp_path / "home")}
    for command in (
        ("list",),
        ("status",),
        ("show", "key"),
        ("cleanup", "--dry-run"),
        ("hold", "key"),
        ("release", "key"),
        ("audit",),
        ("delete", "passphrase"),
        ("cleanup",),
    ):
        result = switched.run(*command, "--json", **bare)
        assert result.status == 0, (command, result)
    synced = switched.json("sync", **bare, BACKUP_COPY_TO=(tmp_path / "copy").as_uri())
    assert set(synced["stores"][1]["copied"]) == {"clear", "key"}
    assert switched.run("verify", "clear", **bare).status == 3
    result = switched.run("verify", "key", **bare)
    assert result.status == 12
    assert "the gpg program cannot be run" in result.err


def test_latest_is_no_backup_in_clear_while_encryption_is_on(switched: Cli) -> None:
    """Whoever can write to the store, and has no key, can add one."""
    switched.json("backup", "--name", "planted", **{CLEAR: "no"} | NO_KEYS)
    shown = switched.run("show", "latest", "--json")
    assert (shown.status, shown.json["name"]) == (3, "key")
    assert switched.json("show", "latest", **{CLEAR: "no"})["name"] == "planted"

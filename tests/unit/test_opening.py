"""Opening a repository by its URL, and saying how it is encrypted: once, and on purpose."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.unit.fakes import FakeDumper, FakeEncryptor, read_back
from tests.unit.keys import PASSPHRASE, plain_pair, protected_pair

from brownie_backup import (
    RestoreOptions,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    open_repository,
    restore,
    verify_backup,
)
from brownie_backup.compressors import Gzip
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.errors import ConfigurationError, DecryptionError, RestoreRefused
from brownie_backup.model import Checked
from brownie_backup.secret import Secret


def test_a_folder_may_be_a_path_a_text_or_a_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "our backups"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    places: tuple[Path | str, ...] = (
        folder,
        str(folder),
        folder.as_uri(),
        "~/our backups",
        "our backups",
    )
    for number, place in enumerate(places):
        with open_repository(place, encrypt=False) as repository:
            create_backup(repository, FakeDumper(), name=f"b{number}")
            assert len(list_backups(repository)) == number + 1


def test_a_url_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    url = "s3://bucket/shop?region=eu-central-1"
    opened = open_repository(url, read_only=True)
    assert opened.store.url == "s3://bucket/shop"


@pytest.mark.parametrize(
    "ways",
    [
        {},
        {"encrypt": False, "passphrase": "x"},
        {"encryptor": FakeEncryptor(), "recipients": ["x"]},
        {"encryptor": FakeEncryptor(), "encrypt": False},
    ],
)
def test_how_it_is_encrypted_is_said_once(tmp_path: Path, ways: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the encryption of new backups is") as caught:
        open_repository(tmp_path, **ways)
    assert "encrypt=False" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["public_key", "private_key"])
def test_what_is_no_key_is_not_repeated(tmp_path: Path, name: str) -> None:
    named: dict[str, Any] = {name: "pl4nted"}
    with pytest.raises(ConfigurationError, match=f"{name} is neither") as caught:
        open_repository(tmp_path, **named)
    assert "pl4nted" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        ("s3://user:pl4nted@bucket", "holds credentials"),
        ("s3://", "names no bucket"),
        ("nonsense://x", "no store for nonsense://"),
        ("file:///folder?storage_class=x", "file:// does not have: storage_class"),
    ],
)
def test_what_is_no_place(place: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        open_repository(place, encrypt=False)
    assert "pl4nted" not in str(caught.value)


def test_an_encryptor_and_a_compressor_of_ones_own(tmp_path: Path) -> None:
    mine = FakeEncryptor()
    with open_repository(tmp_path, encryptor=mine, compressor=Gzip()) as repository:
        manifest = create_backup(repository, FakeDumper(), name="mine").manifest
    assert (manifest.encryption.method, manifest.compression) == ("fake", "gzip")
    with open_repository(tmp_path, encryptor=mine, read_only=True) as repository:
        assert verify_backup(repository, FakeDumper(), "mine").good


def test_after_each_switch_of_keys_all_backups_are_read(tmp_path: Path) -> None:
    public = tmp_path / "public.asc"
    public.write_text(protected_pair().public)
    ways: Mapping[str, Mapping[str, Any]] = {
        "clear": {"encrypt": False},
        "passphrase": {"passphrase": PASSPHRASE},
        "file": {"public_key": public},
        "text": {"public_key": protected_pair().public},
        "private": {"private_key": protected_pair().private, "passphrase": Secret(PASSPHRASE)},
    }
    store = tmp_path / "store"
    for name, way in ways.items():
        with open_repository(store, **way) as repository:
            create_backup(repository, FakeDumper(), name=name)
    keys: Mapping[str, Any] = {
        "private_key": protected_pair().private.reveal(),
        "passphrase": PASSPHRASE,
    }
    for read_only in (True, False):
        with open_repository(store, **keys, read_only=read_only) as repository:
            for backup in list_backups(repository):
                assert read_back(repository, backup) == FakeDumper().content
                verification = verify_backup(repository, FakeDumper(), backup.name)
                assert verification.good
                assert bool(verification.warnings) == (backup.name == "clear")
    with open_repository(store, public_key=public, passphrase=PASSPHRASE) as repository:
        for name in ("clear", "passphrase"):
            assert verify_backup(repository, FakeDumper(), name).good
        assert verify_backup(repository, FakeDumper(), "file").checked == Checked.STRUCTURE
    with open_repository(store, private_key=plain_pair().private, encrypt=True) as repository:
        verified = verify_backup(repository, FakeDumper(), "passphrase")
        assert verified.checked == Checked.STRUCTURE
        with pytest.raises(RestoreRefused, match="accept_unencrypted=True"):
            restore(repository, FakeDumper(), "clear", target_database="x")
        accept = RestoreOptions(accept_unencrypted=True)
        assert restore(
            repository, FakeDumper(), "clear", target_database="x", options=accept
        ).warnings


def test_reading_the_catalogue_needs_neither_a_key_nor_gpg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_repository(tmp_path / "store", passphrase=PASSPHRASE) as repository:
        create_backup(repository, FakeDumper(), name="one")
        create_backup(repository, FakeDumper(), name="two")
    monkeypatch.setenv("PATH", str(tmp_path))
    broken = "two\nlines"  # which gpg could not be told
    with open_repository(tmp_path / "store", passphrase=broken, read_only=True) as repository:
        assert len(list_backups(repository)) == 2
        hold_backup(repository, "two")
        delete_backup(repository, "one")
        with pytest.raises(DecryptionError, match="line break"):
            verify_backup(repository, FakeDumper(), "two")
    with (
        open_repository(tmp_path / "store", read_only=True) as repository,
        pytest.raises(DecryptionError, match="the gpg program cannot be run"),
    ):
        verify_backup(repository, FakeDumper(), "two")


def test_the_dumper_takes_a_connection_string() -> None:
    assert PostgresDumper("postgresql://postgres@db.example.com/shop").database_name() == "shop"
    assert PostgresDumper("host=db.example.com dbname=shop").database_name() == "shop"
    with pytest.raises(ConfigurationError) as caught:
        PostgresDumper("pl4nted")
    assert "pl4nted" not in str(caught.value)

"""Secrets in files are replaced, and temporary credentials expire, while a process runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define, evolve, field
from tests.unit.fakes import FakeDumper
from tests.unit.openers import ClosableStore

from brownie_backup.audit.operation import Actor
from brownie_backup.config import OpenStores, Settings, load_settings
from brownie_backup.errors import AccessDenied, ConfigurationError
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.protocols import Store
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.stores.location import Location

WHO = Actor("ann", "tests")


class GuardedStore(ClosableStore):
    """Refuses reads with other credentials than the valid ones."""

    def __init__(self, vault: "Vault", given: str) -> None:
        super().__init__("s3://bucket")
        self._vault, self._given = vault, given

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the object, if the credentials are valid."""
        if self._given != self._vault.valid:
            msg = "cannot read it in s3://bucket: SignatureDoesNotMatch"
            raise AccessDenied(msg)
        return super().get(key, most_bytes)


@define
class Vault:
    """Opens stores, and says which credentials are valid."""

    valid: str = "old"
    in_the_chain: str = "old"
    opened: list[str] = field(factory=list)
    stores: list[GuardedStore] = field(factory=list)
    objects: dict[str, tuple[bytes, object]] = field(factory=dict)

    def __call__(self, location: Location) -> Store:
        """Open a store with the credentials of its location, or else of the chain."""
        given = location.secret_key.reveal() if location.secret_key else self.in_the_chain
        self.opened.append(given)
        store = GuardedStore(self, given)
        store._objects = self.objects  # type: ignore[assignment]
        self.stores.append(store)
        return store


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    for name in ("key", "passphrase", "database"):
        (tmp_path / name).write_text("old")
    return {
        "BACKUP_DESTINATION": "s3://bucket?region=x",
        "BACKUP_ACCESS_KEY": "access",
        "BACKUP_SECRET_KEY_FILE": str(tmp_path / "key"),
        "BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        "BACKUP_DATABASE_URL_FILE": str(tmp_path / "database"),
        "BACKUP_CACHE_DIR": "none",
    }


@pytest.fixture
def stores(environ: dict[str, str], vault: Vault) -> OpenStores:
    def reread() -> Settings:
        return load_settings(environ)

    return OpenStores(reread(), vault, reread=reread)


def read(stores: OpenStores) -> bytes:
    return stores.repositories()[0].store.get("key")


def rotate(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text)
    new.replace(path)


def test_a_key_that_was_replaced_is_used_by_the_next_operation(
    stores: OpenStores, vault: Vault, tmp_path: Path
) -> None:
    stores.repositories()[0].store.put("key", b"data")
    assert read(stores) == read(stores) == b"data"
    assert vault.opened == ["old"]
    rotate(tmp_path / "key", "new")
    vault.valid = "new"
    assert read(stores) == b"data"
    assert vault.opened == ["old", "new"]
    stores.close()
    assert [each.closed for each in vault.stores] == [1, 1]


def test_a_key_that_is_replaced_in_the_middle_of_an_operation_is_used_at_once(
    stores: OpenStores, vault: Vault, tmp_path: Path
) -> None:
    store = stores.repositories()[0].store
    store.put("key", b"data")
    rotate(tmp_path / "key", "new")
    vault.valid = "new"
    assert store.get("key") == b"data"
    assert vault.opened == ["old", "new"]


def test_a_key_that_is_refused_and_was_not_replaced_is_not_tried_again(
    stores: OpenStores, vault: Vault
) -> None:
    vault.valid = "another"
    for _ in range(2):
        with pytest.raises(AccessDenied):
            read(stores)
    assert vault.opened == ["old"]


def test_temporary_credentials_of_the_chain_are_renewed_once(vault: Vault) -> None:
    settings = Settings(primary=Location("s3", "bucket"), encryption=False, cache_dir="none")
    store = OpenStores(settings, vault).repositories()[0].store
    store.put("key", b"data")
    vault.valid = vault.in_the_chain = "renewed"
    assert store.get("key") == b"data"
    vault.valid = "never"
    for _ in range(3):
        with pytest.raises(AccessDenied):
            store.get("key")
    assert vault.opened == ["old", "renewed"]  # and not once for each call


def test_a_file_that_cannot_be_read_any_more_is_named_at_once(
    stores: OpenStores, tmp_path: Path
) -> None:
    stores.repositories()
    (tmp_path / "key").unlink()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="BACKUP_SECRET_KEY_FILE names"):
            stores.repositories()
    (tmp_path / "key").write_text("old")
    assert stores.repositories()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("passphrase", lambda settings: settings.passphrase),
        ("database", lambda settings: settings.database_url),
    ],
)
def test_every_secret_of_a_file_is_read_anew(
    stores: OpenStores, tmp_path: Path, name: str, value: Callable[[Settings], Secret]
) -> None:
    codecs = stores.repositories()[0].codecs
    assert stores.repositories()[0].codecs is codecs
    rotate(tmp_path / name, "new secret")
    assert value(stores.current).reveal() == "new secret"
    same = stores.repositories()[0].codecs is codecs
    assert same == (name != "passphrase")


def test_a_run_reads_the_database_with_the_password_that_is_right_now(
    stores: OpenStores, tmp_path: Path
) -> None:
    asked = []

    def make(settings: Settings) -> FakeDumper:
        assert settings.database_url
        asked.append(settings.database_url.reveal())
        return FakeDumper()

    context = ServiceContext(stores, make_dumper=make)
    service = Service(stores.settings, WHO, context)
    service.context.dumper()
    rotate(tmp_path / "database", "new")
    evolve(service, actor=Actor("bob", "tests")).context.dumper()
    assert asked == ["old", "new"]


def test_a_new_secret_is_hidden_like_the_old_one(
    stores: OpenStores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = ServiceContext(stores)
    rotate(tmp_path / "passphrase", "a-new-passphrase")
    stores.repositories()
    redact = context.auditor._redact
    assert "a-new-passphrase" not in redact("it says a-new-passphrase")

"""What a service opens it opens once, shares, and closes."""

import gc
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper
from tests.unit.openers import Opener

from brownie_backup.audit.operation import Actor
from brownie_backup.config import OpenStores, Settings
from brownie_backup.encryptors import GnuPG
from brownie_backup.errors import ConfigurationError, StoreUnavailable
from brownie_backup.operations import create_backup
from brownie_backup.protocols import SupportsClose
from brownie_backup.repository import EncryptorOnDemand
from brownie_backup.repository.catalogue import listing, manifests
from brownie_backup.repository.deadline import with_deadline
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.service.queries import STATUS_RETRY_SECONDS
from brownie_backup.stores import LocalStore, RetryingStore
from brownie_backup.stores.location import Location

WHO = Actor("ann", "tests")
SETTINGS = Settings(
    primary=Location("s3", "one"),
    copies=(Location("gs", "two"),),
    encryption=False,
    cache_dir="none",
)
URLS = ["s3://one", "gs://two"]


@pytest.fixture
def opener() -> Opener:
    return Opener()


@pytest.fixture
def service(opener: Opener, dumper: FakeDumper) -> Service:
    assert not dumper.databases
    return Service(SETTINGS, WHO, ServiceContext(OpenStores(SETTINGS, opener)))


def test_nothing_is_opened_before_it_is_needed(service: Service, opener: Opener) -> None:
    assert opener.opened == []
    service.close()
    assert opener.opened == []


def test_all_verbs_share_the_stores_that_were_opened_once(service: Service, opener: Opener) -> None:
    service.create_backup(name="one")
    service.verify("one", store="copy1")
    service.compare("one")
    service.status()
    service.list()
    service.history()
    service.audit()
    service.prove_audit()
    service.hold("one")
    service.release("one")
    service.operation_log().recent(10)
    service.refuse("delete", "wrong token")
    service.sync()
    service.cleanup(dry_run=True)
    service.restore("one", target_database="x")
    service.unlock()
    service.delete("one")
    assert opener.opened == URLS


def test_for_somebody_else_the_same_stores_and_trail_are_used(
    service: Service, opener: Opener
) -> None:
    service.create_backup(name="one")
    bob = evolve(service, actor=Actor("bob", "tests"))
    assert bob.context is service.context
    bob.verify("one")
    assert opener.opened == URLS
    assert [each.actor for each in service.audit().entries] == ["ann", "bob"]


def test_a_context_is_of_its_settings_alone(service: Service) -> None:
    with pytest.raises(ValueError, match="other settings"):
        evolve(service, settings=evolve(SETTINGS, parallel_jobs=3))


def test_each_run_has_a_dumper_of_its_own_and_the_name_is_asked_for_once(opener: Opener) -> None:
    class Asked(FakeDumper):
        times = 0

        def database_name(self) -> str:
            self.times += 1
            return super().database_name()

    made: list[Asked] = []

    def make(_: Settings) -> Asked:
        made.append(Asked())
        return made[-1]

    service = Service(SETTINGS, WHO, ServiceContext(OpenStores(SETTINGS, opener), make_dumper=make))
    for _ in range(3):
        service.status()
        service.history()
    assert [dumper.times for dumper in made] == [6]  # by one, which knows after the first
    service.create_backup(name="one")
    service.verify("one")
    assert len(made) == 3


def test_threads_that_race_open_once(service: Service, opener: Opener) -> None:
    opener.going_on.clear()
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(service.context.repositories) for _ in range(8)]
        opener.going_on.set()
        found = [[each.store for each in future.result(10)] for future in futures]
    assert opener.opened == URLS
    every = [store for stores in found for store in stores]
    inner = {id(store.inner) for store in every if isinstance(store, RetryingStore)}
    assert (len(every), len(inner)) == (16, 2)


def test_close_closes_all_and_what_comes_later_opens_again(
    service: Service, opener: Opener
) -> None:
    with service:
        service.create_backup(name="one")
    assert [opener.stores[url].closed for url in URLS] == [1, 1]
    service.close()
    assert [opener.stores[url].closed for url in URLS] == [1, 1]
    assert [each.name for each in service.list()] == ["one"]
    assert opener.opened == URLS * 2


def test_one_that_cannot_be_closed_keeps_no_other_open(
    service: Service, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("stuck")

    service.list()
    monkeypatch.setattr(opener.stores["gs://two"], "close", fail)
    with pytest.raises(OSError, match="stuck"):
        service.close()
    assert opener.stores["s3://one"].closed == 1


def test_a_store_that_cannot_be_opened_is_tried_again(opener: Opener) -> None:
    broken = True

    def opens(location: Location) -> object:
        if broken and location.scheme == "gs":
            raise ConfigurationError(["no such thing"], hint="Install it")
        return opener(location)

    stores = OpenStores(SETTINGS, opens)  # type: ignore[arg-type] # it returns a store
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"copy1 \(gs://two\): no such thing"):
            stores.repositories()
    broken = False
    assert len(stores.repositories()) == 2
    assert opener.opened == URLS


def test_how_long_is_waited_is_each_calls_own(service: Service, opener: Opener) -> None:
    def patience(store: object) -> float:
        assert isinstance(store, RetryingStore)
        return store.repeats_for_seconds

    found = []
    for seconds in (None, STATUS_RETRY_SECONDS, 0):
        first, _ = service.context.repositories(retry_seconds=seconds)
        found.append(patience(first.store))
    assert found == [SETTINGS.retry_seconds, STATUS_RETRY_SECONDS, 0]
    assert opener.opened == URLS


def test_that_one_gave_up_does_not_keep_the_next_from_waiting(
    service: Service, opener: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([StoreUnavailable("away")] * 2)
    waited: list[float] = []

    def get(key: str, most_bytes: int | None = None) -> bytes:
        for failure in failures:
            raise failure
        return key.encode()

    quick, *_ = service.context.repositories(retry_seconds=0)
    monkeypatch.setattr(opener.stores["s3://one"], "get", get)
    with pytest.raises(StoreUnavailable):
        quick.store.get("x")
    patient, *_ = service.context.repositories()
    assert isinstance(patient.store, RetryingStore)
    assert evolve(patient.store, sleep=waited.append).get("x") == b"x"
    assert len(waited) == 1


def test_connections_that_were_idle_for_long_are_closed(dumper: FakeDumper, opener: Opener) -> None:
    assert not dumper.databases
    stores = OpenStores(SETTINGS, opener, idle_seconds=-1)
    with Service(SETTINGS, WHO, ServiceContext(stores)) as service:
        service.list()
        service.list()
        assert [opener.stores[url].closed for url in URLS] == [1, 1]
    assert opener.opened == URLS


def test_wrappers_pass_a_close_on(opener: Opener, tmp_path: Path) -> None:
    inner = opener(Location("s3", "one"))
    for wrapped in (RetryingStore(inner), with_deadline(RetryingStore(inner))):
        assert isinstance(wrapped, SupportsClose)
        wrapped.close()
    assert opener.stores["s3://one"].closed == 2
    with_deadline(RetryingStore(LocalStore(tmp_path))).close()  # which has none


def test_gnupgs_home_is_gone_when_the_service_is_closed(
    tmp_path: Path, dumper: FakeDumper, opener: Opener
) -> None:
    assert not dumper.databases
    settings = evolve(SETTINGS, copies=(), encryption=True, passphrase=Secret("six words"))
    with Service(settings, WHO, ServiceContext(OpenStores(settings, opener))) as service:
        service.create_backup(name="one")
        on_demand = service.context.repositories()[0].codecs.encryptor
        assert isinstance(on_demand, EncryptorOnDemand)
        encryptor = on_demand._made
        assert isinstance(encryptor, GnuPG)
        home = Path(encryptor._keyring.path())
        assert home.is_dir()
    assert not home.exists()


def test_a_cache_in_trouble_is_replaced_and_closed_at_the_end(
    tmp_path: Path, opener: Opener
) -> None:
    settings = evolve(SETTINGS, copies=(), cache_dir=str(tmp_path))
    stores = OpenStores(settings, opener)
    (first,) = stores.repositories()
    (again,) = stores.repositories()
    assert first.cache is again.cache
    first.cache.close()  # type: ignore[union-attr] # as trouble does
    (fresh,) = stores.repositories()
    assert fresh.cache is not first.cache
    assert fresh.cache
    assert fresh.cache.known() == frozenset()
    stores.close()
    assert not fresh.cache.works  # type: ignore[attr-defined] # it is of SQLite


@pytest.mark.parametrize(
    "location",
    [
        Location(
            *("s3", "bucket"),
            region="x",
            endpoint_url="http://127.0.0.1:9",
            access_key=Secret("key"),
            secret_key=Secret("a2V5"),
        ),
        Location("gs", "bucket", endpoint_url="http://127.0.0.1:9"),
        Location(
            *("azure", "box"),
            endpoint_url="http://127.0.0.1:9",
            access_key=Secret("account"),
            secret_key=Secret("a2V5"),
        ),
    ],
)
def test_a_clouds_store_that_was_closed_goes_on(location: Location) -> None:
    """As when its connections were idle while another thread was about to use it."""

    def fails(call: Callable[[], object]) -> None:
        with pytest.raises(StoreUnavailable):
            call()

    with OpenStores(Settings(primary=location, encryption=False)) as stores:
        (repository,) = stores.repositories(retry_seconds=0)
        fails(lambda: repository.store.get("x"))
        stores.close()
        fails(lambda: repository.store.get("x"))


def test_manifests_of_a_folder_are_read_once(
    tmp_path: Path, dumper: FakeDumper, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Location("file", path=str(tmp_path / "store"))
    settings = evolve(SETTINGS, primary=folder, copies=(), cache_dir=str(tmp_path / "cache"))
    with Service(settings, WHO) as service:
        repository = service.context.repositories(writes=True)[0]
        for number in range(3):
            create_backup(repository, dumper, name=f"b{number}")
        for path in (tmp_path / "store" / "manifests").iterdir():
            os.utime(path, (0, 0))
        wanted = service.list()
        read: list[object] = []
        monkeypatch.setattr(manifests, "outline_from", read.append)
        monkeypatch.setattr(listing, "outline_from", read.append)
        with Service(settings, WHO) as again:
            assert again.list() == wanted
        assert not read


def test_nothing_is_left_open(tmp_path: Path, dumper: FakeDumper) -> None:
    assert not dumper.databases
    before = threading.active_count()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        folder = Location("file", path=str(tmp_path))
        settings = Settings(primary=folder, passphrase=Secret("six words"))
        with Service(settings, WHO) as service:
            service.create_backup(name="one")
            service.verify("one")
        del service
        gc.collect()
    assert threading.active_count() <= before + 2  # the trail's, which end by themselves

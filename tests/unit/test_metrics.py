"""Metrics: computed from stores that real operations filled, and read as Prometheus reads them."""

import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests.servers.apt import AptMissing
from tests.servers.promtool import promtool
from tests.unit.fakes import DAY, NOON, FakeDumper, make_backup

from brownie_backup import RetentionPolicy
from brownie_backup.audit import reader
from brownie_backup.audit.operation import Actor
from brownie_backup.audit.record import AuditRecord, Outcome, Phase, seal
from brownie_backup.config import OpenStores, load_settings, make_repositories
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BackupError, ConfigurationError, StoreUnavailable
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.repository import LeaseRecord, Repository
from brownie_backup.service import Service
from brownie_backup.stores import MemoryStore
from brownie_backup.stores.location import Location
from brownie_backup.telemetry import exposition, prometheus_text, sources, write_textfile
from brownie_backup.telemetry.aggregate import DatabaseMetrics, Labels, MetricsSnapshot, aggregate
from brownie_backup.telemetry.collect import database_name
from brownie_backup.telemetry.exposition import render
from brownie_backup.telemetry.instruments import METRICS
from brownie_backup.telemetry.sources import Entry, Sources, StoreContent

HERE = "file:///here"
THERE = "file:///there"
HOUR = timedelta(hours=1)
KEPT = RetentionPolicy(keep_within=30 * DAY)


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Forget the stores of other tests."""
    sources._KNOWN.clear()
    yield
    sources._KNOWN.clear()


@pytest.fixture
def service(dumper: FakeDumper, tmp_path: Path) -> Service:
    assert not dumper.databases
    settings = Settings(
        primary=Location("file", path=str(tmp_path / "store")),
        copies=(Location("file", path=str(tmp_path / "copy")),),
        encryption=False,
        cache_dir="none",
    )
    return Service(settings, Actor("ann", "cli db1"))


def scraped(stores: OpenStores) -> list[Sample]:
    """Return what /metrics says now, to somebody who has not asked before."""
    sources._KNOWN.clear()
    text, content_type = prometheus_text(stores)
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(text.decode())
    return [sample for family in families for sample in family.samples]


def values(samples: list[Sample], name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by some of its labels."""
    found = [sample for sample in samples if sample.name == name]
    return {tuple(sample.labels[each] for each in labels): sample.value for sample in found}


def alone(samples: list[Sample], name: str) -> float:
    """Return the value of a metric of the first store."""
    return next(
        value for (url,), value in values(samples, name, "store").items() if "/store" in url
    )


# --- by real operations --------------------------------------------------------------------------


def test_what_operations_leave_is_counted(service: Service) -> None:
    first = service.create_backup(name="one")
    second = service.create_backup(name="two")
    service.verify("two")
    service.restore("two", target_database="drill_4711")
    samples = scraped(service.context.stores)
    assert alone(samples, "backup_total") == 2
    assert alone(samples, "backup_errors_total") == 0
    assert alone(samples, "backup_duration_seconds_count") == 2
    assert alone(samples, "backup_restore_duration_seconds_count") == 1
    assert alone(samples, "backup_size_bytes") == second.manifest.stored_bytes
    assert alone(samples, "backup_last_size_bytes") == second.manifest.size_bytes
    finished = second.manifest.finished_at.timestamp()
    assert alone(samples, "backup_last_success_timestamp_seconds") == finished
    assert alone(samples, "backup_last_verified_timestamp_seconds") >= finished
    assert alone(samples, "backup_deduplicated_bytes_total") == second.reused_bytes > 0
    assert alone(samples, "backup_stored_bytes") == first.manifest.stored_bytes
    assert set(values(samples, "backup_copies_missing", "store").values()) == {0}
    assert set(values(samples, "backup_store_reachable", "store").values()) == {1}
    labels = {name for sample in samples for name in sample.labels}
    assert labels == {"database", "store", "kind", "le"}
    assert "drill_4711" not in str(samples)


def test_totals_do_not_fall_when_backups_go(service: Service) -> None:
    for name in ("one", "two", "three"):
        service.create_backup(name=name)
    service.verify("one")
    before = scraped(service.context.stores)
    service.delete("one")
    after = scraped(service.context.stores)
    for total in (
        "backup_total",
        "backup_duration_seconds_count",
        "backup_duration_seconds_sum",
        "backup_deduplicated_bytes_total",
    ):
        assert alone(after, total) == alone(before, total), total
    verified = "backup_last_verified_timestamp_seconds"
    assert alone(after, verified) == pytest.approx(alone(before, verified), abs=5)
    assert alone(before, "backup_deleted_total") == 0
    assert alone(after, "backup_deleted_total") == 1


def test_a_failure_is_counted_and_was_announced(service: Service, dumper: FakeDumper) -> None:
    named = Service(evolve(service.settings, database_url=None), service.actor)
    dumper.fail_after = 10
    with pytest.raises(BackupError):
        named.create_backup(name="one")
    samples = scraped(named.context.stores)
    errors = values(samples, "backup_errors_total", "database")
    assert errors == {("unknown",): 0, (dumper.database.name,): 1}
    dumper.fail_after = None
    named.create_backup(name="two")
    samples = scraped(named.context.stores)
    assert values(samples, "backup_errors_total", "database") == {(dumper.database.name,): 1}
    assert alone(samples, "backup_total") == 1


def test_a_store_that_a_backup_did_not_reach_has_an_error_and_lacks_a_copy(
    service: Service, tmp_path: Path
) -> None:
    (tmp_path / "copy").write_text("no folder")
    service.create_backup(name="one")
    (tmp_path / "copy").unlink()
    samples = scraped(service.context.stores)
    by_store = {
        url.rpartition("/")[2]: value
        for (url,), value in values(samples, "backup_copies_missing", "store").items()
    }
    assert by_store == {"store": 0, "copy": 1}


def test_without_a_trail_the_manifests_are_counted(service: Service, tmp_path: Path) -> None:
    service.create_backup(name="one")
    for path in (tmp_path / "store" / "audit").rglob("*.json"):
        path.unlink()
    samples = scraped(service.context.stores)
    assert alone(samples, "backup_total") == 1
    assert alone(samples, "backup_duration_seconds_count") == 1


def test_promtool_finds_nothing(service: Service) -> None:
    service.create_backup(name="one")
    service.restore("one", target_database="copy")
    sources._KNOWN.clear()
    text, _ = prometheus_text(service.context.stores)
    try:
        program = promtool()
    except AptMissing as missing:
        pytest.skip(str(missing))
    done = subprocess.run(
        [str(program), "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    names = {sample.name.removesuffix("_bucket") for sample in scraped(service.context.stores)}
    assert len(names - {n for n in names if n.endswith(("_count", "_sum"))}) == len(METRICS)


# --- computed ------------------------------------------------------------------------------------


def looked(content: StoreContent, *others: StoreContent, now: datetime = NOON) -> DatabaseMetrics:
    """Return the line of the made-up database in the first store."""
    found = aggregate((content, *others), "shop", 24 * HOUR, now)
    return found.databases[Labels("shop", content.url, "logical")]


def content(*backups: tuple[str, timedelta], url: str = HERE, **more: object) -> StoreContent:
    entries = [Entry(make_backup(name, NOON - age), 100, 60) for name, age in backups]
    whole = StoreContent(url, KEPT, tuple(entries), known=True, reachable=True)
    return evolve(whole, **more)  # type: ignore[arg-type]


def ended(outcome: Outcome = Outcome.SUCCESS, **more: object) -> AuditRecord:
    record = AuditRecord(
        NOON, Phase.END, "op", "backup", "ann", "cli", "db1", outcome=outcome, duration_seconds=5.0
    )
    return evolve(record, **more)  # type: ignore[arg-type]


def begun(ago: timedelta) -> AuditRecord:
    return evolve(ended(), phase=Phase.BEGIN, at=NOON - ago, outcome=None)


def test_an_unencrypted_backup_is_no_success_while_encryption_is_on() -> None:
    planted, ours = content(("planted", HOUR), ("ours", 3 * HOUR)).entries
    found = looked(content(entries=(evolve(planted, expected=False), ours)))
    assert (found.backups, found.last_success) == (2, (NOON - 3 * HOUR).timestamp())


def test_a_database_without_backups_has_its_line() -> None:
    line = looked(content())
    assert (line.backups, line.errors, line.last_success, line.last_size_bytes) == (0, 0, 0, None)


def test_never_is_said_of_the_database_of_the_settings_alone() -> None:
    """Nobody waits for the next backup of a database that is no longer backed up."""
    records = (
        ended(backup="old", database="retired"),
        ended(action="verify", operation="2", backup="old"),
        ended(action="delete", operation="3", backup="old"),
    )
    found = aggregate((content(records=records),), "shop", DAY, NOON)
    retired = found.databases[Labels("retired", HERE, "logical")]
    assert (retired.backups, retired.deleted) == (1, 1)
    assert (retired.last_success, retired.last_verified) == (None, None)
    text = render(found).decode()
    for name in ("success", "verified"):
        lines = re.findall(rf"^backup_last_{name}_timestamp_seconds{{.*", text, re.MULTILINE)
        assert len(lines) == 1
        assert 'database="shop"' in lines[0]
        assert lines[0].endswith(" 0.0")
    kept = aggregate((content(("one", HOUR)),), "other", DAY, NOON)
    shop = kept.databases[Labels("shop", HERE, "logical")]
    assert shop.last_success
    assert shop.last_verified is None


def test_the_trail_and_the_catalogue_are_not_counted_twice() -> None:
    line = looked(content(("one", DAY), ("two", HOUR), records=(ended(backup="two"),)))
    assert line.backups == len(line.backup_seconds) == 2
    gone = looked(content(records=(ended(backup="one", operation="1"), ended(backup="two"))))
    assert gone.backups == 2


def test_a_record_that_was_put_twice_is_counted_once() -> None:
    records = [
        ended(backup="one", operation="1", reused_bytes=7),
        ended(Outcome.FAILURE, operation="2"),
        ended(action="delete", operation="3", backup="one"),
        evolve(begun(2 * HOUR), operation="4"),
    ]
    again = [evolve(record, writer="0" * 16) for record in records]
    line = looked(content(records=(*records, *again)))
    assert (line.backups, len(line.backup_seconds), line.deduplicated_bytes) == (1, 1, 7)
    assert (line.errors, line.deleted) == (2, 1)


def test_what_is_refused_or_only_tried_is_no_failure() -> None:
    records = (
        ended(Outcome.REFUSED),
        ended(Outcome.FAILURE, dry_run=True),
        ended(Outcome.FAILURE, action="restore"),
    )
    assert looked(content(records=records)).errors == 0
    assert looked(content(records=(ended(Outcome.FAILURE),))).errors == 1


def test_a_backup_that_another_store_alone_took_is_a_failure_of_this_one() -> None:
    done = ended(backup="one", not_done_in=(HERE,))
    line = looked(content(records=(done,)))
    assert (line.backups, line.errors) == (0, 1)
    other = looked(content(url=THERE, records=(done,)))
    assert (other.backups, other.errors) == (1, 0)


def lease(acquired_at: datetime, expires_at: datetime) -> LeaseRecord:
    return LeaseRecord("x", "backup", False, "db1", acquired_at, expires_at)  # noqa: FBT003


def test_a_backup_whose_process_died_is_a_failure() -> None:
    began = NOON - 2 * HOUR
    working = lease(began + timedelta(seconds=5), NOON + timedelta(minutes=10))
    died = lease(began + timedelta(seconds=5), began + timedelta(minutes=10))
    other = lease(NOON - HOUR, NOON + HOUR)
    two_hours = begun(2 * HOUR)
    assert looked(content(records=(two_hours,))).errors == 1
    assert looked(content(records=(two_hours,), leases=(died, other))).errors == 1
    assert looked(content(records=(two_hours,), leases=(working,))).errors == 0
    assert looked(content(records=(begun(timedelta(minutes=10)),))).errors == 0
    assert looked(content(records=(two_hours, ended()))).errors == 0
    # The made-up backups take five seconds.
    copying = content(("one", 2 * HOUR - timedelta(seconds=8)), records=(two_hours,))
    assert (looked(copying).errors, looked(copying).backups) == (0, 1)
    assert looked(content(("one", HOUR), records=(two_hours,))).errors == 1


def gone(*names: str, ago: timedelta = HOUR, operation: str = "cleanup") -> AuditRecord:
    found = ended(action="cleanup", operation=operation, deleted=names)
    return evolve(found, at=NOON - ago)


NAMELESS = "shop-20260301T100003Z-3f9a"
"""Begun two hours before noon, and a little."""


def test_a_killed_backup_that_was_there_is_no_failure_when_it_is_deleted() -> None:
    two_hours = begun(2 * HOUR)
    named = evolve(two_hours, backup="one")
    delete = evolve(gone(), action="delete", backup="one", deleted=())
    for records in (
        (named, gone("one")),
        (named, delete),
        (two_hours, gone(NAMELESS)),
        (two_hours, evolve(delete, backup=NAMELESS)),
        # Just begun in the same second.
        (evolve(two_hours, at=two_hours.at + timedelta(seconds=3.5)), gone(NAMELESS)),
        (two_hours, gone("shop-99991231T235959Z-3f9a", "x-00010101T000000Z-0", NAMELESS)),
        (two_hours, gone(NAMELESS), gone(NAMELESS, operation="of another store")),
    ):
        line = looked(content(records=records))
        assert (line.errors, line.backups) == (0, 1), records


def test_a_killed_backup_is_a_failure_whatever_else_is_deleted() -> None:
    two_hours = begun(2 * HOUR)
    named = evolve(two_hours, backup="one")
    failed_delete = ended(Outcome.FAILURE, action="delete", operation="3", backup="one")
    of_another = evolve(ended(backup=NAMELESS, operation="2"), at=NOON - 1.5 * HOUR)
    for records in (
        (named, gone("two")),
        (named, gone("one", ago=3 * HOUR)),
        (named, evolve(gone("one"), dry_run=True)),
        (named, failed_delete),
        (two_hours, gone("one")),
        (two_hours, gone("shop-20260301T090003Z-3f9a", "shop-20260301T110003Z-3f9a")),
        (two_hours, of_another, gone(NAMELESS)),
        (named, evolve(of_another, backup="one"), gone("one")),
    ):
        assert looked(content(records=records)).errors == 1, records


def test_a_verification_counts_when_its_backup_is_deleted() -> None:
    verified = evolve(ended(action="verify", backup="one"), at=NOON - 2 * HOUR)
    when = (NOON - 2 * HOUR).timestamp()
    assert looked(content(("two", HOUR), records=(verified,))).last_verified == when
    assert looked(content(("one", HOUR), records=(verified,))).last_verified == when
    failed = evolve(verified, outcome=Outcome.FAILURE)
    assert looked(content(("two", HOUR), records=(failed,))).last_verified == 0
    # The store's own copy was not what was verified, or it was found damaged later.
    assert looked(content(("one", DAY), records=(verified,))).last_verified == 0


def test_a_name_that_is_used_again_does_not_make_an_old_backup_a_failure() -> None:
    named = evolve(begun(2 * HOUR), backup="one")
    removed = gone("one", ago=1.5 * HOUR)
    again = ended(backup="one", operation="2")
    line = looked(content(records=(named, removed, again)))
    assert (line.errors, line.backups) == (0, 2)
    before = evolve(again, at=NOON - 3 * HOUR)
    killed = content(("one", 2 * HOUR - timedelta(seconds=8)), records=(before, named))
    assert looked(killed).errors == 0


def test_a_backup_by_another_does_not_hide_that_one_was_killed() -> None:
    made = ended(backup="one", operation="2")
    tried_again = content(("one", 2 * HOUR - timedelta(seconds=8)), records=(begun(2 * HOUR), made))
    assert looked(tried_again).errors == 1


def test_what_is_deleted_is_of_the_database_that_it_is_named_after() -> None:
    other = content(("one", HOUR), records=(begun(2 * HOUR), gone(NAMELESS)))
    lines = aggregate((other,), "crm", DAY, NOON).databases
    shop, crm = (lines[Labels(name, HERE, "logical")] for name in ("shop", "crm"))
    assert (shop.backups, shop.deleted, shop.errors) == (2, 1, 0)
    assert (crm.backups, crm.deleted, crm.errors) == (0, 0, 0)


def test_what_a_policy_would_delete_is_not_missing() -> None:
    here = content(("new", HOUR))
    there = content(("new", HOUR), ("day", DAY), ("old", 40 * DAY), url=THERE)
    assert looked(here, there).missing == 1
    assert looked(there, here).missing == 0


def test_a_damaged_copy_is_missing_if_another_is_good() -> None:
    entry = content(("one", HOUR)).entries[0]
    bad = evolve(entry, backup=make_backup("one", NOON - HOUR, good=False))
    assert looked(content(entries=(bad,)), content(("one", HOUR), url=THERE)).missing == 1


def test_a_lease_has_the_age_of_the_oldest() -> None:
    held = (lease(NOON - HOUR, NOON + HOUR), lease(NOON - 3 * HOUR, NOON))
    found = aggregate((content(leases=held),), "shop", HOUR, NOON)
    assert found.stores[0].lease_age_seconds == 3 * 3600


def test_a_store_that_was_never_read_says_nothing_but_that() -> None:
    found = aggregate((StoreContent(HERE, KEPT),), "shop", HOUR, NOON)
    text = render(found).decode()
    assert 'backup_store_reachable{store="file:///here"} 0.0' in text
    assert "backup_stored_bytes{" not in text
    assert "backup_last_success_timestamp_seconds{" not in text


def test_names_that_need_quoting_are_read_back() -> None:
    name = 'a "b"\\\n{c}=ü'
    line = DatabaseMetrics(backups=3)
    text = render(MetricsSnapshot(name, 60.0, NOON, {Labels(name, HERE, "logical"): line})).decode()
    (total,) = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "backup_total"
    ]
    assert (total.labels["database"], total.value) == (name, 3)


def test_the_database_is_named_without_asking_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGDATABASE", raising=False)
    assert database_name(load_settings({})) is None
    monkeypatch.setenv("PGDATABASE", "crm")
    assert database_name(load_settings({})) == "crm"
    url = {"BACKUP_DATABASE_URL": "postgresql://u:secret@h/shop"}
    assert database_name(load_settings(url)) == "shop"


class CountingStore(MemoryStore):
    """Counts what is got."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[str] = []

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return an object."""
        self.got.append(key)
        return super().get(key, most_bytes)


def test_a_trail_that_is_too_long_to_be_remembered_is_not_forgotten_as_a_whole() -> None:
    remembered = reader.RecordCache(most=8)
    store = CountingStore()
    for number in range(1, 11):
        name, data = seal(evolve(ended(), writer="0" * 16, sequence=number), NOON)
        store.put(name.key, data)
    reads = []
    for _ in range(3):
        assert len(reader.read_trail(store, NOON, remembered=remembered)) == 10
        reads.append(len(store.got))
    assert reads == [10, 12, 14]


# --- how often stores are read -------------------------------------------------------------------


class Time:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return what time it is."""
        return self.now


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is read, by a made-up way to read stores."""
    done: list[str] = []

    def read(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        done.append(repository.store.url)
        return content(url=repository.store.url)

    monkeypatch.setattr(sources, "read_content", read)
    return done


def make_sources(tmp_path: Path, clock: Time) -> Sources:
    settings = Settings(
        primary=Location("file", path=str(tmp_path)), encryption=False, cache_dir="none"
    )
    return Sources(make_repositories(settings), [settings.policy], clock)


def test_a_scrape_soon_after_another_reads_nothing(tmp_path: Path, reads: list[str]) -> None:
    clock = Time()
    stores = make_sources(tmp_path, clock)
    stores.contents()
    clock.now = 9.0
    stores.contents()
    assert len(reads) == 1
    clock.now = 11.0
    stores.contents()
    assert len(reads) == 2


def test_what_takes_long_is_read_less_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, reads = Time(), []

    def read(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        reads.append(clock.now)
        clock.now += 20
        return content(url=repository.store.url)

    monkeypatch.setattr(sources, "read_content", read)
    stores = make_sources(tmp_path, clock)
    for now in (0.0, 100.0, 200.0, 221.0):
        clock.now = max(now, clock.now)
        stores.contents()
    assert reads == [0.0, 221.0]


def test_one_reads_at_a_time_and_nobody_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, reads = threading.Event(), []

    def read(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        reads.append(1)
        go.wait(30)
        return content(url=repository.store.url)

    monkeypatch.setattr(sources, "read_content", read)
    stores = make_sources(tmp_path, Time())
    for _ in range(3):
        (found,) = stores.contents(timedelta(milliseconds=20))
        assert not found.known
        assert not found.reachable
    assert len(reads) == 1
    go.set()
    (found,) = stores.contents()
    assert found.known
    assert found.reachable


def test_of_a_store_out_of_reach_the_last_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reads: list[str]
) -> None:
    clock = Time()
    stores = make_sources(tmp_path, clock)
    stores.contents()

    def fail(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(sources, "read_content", fail)
    clock.now = 60.0
    (found,) = stores.contents()
    assert found.known
    assert not found.reachable


def test_a_defect_does_not_look_like_an_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        raise ZeroDivisionError

    monkeypatch.setattr(sources, "read_content", fail)
    with pytest.raises(ZeroDivisionError):
        make_sources(tmp_path, Time()).contents()


# --- the textfile --------------------------------------------------------------------------------


def to_file(service: Service, path: Path) -> OpenStores:
    """Return the service's stores, with a file that their metrics go to."""
    return OpenStores(evolve(service.settings, metrics_textfile=str(path)))


def test_the_textfile_is_replaced_as_a_whole(service: Service, tmp_path: Path) -> None:
    service.create_backup(name="one")
    target = tmp_path / "out" / "backup.prom"
    target.parent.mkdir()
    target.write_text("old")
    before = target.stat().st_ino
    write_textfile(to_file(service, target))
    assert "backup_total{" in target.read_text()
    assert target.stat().st_ino != before
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(target.parent.iterdir()) == [target]


def test_the_textfile_knows_what_was_done_a_moment_ago(service: Service, tmp_path: Path) -> None:
    prometheus_text(service.context.stores)
    service.create_backup(name="one")
    target = tmp_path / "backup.prom"
    write_textfile(to_file(service, target))
    assert re.search(r"^backup_total{.*/store\"} 1\.0$", target.read_text(), re.MULTILINE)


def test_the_textfile_stays_while_a_store_says_nothing(
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    target = tmp_path / "backup.prom"
    stores = to_file(service, target)
    service.create_backup(name="one")
    answers = threading.Event()
    really_read = sources.read_content

    def read(repository: Repository, policy: RetentionPolicy) -> StoreContent:
        if repository.store.url.endswith("/store"):
            answers.wait()
        return really_read(repository, policy)

    monkeypatch.setattr(sources, "read_content", read)
    short = timedelta(seconds=0.2)
    try:
        # There is no file yet, so it must say that the store is out of reach.
        exposition.write(stores, str(target), wait=short)
        first = target.read_text()
        assert re.search(r"^backup_store_reachable{.*/store\"} 0\.0$", first, re.MULTILINE)
        target.write_text("old")
        caplog.clear()
        exposition.write(stores, str(target), wait=short)
        assert target.read_text() == "old"
        url = (tmp_path / "store").as_uri()
        assert [record.getMessage() for record in caplog.records] == [
            f"{target} keeps its old numbers: those of {url} could not be read"
        ]
    finally:
        answers.set()
    write_textfile(stores)
    assert "backup_total{" in target.read_text()


def test_a_textfile_that_cannot_be_written_is_said(service: Service, tmp_path: Path) -> None:
    for path in (tmp_path / "missing" / "x.prom", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be written"):
            write_textfile(to_file(service, path))
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*"))


def test_many_who_ask_at_once_get_one_answer(tmp_path: Path) -> None:
    clock, made = Time(), []
    stores = make_sources(tmp_path, clock)

    def make() -> bytes:
        made.append(clock.now)
        clock.now += 2
        return b"text"

    found = stores.contents()
    threads = [threading.Thread(target=stores.once, args=(found, make)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [0.0]
    clock.now = 21.0  # ten times as long as it took
    assert stores.once(found, make) == b"text"
    assert made == [0.0]
    clock.now = 23.0
    stores.once(found, make)
    assert made == [0.0, 23.0]
    stores.once(stores.contents(), make)
    assert made == [0.0, 23.0, 25.0]

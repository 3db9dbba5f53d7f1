"""Backups of several kinds in one store, one of which this version does not know."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from tests.unit.backups import sealed
from tests.unit.fakes import (
    DATABASE,
    DAY,
    NOON,
    FakeClock,
    FakeDumper,
    make_backup,
    make_manifest,
    make_repository,
    make_writer,
    noise,
)

from brownie_backup import (
    Backup,
    Repository,
    RetentionPolicy,
    Status,
    apply_retention,
    compare_with_database,
    create_backup,
    delete_backup,
    hold_backup,
    list_backups,
    plan_retention,
    restore,
    sync_backups,
    verify_backup,
)
from brownie_backup.errors import (
    BackupNotFound,
    DamagedError,
    DeletionRefused,
    DumpFailed,
    UnsupportedFormat,
)
from brownie_backup.format.converter import (
    from_json,
    manifest_from_bytes,
    manifest_to_bytes,
    to_json,
)
from brownie_backup.format.layout import (
    ATTEMPTS,
    HOLDS,
    attempt_key,
    blob_key,
    blob_list_key,
    manifest_key,
    verification_key,
)
from brownie_backup.hints import LIBRARY, BackupHint
from brownie_backup.model import (
    FORMAT,
    Attempt,
    BackupSet,
    BlobRef,
    Cluster,
    Kind,
    Verification,
)
from brownie_backup.operations.history import read_history
from brownie_backup.operations.status import report_status
from brownie_backup.operations.status_report import StatusReport
from brownie_backup.repository.catalogue.holds import add_attempt, read_attempt
from brownie_backup.repository.catalogue.manifests import _list_name
from brownie_backup.schedule import Schedule
from brownie_backup.service.documents import backup_document, status_document
from brownie_backup.telemetry.aggregate import Labels, aggregate
from brownie_backup.telemetry.sources import read_content

PHYSICAL = "physical-test"
ELSEWHERE = "7000000000000000002"
HOUR = timedelta(hours=1)
KEEP_2 = RetentionPolicy(None, keep_last=2, keep_min=1, most_deleted_share=1.0)
SHOP = BackupSet(DATABASE.system_identifier, "shop", Kind.LOGICAL)


def plain_manifest(repository: Repository, name: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Return a manifest of a kind that only a newer version knows, as JSON."""
    identity = repository.identity()
    usual = evolve(
        make_manifest(name, repository.clock()),
        repository_id=identity.id,
        hash_key=identity.hash_key,
        encryption=make_writer(repository).encryption,
    )
    plain: dict[str, Any] = json.loads(manifest_to_bytes(usual))
    # What a logical backup has otherwise, or not at all.
    plain |= {"kind": PHYSICAL, "wal": "0/1A000028", "read_fully_at": 17, "layers": [1.5, None]}
    return plain | changes


def add_physical(
    repository: Repository,
    name: str,
    *,
    content: bytes = b"",
    **changes: Any,  # noqa: ANN401 - any JSON
) -> bytes:
    """Store a backup of the unknown kind, with two blobs; return the bytes of its manifest."""
    writer = make_writer(repository)
    refs = [writer.put(name.encode() + content).ref, writer.put(b"pages" * 100).ref]
    blobs = [
        {"name": r.name, "size_bytes": r.size_bytes, "stored_bytes": r.stored_bytes, "begins": "x"}
        for r in refs
    ]
    part = {"kind": "pieces", "size_bytes": sum(ref.size_bytes for ref in refs), "blobs": blobs}
    part |= {"table": ["of another shape"], "rows": "many"}
    data = sealed(plain_manifest(repository, name, **({"parts": [part]} | changes)))
    repository.store.put(manifest_key(name), data)
    return data


def whole_cluster(identifier: str = ELSEWHERE) -> dict[str, Any]:
    return {"database": None, "cluster": {"system_identifier": identifier, "tablespaces": 3}}


def add_newer_format(repository: Repository, name: str) -> None:
    data = json.dumps({"format": FORMAT + 1, "name": name, "all": "different"}).encode()
    repository.store.put(manifest_key(name), data)


@pytest.fixture
def repository(clock: FakeClock) -> Repository:
    """Return a store with logical backups, and between them others, an hour apart."""
    repository = make_repository(clock=clock)
    for number in range(1, 4):
        create_backup(repository, FakeDumper(noise(number)), name=f"logical-{number}")
        clock.advance(HOUR)
        add_physical(repository, f"physical-{number}")
        clock.advance(HOUR)
    add_physical(repository, "cluster", **whole_cluster())
    clock.advance(HOUR)
    return repository


def by_name(repository: Repository) -> dict[str, Backup]:
    return {backup.name: backup for backup in list_backups(repository)}


# --- what is read of it --------------------------------------------------------------------------


def test_what_all_kinds_have_in_common_is_read_and_the_rest_is_kept(
    repository: Repository,
) -> None:
    manifest = by_name(repository)["physical-1"].manifest
    assert manifest
    assert (manifest.kind, manifest.known) == (PHYSICAL, False)
    assert manifest.started_at < manifest.finished_at
    assert manifest.backup_set == BackupSet(DATABASE.system_identifier, "shop", PHYSICAL)
    assert manifest.unknown == {"wal": "0/1A000028", "read_fully_at": 17, "layers": [1.5, None]}
    assert (manifest.wal, manifest.read_fully_at) == (None, None)
    (part,) = manifest.parts
    assert (part.kind, part.rows, part.table, len(part.blobs)) == ("pieces", None, None, 2)
    assert part.unknown == {"table": ["of another shape"], "rows": "many"}


def test_a_backup_of_a_whole_cluster_names_that(repository: Repository) -> None:
    manifest = by_name(repository)["cluster"].manifest
    assert manifest
    assert manifest.database is None
    assert manifest.cluster == Cluster(ELSEWHERE, {"tablespaces": 3})
    assert manifest.backup_set == BackupSet(ELSEWHERE, None, PHYSICAL)
    assert manifest.backup_set.name == ELSEWHERE
    assert str(manifest.backup_set) == f"cluster {ELSEWHERE} ({PHYSICAL})"


@pytest.mark.parametrize(
    "changes",
    [
        {"database": {"name": "shop"}, "cluster": "of another shape"},
        {"database": "shop", "cluster": {"system_identifier": 5}},
    ],
)
def test_a_database_that_is_described_otherwise_is_kept_as_it_is(
    repository: Repository, changes: dict[str, Any]
) -> None:
    manifest = manifest_from_bytes(sealed(plain_manifest(repository, "x", **changes)), "it")
    assert (manifest.database, manifest.cluster) == (None, None)
    assert changes.items() <= manifest.unknown.items()
    assert manifest.backup_set == BackupSet("", None, PHYSICAL)


@pytest.mark.parametrize("parts", [None, "ab", [{"kind": "x"}], [{"blobs": 5}], [5]])
def test_without_what_is_common_it_is_unsupported_and_not_damaged(
    repository: Repository, parts: object
) -> None:
    data = sealed(plain_manifest(repository, "odd", parts=parts))
    with pytest.raises(UnsupportedFormat, match=PHYSICAL):
        manifest_from_bytes(data, "it")
    repository.store.put(manifest_key("odd"), data)
    assert by_name(repository)["odd"].status is Status.UNSUPPORTED


def test_a_changed_manifest_is_damaged_whatever_its_kind(repository: Repository) -> None:
    data = sealed(plain_manifest(repository, "x"))
    with pytest.raises(DamagedError):
        manifest_from_bytes(data.replace(b"layers", b"lovers"), "it")


def test_a_logical_backup_without_a_database_is_damaged(repository: Repository) -> None:
    for changes in ({"database": None}, whole_cluster()):
        plain = plain_manifest(repository, "x", kind="logical", wal=None, read_fully_at=None)
        with pytest.raises(DamagedError):
            manifest_from_bytes(sealed(plain | changes), "it")


def test_it_is_never_written_anew(repository: Repository) -> None:
    manifest = manifest_from_bytes(sealed(plain_manifest(repository, "x")), "it")
    with pytest.raises(AssertionError):
        manifest_to_bytes(manifest)


# --- catalogue -----------------------------------------------------------------------------------


def test_all_are_listed_and_none_is_damaged(repository: Repository) -> None:
    backups = by_name(repository)
    assert len(backups) == 7
    assert {backup.status for backup in backups.values()} == {Status.GOOD}
    assert backup_document(backups["physical-1"])["kind"] == PHYSICAL
    assert backup_document(backups["cluster"])["database"] is None


def test_a_blob_that_is_lost_is_damage_whatever_the_kind(repository: Repository) -> None:
    manifest = repository.manifest("physical-2")
    repository.store.delete(blob_key(manifest.blobs[0].name))
    assert by_name(repository)["physical-2"].status is Status.DAMAGED


def test_latest_is_the_newest_logical_one(repository: Repository) -> None:
    for database in (None, "shop", "crm"):
        assert repository.backup("latest", database=database).name == "logical-3"
    assert repository.backup("latest", kind=PHYSICAL, database="shop").name == "physical-3"
    assert repository.backup("latest", kind=PHYSICAL, database=ELSEWHERE).name == "cluster"
    with pytest.raises(BackupNotFound):
        repository.backup("latest", kind="another")
    assert repository.backup("physical-1").name == "physical-1"


def test_where_all_are_of_other_kinds_there_is_no_latest(clock: FakeClock) -> None:
    repository = make_repository(clock=clock)
    add_physical(repository, "physical")
    with pytest.raises(BackupNotFound):
        repository.backup("latest")
    with pytest.raises(BackupNotFound):
        restore(repository, FakeDumper(), "latest")


def test_lists_of_blobs_may_have_more_columns(repository: Repository) -> None:
    (part,) = repository.manifest("physical-1").parts
    rows = [[b.name, b.size_bytes, b.stored_bytes, "offset", 7] for b in part.blobs]
    data = json.dumps(rows).encode()
    name = _list_name(data, repository.manifest("physical-1"))
    repository.store.put(blob_list_key(name), data)
    listed = {"kind": "pieces", "size_bytes": 9, "blobs": [], "blob_lists": [name]}
    plain = plain_manifest(repository, "long", parts=[listed])
    repository.store.put(manifest_key("long"), sealed(plain))
    assert by_name(repository)["long"].status is Status.GOOD
    assert repository.manifest("long").blobs == part.blobs


# --- retention -----------------------------------------------------------------------------------


def test_each_kind_counts_by_itself_and_what_is_not_known_stays(repository: Repository) -> None:
    decisions = plan_retention(list_backups(repository), KEEP_2, repository.clock(), database=None)
    reasons = {d.backup.name: d.reason for d in decisions if d.keep}
    others = ("physical-1", "physical-2", "physical-3", "cluster")
    expected = dict.fromkeys(others, f"kind '{PHYSICAL}' is not known to this version")
    assert reasons == expected | {"logical-3": "last (1 of 2)", "logical-2": "last (2 of 2)"}


def test_one_good_backup_of_another_kind_does_not_replace_the_last_one() -> None:
    """Even for a store in which there is just one logical backup, and it is old."""
    physical = evolve(make_backup("new", NOON), manifest=evolve(make_manifest("new"), kind="new"))
    old = make_backup("old", NOON - 99 * DAY)
    policy = RetentionPolicy(keep_within=DAY, keep_min=1)
    assert all(d.keep for d in plan_retention([physical, old], policy, NOON, database=None))


def test_a_cleanup_takes_no_blob_that_another_kind_needs(
    repository: Repository, clock: FakeClock
) -> None:
    clock.advance(3 * DAY)
    rubbish = make_writer(repository).put(b"named by nobody").ref
    clock.advance(3 * DAY)
    would = apply_retention(repository, KEEP_2, database=None, dry_run=True)
    report = apply_retention(repository, KEEP_2, database=None)
    assert report.deleted == would.deleted == ("logical-1",)
    (note,) = report.notes
    assert (
        note == f"kept regardless of the policy, because this version does not know '{PHYSICAL}': 4"
    )
    assert would.notes == report.notes
    assert rubbish.name not in repository.blob_sizes()
    assert report.swept_blobs > 1
    assert {backup.status for backup in list_backups(repository)} == {Status.GOOD}


def test_other_backups_do_not_make_the_share_smaller(
    repository: Repository, clock: FakeClock
) -> None:
    for number in range(4, 7):
        create_backup(repository, FakeDumper(), name=f"logical-{number}")
        clock.advance(HOUR)
    policy = evolve(KEEP_2, keep_last=1, most_deleted_share=0.6)
    with pytest.raises(DeletionRefused, match="5 of 6 backups of 'shop'"):
        apply_retention(repository, policy, database=None)


# --- attempts ------------------------------------------------------------------------------------


def test_an_attempt_of_one_kind_says_nothing_of_another(repository: Repository) -> None:
    now = repository.clock()
    physical = Attempt("shop", "physical-4", now, PHYSICAL)
    before = read_attempt(repository.store, "shop")
    add_attempt(repository.store, physical)  # and it fails
    assert read_attempt(repository.store, "shop") == before
    assert read_attempt(repository.store, "shop", PHYSICAL) == physical
    assert apply_retention(repository, KEEP_2, database=None).deleted == ("logical-1",)
    with pytest.raises(DumpFailed):
        create_backup(repository, FakeDumper(fail_after=5), name="logical-4")
    add_physical(repository, "physical-5")  # and it is good
    with pytest.raises(DeletionRefused, match="'logical-4'"):
        apply_retention(repository, evolve(KEEP_2, keep_last=1), database=None)


def test_attempts_of_logical_backups_are_stored_as_ever() -> None:
    assert attempt_key("shop") == attempt_key("shop", Kind.LOGICAL) != attempt_key("shop", PHYSICAL)
    assert attempt_key("shop") == f"{ATTEMPTS}{hashlib.sha256(b'shop').hexdigest()}.json"
    old = b'{"backup":"one","database":"shop","started_at":"2026-03-01T12:00:00+00:00"}'
    attempt = from_json(old, Attempt, "it")
    assert attempt == Attempt("shop", "one", NOON, Kind.LOGICAL)
    assert to_json(attempt) == old
    assert from_json(to_json(evolve(attempt, kind=PHYSICAL)), Attempt, "it").kind == PHYSICAL


def test_deleting_a_backup_forgets_the_attempt_of_its_own_kind_only(
    repository: Repository,
) -> None:
    now = repository.clock()
    for kind in (Kind.LOGICAL, PHYSICAL):
        add_attempt(repository.store, Attempt("shop", "physical-3", now, kind))
    delete_backup(repository, "physical-3")
    assert read_attempt(repository.store, "shop", PHYSICAL) is None
    assert read_attempt(repository.store, "shop") is not None


# --- status, history, metrics --------------------------------------------------------------------


def report(repository: Repository, database: str | None = "shop") -> StatusReport:
    now, schedule = repository.clock(), Schedule("0 2 * * *", "UTC")
    return report_status(
        [repository], schedule, now, database=database, policies=[RetentionPolicy()]
    )


@pytest.mark.parametrize("database", [None, "shop"])
def test_status_is_about_logical_backups(repository: Repository, database: str | None) -> None:
    found = report(repository, database)
    assert [backup.name for backup in found.backups] == ["logical-3", "logical-2", "logical-1"]
    assert found.last_good
    assert found.last_good.name == "logical-3"
    (store,) = found.stores
    assert store.last_good
    assert store.last_good.name == "logical-3"
    assert (len(store.backups), store.damaged) == (7, ())
    assert found.state == "ok"
    assert not {name for name in store.would_delete if not name.startswith("logical")}
    assert status_document(found, LIBRARY)["last_backup"]["name"] == "logical-3"


def test_status_is_late_although_other_kinds_are_not(
    repository: Repository, clock: FakeClock
) -> None:
    clock.advance(3 * DAY)
    add_physical(repository, "physical-4")
    assert report(repository).state == "late"


def test_history_is_of_one_kind(repository: Repository) -> None:
    verify_backup(repository, FakeDumper(), "physical-1")
    history = read_history([repository], "shop")
    assert history.last_good
    assert history.last_good.name == "logical-3"
    assert (history.backup_failed, history.last_verified_at) == (False, None)
    add_attempt(repository.store, Attempt("shop", "no", repository.clock(), PHYSICAL))
    assert not read_history([repository], "shop").backup_failed
    physical = read_history([repository], "shop", PHYSICAL)
    assert physical.last_good
    assert physical.last_good.name == "physical-3"
    assert physical.backup_failed
    assert physical.last_verified_at


def test_metrics_have_a_line_for_each_kind(repository: Repository) -> None:
    verify_backup(repository, FakeDumper(), "physical-2")
    now = repository.clock()
    content = read_content(repository, RetentionPolicy())
    found = aggregate([content], None, DAY, now)
    assert found.database == "shop"
    url = repository.store.url
    logical = found.databases[Labels("shop", url, "logical")]
    physical = found.databases[Labels("shop", url, PHYSICAL)]
    cluster = found.databases[Labels(ELSEWHERE, url, PHYSICAL)]
    assert [each.backups for each in (logical, physical, cluster)] == [3, 3, 1]
    assert len(found.databases) == 3
    assert logical.last_success == finished(repository, "logical-3").timestamp()
    assert physical.last_success == finished(repository, "physical-3").timestamp()
    assert physical.last_verified == now.timestamp()
    assert logical.last_verified == 0


def test_metrics_say_what_a_copy_lacks_of_each_kind(
    repository: Repository, clock: FakeClock
) -> None:
    contents = [
        read_content(each, RetentionPolicy()) for each in (repository, make_repository(clock=clock))
    ]
    contents[1] = evolve(contents[1], url="memory:copy")
    found = aggregate(contents, "shop", DAY, clock())
    assert found.databases[Labels("shop", "memory:copy", PHYSICAL)].missing == 3
    assert found.databases[Labels(ELSEWHERE, "memory:copy", PHYSICAL)].missing == 1


def finished(repository: Repository, name: str) -> datetime:
    return repository.manifest(name).finished_at


# --- by name -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dry_run", [False, True])
def test_it_is_never_restored(repository: Repository, *, dry_run: bool) -> None:
    dumper = FakeDumper()
    with pytest.raises(
        UnsupportedFormat, match=f"'physical-3' is of the kind '{PHYSICAL}'"
    ) as caught:
        restore(repository, dumper, "physical-3", dry_run=dry_run)
    assert caught.value.hint == BackupHint.UPGRADE()
    assert dumper.databases == {}
    with pytest.raises(UnsupportedFormat):
        compare_with_database(repository, dumper, "physical-3")


def test_it_is_verified_blob_by_blob(repository: Repository) -> None:
    class NoDumper(FakeDumper):
        def check(self, *_: object) -> None:
            raise AssertionError

    found = verify_backup(repository, NoDumper(), "physical-1")
    assert (found.good, found.complete, found.total_blobs) == (True, True, 2)
    name = repository.manifest("physical-1").blobs[0].name
    data = bytearray(repository.store.get(blob_key(name)))
    data[-1] ^= 1
    repository.store.put(blob_key(name), bytes(data))
    found = verify_backup(repository, NoDumper(), "physical-1")
    assert found.damaged_blobs == (name,)
    assert by_name(repository)["physical-1"].status is Status.DAMAGED


def test_good_blobs_take_back_nothing_that_was_found_in_a_part(repository: Repository) -> None:
    manifest = repository.manifest("physical-1")
    problem = ("the label is lost",)
    worse = Verification("physical-1", manifest.id, NOON, False, 2, 2, problems=problem)  # noqa: FBT003 - as in the class
    repository.add_verification(worse)
    assert verify_backup(repository, FakeDumper(), "physical-1").good
    stored = from_json(repository.store.get(verification_key("physical-1")), Verification, "it")
    assert stored == worse


def test_it_can_be_held_and_deleted(repository: Repository) -> None:
    hold_backup(repository, "physical-1")
    assert by_name(repository)["physical-1"].hold
    with pytest.raises(DeletionRefused):
        delete_backup(repository, "physical-1")
    delete_backup(repository, "physical-2")
    assert "physical-2" not in by_name(repository)


# --- copies --------------------------------------------------------------------------------------


def test_it_is_copied_byte_for_byte(repository: Repository, clock: FakeClock) -> None:
    copy = make_repository(clock=clock)
    (_, synced) = sync_backups([repository, copy])
    assert set(synced.copied) == by_name(repository).keys()
    assert synced.problems == ()
    for name, backup in by_name(copy).items():
        assert backup.status is Status.GOOD
        key = manifest_key(name)
        assert copy.store.get(key) == repository.store.get(key)
    assert sync_backups([repository, copy])[1].copied == ()


def test_its_lists_of_blobs_are_copied_too(repository: Repository, clock: FakeClock) -> None:
    test_lists_of_blobs_may_have_more_columns(repository)
    (name,) = repository.manifest("long").parts[0].blob_lists
    copy = make_repository(clock=clock)
    sync_backups([repository, copy])
    key = blob_list_key(name)
    assert copy.store.get(key) == repository.store.get(key)
    assert copy.manifest("long") == repository.manifest("long")


def test_it_is_not_copied_where_a_blob_has_another_size(
    repository: Repository, clock: FakeClock
) -> None:
    """To say so, its manifest would have to be written anew."""
    hold_backup(repository, "physical-1")
    copy = make_repository(clock=clock)
    identity = repository.identity()
    copy.identity(identity)
    ref: BlobRef = repository.manifest("physical-1").blobs[0]
    longer = repository.store.get(blob_key(ref.name)) + b"!"
    copy.store.put(blob_key(ref.name), longer)
    (_, synced) = sync_backups([repository, copy])
    (problem,) = synced.problems
    assert "physical-1: it is not copied: blobs of it have other sizes here" in problem.message
    assert by_name(copy).keys() == by_name(repository).keys() - {"physical-1"}
    assert not [*copy.store.list(HOLDS)]


# --- a newer format ------------------------------------------------------------------------------


def test_a_newer_format_is_unsupported_kept_and_keeps_all_blobs(
    repository: Repository, clock: FakeClock
) -> None:
    add_newer_format(repository, "newer")
    backup = by_name(repository)["newer"]
    assert (backup.status, backup.manifest) == (Status.UNSUPPORTED, None)
    assert "format 2" in backup.problem
    assert backup_document(backup)["status"] == "unsupported"
    clock.advance(3 * DAY)
    rubbish = make_writer(repository).put(b"maybe its own").ref
    clock.advance(3 * DAY)
    report_ = apply_retention(repository, KEEP_2, database=None)
    assert report_.deleted == ("logical-1",)
    assert report_.swept_blobs == 0
    assert any("no blob was removed" in note for note in report_.notes)
    (decision,) = (d for d in report_.decisions if d.backup.name == "newer")
    assert "a newer version made it" in decision.reason
    assert rubbish.name in repository.blob_sizes()


def test_a_newer_format_is_neither_restored_nor_verified_nor_damaged(
    repository: Repository,
) -> None:
    add_newer_format(repository, "newer")
    assert repository.backup("newer").status is Status.UNSUPPORTED
    for verb in (restore, verify_backup, compare_with_database):
        with pytest.raises(UnsupportedFormat, match="format 2"):
            verb(repository, FakeDumper(), "newer")
    with pytest.raises(UnsupportedFormat):
        hold_backup(repository, "newer")
    assert repository.backup("latest").name == "logical-3"
    found = report(repository)
    assert (found.state, found.stores[0].damaged) == ("ok", ())
    content = read_content(repository, RetentionPolicy())
    assert len(aggregate([content], "shop", DAY, repository.clock()).databases) == 3
    delete_backup(repository, "newer")
    assert "newer" not in by_name(repository)


def test_a_newer_format_is_not_copied_and_sync_says_so(
    repository: Repository, clock: FakeClock
) -> None:
    add_newer_format(repository, "newer")
    (_, synced) = sync_backups([repository, make_repository(clock=clock)])
    (problem,) = synced.problems
    assert "newer is not copied" in problem.message
    assert "format 2" in problem.message
    assert len(synced.copied) == 7

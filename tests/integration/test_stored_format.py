"""All that version 0.1.0 stored is still read, and reading it changes nothing."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.serving import serving
from tests.integration.stored_format import (
    DATA,
    DATABASE,
    DUMPS,
    EXPECTED,
    PRIVATE_KEY,
    REPOSITORIES,
    Stored,
    contents,
    copy_of,
    prefixes,
    subset,
)
from tests.integration.waiting import wait_until
from tests.servers.process import free_ports
from tests.servers.running import Server, Servers

from brownie_backup import (
    Repository,
    RestoreOptions,
    Secret,
    create_backup,
    list_backups,
    restore,
    verify_backup,
)
from brownie_backup.audit.operation import Actor
from brownie_backup.compressors import Zstd
from brownie_backup.config import load_settings
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import GnuPG
from brownie_backup.format import layout
from brownie_backup.service import Service
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

RESTORED = f"{DATABASE}_restored"
PLAIN = f"{DATABASE}_plain"
KEEP_ONE = {"BACKUP_KEEP_LAST": "1"}
CLEANUP = ("cleanup", "--all-databases", "--yes-delete-many")
DAMAGED = {"in-clear": {"damaged"}}


@pytest.fixture
def server(servers: Servers) -> Iterator[Server]:
    """A server without the roles and the database of the backups, before and after."""
    server = servers.get(18)
    yield server
    for name in server.databases(f"{DATABASE}%"):
        server.drop(name)
    for role in EXPECTED["roles"]:
        server.sql("postgres", f"DROP ROLE IF EXISTS {role}")


@pytest.fixture(params=REPOSITORIES)
def stored(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Stored:
    """Each repository."""
    return copy_of(request.param, server, tmp_path)


@pytest.fixture
def by_public_key(server: Server, tmp_path: Path) -> Stored:
    """The repository that has all there is."""
    return copy_of("by-public-key", server, tmp_path)


def dump_as_loaded(server: Server, name: str) -> list[str]:
    """Load a dump that is kept, and dump that: as this server's version writes it today."""
    server.create(PLAIN)
    server.load(PLAIN, DATA / f"{name}.sql")
    dump = server.plain_dump(PLAIN)
    server.drop(PLAIN)
    return dump


def test_an_object_of_every_prefix_is_there() -> None:
    stored = {name: contents(DATA / name).keys() for name in REPOSITORIES}
    for name, keys in stored.items():
        counts = {each: sum(key.startswith(each) for key in keys) for each in prefixes(keys)}
        assert counts == REPOSITORIES[name]["objects"]
    found = set().union(*map(prefixes, stored.values()))
    known = {value for name, value in vars(layout).items() if name.isupper() and name[0] != "_"}
    assert found == set(EXPECTED["prefixes"])
    assert found <= known


def test_every_backup_is_listed_with_its_status_hold_and_verification(stored: Stored) -> None:
    backups = {each["name"]: each for each in stored.cli.json("list")["backups"]}
    assert backups.keys() == stored.expected["backups"].keys()
    for name, expected in stored.expected["backups"].items():
        assert subset(expected, backups[name]), (expected, backups[name])
    newest = next(iter(backups))
    assert subset(stored.expected["backups"][newest], stored.cli.json("show", newest))
    status = stored.cli.json("status")
    assert set(status["damaged"]) == DAMAGED.get(stored.name, set())
    assert status["backups"] == len(backups)
    assert not stored.changed()
    assert not stored.added()


def test_every_blob_is_read(stored: Stored) -> None:
    bad = DAMAGED.get(stored.name, set())
    result = stored.cli.run("verify", "--all", "--json")
    outcomes = {each["backup"]: each for each in result.json["verifications"]}
    assert result.status == (1 if bad else 0)
    assert not result.json["unread"]
    assert outcomes.keys() == stored.expected["backups"].keys()
    for name, expected in stored.expected["backups"].items():
        blobs = sum(part["blobs"] for part in expected["parts"])
        outcome = outcomes[name]
        assert (outcome["good"], outcome["complete"]) == (name not in bad, True)
        assert outcome["checked_blobs"] == outcome["total_blobs"] == blobs
        for known in ("damaged_blobs", "resized") if name in {"damaged", "resized"} else ():
            assert outcome[known] == expected["verification"][known]
    # What was verified is recorded, in place of the record before.
    assert prefixes(stored.changed()) <= {"verifications/"}
    assert prefixes(stored.added()) <= {"verifications/", "audit/"}


def test_of_blobs_that_have_no_checksum_only_the_size_is_compared(by_public_key: Stored) -> None:
    result = by_public_key.cli.json("verify", "--all", "--structure")
    for outcome in result["verifications"]:
        assert (outcome["good"], outcome["checked"]) == (True, "structure"), outcome
        assert outcome["size_only_blobs"] == outcome["total_blobs"]
    assert {each["status"] for each in by_public_key.cli.json("list")["backups"]} == {"good"}


@pytest.mark.parametrize(("name", "backup"), DUMPS)
def test_a_restored_database_is_the_one_that_was_backed_up(
    server: Server, tmp_path: Path, name: str, backup: str
) -> None:
    stored = copy_of(name, server, tmp_path)
    stored.cli.json("restore", backup, "--target-db", RESTORED, "--with-roles")
    assert server.plain_dump(RESTORED) == dump_as_loaded(server, DUMPS[name, backup])
    assert not stored.changed()
    assert prefixes(stored.added()) == {"audit/"}


def test_a_damaged_backup_is_still_refused(server: Server, tmp_path: Path) -> None:
    stored = copy_of("in-clear", server, tmp_path)
    result = stored.cli.run("restore", "damaged", "--target-db", RESTORED, "--with-roles", "--json")
    assert (result.status, result.json["error"]["type"]) == (1, "DamagedError")
    assert server.databases(f"{DATABASE}%") == []


def test_the_library_lists_and_restores_as_the_command_line_does(
    server: Server, by_public_key: Stored
) -> None:
    options = RestoreOptions(with_roles=True, jobs=1)  # with more, rows come in any order
    with GnuPG(private_key=Secret(PRIVATE_KEY.read_text())) as encryptor:
        repository = Repository(LocalStore(by_public_key.cli.store), Zstd(), encryptor, ())
        backups = list_backups(repository)
        assert {backup.name for backup in backups} == by_public_key.expected["backups"].keys()
        assert all(backup.good for backup in backups)
        dumper = server.dumper("postgres")
        restore(repository, dumper, "listed", target_database=RESTORED, options=options)
    assert server.plain_dump(RESTORED) == dump_as_loaded(server, "listed")
    assert not by_public_key.changed()
    assert not by_public_key.added()


def test_the_audit_trail_is_read_and_proved(stored: Stored) -> None:
    document = stored.cli.json("audit", "--verify")
    entries = document["entries"]
    found = [[each["action"], each["backup"], each["outcome"]] for each in entries]
    assert found == stored.expected["audit"]
    assert {(each["actor"], each["origin"]) for each in entries} == {("alice", "cli db1.example")}
    (proof,) = document["proofs"]
    assert (proof["good"], proof["records"]) == (True, stored.expected["records"])
    assert not stored.changed()
    assert not stored.added()
    # The chains go on behind what is there.
    stored.cli.json("unlock")
    (proof,) = stored.cli.json("audit", "--verify")["proofs"]
    assert (proof["good"], proof["records"]) == (True, stored.expected["records"] + 2)


def test_a_cleanup_plans_as_it_did(stored: Stored) -> None:
    expected = stored.expected["cleanup"]
    result = stored.cli.run(*CLEANUP, "--dry-run", "--json", **KEEP_ONE)
    document = result.json
    assert result.status == expected["status"], result
    assert {each["name"]: each["keep"] for each in document["decisions"]} == expected["kept"]
    for counted in ("swept_blobs", "swept_bytes"):
        assert document[counted] == expected[counted]
    # The last backup of one failed, as its attempt tells.
    assert bool(document["refusals"]) == (stored.name == "in-clear")
    assert not stored.changed()
    assert prefixes(stored.added()) <= {"audit/"}


def test_a_cleanup_keeps_what_is_held_and_every_blob_and_list_that_is_needed(
    by_public_key: Stored,
) -> None:
    expected = by_public_key.expected["cleanup"]
    document = by_public_key.cli.json(*CLEANUP, **KEEP_ONE)
    assert document["deleted"] == [name for name, kept in expected["kept"].items() if not kept]
    assert document["swept_blobs"] == expected["swept_blobs"]
    assert by_public_key.cli.json("verify", "--all")["good"]
    held = by_public_key.cli.run("delete", "second", "--json")
    assert (held.status, held.json["error"]["type"]) == (1, "DeletionRefused")
    assert by_public_key.cli.json("release", "second")["was_held"]
    by_public_key.cli.json("delete", "second")


def test_leases_that_were_left_behind_have_expired(by_public_key: Stored) -> None:
    leases = by_public_key.cli.json("status")["leases"]
    found = {(each["purpose"], each["exclusive"], each["expired"]) for each in leases}
    assert found == {("backup 'killed'", False, True), ("cleanup", True, True)}
    removed = by_public_key.cli.json("unlock")["removed"]
    assert {each["owner"] for each in removed} == {f"process {n} on db1.example" for n in (1, 2)}
    assert prefixes(by_public_key.changed()) == {"leases/"}


def test_operations_over_rest_are_read_and_their_claims_give_way(
    server: Server, by_public_key: Stored
) -> None:
    stored = by_public_key.expected["operations"].values()
    server.create(DATABASE)
    with serving(by_public_key.cli) as api:
        listed = api.get("/backup/operations").raise_for_status().json()["operations"]
        assert {each["id"] for each in listed} == {each["id"] for each in stored}
        for record in stored:
            found = api.get(f"/backup/operations/{record['id']}").raise_for_status().json()
            for name in ("action", "actor", "backup", "database", "done_bytes", "total_bytes"):
                assert found[name] == record[name]
            for name in ("cancelled_by", "result"):
                assert found[name] == record[name]
            # Its replica died.
            state = "failed" if record["state"] == "running" else record["state"]
            assert found["state"] == state
        made = api.post("/backup/create", {"backup_name": "new"}, headers={"Prefer": "wait=60"})
        assert made.status_code == 201, made.text
    (claim,) = (key for key in by_public_key.added() if key.startswith("claims/"))
    (before,) = (key for key in by_public_key.changed() if key.startswith("claims/"))
    assert int(Path(claim).stem) == int(Path(before).stem) + 1
    service = Service(load_settings(by_public_key.cli.env), Actor("test", "test"))
    assert service.operation_log().asked_to_cancel("lost-1") == "admin"


def test_a_runner_takes_over_from_the_one_that_stepped_down(by_public_key: Stored) -> None:
    (before,) = (key for key in by_public_key.before if key.startswith("leaders/"))
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "brownie_backup_cron", "--port", str(port)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=by_public_key.cli.env | {"BACKUP_SCHEDULE": "0 0 1 1 *"},
    )
    try:
        wait_until(lambda: before in by_public_key.changed(), what="the term before is removed")
        (term,) = (key for key in by_public_key.added() if key.startswith("leaders/"))
        assert int(Path(term).stem) == int(Path(before).stem) + 1
        assert Path(term).parent == Path(before).parent
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def test_a_new_backup_of_a_restored_database_uses_the_blobs_that_are_there(
    server: Server, by_public_key: Stored
) -> None:
    cli = by_public_key.cli
    cli.json("restore", "first", "--with-roles")
    # As the backups were made, or no range would have the same bytes.
    dumper = PostgresDumper(
        parse_conninfo(server.url(DATABASE)),
        pg_bin=str(server.client),
        bulk_table_bytes=EXPECTED["bulk_table_bytes"],
        range_bytes=EXPECTED["range_bytes"],
    )
    with GnuPG(private_key=Secret(PRIVATE_KEY.read_text())) as encryptor:
        repository = Repository(LocalStore(cli.store), Zstd(), encryptor, ())
        report = create_backup(repository, dumper, name="new")
        assert report.reused_blobs
        assert verify_backup(repository, dumper, "new").good
    table = sum(part["blobs"] for part in cli.json("show", "first")["parts"] if part["rows"])
    assert report.reused_blobs >= table
    assert prefixes(by_public_key.changed()) == {"attempts/"}
    cli.json("restore", "new", "--target-db", RESTORED)
    assert server.plain_dump(RESTORED) == server.plain_dump(DATABASE)

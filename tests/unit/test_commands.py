"""What commands print, and their exit codes: over a made-up database and a store in a folder."""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import pytest
from attrs import evolve, frozen
from tests.integration.receiver import Receiver
from tests.unit.fakes import DATABASE, FakeDumper

from brownie_backup.audit.operation import Actor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BackupError
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.stores.location import Location
from brownie_backup_cli.commands import COMMANDS
from brownie_backup_cli.exit_codes import DONE, FAILED, NOT_FOUND, WARNINGS, exit_status
from brownie_backup_cli.output import Output
from brownie_backup_cli.parser import build_parser
from brownie_backup_cli.run import run as run_command


@frozen
class Ran:
    """What a command did."""

    status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        primary=Location("file", path=str(tmp_path / "store")), encryption=False, compression="none"
    )


@pytest.fixture
def run(
    settings: Settings, dumper: FakeDumper, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs a command in this process."""
    assert not dumper.databases

    def run(*argv: str, by: Settings = settings) -> Ran:
        arguments = build_parser().parse_args(argv)
        with Service(by, Actor("ann", "tests")) as service:
            try:
                status = COMMANDS[arguments.command](arguments, service, Output.of(arguments))
            except BackupError as error:
                status = exit_status(error)
                Output.of(arguments).error({}, [error.message])
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


# --- status --------------------------------------------------------------------------------------


def test_status_is_no_comfort_for_a_database_that_was_never_backed_up(
    run: Run, dumper: FakeDumper
) -> None:
    assert run("backup", "--name", "one").status == DONE
    seen = run("status")
    assert (seen.status, seen.err) == (DONE, "")
    assert seen.out.split()[:2] == ["database", "shop"]
    dumper.database = evolve(DATABASE, name="tills")
    seen = run("status", "--quiet")
    assert (seen.status, seen.out) == (WARNINGS, "")
    assert seen.err.startswith("warning: backups: there is no good backup of 'tills'")
    assert "none" in run("status").out


# --- list, show ----------------------------------------------------------------------------------


def test_a_store_that_was_never_used_is_not_just_empty(run: Run) -> None:
    seen = run("list")
    assert seen.status == WARNINGS
    assert seen.out.startswith("no backups in file://")
    assert "has never been used. Check BACKUP_DESTINATION" in seen.err
    seen = run("status")
    assert seen.status == WARNINGS
    assert "has never been used. Check BACKUP_DESTINATION" in seen.err
    for verb in ("verify", "show", "restore", "hold", "release", "delete"):
        seen = run(verb, "one")
        assert seen.status == NOT_FOUND
        assert "no backup named 'one'" in seen.err
        assert "which has never been used" in seen.err
    run("backup", "--name", "one")
    run("delete", "one")
    assert "has never been used" not in run("show", "two").err
    assert "has never been used" not in run("status").err
    seen = run("list")
    assert (seen.status, seen.err) == (DONE, "")


def test_list_shows_what_is_new_and_what_is_encrypted(run: Run) -> None:
    run("backup", "--name", "one")
    head, line = run("list").out.splitlines()
    assert head.split()[:6] == ["Name", "Created", "Size", "stored", "New", "Size"]
    assert "Encrypted" in head
    assert line.split()[4:8] == ["9.8", "KiB", "9.8", "KiB"]
    assert line.split()[-2:] == ["no", "good"]


def test_show_is_for_people_and_has_units(run: Run, dumper: FakeDumper) -> None:
    dumper.database = evolve(DATABASE, locale="a\x1b[31m")
    run("backup", "--name", "one", "--label", "why=test")
    seen = run("show", "one").out
    assert "{" not in seen
    assert "shop, 120.6 KiB" in seen
    assert "9.8 KiB read, 9.8 KiB stored" in seen
    assert "why=test" in seen
    assert "\x1b" not in seen
    assert "UTF8, a\\x1b[31m" in seen
    assert json.loads(run("show", "one", "--json").out)["size_bytes"] > 0


# --- delete, cleanup, hold, release, config ------------------------------------------------------


def test_cleanup_says_why_the_blobs_of_a_deleted_backup_stay(run: Run) -> None:
    run("backup", "--name", "one")
    run("backup", "--name", "two")
    assert "24 hours old" in run("delete", "one").out
    assert "younger" not in run("cleanup").out  # 'two' needs the same blobs
    assert run("delete", "two").status == DONE
    seen = run("cleanup")
    assert "2 blobs (" in seen.out
    assert "that no backup needs kept: younger than 24 hours" in seen.out
    document = json.loads(run("cleanup", "--dry-run", "--json").out)
    assert (document["young_blobs"], document["young_bytes"] > 0) == (2, True)


def test_what_is_held_as_the_latest_is_released_as_the_latest(run: Run) -> None:
    run("backup", "--name", "one")
    assert run("hold", "latest").status == DONE
    assert run("release", "latest").out == "one is no longer held\n"
    seen = run("delete", "latest")
    assert seen.status == NOT_FOUND
    assert "delete takes the name of a backup, not 'latest'" in seen.err


def test_config_shows_where_the_database_is_and_no_password(run: Run, settings: Settings) -> None:
    url = Secret("postgresql://ann:s3cr3t@db.example.org:5433/shop")
    seen = run("config", by=evolve(settings, database_url=url))
    assert "dbname='shop' host='db.example.org' port='5433' user='ann' password=********" in (
        seen.out
    )
    assert "s3cr3t" not in seen.out
    seen = run("config", by=evolve(settings, database_url=Secret("postgresql://a:s3cr3t/x@h/db")))
    assert "s3cr3t" not in seen.out


def test_an_empty_audit_trail_beside_backups_is_no_proof(run: Run, settings: Settings) -> None:
    run("backup", "--name", "one")
    assert "2 records, none changed, none missing" in run("audit", "--verify").out
    rmtree(Path(settings.primary.path) / "audit")
    seen = run("audit", "--verify")
    assert seen.status == WARNINGS
    assert "none missing" not in seen.out
    assert "has backups and no record" in seen.err


def test_keygen_needs_no_key_file_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_GPG_PUBLIC_KEY_FILE", str(tmp_path / "brownie-backup-public.asc"))
    monkeypatch.setattr("brownie_backup_cli.run.configure_logging", lambda *_, **__: None)
    arguments = build_parser().parse_args(["keygen", "--directory", str(tmp_path), "--quiet"])
    assert run_command(arguments) == DONE
    assert (tmp_path / "brownie-backup-public.asc").exists()


# --- notifications -------------------------------------------------------------------------------


def test_a_command_pings_and_sends_events_as_the_runner_does(
    run: Run, dumper: FakeDumper, settings: Settings
) -> None:
    with Receiver() as receiver:
        telling = evolve(
            settings,
            ping_url=Secret(f"{receiver.url}/ping"),
            webhook_url=Secret(f"{receiver.url}/hook"),
        )

        def told() -> list[str]:
            sent = [r.json["event"] if r.path == "/hook" else r.path for r in receiver.requests]
            receiver.requests.clear()
            return sorted(each.partition("?")[0] for each in sent)

        assert run("backup", "--name", "one", by=telling).status == DONE
        assert told() == ["/ping", "/ping/start"]
        dumper.fail_after = 10
        assert run("backup", "--name", "two", by=telling).status == FAILED
        assert told() == ["/ping/fail", "/ping/start", "backup.failed"]
        dumper.fail_after = None
        assert run("cleanup", "--dry-run", by=telling).status == DONE
        assert run("verify", "one", by=telling).status == DONE
        assert told() == []
        assert run("backup", "--name", "three", by=telling).status == DONE
        assert told() == ["/ping", "/ping/start", "backup.recovered"]
        for stored in Path(settings.primary.path).glob("blobs/*/*"):
            stored.chmod(0o600)
            stored.write_bytes(b"?" * stored.stat().st_size)
        assert run("verify", "three", by=telling).status == FAILED
        assert told() == ["verification.failed"]

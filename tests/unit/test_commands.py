"""What commands print, and their exit codes: over a made-up database and a store in a folder."""

from collections.abc import Callable
from pathlib import Path

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
from brownie_backup_cli.exit_codes import DONE, FAILED, WARNINGS, exit_status
from brownie_backup_cli.output import Output
from brownie_backup_cli.parser import build_parser


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

"""What people and programs see of the command line."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import Cli, Result, cli_for
from tests.integration.conftest import SMALL
from tests.servers.running import Servers

from brownie_backup_cli.parser import build_parser

COMMANDS = (
    "backup", "cleanup", "config", "delete", "demo", "doctor", "keygen", "list", "restore",
    "schedule", "show", "status", "verify",
)  # fmt: skip


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A store with one backup of a small database in it."""
    server = servers.get(18)
    server.create("cli")
    server.sql("cli", SMALL)
    cli = cli_for(server, "cli", tmp_path_factory.mktemp("cli"))
    cli.json("backup", "--name", "first", "--label", "why=tests", "--label", "by=us")
    yield cli
    server.drop("cli")


def on_a_terminal(cli: Cli, *arguments: str, **more: str) -> str:
    """Run a command with its stderr on a terminal; return what that showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "brownie_backup_cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=cli.env | {"TERM": "xterm-256color", "COLUMNS": "120"} | more,
    )
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        shown += piece
        if not piece:
            break
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def test_every_command_has_help_and_the_common_options() -> None:
    help_text = build_parser().format_help()
    for command in COMMANDS:
        assert f"\n    {command}" in help_text
        done = _run(command, "--help")
        assert done.status == 0
        for option in ("--json", "--verbose", "--quiet"):
            assert option in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("config",), ("doctor",), ("list",), ("show", "first"), ("status",), ("verify", "first"),
        ("verify", "--all", "--sample", "10%"), ("cleanup", "--dry-run"), ("cleanup",),
        ("restore", "first", "--target-db", "nowhere", "--dry-run"), ("backup",),
    ],
)  # fmt: skip
def test_json_is_one_document_and_nothing_else(cli: Cli, arguments: tuple[str, ...]) -> None:
    result = cli.run(*arguments, "--json", "--verbose")
    assert result.status == 0, result.err
    assert isinstance(json.loads(result.out), dict)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("show", "nothing"), 10),
        (("backup", "--name", "latest"), 2),
        (("backup", "--name", "../x"), 2),
        (("backup", "--name", "first"), 1),
        (("verify",), 2),
        (("schedule", "--start", "--directory", "/dev/null/x"), 2),
    ],
)
def test_an_error_is_a_document_too_and_has_its_status(
    cli: Cli, arguments: tuple[str, ...], status: int
) -> None:
    result = cli.run(*arguments, "--json")
    assert result.status == status
    assert result.json["error"]["exit_status"] == status
    assert result.json["error"]["message"] in result.err
    assert "Traceback" not in result.err


def test_wrong_usage_has_status_2() -> None:
    for arguments in ((), ("nonsense",), ("backup", "--label", "x"), ("verify", "--sample", "0")):
        assert _run(*arguments).status == 2


def test_the_list_is_a_table_that_grep_finds_its_way_in(cli: Cli) -> None:
    result = cli.run("list")
    header, *rows = result.out.splitlines()
    for title in (
        "Name",
        "Created",
        "Size stored",
        "New",
        "Size of database",
        "Encrypted",
        "Status",
    ):
        assert title in header
    (row,) = (row for row in rows if row.startswith("first "))
    assert row.endswith("good")
    assert " MiB " in row
    assert " UTC " in row


def test_labels_are_shown(cli: Cli) -> None:
    assert cli.json("show", "first")["labels"] == {"why": "tests", "by": "us"}


def test_quiet_says_nothing_when_all_is_well(cli: Cli) -> None:
    result = cli.run("verify", "first", "--quiet")
    assert (result.status, result.out, result.err) == (0, "", "")


def test_verbose_says_what_is_run(cli: Cli) -> None:
    assert "pg_dump --format=custom" in cli.run("backup", "--verbose").err
    assert "pg_dump --format=custom" in cli.run("backup", BACKUP_DEBUG="true").err
    assert cli.run("backup").err == ""


def test_a_bar_is_on_a_terminal_only_and_without_colour_on_request(cli: Cli) -> None:
    shown = on_a_terminal(cli, "verify", "first")
    assert "verify" in shown
    assert "/s" in shown
    assert "\x1b[3" in shown  # colours
    assert "\x1b[3" not in on_a_terminal(cli, "verify", "first", NO_COLOR="1")
    assert on_a_terminal(cli, "verify", "first", "--quiet") == ""


def test_config_says_where_each_value_came_from(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "days"
    path.write_text("7\n")
    document = cli.json("config", BACKUP_RETENTION_DAYS_FILE=str(path), BACKUP_RETENTION="x")
    rows = {row["name"]: row for row in document["settings"]}
    assert rows["BACKUP_RETENTION_DAYS"]["value"] == 7
    assert rows["BACKUP_RETENTION_DAYS"]["source"] == f"BACKUP_RETENTION_DAYS_FILE={path}"
    assert rows["BACKUP_PASSPHRASE"]["value"] == "********"
    assert rows["BACKUP_SCHEDULE"]["source"] == "default"
    assert "BACKUP_RETENTION_DAYS" in document["warnings"][0]


def test_without_a_key_nothing_is_stored_and_the_three_ways_are_shown(
    cli: Cli, tmp_path: Path
) -> None:
    bare = {"BACKUP_PASSPHRASE": "", "BACKUP_DESTINATION": str(tmp_path / "bare")}
    result = cli.by_passphrase().run("backup", **bare)
    assert result.status == 2
    for way in ("BACKUP_GPG_RECIPIENTS", "BACKUP_GPG_PUBLIC_KEY_FILE", "BACKUP_PASSPHRASE"):
        assert way in result.err
    assert "brownie-backup keygen" in result.err
    assert not (tmp_path / "bare").exists()


def test_every_wrong_variable_is_reported_at_once(cli: Cli) -> None:
    result = cli.run("list", BACKUP_PROVIDER="ftp", BACKUP_DEBUG="maybe", BACKUP_SCHEDULE="never")
    assert result.status == 2
    for name in ("BACKUP_PROVIDER", "BACKUP_DEBUG", "BACKUP_SCHEDULE"):
        assert name in result.err


def test_encryption_off_stores_cleartext_only_when_asked_and_else_it_is_read_with_a_warning(
    cli: Cli, tmp_path: Path
) -> None:
    clear = {"BACKUP_ENCRYPTION": "false", "BACKUP_DESTINATION": str(tmp_path / "clear")}
    cli.json("backup", "--name", "clear", **clear)
    assert cli.json("verify", "clear", **clear)["good"]
    result = cli.run("verify", "clear", BACKUP_DESTINATION=clear["BACKUP_DESTINATION"])
    assert result.status == 3
    assert "'clear' is not encrypted" in result.err


@pytest.mark.parametrize(
    "compression",
    [
        "gzip",
        "none",
        "zstd",
        *(pytest.param(a, marks=pytest.mark.nightly) for a in ("true", "false")),
    ],
)
def test_every_compression_reads_back_whatever_is_set_later(
    small_cli: Cli, compression: str
) -> None:
    small_cli.json("backup", "--name", "one", BACKUP_COMPRESSION=compression)
    for later in ("zstd", "gzip", "none"):
        assert small_cli.json("verify", "one", BACKUP_COMPRESSION=later)["good"]


def test_keys_are_never_overwritten_and_the_private_one_is_for_its_owner_only(
    cli: Cli, tmp_path: Path
) -> None:
    made = cli.json("keygen", "--directory", str(tmp_path))
    private = Path(made["private_key_file"])
    assert private.stat().st_mode & 0o777 == 0o600
    before = private.read_text()
    assert cli.run("keygen", "--directory", str(tmp_path)).status == 2
    assert private.read_text() == before


def test_retention_keeps_the_newest_whatever_its_age(cli: Cli, tmp_path: Path) -> None:
    document = cli.json("cleanup", "--dry-run", BACKUP_RETENTION_DAYS="1")
    assert all(decision["keep"] for decision in document["decisions"])
    assert document["deleted"] == []


def test_completions_are_printed() -> None:
    for shell in ("bash", "zsh", "tcsh"):
        assert "brownie-backup" in _run("--print-completion", shell).out


def test_closed_output_is_no_traceback(cli: Cli) -> None:
    process = cli.start("list")
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    said = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in said


def _run(*arguments: str) -> Result:
    done = subprocess.run(
        [sys.executable, "-m", "brownie_backup_cli", *arguments],
        check=False,
        capture_output=True,
        encoding="utf-8",
    )
    return Result(done.returncode, done.stdout, done.stderr)

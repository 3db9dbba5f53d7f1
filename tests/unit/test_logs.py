"""The log: formats, files, the operation in every line, and no secret in any."""

import json
import logging
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brownie_backup.audit.operation import Actor, operating
from brownie_backup.concurrency.background import begin
from brownie_backup.concurrency.ordered_map import thread_pool
from brownie_backup.config import load_settings
from brownie_backup.config.redaction import redactor
from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import SetupHint
from brownie_backup.telemetry import logs
from brownie_backup.telemetry.logs import configure_logging

LOG = logging.getLogger("brownie_backup.tests")
ACTOR = Actor("ann", "cli db1")
PLANTED = {
    "BACKUP_DATABASE_URL": "postgresql://u:hunter%2F2-planted@db/brownie_metadata",
    "BACKUP_PASSPHRASE": "planted phrase with spaces ",
    "BACKUP_SECRET_KEY": "planted/secret+key=",
    "BACKUP_TOKEN": '{"type": "service_account", "client_email": "a@b", "private_key": '
    '"-----BEGIN PRIVATE KEY-----\\nMIIEvplantedplanted\\n-----END PRIVATE KEY-----\\n"}',
    "BACKUP_API_TOKENS": "ann:read:planted-token-1\nbob:read+backup:planted-t:ken-2",
    "BACKUP_WEBHOOK_URL": "https://hooks.example.org/services/T0PLANTED/B0PLANTEDxxxxxxxxxxx",
    "BACKUP_GPG_PRIVATE_KEY": "-----BEGIN-----\n\nlQVYBGplantedplantedplanted\n-----END-----",
}
SECRETS = (
    "hunter%2F2-planted",
    "hunter/2-planted",
    "planted phrase with spaces",
    "planted/secret+key=",
    "MIIEvplantedplanted",
    "planted-token-1",
    "planted-t:ken-2",
    "B0PLANTEDxxxxxxxxxxx",
    "lQVYBGplantedplantedplanted",
)


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave the log as it was: it is the whole process's."""
    root = logging.getLogger()
    names = (*logs._OURS, *logs._SDKS)
    handlers, levels = list(root.handlers), {n: logging.getLogger(n).level for n in names}
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def configure(path: Path, **more: str) -> None:
    """Log to a file only: standard error gets errors."""
    configure_logging(load_settings({"BACKUP_LOG_FILE": str(path)} | more), quiet=True)


def test_each_line_has_the_time_the_level_and_the_operation(tmp_path: Path) -> None:
    configure(tmp_path / "log")
    LOG.info("before")
    with operating("backup", ACTOR, id="op-1"):
        LOG.warning("two\nlines")
    LOG.debug("not asked for")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [re.sub(r"^[\d-]{10}T[\d:]{8}\.\d{3}Z ", "", line) for line in lines] == [
        "INFO brownie_backup.tests [-] before",
        "WARNING brownie_backup.tests [op-1] two",
        "WARNING brownie_backup.tests [op-1] lines",
    ]


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    configure(tmp_path / "log", BACKUP_LOG_FORMAT="json", BACKUP_DEBUG="true")
    with operating("backup", ACTOR, backup="monday", id="op-1"):
        try:
            raise ValueError("wrong\nthing")  # noqa: TRY301 - to have a traceback
        except ValueError:
            LOG.debug("said %d times", 2, exc_info=True)
    (document,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert document.pop("time").endswith("Z")
    assert document.pop("exception").endswith("ValueError: wrong\nthing")
    assert document == {
        "level": "debug",
        "logger": "brownie_backup.tests",
        "thread": "MainThread",
        "message": "said 2 times",
        "operation": "op-1",
        "action": "backup",
        "actor": "ann",
        "backup": "monday",
    }


def test_threads_that_work_for_an_operation_name_it(tmp_path: Path) -> None:
    configure(tmp_path / "log")
    with operating("backup", ACTOR, id="op-1"), thread_pool() as workers:
        list(workers.each(LOG.info, ["one", "two", "three"]))
        begin(lambda: LOG.info("four")).result()
    begin(lambda: LOG.info("five")).result()
    lines = (tmp_path / "log").read_text().splitlines()
    assert sorted(line.partition("[")[2] for line in lines) == [
        "-] five",
        "op-1] four",
        "op-1] one",
        "op-1] three",
        "op-1] two",
    ]


def test_levels_of_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    def said(**options: bool | int) -> list[str]:
        configure_logging(load_settings({}), **options)  # type: ignore[arg-type]
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            LOG.log(level, "x")
        return [line.split()[1] for line in capsys.readouterr().err.splitlines()]

    assert said() == ["WARNING", "ERROR"]
    assert said(quiet=True) == ["ERROR"]
    assert said(verbose=True) == ["DEBUG", "INFO", "WARNING", "ERROR"]
    assert said(usual=logging.INFO) == ["INFO", "WARNING", "ERROR"]


def test_the_sdks_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(load_settings({"BACKUP_DEBUG": "true"}))
    logging.getLogger("botocore.auth").error("signature")
    logging.getLogger("urllib3.connectionpool").warning("retrying")
    assert capsys.readouterr().err == ""


def test_no_planted_secret_comes_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", "planted-by-libpq")
    for kind in ("plain", "json"):
        path = tmp_path / kind
        settings = load_settings(
            PLANTED | {"BACKUP_LOG_FILE": str(path), "BACKUP_LOG_FORMAT": kind}
        )
        configure_logging(settings, verbose=True)
        for secret in (*SECRETS, "planted-by-libpq", *PLANTED.values()):
            try:
                raise ValueError(f"it was <{secret}>")  # noqa: TRY301 - to have a traceback
            except ValueError:
                LOG.exception("told %s", {"it": secret})
        seen = path.read_text() + capsys.readouterr().err
        found = [secret for secret in (*SECRETS, "planted-by-libpq") if secret in seen]
        assert found == []
        assert "********" in seen


def test_what_is_no_secret_stays() -> None:
    redact = redactor(load_settings(PLANTED))
    text = "backup of 'brownie_metadata' by ann, read+backup, hooks.example.org a@b"
    assert redact(text) == text


def test_short_secrets_are_not_looked_for() -> None:
    redact = redactor(load_settings({"BACKUP_PASSPHRASE": "backup"[:5]}))
    assert redact("backup") == "backup"


def test_a_line_can_move_no_cursor(tmp_path: Path) -> None:
    configure(tmp_path / "log")
    LOG.error("\x1b[2Jgone\r\tand \x9b1m")
    assert (tmp_path / "log").read_text().endswith(" \\x1b[2Jgone\\x0d\tand \\x9b1m\n")


def test_others_cannot_read_the_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        configure(tmp_path / "log")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["missing/log", "."])
def test_a_file_that_cannot_be_opened_is_a_wrong_setting(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"the log file '.*' cannot be opened") as caught:
        configure(tmp_path / name)
    assert caught.value.hint == SetupHint.MAKE_LOG_FOLDER()


def test_a_second_call_replaces_the_first(tmp_path: Path) -> None:
    configure(tmp_path / "one")
    configure(tmp_path / "two")
    LOG.info("once")
    assert (tmp_path / "one").read_text() == ""
    assert len((tmp_path / "two").read_text().splitlines()) == 1


def test_a_full_disk_is_said_once_and_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    configure(Path("/dev/full"))
    LOG.info("the passphrase is hunter2")
    LOG.info("again")
    said = capsys.readouterr().err
    assert said == "the log file '/dev/full' cannot be written: No space left on device\n"


_WRITER = """
import logging, sys
from brownie_backup.telemetry import logs
from brownie_backup.config import load_settings
logs.FILE_BYTES = 20_000
logs.FILES = 50
logs.configure_logging(load_settings({"BACKUP_LOG_FILE": sys.argv[1]}))
for number in range(1000):
    logging.getLogger("brownie_backup").info("%s %d", sys.argv[2], number)
"""


def test_two_processes_rotate_one_file_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(path), name]) for name in ("a", "b")
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    files = sorted(tmp_path.iterdir())
    lines = [line for file in files for line in file.read_text().splitlines()]
    seen = {line.partition("[-] ")[2] for line in lines}
    assert seen == {f"{name} {number}" for name in ("a", "b") for number in range(1000)}
    assert len(lines) == 2000
    # Some lines more may get into a file while the other process looks.
    assert 5 <= len(files) <= 8, files
    assert max(file.stat().st_size for file in files) < 22_000

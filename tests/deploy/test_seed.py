"""The lines of the description that this project began with, as they stand there.

`python -m src.backup.cli` is our command, `localhost:8000` the address of the API under test, and
curl sends the token besides.
"""

import os
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.cli import Cli
from tests.integration.serving import TOKEN, Api, serving
from tests.servers.running import Server, Servers

from brownie_backup.config.settings import load_settings
from brownie_backup.schedule import check_schedule, next_run

pytestmark = pytest.mark.once

MISSING = [name for name in ("curl", "jq") if not shutil.which(name)]
RESTORED = ("brownie_metadata", "brownie_metadata_test")

# --- settings ------------------------------------------------------------------------------------

SETTINGS = {
    "quick start": """
export BACKUP_PROVIDER="s3"  # s3, gcs, azure, local
export BACKUP_DESTINATION="my-backup-bucket/database"
export BACKUP_SCHEDULE="0 2 * * *"  # Daily at 2 AM
export BACKUP_RETENTION_DAYS="30"
export BACKUP_ACCESS_KEY="your-access-key"
export BACKUP_SECRET_KEY="your-secret-key"
export BACKUP_REGION="us-east-1"
""",
    "s3": """
export BACKUP_PROVIDER="s3"
export BACKUP_DESTINATION="my-backup-bucket/database"
export BACKUP_ACCESS_KEY="AKIAIOSFODNN7EXAMPLE"
export BACKUP_SECRET_KEY="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
export BACKUP_REGION="us-east-1"
""",
    "gcs": """
export BACKUP_PROVIDER="gcs"
export BACKUP_DESTINATION="my-backup-bucket/database"
export BACKUP_TOKEN='{"type": "service_account", "project_id": "my-project", ...}'
""",
    "azure": """
export BACKUP_PROVIDER="azure"
export BACKUP_DESTINATION="mybackupcontainer/database"
export BACKUP_ACCESS_KEY="my-storage-account-name"
export BACKUP_SECRET_KEY="my-storage-account-key"
""",
    "local": """
export BACKUP_PROVIDER="local"
export BACKUP_DESTINATION="/backups"
""",
}
DEFAULTS = {
    "PROVIDER": "local",
    "DESTINATION": "/backups",
    "SCHEDULE": "0 2 * * *",
    "RETENTION_DAYS": 30,
    "COMPRESSION": "zstd",  # "true" is that
    "ENCRYPTION": True,
    "ACCESS_KEY": None,
    "SECRET_KEY": None,
    "TOKEN": None,
    "REGION": None,
    "DEBUG": False,
}
SCHEDULES = {
    "0 2 * * *": ["16T02", "17T02"],
    "0 */6 * * *": ["15T06", "15T12", "15T18", "16T00"],
    "0 2 * * 0": ["18T02", "25T02"],
    "0 2 1 * *": ["01T02", "01T02"],
    "0 2 * * 1,3,5": ["16T02", "19T02", "21T02"],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str) -> None:
    script = SETTINGS[name] + "env -0"
    env = {"PATH": os.defpath}
    done = subprocess.run(["/bin/bash", "-euc", script], capture_output=True, check=True, env=env)
    pairs = (pair.partition("=") for pair in done.stdout.decode().split("\0") if pair)
    settings = load_settings({key: value for key, _, value in pairs})
    assert not settings.warnings
    assert settings.value("provider") == ("s3" if name == "quick start" else name)
    assert settings.value("destination") in SETTINGS[name]
    assert bool(settings.primary.token) == (name == "gcs")
    assert bool(settings.primary.secret_key) == (name in {"quick start", "s3", "azure"})


def test_defaults() -> None:
    settings = load_settings({})
    assert {name: settings.value(name.lower()) for name in DEFAULTS} == DEFAULTS
    assert load_settings({"BACKUP_COMPRESSION": "true"}).compression == "zstd"
    assert load_settings({"BACKUP_COMPRESSION": "false"}).compression == "none"
    assert load_settings({"BACKUP_PARALLEL_JOBS": "4"}).parallel_jobs == 4
    assert load_settings({"BACKUP_DEBUG": "true"}).debug


@pytest.mark.parametrize("expression", SCHEDULES)
def test_schedules(expression: str) -> None:
    now = datetime(2026, 1, 15, 3, tzinfo=UTC)  # a Thursday
    assert check_schedule(expression) == expression
    for wanted in SCHEDULES[expression]:
        now = next_run(expression, now)
        assert f"{now:%dT%H}" == wanted


# --- the command line ----------------------------------------------------------------------------


def shell(cli: Cli, programs: Path, line: str, **more: str) -> str:
    """Run a line in a shell; it must succeed. Return what it said."""
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    done = subprocess.run(
        [
            "/bin/bash",
            "-o",
            "pipefail",
            "-euc",
            line.replace("python -m src.backup.cli", "brownie-backup"),
        ],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=cli.env | {"PATH": path} | more,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    return done.stdout


@pytest.fixture
def server(servers: Servers) -> Server:
    """The server, without the databases that the lines restore to."""
    found: Server = servers.get(18)
    for name in RESTORED:
        found.drop(name)
    return found


def test_command_lines(server: Server, small_cli: Cli, programs: Path) -> None:
    def run(line: str) -> str:
        return shell(small_cli, programs, line)

    assert "stored" in run("python -m src.backup.cli backup")
    run('python -m src.backup.cli backup --name "my-backup"')
    run('python -m src.backup.cli backup --name "pre-deployment-backup"')
    listed = run("python -m src.backup.cli list")
    assert "my-backup" in listed
    assert "pre-deployment-backup" in listed
    run("python -m src.backup.cli restore my-backup --target-db brownie_metadata")
    run("python -m src.backup.cli restore my-backup --target-db brownie_metadata_test")
    for name in RESTORED:
        assert server.sql(name, "SELECT count(*) FROM orders") == "1000\n"
        server.drop(name)
    header = run('python -m src.backup.cli list | grep -E "(Size|Created)"')
    assert header.splitlines()[0].startswith("Name")
    assert run("python -m src.backup.cli list | wc -l").strip() == "4"  # three, and the header
    assert "retention" in run("python -m src.backup.cli status")


def test_cleaning_and_debugging(small_cli: Cli, programs: Path, tmp_path: Path) -> None:
    log = {"BACKUP_LOG_FILE": str(tmp_path / "app" / "logs" / "backup.log")}
    (tmp_path / "app" / "logs").mkdir(parents=True)
    line = 'export BACKUP_DEBUG=true\npython -m src.backup.cli backup --verbose --name "my-backup"'
    said = shell(small_cli, programs, line, **log)
    assert "pg_dump" in said
    assert "pg_dump" in Path(log["BACKUP_LOG_FILE"]).read_text(encoding="utf-8")
    for line in ("python -m src.backup.cli cleanup", "python -m src.backup.cli cleanup --verbose"):
        assert "0 backups deleted, 1 checked" in shell(small_cli, programs, line)
    shell(small_cli, programs, "python -m src.backup.cli delete my-backup")
    assert small_cli.backups() == {}


# --- the API -------------------------------------------------------------------------------------


def curl(api: Api, cli: Cli, programs: Path, line: str) -> str:
    """Run a line with curl against an API; wait for what it has begun."""
    config = Path(cli.env["HOME"]) / "curlrc"
    config.write_text(f'header = "Authorization: Bearer {TOKEN}"\n', encoding="utf-8")
    options = f"curl --silent --show-error --fail-with-body --config {config}"
    real = line.replace("curl", options, 1).replace("http://localhost:8000", api.url)
    said = shell(cli, programs, real)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        states = {each["state"] for each in api.get("/backup/operations").json()["operations"]}
        if "running" not in states:
            assert states <= {"succeeded"}
            return said
        time.sleep(0.1)
    raise TimeoutError(line)


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
def test_curl_lines(server: Server, small_cli: Cli, programs: Path) -> None:
    with serving(small_cli) as api:

        def run(line: str) -> str:
            return curl(api, small_cli, programs, line)

        run("curl -X POST http://localhost:8000/backup/create")
        run(
            "curl -X POST http://localhost:8000/backup/create \\\n"
            '  -H "Content-Type: application/json" \\\n'
            """  -d '{"backup_name": "my-backup-2024-01-15"}'"""
        )
        assert "my-backup-2024-01-15" in run("curl http://localhost:8000/backup/list")
        run(
            "curl -X POST http://localhost:8000/backup/restore \\\n"
            '  -H "Content-Type: application/json" \\\n'
            """  -d '{"backup_name": "my-backup-2024-01-15", """
            """"target_database": "brownie_metadata"}'"""
        )
        assert server.sql("brownie_metadata", "SELECT count(*) FROM orders") == "1000\n"
        server.drop("brownie_metadata")
        assert '"retention_days":30' in run("curl http://localhost:8000/backup/status")
        assert "ok" in run("curl http://localhost:8000/health")
        line = "curl http://localhost:8000/metrics | grep backup_duration"
        assert "backup_duration_seconds_count" in run(line)
        line = "curl http://localhost:8000/backup/status | jq '.retention_days'"
        assert run(line).strip() == "30"

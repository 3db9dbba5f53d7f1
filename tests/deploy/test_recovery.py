"""The steps of the disaster recovery of old, as a script, on a server that has lost everything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import evolve
from tests.docs.pages import ROOT
from tests.integration.cli import Cli
from tests.integration.serving import TOKEN, serving
from tests.servers.objects import S3Server
from tests.servers.running import Server, Servers

pytestmark = pytest.mark.once

SCRIPT = ROOT / "examples" / "recover.sh"


def recover(cli: Cli, programs: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Run the script; return its exit status and all that it said."""
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    done = subprocess.run(
        [str(SCRIPT), *arguments],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=cli.env | {"PATH": path} | more,
    )
    return done.returncode, done.stdout


def test_recovery_of_a_lost_database(
    small_cli: Cli, small: str, servers: Servers, s3_server: S3Server, programs: Path
) -> None:
    """The database is gone; all that there is, is the store."""
    store = {
        "BACKUP_PROVIDER": "s3",
        "BACKUP_DESTINATION": f"{s3_server.new_bucket()}/database",
        "BACKUP_ENDPOINT_URL": s3_server.endpoint_url,
        "BACKUP_ACCESS_KEY": s3_server.access_key,
        "BACKUP_SECRET_KEY": s3_server.secret_key,
    }
    cli = evolve(small_cli, env=small_cli.env | store)
    assert cli.run("backup", "--name", "my-backup").status == 0
    server = servers.get(18)
    wanted = server.sql(small, "SELECT count(*), md5(string_agg(what, '' ORDER BY id)) FROM orders")
    server.drop(small)

    status, said = recover(cli, programs)
    assert status == 0, said
    steps = [line for line in said.splitlines() if line.startswith("== ")]
    assert [step[3] for step in steps] == ["1", "2", "3"]
    assert f"my-backup is restored as '{small}'" in said
    assert "the REST API was not asked" in said
    found = server.sql(small, "SELECT count(*), md5(string_agg(what, '' ORDER BY id)) FROM orders")
    assert found == wanted

    status, said = recover(cli, programs)
    assert status != 0, said
    assert "exists" in said
    server.sql(small, "DELETE FROM orders")
    status, said = recover(cli, programs, "--replace")
    assert status == 0, said
    assert server.sql(small, "SELECT count(*) FROM orders") == "1000\n"


@pytest.mark.parametrize("options", [(), ("--from", "copy1")])
def test_the_primary_store_is_lost_too(
    small_cli: Cli, small: str, servers: Servers, programs: Path, options: tuple[str, ...]
) -> None:
    """Nothing listens any more where it was: a copy has all."""
    folder = Path(f"{small_cli.env['BACKUP_DESTINATION']}-copy")
    copy = {"BACKUP_COPY_TO": folder.as_uri(), "BACKUP_RETRY_SECONDS": "1"}
    cli = evolve(small_cli, env=small_cli.env | copy)
    assert cli.run("backup", "--name", "my-backup").status == 0
    servers.get(18).drop(small)
    lost = {
        "BACKUP_PROVIDER": "s3",
        "BACKUP_DESTINATION": "lost/database",
        "BACKUP_ENDPOINT_URL": "http://127.0.0.1:1",
        "BACKUP_REGION": "us-east-1",
        "BACKUP_ACCESS_KEY": "key",
        "BACKUP_SECRET_KEY": "secret",
    }
    status, said = recover(cli, programs, *options, **lost)
    assert status == 0, said
    assert f"my-backup is restored from {folder.as_uri()} as '{small}'" in said
    assert ("not all stores answer" in said) is not bool(options)
    assert "the REST API was not asked" in said
    assert servers.get(18).sql(small, "SELECT count(*) FROM orders") == "1000\n"


def test_it_ends_where_a_step_fails(small_cli: Cli, programs: Path) -> None:
    status, said = recover(small_cli, programs)
    assert status != 0
    assert "3. Verify" not in said
    assert "there is no" in said


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_the_api_is_asked_where_it_runs(
    small_cli: Cli, small: str, servers: Servers, programs: Path, tmp_path: Path
) -> None:
    assert small_cli.run("backup", "--name", "my-backup").status == 0
    servers.get(18).drop(small)
    (tmp_path / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    with serving(small_cli) as api:
        more = {"BROWNIE_API": api.url, "BACKUP_API_TOKEN_FILE": str(tmp_path / "token")}
        status, said = recover(small_cli, programs, **more)
    assert status == 0, said
    assert '"status":"ok"' in said
    assert '"retention_days":30' in said
    assert TOKEN not in said


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_an_api_that_does_not_answer_is_an_error(
    small_cli: Cli, small: str, servers: Servers, programs: Path, tmp_path: Path
) -> None:
    assert small_cli.run("backup").status == 0
    (tmp_path / "token").write_text("secret\n", encoding="utf-8")
    api = {"BROWNIE_API": "http://127.0.0.1:1", "BACKUP_API_TOKEN_FILE": str(tmp_path / "token")}
    status, said = recover(small_cli, programs, "--target-db", f"{small}_back", **api)
    assert status == 7, said  # curl's own: it could not connect


def test_the_line_of_old_restores_the_latest(small_cli: Cli, small: str, servers: Servers) -> None:
    """`restore latest-backup`, and what else takes a name."""
    server: Server = servers.get(18)
    assert small_cli.run("backup", "--name", "older").status == 0
    server.sql(small, "DELETE FROM orders WHERE id > 10")
    assert small_cli.run("backup", "--name", "newer").status == 0
    server.drop(small)
    result = small_cli.run("restore", "latest-backup")
    assert result.status == 0, result
    assert "newer is restored" in result.out
    assert server.sql(small, "SELECT count(*) FROM orders") == "10\n"
    assert small_cli.json("show", "latest-backup")["name"] == "newer"
    verified = small_cli.run("verify", "latest-backup")
    assert verified.status == 0, verified
    assert "newer: good" in verified.out

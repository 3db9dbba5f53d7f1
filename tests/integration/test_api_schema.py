"""Schemathesis drives the API from its own description: it finds nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli import cli_for
from tests.integration.serving import TOKEN, Api, serving
from tests.integration.stores import s3
from tests.servers.running import Servers

pytestmark = pytest.mark.once

HOOKS = "tests.integration.schemathesis_hooks"


@pytest.fixture
def api(
    request: pytest.FixtureRequest, servers: Servers, small: str, tmp_path: Path
) -> Iterator[Api]:
    """Uvicorn over PostgreSQL 18 and SeaweedFS."""
    store = s3(request)
    cli = cli_for(servers.get(18), small, tmp_path)
    # One that nobody can delete: without any, ?ready answers 503, which looks like a failure.
    for arguments in (("backup", "--name", "held"), ("hold", "held")):
        cli.json(*arguments, **store)
    with serving(cli, **store) as api:
        yield api


def test_it_finds_nothing(api: Api, tmp_path: Path) -> None:
    _drive(api, tmp_path, phases="coverage", examples=1)


@pytest.mark.nightly
def test_it_finds_nothing_with_many_examples(api: Api, tmp_path: Path) -> None:
    _drive(api, tmp_path, phases="examples,coverage,fuzzing", examples=60)
    # DELETE of an operation cancels it; its record stays, which that check takes for a leak.
    _drive(api, tmp_path, "--exclude-checks=use_after_free", phases="stateful", examples=20)


def _drive(api: Api, folder: Path, *options: str, phases: str, examples: int) -> None:
    path = os.pathsep.join((str(Path.cwd()), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            f"{api.url}/openapi.json",
            f"--header=Authorization: Bearer {TOKEN}",
            "--checks=all",
            *options,
            f"--phases={phases}",
            f"--max-examples={examples}",
            "--continue-on-failure",
            "--exclude-path=/backup/events",  # it never ends; tests/adapters/asgi reads it
            "--request-timeout=60",
            "--generation-database=none",
            "--seed=5",
            "--no-color",
        ],
        check=False,
        capture_output=True,
        encoding="utf-8",
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONPATH": path, "SCHEMATHESIS_HOOKS": HOOKS},
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert TOKEN not in api.output()
    assert "unexpected" not in api.output()

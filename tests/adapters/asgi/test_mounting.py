"""Mounted in somebody's service, with a prefix and without lifespan events, all works."""

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import fastapi
import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.integration.cli import Cli, cli_for
from tests.integration.serving import TOKEN
from tests.servers.running import Servers

from brownie_backup.config.settings import load_settings
from brownie_backup_asgi import BackupApp, create_app

EXAMPLES = Path("examples")
WAIT = {"Prefer": "wait=60"}


@pytest.fixture(scope="module")
def cli(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A store, and a small database."""
    server = servers.get(18)
    server.create("mounted")
    server.sql("mounted", "CREATE TABLE t AS SELECT generate_series(1, 10) AS id")
    yield cli_for(server, "mounted", tmp_path_factory.mktemp("mounted"))
    for left in server.databases("mounted%"):
        server.drop(left)


@asynccontextmanager
async def client(app: Any) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ANN401 - any ASGI app
    """Ask an app as a server would; httpx sends no lifespan events."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=60
    ) as asking:
        yield asking


def backups_for(cli: Cli) -> BackupApp:
    """Return an app of ours."""
    return create_app(load_settings({**cli.env, "BACKUP_API_TOKEN": TOKEN}))


async def check(app: Any, backups: BackupApp, prefix: str, name: str) -> None:  # noqa: ANN401
    """Make a backup below a prefix, and follow every link."""
    async with client(app) as asking:
        begun = await asking.post(f"{prefix}/backup/create", json={"backup_name": name})
        assert begun.status_code == 202, begun.text
        location = begun.headers["location"]
        assert location == begun.json()["href"]
        assert location.startswith(f"{prefix}/backup/operations/")
        for _ in range(300):
            if (await asking.get(location)).json()["state"] == "succeeded":
                break
            await asyncio.sleep(0.1)
        made = await asking.post(f"{prefix}/backup/run-now", headers=WAIT)
        assert made.status_code == 201, made.text
        assert made.headers["location"].startswith(f"{prefix}/backup/mounted-")
        assert (await asking.get(made.headers["location"])).json()["status"] == "good"
        (server,) = (await asking.get(f"{prefix}/openapi.json")).json()["servers"]
        assert server["url"] == (prefix or "/")
        listed = (await asking.get(f"{prefix}/backup/operations")).json()["operations"]
        assert {each["href"].rpartition("/")[0] for each in listed} == {
            f"{prefix}/backup/operations"
        }
        assert (await asking.get(f"{prefix}/health")).status_code == 200
        assert (await asking.get(f"{prefix}/nothing")).status_code == 404
        await backups.aclose()
        late = await asking.post(f"{prefix}/backup/create")
        assert (late.status_code, late.json()["type"].split(":")[-1]) == (503, "closing")


def test_alone(cli: Cli) -> None:
    backups = backups_for(cli)
    asyncio.run(check(backups, backups, "", "alone"))


def test_below_a_path_of_starlette(cli: Cli) -> None:
    backups = backups_for(cli)
    app = Starlette(routes=[Mount("/ops", app=backups)])
    asyncio.run(check(app, backups, "/ops", "starlette"))


def test_two_levels_below_fastapi(cli: Cli) -> None:
    backups = backups_for(cli)
    inner, outer = fastapi.FastAPI(), fastapi.FastAPI()
    inner.mount("/ops", backups)
    outer.mount("/v1", inner)
    asyncio.run(check(outer, backups, "/v1/ops", "fastapi"))


@pytest.mark.parametrize(
    ("example", "app"),
    [
        ("mount_in_starlette", "app"),
        ("mount_in_fastapi", "app"),
        ("mount_in_django", "application"),
    ],
)
def test_the_examples(example: str, app: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**cli.env, "BACKUP_API_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    module = load(example)

    async def run() -> None:
        async with client(getattr(module, app)) as asking:
            assert "hello" in (await asking.get("/")).text
        await check(getattr(module, app), module.backups, "/ops", example)

    asyncio.run(run())


def load(example: str) -> ModuleType:
    """Import an example from its file."""
    spec = importlib.util.spec_from_file_location(example, EXAMPLES / f"{example}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[example] = module
    spec.loader.exec_module(module)
    return module

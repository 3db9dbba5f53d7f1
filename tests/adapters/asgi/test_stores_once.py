"""A REST process opens its stores once, whatever is asked of it, and closes them at its end."""

import asyncio
import gc
import warnings
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import evolve
from tests.unit.fakes import FakeDumper
from tests.unit.openers import Opener

from brownie_backup.audit.operation import Actor
from brownie_backup.config import OpenStores, Settings
from brownie_backup.secret import Secret
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.stores.location import Location
from brownie_backup_asgi.app import BackupApp, create_app

TOKEN = "planted-admin"
SETTINGS = Settings(
    primary=Location("s3", "one"),
    copies=(Location("gs", "two"),),
    encryption=False,
    cache_dir="none",
    api_token=Secret(TOKEN),
)
URLS = ["s3://one", "gs://two"]
READS = (
    "/backup/status",
    "/backup/list",
    "/backup/operations",
    "/metrics",
    "/backup/next-backup",
    "/backup/one",
)


def service_of(opener: Opener, settings: Settings = SETTINGS) -> Service:
    """Return a service whose stores are in memory."""
    context = ServiceContext(OpenStores(settings, opener), make_dumper=lambda _: FakeDumper())
    return Service(settings, Actor("api", "api"), context)


async def read(app: BackupApp, *paths: str) -> None:
    """Ask for all of these, several at once."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://x", headers=headers
    ) as client:
        answers = await asyncio.gather(*map(client.get, paths))
    assert {answer.status_code for answer in answers} == {200}


def test_a_hundred_reads_open_no_store_after_the_first() -> None:
    opener = Opener()
    service = service_of(opener)
    service.create_backup(name="one")
    service.close()
    opener.opened.clear()
    app = BackupApp(service, closes=True)

    async def run() -> None:
        for _ in range(17):
            await read(app, *READS)

    asyncio.run(run())
    assert opener.opened == URLS
    asyncio.run(app.aclose())
    assert [opener.stores[url].closed for url in URLS] == [2, 2]


def test_the_end_of_the_lifespan_closes_the_stores(tmp_path: Path) -> None:
    opener = Opener()
    app = BackupApp(service_of(opener), closes=True)
    sent: list[str] = []

    async def run() -> None:
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
            sent.append(message["type"])

        lifespan = asyncio.create_task(app({"type": "lifespan"}, told.get, send))
        await told.put({"type": "lifespan.startup"})
        await read(app, "/backup/list")
        await told.put({"type": "lifespan.shutdown"})
        await lifespan

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(run())
        gc.collect()
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert [opener.stores[url].closed for url in URLS] == [1, 1]


@pytest.mark.parametrize("owner", ["app", "caller"])
def test_whoever_made_the_service_closes_it(owner: str, tmp_path: Path) -> None:
    folder = Location("file", path=str(tmp_path))
    settings = evolve(SETTINGS, primary=folder, copies=())
    opener = Opener()
    service = service_of(opener, settings)
    app = create_app(settings if owner == "app" else service)
    asyncio.run(read(app, "/backup/list"))
    asyncio.run(app.aclose())
    if owner == "caller":
        (store,) = opener.stores.values()
        assert store.closed == 0
        service.close()
        assert store.closed == 1

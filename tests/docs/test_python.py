"""The examples in Python, on each version of it."""

import asyncio
import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.docs.pages import ROOT, Page, all_pages, page
from tests.docs.sandbox import Sandbox

PAGES = {each.name: each for each in all_pages() if each.has_python}


@pytest.mark.parametrize("name", PAGES)
def test_examples(name: str, sandbox: Sandbox) -> None:
    sandbox.run_page(PAGES[name])


def test_the_asgi_example(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox.succeed("brownie-backup keygen")
    environment = sandbox.environment | {
        "BACKUP_DATABASE_URL": "postgresql:///shop",
        "BACKUP_DESTINATION": str(sandbox.home / "store"),
        "BACKUP_GPG_PUBLIC_KEY_FILE": str(sandbox.home / "brownie-backup-public.asc"),
    }
    pg_dump = shutil.which("pg_dump", path=environment["PATH"])
    assert pg_dump
    # Named: this process may know others already, from another PATH.
    ours = {"BACKUP_API_TOKEN": "t0ken-of-a-test", "BACKUP_PG_BIN": str(Path(pg_dump).parent)}
    for name, value in (environment | ours).items():
        monkeypatch.setenv(name, value)
    app = _saved_module(page("README.md"), "backup_app.py", sandbox).app

    asyncio.run(_ask(app))


async def _ask(app: Any) -> None:  # noqa: ANN401 - an ASGI app
    """Ask the app as mounted: without lifespan events, and below a prefix."""
    headers = {"Authorization": "Bearer t0ken-of-a-test"}
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/") as client:
        created = await client.post(
            "/ops/backup/create",
            json={"backup_name": "before-deployment"},
            headers=headers | {"Prefer": "wait=60"},
        )
        assert created.status_code == 201, created.text
        listed = await client.get("/ops/backup/list", headers=headers)
        assert [each["name"] for each in listed.json()["backups"]] == ["before-deployment"]
        status = await client.get("/ops/backup/status", headers=headers)
        assert status.json()["state"] == "ok"
        assert (await client.get("/backup/status", headers=headers)).status_code == 404
        assert (await client.get("/ops/backup/status")).status_code == 401


def _saved_module(each: Page, name: str, sandbox: Sandbox) -> ModuleType:
    (block,) = (block for block in each.blocks if block.directive("file") == name)
    sandbox.run_block(block)
    spec = importlib.util.spec_from_file_location("example", sandbox.home / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_dask_example(sandbox: Sandbox) -> None:
    sandbox.succeed("export BACKUP_DATABASE_URL=postgresql:///shop BACKUP_DESTINATION=store")
    sandbox.succeed("echo secret >passphrase; export BACKUP_PASSPHRASE_FILE=$PWD/passphrase")
    said = sandbox.succeed(f"python {ROOT / 'examples' / 'backup_with_dask.py'}")
    assert re.search(r"^shop-.*: [1-9]\d* new blobs$", said, re.MULTILINE)
    sandbox.succeed("brownie-backup verify latest")

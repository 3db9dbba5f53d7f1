"""The examples in Python, on each version of it."""

import asyncio
import importlib.util
import json
import re
from types import ModuleType
from typing import Any

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
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = _saved_module(page("README.md"), "backup_app.py", sandbox).app

    assert _request(app, "GET", "/list") == (200, [])
    status, created = _request(app, "POST", "/create")
    assert status == 201
    assert _request(app, "GET", "/list") == (200, [{"name": created["name"], "status": "good"}])
    assert _request(app, "GET", "/backup/list", mounted_at="/backup")[0] == 200
    assert _request(app, "GET", "/nothing") == (404, {})
    sandbox.succeed(f"rm -r {sandbox.home}/store && touch {sandbox.home}/store")
    status, answer = _request(app, "POST", "/create")
    assert (status, list(answer)) == (500, ["error"])


def _saved_module(each: Page, name: str, sandbox: Sandbox) -> ModuleType:
    (block,) = (block for block in each.blocks if block.directive("file") == name)
    sandbox.run_block(block)
    spec = importlib.util.spec_from_file_location("example", sandbox.home / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _request(app: Any, method: str, path: str, *, mounted_at: str = "") -> tuple[int, Any]:  # noqa: ANN401 - an ASGI app, and JSON
    """Ask an ASGI application; return the status and the JSON of its answer."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "root_path": mounted_at}
    asyncio.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(body)


def test_the_dask_example(sandbox: Sandbox) -> None:
    sandbox.succeed("export BACKUP_DATABASE_URL=postgresql:///shop BACKUP_DESTINATION=store")
    sandbox.succeed("echo secret >passphrase; export BACKUP_PASSPHRASE_FILE=$PWD/passphrase")
    said = sandbox.succeed(f"python {ROOT / 'examples' / 'backup_with_dask.py'}")
    assert re.search(r"^shop-.*: [1-9]\d* new blobs$", said, re.MULTILINE)
    sandbox.succeed("brownie-backup verify latest")

"""The examples of the documentation do what it says, and its links lead somewhere."""

import asyncio
import importlib.util
import json
import shutil
from collections import Counter
from types import ModuleType
from typing import Any

import pytest

from tests.docs.pages import EXECUTED, ROOT, SHOWN, Page, all_pages, page
from tests.docs.sandbox import Sandbox

PAGES = {each.name: each for each in all_pages()}
WITH_EXAMPLES = [name for name, each in PAGES.items() if any(b.executed for b in each.blocks)]

SMALL_BLOBS_IN_LISTS = """
from brownie_backup.repository import catalogue
from brownie_backup.operations import create
from brownie_backup_cli.main import main

create.BLOB_BYTES = 100_000
catalogue.INLINE_BLOBS = 2
main(["backup", "--name", "long"])
"""


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str, sandbox: Sandbox) -> None:
    blocks = [block for block in PAGES[name].blocks if block.executed]
    needed = {program for block in blocks for program in (block.directive("needs") or "").split()}
    missing = sorted(program for program in needed if not shutil.which(program))
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for block in blocks:
        problem = ""
        try:
            sandbox.run_block(block)
        except AssertionError as error:
            problem = str(error)
        if problem:
            pytest.fail(f"{name}:{block.line}: {problem}", pytrace=False)


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_executed_or_says_why_not(name: str) -> None:
    for block in PAGES[name].blocks:
        reason = block.directive("not run")
        assert reason or block.executed or block.language in SHOWN, f"{name}:{block.line}"
        assert not (reason and block.language in SHOWN) or block.language == "text"
        assert block.language in {*EXECUTED, *SHOWN, "dockerfile", "ini", "yaml"}


def test_few_blocks_are_not_run() -> None:
    blocks = [block for each in PAGES.values() for block in each.blocks]
    skipped = [block for block in blocks if block.directive("not run") is not None]
    assert len(skipped) <= len(blocks) / 5


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    each = PAGES[name]
    for number, target in each.links:
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (each.path.parent / path).resolve() if path else each.path
        assert found.is_file(), f"{name}:{number}: {target}"
        assert found.is_relative_to(ROOT), f"{name}:{number}: {target}"
        if anchor:
            assert anchor in Page(found).anchors, f"{name}:{number}: {target}"


@pytest.mark.parametrize("name", PAGES)
def test_no_anchor_is_ambiguous(name: str) -> None:
    headings = Counter(text.lower() for _, text in PAGES[name].headings)
    targets = {target.rpartition("#")[2] for each in PAGES.values() for _, target in each.links}
    twice = {text.replace(" ", "-") for text, count in headings.items() if count > 1}
    assert not twice & targets


def test_every_page_is_in_a_table_of_contents() -> None:
    for each in PAGES.values():
        if each.path.parent.parent == ROOT / "docs" and each.path.name != "index.md":
            index = (each.path.parent / "index.md").read_text(encoding="utf-8")
            assert ":glob:" in index or f"\n{each.path.stem}\n" in index, each.name


def test_the_test_command_is_that_of_ci() -> None:
    blocks = [b for b in page("README.md").blocks if b.language == "console"]
    commands = [command.text for block in blocks for command in block.commands]
    assert commands[0] == ("python3 -m pip install -q uv && python3 -m uv run brownie-backup demo")
    assert commands[1] == "python3 -m pip install -q uv && python3 -m uv run nox"
    assert commands[1] in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


# --- what takes more than running it -------------------------------------------------------------


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


def test_recovery_by_hand_of_a_backup_with_lists_of_blobs(sandbox: Sandbox) -> None:
    if not (shutil.which("zstd") and shutil.which("gpg")):
        pytest.skip("not installed: zstd or gpg")
    (script,) = (
        block
        for block in page("docs/how-to/recover-by-hand.md").blocks
        if block.directive("file") == "recover.sh"
    )
    sandbox.run_block(script)
    (sandbox.home / "long.py").write_text(SMALL_BLOBS_IN_LISTS, encoding="utf-8")
    sandbox.succeed("export BACKUP_DATABASE_URL=postgresql:///shop BACKUP_DESTINATION=store")
    sandbox.succeed("echo secret >passphrase; export BACKUP_PASSPHRASE_FILE=passphrase")
    sandbox.succeed("python long.py && ls store/lists/*.json")
    assert len(sandbox.said.splitlines()) >= 3

    options = "--pinentry-mode loopback --passphrase-file passphrase"
    sandbox.succeed(f"bash recover.sh store long recovered {options}")
    sandbox.succeed("psql --quiet postgres --command 'CREATE DATABASE other TEMPLATE template0'")
    sandbox.succeed("pg_restore --exit-on-error --dbname=other recovered/archive")
    assert sandbox.succeed("psql other -Atc 'SELECT count(*) FROM orders'") == "20000\n"

    sandbox.succeed("find store/blobs -type f | head -n 1 | xargs rm")
    assert sandbox.run(f"bash recover.sh store long again {options}") != 0


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

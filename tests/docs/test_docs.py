"""The examples of the documentation do what it says, and its links lead somewhere."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.docs.conftest import SERVICES
from tests.docs.pages import EXECUTED, ROOT, SHOWN, Page, all_pages, page
from tests.docs.sandbox import Sandbox

pytestmark = pytest.mark.once

_KNOWN = "<!-- test: "
PAGES = {each.name: each for each in all_pages()}
NOT_HERE = {
    name
    for name, each in PAGES.items()
    if each.has_python or "new.example.com" in each.path.read_text(encoding="utf-8")
}
"""Pages that test_python.py and test_recovery.py run."""
WITH_EXAMPLES = [name for name, each in PAGES.items() if each.examples and name not in NOT_HERE]

SMALL_BLOBS_IN_LISTS = """
import os

from attrs import evolve

from brownie_backup import create_backup
from brownie_backup.config import load_settings, make_dumper, make_repository
from brownie_backup.repository import Tuning

settings = load_settings(os.environ)
small = Tuning(blob_bytes=100_000, inline_blobs=2)
repository = evolve(make_repository(settings, writes=True), tuning=small)
create_backup(repository, make_dumper(settings), name="long")
"""


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str, sandbox: Sandbox, request: pytest.FixtureRequest) -> None:
    text = PAGES[name].path.read_text(encoding="utf-8")
    for word, fixture in SERVICES.items():
        if word in text:
            stands_for = request.getfixturevalue(fixture)
            sandbox.substitute(stands_for)
            if fixture == "documented_s3":  # Amazon's own address, which the page need not name
                sandbox.set(BACKUP_ENDPOINT_URL=stands_for["https://s3.example.com"])
            if fixture == "documented_kms":  # likewise
                sandbox.set(**request.getfixturevalue("kms_server").environment)
    sandbox.run_page(PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_executed_or_says_why_not(name: str) -> None:
    for block in PAGES[name].blocks:
        reason = block.directive("not run")
        assert reason or block.executed or block.language in SHOWN, f"{name}:{block.line}"
        assert not (reason and block.language in SHOWN) or block.language == "text"
        assert block.language in {*EXECUTED, *SHOWN, "dockerfile", "ini", "toml", "yaml"}


@pytest.mark.parametrize("name", PAGES)
def test_every_directive_is_known(name: str) -> None:
    """A script that no reader sees says what it stands for, and is never passed over."""
    found = Counter(_KNOWN in text for text in PAGES[name].path.read_text("utf-8").splitlines())
    taken = sum(len(block.directives) for block in PAGES[name].blocks)
    assert found[True] == taken


def test_a_hidden_step_leaves_no_settings(sandbox: Sandbox, tmp_path: Path) -> None:
    """A page whose reader would miss a setting fails."""
    text = (
        "<!-- test: before, a key\n"
        "export BACKUP_DESTINATION=/srv/backups; cd /; touch ~/key\n-->\n"
        '```console\n$ ls; pwd; echo "[${BACKUP_DESTINATION:-}]"\nkey\n/home/ada\n[]\n```\n'
    )
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    each = Page(tmp_path / "page.md")
    assert len(each.examples) == 2
    for block in each.examples:
        sandbox.run_block(block)


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


def test_recovery_by_hand_of_a_backup_with_a_data_key(sandbox: Sandbox) -> None:
    """As the page says: a line of its script is replaced by a script of another page."""
    if missing := [name for name in ("zstd", "gpg", "openssl", "jq") if not shutil.which(name)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    for name in ("docs/how-to/recover-by-hand.md", "docs/format.md"):
        for block in page(name).blocks:
            if block.directive("file") in {"recover.sh", "open.sh", "blob.sh"}:
                sandbox.run_block(block)
    path = sandbox.home / "recover.sh"
    text = path.read_text(encoding="utf-8")
    (line,) = (each for each in text.splitlines() if each.strip().startswith("gpg "))
    before, _, after = line.rpartition('/$name"')
    replaced = f'sh blob.sh "$store" "$name"{after}'
    assert before
    path.write_text(text.replace(line, replaced), encoding="utf-8")
    sandbox.succeed("export BACKUP_DATABASE_URL=postgresql:///shop BACKUP_DESTINATION=store")
    sandbox.succeed("brownie-backup keygen --directory keys && gpg -q --import keys/*private.asc")
    sandbox.succeed("export BACKUP_GPG_PUBLIC_KEY_FILE=keys/brownie-backup-public.asc")
    sandbox.succeed("export BACKUP_KEY_RECIPIENTS=openpgp BACKUP_BULK_TABLE_BYTES=256K")
    sandbox.succeed("brownie-backup backup --name monday")
    sandbox.succeed("bash recover.sh store monday recovered && ls recovered/table-*-000001")
    sandbox.succeed("pg_restore --list recovered/archive")
    sizes = '[.parts[] | select(.kind == "table").size_bytes] | add'
    expected = sandbox.succeed(f"jq '{sizes}' store/manifests/monday.json")
    assert sandbox.succeed("cat recovered/table-* | wc -c") == expected

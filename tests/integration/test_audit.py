"""The audit trail through the command line, in a folder and in SeaweedFS."""

import os
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from pwd import getpwuid

import pytest
from tests.integration.cli import PASSPHRASE, Cli, children, finish
from tests.integration.stores import local, s3
from tests.integration.waiting import wait_until
from tests.servers.running import Servers

from brownie_backup.audit.auditor import Auditor
from brownie_backup.audit.operation import Actor
from brownie_backup.config import load_settings, make_repository
from brownie_backup.format.layout import AUDIT
from brownie_backup.protocols import Store

pytestmark = pytest.mark.once

ME = getpwuid(os.getuid()).pw_name


@pytest.fixture(params=[local, s3], ids=["local", "s3"])
def audited(small_cli: Cli, request: pytest.FixtureRequest) -> Cli:
    """The command line, for a small database, with one of two stores."""
    return Cli(small_cli.env | request.param(request))


@pytest.fixture
def store(audited: Cli) -> Store:
    return make_repository(load_settings(audited.env)).store


def trail(cli: Cli, *arguments: str) -> list[tuple[str, str | None, str | None]]:
    """Return what was done: action, backup and outcome."""
    entries = cli.json("audit", *arguments)["entries"]
    return [(entry["action"], entry["backup"], entry["outcome"]) for entry in entries]


def test_every_command_leaves_its_traces(
    audited: Cli, store: Store, small: str, servers: Servers
) -> None:
    audited.json("backup", "--name", "one")
    assert audited.run("backup", "--name", "one").status == 1
    audited.json("verify", "latest")
    assert audited.run("verify", "--against-database", "one").status in {0, 3}
    audited.json("restore", "one", "--target-db", f"{small}_copy")
    assert audited.run("restore", "one").status == 1  # it is there
    audited.json("hold", "one")
    assert audited.run("delete", "one").status == 1
    audited.json("release", "one")
    audited.json("cleanup", "--dry-run")
    audited.json("delete", "one")
    assert audited.run("verify", "--all").status == 10
    for looking in ("list", "status", "config"):
        audited.json(looking)

    assert trail(audited) == [
        ("backup", "one", "success"),
        ("backup", "one", "refused"),
        ("verify", "one", "success"),
        ("compare", "one", "success"),
        ("restore", "one", "success"),
        ("restore", "one", "refused"),
        ("hold", "one", "success"),
        ("delete", "one", "refused"),
        ("release", "one", "success"),
        ("cleanup", None, "success"),
        ("delete", "one", "success"),
    ]
    document = audited.json("audit", "--verify")
    first, *_ = document["entries"]
    assert (first["actor"], first["origin"]) == (
        getpwuid(os.getuid()).pw_name,
        f"cli {socket.gethostname()}",
    )
    assert first["database"] == small
    assert first["size_bytes"] > 0
    assert document["entries"][5]["error_type"] == "TargetExists"
    (proof,) = document["proofs"]
    assert proof["good"]
    assert proof["records"] == 2 * len(document["entries"])

    assert trail(audited, "--action", "delete", "--limit", "1") == [("delete", "one", "success")]
    assert len(trail(audited, "--since", f"{datetime.now(UTC):%Y-%m-%d}")) == 11
    assert trail(audited, "--since", "2099-01-01") == []
    assert audited.run("audit", "--limit", "2").out.count("UTC") == 2


def test_tampering_ends_the_proof(audited: Cli, store: Store) -> None:
    audited.json("backup", "--name", "one")
    audited.json("verify", "one")
    audited.json("hold", "one")
    key = next(f.key for f in store.list(AUDIT) if b'"verify"' in store.get(f.key))
    data = store.get(key)

    def found() -> list[str]:
        result = audited.run("audit", "--verify", "--json")
        assert result.status == 1
        return [problem["key"] for problem in result.json["proofs"][0]["problems"]]

    store.put(key, data.replace(b"verify", b"backup"))
    assert found() == [key]
    store.delete(key)
    assert found() == [key]
    store.put(key, data)
    store.put(f"{AUDIT}note", b"I was here")
    assert found() == [f"{AUDIT}note"]
    said = audited.run("audit", "--verify")
    assert "1 PROBLEM" in said.out
    assert f"{AUDIT}note: it is not a record" in said.err


def test_no_secret_is_in_the_trail(audited: Cli, store: Store, servers: Servers) -> None:
    audited, planted = audited.by_passphrase(), "planted-secret-value"
    secrets = [PASSPHRASE, planted, audited.env.get("BACKUP_SECRET_KEY", planted)]
    audited.json("backup", "--name", "one")
    assert audited.run("backup", "--name", planted, BACKUP_API_TOKEN=planted).status == 0
    assert audited.run("restore", "one", "--target-db", "x", BACKUP_PASSPHRASE=planted).status == 12
    wrong = f"postgresql://nobody:{planted}@127.0.0.1:1/none"
    assert audited.run("backup", "--name", "two", BACKUP_DATABASE_URL=wrong).status == 1
    objects = [store.get(found.key) for found in store.list(AUDIT)]
    assert len(objects) == 8
    for secret in secrets:
        assert not [each for each in objects if secret.encode() in each]


def test_a_backup_that_was_killed_has_no_end_and_one_that_was_asked_to_end_has(cli: Cli) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = cli.start("backup")
        wait_until(lambda: any(children(process, "pg_dump")), what="pg_dump")  # noqa: B023
        process.send_signal(number)
        finish(process)
    killed, ended = cli.json("audit", "--action", "backup")["entries"]
    assert killed["outcome"] is None
    assert (ended["outcome"], ended["error_type"]) == ("failure", "TerminatedBySignal")
    assert cli.run("audit").out.count("not ended") == 1


@pytest.fixture
def read_only(small_cli: Cli) -> Iterator[Cli]:
    """A store in which nothing can be written, in the place of the trail: root may do all else."""
    small_cli.json("backup", "--name", "one")
    folder = small_cli.store / "audit"
    folder.rename(small_cli.store.parent / "kept")
    folder.write_text("a file, where a folder has to be")
    yield small_cli
    folder.unlink()
    (small_cli.store.parent / "kept").rename(folder)


def test_without_a_trail_nothing_is_deleted_but_all_can_be_restored(
    read_only: Cli, small: str
) -> None:
    deleted = read_only.run("delete", "one")
    assert deleted.status == 1
    assert "nothing was done, because no store accepts the audit record of it" in deleted.err
    restored = read_only.run("restore", "one", "--target-db", f"{small}_copy", "--json")
    assert restored.status == 0
    assert "restore is not yet in the audit trail of" in restored.err
    assert read_only.backups() == {"one": "good"}


def test_a_copy_that_is_away_keeps_nobody_and_its_own_trail_is_whole(
    small_cli: Cli, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    both = Cli(small_cli.env | {"BACKUP_COPY_TO": copy.as_uri()})
    both.json("backup", "--name", "one")
    aside = tmp_path / "aside"
    copy.rename(aside)
    copy.write_text("not a folder")
    assert both.run("backup", "--name", "two").status == 3
    copy.unlink()
    aside.rename(copy)
    both.json("verify", "one")
    proofs = both.json("audit", "--verify")["proofs"]
    assert [(proof["good"], proof["records"]) for proof in proofs] == [(True, 6), (True, 4)]
    entries = both.json("audit", "--from", "copy1")["entries"]
    assert [entry["action"] for entry in entries] == ["backup", "verify"]
    assert both.json("audit")["entries"][1]["not_done_in"] == [copy.as_uri()]


def test_a_forged_record_does_not_reach_the_terminal(small_cli: Cli) -> None:
    store = make_repository(load_settings(small_cli.env)).store
    forger = Actor("\x1b[2Jroot", "\r\nhere")
    with Auditor().operation([store], "backup", forger):
        pass
    shown = small_cli.run("audit").out
    assert r"\x1b[2Jroot" in shown
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2


def test_who_it_was_is_not_for_the_environment_to_say(small_cli: Cli) -> None:
    small_cli.json("backup", USER="mallory", LOGNAME="mallory")
    (entry,) = small_cli.json("audit")["entries"]
    assert entry["actor"] == ME

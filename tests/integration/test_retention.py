"""Which backups stay, seen from the command line, with a real server and real stores."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from tests.integration.cli import Cli, cli_for
from tests.integration.conftest import SMALL
from tests.servers.objects import S3Server
from tests.servers.running import Servers

pytestmark = pytest.mark.once
NOWHERE = "postgresql://postgres@127.0.0.1:1/{}"


@pytest.fixture(scope="module")
def databases(servers: Servers) -> Iterator[tuple[str, str]]:
    """Two small databases on 18."""
    server = servers.get(18)
    token = secrets.token_hex(4)
    names = (f"kept_{token}", f"other_{token}")
    for name in names:
        server.create(name)
        server.sql(name, SMALL)
    yield names
    for name in names:
        server.drop(name)


@pytest.fixture
def cli(servers: Servers, databases: tuple[str, str], tmp_path: Path) -> Cli:
    """The command line for the first of them, which keeps the last backup."""
    ours = cli_for(servers.get(18), databases[0], tmp_path)
    return Cli(ours.env | {"BACKUP_KEEP_LAST": "1", "BACKUP_ENCRYPTION": "false"})


def back_up(cli: Cli, *names: str, **more: str) -> None:
    for name in names:
        cli.json("backup", "--name", name, **more)


def reasons(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {decision["name"]: decision["reason"] for decision in document["decisions"]}


def test_the_latest_is_not_that_of_another_database(
    cli: Cli, databases: tuple[str, str], servers: Servers
) -> None:
    ours, other = databases
    server = servers.get(18)
    back_up(cli, "ours")
    back_up(cli, "others", BACKUP_DATABASE_URL=server.url(other))
    assert cli.json("show", "latest")["name"] == "ours"
    assert cli.json("restore", "latest", "--dry-run", "--replace")["target_database"] == ours
    elsewhere = cli.run(
        "restore", "latest", "--replace", BACKUP_DATABASE_URL=server.url("postgres")
    )
    assert elsewhere.status == 10
    assert f"is of 'postgres'; they are of '{ours}', '{other}'" in elsewhere.err
    assert "Name one backup: see 'brownie-backup list'" in elsewhere.err


def test_a_backup_is_held_released_and_then_goes(cli: Cli) -> None:
    back_up(cli, "b1", "b2", "b3")
    day = (datetime.now(UTC) + timedelta(days=9)).date()
    held = cli.run("hold", "b1", "--until", day.isoformat())
    end = f"{day + timedelta(days=1)} 00:00:00 UTC"
    assert (held.status, held.err) == (0, "")
    assert held.out.startswith(f"b1 is held until {end}, by ")
    assert f"good, held until {end}" in cli.run("list").out
    assert cli.json("show", "b1")["hold"]["until"] == f"{day + timedelta(days=1)}T00:00:00Z"
    assert cli.run("hold", "b1", "--until", "2020-01-01").status == 2

    refused = cli.run("delete", "b1")
    assert refused.status == 1
    assert "brownie-backup release b1" in refused.err

    would = cli.json("cleanup", "--dry-run")
    assert would["deleted"] == ["b2"]
    assert reasons(would)["b1"].startswith(f"held until {end}, by ")
    assert reasons(would)["b3"] == "last (1 of 1)"
    assert reasons(would)["b2"].endswith("old, kept by no rule")
    table = cli.run("cleanup", "--dry-run").out
    assert "\ndelete  b2" in table
    assert "1 backup would be deleted, 3 checked; 0 blobs would be removed, 0 B would" in table
    assert cli.json("cleanup")["deleted"] == ["b2"]

    assert cli.json("release", "b1")["was_held"]
    assert cli.run("release", "b1").out == "b1 was not held\n"
    assert cli.json("cleanup")["deleted"] == ["b1"]
    assert cli.backups() == {"b3": "good"}
    assert cli.run("hold", "b1").status == cli.run("release", "b1").status == 10


def test_backups_of_another_database_are_never_touched(
    servers: Servers, databases: tuple[str, str], cli: Cli
) -> None:
    other = {"BACKUP_DATABASE_URL": servers.get(18).url(databases[1])}
    back_up(cli, "other-1", "other-2", **other)
    back_up(cli, "b1", "b2")
    document = cli.json("cleanup")
    assert document["deleted"] == ["b1"]
    assert reasons(document)["other-1"].startswith(f"of another database: '{databases[1]}' of ")

    away = NOWHERE.format(databases[0])
    result = cli.run("cleanup", BACKUP_DATABASE_URL=away)
    assert result.status == 1
    assert "--all-databases" in result.err
    there = cli.json("cleanup", "--all-databases", BACKUP_DATABASE_URL=away)
    assert there["deleted"] == ["other-1"]
    assert cli.backups() == {"b2": "good", "other-2": "good"}


def test_nothing_is_deleted_after_a_failure_and_not_many_at_once(
    databases: tuple[str, str], cli: Cli
) -> None:
    back_up(cli, "b1", "b2", "b3", "b4")
    failed = cli.run("backup", "--name", "b5", BACKUP_DATABASE_URL=NOWHERE.format(databases[0]))
    assert failed.status == 1
    would = cli.run("cleanup", "--dry-run", "--json")
    assert would.status == 3
    (refusal,) = would.json["refusals"]
    assert "'b5', is missing or not good" in refusal
    assert f"warning: nothing would be deleted: {refusal}" in would.err
    result = cli.run("cleanup", "--json")
    assert result.status == 1
    assert result.json["error"]["type"] == "DeletionRefused"
    assert len(cli.backups()) == 4

    back_up(cli, "b6")
    result = cli.run("cleanup")
    assert result.status == 1
    assert "4 of 5 backups of" in result.err
    assert "--yes-delete-many" in result.err
    assert len(cli.json("cleanup", "--yes-delete-many")["deleted"]) == 4


def test_each_store_has_its_own_retention_and_a_hold_counts_in_all(
    cli: Cli, tmp_path: Path
) -> None:
    copy = (tmp_path / "copy").as_uri()
    both = Cli(cli.env | {"BACKUP_COPY_TO": f"{copy}?keep_last=2"})
    back_up(both, "b1")
    assert both.json("hold", "b1")["stores"] == [cli.store.as_uri(), copy]
    back_up(both, "b2", "b3", "b4")
    document = both.json("cleanup")
    assert document["store"] == cli.store.as_uri()
    assert document["deleted"] == ["b3", "b2"]
    (second,) = document["copies"]
    assert (second["store"], second["problem"]) == (copy, None)
    assert second["deleted"] == ["b2"]
    assert both.run("delete", "b1").status == 1
    assert both.json("release", "b1")["stores"] == [cli.store.as_uri(), copy]
    both.json("delete", "b1")
    copied = evolve(both, env=both.env | {"BACKUP_DESTINATION": str(tmp_path / "copy")})
    del copied.env["BACKUP_COPY_TO"]
    assert copied.backups() == {"b4": "good", "b3": "good"}


def test_what_a_store_has_locked_is_kept_and_is_no_error(cli: Cli, s3_server: S3Server) -> None:
    pytest.importorskip("boto3")
    bucket = s3_server.new_bucket(object_lock=True)
    there = {
        "BACKUP_DESTINATION": f"s3://{bucket}?region={s3_server.region}",
        "BACKUP_ENDPOINT_URL": s3_server.endpoint_url,
        "BACKUP_ACCESS_KEY": s3_server.access_key,
        "BACKUP_SECRET_KEY": s3_server.secret_key,
    }
    back_up(cli, "free", **there)
    locked = there | {"BACKUP_OBJECT_LOCK_DAYS": "2"}
    back_up(cli, "locked", "new", **locked)
    for _ in range(2):
        document = cli.json("cleanup", **locked)
        assert document["locked"] == ["locked"]
        assert "locked: " in reasons(document)["locked"]
        assert " UTC" in reasons(document)["locked"]
    result = cli.run("cleanup", **locked)
    assert result.status == 0
    assert "1 backup kept: locked by the store" in result.out
    listed = {backup["name"] for backup in cli.json("list", **locked)["backups"]}
    assert listed == {"locked", "new"}
    assert cli.run("delete", "locked", **locked).status == 1

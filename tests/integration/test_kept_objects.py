"""Stores that keep what is stored, on real servers and on a real file system."""

import json
from typing import Any

import pytest
from tests.integration.cli import Cli
from tests.integration.stores import s3
from tests.servers.objects import S3Server
from tests.servers.odd_folder import OddFolder


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    return s3_server.new_bucket()


def in_bucket(cli: Cli, request: pytest.FixtureRequest, bucket: str) -> Cli:
    return Cli(cli.env | s3(request) | {"BACKUP_DESTINATION": f"{bucket}/database"})


def deny(server: S3Server, bucket: str, action: str, folder: str = "") -> None:
    """Let a policy of the bucket refuse something to everybody."""
    statement: dict[str, Any] = {"Effect": "Deny", "Principal": "*", "Action": [action]}
    statement["Resource"] = f"arn:aws:s3:::{bucket}/database/{folder}*"
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    server.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


def test_a_folder_that_keeps_its_files_is_refused_by_the_first_backup(
    small_cli: Cli, keeping_folder: OddFolder
) -> None:
    cli = Cli(small_cli.env | {"BACKUP_DESTINATION": str(keeping_folder.at / "store")})
    for _ in range(2):
        result = cli.run("backup")
        assert result.status == 1
        assert "does not let objects be replaced, so it cannot be used" in result.err
        assert "remove the policy, and lock the backups alone" in result.err
    assert not list((keeping_folder.at / "store").glob("blobs/*"))
    doctor = cli.run("doctor")
    assert doctor.status == 1
    assert "does not let objects be replaced" in doctor.out
    assert "does not let objects be deleted" in doctor.out


def test_a_policy_that_came_later_stops_backups_and_nothing_that_reads(
    small_cli: Cli, request: pytest.FixtureRequest, s3_server: S3Server, bucket: str, small: str
) -> None:
    cli = in_bucket(small_cli, request, bucket)
    assert cli.run("backup", "--name", "first").status == 0
    deny(s3_server, bucket, "s3:PutObject", "attempts/")
    result = cli.run("backup", "--name", "second")
    assert result.status == 1
    assert "does not let objects be replaced" in result.err
    assert cli.backups() == {"first": "good"}
    assert cli.run("verify", "first").status == 0
    assert cli.run("status").status in {0, 3}
    assert cli.run("restore", "first", "--target-db", f"{small}_copy").status == 0


def test_a_bucket_with_a_default_retention_takes_backups_and_cleans_up(
    small_cli: Cli, request: pytest.FixtureRequest, s3_server: S3Server
) -> None:
    bucket = s3_server.new_bucket(object_lock=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    s3_server.client.put_object_lock_configuration(
        Bucket=bucket,
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule},
    )
    cli = in_bucket(small_cli, request, bucket)
    for name in ("first", "second"):
        assert cli.run("backup", "--name", name).status == 0
        assert cli.run("verify", "first").status == 0
    assert cli.run("delete", "first").status == 0
    assert cli.run("cleanup").status == 0
    assert cli.backups() == {"second": "good"}


def test_a_bucket_in_which_nothing_may_be_deleted_takes_backups_and_says_so(
    small_cli: Cli, request: pytest.FixtureRequest, s3_server: S3Server, bucket: str
) -> None:
    deny(s3_server, bucket, "s3:DeleteObject")
    cli = in_bucket(small_cli, request, bucket)
    for name in ("first", "second"):
        result = cli.run("backup", "--name", name)
        assert result.status == 0
        assert "no cleanup can start until it expires" in result.err
    assert cli.backups() == {"first": "good", "second": "good"}
    doctor = cli.run("doctor")
    assert doctor.status == 1
    assert "does not let objects be deleted" in doctor.out
    assert "does not let objects be replaced" not in doctor.out

"""Objects of other programs in a bucket: copies of sync programs, folders, half uploads."""

from pathlib import Path

import pytest
from tests.integration.stores import s3
from tests.servers.objects import S3Server
from tests.unit.fakes import FakeDumper
from tests.unit.test_foreign_files import check_verbs
from tests.unit.test_service import WHO

from brownie_backup.config.settings import load_settings
from brownie_backup.service import Service

pytestmark = pytest.mark.once

FOREIGN = (
    "{stem} (1){suffix}",
    "Copy of {stem}{suffix}",
    "{stem}{suffix}.part",
    ".~lock.{stem}{suffix}#",
    "@eaDir/{stem}{suffix}",
    ".DS_Store",
    "ключ{suffix}",
    "folder/",
)


def plant(server: S3Server, bucket: str) -> set[str]:
    """Put each kind of foreign object into each folder, beside an object of ours and like it."""
    client, planted = server.client, set()
    listed = client.list_objects_v2(Bucket=bucket)["Contents"]
    examples = {found["Key"].rpartition("/")[0]: found["Key"] for found in listed}
    for folder, key in examples.items():
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        stem, dot, suffix = key.rpartition("/")[2].partition(".")
        for name in FOREIGN:
            foreign = f"{folder}/{name.format(stem=stem, suffix=dot + suffix)}"
            client.put_object(Bucket=bucket, Key=foreign, Body=b"" if name[-1] == "/" else body)
            planted.add(foreign)
    return planted


def test_foreign_objects_end_no_verb_and_stay(
    request: pytest.FixtureRequest,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    dumper = FakeDumper()
    monkeypatch.setattr("brownie_backup.service.context.make_dumper", lambda _: dumper)
    env = s3(request) | {"BACKUP_ENCRYPTION": "false", "BACKUP_COMPRESSION": "none"}
    bucket = env["BACKUP_DESTINATION"].partition("/")[0]
    env |= {"BACKUP_CACHE_DIR": "none", "BACKUP_COPY_TO": (tmp_path / "copy").as_uri()}
    service = Service(load_settings(env), WHO)
    service.create_backup(name="one")
    service.verify("one")
    service.hold("one")
    planted = plant(s3_server, bucket)
    check_verbs(service, dumper)
    listed = s3_server.client.list_objects_v2(Bucket=bucket)["Contents"]
    assert planted <= {found["Key"] for found in listed}

"""The policies that we ship allow what the stores ask for, and nothing else.

What a store asks for is counted while a repository lives: backups, verification, cleanup, doctor.
What each request needs is from the services' own tables.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import yaml
from attrs import evolve
from tests.docs.pages import ROOT
from tests.servers.objects import AzureServer, GcsServer, S3Server
from tests.unit.fakes import FakeDumper, noise
from tests.unit.scripted import Answer, ScriptedService
from tests.uses import use_of

from brownie_backup import (
    Repository,
    RetentionPolicy,
    apply_retention,
    create_backup,
    delete_backup,
    diagnose,
    hold_backup,
    list_backups,
    release_backup,
    verify_backup,
)
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import ObjectLocked
from brownie_backup.protocols import Store
from brownie_backup.secret import Secret
from brownie_backup.stores import azure, gcs, s3
from brownie_backup.stores.location import Location

pytestmark = pytest.mark.once

IAM = ROOT / "examples" / "iam"
BLOB = "blobs/aa/aabb"
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"


def live(store: Store) -> None:
    """Do with a store all that is done with one."""
    repository = Repository(store, Zstd(), Cleartext())
    for number, name in enumerate(("one", "two", "three")):
        create_backup(repository, FakeDumper(noise(5000 + number)), name=name)
    list_backups(repository)
    verify_backup(repository, FakeDumper(), "three")
    hold_backup(repository, "two")
    release_backup(repository, "two")
    policy = RetentionPolicy(keep_within=None, keep_last=1)
    assert apply_retention(repository, policy, database=None, yes_delete_many=True).deleted
    delete_backup(repository, "three")
    assert not [f for f in diagnose(repository, FakeDumper()) if f.subject == "store" and f.hint]


def lock(store: Any) -> None:  # noqa: ANN401 - the three have this in common, and no base
    """Do with a store that locks what it locks for."""
    store.put(BLOB, b"data", if_absent=True, use=use_of(BLOB))
    longer = evolve(store, location=evolve(store.location, object_lock_days=9))
    longer.extend_lock(BLOB)
    with pytest.raises(ObjectLocked):
        store.delete(BLOB)
    store.put("leases/one", b"data")
    store.delete("leases/one")


# --- Amazon --------------------------------------------------------------------------------------

_S3_NEEDS = {
    "DeleteObject": {"s3:DeleteObject"},
    "GetObject": {"s3:GetObject"},
    "GetObjectLockConfiguration": {"s3:GetBucketObjectLockConfiguration"},
    "HeadObject": {"s3:GetObject"},
    "ListObjectsV2": {"s3:ListBucket"},
    "PutObject": {"s3:PutObject"},
    "PutObjectRetention": {"s3:PutObjectRetention"},
}
_OF_THE_BUCKET = {"s3:ListBucket", "s3:GetBucketObjectLockConfiguration"}
_OF_A_LOCKED_OBJECT = {"s3:GetObjectRetention", "s3:GetObjectLegalHold"}
"""Without these, the answer to HeadObject says nothing of locks."""


def s3_rights(
    server: S3Server,
    bucket: str,
    use: Callable[[Any], None],
    *,
    lock_days: int | None = None,
    key: str | None = None,
) -> set[str]:
    """Return the actions that what is done with a store needs."""
    store = s3.open_store(
        Location(
            *("s3", bucket, "database"),
            access_key=Secret(server.access_key),
            secret_key=Secret(server.secret_key),
            endpoint_url=server.endpoint_url,
            object_lock_days=lock_days,
            sse_kms_key=key,
        )
    )
    needed: set[str] = set()

    def note(model: Any, params: Mapping[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
        needed.update(_S3_NEEDS[model.name])
        headers = {name.lower() for name in params["headers"]}
        if "x-amz-object-lock-mode" in headers:
            needed.add("s3:PutObjectRetention")
        if "x-amz-server-side-encryption-aws-kms-key-id" in headers:
            needed.add("kms:GenerateDataKey")
            needed.add("kms:Decrypt")  # to read it again
        if model.name == "HeadObject":
            needed.update(_OF_A_LOCKED_OBJECT)

    store.client.meta.events.register("before-call.s3", note)
    use(store)
    return needed


def s3_allowed(name: str) -> set[str]:
    """Return the actions that a policy allows, after a look at what it allows them on."""
    allowed: set[str] = set()
    for statement in json.loads((IAM / name).read_text(encoding="utf-8"))["Statement"]:
        actions, resource = set(statement["Action"]), statement["Resource"]
        assert not any("*" in action for action in actions)
        if statement["Effect"] == "Deny":
            assert actions == {"s3:BypassGovernanceRetention", "s3:DeleteObjectVersion"}
            continue
        if any(action.startswith("kms:") for action in actions):
            assert resource.startswith("arn:aws:kms:")
            assert statement["Condition"]["StringEquals"]["kms:ViaService"].startswith("s3.")
        else:
            of_the_bucket = resource == "arn:aws:s3:::my-backup-bucket"
            assert of_the_bucket or resource == "arn:aws:s3:::my-backup-bucket/database/*"
            assert (actions <= _OF_THE_BUCKET) == of_the_bucket
        assert not actions & allowed
        allowed |= actions
    return allowed


def test_amazon(s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket()
    assert s3_rights(s3_server, bucket, live) == s3_allowed("aws-backup.json")
    with_key = s3_rights(s3_server, bucket, live, key="key-of-backups")
    assert with_key == s3_allowed("aws-backup-with-kms.json")


def test_amazon_with_locks(s3_server: S3Server) -> None:
    bucket = s3_server.new_bucket(object_lock=True)

    def both(store: Any) -> None:  # noqa: ANN401 - see lock
        live(evolve(store, location=evolve(store.location, path="other", object_lock_days=None)))
        lock(store)

    needed = s3_rights(s3_server, bucket, both, lock_days=3)
    assert needed == s3_allowed("aws-backup-with-object-lock.json")


# --- Google --------------------------------------------------------------------------------------


@contextmanager
def requests_noted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[requests.PreparedRequest]]:
    """Keep what is sent through the library that both Google's and Azure's use."""
    sent: list[requests.PreparedRequest] = []
    real = requests.Session.send

    def send(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> Any:  # noqa: ANN401 - as it is there
        sent.append(request.copy())  # as it is now: what sends it takes its body apart
        return real(self, request, **more)

    with monkeypatch.context() as patch:
        patch.setattr(requests.Session, "send", send)
        yield sent


def gcs_rights(sent: list[requests.PreparedRequest]) -> set[str]:
    """Return the permissions that requests need."""
    needed: set[str] = set()
    for request in sent:
        parts = urlsplit(str(request.url))
        of_an_object = "/o/" in parts.path
        body = request.body if isinstance(request.body, bytes) else b""
        if request.method == "POST":
            assert parts.path.startswith("/upload/")
            needed.add("storage.objects.create")
            if parse_qs(parts.query).get("ifGenerationMatch") != ["0"]:
                needed.add("storage.objects.delete")  # it may replace one
        elif request.method == "GET":
            needed.add("storage.objects.get" if of_an_object else "storage.objects.list")
        elif request.method == "PATCH":
            needed.add("storage.objects.update")
        else:
            assert request.method == "DELETE"
            needed.add("storage.objects.delete")
        if b'"retention"' in body:
            needed.add("storage.objects.setRetention")
    return needed


def gcs_allowed(name: str) -> set[str]:
    """Return the permissions that a role has."""
    role = yaml.safe_load((IAM / name).read_text(encoding="utf-8"))
    assert set(role) == {"title", "description", "stage", "includedPermissions"}
    return set(role["includedPermissions"])


def test_google(gcs_server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    where = Location("gs", gcs_server.new_bucket(), "db", endpoint_url=gcs_server.endpoint_url)
    store = gcs.open_store(where)
    with requests_noted(monkeypatch) as sent:
        live(store)
    allowed = gcs_allowed("google-backup.yaml")
    assert gcs_rights(sent) == allowed

    name = "db/" + BLOB
    kept = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    locked = {"name": name, "retention": {"mode": "Locked", "retainUntilTime": kept}}
    answers: tuple[dict[str, Any], ...] = (
        locked,
        locked,
        locked,
        locked,
        {"name": "db/leases/one"},
        {},
    )
    with ScriptedService(*map(Answer.of, answers)) as service:
        there = evolve(where, endpoint_url=service.url, object_lock_days=3)
        with requests_noted(monkeypatch) as sent_for_locks:
            lock(gcs.open_store(there))
    needed = gcs_rights(sent + sent_for_locks)
    assert needed == gcs_allowed("google-backup-with-object-lock.yaml")
    assert needed - allowed == {"storage.objects.setRetention", "storage.objects.update"}


# --- Azure ---------------------------------------------------------------------------------------

_AZURE_NEEDS = {"GET": "read", "HEAD": "read", "PUT": "write", "DELETE": "delete"}
_LOCKS = "immutableStorage/runAsSuperUser/action"


def azure_rights(sent: list[requests.PreparedRequest]) -> set[str]:
    """Return the data actions that requests need."""
    needed: set[str] = set()
    for request in sent:
        query = parse_qs(urlsplit(str(request.url)).query)
        if query.get("comp") == ["immutabilityPolicies"]:
            needed.add(f"{BLOBS}/{_LOCKS}")
            continue
        assert set(query) <= {"comp", "restype", "prefix", "include", "maxresults", "marker"}
        needed.add(f"{BLOBS}/{_AZURE_NEEDS[str(request.method)]}")
        if any(name.lower().startswith("x-ms-immutability-policy") for name in request.headers):
            needed.add(f"{BLOBS}/{_LOCKS}")
    return needed


def azure_allowed(name: str) -> set[str]:
    """Return the data actions that a role has."""
    role = json.loads((IAM / name).read_text(encoding="utf-8"))
    assert role["IsCustom"]
    assert role["Actions"] == role["NotActions"] == role["NotDataActions"] == []
    return set(role["DataActions"])


def test_azure(azure_server: AzureServer, monkeypatch: pytest.MonkeyPatch) -> None:
    where = Location(
        *("azure", azure_server.new_container(), "db"),
        endpoint_url=azure_server.endpoint_url,
        access_key=Secret(azure_server.account),
        secret_key=Secret(azure_server.key),
    )
    with requests_noted(monkeypatch) as sent:
        live(azure.open_store(where))
    assert azure_rights(sent) == azure_allowed("azure-backup.json")

    kept = datetime.now(UTC) + timedelta(days=3)
    state = Answer(
        200,
        headers={
            "x-ms-immutability-policy-until-date": f"{kept:%a, %d %b %Y %H:%M:%S GMT}",
            "x-ms-immutability-policy-mode": "locked",
            "Last-Modified": "Sun, 22 Nov 2026 12:00:00 GMT",
            "ETag": '"1"',
        },
    )
    done = Answer(201)
    # Stored, looked at, looked at, locked for longer, looked at; and a lease, looked at, and gone.
    answers = (done, state, state, Answer(200), state, done, Answer(200), Answer(202))
    with ScriptedService(*answers) as service:
        there = evolve(where, endpoint_url=f"{service.url}/account", object_lock_days=3)
        with requests_noted(monkeypatch) as sent_for_locks:
            lock(azure.open_store(there))
    needed = azure_rights(sent + sent_for_locks)
    assert needed == azure_allowed("azure-backup-with-object-lock.json")


# --- the guides ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(IAM.iterdir()), ids=lambda path: str(path.name))
def test_every_policy_is_documented(path: Path) -> None:
    guide = (ROOT / "docs" / "how-to" / "least-privilege.md").read_text(encoding="utf-8")
    assert f"examples/iam/{path.name}" in guide

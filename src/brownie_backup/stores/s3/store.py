"""The store itself: one request of the S3 protocol for nearly every call."""

import base64
import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from attrs import field, frozen
from botocore.client import BaseClient

from brownie_backup.errors import (
    BucketNotFound,
    KeyExists,
    KeyNotFound,
    ObjectLocked,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import HintCode, StoreHint
from brownie_backup.protocols import Availability, Clock, ObjectUse, Page, StoredObject, too_large
from brownie_backup.stores.location import Location
from brownie_backup.stores.s3.archives import Listed, any_archived, availability, may_be_archived
from brownie_backup.stores.s3.errors import SDK_ERRORS, store_error
from brownie_backup.wording import written

_WITHOUT_OBJECT = ("put_object", "list_objects_v2")
"""Requests that need no object: if such a request finds nothing, the bucket is missing."""
_log = logging.getLogger(__name__)

_LOCK_SLACK = timedelta(minutes=10)
"""A lock that ends only this much earlier than a new one would is left as it is."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(eq=False)
class S3Store:
    """Objects in a bucket, under the location's path as prefix.

    With object lock, the parts of a backup can't be removed before their date, not even with our
    credentials: a delete in such a bucket leaves the locked version. `delete` refuses to hide it,
    so that objects that must stay remain visible.
    """

    client: BaseClient = field(repr=False)
    location: Location
    clock: Clock = field(default=_utc_now, repr=False)
    page_keys: int = 1000
    """How many keys a listing asks for at once; S3 answers with at most 1000."""
    _checked: threading.Event = field(factory=threading.Event, init=False, repr=False)
    """Whether the bucket is known to have object lock."""

    @property
    def url(self) -> str:
        """The store's URL."""
        return self.location.url

    def close(self) -> None:
        """Close idle connections."""
        self.client.close()

    def put(
        self,
        key: str,
        data: bytes,
        *,
        if_absent: bool = False,
        use: ObjectUse = ObjectUse.STATE,
    ) -> None:
        """Store `data` under `key`."""
        what, location = f"cannot write '{key}'", self.location
        locked = location.object_lock_days is not None and use != ObjectUse.STATE
        arguments = dict(self._put_arguments(use))
        if if_absent:
            arguments["IfNoneMatch"] = "*"
        if locked:
            self._require_locks(what)
            arguments |= self._lock_arguments()
        # The library sends it in pieces, each within the timeout: a slow line does not fail.
        arguments |= {"Body": data, "ContentMD5": content_md5(data)}
        answer = self._call(what, "put_object", key, arguments)
        # A service may silently ignore a part of the request.
        if not answer.get("ETag"):
            raise self._refusal(
                what, "the answer is not one of an S3 service", StoreHint.S3_ENDPOINT
            )
        if location.sse_kms_key and answer.get("ServerSideEncryption") != "aws:kms":
            raise self._refusal(what, "the service ignores the KMS key", StoreHint.NO_KMS)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`."""
        what = f"cannot read '{key}'"
        answer = self._call(what, "get_object", key)
        body = answer["Body"]
        try:
            if answer.get("ContentLength", 0) > most_bytes:
                raise too_large(self.url, key, most_bytes)
            # To its end, since the library then compares the length, if the service tells it.
            data: bytes = body.read(None if "ContentLength" in answer else most_bytes + 1)
            if len(data) > most_bytes:
                raise too_large(self.url, key, most_bytes)
        except SDK_ERRORS as error:
            failure = self._error(what, error)
        else:
            return data
        finally:
            body.close()
        raise failure

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`."""
        page = self.list_page(prefix, None)
        yield from page.objects
        while page.next_token is not None:
            page = self.list_page(prefix, page.next_token)
            yield from page.objects

    def list_page(self, prefix: str, token: str | None) -> Page:
        """Return a page of the objects whose keys begin with `prefix`."""
        arguments: dict[str, Any] = {"Prefix": self._name(prefix), "MaxKeys": self.page_keys}
        if token is not None:
            arguments["ContinuationToken"] = token
        what = f"cannot list '{prefix}'"
        answer = self._call(what, "list_objects_v2", arguments=arguments)
        if any_archived(answer.get("Contents", ())):  # not before: some services may refuse it
            arguments["OptionalObjectAttributes"] = ["RestoreStatus"]
            with contextlib.suppress(StoreError):
                answer = self._call(what, "list_objects_v2", arguments=arguments)
        return self._page(what, answer)

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        what = f"cannot delete '{key}'"
        if self.location.object_lock_days is not None:
            self._refuse_locked(what, key)
        try:
            self._call(what, "delete_object", key)
        except KeyNotFound:  # some services report this
            return

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be."""
        if self.location.object_lock_days is None:
            return
        what = f"cannot lock '{key}'"
        self._require_locks(what)
        head = self._call(what, "head_object", key)
        until, wanted = _retained_until(head), self._lock_arguments()
        if until and until + _LOCK_SLACK > wanted["ObjectLockRetainUntilDate"]:
            return
        # A lock that is in force keeps its mode: changing it needs more rights than we have.
        in_force = until is not None and until > self.clock()
        mode = head["ObjectLockMode"] if in_force else wanted["ObjectLockMode"]
        retention = {"Mode": mode, "RetainUntilDate": wanted["ObjectLockRetainUntilDate"]}
        self._call(what, "put_object_retention", key, {"Retention": retention})

    def _name(self, key: str) -> str:
        prefix = self.location.path.strip("/")
        return f"{prefix}/{key}" if prefix else key

    def _put_arguments(self, use: ObjectUse) -> Iterator[tuple[str, Any]]:
        location = self.location
        yield "ContentType", "application/octet-stream"
        if location.sse_kms_key:
            yield "ServerSideEncryption", "aws:kms"
            yield "SSEKMSKeyId", location.sse_kms_key
        # Most classes charge a fee for each object that is deleted or changed early.
        if location.storage_class and use == ObjectUse.BACKUP:
            yield "StorageClass", location.storage_class
        if location.tags:
            yield "Tagging", urlencode(location.tags)

    def _lock_arguments(self) -> dict[str, Any]:
        until = self.clock() + timedelta(days=self.location.object_lock_days or 0)
        mode = self.location.object_lock_mode.upper()
        return {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until}

    def _require_locks(self, what: str) -> None:
        """Check once that the bucket has object lock.

        Some services mistake a request to lock an object for a request to replace it.
        """
        if self._checked.is_set():
            return
        try:
            answer = self._call(what, "get_object_lock_configuration")
        except KeyNotFound:
            answer = {}
        lock = answer.get("ObjectLockConfiguration", {})
        if lock.get("ObjectLockEnabled") != "Enabled":
            raise self._refusal(what, "the bucket has no object lock", StoreHint.S3_NO_LOCK)
        self._checked.set()

    def _refuse_locked(self, what: str, key: str) -> None:
        try:
            head = self._call(what, "head_object", key)
        except KeyNotFound:
            return
        until = _retained_until(head)
        if head.get("ObjectLockLegalHoldStatus") == "ON":
            msg = f"{what} in {self.url}: it has a legal hold"
            raise ObjectLocked(msg, hint=StoreHint.LIFT_HOLD)
        if until and until > self.clock():
            msg = f"{what} in {self.url}: it is locked until {written(until)}"
            raise ObjectLocked(msg, hint=StoreHint.LOCKED_UNTIL)

    def _page(self, what: str, answer: Mapping[str, Any]) -> Page:
        if "IsTruncated" not in answer:
            raise self._refusal(
                what, "the answer is not one of an S3 service", StoreHint.S3_ENDPOINT
            )
        skip = len(self._name(""))
        objects = tuple(
            StoredObject(
                found["Key"][skip:],
                found["Size"],
                found["LastModified"].astimezone(UTC),
                self._availability(found),
            )
            for found in answer.get("Contents", ())
            if not found["Key"].endswith("/")  # a folder that a user created in the console
        )
        token: str | None = answer.get("NextContinuationToken")
        if answer["IsTruncated"] and not token:
            raise self._refusal(what, "the listing breaks off without saying how to go on", None)
        return Page(objects, token if answer["IsTruncated"] else None)

    def _availability(self, found: Listed) -> Availability:
        """Return whether an object can be read; ask for it if the listing may not show that."""
        if not may_be_archived(found, self.clock()) or not self._archive_tiers:
            return availability(found)
        key = found["Key"][len(self._name("")) :]
        with contextlib.suppress(KeyNotFound):
            return availability(found, self._call(f"cannot list '{key}'", "head_object", key))
        return Availability.READABLE

    @cached_property
    def _archive_tiers(self) -> bool:
        """Whether the bucket moves objects of Intelligent-Tiering to archive tiers."""
        what, method = "cannot read the tiering", "list_bucket_intelligent_tiering_configurations"
        try:
            answer = self._call(what, method)
        except StoreUnavailable:
            raise
        except StoreError as error:
            _log.info("%s: it is taken to have no archive tiers", error.message)
            return False
        tierings = answer.get("IntelligentTieringConfigurationList", ())
        return any(each.get("Status") == "Enabled" for each in tierings)

    def _call(
        self,
        what: str,
        method: str,
        key: str | None = None,
        arguments: Mapping[str, Any] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """Send a request; raise our own error, which contains nothing from the library's."""
        target = {"Bucket": self.location.host}
        if key is not None:
            target["Key"] = self._name(key)
        try:
            answer: dict[str, Any] = getattr(self.client, method)(**target, **arguments)
        except SDK_ERRORS as error:
            failure = self._error(what, error)
        else:
            return answer
        if isinstance(failure, KeyNotFound) and method in _WITHOUT_OBJECT:
            raise BucketNotFound(failure.message, hint=StoreHint.S3_ENDPOINT)
        raise failure

    def _error(self, what: str, error: BaseException) -> StoreError | KeyExists:
        given = (self.location.access_key, self.location.secret_key, self.location.token)
        return store_error(what, self.url, error, [s.reveal() for s in given if s])

    def _refusal(self, what: str, why: str, hint: HintCode | None) -> StoreError:
        return StoreError(f"{what} in {self.url}: {why}", hint=hint)


def _retained_until(head: Mapping[str, Any]) -> datetime | None:
    until: datetime | None = head.get("ObjectLockRetainUntilDate")
    return until.astimezone(UTC) if until else None


def content_md5(data: bytes) -> str:
    """Return the checksum that every service compares with the received data."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

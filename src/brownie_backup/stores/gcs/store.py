"""The store itself: one request of the JSON API for each call."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from attrs import field, frozen
from google.api_core.exceptions import from_http_status
from google.cloud.storage import Bucket, Client

from brownie_backup.errors import BucketNotFound, KeyNotFound, ObjectLocked, StoreError
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import Clock, ObjectUse, Page, StoredObject, too_large
from brownie_backup.stores.gcs.errors import NO_OBJECT, SDK_ERRORS, store_error
from brownie_backup.stores.gcs.limited import download_into_memory
from brownie_backup.stores.gcs.multipart import multipart
from brownie_backup.stores.location import Location
from brownie_backup.stores.secrets import secrets_in
from brownie_backup.wording import written

_PAGE_KEYS = 1000
_STORED = "name,kmsKeyName,retention"
_OBJECT_QUERY = {"fields": "retention,temporaryHold,eventBasedHold", "projection": "noAcl"}
_LISTED = "items(name,size,timeCreated),nextPageToken"
_MODES = {"compliance": "Locked", "governance": "Unlocked"}
_LOCK_SLACK = timedelta(minutes=10)
"""A lock that ends only this much earlier than a new one would is left as it is."""

T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(eq=False)
class GcsStore:
    """Objects in a bucket, under the location's path as prefix.

    Each write is one request, unlike the library's uploads: those of more than 8 MiB become
    sessions of several requests.
    """

    client: Client = field(repr=False)
    location: Location
    timeout: tuple[float, float]
    """Seconds for a connection, and for an answer."""
    clock: Clock = field(default=_utc_now, repr=False)

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
        what = f"cannot write '{key}'"
        metadata = self._metadata(key, data, use)
        query: dict[str, str | int] = {"uploadType": "multipart", "fields": _STORED}
        if if_absent:
            query["ifGenerationMatch"] = 0
        if self.location.sse_kms_key:
            query["kmsKeyName"] = self.location.sse_kms_key
        path = f"/upload/storage/v1{self._bucket.path}/o"
        try:
            stored = self._request(what, "POST", path, query, multipart(metadata, data))
        except KeyNotFound as error:
            failure: StoreError = BucketNotFound(error.message, hint=StoreHint.CREATE_BUCKET)
        except StoreError as error:
            failure = _explained(error) if "retention" in metadata else error
        else:
            self._check(what, stored, metadata)
            return
        raise failure

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`."""
        blob = self._bucket.blob(self._name(key))

        def download() -> bytes | None:
            data = download_into_memory(blob, most_bytes, self.timeout)
            if data is not None and not blob.generation:
                msg = "something else than the service has answered"
                raise ValueError(msg)
            return data

        data = self._call_for(f"cannot read '{key}'", download)
        if data is None:
            raise too_large(self.url, key, most_bytes)
        return data

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with `prefix`."""
        page = self.list_page(prefix, None)
        yield from page.objects
        while page.next_token is not None:
            page = self.list_page(prefix, page.next_token)
            yield from page.objects

    def list_page(self, prefix: str, token: str | None) -> Page:
        """Return a page of the objects whose keys begin with `prefix`."""
        return self._list(f"cannot list '{prefix}'", self._name(prefix), token, keys=_PAGE_KEYS)

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        what = f"cannot delete '{key}'"
        blob = self._bucket.blob(self._name(key))
        try:
            if self.location.object_lock_days is not None:
                self._refuse_locked(what, key)
            self._call_for(what, lambda: blob.delete(timeout=self.timeout, retry=None))
        except KeyNotFound:
            return

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be."""
        if self.location.object_lock_days is None:
            return
        what = f"cannot lock '{key}'"
        current, wanted = _lock_in(self._state(what, key)), self._lock()
        if current and _end_of(current) + _LOCK_SLACK > _end_of(wanted):
            return
        if current and _end_of(current) > self.clock():
            # A lock that is in force keeps its mode: changing it needs more rights than we have.
            wanted["mode"] = current["mode"]
        change = ("application/json", json.dumps({"retention": wanted}).encode())
        try:
            self._request(what, "PATCH", self._path(key), _OBJECT_QUERY, change)
        except StoreError as error:
            failure = _explained(error)
        else:
            return
        raise failure

    @property
    def _bucket(self) -> Bucket:
        return self.client.bucket(self.location.host)

    def _name(self, key: str) -> str:
        prefix = self.location.path.strip("/")
        return f"{prefix}/{key}" if prefix else key

    def _list(self, what: str, beginning: str, token: str | None, *, keys: int) -> Page:
        listing = self.client.list_blobs(
            self._bucket,
            prefix=beginning,
            page_token=token,
            page_size=keys,
            fields=_LISTED,
            timeout=self.timeout,
            retry=None,
        )
        skip = len(self._name(""))

        def fetch() -> tuple[StoredObject, ...]:
            return tuple(
                StoredObject(blob.name[skip:], blob.size, blob.time_created)
                for blob in next(listing.pages, ())
                if len(blob.name) > skip and not blob.name.endswith("/")  # a folder of the console
            )

        try:
            objects = self._call(what, fetch)
        except KeyNotFound as error:
            failure = BucketNotFound(error.message, hint=StoreHint.CREATE_BUCKET)
        else:
            return Page(objects, listing.next_page_token)
        raise failure

    def _path(self, key: str) -> str:
        return f"/storage/v1{self._bucket.path}/o/{quote(self._name(key), safe='~')}"

    def _state(self, what: str, key: str) -> Mapping[str, Any]:
        """Return the reason why an object can't be deleted."""
        state = self._request(what, "GET", self._path(key), _OBJECT_QUERY)
        return state if isinstance(state, dict) else {}

    def _refuse_locked(self, what: str, key: str) -> None:
        """Raise if an object must stay: with versioning, the service would only hide it."""
        state = self._state(what, key)
        lock = _lock_in(state)
        if state.get("temporaryHold") or state.get("eventBasedHold"):
            msg = f"{what} in {self.url}: it has a hold"
            raise ObjectLocked(msg, hint=StoreHint.LIFT_HOLD)
        if lock and _end_of(lock) > self.clock():
            msg = f"{what} in {self.url}: it is locked until {written(_end_of(lock))}"
            raise ObjectLocked(msg, hint=StoreHint.LOCKED_UNTIL)

    def _metadata(self, key: str, data: bytes, use: ObjectUse) -> dict[str, Any]:
        """Return an object's metadata for the service, which checks the data by the digest."""
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        metadata: dict[str, Any] = {
            "name": self._name(key),
            "md5Hash": base64.b64encode(digest).decode(),
        }
        if self.location.storage_class and use == ObjectUse.BACKUP:
            # Objects that change stay in the bucket's own class: cheaper ones charge for early
            # deletion.
            metadata["storageClass"] = self.location.storage_class.upper()
        if self.location.object_lock_days is not None and use != ObjectUse.STATE:
            metadata["retention"] = self._lock()
        return metadata

    def _lock(self) -> dict[str, str]:
        until = self.clock() + timedelta(days=self.location.object_lock_days or 0)
        mode = _MODES[self.location.object_lock_mode.lower()]
        return {"mode": mode, "retainUntilTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"}

    def _check(self, what: str, stored: object, metadata: Mapping[str, Any]) -> None:
        """Check that the service has not silently ignored a part of the request."""
        if not isinstance(stored, dict) or stored.get("name") != metadata["name"]:
            msg = f"{what} in {self.url}: the answer is not one of this service"
            raise StoreError(msg, hint=StoreHint.JSON_ENDPOINT)
        key = self.location.sse_kms_key
        if key and not str(stored.get("kmsKeyName")).startswith(key):
            msg = f"{what} in {self.url}: the service ignores the KMS key"
            raise StoreError(msg, hint=StoreHint.NO_KMS)
        if "retention" in metadata and not _lock_in(stored):
            msg = f"{what} in {self.url}: the object was stored, but is not locked"
            raise StoreError(msg, hint=StoreHint.GCS_NO_LOCK)

    def _request(
        self,
        what: str,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: tuple[str, bytes] | None = None,
    ) -> object:
        """Send a request of the JSON API for which the library has no fitting method."""
        session: Any = self.client._http  # noqa: SLF001 - the one that we gave it

        def send() -> object:
            answer = session.request(
                method,
                self.client.api_endpoint + path,
                params=query,
                data=body[1] if body else None,
                headers={"Content-Type": body[0]} if body else {},
                timeout=self.timeout,
            )
            if not answer.ok:
                raise from_http_status(answer.status_code, answer.reason, response=answer)
            return answer.json()

        return self._call(what, send) if method == "POST" else self._call_for(what, send)

    def _call(self, what: str, call: Callable[[], T]) -> T:
        """Call the library; raise our own error, which contains nothing from the library's."""
        try:
            return call()
        except SDK_ERRORS as error:
            failure = store_error(f"{what} in {self.url}", error, secrets_in(self.location.token))
        raise failure

    def _call_for(self, what: str, call: Callable[[], T]) -> T:
        """Call the library for one object, which may not exist."""
        try:
            return self._call(what, call)
        except KeyNotFound as error:
            failure = error  # not raised here, where another error would refer to it
        if NO_OBJECT not in failure.message:
            # BucketNotFound, if the bucket does not exist
            self._list(what, self._name(""), None, keys=1)
        raise KeyNotFound(f"{what} in {self.url}: there is no such object")


def _explained(error: StoreError) -> StoreError:
    """Return the most likely meaning of a bad request when a lock was requested."""
    if type(error) is StoreError and error.message.endswith("(400)"):
        return StoreError(error.message, hint=StoreHint.GCS_NO_LOCK)
    return error


def _lock_in(stored: object) -> dict[str, str] | None:
    """Return the lock of an object, if the service reports one."""
    lock = stored.get("retention") if isinstance(stored, dict) else None
    return lock if isinstance(lock, dict) and "retainUntilTime" in lock else None


def _end_of(lock: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(lock["retainUntilTime"]).astimezone(UTC)

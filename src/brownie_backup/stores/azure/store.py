"""The store itself: one request for nearly every call."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests
from attrs import field, frozen
from azure.storage.blob import (
    BlobClient,
    BlobImmutabilityPolicyMode,
    BlobProperties,
    ContainerClient,
    ImmutabilityPolicy,
    StandardBlobTier,
)

from brownie_backup.errors import (
    BucketNotFound,
    KeyNotFound,
    ObjectLocked,
    StoreError,
    StoreUnavailable,
)
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import StoreHint
from brownie_backup.protocols import (
    Availability,
    Clock,
    ObjectUse,
    Page,
    StoredObject,
    too_large,
)
from brownie_backup.stores.azure.errors import SDK_ERRORS, store_error
from brownie_backup.stores.azure.names import blob_name, key_of, name_prefix
from brownie_backup.stores.location import Location
from brownie_backup.wording import written

_PAGE_KEYS = 1000
_MODES = {
    "compliance": BlobImmutabilityPolicyMode.LOCKED.value,
    "governance": BlobImmutabilityPolicyMode.UNLOCKED.value,
}
_LOCK_SLACK = timedelta(minutes=10)
"""A lock that ends only this much earlier than a new one would is left as it is."""

T = TypeVar("T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@frozen(eq=False)
class AzureStore:
    """Blobs in a container, under the location's path as prefix.

    With object lock, the parts of a backup can't be removed before their date, not even with our
    credentials: a delete leaves the locked version. `delete` refuses to hide it, so that objects
    that must stay remain visible.
    """

    client: ContainerClient = field(repr=False)
    location: Location
    session: requests.Session | None = field(default=None, repr=False, kw_only=True)
    """The transport of the client, which never closes it itself: a closed one can't be opened
    again."""
    clock: Clock = field(default=_utc_now, repr=False)
    _checked: threading.Event = field(factory=threading.Event, init=False, repr=False)
    """Whether the first lock has shown that the service supports locks."""

    @property
    def url(self) -> str:
        """The store's URL."""
        return self.location.url

    def close(self) -> None:
        """Close idle connections."""
        if self.session:
            self.session.close()

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
        locked = self.location.object_lock_days is not None and use != ObjectUse.STATE
        arguments = dict(self._put_arguments(use))
        if locked:
            arguments["immutability_policy"] = ImmutabilityPolicy(
                expiry_time=self._lock_end(), policy_mode=self._mode
            )
        try:
            # The service checks it: the library sends the data's MD5.
            stored = self._call(
                what,
                lambda: self._blob(key).upload_blob(
                    data, overwrite=not if_absent, validate_content=True, **arguments
                ),
            )
        except KeyNotFound:
            failure: StoreError = self._no_container(what)
        except StoreError as error:
            failure = _explained(error) if locked else error
        else:
            self._check(what, key, stored, locked=locked)
            return
        raise failure

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return the bytes under `key`."""
        what = f"cannot read '{key}'"
        digests: list[str] = []

        def receive(response: Any) -> None:  # noqa: ANN401 - the library does not say
            # Read it at once, and once: the library would try up to three times, with pauses.
            answer = response.http_response
            if answer.status_code in {200, 206}:
                answer.body()
                digests.append(answer.headers.get("x-ms-blob-content-md5", ""))

        def download() -> bytes | None:
            # The first answer has 32 MiB at most, and the size of the whole.
            blob = self._blob(key).download_blob(raw_response_hook=receive)
            return blob.readall() if blob.size <= most_bytes else None

        data = self._call(what, download)
        if data is None:
            raise too_large(self.url, key, most_bytes)
        digest = hashlib.md5(data, usedforsecurity=False).digest()
        if any(each and each != base64.b64encode(digest).decode() for each in digests):
            msg = f"{what} in {self.url}: its checksum is wrong"
            raise StoreUnavailable(msg, hint=StoreHint.CHECK_NETWORK_AND_PROXIES)
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
        whole = self._key(prefix)

        def fetch() -> tuple[list[BlobProperties], str | None]:
            listing = self.client.list_blobs(
                name_starts_with=name_prefix(whole) or None,
                include=["metadata"],
                results_per_page=_PAGE_KEYS,
            )
            pages: Any = listing.by_page(token)
            return list(next(pages, ())), pages.continuation_token or None

        what = f"cannot list '{prefix}'"
        try:
            blobs, next_token = self._call(what, fetch)
        except KeyNotFound:
            failure = self._no_container(what)
        else:
            return Page(tuple(self._objects(whole, blobs)), next_token)
        raise failure

    def delete(self, key: str) -> None:
        """Remove the object, if it exists."""
        what = f"cannot delete '{key}'"
        try:
            if self.location.object_lock_days is not None:
                self._refuse_locked(what, key)
            self._call(what, lambda: self._blob(key).delete_blob())
        except KeyNotFound:
            return

    def extend_lock(self, key: str) -> None:
        """Lock the object for as long as a new one would be."""
        if self.location.object_lock_days is None:
            return
        what = f"cannot lock '{key}'"
        wanted = self._lock_end()
        properties = self._properties(what, key)
        until, mode = _locked_until(properties), self._mode
        current = properties.immutability_policy.policy_mode
        if until and until + _LOCK_SLACK > wanted:
            return
        if current and until and until > self.clock():
            # A lock that is in force keeps its mode: changing it needs more rights than we have.
            mode = current.capitalize()
        policy = ImmutabilityPolicy(expiry_time=wanted, policy_mode=mode)
        try:
            self._call(what, lambda: self._blob(key).set_immutability_policy(policy))
        except StoreError as error:
            failure = _explained(error)
        else:
            return
        raise failure

    def _key(self, key: str) -> str:
        prefix = self.location.path.strip("/")
        return f"{prefix}/{key}" if prefix else key

    def _blob(self, key: str) -> BlobClient:
        return self.client.get_blob_client(blob_name(self._key(key)))

    def _objects(self, beginning: str, blobs: Iterable[BlobProperties]) -> Iterator[StoredObject]:
        skip = len(self._key(""))
        for blob in blobs:
            key = key_of(blob.name)
            if key.startswith(beginning) and not _is_folder(blob):
                archived = blob.blob_tier == "Archive"  # also while it is being rehydrated
                access = Availability.ARCHIVED if archived else Availability.READABLE
                yield StoredObject(key[skip:], blob.size, blob.last_modified, access)

    def _put_arguments(self, use: ObjectUse) -> Iterator[tuple[str, Any]]:
        location = self.location
        if location.sse_kms_key:
            yield "encryption_scope", location.sse_kms_key
        if location.storage_class and use == ObjectUse.BACKUP:
            # Objects that change stay in the account's own tier: cheaper tiers charge for early
            # deletion.
            yield "standard_blob_tier", StandardBlobTier(location.storage_class.capitalize())
        if location.tags:
            yield "tags", dict(location.tags)

    @property
    def _mode(self) -> str:
        return _MODES[self.location.object_lock_mode.lower()]

    def _lock_end(self) -> datetime:
        return self.clock() + timedelta(days=self.location.object_lock_days or 0)

    def _properties(self, what: str, key: str) -> BlobProperties:
        return self._call(what, self._blob(key).get_blob_properties)

    def _check(self, what: str, key: str, stored: Mapping[str, Any], *, locked: bool) -> None:
        """Check that the service has not silently ignored a part of the request."""
        scope = self.location.sse_kms_key
        if scope and stored.get("encryption_scope") != scope:
            msg = f"{what} in {self.url}: the service ignores the encryption scope"
            raise StoreError(msg, hint=StoreHint.NO_KMS)
        if locked and not self._checked.is_set():
            if _locked_until(self._properties(what, key)) is None:
                msg = f"{what} in {self.url}: the blob was stored, but is not locked"
                raise StoreError(msg, hint=StoreHint.AZURE_NO_LOCK)
            self._checked.set()

    def _refuse_locked(self, what: str, key: str) -> None:
        properties = self._properties(what, key)
        until = _locked_until(properties)
        if properties.has_legal_hold:
            msg = f"{what} in {self.url}: it has a legal hold"
            raise ObjectLocked(msg, hint=StoreHint.LIFT_HOLD)
        if until and until > self.clock():
            msg = f"{what} in {self.url}: it is locked until {written(until)}"
            raise ObjectLocked(msg, hint=StoreHint.LOCKED_UNTIL)

    def _no_container(self, what: str) -> BucketNotFound:
        return BucketNotFound(
            f"{what} in {self.url}: there is no such container", hint=StoreHint.CREATE_CONTAINER
        )

    def _call(self, what: str, call: Callable[[], T]) -> T:
        """Call the library; raise our own error, which contains nothing from the library's."""
        try:
            return call()
        except SDK_ERRORS as error:
            key = self.location.secret_key
            failure = store_error(f"{what} in {self.url}", error, [key.reveal()] if key else [])
        raise failure


def _explained(error: StoreError) -> StoreError:
    """Return the most likely meaning of a refusal when a lock was requested."""
    return (
        StoreError(error.message, hint=StoreHint.AZURE_NO_LOCK)
        if type(error) is StoreError
        else error
    )


def _locked_until(properties: BlobProperties) -> datetime | None:
    until: datetime | None = properties.immutability_policy.expiry_time
    return until.astimezone(UTC) if until else None


def _is_folder(blob: BlobProperties) -> bool:
    """Whether this is no blob of ours: accounts with a hierarchical namespace list folders too."""
    metadata: dict[str, str] | None = blob.metadata  # its type does not show this
    return metadata is not None and metadata.get("hdi_isfolder") == "true"

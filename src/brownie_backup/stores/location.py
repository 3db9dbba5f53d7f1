"""The location of a store and how to use it: the content of a URL, or of the settings."""

from collections.abc import Mapping
from urllib.parse import quote

from attrs import Factory, field, frozen

from brownie_backup.retention.policy import RetentionPolicy
from brownie_backup.secret import Secret
from brownie_backup.stores.options import LOCK_MODES


@frozen
class Location:
    """One store, before it is opened.

    In a URL ``scheme://host/path?region=…`` the host is the bucket or container; in
    ``file:///path`` there is none. Credentials never come from a URL: they are secrets.
    """

    scheme: str
    """``file``, ``s3``, ``gs``, ``azure``, or one that an entry point serves."""
    host: str = ""
    path: str = ""
    """For ``file``, the folder; for a cloud, the prefix of all keys, without slashes around it."""
    region: str | None = None
    endpoint_url: str | None = None
    """Another address of the service: a compatible store, an emulator, a private endpoint."""
    addressing: str | None = None
    """Whether the bucket's name is in the ``path`` of an address or its host (``virtual``); of S3.
    By default ``path`` with an `endpoint_url`, and else ``auto``, as the SDK decides."""
    sse_kms_key: str | None = None
    """The key with which the service encrypts its storage; our own encryption is separate."""
    storage_class: str | None = None
    tags: Mapping[str, str] = Factory(dict)
    """The tags that the service puts on each object."""
    object_lock_days: int | None = None
    object_lock_mode: str = LOCK_MODES[0]
    retention: RetentionPolicy | None = None
    """This store's own policy, if its URL has one, such as ``?keep_daily=7``."""
    options: Mapping[str, str] = Factory(dict)
    """Other options in the URL's query, for third parties' stores."""
    access_key: Secret | None = field(default=None, kw_only=True)
    secret_key: Secret | None = field(default=None, kw_only=True)
    token: Secret | None = field(default=None, kw_only=True)

    @property
    def url(self) -> str:
        """The URL without its query, for display and for ``--from``."""
        separator = "/" if self.host and self.path and not self.path.startswith("/") else ""
        return f"{self.scheme}://{self.host}{separator}{quote(self.path, safe='/~')}"

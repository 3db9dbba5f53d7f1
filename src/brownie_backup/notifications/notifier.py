"""Messages about runs: heartbeat pings, and events for a webhook."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from brownie_backup.config.redaction import redactor
from brownie_backup.config.settings import Settings
from brownie_backup.errors import BackupError
from brownie_backup.hints import Vocabulary
from brownie_backup.notifications.delivery import DeliveryQueue, HttpMessage, OnUndelivered
from brownie_backup.protocols import Clock
from brownie_backup.secret import Secret
from brownie_backup.service.documents import hint_fields, instant

VERSION = 1
"""Of the events. A new field does not change it."""
TIMESTAMP = "Brownie-Backup-Timestamp"
SIGNATURE = "Brownie-Backup-Signature"
_MOST_REASON = 1000
_AGENT = "brownie-backup"


@frozen
class Notifier:
    """Notifies others of the runs of one process. Its methods never fail, and never wait.

    Args:
        settings: the addresses and secrets.
        words: the words of the interface, for hints.
        clock: the time now, UTC-aware.
        on_undelivered: called for each message that was not delivered.
    """

    settings: Settings
    words: Vocabulary = field(repr=False)
    clock: Clock = lambda: datetime.now(UTC)
    on_undelivered: OnUndelivered = field(default=lambda _: None, repr=False)
    _ping: DeliveryQueue | None = field(init=False)
    _webhook: DeliveryQueue | None = field(init=False)
    _redact: Callable[[str], str] = field(init=False, repr=False)

    @_ping.default
    def _make_ping(self) -> DeliveryQueue | None:
        return DeliveryQueue("ping", self.on_undelivered) if self.settings.ping_url else None

    @_webhook.default
    def _make_webhook(self) -> DeliveryQueue | None:
        return DeliveryQueue("webhook", self.on_undelivered) if self.settings.webhook_url else None

    @_redact.default
    def _make_redact(self) -> Callable[[str], str]:
        return redactor(self.settings)

    def reason(self, error: BaseException) -> str:
        """Return a short reason of a failure, without secrets."""
        said = error.worded(self.words) if isinstance(error, BackupError) else str(error)
        text = self._redact(said or type(error).__name__)
        return text[:_MOST_REASON]

    def ping(self, suffix: str, run: uuid.UUID, reason: str = "") -> None:
        """Send a ping.

        Args:
            suffix: ``start``, ``fail``, or empty for a success.
            run: the id that all pings of one run share.
            reason: why the run failed.
        """
        url = self.settings.ping_url
        if self._ping and url:
            message = HttpMessage(
                ping_url(url, suffix, run), reason.encode(), {"User-Agent": _AGENT}
            )
            self._ping.send(message)

    def event(self, name: str, **fields: Any) -> None:  # noqa: ANN401 - it becomes JSON
        """Send an event to the webhook; `name` is for example ``backup.failed``."""
        url = self.settings.webhook_url
        if self._webhook and url:
            now = self.clock()
            document = {"version": VERSION, "event": name, "occurred_at": instant(now), **fields}
            body = json.dumps(document, ensure_ascii=False).encode()
            headers = {"Content-Type": "application/json", "User-Agent": _AGENT}
            if self.settings.webhook_secret:
                timestamp = str(int(now.timestamp()))
                headers |= {
                    TIMESTAMP: timestamp,
                    SIGNATURE: sign(self.settings.webhook_secret, timestamp, body),
                }
            self._webhook.send(HttpMessage(url, body, headers))

    def flush(self, limit_seconds: float) -> None:
        """Wait until all messages are delivered, for at most `limit_seconds` per address."""
        for deliveries in (self._ping, self._webhook):
            if deliveries:
                deliveries.flush(limit_seconds)


def ping_url(url: Secret, suffix: str, run: uuid.UUID) -> Secret:
    """Return the URL to ping: healthchecks.io and others expect the outcome in the path."""
    parts = urlsplit(url.reveal().strip())
    path = parts.path.rstrip("/") + (f"/{suffix}" if suffix else "")
    query = "&".join(filter(None, (parts.query, urlencode({"rid": str(run)}))))
    return Secret(urlunsplit((parts.scheme, parts.netloc, path, query, "")))


def sign(secret: Secret, timestamp: str, body: bytes) -> str:
    """Return the signature of an event: HMAC-SHA256 of its time, a dot and its body.

    Args:
        secret: shared with the receiver.
        timestamp: seconds since 1970, in decimal, as in the header.
        body: as it is sent.
    """
    message = timestamp.encode() + b"." + body
    digest = hmac.new(secret.reveal().encode(), message, hashlib.sha256).hexdigest()
    return f"v1={digest}"


def error_fields(notifier: Notifier, error: BaseException) -> dict[str, str | None]:
    """Return the fields of an event that describe an error."""
    message = error.message if isinstance(error, BackupError) else str(error)
    hint = hint_fields(error.hint if isinstance(error, BackupError) else None, notifier.words)
    return {
        "type": type(error).__name__,
        "message": notifier.reason(BackupError(message)),
        "hint": notifier.reason(BackupError(hint["hint"])) if hint["hint"] else "",
        "hint_code": hint["hint_code"],
    }

"""One run of a job in a process of its own: others are told how it ended."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from brownie_backup.audit.operation import new_operation_id
from brownie_backup.errors import BackupError, BackupNotFound, Busy, KeyMissing
from brownie_backup.hints import Vocabulary
from brownie_backup.operations.history import History
from brownie_backup.service import Service
from brownie_backup.service.documents import instant

BACKUP = "backup"
RETENTION = "retention"
VERIFICATION = "verification"
_LAST_WORDS_SECONDS = 3.0
"""How long a process that was told to end waits for its messages to be delivered."""
_ALL_WORDS_SECONDS = 40.0
_POSTPONED = (Busy, BackupNotFound, KeyMissing)
"""A job other than a backup that ends with one of these has not failed: nothing was done."""

_log = logging.getLogger(__name__)


@define
class NotifiedRun:
    """A run. The code that runs it fills in the outcome.

    Attributes:
        operation: the id of its operation.
        backup: the name of the backup, once known.
        problem: why it failed, although it raised nothing.
    """

    operation: str
    backup: str = ""
    problem: BackupError | None = None


@contextmanager
def notified(
    service: Service, job: str, words: Vocabulary, *, wanted: bool = True
) -> Iterator[NotifiedRun]:
    """Send the pings and events of the run in the block, if the settings name addresses.

    Args:
        service: its settings have the addresses, and its stores the outcome of the last run.
        job: `BACKUP`, which is pinged, `RETENTION` or `VERIFICATION`.
        words: the words of the interface, for hints.
        wanted: whether to send any: a dry run sends none.
    """
    run, settings = NotifiedRun(new_operation_id()), service.settings
    if not wanted or not (settings.ping_url or settings.webhook_url):
        yield run
        return
    messages = _Messages(service, job, words, run)
    try:
        yield run
    except Exception as error:
        messages.failed(error)
        messages.flush(_ALL_WORDS_SECONDS)
        raise
    except BaseException:
        messages.failed(BackupError(f"the {job} was stopped"))
        messages.flush(_LAST_WORDS_SECONDS)
        raise
    if run.problem:
        messages.failed(run.problem)
    else:
        messages.succeeded()
    messages.flush(_ALL_WORDS_SECONDS)


class _Messages:
    """The messages of one run."""

    def __init__(self, service: Service, job: str, words: Vocabulary, run: NotifiedRun) -> None:
        from brownie_backup.notifications.notifier import Notifier

        self._notifier = Notifier(service.settings, words)
        self._job, self._run, self._id = job, run, uuid.uuid4()
        self._before = _history(service) if service.settings.webhook_url else History()
        self._ping("start")

    def failed(self, error: Exception) -> None:
        """Tell that it failed."""
        from brownie_backup.notifications.notifier import error_fields

        if self._job != BACKUP and isinstance(error, _POSTPONED):
            return
        self._ping("fail", self._notifier.reason(error))
        last = self._before.last_success_at
        more = {"last_success_at": instant(last) if last else None} if self._job == BACKUP else {}
        self._notifier.event(
            f"{self._job}.failed",
            operation_id=self._run.operation,
            error=error_fields(self._notifier, error),
            **more,
        )

    def succeeded(self) -> None:
        """Tell that it succeeded; send an event only if the last run failed."""
        self._ping("")
        if getattr(self._before, f"{self._job}_failed"):
            self._notifier.event(
                f"{self._job}.recovered", operation_id=self._run.operation, backup=self._run.backup
            )

    def flush(self, limit_seconds: float) -> None:
        """Wait until the messages are delivered."""
        self._notifier.flush(limit_seconds)

    def _ping(self, suffix: str, reason: str = "") -> None:
        if self._job == BACKUP:
            self._notifier.ping(suffix, self._id, reason)


def _history(service: Service) -> History:
    try:
        return service.history()
    except BackupError as error:
        _log.warning("the outcome of the last runs is unknown: %s", error)
        return History()

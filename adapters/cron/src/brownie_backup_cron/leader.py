"""Holds the leadership, or watches the leading runner, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from brownie_backup.errors import StoreError
from brownie_backup.repository.coordination.leadership import LOOKS, Leadership
from brownie_backup_cron.metrics import RunnerMetrics

_log = logging.getLogger(__name__)


class Leader:
    """Knows whether this runner is the leader, which runs the jobs.

    A runner stands by only while it knows that another one leads. If the store is out of reach, the
    leader is unknown, and the runner keeps its last state: an extra backup does no harm, a missing
    one does. It may also still reach the store's copies.

    Args:
        leadership: the leadership as this process sees it.
        runner_metrics: exposes the state.
        on_change: called when the state changes.
    """

    def __init__(
        self, leadership: Leadership, runner_metrics: RunnerMetrics, on_change: Callable[[], None]
    ) -> None:
        self._leadership = leadership
        self._metrics = runner_metrics
        self._on_change = on_change
        self._stands_by = False
        self._known = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leader", daemon=True)

    def start(self) -> None:
        """Check once, then keep checking in the background."""
        self._look()
        self._thread.start()

    def may_run(self) -> bool:
        """Whether no other runner is known to lead."""
        return not self._stands_by

    def end(self) -> None:
        """Step down."""
        self._ended.set()
        self._leadership.resign()

    def _keep(self) -> None:
        pause = self._leadership.lifetime.total_seconds() / LOOKS
        while not self._ended.wait(pause):
            self._look()

    def _look(self) -> None:
        before = self._stands_by
        try:
            self._stands_by = not self._leadership.look()
        except StoreError as error:
            if self._known:
                _log.warning("the leading runner is unknown: %s", error)
            self._known = False
        except Exception:  # noqa: BLE001 - without this thread no runner would take over
            _log.exception("the leading runner is unknown")
            self._known = False
        else:
            self._known = True
        self._metrics.leads = self._leadership.leads
        if self._stands_by != before:
            _log.info("this runner %s", "stands by" if self._stands_by else "leads now")
            self._on_change()


def elapsed() -> float:
    """Return seconds of a monotonic clock that also runs while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

"""Keeps the leadership, or watches who has it, in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from brownie_backup.errors import StoreError
from brownie_backup.repository.coordination.leadership import LOOKS, Leadership
from brownie_backup_cron.metrics import RunnerMetrics

_log = logging.getLogger(__name__)


class Leader:
    """Whether this runner is the one that runs.

    It keeps still only while it knows of another one that leads. When the store is out of reach
    nobody knows: then it runs, as it did before, since a backup too many does no harm, and one too
    few does; it may also still reach the store's copies.

    Args:
        leadership: of this process.
        runner_metrics: where it is shown.
        on_change: called when another answer is given than before.
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
        """Look once, then go on in the background."""
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
                _log.warning("it is not known which runner leads: %s", error)
            self._known = False
        except Exception:  # noqa: BLE001 - without this thread nobody would ever take over
            _log.exception("it is not known which runner leads")
            self._known = False
        else:
            self._known = True
        self._metrics.leads = self._leadership.leads
        if self._stands_by != before:
            _log.info("this runner %s", "stands by" if self._stands_by else "leads now")
            self._on_change()


def elapsed() -> float:
    """Return seconds by a clock that nobody sets, and that goes on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

"""The loop: waits until a job is due, and does it."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn, Protocol

from brownie_backup.errors import BackupError
from brownie_backup.operations.history import History
from brownie_backup.protocols import Clock
from brownie_backup_cron.metrics import BACKUP, VERIFICATION, RunnerMetrics
from brownie_backup_cron.timetable import Timetable

LONGEST_WAIT = timedelta(seconds=30)
"""Before the clock is looked at again, which may have been set, or have gone on while we slept."""
_SET_BACK = timedelta(hours=1)
"""By how much the clock has to be set back for all plans to be made anew."""

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What a runner does, and what it asks. Nothing of it raises but what ends the process."""

    def back_up(self) -> object:
        """Make a backup, then apply the retention policy."""
        ...

    def begin_verification(self) -> None:
        """Begin a verification, which goes on beside."""
        ...

    def is_verifying(self) -> bool:
        """Whether it goes on."""
        ...

    def history(self) -> History:
        """Return what the store knows of earlier runs; `BackupError` if it can't be asked."""
        ...


class Runner:
    """Does each job when it is due, as long as no other runner does.

    Args:
        backups: when backups are made.
        verifications: when they are verified; None for never.
        work: does it.
        may_run: whether no other runner is known to lead.
        clock: the time now, UTC-aware.
        wait: waits for so many seconds, or until something has changed.
        runner_metrics: where it is counted.
    """

    def __init__(
        self,
        backups: Timetable,
        verifications: Timetable | None,
        *,
        work: Work,
        may_run: Callable[[], bool],
        clock: Clock,
        wait: Callable[[float], None],
        runner_metrics: RunnerMetrics,
    ) -> None:
        self._tables = {BACKUP: backups}
        if verifications:
            self._tables[VERIFICATION] = verifications
        self._work = work
        self._may_run = may_run
        self._clock = clock
        self._wait = wait
        self._metrics = runner_metrics
        self._begun = False
        self._ask_again_at: datetime | None = None
        self._verifying_since: datetime | None = None
        self._last_look = clock()

    def run(self) -> NoReturn:
        """Go on until the process is ended."""
        while True:
            self.step()

    def step(self) -> None:
        """Do what is due, or wait for a while."""
        now = self._clock()
        if now < self._last_look - _SET_BACK:
            _log.warning("the clock was set back: all plans are made anew")
            self._begun = False
        self._last_look = now
        self._end_verification(now)
        if not self._may_run():
            if self._begun:
                _log.info("another runner leads: this one stands by")
            self._begun = False
            self._wait(LONGEST_WAIT.total_seconds())
        elif not self._begun:
            self._begin(now)
        elif self._tables[BACKUP].due <= now:
            self._back_up(now)
        elif self._is_due(VERIFICATION, now):
            self._verify(now)
        elif self._ask_again_at and self._ask_again_at <= now:
            self._ask_again(now)
        else:
            due = min(table.due for table in self._tables.values())
            self._wait(min(due - now, LONGEST_WAIT).total_seconds())

    def _begin(self, now: datetime) -> None:
        """Plan by what was done last, whoever did it; what was missed is done once."""
        self._plan_since(self._ask(now) or History(), now)
        self._begun = True

    def _ask(self, now: datetime) -> History | None:
        """Ask what was done last; None if nobody knows now, and then it is asked again."""
        self._ask_again_at = None
        try:
            return self._work.history()
        except BackupError as error:
            _log.warning("nobody knows what was done last: %s", error)
            self._ask_again_at = now + LONGEST_WAIT
            return None

    def _ask_again(self, now: datetime) -> None:
        """Make up for what was missed, as soon as it is known; till then the plans stay."""
        if history := self._ask(now):
            self._plan_since(history, now)

    def _plan_since(self, history: History, now: datetime) -> None:
        # Of a database without any backup nothing was missed, unless somebody has tried.
        tried = history.attempt.started_at if history.attempt else now
        since = {
            BACKUP: history.last_success_at or tried,
            VERIFICATION: history.last_verified_at or now,
        }
        for job, table in self._tables.items():
            # A clock that was wrong may have left what lies in the future.
            if table.begin(min(since[job], now), now):
                _log.warning("a %s was missed since %s: it is made up for", job, since[job])
                self._metrics.count("catch_ups", job)
            self._plan(job)

    def _back_up(self, now: datetime) -> None:
        self._metrics.begin(BACKUP)
        try:
            self._work.back_up()
        finally:
            self._metrics.end(BACKUP)
        self._ran(BACKUP, now)

    def _is_due(self, job: str, now: datetime) -> bool:
        table = self._tables.get(job)
        return table is not None and table.due <= now

    def _verify(self, now: datetime) -> None:
        if self._verifying_since is None:
            self._metrics.begin(VERIFICATION)
            self._work.begin_verification()
            self._verifying_since = now
            self._ran(VERIFICATION, now)
        else:
            self._metrics.count("skipped", VERIFICATION)
            _log.warning("a verification is due while the last one goes on: it is skipped")
            self._tables[VERIFICATION].ran(now, now)
            self._plan(VERIFICATION)

    def _end_verification(self, now: datetime) -> None:
        if self._verifying_since is not None and not self._work.is_verifying():
            _log.debug("the verification took %s", now - self._verifying_since)
            self._verifying_since = None
            self._metrics.end(VERIFICATION)

    def _ran(self, job: str, began: datetime) -> None:
        skipped = self._tables[job].ran(began, self._clock())
        if skipped:
            _log.warning("%d runs were due while a %s went on: they are skipped", skipped, job)
            self._metrics.count("skipped", job, skipped)
        self._plan(job)

    def _plan(self, job: str) -> None:
        table = self._tables[job]
        self._metrics.plan(job, table.due)
        _log.info("the next %s is due at %s", job, f"{table.due:%Y-%m-%d %H:%M:%S} UTC")

"""The main loop: waits until a job is due, and runs it."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from brownie_backup.errors import BackupError
from brownie_backup.operations.history import History
from brownie_backup.protocols import Clock
from brownie_backup.wording import counted, written
from brownie_backup_cron.job import Job, ScheduledJob
from brownie_backup_cron.metrics import RunnerMetrics

LONGEST_WAIT = timedelta(seconds=30)
"""The longest wait before reading the clock again: it may be set, or run on during suspend."""
_SET_BACK = timedelta(hours=1)
"""If the clock is set back by more than this, all jobs are planned again."""

_log = logging.getLogger(__name__)


class Runner:
    """Runs each job when it is due, unless another runner leads.

    Args:
        jobs: the jobs and their timetables. If several are due, the first runs first.
        history: returns the history in the store; raises `BackupError` if it cannot be read.
        may_run: whether no other runner is known to lead.
        clock: returns the current time, UTC-aware.
        wait: waits for a number of seconds, or until something has changed.
        runner_metrics: counts the runs.
    """

    def __init__(
        self,
        jobs: Sequence[ScheduledJob],
        *,
        history: Callable[[], History],
        may_run: Callable[[], bool],
        clock: Clock,
        wait: Callable[[float], None],
        runner_metrics: RunnerMetrics,
    ) -> None:
        self._jobs = jobs
        self._history = history
        self._may_run = may_run
        self._clock = clock
        self._wait = wait
        self._metrics = runner_metrics
        self._begun = False
        self._ask_again_at: datetime | None = None
        self._running: dict[str, datetime] = {}
        self._last_look = clock()

    def run(self) -> NoReturn:
        """Run until the process is stopped."""
        while True:
            self.step()

    def step(self) -> None:
        """Run the job that is due, or wait for a while."""
        now = self._clock()
        if now < self._last_look - _SET_BACK:
            _log.warning("the clock was set back: planning all jobs again")
            self._begun = False
        self._last_look = now
        self._look_at_running(now)
        if not self._may_run():
            if self._begun:
                _log.info("another runner leads: this one stands by")
            self._begun = False
            self._wait(LONGEST_WAIT.total_seconds())
        elif not self._begun:
            self._begin(now)
        elif due := next((each for each in self._jobs if each.timetable.due <= now), None):
            self._start(due, now)
        elif self._ask_again_at and self._ask_again_at <= now:
            self._ask_again(now)
        else:
            next_due = min(each.timetable.due for each in self._jobs)
            self._wait(min(next_due - now, LONGEST_WAIT).total_seconds())

    def _begin(self, now: datetime) -> None:
        """Plan from the last runs of any process. Missed runs of a job are made up for once."""
        self._plan_since(self._ask(now) or History(), now)
        self._begun = True

    def _ask(self, now: datetime) -> History | None:
        """Return the history of the last runs; None if it is unknown now, and ask again later."""
        self._ask_again_at = None
        try:
            return self._history()
        except BackupError as error:
            _log.warning("the outcome of the last run is unknown: %s", error)
            self._ask_again_at = now + LONGEST_WAIT
            return None

    def _ask_again(self, now: datetime) -> None:
        """Make up for missed runs once they are known; until then, the plans stay."""
        if history := self._ask(now):
            self._plan_since(history, now)

    def _plan_since(self, history: History, now: datetime) -> None:
        for each in self._jobs:
            since = each.job.last_done(history, now)
            # A wrong clock may have left times in the future.
            if each.timetable.begin(min(since, now), now):
                name = each.job.name
                _log.warning(
                    "a %s was missed since %s: it runs as soon as possible", name, written(since)
                )
                self._metrics.count("catch_ups", name)
            self._plan(each)

    def _start(self, due: ScheduledJob, now: datetime) -> None:
        job = due.job
        if job.name in self._running:
            self._metrics.count("skipped", job.name)
            _log.warning("a %s is due, but the previous one is still running: skipped", job.name)
            due.timetable.ran(now, now)
            self._plan(due)
            return
        self._metrics.begin(job.name)
        self._running[job.name] = now
        try:
            job.start()
        finally:
            self._look_at(job, self._clock())
        skipped = due.timetable.ran(now, self._clock())
        if skipped:
            runs = counted(skipped, "run")
            _log.warning("skipped %s that came due while a %s was running", runs, job.name)
            self._metrics.count("skipped", job.name, skipped)
        self._plan(due)

    def _look_at_running(self, now: datetime) -> None:
        for each in self._jobs:
            if each.job.name in self._running:
                self._look_at(each.job, now)

    def _look_at(self, job: Job, now: datetime) -> None:
        """Note the end of a job."""
        if not job.running():
            _log.debug("the %s took %s", job.name, now - self._running.pop(job.name))
            self._metrics.end(job.name)

    def _plan(self, planned: ScheduledJob) -> None:
        name, due = planned.job.name, planned.timetable.due
        self._metrics.plan(name, due)
        _log.info("the next %s is due at %s", name, written(due))

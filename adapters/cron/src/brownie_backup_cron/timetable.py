"""When a job is due, one run after the other. Pure: callers pass the time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define

from brownie_backup.schedule import next_run_in, runs_between

Jitter = Callable[[float], float]
"""Takes the maximum delay of a run in seconds, and returns the actual one."""


@define
class Timetable:
    """When one job is due.

    Attributes:
        schedule: a cron expression.
        timezone: the name of the schedule's time zone.
        most_jitter: the maximum delay of a run.
        jitter: chooses the delay.
        scheduled: the next run by the schedule, in UTC.
        due: when that run starts.
    """

    schedule: str
    timezone: str
    most_jitter: timedelta
    jitter: Jitter
    scheduled: datetime
    due: datetime

    @classmethod
    def make(
        cls,
        schedule: str,
        timezone: str,
        now: datetime,
        *,
        most_jitter: timedelta = timedelta(0),
        jitter: Jitter = lambda _: 0.0,
    ) -> "Timetable":
        """Return a timetable that has no run due yet."""
        table = cls(schedule, timezone, most_jitter, jitter, now, now)
        table.begin(now, now)
        return table

    def begin(self, since: datetime, now: datetime) -> bool:
        """Start from the last run; return whether a run was missed, which is then due now.

        Several missed runs count as one.

        Args:
            since: when any process last did the job.
            now: the current time.
        """
        self._next_after(since)
        missed = self.scheduled <= now
        if missed:
            self.scheduled = now
            self.due = now + self._late(now)
        return missed

    def ran(self, began: datetime, ended: datetime) -> int:
        """Plan the next run; return how many runs came due during this one, and are skipped."""
        # Never the same time twice, even if the clock was set back a little meanwhile.
        ended = max(ended, self.scheduled)
        after = max(began, self.scheduled)
        skipped = sum(1 for _ in runs_between(self.schedule, self.timezone, after, ended))
        self._next_after(ended)
        return skipped

    def _next_after(self, instant: datetime) -> None:
        self.scheduled = next_run_in(self.schedule, self.timezone, instant).astimezone(UTC)
        self.due = self.scheduled + self._late(self.scheduled)

    def _late(self, scheduled: datetime) -> timedelta:
        """Return the delay of a run, at most half the time to the following one."""
        if not self.most_jitter:
            return timedelta(0)
        following = next_run_in(self.schedule, self.timezone, scheduled).astimezone(UTC)
        most = min(self.most_jitter, (following - scheduled) / 2)
        return timedelta(seconds=self.jitter(most.total_seconds()))

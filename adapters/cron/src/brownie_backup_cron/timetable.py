"""When a job is due, one run after the other. Pure: the time comes from outside."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from attrs import define

from brownie_backup.schedule import next_run_in, runs_between

Jitter = Callable[[float], float]
"""From the most seconds that a run may be late to how many it will be."""


@define
class Timetable:
    """When one job is due.

    Attributes:
        schedule: a cron expression.
        timezone: the name of the zone that it is read in.
        most_jitter: how much later than scheduled a run begins at most.
        jitter: chooses how much.
        scheduled: when the next run is due by the schedule, in UTC.
        due: when it begins.
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
        """Return a timetable of which nothing is due yet."""
        table = cls(schedule, timezone, most_jitter, jitter, now, now)
        table.begin(now, now)
        return table

    def begin(self, since: datetime, now: datetime) -> bool:
        """Start from what was done last; return whether a run was missed, which is due now.

        However many were missed, it is one.

        Args:
            since: when the job was done last, whoever did it.
            now: the time.
        """
        self._next_after(since)
        missed = self.scheduled <= now
        if missed:
            self.scheduled = now
            self.due = now + self._late(now)
        return missed

    def ran(self, began: datetime, ended: datetime) -> int:
        """Go on after a run; return how many runs were due while it went on, and are skipped."""
        # Never the same time twice, even if the clock was put back a little meanwhile.
        ended = max(ended, self.scheduled)
        after = max(began, self.scheduled)
        skipped = sum(1 for _ in runs_between(self.schedule, self.timezone, after, ended))
        self._next_after(ended)
        return skipped

    def _next_after(self, instant: datetime) -> None:
        self.scheduled = next_run_in(self.schedule, self.timezone, instant).astimezone(UTC)
        self.due = self.scheduled + self._late(self.scheduled)

    def _late(self, scheduled: datetime) -> timedelta:
        """Return by how much a run is late; never so much that it meets the next one."""
        if not self.most_jitter:
            return timedelta(0)
        following = next_run_in(self.schedule, self.timezone, scheduled).astimezone(UTC)
        most = min(self.most_jitter, (following - scheduled) / 2)
        return timedelta(seconds=self.jitter(most.total_seconds()))

"""What a runner can do on a schedule: each kind of work is a job."""

from datetime import datetime
from typing import Protocol

from attrs import frozen

from brownie_backup.operations.history import History
from brownie_backup_cron.timetable import Timetable


class Job(Protocol):
    """Work that is due now and then. Nothing here raises but what ends the process."""

    @property
    def name(self) -> str:
        """What logs and metrics call it: ``backup``, ``verification``."""
        ...

    def last_done(self, history: History, now: datetime) -> datetime:
        """Return when it was done last, by any process; `now` if nothing was missed."""
        ...

    def start(self) -> None:
        """Do it, or begin to do it in the background."""
        ...

    def running(self) -> bool:
        """Whether it goes on in the background."""
        ...

    def close(self) -> None:
        """End what goes on in the background: the runner ends."""
        ...


@frozen
class ScheduledJob:
    """A job, and when it is due."""

    job: Job
    timetable: Timetable

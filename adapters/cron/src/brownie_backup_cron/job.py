"""Jobs: the work that a runner does on a schedule."""

from datetime import datetime
from typing import Protocol

from attrs import frozen

from brownie_backup.operations.history import History
from brownie_backup_cron.timetable import Timetable


class Job(Protocol):
    """Work that runs on a schedule. Its methods raise only exceptions that end the process."""

    @property
    def name(self) -> str:
        """Its name in logs and metrics: ``backup``, ``verification``."""
        ...

    def last_done(self, history: History, now: datetime) -> datetime:
        """Return when any process last did it; `now` if nothing was missed."""
        ...

    def start(self) -> None:
        """Do it, or start it in the background."""
        ...

    def running(self) -> bool:
        """Whether it is running in the background."""
        ...

    def close(self) -> None:
        """Stop any work in the background, because the runner ends."""
        ...


@frozen
class ScheduledJob:
    """A job, and when it is due."""

    job: Job
    timetable: Timetable

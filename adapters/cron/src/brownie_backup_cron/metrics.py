"""The runner's own metrics."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

BACKUP = "backup"
RETENTION = "retention"
VERIFICATION = "verification"
JOBS = (BACKUP, RETENTION, VERIFICATION)
"""The jobs whose metrics are 0 before their first run; others appear with their first run."""


class RunnerMetrics:
    """Counters since the start of the process, and its current state. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._next: dict[str, datetime] = {}
        self._running: set[str] = set()
        self.leads = False

    def count(self, name: str, label: str, times: int = 1) -> None:
        """Add to a count: of ``runs``, ``failures``, ``skipped`` and so on."""
        with self._lock:
            self._counts[name, label] += times

    def counted(self, name: str, label: str) -> int:
        """Return a count."""
        with self._lock:
            return self._counts[name, label]

    def labels(self, name: str) -> set[str]:
        """Return the labels that a counter has."""
        with self._lock:
            return {label for counted, label in self._counts if counted == name}

    def plan(self, job: str, due: datetime) -> None:
        """Set when a job is due next."""
        with self._lock:
            self._next[job] = due

    def planned(self) -> dict[str, datetime]:
        """Return when each job is due next."""
        with self._lock:
            return dict(self._next)

    def begin(self, job: str) -> None:
        """Note that a job is running."""
        with self._lock:
            self._running.add(job)

    def end(self, job: str) -> None:
        """Note that a job has ended."""
        with self._lock:
            self._running.discard(job)

    def running(self) -> tuple[str, ...]:
        """Return the running jobs."""
        with self._lock:
            return tuple(sorted(self._running))


def exposition(runner_metrics: RunnerMetrics) -> str:
    """Return the runner's own metrics in Prometheus's text format."""
    return "".join(f"{line}\n" for line in _lines(runner_metrics))


_COUNTERS = {
    "runs": ("backup_runner_runs_total", "Jobs that were started.", JOBS),
    "failures": ("backup_runner_failures_total", "Jobs that failed.", JOBS),
    "skipped": (
        "backup_runner_skipped_total",
        "Runs skipped because the previous run had not ended.",
        (BACKUP, VERIFICATION),
    ),
    "catch_ups": (
        "backup_runner_catch_ups_total",
        "Runs that caught up on runs missed while no runner was running.",
        (BACKUP, VERIFICATION),
    ),
    "undelivered": (
        "backup_runner_undelivered_total",
        "Pings and events that were not delivered.",
        ("ping", "webhook"),
    ),
}


def _lines(runner_metrics: RunnerMetrics) -> Iterator[str]:
    for count, (name, text, labels) in _COUNTERS.items():
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} counter"
        key = "to" if count == "undelivered" else "job"
        for label in (*labels, *sorted(runner_metrics.labels(count) - {*labels})):
            yield f'{name}{{{key}="{label}"}} {runner_metrics.counted(count, label)}'
    yield "# HELP backup_runner_leader Whether this runner is the leader, which runs the jobs."
    yield "# TYPE backup_runner_leader gauge"
    yield f"backup_runner_leader {int(runner_metrics.leads)}"
    yield "# HELP backup_runner_running Whether a job is running."
    yield "# TYPE backup_runner_running gauge"
    running = runner_metrics.running()
    for job in (*JOBS, *sorted({*running} - {*JOBS})):
        yield f'backup_runner_running{{job="{job}"}} {int(job in running)}'
    yield "# HELP backup_runner_next_run_timestamp_seconds When a job is due next."
    yield "# TYPE backup_runner_next_run_timestamp_seconds gauge"
    for job, due in sorted(runner_metrics.planned().items()):
        yield f'backup_runner_next_run_timestamp_seconds{{job="{job}"}} {due.timestamp():.0f}'

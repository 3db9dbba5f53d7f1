"""The command ``brownie-backup-cron``: reads the settings, and builds and runs the runner."""

import argparse
import contextlib
import hashlib
import logging
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from attrs import frozen

from brownie_backup.audit.operation import Actor
from brownie_backup.config import OpenStores, Settings, load_settings, make_dumper
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.process.malloc import share_large_blocks
from brownie_backup.process.signals import ENDED_BY, TerminatedBySignal, end_on_signals
from brownie_backup.protocols import Clock
from brownie_backup.repository.coordination.leadership import LIFETIME, Leadership
from brownie_backup.service import Service
from brownie_backup.service.context import ServiceContext
from brownie_backup.telemetry import configure_telemetry, prometheus_text
from brownie_backup.telemetry.logs import configure_logging
from brownie_backup_cron.backup_job import BackupJob
from brownie_backup_cron.exit_codes import DONE, FAILED, USAGE
from brownie_backup_cron.http_server import Endpoints
from brownie_backup_cron.job import ScheduledJob
from brownie_backup_cron.leader import Leader, elapsed
from brownie_backup_cron.metrics import RunnerMetrics
from brownie_backup_cron.notifications import make_notifier
from brownie_backup_cron.reporter import Reporter
from brownie_backup_cron.runner import Runner
from brownie_backup_cron.timetable import Timetable
from brownie_backup_cron.verification_job import VerificationJob
from brownie_backup_cron.vocabulary import WORDS

HOST = "127.0.0.1"
PORT = 8001
_LEADER_RETRIES_SECONDS = 10
"""How long to retry a store when checking the leader: no longer than until the next check."""
_LAST_WORDS_SECONDS = 3.0
_ALL_WORDS_SECONDS = 40.0

EPILOG = """\
exit status:
  0    done (with --once)
  1    failed
  2    wrong usage or configuration
  3    with --once: the backup is good, but there are warnings, or old ones could not be removed; or
       nothing was verified
  130  ended by SIGINT, 143 by SIGTERM, 129 by SIGHUP; no incomplete backup is left

Environment variables configure everything else, as for brownie-backup.
"""

_log = logging.getLogger(__name__)


@frozen
class TimeSource:
    """The clock of the runner. Tests use a faster one."""

    now: Clock = lambda: datetime.now(UTC)
    wait: Callable[[threading.Event, float], object] = threading.Event.wait


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="brownie-backup-cron",
        description="Back up, apply the retention policy and verify on a schedule, until stopped.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "--host", default=HOST, help="address for /health and /metrics (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=int, default=PORT, help="port for them, 0 for any (default: %(default)s)"
    )
    parser.add_argument(
        "--once",
        nargs="?",
        const="backup",
        choices=("backup", "verify"),
        metavar="JOB",
        help="run one job now and exit: backup with retention (default), or verify",
    )
    parser.add_argument(
        "--leader-seconds",
        type=int,
        default=int(LIFETIME.total_seconds()),
        metavar="N",
        help="seconds until another runner takes over from a dead one (default: %(default)s)",
    )
    return parser


def main(argv: Sequence[str] | None = None, *, pace: TimeSource | None = None) -> int:
    """Run until stopped; return the exit status."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    if arguments.version:
        from importlib.metadata import version

        sys.stdout.write(f"brownie-backup-cron {version('brownie-backup-cron')}\n")
        return DONE
    if arguments.leader_seconds < 1:
        parser.error("--leader-seconds must be at least 1")
    end_on_signals()
    share_large_blocks()
    try:
        settings = _settings()
        reread = partial(load_settings, os.environ)
        context = ServiceContext.of(settings, reread=reread)
        with Service(settings, _actor(), context) as service:
            # Check once, at the start, whether the settings are complete.
            service.context.repositories(writes=True)
            service.context.dumper()
            send_the_rest = configure_telemetry(service.context.stores, component="cron")
            try:
                if arguments.once:
                    return _once(service, arguments.once)
                return _serve(service, arguments, pace or TimeSource())
            finally:
                send_the_rest()
    except TerminatedBySignal as ended:
        _log.info("ended by %s", signal.Signals(ended.number).name)
        return ENDED_BY + ended.number
    except BackupError as error:
        sys.stderr.write(f"brownie-backup-cron: {error.worded(WORDS)}\n")
        return USAGE if isinstance(error, ConfigurationError) else FAILED


def _settings() -> Settings:
    """Read the settings, and configure the log."""
    settings = load_settings(os.environ)
    configure_logging(settings, WORDS, usual=logging.INFO)
    for warning in settings.warnings:
        _log.warning("%s", warning)
    return settings


def _once(service: Service, job: str) -> int:
    runner_metrics = RunnerMetrics()
    notifier = make_notifier(service.settings, runner_metrics, TimeSource().now)
    reporter = Reporter(service, notifier, runner_metrics)
    once = VerificationJob(reporter) if job == "verify" else BackupJob(reporter)
    try:
        status = once.run()
    except TerminatedBySignal:
        notifier.flush(_LAST_WORDS_SECONDS)
        raise
    notifier.flush(_ALL_WORDS_SECONDS)
    return status


def _serve(service: Service, arguments: argparse.Namespace, pace: TimeSource) -> int:
    settings, stores = service.settings, service.context.stores
    runner_metrics = RunnerMetrics()
    notifier = make_notifier(settings, runner_metrics, TimeSource().now)
    reporter = Reporter(service, notifier, runner_metrics)
    jobs = tuple(_scheduled(settings, reporter, pace.now()))
    changed = threading.Event()
    lifetime = timedelta(seconds=arguments.leader_seconds)
    leader = Leader(_leadership(stores, lifetime), runner_metrics, changed.set)
    endpoints = Endpoints(
        arguments.host, arguments.port, runner_metrics, lambda: prometheus_text(stores)
    )

    def wait(seconds: float) -> None:
        pace.wait(changed, seconds)
        changed.clear()

    with contextlib.ExitStack() as stack:
        stack.callback(endpoints.close)
        stack.callback(notifier.flush, _LAST_WORDS_SECONDS)
        stack.callback(leader.end)
        for each in jobs:
            stack.callback(each.job.close)
        address = f"{arguments.host}:{endpoints.port}"
        _log.info("the runner has started; /health and /metrics at %s", address)
        leader.start()
        Runner(
            jobs,
            history=reporter.history,
            may_run=leader.may_run,
            clock=pace.now,
            wait=wait,
            runner_metrics=runner_metrics,
        ).run()


def _leadership(stores: OpenStores, lifetime: timedelta) -> Leadership:
    quick = min(stores.settings.retry_seconds, _LEADER_RETRIES_SECONDS)
    store = stores.repositories(retry_seconds=quick)[0].store
    return Leadership(store, _purpose(stores.settings), elapsed=elapsed, lifetime=lifetime)


def _purpose(settings: Settings) -> str:
    """Return the purpose of the leadership: one database, since several may share a store.

    If the server cannot name its database now, this runner may lead besides another one: an extra
    backup does no harm.
    """
    try:
        name = make_dumper(settings).database_name()
    except BackupError as error:
        _log.warning("the name of the database is unknown: %s", error)
        name = ""
    return f"runner-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _scheduled(settings: Settings, reporter: Reporter, now: datetime) -> Iterator[ScheduledJob]:
    """Yield the jobs of this runner, the most urgent first."""
    yield ScheduledJob(BackupJob(reporter), _timetable(settings, settings.schedule, now))
    if settings.verify_schedule:
        table = _timetable(settings, settings.verify_schedule, now)
        yield ScheduledJob(VerificationJob(reporter), table)


def _timetable(settings: Settings, schedule: str, now: datetime) -> Timetable:
    return Timetable.make(
        schedule,
        settings.timezone,
        now,
        most_jitter=timedelta(seconds=settings.jitter_seconds),
        jitter=lambda most: random.uniform(0, most),  # noqa: S311 - it only spreads load
    )


def _actor() -> Actor:
    return Actor("scheduler", f"cron {socket.gethostname()}")


if __name__ == "__main__":
    sys.exit(main())

"""The command ``schedule``: run the runner in the background, or print units for the host."""

import argparse
import importlib.util
import json
import os
import shlex
import shutil
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from brownie_backup.config import Settings
from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.hints import install_command
from brownie_backup.operations.history import History
from brownie_backup.schedule import next_run_in
from brownie_backup.service import Service
from brownie_backup.service.documents import instant
from brownie_backup_cli.daemon import Daemon
from brownie_backup_cli.exit_codes import DONE, WARNINGS
from brownie_backup_cli.kubernetes import kubernetes
from brownie_backup_cli.output import Output, table
from brownie_backup_cli.units import crontab, systemd
from brownie_backup_cli.vocabulary import WORDS

PRINTERS = {"crontab": crontab, "systemd": systemd, "kubernetes": kubernetes}
RUNNER = "brownie_backup_cron"
"""The module of another package: it is started, never imported."""
_PATIENCE_SECONDS = 2


def schedule(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Start, stop or show the runner, or print configuration for the host's scheduler."""
    daemon = Daemon(arguments.directory or _state_folder(), "schedule")
    if arguments.print_as:
        return _print(arguments.print_as, service.settings, output)
    if arguments.action == "start":
        return _start(daemon, arguments.port, output)
    if arguments.action == "stop":
        return _stop(daemon, output)
    return _status(daemon, service, output)


def _start(daemon: Daemon, port: int, output: Output) -> int:
    if importlib.util.find_spec(RUNNER) is None:
        problem = "schedule --start needs 'brownie-backup-cron', which is not installed"
        command = install_command("brownie-backup-cli[schedule]")
        hint = (
            f"Install it: {command}. Or let the host's own scheduler do it: see "
            "'brownie-backup schedule --print'"
        )
        raise ConfigurationError([problem], hint=hint)
    argv = [sys.executable, "-m", RUNNER, "--port", str(port)]
    pid = daemon.start(argv, lambda pid: _answers(pid, port))
    document = {**_files(daemon), "running": True, "pid": pid, "port": port}
    lines = [f"started as process {pid}; its log is {daemon.log_file}"]
    output.result(document, lines)
    return DONE


def _stop(daemon: Daemon, output: Output) -> int:
    pid = daemon.stop()
    document = {**_files(daemon), "running": False, "pid": pid}
    output.result(document, [f"process {pid} has ended" if pid else "the runner was not running"])
    return DONE


def _status(daemon: Daemon, service: Service, output: Output) -> int:
    now = datetime.now(UTC)
    pid = daemon.pid()
    problem = None
    try:
        history = service.history()
    except BackupError as error:
        history, problem = History(), error.worded(WORDS)
    settings = service.settings
    verify = settings.verify_schedule
    document: dict[str, Any] = {
        **_files(daemon),
        "running": pid is not None,
        "pid": pid,
        "timezone": settings.timezone,
        "schedule": settings.schedule,
        "next_backup": _next(settings.schedule, settings.timezone, now),
        "verify_schedule": verify or None,
        "next_verification": _next(verify, settings.timezone, now) if verify else None,
        "last_good": history.last_good.name if history.last_good else None,
        "last_success_at": _instant(history.last_success_at),
        "last_attempt_at": _instant(history.attempt.started_at if history.attempt else None),
        "backup_running": history.backup_running,
        "backup_failed": history.backup_failed,
        "last_verified_at": _instant(history.last_verified_at),
        "verification_failed": history.verification_failed,
        "retention_failed": history.retention_failed,
        "problem": problem,
    }
    rows = [("running", f"as process {pid}" if pid else "no")]
    rows += [(key.replace("_", " "), _shown(document[key])) for key in list(document)[4:-1]]
    output.result(document, table(("", ""), rows)[1:])
    failed = [key for key in document if key.endswith("_failed") and document[key]]
    for each in failed:
        output.warn(f"the last {each.removesuffix('_failed')} did not succeed")
    if problem:
        output.warn(problem)
    return WARNINGS if failed or problem else DONE


def _print(kind: str, settings: Settings, output: Output) -> int:
    program = shutil.which("brownie-backup") or shlex.join(
        [sys.executable, "-m", "brownie_backup_cli"]
    )
    printed = PRINTERS[kind](settings, os.environ, program)
    units = printed.units
    document = {"files": [{"path": unit.path, "content": unit.content} for unit in units]}
    lines = []
    for unit in units:
        if len(units) > 1:
            lines.append(f"# {unit.path}")
        lines += unit.content.splitlines()
        if unit is not units[-1]:
            lines.append("")
    output.result(document, lines)
    if printed.left_out:
        names = ", ".join(printed.left_out)
        output.warn(f"left out, because they may be secret or specific to this machine: {names}")
    return DONE


def _answers(pid: int, port: int) -> bool:
    """Whether the runner with that process id listens on that port."""
    try:
        url = f"http://127.0.0.1:{port}/health"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=_PATIENCE_SECONDS) as answer:
            document: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError):
        return False
    return document.get("pid") == pid


def _state_folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        return Path(base).expanduser() / "brownie-backup"
    except RuntimeError:
        problem = "the home folder of this user is unknown: HOME is not set"
        raise ConfigurationError([problem], hint="Give --directory") from None


def _files(daemon: Daemon) -> dict[str, str]:
    return {"pid_file": str(daemon.pid_file), "log_file": str(daemon.log_file)}


def _next(schedule: str, timezone: str, now: datetime) -> str:
    return next_run_in(schedule, timezone, now).isoformat(timespec="seconds")


def _instant(value: datetime | None) -> str | None:
    return instant(value) if value else None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)

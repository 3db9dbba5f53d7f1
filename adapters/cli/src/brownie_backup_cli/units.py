"""What makes the host's own scheduler run the jobs: lines and units, without any secret."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import frozen

from brownie_backup.config import Settings
from brownie_backup.schedule import expand
from brownie_backup.variables import PREFIX, VARIABLES

SECRETS = "/etc/brownie-backup"
POD_SECRETS = "/run/secrets/brownie-backup"
_IMAGE = "brownie-backup:0.1.0"
_BACKUPS = "/backups"
_LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGPASSFILE", "PGSERVICE", "PGSSLMODE")
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_PLAIN = re.compile(r"[\w./:@,+=-]+")


@frozen
class Unit:
    """A file, or a part of one."""

    path: str
    content: str


@frozen
class Environment:
    """The variables of the jobs."""

    values: Mapping[str, str]
    missing: Mapping[str, str]
    """What is secret, or has several lines, and is not in a file yet; and in which it is to be."""

    def note(self) -> Iterator[str]:
        """Yield what is to be done first."""
        for name, path in self.missing.items():
            yield f"# Put the value of {name} into {path}, for its user alone (mode 0600)."


def environment(settings: Settings, environ: Mapping[str, str], folder: str) -> Environment:
    """Return what the jobs need to be given; a secret by the name of a file.

    Args:
        settings: from `environ`.
        environ: the environment.
        folder: where the files of secrets are to be.
    """
    values = {name: environ[name] for name in _LIBPQ if environ.get(name)}
    missing = {}
    for variable in VARIABLES:
        name = PREFIX + variable.name
        source = settings.sources.get(variable.name.lower(), "default")
        if source == name and (variable.secret or "\n" in environ[name]):
            path = f"{folder}/{variable.name.lower().replace('_', '-')}"
            missing[name] = path
            values[f"{name}_FILE"] = path
        elif source == name:
            values[name] = environ[name].strip()
        elif source != "default":
            file, _, path = source.partition("=")
            values[file] = path
    return Environment(values, missing)


def crontab(settings: Settings, environ: Mapping[str, str], program: str) -> tuple[Unit, ...]:
    """Return lines for a crontab."""
    needed = environment(settings, environ, SECRETS)
    lines = [
        *needed.note(),
        "# Debian's cron does not know CRON_TZ: there, times are those of the machine's zone.",
        f"CRON_TZ={settings.timezone}",
        *(f"{name}={_quoted(value)}" for name, value in needed.values.items()),
        f"{_five(settings.schedule)}  {program} backup --quiet && {program} cleanup --quiet",
    ]
    if settings.verify_schedule:
        lines.append(f"{_five(settings.verify_schedule)}  {program} verify latest --quiet")
    return (Unit("crontab", _text(lines)),)


def systemd(settings: Settings, environ: Mapping[str, str], program: str) -> tuple[Unit, ...]:
    """Return units, and the file with their variables."""
    needed = environment(settings, environ, SECRETS)
    values = [f"{name}={_quoted(value)}" for name, value in needed.values.items()]
    units = [Unit(f"{SECRETS}/env", _text([*needed.note(), *values]))]
    jobs = [("brownie-backup", "Back up", settings.schedule, ["backup", "cleanup"])]
    if settings.verify_schedule:
        verify = ("brownie-backup-verify", "Verify backups", settings.verify_schedule)
        jobs.append((*verify, ["verify latest"]))
    for name, what, schedule, commands in jobs:
        units += _service_and_timer(
            settings, name, what, schedule, [f"{program} {c}" for c in commands]
        )
    return tuple(units)


def _service_and_timer(
    settings: Settings, name: str, what: str, schedule: str, commands: list[str]
) -> Iterator[Unit]:
    service = [
        "[Unit]",
        f"Description={what} by brownie-backup",
        "Wants=network-online.target",
        "After=network-online.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"EnvironmentFile={SECRETS}/env",
        *(f"ExecStart={command}" for command in commands),
        "TimeoutStartSec=1d",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
    ]
    yield Unit(f"/etc/systemd/system/{name}.service", _text(service))
    timer = [
        "[Unit]",
        f"Description={what} on a schedule",
        "",
        "[Timer]",
        *(f"OnCalendar={each}" for each in calendar(schedule, settings.timezone)),
        f"RandomizedDelaySec={settings.jitter_seconds}",
        "Persistent=yes",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    yield Unit(f"/etc/systemd/system/{name}.timer", _text(timer))


def calendar(schedule: str, timezone: str) -> tuple[str, ...]:
    """Return the same times in systemd's words; two, as it takes days that are both, not either."""
    minute, hour, day, month, weekday = expand(schedule)
    time = f"{_numbers(hour)}:{_numbers(minute)}:00 {timezone}"
    by_day = f"*-{_numbers(month)}-{_numbers(day)} {time}"
    if weekday is None:
        return (by_day,)
    names = ",".join(_DAYS[number] for number in weekday)
    by_weekday = f"{names} *-{_numbers(month)}-* {time}"
    return (by_weekday,) if day is None else (by_day, by_weekday)


def kubernetes(settings: Settings, environ: Mapping[str, str], program: str) -> tuple[Unit, ...]:
    """Return manifests: the variables, and a CronJob for each schedule."""
    del program  # the image's entry point
    needed = environment(settings, environ, POD_SECRETS)
    documents = [_config_map(needed), _cron_job(settings, "brownie-backup", settings.schedule)]
    if settings.verify_schedule:
        documents.append(_cron_job(settings, "brownie-backup-verify", settings.verify_schedule))
    keys = sorted(path.rpartition("/")[2] for path in needed.missing.values())
    note = f"# The Secret brownie-backup is yours to make, with the keys: {', '.join(keys)}"
    texts = ["---\n" + "\n".join(_yaml(document)) + "\n" for document in documents]
    return (Unit("brownie-backup.yaml", f"{note}\n" + "".join(texts)),)


def _config_map(needed: Environment) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "brownie-backup"},
        "data": dict(needed.values),
    }


def _cron_job(settings: Settings, name: str, schedule: str) -> dict[str, Any]:
    verifies = name.endswith("verify")
    cleanup, backup = _container("cleanup"), _container("backup")
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001},
        # Cleanup only after a backup that has succeeded.
        "initContainers": [] if verifies else [backup],
        "containers": [_container("verify", "latest")] if verifies else [cleanup],
        "volumes": [
            {"name": "tmp", "emptyDir": {}},
            {"name": "secrets", "secret": {"secretName": "brownie-backup"}},
            {"name": "backups", "persistentVolumeClaim": {"claimName": "backups"}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": _five(schedule),
            "timeZone": settings.timezone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": 3600,
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 1,
                    "activeDeadlineSeconds": 86400,
                    "template": {"spec": pod},
                }
            },
        },
    }


def _container(*arguments: str) -> dict[str, Any]:
    return {
        "name": arguments[0],
        "image": _IMAGE,
        "command": ["brownie-backup"],
        "args": list(arguments),
        "envFrom": [{"configMapRef": {"name": "brownie-backup"}}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - an empty volume of the pod
            {"name": "secrets", "mountPath": POD_SECRETS, "readOnly": True},
            {"name": "backups", "mountPath": _BACKUPS},
        ],
    }


PRINTERS = {"crontab": crontab, "systemd": systemd, "kubernetes": kubernetes}


def _yaml(value: object, indent: str = "") -> Iterator[str]:
    """Yield YAML. Every text is quoted as in JSON, so that none is taken for anything else."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from _yaml(inner, indent + "  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner)}"
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                first, *rest = _yaml(inner, indent + "  ")
                yield f"{indent}- {first.strip()}"
                yield from rest
            else:
                yield f"{indent}- {json.dumps(inner)}"


def _five(schedule: str) -> str:
    """Return a schedule's five fields: not every cron knows the names."""
    if not schedule.startswith("@"):
        return schedule
    return " ".join("*" if each is None else ",".join(map(str, each)) for each in expand(schedule))


def _numbers(values: tuple[int, ...] | None) -> str:
    return "*" if values is None else ",".join(f"{value:02}" for value in values)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    if "'" not in value:
        return f"'{value}'"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

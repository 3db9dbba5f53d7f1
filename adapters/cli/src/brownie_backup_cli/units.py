"""What makes the host's own scheduler run the jobs: lines and units, without any secret."""

import re
from collections.abc import Iterator, Mapping

from attrs import frozen

from brownie_backup.config import Settings
from brownie_backup.config.variables import PREFIX, VARIABLES
from brownie_backup.schedule import expand

SECRETS = "/etc/brownie-backup"
_LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGSSLMODE")
_LIBPQ_FILES = ("PGPASSFILE", "PGSERVICEFILE", "PGSSLROOTCERT")
_OF_OTHERS = ("PG", "AWS_", "GOOGLE_", "AZURE_")
"""How variables begin that libpq and the clouds' own libraries read."""
_OF_THE_HOST = ("CACHE_DIR", "METRICS_TEXTFILE", "PG_BIN")
"""Paths that a pod has not."""
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_GO_ON = ("# 3 is a good backup, with warnings: they are in the journal.", "SuccessExitStatus=3")
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
    left_out: tuple[str, ...]
    """What the jobs may need and are not given: secrets of others, and paths that a pod has not."""

    def note(self) -> Iterator[str]:
        """Yield what is to be done first."""
        for name, path in self.missing.items():
            yield f"# Put the value of {name} into {path}, for its user alone (mode 0600)."


@frozen
class Printed:
    """What is printed, and what of the environment is not in it."""

    units: tuple[Unit, ...]
    left_out: tuple[str, ...]


def environment(
    settings: Settings, environ: Mapping[str, str], folder: str, *, in_pod: bool = False
) -> Environment:
    """Return what the jobs need to be given; a secret by the name of a file.

    Args:
        settings: from `environ`.
        environ: the environment.
        folder: where the files of secrets are to be.
        in_pod: whether the files of this machine are not there.
    """
    plain = _LIBPQ if in_pod else (*_LIBPQ, *_LIBPQ_FILES)
    values = {name: environ[name] for name in plain if environ.get(name)}
    left_out = [
        name
        for name in sorted(environ)
        if name.startswith(_OF_OTHERS) and environ[name] and name not in values
    ]
    missing = {}
    for variable in VARIABLES:
        name = PREFIX + variable.name
        source = settings.sources.get(variable.name.lower(), "default")
        if source == "default" or (in_pod and variable.name == "LOG_FILE"):
            continue
        if in_pod and variable.name in _OF_THE_HOST:
            left_out.append(source.partition("=")[0])
        elif source == name and not variable.secret and "\n" not in environ[name]:
            values[name] = environ[name].strip()
        elif source == name or in_pod:
            path = f"{folder}/{variable.name.lower().replace('_', '-')}"
            missing[name] = path
            values[f"{name}_FILE"] = path
        else:
            file, _, path = source.partition("=")
            values[file] = path
    return Environment(values, missing, tuple(left_out))


def crontab(settings: Settings, environ: Mapping[str, str], program: str) -> Printed:
    """Return lines for a crontab."""
    needed = environment(settings, environ, SECRETS)
    backup = f"{program} backup --quiet"
    lines = [
        *needed.note(),
        "# Debian's cron does not know CRON_TZ: there, times are those of the machine's zone.",
        f"CRON_TZ={settings.timezone}",
        *(f"{name}={_quoted(value)}" for name, value in needed.values.items()),
        "# 3 is a good backup, with warnings.",
        f"{five(settings.schedule)}  {backup} || [ $? -eq 3 ] && {program} cleanup --quiet",
    ]
    if settings.verify_schedule:
        lines.append(f"{five(settings.verify_schedule)}  {program} verify latest --quiet")
    return Printed((Unit("crontab", text(lines)),), needed.left_out)


def systemd(settings: Settings, environ: Mapping[str, str], program: str) -> Printed:
    """Return units, and the file with their variables."""
    needed = environment(settings, environ, SECRETS)
    values = [f"{name}={_quoted(value)}" for name, value in needed.values.items()]
    units = [Unit(f"{SECRETS}/env", text([*needed.note(), *values]))]
    jobs = [("brownie-backup", "Back up", settings.schedule, ["backup", "cleanup"])]
    if settings.verify_schedule:
        verify = ("brownie-backup-verify", "Verify backups", settings.verify_schedule)
        jobs.append((*verify, ["verify latest"]))
    for name, what, schedule, commands in jobs:
        units += _service_and_timer(
            settings, name, what, schedule, [f"{program} {c}" for c in commands]
        )
    return Printed(tuple(units), needed.left_out)


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
        *(_GO_ON if len(commands) > 1 else ()),
        "TimeoutStartSec=1d",
        "NoNewPrivileges=yes",
        "PrivateTmp=yes",
    ]
    yield Unit(f"/etc/systemd/system/{name}.service", text(service))
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
    yield Unit(f"/etc/systemd/system/{name}.timer", text(timer))


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


def five(schedule: str) -> str:
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


def text(lines: list[str]) -> str:
    """Return lines as a text."""
    return "".join(f"{line}\n" for line in lines)

"""Crontab lines and systemd units that run the jobs. They contain no secrets."""

import re
from collections.abc import Iterator, Mapping

from attrs import frozen

from brownie_backup.config import Settings
from brownie_backup.config.variables import PREFIX, VARIABLES
from brownie_backup.schedule import expand

SECRETS = "/etc/brownie-backup"
_LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSERVICE", "PGSSLMODE")
_PATH = "PATH"
"""cron's own has no pg_dump that is not in /usr/bin."""
_LIBPQ_FILES = ("PGPASSFILE", "PGSERVICEFILE", "PGSSLROOTCERT")
_OF_OTHERS = ("PG", "AWS_", "GOOGLE_", "AZURE_")
"""Prefixes of the variables that libpq and the cloud libraries read."""
_OF_THE_HOST = ("CACHE_DIR", "METRICS_TEXTFILE", "PG_BIN")
"""Paths that do not exist in a pod."""
_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_GO_ON = (
    "# Exit status 3: the backup is good. The warnings are in the journal.",
    "SuccessExitStatus=3",
)
_PLAIN = re.compile(r"[\w./:@,+=-]+")


@frozen
class Unit:
    """A file, or a part of one."""

    path: str
    content: str


@frozen
class Environment:
    """The environment variables of the jobs."""

    values: Mapping[str, str]
    missing: Mapping[str, str]
    """Variables whose values must be put into a file, and the path of that file.

    Their values are secret or have several lines, and are not in a file yet.
    """
    left_out: tuple[str, ...]
    """Variables that the jobs may need and do not get: others' secrets, paths not in a pod."""

    def note(self) -> Iterator[str]:
        """Yield comments that say what to do first."""
        for name, path in self.missing.items():
            yield f"# Put the value of {name} into {path}, readable only by its user (mode 0600)."


@frozen
class Printed:
    """The printed units, and the variables that they leave out."""

    units: tuple[Unit, ...]
    left_out: tuple[str, ...]


def environment(
    settings: Settings, environ: Mapping[str, str], folder: str, *, in_pod: bool = False
) -> Environment:
    """Return the variables that the jobs need. A secret is given as the path of a file.

    Args:
        settings: read from `environ`.
        environ: the environment.
        folder: the folder for files with secrets.
        in_pod: whether the jobs run in a pod, without the files of this machine.
    """
    plain = _LIBPQ if in_pod else (_PATH, *_LIBPQ, *_LIBPQ_FILES)
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
        "# Debian's cron ignores CRON_TZ and uses the machine's time zone.",
        f"CRON_TZ={settings.timezone}",
        *(f"{name}={_quoted(value)}" for name, value in needed.values.items()),
        "# Exit status 3: the backup is good, with warnings.",
        f"{five(settings.schedule)}  {backup} || [ $? -eq 3 ] && {program} cleanup --quiet",
    ]
    if settings.verify_schedule:
        lines.append(f"{five(settings.verify_schedule)}  {program} verify latest --quiet")
    return Printed((Unit("crontab", text(lines)),), needed.left_out)


def systemd(settings: Settings, environ: Mapping[str, str], program: str) -> Printed:
    """Return the units, and the file with their environment variables."""
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
    """Return a schedule's times as systemd's OnCalendar values.

    A schedule with both a day of month and a weekday gives two values: cron runs on either,
    and systemd would run only on days that are both.
    """
    minute, hour, day, month, weekday = expand(schedule)
    time = f"{_numbers(hour)}:{_numbers(minute)}:00 {timezone}"
    by_day = f"*-{_numbers(month)}-{_numbers(day)} {time}"
    if weekday is None:
        return (by_day,)
    names = ",".join(_DAYS[number] for number in weekday)
    by_weekday = f"{names} *-{_numbers(month)}-* {time}"
    return (by_weekday,) if day is None else (by_day, by_weekday)


def five(schedule: str) -> str:
    """Return a schedule as five fields: not every cron knows names such as @daily."""
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
    """Return lines joined into one text."""
    return "".join(f"{line}\n" for line in lines)

"""What is printed for the host's own scheduler."""

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from brownie_backup.config.settings import load_settings
from brownie_backup.schedule import runs_between
from brownie_backup_cli.commands.schedule import PRINTERS
from brownie_backup_cli.units import calendar, environment

PLANTED = "pl4nted"
ENVIRON = {
    "BACKUP_DATABASE_URL": f"postgresql://u:{PLANTED}@h/db",
    "BACKUP_PASSPHRASE_FILE": "/srv/passphrase",
    "BACKUP_DESTINATION": "/srv/it's here",
    "BACKUP_GPG_PUBLIC_KEY": "-----BEGIN\nkey\n",
    "BACKUP_PG_BIN": "a b",
    "BACKUP_SCHEDULE": "@daily",
    "BACKUP_TIMEZONE": "Europe/Berlin",
    "PGPASSWORD": PLANTED,
    "PGHOST": "db",
    "HOME": "/root",
    "PATH": "/opt/pgsql/bin:/usr/bin",
}


@pytest.fixture(autouse=True)
def _passphrase(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secrets") / "passphrase"
    path.write_text(PLANTED, encoding="utf-8")
    monkeypatch.setitem(ENVIRON, "BACKUP_PASSPHRASE_FILE", str(path))


def printed(kind: str) -> dict[str, str]:
    printed = PRINTERS[kind](load_settings(ENVIRON), ENVIRON, "/opt/brownie-backup")
    return {unit.path: unit.content for unit in printed.units}


@pytest.mark.parametrize("kind", PRINTERS)
def test_no_secret_is_printed(kind: str) -> None:
    text = "".join(printed(kind).values())
    assert PLANTED not in text
    assert "BACKUP_DATABASE_URL_FILE" in text
    assert "Europe/Berlin" in text


def test_a_secret_is_given_by_a_file() -> None:
    needed = environment(load_settings(ENVIRON), ENVIRON, "/etc/x")
    assert needed.missing == {
        "BACKUP_DATABASE_URL": "/etc/x/database-url",
        "BACKUP_GPG_PUBLIC_KEY": "/etc/x/gpg-public-key",
    }
    assert needed.values["BACKUP_DATABASE_URL_FILE"] == "/etc/x/database-url"
    assert needed.values["BACKUP_PASSPHRASE_FILE"] == ENVIRON["BACKUP_PASSPHRASE_FILE"]
    assert needed.values["PGHOST"] == "db"
    assert "HOME" not in needed.values


def test_a_crontab_has_both_jobs() -> None:
    lines = printed("crontab")["crontab"].splitlines()
    assert "CRON_TZ=Europe/Berlin" in lines
    assert 'BACKUP_DESTINATION="/srv/it\'s here"' in lines
    assert "BACKUP_PG_BIN='a b'" in lines
    assert "PATH=/opt/pgsql/bin:/usr/bin" in lines
    backup, verify = lines[-2:]
    assert backup == (
        "0 0 * * *  /opt/brownie-backup backup --quiet || [ $? -eq 3 ]"
        " && /opt/brownie-backup cleanup --quiet"
    )
    assert verify == "0 4 * * 0  /opt/brownie-backup verify latest --quiet"


def test_units_of_systemd() -> None:
    units = printed("systemd")
    assert [path.rpartition("/")[2] for path in units] == [
        "env",
        "brownie-backup.service",
        "brownie-backup.timer",
        "brownie-backup-verify.service",
        "brownie-backup-verify.timer",
    ]
    assert (
        "OnCalendar=*-*-* 00:00:00 Europe/Berlin\n"
        in units["/etc/systemd/system/brownie-backup.timer"]
    )
    service = units["/etc/systemd/system/brownie-backup.service"]
    assert service.index("brownie-backup backup\n") < service.index("brownie-backup cleanup\n")
    assert "\nSuccessExitStatus=3\n" in service
    verify = units["/etc/systemd/system/brownie-backup-verify.service"]
    assert "SuccessExitStatus" not in verify


@pytest.mark.parametrize(
    ("status", "cleans"), [(0, True), (3, True), (1, False), (2, False), (11, False)]
)
def test_cron_cleans_up_after_a_good_backup_alone(
    tmp_path: Path, status: int, *, cleans: bool
) -> None:
    program = tmp_path / "brownie-backup"
    program.write_text(f'#!/bin/sh\necho "$1"\n[ "$1" = cleanup ] || exit {status}\n')
    program.chmod(0o755)
    settings = load_settings(ENVIRON)
    (unit,) = PRINTERS["crontab"](settings, ENVIRON, str(program)).units
    line = unit.content.splitlines()[-2].partition("  ")[2]
    done = subprocess.run(["/bin/sh", "-c", line], check=False, stdout=subprocess.PIPE)
    assert done.stdout.split() == ([b"backup", b"cleanup"] if cleans else [b"backup"])


def test_what_others_read_is_left_out_and_named() -> None:
    environ = ENVIRON | {
        "AWS_SECRET_ACCESS_KEY": PLANTED,
        "PGSSLROOTCERT": "/srv/ca.pem",
        "BACKUP_CACHE_DIR": "/srv/cache",
    }
    settings = load_settings(environ)
    host = environment(settings, environ, "/etc/x")
    assert host.left_out == ("AWS_SECRET_ACCESS_KEY", "PGPASSWORD")
    assert host.values["PGSSLROOTCERT"] == "/srv/ca.pem"
    pod = environment(settings, environ, "/run/x", in_pod=True)
    assert set(pod.left_out) == {
        *host.left_out,
        "PGSSLROOTCERT",
        "BACKUP_CACHE_DIR",
        "BACKUP_PG_BIN",
    }
    assert not {"PGSSLROOTCERT", "BACKUP_CACHE_DIR", "BACKUP_PG_BIN"} & pod.values.keys()
    assert pod.missing["BACKUP_PASSPHRASE"] == "/run/x/passphrase"


@pytest.mark.parametrize(
    "schedule",
    [
        "0 2 * * *",
        "*/20 1-3 * * *",
        "0 4 * * 0",
        "30 6 1,15 * *",
        "0 0 13 * 5",
        "5 0 1 feb mon-fri",
    ],
)
def test_the_calendar_names_the_same_times(schedule: str) -> None:
    program = shutil.which("systemd-analyze")
    calendars = calendar(schedule, "UTC")
    assert len(calendars) == (2 if schedule in {"0 0 13 * 5", "5 0 1 feb mon-fri"} else 1)
    if program is None:
        return  # what is printed is checked above; here is asked what it means
    start, found = datetime(2026, 1, 1, tzinfo=UTC), set[str]()
    for each in calendars:
        said = subprocess.run(
            [program, "calendar", "--base-time=2026-01-01 UTC", "--iterations=12", each],
            check=True,
            capture_output=True,
            encoding="utf-8",
            env={"TZ": "UTC", "LC_ALL": "C"},
        ).stdout
        found |= {
            line.partition(": ")[2]
            for line in said.splitlines()
            if "Next elapse:" in line or "Iter." in line
        }
    end = (
        datetime(2040, 1, 1, tzinfo=UTC) if "feb" in schedule else datetime(2028, 1, 1, tzinfo=UTC)
    )
    runs = [f"{run:%a %Y-%m-%d %H:%M:%S} UTC" for run in runs_between(schedule, "UTC", start, end)]
    assert set(runs[:10]) <= found <= set(runs)


def test_manifests_of_kubernetes() -> None:
    text = printed("kubernetes")["brownie-backup.yaml"]
    config, backup, verify = yaml.safe_load_all(text)
    assert config["data"]["BACKUP_TIMEZONE"] == "Europe/Berlin"
    for job, schedule in ((backup, "0 0 * * *"), (verify, "0 4 * * 0")):
        spec: dict[str, Any] = job["spec"]
        assert (spec["schedule"], spec["timeZone"]) == (schedule, "Europe/Berlin")
        assert spec["concurrencyPolicy"] == "Forbid"
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        assert all(not c["securityContext"]["allowPrivilegeEscalation"] for c in pod["containers"])
    assert "the keys: database-url, gpg-public-key, passphrase\n" in text

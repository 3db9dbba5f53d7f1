"""Entries of a catalogue, and short ways to ask what a policy makes of them."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve
from tests.unit.fakes import DATABASE, DAY, NOON

from brownie_backup import (
    Backup,
    DatabaseId,
    Hold,
    RetentionDecision,
    RetentionPolicy,
    plan_retention,
)
from brownie_backup.format.converter import _digest

KEEP_30 = RetentionPolicy(keep_within=30 * DAY)
HOUR = timedelta(hours=1)
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
OTHER_CLUSTER = "7000000000000000002"
DATABASES = (
    DATABASE.id,
    evolve(DATABASE.id, name="crm"),
    evolve(DATABASE.id, system_identifier=OTHER_CLUSTER),
)
SHOP = DATABASES[0]


def held(backup: Backup, until: datetime | None = None) -> Backup:
    return evolve(backup, hold=Hold(backup.name, f"id of {backup.name}", NOON, "us", until))


def labelled(backup: Backup, **labels: str) -> Backup:
    assert backup.manifest
    return evolve(backup, manifest=evolve(backup.manifest, labels=labels))


def of(backup: Backup, database: DatabaseId) -> Backup:
    assert backup.manifest
    its = evolve(DATABASE, name=database.name, system_identifier=database.system_identifier)
    return evolve(backup, manifest=evolve(backup.manifest, database=its))


def plan(
    backups: list[Backup],
    policy: RetentionPolicy = KEEP_30,
    database: DatabaseId | None = None,
    now: datetime = NOON,
) -> tuple[RetentionDecision, ...]:
    return plan_retention(backups, policy, now, database=database)


def kept(
    backups: list[Backup],
    policy: RetentionPolicy = KEEP_30,
    database: DatabaseId | None = None,
    now: datetime = NOON,
) -> set[str]:
    return {d.backup.name for d in plan(backups, policy, database, now) if d.keep}


def reason(backups: list[Backup], name: str, policy: RetentionPolicy = KEEP_30) -> str:
    return next(d.reason for d in plan(backups, policy) if d.backup.name == name)


def count(rule: str, number: int, **more: int) -> RetentionPolicy:
    return RetentionPolicy(None, **{f"keep_{rule}": number}, **more)  # type: ignore[arg-type]


def sealed(plain: Mapping[str, Any]) -> bytes:
    """Return a manifest as it is stored, in another order of fields than we would write."""
    rest = {key: value for key, value in plain.items() if key != "digest"}
    return json.dumps({"digest": _digest(rest, rest["hash_key"])} | rest).encode()

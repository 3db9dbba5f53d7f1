"""Ten years of hourly backups, and a reference for the rules that was written apart from them."""

import gc
import os
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from attrs import frozen
from tests.unit.fakes import make_manifest

from brownie_backup import Backup, Hold, RetentionPolicy, Status, plan_retention
from brownie_backup.retention.plan import reasons_to_keep

HOUR = timedelta(hours=1)
BEGIN = datetime(2016, 11, 20, tzinfo=UTC)
HOURS = 87_600
END = BEGIN + HOURS * HOUR
POLICIES = 200
SEED = int(os.environ.get("GFS_SEED", "20161120"))
COUNTS = (*[0] * 6, 1, 2, 3, 5, 7, 7, 12, 24, 30, 53, 400, 9_000, 100_000)


@frozen
class Entry:
    """What the reference knows of a backup: plain values, and its periods as people write them."""

    name: str
    at: datetime
    good: bool
    held: bool
    labels: dict[str, str]
    periods: dict[str, str]


def make_catalogue(rng: random.Random) -> tuple[list[Backup], list[Entry]]:
    """Return the same backups for both, newest first."""
    example = make_manifest("example")
    backups, entries = [], []
    for number, at in enumerate(moments(rng)):
        name = f"b{number:06}"
        good = rng.random() > 0.03
        labels = {"why": rng.choice("ab")} if rng.random() < 0.001 else {}
        hold = Hold(name, name, at, "us", rng.choice((None, at, END + 99 * HOUR)))
        has_hold = rng.random() < 0.001
        held = has_hold and hold.until != at
        manifest = object.__new__(type(example))
        for field in ("kind", "database", "parts", "encryption"):
            object.__setattr__(manifest, field, getattr(example, field))
        for field, value in (("name", name), ("finished_at", at), ("labels", labels)):
            object.__setattr__(manifest, field, value)
        status = Status.GOOD if good else Status.DAMAGED
        backups.append(Backup(name, status, manifest, hold=hold if has_hold else None))
        entries.append(Entry(name, at, good, held, labels, periods(at)))
    return backups[::-1], entries[::-1]


def moments(rng: random.Random) -> Iterator[datetime]:
    """Yield a time for nearly every hour: with outages, clusters, and times at the very border."""
    outage = 0
    for hour in range(HOURS):
        outage = outage - 1 if outage else rng.choice((3, 30, 900)) * (rng.random() < 0.0005)
        if outage:
            continue
        start = BEGIN + hour * HOUR
        kind = rng.random()
        if kind < 0.01:  # again and again
            yield from (start + timedelta(minutes=minute) for minute in range(0, 20, 4))
        elif kind < 0.1:
            yield start
        elif kind < 0.2:
            yield start + HOUR - timedelta(microseconds=1)
        else:
            yield start + timedelta(seconds=rng.randrange(3600))


def periods(at: datetime) -> dict[str, str]:
    year, week, _ = at.isocalendar()
    return {
        "hourly": at.isoformat()[:13],
        "daily": at.isoformat()[:10],
        "weekly": f"{year}-{week}",
        "monthly": at.isoformat()[:7],
        "yearly": at.isoformat()[:4],
    }


def make_policy(rng: random.Random) -> RetentionPolicy:
    return RetentionPolicy(
        keep_within=rng.choice((None, None, HOUR, rng.randrange(1, 20_000) * HOUR)),
        keep_last=rng.choice(COUNTS),
        keep_hourly=rng.choice(COUNTS),
        keep_daily=rng.choice(COUNTS),
        keep_weekly=rng.choice(COUNTS),
        keep_monthly=rng.choice(COUNTS),
        keep_yearly=rng.choice(COUNTS),
        keep_labels=rng.choice(((), ("why",), ("why=a",), ("other", "why=b"))),
        keep_min=rng.choice((1, 1, 2, 10)),
    )


def reference(entries: list[Entry], policy: RetentionPolicy, now: datetime) -> set[str]:
    """Return the names that stay."""
    counts = {
        "hourly": policy.keep_hourly,
        "daily": policy.keep_daily,
        "weekly": policy.keep_weekly,
        "monthly": policy.keep_monthly,
        "yearly": policy.keep_yearly,
    }
    if policy.keep_within is None and policy.keep_last == 0 and not any(counts.values()):
        return {entry.name for entry in entries}
    good = [entry for entry in entries if entry.good]
    stay = {entry.name for entry in entries if entry.held}
    stay |= {entry.name for entry in good[: max(policy.keep_min, policy.keep_last)]}
    for entry in entries:
        if entry.labels:
            mine = {"why", f"why={entry.labels['why']}"}
            stay |= {entry.name} if mine & set(policy.keep_labels) else set()
    if policy.keep_within is not None:
        stay |= {entry.name for entry in entries if entry.at >= now - policy.keep_within}
    for rule, count in counts.items():
        newest: dict[str, str] = {}
        for entry in good if count else ():
            if entry.periods[rule] not in newest:
                if len(newest) == count:
                    break
                newest[entry.periods[rule]] = entry.name
        stay |= set(newest.values())
    return stay


@pytest.mark.once
def test_every_policy_keeps_what_the_reference_keeps() -> None:
    rng = random.Random(SEED)  # noqa: S311 - the same in every run
    backups, entries = make_catalogue(rng)
    assert len(backups) > HOURS * 0.8
    placed = [(place, b, b.manifest) for place, b in enumerate(backups) if b.manifest]
    gc.freeze()  # so many objects would be walked through again and again
    try:
        for number in range(POLICIES):
            policy = make_policy(rng)
            # As it looks at some moment of the ten years; now and then at their end.
            first = 0 if number % 10 == 0 else int(rng.random() ** 0.3 * len(backups))
            now = END if first == 0 else entries[first].at + rng.randrange(3) * HOUR
            seen = backups[first:]
            kept = reasons_to_keep(placed[first:], policy, now)
            stay = {backups[place].name for place in kept}
            if number % 20 == 0:  # the plan itself says no more, and says it of each backup
                plan = plan_retention(seen, policy, now, database=None)
                assert [decision.backup for decision in plan] == seen
                assert {d.backup.name: d.reason for d in plan if d.keep} == {
                    backups[place].name: reason for place, reason in kept.items()
                }
            differ = stay ^ reference(entries[first:], policy, now)
            assert not differ, f"GFS_SEED={SEED}, policy {number}: {policy}, {now}: {differ}"
    finally:
        gc.unfreeze()

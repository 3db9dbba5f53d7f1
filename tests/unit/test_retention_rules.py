"""What each rule of retention keeps, one by one, and what people are told of it."""

from datetime import datetime, timedelta, timezone

import pytest
from attrs import evolve
from tests.unit.backups import (
    DATABASES,
    HOUR,
    KEEP_30,
    OTHER_CLUSTER,
    SHOP,
    count,
    held,
    kept,
    labelled,
    of,
    plan,
    reason,
)
from tests.unit.fakes import DAY, NOON, make_backup

from brownie_backup import Backup, RetentionPolicy, Status

# --- rules that count ----------------------------------------------------------------------------


def test_the_last_ones_stay() -> None:
    backups = [make_backup(f"b{n}", NOON - n * HOUR) for n in range(5)]
    assert kept(backups, count("last", 3)) == {"b0", "b1", "b2"}


@pytest.mark.parametrize(
    ("rule", "moments", "stay"),
    [
        ("hourly", "01T12:00 01T11:59 01T11:00 01T10:59", "01T12:00 01T11:59 01T10:59"),
        ("daily", "01T12:00 01T00:00 28T23:59 28T00:00 27T23:59", "01T12:00 28T23:59 27T23:59"),
        # 1 March 2026 is a Sunday: its week began on Monday 23 February.
        ("weekly", "01T12:00 23T00:00 22T23:59 16T00:00 15T23:59", "01T12:00 22T23:59 15T23:59"),
    ],
)
def test_the_newest_of_each_period_stays(rule: str, moments: str, stay: str) -> None:
    def at(text: str) -> datetime:
        month = "03" if text.startswith("01") else "02"
        return datetime.fromisoformat(f"2026-{month}-{text}:00+00:00")

    backups = [make_backup(text, at(text)) for text in moments.split()]
    assert kept(backups, count(rule, 3)) == set(stay.split())


@pytest.mark.parametrize(
    ("rule", "stay"),
    [
        ("monthly", {"2026-02-28", "2026-01-31", "2025-12-31"}),
        ("yearly", {"2026-02-28", "2025-12-31", "2023-01-01"}),
        # The week of Monday 29 December 2025 is the first of 2026.
        ("weekly", {"2026-02-28", "2026-01-31", "2026-01-01"}),
    ],
)
def test_periods_without_a_backup_do_not_count(rule: str, stay: set[str]) -> None:
    days = ("2026-02-28", "2026-01-31", "2026-01-01", "2025-12-31", "2025-12-29", "2023-01-01")
    backups = [make_backup(day, datetime.fromisoformat(f"{day}T00:00:00+00:00")) for day in days]
    assert kept(backups, count(rule, 3)) == stay


def test_periods_are_those_of_utc() -> None:
    tokyo = timezone(9 * HOUR)
    late, early = datetime(2026, 3, 1, 9, tzinfo=tokyo), datetime(2026, 3, 1, 8, tzinfo=tokyo)
    backups = [make_backup("1 March", late), make_backup("28 February", early)]
    for rule in ("daily", "monthly"):
        assert kept(backups, count(rule, 2)) == {"1 March", "28 February"}
    assert reason(backups, "28 February", count("daily", 2)) == "daily 2026-02-28 (2 of 2)"


def test_rules_are_ored() -> None:
    backups = [make_backup(f"b{n}", NOON - n * DAY) for n in range(40)]
    policy = RetentionPolicy(2 * DAY, keep_last=4, keep_monthly=2)
    assert kept(backups, policy) == {"b0", "b1", "b2", "b3"}  # 1 March, 28 February
    assert kept(backups, evolve(policy, keep_monthly=3)) == {"b0", "b1", "b2", "b3", "b29"}


def test_a_label_matches_by_key_or_by_key_and_value() -> None:
    backups = [
        labelled(make_backup("a", NOON - 60 * DAY), env="prod"),
        labelled(make_backup("b", NOON - 61 * DAY), env="test"),
        labelled(make_backup("c", NOON - 62 * DAY), environment="prod"),
        labelled(make_backup("d", NOON - 63 * DAY), env=""),
        make_backup("new"),
    ]
    for labels, stay in (("env", "abd"), ("env=prod", "a"), ("env=", "d"), ("prod", "")):
        policy = RetentionPolicy(DAY, keep_labels=(labels,))
        assert kept(backups, policy) == {*stay, "new"}


# --- databases and holds -------------------------------------------------------------------------


def test_the_same_name_in_another_cluster_is_another_database() -> None:
    restored = of(make_backup("elsewhere", NOON - 90 * DAY), DATABASES[2])
    backups = [make_backup("new"), make_backup("old", NOON - 99 * DAY), restored]
    backups.append(of(make_backup("oldest", NOON - 100 * DAY), DATABASES[2]))
    assert kept(backups, KEEP_30, SHOP) == {"new", "elsewhere", "oldest"}
    assert kept(backups, KEEP_30, DATABASES[2]) == {"new", "old", "elsewhere"}
    assert kept(backups, KEEP_30, DATABASES[1]) == {"new", "old", "elsewhere", "oldest"}


@pytest.mark.parametrize(("seconds", "stays"), [(1, True), (0, False), (-1, False)])
def test_a_hold_ends_by_itself(seconds: int, *, stays: bool) -> None:
    old = held(make_backup("old", NOON - 99 * DAY), NOON + timedelta(seconds=seconds))
    assert ("old" in kept([make_backup("new"), old])) is stays


# --- reasons -------------------------------------------------------------------------------------


def test_a_reason_says_how_old_and_which_rule() -> None:
    backups = [make_backup("a", NOON - 31 * DAY), make_backup("b", NOON - 32 * DAY)]
    assert reason(backups, "a") == "good backup number 1: 1 always stay"
    assert reason(backups, "b") == "32 days old, over 30 days"
    backups.append(make_backup("c", NOON - 33 * DAY, good=False))
    assert reason(backups, "c") == "damaged, 33 days old, over 30 days"
    assert reason(backups, "a", RetentionPolicy(31 * DAY)) == "younger than 31 days"
    assert reason(backups, "b", count("last", 1)) == "32 days old, kept by no rule"


def test_a_reason_has_every_rule_that_keeps_a_backup_and_its_number() -> None:
    days = (0, 1, 8, 40, 400)
    backups = [make_backup(f"b{day}", NOON - day * DAY) for day in days]
    policy = RetentionPolicy(
        DAY,
        keep_last=2,
        keep_hourly=1,
        keep_daily=7,
        keep_weekly=2,
        keep_monthly=12,
        keep_yearly=3,
        keep_labels=("why",),
    )
    backups[1] = labelled(held(backups[1], NOON + DAY), why="x")
    assert [decision.reason for decision in plan(backups, policy)] == [
        (
            "younger than 1 day, last (1 of 2), hourly 2026-03-01 12:00 (1 of 1), "
            "daily 2026-03-01 (1 of 7), weekly 2026-W09 (1 of 2), monthly 2026-03 (1 of 12), "
            "yearly 2026 (1 of 3)"
        ),
        (
            "held until 2026-03-02 12:00:00 UTC, by us, label why, younger than 1 day, "
            "last (2 of 2), daily 2026-02-28 (2 of 7), monthly 2026-02 (2 of 12)"
        ),
        "daily 2026-02-21 (3 of 7), weekly 2026-W08 (2 of 2)",
        "daily 2026-01-20 (4 of 7), monthly 2026-01 (3 of 12)",
        "daily 2025-01-25 (5 of 7), monthly 2025-01 (4 of 12), yearly 2025 (2 of 3)",
    ]


def test_reasons_for_what_is_not_looked_at() -> None:
    backups = [
        of(make_backup("a"), DATABASES[1]),
        of(make_backup("b"), DATABASES[2]),
        Backup("c", Status.DAMAGED, None, "unreadable"),
        held(make_backup("d", NOON - 99 * DAY, good=False)),
    ]
    reasons = {d.backup.name: d.reason for d in plan(backups, database=SHOP)}
    assert reasons["a"] == "of another database: 'crm' of cluster 7000000000000000001"
    assert reasons["b"] == f"of a database in another cluster: 'shop' of cluster {OTHER_CLUSTER}"
    assert "cannot be read" in reasons["c"]
    assert reasons["d"] == "held, by us"

"""Retention: a pure function of the catalogue, a policy and the time."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve, fields
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.backups import (
    DATABASES,
    HOUR,
    KEEP_30,
    RULES,
    count,
    held,
    kept,
    labelled,
    of,
    plan,
)
from tests.unit.fakes import DAY, NOON, make_backup

from brownie_backup import Backup, DatabaseId, RetentionPolicy, Status, plan_retention
from brownie_backup.model import is_ahead


@st.composite
def catalogues(draw: st.DrawFn) -> list[Backup]:
    backups = []
    for number in range(draw(st.integers(0, 12))):
        name = f"backup-{number}"
        if draw(st.integers(0, 9)) == 0:
            backups.append(Backup(name, Status.DAMAGED, None, "unreadable"))
            continue
        hours = draw(st.integers(-48, 24 * 60) | st.integers(0, 24 * 900))
        backup = make_backup(name, NOON - hours * HOUR, good=draw(st.booleans()))
        backup = of(backup, draw(st.sampled_from(DATABASES)))
        if draw(st.integers(0, 4)) == 0:
            backup = held(backup, draw(st.sampled_from([None, NOON, NOON + DAY])))
        if draw(st.integers(0, 4)) == 0:
            backup = labelled(backup, why=draw(st.sampled_from(["release", "test"])))
        backups.append(backup)
    return backups


few = st.integers(0, 5)
policies = st.builds(
    RetentionPolicy,
    keep_within=st.none() | st.integers(0, 60).map(lambda days: days * DAY),
    keep_last=few,
    keep_hourly=few,
    keep_daily=few,
    keep_weekly=few,
    keep_monthly=few,
    keep_yearly=few,
    keep_labels=st.sampled_from([(), ("why",), ("why=release", "other")]),
    keep_min=st.integers(1, 4),
)
by_age = st.builds(
    RetentionPolicy,
    keep_within=st.integers(0, 60).map(lambda days: days * DAY),
    keep_min=st.integers(1, 4),
)


def newest_good(backups: list[Backup], database: DatabaseId, number: int) -> set[str]:
    good = [
        b
        for b in backups
        if b.good
        and b.manifest
        and b.manifest.backup_set.is_of(database)
        and not is_ahead(b.manifest.finished_at, NOON)
    ]
    good.sort(key=lambda b: (b.manifest and b.manifest.finished_at, b.name), reverse=True)
    return {backup.name for backup in good[:number]}


def floor(backups: list[Backup], number: int) -> set[str]:
    """Return the good ones that always stay; and all, where there are fewer good ones than that."""
    names = set()
    for database in DATABASES:
        good = newest_good(backups, database, number)
        names |= good
        if len(good) < number:
            all_ = [b for b in backups if b.manifest and b.manifest.backup_set.is_of(database)]
            names |= {backup.name for backup in all_}
    return names


def holding(backups: list[Backup]) -> set[str]:
    return {b.name for b in backups if b.hold and b.hold.counts(NOON)}


# --- what holds for every catalogue and policy ---------------------------------------------------


@given(catalogues(), policies)
def test_the_newest_good_ones_of_each_database_always_stay(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    for database in DATABASES:
        assert newest_good(backups, database, policy.keep_min) <= kept(backups, policy)


@given(catalogues(), policies)
def test_what_is_held_stays(backups: list[Backup], policy: RetentionPolicy) -> None:
    assert holding(backups) <= kept(backups, policy)


@given(catalogues(), policies)
def test_nothing_younger_than_the_policy_says_goes(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    within = policy.keep_within if policy.keep_within is not None else -9999 * DAY
    young = {b.name for b in backups if b.manifest and NOON - b.manifest.finished_at <= within}
    assert young <= kept(backups, policy)


@given(catalogues(), by_age)
def test_all_that_is_old_goes_but_the_floor_the_held_and_the_unreadable(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    assert policy.keep_within is not None
    oldest = NOON - policy.keep_within
    old = {b.name for b in backups if b.manifest and b.manifest.finished_at < oldest}
    stay = floor(backups, policy.keep_min) | holding(backups)
    assert kept(backups, policy) & old == stay & old


@given(catalogues(), policies)
def test_what_cannot_be_read_stays(backups: list[Backup], policy: RetentionPolicy) -> None:
    assert {b.name for b in backups if b.manifest is None} <= kept(backups, policy)


@given(catalogues(), policies, st.sampled_from(DATABASES))
def test_other_databases_are_never_touched_and_change_nothing(
    backups: list[Backup], policy: RetentionPolicy, database: DatabaseId
) -> None:
    its = [b for b in backups if b.manifest and b.manifest.backup_set.is_of(database)]
    others = {b.name for b in backups} - {b.name for b in its}
    assert kept(backups, policy, database) == kept(its, policy) | others


@given(catalogues(), policies)
def test_of_all_databases_each_is_by_itself(backups: list[Backup], policy: RetentionPolicy) -> None:
    one_by_one = set.intersection(*(kept(backups, policy, each) for each in DATABASES))
    assert kept(backups, policy) == one_by_one


@given(catalogues(), policies, st.sampled_from([*RULES, "min"]))
def test_a_larger_number_keeps_no_less(
    backups: list[Backup], policy: RetentionPolicy, rule: str
) -> None:
    name = f"keep_{rule}"
    now = getattr(policy, name)
    if now == 0 and not policy.deletes:
        return  # a first rule lets go what no rule did
    more = evolve(policy, **{name: now + 1})
    assert kept(backups, policy) <= kept(backups, more)


@given(catalogues(), policies, st.randoms(use_true_random=False))
def test_each_backup_gets_one_decision_whatever_their_order(
    backups: list[Backup], policy: RetentionPolicy, shuffler: random.Random
) -> None:
    planned = plan(backups, policy)
    assert sorted(d.backup.name for d in planned) == sorted(b.name for b in backups)
    assert all(decision.reason for decision in planned)
    shuffled = list(backups)
    shuffler.shuffle(shuffled)
    assert plan_retention(iter(shuffled), policy, NOON, database=None) == planned


@given(catalogues(), policies)
@example([make_backup("old", NOON - 99 * DAY), make_backup("older", NOON - 100 * DAY)], KEEP_30)
def test_a_plan_that_was_carried_out_finds_nothing_more(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    stay = kept(backups, policy)
    assert kept([b for b in backups if b.name in stay], policy) == stay


@given(catalogues(), policies)
def test_the_plan_is_newest_first(backups: list[Backup], policy: RetentionPolicy) -> None:
    times = [d.backup.manifest.finished_at for d in plan(backups, policy) if d.backup.manifest]
    assert times == sorted(times, reverse=True)


@given(catalogues(), policies, st.integers(-14, 14))
def test_periods_are_those_of_utc_whatever_the_zone_of_a_time(
    backups: list[Backup], policy: RetentionPolicy, hours: int
) -> None:
    zone = timezone(hours * HOUR)
    elsewhere = [
        evolve(b, manifest=evolve(b.manifest, finished_at=b.manifest.finished_at.astimezone(zone)))
        if b.manifest
        else b
        for b in backups
    ]
    assert kept(elsewhere, policy, now=NOON.astimezone(zone)) == kept(backups, policy)


# --- the floor and damage ------------------------------------------------------------------------


def test_a_damaged_backup_does_not_count_towards_the_floor() -> None:
    backups = [
        make_backup("good", NOON - 100 * DAY),
        make_backup("damaged", NOON - 40 * DAY, good=False),
        make_backup("older", NOON - 101 * DAY),
    ]
    assert kept(backups) == {"good"}


def test_where_no_backup_is_good_the_damaged_ones_stay_for_the_next_may_heal_them() -> None:
    backups = [
        make_backup("new", NOON - 40 * DAY, good=False),
        make_backup("old", NOON - 99 * DAY, good=False),
        make_backup("of another database", NOON, database="crm"),
    ]
    assert kept(backups) == {backup.name for backup in backups}
    assert kept(backups, count("last", 1)) == {backup.name for backup in backups}


def test_a_database_that_is_no_longer_backed_up_keeps_its_last_one() -> None:
    backups = [make_backup("new", NOON), make_backup("old", NOON - 999 * DAY, database="crm")]
    assert kept(backups) == {"new", "old"}


def test_a_floor_of_three_keeps_three() -> None:
    backups = [make_backup(f"b{n}", NOON - (40 + n) * DAY) for n in range(5)]
    assert kept(backups, RetentionPolicy(30 * DAY, keep_min=3)) == {"b0", "b1", "b2"}
    assert kept(backups, count("last", 1, keep_min=3)) == {"b0", "b1", "b2"}


@pytest.mark.parametrize("rule", RULES)
def test_a_damaged_backup_is_never_what_a_rule_counts(rule: str) -> None:
    """It neither takes the place of a good one nor stays in one."""
    backups = [make_backup("damaged", NOON, good=False), make_backup("good", NOON - HOUR / 2)]
    assert kept(backups, count(rule, 1)) == {"good"}
    assert kept(backups, count(rule, 9)) == {"good"}


@pytest.mark.parametrize("good", [True, False])
def test_a_label_or_a_hold_keeps_a_backup_in_any_state(*, good: bool) -> None:
    old = make_backup("old", NOON - 999 * DAY, good=good)
    new = make_backup("new")
    policy = RetentionPolicy(DAY, keep_labels=("why",))
    assert kept([new, old], policy) == {"new"}
    assert kept([new, held(old)], policy) == {"new", "old"}
    assert kept([new, labelled(old, why="release")], policy) == {"new", "old"}


# --- age -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "stays"), [(0, True), (-1, True), (1, False)])
def test_a_backup_of_exactly_the_age_stays(seconds: int, *, stays: bool) -> None:
    old = make_backup("old", NOON - 30 * DAY - timedelta(seconds=seconds))
    assert ("old" in kept([make_backup("new"), old])) is stays


def test_without_any_rule_that_lets_go_everything_stays() -> None:
    backups = [make_backup(f"b{n}", NOON - n * 999 * DAY) for n in range(3)]
    for policy in (RetentionPolicy(None), RetentionPolicy(None, keep_labels=("x",), keep_min=2)):
        assert kept(backups, policy) == {"b0", "b1", "b2"}


def test_the_age_can_be_beyond_what_a_date_can_say() -> None:
    backups = [make_backup("new"), make_backup("old", datetime(1, 1, 2, tzinfo=UTC))]
    assert kept(backups, RetentionPolicy(timedelta.max)) == {"new", "old"}
    assert kept(backups, count("yearly", 1)) == {"new"}


# --- policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep_within": timedelta(seconds=-1)},
        {"keep_min": 0},
        {"keep_last": -1},
        {"keep_yearly": -1},
        {"most_deleted_share": 1.01},
        {"most_deleted_share": -0.1},
    ],
    ids=str,
)
def test_a_policy_that_means_nothing_is_no_policy(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RetentionPolicy(**wrong)  # type: ignore[arg-type]


def test_every_rule_that_counts_is_tested() -> None:
    others = {"keep_within", "keep_labels", "keep_min", "most_deleted_share"}
    assert {f.name for f in fields(RetentionPolicy)} - others == {f"keep_{rule}" for rule in RULES}

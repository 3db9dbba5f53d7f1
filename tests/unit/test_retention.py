"""Retention: a pure function of the catalogue, a policy and the time."""

import random
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.fakes import DAY, NOON, make_backup

from brownie_backup import Backup, RetentionPolicy, Status, plan_retention

KEEP_30 = RetentionPolicy(keep_within=30 * DAY)


@st.composite
def catalogues(draw: st.DrawFn) -> list[Backup]:
    backups = []
    for number in range(draw(st.integers(0, 12))):
        name = f"backup-{number}"
        if draw(st.integers(0, 9)) == 0:
            backups.append(Backup(name, Status.DAMAGED, None, "unreadable"))
            continue
        age = timedelta(hours=draw(st.integers(-48, 24 * 60)))
        database = draw(st.sampled_from(["shop", "crm"]))
        good = draw(st.booleans())
        backups.append(make_backup(name, NOON - age, database=database, good=good))
    return backups


policies = st.builds(
    RetentionPolicy,
    keep_within=st.integers(0, 60).map(lambda days: days * DAY),
    keep_min=st.integers(1, 4),
)


def kept(backups: list[Backup], policy: RetentionPolicy = KEEP_30) -> set[str]:
    return {d.backup.name for d in plan_retention(backups, policy, NOON) if d.keep}


def newest_good(backups: list[Backup], database: str, count: int) -> set[str]:
    good = [b for b in backups if b.good and b.manifest and b.manifest.database.name == database]
    good.sort(key=lambda b: (b.manifest and b.manifest.finished_at, b.name), reverse=True)
    return {backup.name for backup in good[:count]}


def floor(backups: list[Backup], count: int) -> set[str]:
    """Return the good ones that always stay; and all, where there are fewer good ones than that."""
    names = set()
    for database in ("shop", "crm"):
        good = newest_good(backups, database, count)
        names |= good
        if len(good) < count:
            all_ = [b for b in backups if b.manifest and b.manifest.database.name == database]
            names |= {backup.name for backup in all_}
    return names


@given(catalogues(), policies)
def test_the_newest_good_ones_of_each_database_always_stay(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    for database in ("shop", "crm"):
        assert newest_good(backups, database, policy.keep_min) <= kept(backups, policy)


@given(catalogues(), policies)
def test_nothing_younger_than_the_policy_says_goes(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    young = {
        b.name
        for b in backups
        if b.manifest and NOON - b.manifest.finished_at <= policy.keep_within
    }
    assert young <= kept(backups, policy)


@given(catalogues(), policies)
def test_all_that_is_old_goes_but_the_floor_and_the_unreadable(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    oldest = NOON - policy.keep_within
    old = {b.name for b in backups if b.manifest and b.manifest.finished_at < oldest}
    assert kept(backups, policy) & old == floor(backups, policy.keep_min) & old


@given(catalogues(), policies)
def test_what_cannot_be_read_stays(backups: list[Backup], policy: RetentionPolicy) -> None:
    assert {b.name for b in backups if b.manifest is None} <= kept(backups, policy)


@given(catalogues(), policies, st.randoms(use_true_random=False))
def test_each_backup_gets_one_decision_whatever_their_order(
    backups: list[Backup], policy: RetentionPolicy, shuffler: random.Random
) -> None:
    plan = plan_retention(backups, policy, NOON)
    assert sorted(d.backup.name for d in plan) == sorted(b.name for b in backups)
    assert all(decision.reason for decision in plan)
    shuffled = list(backups)
    shuffler.shuffle(shuffled)
    assert plan_retention(iter(shuffled), policy, NOON) == plan


@given(catalogues(), policies)
@example([make_backup("old", NOON - 99 * DAY), make_backup("older", NOON - 100 * DAY)], KEEP_30)
def test_a_plan_that_was_carried_out_finds_nothing_more(
    backups: list[Backup], policy: RetentionPolicy
) -> None:
    stay = kept(backups, policy)
    assert kept([b for b in backups if b.name in stay], policy) == stay


@given(catalogues(), policies)
def test_the_plan_is_newest_first(backups: list[Backup], policy: RetentionPolicy) -> None:
    plan = plan_retention(backups, policy, NOON)
    times = [d.backup.manifest.finished_at for d in plan if d.backup.manifest]
    assert times == sorted(times, reverse=True)


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


def test_a_database_that_is_no_longer_backed_up_keeps_its_last_one() -> None:
    backups = [make_backup("new", NOON), make_backup("old", NOON - 999 * DAY, database="crm")]
    assert kept(backups) == {"new", "old"}


def test_a_floor_of_three_keeps_three() -> None:
    backups = [make_backup(f"b{n}", NOON - (40 + n) * DAY) for n in range(5)]
    assert kept(backups, RetentionPolicy(30 * DAY, keep_min=3)) == {"b0", "b1", "b2"}


@pytest.mark.parametrize(("seconds", "stays"), [(0, True), (-1, True), (1, False)])
def test_a_backup_of_exactly_the_age_stays(seconds: int, *, stays: bool) -> None:
    old = make_backup("old", NOON - 30 * DAY - timedelta(seconds=seconds))
    assert ("old" in kept([make_backup("new"), old])) is stays


def test_a_reason_says_how_old_and_which_rule() -> None:
    backups = [make_backup("a", NOON - 31 * DAY), make_backup("b", NOON - 32 * DAY)]
    reasons = [decision.reason for decision in plan_retention(backups, KEEP_30, NOON)]
    assert "number 1 of its database" in reasons[0]
    assert reasons[1] == "32 days old, over 30 days"

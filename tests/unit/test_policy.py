"""Policies as text: variables, queries of URLs, and what people see."""

from datetime import timedelta

import pytest
from attrs import evolve, fields
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fakes import DAY

from brownie_backup import RetentionPolicy
from brownie_backup.config import Settings, describe, load_settings
from brownie_backup.errors import ConfigurationError
from brownie_backup.retention.rules import RULES, describe_policy, policy_from, span_text

HOUR = timedelta(hours=1)
DEFAULT = RetentionPolicy()
OFF = RetentionPolicy(keep_within=None)


def problems(values: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        policy_from(values)
    return caught.value.problems


@pytest.mark.parametrize(
    ("values", "policy"),
    [
        ({}, DEFAULT),
        ({"retention_days": ""}, DEFAULT),
        ({"retention_days": "365"}, RetentionPolicy(365 * DAY)),
        ({"keep_within": "36h"}, RetentionPolicy(36 * HOUR)),
        ({"keep_within": "2W"}, RetentionPolicy(14 * DAY)),
        ({"keep_last": "3"}, evolve(OFF, keep_last=3)),
        ({"keep_daily": "7", "keep_yearly": "2"}, evolve(OFF, keep_daily=7, keep_yearly=2)),
        ({"keep_hourly": "1", "keep_weekly": "2"}, evolve(OFF, keep_hourly=1, keep_weekly=2)),
        ({"keep_monthly": "12"}, evolve(OFF, keep_monthly=12)),
        ({"keep_last": "3", "retention_days": "30"}, evolve(DEFAULT, keep_last=3)),
        ({"keep_last": "3", "keep_within": "7d"}, RetentionPolicy(7 * DAY, keep_last=3)),
        ({"keep_last": "0"}, DEFAULT),
        ({"keep_labels": "a, b=c,,"}, evolve(DEFAULT, keep_labels=("a", "b=c"))),
        ({"keep_min": "3"}, evolve(DEFAULT, keep_min=3)),
        ({"most_deleted_percent": "10"}, evolve(DEFAULT, most_deleted_share=0.1)),
    ],
    ids=str,
)
def test_the_default_age_goes_when_another_rule_comes_that_lets_go(
    values: dict[str, str], policy: RetentionPolicy
) -> None:
    assert policy_from(values) == policy
    environ = {f"BACKUP_{name.upper()}": value for name, value in values.items()}
    assert load_settings(environ).policy == policy


def test_a_setting_that_is_off_is_not_shown_as_if_it_was_on() -> None:
    rows = {row["name"]: row for row in describe(load_settings({"BACKUP_KEEP_WITHIN": "36h"}))}
    assert rows["BACKUP_RETENTION_DAYS"]["value"] is None
    assert rows["BACKUP_KEEP_WITHIN"]["value"] == "36 hours"
    assert describe(Settings())[0]["source"] == "default"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("retention_days", "0"),
        ("retention_days", "36501"),
        ("retention_days", "-1"),
        ("retention_days", "7d"),
        ("keep_last", "x"),
        ("keep_daily", "1.5"),
        ("keep_daily", "²"),
        ("keep_min", "0"),
        ("most_deleted_percent", "101"),
        ("keep_within", "7"),
        ("keep_within", "0h"),
        ("keep_within", "7m"),
        ("keep_within", "36501d"),
        ("keep_within", "9999999w"),
        ("keep_within", "1d 2h"),
        ("keep_within", "٣d"),
        ("keep_labels", "a b"),
        ("keep_labels", "ok,=x"),
        ("keep_labels", "a=\x07"),
    ],
)
def test_what_is_wrong_is_said(name: str, wrong: str) -> None:
    (problem,) = problems({name: wrong})
    assert problem.startswith(f"{name} ('{wrong}')")
    with pytest.raises(ConfigurationError, match=f"BACKUP_{name.upper()}"):
        load_settings({f"BACKUP_{name.upper()}": wrong})


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = problems({"keep_last": "x", "keep_dayly": "7", "keep_min": "0", "other": "1"})
    assert len(said) == 4
    assert "keep_dayly is not a rule of retention: did you mean keep_daily?" in said


def test_one_rule_is_not_given_twice() -> None:
    (problem,) = problems({"retention_days": "7", "keep_within": "7d"})
    assert problem.startswith("keep_within and retention_days are one rule")
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"BACKUP_RETENTION_DAYS": "7", "BACKUP_KEEP_WITHIN": "36h"})
    (problem,) = caught.value.problems
    assert "BACKUP_KEEP_WITHIN and BACKUP_RETENTION_DAYS" in problem


def test_settings_that_a_program_makes_keep_what_any_of_them_keeps() -> None:
    assert Settings().policy == DEFAULT
    assert Settings(keep_daily=7).policy == evolve(DEFAULT, keep_daily=7)
    assert Settings(keep_within=7 * DAY).policy.keep_within == 30 * DAY
    assert Settings(retention_days=None, keep_within=7 * DAY).policy.keep_within == 7 * DAY


def test_every_rule_has_its_text() -> None:
    assert all(rule.help for rule in RULES)
    of_the_policy = {field.name for field in fields(RetentionPolicy)} - {"most_deleted_share"}
    ours = of_the_policy | {"retention_days", "most_deleted_percent"}
    assert {rule.name for rule in RULES} == ours


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (DEFAULT, "30 days"),
        (RetentionPolicy(36 * HOUR, keep_min=3), "36 hours, at least 3"),
        (evolve(OFF, keep_last=3, keep_hourly=24, keep_daily=7), "last 3, hourly 24, daily 7"),
        (RetentionPolicy(7 * DAY, keep_yearly=2), "7 days, yearly 2"),
        (evolve(OFF, keep_weekly=4, keep_monthly=12), "weekly 4, monthly 12"),
        (evolve(DEFAULT, keep_labels=("a", "b=c")), "30 days, label a, label b=c"),
        (evolve(OFF, keep_labels=("a",)), "everything is kept"),
    ],
)
def test_a_policy_is_said_in_a_line(policy: RetentionPolicy, said: str) -> None:
    assert describe_policy(policy) == said


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (-HOUR, "0 minutes"),
        (HOUR / 2, "30 minutes"),
        (2 * HOUR, "2 hours"),
        (DAY, "1 day"),
        (47 * HOUR, "47 hours"),
        (2 * DAY, "2 days"),
        (2.9 * DAY, "2 days"),
        (36_500 * DAY, "36500 days"),
    ],
)
def test_spans_are_said_rounded_down(span: timedelta, said: str) -> None:
    assert span_text(span) == said


@given(st.dictionaries(st.sampled_from([rule.name for rule in RULES]) | st.text(), st.text()))
def test_any_text_gives_a_policy_or_problems(values: dict[str, str]) -> None:
    try:
        assert policy_from(values).keep_min >= 1
    except ConfigurationError as error:
        assert error.problems  # noqa: PT017 - either will do

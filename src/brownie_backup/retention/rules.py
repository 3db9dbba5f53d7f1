"""Retention policies as text: in variables, in the queries of URLs, and for display."""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from attrs import evolve, frozen

from brownie_backup.errors import ConfigurationError, InvalidName
from brownie_backup.format.names import check_labels
from brownie_backup.hints import BackupHint
from brownie_backup.retention.policy import RetentionPolicy

MOST_DAYS = 36_500
MOST_KEPT = 1_000_000

_PERIODS = ("hourly", "daily", "weekly", "monthly", "yearly")
_COUNTED = ("keep_last", *(f"keep_{period}" for period in _PERIODS))
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_UNITS = {"h": _HOUR, "d": _DAY, "w": 7 * _DAY}
_SPAN = re.compile(r"(\d{1,7})([hdw])", re.ASCII)


@frozen
class Rule:
    """A rule as text: its name, its meaning, and its reader."""

    name: str
    help: str
    read: Callable[[str], Any]


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a function that reads a whole number between the two."""

    def read(value: str) -> int:
        if not value.isascii() or not value.isdigit() or not least <= int(value) <= most:
            msg = f" is not a whole number from {least} to {most}"
            raise ValueError(msg)
        return int(value)

    return read


def _span(value: str) -> timedelta:
    match = _SPAN.fullmatch(value.lower())
    span = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not _HOUR <= span <= MOST_DAYS * _DAY:
        msg = f" is not a span such as 36h, 7d or 2w, up to {MOST_DAYS}d"
        raise ValueError(msg)
    return span


def _labels(value: str) -> tuple[str, ...]:
    labels = tuple(item.strip() for item in value.split(",") if item.strip())
    for label in labels:
        key, _, text = label.partition("=")
        try:
            check_labels({key: text})
        except InvalidName:
            msg = f" has '{label}', which no backup can have as a label"
            raise ValueError(msg) from None
    return labels


RULES: tuple[Rule, ...] = (
    Rule("retention_days", "how many days backups are kept", whole(1, MOST_DAYS)),
    Rule("keep_within", "the same in hours, days or weeks: 36h, 7d, 2w", _span),
    Rule("keep_last", "keep the newest N", whole(0, MOST_KEPT)),
    Rule("keep_hourly", "keep one for each of N hours", whole(0, MOST_KEPT)),
    Rule("keep_daily", "keep one for each of N days", whole(0, MOST_KEPT)),
    Rule("keep_weekly", "keep one for each of N weeks", whole(0, MOST_KEPT)),
    Rule("keep_monthly", "keep one for each of N months", whole(0, MOST_KEPT)),
    Rule("keep_yearly", "keep one for each of N years", whole(0, MOST_KEPT)),
    Rule("keep_labels", "keep backups with these labels, by commas", _labels),
    Rule("keep_min", "keep the newest N good ones in any case", whole(1, MOST_KEPT)),
    Rule("most_deleted_percent", "the share that one cleanup may delete", whole(0, 100)),
)
"""The rules: variables are named for them, and parameters in the query of a copy's URL."""


ONE_RULE = {"keep_within", "retention_days"}
"""Not both: they mean the same."""


def policy_from(values: Mapping[str, str]) -> RetentionPolicy:
    """Return the policy in texts, by the names of `RULES`; missing rules have their defaults.

    Raises:
        ConfigurationError: with one problem for each value that is wrong.
    """
    rules: dict[str, Any] = {}
    problems = list(_unknown(values))
    for rule in RULES:
        text = values.get(rule.name, "").strip()
        if text:
            try:
                rules[rule.name] = rule.read(text)
            except ValueError as error:
                problems.append(f"{rule.name} ('{text}'){error}")
    if rules.keys() >= ONE_RULE:
        problems.append(f"{' and '.join(sorted(ONE_RULE))} are one rule: leave one of them out")
    if problems:
        raise ConfigurationError(problems, hint=BackupHint.RETENTION_RULES)
    return make_policy(rules | {"retention_days": days_kept(rules)})


def days_kept(rules: Mapping[str, Any]) -> int | None:
    """Return the effective `retention_days`, given all rules.

    An operator who asks for the last three backups wants three, not those of 30 days: the default
    applies only if no other rule allows a backup to be deleted.
    """
    days: int | None = rules.get("retention_days")
    default = RetentionPolicy().keep_within
    if days is None and default and not any(rules.get(n) for n in ("keep_within", *_COUNTED)):
        return default.days
    return days


def make_policy(rules: Mapping[str, Any]) -> RetentionPolicy:
    """Return the policy from parsed rules; None is a rule that is off."""
    days, within = rules.get("retention_days"), rules.get("keep_within")
    spans = [span for span in (within, days and days * _DAY) if span]
    plain = (*_COUNTED, "keep_labels", "keep_min")
    policy = RetentionPolicy(
        keep_within=max(spans, default=None),
        **{name: rules[name] for name in plain if name in rules},
    )
    if "most_deleted_percent" in rules:
        return evolve(policy, most_deleted_share=rules["most_deleted_percent"] / 100)
    return policy


def describe_policy(policy: RetentionPolicy) -> str:
    """Return a description of the policy in one line."""
    kept = [span_text(policy.keep_within)] if policy.keep_within is not None else []
    for name in _COUNTED:
        count = getattr(policy, name)
        kept += [f"{name.removeprefix('keep_')} {count}"] if count else []
    if not kept:
        return "everything is kept"
    kept += [f"label {label}" for label in policy.keep_labels]
    kept += [f"at least {policy.keep_min}"] if policy.keep_min > 1 else []
    return ", ".join(kept)


def span_text(span: timedelta) -> str:
    """Return a span in words, rounded down."""
    if span >= 2 * _DAY or span == _DAY:
        return "1 day" if span == _DAY else f"{span.days} days"
    if span >= 2 * _HOUR:
        return f"{span // _HOUR} hours"
    return f"{max(span, timedelta(0)) // _MINUTE} minutes"


def _unknown(values: Mapping[str, str]) -> Iterator[str]:
    known = [rule.name for rule in RULES]
    for name in sorted(values.keys() - set(known)):
        near = difflib.get_close_matches(name, known, n=1)
        yield f"{name} is not a rule of retention" + (f": did you mean {near[0]}?" if near else "")

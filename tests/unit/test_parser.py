"""The grammar of the command line."""

import argparse

import pytest

from brownie_backup_cli.commands import COMMANDS
from brownie_backup_cli.parser import Subparsers, build_parser


def parse(*argv: str) -> argparse.Namespace:
    return build_parser().parse_args(argv)


def refuses(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as caught:
        parse(*argv)
    assert caught.value.code == 2
    return capsys.readouterr().err


def commands() -> dict[str, argparse.ArgumentParser]:
    action: Subparsers = next(
        action
        for action in build_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return dict(action.choices)


def test_every_command_of_the_grammar_is_there_and_no_other() -> None:
    assert set(commands()) == set(COMMANDS)
    assert set(COMMANDS) == {
        *("backup", "list", "show", "restore", "verify", "delete", "cleanup", "status"),
        *("config", "keygen", "doctor", "demo", "schedule", "sync", "unlock"),
        *("hold", "release", "audit"),
    }


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_takes_json_verbose_and_quiet(name: str) -> None:
    with_name = ("show", "restore", "delete", "hold", "release")
    needed = {"schedule": ["--status"], **{each: ["x"] for each in with_name}}
    arguments = needed.get(name, [])
    parsed = parse(name, *arguments, "--json", "--verbose")
    assert (parsed.command, parsed.json, parsed.verbose, parsed.quiet) == (name, True, True, False)
    assert parse(name, *arguments, "-q").quiet
    assert parse(name, *arguments).json is False


def test_verbose_and_quiet_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not allowed with" in refuses(capsys, "list", "-v", "-q")


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("env=prod", ("env", "prod")),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", "")),
        ("a= b ", ("a", " b ")),
    ],
)
def test_a_label_is_a_key_and_a_value(text: str, label: tuple[str, str]) -> None:
    assert parse("backup", "--label", text).labels == [label]


def test_labels_add_up_and_do_not_leak_into_the_next_call() -> None:
    assert parse("backup", "--label", "a=1", "--label", "b=2").labels == [("a", "1"), ("b", "2")]
    assert parse("backup").labels == []


@pytest.mark.parametrize("text", ["", "env", "=prod", "="])
def test_a_label_without_a_key_or_a_value_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"'{text}' is not KEY=VALUE" in refuses(capsys, "backup", "--label", text)


@pytest.mark.parametrize(
    ("text", "percent"), [("10%", 10), ("10", 10), ("0.5%", 0.5), ("100%", 100), ("1e1", 10)]
)
def test_a_sample_is_a_percentage(text: str, percent: float) -> None:
    assert parse("verify", "x", "--sample", text).sample == percent


@pytest.mark.parametrize("text", ["0", "0%", "-1%", "100.1%", "nan", "inf", "", "%", "ten", "5%%"])
def test_what_is_no_percentage_over_0_and_up_to_100_is_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is not a percentage" in refuses(capsys, "verify", "x", f"--sample={text}")


def test_everything_is_verified_in_full_unless_asked_otherwise() -> None:
    assert parse("verify", "x").sample == 100
    assert (parse("verify", "--all").name, parse("verify", "--all").all) == (None, True)


def test_a_restore_changes_nothing_by_default_that_was_not_asked_for() -> None:
    flags = ["replace", "with_roles", "no_owner", "no_acl", "no_tablespaces", "keep_failed"]
    flags += ["accept_differences", "accept_errors", "exclude_event_triggers", "exclude_settings"]
    parsed = vars(parse("restore", "latest"))
    assert [parsed[flag] for flag in [*flags, "dry_run"]] == [False] * (len(flags) + 1)
    assert parsed["target_db"] is None
    for flag in [*flags, "dry_run"]:
        assert vars(parse("restore", "latest", f"--{flag.replace('_', '-')}"))[flag] is True


@pytest.mark.parametrize("name", ["show", "restore", "delete", "hold", "release"])
def test_a_name_is_needed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "required" in refuses(capsys, name)


@pytest.mark.parametrize("argv", [["restore", "x", "--rep"], ["list", "--js"], ["--vers"]])
def test_options_are_not_abbreviated(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    refuses(capsys, *argv)


@pytest.mark.parametrize("action", ["start", "stop", "status"])
def test_the_schedule_is_started_stopped_or_asked(action: str) -> None:
    assert parse("schedule", f"--{action}").action == action


def test_the_schedule_needs_exactly_one_action(capsys: pytest.CaptureFixture[str]) -> None:
    refuses(capsys, "schedule")
    refuses(capsys, "schedule", "--start", "--stop")
    refuses(capsys, "schedule", "--start", "--print", "crontab")
    refuses(capsys, "schedule", "--print", "launchd")
    assert parse("schedule", "--print", "systemd").print_as == "systemd"


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ("2027-01-31", "2027-02-01T00:00:00+00:00"),  # that day is the last
        ("2027-12-31", "2028-01-01T00:00:00+00:00"),
        ("2027-01-31T10:00", "2027-01-31T10:00:00+00:00"),
        ("2027-01-31T10:00Z", "2027-01-31T10:00:00+00:00"),
        ("2027-01-31 10:00+02:00", "2027-01-31T08:00:00+00:00"),
    ],
)
def test_a_hold_ends_with_a_day_or_at_an_instant(text: str, until: str) -> None:
    parsed = parse("hold", "x", "--until", text).until
    assert parsed.isoformat() == until


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "31.1.2027", "2027-02-30", "9999-12-31", "0001-01-01T00:00+10:00"]
)
def test_other_ends_are_no_date(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "neither a date" in refuses(capsys, "hold", "x", "--until", text)


def test_every_option_has_a_help_text() -> None:
    for name, parser in commands().items():
        for action in parser._actions:
            assert action.help or action.dest == "labels", (name, action.dest)

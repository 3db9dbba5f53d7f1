"""The command line's grammar. It imports the standard library only, so that --help is quick."""

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

EPILOG = """\
exit status:
  0    done
  1    failed
  2    wrong usage or configuration
  3    done, with warnings
  10   no such backup or database
  11   busy: another operation is running in the store
  12   cannot decrypt: wrong or missing key
  130  ended by SIGINT, 143 by SIGTERM, 129 by SIGHUP; nothing half-made is left

Everything else is configured by environment variables: see brownie-backup config.
"""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
"""argparse has no public name for what `add_subparsers` returns."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command ``brownie-backup``."""
    parser = argparse.ArgumentParser(
        prog="brownie-backup",
        description="Back up and restore PostgreSQL databases: encrypted, deduplicated, proven.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    parser.add_argument(
        "--print-completion",
        choices=("bash", "zsh", "tcsh"),
        metavar="SHELL",
        help="print the completion for bash, zsh or tcsh and exit",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for add in (_backup, _restore, _verify, _looking, _keeping, _setting_up):
        add(commands)
    return parser


def _command(commands: Subparsers, name: str, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    parser.allow_abbrev = False
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", action="store_true", help="print one JSON document, and nothing else, on stdout"
    )
    volume = output.add_mutually_exclusive_group()
    volume.add_argument("-v", "--verbose", action="store_true", help="say more, on stderr")
    volume.add_argument("-q", "--quiet", action="store_true", help="print only errors")
    return parser


def _backup(commands: Subparsers) -> None:
    backup = _command(commands, "backup", "make a backup")
    backup.add_argument("--name", help="its name (default: the database's, and the time)")
    backup.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", type=_label, dest="labels"
    )
    backup.add_argument(
        "--full", action="store_true", help="also read data that the WAL shows to be unchanged"
    )


def _restore(commands: Subparsers) -> None:
    restore = _command(commands, "restore", "restore a backup into a fresh database")
    _name(restore, "NAME|latest")
    _from(restore)
    restore.add_argument("--target-db", metavar="DB", help="its name (default: as it was)")
    for flag, dest, metavar, text in (
        (
            "--table",
            "tables",
            "SCHEMA.NAME",
            "only this table (repeatable); add it to DB if that exists",
        ),
        ("--schema", "schemas", "SCHEMA", "only what is in this schema (repeatable)"),
    ):
        restore.add_argument(
            flag, action="append", default=[], dest=dest, metavar=metavar, help=text
        )
    restore.add_argument("--into", metavar="SCHEMA.NAME", help="give the table another name")
    for flag, text in (
        ("--no-indexes", "of these tables, make no indexes but those of constraints"),
        ("--no-constraints", "of these tables, make no keys, and no checks but those in columns"),
        ("--replace", "put it in the place of an existing one, which is kept under a dated name"),
        ("--with-roles", "create the roles that the backup has and the server lacks"),
        ("--no-owner", "give everything to the role that restores"),
        ("--no-acl", "grant nothing"),
        ("--no-tablespaces", "put everything into the default tablespace"),
        ("--accept-unencrypted", "restore a backup in clear although encryption is on"),
        ("--keep-failed", "leave a half-made database for inspection, and name it"),
        ("--dry-run", "check all that can be checked, and change nothing"),
    ):
        restore.add_argument(flag, action="store_true", help=text)


def _verify(commands: Subparsers) -> None:
    verify = _command(commands, "verify", "read backups back and prove them")
    _name(verify, "NAME|latest", optional=True)
    _from(verify)
    verify.add_argument("--all", action="store_true", help="verify every backup")
    verify.add_argument(
        "--sample",
        type=_percent,
        default=100.0,
        metavar="N%",
        help="read only that share of the blobs, chosen at random, and no archive",
    )
    verify.add_argument(
        "--against-database",
        action="store_true",
        help="instead, compare data that the WAL shows to be unchanged with the database",
    )


def _looking(commands: Subparsers) -> None:
    _from(_command(commands, "list", "list the backups"))
    show = _command(commands, "show", "show all that is known of a backup")
    _name(show, "NAME|latest")
    _from(show)
    audit = _command(commands, "audit", "show the audit trail, and prove that it is complete")
    _from(audit)
    audit.add_argument(
        "--since",
        type=_start,
        metavar="WHEN",
        help="only records since a day, an instant (UTC) or an age, such as 12h or 7d",
    )
    audit.add_argument("--action", metavar="A", help="only this, such as restore or delete")
    audit.add_argument(
        "--limit",
        type=_count,
        metavar="N",
        help="only the newest N operations (default: 100, or with --since all)",
    )
    audit.add_argument(
        "--verify",
        action="store_true",
        help="prove that no record was changed or removed, in any store",
    )
    _command(commands, "sync", "copy to each store the backups that it lacks")
    _command(
        commands, "status", "show the last backup, the next one, the policy and running operations"
    )


def _keeping(commands: Subparsers) -> None:
    _command(commands, "unlock", "remove leases that have expired: 'status' shows all")
    _name(_command(commands, "delete", "delete a backup by name"), "NAME")
    hold = _command(commands, "hold", "keep a backup regardless of the policy")
    _name(hold, "NAME|latest")
    hold.add_argument(
        "--until",
        type=_end,
        metavar="DATE",
        help="the last day, or an instant, in UTC (default: until it is released)",
    )
    _name(_command(commands, "release", "end the hold of a backup"), "NAME")
    cleanup = _command(commands, "cleanup", "delete old backups by the policy, and free space")
    for flag, text in (
        ("--dry-run", "say what would be deleted, and why"),
        ("--all-databases", "of every database in the store, not of the configured one alone"),
        ("--yes-delete-many", "even if that is a large share of a database's backups"),
    ):
        cleanup.add_argument(flag, action="store_true", help=text)


def _setting_up(commands: Subparsers) -> None:
    _command(commands, "config", "show the effective settings, and where each came from")
    keygen = _command(commands, "keygen", "make a key pair to encrypt backups with")
    keygen.add_argument(
        "--directory", type=Path, default=Path(), help="where to put it (default: .)"
    )
    keygen.add_argument(
        "--name", default="brownie-backup", help="whose it is (default: %(default)s)"
    )
    _command(commands, "doctor", "look for what would make a backup fail or be incomplete")
    demo = _command(commands, "demo", "back up and restore a sample database, from start to end")
    demo.add_argument("--rows", type=int, default=100_000, help=argparse.SUPPRESS)
    schedule = _command(commands, "schedule", "run backups on a schedule, in the background")
    action = schedule.add_mutually_exclusive_group(required=True)
    for word, text in (
        ("start", "start it"),
        ("stop", "stop it, and wait until it has ended"),
        ("status", "show whether it runs, when it does what, and what came of it last"),
    ):
        action.add_argument(f"--{word}", action="store_const", dest="action", const=word, help=text)
    action.add_argument(
        "--print",
        dest="print_as",
        choices=("crontab", "systemd", "kubernetes"),
        help="print the configuration for the host's own scheduler instead",
    )
    schedule.add_argument(
        "--directory",
        type=Path,
        help="where its process id and log are (default: ~/.local/state/brownie-backup)",
    )
    schedule.add_argument(
        "--port",
        type=int,
        default=8001,
        help="where it answers /health and /metrics (default: %(default)s)",
    )


def _name(parser: argparse.ArgumentParser, metavar: str, *, optional: bool = False) -> None:
    parser.add_argument(
        "name", metavar=metavar, nargs="?" if optional else None, help="the name of the backup"
    )


def _from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="store",
        metavar="STORE",
        help="the store to turn to first: primary, copy1, copy2, …, or its URL",
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        msg = f"'{text}' is not KEY=VALUE"
        raise argparse.ArgumentTypeError(msg)
    return key, value


def _end(text: str) -> datetime:
    """Return when a day is over, or an instant; without a zone it is in UTC."""
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            instant = datetime.fromisoformat(text)
            return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        msg = f"'{text}' is neither a date, such as 2027-01-31, nor an instant"
        raise argparse.ArgumentTypeError(msg) from None


def _start(text: str) -> datetime:
    """Return when a day begins, an instant (without a zone, in UTC), or one so long ago."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units and text[:-1].isdecimal():
            return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        msg = f"'{text}' is neither a date, such as 2027-01-31, nor an instant, nor a span, as 7d"
        raise argparse.ArgumentTypeError(msg) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"'{text}' is not a whole number over 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:  # noqa: PLR2004 - a percentage
        msg = f"'{text}' is not a percentage over 0 and up to 100"
        raise argparse.ArgumentTypeError(msg)
    return percent

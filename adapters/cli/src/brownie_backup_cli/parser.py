"""The argument parser. It imports only the standard library, so that --help is quick."""

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from brownie_backup_cli.restore_options import add_restore_options

EPILOG = """\
exit status:
  0    done
  1    failed
  2    wrong usage or configuration
  3    done, with warnings
  10   no such backup or database
  11   busy: another process is using the store
  12   cannot decrypt: wrong or missing key
  13   restored, but under a temporary name: finish with the SQL on stderr
  130  ended by SIGINT, 143 by SIGTERM, 129 by SIGHUP; no incomplete backup is left
  141  the program that read the output has ended

Environment variables configure everything else: see brownie-backup config.
"""

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
"""argparse has no public name for what `add_subparsers` returns."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command ``brownie-backup``."""
    parser = argparse.ArgumentParser(
        prog="brownie-backup",
        description="Back up and restore PostgreSQL databases: encrypted, deduplicated, verified.",
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
    volume.add_argument("-q", "--quiet", action="store_true", help="print only warnings and errors")
    return parser


def _backup(commands: Subparsers) -> None:
    backup = _command(commands, "backup", "make a backup")
    backup.add_argument("--name", help="name of the backup (default: database name and time)")
    backup.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", type=_label, dest="labels"
    )
    backup.add_argument(
        "--full", action="store_true", help="read all data, even if the WAL shows it is unchanged"
    )


def _restore(commands: Subparsers) -> None:
    restore = _command(commands, "restore", "restore a backup into a new database")
    _name(restore, "NAME|latest")
    _from(restore)
    restore.add_argument(
        "--target-db", metavar="DB", help="name of the database (default: its original name)"
    )
    add_restore_options(restore)


def _verify(commands: Subparsers) -> None:
    verify = _command(commands, "verify", "read backups back and check every blob")
    _name(verify, "NAME|latest", optional=True)
    _from(verify)
    verify.add_argument("--all", action="store_true", help="verify every backup")
    structure = "check only that every blob is there, as it was stored; the default without a key"
    verify.add_argument("--structure", action="store_true", help=structure)
    verify.add_argument(
        "--sample",
        type=_percent,
        default=100.0,
        metavar="N%",
        help="read only this share of the blobs, chosen at random, and no archive",
    )
    compare = "compare data that the WAL shows to be unchanged with the database; read no blobs"
    verify.add_argument("--against-database", action="store_true", help=compare)


def _looking(commands: Subparsers) -> None:
    _from(_command(commands, "list", "list the backups"))
    show = _command(commands, "show", "show the details of a backup")
    _name(show, "NAME|latest")
    _from(show)
    audit = _command(commands, "audit", "show the audit trail, and check that it is complete")
    _from(audit)
    audit.add_argument(
        "--since",
        type=_start,
        metavar="WHEN",
        help="show only records since a date or time (UTC), or an age such as 12h or 7d",
    )
    audit.add_argument(
        "--action", metavar="A", help="show only this action, such as restore or delete"
    )
    audit.add_argument(
        "--limit",
        type=_count,
        metavar="N",
        help="show only the newest N operations (default: 100, or all with --since)",
    )
    audit.add_argument(
        "--verify",
        action="store_true",
        help="check in every store that no record was changed or removed",
    )
    _command(commands, "sync", "copy to each store the backups that it lacks")
    _command(
        commands, "status", "show the last backup, the next run, the policy and running operations"
    )


def _keeping(commands: Subparsers) -> None:
    _command(commands, "unlock", "remove expired leases: 'status' shows all leases")
    _name(_command(commands, "delete", "delete a backup by name"), "NAME")
    hold = _command(commands, "hold", "keep a backup, whatever the retention policy says")
    _name(hold, "NAME|latest")
    hold.add_argument(
        "--until",
        type=_end,
        metavar="DATE",
        help="last day or time of the hold, in UTC (default: until you release it)",
    )
    _name(_command(commands, "release", "end the hold of a backup"), "NAME|latest")
    cleanup = _command(
        commands, "cleanup", "delete the backups that the policy no longer keeps, and free space"
    )
    for flag, text in (
        ("--dry-run", "show which backups would be deleted, and why"),
        (
            "--all-databases",
            "apply the policy to every database in the store, not only the configured one",
        ),
        ("--yes-delete-many", "delete even if that is a large share of a database's backups"),
    ):
        cleanup.add_argument(flag, action="store_true", help=text)


def _setting_up(commands: Subparsers) -> None:
    _command(commands, "config", "show the effective settings, and the source of each")
    keygen = _command(commands, "keygen", "create a key pair to encrypt backups")
    keygen.add_argument(
        "--directory", type=Path, default=Path(), help="directory for the keys (default: .)"
    )
    keygen.add_argument(
        "--name", default="brownie-backup", help="name on the key (default: %(default)s)"
    )
    _command(
        commands, "doctor", "check for anything that would make a backup fail or be incomplete"
    )
    demo = _command(commands, "demo", "back up and restore a sample database, from start to finish")
    demo.add_argument("--rows", type=int, default=100_000, help=argparse.SUPPRESS)
    schedule = _command(commands, "schedule", "run backups on a schedule, in the background")
    action = schedule.add_mutually_exclusive_group(required=True)
    for word, text in (
        ("start", "start the runner"),
        ("stop", "stop the runner, and wait until it has ended"),
        ("status", "show whether the runner is running, the next runs, and the last results"),
    ):
        action.add_argument(f"--{word}", action="store_const", dest="action", const=word, help=text)
    action.add_argument(
        "--print",
        dest="print_as",
        choices=("crontab", "systemd", "kubernetes"),
        help="print configuration for the host's own scheduler instead",
    )
    schedule.add_argument(
        "--directory",
        type=Path,
        help="directory of its PID file and log (default: ~/.local/state/brownie-backup)",
    )
    schedule.add_argument(
        "--port",
        type=int,
        default=8001,
        help="port that serves /health and /metrics (default: %(default)s)",
    )


def _name(parser: argparse.ArgumentParser, metavar: str, *, optional: bool = False) -> None:
    parser.add_argument(
        "name", metavar=metavar, nargs="?" if optional else None, help="name of the backup"
    )


def _from(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from",
        dest="store",
        metavar="STORE",
        help="the store to try first: primary, copy1, copy2, …, or its URL",
    )


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        msg = f"'{text}' is not KEY=VALUE"
        raise argparse.ArgumentTypeError(msg)
    return key, value


def _end(text: str) -> datetime:
    """Return the end of a day, or an instant. Without a time zone it is in UTC."""
    try:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            instant = datetime.fromisoformat(text)
            return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    except (ValueError, OverflowError):
        msg = f"'{text}' is neither a date such as 2027-01-31 nor a time such as 2027-01-31T18:00Z"
        raise argparse.ArgumentTypeError(msg) from None


def _start(text: str) -> datetime:
    """Return the start of a day, an instant (without a time zone, in UTC), or now minus an age."""
    units = {"m": "minutes", "h": "hours", "d": "days"}
    try:
        if text[-1:] in units and text[:-1].isdecimal():
            return datetime.now(UTC) - timedelta(**{units[text[-1]]: int(text[:-1])})
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        msg = (
            f"'{text}' is not a date such as 2027-01-31, a time such as 2027-01-31T18:00Z, "
            "or an age such as 7d"
        )
        raise argparse.ArgumentTypeError(msg) from None


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"'{text}' is not a whole number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:  # noqa: PLR2004 - a percentage
        msg = f"'{text}' is not a percentage above 0 and up to 100"
        raise argparse.ArgumentTypeError(msg)
    return percent

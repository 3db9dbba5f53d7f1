"""The commands: each takes the arguments, the settings and the output, and returns a status."""

import argparse
from collections.abc import Callable

from brownie_backup.config import Settings
from brownie_backup_cli.commands import (
    auditing,
    backups,
    keeping,
    looking,
    scheduling,
    setup,
    verifying,
)
from brownie_backup_cli.output import Output

Command = Callable[[argparse.Namespace, Settings, Output], int]


def _demo(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    from brownie_backup_cli.demo import demo

    del settings  # the demo brings its own
    return demo(arguments, output)


COMMANDS: dict[str, Command] = {
    "audit": auditing.audit,
    "backup": backups.backup,
    "cleanup": keeping.cleanup,
    "config": setup.config,
    "delete": keeping.delete,
    "demo": _demo,
    "doctor": setup.doctor,
    "hold": keeping.hold,
    "keygen": setup.keygen,
    "list": looking.list_,
    "release": keeping.release,
    "restore": backups.restore,
    "schedule": scheduling.schedule,
    "show": looking.show,
    "status": looking.status,
    "sync": backups.sync,
    "unlock": looking.unlock,
    "verify": verifying.verify,
}

"""The commands: each takes the arguments, the service and the output, and returns a status."""

import argparse
from collections.abc import Callable

from brownie_backup.service import Service
from brownie_backup_cli.commands import (
    audit,
    backups,
    inspecting,
    retention,
    schedule,
    setup,
    verification,
)
from brownie_backup_cli.output import Output

Command = Callable[[argparse.Namespace, Service, Output], int]


def _demo(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    from brownie_backup_cli.demo import demo

    del service  # the demo brings its own
    return demo(arguments, output)


COMMANDS: dict[str, Command] = {
    "audit": audit.audit,
    "backup": backups.backup,
    "cleanup": retention.cleanup,
    "config": setup.config,
    "delete": retention.delete,
    "demo": _demo,
    "doctor": setup.doctor,
    "hold": retention.hold,
    "keygen": setup.keygen,
    "list": inspecting.list_,
    "release": retention.release,
    "restore": backups.restore,
    "schedule": schedule.schedule,
    "show": inspecting.show,
    "status": inspecting.status,
    "sync": backups.sync,
    "unlock": inspecting.unlock,
    "verify": verification.verify,
}

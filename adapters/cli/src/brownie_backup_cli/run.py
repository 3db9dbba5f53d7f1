"""Runs one command: settings, logging, the command itself, and how its errors are printed."""

import argparse
import logging
import os
from collections.abc import Mapping

from brownie_backup.config import load_settings
from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    RestoreFailed,
    RestoreRefused,
    redact,
)
from brownie_backup.process.malloc import share_large_blocks
from brownie_backup.service.documents import hint_fields
from brownie_backup.telemetry.logs import configure_logging
from brownie_backup_cli.actor import service_for
from brownie_backup_cli.commands import COMMANDS
from brownie_backup_cli.exit_codes import FAILED, exit_status
from brownie_backup_cli.output import Output
from brownie_backup_cli.telemetry import observed
from brownie_backup_cli.vocabulary import WORDS

_KEYS = "BACKUP_GPG_"
_DEFECT = "This is a bug in brownie-backup: please report it, with the output of --verbose"


def run(arguments: argparse.Namespace) -> int:
    """Run the command that was parsed; return its exit status."""
    output = Output.of(arguments)
    share_large_blocks()
    try:
        settings = load_settings(_environ(arguments.command))
        configure_logging(
            settings,
            WORDS,
            verbose=arguments.verbose,
            quiet=arguments.quiet,
            said_elsewhere=("brownie_backup.audit.auditor",),
        )
        for warning in settings.warnings:
            output.warn(warning)
        with (
            service_for(settings) as service,
            observed(arguments.command, service.context.stores, output),
        ):
            return COMMANDS[arguments.command](arguments, service, output)
    except BackupError as error:
        status = exit_status(error)
        output.error(_document(error, status), _lines(error))
        return status
    except BrokenPipeError:
        raise
    except Exception as error:  # a bug of ours must not look like success
        logging.getLogger("brownie_backup").debug("unexpected error", exc_info=True)
        ours = BackupError(f"unexpected {type(error).__name__}: {redact(str(error))}", hint=_DEFECT)
        output.error(_document(ours, FAILED), _lines(ours))
        return FAILED


def _environ(command: str) -> Mapping[str, str]:
    """Return the variables that count for a command: those that it does not use can't stop it."""
    if command == "demo":  # it has its own settings
        return {}
    if command == "keygen":  # the files of the keys are not there yet
        return {name: each for name, each in os.environ.items() if not name.startswith(_KEYS)}
    return os.environ


def _document(error: BackupError, status: int) -> dict[str, object]:
    return {
        "error": {
            "type": type(error).__name__,
            "message": error.message,
            **hint_fields(error.hint, WORDS),
            "exit_status": status,
            "details": _details(error),
        }
    }


def _details(error: BackupError) -> list[str]:
    if isinstance(error, ConfigurationError):
        return list(error.problems)
    return list(error.errors) if isinstance(error, RestoreFailed) else []


def _lines(error: BackupError) -> list[str]:
    details, hint = _details(error), error.hint.worded(WORDS) if error.hint else ""
    if isinstance(error, ConfigurationError) and len(details) > 1:
        return ["several settings are wrong:", *(f"  {line}" for line in details), hint]
    if isinstance(error, RestoreRefused) and len(details) > 1:
        return [f"{error.message.partition(':')[0]}:", *(f"  {line}" for line in details), hint]
    more = [f"  {line}" for line in details[1:]]
    return [error.message, *more, hint]

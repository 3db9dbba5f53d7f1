"""Commands for setup: settings, keys and checks."""

import argparse
import os
from pathlib import Path

from brownie_backup import Level, diagnose
from brownie_backup.config import describe
from brownie_backup.encryptors.keypair import make_key_pair
from brownie_backup.errors import ConfigurationError
from brownie_backup.service import Service
from brownie_backup.service.documents import finding_document
from brownie_backup.stores.proxies import diagnose_proxies
from brownie_backup_cli.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output, table
from brownie_backup_cli.vocabulary import WORDS


def config(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Show the settings."""
    del arguments
    settings = service.settings
    rows = describe(settings)
    shown = [(r["name"], _shown(r["value"]), r["source"], r["help"]) for r in rows]
    lines = table(("Variable", "Value", "From", "Meaning"), shown)
    output.result({"settings": rows, "warnings": list(settings.warnings)}, lines)
    return DONE


def doctor(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Check for anything that would make a backup fail or be incomplete."""
    del arguments
    repository, *copies = service.context.repositories(writes=True)
    findings = [
        *diagnose(
            repository,
            service.context.dumper(),
            copies=copies,
            jobs=service.settings.parallel_jobs,
        ),
        *diagnose_proxies(service.settings.stores.values()),
    ]
    marks = {Level.OK: "ok", Level.WARNING: "WARNING", Level.ERROR: "ERROR"}
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.level]:8}{finding.subject}: {finding.message}")
        if finding.hint and finding.level is not Level.OK:
            lines.append(f"{'':8}-> {finding.hint.worded(WORDS)}")
    output.result({"findings": [finding_document(finding, WORDS) for finding in findings]}, lines)
    levels = {finding.level for finding in findings}
    return FAILED if Level.ERROR in levels else WARNINGS if Level.WARNING in levels else DONE


def keygen(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Create a key pair."""
    public_file = arguments.directory / f"{arguments.name}-public.asc"
    private_file = arguments.directory / f"{arguments.name}-private.asc"
    for path in (public_file, private_file):
        if path.exists():
            problem = f"{path} exists: keys are never overwritten"
            raise ConfigurationError([problem], hint="Use another --directory or --name")
    passphrase = service.settings.passphrase
    pair = make_key_pair(arguments.name, passphrase)
    try:
        arguments.directory.mkdir(parents=True, exist_ok=True)
        _write(private_file, pair.private.reveal(), 0o600)
        _write(public_file, pair.public, 0o644)
    except OSError as error:
        problem = f"{error.filename} cannot be written: {error.strerror}"
        raise ConfigurationError([problem], hint="Use another --directory") from None
    document = {
        "fingerprint": pair.fingerprint,
        "public_key_file": str(public_file),
        "private_key_file": str(private_file),
        "protected_by_passphrase": bool(passphrase),
    }
    protection = "by BACKUP_PASSPHRASE" if passphrase else "only by its file mode"
    lines = [
        f"created the key {pair.fingerprint}, protected {protection}",
        "",
        "to make backups:      " + f"export BACKUP_GPG_PUBLIC_KEY_FILE={public_file.absolute()}",
        "to restore them:      " + f"export BACKUP_GPG_PRIVATE_KEY_FILE={private_file.absolute()}",
        "",
        "Without the private key no backup can be restored: keep copies of it on other machines.",
    ]
    output.result(document, lines)
    return DONE


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)


def _write(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is a descriptor
        file.write(text)

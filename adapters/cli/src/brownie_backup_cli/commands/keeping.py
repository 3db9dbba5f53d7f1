"""Commands that decide which backups stay."""

import argparse

from brownie_backup import (
    DatabaseId,
    RetentionReport,
    apply_retention,
    delete_backup,
    hold_backup,
    release_backup,
)
from brownie_backup.config import Settings, make_dumper, make_repository
from brownie_backup.errors import DatabaseError, DatabaseNotFound
from brownie_backup_cli.documents import hold_document
from brownie_backup_cli.exits import DONE, WARNINGS
from brownie_backup_cli.output import Output, size, table


def cleanup(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Apply the retention policy."""
    report = apply_retention(
        make_repository(settings),
        settings.policy,
        database=None if arguments.all_databases else _database(settings),
        dry_run=arguments.dry_run,
        yes_delete_many=arguments.yes_delete_many,
    )
    document = {
        "dry_run": report.dry_run,
        "decisions": [
            {"name": d.backup.name, "keep": d.keep, "reason": d.reason} for d in report.decisions
        ],
        "deleted": list(report.deleted),
        "locked": list(report.locked),
        "swept_blobs": report.swept_blobs,
        "swept_bytes": report.swept_bytes,
        "notes": list(report.notes),
        "refusals": list(report.refusals),
    }
    for refusal in report.refusals:
        output.warn(f"nothing would be deleted: {refusal}")
    for note in report.notes:
        output.warn(note)
    output.result(document, _cleaned(report, verbose=arguments.verbose))
    return WARNINGS if report.notes or report.refusals else DONE


def delete(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete a backup."""
    delete_backup(make_repository(settings), arguments.name)
    lines = [f"{arguments.name} is deleted; 'brownie-backup cleanup' frees what it alone held"]
    output.result({"deleted": arguments.name}, lines)
    return DONE


def hold(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Keep a backup whatever the policy says."""
    held = hold_backup(make_repository(settings), arguments.name, until=arguments.until)
    lines = [f"{held.backup} is {held}; 'brownie-backup release {held.backup}' ends that"]
    output.result({"backup": held.backup, "hold": hold_document(held)}, lines)
    return DONE


def release(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """End a hold."""
    was_held = release_backup(make_repository(settings), arguments.name)
    said = "is no longer held" if was_held else "was not held"
    output.result({"released": arguments.name, "was_held": was_held}, [f"{arguments.name} {said}"])
    return DONE


def _database(settings: Settings) -> DatabaseId:
    """Return whose backups may go: another's are never touched."""
    try:
        return make_dumper(settings).database_id()
    except (DatabaseError, DatabaseNotFound) as error:
        error.hint = (
            "Only the server knows whose backups may go. Without it, to go by the catalogue alone, "
            "for every database in the store: --all-databases"
        )
        raise


def _cleaned(report: RetentionReport, *, verbose: bool) -> list[str]:
    would = "would be " if report.dry_run else ""
    lines = []
    if verbose or report.dry_run:
        rows = [("keep" if d.keep else "delete", d.backup.name, d.reason) for d in report.decisions]
        lines = table(("", "Name", "Reason"), rows) if rows else []
    if report.locked:
        lines.append(f"{len(report.locked)} backups stay: the store does not let them go yet")
    return [
        *lines,
        (
            f"{len(report.deleted)} backups {would}deleted, {len(report.decisions)} seen; "
            f"{report.swept_blobs} blobs {would}removed, {size(report.swept_bytes)} {would}freed"
        ),
    ]

"""Commands that only look."""

import argparse
import json
from datetime import UTC, datetime

from brownie_backup import Backup, list_backups
from brownie_backup.config import Settings, make_repository
from brownie_backup.schedule import next_run
from brownie_backup_cli.documents import backup_document, instant
from brownie_backup_cli.exits import DONE
from brownie_backup_cli.output import Output, size, span, table

HEADER = ("Name", "Created", "Size stored", "Size of database", "Duration", "Status")


def list_(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List the backups."""
    del arguments
    repository = make_repository(settings)
    with output.tally() as on_progress:
        backups = list_backups(repository, on_progress=on_progress)
    lines = [f"no backups in {repository.store.url}"]
    if backups:
        lines = table(HEADER, [_row(backup) for backup in backups])
    output.result({"backups": [backup_document(backup) for backup in backups]}, lines)
    for backup in backups:
        if backup.problem:
            output.warn(f"{backup.name}: {backup.problem}")
    return DONE


def show(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show one backup."""
    document = backup_document(make_repository(settings).backup(arguments.name))
    rows = [(key.replace("_", " "), _value(value)) for key, value in document.items()]
    output.result(document, table(("", ""), rows)[1:])
    return DONE


def status(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show how things stand."""
    del arguments
    repository = make_repository(settings)
    now = datetime.now(UTC)
    with output.tally() as on_progress:
        backups = list_backups(repository, on_progress=on_progress)
    last = next((backup for backup in backups if backup.good), None)
    leases = repository.leases()
    document = {
        "store": repository.store.url,
        "backups": len(backups),
        "damaged": [backup.name for backup in backups if not backup.good],
        "last_good": backup_document(last) if last else None,
        "last_good_age_seconds": _age_seconds(last, now),
        "schedule": settings.schedule,
        "next_backup": instant(next_run(settings.schedule, now)),
        "retention_days": settings.retention_days,
        "leases": [
            {
                "purpose": lease.purpose,
                "owner": lease.owner,
                "exclusive": lease.exclusive,
                "age_seconds": (now - lease.acquired_at).total_seconds(),
                "expired": lease.expired(now),
            }
            for lease in leases
        ],
    }
    good = f"{last.name}, {_age(last, now)} ago" if last else "none"
    rows = [
        ("store", repository.store.url),
        ("backups", f"{len(backups)}, of which damaged: {len(backups) - sum(map(_good, backups))}"),
        ("last good backup", good),
        ("schedule", f"{settings.schedule}, next at {document['next_backup']}"),
        ("retention", f"{settings.retention_days} days"),
        *(("at work", f"{lease.purpose}, by {lease.owner}") for lease in leases),
    ]
    output.result(document, table(("", ""), rows)[1:])
    return DONE


def _row(backup: Backup) -> tuple[str, ...]:
    manifest = backup.manifest
    if manifest is None:
        return (backup.name, "?", "?", "?", "?", str(backup.status))
    return (
        backup.name,
        f"{manifest.finished_at:%Y-%m-%d %H:%M:%S} UTC",
        size(manifest.stored_bytes),
        size(manifest.database.size_bytes),
        span(manifest.duration),
        str(backup.status),
    )


def _value(value: object) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return "-" if value is None else str(value)


def _good(backup: Backup) -> bool:
    return backup.good


def _age_seconds(backup: Backup | None, now: datetime) -> float | None:
    if backup is None or backup.manifest is None:
        return None
    return (now - backup.manifest.finished_at).total_seconds()


def _age(backup: Backup, now: datetime) -> str:
    return span(now - backup.manifest.finished_at) if backup.manifest else "?"

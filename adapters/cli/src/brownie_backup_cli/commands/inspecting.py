"""Commands that only read."""

import argparse
from collections.abc import Iterator
from datetime import datetime

from brownie_backup import Backup, list_backups
from brownie_backup.hints import BackupHint
from brownie_backup.operations.status_report import StoreStatus
from brownie_backup.repository.catalogue.identity import is_unused
from brownie_backup.schedule import time_zone
from brownie_backup.service import Service
from brownie_backup.service.documents import backup_document, status_document
from brownie_backup.wording import written
from brownie_backup_cli.details import backup_rows, status_of
from brownie_backup_cli.exit_codes import DONE, WARNINGS
from brownie_backup_cli.output import Output, size, span, table
from brownie_backup_cli.vocabulary import WORDS

HEADER = (
    *("Name", "Created", "Size stored", "New", "Size of database", "Duration"),
    *("Encrypted", "Status"),
)


def list_(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """List the backups."""
    repository = service.context.repositories(first=arguments.store)[0]
    with output.tally() as on_progress:
        backups = list_backups(repository, on_progress=on_progress)
    unused = not backups and is_unused(repository.store)
    if output.as_json:
        output.result({"backups": [backup_document(backup) for backup in backups]}, ())
    elif backups:
        output.result({}, table(HEADER, [_row(backup) for backup in backups]))
    else:
        output.result({}, [f"no backups in {repository.store.url}"])
    for backup in backups:
        if backup.problem:
            output.warn(f"{backup.name}: {backup.problem}")
    if unused:
        hint = BackupHint.CHECK_DESTINATION().worded(WORDS)
        output.warn(f"{repository.store.url} has never been used. {hint}")
    return WARNINGS if unused else DONE


def show(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Show one backup."""
    found = service.find(arguments.name, store=arguments.store)
    output.findings(found.findings)
    document = backup_document(found.backup)
    output.result(document, table(("", ""), [*backup_rows(found.backup)])[1:])
    return WARNINGS if found.findings else DONE


def status(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Show the last backup, the next run, the policy and running operations."""
    del arguments
    with output.tally() as on_progress:
        report = service.status(on_progress=on_progress)
    if len(report.stores) == 1 and report.stores[0].error:
        raise report.stores[0].error
    document = status_document(report, WORDS)
    rows = [("database", report.database or "not known"), ("state", report.state)]
    rows += [row for store in report.stores for row in _status_rows(store, report.now)]
    next_backup = report.next_backup.astimezone(time_zone(report.timezone))
    shown = f"{next_backup:%Y-%m-%d %H:%M} {report.timezone}"
    rows.append(("schedule", f"{service.settings.schedule}, next run at {shown}"))
    output.result(document, table(("", ""), rows)[1:])
    for store in report.stores:
        if store.error:
            output.warn(store.error.worded(WORDS))
    output.findings(report.findings)
    return DONE if report.state == "ok" else WARNINGS


def unlock(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Remove leases that have expired."""
    del arguments
    removed = service.unlock()
    document = {
        "removed": [
            {"store": url, "purpose": lease.purpose, "owner": lease.owner}
            for url, leases in removed.items()
            for lease in leases
        ]
    }
    lines = [
        f"{url}: removed the lease of {lease.owner}: {lease.purpose}"
        for url, leases in removed.items()
        for lease in leases
    ]
    output.result(document, lines or ["no lease has expired"])
    return DONE


def _status_rows(store: StoreStatus, now: datetime) -> Iterator[tuple[str, str]]:
    yield "store", store.url
    if store.error:
        yield "problem", store.error.worded(WORDS)
        return
    others = len(store.backups) - len(store.counting)
    of_others = f", {others} of them of other databases" if others else ""
    yield "backups", f"{len(store.backups)}{of_others}, {len(store.damaged)} damaged"
    last = store.last_good
    age = f", {span(now - last.manifest.finished_at)} ago" if last and last.manifest else ""
    yield "last good backup", f"{last.name}{age}" if last else "none"
    free = f", {size(store.free_bytes)} free" if store.free_bytes is not None else ""
    yield "stored", f"{size(store.stored_bytes)}{free}"
    yield "retention", store.retention
    for lease in store.leases:
        state = "expired: see 'brownie-backup unlock'" if lease.expired(now) else "running"
        since = f"for {span(now - lease.acquired_at)}"
        yield "lease", f"{lease.purpose}, by {lease.owner}, {since}, {state}"


def _row(backup: Backup) -> tuple[str, ...]:
    manifest = backup.manifest
    if manifest is None:
        return (backup.name, *("?" for _ in HEADER[2:]), status_of(backup))
    return (
        backup.name,
        written(manifest.finished_at),
        size(manifest.stored_bytes),
        size(manifest.new_bytes),
        size(manifest.database.size_bytes) if manifest.database else "?",
        span(manifest.duration),
        manifest.encryption.method if manifest.encrypted else "no",
        status_of(backup),
    )

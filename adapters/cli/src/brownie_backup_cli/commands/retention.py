"""Commands that decide which backups are kept, in every store."""

import argparse
from collections.abc import Mapping
from typing import TypeVar

from brownie_backup import (
    RetentionReport,
)
from brownie_backup.errors import BackupError, Busy
from brownie_backup.notifications import RETENTION, notified
from brownie_backup.service import Service
from brownie_backup.service.documents import cleanup_document, hold_document
from brownie_backup.wording import counted
from brownie_backup_cli.exit_codes import DONE, WARNINGS
from brownie_backup_cli.output import Output, size, table
from brownie_backup_cli.vocabulary import WORDS

T = TypeVar("T")


def cleanup(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Apply each store's retention policy."""
    wanted = not arguments.dry_run
    with (
        notified(service, RETENTION, WORDS, wanted=wanted) as run,
        output.tally() as on_progress,
    ):
        stores = service.cleanup(
            dry_run=arguments.dry_run,
            yes_delete_many=arguments.yes_delete_many,
            all_databases=arguments.all_databases,
            operation_id=run.operation,
            on_progress=on_progress,
        )
        failed = (store.problem for store in stores if store.problem)
        run.problem = next((each for each in failed if not isinstance(each, Busy)), None)
    reports = {store.url: store.report for store in stores if store.report}
    problems = {store.url: store.problem for store in stores if store.problem}
    first, *copies = [cleanup_document(each, WORDS) for each in stores]
    lines: list[str] = []
    for url, report in reports.items():
        lines += [f"{url}:"] if copies else []
        lines += _cleaned(report, verbose=arguments.verbose)
    warnings = [
        *(f"nothing would be deleted: {each}" for r in reports.values() for each in r.refusals),
        *(note for report in reports.values() for note in report.notes),
    ]
    for warning in warnings:
        output.warn(warning)
    output.result({**first, "dry_run": arguments.dry_run, "copies": copies}, lines)
    return WARNINGS if _warned(output, problems) or warnings else DONE


def delete(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Delete a backup from every store."""
    service.delete(arguments.name)
    then = "'brownie-backup cleanup' frees the blobs that only it used, once they are 24 hours old"
    output.result({"deleted": arguments.name}, [f"{arguments.name} was deleted; {then}"])
    return DONE


def hold(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Keep a backup in every store, whatever the retention policy says."""
    done = service.hold(arguments.name, until=arguments.until)
    held = next(iter(done.done.values()))
    name = held.backup
    lines = [f"{name} is {held}; 'brownie-backup release {name}' ends the hold"]
    output.result({"backup": name, "hold": hold_document(held), "stores": list(done.done)}, lines)
    return WARNINGS if _warned(output, done.problems) else DONE


def release(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """End the hold of a backup in every store."""
    found: list[str] = []
    done = service.release(arguments.name, on_found=found.append)
    name = found[0]
    was_held = any(done.done.values())
    lines = [f"{name} is no longer held" if was_held else f"{name} was not held"]
    output.result({"released": name, "was_held": was_held, "stores": list(done.done)}, lines)
    return WARNINGS if _warned(output, done.problems) else DONE


def _warned(output: Output, problems: Mapping[str, BackupError]) -> bool:
    for url, problem in problems.items():
        output.warn(f"{url}: {problem.worded(WORDS)}")
    return bool(problems)


def _cleaned(report: RetentionReport, *, verbose: bool) -> list[str]:
    would = "would be " if report.dry_run else ""
    lines: list[str] = []
    if verbose or report.dry_run:
        rows = [("keep" if d.keep else "delete", d.backup.name, d.reason) for d in report.decisions]
        lines += table(("", "Name", "Reason"), rows) if rows else []
    if report.locked:
        lines.append(f"{counted(len(report.locked), 'backup')} kept: locked by the store")
    if report.locked_blobs:
        lines.append(f"{counted(report.locked_blobs, 'blob')} kept: locked by the store")
    if report.young_blobs:
        young = f"{counted(report.young_blobs, 'blob')} ({size(report.young_bytes)})"
        lines.append(f"{young} that no backup needs kept: younger than 24 hours")
    lines.append(
        f"{counted(len(report.deleted), 'backup')} {would}deleted, "
        f"{len(report.decisions)} checked; "
        f"{counted(report.swept_blobs, 'blob')} {would}removed, "
        f"{size(report.swept_bytes)} {would}freed"
    )
    return lines

"""Commands that decide which backups stay."""

import argparse
from typing import Any

from brownie_backup import (
    DatabaseId,
    RetentionReport,
    apply_retention,
    delete_backup,
    hold_backup,
    release_backup,
)
from brownie_backup.config import Settings, make_dumper, make_repositories
from brownie_backup.errors import (
    Busy,
    DatabaseError,
    DatabaseNotFound,
    DeletionRefused,
    StoreError,
)
from brownie_backup_cli.documents import hold_document
from brownie_backup_cli.exits import DONE, WARNINGS
from brownie_backup_cli.output import Output, size, table


def cleanup(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Apply the retention policy, in each store its own."""
    database = None if arguments.all_databases else _database(settings)
    repositories = make_repositories(settings)
    documents, lines, problems = [], [], []
    for repository in repositories:
        try:
            report = apply_retention(
                repository,
                repository.policy,
                database=database,
                dry_run=arguments.dry_run,
                yes_delete_many=arguments.yes_delete_many,
            )
        except (Busy, DeletionRefused, StoreError) as error:
            if len(repositories) == 1:
                raise
            problems.append(f"{repository.store.url}: {error}")
            documents.append({"store": repository.store.url, "problem": str(error)})
            continue
        problems += [f"nothing would be deleted: {refusal}" for refusal in report.refusals]
        problems += report.notes
        documents.append(_document(repository.store.url, report))
        lines += [f"{repository.store.url}:"] if len(repositories) > 1 else []
        lines += _cleaned(report, verbose=arguments.verbose)
    for problem in problems:
        output.warn(problem)
    output.result(documents[0] | {"copies": documents[1:]}, lines)
    return WARNINGS if problems else DONE


def _document(url: str, report: RetentionReport) -> dict[str, Any]:
    return {
        "store": url,
        "problem": None,
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


def delete(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete a backup."""
    repository, *copies = make_repositories(settings)
    delete_backup(repository, arguments.name, copies=copies)
    lines = [f"{arguments.name} is deleted; 'brownie-backup cleanup' frees what it alone held"]
    output.result({"deleted": arguments.name}, lines)
    return DONE


def hold(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Keep a backup whatever the policy says."""
    repository, *copies = make_repositories(settings)
    held = hold_backup(repository, arguments.name, until=arguments.until, copies=copies)
    lines = [f"{held.backup} is {held}; 'brownie-backup release {held.backup}' ends that"]
    output.result({"backup": held.backup, "hold": hold_document(held)}, lines)
    return DONE


def release(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """End a hold."""
    repository, *copies = make_repositories(settings)
    was_held = release_backup(repository, arguments.name, copies=copies)
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

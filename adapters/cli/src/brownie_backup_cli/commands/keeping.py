"""Commands that decide which backups stay: each works in every store."""

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from brownie_backup import (
    DatabaseId,
    Repository,
    RetentionReport,
    apply_retention,
    delete_backup,
    hold_backup,
    release_backup,
)
from brownie_backup.config import Settings, make_dumper, make_repositories
from brownie_backup.documents import cleanup_document, hold_document
from brownie_backup.errors import (
    BackupError,
    BackupNotFound,
    DatabaseError,
    DatabaseNotFound,
)
from brownie_backup.operations.find import find_backup
from brownie_backup_cli.exits import DONE, WARNINGS
from brownie_backup_cli.output import Output, size, table

T = TypeVar("T")


def cleanup(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Apply each store's retention policy."""
    repositories = make_repositories(settings)
    database = None if arguments.all_databases else _database(settings)
    with output.tally() as on_progress:
        reports, problems = _everywhere(
            repositories,
            lambda repository: apply_retention(
                repository,
                repository.policy,
                database=database,
                dry_run=arguments.dry_run,
                yes_delete_many=arguments.yes_delete_many,
                on_progress=on_progress,
            ),
        )
    urls = [repository.store.url for repository in repositories]
    first, *copies = [cleanup_document(url, reports.get(url), problems.get(url)) for url in urls]
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


def delete(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete a backup wherever it is."""
    repository, *copies = make_repositories(settings)
    delete_backup(repository, arguments.name, copies=copies)
    lines = [f"{arguments.name} is deleted; 'brownie-backup cleanup' frees what it alone held"]
    output.result({"deleted": arguments.name}, lines)
    return DONE


def hold(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Keep a backup whatever the policy says, wherever it is."""
    repositories = make_repositories(settings)
    name = find_backup(repositories, arguments.name, damaged_too=True).backup.name
    done, problems = _everywhere(
        repositories, lambda r: hold_backup(r, name, until=arguments.until)
    )
    held = next(iter(done.values()))
    lines = [f"{name} is {held}; 'brownie-backup release {name}' ends that"]
    output.result({"backup": name, "hold": hold_document(held), "stores": list(done)}, lines)
    return WARNINGS if _warned(output, problems) else DONE


def release(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """End the hold of a backup wherever it is."""
    name = arguments.name
    done, problems = _everywhere(make_repositories(settings), lambda r: release_backup(r, name))
    was_held = any(done.values())
    lines = [f"{name} is no longer held" if was_held else f"{name} was not held"]
    output.result({"released": name, "was_held": was_held, "stores": list(done)}, lines)
    return WARNINGS if _warned(output, problems) else DONE


def _everywhere(
    repositories: Iterable[Repository], verb: Callable[[Repository], T]
) -> tuple[dict[str, T], dict[str, BackupError]]:
    """Do something in every store; return what came of it, and what went wrong, by URL.

    A store that fails does not keep the others from it. What could be done nowhere raises.
    """
    done: dict[str, T] = {}
    problems: dict[str, BackupError] = {}
    for repository in repositories:
        try:
            done[repository.store.url] = verb(repository)
        except BackupError as error:
            problems[repository.store.url] = error
    serious = {u: e for u, e in problems.items() if not isinstance(e, BackupNotFound)}
    if not done:
        raise next(iter((serious or problems).values()))
    return done, serious


def _warned(output: Output, problems: Mapping[str, BackupError]) -> bool:
    for url, problem in problems.items():
        output.warn(f"{url}: {problem}")
    return bool(problems)


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
    lines: list[str] = []
    if verbose or report.dry_run:
        rows = [("keep" if d.keep else "delete", d.backup.name, d.reason) for d in report.decisions]
        lines += table(("", "Name", "Reason"), rows) if rows else []
    if report.locked:
        lines.append(f"{len(report.locked)} backups stay: the store does not let them go yet")
    if report.locked_blobs:
        lines.append(f"{report.locked_blobs} blobs stay: the store does not let them go yet")
    lines.append(
        f"{len(report.deleted)} backups {would}deleted, {len(report.decisions)} seen; "
        f"{report.swept_blobs} blobs {would}removed, {size(report.swept_bytes)} {would}freed"
    )
    return lines

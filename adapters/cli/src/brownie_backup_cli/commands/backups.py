"""Commands that make, restore and delete backups."""

import argparse

from brownie_backup import (
    RestoreOptions,
    RestoreReport,
    RetentionReport,
    apply_retention,
    create_backup,
    delete_backup,
)
from brownie_backup import restore as restore_backup
from brownie_backup.config import Settings, make_dumper, make_repository
from brownie_backup.model import Backup, Status
from brownie_backup_cli.documents import (
    backup_document,
    finding_document,
)
from brownie_backup_cli.exits import DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output, size, span, table


def backup(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Make a backup."""
    repository = make_repository(settings, writes=True)
    with output.progress() as on_progress:
        report = create_backup(
            repository,
            make_dumper(settings),
            name=arguments.name,
            labels=dict(arguments.labels),
            jobs=settings.parallel_jobs,
            on_progress=on_progress,
        )
    manifest = report.manifest
    document = {
        "backup": backup_document(Backup(manifest.name, Status.GOOD, manifest)),
        "new_blobs": report.new_blobs,
        "new_bytes": report.new_bytes,
        "reused_blobs": report.reused_blobs,
        "reused_bytes": report.reused_bytes,
    }
    lines = [
        (
            f"{manifest.name}: {size(manifest.size_bytes)} of '{manifest.database.name}' "
            f"in {span(manifest.duration)}"
        ),
        (
            f"{size(report.new_bytes)} stored in {report.new_blobs} blobs, "
            f"{size(report.reused_bytes)} were there already"
        ),
        *(f"note: {note}" for note in manifest.notes),
    ]
    output.result(document, lines)
    return DONE


def restore(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Restore a backup."""
    options = RestoreOptions(
        replace=arguments.replace,
        with_roles=arguments.with_roles,
        owner=not arguments.no_owner,
        privileges=not arguments.no_acl,
        tablespaces=not arguments.no_tablespaces,
        keep_failed=arguments.keep_failed,
        jobs=settings.parallel_jobs,
    )
    with output.progress() as on_progress:
        report = restore_backup(
            make_repository(settings),
            make_dumper(settings),
            arguments.name,
            target_database=arguments.target_db,
            options=options,
            dry_run=arguments.dry_run,
            on_progress=on_progress,
        )
    document = {
        "backup": report.backup,
        "target_database": report.target_database,
        "dry_run": report.dry_run,
        "size_bytes": report.size_bytes,
        "duration_seconds": report.duration.total_seconds(),
        "replaced_database": report.replaced_database,
        "created_roles": list(report.created_roles),
        "findings": [finding_document(finding) for finding in report.findings],
    }
    output.findings(report.findings)
    output.result(document, _restored(report))
    if any(finding.level == "error" for finding in report.findings):
        return FAILED  # a dry run that says: it would
    return WARNINGS if report.warnings else DONE


def delete(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete a backup."""
    delete_backup(make_repository(settings), arguments.name)
    lines = [f"{arguments.name} is deleted; 'brownie-backup cleanup' frees what it alone held"]
    output.result({"deleted": arguments.name}, lines)
    return DONE


def cleanup(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Apply the retention policy."""
    with output.tally() as on_progress:
        report = apply_retention(
            make_repository(settings),
            settings.policy,
            dry_run=arguments.dry_run,
            on_progress=on_progress,
        )
    document = {
        "dry_run": report.dry_run,
        "decisions": [
            {"name": d.backup.name, "keep": d.keep, "reason": d.reason} for d in report.decisions
        ],
        "deleted": list(report.deleted),
        "swept_blobs": report.swept_blobs,
        "swept_bytes": report.swept_bytes,
        "locked_blobs": report.locked_blobs,
        "notes": list(report.notes),
    }
    for note in report.notes:
        output.warn(note)
    output.result(document, _cleaned(report, verbose=arguments.verbose))
    return WARNINGS if report.notes else DONE


def _restored(report: RestoreReport) -> list[str]:
    if report.dry_run:
        return [(f"would restore {report.backup} ({size(report.size_bytes)}) as "
                f"'{report.target_database}'; nothing was changed")]  # fmt: skip
    lines = [
        (
            f"{report.backup} is restored as '{report.target_database}': "
            f"{size(report.size_bytes)} in {span(report.duration)}"
        )
    ]
    if report.replaced_database:
        lines.append(f"the database that was there is kept as '{report.replaced_database}'")
    if report.created_roles:
        lines.append(f"created roles: {', '.join(report.created_roles)}")
    return lines


def _cleaned(report: RetentionReport, *, verbose: bool) -> list[str]:
    would = "would be " if report.dry_run else ""
    lines = []
    if verbose or report.dry_run:
        rows = [("keep" if d.keep else "delete", d.backup.name, d.reason) for d in report.decisions]
        lines = table(("", "Name", "Reason"), rows) if rows else []
    return [
        *lines,
        (
            f"{len(report.deleted)} backups {would}deleted, {len(report.decisions)} seen; "
            f"{report.swept_blobs} blobs {would}removed, {size(report.swept_bytes)} {would}freed"
        ),
        *([f"{report.locked_blobs} more blobs are locked for now"] if report.locked_blobs else []),
    ]

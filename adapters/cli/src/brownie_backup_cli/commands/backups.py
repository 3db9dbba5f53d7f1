"""Commands that make and restore backups."""

import argparse

from brownie_backup import (
    BackupReport,
    RestoreOptions,
    RestoreReport,
)
from brownie_backup.model.findings import errors_in
from brownie_backup.notifications import BACKUP, notified
from brownie_backup.service import Service
from brownie_backup.service.documents import report_document, restore_document, sync_document
from brownie_backup.wording import counted
from brownie_backup_cli.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output, size, span
from brownie_backup_cli.vocabulary import WORDS


def backup(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Make a backup."""
    with notified(service, BACKUP, WORDS) as run, output.progress() as on_progress:
        report = service.create_backup(
            name=arguments.name,
            labels=dict(arguments.labels),
            full=arguments.full,
            operation_id=run.operation,
            on_progress=on_progress,
        )
        run.backup = report.manifest.name
    manifest = report.manifest
    lines = [
        (
            f"{manifest.name}: {size(manifest.size_bytes)} of '{manifest.backup_set.name}' "
            f"in {span(manifest.duration)}"
        ),
        (
            f"{size(report.new_bytes)} stored in {counted(report.new_blobs, 'blob')}, "
            f"{size(report.reused_bytes)} already stored"
        ),
        *_ranges(report),
        *(f"note: {note}" for note in manifest.notes if note not in report.warnings),
    ]
    if service.settings.copies:
        lines += [f"stored in {outcome.url}" for outcome in report.stores if outcome.stored]
    output.result(report_document(report, WORDS), lines)
    if report.all_read_because:
        output.say(f"every range was read: {report.all_read_because}")
    return WARNINGS if _warned(report, output) else DONE


def _warned(report: BackupReport, output: Output) -> bool:
    """Print the warnings of a backup; return whether there are any."""
    missing = {outcome.url: outcome.problem for outcome in report.stores if outcome.problem}
    for url, problem in missing.items():
        output.warn(f"not stored in {url}: {problem.worded(WORDS)}")
    problems = [
        *report.warnings,
        *(
            f"{synced.url}: {problem.worded(WORDS)}"
            for synced in report.synced
            for problem in synced.problems
            if synced.url not in missing
        ),
    ]
    for each in problems:
        output.warn(each)
    return bool(missing or problems)


def restore(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Restore a backup."""
    options = RestoreOptions(
        replace=arguments.replace,
        with_roles=arguments.with_roles,
        owner=not arguments.no_owner,
        privileges=not arguments.no_acl,
        tablespaces=not arguments.no_tablespaces,
        accept_unencrypted=arguments.accept_unencrypted,
        accept_differences=arguments.accept_differences,
        accept_errors=arguments.accept_errors,
        exclude_extensions=tuple(arguments.exclude_extensions),
        exclude_tables=tuple(arguments.exclude_tables),
        exclude_table_data=tuple(arguments.exclude_table_data),
        exclude_event_triggers=arguments.exclude_event_triggers,
        exclude_settings=arguments.exclude_settings,
        locale=arguments.locale,
        keep_failed=arguments.keep_failed,
        jobs=service.settings.parallel_jobs,
        tables=tuple(arguments.tables),
        schemas=tuple(arguments.schemas),
        into=arguments.into,
        indexes=not arguments.no_indexes,
        constraints=not arguments.no_constraints,
    )
    with output.progress() as on_progress:
        report = service.restore(
            arguments.name,
            target_database=arguments.target_db,
            options=options,
            dry_run=arguments.dry_run,
            store=arguments.store,
            on_progress=on_progress,
        )
    output.findings(report.findings)
    lines = _restored(report, options, several=bool(service.settings.copies))
    output.result(restore_document(report, WORDS), lines)
    if errors_in(report.findings):
        return FAILED  # of a dry run: the restore would fail
    return WARNINGS if report.warnings else DONE


def sync(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Copy to each store the backups that it lacks."""
    del arguments
    with output.progress() as on_progress:
        reports = service.sync(on_progress=on_progress)
    lines = []
    for report in reports:
        done = [f"{counted(len(report.copied), 'backup')} copied", f"{len(report.mended)} repaired"]
        blobs = f"{counted(report.copied_blobs, 'blob')}, {size(report.copied_bytes)}"
        lines.append(f"{report.url}: {', '.join(done)} ({blobs})")
    output.result({"stores": [sync_document(report, WORDS) for report in reports]}, lines)
    problems = [
        f"{report.url}: {each.worded(WORDS)}" for report in reports for each in report.problems
    ]
    for problem in problems:
        output.warn(problem)
    return WARNINGS if problems else DONE


def _ranges(report: BackupReport) -> list[str]:
    if not report.ranges and not report.skipped_ranges:
        return []
    unread = f", {report.skipped_ranges} unchanged and not read" if report.skipped_ranges else ""
    return [f"large tables: {counted(report.ranges, 'range')} read{unread}"]


def _restored(report: RestoreReport, options: RestoreOptions, *, several: bool) -> list[str]:
    if report.dry_run:
        if errors := errors_in(report.findings):
            problems = counted(len(errors), "problem")
            target = f"{report.backup} to '{report.target_database}'"
            return [f"the restore of {target} would fail: {problems}; nothing was changed"]
        if options.selects:
            (chosen,) = (f.message for f in report.findings if f.subject == "chosen")
            how = f"from {report.backup} to '{report.target_database}': {chosen}"
        else:
            how = f"{report.backup} ({size(report.size_bytes)}) as '{report.target_database}'"
            how += ", in place of one that exists" if options.replace else ""
        return [f"would restore {how}; nothing was changed"]
    source = f" from {report.store_url}" if several else ""
    spent = f"{size(report.size_bytes)} in {span(report.duration)}"
    target = report.target_database
    if options.selects:
        head = f"restored from {report.backup}{source} to '{target}'"
    else:
        head = f"{report.backup} is restored{source} as '{target}'"
    lines = [f"{head}: {spent}"]
    lines += [f"{table.name}: {counted(table.rows, 'row')}" for table in report.detail.tables]
    if report.detail.replaced_database:
        lines.append(f"the replaced database is kept as '{report.detail.replaced_database}'")
    if report.detail.created_roles:
        lines.append(f"created roles: {', '.join(report.detail.created_roles)}")
    return lines

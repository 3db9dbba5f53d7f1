"""The model as JSON documents for programs. Field names are part of our interface.

Functions for objects with hints take the words of the interface that the document is for.
"""

from datetime import datetime, timedelta
from typing import Any

from brownie_backup.audit.proof import AuditProof
from brownie_backup.audit.record import AuditRecord
from brownie_backup.format.converter import converter
from brownie_backup.hints import Hint, Vocabulary
from brownie_backup.model import Backup, Hold, Status, Verification
from brownie_backup.model.findings import Finding, errors_in
from brownie_backup.model.reports import (
    BackupReport,
    Comparison,
    RestoreReport,
    StoreCleanup,
    StoreOutcome,
    StoreSync,
    TableRange,
)
from brownie_backup.operations.status_report import StatusReport, StoreStatus

_LINKS = frozenset({"format", "previous", "seen"})


def backup_document(backup: Backup) -> dict[str, Any]:
    """Return a backup, without its blobs: those are in the manifest."""
    manifest = backup.manifest
    document: dict[str, Any] = {
        "name": backup.name,
        "status": str(backup.status),
        "problem": backup.problem or None,
        "verification": verification_document(backup.verification),
        "hold": hold_document(backup.hold),
    }
    if manifest:
        document |= {
            "id": manifest.id,
            "kind": manifest.kind,
            "created_at": instant(manifest.finished_at),
            "started_at": instant(manifest.started_at),
            "duration_seconds": manifest.duration.total_seconds(),
            "database": converter.unstructure(manifest.database) if manifest.database else None,
            "size_bytes": manifest.size_bytes,
            "stored_bytes": manifest.stored_bytes,
            "new_bytes": manifest.new_bytes,
            "compression": manifest.compression,
            "encryption": converter.unstructure(manifest.encryption),
            "labels": dict(manifest.labels),
            "notes": list(manifest.notes),
            "parts": [
                {
                    "kind": part.kind,
                    "size_bytes": part.size_bytes,
                    "blobs": len(part.blobs),
                    "rows": part.rows,
                    "table_oid": part.table.oid if part.table else None,
                }
                for part in manifest.parts
            ],
            "tool_version": manifest.tool_version,
        }
    return document


def report_document(report: BackupReport, words: Vocabulary) -> dict[str, Any]:
    """Return the outcome of a backup."""
    manifest = report.manifest
    return {
        "backup": backup_document(Backup(manifest.name, Status.GOOD, manifest)),
        "new_blobs": report.new_blobs,
        "new_bytes": report.new_bytes,
        "reused_blobs": report.reused_blobs,
        "reused_bytes": report.reused_bytes,
        "stores": [store_document(outcome, words) for outcome in report.stores],
        "synced": [sync_document(synced, words) for synced in report.synced],
        "ranges": report.ranges,
        "skipped_ranges": report.skipped_ranges,
        "all_read_because": report.all_read_because or None,
        "contradictions": [range_document(each) for each in report.contradictions],
        "warnings": list(report.warnings),
    }


def restore_document(report: RestoreReport, words: Vocabulary) -> dict[str, Any]:
    """Return the outcome of a restore, or of a dry run."""
    return {
        "backup": report.backup,
        "target_database": report.target_database,
        "store": report.store_url,
        "dry_run": report.dry_run,
        "would_fail": report.dry_run and bool(errors_in(report.findings)),
        "size_bytes": report.size_bytes,
        "duration_seconds": report.duration.total_seconds(),
        "replaced_database": report.detail.replaced_database,
        "created_roles": list(report.detail.created_roles),
        "tables": [{"name": table.name, "rows": table.rows} for table in report.detail.tables],
        "differences": list(report.detail.differences),
        "failed": [
            {"kind": each.kind, "name": each.name, "error": each.error}
            for each in report.detail.failed
        ],
        "findings": [finding_document(finding, words) for finding in report.findings],
    }


def status_document(report: StatusReport, words: Vocabulary) -> dict[str, Any]:
    """Return the state of backups; the primary store's state is beside the overall state."""
    primary, *copies = (store_status_document(store, report.now, words) for store in report.stores)
    return {
        **primary,
        "copies": copies,
        "state": report.state,
        "ready": report.ready,
        "database": report.database,
        "last_backup": backup_document(report.last) if report.last else None,
        "last_success_at": _finished_at(report.last_good),
        "last_success_age_seconds": seconds(report.last_good_age),
        "last_verified_at": _verified_at(report.last_verified),
        "last_content_verified_at": instant(at)
        if (at := report.last_content_verified_at)
        else None,
        "last_verified": report.last_verified.name if report.last_verified else None,
        "schedule": report.schedule,
        "timezone": report.timezone,
        "next_backup": instant(report.next_backup),
        "interval_seconds": seconds(report.interval),
        "retention_days": report.retention_days,
        "findings": [finding_document(finding, words) for finding in report.findings],
        "version": report.version,
    }


def store_status_document(store: StoreStatus, now: datetime, words: Vocabulary) -> dict[str, Any]:
    """Return the state of one store."""
    last = store.last_good
    return {
        "store": store.url,
        "problem": store.error.worded(words) if store.error else None,
        "reachable": store.error is None,
        "free_bytes": store.free_bytes,
        "stored_bytes": store.stored_bytes,
        "backups": len(store.backups),
        "damaged": list(store.damaged),
        "last_good": backup_document(last) if last else None,
        "last_good_age_seconds": seconds(
            now - last.manifest.finished_at if last and last.manifest else None
        ),
        "retention": store.retention,
        "would_delete": list(store.would_delete),
        "leases": [
            {
                "purpose": lease.purpose,
                "owner": lease.owner,
                "exclusive": lease.exclusive,
                "age_seconds": (now - lease.acquired_at).total_seconds(),
                "expired": lease.expired(now),
            }
            for lease in store.leases
        ],
    }


def verification_document(verification: Verification | None) -> dict[str, Any] | None:
    """Return the outcome of a verification."""
    if verification is None:
        return None
    document: dict[str, Any] = converter.unstructure(verification)
    return document | {"complete": verification.complete}


def hold_document(hold: Hold | None) -> dict[str, Any] | None:
    """Return a hold."""
    if hold is None:
        return None
    return {
        "held_at": instant(hold.held_at),
        "by": hold.by,
        "until": instant(hold.until) if hold.until else None,
    }


def cleanup_document(cleanup: StoreCleanup, words: Vocabulary) -> dict[str, Any]:
    """Return the outcome of a cleanup in one store, or why it did nothing there."""
    report, problem = cleanup.report, cleanup.problem
    decisions = report.decisions if report else ()
    return {
        "store": cleanup.url,
        "problem": problem.worded(words) if problem else None,
        "decisions": [
            {"name": d.backup.name, "keep": d.keep, "reason": d.reason} for d in decisions
        ],
        "deleted": list(report.deleted) if report else [],
        "locked": list(report.locked) if report else [],
        "swept_blobs": report.swept_blobs if report else 0,
        "swept_bytes": report.swept_bytes if report else 0,
        "locked_blobs": report.locked_blobs if report else 0,
        "young_blobs": report.young_blobs if report else 0,
        "young_bytes": report.young_bytes if report else 0,
        "notes": list(report.notes) if report else [],
        "refusals": list(report.refusals) if report else [],
    }


def audit_document(entry: AuditRecord) -> dict[str, Any]:
    """Return one entry of the audit trail, without the fields that link the records."""
    document: dict[str, Any] = converter.unstructure(entry)
    return {name: value for name, value in document.items() if name not in _LINKS}


def proof_document(proof: AuditProof) -> dict[str, Any]:
    """Return the outcome of checking a store's audit trail."""
    return {
        "store": proof.store_url,
        "good": proof.good,
        "records": proof.records,
        "unrecorded": proof.unrecorded,
        "problems": [{"key": each.key, "message": each.message} for each in proof.problems],
    }


def finding_document(finding: Finding, words: Vocabulary) -> dict[str, Any]:
    """Return a finding."""
    return {
        "level": finding.level,
        "subject": finding.subject,
        "message": finding.message,
        **hint_fields(finding.hint, words),
    }


def hint_fields(hint: Hint | None, words: Vocabulary) -> dict[str, Any]:
    """Return a hint in the form of every document: in words, with its code for programs."""
    return {
        "hint": hint.worded(words) if hint else "",
        "hint_code": str(hint.code) if hint else None,
    }


def store_document(outcome: StoreOutcome, words: Vocabulary) -> dict[str, Any]:
    """Return the outcome in one store."""
    return {
        "url": outcome.url,
        "problem": outcome.problem.worded(words) if outcome.problem else "",
        "copied_blobs": outcome.copied_blobs,
        "copied_bytes": outcome.copied_bytes,
        "stored": outcome.stored,
    }


def range_document(found: TableRange) -> dict[str, int]:
    """Return a range of a large table."""
    return {"oid": found.oid, "first_block": found.blocks.first, "end_block": found.blocks.end}


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return the outcome of a comparison with the database."""
    return {
        "backup": comparison.backup,
        "compared_ranges": comparison.compared_ranges,
        "total_ranges": comparison.total_ranges,
        "differences": [range_document(each) for each in comparison.differences],
        "why_not": comparison.why_not or None,
    }


def sync_document(report: StoreSync, words: Vocabulary) -> dict[str, Any]:
    """Return the outcome of a sync in one store."""
    return {
        "url": report.url,
        "copied": list(report.copied),
        "mended": list(report.mended),
        "copied_blobs": report.copied_blobs,
        "copied_bytes": report.copied_bytes,
        "problems": [problem.worded(words) for problem in report.problems],
    }


def instant(value: datetime) -> str:
    """Return an instant as ISO 8601, UTC, whole seconds."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(span: timedelta | None) -> float | None:
    """Return a span in seconds."""
    return None if span is None else span.total_seconds()


def _finished_at(backup: Backup | None) -> str | None:
    return instant(backup.manifest.finished_at) if backup and backup.manifest else None


def _verified_at(backup: Backup | None) -> str | None:
    return instant(backup.verification.verified_at) if backup and backup.verification else None

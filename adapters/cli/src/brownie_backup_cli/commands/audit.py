"""The command that shows and checks the audit trail."""

import argparse

from brownie_backup.audit.proof import AuditProof
from brownie_backup.audit.record import AuditRecord
from brownie_backup.model import Checked
from brownie_backup.service import Service
from brownie_backup.service.documents import audit_document, proof_document
from brownie_backup.wording import counted, written
from brownie_backup_cli.exit_codes import DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output, size, table
from brownie_backup_cli.vocabulary import WORDS

HEADER = ("When", "Who", "From", "Action", "Backup", "Outcome", "Duration", "Size")
LIMIT = 100
_UNRECORDED = "All records were removed, or a program that records nothing made the backups"


def audit(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Show the audit trail of one store; with --verify, check that of every store."""
    trail = service.audit(
        since=arguments.since,
        action=arguments.action,
        limit=arguments.limit or (None if arguments.since else LIMIT),
        store=arguments.store,
    )
    lines = [f"nothing is recorded in {trail.store_url}"]
    if trail.entries:
        lines = table(HEADER, [_row(entry) for entry in trail.entries])
    document = {
        "store": trail.store_url,
        "entries": [audit_document(entry) for entry in trail.entries],
        "proofs": [],
    }
    if not arguments.verify:
        output.result(document, lines)
        return DONE
    proved = service.prove_audit(since=arguments.since)
    proofs = tuple(proved.done.values())
    document["proofs"] = [proof_document(proof) for proof in proofs]
    output.result(document, [*lines, "", *(_verdict(proof) for proof in proofs)])
    for proof in proofs:
        for problem in proof.problems:
            output.warn(f"{proof.store_url}: {problem}")
        if proof.unrecorded:
            output.warn(f"{proof.store_url} has backups and no record. {_UNRECORDED}")
    for url, error in proved.problems.items():
        output.warn(f"{url}: {error.worded(WORDS)}")
    if not all(proof.good for proof in proofs):
        return FAILED
    warned = proved.problems or any(proof.unrecorded for proof in proofs)
    return WARNINGS if warned else DONE


def _row(entry: AuditRecord) -> tuple[str, ...]:
    seconds = entry.duration_seconds
    return (
        written(entry.at),
        entry.actor,
        entry.origin,
        _action(entry),
        entry.backup or "-",
        _outcome(entry),
        f"{seconds:.1f} s" if seconds is not None else "-",
        size(entry.size_bytes) if entry.size_bytes is not None else "-",
    )


def _action(entry: AuditRecord) -> str:
    if entry.dry_run:
        return f"{entry.action} (dry run)"
    return f"{entry.action} (structure)" if entry.checked == Checked.STRUCTURE else entry.action


def _outcome(entry: AuditRecord) -> str:
    if entry.outcome is None:
        return "not ended"
    why = entry.error_type or entry.error
    more = f", not in {' '.join(entry.not_done_in)}" if entry.not_done_in else ""
    return f"{entry.outcome}{f': {why}' if why else ''}{more}"


def _verdict(proof: AuditProof) -> str:
    records = counted(proof.records, "record")
    found = counted(len(proof.problems), "PROBLEM", "PROBLEMS")
    verdict = "none changed, none missing" if proof.good else found
    if proof.unrecorded:
        verdict = "although there are backups: see the warning"
    return f"{proof.store_url}: {records}, {verdict}"

"""Objects beside the backups: operations over REST, terms of runners, leases left behind."""

import hashlib
import time
from datetime import UTC, datetime
from typing import Any

from attrs import evolve
from brownie_backup.documents import report_document
from brownie_backup.repository.leadership import Leadership
from brownie_backup.repository.leases import LIFETIME, LeaseRecord
from brownie_backup.repository.register import CANCELLED, FAILED, SUCCEEDED
from brownie_backup.wire import to_json

from brownie_backup import BackupReport
from brownie_backup.repository import OperationRecord, Register, layout
from brownie_backup.stores import LocalStore


def add_operations(register: Register, database: str, report: BackupReport) -> None:
    """Put a record of each state, as a replica does that died in the middle of the last."""
    now = register.clock()
    result = _without_paths(report_document(report))
    for state, more in {
        SUCCEEDED: {"result": result, "backup": "listed"},
        FAILED: {"problem": {"type": "urn:brownie-backup:problem:busy", "status": 409}},
        CANCELLED: {"cancelled_by": "reader", "phase": "backup"},
    }.items():
        record = OperationRecord(f"{state}-1", "backup", "maker", now, now, database=database)
        register.enter(record)
        register.claim(record)
        register.put(evolve(record, state=state, ended_at=now, **more))  # type: ignore[arg-type]
    lost = OperationRecord("lost-1", "restore", "maker", now, now, database=database)
    register.enter(lost)
    register.claim(lost)
    register.put(evolve(lost, phase="restore", done_bytes=10, total_bytes=1000, backup="first"))
    register.ask_to_cancel(lost.id, "admin")


def _without_paths(document: dict[str, Any]) -> dict[str, Any]:
    for store in document["stores"]:
        store["url"] = "file:///srv/backups"
    return document


def add_terms(store: LocalStore, database: str) -> None:
    """Lead as a runner does, twice, and step down."""
    purpose = f"runner-{hashlib.sha256(database.encode()).hexdigest()[:16]}"
    for _ in range(2):
        leadership = Leadership(store, purpose, elapsed=time.monotonic)
        assert [leadership.look() for _ in range(3)] == [True] * 3
        leadership.resign()


def add_leases(store: LocalStore, host: str) -> None:
    """Leave leases behind, as clients do that are killed."""
    now = datetime.now(UTC)
    for number, (purpose, exclusive, backup) in enumerate(
        (("backup 'killed'", False, "killed"), ("cleanup", True, None)), 1
    ):
        owner = f"process {number} on {host}"
        key = f"{number:016x}"
        lease = LeaseRecord(key, purpose, exclusive, owner, now, now + LIFETIME, backup)
        store.put(layout.lease_key(key), to_json(lease))

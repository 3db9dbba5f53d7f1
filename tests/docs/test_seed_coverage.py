"""The page that names a test for each item of the first description is complete, and true."""

import re
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, page

pytestmark = pytest.mark.once

PAGE = page("docs/reference/seed-coverage.md")
SEED: dict[str, list[str]] = {
    "Quick start": [
        "export BACKUP_…",
        "docker compose up -d",
        "kubectl apply -f k8s/backup.yaml",
        "curl -X POST http://localhost:8000/backup/create",
        "python -m src.backup.cli backup",
    ],
    "Variables": [
        "BACKUP_PROVIDER",
        "BACKUP_DESTINATION",
        "BACKUP_SCHEDULE",
        "BACKUP_RETENTION_DAYS",
        "BACKUP_COMPRESSION",
        "BACKUP_ENCRYPTION",
        "BACKUP_ACCESS_KEY",
        "BACKUP_SECRET_KEY",
        "BACKUP_TOKEN",
        "BACKUP_REGION",
        "BACKUP_PARALLEL_JOBS",
        "BACKUP_DEBUG",
        "HTTP_PROXY",
        "HTTPS_PROXY",
    ],
    "Providers": [
        "AWS S3",
        "Google Cloud Storage",
        "Azure Blob Storage",
        "Local Filesystem",
    ],
    "Endpoints": [
        "GET /backup/status",
        "POST /backup/create",
        "POST /backup/restore",
        "GET /backup/list",
        "DELETE /backup/{name}",
        "POST /backup/cleanup",
        "POST /backup/run-now",
        "GET /backup/next-backup",
        "GET /health",
        "GET /metrics",
    ],
    "Example API usage": [
        "curl … /backup/create -d '{\"backup_name\": …}'",
        "curl … /backup/list",
        'curl … /backup/restore -d \'{"backup_name": …, "target_database": …}\'',
        "curl … /backup/status",
    ],
    "Command line": [
        'python -m src.backup.cli backup --name "my-backup"',
        "python -m src.backup.cli list",
        "python -m src.backup.cli restore my-backup --target-db brownie_metadata",
        "python -m src.backup.cli status",
        'python -m src.backup.cli backup --name "pre-deployment-backup"',
        "python -m src.backup.cli restore my-backup --target-db brownie_metadata_test",
        "python -m src.backup.cli delete my-backup",
        "python -m src.backup.cli cleanup",
        "python -m src.backup.cli cleanup --verbose",
        "python -m src.backup.cli schedule --start",
        "python -m src.backup.cli schedule --stop",
        "python -m src.backup.cli schedule --status",
    ],
    "Schedules": [
        "0 2 * * *",
        "0 */6 * * *",
        "0 2 * * 0",
        "0 2 1 * *",
        "0 2 * * 1,3,5",
        "minute, hour, day of month, month, day of week",
        "CronJob backup-job",
    ],
    "Security": [
        "Encrypted at rest, before upload",
        "HTTPS/TLS in transit",
        "Cloud KMS",
        "IAM roles",
        "Service accounts",
        "RBAC",
        "Audit trail",
    ],
    "Metrics": [
        "backup_total",
        "backup_duration_seconds",
        "backup_size_bytes",
        "backup_errors_total",
    ],
    "Health checks": [
        "Backup status",
        "Last backup",
        "Storage health",
        "Retention policy",
    ],
    "Alerts": [
        "BackupFailed",
    ],
    "Disaster recovery": [
        "1. Identify latest backup: list",
        "2. Restore database: restore latest-backup",
        "3. Verify restoration: /health and /backup/status",
    ],
    "Troubleshooting": [
        "Authentication error",
        "Permission denied",
        "Network error",
        "Database error",
        "BACKUP_DEBUG=true … backup --verbose",
        "/app/logs/backup.log",
    ],
    "Performance": [
        "curl … /metrics | grep backup_duration",
        'list | grep -E "(Size|Created)"',
    ],
    "Maintenance": [
        "Weekly: verify backup integrity",
        "Monthly: test restore procedures",
        "Quarterly: review retention policies",
        "curl … /backup/status | jq '.retention_days'",
        "list | wc -l",
    ],
}
"""What the description has, section by section; `…` stands for what is the same in each line."""

_CODE = re.compile(r"`([^`]+)`")


def table() -> dict[str, dict[str, list[str]]]:
    """Return the tests of each item of each section."""
    found: dict[str, dict[str, list[str]]] = {}
    for level, heading in PAGE.headings:
        if level == 2:
            rows = PAGE.rows(heading)
            found[heading] = {
                _CODE.findall(item)[0].replace("\\|", "|"): _CODE.findall(tests)
                for item, tests in rows
            }
            assert len(found[heading]) == len(rows), f"{heading}: an item is there twice"
    return found


def test_each_item_has_its_row() -> None:
    assert {heading: list(items) for heading, items in table().items()} == SEED


def test_each_row_has_tests_that_exist() -> None:
    named = {test for items in table().values() for tests in items.values() for test in tests}
    assert all(tests for items in table().values() for tests in items.values())
    # pytest fails if it does not find one of them.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "--quiet",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *sorted(named)], check=False, capture_output=True, cwd=ROOT, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    missing = {name for name in named if not any(each.startswith(name) for each in collected)}
    assert not missing

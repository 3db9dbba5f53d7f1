"""One of the two processes of test_two_processes.py: backs up, or cleans up, again and again."""

import hashlib
import json
import os
import random
import sys
import time
from datetime import timedelta
from pathlib import Path

from tests.unit.fakes import FakeDumper

from brownie_backup import Repository, RetentionPolicy, apply_retention, create_backup
from brownie_backup.compressors import Uncompressed
from brownie_backup.config import load_settings, make_store
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import Busy, DeletionRefused
from brownie_backup.repository import Tuning

KEPT = 4
_CHUNKS = [random.Random(number).randbytes(2000) for number in range(40)]  # noqa: S311 - not secret


def open_repository() -> Repository:
    """Return a repository in the store that the environment names."""
    location = load_settings(os.environ).primary
    # Without a margin nothing but the leases protects the blobs of a backup that is being written.
    tuning = Tuning(blob_bytes=2000, sweep_margin=timedelta(0))
    return Repository(make_store(location), Uncompressed(), Cleartext(), tuning=tuning)


def digest(parts: dict[str, bytes]) -> str:
    """Return a hash of what a backup holds."""
    return hashlib.sha256(b"".join(parts[kind] for kind in sorted(parts))).hexdigest()


def back_up(repository: Repository, seconds: float) -> list[tuple[str, str]]:
    """Make backups of few and often the same chunks; return their names and what was in them.

    For so many seconds, and until there are enough for some to be deleted.
    """
    made: list[tuple[str, str]] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(made) <= 2 * KEPT:  # a busy machine takes longer
        chosen = random.sample(_CHUNKS, 6)
        dumper = FakeDumper({"inventory": b"{}", "archive": b"".join(chosen)})
        name = f"b{len(made):05}"
        try:
            create_backup(repository, dumper, name=name)
        except Busy:
            time.sleep(random.random() / 50)  # noqa: S311 - not secret
        else:
            made.append((name, digest(dumper.content)))
            # The newest are never deleted, so at no time may they lack anything.
            newest = [backup for backup in repository.backups() if backup.good][:2]
            assert [backup.name for backup in newest] == [each for each, _ in made[:-3:-1]]
    return made


def clean_up(repository: Repository, seconds: float) -> tuple[int, int]:
    """Delete all but the newest backups, and sweep; return how many and how many blobs."""
    policy = RetentionPolicy(keep_within=None, keep_last=KEPT, most_deleted_share=1.0)
    deleted = blobs = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until or deleted <= KEPT:
        try:
            report = apply_retention(repository, policy, database=None)
        except (Busy, DeletionRefused):  # the last backup gave way
            time.sleep(random.random() / 50)  # noqa: S311 - not secret
        else:
            deleted, blobs = deleted + len(report.deleted), blobs + report.swept_blobs
            time.sleep(random.random() / 10)  # noqa: S311 - not secret
    return deleted, blobs


if __name__ == "__main__":
    verb = {"back_up": back_up, "clean_up": clean_up}[sys.argv[1]]
    result = verb(open_repository(), float(sys.argv[2]))
    Path(sys.argv[3]).write_text(json.dumps(result), encoding="utf-8")

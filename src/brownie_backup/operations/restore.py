"""Restore a backup."""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce

from attrs import evolve

from brownie_backup.errors import (
    AccessDenied,
    Busy,
    DamagedError,
    RestoreRefused,
    StoreError,
    TargetExists,
)
from brownie_backup.hints import BackupHint, Hint, RestoreHint
from brownie_backup.model import Manifest
from brownie_backup.model.reports import Finding, Level, RestoreOptions, RestoreReport
from brownie_backup.operations.find import LocatedBackup, find_backup
from brownie_backup.pipeline.progress import OnProgress, PartMeter
from brownie_backup.pipeline.reading import (
    inventory_of,
    loading,
    ranges_to_load,
    read_part,
    spec_of,
    whole_parts,
)
from brownie_backup.protocols import Dumper
from brownie_backup.repository import Repository
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.tracing import step

AHEAD = 2
"""How many blobs are read while earlier ones are loaded."""


def restore(
    repository: Repository,
    dumper: Dumper,
    name: str,
    *,
    copies: Sequence[Repository] = (),
    target_database: str | None = None,
    options: RestoreOptions | None = None,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> RestoreReport:
    """Restore a backup into a fresh database, which gets its name only when all is well.

    Or some of its tables, if the options name them; they are added to the target, if it exists.

    Args:
        repository: where the backup is.
        copies: more repositories: where it is if it is not in the first, or not whole.
        dumper: connected to the server to restore to.
        name: of the backup, or ``latest``: of the dumper's database, if the repository has any.
        target_database: its name afterwards; by default that of the database backed up.
        options: how.
        dry_run: check everything that can be checked, change nothing.
        on_progress: called from several threads, one at a time, with plaintext bytes.

    Raises:
        BackupNotFound: no such backup, or no good one.
        TargetExists: the target exists, and ``options.replace`` is not set; or one of the tables
            that were asked for is in it.
        RestoreRefused: something is missing on the server; nothing was changed.
        RestoreFailed: PostgreSQL reported an error; the target is as it was.
        DecryptionError, DamagedError, UnsupportedFormat: the backup could not be read; the target
            is as it was.
        Busy: a cleanup is running.
    """
    options = options or RestoreOptions()
    # Before a lease is written where there may be no repository at all.
    with step("find backup"):
        found = find_backup((repository, *copies), name, whose=dumper.database_name)
    with _leases_if_allowed(found, dry_run=dry_run):
        started_at = repository.clock()
        again = find_backup((found.repository, *found.others), found.backup.name)
        found = evolve(again, findings=(*found.findings, *again.findings))
        manifest = _readable(found)
        codecs = found.repository.codecs
        findings = [*found.findings, *_damage(found), *codecs.findings(manifest)]
        reader = found.repository.reader(manifest, [other.store for other in found.others])
        meter = PartMeter(on_progress, "restore")
        target_name = target_database or manifest.database.name
        first = inventory_of(manifest)
        needs = spec_of(first, manifest)
        with step("read inventory"):
            inventory = b"".join(read_part(reader, first, needs, jobs=1, meter=meter))
        token = secrets.token_hex(4)
        with dumper.restoring(manifest.database, target_name, options, token) as target:
            with step("preflight"):
                findings += target.preflight(inventory, manifest.size_bytes)
            if not dry_run:
                _refuse(findings)
            if not dry_run or options.selects:
                meter.plan(whole_parts(manifest))
                meter.plan(ranges_to_load(manifest, target.relations))
                meter.end(needs, None)
                others = (part for part in manifest.parts if not part.table and part is not first)
                with step("receive"):
                    findings += target.receive(
                        (spec, read_part(reader, part, spec, jobs=AHEAD, meter=meter))
                        for part in others
                        for spec in (spec_of(part, manifest),)
                    )
            if options.selects:  # now it is known which
                meter.plan(ranges_to_load(manifest, target.relations))
            if not dry_run:
                with step("load"), loading(reader, manifest, meter) as tables:
                    findings += target.load(tables)
                with step("finish"):
                    findings += target.finish()
            loaded = target.relations
    findings += fallback_findings(reader)
    return RestoreReport(
        backup=manifest.name,
        target_database=target_name,
        dry_run=dry_run,
        findings=tuple(findings),
        size_bytes=sum(
            part.size_bytes
            for part in manifest.parts
            if part.table is None or part.table.oid in loaded
        ),
        duration=repository.clock() - started_at,
        replaced_database=target.replaced_database,
        created_roles=target.created_roles,
        store_url=found.repository.store.url,
        tables=target.tables,
    )


def _refuse(findings: list[Finding]) -> None:
    """Raise for errors that the preflight found: the one about the target by its own class."""
    errors = [finding for finding in findings if finding.level is Level.ERROR]
    if not errors:
        return
    if errors[0].subject == "target":
        raise TargetExists(errors[0].message, hint=errors[0].hint)
    message = "; ".join(e.message for e in errors)
    raise RestoreRefused(
        f"the restore would fail, so nothing was changed: {message}",
        hint=_all_hints(errors),
        errors=[e.message for e in errors],
    )


def _all_hints(errors: Sequence[Finding]) -> Hint | None:
    """Return one hint that has those of all findings, each after what it is about."""
    hints = [(e.subject, e.hint) for e in errors if e.hint]
    if len(hints) < 2:  # noqa: PLR2004 - one needs no subject
        return hints[0][1] if hints else None
    about = [RestoreHint.ABOUT(subject=subject, advice=hint) for subject, hint in hints]
    return reduce(lambda first, then: RestoreHint.BOTH(first=first, then=then), about)


def fallback_findings(reader: BlobReader) -> Iterator[Finding]:
    """Say which blobs came from another store than they should have, and why."""
    first = reader.stores[0].url
    for url, count in Counter(fallback.store_url for fallback in reader.fallbacks).items():
        why = next(f.problem for f in reader.fallbacks if f.store_url == url)
        were = "1 blob was" if count == 1 else f"{count} blobs were"
        msg = f"{were} read from {url}, being missing, damaged or out of reach in {first}"
        hint = BackupHint.REPAIR_BY_SYNC(why=why.message)
        yield Finding(Level.WARNING, "store", msg, hint)


def _readable(found: LocatedBackup) -> Manifest:
    """Return the manifest; a backup that is known to be damaged is not worth starting with.

    Unless there are other stores, which may have what it lacks.
    """
    backup = found.backup
    if backup.manifest is None:
        raise DamagedError(backup.problem, hint=BackupHint.RESTORE_ANOTHER)
    if not backup.good and not found.others:
        msg = f"'{backup.name}' is damaged: {backup.problem}"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER_OR_VERIFY)
    return backup.manifest


def _damage(found: LocatedBackup) -> Iterator[Finding]:
    if not found.backup.good:
        url = found.repository.store.url
        msg = f"'{found.backup.name}' in {url} is damaged: {found.backup.problem}"
        yield Finding(Level.WARNING, "store", msg, BackupHint.OTHER_STORES_USED)


@contextlib.contextmanager
def _leases_if_allowed(found: LocatedBackup, *, dry_run: bool) -> Iterator[None]:
    """Keep a sweep away while blobs are read. Rights that only read must do for a restore."""
    if dry_run:
        yield
        return
    purpose = f"restore of '{found.backup.name}'"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(AccessDenied):
            stack.enter_context(found.repository.shared_lease(purpose))
        # Only when it is known that something will be read there: one of them may be out of reach,
        # and a blob that a sweep removes there meanwhile is one that no backup there names.
        for other in () if found.backup.good else found.others:
            with contextlib.suppress(StoreError, Busy):
                stack.enter_context(other.shared_lease(purpose))
        yield

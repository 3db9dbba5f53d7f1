"""Restore a backup."""

import contextlib
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce

from attrs import evolve, frozen

from brownie_backup.errors import (
    AccessDenied,
    Busy,
    DamagedError,
    RestoreRefused,
    StoreError,
    TargetExists,
)
from brownie_backup.hints import BackupHint, Hint, RestoreHint, StoreHint
from brownie_backup.model import Database, Manifest, Part
from brownie_backup.model.findings import Finding, Level, errors_in
from brownie_backup.model.reports import RestoreOptions, RestoreReport
from brownie_backup.operations.find import LocatedBackup, ensure_kind, find_backup, manifest_of
from brownie_backup.operations.reading_lease import reading_lease
from brownie_backup.pipeline.progress import OnProgress, PartMeter
from brownie_backup.pipeline.reading import (
    inventory_of,
    loading,
    pieces_to_load,
    read_part,
    whole,
)
from brownie_backup.protocols import Dumper, Target
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
    """Restore a backup into a fresh database, which gets its name only after everything succeeded.

    If the options name tables, restore only those; they are added to the target, if it exists.

    Args:
        repository: the repository with the backup.
        copies: more repositories, used if the first lacks the backup or some of its blobs.
        dumper: connected to the server to restore to.
        name: of the backup; or ``latest``, which means one of the dumper's database, if there is
            any.
        target_database: its name afterwards; by default that of the database backed up.
        options: how to restore.
        dry_run: check everything that can be checked, change nothing.
        on_progress: called from several threads, one at a time, with plaintext bytes.

    Raises:
        BackupNotFound: there is no such backup, or no good one.
        TargetExists: the target exists, and ``options.replace`` is not set; or it already contains
            one of the requested tables.
        RestoreRefused: something is missing on the server; nothing was changed.
        RestoreFailed: PostgreSQL reported an error; the target is as it was.
        DecryptionError, DamagedError, UnsupportedFormat: the backup could not be read, or is of a
            kind that the dumper does not restore; the target is as it was.
        Busy: a cleanup is running.
    """
    options = options or RestoreOptions()
    # A lease must not be written before: there may be no repository.
    with step("find backup"):
        found = find_backup(
            (repository, *copies), name, whose=dumper.database_name, kind=dumper.kind
        )
    with _leases_if_allowed(found, dry_run=dry_run) as unprotected:
        started_at = repository.clock()
        again = find_backup((found.repository, *found.others), found.backup.name)
        found = evolve(again, findings=(*found.findings, *again.findings))
        manifest, source = _restorable(found, dumper.kind)
        codecs = found.repository.codecs
        refuse = not options.accept_unencrypted
        findings = [*found.findings, *unprotected, *_damage(found)]
        findings += codecs.findings(manifest, refuse=refuse)
        if not dry_run:
            _refuse(findings)
        reader = found.repository.reader(manifest, [other.store for other in found.others])
        content = _content_of(manifest, dumper, reader, PartMeter(on_progress, "restore"))
        target_name = target_database or source.name
        with step("read inventory"):
            inventory = content.inventory(dumper)
        token = secrets.token_hex(4)
        with dumper.restoring(source, target_name, options, token) as target:
            findings += _restore_into(target, content, inventory, options, dry_run=dry_run)
            size_bytes, detail = content.size_bytes(target), target.report()
    findings += fallback_findings(reader)
    return RestoreReport(
        backup=manifest.name,
        target_database=target_name,
        dry_run=dry_run,
        findings=tuple(findings),
        size_bytes=size_bytes,
        duration=repository.clock() - started_at,
        store_url=found.repository.store.url,
        detail=detail,
    )


def _restore_into(
    target: Target,
    content: "_Content",
    inventory: bytes,
    options: RestoreOptions,
    *,
    dry_run: bool,
) -> list[Finding]:
    """Check, receive, load and finish, as far as requested."""
    with step("preflight"):
        findings = [*target.preflight(inventory, content.all_bytes)]
    if not dry_run:
        _refuse(findings)
        content.plan(target)
    with step("receive"):
        findings += content.receive_into(target, contents_only=dry_run)
    if dry_run:
        return findings
    _refuse(findings)
    if options.selects or options.excludes:  # what is to be loaded is known now
        content.plan_load(target)
    with step("load"):
        findings += content.load_into(target)
    with step("finish"):
        findings += target.finish()
    return findings


@frozen
class _Content:
    """The parts of a backup, on their way to a target."""

    reader: BlobReader
    meter: PartMeter
    first: Part
    """The inventory, which is read before all others."""
    streams: tuple[Part, ...]
    """The other parts that were read in one stream."""
    segmented: tuple[Part, ...]

    def inventory(self, dumper: Dumper) -> bytes:
        """Read the data that a restore needs; `DamagedError` if it lists other parts."""
        inventory = b"".join(read_part(self.reader, self.first, jobs=1, meter=self.meter))
        dumper.compare(inventory, self.segmented)
        return inventory

    @property
    def all_bytes(self) -> int:
        """The plaintext size of all parts."""
        parts = (self.first, *self.streams, *self.segmented)
        return sum(part.size_bytes for part in parts)

    def plan(self, target: Target) -> None:
        """Report how much there is to do, as far as known; the inventory was read already."""
        self.meter.plan(map(whole, (self.first, *self.streams)))
        self.plan_load(target)
        self.meter.end(whole(self.first), None)

    def plan_load(self, target: Target) -> None:
        """Report how much there is to load."""
        self.meter.plan(pieces_to_load(self.segmented, target))

    def receive_into(self, target: Target, *, contents_only: bool) -> tuple[Finding, ...]:
        """Give the target the parts that are one stream."""
        parts = (
            (part, read_part(self.reader, part, jobs=AHEAD, meter=self.meter))
            for part in self.streams
        )
        return target.receive(parts, contents_only=contents_only)

    def load_into(self, target: Target) -> tuple[Finding, ...]:
        """Give the target the segments that it wants."""
        with loading(self.reader, self.segmented, target, self.meter) as parts:
            return target.load(parts)

    def size_bytes(self, target: Target) -> int:
        """Return the plaintext size of all that the target takes."""
        streams = sum(part.size_bytes for part in (self.first, *self.streams))
        pieces = pieces_to_load(self.segmented, target)
        return streams + sum(piece.estimate_bytes for piece in pieces)


def _content_of(
    manifest: Manifest, dumper: Dumper, reader: BlobReader, meter: PartMeter
) -> _Content:
    first = inventory_of(manifest)
    streams = tuple(part for part in manifest.parts if dumper.segments(part) is None)
    return _Content(
        reader,
        meter,
        first,
        tuple(part for part in streams if part is not first),
        tuple(part for part in manifest.parts if dumper.segments(part) is not None),
    )


def _refuse(findings: Iterable[Finding]) -> None:
    """Raise for errors that were found before anything was changed."""
    if refused := refusal(findings):
        raise refused


def refusal(findings: Iterable[Finding]) -> RestoreRefused | TargetExists | None:
    """Return the error of a restore that is known to fail; an existing target has its own class."""
    errors = errors_in(findings)
    if not errors:
        return None
    if errors[0].subject == "target":
        return TargetExists(errors[0].message, hint=errors[0].hint)
    message = "; ".join(e.message for e in errors)
    return RestoreRefused(
        f"the restore would fail, so nothing was changed: {message}",
        hint=_all_hints(errors),
        errors=[e.message for e in errors],
    )


def _all_hints(errors: Sequence[Finding]) -> Hint | None:
    """Return one hint that combines those of all findings, each after its subject."""
    hints = [(e.subject, e.hint) for e in errors if e.hint]
    if len(hints) < 2:  # noqa: PLR2004 - one needs no subject
        return hints[0][1] if hints else None
    about = [RestoreHint.ABOUT(subject=subject, advice=hint) for subject, hint in hints]
    return reduce(lambda first, then: RestoreHint.BOTH(first=first, then=then), about)


def fallback_findings(reader: BlobReader) -> Iterator[Finding]:
    """Report the blobs that came from another store than intended, and why."""
    first = reader.stores[0].url
    for url, count in Counter(fallback.store_url for fallback in reader.fallbacks).items():
        why = next(f.problem for f in reader.fallbacks if f.store_url == url)
        were = "1 blob was" if count == 1 else f"{count} blobs were"
        msg = f"{were} read from {url}, being missing, damaged or out of reach in {first}"
        hint = BackupHint.REPAIR_BY_SYNC(why=why.message)
        yield Finding(Level.WARNING, "store", msg, hint)


def _restorable(found: LocatedBackup, kind: str) -> tuple[Manifest, Database]:
    """Return the manifest, and its database.

    A backup known to be damaged is refused, unless other stores may have the blobs that it lacks.
    """
    backup = found.backup
    manifest = manifest_of(backup, hint=BackupHint.RESTORE_ANOTHER)
    ensure_kind(manifest, kind, "restored")
    if manifest.database is None:
        msg = f"the manifest of '{manifest.name}' names no database"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
    if not backup.good and not found.others:
        msg = f"'{backup.name}' is damaged: {backup.problem}"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER_OR_VERIFY)
    return manifest, manifest.database


def _damage(found: LocatedBackup) -> Iterator[Finding]:
    if not found.backup.good:
        url = found.repository.store.url
        msg = f"'{found.backup.name}' in {url} is damaged: {found.backup.problem}"
        yield Finding(Level.WARNING, "store", msg, BackupHint.OTHER_STORES_USED)


@contextlib.contextmanager
def _leases_if_allowed(found: LocatedBackup, *, dry_run: bool) -> Iterator[tuple[Finding, ...]]:
    """Keep a sweep away while blobs are read. Read-only rights must be enough for a restore."""
    problem = ""
    if dry_run:
        yield ()
        return
    purpose = f"restore of '{found.backup.name}'"
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(AccessDenied):
            problem = stack.enter_context(reading_lease(found.repository, purpose))
        # Other stores get a lease only if something will be read there: one of them may be out of
        # reach, and a blob that a sweep removes there meanwhile is one that no backup there names.
        for other in () if found.backup.good else found.others:
            with contextlib.suppress(StoreError, Busy):
                stack.enter_context(other.shared_lease(purpose))
        yield (_full(problem),) if problem else ()


def _full(problem: str) -> Finding:
    return Finding(Level.WARNING, "store", problem, StoreHint.FREE_SPACE)

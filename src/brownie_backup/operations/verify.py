"""Read backups back, and check them."""

import logging
import math
import random
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen

from brownie_backup.errors import (
    AccessDenied,
    BackupError,
    DamagedError,
    DecryptionError,
    KeyMissing,
    ObjectLocked,
    StoreFull,
)
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef, Checked, Manifest, Part, Verification
from brownie_backup.operations.find import manifest_of
from brownie_backup.operations.reading_lease import reading_lease
from brownie_backup.pipeline.progress import Meter, OnProgress
from brownie_backup.pipeline.reading import check_part, read_blobs
from brownie_backup.protocols import Dumper, Store
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.repository.blobs.decoding import StructureDecoder
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.repository.blobs.transfer import for_store
from brownie_backup.tracing import step

ALL = 100.0
_SURELY_KEYLESS = 3
"""After so many blobs, none of which could be opened for want of a key, there is none. A single
one may be damaged where it says for which key it is."""

_log = logging.getLogger(__name__)


def verify_backup(
    repository: Repository,
    dumper: Dumper,
    name: str,
    *,
    copies: Sequence[Repository] = (),
    sample_percent: float = ALL,
    structure: bool = False,
    jobs: int = 2,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Read a backup's blobs: decrypt, decompress, check every name and size; then read the archive.

    Without a key for the backup, only its structure is checked: every blob is there, and its bytes
    are those that were stored. `Verification.checked` says which it was. If the backup is of
    another kind than the dumper's, only its blobs are checked, not its parts.

    The outcome is recorded in the store, unless it shows less than the recorded one. After a
    failure, `list_backups` shows the backup as damaged, ``latest`` skips it, and the next backup
    stores its bad blobs again.

    Args:
        repository: the repository with the backup.
        dumper: reads the archive to its end; it does not connect to anything.
        copies: more repositories. A blob that is bad in the first store is damage, even if a copy
            has it whole; but the archive is then read with the copy's blob.
        name: of the backup, or ``latest``.
        sample_percent: read only that share of the blobs, chosen at random, and no archive.
        structure: check only the structure, even with a key.
        jobs: how many blobs are read at once.
        on_progress: called with plaintext bytes.

    Raises:
        BackupNotFound: no backup has that name.
        DecryptionError: no blob could be decrypted: the key is wrong, so nothing was verified.
        UnsupportedFormat: this version does not know how the blobs are encrypted or compressed.
        DamagedError: the manifest itself can't be read.
        UnsupportedFormat: a newer version wrote it, or another key or compression is needed.
        Busy: a cleanup is running.
    """
    repository, *copies = with_deadlines((repository, *copies))
    repository.backup(
        name, kind=dumper.kind
    )  # not before: a lease would be written where there may be no repository
    with reading_lease(repository, f"verification of '{name}'") as unprotected:
        backup = repository.backup(name, kind=dumper.kind)
        manifest = manifest_of(backup, hint=BackupHint.VERIFY_ANOTHER)
        check = _Check(repository, copies, manifest, dumper, sample_percent, jobs, on_progress)
        verification = None if structure else check.contents()
        if verification is None:
            verification = check.structure(backup.verification)
        last, whole = backup.verification, manifest.kind == dumper.kind
        verification = _with_known_damage(verification, last)
        if _says_more(verification, last, whole=whole):
            unrecorded = _record(repository, _as_strict(verification, last))
        else:
            unrecorded = ""
    problems = filter(None, (unprotected, unrecorded))
    return evolve(verification, warnings=(*verification.warnings, *problems))


def _record(repository: Repository, verification: Verification) -> str:
    """Record an outcome; return why the store does not take it, or nothing.

    It may be full, or forbid that the last outcome is replaced.
    """
    try:
        repository.add_verification(verification)
    except (AccessDenied, ObjectLocked, StoreFull) as error:
        return f"the outcome is not recorded: {error.message}"
    return ""


@frozen
class _Check:
    """What is verified, and with what."""

    repository: Repository
    copies: Sequence[Repository]
    manifest: Manifest
    dumper: Dumper
    sample_percent: float
    jobs: int
    on_progress: OnProgress | None

    def contents(self) -> Verification | None:
        """Read the contents; None if there is no key for them."""
        try:
            reader = self.repository.reader(self.manifest, self._others())
            return self._run(_Outcome(reader, self.jobs), self.manifest, self.dumper)
        except KeyMissing as error:
            _log.info("only the structure of '%s' is checked: %s", self.manifest.name, error)
            return None

    def structure(self, last: Verification | None) -> Verification:
        """Check the blobs without a key, by their checksums, or by their last known sizes."""
        sizes = last.resized if last else {}
        stores = (self.repository.store, *self._others())
        decoder = StructureDecoder.of(self.manifest, self.repository.codecs, stores[:1])
        reader = BlobReader(stores, decoder)
        found = self._run(_Outcome(reader, self.jobs), for_store(self.manifest, sizes), None)
        return evolve(
            found,
            resized={**sizes, **found.resized},
            checked=Checked.STRUCTURE,
            size_only_blobs=len(decoder.by_size_only),
            content_verified_at=last.contents_good_at if last else None,
        )

    def _others(self) -> list[Store]:
        return [copy.store for copy in self.copies]

    def _run(self, outcome: "_Outcome", manifest: Manifest, dumper: Dumper | None) -> Verification:
        """Check all parts, or a sample; the dumper reads parts of its kind."""
        if self.sample_percent >= ALL:
            outcome.meter = Meter(self.on_progress, "verify", manifest.size_bytes)
            for part in manifest.parts:
                with step("check part", kind=part.kind, blobs=len(part.blobs)):
                    # Only a dumper of that kind understands the bytes of a backup of another kind.
                    if dumper and manifest.kind == dumper.kind:
                        outcome.check_part(part, dumper, manifest)
                    else:
                        outcome.check_blobs(part.blobs)
        else:
            refs = _sample(manifest, self.sample_percent)
            outcome.meter = Meter(self.on_progress, "verify", sum(ref.size_bytes for ref in refs))
            with step("check sample", blobs=len(refs)):
                outcome.check_blobs(refs)
        return outcome.verification(manifest, self.repository)


def _with_known_damage(new: Verification, last: Verification | None) -> Verification:
    """Return an outcome, merged with what an earlier verification found and it did not look at."""
    if last is None or new.supersedes(last):
        return new
    resized = {**last.resized, **new.resized}
    if new.good or last.good:
        return evolve(new, resized=resized)
    damaged = tuple(sorted({*new.damaged_blobs, *last.damaged_blobs}))
    problems = tuple(dict.fromkeys((*new.problems, *last.problems)))
    return evolve(new, damaged_blobs=damaged, problems=problems, resized=resized)


def _as_strict(new: Verification, last: Verification | None) -> Verification:
    """Return an outcome as it is recorded: a failure in the contents stays one."""
    if last is None or new.good or last.good or new.supersedes(last):
        return new
    return evolve(new, checked=last.checked)


def _says_more(new: Verification, last: Verification | None, *, whole: bool) -> bool:
    """Whether to record an outcome: a good one does not override a failure that it can't see.

    A good sample, or a good structure, does not override an earlier failure in the contents. Nor
    does an outcome that is not `whole`, and so looked at blobs alone, override a failure in a part.
    """
    if last is None or not new.good:
        return True
    if not whole and len(last.problems) > len(last.damaged_blobs):
        return False
    if new.complete:
        return last.good or new.supersedes(last)
    weaker = new.checked == Checked.STRUCTURE and last.checked == Checked.CONTENT
    return last.good and not last.complete and not weaker


class _Outcome:
    """The findings in the blobs read so far."""

    def __init__(self, reader: BlobReader, jobs: int) -> None:
        self.meter = Meter(None, "verify", None)
        self._reader = reader
        self._jobs = jobs
        self._checked: set[str] = set()
        self._opened: BlobRef | None = None
        self._bad: dict[str, BackupError] = {}
        self._problems: list[str] = []

    def check_part(self, part: Part, dumper: Dumper, manifest: Manifest) -> None:
        """Read every blob of a part; while all are good, the dumper reads along."""
        before = len(self._bad)
        stream = self.good_blobs(part.blobs)
        try:
            check_part(part, dumper, manifest, stream)
        except DamagedError as error:
            problem = error.message
        else:
            problem = ""
        for _ in stream:  # the rest, after the dumper has seen enough
            pass
        if problem and len(self._bad) == before:
            self._problems.append(problem)

    def check_blobs(self, refs: Iterable[BlobRef]) -> None:
        """Read blobs, and record the bad ones."""
        for _ in self.good_blobs(refs):
            pass

    def good_blobs(self, refs: Iterable[BlobRef]) -> Iterator[bytes]:
        """Read all blobs, yield the plaintexts before the first bad one, and record bad ones."""
        broken = False
        for ref, outcome in read_blobs(
            self._reader, refs, jobs=self._jobs, on_bytes=self.meter.add
        ):
            self._reader.ensure_read()  # a store out of reach is not damage
            self._checked.add(ref.name)
            if isinstance(outcome, BackupError):
                self._bad[ref.name] = outcome
                broken = True
                if isinstance(outcome, KeyMissing) and self._keyless():
                    raise outcome
            else:
                self._opened = ref
                if not broken:
                    yield outcome

    def _keyless(self) -> bool:
        """Whether it is certain that no key is here, so that no more needs to be read."""
        return self._opened is None and len(self._checked) >= _SURELY_KEYLESS

    def verification(self, manifest: Manifest, repository: Repository) -> Verification:
        """Return the outcome as it is recorded."""
        elsewhere = {fallback.blob: fallback for fallback in self._reader.fallbacks}
        self._bad |= {name: fallback.problem for name, fallback in elsewhere.items()}
        refused = [e for e in self._bad.values() if isinstance(e, DecryptionError)]
        if refused:
            # A key that opens some blobs and not others is the right key: the others are damaged.
            if self._opened is None:
                raise refused[0]
            # Unless it opens nothing any more: it was taken away meanwhile.
            self._reader.get(self._opened)
        problems = [
            f"{error.message}; {elsewhere[name].store_url} has it"
            if name in elsewhere
            else error.message
            for name, error in self._bad.items()
        ]
        problems += self._problems
        return Verification(
            backup=manifest.name,
            manifest_id=manifest.id,
            verified_at=repository.clock(),
            good=not problems,
            checked_blobs=len(self._checked),
            total_blobs=len({ref.name for ref in manifest.blobs}),
            damaged_blobs=tuple(sorted(self._bad)),
            problems=tuple(problems),
            resized=dict(self._reader.resized),
            warnings=tuple(
                f"{finding.message}. {finding.hint}"
                for finding in repository.codecs.findings(manifest)
            ),
        )


def _sample(manifest: Manifest, percent: float) -> list[BlobRef]:
    refs = list({ref.name: ref for ref in manifest.blobs}.values())
    wanted = math.ceil(len(refs) * percent / ALL)
    return random.SystemRandom().sample(refs, max(1, min(wanted, len(refs))))

"""Read backups back, and check them."""

import math
import random
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve

from brownie_backup.errors import BackupError, DamagedError, DecryptionError
from brownie_backup.hints import BackupHint
from brownie_backup.model import BlobRef, Manifest, Part, PartKind, Verification
from brownie_backup.operations.find import manifest_of
from brownie_backup.pipeline.progress import Meter, OnProgress
from brownie_backup.pipeline.reading import read_blobs
from brownie_backup.protocols import Dumper
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.repository.blobs.reader import BlobReader
from brownie_backup.tracing import step

ALL = 100.0


def verify_backup(
    repository: Repository,
    dumper: Dumper,
    name: str,
    *,
    copies: Sequence[Repository] = (),
    sample_percent: float = ALL,
    jobs: int = 2,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Read a backup's blobs: decrypt, decompress, check every name and size; then read the archive.

    If the backup is of another kind than the dumper's, only its blobs are checked, not its parts.

    The outcome is recorded in the store, except for a good sample after a full reading. After a
    failure, `list_backups` shows the backup as damaged, ``latest`` skips it, and the next backup
    stores its bad blobs again.

    Args:
        repository: the repository with the backup.
        dumper: reads the archive to its end; it does not connect to anything.
        copies: more repositories. A blob that is bad in the first store is damage, even if a copy
            has it whole; but the archive is then read with the copy's blob.
        name: of the backup, or ``latest``.
        sample_percent: read only that share of the blobs, chosen at random, and no archive.
        jobs: how many blobs are read at once.
        on_progress: called with plaintext bytes.

    Raises:
        BackupNotFound: no backup has that name.
        DecryptionError: no blob could be decrypted: the key is wrong or missing, so nothing was
            verified.
        UnsupportedFormat: this version does not know how the blobs are encrypted or compressed.
        DamagedError: the manifest itself can't be read.
        UnsupportedFormat: a newer version wrote it, or another key or compression is needed.
        Busy: a cleanup is running.
    """
    repository, *copies = with_deadlines((repository, *copies))
    repository.backup(
        name, kind=dumper.kind
    )  # not before: a lease would be written where there may be no repository
    with repository.shared_lease(f"verification of '{name}'"):
        backup = repository.backup(name, kind=dumper.kind)
        manifest = manifest_of(backup, hint=BackupHint.VERIFY_ANOTHER)
        reader = repository.reader(manifest, [copy.store for copy in copies])
        outcome = _Outcome(reader, jobs)
        if sample_percent >= ALL:
            outcome.meter = Meter(on_progress, "verify", manifest.size_bytes)
            for part in manifest.parts:
                with step("check part", kind=part.kind, blobs=len(part.blobs)):
                    # Only a dumper of that kind understands the bytes of a backup of another kind.
                    if manifest.kind == dumper.kind:
                        outcome.check_part(part, dumper, manifest)
                    else:
                        outcome.check_blobs(part.blobs)
        else:
            refs = _sample(manifest, sample_percent)
            outcome.meter = Meter(on_progress, "verify", sum(ref.size_bytes for ref in refs))
            with step("check sample", blobs=len(refs)):
                outcome.check_blobs(refs)
        verification = _with_known_damage(
            outcome.verification(manifest, repository), backup.verification
        )
        whole = manifest.kind == dumper.kind
        if _says_more(verification, backup.verification, whole=whole):
            repository.add_verification(verification)
    return verification


def _with_known_damage(new: Verification, last: Verification | None) -> Verification:
    """Return a sample's outcome, merged with what an earlier verification found in other blobs."""
    if new.complete or last is None:
        return new
    damaged = {*new.damaged_blobs, *last.damaged_blobs} if not new.good else ()
    resized = {**last.resized, **new.resized}
    return evolve(new, damaged_blobs=tuple(sorted(damaged)), resized=resized)


def _says_more(new: Verification, last: Verification | None, *, whole: bool) -> bool:
    """Whether to record an outcome: a good sample does not override an earlier failure.

    Nor does an outcome that is not `whole`, and so looked at blobs alone, override a failure in a
    part.
    """
    if last and not whole and len(last.problems) > len(last.damaged_blobs):
        return not new.good
    return last is None or new.complete or not new.good or (last.good and not last.complete)


class _Outcome:
    """The findings in the blobs read so far."""

    def __init__(self, reader: BlobReader, jobs: int) -> None:
        self.meter = Meter(None, "verify", None)
        self._reader = reader
        self._jobs = jobs
        self._checked: set[str] = set()
        self._bad: dict[str, BackupError] = {}
        self._problems: list[str] = []

    def check_part(self, part: Part, dumper: Dumper, manifest: Manifest) -> None:
        """Read every blob of a part; while all are good, the dumper reads along."""
        before = len(self._bad)
        stream = self.good_blobs(part.blobs)
        try:
            if part.kind == PartKind.INVENTORY:
                inventory = b"".join(stream)
                dumper.check(part, [inventory])
                dumper.compare(inventory, manifest.parts)
            else:
                dumper.check(part, stream)
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
            elif not broken:
                yield outcome

    def verification(self, manifest: Manifest, repository: Repository) -> Verification:
        """Return the outcome as it is recorded."""
        elsewhere = {fallback.blob: fallback for fallback in self._reader.fallbacks}
        self._bad |= {name: fallback.problem for name, fallback in elsewhere.items()}
        refused = [e for e in self._bad.values() if isinstance(e, DecryptionError)]
        # A key that opens some blobs and not others is the right key: the others are damaged.
        if refused and len(refused) == len(self._checked):
            raise refused[0]
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

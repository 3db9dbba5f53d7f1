"""The simple model: which backups there must be, of what, and who may make or remove them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from attrs import define
from tests.model.stores import Call
from tests.model.work import Work
from tests.unit.fakes import read_back

from brownie_backup import Backup, Repository, Verification
from brownie_backup.errors import DamagedError
from brownie_backup.format.layout import BLOBS, MANIFESTS, name_in
from brownie_backup.model import Hold, Manifest
from brownie_backup.repository.coordination.leases import EXPIRY_MARGIN, RENEWAL

IN_FLIGHT = RENEWAL + EXPIRY_MARGIN - timedelta(seconds=1)
"""How late a request may be carried out for the promises to hold: who has found its lease fresh has
so long until others count it as expired. Stores tell times by the second."""

MARGIN = timedelta(hours=24)


class ViolationError(AssertionError):
    """Something that was promised is not so."""


@define(eq=False)
class Known:
    """A backup that exists."""

    work: Work
    """What made it."""
    made_at: datetime
    late: bool
    """Whether its manifest was under way for longer than `IN_FLIGHT`: until its maker has said
    that all is well, blobs that it found rather than stored may be gone."""
    manifest: Manifest

    @property
    def doubtful(self) -> bool:
        """Whether nobody has been told that it is good, and it may not be."""
        return self.late and not self.work.succeeded


class Model:
    """Follows what happens in the store, and compares."""

    def __init__(self, repository: Repository) -> None:
        self.backups: dict[str, Known] = {}
        self.removed = 0
        """How many backups were deleted so far."""
        self.swept = 0
        self._held: set[Known] = set()
        """Backups that somebody was told are kept."""
        self._repository = repository
        self._stored: dict[Work, dict[str, datetime]] = {}
        self._makers: set[Work] = set()
        self._releases: list[Work] = []

    # --- what happens ----------------------------------------------------------------------------

    def watch(self, call: Call, now: datetime) -> None:
        """Take note of a call that has just changed the store."""
        name = name_in(call.key)
        work = call.work
        assert isinstance(work, Work)
        if call.key.startswith(BLOBS):
            if call.method == "put":
                self._stored.setdefault(work, {})[name] = now
            else:
                self.swept += 1
                self._expect(work.policy, f"{work} removes a blob")
        if call.makes_a_backup:
            self._made(name, work, now, late=now - call.asked_at > IN_FLIGHT)
        if call.method == "delete" and call.key.startswith(MANIFESTS):
            self._removed(name, work, now + call.process.skew)
        self.check()

    def _made(self, name: str, work: Work, now: datetime, *, late: bool) -> None:
        self._expect(work.database, f"{work} makes the backup {name}")
        self._expect(not work.ended or work.error, f"{name} comes back after {work} ended")
        self._expect(name not in self.backups, f"{work} replaces the backup {name}")
        try:
            manifest = self._repository.manifest(name)
        except DamagedError as error:
            raise ViolationError(f"{work} makes {name}, which cannot be read: {error}") from None
        self.backups[name] = Known(work, now, late, manifest)
        self._makers.add(work)

    def _removed(self, name: str, work: Work, by_its_clock: datetime) -> None:
        known = self.backups.pop(name, None)
        if known is None:
            return
        self._expect(known not in self._held, f"{work} removes {name}, which is held")
        self.removed += 1
        if work is known.work:
            self._expect(self._missing(known.manifest), f"{work} takes the good {name} back")
        elif work.policy:
            # A damaged one counts for nothing, and goes as soon as there are enough good ones.
            after = None if self._missing(known.manifest) else _finished(known.manifest)
            good = [
                other
                for other in self.backups.values()
                if other.manifest.backup_set == known.manifest.backup_set
                and (after is None or _finished(other.manifest) > after)
                and not self._missing(other.manifest)
            ]
            kept = len(good) >= work.policy.keep_min
            self._expect(kept, f"the policy removes {name}, one of the newest good ones")
            age = by_its_clock - known.manifest.finished_at
            young = work.policy.keep_within and age <= work.policy.keep_within
            self._expect(not young, f"the policy removes {name}, {age} old")
        else:
            self._expect(work.name == name, f"{work} removes {name}")

    # --- what must be so -------------------------------------------------------------------------

    def check(self) -> None:
        """Compare every backup that is listed with what it must be."""
        listed = {backup.name: backup for backup in self._repository.backups()}
        self._expect(
            listed.keys() == self.backups.keys(), f"{[*self.backups]} exist, {[*listed]} are listed"
        )
        for name, backup in listed.items():
            known = self.backups[name]
            missing = self._missing(known.manifest)
            for blob in missing:
                self._expect(
                    self._may_lack(known, blob), f"{name} ({known.work}) lacks blob {blob}"
                )
            # Who found a doubtful one damaged may say so for longer than it is.
            right = backup.good is not bool(missing) or (known.doubtful and not backup.good)
            self._expect(right, f"{name} is listed as {backup.status}")
            if backup.good:
                self._expect_content(backup, known)

    def begins(self, work: Work) -> None:
        """Take note of what is asked for."""
        if work.releases:
            self._releases.append(work)
            self._held = {known for known in self._held if known.manifest.name != work.name}

    def ended(self, work: Work, before: Mapping[str, Known]) -> None:
        """Look at how a verb ended; `before` is what there was when it began."""
        if not work.succeeded:
            return
        self._expect(not work.database or work in self._makers, f"{work} made nothing")
        lasting = {
            name: known
            for name, known in before.items()
            if self.backups.get(name) is known and not known.doubtful
        }
        if isinstance(work.result, Hold):
            known = self.backups.get(work.result.backup)
            pending = any(r.name == work.name and not r.succeeded for r in self._releases)
            if known and known.manifest.id == work.result.manifest_id and not pending:
                self._held.add(known)
        if isinstance(work.result, Verification) and work.name in lasting:
            self._expect(work.result.good, f"{work} says {work.result.problems}")
        elif isinstance(work.result, tuple):
            said = {backup.name: backup.good for backup in work.result}
            self._expect(all(said.get(name) for name in lasting), f"the listing says {said}")
        elif isinstance(work.result, dict) and work.name in lasting:
            self._expect(work.result == _content(lasting[work.name]), f"{work} gives other data")
        elif work.result is None:
            self._expect(work.name not in lasting, f"{work} did not do it")
        self.check()

    def _may_lack(self, known: Known, blob: str) -> bool:
        if not known.doubtful:
            return False
        stored_at = self._stored.get(known.work, {}).get(blob)
        return stored_at is None or known.made_at - stored_at >= MARGIN

    def _missing(self, manifest: Manifest) -> list[str]:
        there = {name_in(found.key) for found in self._repository.store.list(BLOBS)}
        return [ref.name for ref in manifest.blobs if ref.name not in there]

    def _expect_content(self, backup: Backup, known: Known) -> None:
        content = read_back(self._repository, backup)
        self._expect(content == _content(known), f"{backup.name} gives back something else")

    @staticmethod
    def _expect(so: object, else_: str) -> None:
        if not so:
            raise ViolationError(else_)


def _content(known: Known) -> Mapping[str, bytes]:
    assert known.work.database
    return known.work.database.content


def _finished(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.finished_at, manifest.name

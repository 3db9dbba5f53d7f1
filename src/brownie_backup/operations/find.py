"""Find a backup by its name in several stores."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from attrs import evolve, frozen

from brownie_backup.errors import BackupNotFound, DamagedError, StoreError, UnsupportedFormat
from brownie_backup.format.names import LATEST, LATEST_TOO
from brownie_backup.hints import BackupHint
from brownie_backup.model import Backup, Kind, Manifest, Status
from brownie_backup.model.findings import Finding, Level
from brownie_backup.operations.guards import made_good
from brownie_backup.repository import Repository, with_deadlines
from brownie_backup.repository.catalogue.holds import read_attempt
from brownie_backup.wording import written

DatabaseName = Callable[[], str | None]
"""Returns the name of a database, perhaps asking its server; None if unknown."""


@frozen
class LocatedBackup:
    """A backup, its repository, and other repositories to try for bad blobs."""

    repository: Repository
    backup: Backup
    others: tuple[Repository, ...] = ()
    findings: tuple[Finding, ...] = ()


def find_backup(
    repositories: Sequence[Repository],
    name: str,
    *,
    whose: DatabaseName = lambda: None,
    kind: str = Kind.LOGICAL,
    damaged_too: bool = False,
) -> LocatedBackup:
    """Return a backup from the first repository where it is good, or else from any that has it.

    ``latest`` is the newest backup that is good in any store, and so is ``latest-backup``, if no
    backup has that name. If a later one was begun, the findings say so. Stores that are out of
    reach are skipped. If the backup comes from another store than the first, the findings say why.
    With `damaged_too`, the first repository that has it is enough.

    `whose` returns the name of the database whose latest backup is wanted; `kind` is its kind. Both
    work as in `Repository.backup`.

    Raises:
        BackupNotFound: no store has it.
        StoreError: it was not found, and a store could not be reached.
    """
    # so that the wait for an unreachable store happens once
    repositories = with_deadlines(repositories)
    if name != LATEST:
        try:
            return _find(repositories, name, whose, kind, damaged_too=damaged_too)
        except (BackupNotFound, StoreError):
            if name != LATEST_TOO:
                raise
    found = _find(repositories, LATEST, whose, kind, damaged_too=damaged_too)
    return evolve(found, findings=(*found.findings, *_passed_over(found)))


def manifest_of(backup: Backup, *, hint: str) -> Manifest:
    """Return the manifest of a backup; `hint` says what to do if it is damaged.

    Raises:
        DamagedError: it cannot be read.
        UnsupportedFormat: a newer version wrote it, in a form that this version cannot read.
    """
    if backup.manifest is not None:
        return backup.manifest
    if backup.status is Status.UNSUPPORTED:
        raise UnsupportedFormat(backup.problem, hint=BackupHint.UPGRADE)
    raise DamagedError(backup.problem, hint=hint)


def ensure_kind(manifest: Manifest, kind: str, doing: str) -> None:
    """Raise `UnsupportedFormat` for a backup of another kind than the wanted one."""
    if manifest.kind != kind:
        msg = f"'{manifest.name}' is of the kind '{manifest.kind}', which cannot be {doing} here"
        raise UnsupportedFormat(msg, hint=BackupHint.UPGRADE)


def _find(
    repositories: Sequence[Repository],
    name: str,
    whose: DatabaseName,
    kind: str,
    *,
    damaged_too: bool,
) -> LocatedBackup:
    database = whose() if name == LATEST else None
    found: list[LocatedBackup] = []
    problems: list[StoreError | BackupNotFound] = []
    away: list[Repository] = []
    without: list[Repository] = []
    for repository in repositories:
        try:
            backup = repository.backup(name, database=database, kind=kind)
            found.append(LocatedBackup(repository, backup))
        except BackupNotFound as error:
            problems.append(error)
            without.append(repository)
        except StoreError as error:
            problems.append(error)
            away.append(repository)
        if found and (damaged_too or (name != LATEST and _is_sure(found[-1]))):
            break
    if not found:
        raise next((error for error in problems if isinstance(error, StoreError)), problems[0])
    best = max(found, key=_rank)
    # A store without the backup may still have some of its blobs, so it comes last.
    left = sorted(repositories, key=lambda each: _among(each, without))
    others = tuple(r for r in left if r is not best.repository and not _among(r, away))
    if best.repository is repositories[0]:
        return evolve(best, others=others)
    return evolve(best, others=others, findings=tuple(_findings(best, found, problems)))


def _among(repository: Repository, some: Iterable[Repository]) -> bool:
    return any(repository is each for each in some)


def _is_sure(found: LocatedBackup) -> bool:
    """Whether no other store can have a better backup of the name.

    Without any key, an unencrypted backup may have been put where an encrypted one is expected.
    """
    return found.backup.good and _is_expected(found)


def _is_expected(found: LocatedBackup) -> bool:
    manifest = found.backup.manifest
    return manifest is not None and found.repository.codecs.expects(manifest)


def _rank(found: LocatedBackup) -> tuple[bool, bool, bool, bool, float]:
    """`max` takes the first of equals, and so the first store."""
    backup, manifest = found.backup, found.backup.manifest
    newest = manifest.finished_at.timestamp() if manifest else 0.0
    return backup.good, manifest is not None, _is_expected(found), not backup.ahead, newest


def _findings(
    best: LocatedBackup,
    found: Iterable[LocatedBackup],
    problems: Iterable[StoreError | BackupNotFound],
) -> Iterable[Finding]:
    for error in problems:
        yield Finding(Level.WARNING, "store", error.message, error.hint)
    for each in found:
        url, name = each.repository.store.url, each.backup.name
        if each is best:
            message = f"'{name}' is taken from {url}"
        elif name == best.backup.name and _differ(each.backup, best.backup):
            why = f"damaged: {each.backup.problem}" if not each.backup.good else "not encrypted"
            message = f"'{name}' in {url} is a different backup, and {why}"
        elif each.backup.good:
            message = f"the newest good backup in {url} is '{name}'"
        else:
            message = f"'{name}' in {url} is damaged: {each.backup.problem}"
        yield Finding(Level.WARNING, "store", message)


def _passed_over(found: LocatedBackup) -> Iterator[Finding]:
    """Yield that the latest good backup is older than the last one that was begun."""
    manifest = found.backup.manifest
    if manifest is None:
        return
    database = manifest.backup_set.name
    try:
        attempt = read_attempt(found.repository.store, database, manifest.kind)
    except (StoreError, DamagedError):  # it is no part of the backup
        return
    others = attempt and attempt.backup != found.backup.name
    if attempt and others and not made_good(attempt, found.backup):
        message = (
            f"a later backup of '{database}', '{attempt.backup}', was begun at "
            f"{written(attempt.started_at)}, and is missing, damaged or not finished"
        )
        yield Finding(Level.WARNING, "latest", message, BackupHint.LIST_BACKUPS)


def _differ(one: Backup, other: Backup) -> bool:
    return bool(one.manifest and other.manifest and one.manifest.id != other.manifest.id)

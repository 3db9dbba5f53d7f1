"""The command that reads backups back and checks them."""

import argparse
from collections.abc import Mapping, Sequence

from brownie_backup import (
    Comparison,
    Verification,
)
from brownie_backup.errors import (
    BackupError,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    KeyMissing,
)
from brownie_backup.format.names import LATEST
from brownie_backup.hints import BackupHint
from brownie_backup.model import Checked
from brownie_backup.notifications import VERIFICATION, notified
from brownie_backup.operations.find import LocatedBackup
from brownie_backup.operations.verify import ALL
from brownie_backup.service import Service
from brownie_backup.service.documents import comparison_document, verification_document
from brownie_backup.wording import counted
from brownie_backup_cli.exit_codes import CANNOT_DECRYPT, DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output
from brownie_backup_cli.vocabulary import WORDS


class _Place:
    """The store where a backup was found. It is printed before anything is read."""

    def __init__(self, output: Output) -> None:
        self.url = ""
        self.elsewhere = False
        self._output = output

    def found(self, found: LocatedBackup) -> None:
        """Note the store, and print warnings."""
        self.url = found.repository.store.url
        self.elsewhere = bool(found.findings)
        self._output.findings(found.findings)


def verify(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Verify one backup, or all. With all, one that cannot be read does not stop the others."""
    if arguments.against_database:
        return _compare(arguments, service, output)
    if bool(arguments.name) == arguments.all:
        raise ConfigurationError(["verify needs the name of a backup, or --all"])
    with notified(service, VERIFICATION, WORDS) as run, output.progress() as on_progress:
        if arguments.all:
            done = service.verify_all(
                sample_percent=arguments.sample,
                structure=arguments.structure,
                store=arguments.store,
                on_progress=on_progress,
            )
            run.problem = _problem(done.verifications, done.unread)
            return _report(done.store_url, done.verifications, done.unread, output)
        place = _Place(output)
        outcome = service.verify(
            arguments.name,
            sample_percent=arguments.sample,
            structure=arguments.structure,
            store=arguments.store,
            operation_id=run.operation,
            on_found=place.found,
            on_progress=on_progress,
        )
        run.backup, run.problem = outcome.backup, _problem([outcome], {})
    status = _report(place.url, [outcome], {}, output)
    return WARNINGS if status == DONE and place.elsewhere else status


def _compare(arguments: argparse.Namespace, service: Service, output: Output) -> int:
    """Compare a backup with the database."""
    if arguments.all or arguments.structure or arguments.sample < ALL:
        problem = (
            "--against-database reads the database, not blobs: omit --all, --structure and --sample"
        )
        raise ConfigurationError([problem])
    place = _Place(output)
    with output.progress() as on_progress:
        comparison = service.compare(
            arguments.name or LATEST,
            store=arguments.store,
            on_found=place.found,
            on_progress=on_progress,
        )
    document = {
        "store": place.url,
        "good": comparison.good,
        "verifications": [],
        "unread": [],
        "comparison": comparison_document(comparison),
    }
    output.result(document, _compared(comparison))
    if not comparison.good:
        return FAILED
    if comparison.why_not:
        output.warn(f"nothing could be compared: {comparison.why_not}")
    return WARNINGS if comparison.why_not or place.elsewhere else DONE


def _compared(comparison: Comparison) -> list[str]:
    ranges = f"{comparison.compared_ranges} of {counted(comparison.total_ranges, 'range')} compared"
    if comparison.good:
        verdict = "nothing compared" if comparison.why_not else "same as the database"
        return [f"{comparison.backup}: {verdict}, {ranges}"]
    return [
        f"{comparison.backup}: DIFFERS FROM THE DATABASE, {ranges}",
        *(f"  {each} differ" for each in comparison.differences),
        "  although the WAL shows no change. Make a backup with --full, and report this",
    ]


def _report(
    url: str,
    outcomes: Sequence[Verification],
    unread: Mapping[str, BackupError],
    output: Output,
) -> int:
    good = all(outcome.good for outcome in outcomes) and not unread
    document = {
        "store": url,
        "good": good,
        "verifications": [verification_document(outcome) for outcome in outcomes],
        "unread": [
            {"name": name, "type": type(error).__name__, "message": error.message}
            for name, error in unread.items()
        ],
        "comparison": None,
    }
    lines = [line for outcome in outcomes for line in _lines(outcome)]
    lines += [f"{name}: NOT READ: {error.worded(WORDS)}" for name, error in unread.items()]
    output.result(document, lines)
    warnings = [warning for outcome in outcomes for warning in outcome.warnings]
    for warning in warnings:
        output.warn(warning)
    if good:
        return WARNINGS if warnings else DONE
    damaged = [outcome for outcome in outcomes if not outcome.good]
    only_keys = all(isinstance(error, DecryptionError) for error in unread.values())
    return CANNOT_DECRYPT if only_keys and not damaged else FAILED


def _problem(
    outcomes: Sequence[Verification], unread: Mapping[str, BackupError]
) -> BackupError | None:
    """Return what a notification says; a key that is kept elsewhere is no problem."""
    for outcome in outcomes:
        if not outcome.good:
            msg = f"'{outcome.backup}' is damaged: {'; '.join(outcome.problems)}"
            return DamagedError(msg, hint=BackupHint.NEXT_BACKUP_REPAIRS)
    return next((each for each in unread.values() if not isinstance(each, KeyMissing)), None)


def _lines(outcome: Verification) -> list[str]:
    blobs = f"{outcome.checked_blobs} of {counted(outcome.total_blobs, 'blob')} read"
    if outcome.checked == Checked.STRUCTURE:
        blobs += f" without a key{_by_size_only(outcome)}; their contents were not checked"
    if outcome.good:
        return [f"{outcome.backup}: good, {blobs}"]
    hint = BackupHint.NEXT_BACKUP_REPAIRS().worded(WORDS)
    problems = (f"  {problem}" for problem in outcome.problems)
    return [f"{outcome.backup}: DAMAGED, {blobs}", *problems, f"  -> {hint}"]


def _by_size_only(outcome: Verification) -> str:
    """Say how many blobs an earlier version stored, without a checksum."""
    if not outcome.size_only_blobs:
        return ""
    if outcome.size_only_blobs == outcome.checked_blobs:
        return ", and only their size compared, since they have no checksum"
    return f", of {outcome.size_only_blobs} only the size, since they have no checksum"

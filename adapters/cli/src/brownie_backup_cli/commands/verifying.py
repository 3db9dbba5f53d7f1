"""The command that reads backups back."""

import argparse
from collections.abc import Sequence

from brownie_backup import (
    Comparison,
    Repository,
    Verification,
    compare_with_database,
    list_backups,
    verify_backup,
)
from brownie_backup.config import Settings, make_dumper, make_repositories
from brownie_backup.documents import comparison_document, verification_document
from brownie_backup.errors import (
    BackupError,
    BackupNotFound,
    ConfigurationError,
    DamagedError,
    DecryptionError,
    UnsupportedFormat,
)
from brownie_backup.names import LATEST
from brownie_backup.operations.find import find_backup
from brownie_backup.operations.verify import ALL
from brownie_backup_cli.exits import CANNOT_DECRYPT, DONE, FAILED, WARNINGS
from brownie_backup_cli.output import Output


def verify(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Verify one backup, or all: then one that cannot be read does not stop the others."""
    if arguments.against_database:
        return _compare(arguments, settings, output)
    if bool(arguments.name) == arguments.all:
        raise ConfigurationError(["verify needs the name of a backup, or --all"])
    repositories = make_repositories(settings, first=arguments.store)
    if not arguments.all:
        found = find_backup(repositories, arguments.name, damaged_too=True)
        output.findings(found.findings)
        in_order = (found.repository, *found.others)
        outcome = _verify(in_order, found.backup.name, arguments, settings, output)
        status = _report(found.repository, [outcome], {}, output)
        return WARNINGS if status == DONE and found.findings else status
    repository = repositories[0]
    outcomes: list[Verification] = []
    unread: dict[str, BackupError] = {}
    for backup in list_backups(repository, check_blobs=False):
        try:
            outcomes.append(_verify(repositories, backup.name, arguments, settings, output))
        except (DamagedError, DecryptionError, UnsupportedFormat) as error:
            unread[backup.name] = error
    if not outcomes and not unread:
        msg = f"there is no backup in {repository.store.url}"
        raise BackupNotFound(msg, hint="Check BACKUP_DESTINATION")
    return _report(repository, outcomes, unread, output)


def _compare(arguments: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Compare a backup with the database."""
    if arguments.all or arguments.sample < ALL:
        problem = "--against-database reads the database, not blobs: leave --all and --sample out"
        raise ConfigurationError([problem])
    repositories = make_repositories(settings, first=arguments.store)
    found = find_backup(repositories, arguments.name or LATEST)
    output.findings(found.findings)
    with output.progress() as on_progress:
        comparison = compare_with_database(
            found.repository,
            make_dumper(settings),
            found.backup.name,
            jobs=settings.parallel_jobs,
            on_progress=on_progress,
        )
    document = {
        "store": found.repository.store.url,
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
    return WARNINGS if comparison.why_not or found.findings else DONE


def _compared(comparison: Comparison) -> list[str]:
    ranges = f"{comparison.compared_ranges} of {comparison.total_ranges} ranges compared"
    if comparison.good:
        verdict = "nothing compared" if comparison.why_not else "as in the database"
        return [f"{comparison.backup}: {verdict}, {ranges}"]
    return [
        f"{comparison.backup}: DIFFERS FROM THE DATABASE, {ranges}",
        *(f"  {each} differ" for each in comparison.differences),
        "  although the WAL shows no change. Make a backup with --full, and report it",
    ]


def _verify(
    repositories: Sequence[Repository],
    name: str,
    arguments: argparse.Namespace,
    settings: Settings,
    output: Output,
) -> Verification:
    with output.progress() as on_progress:
        return verify_backup(
            repositories[0],
            make_dumper(settings),
            name,
            copies=repositories[1:],
            sample_percent=arguments.sample,
            jobs=settings.parallel_jobs,
            on_progress=on_progress,
        )


def _report(
    repository: Repository,
    outcomes: list[Verification],
    unread: dict[str, BackupError],
    output: Output,
) -> int:
    good = all(outcome.good for outcome in outcomes) and not unread
    document = {
        "store": repository.store.url,
        "good": good,
        "verifications": [verification_document(outcome) for outcome in outcomes],
        "unread": [
            {"name": name, "type": type(error).__name__, "message": error.message}
            for name, error in unread.items()
        ],
        "comparison": None,
    }
    lines = [line for outcome in outcomes for line in _lines(outcome)]
    lines += [f"{name}: NOT READ: {error}" for name, error in unread.items()]
    output.result(document, lines)
    if good:
        return DONE
    damaged = [outcome for outcome in outcomes if not outcome.good]
    only_keys = all(isinstance(error, DecryptionError) for error in unread.values())
    return CANNOT_DECRYPT if only_keys and not damaged else FAILED


def _lines(outcome: Verification) -> list[str]:
    blobs = f"{outcome.checked_blobs} of {outcome.total_blobs} blobs read"
    if outcome.good:
        return [f"{outcome.backup}: good, {blobs}"]
    return [f"{outcome.backup}: DAMAGED, {blobs}", *(f"  {p}" for p in outcome.problems)]

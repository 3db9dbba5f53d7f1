"""A backup's details as rows of a table for people."""

from collections.abc import Iterator

from brownie_backup import Backup
from brownie_backup.model import Manifest, PartKind, Verification
from brownie_backup.wording import counted, written
from brownie_backup_cli.output import size, span

Row = tuple[str, str]


def backup_rows(backup: Backup) -> Iterator[Row]:
    """Yield what is known of a backup; the JSON document has everything."""
    yield "name", backup.name
    yield "status", status_of(backup)
    if backup.problem:
        yield "problem", backup.problem
    yield "verified", _verified(backup.verification)
    manifest = backup.manifest
    if manifest is None:
        return
    yield "made", f"{written(manifest.finished_at)}, in {span(manifest.duration)}"
    yield "with", f"brownie-backup {manifest.tool_version}"
    yield from _database_rows(manifest)
    yield "size", f"{size(manifest.size_bytes)} read, {size(manifest.stored_bytes)} stored"
    yield "new", f"{size(manifest.new_bytes)} of that were not in the store yet"
    yield "compression", manifest.compression
    encryption = manifest.encryption
    yield (
        "encryption",
        f"{encryption.method}, {encryption.identity}" if manifest.encrypted else "no",
    )
    if manifest.labels:
        yield "labels", ", ".join(f"{key}={value}" for key, value in manifest.labels.items())
    for note in manifest.notes:
        yield "note", note
    yield from _part_rows(manifest)
    yield "id", manifest.id


def status_of(backup: Backup) -> str:
    """Return the health of a backup, and its hold."""
    status = str(backup.status)
    if backup.manifest and not backup.manifest.known:
        status = f"{status}, kind {backup.manifest.kind}"
    if backup.hold is None:
        return status
    until = f" until {written(backup.hold.until)}" if backup.hold.until else ""
    return f"{status}, held{until}"


def _verified(verification: Verification | None) -> str:
    if verification is None:
        return "never"
    at = written(verification.verified_at)
    read = f"{verification.checked_blobs} of {counted(verification.total_blobs, 'blob')}"
    return f"{at}, {'good' if verification.good else 'DAMAGED'}, {read} read"


def _database_rows(manifest: Manifest) -> Iterator[Row]:
    database = manifest.database
    if database is None:
        return
    yield "database", f"{database.name}, {size(database.size_bytes)}"
    yield "server", f"PostgreSQL {database.server_version}, {database.system_identifier}"
    yield "client", f"pg_dump {database.client_version}"
    yield "encoding", f"{database.encoding}, {database.locale}"
    if database.extensions:
        names = (f"{each.name} {each.version}" for each in database.extensions)
        yield "extensions", ", ".join(names)


def _part_rows(manifest: Manifest) -> Iterator[Row]:
    """Yield a line for each part, and one line for all large tables: there may be many."""
    tables = [part for part in manifest.parts if part.kind == PartKind.TABLE]
    for part in manifest.parts:
        if part.kind != PartKind.TABLE:
            yield part.kind, f"{size(part.size_bytes)} in {counted(len(part.blobs), 'blob')}"
    if tables:
        rows = sum(table.rows or 0 for table in tables)
        blobs = sum(len(table.blobs) for table in tables)
        total = size(sum(table.size_bytes for table in tables))
        where = f"{total} in {counted(blobs, 'blob')}"
        yield "large tables", f"{len(tables)}, {counted(rows, 'row')}, {where}"

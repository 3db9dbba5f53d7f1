"""A manifest whose ranges of large tables were changed in the store is refused as damage."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from attrs import evolve
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore, verify_backup
from brownie_backup.compressors import Uncompressed
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import DamagedError
from brownie_backup.format.converter import manifest_to_bytes
from brownie_backup.format.layout import manifest_key
from brownie_backup.model import BlobRef, Part, RowRange
from brownie_backup.stores import MemoryStore

pytestmark = pytest.mark.once

Blobs = tuple[BlobRef, ...]
TABLES = """
CREATE TABLE one AS SELECT g AS id, repeat('x', 100) AS x FROM generate_series(1, 3000) g;
CREATE TABLE two AS SELECT g AS id, repeat('y', 100) AS x FROM generate_series(1, 3000) g;
"""


@pytest.fixture(scope="module")
def database(servers: Servers) -> Iterator[tuple[Server, str]]:
    server = servers.get(18)
    name = f"ranges_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, TABLES)
    yield server, name
    for left in server.databases(f"{name}%"):
        server.drop(left)


@pytest.fixture(scope="module")
def backed_up(database: tuple[Server, str]) -> tuple[Repository, PostgresDumper]:
    server, name = database
    dumper = PostgresDumper(
        parse_conninfo(server.url("postgres")).with_database(name),
        pg_bin=str(server.client),
        bulk_table_bytes=8 * 8192,
        range_bytes=8 * 8192,
    )
    repository = Repository(MemoryStore(), Uncompressed(), Cleartext())
    create_backup(repository, dumper, name="backup")
    return repository, dumper


def fewer_rows(blobs: Blobs) -> Blobs:
    begins = blobs[0].begins
    assert begins
    fewer = RowRange(begins.blocks, begins.rows - 1)
    return (evolve(blobs[0], begins=fewer), *blobs[1:])


def swapped_content(blobs: Blobs) -> Blobs:
    one, two, *rest = blobs
    return (evolve(one, name=two.name), evolve(two, name=one.name), *rest)


CHANGES: dict[str, Callable[[Blobs], Blobs]] = {
    "dropped at the end": lambda blobs: blobs[:-1],
    "dropped in between": lambda blobs: blobs[:1] + blobs[2:],
    "doubled": lambda blobs: blobs[:1] + blobs,
    "swapped": lambda blobs: (blobs[1], blobs[0], *blobs[2:]),
    "with one another's rows": swapped_content,
    "with fewer rows": fewer_rows,
    "all gone": lambda _: (),
}


def changed(part: Part, change: Callable[[Blobs], Blobs]) -> Part:
    blobs = change(part.blobs)
    return evolve(
        part,
        blobs=blobs,
        size_bytes=sum(blob.size_bytes for blob in blobs),
        rows=sum(blob.begins.rows for blob in blobs if blob.begins),
    )


def refused(repository: Repository, dumper: PostgresDumper, parts: tuple[Part, ...]) -> str:
    """Put other parts into the manifest, whose digest is right; return the error."""
    forged = evolve(repository.manifest("backup"), parts=parts)
    store = MemoryStore()
    for found in repository.store.list(""):
        store.put(found.key, repository.store.get(found.key))
    store.put(manifest_key("backup"), manifest_to_bytes(forged))
    other = evolve(repository, store=store)
    options = RestoreOptions()
    with pytest.raises(DamagedError) as caught:
        restore(other, dumper, "backup", target_database="none", options=options, dry_run=True)
    verification = verify_backup(other, dumper, "backup")
    assert not verification.good
    assert caught.value.message in verification.problems
    return caught.value.message


@pytest.mark.parametrize("change", CHANGES)
def test_ranges_that_were_changed_are_refused(
    backed_up: tuple[Repository, PostgresDumper], change: str
) -> None:
    repository, dumper = backed_up
    *others, last = repository.manifest("backup").parts
    assert last.table
    assert len(last.blobs) > 3
    message = refused(repository, dumper, (*others, changed(last, CHANGES[change])))
    ranges = f"3000 rows in {len(last.blobs)} ranges of the table with the oid {last.table.oid}"
    assert message == f"the manifest does not name the rows that were backed up: {ranges}"


def test_tables_that_were_swapped_or_left_out_are_refused(
    backed_up: tuple[Repository, PostgresDumper],
) -> None:
    repository, dumper = backed_up
    *others, one, two = repository.manifest("backup").parts
    swapped = evolve(one, blobs=two.blobs), evolve(two, blobs=one.blobs)
    refused(repository, dumper, (*others, *swapped))
    refused(repository, dumper, (*others, one))
    refused(repository, dumper, (*others, one, two, two))


def test_what_was_not_changed_is_restored(
    backed_up: tuple[Repository, PostgresDumper], database: tuple[Server, str]
) -> None:
    repository, dumper = backed_up
    server, name = database
    target = f"{name}_restored"
    restore(repository, dumper, "backup", target_database=target)
    assert server.sql(target, "SELECT count(*) FROM one, two WHERE one.id = two.id") == "3000\n"
    assert verify_backup(repository, dumper, "backup").good

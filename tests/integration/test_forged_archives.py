"""A backup with commands of psql in any of its texts runs nothing on the host that restores it.

The restore finds programs of every version, and a psql among them that only says that it was run.
"""

import secrets
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from tests.integration.archive_toc import FIELDS, TocEntry, rewritten
from tests.servers.install import installed
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore
from brownie_backup.compressors import Uncompressed
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import BackupError, DamagedError
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.model.reports import RestoreOptions
from brownie_backup.stores import MemoryStore

pytestmark = pytest.mark.once

Forge = Callable[[bytes], bytes]

COMMANDS = r"""
\! touch {0}
\o |touch {0}
\copy pg_class to program 'touch {0}'
SELECT 'COPY pg_class TO PROGRAM ''touch {0}''' \gexec
SELECT 1 \g |touch {0}
SELECT 1 \gx |touch {0}
\w |touch {0}
\i {1}
\ir {1}
\set x `touch {0}`
\setenv PAGER 'touch {0}'
\pset pager always
SELECT :'x', :"x", :x;
\unrestrict key
\connect "dbname=x passfile=`touch {0}`"
\if `touch {0}`
"""
TABLES = ";".join(
    f"CREATE TABLE of_{field} (id int PRIMARY KEY); INSERT INTO of_{field} VALUES (1)"
    for field in FIELDS
)


@contextmanager
def scene(servers: Servers, major: int, tmp_path: Path) -> Iterator["Scene"]:
    """Yield a database on the oldest server, with a table for each field."""
    server = servers.get(15)
    database = f"forged_{secrets.token_hex(4)}"
    server.create(database)
    try:
        server.sql(database, f"{TABLES}; COMMENT ON DATABASE {database} IS 'here'")
        yield Scene(server, database, installed(major) / "client", tmp_path)
    finally:
        for left in server.databases(f"{database}%"):
            server.drop(left)


class Scene:
    """A database, and a forger of its backups."""

    def __init__(self, server: Server, database: str, client: Path, folder: Path) -> None:
        self.server = server
        self.database = database
        self.client = client
        self.witness = folder / "witness"
        self.bin = folder / "bin"
        shutil.copytree(client, self.bin)
        (self.bin / "psql").write_text(f"#!/bin/sh\ntouch {self.witness}\n")
        script = folder / "script.sql"
        script.write_text(f"\\! touch {self.witness}\n")
        commands = COMMANDS.format(self.witness, script)
        # Outside of quotes, in a comment, and after quotes of all kinds were closed.
        self.payload = f"x\n{commands}\n';\n{commands}\n\";\n{commands}\n$$;{commands}".encode()

    def restored(
        self,
        forge: Forge,
        **options: Any,  # noqa: ANN401 - any of its fields
    ) -> BackupError | None:
        """Forge a backup and restore it; return the error."""
        repository = Repository(MemoryStore(), Uncompressed(), Cleartext())
        conninfo = parse_conninfo(self.server.url("postgres")).with_database(self.database)
        create_backup(repository, Forging(forge, conninfo, pg_bin=str(self.client)))
        dumper = PostgresDumper(conninfo, pg_bin=str(self.bin))
        chosen = evolve(RestoreOptions(), **options)
        target = f"{self.database}_restored"
        try:
            restore(repository, dumper, "latest", target_database=target, options=chosen)
        except BackupError as error:
            return error
        finally:
            assert not self.witness.exists()
            self.server.drop(target)
        return None


class Forging(PostgresDumper):
    """Reads another archive than the database has."""

    def __init__(self, forge: Forge, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.forge = forge

    @contextmanager
    def reading(self) -> Iterator["_Forging"]:  # type: ignore[override]
        """Begin to read."""
        with super().reading() as reader:
            yield _Forging(reader, self.forge)


class _Forging:
    def __init__(self, reader: object, forge: Forge) -> None:
        self.reader = reader
        self.forge = forge

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Read a part; forge the archive."""
        plain = b"".join(self.reader.read(part))  # type: ignore[attr-defined]
        yield self.forge(plain) if part.kind == PartKind.ARCHIVE else plain
        return None


def put(
    entries: list[TocEntry], kind: bytes, field: str, payload: bytes, tag: bytes | None = None
) -> None:
    """Put commands behind a field's text."""
    found = [e for e in entries if e.desc == kind and tag in {e.tag, None}]
    assert found, (kind, tag)
    for each in found:
        setattr(each, field, (getattr(each, field) or b"") + payload)


def forge_tables(payload: bytes, archive: bytes, *, only: str = "") -> bytes:
    """Put commands into one field of each table; into the rows' COPY if only that is asked for."""

    def change(entries: list[TocEntry]) -> None:
        for field in FIELDS:
            if field != "copy" and only in {"", field}:
                put(entries, b"TABLE", field, payload, f"of_{field}".encode())
        if only in {"", "copy"}:
            put(entries, b"TABLE DATA", "copy", payload, b"of_copy")

    return rewritten(archive, change)


def forge_database(payload: bytes, field: str, archive: bytes) -> bytes:
    """Put commands into a field of the entries about the database itself."""

    def change(entries: list[TocEntry]) -> None:
        put(entries, b"DATABASE", field, payload)
        put(entries, b"COMMENT", field, payload)

    return rewritten(archive, change)


@pytest.mark.parametrize("major", [15, 16, 17, 18])
def test_commands_in_any_text_of_an_archive_run_nothing(
    servers: Servers, tmp_path: Path, major: int
) -> None:
    with scene(servers, major, tmp_path) as forging:
        payload = forging.payload
        unchanged = partial(rewritten, change=lambda _: None)
        assert forging.restored(unchanged) is None  # psql is not needed either
        assert forging.restored(partial(forge_tables, payload))
        assert forging.restored(partial(forge_tables, payload, only="copy"))
        assert forging.restored(partial(forge_tables, payload), tables=("public.of_defn",))
        error = forging.restored(partial(forge_database, payload, "defn"))
        assert isinstance(error, DamagedError)
        assert "a command of psql where only SQL belongs" in error.message


@pytest.mark.parametrize("field", [f for f in FIELDS if f != "defn"])
def test_commands_in_any_text_about_the_database_run_nothing(
    servers: Servers, tmp_path: Path, field: str
) -> None:
    with scene(servers, 18, tmp_path) as forging:
        forging.restored(partial(forge_database, forging.payload, field))


def without_database(entries: list[TocEntry]) -> None:
    entries[:] = [e for e in entries if e.desc != b"DATABASE"]


def with_two_databases(entries: list[TocEntry]) -> None:
    put(entries, b"DATABASE", "defn", b"CREATE DATABASE another;\n")


def with_another_statement(entries: list[TocEntry]) -> None:
    for each in entries:
        each.defn = b"SELECT 1;\n" if each.desc == b"DATABASE" else each.defn


def with_a_comment_alone(entries: list[TocEntry]) -> None:
    for each in entries:
        each.defn = b"-- nothing\n" if each.desc == b"DATABASE" else each.defn


NOT_ONE_DATABASE = (
    without_database,
    with_two_databases,
    with_another_statement,
    with_a_comment_alone,
)


@pytest.mark.parametrize("how", NOT_ONE_DATABASE)
def test_an_archive_that_does_not_make_one_database_is_damaged(
    servers: Servers, tmp_path: Path, how: Callable[[list[TocEntry]], None]
) -> None:
    with scene(servers, 18, tmp_path) as forging:
        error = forging.restored(partial(rewritten, change=how))
        assert isinstance(error, DamagedError)


def test_a_table_that_the_archive_makes_under_another_name_is_damage(
    servers: Servers, tmp_path: Path
) -> None:
    def change(entries: list[TocEntry]) -> None:
        for each in entries:
            if each.desc == b"TABLE" and each.tag == b"of_tag":
                each.defn = b"CREATE TABLE public.other (id int);\n"
        entries[:] = [e for e in entries if e.desc not in {b"TABLE DATA", b"CONSTRAINT"}]

    with scene(servers, 18, tmp_path) as forging:
        forge = partial(rewritten, change=change)
        for into in (None, "public.new"):
            error = forging.restored(forge, tables=("public.of_tag",), into=into, owner=False)
            assert isinstance(error, DamagedError), error
            assert "the archive lists public.of_tag" in error.message

"""A backup that somebody forged runs nothing on the host that restores it."""

import secrets
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import BackupError, DamagedError
from brownie_backup.hints import RestoreHint
from brownie_backup.model import PartKind, PartSpec
from brownie_backup.model.reports import RestoreOptions

pytestmark = pytest.mark.once

FORGED = "a command of psql where only SQL belongs"
COMMANDS = [
    pytest.param("\\! touch {}", id="shell"),
    pytest.param("\\o |touch {}", id="output"),
    pytest.param("\\copy pg_class to program 'touch {}'", id="copy"),
    pytest.param("SELECT 'COPY pg_class TO PROGRAM ''touch {}''' \\gexec", id="gexec"),
    pytest.param("SELECT 1 \\g |touch {}", id="g"),
    pytest.param("SELECT 1 \\! touch {}\n;", id="within a statement"),
    pytest.param("\\set x `touch {}`", id="backquotes"),
    pytest.param("\\unrestrict key \\! touch {}", id="unrestrict"),
]


class Forging(PostgresDumper):
    """Reads something else than the database has, for one kind of part."""

    def __init__(
        self, server: Server, database: str, kind: PartKind, old: bytes, new: bytes
    ) -> None:
        super().__init__(
            parse_conninfo(server.url("postgres")).with_database(database),
            pg_bin=str(server.client),
        )
        self.forgery = (kind, old, new)

    @contextmanager
    def reading(self) -> Iterator["ForgingReader"]:  # type: ignore[override]
        """Begin to read."""
        with super().reading() as reader:
            yield ForgingReader(reader, self.forgery)


class ForgingReader:
    """A reader that replaces bytes."""

    def __init__(self, reader: object, forgery: tuple[PartKind, bytes, bytes]) -> None:
        self.reader = reader
        self.forgery = forgery

    def read(self, part: PartSpec) -> Generator[bytes, None, int | None]:
        """Read a part, and forge it."""
        kind, old, new = self.forgery
        if part.kind != kind:
            return (yield from self.reader.read(part))  # type: ignore[attr-defined,no-any-return]
        plain = b"".join(self.reader.read(part))  # type: ignore[attr-defined]
        assert plain.count(old) >= 1
        yield plain.replace(old, new, 1)
        return None


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


def refused(
    server: Server, repository: Repository, small: str, options: RestoreOptions
) -> BackupError:
    """Restore; return the error. Nothing is left on the server."""
    target = f"{small}_forged"
    with pytest.raises(BackupError) as caught:
        restore(repository, server.dumper(small), "latest", target_database=target, options=options)
    assert server.databases(f"{target}%") == []
    return caught.value


@pytest.mark.parametrize("command", COMMANDS)
def test_forged_roles(
    server: Server, small: str, repository: Repository, tmp_path: Path, command: str
) -> None:
    witness = tmp_path / "witness"
    role = f"missing_{secrets.token_hex(4)}"
    forged = f"CREATE ROLE {role};\n{command.format(witness)}\nCREATE ROLE postgres;"
    create_backup(
        repository,
        Forging(server, small, PartKind.GLOBALS, b"CREATE ROLE postgres;", forged.encode()),
    )
    error = refused(server, repository, small, RestoreOptions(with_roles=True))
    assert isinstance(error, DamagedError)
    assert FORGED in error.message
    assert error.hint == RestoreHint.FORGED()
    assert not witness.exists()
    roles = f"SELECT count(*) FROM pg_roles WHERE rolname = '{role}'"
    assert server.sql("postgres", roles) == "0\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_forged_archive(
    server: Server, small: str, repository: Repository, tmp_path: Path, command: str
) -> None:
    witness = tmp_path / "witness"
    forged = f"x';\n{command.format(witness)}\n--".encode()
    # As long as what it replaces: the archive says how long its texts are.
    server.sql(small, f"COMMENT ON DATABASE {small} IS '{'x' * len(forged)}'")
    create_backup(
        repository,
        Forging(server, small, PartKind.ARCHIVE, b"x" * len(forged), forged),
    )
    error = refused(server, repository, small, RestoreOptions())
    assert isinstance(error, DamagedError)
    assert FORGED in error.message
    assert not witness.exists()


def test_a_forged_name_of_a_role_is_a_name(
    server: Server, small: str, repository: Repository, tmp_path: Path
) -> None:
    """What is in quotes is sent to the server, and no more than a name there."""
    witness = tmp_path / "w"
    role = f"\\! touch {witness}"[-60:]
    # As a member of a needed role, it is created.
    forged = f'CREATE ROLE "{role}";\nGRANT postgres TO "{role}";\nCREATE ROLE postgres;'
    create_backup(
        repository,
        Forging(server, small, PartKind.GLOBALS, b"CREATE ROLE postgres;", forged.encode()),
    )
    target = f"{small}_forged"
    options = RestoreOptions(with_roles=True)
    try:
        restore(repository, server.dumper(small), "latest", target_database=target, options=options)
        roles = server.sql("postgres", "SELECT rolname FROM pg_roles").splitlines()
        assert role in roles
        assert not witness.exists()
    finally:
        server.sql("postgres", f'DROP ROLE IF EXISTS "{role}"')
        server.drop(target)

"""Poolers: a backup through one is right, or refused before it harms anybody."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.integration.bulk import BULK_BYTES
from tests.integration.waiting import wait_until
from tests.servers.pooler import pgbouncer
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, list_backups
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import ConnectionFailed

pytestmark = pytest.mark.once

Pool = Callable[[str, str], str]
"""Starts a pooler of a mode that ignores these startup parameters; returns its URL."""


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def pool(server: Server, small: str) -> Iterator[Pool]:
    """A way to start pgbouncer; skips where it can't be had."""
    try:
        program, libraries = pgbouncer()
    except (OSError, subprocess.CalledProcessError) as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"pgbouncer can't be had, so nothing is tested through a pooler: {error}")
    folder = Path(tempfile.mkdtemp(prefix="bb-pooler-"))
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    password = server.password.reveal()
    started: list[subprocess.Popen[bytes]] = []

    def start(mode: str, ignored: str) -> str:
        (folder / "users").write_text(f'"postgres" "{password}"\n')
        (folder / "settings").write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder}/users\npool_mode = {mode}\n"
            f"ignore_startup_parameters = {ignored}\n"
        )
        as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()
        argv = [program, "-q", *as_nobody, str(folder / "settings")]
        env = os.environ | ({"LD_LIBRARY_PATH": libraries} if libraries else {})
        started.append(subprocess.Popen(argv, env=env, stderr=subprocess.DEVNULL))
        wait_until(lambda: _listens(port), what="pgbouncer listens")
        return f"postgresql://postgres:{password}@127.0.0.1:{port}/{small}"

    yield start
    for process in started:
        process.terminate()
        process.wait()
    shutil.rmtree(folder)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def dumper(server: Server, url: str) -> PostgresDumper:
    return PostgresDumper(
        parse_conninfo(url), pg_bin=str(server.client), bulk_table_bytes=BULK_BYTES
    )


def application_sees(server: Server, url: str) -> str:
    """Return the search_path that a client of the pooler gets."""
    argv = [str(server.client / "psql"), "-XqAt", "--dbname", url, "-c", "SHOW search_path"]
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout.strip()


@pytest.mark.parametrize("ignored", ["", "options", "options,extra_float_digits"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_a_pooler_that_mixes_sessions_is_refused_before_anything_is_set_or_stored(
    pool: Pool, server: Server, repository: Repository, mode: str, ignored: str
) -> None:
    url = pool(mode, ignored)
    assert application_sees(server, url) == '"$user", public'
    with pytest.raises(ConnectionFailed) as refused:
        create_backup(repository, dumper(server, url))
    assert "connect to PostgreSQL itself" in str(refused.value.hint)
    assert not list_backups(repository)
    assert not list(repository.store.list("blobs/"))
    assert application_sees(server, url) == '"$user", public'


def test_a_pooler_that_gives_each_session_its_own_is_as_good_as_none(
    pool: Pool, server: Server, small: str, repository: Repository
) -> None:
    server.sql(
        small, "INSERT INTO orders SELECT g, repeat('x', 90) FROM generate_series(2000, 3000) g"
    )
    url = pool("session", "options,extra_float_digits")
    manifest = create_backup(repository, dumper(server, url)).manifest
    assert [part.rows for part in manifest.parts if part.table] == [2001]
    assert application_sees(server, url) == '"$user", public'

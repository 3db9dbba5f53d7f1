"""What the owner of a database, or whoever can write to the store, must not be able to do."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve
from tests.integration.cli import Cli
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup, restore
from brownie_backup.format.converter import manifest_from_bytes, manifest_to_bytes
from brownie_backup.postgres.output import forgive

pytestmark = pytest.mark.once

EVIL = """
CREATE FUNCTION public.evil(name, name) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    EXECUTE 'CREATE ROLE owned_by_mallory';
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION public.evil_text(text, text) RETURNS bool LANGUAGE sql AS
  'SELECT public.evil($1::name, $2::name)';
CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = name, FUNCTION = public.evil);
CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = name, FUNCTION = public.evil);
CREATE OPERATOR public.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = public.evil_text);
CREATE FUNCTION public.current_setting(text) RETURNS text LANGUAGE sql AS
  'SELECT public.evil($1::name, $1::name)::text';
"""


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture(scope="module")
def ascii_server() -> Iterator[Server]:
    """A server where no other test has made roles."""
    server = Server(18)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def odd(server: Server) -> Iterator[str]:
    """A database whose name looks like a connection string."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        name = f"host=127.0.0.1 port={probe.getsockname()[1]} sslmode=disable"
    server.create(name)
    yield name
    server.drop(name)


def test_a_database_owners_operators_do_not_run_with_our_rights(
    small_cli: Cli, small: str, server: Server
) -> None:
    server.sql(
        small,
        "CREATE ROLE mallory; GRANT ALL ON SCHEMA public TO mallory;"
        f"ALTER DATABASE {small} OWNER TO mallory; SET ROLE mallory; {EVIL}",
    )
    server.sql(small, f"ALTER DATABASE {small} SET search_path = public, pg_catalog")
    try:
        small_cli.json("backup")
        small_cli.run("doctor")
        small_cli.json("restore", "latest", "--target-db", f"{small}_r")
        owned = "SELECT count(*) FROM pg_roles WHERE rolname = 'owned_by_mallory'"
        assert server.sql("postgres", owned) == "0\n"
    finally:
        server.drop(f"{small}_r")
        server.sql(small, "DROP ROLE IF EXISTS owned_by_mallory; DROP OWNED BY mallory CASCADE")
        server.sql("postgres", f"ALTER DATABASE {small} OWNER TO postgres; DROP ROLE mallory")


def test_a_name_that_looks_like_a_connection_string_sends_nobody_the_password(
    repository: Repository, server: Server, odd: str
) -> None:
    port = int(odd.split("port=")[1].split(maxsplit=1)[0])
    asked = threading.Event()
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.2)
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            try:
                listener.accept()[0].close()
                asked.set()
            except TimeoutError:
                continue

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        create_backup(repository, server.dumper(odd))
        restore(repository, server.dumper(odd), "latest", target_database="of_odd")
    finally:
        done.set()
        thread.join()
        listener.close()
        server.drop("of_odd")
    assert not asked.is_set()


def test_a_service_keeps_naming_the_server_during_a_restore(
    small_cli: Cli, servers: Servers, small: str, tmp_path: Path
) -> None:
    service = servers.get(18)
    other = servers.get(17)
    path = tmp_path / "services.conf"
    path.write_text(
        f"[ours]\nhost=127.0.0.1\nport={service.port}\nuser=postgres\ndbname={small}\n"
        f"password={service.password.reveal()}\n"
    )
    env = {k: v for k, v in small_cli.env.items() if k != "BACKUP_DATABASE_URL"}
    env |= {
        "PGSERVICEFILE": str(path),
        "PGSERVICE": "ours",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(other.port),
        "PGUSER": "postgres",
        "PGPASSWORD": other.password.reveal(),
    }
    cli = Cli(env)
    cli.json("backup")
    cli.json("restore", "latest", "--target-db", f"{small}_r")
    assert f"{small}_r" in service.databases()
    assert f"{small}_r" not in other.databases()


@pytest.mark.parametrize("number", [0x2028, 0x2029, 0x85, 0x0B, 0x1C])
def test_line_separators_in_names_of_roles_do_no_harm(
    small_cli: Cli, small: str, server: Server, number: int
) -> None:
    role = f"odd{chr(number)}role"
    server.sql(small, f'CREATE ROLE "{role}"; GRANT SELECT ON orders TO "{role}"')
    try:
        small_cli.json("backup")
        small_cli.json("restore", "latest", "--target-db", f"{small}_r")
    finally:
        server.drop(f"{small}_r")
        server.sql(small, f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def test_a_roles_timeouts_do_not_end_a_restore(small_cli: Cli, small: str, server: Server) -> None:
    server.sql(
        small,
        """CREATE FUNCTION slow(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql
               AS 'BEGIN PERFORM pg_catalog.pg_sleep(1); RETURN 1; END';
           CREATE TABLE slowly_indexed AS SELECT 1 AS id;
           CREATE INDEX ON slowly_indexed (slow(id));""",
    )
    server.sql("postgres", "ALTER ROLE postgres SET statement_timeout = '500ms'")
    try:
        small_cli.json("backup")
        small_cli.json("restore", "latest", "--target-db", f"{small}_r")
    finally:
        server.sql("postgres", "SET statement_timeout = 0; ALTER ROLE postgres RESET ALL")


def test_a_template_that_could_not_be_put_in_place_is_dropped(
    small_cli: Cli, small: str, server: Server
) -> None:
    server.sql("postgres", f"ALTER DATABASE {small} IS_TEMPLATE true CONNECTION LIMIT 0")
    server.sql(
        small,
        "CREATE TABLE odd (n int); CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql"
        " AS 'BEGIN RETURN (SELECT max(n) FROM odd); END'; CREATE INDEX ON odd (f(n));"
        "INSERT INTO odd VALUES (1)",
    )
    small_cli.json("backup")
    assert small_cli.run("restore", "latest", "--target-db", f"{small}_r").status == 1
    assert server.databases(f"{small}_%") == []


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_other_encodings_and_non_ascii_names(
    repository: Repository, ascii_server: Server, encoding: str
) -> None:
    server = ascii_server
    # Names of databases and roles are shared by all databases, and PostgreSQL converts them not
    # at all: only ASCII ones read the same in databases of several encodings.
    text = {"LATIN1": "Müller", "EUC_JP": "日本語", "SQL_ASCII": "Müller"}[encoding]
    source, target, role = f"of {encoding}", "wiederhergestellt ü", f"owner of {encoding}"
    server.create(source, f"TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
    server.sql(source, f'CREATE ROLE "{role}"')
    try:
        server.sql(
            source,
            f'CREATE TABLE "{text}" (t text); INSERT INTO "{text}" VALUES (\'{text}\');'
            f'ALTER DATABASE "{source}" OWNER TO "{role}";'
            f"COMMENT ON DATABASE \"{source}\" IS '{text}'",
        )
        create_backup(repository, server.dumper(source))
        restore(repository, server.dumper(source), "latest", target_database=target)
        utf_8 = () if encoding == "SQL_ASCII" else ("--encoding=UTF8",)
        assert server.plain_dump(target, *utf_8) == server.plain_dump(source, *utf_8)
        comment = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname ="
        found = [server.sql(name, f"{comment} current_database()") for name in (source, target)]
        assert found[0] == found[1] == f"{text}\n"
    finally:
        server.drop(source)
        server.drop(target)
        server.sql("postgres", f'DROP ROLE "{role}"')


def test_only_the_one_known_error_is_forgiven() -> None:
    known = (
        "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter "
        '"transaction_timeout"\nCommand was: SET transaction_timeout = 0;'
    )
    ignored = "pg_restore: warning: errors ignored on restore: 1"
    assert forgive(1, [known, ignored]) == (0, [])
    hidden = known.replace("query: ERROR:  ", "query: ERROR:  function f() in ")
    assert forgive(1, [hidden, ignored])[0] == 1
    assert forgive(1, [known, ignored.replace("1", "2")])[0] == 1
    assert forgive(1, [known, "pg_restore: error: other", ignored])[0] == 1


def test_an_older_client_does_not_call_a_backup_damaged(small_cli: Cli, servers: Servers) -> None:
    small_cli.json("backup", "--name", "one")
    older = {"BACKUP_PG_BIN": str(servers.get(15).client)}
    result = small_cli.run("verify", "one", "--json", **older)
    assert result.status == 1
    assert result.json["error"]["type"] == "ProgramMissing"
    assert small_cli.backups() == {"one": "good"}


def test_a_cut_blob_is_seen_after_a_good_verification_and_stored_again(small_cli: Cli) -> None:
    small_cli.json("backup", "--name", "one")
    small_cli.json("verify", "one")
    blob = max(small_cli.blobs(), key=lambda path: path.stat().st_size)
    whole = blob.read_bytes()
    for length in (1000, 0):
        os.truncate(blob, length)
        assert small_cli.backups()["one"] == "damaged"
        small_cli.json("backup", "--name", f"after-{length}")
        assert blob.stat().st_size == len(whole)
        assert small_cli.json("verify", "--all")["good"]


def test_a_manifest_that_promises_a_huge_blob_is_refused(small_cli: Cli, small: str) -> None:
    small_cli.json("backup", "--name", "one")
    path = small_cli.store / "manifests" / "one.json"
    manifest = manifest_from_bytes(path.read_bytes(), "it")
    huge = tuple(
        evolve(part, blobs=tuple(evolve(blob, size_bytes=1 << 30) for blob in part.blobs))
        for part in manifest.parts
    )
    path.write_bytes(manifest_to_bytes(evolve(manifest, parts=huge)))
    result = small_cli.run("restore", "one", "--target-db", f"{small}_r", "--json")
    assert result.status == 1
    assert "no blob is larger than" in json.dumps(result.json)


def test_reading_a_store_that_is_not_there_makes_none(small_cli: Cli, tmp_path: Path) -> None:
    nowhere = {"BACKUP_DESTINATION": str(tmp_path / "typo")}
    for command in (("restore", "latest"), ("verify", "--all"), ("delete", "x"), ("verify", "x")):
        assert small_cli.run(*command, **nowhere).status == 10
    assert small_cli.run("list", **nowhere).status == 3  # "there is no store yet"
    assert not (tmp_path / "typo").exists()

"""Every way to say which database, and what a role may and may not do."""

import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integration.cli import Cli
from tests.servers.running import Server, Servers

from brownie_backup import Repository, create_backup
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.errors import DumpFailed, ProgramMissing

pytestmark = pytest.mark.once

ROLE = "backup_operator"
ROLE_PASSWORD = r"it's a : \ pässword"


@pytest.fixture
def server(servers: Servers) -> Server:
    return servers.get(18)


@pytest.fixture
def operator(server: Server, small: str, small_cli: Cli) -> Iterator[Cli]:
    """The command line as a role that may read everything and write nothing."""
    quoted = ROLE_PASSWORD.replace("'", "''")
    server.sql(
        small,
        f"CREATE ROLE {ROLE} LOGIN PASSWORD '{quoted}'; GRANT pg_read_all_data TO {ROLE}",
    )
    escaped = ROLE_PASSWORD.replace("\\", "\\\\").replace("'", "\\'")
    conninfo = f"host=127.0.0.1 port={server.port} user={ROLE} dbname={small} password='{escaped}'"
    yield Cli(small_cli.env | {"BACKUP_DATABASE_URL": conninfo})
    for left in server.databases(f"{small}_r%"):
        server.drop(left)
    server.sql(small, f"DROP OWNED BY {ROLE}; DROP ROLE {ROLE}")


def without_url(cli: Cli, **more: str) -> Cli:
    env = {k: v for k, v in cli.env.items() if k != "BACKUP_DATABASE_URL"}
    return Cli(env | more)


def test_libpqs_own_variables_name_the_database(small_cli: Cli, server: Server, small: str) -> None:
    cli = without_url(
        small_cli,
        PGHOST="127.0.0.1",
        PGPORT=str(server.port),
        PGUSER="postgres",
        PGPASSWORD=server.password.reveal(),
        PGDATABASE=small,
    )
    assert cli.json("backup")["backup"]["database"]["name"] == small
    cli.json("restore", "latest", "--target-db", f"{small}_r")


def test_a_service_file_and_pgpass_name_the_database(
    small_cli: Cli, server: Server, small: str, tmp_path: Path
) -> None:
    service = tmp_path / "services.conf"
    service.write_text(
        f"[shop]\nhost=127.0.0.1\nport={server.port}\nuser=postgres\ndbname={small}\n"
    )
    pgpass = Path(small_cli.env["HOME"]) / ".pgpass"
    pgpass.write_text(f"127.0.0.1:*:*:postgres:{server.password.reveal()}\n")
    pgpass.chmod(0o600)
    by_variable = without_url(small_cli, PGSERVICEFILE=str(service), PGSERVICE="shop")
    assert by_variable.json("backup")["backup"]["database"]["name"] == small
    by_url = Cli(by_variable.env | {"BACKUP_DATABASE_URL": "service=shop"})
    assert by_url.json("backup")["backup"]["database"]["name"] == small


def test_the_url_goes_before_what_libpq_would_find(
    small_cli: Cli, small: str, tmp_path: Path
) -> None:
    service = tmp_path / "services.conf"
    service.write_text("[other]\nhost=127.0.0.1\nport=1\ndbname=other\nuser=other\n")
    wrong = {
        "PGSERVICEFILE": str(service),
        "PGSERVICE": "other",
        "PGPASSWORD": "wrong",
        "PGDATABASE": "wrong",
        "PGUSER": "wrong",
        "PGPORT": "1",
        "PGCLIENTENCODING": "LATIN1",
    }
    assert small_cli.json("backup", **wrong)["backup"]["database"]["name"] == small


def test_a_url_in_a_file(small_cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "url"
    path.write_text(small_cli.env["BACKUP_DATABASE_URL"] + "\n")
    without_url(small_cli, BACKUP_DATABASE_URL_FILE=str(path)).json("backup")


def test_an_unknown_database_has_a_status_of_its_own(small_cli: Cli, server: Server) -> None:
    result = small_cli.run("backup", "--json", BACKUP_DATABASE_URL=server.url("nowhere"))
    assert result.status == 10
    assert result.json["error"]["type"] == "DatabaseNotFound"


def test_a_role_that_only_reads_can_back_up_without_role_passwords(
    operator: Cli, small: str, server: Server
) -> None:
    # pg_read_all_data would let it read pg_authid too.
    server.sql(small, f"REVOKE pg_read_all_data FROM {ROLE}; GRANT SELECT ON orders, big TO {ROLE}")
    notes = operator.json("backup")["backup"]["notes"]
    assert any("role passwords are not included" in note for note in notes)
    operator.json("verify", "latest")
    doctor = operator.run("doctor", "--json")
    assert doctor.status == 3
    refused = operator.run("restore", "latest", "--target-db", f"{small}_r", "--json")
    assert refused.status == 1
    assert "CREATEDB" in refused.err
    server.sql("postgres", f"ALTER ROLE {ROLE} CREATEDB")
    restored = ("restore", "latest", "--target-db", f"{small}_r", "--no-owner", "--no-acl")
    operator.json(*restored)
    operator.json(*restored, "--replace")
    assert server.sql(f"{small}_r", "SELECT count(*) FROM orders") == "1000\n"


def test_a_member_of_the_owner_restores_with_owners_and_without_being_a_superuser(
    operator: Cli, small: str, server: Server
) -> None:
    server.sql(
        small,
        f"CREATE ROLE app_owner; GRANT app_owner TO {ROLE}; ALTER ROLE {ROLE} CREATEDB;"
        f"ALTER DATABASE {small} OWNER TO app_owner; ALTER TABLE orders OWNER TO app_owner;"
        "ALTER VIEW big OWNER TO app_owner",
    )
    try:
        operator.json("backup")
        operator.json("restore", "latest", "--target-db", f"{small}_r")
        owner = "SELECT relowner::regrole FROM pg_class WHERE relname = 'orders'"
        assert server.sql(f"{small}_r", owner) == "app_owner\n"
    finally:
        for left in server.databases(f"{small}_r%"):
            server.drop(left)
        server.sql(small, f"REASSIGN OWNED BY app_owner TO postgres; REVOKE app_owner FROM {ROLE}")
        server.sql("postgres", "DROP ROLE app_owner")


def test_what_a_role_may_not_read_fails_the_backup_and_doctor_says_it_first(
    operator: Cli, server: Server, small: str
) -> None:
    server.sql(
        small,
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;"
        f"REVOKE pg_read_all_data FROM {ROLE}; GRANT SELECT ON orders, big TO {ROLE};"
        "CREATE TABLE hidden (n int); CREATE SEQUENCE counter; SELECT lo_from_bytea(4242, 'x')",
    )
    result = operator.run("doctor", "--json")
    assert result.status == 1
    found = json.dumps(result.json["findings"])
    for name in ("public.hidden", "public.counter", "4242", "row security hides rows of"):
        assert name in found
    failed = operator.run("backup", "--name", "one")
    assert failed.status == 1
    assert "permission denied" in failed.err
    assert operator.backups() == {}


def test_row_security_fails_the_backup_rather_than_losing_rows(
    operator: Cli, server: Server, small: str
) -> None:
    server.sql(small, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY")
    failed = operator.run("backup")
    assert failed.status == 1
    assert "BYPASSRLS" in failed.err
    assert operator.backups() == {}
    server.sql("postgres", f"ALTER ROLE {ROLE} BYPASSRLS")
    operator.json("backup")


def test_the_servers_timeouts_do_not_end_a_backup(
    small_cli: Cli, server: Server, small: str
) -> None:
    for name in ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout"):
        server.sql("postgres", f"ALTER DATABASE {small} SET {name} = '100ms'")
    server.sql("postgres", f"ALTER DATABASE {small} SET default_transaction_read_only = on")
    server.sql(
        small,
        "SET default_transaction_read_only = off; SET statement_timeout = 0;"
        "SET transaction_timeout = 0;"
        "CREATE TABLE more AS SELECT g, repeat(md5(g::text), 9) FROM generate_series(1, 300000) g",
    )
    small_cli.json("backup")
    small_cli.json("restore", "latest", "--target-db", f"{small}_r")
    found = "SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase"
    settings = server.sql("postgres", f"{found} WHERE datname = '{small}_r'")
    assert "default_transaction_read_only=on" in settings
    assert "statement_timeout=100ms" in settings


def test_a_table_that_is_held_exclusively_gives_an_error_and_no_hang(
    repository: Repository, server: Server, small: str
) -> None:
    holder = subprocess.Popen(
        [str(server.client / "psql"), "-X", "-q", server.url(small)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    with holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdin.write("BEGIN; LOCK orders;\n\\echo locked\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "locked\n"
        dumper = PostgresDumper(
            parse_conninfo(server.url(small)),
            pg_bin=str(server.client),
            lock_timeout=timedelta(seconds=1),
        )
        with pytest.raises(DumpFailed, match="lock timeout") as caught:
            create_backup(repository, dumper)
        assert "another time" in str(caught.value.hint)
        holder.stdin.close()
    assert repository.backups() == ()


def test_programs_older_than_the_server_are_named_with_what_to_install(
    repository: Repository, servers: Servers, small: str
) -> None:
    with pytest.raises(ProgramMissing, match="the newest installed is 15") as caught:
        create_backup(repository, servers.get(18).dumper(small, client=servers.get(15).client))
    assert "postgresql-client-18" in str(caught.value.hint)


def test_backups_see_one_moment(repository: Repository, server: Server, small: str) -> None:
    """The inventory and the archive come from one snapshot, whatever is committed between."""
    dumper = server.dumper(small)
    with dumper.snapshot() as snapshot:
        server.sql(small, "CREATE TABLE later (n int); DELETE FROM orders")
        with dumper.reading() as reader:
            read = {part.kind: b"".join(reader.read(part)) for part in snapshot.parts}
    assert b"later" not in read["archive"]
    assert json.loads(read["inventory"])["counts"]["relkind r"] == 1
    assert read["archive"].count(b"\n") >= 1000

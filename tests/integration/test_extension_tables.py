"""Rows of an extension's own tables, which exist before any rows are loaded."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.encryptors import Cleartext
from brownie_backup.stores import LocalStore

# As PostGIS has for its topologies.
EXTENSION = """
CREATE TABLE topology (id int PRIMARY KEY, srid int);
CREATE TABLE layer (id int, topology_id int REFERENCES topology, pad text);
CREATE FUNCTION srid(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql
  AS 'BEGIN RETURN (SELECT srid FROM @extschema@.topology WHERE id = x); END';
CREATE FUNCTION check_layer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NOT EXISTS (SELECT FROM public.feature) THEN RAISE 'a layer of no feature'; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER check_layer BEFORE INSERT ON layer FOR EACH ROW EXECUTE FUNCTION check_layer();
SELECT pg_extension_config_dump('topology', '');
SELECT pg_extension_config_dump('layer', '');
"""
SCHEMA = """
CREATE SCHEMA topo;
CREATE EXTENSION brownie_topology SCHEMA topo;
CREATE TABLE feature (id int);
CREATE TABLE shape (topology_id int, pad text,
  srid int GENERATED ALWAYS AS (topo.srid(topology_id)) STORED);
INSERT INTO feature VALUES (1);
INSERT INTO topo.topology VALUES (1, 4326);
INSERT INTO topo.layer SELECT i, 1, repeat('x', 1000) FROM generate_series(1, 300) i;
INSERT INTO shape SELECT 1, repeat('x', 1000) FROM generate_series(1, 500) i;
"""


@pytest.fixture
def server(servers: Servers) -> Iterator[Server]:
    """A server that has the extension."""
    server = servers.get(18)
    folder = server.data / "brownie_extensions"  # which the server can read
    (folder / "extension").mkdir(parents=True, exist_ok=True)
    control = "default_version = '1'\nrelocatable = false\n"
    (folder / "extension" / "brownie_topology.control").write_text(control)
    (folder / "extension" / "brownie_topology--1.sql").write_text(EXTENSION)
    path = f"ALTER ROLE postgres SET extension_control_path = '$system:{folder}'"
    server.sql("postgres", path)
    yield server
    server.sql("postgres", "ALTER ROLE postgres RESET extension_control_path")


@pytest.mark.once
def test_tables_of_an_extension_and_what_reads_them_come_back(
    tmp_path: Path, server: Server
) -> None:
    name = f"topology_{secrets.token_hex(4)}"
    server.create(name)
    try:
        server.sql(name, SCHEMA)
        repository = Repository(LocalStore(tmp_path / "store"), Zstd(), Cleartext())
        create_backup(repository, server.dumper(name), name="one")
        copy = f"{name}_copy"
        options = RestoreOptions(jobs=4)
        restore(repository, server.dumper(name), "one", target_database=copy, options=options)
        rows = (
            "SELECT count(*) FROM topo.layer; SELECT DISTINCT srid, count(*) FROM shape GROUP BY 1"
        )
        assert server.sql(copy, rows).split() == ["300", "4326|500"]
    finally:
        for left in server.databases(f"{name}%"):
            server.drop(left)

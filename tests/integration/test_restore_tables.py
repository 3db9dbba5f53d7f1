"""Some tables out of a backup: what comes along, where to, what is fetched, and what is left."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import field, frozen
from tests.integration.cli import Cli, cli_for
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoredTable, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    ConfigurationError,
    DamagedError,
    RestoreFailed,
    RestoreRefused,
    TargetExists,
)
from brownie_backup.reports import RestoreReport
from brownie_backup.stores import LocalStore

pytestmark = pytest.mark.once

SHOP = """
CREATE SCHEMA "Söme. ""x";
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE SEQUENCE shared START 500;
CREATE FUNCTION seven() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 7';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL, feels mood DEFAULT 'glad');
INSERT INTO customers (name) SELECT 'c' || g FROM generate_series(1, 100) g;
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer int REFERENCES customers, before int REFERENCES orders, worth positive DEFAULT seven(),
  nr int DEFAULT nextval('shared'), twice int GENERATED ALWAYS AS (worth * 2) STORED,
  what text, CONSTRAINT "it's" CHECK (worth >= seven()));
COMMENT ON TABLE orders IS 'it''s "all"';
GRANT SELECT ON orders TO public;
CREATE INDEX orders_what ON orders (lower(what));
CREATE INDEX by_worth ON orders (worth);
CREATE STATISTICS together ON customer, worth FROM orders;
CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW worthy AS SELECT * FROM orders WHERE worth > 7;
INSERT INTO orders (customer, what)
  SELECT g % 100 + 1, repeat(md5(g::text), 30) FROM generate_series(1, 2000) g;
CREATE TABLE months (at int, what text, PRIMARY KEY (at)) PARTITION BY RANGE (at);
CREATE INDEX ON months (what);
CREATE TABLE months_1 PARTITION OF months FOR VALUES FROM (0) TO (1000);
CREATE TABLE months_2 PARTITION OF months FOR VALUES FROM (1000) TO (9000)
  PARTITION BY RANGE (at);
CREATE TABLE months_2a PARTITION OF months_2 FOR VALUES FROM (1000) TO (9000);
INSERT INTO months SELECT g, repeat('x', 200) FROM generate_series(1, 3000) g;
CREATE TABLE more_customers (since int) INHERITS (customers);
INSERT INTO more_customers (name, since) VALUES ('late', 2020);
CREATE TABLE "Söme. ""x"."Tä ble.1" ("Ä" int PRIMARY KEY, "select" text);
INSERT INTO "Söme. ""x"."Tä ble.1" VALUES (1, 'one'), (2, 'two');
CREATE VIEW "Söme. ""x".seen AS SELECT * FROM "Söme. ""x"."Tä ble.1";
CREATE VIEW "Söme. ""x".beyond AS SELECT * FROM public.customers;
CREATE FUNCTION "Söme. ""x".one() RETURNS int LANGUAGE sql AS 'SELECT 1';
"""
ODD = '"Söme. ""x"."Tä ble.1"'
SERVER = "restores_tables"


@frozen
class CountingStore(LocalStore):
    """A folder that knows what was read from it."""

    gets: list[str] = field(factory=list, kw_only=True)

    def get(self, key: str) -> bytes:
        """Return an object, and remember which."""
        self.gets.append(key)
        return super().get(key)


class Shop:
    """A database, its backup, and restores of it."""

    def __init__(self, server: Server, name: str, store: CountingStore, bulk_bytes: int) -> None:
        self.server = server
        self.name = name
        self.store = store
        self.repository = Repository(store, Zstd(), Cleartext())
        url = parse_conninfo(server.url("postgres")).with_database(name)
        self.dumper = PostgresDumper(url, pg_bin=str(server.client), bulk_table_bytes=bulk_bytes)
        self.manifest = create_backup(self.repository, self.dumper, name="b").manifest

    def sql(self, sql: str, database: str | None = None) -> str:
        return self.server.sql(database or self.name, sql).strip()

    def restore(
        self,
        *tables: str,
        target: str | None = None,
        into: str | None = None,
        dry_run: bool = False,
        **options: object,
    ) -> RestoreReport:
        chosen = RestoreOptions(tables=tables, into=into, **options)  # type: ignore[arg-type]
        return restore(
            self.repository,
            self.dumper,
            "b",
            target_database=target,
            options=chosen,
            dry_run=dry_run,
        )

    def oid(self, table: str) -> int:
        return int(self.sql(f"SELECT '{table}'::regclass::oid"))

    def blobs_of(self, *oids: int) -> set[str]:
        """Return the names of the blobs that only the tables with these oids have."""
        return {
            ref.id
            for part in self.manifest.parts
            if part.table and part.table.oid in oids
            for ref in part.blobs
        }

    def left(self) -> list[str]:
        """Return what a restore may leave behind."""
        schemas = self.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ '^_restoring_'")
        return [*schemas.split(), *self.server.databases("%restoring%")]


@pytest.fixture(params=[1, 1 << 30], ids=["ranges", "archive"])
def shop(servers: Servers, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    server = servers.get(18)
    name = f"shop_{secrets.token_hex(4)}"
    server.create(name)
    server.sql(name, SHOP)
    yield Shop(server, name, CountingStore(tmp_path / "store"), request.param)
    for left in server.databases(f"{name}%"):
        server.drop(left)


def test_one(shop: Shop) -> None:
    r = shop.restore("public.orders", target=shop.name + "_1")
    print(r)
    print("\n".join(shop.server.plain_dump(shop.name + "_1", "-s")))
    shop.sql("ALTER TABLE orders RENAME TO x; DROP TABLE x CASCADE")
    print(shop.restore("public.orders"))
    print(shop.restore("public.orders", into="public.old_orders"))
    print("\n".join(shop.server.plain_dump(shop.name, "-s", "-t", "*orders*")))
    print(shop.restore(ODD, into='public."A.b"'))
    print(shop.restore("public.months", target=shop.name + "_2"))
    print(shop.restore("public.more_customers", target=shop.name + "_3"))
    print(shop.restore(schemas=('"Söme. ""x"',), target=shop.name + "_4"))
    print("\n".join(shop.server.plain_dump(shop.name + "_4", "-s")))
    print(shop.left())
    assert 0

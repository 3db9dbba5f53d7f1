"""Some tables out of a backup: what comes along, where to, what is fetched, and what is left."""

import secrets
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import field, frozen
from tests.integration.cli import Cli
from tests.servers.running import Server, Servers

from brownie_backup import Repository, RestoredTable, RestoreOptions, create_backup, restore
from brownie_backup.compressors import Zstd
from brownie_backup.dumpers import PostgresDumper
from brownie_backup.dumpers.postgres import parse_conninfo
from brownie_backup.encryptors import Cleartext
from brownie_backup.errors import (
    DamagedError,
    RestoreFailed,
    RestoreRefused,
    TargetExists,
)
from brownie_backup.format.layout import blob_key
from brownie_backup.format.limits import MOST_OBJECT_BYTES
from brownie_backup.hints import RestoreHint
from brownie_backup.model import Manifest, Part
from brownie_backup.model.reports import RestoreReport
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


@frozen
class CountingStore(LocalStore):
    """A folder that knows what was read from it."""

    gets: list[str] = field(factory=list, kw_only=True)

    def get(self, key: str, most_bytes: int = MOST_OBJECT_BYTES) -> bytes:
        """Return an object, and remember which."""
        self.gets.append(key)
        return super().get(key, most_bytes)


class Shop:
    """A database, its backup, and restores of it."""

    def __init__(self, server: Server, folder: Path, bulk_bytes: int) -> None:
        self.server = server
        self.name = f"shop_{secrets.token_hex(4)}"
        self.folder = folder
        self.store = CountingStore(folder / "store")
        self.repository = Repository(self.store, Zstd(), Cleartext())
        url = parse_conninfo(server.url("postgres")).with_database(self.name)
        self.dumper = PostgresDumper(url, pg_bin=str(server.client), bulk_table_bytes=bulk_bytes)
        server.create(self.name)
        server.sql(self.name, SHOP)
        self.manifest = create_backup(self.repository, self.dumper, name="b").manifest

    def restore(
        self, target: str, options: RestoreOptions, *, dry_run: bool = False
    ) -> RestoreReport:
        """Restore into a database."""
        self.store.gets.clear()
        return restore(
            self.repository,
            self.dumper,
            "b",
            target_database=target,
            options=options,
            dry_run=dry_run,
        )

    def fetched(self) -> set[str]:
        """Return the large tables with blobs that were fetched since the last restore began."""
        keys = set(self.store.gets)
        oids = {
            part.table.oid
            for part in self.manifest.parts
            if part.table and keys & {blob_key(ref.name) for ref in part.blobs}
        }
        return {self.sql(self.name, f"SELECT {oid}::regclass") for oid in oids}

    def sql(self, database: str, sql: str) -> str:
        """Run SQL; return what it printed."""
        return self.server.sql(database, sql).strip()

    def dump(self, database: str, *arguments: str) -> list[str]:
        """Return a plain dump."""
        return self.server.plain_dump(database, *arguments)


@pytest.fixture(scope="module")
def shops(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[int], Shop]]:
    """Databases, by the size from which on their tables are large tables."""

    @cache
    def shop(bulk_bytes: int) -> Shop:
        made.append(Shop(servers.get(18), tmp_path_factory.mktemp("shop"), bulk_bytes))
        return made[-1]

    made: list[Shop] = []
    yield shop
    for each in made:
        each.server.drop(each.name)


@pytest.fixture
def shop(shops: Callable[[int], Shop], request: pytest.FixtureRequest) -> Shop:
    """A database whose tables are in ranges, if the test does not want it otherwise."""
    return shops(getattr(request, "param", 1))


both = pytest.mark.parametrize("shop", [1, 1 << 30], ids=["ranges", "archive"], indirect=True)


@pytest.fixture
def fresh(shop: Shop) -> Iterator[str]:
    """The name of a database that does not exist, and will not afterwards."""
    name = f"{shop.name}_fresh"
    yield name
    shop.server.drop(name)
    assert shop.server.databases("%restoring%") == []


@pytest.fixture
def copy(shop: Shop) -> Iterator[str]:
    """A copy of the database; no half-made things may be left in it."""
    name = f"{shop.name}_copy"
    shop.server.create(name, f"TEMPLATE {shop.name}")
    yield name
    left = shop.sql(name, "SELECT nspname FROM pg_namespace WHERE nspname ~ '^_restoring_'")
    shop.server.drop(name)
    assert (left, shop.server.databases("%restoring%")) == ("", [])


@both
def test_tables_and_what_they_need_come_into_a_fresh_database(shop: Shop, fresh: str) -> None:
    tables = ("public.orders", "public.customers")
    report = shop.restore(fresh, RestoreOptions(tables=tables))
    assert report.warnings == ()
    assert report.detail.tables == (
        RestoredTable("public.customers", 100),
        RestoredTable("public.orders", 2000),
    )
    same = [f"--table={table}" for table in (*tables, "shared")]
    assert shop.dump(fresh, *same) == shop.dump(shop.name, *same)
    assert shop.sql(fresh, "SELECT nextval('shared')") == "2500"
    assert shop.sql(fresh, "SELECT to_regclass('worthy'), to_regclass('months')") == "|"
    assert shop.sql(fresh, "SELECT stxname FROM pg_statistic_ext") == "together"
    assert shop.sql(fresh, "SELECT reltuples FROM pg_class WHERE relname = 'orders'") == "2000"
    assert "public.orders" not in shop.fetched()  # names are as regclass shows them
    assert shop.fetched() <= {"orders", "customers"}


@both
def test_only_what_is_needed_is_fetched(shop: Shop, fresh: str, copy: str) -> None:
    bulk = sum(part.size_bytes for part in shop.manifest.parts if part.table)
    shop.sql(copy, "DROP TABLE orders CASCADE")
    for target in (fresh, copy):
        report = shop.restore(target, RestoreOptions(tables=("public.orders",)))
        assert shop.fetched() == ({"orders"} if bulk else set())
        assert report.size_bytes < shop.manifest.size_bytes or not bulk


@both
def test_a_lost_table_comes_back(shop: Shop, copy: str) -> None:
    shop.sql(copy, "DROP VIEW worthy")
    before = shop.dump(copy)
    shop.sql(copy, "DROP TABLE orders")
    report = shop.restore(copy, RestoreOptions(tables=("public.orders",)))
    assert report.detail.tables == (RestoredTable("public.orders", 2000),)
    (warning,) = report.warnings
    assert "FK CONSTRAINT public.orders orders_customer_fkey" in warning.message
    shop.sql(copy, str(warning.hint).partition(": ")[2])
    assert shop.dump(copy) == before
    assert shop.sql(copy, "SELECT stxname FROM pg_statistic_ext") == "together"


@both
def test_a_table_comes_back_beside_the_one_that_is_there(shop: Shop, copy: str) -> None:
    shop.sql(copy, "UPDATE orders SET what = 'spoilt'")
    before = shop.dump(copy)
    report = shop.restore(
        copy, RestoreOptions(tables=("public.orders",), into='public."Örders.old"')
    )
    assert report.detail.tables == (RestoredTable('public."Örders.old"', 2000),)
    rows = "SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM {} o"
    old = shop.sql(copy, rows.format('"Örders.old"'))
    assert old == shop.sql(shop.name, rows.format("orders"))
    parts = "SELECT {0} FROM {1} WHERE {2} = '\"Örders.old\"'::regclass ORDER BY 1"
    assert shop.sql(
        copy, parts.format('indexrelid::regclass::text COLLATE "C"', "pg_index", "indrelid")
    ) == ('"Örders.old_by_worth"\n"Örders.old_pkey"\n"Örders.old_what"')
    assert shop.sql(copy, parts.format("stxname", "pg_statistic_ext", "stxrelid")) == (
        "Örders.old_together"
    )
    sequence = "SELECT pg_get_serial_sequence('\"Örders.old\"', 'id')"
    assert shop.sql(copy, sequence) == 'public."Örders.old_id_seq"'
    assert shop.sql(copy, "SELECT nextval('\"Örders.old_id_seq\"')") == "2001"
    shop.sql(copy, 'DROP TABLE "Örders.old"')
    assert shop.dump(copy) == before


def test_a_table_gets_another_name_in_a_fresh_database(shop: Shop, fresh: str) -> None:
    options = RestoreOptions(tables=(ODD,), into="archive.Rows")
    assert shop.restore(fresh, options).detail.tables == (RestoredTable("archive.Rows", 2),)
    assert shop.sql(fresh, 'SELECT * FROM archive."Rows"') == "1|one\n2|two"
    assert shop.sql(fresh, "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = "
                    "'archive.\"Rows\"'::regclass") == 'archive."Rows_pkey"'  # fmt: skip


def test_an_existing_table_is_refused_before_anything_is_changed(shop: Shop, copy: str) -> None:
    blobs = {
        blob_key(r.name) for p in shop.manifest.parts if p.kind != "inventory" for r in p.blobs
    }
    with pytest.raises(TargetExists, match=r"named public\.orders") as caught:
        shop.restore(copy, RestoreOptions(tables=("public.orders",)))
    assert caught.value.hint == RestoreHint.INTO_OR_TARGET()
    assert blobs.isdisjoint(shop.store.gets)
    with pytest.raises(TargetExists, match=r'"Tä ble\.1"'):
        shop.restore(copy, RestoreOptions(schemas=('"Söme. ""x"',)))
    shop.sql(copy, "DROP TABLE months CASCADE; CREATE VIEW months_2a AS SELECT 1")
    before = shop.dump(copy)
    with pytest.raises(TargetExists, match=r"public\.months_2a"):
        shop.restore(copy, RestoreOptions(tables=("public.months",)))
    assert shop.dump(copy) == before


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        ("ALTER TYPE mood RENAME TO temper", 'type "public.mood" does not exist'),
        ("CREATE VIEW customers_pkey AS SELECT 1", 'relation "customers_pkey" already exists'),
    ],
)
def test_a_failure_leaves_an_existing_database_as_it_was(
    shop: Shop, copy: str, spoil: str, error: str
) -> None:
    shop.sql(copy, f"DROP TABLE customers CASCADE; {spoil}")
    before = shop.dump(copy)
    with pytest.raises(RestoreFailed, match=error):
        shop.restore(copy, RestoreOptions(tables=("public.customers",)))
    assert shop.dump(copy) == before


def test_damage_leaves_an_existing_database_as_it_was(servers: Servers, tmp_path: Path) -> None:
    shop = Shop(servers.get(18), tmp_path, 1)
    oid = int(shop.sql(shop.name, "SELECT 'orders'::regclass::oid"))
    (part,) = (p for p in shop.manifest.parts if p.table and p.table.oid == oid)
    (shop.folder / "store" / blob_key(part.blobs[-1].name)).write_bytes(b"damaged")
    shop.sql(shop.name, "DROP TABLE orders CASCADE")
    before = shop.dump(shop.name)
    with pytest.raises(DamagedError):
        shop.restore(shop.name, RestoreOptions(tables=("public.orders",)))
    assert shop.dump(shop.name) == before
    assert shop.server.databases("%restoring%") == []
    shop.server.drop(shop.name)


@both
def test_partitions_come_with_their_root(shop: Shop, fresh: str, copy: str) -> None:
    shop.sql(copy, "DROP TABLE months")
    for target in (fresh, copy):
        report = shop.restore(target, RestoreOptions(tables=("public.months",)))
        assert report.detail.tables == (
            RestoredTable("public.months_1", 999),
            RestoredTable("public.months_2a", 2001),
        )
        assert report.warnings == ()
        assert shop.dump(target, "--table=months*") == shop.dump(shop.name, "--table=months*")


def test_a_partition_comes_alone(shop: Shop, fresh: str) -> None:
    report = shop.restore(fresh, RestoreOptions(tables=("public.months_2a",)))
    assert report.detail.tables == (RestoredTable("public.months_2a", 2001),)
    assert report.warnings == ()
    assert shop.sql(fresh, "SELECT count(*), max(at) FROM months_2a") == "2001|3000"
    assert shop.sql(fresh, "SELECT to_regclass('months')") == ""
    assert shop.sql(fresh, "SELECT count(*) FROM pg_index WHERE indisvalid AND "
                    "indrelid = 'months_2a'::regclass") == "2"  # fmt: skip


def test_a_parent_that_was_not_asked_for_comes_bare(shop: Shop, fresh: str) -> None:
    report = shop.restore(fresh, RestoreOptions(tables=("public.more_customers",)))
    (warning,) = report.warnings
    assert warning.message.startswith("public.customers is restored without its rows")
    assert shop.sql(fresh, "SELECT name, feels, since FROM customers, LATERAL "
                    "(SELECT since FROM more_customers) s") == "late|glad|2020"  # fmt: skip


def test_a_schema_comes_with_its_views_and_functions(shop: Shop, fresh: str) -> None:
    report = shop.restore(fresh, RestoreOptions(schemas=('"Söme. ""x"',)))
    (warning,) = report.warnings
    assert warning.message.startswith("left out: VIEW")
    assert "beyond" in warning.message
    assert report.detail.tables == (RestoredTable(ODD, 2),)
    schema = '"Söme. ""x"'
    assert shop.sql(fresh, f"SELECT count(*), {schema}.one() FROM {schema}.seen") == "2|1"


def test_a_schema_is_added(shop: Shop, copy: str) -> None:
    before = shop.dump(copy)
    schema = '"Söme. ""x"'
    view = shop.dump(copy, "--schema-only", f"--table={schema}.seen")
    shop.sql(copy, f"DROP TABLE {ODD} CASCADE")
    report = shop.restore(copy, RestoreOptions(schemas=(schema,)))
    assert report.detail.tables == (RestoredTable(ODD, 2),)
    assert report.warnings == ()
    shop.sql(copy, "\n".join(line for line in view if not line.startswith("--")))
    assert shop.dump(copy) == before


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        (RestoreOptions(tables=("public.orders",), indexes=False), "f,p"),
        (RestoreOptions(tables=("public.orders",), constraints=False), "i,i"),
        (RestoreOptions(tables=("public.orders",), indexes=False, constraints=False), ""),
    ],
)
def test_indexes_and_constraints_can_be_left_out(
    shop: Shop, fresh: str, copy: str, options: RestoreOptions, kinds: str
) -> None:
    shop.sql(copy, "DROP TABLE orders CASCADE")
    for target in (fresh, copy):
        shop.restore(target, options)
        assert shop.sql(target, "SELECT string_agg(k, ',' ORDER BY k) FROM ("
          "SELECT contype::text AS k FROM pg_constraint WHERE conrelid = 'orders'::regclass "
          "AND contype IN ('p', 'f') UNION ALL SELECT 'i' FROM pg_index WHERE indrelid = "
          "'orders'::regclass AND NOT indisprimary) x") == kinds  # fmt: skip


@pytest.mark.parametrize(
    ("options", "error", "hint"),
    [
        (RestoreOptions(tables=("public.order",)), "no table named public.order", "public.orders"),
        (RestoreOptions(tables=("Public.orders",)), "no table named", "public.orders"),
        (RestoreOptions(tables=("public.worthy",)), "it is a VIEW", ""),
        (RestoreOptions(tables=("public.%",)), "no table named", ""),
        (RestoreOptions(schemas=("publik",)), "nothing in a schema", "public"),
        (RestoreOptions(tables=("public.months",), into="a.b"), "has partitions", "database"),
    ],
)
def test_what_the_backup_lacks_is_refused(
    shop: Shop, fresh: str, options: RestoreOptions, error: str, hint: str
) -> None:
    for dry_run in (True, False):
        with pytest.raises(RestoreRefused, match=error) as caught:
            shop.restore(fresh, options, dry_run=dry_run)
        assert hint in str(caught.value.hint)
        assert shop.server.databases(fresh) == []


def test_a_schema_that_the_target_lacks_is_refused(shop: Shop, copy: str) -> None:
    with pytest.raises(RestoreRefused, match="no schema archive"):
        shop.restore(copy, RestoreOptions(tables=(ODD,), into="archive.rows"))


def test_a_dry_run_changes_nothing(shop: Shop, fresh: str, copy: str) -> None:
    before = shop.dump(copy)
    options = RestoreOptions(tables=("public.months",))
    report = shop.restore(fresh, options, dry_run=True)
    assert ("chosen", "public.months, public.months_1, public.months_2, public.months_2a") in {
        (finding.subject, finding.message) for finding in report.findings
    }
    assert shop.fetched() == set()
    assert [f.subject for f in shop.restore(copy, options, dry_run=True).warnings] == ["target"]
    assert shop.server.databases(fresh) == []
    assert shop.dump(copy) == before


def test_the_inventory_and_the_other_parts_must_agree(servers: Servers, tmp_path: Path) -> None:
    shop = Shop(servers.get(18), tmp_path, 1)
    whole = PostgresDumper(
        parse_conninfo(shop.server.url("postgres")).with_database(shop.name),
        pg_bin=str(shop.server.client),
    )
    other = create_backup(shop.repository, whole, name="whole").manifest
    options, target = RestoreOptions(), f"{shop.name}_2"
    inventory = part_of(shop, shop.manifest, "inventory")
    archives = [part_of(shop, manifest, "archive") for manifest in (other, shop.manifest)]

    assert other.database
    source = other.database

    def load(archive: bytes) -> None:
        with shop.dumper.restoring(source, target, options, "t") as restoring:
            restoring.preflight(inventory, 0)
            restoring.receive([(Part("archive", len(archive)), [archive])])
            restoring.load([])

    with pytest.raises(DamagedError, match="twice"):
        load(archives[0])
    with pytest.raises(DamagedError, match="same large tables"):
        load(archives[1])
    assert shop.server.databases(f"{shop.name}%") == [shop.name]
    shop.server.drop(shop.name)


def part_of(shop: Shop, manifest: Manifest, kind: str) -> bytes:
    """Return the bytes of a part."""
    (part,) = (part for part in manifest.parts if part.kind == kind)
    reader = shop.repository.reader(manifest)
    return b"".join(reader.get(ref) for ref in part.blobs)


def test_on_15(servers: Servers, tmp_path: Path) -> None:
    shop = Shop(servers.get(15), tmp_path, 1)
    report = shop.restore(shop.name, RestoreOptions(tables=("public.orders",), into="public.again"))
    assert report.detail.tables == (RestoredTable("public.again", 2000),)
    shop.restore(f"{shop.name}_2", RestoreOptions(tables=("public.orders",)))
    rows = "SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM {} o"
    expected = shop.sql(shop.name, rows.format("orders"))
    assert shop.sql(shop.name, rows.format("again")) == expected
    assert shop.sql(f"{shop.name}_2", rows.format("orders")) == expected
    for name in (f"{shop.name}_2", shop.name):
        shop.server.drop(name)


def test_the_command(small_cli: Cli, small: str, servers: Servers) -> None:
    server = servers.get(18)
    small_cli.json("backup")
    table = ("--table", "public.orders")
    refused = small_cli.run("restore", "latest", *table, "--json")
    assert (refused.status, refused.json["error"]["type"]) == (1, "TargetExists")
    assert small_cli.run("restore", "latest", "--table", "orders").status == 2
    other = (*table, "--target-db", f"{small}_x", "--no-indexes", "--no-constraints")
    said = small_cli.run("restore", "latest", *other, "--dry-run")
    assert (said.status, server.databases(f"{small}%")) == (0, [small])
    assert f"to '{small}_x': public.orders; nothing was changed" in said.out
    done = small_cli.json("restore", "latest", *table, "--into", "public.old")
    assert done["tables"] == [{"name": "public.old", "rows": 1000}]
    assert server.sql(small, "SELECT count(*) FROM old") == "1000\n"


def test_a_role_that_is_no_superuser_adds_a_table_with_its_owner(
    servers: Servers, tmp_path: Path
) -> None:
    shop = Shop(servers.get(18), tmp_path, 1)
    clerk, mover = f"clerk_{shop.name}", f"mover_{shop.name}"
    shop.sql(
        shop.name,
        f"CREATE ROLE {clerk}; CREATE ROLE {mover} LOGIN CREATEDB PASSWORD 'm'; "
        f"GRANT {clerk} TO {mover}; ALTER DATABASE {shop.name} OWNER TO {mover}; "
        f"ALTER TABLE months OWNER TO {clerk}; ALTER TABLE months_1 OWNER TO {clerk}; "
        f"ALTER TABLE months_2 OWNER TO {clerk}; ALTER TABLE months_2a OWNER TO {clerk}",
    )
    create_backup(shop.repository, shop.dumper, name="owned")
    before = shop.dump(shop.name)
    shop.sql(shop.name, "DROP TABLE months")
    url = f"postgresql://{mover}:m@127.0.0.1:{shop.server.port}/{shop.name}"
    dumper = PostgresDumper(parse_conninfo(url), pg_bin=str(shop.server.client))
    options = RestoreOptions(tables=("public.months",))
    report = restore(shop.repository, dumper, "owned", options=options)
    assert [table.rows for table in report.detail.tables] == [999, 2001]
    assert shop.dump(shop.name) == before
    shop.server.drop(shop.name)
    shop.sql("postgres", f"DROP ROLE {clerk}, {mover}")

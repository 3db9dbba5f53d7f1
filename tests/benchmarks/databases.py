"""Databases to measure with: the same for everybody, row by row, at any time.

Every value is a hash of the row's number. The heaps of a database are 1.5 GiB together at scale 1,
of which a narrow row takes half as much as a wide one.
"""

import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from tests.servers.running import Server

SCALE = float(os.environ.get("BROWNIE_BENCH_SCALE") or 1)
"""How many rows there are; only at 1 do the figures mean something."""

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "max_wal_size": "8GB",
    "shared_buffers": "1GB",
    "summarize_wal": "on",
    "wal_level": "replica",
}
"""As of a server that has something to lose."""

ROWS_EACH = 300
TABLES = 200

_TABLES = """
CREATE TABLE narrow (
    id bigint, customer_id int, quantity int, amount_cents bigint, at timestamptz, note text);
CREATE TABLE wide (
    id bigint, public_id uuid, price numeric(10, 2), changed_at timestamptz, details jsonb,
    text text);
"""
_ROWS = {
    "narrow": """
        SELECT g, (hashint8extended(g, 1) & 131071)::int, (hashint8extended(g, 2) & 63)::int,
            hashint8extended(g, 3) & 1048575,
            timestamptz '2024-01-01 00:00:00+00' + g * interval '7 seconds',
            rpad('order ' || g || ' by ' || substr(md5(g::text), 1, 20) || ', to be sent '
                || (ARRAY['today', 'by air'])[1 + (hashint8extended(g, 4) & 1)], 68, '.')
        FROM generate_series({first}, {last}) g""",
    "wide": """
        SELECT g, md5('uuid ' || g)::uuid, (hashint8extended(g, 5) & 16777215) / 100.0,
            timestamptz '2024-01-01 00:00:00+00' + hashint8extended(g, 6) % 9999999
            * interval '1 second',
            format('{{"sku": "%s", "state": "%s", "stock": %s}}', substr(md5(g::text), 1, 12),
                (ARRAY['new', 'used', 'sold', 'lost'])[1 + (hashint8extended(g, 7) & 3)],
                hashint8extended(g, 8) & 1023)::jsonb,
            rpad('item ' || g || ' of the catalogue, described as ' || md5('text ' || g)
                || ' and kept in ' || substr(md5('place ' || g), 1, 8), 112 + (g % 8)::int, ' -')
        FROM generate_series({first}, {last}) g""",
}
_KEYS = {
    "narrow": "ALTER TABLE narrow ADD PRIMARY KEY (id); CREATE INDEX ON narrow (customer_id)",
    "wide": "ALTER TABLE wide ADD PRIMARY KEY (id); CREATE INDEX ON wide (changed_at)",
}
_TEXTS = {"narrow": "note", "wide": "text", "small_007": "name"}
_SMALL = f"""
DO $$ BEGIN
    FOR i IN 0 .. {TABLES - 1} LOOP
        EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text, at timestamptz)',
            lpad(i::text, 3, '0'));
        EXECUTE format('INSERT INTO small_%s SELECT g, md5(g || ''of'' || %s), timestamptz
            ''2024-01-01 00:00:00+00'' + g * interval ''1 hour'' FROM generate_series(1, %s) g',
            lpad(i::text, 3, '0'), i, {ROWS_EACH});
    END LOOP;
END $$
"""


@frozen
class Shape:
    """A database of two big tables and many small ones."""

    name: str
    rows: dict[str, int]
    """Of each big table."""

    def scaled(self, name: str, scale: float) -> "Shape":
        """Return the same with more rows, or fewer."""
        return Shape(name, {table: round(rows * scale) for table, rows in self.rows.items()})


_BALANCED = Shape("balanced", {"narrow": 6_000_000, "wide": 3_000_000})
_SKEWED = Shape("skewed", {"narrow": 1_200_000, "wide": 5_400_000})

BALANCED = _BALANCED.scaled("balanced", SCALE)
QUARTER = _BALANCED.scaled("quarter", SCALE / 4)
SKEWED = _SKEWED.scaled("skewed", SCALE)


def make(server: Server, shape: Shape) -> None:
    """Make a database."""
    server.create(shape.name)
    server.sql(shape.name, _TABLES + _SMALL)

    def fill(table: str) -> None:
        server.sql(shape.name, _insert(table, 1, shape.rows[table]) + _KEYS[table])

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(fill, shape.rows):
            pass
    server.sql(shape.name, "VACUUM ANALYZE")


def grow(server: Server, shape: Shape) -> None:
    """Append one row to each big table for every hundred that it was made with."""
    for table, rows in shape.rows.items():
        last = int(server.sql(shape.name, f"SELECT max(id) FROM {table}"))
        server.sql(shape.name, _insert(table, last + 1, last + rows // 100))
    server.sql(shape.name, "VACUUM ANALYZE")


def pages(server: Server, shape: Shape) -> dict[str, int]:
    """Return how many pages of 8 KiB each big table's heap has."""
    size = "SELECT pg_relation_size('{}') / 8192"
    return {table: int(server.sql(shape.name, size.format(table))) for table in shape.rows}


def contents(server: Server, database: str, tables: Iterable[str] = _TEXTS) -> dict[str, str]:
    """Return a few sums over each table: alike where the rows are alike."""
    sums = "SELECT count(*), sum(id), sum(length({})), min({}), max({}) FROM {}"
    return {
        table: server.sql(database, sums.format(*[_TEXTS[table]] * 3, table)) for table in tables
    }


def summarize(server: Server, *, on: bool) -> None:
    """Switch WAL summaries on or off, and wait until new sessions see that."""
    wanted = "on" if on else "off"
    server.sql("postgres", f"ALTER SYSTEM SET summarize_wal = {wanted}")
    server.sql("postgres", "SELECT pg_reload_conf()")
    while server.sql("postgres", "SHOW summarize_wal").strip() != wanted:
        time.sleep(0.01)


def settle(server: Server) -> None:
    """Let nothing be left to do that would weigh on what is measured next."""
    server.sql("postgres", "CHECKPOINT")
    summarized = """
        DO $$ BEGIN
            WHILE current_setting('summarize_wal')::bool AND (SELECT
                    summarized_lsn < redo_lsn FROM pg_get_wal_summarizer_state(),
                    pg_control_checkpoint()) LOOP
                PERFORM pg_sleep(0.05);
            END LOOP;
        END $$"""
    server.sql("postgres", f"SET statement_timeout = '60s'; {summarized}")
    os.sync()


def _insert(table: str, first: int, last: int) -> str:
    return f"INSERT INTO {table} {_ROWS[table].format(first=first, last=last)};"

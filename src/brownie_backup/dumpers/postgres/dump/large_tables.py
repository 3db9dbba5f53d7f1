"""Large tables: the tables that are read in ranges of their blocks, and their properties.

All other tables stay in pg_dump's archive, since pg_dump knows best how to write them.
"""

from collections.abc import Iterable
from typing import Any

from attrs import field, frozen

from brownie_backup.model import Relation, RowFormat, Table
from brownie_backup.postgres.client import qualified
from brownie_backup.postgres.session import Session

BULK_TABLE_BYTES = 64 << 20
"""The size from which a table is read in ranges: that of its heap and its TOAST."""
RANGE_BYTES = 16 << 20
"""The size of one range of a heap: its rows make about one blob."""
_LENGTH_STEP = 8
RANGES_SINCE = 14
"""The first major version that scans a range of blocks without reading the blocks before it."""

# PostgreSQL's own types whose binary form is the same in all major versions and can be read without
# a catalog or a setting (src/backend/utils/adt: the *_send and *_recv functions). Not interval: a
# value that is infinite since 17 was a number of years before.
BINARY_TYPES = (
    "bool", '"char"', "bytea", "name", "text", "varchar", "bpchar", "bit", "varbit",
    "int2", "int4", "int8", "oid", "float4", "float8", "numeric", "uuid", "json", "jsonb",
    "date", "time", "timetz", "timestamp", "timestamptz",
    "inet", "cidr", "macaddr", "macaddr8",
    "point", "lseg", "path", "box", "polygon", "line", "circle",
)  # fmt: skip
_BINARY = ", ".join(
    f"'pg_catalog.{name}{brackets}'::regtype" for name in BINARY_TYPES for brackets in ("", "[]")
)
# Types whose text depends on names in the catalog.
_NAMING = (
    "'regproc', 'regprocedure', 'regoper', 'regoperator', 'regclass', 'regtype', 'regrole', "
    "'regnamespace', 'regconfig', 'regdictionary', 'regcollation', 'regdatabase', 'aclitem'"
)
# Extensions whose types' text depends on nothing but the value and the extension's version. Other
# extensions are unknown: some look things up in tables or settings of their own.
_KNOWN_EXTENSIONS = "'citext', 'cube', 'hstore', 'isn', 'ltree', 'postgis', 'seg', 'vector'"

_REASONS = """
  CASE
    WHEN a.amname IS DISTINCT FROM 'heap' THEN 'it is not a plain heap'
    WHEN row_security_active(c.oid) THEN 'row security applies to the backup role'
    WHEN NOT has_table_privilege(c.oid, 'SELECT') THEN 'the backup role may not lock it'
    WHEN EXISTS (
      SELECT FROM pg_partition_ancestors(c.oid) AS up(id)
      JOIN pg_partitioned_table p ON p.partrelid = up.id AND p.partstrat = 'h'
      JOIN pg_opclass o ON o.oid = ANY (p.partclass) AND o.opcname = 'enum_ops'
    ) THEN 'its rows are spread by the hash of an enum, which is another in each database'
    WHEN c.relname || n.nspname ~ E'[\\\\u0001-\\\\u001f\\\\u007f]'
      THEN 'its name has control characters'
    WHEN NOT EXISTS (
      SELECT FROM pg_attribute t
      WHERE t.attrelid = c.oid AND t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated = ''
    ) THEN 'it has no columns'
  END
"""

_SELECTED = f"""
SELECT c.oid::bigint, n.nspname AS schema, c.relname AS name, {_REASONS} AS reason
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND c.oid >= 16384
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
    AND e.objid = c.oid AND e.deptype = 'e')
"""
_AGAIN = f"{_SELECTED} AND c.oid IN (%s)"

# The server looks at a file for the size of each heap, which it does once for each: a database may
# have many thousands. TOAST is estimated without its files, by the pages at the last VACUUM, or by
# the rows in the statistics if there was none: a row of TOAST has a quarter of a block.
_MEASURED = f"""
WITH heaps AS MATERIALIZED (
  SELECT oid, reltoastrelid, pg_relation_size(oid) AS heap_bytes FROM pg_class
  WHERE relkind = 'r' AND relpersistence <> 't' AND oid >= 16384
), sizes AS MATERIALIZED (
  SELECT h.oid, (h.heap_bytes + coalesce(greatest(
      t.relpages::bigint * current_setting('block_size')::int,
      pg_stat_get_live_tuples(t.oid) * (current_setting('block_size')::int / 4)
    ), 0))::bigint AS size_bytes
  FROM heaps h LEFT JOIN pg_class t ON t.oid = h.reltoastrelid
)
SELECT found.*, pg_relation_size('pg_largeobject')
  + (SELECT coalesce(sum(size_bytes), 0)::bigint FROM sizes) AS all_bytes
FROM (VALUES (0)) AS once LEFT JOIN (
  SELECT s.size_bytes, c.* FROM sizes s JOIN ({_SELECTED}) c ON c.oid = s.oid
  WHERE s.size_bytes > %s
) found ON true
ORDER BY found.size_bytes DESC
"""

# The inputs that the bytes of a row depend on, besides the row: the table's columns, the
# definitions of their types (of domains, arrays, ranges and composites, recursively), and the
# server's version. A type of an extension is represented by the extension's version. No lock keeps
# a type or an enum's label from being changed and changed back while rows are read: their xmin
# shows it. The database is an input, too: a copy that has taken its name has the same tables.
_DESCRIPTION = f"""
WITH RECURSIVE relations AS (
  SELECT c.* FROM pg_class c WHERE c.oid IN (%s)
), columns AS (
  SELECT t.* FROM relations c JOIN pg_attribute t ON t.attrelid = c.oid
  WHERE t.attnum > 0 AND NOT t.attisdropped AND t.attgenerated = ''
), types(relation, id) AS (
  SELECT attrelid, atttypid FROM columns
  UNION SELECT t.relation, inner_type.id FROM types t JOIN pg_type y ON y.oid = t.id,
  LATERAL (SELECT y.typelem AS id UNION ALL SELECT y.typbasetype
    UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.id IN (r.rngtypid, r.rngmultitypid)
    UNION ALL SELECT x.atttypid FROM pg_attribute x
      WHERE x.attrelid = y.typrelid AND x.attnum > 0 AND NOT x.attisdropped
  ) inner_type WHERE inner_type.id <> 0
), typed AS (
  SELECT t.relation, y.oid, y.typname, y.typnamespace, y.typtype, y.typlen, y.typtypmod,
    y.typoutput::oid, y.typsend::oid, e.extname, e.extversion, y.xmin::text AS version,
    (SELECT jsonb_agg(jsonb_build_array(l.enumlabel, l.xmin::text) ORDER BY l.oid)
      FROM pg_enum l WHERE l.enumtypid = y.oid) labels,
    (SELECT jsonb_agg(jsonb_build_array(x.attname, x.atttypid, x.atttypmod, x.attisdropped,
      x.attmissingval::text) ORDER BY x.attnum)
      FROM pg_attribute x WHERE x.attrelid = y.typrelid AND x.attnum > 0) fields,
    y.oid < 16384 AND y.typtype = 'b' AND y.typname NOT IN ({_NAMING})
      OR y.typtype <> 'b' OR y.typoutput = 'array_out'::regproc
      OR coalesce(e.extname IN ({_KNOWN_EXTENSIONS}), false) AS known
  FROM types t JOIN pg_type y ON y.oid = t.id
  LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = y.oid AND d.deptype = 'e'
  LEFT JOIN pg_extension e ON e.oid = d.refobjid
)
SELECT c.oid::bigint, n.nspname AS schema, c.relname AS name,
  pg_relation_filenode(c.oid)::bigint AS filenode,
  d.oid::bigint AS database,
  (pg_relation_size(c.oid) / current_setting('block_size')::int)::bigint AS blocks,
  current_setting('block_size')::int AS block_bytes,
  coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)::bigint AS toast_bytes,
  c.reltuples::bigint AS rows,
  (SELECT jsonb_agg(k.attname ORDER BY k.attnum) FROM columns k WHERE k.attrelid = c.oid)
    AS columns,
  (SELECT bool_and(k.atttypid IN ({_BINARY})) FROM columns k WHERE k.attrelid = c.oid) AS binary,
  c.relpersistence = 'p' AND (SELECT bool_and(t.known) FROM typed t WHERE t.relation = c.oid)
    AS tracked,
  encode(sha256(convert_to(jsonb_build_array(
    current_setting('server_version'), d.oid::bigint,
    (SELECT jsonb_agg(jsonb_build_array(k.attnum, k.attname, k.atttypid, k.atttypmod,
        k.atthasmissing, k.attmissingval::text, k.attcollation,
        pg_collation_actual_version(nullif(k.attcollation, 0))) ORDER BY k.attnum)
      FROM columns k WHERE k.attrelid = c.oid),
    (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.oid) FROM typed t WHERE t.relation = c.oid)
  )::text, 'SQL_ASCII')), 'hex') AS signature
FROM relations c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_database d ON d.datname = current_database()
ORDER BY blocks DESC
"""


@frozen
class Candidate:
    """A large table, and the reason why it can't be read in ranges, if any."""

    oid: int
    schema: str
    name: str
    reason: str | None
    size_bytes: int = field(eq=False)
    """About the size of its heap and its TOAST."""

    @property
    def quoted(self) -> str:
        """The table's name in SQL."""
        return qualified(self.schema, self.name)


@frozen
class LargeTable:
    """A table that is read in ranges, as a snapshot's transaction sees it."""

    table: Table
    relation: Relation
    blocks: int
    size_bytes: int
    """The size of its heap, and of its data stored separately (TOAST)."""
    rows: int
    """An estimate from the last VACUUM or ANALYZE; negative if there was none."""
    tracked: bool
    """Whether the WAL shows everything that changes its rows' bytes."""
    database: int
    range_blocks: int
    """The number of blocks of a range."""


@frozen
class RangePolicy:
    """The tables that are read in ranges, and the way to read them.

    Args:
        table_bytes: the size of its heap and its TOAST from which a table is read in ranges.
        range_bytes: the size of one range of a heap; of a table with much more TOAST, fewer blocks.
        binary: whether rows may be written in COPY's binary format, which the server reads and
            writes faster, where all of a table's types allow it.
    """

    table_bytes: int = BULK_TABLE_BYTES
    range_bytes: int = RANGE_BYTES
    binary: bool = True


@frozen
class Candidates:
    """The large tables, and the size of the whole database."""

    tables: tuple[Candidate, ...]
    """The largest first."""
    all_bytes: int
    """About the size of all tables with their TOAST, and of large objects."""

    def without(self, apart: Iterable[Candidate]) -> int:
        """Return about how many bytes are in the archive if these tables are not."""
        return self.all_bytes - sum(each.size_bytes for each in apart)


def find_candidates(session: Session, from_bytes: int) -> Candidates:
    """Return the tables of more than `from_bytes`."""
    rows = session.query(_MEASURED % from_bytes)
    all_bytes = rows[0]["all_bytes"]
    found = tuple(
        Candidate(row["oid"], row["schema"], row["name"], row["reason"], row["size_bytes"])
        for row in rows
        if row["oid"] is not None
    )
    return Candidates(found, all_bytes)


def find_again(session: Session, candidates: Iterable[Candidate]) -> frozenset[Candidate]:
    """Return the current state of tables; a dropped table is missing."""
    numbers = ", ".join(str(each.oid) for each in candidates)
    rows = session.query(_AGAIN % numbers) if numbers else ()
    return frozenset(Candidate(**row, size_bytes=0) for row in rows)


def describe(session: Session, oids: Iterable[int], cutting: RangePolicy) -> tuple[LargeTable, ...]:
    """Return the properties of tables, which the session's transaction must have locked."""
    numbers = ", ".join(map(str, oids))
    if not numbers:
        return ()
    return tuple(_large_table(row, cutting) for row in session.query(_DESCRIPTION % numbers))


def _large_table(row: dict[str, Any], cutting: RangePolicy) -> LargeTable:
    row_format = RowFormat.BINARY if cutting.binary and row["binary"] else RowFormat.TEXT
    relation = Relation(row["oid"], row["schema"], row["name"], tuple(row["columns"]), row_format)
    size_bytes = row["blocks"] * row["block_bytes"] + row["toast_bytes"]
    return LargeTable(
        Table(row["oid"], row["filenode"], row["signature"], row_format),
        relation,
        blocks=row["blocks"],
        size_bytes=size_bytes,
        rows=row["rows"],
        tracked=row["tracked"],
        database=row["database"],
        range_blocks=range_length(row["blocks"], row["block_bytes"], size_bytes, cutting),
    )


def range_length(blocks: int, block_bytes: int, size_bytes: int, cutting: RangePolicy) -> int:
    """Return the number of blocks of a table's ranges. Pure.

    If a table has much more TOAST than heap, a range has fewer blocks: so few that it is not much
    larger with its TOAST than `range_bytes`. The steps are wide, since another length means that
    all rows are stored again.
    """
    length = max(1, cutting.range_bytes // block_bytes)
    wanted = cutting.range_bytes * blocks // size_bytes if size_bytes else length
    while length > 1 and length // _LENGTH_STEP >= wanted:
        length = max(1, length // _LENGTH_STEP)
    return length

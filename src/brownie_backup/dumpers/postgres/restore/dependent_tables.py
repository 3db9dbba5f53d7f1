"""The tables whose rows can be loaded rightly only after those of other tables.

While a row is loaded, PostgreSQL computes its generated columns and evaluates CHECKs, the
constraints of domains, and partition keys. A function that they call may read other tables,
whatever it is declared: pg_dump does not know which ones.
"""

from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.postgres.client import Client

# PostgreSQL's own functions that run a query or read large objects; all others know only their
# arguments.
_READERS = "^((query|cursor|table|schema|database)_to_xml|ts_rewrite$|lo_get$|loread$)"

# It goes from functions to everything that calls them: operators, the operator classes made of
# those, the types that use either (a domain, and what is made of one), and the expressions of
# tables. A function in C that an extension brought reads at most the extension's own tables. Before
# post-data, only an extension's tables have triggers and foreign keys.
_DEPENDENT = f"""
WITH RECURSIVE reading AS (
  SELECT ':funcid (' || string_agg(oid::text, '|') || ') ' AS pattern FROM pg_proc
  WHERE pronamespace = 'pg_catalog'::regnamespace AND proname ~ '{_READERS}'
), callers(class, id) AS (
  SELECT 'pg_proc'::regclass::oid, p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
  WHERE p.oid >= 16384 AND NOT (l.lanname IN ('c', 'internal') AND EXISTS (
    SELECT FROM pg_depend e
    WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e'))
  UNION SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k, reading r
  WHERE k.oid >= 16384 AND k.conbin::text ~ r.pattern
  UNION SELECT 'pg_attrdef'::regclass, d.oid FROM pg_attrdef d, reading r
  WHERE d.adbin::text ~ r.pattern
  UNION SELECT found.class, found.id FROM callers b, LATERAL (
    SELECT d.classid, d.objid FROM pg_depend d
    WHERE d.refclassid = b.class AND d.refobjid = b.id AND b.class <> 'pg_class'::regclass
    AND d.classid IN ('pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_amop'::regclass,
      'pg_amproc'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass,
      'pg_attrdef'::regclass, 'pg_class'::regclass)
    UNION ALL SELECT 'pg_type'::regclass, c.reltype FROM pg_class c
    WHERE b.class = 'pg_class'::regclass AND c.oid = b.id AND c.reltype <> 0
    UNION ALL SELECT 'pg_type'::regclass, k.contypid FROM pg_constraint k
    WHERE b.class = 'pg_constraint'::regclass AND k.oid = b.id AND k.contypid <> 0
    UNION ALL SELECT 'pg_opclass'::regclass, o.oid
    FROM pg_amop a JOIN pg_opclass o ON o.opcfamily = a.amopfamily
    WHERE b.class = 'pg_amop'::regclass AND a.oid = b.id
    UNION ALL SELECT 'pg_opclass'::regclass, o.oid
    FROM pg_amproc a JOIN pg_opclass o ON o.opcfamily = a.amprocfamily
    WHERE b.class = 'pg_amproc'::regclass AND a.oid = b.id
  ) found(class, id)
), tables(id) AS (
  SELECT k.conrelid FROM callers b JOIN pg_constraint k ON k.oid = b.id
  WHERE b.class = 'pg_constraint'::regclass AND k.contype = 'c'
  UNION SELECT d.adrelid FROM callers b JOIN pg_attrdef d ON d.oid = b.id
  JOIN pg_attribute t ON t.attrelid = d.adrelid AND t.attnum = d.adnum AND t.attgenerated <> ''
  WHERE b.class = 'pg_attrdef'::regclass
  UNION SELECT b.id FROM callers b WHERE b.class = 'pg_class'::regclass
  UNION SELECT t.relid FROM callers b, LATERAL pg_partition_tree(b.id) t
  WHERE b.class = 'pg_class'::regclass
  UNION SELECT conrelid FROM pg_constraint WHERE contype = 'f'
  UNION SELECT tgrelid FROM pg_trigger WHERE NOT tgisinternal AND tgenabled <> 'D'
)
SELECT n.nspname AS schema, c.relname AS name
FROM tables t JOIN pg_class c ON c.oid = t.id JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.oid >= 16384
"""


def find_dependent_tables(client: Client, database: str) -> frozenset[TableName]:
    """Return the tables of a database that has no rows, indexes and triggers yet."""
    return frozenset(TableName(**row) for row in client.query(_DEPENDENT, database))

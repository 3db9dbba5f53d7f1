"""The tables whose rows can be loaded rightly only after those of other tables."""

from brownie_backup.dumpers.postgres.restore.selection import TableName
from brownie_backup.dumpers.postgres.table_readers import CALLERS
from brownie_backup.postgres.client import Client

# Before post-data, only an extension's tables have triggers and foreign keys.
_DEPENDENT = f"""
WITH RECURSIVE {CALLERS}, tables(id) AS (
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

"""The inventory: the objects that a restore needs on its server, and then checks in its result.

It is gathered under the dump's snapshot and stored encrypted, because it names roles.
"""

from collections.abc import Mapping

from attrs import Factory, frozen

from brownie_backup.dumpers.postgres.generated_columns import GeneratedColumn
from brownie_backup.format.converter import from_json
from brownie_backup.model import Extension, Relation

# Every object for which pg_dump writes an owner or privileges. Objects that the system created
# itself (OID below 16384, PostgreSQL's FirstNormalObjectId) are marked, and so are members of
# extensions: pg_dump leaves those to CREATE EXTENSION, except for privileges that were changed
# afterwards.
_OBJECTS = """
objects(class, id, owner, acl) AS (
  SELECT 'pg_database'::regclass::oid, oid, datdba, datacl FROM pg_database
   WHERE datname = current_database()
  UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner, nspacl FROM pg_namespace
   WHERE nspname !~ '^pg_(toast|temp)'
  UNION ALL SELECT 'pg_class'::regclass, oid, relowner, relacl FROM pg_class
   WHERE relkind <> 't' AND relpersistence <> 't'
  UNION ALL SELECT 'pg_class'::regclass, attrelid, NULL, attacl FROM pg_attribute
   WHERE attacl IS NOT NULL
  UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, proacl FROM pg_proc
  UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typacl FROM pg_type
  UNION ALL SELECT 'pg_language'::regclass, oid, lanowner, lanacl FROM pg_language
  UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner, lomacl FROM pg_largeobject_metadata
  UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, fdwowner, fdwacl
   FROM pg_foreign_data_wrapper
  UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner, srvacl FROM pg_foreign_server
  UNION ALL SELECT 'pg_default_acl'::regclass, oid, defaclrole, defaclacl FROM pg_default_acl
  UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner, NULL FROM pg_operator
  UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner, NULL FROM pg_opclass
  UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner, NULL FROM pg_opfamily
  UNION ALL SELECT 'pg_collation'::regclass, oid, collowner, NULL FROM pg_collation
  UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner, NULL FROM pg_conversion
  UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner, NULL FROM pg_ts_dict
  UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner, NULL FROM pg_ts_config
  UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner, NULL FROM pg_statistic_ext
  UNION ALL SELECT 'pg_event_trigger'::regclass, oid, evtowner, NULL FROM pg_event_trigger
  UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner, NULL FROM pg_publication
  UNION ALL SELECT 'pg_subscription'::regclass, oid, subowner, NULL FROM pg_subscription
   WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
),
ours AS (
  SELECT o.*, e.objid IS NOT NULL OR o.id < 16384 AND o.class <> 'pg_database'::regclass AS given
  FROM objects o
  LEFT JOIN pg_depend e ON e.classid = o.class AND e.objid = o.id AND e.deptype = 'e'
),
grants AS (
  SELECT a.grantor, a.grantee FROM ours o, aclexplode(o.acl) a WHERE NOT o.given
  UNION
  SELECT a.grantee, a.grantee FROM ours o, aclexplode(o.acl) a
  WHERE o.given AND NOT EXISTS (
    SELECT FROM pg_init_privs i, aclexplode(i.initprivs) b
    WHERE i.classoid = o.class AND i.objoid = o.id AND b.grantee = a.grantee)
  AND a.grantee <> coalesce(o.owner, 0)
)
"""

_USER_OBJECT = """
  c.oid >= 16384 AND n.nspname !~ '^pg_(toast|temp)' AND NOT EXISTS (
    SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid
    AND e.deptype = 'e')
"""

# The objects that a restore counts again. Parts of partitioned indexes, constraints and triggers
# are left to their parents: PostgreSQL creates them differently in each major version.
_COUNTS = f"""
SELECT 'relkind ' || c.relkind::text AS what, count(*) AS n FROM pg_class c
 JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'i', 'I', 'c') AND {_USER_OBJECT} GROUP BY 1
UNION ALL SELECT 'constraint ' || k.contype::text, count(*) FROM pg_constraint k
 JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND {_USER_OBJECT} GROUP BY 1
UNION ALL SELECT 'validated constraint', count(*) FROM pg_constraint k
 JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype IN ('c', 'f') AND k.convalidated AND k.conparentid = 0 AND {_USER_OBJECT}
UNION ALL SELECT 'valid index', count(*) FROM pg_index x
 JOIN pg_class c ON c.oid = x.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE x.indisvalid AND {_USER_OBJECT}
UNION ALL SELECT 'trigger', count(*) FROM pg_trigger t
 JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {_USER_OBJECT}
UNION ALL SELECT 'policy', count(*) FROM pg_policy
UNION ALL SELECT 'function', count(*) FROM pg_proc p WHERE p.oid >= 16384 AND NOT EXISTS (
 SELECT FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid
 AND e.deptype IN ('e', 'i'))
UNION ALL SELECT 'large object', count(*) FROM pg_largeobject_metadata
UNION ALL SELECT 'event trigger', count(*) FROM pg_event_trigger v WHERE NOT EXISTS (
 SELECT FROM pg_depend e WHERE e.classid = 'pg_event_trigger'::regclass AND e.objid = v.oid
 AND e.deptype = 'e')
UNION ALL SELECT 'publication', count(*) FROM pg_publication
"""

COUNTS_SQL = f"SELECT what, n FROM ({_COUNTS}) counted WHERE n > 0"

_NAMES = (
    "SELECT coalesce(jsonb_agg(DISTINCT rolname ORDER BY rolname), '[]') FROM pg_roles WHERE oid"
)

INVENTORY_SQL = f"""
WITH {_OBJECTS}
SELECT jsonb_build_object(
  'owners', ({_NAMES} IN (SELECT owner FROM ours WHERE NOT given
             OR (class = 'pg_namespace'::regclass AND id = to_regnamespace('public')::oid))),
  'grantees', ({_NAMES} IN (SELECT grantor FROM grants UNION SELECT grantee FROM grants)),
  'needed', ({_NAMES} IN (SELECT unnest(polroles) FROM pg_policy
             UNION SELECT umuser FROM pg_user_mappings
             UNION SELECT setrole FROM pg_db_role_setting WHERE setdatabase =
              (SELECT oid FROM pg_database WHERE datname = current_database()))),
  'tablespaces', (SELECT coalesce(jsonb_agg(DISTINCT t.spcname), '[]') FROM pg_tablespace t
    WHERE t.spcname NOT IN ('pg_default', 'pg_global') AND t.oid IN (
      SELECT reltablespace FROM pg_class UNION SELECT dattablespace FROM pg_database
       WHERE datname = current_database())),
  'extensions', (SELECT coalesce(jsonb_agg(jsonb_build_object(
      'name', extname, 'version', extversion) ORDER BY extname), '[]') FROM pg_extension),
  'counts', (SELECT coalesce(jsonb_object_agg(what, n), '{{}}') FROM ({_COUNTS}) counted
             WHERE n > 0)
) AS inventory
"""


@frozen
class Inventory:
    """The roles that own objects, have privileges, or must exist in any case; and other roles."""

    owners: frozenset[str] = frozenset()
    grantees: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    tablespaces: frozenset[str] = frozenset()
    extensions: tuple[Extension, ...] = ()
    counts: Mapping[str, int] = Factory(dict)
    relations: tuple[Relation, ...] = ()
    """The large tables, whose rows are not in the archive."""
    generated: tuple[GeneratedColumn, ...] = ()
    """The stored generated columns; backups of before have none."""


def parse_inventory(data: bytes) -> Inventory:
    """Read an inventory back, or raise `DamagedError`."""
    return from_json(data, Inventory, "the inventory of the backup")

"""The inventory: the objects that a restore needs on its server, and then checks in its result.

It is gathered under the dump's snapshot and stored encrypted, because it names roles.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from attrs import Factory, frozen

from brownie_backup.dumpers.postgres.generated_columns import (
    GeneratedColumn,
    find_generated,
    measure,
)
from brownie_backup.errors import DamagedError
from brownie_backup.format.converter import from_json, to_json
from brownie_backup.hints import BackupHint
from brownie_backup.model import Extension, Part, Relation, RowFormat
from brownie_backup.postgres.copy_rows import TEXT_SETTINGS
from brownie_backup.postgres.session import Session
from brownie_backup.wording import counted

# Every object for which pg_dump writes an owner or privileges. Objects that the system created
# itself (OID below 16384, PostgreSQL's FirstNormalObjectId) are marked; users may choose any OID
# for their large objects. Marked too are members of extensions: pg_dump leaves those to CREATE
# EXTENSION, except for privileges that were changed afterwards.
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
  SELECT o.*, e.objid IS NOT NULL OR o.id < 16384
    AND o.class NOT IN ('pg_database'::regclass, 'pg_largeobject'::regclass) AS given
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

# What pg_dump dumps in full: see selectDumpableNamespace and checkExtensionMembership there.
_OURS = """nspname !~ '^pg_' AND nspname <> 'information_schema'"""
_MEMBER = """
  SELECT FROM pg_depend e WHERE e.classid = '{}'::regclass AND e.objid = {} AND e.deptype = 'e'
"""
_USER_OBJECT = f"{_OURS} AND NOT EXISTS ({_MEMBER.format('pg_class', 'c.oid')})"
_OF_A_TABLE = "JOIN pg_class c ON c.oid = {} JOIN pg_namespace n ON n.oid = c.relnamespace"

# How many objects pg_dump should find. If it lists fewer, a restore warns. Parts of partitioned
# constraints and triggers are left to their parents: PostgreSQL creates them differently in each
# major version.
_COUNTS = f"""
SELECT 'relkind ' || c.relkind::text AS what, count(*) AS n FROM pg_class c
 JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {_USER_OBJECT} GROUP BY 1
UNION ALL SELECT 'constraint ' || k.contype::text, count(*) FROM pg_constraint k
 {_OF_A_TABLE.format("k.conrelid")}
 WHERE k.contype IN ('c', 'f', 'p', 'u', 'x') AND k.conparentid = 0 AND {_USER_OBJECT} GROUP BY 1
UNION ALL SELECT 'validated constraint', count(*) FROM pg_constraint k
 {_OF_A_TABLE.format("k.conrelid")}
 WHERE k.contype IN ('c', 'f') AND k.convalidated AND k.conparentid = 0 AND {_USER_OBJECT}
UNION ALL SELECT 'valid index', count(*) FROM pg_index x
 {_OF_A_TABLE.format("x.indrelid")}
 WHERE x.indisvalid AND c.relkind <> 't' AND {_USER_OBJECT}
UNION ALL SELECT 'trigger', count(*) FROM pg_trigger t
 {_OF_A_TABLE.format("t.tgrelid")}
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND {_USER_OBJECT}
UNION ALL SELECT 'policy', count(*) FROM pg_policy p
 {_OF_A_TABLE.format("p.polrelid")}
 WHERE {_USER_OBJECT}
UNION ALL SELECT 'function', count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.oid >= 16384 AND {_OURS} AND NOT EXISTS ({_MEMBER.format("pg_proc", "p.oid")})
 AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid
  AND i.deptype = 'i')
UNION ALL SELECT 'large object', count(*) FROM pg_largeobject_metadata
UNION ALL SELECT 'event trigger', count(*) FROM pg_event_trigger v
 WHERE NOT EXISTS ({_MEMBER.format("pg_event_trigger", "v.oid")})
UNION ALL SELECT 'publication', count(*) FROM pg_publication p
 WHERE NOT EXISTS ({_MEMBER.format("pg_publication", "p.oid")})
"""

COUNTS_SQL = f"SELECT what, n FROM ({_COUNTS}) counted WHERE n > 0"
NO_LONGER_COUNTED = frozenset({"relkind i", "relkind I", "relkind c"})
"""Backups of earlier versions have these counts too."""

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
             UNION SELECT umuser FROM pg_user_mappings)),
  'of_settings', ({_NAMES} IN (SELECT setrole FROM pg_db_role_setting WHERE setdatabase =
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
class StoredTable:
    """The rows of a large table, as they were stored."""

    oid: int
    ranges: int
    rows: int
    digest: str
    """SHA-256 of its blobs' names and sizes, and of the blocks and rows of its ranges."""

    @property
    def size(self) -> str:
        """Its size for messages."""
        return f"{counted(self.rows, 'row')} in {counted(self.ranges, 'range')}"


@frozen
class Inventory:
    """The roles that own objects, have privileges, or must exist in any case; and other roles."""

    owners: frozenset[str] = frozenset()
    grantees: frozenset[str] = frozenset()
    needed: frozenset[str] = frozenset()
    """In backups of before, those of settings too."""
    of_settings: frozenset[str] = frozenset()
    """The roles of ``ALTER ROLE … IN DATABASE``."""
    tablespaces: frozenset[str] = frozenset()
    extensions: tuple[Extension, ...] = ()
    counts: Mapping[str, int] = Factory(dict)
    relations: tuple[Relation, ...] = ()
    """The large tables, whose rows are not in the archive."""
    stored: tuple[StoredTable, ...] | None = None
    """Their rows, as the manifest has them; None in backups of before."""
    generated: tuple[GeneratedColumn, ...] = ()
    """The stored generated columns; backups of before have none."""


def take_inventory(session: Session, large: Iterable[Relation]) -> bytes:
    """Return the inventory of a database, as the session's transaction sees it."""
    (row,) = session.query(INVENTORY_SQL)
    session.run(*TEXT_SETTINGS)
    generated = [*measure(session, find_generated(session))]
    data = to_json(row["inventory"] | {"relations": list(large), "generated": generated})
    parse_inventory(data)  # an unreadable archive would not be readable in the restore
    return data


def with_stored(inventory: bytes, parts: Iterable[Part]) -> bytes:
    """Return an inventory that lists the rows of the large tables, as they were stored."""
    return to_json(json.loads(inventory) | {"stored": list(_stored(parts))})


def compare_stored(inventory: bytes, parts: Iterable[Part]) -> None:
    """Raise `DamagedError` unless the manifest has the rows that the inventory lists.

    The inventory is encrypted, and the manifest is not: anyone who can write to the store could
    leave ranges out of it, double them, or take them from another table or backup.
    """
    expected = parse_inventory(inventory).stored
    found = tuple(_stored(parts))
    if expected is None or expected == found:
        return
    wrong = [f"{e.size} of the table with the oid {e.oid}" for e in expected if e not in found]
    what = ", ".join(wrong) or "other tables"
    msg = f"the manifest does not name the rows that were backed up: {what}"
    raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)


def _stored(parts: Iterable[Part]) -> Iterator[StoredTable]:
    for part in parts:
        if part.table is None:
            continue
        digest = hashlib.sha256()
        ranges = 0
        for blob in part.blobs:
            line: list[int | str] = [blob.name, blob.size_bytes]
            if begins := blob.begins:
                line += [begins.blocks.first, begins.blocks.end, begins.rows]
                ranges += 1
            digest.update(json.dumps(line).encode() + b"\n")
        yield StoredTable(part.table.oid, ranges, part.rows or 0, digest.hexdigest())


def parse_inventory(data: bytes) -> Inventory:
    """Read an inventory back, or raise `DamagedError`."""
    inventory = from_json(data, Inventory, "the inventory of the backup")
    if not all(map(_is_relation, inventory.relations)):
        msg = "the inventory of the backup names what can be no table"
        raise DamagedError(msg, hint=BackupHint.RESTORE_ANOTHER)
    return inventory


def _is_relation(relation: Relation) -> bool:
    """Whether it may be written into SQL: its format is not quoted there."""
    names = (relation.schema, relation.name, *relation.columns)
    return (
        relation.format in set(RowFormat) and bool(relation.columns) and all(map(_is_name, names))
    )


def _is_name(name: str) -> bool:
    """Whether PostgreSQL could have such a name. Bytes that are not UTF-8 are surrogates."""
    try:
        data = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return bool(data) and b"\0" not in data

"""The objects that a restored database must have: those that its archive lists. Pure.

pg_dump decides what is in an archive. It leaves out invalid indexes, objects of other sessions'
temporary schemas, what belongs to extensions, and more. So only its own list can be expected.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from brownie_backup.dumpers.postgres.restore.contents import FOREIGN_KEY, TABLE, Contents, Entry

_USER_OBJECT = "o.oid >= 16384"  # PostgreSQL's FirstNormalObjectId
_LARGE_OBJECTS = "pg_largeobject_metadata"  # users may choose any OID for theirs
_UNIQUE = "('p', 'u', 'x')"
_TYPE = """
 NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)
 AND (o.typrelid = 0 OR (SELECT relkind FROM pg_class c WHERE c.oid = o.typrelid) = 'c')"""
_SUBSCRIPTION = """
 o.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())"""
# An index of a table is valid, or could not be made; one of a partitioned table depends on its
# parts. A constraint has an index of its own.
_INDEX = f"""
 (o.relkind = 'I' OR o.relkind = 'i'
  AND EXISTS (SELECT FROM pg_index x WHERE x.indexrelid = o.oid AND x.indisvalid))
 AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = o.oid AND k.contype IN {_UNIQUE})"""

# By the OID of the system catalogue, which is the same in all versions. A condition may let pass
# objects that no archive lists: too few objects are a difference, too many are not.
_CATALOGUES = {
    1247: ("types", "pg_type", _TYPE),
    1255: ("functions", "pg_proc", ""),
    1417: ("foreign servers", "pg_foreign_server", ""),
    2328: ("foreign-data wrappers", "pg_foreign_data_wrapper", ""),
    2601: ("access methods", "pg_am", ""),
    2604: ("defaults", "pg_attrdef", ""),
    2605: ("casts", "pg_cast", ""),
    2607: ("conversions", "pg_conversion", ""),
    2613: ("large objects", _LARGE_OBJECTS, ""),
    2616: ("operator classes", "pg_opclass", ""),
    2617: ("operators", "pg_operator", ""),
    2618: ("rules", "pg_rewrite", ""),
    2620: ("triggers", "pg_trigger", "NOT o.tgisinternal"),
    2753: ("operator families", "pg_opfamily", ""),
    3256: ("policies", "pg_policy", ""),
    3381: ("extended statistics", "pg_statistic_ext", ""),
    3456: ("collations", "pg_collation", ""),
    3466: ("event triggers", "pg_event_trigger", ""),
    3576: ("transforms", "pg_transform", ""),
    3600: ("text search dictionaries", "pg_ts_dict", ""),
    3601: ("text search parsers", "pg_ts_parser", ""),
    3602: ("text search configurations", "pg_ts_config", ""),
    3764: ("text search templates", "pg_ts_template", ""),
    6100: ("subscriptions", "pg_subscription", _SUBSCRIPTION),
    6104: ("publications", "pg_publication", ""),
    6106: ("published tables", "pg_publication_rel", ""),
    6237: ("published schemas", "pg_publication_namespace", ""),
}
_KINDS = {
    TABLE: ("tables", "pg_class", "o.relkind IN ('r', 'p')"),
    "VIEW": ("views", "pg_class", "o.relkind = 'v'"),
    "MATERIALIZED VIEW": ("materialized views", "pg_class", "o.relkind = 'm'"),
    "MATERIALIZED VIEW DATA": (
        "filled materialized views",
        "pg_class",
        "o.relkind = 'm' AND o.relispopulated",
    ),
    "FOREIGN TABLE": ("foreign tables", "pg_class", "o.relkind = 'f'"),
    "SEQUENCE": ("sequences", "pg_class", "o.relkind = 'S'"),
    "TABLE ATTACH": ("partitions", "pg_class", "o.relispartition"),
    "ROW SECURITY": ("tables with row security", "pg_class", "o.relrowsecurity"),
    "INDEX": ("indexes", "pg_class", _INDEX),
    "CONSTRAINT": (
        "keys",
        "pg_constraint",
        f"o.contype IN {_UNIQUE} OR o.contype = 'n' AND NOT o.convalidated",
    ),
    "CHECK CONSTRAINT": ("checks", "pg_constraint", "o.contype = 'c'"),
    FOREIGN_KEY: ("foreign keys", "pg_constraint", "o.contype = 'f'"),
}
# A new database has some of these too, which an archive may list.
_ANYWHERE = {
    2615: (
        "schemas",
        "SELECT count(*) FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)'",
    ),
    3079: ("extensions", "SELECT count(*) FROM pg_extension"),
}
_MEMBER = """SELECT FROM pg_depend e
 WHERE e.classid = '{}'::regclass AND e.objid = o.oid AND e.deptype = 'e'"""


def _counts() -> Iterator[tuple[str, str]]:
    yield from _ANYWHERE.values()
    for what, catalogue, condition in (*_CATALOGUES.values(), *_KINDS.values()):
        only = f" AND ({condition})" if condition else ""
        ours = "true" if catalogue == _LARGE_OBJECTS else _USER_OBJECT
        count = f"SELECT count(*) FROM {catalogue} o WHERE {ours}{only}"
        yield what, f"{count} AND NOT EXISTS ({_MEMBER.format(catalogue)})"


_PAIRS = ", ".join(f"'{what}', ({sql})" for what, sql in _counts())
FOUND_SQL = f"SELECT jsonb_build_object({_PAIRS}) AS found"
"""A SELECT of one JSON object: how many objects a database has, those of extensions not counted."""


def expected_objects(
    contents: Contents, failed: AbstractSet[int] = frozenset()
) -> Mapping[str, int]:
    """Return how many objects of each type the restored database must have at least.

    Args:
        contents: what was to be restored.
        failed: the numbers of entries that could not be restored.
    """
    objects = {
        (what, entry.oid or entry.id)  # a type has two entries if it is needed before it is made
        for entry in contents.values()
        if entry.id not in failed and (what := _type_of(entry))
    }
    return Counter(what for what, _ in objects)


def differences(expected: Mapping[str, int], found: Mapping[str, int]) -> tuple[str, ...]:
    """Return what the restored database lacks."""
    return tuple(
        f"{what}: {found.get(what, 0)} of {number}"
        for what, number in sorted(expected.items())
        if found.get(what, 0) < number
    )


def _type_of(entry: Entry) -> str | None:
    known = _ANYWHERE.get(entry.catalog) or _CATALOGUES.get(entry.catalog)
    known = known or _KINDS.get(entry.kind)
    return known[0] if known else None

"""What may read tables while a row is stored, by PostgreSQL's catalogue.

While a row is stored, PostgreSQL computes its generated columns and evaluates CHECKs, the
constraints of domains, and partition keys. A function that they call may read other tables,
whatever it is declared: pg_dump does not know which ones.
"""

# PostgreSQL's own functions that run a query or read large objects; all others know only their
# arguments.
_READERS = "^((query|cursor|table|schema|database)_to_xml|ts_rewrite$|lo_get$|loread$)"

# It goes from functions to everything that calls them: operators, the operator classes made of
# those, the types that use either (a domain, and what is made of one), and the expressions of
# tables. A function in C that an extension brought reads at most the extension's own tables.
CALLERS = f"""
reading AS (
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
)"""
"""A recursive query, `callers`: the class and the OID of everything that may read tables."""

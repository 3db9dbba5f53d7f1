-- =============================================================================
-- everything.sql - one database with (nearly) every kind of PostgreSQL object
-- =============================================================================
--
-- Fixture of the integration tests: what is loaded here must come back
-- unchanged from a backup.  Load it into an empty UTF8 database made from
-- template0, as a superuser:
--
--     psql -X -v ON_ERROR_STOP=1 -f everything.sql -d DB
--
-- * Runs unchanged on PostgreSQL 15, 16, 17 and 18; what only newer servers
--   know is inside \if :v16 / \if :v17 / \if :v18.
-- * Deterministic: no random(), no clock; large objects have fixed OIDs.
-- * May be loaded into several databases of one cluster: the roles (rt_...)
--   are created only if they are missing.
-- * pg_dump -> pg_restore -> pg_dump is byte for byte the same.  That takes
--   some care, see "Rules for editing" below.
-- * The database, and every restored copy, cannot be dropped before its
--   subscriptions are:
--       DROP SUBSCRIPTION "rt sübscription";      -- needs no connection
--       DROP SUBSCRIPTION rt_sub_16;              -- 16+
-- * Reading fails, on purpose, from the foreign tables (nobody is there) and
--   from rt.mv_empty and rt.mv_on_empty (WITH NO DATA).
--
-- Rules for editing
--   - Qualify everything: a restore runs with an empty search_path.
--   - No CHECK / view with "varchar_column IN (...)" : PostgreSQL spells the
--     expression differently after one dump and restore.  Use text.
--   - Views and materialized views read at least two relations.  PostgreSQL 16+
--     prints the columns of a one-table view without the table name, 15 with
--     it, so a one-table view differs after going from 15 to 16+.  A view WITH
--     CHECK OPTION cannot help having one table; 15 gets those only if asked:
--         psql -v check_option=on ...
--   - No view with "CYCLE ... SET x TO value DEFAULT value": PostgreSQL prints
--     the values with a cast, which its own grammar does not accept.
--   - A table that starts to INHERIT later has its columns in the order a child
--     created by INHERITS would have: a restore makes it that way.
--   - Privileges of a table's owner are revoked on 17+ only: what comes from
--     15 or 16 does not know MAINTAIN, and the owner keeps it on 17+.
--   - NOT NULL columns (primary keys too): "<table>_<column>_not_null" must fit
--     in 63 bytes and be free in the schema, else 18 prints an explicit name.
--   - A hash-partitioned table with an enum key has exactly one partition:
--     rows move between partitions on restore (the hash is of the enum's OID).
--   - Some names and strings hold a literal tab or newline: no reformatting.
--   - No database-level TimeZone, bytea_output, lc_monetary, ...: they change
--     how pg_dump spells the data.
--
-- Contents
--    1  Session and version switches      13  Indexes and statistics
--    2  Roles                             14  Views and materialized views
--    3  Schemas and extensions            15  Triggers, rules, event triggers
--    4  Types                             16  Row security
--    5  Functions and procedures          17  Foreign data
--    6  Operators, casts, text search...  18  Large objects
--    7  Sequences                         19  Bulk and huge data
--    8  One table per family of types     20  Only on newer servers
--    9  Odd names, odd text               21  Owners and privileges
--   10  Odd tables                        22  Comments
--   11  Inheritance and partitions        23  Publications and subscription
--   12  Constraints and foreign keys      24  The database itself


-- =============================================================================
-- 1  Session and version switches
-- =============================================================================

\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
\o /dev/null

SET client_min_messages = warning;
SET standard_conforming_strings = on;
SET search_path = '';
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET synchronous_commit = off;
SET max_parallel_workers_per_gather = 0;
SET jit = off;

SELECT current_setting('server_version_num')::int >= 160000 AS v16,
       current_setting('server_version_num')::int >= 170000 AS v17,
       current_setting('server_version_num')::int >= 180000 AS v18
\gset

-- optional features of the server's build
DO $$
BEGIN
    PERFORM '<a/>'::pg_catalog.xml;
    PERFORM set_config('rt.has_xml', 'on', false);
EXCEPTION WHEN feature_not_supported THEN
    PERFORM set_config('rt.has_xml', 'off', false);
END $$;

SELECT current_setting('rt.has_xml') AS has_xml,
       EXISTS (SELECT 1 FROM pg_catalog.pg_settings
               WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) AS has_lz4,
       EXISTS (SELECT 1 FROM pg_catalog.pg_available_extensions
               WHERE name = 'pgcrypto') AS has_pgcrypto
\gset

-- views WITH CHECK OPTION: always on 16+, on 15 with "psql -v check_option=on"
\if :v16
\set check_option on
\elif :{?check_option}
\else
\set check_option off
\endif


-- =============================================================================
-- 2  Roles (cluster-wide, hence "if missing")
-- =============================================================================

DO $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT * FROM (VALUES
            ('rt_owner',     'NOLOGIN'),
            ('rt_other',     'NOLOGIN'),
            ('rt_reader',    'NOLOGIN'),
            ('rt_writer',    'NOLOGIN NOINHERIT'),
            ('rt_grantor',   'NOLOGIN'),
            ('rt_admin',     'NOLOGIN CREATEROLE CREATEDB'),
            ('rt_login',     'LOGIN PASSWORD ''rt-secret-pw'' CONNECTION LIMIT 7 VALID UNTIL ''infinity'''),
            ('rt_Ünï "q"',   'NOLOGIN')
        ) AS v(name, options)
    LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = r.name) THEN
            EXECUTE format('CREATE ROLE %I %s', r.name, r.options);
        END IF;
    END LOOP;
END $$;

SET client_min_messages = error;        -- "is already a member" when loaded twice
GRANT rt_reader TO rt_writer;
GRANT rt_reader TO rt_login WITH ADMIN OPTION;
GRANT rt_writer TO rt_admin WITH ADMIN OPTION;
GRANT rt_owner TO "rt_Ünï ""q""";
GRANT "rt_Ünï ""q""" TO rt_other WITH ADMIN OPTION;
GRANT pg_read_all_data TO rt_admin;
\if :v16
GRANT rt_grantor TO rt_login WITH INHERIT FALSE, SET TRUE;
GRANT rt_other TO rt_login WITH INHERIT TRUE, SET FALSE, ADMIN FALSE;
\endif
SET client_min_messages = warning;

ALTER ROLE rt_login SET work_mem = '6MB';
ALTER ROLE rt_login SET search_path = rt, "Größe ""x"" 日本", '$user', public;
ALTER ROLE rt_reader SET statement_timeout = '90s';
ALTER ROLE "rt_Ünï ""q""" SET "rt.note" = 'it''s "quoted" \ 日本';

SELECT format('ALTER ROLE rt_login IN DATABASE %I SET maintenance_work_mem = %L', current_database(), '33MB'),
       format('ALTER ROLE rt_writer IN DATABASE %I SET search_path = "Größe ""x"" 日本", rt', current_database()),
       format('ALTER ROLE "rt_Ünï ""q""" IN DATABASE %I SET "rt.note" = %L', current_database(), 'a, "b", c''d \e')
\gexec

COMMENT ON ROLE rt_owner IS 'rt: owns most of it';
COMMENT ON ROLE "rt_Ünï ""q""" IS 'rt: a role that must be quoted, 日本';

-- privileges on settings are cluster-wide too
GRANT SET ON PARAMETER work_mem TO rt_admin WITH GRANT OPTION;
GRANT SET, ALTER SYSTEM ON PARAMETER "rt.note" TO "rt_Ünï ""q""";


-- =============================================================================
-- 3  Schemas and extensions
-- =============================================================================

CREATE SCHEMA rt AUTHORIZATION rt_owner;
CREATE SCHEMA "Größe ""x"" 日本";
CREATE SCHEMA rt_empty AUTHORIZATION "rt_Ünï ""q""";
CREATE SCHEMA "ext schéma";
CREATE SCHEMA rt_ext;

CREATE EXTENSION citext SCHEMA public;
CREATE EXTENSION hstore SCHEMA "ext schéma";
CREATE EXTENSION pg_trgm SCHEMA rt_ext;
CREATE EXTENSION postgres_fdw SCHEMA rt_ext;
\if :has_pgcrypto
CREATE EXTENSION pgcrypto SCHEMA rt_ext;
\endif


-- =============================================================================
-- 4  Types
-- =============================================================================

-- enums; labels added later sit between the old ones
CREATE TYPE rt.mood AS ENUM ('sad', 'ok', 'happy', 'it''s', 'back\slash', 'with "quotes"', '日本');
ALTER TYPE rt.mood ADD VALUE 'meh' BEFORE 'ok';
ALTER TYPE rt.mood ADD VALUE 'so-so' AFTER 'meh';
ALTER TYPE rt.mood RENAME VALUE 'happy' TO 'Happy!';
CREATE TYPE "Größe ""x"" 日本"."Enum ""ü""" AS ENUM ('a', 'B', 'ß', '');
CREATE TYPE rt.no_labels AS ENUM ();

-- composite types; one has lost an attribute
CREATE TYPE rt.complex AS (r double precision, i double precision);
CREATE TYPE rt.person AS (
    "first name" text COLLATE "C",
    gone integer,
    "geb.-datum" date,
    tags text[],
    home rt.complex,
    mood rt.mood
);
ALTER TYPE rt.person DROP ATTRIBUTE gone;
ALTER TYPE rt.person ADD ATTRIBUTE "größe \cm" numeric(5,2);
CREATE TYPE rt.empty_type AS ();

-- a base type (borrowing int4's code) and a type that stays a shell
CREATE TYPE rt.int42;
CREATE FUNCTION rt.int42_in(cstring) RETURNS rt.int42
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4in';
CREATE FUNCTION rt.int42_out(rt.int42) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int4out';
CREATE FUNCTION rt.int42_recv(internal) RETURNS rt.int42
    LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION rt.int42_send(rt.int42) RETURNS bytea
    LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE rt.int42 (
    INPUT = rt.int42_in, OUTPUT = rt.int42_out,
    RECEIVE = rt.int42_recv, SEND = rt.int42_send,
    INTERNALLENGTH = 4, PASSEDBYVALUE, ALIGNMENT = int4, STORAGE = plain,
    CATEGORY = 'N', DEFAULT = '42', DELIMITER = ';'
);
CREATE TYPE rt.only_a_shell;

-- range types
CREATE FUNCTION rt.time_diff(a time, b time) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN EXTRACT(epoch FROM (a - b))::double precision;
CREATE TYPE rt.timerange AS RANGE (
    SUBTYPE = time,
    SUBTYPE_DIFF = rt.time_diff,
    MULTIRANGE_TYPE_NAME = rt."Zeit Multi"
);
CREATE TYPE rt.floatrange AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = float8mi);
CREATE TYPE rt.textrange AS RANGE (
    SUBTYPE = text, SUBTYPE_OPCLASS = text_pattern_ops, COLLATION = "C"
);

-- domains: over integers, domains, arrays, composites, ranges
CREATE DOMAIN rt.posint AS integer DEFAULT 1 NOT NULL
    CONSTRAINT "muss > 0" CHECK (VALUE > 0);
CREATE DOMAIN rt.small_posint AS rt.posint
    CONSTRAINT small CHECK (VALUE < 1000);
CREATE DOMAIN rt.code AS text COLLATE "C" DEFAULT 'AA0'
    CONSTRAINT code_format CHECK (VALUE ~ '^[A-Z]{2}\d+$')
    CONSTRAINT code_short CHECK (length(VALUE) <= 10);
CREATE DOMAIN rt.int_list AS integer[]
    CONSTRAINT few CHECK (array_length(VALUE, 1) <= 5);
CREATE DOMAIN rt.upper_half AS rt.complex
    CONSTRAINT upper CHECK ((VALUE).i >= 0);
CREATE DOMAIN rt.stay AS daterange
    CONSTRAINT not_empty CHECK (NOT isempty(VALUE));
CREATE DOMAIN "Größe ""x"" 日本"."Domäne ""d""" AS numeric(7,3) DEFAULT -0.5;
CREATE DOMAIN rt.late_check AS integer;         -- a NOT VALID constraint follows in 12


-- =============================================================================
-- 5  Functions and procedures
-- =============================================================================

CREATE FUNCTION rt.add_em(a integer, b integer DEFAULT 2) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 7
    AS 'SELECT $1 + $2';
CREATE FUNCTION rt.add_em(a text, VARIADIC rest text[]) RETURNS text    -- overloaded
    LANGUAGE sql STABLE LEAKPROOF
    AS $$ SELECT a || array_to_string(rest, '') $$;
CREATE FUNCTION rt.no_args() RETURNS void LANGUAGE sql AS '';

-- SQL-standard bodies are stored parsed; they depend on what they use
CREATE TABLE rt.atomic_t (id integer PRIMARY KEY, label text, n integer DEFAULT 0 NOT NULL);
INSERT INTO rt.atomic_t VALUES (1, 'one', 10), (2, NULL, 20), (3, 'drei "3"', -30);

CREATE FUNCTION rt.atomic_sum(min_id integer DEFAULT 0) RETURNS bigint
    LANGUAGE sql STABLE
    BEGIN ATOMIC
        SELECT sum(t.n) FROM rt.atomic_t t WHERE t.id >= min_id;
    END;
CREATE FUNCTION rt.atomic_two(OUT a integer, OUT "b c" text) RETURNS SETOF record
    LANGUAGE sql STABLE ROWS 3
    BEGIN ATOMIC
        SELECT id, label FROM rt.atomic_t WHERE n > 0 ORDER BY id DESC;
    END;
CREATE FUNCTION rt.return_expr(x integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN x < 0 THEN 'neg\ative' ELSE 'it''s ' || x END;
CREATE PROCEDURE rt.atomic_proc(p_id integer, INOUT p_label text)
    LANGUAGE sql
    BEGIN ATOMIC
        INSERT INTO rt.atomic_t AS t (id, label) VALUES (p_id, p_label)
            ON CONFLICT (id) DO UPDATE SET label = excluded.label WHERE t.n < 1000;
        DELETE FROM rt.atomic_t WHERE id < 0;
        SELECT p_label || '!';
    END;

CREATE PROCEDURE rt.atomic_merge()
    LANGUAGE sql
    BEGIN ATOMIC
        MERGE INTO rt.atomic_t AS t USING (VALUES (1, 'eins'), (4, 'vier')) AS v(id, label) ON t.id = v.id
            WHEN MATCHED AND t.n > 1000 THEN DELETE
            WHEN MATCHED THEN UPDATE SET label = v.label, n = DEFAULT
            WHEN NOT MATCHED THEN INSERT (id, label) VALUES (v.id, v.label);
    END;

CREATE FUNCTION rt.plpg(INOUT a integer, OUT b text, c numeric DEFAULT 1.50) RETURNS record
    LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT
AS $function$
<<outer_block>>
DECLARE
    q text := $q$it's 'quoted' \ $1 "here"$q$;       -- dollar quotes inside
BEGIN
	b := q || E'\ttab\\ \'' || c;	-- a real tab here
    a := coalesce(a, 0) + 1;
EXCEPTION WHEN OTHERS THEN
    RAISE;
END outer_block;
$function$;

CREATE FUNCTION rt.with_settings() RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, "Größe ""x"" 日本", pg_temp
    SET work_mem = '7MB'
    SET "rt.note" = 'it''s "quoted" \ ünï, a'
    SET DateStyle FROM CURRENT
AS $$ BEGIN RETURN current_setting('rt.note'); END $$;

CREATE FUNCTION rt.as_table(lim integer) RETURNS TABLE (n integer, "Quadrat ²" bigint)
    LANGUAGE sql IMMUTABLE ROWS 10 SET search_path = ''
    AS $$ SELECT i, i::pg_catalog.int8 * i FROM pg_catalog.generate_series(1, lim) AS i $$;
CREATE FUNCTION rt.swap(INOUT a anyelement, INOUT b anyelement)
    LANGUAGE sql IMMUTABLE AS 'SELECT b, a';
CREATE FUNCTION rt.my_window() RETURNS bigint
    LANGUAGE internal WINDOW IMMUTABLE PARALLEL SAFE AS 'window_row_number';
CREATE FUNCTION rt.starts_with_x(text, text) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT SUPPORT text_starts_with_support AS 'text_starts_with';
CREATE FUNCTION rt.crlf_body() RETURNS integer
    LANGUAGE sql AS E'SELECT 1;\r\nSELECT 2\t/* \n\\.\n*/;\r\n-- it\'s $$ the end';
CREATE FUNCTION "Größe ""x"" 日本"."Fünktion ""f"" \n"("arg ""1"" ü" text DEFAULT 'd''é\')
    RETURNS text LANGUAGE sql IMMUTABLE AS $_$ SELECT $1 || '$$ $x$' $_$;
CREATE FUNCTION rt.is_even(integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 % 2 = 0;

CREATE PROCEDURE rt.do_nothing(a integer, VARIADIC b integer[])
    LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE PROCEDURE rt.proc_out(OUT x integer, IN y integer DEFAULT 3)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN x := y; END $$;

-- a table whose CHECK calls a function that takes the table's row
CREATE TABLE rt.loop_t (id integer PRIMARY KEY, lo integer, hi integer);
CREATE FUNCTION rt.loop_ok(r rt.loop_t) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT r.lo <= r.hi';
ALTER TABLE rt.loop_t ADD CONSTRAINT loop_check CHECK (rt.loop_ok(loop_t.*));
INSERT INTO rt.loop_t VALUES (1, 1, 2), (2, NULL, 2), (3, -5, -5);
CREATE FUNCTION rt.loop_all() RETURNS SETOF rt.loop_t
    LANGUAGE sql STABLE AS 'SELECT * FROM rt.loop_t';

-- functions for the triggers of section 15
CREATE TABLE rt.audit (
    n integer GENERATED ALWAYS AS IDENTITY,
    tab text, op text, lvl text, args text[], cnt bigint
);
CREATE FUNCTION rt.trg_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rt.audit (tab, op, lvl, args)
        VALUES (TG_TABLE_NAME, TG_OP, TG_LEVEL, TG_ARGV[0:TG_NARGS - 1]);
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE FUNCTION rt.trg_stmt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rt.audit (tab, op, lvl) VALUES (TG_TABLE_NAME, TG_OP, TG_LEVEL);
    RETURN NULL;
END $$;
CREATE FUNCTION rt.trg_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO rt.audit (tab, op, lvl, cnt)
        SELECT TG_TABLE_NAME, TG_OP, 'transition', count(*) FROM "Neue";
    RETURN NULL;
END $$;
CREATE FUNCTION rt.evt_noop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE DEBUG 'rt event trigger: %', TG_EVENT;
END $$;


-- =============================================================================
-- 6  Operators, operator classes, aggregates, casts, collations, text search,
--    conversion, transform, access method
-- =============================================================================

CREATE FUNCTION rt.complex_eq(a rt.complex, b rt.complex) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT RETURN (a).r = (b).r AND (a).i = (b).i;
CREATE FUNCTION rt.complex_ne(a rt.complex, b rt.complex) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT RETURN NOT ((a).r = (b).r AND (a).i = (b).i);
CREATE FUNCTION rt.complex_add(a rt.complex, b rt.complex) RETURNS rt.complex
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ROW(a.r + b.r, a.i + b.i)::rt.complex';
CREATE FUNCTION rt.complex_neg(a rt.complex) RETURNS rt.complex
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT ROW(-a.r, -a.i)::rt.complex';
CREATE FUNCTION rt.complex_abs(a rt.complex) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT AS 'SELECT sqrt(a.r * a.r + a.i * a.i)';

CREATE OPERATOR rt.|=| (
    LEFTARG = rt.complex, RIGHTARG = rt.complex, FUNCTION = rt.complex_eq,
    COMMUTATOR = OPERATOR(rt.|=|), NEGATOR = OPERATOR(rt.|<>|),
    RESTRICT = eqsel, JOIN = eqjoinsel
);
CREATE OPERATOR rt.|<>| (
    LEFTARG = rt.complex, RIGHTARG = rt.complex, FUNCTION = rt.complex_ne,
    COMMUTATOR = OPERATOR(rt.|<>|), NEGATOR = OPERATOR(rt.|=|),
    RESTRICT = neqsel, JOIN = neqjoinsel
);
CREATE OPERATOR rt.+ (
    LEFTARG = rt.complex, RIGHTARG = rt.complex, FUNCTION = rt.complex_add,
    COMMUTATOR = OPERATOR(rt.+)
);
CREATE OPERATOR rt.!- (RIGHTARG = rt.complex, FUNCTION = rt.complex_neg);      -- prefix
CREATE OPERATOR "Größe ""x"" 日本".<%%> (LEFTARG = text, RIGHTARG = text, FUNCTION = rt.starts_with_x);

-- operator classes for the base type
CREATE FUNCTION rt.int42_lt(rt.int42, rt.int42) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION rt.int42_le(rt.int42, rt.int42) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION rt.int42_eq(rt.int42, rt.int42) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION rt.int42_ge(rt.int42, rt.int42) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION rt.int42_gt(rt.int42, rt.int42) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION rt.int42_cmp(rt.int42, rt.int42) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION rt.int42_hash(rt.int42) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE FUNCTION rt.int42_hash_ext(rt.int42, bigint) RETURNS bigint LANGUAGE internal IMMUTABLE STRICT AS 'hashint4extended';
CREATE FUNCTION rt.int42_eq_int4(rt.int42, integer) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION rt.int42_cmp_int4(rt.int42, integer) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';

CREATE OPERATOR rt.< (LEFTARG = rt.int42, RIGHTARG = rt.int42, FUNCTION = rt.int42_lt,
    COMMUTATOR = OPERATOR(rt.>), NEGATOR = OPERATOR(rt.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR rt.<= (LEFTARG = rt.int42, RIGHTARG = rt.int42, FUNCTION = rt.int42_le,
    COMMUTATOR = OPERATOR(rt.>=), NEGATOR = OPERATOR(rt.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel);
CREATE OPERATOR rt.= (LEFTARG = rt.int42, RIGHTARG = rt.int42, FUNCTION = rt.int42_eq,
    COMMUTATOR = OPERATOR(rt.=), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES);
CREATE OPERATOR rt.>= (LEFTARG = rt.int42, RIGHTARG = rt.int42, FUNCTION = rt.int42_ge,
    COMMUTATOR = OPERATOR(rt.<=), NEGATOR = OPERATOR(rt.<), RESTRICT = scalargesel, JOIN = scalargejoinsel);
CREATE OPERATOR rt.> (LEFTARG = rt.int42, RIGHTARG = rt.int42, FUNCTION = rt.int42_gt,
    COMMUTATOR = OPERATOR(rt.<), NEGATOR = OPERATOR(rt.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel);
CREATE OPERATOR rt.= (LEFTARG = rt.int42, RIGHTARG = integer, FUNCTION = rt.int42_eq_int4,
    RESTRICT = eqsel, JOIN = eqjoinsel);

CREATE OPERATOR FAMILY rt.int42_fam USING btree;
CREATE OPERATOR CLASS rt.int42_ops DEFAULT FOR TYPE rt.int42 USING btree FAMILY rt.int42_fam AS
    OPERATOR 1 rt.<, OPERATOR 2 rt.<=, OPERATOR 3 rt.=, OPERATOR 4 rt.>=, OPERATOR 5 rt.>,
    FUNCTION 1 rt.int42_cmp(rt.int42, rt.int42);
ALTER OPERATOR FAMILY rt.int42_fam USING btree ADD              -- "loose" members
    OPERATOR 3 rt.= (rt.int42, integer),
    FUNCTION 1 (rt.int42, integer) rt.int42_cmp_int4(rt.int42, integer);
CREATE OPERATOR CLASS "Größe ""x"" 日本"."int42 häsh" DEFAULT FOR TYPE rt.int42 USING hash AS
    OPERATOR 1 rt.=,
    FUNCTION 1 rt.int42_hash(rt.int42),
    FUNCTION 2 rt.int42_hash_ext(rt.int42, bigint);
CREATE OPERATOR FAMILY rt.empty_fam USING gist;

-- aggregates: plain, moving, polymorphic, ordered-set, hypothetical-set
CREATE AGGREGATE rt.my_sum(integer) (
    SFUNC = int4pl, STYPE = integer, INITCOND = '0', COMBINEFUNC = int4pl,
    MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer, MINITCOND = '0',
    SSPACE = 16, PARALLEL = SAFE
);
CREATE AGGREGATE rt.my_min(integer) (SFUNC = int4smaller, STYPE = integer, SORTOP = <);
CREATE AGGREGATE rt.csum(rt.complex) (SFUNC = rt.complex_add, STYPE = rt.complex, INITCOND = '(0,0)');
CREATE FUNCTION rt.first_of(anyelement, anyelement) RETURNS anyelement
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS 'SELECT $1';
CREATE AGGREGATE "Größe ""x"" 日本"."Erster ""1"""(anyelement) (SFUNC = rt.first_of, STYPE = anyelement);
CREATE FUNCTION rt.sum_all(bigint, integer, VARIADIC integer[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS 'SELECT $1 + $2 + cardinality($3)';
CREATE AGGREGATE rt.two_args(a integer, VARIADIC b integer[]) (SFUNC = rt.sum_all, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE rt.my_percentile(double precision ORDER BY anyelement) (
    SFUNC = ordered_set_transition, STYPE = internal,
    FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE
);
CREATE AGGREGATE rt.my_rank(VARIADIC "any" ORDER BY VARIADIC "any") (
    SFUNC = ordered_set_transition_multi, STYPE = internal,
    FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL
);

-- casts: with a function, binary, by text; one between built-in types
CREATE FUNCTION rt.mood_rank(rt.mood) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT array_position(enum_range(NULL::rt.mood), $1) $$;
CREATE CAST (rt.mood AS integer) WITH FUNCTION rt.mood_rank(rt.mood);
CREATE CAST (rt.complex AS double precision) WITH FUNCTION rt.complex_abs(rt.complex) AS ASSIGNMENT;
CREATE CAST (rt.int42 AS integer) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (integer AS rt.int42) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (text AS rt.int42) WITH INOUT AS ASSIGNMENT;
CREATE FUNCTION rt.date_as_int(date) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT RETURN $1 - DATE '2000-01-01';
CREATE CAST (date AS integer) WITH FUNCTION rt.date_as_int(date);

-- collations (there may be no ICU)
CREATE COLLATION rt."Coll C" (PROVIDER = libc, LOCALE = 'C');
CREATE COLLATION "Größe ""x"" 日本"."sortïerung" FROM "POSIX";

-- text search: parser, template, dictionaries, configuration
CREATE TEXT SEARCH PARSER rt.my_parser (
    START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end,
    LEXTYPES = prsd_lextype, HEADLINE = prsd_headline
);
CREATE TEXT SEARCH TEMPLATE rt.my_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY rt.my_dict (TEMPLATE = rt.my_template, StopWords = 'english', Accept = 'false');
CREATE TEXT SEARCH DICTIONARY "Größe ""x"" 日本"."wörter" (TEMPLATE = pg_catalog.snowball, Language = 'german');
CREATE TEXT SEARCH CONFIGURATION rt.my_config (PARSER = rt.my_parser);
ALTER TEXT SEARCH CONFIGURATION rt.my_config
    ADD MAPPING FOR asciiword, word WITH rt.my_dict, "Größe ""x"" 日本"."wörter", pg_catalog.simple;
ALTER TEXT SEARCH CONFIGURATION rt.my_config ADD MAPPING FOR email, int, float WITH pg_catalog.simple;
CREATE TEXT SEARCH CONFIGURATION rt.copied_config (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION rt.copied_config DROP MAPPING FOR url_path;

CREATE CONVERSION rt.latin1_to_utf8 FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TRANSFORM FOR integer LANGUAGE sql (
    FROM SQL WITH FUNCTION pg_catalog.prsd_lextype(internal),
    TO SQL WITH FUNCTION pg_catalog.int4recv(internal)
);
CREATE ACCESS METHOD rt_heap TYPE TABLE HANDLER heap_tableam_handler;


-- =============================================================================
-- 7  Sequences
-- =============================================================================

CREATE SEQUENCE rt.seq_untouched;
CREATE SEQUENCE rt.seq_called START 5 INCREMENT 5 CACHE 20;
SELECT setval('rt.seq_called', 1234567890123, true);
CREATE SEQUENCE rt.seq_not_called MINVALUE 0;
SELECT setval('rt.seq_not_called', 77, false);
CREATE SEQUENCE rt.seq_down AS smallint INCREMENT -3 MINVALUE -100 MAXVALUE 10 START 10 CACHE 5 CYCLE;
SELECT setval('rt.seq_down', -100, true);
CREATE SEQUENCE rt.seq_extreme INCREMENT 9223372036854775807
    MINVALUE -9223372036854775808 MAXVALUE 9223372036854775807 START 9223372036854775807;
SELECT setval('rt.seq_extreme', -9223372036854775808, false);
CREATE SEQUENCE rt.seq_int AS integer MAXVALUE 100000 NO CYCLE;
SELECT nextval('rt.seq_int'), nextval('rt.seq_int'), nextval('rt.seq_int');
CREATE UNLOGGED SEQUENCE rt.seq_unlogged START 3;
SELECT setval('rt.seq_unlogged', 8);
CREATE SEQUENCE "Größe ""x"" 日本"."Sequenz ""s"" \1" START -7 MINVALUE -10;
SELECT nextval('"Größe ""x"" 日本"."Sequenz ""s"" \1"');

CREATE TABLE rt.seq_users (
    id serial PRIMARY KEY,
    big bigserial,
    shared bigint DEFAULT nextval('rt.seq_called'::regclass),
    quoted bigint DEFAULT nextval('"Größe ""x"" 日本"."Sequenz ""s"" \1"'::regclass),
    owned bigint
);
CREATE SEQUENCE rt.seq_owned OWNED BY rt.seq_users.owned;       -- owned, but no default
INSERT INTO rt.seq_users (owned) SELECT nextval('rt.seq_owned') FROM generate_series(1, 3);
ALTER SEQUENCE rt.seq_users_id_seq INCREMENT 10 RESTART 1001;


-- =============================================================================
-- 8  One table per family of types
-- =============================================================================

CREATE TABLE rt.zoo_numeric (
    id integer PRIMARY KEY,
    i2 smallint, i4 integer, i8 bigint,
    n numeric, n5_2 numeric(5,2), n3_m2 numeric(3,-2), n3_5 numeric(3,5),
    f4 real, f8 double precision, m money, b boolean
);
INSERT INTO rt.zoo_numeric VALUES
    (1, 32767, 2147483647, 9223372036854775807, 'NaN', 999.99, 99949, 0.00123,
        3.4028235e38, 1.7976931348623157e308, 92233720368547758.07::numeric::money, true),
    (2, -32768, -2147483648, -9223372036854775808, 'Infinity', -999.99, -99949, -0.00999,
        -3.4028235e38, -1.7976931348623157e308, (-92233720368547758.08)::numeric::money, false),
    (3, 0, 0, 0, '-Infinity', 'NaN', 'NaN', 'NaN', 'NaN', 'NaN', 0::numeric::money, NULL),
    (4, NULL, NULL, NULL, repeat('9', 1000)::numeric + 0.000000000000000000000000000001, 0.00, 0, 0,
        'Infinity', 'Infinity', NULL, true),
    (5, 1, 1, 1, ('0.' || repeat('0', 500) || '123456789')::numeric, 0.01, 100, 0.00001,
        '-Infinity', '-Infinity', 0.01::numeric::money, true),
    (6, 2, 2, 2, 1.1000, 1, 1, 0, 1.4e-45, 4.9406564584124654e-324, (-0.01)::numeric::money, false),
    (7, 3, 3, 3, -0.0, 1, 1, 0, '-0', '-0', NULL, false),
    (8, 4, 4, 4, 1e131, 1, 1, 0, 0.1, 0.1, NULL, false),
    (9, 5, 5, 5, 1e-130, 1, 1, 0, 16777217, 0.30000000000000004, NULL, false),
    (10, 6, 6, 6, 12345678901234567890.0987654321, 1, 1, 0, 1.17549435e-38, 2.2250738585072014e-308, NULL, false);

CREATE TABLE rt.zoo_text (
    id integer PRIMARY KEY,
    c1 char, c10 char(10), vc varchar, vc5 varchar(5), t text, bp bpchar,
    nm name, ch "char", by bytea
);
INSERT INTO rt.zoo_text VALUES
    (1, 'x', 'pad', 'v', 'ünï日本', 'plain', 'trailing   ', 'a name', 'c', '\x00'),
    (2, '', '', '', '', '', '', '', '', ''),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, ' ', E'\t', E'\n', E'\r\n', E'\\.', E'\\N', repeat('ü', 31)::name, E'\\', '\x5c2e0a'),
    (5, '日', '日本', 'NULL', '''''', 'null', '""', 'NULL', '''', 'deadbeef');
INSERT INTO rt.zoo_text (id, t, by)                                 -- every byte value, 5 times
    SELECT 6, 'bytes', decode(string_agg(lpad(to_hex(i % 256), 2, '0'), '' ORDER BY i), 'hex')
    FROM generate_series(0, 1279) AS i;

CREATE TABLE rt.zoo_time (
    id integer PRIMARY KEY,
    d date, t time, t0 time(0), ttz timetz, ts timestamp, ts3 timestamp(3),
    tstz timestamptz, iv interval, iv_ym interval year to month, iv_s interval second(2)
);
INSERT INTO rt.zoo_time VALUES
    (1, '2024-02-29', '12:34:56.789012', '12:34:56', '12:34:56.789+05:30', '2024-02-29 12:34:56.789012',
        '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789012+05:45', '1 year 2 mons 3 days 04:05:06.789012', '3-7', '12.34'),
    (2, 'infinity', '24:00:00', '00:00', '23:59:59.999999-15:59:59', 'infinity', 'infinity', 'infinity', '0', '0', '0'),
    (3, '-infinity', '00:00', '23:59:59', '00:00:00+15:59:59', '-infinity', '-infinity', '-infinity',
        '-1 year -2 mons +3 days -04:05:06.000001', '-100-11', '-0.01'),
    (4, '0044-03-15 BC', '23:59:59.999999', '00:00:01', '00:00+00', '0044-03-15 12:00:00.5 BC',
        '0001-12-31 23:59:59.999 BC', '0044-03-15 12:00:00+00 BC', '-178000000 years', '178000000-0', '1'),
    (5, '4714-11-24 BC', '00:00:00.000001', '01:00', '01:00-08', '4714-11-24 00:00:00 BC', '0001-01-01',
        '4714-11-24 00:00:00+00 BC', '178000000 years 11 mons 2147483647 days 2562047788:00:54.775807', '0-1', '59.99'),
    (6, '5874897-12-31', NULL, NULL, NULL, '294276-12-31 23:59:59.999999', '294276-12-31',
        '294276-12-31 23:59:59.999999+00', '1 day -24:00:00', NULL, NULL),
    (7, NULL, NULL, NULL, NULL, NULL, NULL, '1883-11-18 12:03:57-04:56:02', '-00:00:00.000001', NULL, NULL);

CREATE TABLE rt.zoo_geo (
    id integer PRIMARY KEY,
    p point, l line, ls lseg, b box, pa path, po polygon, c circle
);
INSERT INTO rt.zoo_geo VALUES
    (1, '(1.5,-2.5)', '{1,-1,0.1}', '[(0,0),(1e300,-1e-300)]', '(3,4),(1,2)', '[(0,0),(1,1),(2,0)]',
        '((0,0),(1,1),(2,0.30000000000000004))', '<(1,2),3.5>'),
    (2, '(NaN,Infinity)', '{0,1,-5}', '[(0,0),(0,0)]', '(1,1),(1,1)', '((0,0),(1,1))', '((0,0))', '<(0,0),0>'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE rt.zoo_net (id integer PRIMARY KEY, i inet, c cidr, m macaddr, m8 macaddr8);
INSERT INTO rt.zoo_net VALUES
    (1, '192.168.1.5/24', '192.168.1.0/24', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05'),
    (2, '::ffff:1.2.3.4', '2001:db8::/32', 'ff:ff:ff:ff:ff:ff', '08002b010203'),
    (3, '2001:db8::8a2e:370:7334/64', '0.0.0.0/0', '000000000000', 'ffffffffffffffff'),
    (4, '10.0.0.1', '::/0', NULL, NULL);

CREATE TABLE rt.zoo_bit (id integer PRIMARY KEY, b bit, b9 bit(9), vb bit varying, vb5 bit varying(5));
INSERT INTO rt.zoo_bit VALUES
    (1, B'1', B'101010101', B'', B'10101'), (2, B'0', X'1F'::bit(9), X'DEADBEEF', B''),
    (3, NULL, NULL, repeat('10', 2000)::bit varying, NULL);

CREATE TABLE rt.zoo_search (id integer PRIMARY KEY, v tsvector, q tsquery);
INSERT INTO rt.zoo_search VALUES
    (1, 'a:1A fat:2B,4C cat:5 ''it''''s'':7 ''back\\slash'':8 日本:9', 'fat:AB & (cat | !''it''''s'':*)'),
    (2, '', ''), (3, 'a b c', 'a <-> b <3> c'), (4, NULL, NULL);

CREATE TABLE rt.zoo_doc (
    id integer PRIMARY KEY, u uuid, j json, jb jsonb, jp jsonpath
);
INSERT INTO rt.zoo_doc VALUES
    (1, '00000000-0000-0000-0000-000000000000', E'{"b" :1,\n\t"a":2, "a": "dup",  "z":"\\u0000 \\ud83d\\ude00"}',
        '{"b": 1.10, "a": [null, true, "日本", {"x": {}}], "e": 1e3, "quote\"": "back\\slash\n"}',
        '$."a b"[*] ? (@.x > 1.5 && @.y like_regex "^a\\d" flag "i")'),
    (2, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'null', 'null', 'strict $.a[0 to last].**{2 to 3}'),
    (3, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '""', '[]', '$'),
    (4, NULL, ' [ 1 , 2 ] ', ('{"n": ' || repeat('1234567890', 30) || '.000}')::jsonb, NULL);
\if :has_xml
CREATE TABLE rt.zoo_xml (id integer PRIMARY KEY, x xml);
SET xmloption = content;
INSERT INTO rt.zoo_xml VALUES
    (1, '<a b="c &amp; &lt;">text <!-- c --> <![CDATA[ <raw> ]]> ünï 日本</a>'),
    (2, 'no single <root/> <here/>'), (3, ''), (4, NULL),
    (5, E'<?xml version="1.0"?>\n<!DOCTYPE d [<!ELEMENT d ANY>]>\n<d>\t\\.</d>');
\endif

CREATE TABLE rt.zoo_array (
    id integer PRIMARY KEY,
    i integer[], t text[], i2 integer[3][3], v varchar(5)[], bo box[], by bytea[],
    ts timestamptz[], mo rt.mood[], co rt.complex[], dm rt.posint[], jb jsonb[], nr int4range[]
);
INSERT INTO rt.zoo_array VALUES
    (1, '{1,NULL,3}', ARRAY['a,b', '{c}', 'd"e', 'f\g', '', 'NULL', NULL, ' sp ', E'new\nline', '日本'],
        '[0:2][-1:0]={{1,2},{3,4},{5,6}}', '{abc,de}', '{(2,2),(1,1);(4,4),(3,3)}', ARRAY['\x00ff'::bytea, '', NULL],
        '{2024-01-01 00:00:00+00,infinity,NULL}', ARRAY['sad', 'it''s', 'with "quotes"', 'back\slash']::rt.mood[],
        ARRAY[ROW(1, -1), ROW(NULL, 'NaN'), NULL]::rt.complex[], '{1,2}', ARRAY['{"a": "b,c\"d"}', NULL]::jsonb[],
        '{"[1,3)",empty,"(,5)"}'),
    (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    (3, '[-5:-3]={-5,-4,-3}', '[2:2][7:8]={{a,NULL}}', '{{{{1,2}},{{3,4}}},{{{5,6}},{{7,8}}}}', NULL, NULL, NULL,
        NULL, NULL, '[5:5]={"(0,0)"}', '[0:0]={9}', NULL, NULL),
    (4, array_fill(7, ARRAY[2,3,2], ARRAY[-1,0,10]), array_fill(NULL::text, ARRAY[3]), NULL, NULL, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE rt.zoo_range (
    id integer PRIMARY KEY,
    i4 int4range, i8 int8range, n numrange, d daterange, ts tsrange, tz tstzrange,
    i4m int4multirange, i8m int8multirange, nm nummultirange, dm datemultirange, tsm tsmultirange, tzm tstzmultirange,
    tr rt.timerange, trm rt."Zeit Multi", fr rt.floatrange, txr rt.textrange
);
INSERT INTO rt.zoo_range VALUES
    (1, '[1,10)', '(,9223372036854775807)', '(0.10,NaN]', '[2024-01-01,infinity]', '[2024-01-01 00:00,2024-01-02 00:00)',
        '["2024-01-01 00:00:00+00",)', '{[1,3),[5,7)}', '{(,1),[5,)}', '{(1.5,2.5],[3,3]}', '{[2024-01-01,2024-02-01)}',
        '{}', '{["2024-01-01 00:00:00+00","2024-01-01 01:00:00+00"]}', '[08:00,17:30)', '{[08:00,12:00),(13:00,17:00]}',
        '[-Infinity,1.5)', '["a,b","c\"d")'),
    (2, 'empty', '(,)', 'empty', '(,)', 'empty', '(,infinity)', '{}', '{(,)}', '{}', '{}', '{(,)}', '{}',
        'empty', '{}', '(,)', '["","\\\\")'),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE rt.zoo_system (
    id integer PRIMARY KEY,
    o oid, rc regclass, rp regproc, rpe regprocedure, ro regoper, roe regoperator, rt regtype, rr regrole,
    rn regnamespace, rcfg regconfig, rd regdictionary, rcol regcollation,
    lsn pg_lsn, txs txid_snapshot, pgs pg_snapshot, x xid, x8 xid8, ci cid, ti tid, ov oidvector, iv int2vector,
    rfc refcursor, acl aclitem
);
INSERT INTO rt.zoo_system VALUES
    (1, 4294967295, 'rt.zoo_numeric', 'rt.plpg', 'rt.add_em(integer,integer)', 'rt.|=|', 'rt.|=|(rt.complex,rt.complex)',
        'rt.mood[]', '"rt_Ünï ""q"""', '"Größe ""x"" 日本"', 'rt.my_config', 'rt.my_dict', 'rt."Coll C"',
        '16/B374D848', '10:20:10,14,15', '10:20:10,14,15', '4294967295', '18446744073709551615', '7', '(42,7)',
        '1 2 4294967295', '-1 0 32767', 'a cursor', 'rt_reader=r*w/rt_owner'),
    (2, 0, '-', '-', '-', '0', '0', '-', '-', '-', '-', '-', '-', '0/0', '1:1:', '1:1:', '0', '0', '0', '(0,0)', '', '', '', '=r/rt_owner'),
    (3, 12345, 'pg_class', '999999999', 'lower(text)', '999999999', '+(integer,integer)', 'timestamp with time zone',
        '999999999', 'pg_catalog', 'english', 'simple', '"C"', 'FFFFFFFF/FFFFFFFF', '10:20:', '10:20:', '3', '3', '4294967295',
        '(4294967295,65535)', '1', '1', NULL, '"rt_Ünï ""q"""=U/rt_owner'),
    (4, NULL, '"Größe ""x"" 日本"."Sequenz ""s"" \1"', NULL, '"Größe ""x"" 日本"."Fünktion ""f"" \n"(text)', NULL, NULL,
        '"Größe ""x"" 日本"."Enum ""ü"""', NULL, NULL, NULL, '"Größe ""x"" 日本"."wörter"', '"Größe ""x"" 日本"."sortïerung"',
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE rt.zoo_own (                                   -- the types of section 4
    id integer PRIMARY KEY,
    mood rt.mood DEFAULT 'ok'::rt.mood,
    "Enum" "Größe ""x"" 日本"."Enum ""ü""",
    cx rt.complex DEFAULT ROW(0, 0)::rt.complex,
    p rt.person,
    nothing rt.empty_type,
    b rt.int42 DEFAULT '7'::rt.int42,
    bs rt.int42[],
    pos rt.posint,
    small rt.small_posint DEFAULT 12,
    code rt.code,
    list rt.int_list,
    lists rt.int_list[],
    half rt.upper_half,
    stay rt.stay,
    dom "Größe ""x"" 日本"."Domäne ""d""",
    whole_row rt.zoo_net,
    rows rt.zoo_net[]
);
INSERT INTO rt.zoo_own (id, pos) VALUES (1, 5);
INSERT INTO rt.zoo_own VALUES
    (2, 'with "quotes"', 'ß', ROW('Infinity', '-0'),
        ROW('Jöhn "x" \y', '1999-12-31', ARRAY['a', NULL, 'b,c'], ROW(1, 2), 'it''s', 179.50), ROW(), 2147483647,
        ARRAY['1', '-2']::rt.int42[], 3, 999, 'ZZ0123', '{1,NULL,3}', NULL, ROW(1, 0), '[2024-01-01,2024-01-08)',
        -1234.567, (SELECT z FROM rt.zoo_net z WHERE id = 2), (SELECT array_agg(z ORDER BY id) FROM rt.zoo_net z)),
    (3, NULL, '', NULL, ROW(NULL, NULL, '{}', NULL, NULL, NULL), NULL, NULL, NULL, 1, 1, NULL, '{}', NULL, NULL, NULL,
        NULL, ROW(NULL, NULL, NULL, NULL, NULL), '{}');

CREATE TABLE rt.zoo_ext (                                   -- types of extensions
    id integer PRIMARY KEY,
    h "ext schéma".hstore DEFAULT ''::"ext schéma".hstore,
    hs "ext schéma".hstore[],
    c public.citext,
    cs public.citext[],
    words text
);
INSERT INTO rt.zoo_ext VALUES
    (1, '"a b"=>"c\"d", "ünï"=>NULL, "back\\slash"=>"", ""=>"empty key"', ARRAY['a=>1'::"ext schéma".hstore, ''], 'MiXeD Cäse',
        '{Ab,aB}', 'the quick brown fox'),
    (2, '', NULL, '', '{}', ''), (3, NULL, NULL, NULL, NULL, NULL);
CREATE UNIQUE INDEX zoo_ext_citext ON rt.zoo_ext (c);
CREATE INDEX zoo_ext_hstore ON rt.zoo_ext USING gin (h);
CREATE INDEX zoo_ext_hstore_gist ON rt.zoo_ext USING gist (h "ext schéma".gist_hstore_ops (siglen = 32));
CREATE INDEX zoo_ext_trgm ON rt.zoo_ext USING gin (words rt_ext.gin_trgm_ops);
CREATE INDEX zoo_ext_trgm_gist ON rt.zoo_ext USING gist (words rt_ext.gist_trgm_ops (siglen = 24));
ALTER INDEX rt.zoo_ext_trgm DEPENDS ON EXTENSION pg_trgm;
CREATE FUNCTION rt.needs_hstore(text) RETURNS text LANGUAGE sql AS $$ SELECT "ext schéma".hstore($1, 'v')::text $$;
ALTER FUNCTION rt.needs_hstore(text) DEPENDS ON EXTENSION hstore;
\if :has_pgcrypto
CREATE TABLE rt.zoo_crypto (
    id integer PRIMARY KEY, t text,
    sha bytea GENERATED ALWAYS AS (rt_ext.digest(t, 'sha256')) STORED,
    armored text DEFAULT rt_ext.armor('\x00ff'::bytea)
);
INSERT INTO rt.zoo_crypto (id, t) VALUES (1, 'ünï'), (2, ''), (3, NULL);
\endif
ALTER TABLE rt.zoo_ext ADD CONSTRAINT ext_check CHECK (h OPERATOR("ext schéma".?) 'a b' OR c OPERATOR(public.<>) 'zzz');


-- =============================================================================
-- 9  Odd names, odd text
-- =============================================================================

CREATE TABLE "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" (
    "id nummer" integer GENERATED BY DEFAULT AS IDENTITY CONSTRAINT "primär ""schlüssel""" PRIMARY KEY,
    "quo""te" text DEFAULT 'quo''te"',
    "back\slash" text DEFAULT 'back\slash',
    "new
line" text DEFAULT E'new\nline',
    "tab	here" text DEFAULT E'tab\there',
    "select" text, "UPPER" text, "ünï 日本 😀" text, "$dollar$" text, "%s %d %%" text,
    "semi;colon" text, "--dash" text, "/* comment" text, "'apos''trophe'" text, "\." text, "." text, " " text,
    ":colon" text, "{brace,}" text, "123" integer, "a.b.c" text,
    "exactly sixty-three bytes long, the longest name that fits: ü!" text,
    CONSTRAINT "prüfung ""c"" \
zeile 2" CHECK ("quo""te" <> '\' AND "new
line" <> ';')
);
CREATE INDEX "indéx ""i"" \ 日本" ON "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" ("quo""te", ("new
line" || "back\slash"));
INSERT INTO "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" ("UPPER", "\.", "123") VALUES ('a', '\.', 1), ('b', NULL, 2);
INSERT INTO "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" ("select", ".", "exactly sixty-three bytes long, the longest name that fits: ü!")
    VALUES ('--', '/*', '$$');

CREATE TABLE "Größe ""x"" 日本"."Zeile 1
Zeile 2; DROP TABLE x; --" ("spalte
2" text);
INSERT INTO "Größe ""x"" 日本"."Zeile 1
Zeile 2; DROP TABLE x; --" VALUES (E'wert\n2');
CREATE TABLE "Größe ""x"" 日本"."select" ("from" integer, "where" text);
INSERT INTO "Größe ""x"" 日本"."select" VALUES (1, 'keyword');
CREATE TABLE "Größe ""x"" 日本"."x" (a integer);            -- "X" and "x" are two tables
CREATE TABLE "Größe ""x"" 日本"."X" (a integer);
INSERT INTO "Größe ""x"" 日本"."X" VALUES (1);
CREATE TABLE rt."the same name" (a integer);                -- and so are these two
CREATE TABLE "Größe ""x"" 日本"."the same name" (a text);
INSERT INTO rt."the same name" VALUES (1);
INSERT INTO "Größe ""x"" 日本"."the same name" VALUES ('one');

CREATE TABLE rt.odd_text (id integer PRIMARY KEY, what text, t text);
INSERT INTO rt.odd_text
    SELECT i, 'control character ' || i, 'a' || chr(i) || 'b' FROM generate_series(1, 31) AS i;
INSERT INTO rt.odd_text VALUES
    (100, 'NULL', NULL), (101, 'empty', ''), (102, 'the word NULL', 'NULL'), (103, 'backslash N', '\N'),
    (104, 'end of copy', '\.'), (105, 'end of copy on its own line', E'a\n\\.\nb'), (106, 'backslashes', '\ \\ \\\ \n \t \x41'),
    (107, 'only a newline', E'\n'), (108, 'only CR', E'\r'), (109, 'CRLF', E'a\r\nb\r\n'), (110, 'tabs', E'\t\t'),
    (111, 'blanks at both ends', '   x   '), (112, 'DEL', E'\x7f'), (113, 'quotes', '''"''''""`'), (114, 'dollar quotes', '$$ $a$ $_$'),
    (115, 'looks like SQL', E'\n\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n\nCOPY x FROM stdin;\n\\.\n'),
    (116, 'looks like psql', E'\n\\connect other\n\\restrict abc\n\\unrestrict abc\n\\! true\n'),
    (117, 'line separators', U&'a\2028b\2029c\0085d'), (118, 'BOM', U&'\FEFFx'), (119, 'last code point', U&'\+10FFFF'),
    (120, 'emoji sequence', '👩‍👩‍👧‍👦 🇩🇪'), (121, 'composed / decomposed', U&'\00E9 / e\0301'), (122, 'right to left', U&'\202E abc \05D0'),
    (123, 'COPY options', E'a,b;c|d\x01e'), (124, 'CSV', E'"a","b""c"\r\n'), (125, 'percent', '%s%n%d'), (126, 'html', '<a href="&amp;">');
INSERT INTO rt.odd_text
    SELECT 200, 'all of them', string_agg(chr(i), '' ORDER BY i) FROM generate_series(1, 1023) AS i;
INSERT INTO rt.odd_text VALUES (201, 'long line', repeat('a long line that compresses well, \ 	ü. ', 60000)),
    (202, 'many lines', repeat(E'line\\.\n', 50000));


-- =============================================================================
-- 10  Odd tables
-- =============================================================================

CREATE TABLE rt.no_columns ();
INSERT INTO rt.no_columns DEFAULT VALUES;
INSERT INTO rt.no_columns DEFAULT VALUES;
INSERT INTO rt.no_columns DEFAULT VALUES;
CREATE TABLE rt.all_dropped (a integer, b text);
INSERT INTO rt.all_dropped VALUES (1, 'x'), (2, 'y');
ALTER TABLE rt.all_dropped DROP COLUMN a, DROP COLUMN b;

CREATE TABLE rt.no_rows (id bigint PRIMARY KEY, t text NOT NULL DEFAULT 'leer');

CREATE TABLE rt.dropped_column (a integer, gone text, b text, gone2 integer, c numeric);
INSERT INTO rt.dropped_column VALUES (1, 'g', 'b1', 2, 3), (4, 'g', NULL, 5, 6.0);
ALTER TABLE rt.dropped_column DROP COLUMN gone, DROP COLUMN gone2;
INSERT INTO rt.dropped_column VALUES (7, 'b3', 8);

-- columns added later; the old rows keep only a "missing value" in the catalog
CREATE TABLE rt.fast_default (id integer PRIMARY KEY);
INSERT INTO rt.fast_default SELECT generate_series(1, 5);
ALTER TABLE rt.fast_default ADD COLUMN t text DEFAULT E'fäst \\ \t "default"', ADD COLUMN n numeric DEFAULT 1.10 NOT NULL,
    ADD COLUMN a integer[] DEFAULT '{1,2}', ADD COLUMN forgotten text DEFAULT 'was the default once';
ALTER TABLE rt.fast_default ALTER COLUMN forgotten DROP DEFAULT, ALTER COLUMN n SET DEFAULT 9;
INSERT INTO rt.fast_default (id) VALUES (6);

-- generated and identity columns
CREATE TABLE rt.generated (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    w numeric, h numeric,
    area numeric GENERATED ALWAYS AS (w * h) STORED,
    "läbel" text DEFAULT 'x',
    upper_label text COLLATE "C" GENERATED ALWAYS AS (upper("läbel") || '\''"') STORED,
    doc tsvector GENERATED ALWAYS AS (to_tsvector('rt.my_config'::regconfig, "läbel")) STORED,
    even boolean GENERATED ALWAYS AS (rt.is_even(w::integer)) STORED
);
INSERT INTO rt.generated (w, h, "läbel") VALUES (1.5, 2, 'the running foxes'), (NULL, 2, NULL), (4, -1, 'Häuser');
INSERT INTO rt.generated (id, w) OVERRIDING SYSTEM VALUE VALUES (-5, 100);
CREATE TABLE rt.generated_child (extra text) INHERITS (rt.generated);
INSERT INTO rt.generated_child (id, w, h, "läbel", extra) VALUES (7, 2, 2, 'child', 'x');
CREATE TABLE rt.identities (
    a smallint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY -7 MINVALUE -500 MAXVALUE 200 CACHE 3 CYCLE),
    b bigint GENERATED BY DEFAULT AS IDENTITY (SEQUENCE NAME rt."Identitäts ""sequenz""" START WITH 9000000000),
    c integer GENERATED BY DEFAULT AS IDENTITY,
    t text
);
INSERT INTO rt.identities (t) SELECT 'row ' || i FROM generate_series(1, 3) AS i;
INSERT INTO rt.identities (a, b, c, t) OVERRIDING USER VALUE VALUES (1, 1, 1, 'ignored');
ALTER TABLE rt.identities ALTER COLUMN c RESTART WITH 500;

-- options, storage, compression, statistics targets
CREATE TABLE rt.options (
    id integer, t text, e text, m text, p text, lz text, pg text
) WITH (fillfactor = 70, autovacuum_enabled = false, autovacuum_vacuum_scale_factor = 0.05,
        toast_tuple_target = 4000, parallel_workers = 2, toast.autovacuum_enabled = false);
ALTER TABLE rt.options
    ALTER COLUMN e SET STORAGE EXTERNAL, ALTER COLUMN m SET STORAGE MAIN, ALTER COLUMN p SET STORAGE PLAIN,
    ALTER COLUMN pg SET COMPRESSION pglz,
    ALTER COLUMN t SET STATISTICS 1000, ALTER COLUMN e SET STATISTICS 0,
    ALTER COLUMN id SET (n_distinct = -0.5, n_distinct_inherited = 100);
\if :has_lz4
ALTER TABLE rt.options ALTER COLUMN lz SET COMPRESSION lz4;
\endif
INSERT INTO rt.options
    SELECT i, repeat('t' || i, 3000), repeat('e' || i, 3000), repeat('m' || i, 3000), 'p' || i,
           repeat('lz' || i, 5000), repeat('pg' || i, 5000)
    FROM generate_series(1, 3) AS i;

CREATE UNLOGGED TABLE rt.unlogged (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO rt.unlogged (t) SELECT 'unlogged ' || i FROM generate_series(1, 100) AS i;

CREATE TABLE rt.clustered (id integer PRIMARY KEY, k text);
CREATE INDEX clustered_k ON rt.clustered (k DESC);
INSERT INTO rt.clustered VALUES (1, 'b'), (2, 'c'), (3, 'a');
ALTER TABLE rt.clustered CLUSTER ON clustered_k;            -- marked, rows not moved

CREATE TABLE rt.ident_full (a integer, b text);
CREATE TABLE rt.ident_nothing (a integer PRIMARY KEY);
CREATE TABLE rt.ident_index (a integer NOT NULL, b text NOT NULL);
CREATE UNIQUE INDEX "ident ïndex" ON rt.ident_index (b, a);
INSERT INTO rt.ident_full VALUES (1, 'x'), (1, 'x');        -- the same row twice
INSERT INTO rt.ident_index VALUES (1, 'x');
ALTER TABLE rt.ident_full REPLICA IDENTITY FULL;
ALTER TABLE rt.ident_nothing REPLICA IDENTITY NOTHING;
ALTER TABLE rt.ident_index REPLICA IDENTITY USING INDEX "ident ïndex";

CREATE TABLE rt.typed OF rt.complex (r WITH OPTIONS DEFAULT 1.5, CONSTRAINT typed_pk PRIMARY KEY (r), CHECK (i > -100));
INSERT INTO rt.typed VALUES (1, 2), (3, NULL);
CREATE TABLE rt.other_am (id integer, t text) USING rt_heap;
INSERT INTO rt.other_am VALUES (1, 'stored by the access method rt_heap');

-- rows that were updated and deleted: the physical order is not the order of the key
CREATE TABLE rt.moved (id integer PRIMARY KEY, t text);
INSERT INTO rt.moved SELECT i, 'v1' FROM generate_series(1, 20) AS i;
UPDATE rt.moved SET t = 'v2' WHERE id % 3 = 0;
DELETE FROM rt.moved WHERE id % 5 = 0;


-- =============================================================================
-- 11  Inheritance and partitions
-- =============================================================================

-- inheritance, several parents, columns merged, defaults overridden
CREATE TABLE rt.inh_a (id integer, shared text DEFAULT 'from a', a_only numeric, CONSTRAINT pos CHECK (id > 0));
CREATE TABLE rt.inh_b (shared text DEFAULT 'from b', b_only date NOT NULL DEFAULT '2000-01-01',
    CONSTRAINT alone CHECK (b_only > '1900-01-01') NO INHERIT);
CREATE TABLE rt.inh_c (own text, shared text DEFAULT 'from c', a_only numeric NOT NULL) INHERITS (rt.inh_a, rt.inh_b);
CREATE TABLE rt.inh_d (d_only integer[], CONSTRAINT d_check CHECK (cardinality(d_only) < 9)) INHERITS (rt.inh_c);
CREATE TABLE "Größe ""x"" 日本"."erbe ""e""" () INHERITS (rt.inh_a);
CREATE TABLE rt.inh_late (id integer, shared text, a_only numeric, extra text, CONSTRAINT pos CHECK (id > 0));
ALTER TABLE rt.inh_late INHERIT rt.inh_a;                   -- (same order of columns, or a restore changes it)
INSERT INTO rt.inh_a VALUES (1, DEFAULT, 1.1);
INSERT INTO rt.inh_b VALUES ('in b', '2001-01-01');
INSERT INTO rt.inh_c (id, a_only, own) VALUES (2, 2.2, 'in c');
INSERT INTO rt.inh_d (id, a_only, d_only) VALUES (3, 3.3, '{1,2}'), (4, 4.4, NULL);
INSERT INTO "Größe ""x"" 日本"."erbe ""e""" VALUES (5, 'geerbt', NULL);
INSERT INTO rt.inh_late VALUES (6, 'y', 6.6, 'x');

-- list -> range -> hash, four levels with the top; default partitions
CREATE TABLE rt.events (
    id bigint NOT NULL,
    region text COLLATE "C" NOT NULL DEFAULT 'eu',
    at date NOT NULL,
    amount numeric(10,2) DEFAULT 0 CHECK (amount >= 0),
    note text,
    PRIMARY KEY (id, region, at)
) PARTITION BY LIST (region);
CREATE TABLE rt.events_eu PARTITION OF rt.events FOR VALUES IN ('eu', 'uk', 'it''s "x" \') PARTITION BY RANGE (at);
CREATE TABLE rt.events_eu_old PARTITION OF rt.events_eu FOR VALUES FROM (MINVALUE) TO ('2023-01-01');
CREATE TABLE rt.events_eu_23 PARTITION OF rt.events_eu (note DEFAULT 'default of the partition', CHECK (at < '2024-01-01'))
    FOR VALUES FROM ('2023-01-01') TO ('2024-01-01') PARTITION BY HASH (id);
CREATE TABLE rt.events_eu_23_h0 PARTITION OF rt.events_eu_23 FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE rt.events_eu_23_h1 PARTITION OF rt.events_eu_23 FOR VALUES WITH (MODULUS 3, REMAINDER 1) WITH (fillfactor = 60);
CREATE TABLE "Größe ""x"" 日本"."teil ""h2""" PARTITION OF rt.events_eu_23 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE rt.events_eu_24 PARTITION OF rt.events_eu FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE rt.events_eu_rest PARTITION OF rt.events_eu DEFAULT;
CREATE TABLE rt.events_rest PARTITION OF rt.events DEFAULT PARTITION BY LIST (region);
CREATE TABLE rt.events_rest_jp PARTITION OF rt.events_rest FOR VALUES IN ('日本');
CREATE TABLE rt.events_rest_rest PARTITION OF rt.events_rest DEFAULT;
CREATE TABLE rt.events_us (                                 -- attached: other column order, a dropped column
    note text, gone integer, amount numeric(10,2) DEFAULT 1.00, at date NOT NULL, id bigint NOT NULL,
    region text COLLATE "C" NOT NULL DEFAULT 'us', CONSTRAINT events_amount_check CHECK (amount >= 0)
);
INSERT INTO rt.events_us (at, id) VALUES ('2022-02-02', 1), ('2022-02-03', 2);
ALTER TABLE rt.events_us DROP COLUMN gone;
ALTER TABLE rt.events ATTACH PARTITION rt.events_us FOR VALUES IN ('us');
INSERT INTO rt.events
    SELECT i, (ARRAY['eu', 'uk', 'us', '日本', 'mars', 'it''s "x" \'])[1 + i % 6], DATE '2022-07-01' + (i * 3), i * 1.25,
           CASE WHEN i % 4 = 0 THEN NULL ELSE 'note ' || i END
    FROM generate_series(1, 400) AS i;
CREATE TABLE rt.events_detached (LIKE rt.events INCLUDING ALL);         -- was a partition once
INSERT INTO rt.events_detached VALUES (1, 'gone', '2020-01-01', 1, NULL);
ALTER TABLE rt.events_rest ATTACH PARTITION rt.events_detached FOR VALUES IN ('gone');
ALTER TABLE rt.events_rest DETACH PARTITION rt.events_detached;

-- partitioned indexes: ordinary, put together by ATTACH, and one that stays incomplete (invalid)
CREATE INDEX events_amount ON rt.events (amount) INCLUDE (note);
CREATE INDEX events_rest_note ON ONLY rt.events_rest (note);
CREATE INDEX "rest jp nöte" ON rt.events_rest_jp (note);
CREATE INDEX rest_rest_note ON rt.events_rest_rest (note) WITH (fillfactor = 50);
ALTER INDEX rt.events_rest_note ATTACH PARTITION rt."rest jp nöte";
ALTER INDEX rt.events_rest_note ATTACH PARTITION rt.rest_rest_note;
CREATE INDEX events_incomplete ON ONLY rt.events_rest (at, id);
CREATE INDEX jp_incomplete ON rt.events_rest_jp (at, id);
ALTER INDEX rt.events_incomplete ATTACH PARTITION rt.jp_incomplete;
CREATE UNIQUE INDEX events_eu_24_only ON rt.events_eu_24 (id);

-- other keys: several columns with MINVALUE/MAXVALUE, an expression, NULL, boolean, an enum
CREATE TABLE rt.part_multi (a integer, b text COLLATE "C", c date) PARTITION BY RANGE (a, b, c);
CREATE TABLE rt.part_multi_1 PARTITION OF rt.part_multi FOR VALUES FROM (MINVALUE, MINVALUE, MINVALUE) TO (10, 'm', MINVALUE);
CREATE TABLE rt.part_multi_2 PARTITION OF rt.part_multi FOR VALUES FROM (10, 'm', MINVALUE) TO (20, MAXVALUE, MAXVALUE);
CREATE TABLE rt.part_multi_3 PARTITION OF rt.part_multi DEFAULT;
INSERT INTO rt.part_multi VALUES (1, 'a', '2024-01-01'), (10, 'l', NULL), (10, 'm', '2024-01-01'), (20, 'zz', '2024-01-01'), (NULL, NULL, NULL);
CREATE TABLE rt.part_expr (id integer, name text) PARTITION BY RANGE (lower(name) COLLATE "C" text_pattern_ops, (id / 100));
CREATE TABLE rt.part_expr_1 PARTITION OF rt.part_expr FOR VALUES FROM ('a', 0) TO ('n', 0);
CREATE TABLE rt.part_expr_2 PARTITION OF rt.part_expr FOR VALUES FROM ('n', 0) TO ('zzz', 0);
INSERT INTO rt.part_expr VALUES (1, 'Anna'), (150, 'Zoë'), (250, 'Mia');
CREATE TABLE rt.part_bool (b boolean, t text) PARTITION BY LIST (b);
CREATE TABLE rt.part_bool_t PARTITION OF rt.part_bool FOR VALUES IN (true);
CREATE TABLE rt.part_bool_n PARTITION OF rt.part_bool FOR VALUES IN (NULL, false);
INSERT INTO rt.part_bool VALUES (true, 'ja'), (false, 'nein'), (NULL, 'wer weiß');
CREATE TABLE rt.part_enum (m rt.mood, n integer) PARTITION BY HASH (m);          -- pg_dump loads it through the parent
CREATE TABLE rt.part_enum_0 PARTITION OF rt.part_enum FOR VALUES WITH (MODULUS 1, REMAINDER 0);
INSERT INTO rt.part_enum VALUES ('sad', 1), ('日本', 2), (NULL, 3), ('it''s', 4);
CREATE TABLE rt.part_enum_list (m rt.mood, n integer) PARTITION BY LIST (m);
CREATE TABLE rt.part_enum_list_1 PARTITION OF rt.part_enum_list FOR VALUES IN ('it''s', 'back\slash', '日本');
INSERT INTO rt.part_enum_list VALUES ('back\slash', 1), ('日本', 2);
CREATE TABLE rt.part_none (id integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);       -- no partitions at all


-- =============================================================================
-- 12  Constraints and foreign keys
-- =============================================================================

-- foreign keys in a cycle, one of them checked at commit; a reference to itself
CREATE TABLE rt.cycle_a (id integer PRIMARY KEY, b_id integer NOT NULL, t text);
CREATE TABLE rt.cycle_b (id integer PRIMARY KEY, a_id integer, parent integer);
CREATE TABLE rt.cycle_c (id integer PRIMARY KEY, a_id integer NOT NULL, b_id integer);
ALTER TABLE rt.cycle_a ADD CONSTRAINT a_to_b FOREIGN KEY (b_id) REFERENCES rt.cycle_b DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE rt.cycle_b ADD CONSTRAINT b_to_a FOREIGN KEY (a_id) REFERENCES rt.cycle_c ON DELETE SET NULL DEFERRABLE INITIALLY IMMEDIATE;
ALTER TABLE rt.cycle_b ADD CONSTRAINT b_to_b FOREIGN KEY (parent) REFERENCES rt.cycle_b ON UPDATE CASCADE ON DELETE CASCADE;
ALTER TABLE rt.cycle_c ADD CONSTRAINT c_to_a FOREIGN KEY (a_id) REFERENCES rt.cycle_a ON DELETE RESTRICT;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
INSERT INTO rt.cycle_a VALUES (1, 10, 'first'), (2, 20, 'second');
INSERT INTO rt.cycle_b VALUES (10, NULL, 20), (20, 100, 10), (30, 200, 30);
INSERT INTO rt.cycle_c VALUES (100, 1, 10), (200, 2, NULL);
COMMIT;

-- unique constraints of all sorts
CREATE TABLE rt.uniques (
    a integer, b text, c integer, d integer, e integer,
    CONSTRAINT "eindeutig ""u""" UNIQUE (b, a) INCLUDE (c) WITH (fillfactor = 80),
    CONSTRAINT u_deferred UNIQUE (c) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT u_deferrable UNIQUE (e) DEFERRABLE,
    CONSTRAINT u_nulls UNIQUE NULLS NOT DISTINCT (d)
);
INSERT INTO rt.uniques VALUES (1, NULL, NULL, NULL, 1), (1, NULL, NULL, 1, 2), (1, 'x', 3, 2, 3);
BEGIN;
UPDATE rt.uniques SET c = 3;                                -- twice 3 until the next statement
UPDATE rt.uniques SET c = e;
COMMIT;
CREATE TABLE rt.pk_from_index (id integer NOT NULL, k integer NOT NULL);
CREATE UNIQUE INDEX "pk aus index" ON rt.pk_from_index (k, id);
ALTER TABLE rt.pk_from_index ADD CONSTRAINT "pk aus index" PRIMARY KEY USING INDEX "pk aus index";
ALTER TABLE rt.pk_from_index CLUSTER ON "pk aus index";

-- exclusion
CREATE TABLE rt.rooms (
    id integer PRIMARY KEY,
    room box, during tstzrange, cancelled boolean DEFAULT false NOT NULL,
    CONSTRAINT "kein Überlapp" EXCLUDE USING gist (room WITH &&, during WITH &&) WHERE (NOT cancelled) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT same_room EXCLUDE USING hash (id WITH =)
);
INSERT INTO rt.rooms VALUES
    (1, '(1,1),(0,0)', '[2024-01-01 08:00+00,2024-01-01 09:00+00)', false), (2, '(1,1),(0,0)', '[2024-01-01 09:00+00,2024-01-01 10:00+00)', false),
    (3, '(1,1),(0,0)', '[2024-01-01 08:00+00,2024-01-01 09:00+00)', true);

-- NOT VALID: there are rows that break these
CREATE TABLE rt.fk_target (a integer, b integer, "c d" text, PRIMARY KEY (a, b), UNIQUE ("c d", a));
INSERT INTO rt.fk_target VALUES (1, 1, 'x'), (1, 2, 'y'), (2, 1, 'x');
CREATE TABLE rt.not_valid (id integer PRIMARY KEY, a integer, b integer, t text);
INSERT INTO rt.not_valid VALUES (1, 99, 99, 'no such target'), (2, -1, NULL, ''), (3, 1, 1, 'good');
ALTER TABLE rt.not_valid
    ADD CONSTRAINT "prüfe t" CHECK (t <> '' AND a > 0) NOT VALID,
    ADD CONSTRAINT nv_fk FOREIGN KEY (a, b) REFERENCES rt.fk_target NOT VALID,
    ADD CONSTRAINT nv_no_inherit CHECK (id < 3) NO INHERIT NOT VALID;
CREATE TABLE rt.late_checked (d rt.late_check, ds rt.late_check[]);
INSERT INTO rt.late_checked VALUES (-1, '{1}'), (2, '{-2}');
ALTER DOMAIN rt.late_check ADD CONSTRAINT "spät" CHECK (VALUE >= 0) NOT VALID;

-- foreign keys: several columns, MATCH FULL, SET NULL/DEFAULT of some columns, onto a unique key
CREATE TABLE rt.fk_kinds (
    id integer PRIMARY KEY,
    a integer, b integer, t text DEFAULT 'x', a2 integer DEFAULT 1,
    CONSTRAINT full_match FOREIGN KEY (a, b) REFERENCES rt.fk_target MATCH FULL ON DELETE SET NULL (b),
    CONSTRAINT onto_unique FOREIGN KEY (t, a2) REFERENCES rt.fk_target ("c d", a) ON UPDATE SET DEFAULT ON DELETE SET DEFAULT (t)
);
INSERT INTO rt.fk_kinds VALUES (1, 1, 1, 'x', 1), (2, NULL, NULL, 'y', 1), (3, 2, 1, NULL, 2);
-- ... to and from partitioned tables
CREATE TABLE rt.fk_to_part (id integer PRIMARY KEY, e_id bigint, e_region text COLLATE "C", e_at date,
    CONSTRAINT to_part FOREIGN KEY (e_id, e_region, e_at) REFERENCES rt.events ON DELETE CASCADE);
INSERT INTO rt.fk_to_part SELECT id, id, region, at FROM rt.events WHERE id % 40 = 0;
CREATE TABLE rt.fk_from_part (id integer NOT NULL, target integer REFERENCES rt.cycle_b DEFERRABLE, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE rt.fk_from_part_1 PARTITION OF rt.fk_from_part FOR VALUES FROM (0) TO (100);
CREATE TABLE rt.fk_from_part_2 PARTITION OF rt.fk_from_part FOR VALUES FROM (100) TO (200);
ALTER TABLE rt.fk_from_part_2 ADD CONSTRAINT only_here FOREIGN KEY (target) REFERENCES rt.cycle_b (id);
INSERT INTO rt.fk_from_part VALUES (1, 10), (2, NULL), (150, 20);

-- CHECKs over several columns, with casts, regular expressions, a function
CREATE TABLE rt.checks (
    id integer PRIMARY KEY,
    lo integer CHECK (lo BETWEEN -5 AND 100), hi integer,
    kind text CONSTRAINT kinds CHECK (kind IN ('a', 'b''c', '\d')),
    mail text CHECK (mail ~* '^[^@\s]+@[^@\s]+$' OR mail IS NULL),
    CONSTRAINT "lo <= hi" CHECK (lo <= hi AND (hi IS NOT NULL) = (lo IS NOT NULL)),
    CONSTRAINT even_id CHECK (rt.is_even(id) OR id = ANY (ARRAY[1, 3, 5]))
);
INSERT INTO rt.checks VALUES (1, 1, 2, 'b''c', 'a@b'), (2, NULL, NULL, '\d', NULL);


-- =============================================================================
-- 13  Indexes and statistics
-- =============================================================================

CREATE TABLE rt.indexed (
    id integer PRIMARY KEY, t text, n integer, arr integer[], j jsonb, v tsvector, p point, b box, r int4range, ip inet, c rt.int42, ts timestamp
);
INSERT INTO rt.indexed
    SELECT i, md5(i::text), i % 10, ARRAY[i, i + 1], jsonb_build_object('k', i), to_tsvector('simple', 'w' || i),
           point(i, -i), box(point(i, i), point(i + 1, i + 1)), int4range(i, i + 5), ('10.0.0.' || i % 256)::inet, i::rt.int42,
           TIMESTAMP '2024-01-01' + i * INTERVAL '1 hour'
    FROM generate_series(1, 500) AS i;
CREATE INDEX ix_expression ON rt.indexed (lower(t) COLLATE "C" text_pattern_ops DESC NULLS LAST, (n * 2 + 1));
CREATE INDEX ix_partial ON rt.indexed (n) WHERE n > 5 AND t ~ '^a';
CREATE UNIQUE INDEX ix_unique_partial ON rt.indexed (id, n) WHERE n IS NOT NULL;
CREATE UNIQUE INDEX ix_covering ON rt.indexed (id) INCLUDE (t, n) WITH (fillfactor = 90, deduplicate_items = off);
CREATE UNIQUE INDEX ix_nulls ON rt.indexed (id NULLS FIRST, t) NULLS NOT DISTINCT;
CREATE INDEX ix_collated ON rt.indexed (t COLLATE rt."Coll C", t COLLATE "Größe ""x"" 日本"."sortïerung");
CREATE INDEX ix_hash ON rt.indexed USING hash (t) WITH (fillfactor = 60);
CREATE INDEX ix_gin_array ON rt.indexed USING gin (arr) WITH (fastupdate = off);
CREATE INDEX ix_gin_json ON rt.indexed USING gin (j jsonb_path_ops, v) WITH (gin_pending_list_limit = 128);
CREATE INDEX ix_gist ON rt.indexed USING gist (p, r) WITH (buffering = on);
CREATE INDEX ix_gist_ts ON rt.indexed USING gist (v tsvector_ops (siglen = 100));
CREATE INDEX ix_gist_include ON rt.indexed USING gist (b) INCLUDE (n);
CREATE INDEX ix_spgist ON rt.indexed USING spgist (p kd_point_ops);
CREATE INDEX ix_spgist_ip ON rt.indexed USING spgist (ip inet_ops) INCLUDE (n);
CREATE INDEX ix_brin ON rt.indexed USING brin (ts, n int4_minmax_multi_ops (values_per_range = 16)) WITH (pages_per_range = 8, autosummarize = on);
CREATE INDEX ix_brin_bloom ON rt.indexed USING brin (t text_bloom_ops (n_distinct_per_range = 50, false_positive_rate = 0.05));
CREATE INDEX ix_own_opclass ON rt.indexed (c rt.int42_ops);
CREATE INDEX ix_own_hash ON rt.indexed USING hash (c "Größe ""x"" 日本"."int42 häsh");
CREATE INDEX ix_function ON rt.indexed (rt.add_em(n, 3), (CASE WHEN n > 3 THEN t ELSE NULL END));
CREATE INDEX ON rt.indexed (n, id);
ALTER INDEX rt.ix_expression ALTER COLUMN 1 SET STATISTICS 400;
ALTER INDEX rt.ix_function ALTER COLUMN 2 SET STATISTICS 50;

CREATE STATISTICS rt.st_all ON n, t FROM rt.indexed;
CREATE STATISTICS rt.st_some (ndistinct, dependencies) ON n, t, id FROM rt.indexed;
CREATE STATISTICS "Größe ""x"" 日本"."statistik ""s""" (mcv) ON (n % 3), (lower(t)), ts FROM rt.indexed;
CREATE STATISTICS rt.st_expression ON (date_trunc('day', ts)) FROM rt.indexed;
ALTER STATISTICS rt.st_all SET STATISTICS 250;
ALTER STATISTICS rt.st_some SET STATISTICS 0;
CREATE STATISTICS rt.st_part ON region, amount FROM rt.events;


-- =============================================================================
-- 14  Views and materialized views
-- =============================================================================

CREATE TABLE rt.customer (id integer PRIMARY KEY, name text NOT NULL, city text, active boolean DEFAULT true NOT NULL);
CREATE TABLE rt.purchase (id integer PRIMARY KEY, customer integer REFERENCES rt.customer, amount numeric(8,2), at date);
CREATE TABLE rt.city (name text PRIMARY KEY, part_of text REFERENCES rt.city);
INSERT INTO rt.customer VALUES (1, 'Ann', 'Köln', true), (2, 'Bob', NULL, false), (3, 'Çem', '東京', true);
INSERT INTO rt.purchase VALUES (1, 1, 10.00, '2024-01-01'), (2, 1, 5.50, '2024-02-01'), (3, 3, NULL, NULL);
INSERT INTO rt.city VALUES ('NRW', NULL), ('Köln', 'NRW'), ('Ehrenfeld', 'Köln');

CREATE VIEW rt.v_join AS
    SELECT c.id, c.name AS "Name ""n""", p.amount, p.at, COALESCE(p.amount, 0::numeric) * 1.19 AS gross
    FROM rt.customer c LEFT JOIN rt.purchase p ON p.customer = c.id;
CREATE VIEW rt.v_on_view AS
    SELECT v.id, v."Name ""n""", sum(v.gross) AS total, count(*) FILTER (WHERE v.amount > 6) AS big
    FROM rt.v_join v JOIN rt.customer c USING (id)
    WHERE c.active
    GROUP BY v.id, v."Name ""n"""
    HAVING count(*) > 0;
CREATE VIEW "Größe ""x"" 日本"."ansicht ""auf"" ansicht" AS
    SELECT o.*, c.city FROM rt.v_on_view o CROSS JOIN rt.customer c WHERE c.city <> 'it''s \';
CREATE VIEW rt.v_recursive AS
    WITH RECURSIVE tree(name, part_of, depth) AS (
        SELECT c.name, c.part_of, 1 FROM rt.city c WHERE c.part_of IS NULL
        UNION ALL
        SELECT c.name, c.part_of, t.depth + 1 FROM rt.city c JOIN tree t ON c.part_of = t.name
    ) SEARCH DEPTH FIRST BY name SET ord CYCLE name SET is_cycle USING path
    SELECT t.name, t.depth, c.part_of FROM tree t JOIN rt.city c ON c.name = t.name;
CREATE VIEW rt.v_barrier WITH (security_barrier) AS
    SELECT c.id, p.id AS p_id FROM rt.customer c, rt.purchase p WHERE c.active AND c.id = p.customer;
CREATE VIEW rt.v_invoker WITH (security_invoker = true, security_barrier = false) AS
    SELECT c.id, x.v FROM rt.customer c CROSS JOIN LATERAL (VALUES (c.id, 'a'), (-c.id, NULL)) AS x(k, v);
-- GROUP BY the primary key only: a restore must build the key first
CREATE VIEW rt.v_needs_pk AS
    SELECT c.id, c.name, c.city, count(p.id) AS n
    FROM rt.customer c LEFT JOIN rt.purchase p ON p.customer = c.id GROUP BY c.id;
CREATE VIEW rt.v_on_needs_pk AS
    SELECT v.id, v.n FROM rt.v_needs_pk v JOIN rt.customer c ON c.id = v.id;
CREATE VIEW rt.v_everything AS
    SELECT DISTINCT ON (c.city, c.id)
           c.id, c.city COLLATE "C" AS city,
           row_number() OVER w AS rn, lag(p.amount, 1, 0.0) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW EXCLUDE TIES) AS prev,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY p.amount) AS median,
           GROUPING(c.city, c.id) AS g, array_agg(p.at ORDER BY p.at DESC NULLS LAST) AS dates,
           (ARRAY[1, 2, 3])[2:3] AS slice, ROW(c.id, 'x')::text AS r, EXTRACT(year FROM max(p.at)) AS y,
           'a' || E'\n\\' AS "esc\", c.id::text::varchar(3) AS casts, (SELECT max(i.n) FROM rt.indexed i WHERE i.id < c.id) AS sub,
           CASE c.id WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS simple_case,
           c.id IN (SELECT pp.customer FROM rt.purchase pp) AS has_purchase
    FROM rt.customer c
         LEFT JOIN rt.purchase p ON p.customer = c.id
         LEFT JOIN ROWS FROM (generate_series(1, 2), unnest(ARRAY['p', 'q'])) WITH ORDINALITY AS f(a, b, ord) ON f.a = c.id
    GROUP BY GROUPING SETS ((c.city, c.id), ROLLUP (c.id, p.amount), ())
    WINDOW w AS (PARTITION BY c.city ORDER BY c.id DESC)
    ORDER BY c.city, c.id, rn
    LIMIT 100 OFFSET 0;
CREATE VIEW rt.v_set_operations AS
    SELECT c.id, c.name FROM rt.customer c, rt.city t WHERE t.name = c.city
    UNION ALL (SELECT p.id, 'p' FROM rt.purchase p, rt.customer c EXCEPT SELECT 1, 'p')
    INTERSECT SELECT g.g, 'p' FROM generate_series(1, 9) g(g), rt.city;
CREATE VIEW rt.v_types AS
    SELECT z.id, (z.cx).r AS re, z.cx OPERATOR(rt.|=|) ROW(0, 0)::rt.complex AS zero, z.mood::integer AS rank,
           e.h OPERATOR("ext schéma".->) 'a b' AS hv, e.c OPERATOR(public.=) 'mixed cäse'::public.citext AS same,
           '2024-01-01 00:00:00'::timestamp AT TIME ZONE 'UTC' AS tz, '1 mon'::interval AS iv, B'101' AS bits
    FROM rt.zoo_own z JOIN rt.zoo_ext e ON e.id = z.id;
CREATE VIEW rt.v_defaults AS
    SELECT c.id, c.name, p.amount FROM rt.customer c LEFT JOIN rt.purchase p ON false;
ALTER VIEW rt.v_defaults ALTER COLUMN name SET DEFAULT 'view default';

-- WITH CHECK OPTION needs views of one table.  15 and 16+ do not print the same
-- text for those (see the rules at the top): on 15 only with -v check_option=on.
\if :check_option
CREATE VIEW rt.v_check_local AS
    SELECT c.id, c.name, c.active FROM rt.customer c WHERE c.active
    WITH LOCAL CHECK OPTION;
CREATE VIEW rt.v_check_cascaded WITH (security_barrier = true) AS
    SELECT v.id, v.name, v.active FROM rt.v_check_local v WHERE v.id > 0
    WITH CASCADED CHECK OPTION;
\endif

-- materialized views
CREATE MATERIALIZED VIEW rt.mv_filled WITH (fillfactor = 80, autovacuum_enabled = false) AS
    SELECT c.city, count(p.id) AS n, sum(p.amount) AS total
    FROM rt.customer c LEFT JOIN rt.purchase p ON p.customer = c.id GROUP BY c.city ORDER BY c.city;
CREATE UNIQUE INDEX mv_filled_city ON rt.mv_filled (city);
ALTER MATERIALIZED VIEW rt.mv_filled CLUSTER ON mv_filled_city;
ALTER MATERIALIZED VIEW rt.mv_filled ALTER COLUMN city SET STATISTICS 20;
CREATE MATERIALIZED VIEW "Größe ""x"" 日本"."materialisiert ""m""" AS          -- reads the one above
    SELECT m.city AS "stadt ""s""", m.total, c.part_of FROM rt.mv_filled m LEFT JOIN rt.city c ON c.name = m.city;
CREATE MATERIALIZED VIEW rt.a_mv_third AS                                        -- and that one
    SELECT m.total, v.id FROM "Größe ""x"" 日本"."materialisiert ""m""" m CROSS JOIN rt.v_join v;
CREATE MATERIALIZED VIEW rt.mv_needs_pk AS
    SELECT c.id, c.name, count(p.id) AS n FROM rt.customer c LEFT JOIN rt.purchase p ON p.customer = c.id GROUP BY c.id;
CREATE INDEX mv_needs_pk_name ON rt.mv_needs_pk (lower(name));
CREATE MATERIALIZED VIEW rt.mv_empty AS
    SELECT p.id, c.name FROM rt.purchase p JOIN rt.customer c ON c.id = p.customer WITH NO DATA;
CREATE INDEX mv_empty_id ON rt.mv_empty (id);
CREATE MATERIALIZED VIEW rt.mv_on_empty AS
    SELECT e.id, c.city FROM rt.mv_empty e JOIN rt.customer c ON c.name = e.name WITH NO DATA;
CREATE VIEW rt.v_on_mv AS
    SELECT m.n, c.name FROM rt.mv_filled m JOIN rt.customer c ON c.city = m.city;
INSERT INTO rt.purchase VALUES (4, 3, 1.00, '2024-03-01');      -- (refreshed below, or a restore would know more)
REFRESH MATERIALIZED VIEW rt.mv_filled;
REFRESH MATERIALIZED VIEW "Größe ""x"" 日本"."materialisiert ""m""";
REFRESH MATERIALIZED VIEW rt.a_mv_third;
REFRESH MATERIALIZED VIEW rt.mv_needs_pk;


-- =============================================================================
-- 15  Triggers, rules, event triggers
-- =============================================================================

CREATE TABLE rt.trig (id integer PRIMARY KEY, a text, b integer, c numeric);
INSERT INTO rt.trig VALUES (1, 'before there were triggers', 1, 1);
CREATE TRIGGER row_before BEFORE INSERT OR UPDATE OF a, c OR DELETE ON rt.trig
    FOR EACH ROW EXECUTE FUNCTION rt.trg_row('plain', 'it''s', 'back\slash', '"quoted"', '', '日本', E'new\nline');
CREATE TRIGGER row_when AFTER UPDATE ON rt.trig
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.* AND NEW.a <> '\''') EXECUTE FUNCTION rt.trg_row();
CREATE TRIGGER "anweisung ""s""" AFTER INSERT OR DELETE OR TRUNCATE ON rt.trig
    FOR EACH STATEMENT EXECUTE FUNCTION rt.trg_stmt();
CREATE TRIGGER transition AFTER UPDATE ON rt.trig
    REFERENCING OLD TABLE AS "Alte ""o""" NEW TABLE AS "Neue"
    FOR EACH STATEMENT EXECUTE FUNCTION rt.trg_transition();
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON rt.trig
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.b > 0) EXECUTE FUNCTION rt.trg_row('at commit');
CREATE CONSTRAINT TRIGGER from_other AFTER DELETE ON rt.trig FROM rt.customer
    NOT DEFERRABLE FOR EACH ROW EXECUTE FUNCTION rt.trg_row();
CREATE TRIGGER disabled BEFORE INSERT ON rt.trig FOR EACH ROW EXECUTE FUNCTION rt.trg_row('never');
CREATE TRIGGER on_replica BEFORE INSERT ON rt.trig FOR EACH ROW EXECUTE FUNCTION rt.trg_row('on a replica');
CREATE TRIGGER zz_always BEFORE DELETE ON rt.trig FOR EACH ROW EXECUTE FUNCTION rt.trg_row('always');
ALTER TABLE rt.trig DISABLE TRIGGER disabled;
ALTER TABLE rt.trig ENABLE REPLICA TRIGGER on_replica;
ALTER TABLE rt.trig ENABLE ALWAYS TRIGGER zz_always;
INSERT INTO rt.trig VALUES (2, 'two', 2, 2), (3, 'three', 0, 3);
UPDATE rt.trig SET a = 'TWO' WHERE id = 2;
DELETE FROM rt.trig WHERE id = 3;

CREATE TRIGGER "eigenzeitig" BEFORE UPDATE ON rt.moved
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE TRIGGER search_update BEFORE INSERT OR UPDATE ON rt.indexed
    FOR EACH ROW EXECUTE FUNCTION tsvector_update_trigger(v, 'pg_catalog.simple', t);
CREATE TRIGGER on_partitions AFTER INSERT ON rt.events FOR EACH ROW EXECUTE FUNCTION rt.trg_row('cloned');
ALTER TABLE rt.events_us DISABLE TRIGGER on_partitions;         -- in one partition only
CREATE TRIGGER only_this_partition BEFORE DELETE ON rt.events_eu_24 FOR EACH ROW EXECUTE FUNCTION rt.trg_row();
CREATE TRIGGER instead_of INSTEAD OF INSERT OR UPDATE OR DELETE ON rt.v_join
    FOR EACH ROW EXECUTE FUNCTION rt.trg_row('view');

-- rules
CREATE TABLE rt.ruled (id integer PRIMARY KEY, t text);
CREATE TABLE rt.rule_log (id integer, what text, old_t text);
INSERT INTO rt.ruled VALUES (1, 'one'), (2, 'two');
CREATE RULE log_update AS ON UPDATE TO rt.ruled WHERE NEW.t <> OLD.t
    DO ALSO INSERT INTO rt.rule_log VALUES (OLD.id, 'it''s \', OLD.t);
CREATE RULE "kein löschen ""r""" AS ON DELETE TO rt.ruled WHERE OLD.id < 100 DO INSTEAD NOTHING;
CREATE RULE several AS ON INSERT TO rt.ruled WHERE NEW.id > 1000
    DO INSTEAD (INSERT INTO rt.rule_log VALUES (NEW.id, 'big', NULL); UPDATE rt.rule_log SET what = 'bigger' WHERE rule_log.id = NEW.id);
CREATE RULE disabled_rule AS ON INSERT TO rt.ruled DO ALSO NOTIFY "rt nötify";
CREATE RULE replica_rule AS ON INSERT TO rt.ruled DO ALSO DELETE FROM rt.rule_log WHERE rule_log.id = NEW.id;
ALTER TABLE rt.ruled DISABLE RULE disabled_rule;
ALTER TABLE rt.ruled ENABLE REPLICA RULE replica_rule;
UPDATE rt.ruled SET t = 'ONE' WHERE id = 1;
CREATE RULE view_insert AS ON INSERT TO rt.v_barrier
    DO INSTEAD INSERT INTO rt.ruled VALUES (NEW.id, 'through a view') RETURNING ruled.id, ruled.id;

-- event triggers that do nothing
CREATE EVENT TRIGGER rt_end ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION rt.evt_noop();
CREATE EVENT TRIGGER "rt ereignis ""e""" ON sql_drop EXECUTE FUNCTION rt.evt_noop();
CREATE EVENT TRIGGER rt_start ON ddl_command_start EXECUTE FUNCTION rt.evt_noop();
CREATE EVENT TRIGGER rt_rewrite ON table_rewrite EXECUTE FUNCTION rt.evt_noop();
ALTER EVENT TRIGGER rt_start DISABLE;
ALTER EVENT TRIGGER rt_rewrite ENABLE ALWAYS;


-- =============================================================================
-- 16  Row security
-- =============================================================================

CREATE TABLE rt.secured (id integer PRIMARY KEY, tenant text DEFAULT CURRENT_USER, public_note text, secret text);
INSERT INTO rt.secured VALUES (1, 'rt_reader', 'a', 's1'), (2, 'rt_Ünï "q"', 'b', 's2'), (3, 'rt_owner', 'c', 's3');
ALTER TABLE rt.secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON rt.secured FOR SELECT TO rt_reader, "rt_Ünï ""q""" USING (tenant = CURRENT_USER);
CREATE POLICY "einfügen ""p""" ON rt.secured FOR INSERT TO rt_writer WITH CHECK (tenant = CURRENT_USER AND secret <> '\''');
CREATE POLICY limits ON rt.secured AS RESTRICTIVE FOR UPDATE TO PUBLIC
    USING (id > 0) WITH CHECK (EXISTS (SELECT 1 FROM rt.customer c, rt.city t WHERE c.id = secured.id AND t.name = c.city));
CREATE POLICY remove ON rt.secured FOR DELETE TO rt_admin USING (true);
CREATE POLICY owner_all ON rt.secured TO rt_owner USING (true) WITH CHECK (true);
CREATE TABLE rt.secured_no_policy (id integer);
INSERT INTO rt.secured_no_policy VALUES (1);
ALTER TABLE rt.secured_no_policy ENABLE ROW LEVEL SECURITY;
CREATE TABLE rt.policy_not_enabled (id integer);
CREATE POLICY unused ON rt.policy_not_enabled USING (id > 1);
ALTER TABLE rt.policy_not_enabled FORCE ROW LEVEL SECURITY;
ALTER TABLE rt.events ENABLE ROW LEVEL SECURITY;
CREATE POLICY part_policy ON rt.events USING (region <> 'mars' OR at > '2024-01-01');


-- =============================================================================
-- 17  Foreign data (nothing is ever contacted)
-- =============================================================================

CREATE FOREIGN DATA WRAPPER "rt fdw ""w""" OPTIONS (debug 'true', "weird opt" 'it''s \ "x"');
CREATE SERVER rt_no_handler TYPE 'some type' VERSION '1.0 "ü"' FOREIGN DATA WRAPPER "rt fdw ""w""" OPTIONS (a 'b');
CREATE SERVER "rt sérver ""s""" FOREIGN DATA WRAPPER postgres_fdw
    OPTIONS (host 'rt.invalid', port '1', dbname 'no "such" db''s', fetch_size '500', extensions 'hstore');
CREATE USER MAPPING FOR rt_reader SERVER "rt sérver ""s""" OPTIONS (user 'remote ''user', password 'pass\word"''ü');
CREATE USER MAPPING FOR "rt_Ünï ""q""" SERVER "rt sérver ""s""" OPTIONS (user 'u');
CREATE USER MAPPING FOR PUBLIC SERVER rt_no_handler;
CREATE FOREIGN TABLE rt.foreign_t (
    id integer OPTIONS (column_name 'ID "x"') NOT NULL,
    "größe \" numeric DEFAULT 1.5,
    t text OPTIONS (column_name 'it''s') COLLATE "C",
    CONSTRAINT foreign_check CHECK (id > 0)
) SERVER "rt sérver ""s""" OPTIONS (schema_name 'remote "schema"', table_name 'tab''le', updatable 'false');
ALTER FOREIGN TABLE rt.foreign_t ALTER COLUMN t SET STATISTICS 33;
CREATE FOREIGN TABLE "Größe ""x"" 日本"."fremd ""f""" (a integer) SERVER rt_no_handler;
CREATE TRIGGER foreign_trigger BEFORE INSERT ON rt.foreign_t FOR EACH ROW EXECUTE FUNCTION rt.trg_row();


-- =============================================================================
-- 18  Large objects (rt.lo_refs holds their OIDs)
-- =============================================================================

CREATE TABLE rt.lo_refs (name text PRIMARY KEY, lo oid);
INSERT INTO rt.lo_refs VALUES
    ('empty', lo_from_bytea(4100000001, '')),
    ('one byte', lo_from_bytea(4100000002, '\x00')),
    ('one page', lo_from_bytea(4100000003, convert_to(repeat('0123456789abcdef', 128), 'UTF8'))),         -- 2048 bytes
    ('every byte', lo_from_bytea(4100000004, (SELECT by FROM rt.zoo_text WHERE id = 6))),
    ('100 kB', lo_from_bytea(4100000005, (SELECT convert_to(string_agg(md5(i::text), '' ORDER BY i), 'UTF8') FROM generate_series(1, 3200) AS i))),
    ('3 MB', lo_from_bytea(4100000006, (SELECT decode(string_agg(md5(i::text), '' ORDER BY i), 'hex') FROM generate_series(1, 200000) AS i))),
    ('sparse', lo_from_bytea(4100000007, 'start'));
SELECT lo_put(4100000007, 70000, 'after a hole');
SELECT lo_create(4100000008);                                                           -- nobody refers to it
SELECT count(lo_from_bytea((4100001000 + i)::oid, convert_to('small ' || i, 'UTF8'))) FROM generate_series(1, 1100) AS i;
ALTER LARGE OBJECT 4100000002 OWNER TO rt_owner;
ALTER LARGE OBJECT 4100000005 OWNER TO "rt_Ünï ""q""";
GRANT SELECT ON LARGE OBJECT 4100000003 TO rt_reader WITH GRANT OPTION;
GRANT SELECT, UPDATE ON LARGE OBJECT 4100000005 TO PUBLIC;
REVOKE UPDATE ON LARGE OBJECT 4100000002 FROM rt_owner;
COMMENT ON LARGE OBJECT 4100000004 IS E'every byte\nit''s "x" \\ 日本';
COMMENT ON LARGE OBJECT 4100000005 IS 'a hundred kB';


-- =============================================================================
-- 19  Bulk and huge data
-- =============================================================================

CREATE TABLE rt.ordinary (
    id integer PRIMARY KEY, label text NOT NULL, amount numeric(12,2), at timestamptz NOT NULL, flag boolean, note text
);
INSERT INTO rt.ordinary
    SELECT i, md5(i::text), (i % 10007) * 1.37, TIMESTAMPTZ '2020-01-01 00:00:00+00' + i * INTERVAL '61 seconds',
           CASE i % 3 WHEN 0 THEN true WHEN 1 THEN false END, CASE WHEN i % 7 = 0 THEN NULL ELSE 'nöte ' || i END
    FROM generate_series(1, 50500) AS i;
DELETE FROM rt.ordinary WHERE id % 101 = 0;                 -- 50,000 are left
CREATE INDEX ordinary_at ON rt.ordinary (at);
CREATE INDEX ordinary_label ON rt.ordinary (label) WHERE flag;

-- one value of 100 MB that does not compress (not even tried: EXTERNAL)
CREATE TABLE rt.huge (id integer PRIMARY KEY, big text, small text);
ALTER TABLE rt.huge ALTER COLUMN big SET STORAGE EXTERNAL;
INSERT INTO rt.huge VALUES (1, 'small neighbour', 'a');
INSERT INTO rt.huge SELECT 2, string_agg(md5(i::text), ''), 'b' FROM generate_series(1, 3276800) AS i;
INSERT INTO rt.huge VALUES (3, NULL, 'c');


-- =============================================================================
-- 20  Only on newer servers
-- =============================================================================

\if :v16
CREATE VIEW rt.v16_json AS
    SELECT d.id, d.jb IS JSON OBJECT AS is_object, JSON_OBJECT('k' VALUE d.id, 'n' VALUE NULL ABSENT ON NULL RETURNING jsonb) AS o,
           JSON_ARRAY(d.id, 'x' RETURNING text) AS a, z.b
    FROM rt.zoo_doc d JOIN rt.zoo_bit z ON z.id = d.id;
CREATE VIEW rt.v16_json_agg AS
    SELECT JSON_ARRAYAGG(d.id ORDER BY d.id RETURNING jsonb) AS a, JSON_OBJECTAGG(d.id : z.id) AS o, any_value(d.id) AS one
    FROM rt.zoo_doc d JOIN rt.zoo_bit z ON z.id = d.id;
CREATE TABLE rt.v16_storage (id integer PRIMARY KEY, e text STORAGE EXTERNAL, who text DEFAULT SYSTEM_USER);
INSERT INTO rt.v16_storage VALUES (1, 'e', 'somebody');
CREATE VIEW rt.v16_one_table AS SELECT c.id, upper(c.name) AS name FROM rt.customer c WHERE c.active;
CREATE RECURSIVE VIEW rt.v16_recursive (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM v16_recursive WHERE n < 5;
\endif

\if :v17
CREATE TABLE rt.v17_identity_part (
    id bigint GENERATED ALWAYS AS IDENTITY (START WITH 10 INCREMENT BY 10), k integer, t text, UNIQUE (id, k),
    EXCLUDE USING btree (k WITH =, id WITH =)
) PARTITION BY RANGE (k);
CREATE TABLE rt.v17_identity_part_1 PARTITION OF rt.v17_identity_part FOR VALUES FROM (0) TO (10);
CREATE TABLE rt.v17_identity_part_2 PARTITION OF rt.v17_identity_part FOR VALUES FROM (10) TO (20);
INSERT INTO rt.v17_identity_part (k, t) SELECT i, 'row ' || i FROM generate_series(5, 14) AS i;
CREATE TABLE rt.v17_interval (id integer PRIMARY KEY, iv interval);
INSERT INTO rt.v17_interval VALUES (1, 'infinity'), (2, '-infinity');
CREATE VIEW rt.v17_json_table AS
    SELECT d.id, t.k, t.ok, JSON_QUERY(d.jb, '$.a' WITH WRAPPER) AS q, JSON_VALUE(d.jb, '$.b' RETURNING numeric DEFAULT 0 ON EMPTY) AS v
    FROM rt.zoo_doc d, JSON_TABLE(d.jb, '$.a[*]' COLUMNS (k text PATH '$', ok boolean EXISTS PATH '$.x', NESTED PATH '$.x' COLUMNS (x jsonb PATH '$'))) AS t;
CREATE PROCEDURE rt.v17_merge()
    LANGUAGE sql
    BEGIN ATOMIC
        MERGE INTO rt.atomic_t AS t USING rt.customer AS c ON t.id = c.id
            WHEN MATCHED AND t.n > 0 THEN UPDATE SET label = c.name
            WHEN NOT MATCHED BY SOURCE THEN DO NOTHING
            WHEN NOT MATCHED THEN INSERT (id, label) VALUES (c.id, c.name)
            RETURNING merge_action(), t.id;
    END;
CREATE COLLATION rt.v17_builtin (PROVIDER = builtin, LOCALE = 'C.UTF-8');
CREATE TABLE rt.v17_collated (t text COLLATE rt.v17_builtin PRIMARY KEY);
INSERT INTO rt.v17_collated VALUES ('ä'), ('Z'), ('日本');
CREATE EVENT TRIGGER rt_login_event ON login EXECUTE FUNCTION rt.evt_noop();
ALTER EVENT TRIGGER rt_login_event DISABLE;
GRANT MAINTAIN ON rt.v17_interval TO rt_writer;
\endif

\if :v18
CREATE TABLE rt.v18_virtual (
    id integer PRIMARY KEY, w numeric, h numeric,
    area numeric GENERATED ALWAYS AS (w * h) VIRTUAL,
    half numeric GENERATED ALWAYS AS (w / 2) STORED,
    label text GENERATED ALWAYS AS ('it''s \ ' || id::text)
);
INSERT INTO rt.v18_virtual (id, w, h) VALUES (1, 2, 3.5), (2, NULL, 1);
CREATE TABLE rt.v18_temporal (
    id int4range, valid daterange, t text,
    CONSTRAINT temporal_pk PRIMARY KEY (id, valid WITHOUT OVERLAPS),
    CONSTRAINT temporal_unique UNIQUE (id, valid WITHOUT OVERLAPS)
);
CREATE TABLE rt.v18_temporal_ref (
    id integer PRIMARY KEY, ref int4range, during daterange,
    CONSTRAINT temporal_fk FOREIGN KEY (ref, PERIOD during) REFERENCES rt.v18_temporal (id, PERIOD valid)
);
INSERT INTO rt.v18_temporal VALUES ('[1,2)', '[2024-01-01,2024-06-01)', 'a'), ('[1,2)', '[2024-06-01,2025-01-01)', 'b'), ('[2,3)', '[2024-01-01,)', 'c');
INSERT INTO rt.v18_temporal_ref VALUES (1, '[1,2)', '[2024-02-01,2024-08-01)'), (2, '[2,3)', '[2030-01-01,2031-01-01)');
CREATE TABLE rt.v18_not_null (
    id integer CONSTRAINT "braucht ""id""" NOT NULL,
    a integer CONSTRAINT own_name NOT NULL NO INHERIT,
    b integer, c text
);
INSERT INTO rt.v18_not_null VALUES (1, 1, NULL, 'breaks the two constraints below');
ALTER TABLE rt.v18_not_null
    ADD CONSTRAINT b_later NOT NULL b NOT VALID,
    ADD CONSTRAINT c_never CHECK (c = '') NOT ENFORCED;
CREATE TABLE rt.v18_not_null_child (d text) INHERITS (rt.v18_not_null);
CREATE TABLE rt.v18_fk (id integer PRIMARY KEY, ref integer,
    CONSTRAINT not_enforced FOREIGN KEY (ref) REFERENCES rt.customer NOT ENFORCED);
INSERT INTO rt.v18_fk VALUES (1, 4711);
CREATE TABLE rt.v18_part_nv (id integer PRIMARY KEY, ref integer) PARTITION BY RANGE (id);
CREATE TABLE rt.v18_part_nv_1 PARTITION OF rt.v18_part_nv FOR VALUES FROM (0) TO (10);
INSERT INTO rt.v18_part_nv VALUES (1, 4711);
ALTER TABLE rt.v18_part_nv ADD CONSTRAINT part_nv FOREIGN KEY (ref) REFERENCES rt.customer NOT VALID;
CREATE PROCEDURE rt.v18_returning()
    LANGUAGE sql
    BEGIN ATOMIC
        UPDATE rt.atomic_t SET n = n + 1 WHERE id = 1 RETURNING WITH (OLD AS before, NEW AS after) before.n, after.n;
    END;
COMMENT ON CONSTRAINT own_name ON rt.v18_not_null IS 'a comment on a not-null constraint';
\endif


-- =============================================================================
-- 21  Owners and privileges
-- =============================================================================

-- owners (all else belongs to the superuser that loads this)
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY[
        'TABLE rt.ordinary', 'TABLE rt.options', 'TABLE rt.customer', 'TABLE rt.purchase', 'TABLE rt.city', 'TABLE rt.secured',
        'TABLE rt.seq_users', 'TABLE rt.identities', 'TABLE rt.events', 'TABLE rt.events_us', 'TABLE rt.foreign_t',
        'VIEW rt.v_join', 'VIEW rt.v_needs_pk', 'MATERIALIZED VIEW rt.mv_filled', 'MATERIALIZED VIEW rt.mv_needs_pk', 'SEQUENCE rt.seq_down',
        'TYPE rt.mood', 'TYPE rt.complex', 'TYPE rt.int42', 'TYPE rt.timerange', 'DOMAIN rt.posint',
        'FUNCTION rt.add_em(integer, integer)', 'FUNCTION rt.with_settings()', 'FUNCTION rt.atomic_sum(integer)', 'PROCEDURE rt.proc_out(integer)',
        'AGGREGATE rt.my_sum(integer)', 'AGGREGATE rt.my_percentile(double precision ORDER BY anyelement)',
        'OPERATOR rt.|=| (rt.complex, rt.complex)', 'OPERATOR CLASS rt.int42_ops USING btree', 'OPERATOR FAMILY rt.int42_fam USING btree',
        'COLLATION rt."Coll C"', 'CONVERSION rt.latin1_to_utf8', 'TEXT SEARCH DICTIONARY rt.my_dict', 'TEXT SEARCH CONFIGURATION rt.my_config',
        'STATISTICS rt.st_all', 'SERVER rt_no_handler'] LOOP
        EXECUTE 'ALTER ' || t || ' OWNER TO rt_owner';
    END LOOP;
    FOREACH t IN ARRAY ARRAY[
        'TABLE "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash"', 'TABLE "Größe ""x"" 日本"."teil ""h2"""',
        'VIEW "Größe ""x"" 日本"."ansicht ""auf"" ansicht"', 'SEQUENCE "Größe ""x"" 日本"."Sequenz ""s"" \1"',
        'FUNCTION "Größe ""x"" 日本"."Fünktion ""f"" \n"(text)', 'TYPE "Größe ""x"" 日本"."Enum ""ü"""', 'SCHEMA "Größe ""x"" 日本"'] LOOP
        EXECUTE 'ALTER ' || t || ' OWNER TO "rt_Ünï ""q"""';
    END LOOP;
END $$;

-- schemas
GRANT USAGE ON SCHEMA rt TO rt_reader, rt_writer, rt_grantor, "rt_Ünï ""q""";
GRANT CREATE ON SCHEMA rt TO rt_writer WITH GRANT OPTION;
GRANT ALL ON SCHEMA "Größe ""x"" 日本" TO rt_owner;
GRANT USAGE ON SCHEMA "ext schéma", rt_ext TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO rt_reader;

-- tables and columns
GRANT SELECT ON rt.ordinary TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON rt.ordinary TO rt_writer WITH GRANT OPTION;
GRANT ALL ON rt.customer TO rt_admin;
GRANT TRUNCATE, REFERENCES, TRIGGER ON rt.purchase TO "rt_Ünï ""q""";
GRANT SELECT ON rt.city, rt.v_join, rt.mv_filled, rt.foreign_t TO rt_reader;
GRANT SELECT (id, public_note), INSERT (id, public_note), UPDATE (public_note) ON rt.secured TO rt_reader;
GRANT SELECT (id), REFERENCES (id) ON rt.secured TO rt_grantor WITH GRANT OPTION;
GRANT SELECT ("quo""te", "new
line"), UPDATE ("back\slash") ON "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" TO rt_reader;
GRANT ALL ("select") ON "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" TO rt_writer;
GRANT INSERT ON rt.events_eu_24 TO rt_writer;
\if :v17
REVOKE INSERT, DELETE ON rt.options FROM rt_owner;              -- the owner has lost some
REVOKE ALL ON rt.identities FROM rt_owner;                      -- ... or all
REVOKE ALL ON rt.v_needs_pk FROM rt_owner;
\endif
GRANT SELECT ON rt.v_needs_pk TO rt_reader;

-- a chain of grants: the owner is not the grantor
GRANT SELECT, UPDATE ON rt.moved TO rt_grantor WITH GRANT OPTION;
GRANT USAGE, SELECT ON SEQUENCE rt.seq_called TO rt_grantor WITH GRANT OPTION;
SET SESSION AUTHORIZATION rt_grantor;
GRANT SELECT ON rt.moved TO rt_reader;
GRANT UPDATE ON rt.moved TO "rt_Ünï ""q""" WITH GRANT OPTION;
GRANT SELECT (id) ON rt.secured TO rt_writer;
GRANT USAGE ON SEQUENCE rt.seq_called TO rt_writer;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION "rt_Ünï ""q""";
GRANT UPDATE ON rt.moved TO rt_writer;
RESET SESSION AUTHORIZATION;
GRANT UPDATE ON rt.moved TO rt_writer;                          -- the same privilege, from two grantors

-- sequences
GRANT ALL ON SEQUENCE rt.seq_down TO rt_writer;
REVOKE UPDATE ON SEQUENCE rt.seq_down FROM rt_owner;
REVOKE ALL ON SEQUENCE rt.seq_users_id_seq FROM rt_owner;
GRANT SELECT ON SEQUENCE "Größe ""x"" 日本"."Sequenz ""s"" \1" TO PUBLIC;

-- functions and procedures: EXECUTE belongs to PUBLIC unless revoked
REVOKE ALL ON FUNCTION rt.with_settings() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rt.with_settings() TO rt_reader WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION rt.plpg(integer, numeric) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE rt.proc_out(integer) FROM PUBLIC, rt_owner;
GRANT EXECUTE ON FUNCTION "Größe ""x"" 日本"."Fünktion ""f"" \n"(text) TO rt_writer;
REVOKE EXECUTE ON FUNCTION rt.my_sum(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rt.my_sum(integer) TO rt_reader;

-- types, languages, foreign things; parts of extensions and of the system
REVOKE USAGE ON TYPE rt.mood FROM PUBLIC;
GRANT USAGE ON TYPE rt.mood TO rt_reader WITH GRANT OPTION;
REVOKE ALL ON DOMAIN rt.code FROM PUBLIC;
GRANT USAGE ON TYPE rt.complex TO "rt_Ünï ""q""";
GRANT USAGE ON LANGUAGE plpgsql TO rt_writer WITH GRANT OPTION;
GRANT USAGE ON FOREIGN DATA WRAPPER "rt fdw ""w""" TO rt_owner WITH GRANT OPTION;
GRANT USAGE ON FOREIGN SERVER "rt sérver ""s""" TO rt_reader;
REVOKE EXECUTE ON FUNCTION "ext schéma".akeys("ext schéma".hstore) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rt_ext.similarity(text, text) TO rt_reader;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_ls_dir(text) TO rt_admin;
GRANT SELECT ON pg_catalog.pg_authid TO rt_admin;
GRANT SELECT (subname, subconninfo) ON pg_catalog.pg_subscription TO rt_reader;
REVOKE SELECT ON pg_catalog.pg_am FROM PUBLIC;

-- default privileges, and things made under them
ALTER DEFAULT PRIVILEGES FOR ROLE rt_owner IN SCHEMA rt GRANT SELECT ON TABLES TO rt_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE rt_owner IN SCHEMA rt GRANT ALL ON SEQUENCES TO rt_writer WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES FOR ROLE rt_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE rt_owner REVOKE USAGE ON TYPES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE rt_owner GRANT USAGE ON SCHEMAS TO "rt_Ünï ""q""";
ALTER DEFAULT PRIVILEGES FOR ROLE "rt_Ünï ""q""" IN SCHEMA "Größe ""x"" 日本" GRANT INSERT, UPDATE ON TABLES TO rt_writer, PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE "rt_Ünï ""q""" REVOKE UPDATE ON SEQUENCES FROM "rt_Ünï ""q""";
\if :v17
ALTER DEFAULT PRIVILEGES FOR ROLE "rt_Ünï ""q""" REVOKE INSERT ON TABLES FROM "rt_Ünï ""q""";
\endif
SET SESSION AUTHORIZATION rt_owner;
CREATE TABLE rt.by_owner (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, t text);
INSERT INTO rt.by_owner (t) VALUES ('made by rt_owner'), ('under default privileges');
CREATE FUNCTION rt.by_owner_f() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TYPE rt.by_owner_type AS ENUM ('x');
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION "rt_Ünï ""q""";
CREATE TABLE "Größe ""x"" 日本"."von ""rt_Ünï""" (a serial);
RESET SESSION AUTHORIZATION;


-- =============================================================================
-- 22  Comments
-- =============================================================================

COMMENT ON SCHEMA rt IS E'schema\nit''s "quoted" \\ 日本\n\\.\n-- not SQL; DROP TABLE x;';
COMMENT ON SCHEMA public IS 'public, but with another comment';
COMMENT ON EXTENSION hstore IS 'hstore with another comment';
COMMENT ON TABLE rt.customer IS 'table';
COMMENT ON COLUMN rt.customer.name IS 'column; it''s \';
COMMENT ON TABLE "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" IS 'Tabelle "x"';
COMMENT ON COLUMN "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash"."new
line" IS E'Zeile\nZeile';
COMMENT ON TABLE rt.events IS 'partitioned table';
COMMENT ON TABLE rt.events_us IS 'partition';
COMMENT ON VIEW rt.v_join IS 'view';
COMMENT ON COLUMN rt.v_join."Name ""n""" IS 'column of a view';
COMMENT ON VIEW rt.v_needs_pk IS 'view made late';
COMMENT ON MATERIALIZED VIEW rt.mv_filled IS 'materialized view';
COMMENT ON COLUMN rt.mv_filled.total IS 'its column';
COMMENT ON SEQUENCE rt.seq_down IS 'sequence';
COMMENT ON INDEX rt.ix_partial IS 'index';
COMMENT ON INDEX "Größe ""x"" 日本"."indéx ""i"" \ 日本" IS 'Indéx';
COMMENT ON INDEX rt.events_amount IS 'partitioned index';
COMMENT ON INDEX rt.customer_pkey IS 'index of a constraint';
COMMENT ON CONSTRAINT customer_pkey ON rt.customer IS 'primary key';
COMMENT ON CONSTRAINT "lo <= hi" ON rt.checks IS 'check';
COMMENT ON CONSTRAINT "prüfe t" ON rt.not_valid IS 'not valid';
COMMENT ON CONSTRAINT a_to_b ON rt.cycle_a IS 'foreign key';
COMMENT ON CONSTRAINT "kein Überlapp" ON rt.rooms IS 'exclusion';
COMMENT ON CONSTRAINT "muss > 0" ON DOMAIN rt.posint IS 'of a domain';
COMMENT ON CONSTRAINT "spät" ON DOMAIN rt.late_check IS 'of a domain, not valid';
COMMENT ON TRIGGER row_before ON rt.trig IS 'trigger';
COMMENT ON TRIGGER on_partitions ON rt.events IS 'cloned trigger';
COMMENT ON RULE log_update ON rt.ruled IS 'rule';
COMMENT ON POLICY own_rows ON rt.secured IS 'policy';
COMMENT ON EVENT TRIGGER rt_end IS 'event trigger';
COMMENT ON FUNCTION rt.add_em(integer, integer) IS 'function';
COMMENT ON FUNCTION "Größe ""x"" 日本"."Fünktion ""f"" \n"(text) IS 'Fünktion';
COMMENT ON PROCEDURE rt.atomic_proc(integer, text) IS 'procedure';
COMMENT ON AGGREGATE rt.my_percentile(double precision ORDER BY anyelement) IS 'aggregate';
COMMENT ON OPERATOR rt.|=| (rt.complex, rt.complex) IS 'operator';
COMMENT ON OPERATOR rt.!- (NONE, rt.complex) IS 'prefix operator';
COMMENT ON OPERATOR CLASS rt.int42_ops USING btree IS 'operator class';
COMMENT ON OPERATOR FAMILY rt.int42_fam USING btree IS 'operator family';
COMMENT ON CAST (rt.mood AS integer) IS 'cast';
COMMENT ON COLLATION rt."Coll C" IS 'collation';
COMMENT ON CONVERSION rt.latin1_to_utf8 IS 'conversion';
COMMENT ON TRANSFORM FOR integer LANGUAGE sql IS 'transform';
COMMENT ON ACCESS METHOD rt_heap IS 'access method';
COMMENT ON LANGUAGE plpgsql IS 'language';
COMMENT ON TEXT SEARCH PARSER rt.my_parser IS 'parser';
COMMENT ON TEXT SEARCH TEMPLATE rt.my_template IS 'template';
COMMENT ON TEXT SEARCH DICTIONARY rt.my_dict IS 'dictionary';
COMMENT ON TEXT SEARCH CONFIGURATION rt.my_config IS 'configuration';
COMMENT ON TYPE rt.mood IS 'enum';
COMMENT ON TYPE rt.person IS 'composite';
COMMENT ON COLUMN rt.person."geb.-datum" IS 'its attribute';
COMMENT ON TYPE rt.int42 IS 'base type';
COMMENT ON TYPE rt.timerange IS 'range';
COMMENT ON DOMAIN rt.code IS 'domain';
COMMENT ON STATISTICS rt.st_all IS 'statistics';
COMMENT ON FOREIGN DATA WRAPPER "rt fdw ""w""" IS 'wrapper';
COMMENT ON SERVER "rt sérver ""s""" IS 'server';
COMMENT ON FOREIGN TABLE rt.foreign_t IS 'foreign table';
COMMENT ON COLUMN rt.foreign_t.id IS 'its column';


-- =============================================================================
-- 23  Publications and subscription
-- =============================================================================

-- They publish INSERTs (and TRUNCATEs), so tables without a replica identity can
-- still be updated.
SET client_min_messages = error;            -- "wal_level is insufficient", "not connected"
CREATE PUBLICATION "rt püblikation ""p""" FOR TABLE
    rt.customer (id, name) WHERE (id > 1 AND name <> 'it''s \'),
    rt.ident_index (a, b),
    "Größe ""x"" 日本"."Tabelle mit ""Anführung"" & \Backslash" ("id nummer", "quo""te"),
    rt.events
    WITH (publish = 'insert, truncate', publish_via_partition_root = true);
CREATE PUBLICATION rt_pub_schemas FOR TABLES IN SCHEMA "Größe ""x"" 日本", rt_empty, TABLE rt.city WHERE (part_of IS NULL) WITH (publish = 'insert');
CREATE PUBLICATION rt_pub_all FOR ALL TABLES WITH (publish = 'insert');
CREATE PUBLICATION rt_pub_nothing WITH (publish = '');
\if :v18
CREATE PUBLICATION rt_pub_generated FOR TABLE rt.v18_virtual WITH (publish = 'insert', publish_generated_columns = stored);
\endif
CREATE SUBSCRIPTION "rt sübscription" CONNECTION 'host=rt.invalid port=1 dbname=''no \''such\'' db'' password=secret'
    PUBLICATION "remote püb ""1""", pub_2
    WITH (connect = false, enabled = false, slot_name = NONE, binary = true, streaming = on, synchronous_commit = 'local', disable_on_error = true);
\if :v16
CREATE SUBSCRIPTION rt_sub_16 CONNECTION 'host=rt.invalid' PUBLICATION p
    WITH (connect = false, enabled = false, slot_name = NONE, streaming = parallel, origin = none, password_required = false, run_as_owner = true);
\endif
SET client_min_messages = warning;
ALTER PUBLICATION rt_pub_nothing OWNER TO rt_owner;
COMMENT ON PUBLICATION rt_pub_all IS 'publication';
COMMENT ON SUBSCRIPTION "rt sübscription" IS 'subscription';


-- =============================================================================
-- 24  The database itself
-- =============================================================================

SELECT format(stmt, current_database()) FROM (VALUES
    ('ALTER DATABASE %I SET search_path = rt, "Größe ""x"" 日本", "$user", public'),
    ('ALTER DATABASE %I SET work_mem = ''9MB'''),
    ('ALTER DATABASE %I SET "rt.note" = ''it''''s "quoted" \ 日本, b'''),
    ('ALTER DATABASE %I SET lock_timeout = ''1h'''),
    ('ALTER DATABASE %I CONNECTION LIMIT 42'),
    ('COMMENT ON DATABASE %I IS E''the test database\nit''''s "quoted" \\ 日本'''),
    ('REVOKE ALL ON DATABASE %I FROM PUBLIC'),
    ('GRANT CONNECT ON DATABASE %I TO rt_reader, rt_writer, rt_login'),
    ('GRANT CONNECT, TEMPORARY ON DATABASE %I TO "rt_Ünï ""q""" WITH GRANT OPTION'),
    ('GRANT CREATE ON DATABASE %I TO rt_admin'),
    ('ALTER DATABASE %I OWNER TO rt_owner')) AS v(stmt)
\gexec

\o

-- Objects that pg_dump leaves out of an archive, and some of nearly every kind that it lists.

SET client_min_messages = error;
SET check_function_bodies = off;

CREATE TABLE doubled (a int);
INSERT INTO doubled VALUES (1), (1);
CREATE TABLE keyed (
    id int PRIMARY KEY,
    v text CHECK (v <> ''),
    u int UNIQUE,
    g int GENERATED ALWAYS AS (id + 1) STORED,
    d int DEFAULT 7,
    EXCLUDE USING btree (u WITH =)
);
CREATE TABLE child (id int REFERENCES keyed, x int GENERATED ALWAYS AS IDENTITY);
ALTER TABLE child ADD CONSTRAINT late CHECK (x > 0) NOT VALID;
ALTER TABLE child ADD CONSTRAINT later FOREIGN KEY (x) REFERENCES keyed NOT VALID;
CREATE INDEX ON child (x);
CREATE STATISTICS both_columns ON id, x FROM child;
ALTER TABLE child ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON child USING (true);
CREATE RULE stay AS ON DELETE TO child DO INSTEAD NOTHING;

CREATE FUNCTION as_it_is() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE part (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (k);
CREATE TABLE part_2a PARTITION OF part_2 FOR VALUES FROM (10) TO (15);
CREATE INDEX ON part (k);
ALTER TABLE part ADD PRIMARY KEY (k);
CREATE INDEX part_only ON ONLY part (v);
ALTER TABLE part ADD FOREIGN KEY (k) REFERENCES keyed;
CREATE TRIGGER as_it_is BEFORE INSERT ON part FOR EACH ROW EXECUTE FUNCTION as_it_is();
ALTER TABLE part_1 DISABLE TRIGGER as_it_is;
CREATE CONSTRAINT TRIGGER afterwards AFTER INSERT ON child
    FOR EACH ROW EXECUTE FUNCTION as_it_is();

CREATE VIEW ids AS SELECT keyed.id, child.x FROM keyed JOIN child ON true;
CREATE MATERIALIZED VIEW kept_ids AS SELECT keyed.id, child.x FROM keyed JOIN child ON true;
CREATE INDEX ON kept_ids (id);
CREATE TYPE mood AS ENUM ('fine');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE span AS RANGE (subtype = int);
CREATE DOMAIN positive AS int CHECK (value > 0);
ALTER DOMAIN positive ADD CONSTRAINT more CHECK (value > 1) NOT VALID;
CREATE PROCEDURE nothing() LANGUAGE sql AS '';
CREATE AGGREGATE total(int) (sfunc = int4pl, stype = int);
CREATE OPERATOR === (leftarg = int, rightarg = int, function = int4eq);
CREATE OPERATOR CLASS order_of_int FOR TYPE int USING btree AS
    OPERATOR 1 <, FUNCTION 1 btint4cmp(int, int);
CREATE CAST (mood AS pair) WITH INOUT;
CREATE COLLATION by_byte (locale = 'C');
CREATE TEXT SEARCH DICTIONARY words (template = simple);
CREATE TEXT SEARCH CONFIGURATION sentences (copy = simple);
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE CAST')
    EXECUTE FUNCTION watch();
CREATE FOREIGN DATA WRAPPER wrapper;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER wrapper;
CREATE USER MAPPING FOR public SERVER elsewhere;
CREATE FOREIGN TABLE far (a int) SERVER elsewhere;
CREATE PUBLICATION of_one FOR TABLE keyed;
CREATE PUBLICATION a_schema FOR TABLES IN SCHEMA public;
CREATE SUBSCRIPTION fed CONNECTION 'host=127.0.0.1 port=1 dbname=x' PUBLICATION p
    WITH (connect = false, slot_name = NONE);
SELECT lo_create(number) FROM unnest('{1, 4711, 100001}'::oid[]) AS number \g /dev/null
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
CREATE EXTENSION hstore;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION earthdistance CASCADE;

-- Invalid indexes. Errors are the point here.
\set ON_ERROR_STOP off
\o /dev/null
\set VERBOSITY sqlstate
CREATE UNIQUE INDEX CONCURRENTLY doubled_a ON doubled (a);
CREATE INDEX CONCURRENTLY doubled_never ON doubled ((1 / (a - 1)));
CREATE INDEX doubled_fine ON doubled (a);
\set ON_ERROR_STOP on
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'doubled_fine'::regclass;
ALTER INDEX doubled_fine RENAME TO doubled_fine_ccnew;

-- What belongs to an extension, or is below one.
CREATE SCHEMA ours;
CREATE TABLE ours.config (id int PRIMARY KEY, n serial CHECK (n > 0));
CREATE FUNCTION ours.help() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE VIEW ours.seen AS SELECT id, n FROM ours.config;
CREATE TYPE ours.state AS ENUM ('on');
CREATE TYPE ours.two AS (a int, b int);
ALTER EXTENSION hstore ADD TABLE ours.config;
ALTER EXTENSION hstore ADD FUNCTION ours.help();
ALTER EXTENSION hstore ADD VIEW ours.seen;
ALTER EXTENSION hstore ADD TYPE ours.state;
ALTER EXTENSION hstore ADD TYPE ours.two;
ALTER EXTENSION hstore ADD SEQUENCE ours.config_n_seq;
CREATE INDEX ON ours.config (n);
CREATE STATISTICS ours.of_config ON id, n FROM ours.config;
ALTER TABLE ours.config ADD UNIQUE (n);
ALTER TABLE ours.config ADD CHECK (id > 0);
CREATE TRIGGER help BEFORE INSERT ON ours.config FOR EACH ROW EXECUTE FUNCTION ours.help();
CREATE RULE stay AS ON DELETE TO ours.config DO INSTEAD NOTHING;
CREATE FUNCTION watch_too() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watch_too ON ddl_command_end WHEN TAG IN ('CREATE CAST')
    EXECUTE FUNCTION watch_too();
ALTER EXTENSION hstore ADD EVENT TRIGGER watch_too;

-- What is in a schema of the system.
SET allow_system_table_mods = on;
CREATE FUNCTION pg_catalog.of_the_system() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE information_schema.of_the_standard (a int PRIMARY KEY CHECK (a > 0));
CREATE VIEW information_schema.seen AS SELECT a FROM information_schema.of_the_standard;
CREATE SEQUENCE information_schema.numbers;
CREATE TYPE information_schema.pair AS (a int, b int);
CREATE POLICY everything ON information_schema.of_the_standard USING (true);

-- A role that makes backups, and can change nothing. Run it as a superuser, once in each database
-- that is backed up; again does no harm:
--
--     psql --dbname=brownie_metadata --file=backup_role.sql
--
-- Then give it a password: psql --command '\password brownie_backup'
--
-- The role has another name by --set=role=NAME. For PostgreSQL 15 to 18.

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role brownie_backup
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- BYPASSRLS, since pg_dump refuses a table of which a policy would hide rows.
ALTER ROLE :"role" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS;

-- Against accidents only: whoever has the password may turn it off. What holds is that the role
-- has no right to write.
ALTER ROLE :"role" SET default_transaction_read_only = on;

-- Tables, views and sequences, those to come included.
GRANT pg_read_all_data TO :"role";

-- WAL summaries reach up to the last checkpoint (PostgreSQL 17 and later): by one of its own, a
-- backup need not read what has not changed.
GRANT pg_checkpoint TO :"role";

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- Large objects are not covered by pg_read_all_data. Those that there are:
SELECT format('GRANT SELECT ON LARGE OBJECT %s TO %I', oid, :'role')
FROM pg_largeobject_metadata \gexec

-- Those to come, by whoever owns one now or owns the database; before PostgreSQL 18 that cannot be
-- said, so run this again.
SELECT current_setting('server_version_num')::int >= 180000 AS has_default_for_large_objects \gset
\if :has_default_for_large_objects
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON LARGE OBJECTS TO %I',
  pg_get_userbyid(owner), :'role')
FROM (SELECT lomowner AS owner FROM pg_largeobject_metadata
  UNION SELECT datdba FROM pg_database WHERE datname = current_database()) AS owners \gexec
\endif

COMMIT;

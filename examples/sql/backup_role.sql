-- Creates a role that can make backups and cannot change anything. Run it as a superuser, once in
-- each database that you back up. Running it again does no harm:
--
--     psql --dbname=brownie_metadata --file=backup_role.sql
--
-- Then give it a password: psql --command '\password brownie_backup'
--
-- To choose another name for the role, add --set=role=NAME. For PostgreSQL 15 to 18.

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role brownie_backup
\endif

BEGIN;

SELECT format('CREATE ROLE %I', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- BYPASSRLS, because pg_dump refuses a table if a policy would hide rows.
ALTER ROLE :"role" WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS;

-- Guards only against accidents: anyone with the password can turn it off. The real protection is
-- that the role has no right to write.
ALTER ROLE :"role" SET default_transaction_read_only = on;

-- Tables, views and sequences, including future ones.
GRANT pg_read_all_data TO :"role";

-- WAL summaries reach up to the last checkpoint (PostgreSQL 17 and later). A backup that runs its
-- own checkpoint can skip unchanged data.
GRANT pg_checkpoint TO :"role";

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'role') \gexec

-- pg_read_all_data does not cover large objects. Grant the existing ones:
SELECT format('GRANT SELECT ON LARGE OBJECT %s TO %I', oid, :'role')
FROM pg_largeobject_metadata \gexec

-- Grant future ones of every role that owns a large object now, and of the database owner.
-- PostgreSQL before 18 cannot do that: run this script again there.
SELECT current_setting('server_version_num')::int >= 180000 AS has_default_for_large_objects \gset
\if :has_default_for_large_objects
SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I GRANT SELECT ON LARGE OBJECTS TO %I',
  pg_get_userbyid(owner), :'role')
FROM (SELECT lomowner AS owner FROM pg_largeobject_metadata
  UNION SELECT datdba FROM pg_database WHERE datname = current_database()) AS owners \gexec
\endif

COMMIT;

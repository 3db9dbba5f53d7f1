-- Rows and a checksum of whatever the database holds. For psql, which runs the query that it makes.
\set ON_ERROR_STOP on
SET timezone = 'UTC';

WITH tables AS (
    SELECT
        oid::regclass AS name,
        relkind,
        -- In the order of the primary key, where there is one.
        coalesce(
            (
                SELECT string_agg(format('t.%I', attname), ', ' ORDER BY ordinality)
                FROM pg_index
                CROSS JOIN unnest(indkey) WITH ORDINALITY AS keys (number)
                JOIN pg_attribute ON attrelid = indrelid AND attnum = number
                WHERE indrelid = pg_class.oid AND indisprimary
            ),
            't::text'
        ) AS key
    FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
)
SELECT
    string_agg(
        format(
            'SELECT %L AS name, count(*) AS rows,'
            ' md5(string_agg(md5(t::text), '''' ORDER BY %s)) AS checksum FROM %s AS t',
            CASE relkind WHEN 'v' THEN 'view ' ELSE 'table ' END || name, key, name
        ),
        ' UNION ALL '
        ORDER BY relkind, name::text
    )
    || $$
        UNION ALL
        SELECT 'sequences', count(*),
            md5(string_agg(sequencename || '=' || last_value, ',' ORDER BY sequencename))
        FROM pg_sequences
        UNION ALL
        SELECT 'large objects', count(*), md5(string_agg(md5(lo_get(oid)), ',' ORDER BY oid))
        FROM pg_largeobject_metadata
        UNION ALL
        SELECT 'definitions', count(*), md5(string_agg(definition, ';' ORDER BY definition))
        FROM (
            SELECT pg_get_indexdef(indexrelid)
            FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
            WHERE relnamespace = 'public'::regnamespace
            UNION ALL
            SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
            FROM pg_constraint WHERE connamespace = 'public'::regnamespace
            UNION ALL
            SELECT pg_get_functiondef(oid) || coalesce(obj_description(oid, 'pg_proc'), '')
            FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL
            SELECT relname || CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) ELSE '' END
                || coalesce(obj_description(oid, 'pg_class'), '')
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')
        ) AS definitions (definition)
    $$
FROM tables
\gexec

-- status of all tables

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl status';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT r.target, COALESCE(d.business_date, r.business_date),
           COALESCE(d.rows, r.rows_after), r.rows_staged, r.rows_inserted, r.rows_updated, r.rows_deleted,
           CAST(COALESCE((SELECT SUM(l.occurrences) FROM etl.losses l
                          WHERE l.task_key = r.task_key AND l.run_id = r.run_id), 0) AS BIGINT),
           (SELECT COUNT(*) FROM etl.quarantine q WHERE q.target = r.target),
           r.seconds, r.loaded_at, r.run_id
    FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
          FROM etl.receipts e WHERE (run_id = NULL OR NULL IS NULL)
            -- Members that a fact's load has inferred are no load of the dimension.
            AND NOT EXISTS (SELECT 1 FROM etl.loads l WHERE l.task_key = e.task_key AND l.target <> e.target)) r
    LEFT JOIN etl.data_as_of d ON d.table_name = r.target
    WHERE r.recent = 1
    ORDER BY r.loaded_at, r.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT r.target, r.business_date, r.loaded_at, r.rows_staged, r.rows_inserted, r.rows_updated, r.rows_deleted,
           r.rows_after, CAST(COALESCE(l.lost, 0) AS BIGINT), r.seconds, r.run_id
    FROM (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY target ORDER BY loaded_at DESC) AS recent
          FROM etl.receipts e WHERE (target = NULL OR NULL IS NULL)
            -- Members that a fact's load has inferred are no load of the dimension.
            AND NOT EXISTS (SELECT 1 FROM etl.loads o WHERE o.task_key = e.task_key AND o.target <> e.target)) r
    LEFT JOIN (SELECT task_key, run_id, SUM(occurrences) AS lost FROM etl.losses GROUP BY task_key, run_id) l
           ON l.task_key = r.task_key AND l.run_id = r.run_id
    WHERE r.recent <= 30
    ORDER BY r.loaded_at, r.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT target, column_name, change, was, became FROM etl.schema_changes WHERE run_id IN ('<run>') ORDER BY noticed_at, target, column_name;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT DISTINCT target FROM etl.receipts ORDER BY 1;

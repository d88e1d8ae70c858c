-- report of a run

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl report';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT e.target, e.business_date, e.rows_read, e.rows_written, e.rows_staged, e.rows_inserted, e.rows_updated,
           e.rows_deleted, e.rows_rejected, e.rows_after, e.bytes, e.seconds, l.target IS NOT NULL
    FROM etl.receipts e LEFT JOIN etl.loads l ON l.task_key = e.task_key AND l.target <> e.target
    WHERE e.run_id = '<run>' ORDER BY e.loaded_at, e.target;

SELECT target, seconds
    FROM (SELECT e.target, e.seconds, ROW_NUMBER() OVER (PARTITION BY e.target ORDER BY e.loaded_at DESC) AS recent
          FROM etl.receipts e LEFT JOIN etl.loads l ON l.task_key = e.task_key AND l.target <> e.target
          WHERE e.run_id <> '<run>' AND l.target IS NULL
            AND e.loaded_at < (SELECT MIN(loaded_at) FROM etl.receipts WHERE run_id = '<run>')) r
    WHERE recent <= 20;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses';

SELECT target, column_name, reason, CAST(SUM(occurrences) AS BIGINT) FROM etl.losses
    WHERE run_id = '<run>' GROUP BY target, column_name, reason ORDER BY 4 DESC, 1, 2;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT target, column_name, reason, COUNT(*), CAST(SUM(CASE WHEN run_id = '<run>' THEN 1 ELSE 0 END) AS BIGINT)
    FROM etl.quarantine GROUP BY target, column_name, reason ORDER BY 4 DESC, 1, 2;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT target, column_name, change, was, became FROM etl.schema_changes WHERE run_id IN ('<run>') ORDER BY noticed_at, target, column_name;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT table_name, business_date FROM etl.data_as_of WHERE business_date IS NOT NULL ORDER BY table_name;

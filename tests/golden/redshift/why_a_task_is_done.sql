-- why a task is done: A load, and its extract that has been swept since.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-01"}');

SELECT l.loaded_at, l.run_id, r.rows_staged FROM etl.loads l LEFT JOIN etl.receipts r ON r.task_key = l.task_key AND r.run_id = l.run_id WHERE l.task_key = 'LoadDrawn {"date": "2014-02-01"}';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts';

SELECT count(*), count(l.task_key), max(e.swept_at) FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.manifest = 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json';

-- a history that is closed: A day before the one that a dimension's history is at cannot be loaded again.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT task_key, loaded_at, rows_staged FROM etl.receipts WHERE task_key IN ('LoadUsers {"date": "2014-02-01"}') ORDER BY loaded_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.dim_user' AND business_date > '2014-02-01'::date;

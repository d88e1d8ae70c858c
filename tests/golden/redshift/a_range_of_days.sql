-- a range of days: Which days are done is one question, as `etl backfill` asks it.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-01"}', 'LoadDrawn {"date": "2014-02-02"}');

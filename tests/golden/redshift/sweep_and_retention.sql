-- sweep and retention: Files that were loaded go, and receipts of long ago, and stages of runs that are dead.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'sweep';

SET enable_case_sensitive_identifier TO 'true';

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '0 days';

UPDATE etl.extracts SET swept_at = SYSDATE WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

BEGIN;

DELETE FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at);

DELETE FROM etl.losses WHERE loaded_at < CURRENT_DATE - 400 AND NOT EXISTS (SELECT 1 FROM etl.watermarks w WHERE w.target = etl.losses.target AND w.high_water IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM etl.receipts r WHERE r.task_key = etl.losses.task_key AND r.run_id = etl.losses.run_id);

SELECT DISTINCT task_key FROM etl.quarantine WHERE loaded_at < CURRENT_DATE - 400;

DELETE FROM etl.quarantine WHERE loaded_at < CURRENT_DATE - 400 AND task_key IN ('LoadGoldenDays {"date": "2014-02-01"}') AND NOT EXISTS (SELECT 1 FROM etl.receipts r WHERE r.task_key = etl.quarantine.task_key AND r.run_id = etl.quarantine.run_id);

COMMIT;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT DISTINCT RIGHT(run_id, 8) FROM etl.receipts WHERE loaded_at > CURRENT_DATE - 2;

DROP TABLE IF EXISTS stage."0123abcd_sales_20140101_0123abcd";

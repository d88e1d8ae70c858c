-- mirror of an older extract of changes: With a row that was put aside then and is mended since.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}');

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-02 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '5feec431_';

CREATE TABLE stage."5feec431_sales_<run>" (LIKE "raw"."sales" INCLUDING DEFAULTS);

CREATE TABLE stage."5feec431_sales_<run>_held" ("source_key" VARCHAR(65535), "column_name" VARCHAR(65535), "reason" VARCHAR(65535), "source_row" VARCHAR(65535));

COPY stage."5feec431_sales_<run>_held" ("source_key", "column_name", "reason", "source_row") FROM 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/<run>/rejected.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "id" FROM stage."5feec431_sales_<run>" GROUP BY "id" HAVING count(*) > 1 LIMIT 1;

DELETE FROM stage."5feec431_sales_<run>_held";

INSERT INTO etl.loads VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', '2014-02-02'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', '2014-02-02'::date, '<run>', '<version>', 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json', '<sha256>', '[]', 1, 0, 0, 0, 0, 0, 1, 1, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.losses VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', '2014-02-02'::date, '<run>', 'body', 'longer than 65535 bytes', 1, '["1"]', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json' AND task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json', 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}';

INSERT INTO etl.quarantine SELECT 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', CAST('2014-02-02'::date AS DATE), '<run>', source_key, column_name, reason, source_row, TIMESTAMPTZ '<moment>' FROM stage."5feec431_sales_<run>_held";

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'raw.sales';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'raw.sales', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'raw.sales');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-02'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 1 WHERE table_name = 'raw.sales';

INSERT INTO etl.data_as_of SELECT 'raw.sales', CAST('2014-02-02'::date AS DATE), TIMESTAMPTZ '<moment>', 1 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'raw.sales');

DROP TABLE IF EXISTS stage."5feec431_sales_<run>", stage."5feec431_sales_<run>_in", stage."5feec431_sales_<run>_held", stage."5feec431_sales_<run>_diff";

COMMIT;

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

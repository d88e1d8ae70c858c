-- mirror by changes: What the source deletes stays.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}');

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'ExtractChanges sales <run>';

SET enable_case_sensitive_identifier TO 'true';

BEGIN READ ONLY;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT DISTINCT source_key FROM etl.quarantine WHERE target = 'raw.sales' ORDER BY 1;

COMMIT;

SET application_name TO 'MirrorTable 2014-02-01 <run>';

SET query_group TO 'MirrorTable 2014-02-01 <run>';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

CREATE SCHEMA "stage";

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

CREATE SCHEMA "raw";

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

CREATE TABLE etl."lock_5feec431_raw_sales" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '5feec431_';

CREATE TABLE "stage"."5feec431_sales_<run>" ("id" INTEGER, "price" INTEGER, "note" VARCHAR(36), "updated_at" TIMESTAMP, loaded_at TIMESTAMPTZ DEFAULT SYSDATE NOT NULL, PRIMARY KEY ("id"));

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '5feec431_sales_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '5feec431_sales_<run>';

COPY stage."5feec431_sales_<run>" ("id", "price", "note", "updated_at") FROM 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-01,table=sales/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "id" FROM stage."5feec431_sales_<run>" GROUP BY "id" HAVING count(*) > 1 LIMIT 1;

SELECT CAST(MAX("updated_at") AS TIMESTAMP) FROM stage."5feec431_sales_<run>";

SELECT 1 FROM etl.quarantine WHERE target = 'raw.sales' LIMIT 1;

CREATE TABLE "raw"."sales" ("id" INTEGER, "price" INTEGER, "note" VARCHAR(36), "updated_at" TIMESTAMP, loaded_at TIMESTAMPTZ DEFAULT SYSDATE NOT NULL, PRIMARY KEY ("id")) SORTKEY (loaded_at);

INSERT INTO "raw"."sales" SELECT * FROM stage."5feec431_sales_<run>";

SELECT count(*) FROM "raw"."sales" WHERE 1 = 1 AND 1 = 1;

INSERT INTO etl.loads VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}', 'raw.sales', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}', 'raw.sales', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-01,table=sales/manifest.json', '<sha256>', '[]', 10, 10, 10, 10, 0, 0, 0, 10, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-01,table=sales/manifest.json' AND task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractChanges/changed=updated_at,date=2014-02-01,table=sales/manifest.json', 'MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-01", "table": "sales"}';

UPDATE etl.watermarks SET column_name = NULL, high_water = NULL, verified_through = NULL WHERE target = 'raw.sales';

UPDATE etl.watermarks SET column_name = 'updated_at', high_water = '2014-02-01T10:00:00'::timestamp, verified_through = '2014-02-01T10:00:00'::timestamp, run_id = '<run>' WHERE target = 'raw.sales';

INSERT INTO etl.watermarks (target, column_name, high_water, verified_through, run_id) SELECT 'raw.sales', 'updated_at', CAST('2014-02-01T10:00:00'::timestamp AS TIMESTAMP), CAST('2014-02-01T10:00:00'::timestamp AS TIMESTAMP), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'raw.sales');

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'raw.sales';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'raw.sales', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'raw.sales');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 10 WHERE table_name = 'raw.sales';

INSERT INTO etl.data_as_of SELECT 'raw.sales', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 10 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'raw.sales');

DROP TABLE IF EXISTS stage."5feec431_sales_<run>", stage."5feec431_sales_<run>_in", stage."5feec431_sales_<run>_held", stage."5feec431_sales_<run>_diff";

COMMIT;

ANALYZE "raw"."sales";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}');

SET application_name TO 'ExtractChanges sales <run>';

SET query_group TO 'ExtractChanges sales <run>';

BEGIN READ ONLY;

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT DISTINCT source_key FROM etl.quarantine WHERE target = 'raw.sales' ORDER BY 1;

COMMIT;

SET application_name TO 'MirrorTable 2014-02-02 <run>';

SET query_group TO 'MirrorTable 2014-02-02 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

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

COPY stage."5feec431_sales_<run>" ("id", "price", "note", "updated_at") FROM 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "id" FROM stage."5feec431_sales_<run>" GROUP BY "id" HAVING count(*) > 1 LIMIT 1;

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT CAST(MAX("updated_at") AS TIMESTAMP) FROM stage."5feec431_sales_<run>";

SELECT 1 FROM etl.quarantine WHERE target = 'raw.sales' LIMIT 1;

SELECT count(*) FROM "raw"."sales";

CREATE TABLE stage."5feec431_sales_<run>_diff" AS
SELECT s."id", t."id" IS NOT NULL AS "was there" FROM stage."5feec431_sales_<run>" s LEFT JOIN "raw"."sales" t ON t."id" = s."id" WHERE t."id" IS NULL OR NOT (COALESCE(t."price" = s."price", t."price" IS NULL AND s."price" IS NULL) AND COALESCE((t."note" = s."note" AND OCTET_LENGTH(t."note") = OCTET_LENGTH(s."note")), t."note" IS NULL AND s."note" IS NULL) AND COALESCE(t."updated_at" = s."updated_at", t."updated_at" IS NULL AND s."updated_at" IS NULL));

SELECT count(*) FROM stage."5feec431_sales_<run>_diff";

DELETE FROM "raw"."sales" USING stage."5feec431_sales_<run>_diff" _changed WHERE "sales"."id" = _changed."id";

INSERT INTO "raw"."sales" ("id", "price", "note", "updated_at", "loaded_at") SELECT s."id", s."price", s."note", s."updated_at", TIMESTAMPTZ '<moment>' FROM stage."5feec431_sales_<run>" s WHERE EXISTS (SELECT 1 FROM stage."5feec431_sales_<run>_diff" c WHERE s."id" = c."id");

SELECT count(*) FROM "raw"."sales";

SELECT count(*) FROM "raw"."sales" WHERE ("updated_at" >= '2014-02-01 09:00:00' OR "updated_at" IS NULL) AND 1 = 1;

INSERT INTO etl.loads VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', '2014-02-02'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', 'raw.sales', '2014-02-02'::date, '<run>', '<version>', 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json', '<sha256>', '[]', 2, 2, 2, 0, 1, 0, 0, 10, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json' AND task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractChanges/changed=updated_at,date=2014-02-02,table=sales/manifest.json', 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'MirrorTable {"changed": "updated_at", "date": "2014-02-02", "table": "sales"}';

UPDATE etl.watermarks SET column_name = 'updated_at', high_water = '2014-02-02T10:00:00'::timestamp, verified_through = '2014-02-01T10:00:00'::timestamp, run_id = '<run>' WHERE target = 'raw.sales';

INSERT INTO etl.watermarks (target, column_name, high_water, verified_through, run_id) SELECT 'raw.sales', 'updated_at', CAST('2014-02-02T10:00:00'::timestamp AS TIMESTAMP), CAST('2014-02-01T10:00:00'::timestamp AS TIMESTAMP), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'raw.sales');

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'raw.sales';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'raw.sales', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'raw.sales');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-02'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 10 WHERE table_name = 'raw.sales';

INSERT INTO etl.data_as_of SELECT 'raw.sales', CAST('2014-02-02'::date AS DATE), TIMESTAMPTZ '<moment>', 10 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'raw.sales');

DROP TABLE IF EXISTS stage."5feec431_sales_<run>", stage."5feec431_sales_<run>_in", stage."5feec431_sales_<run>_held", stage."5feec431_sales_<run>_diff";

COMMIT;

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

-- partition with a key

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-01"}');

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadDrawn 2014-02-01 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

CREATE SCHEMA "stage";

SELECT 1 FROM pg_namespace WHERE nspname = 'public';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'public', 'usage');

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_96be7e22_public_fact_sale';

CREATE TABLE etl."lock_96be7e22_public_fact_sale" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_96be7e22_public_fact_sale";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-01"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.fact_sale' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '96be7e22_';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

CREATE TABLE "stage"."96be7e22_fact_sale_<run>" (
date_key INTEGER NOT NULL, sale_id INTEGER NOT NULL, price INTEGER, PRIMARY KEY (date_key, sale_id)
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '96be7e22_fact_sale_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '96be7e22_fact_sale_<run>';

COPY stage."96be7e22_fact_sale_<run>" ("date_key", "sale_id", "price") FROM 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "date_key", "sale_id" FROM stage."96be7e22_fact_sale_<run>" GROUP BY "date_key", "sale_id" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE "public"."fact_sale" (
date_key INTEGER NOT NULL, sale_id INTEGER NOT NULL, price INTEGER, PRIMARY KEY (date_key, sale_id)
);

INSERT INTO "public"."fact_sale" SELECT * FROM stage."96be7e22_fact_sale_<run>";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"public"."fact_sale"', 'select');

GRANT SELECT ON "public"."fact_sale" TO "bi_reader";

INSERT INTO etl.loads VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.fact_sale', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.fact_sale', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', '<sha256>', '[]', NULL, 2, 2, 2, 0, 0, 0, 2, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' AND task_key = 'LoadDrawn {"date": "2014-02-01"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', 'LoadDrawn {"date": "2014-02-01"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadDrawn {"date": "2014-02-01"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.fact_sale';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.fact_sale', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.fact_sale');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 2 WHERE table_name = 'public.fact_sale';

INSERT INTO etl.data_as_of SELECT 'public.fact_sale', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 2 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.fact_sale');

DROP TABLE IF EXISTS stage."96be7e22_fact_sale_<run>", stage."96be7e22_fact_sale_<run>_in", stage."96be7e22_fact_sale_<run>_held", stage."96be7e22_fact_sale_<run>_diff";

COMMIT;

ANALYZE "public"."fact_sale";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-02"}');

SET application_name TO 'LoadDrawn 2014-02-02 <run>';

SET query_group TO 'LoadDrawn 2014-02-02 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_96be7e22_public_fact_sale";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-02"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.fact_sale' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '96be7e22_';

CREATE TABLE stage."96be7e22_fact_sale_<run>" (LIKE "public"."fact_sale" INCLUDING DEFAULTS);

COPY stage."96be7e22_fact_sale_<run>" ("date_key", "sale_id", "price") FROM 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "date_key", "sale_id" FROM stage."96be7e22_fact_sale_<run>" GROUP BY "date_key", "sale_id" HAVING count(*) > 1 LIMIT 1;

SELECT count(*) FROM "public"."fact_sale";

CREATE TABLE stage."96be7e22_fact_sale_<run>_diff" AS
SELECT s."date_key", s."sale_id", t."date_key" IS NOT NULL AS "was there" FROM stage."96be7e22_fact_sale_<run>" s LEFT JOIN "public"."fact_sale" t ON t."date_key" = s."date_key" AND t."sale_id" = s."sale_id" WHERE t."date_key" IS NULL OR NOT (COALESCE(t."price" = s."price", t."price" IS NULL AND s."price" IS NULL));

SELECT count(*) FROM stage."96be7e22_fact_sale_<run>_diff";

DELETE FROM "public"."fact_sale" WHERE ("fact_sale"."date_key" IN (SELECT "date_key" FROM stage."96be7e22_fact_sale_<run>") OR "fact_sale"."date_key" = 20140202) AND NOT EXISTS (SELECT 1 FROM stage."96be7e22_fact_sale_<run>" s WHERE "fact_sale"."date_key" = s."date_key" AND "fact_sale"."sale_id" = s."sale_id");

DELETE FROM "public"."fact_sale" USING stage."96be7e22_fact_sale_<run>_diff" _changed WHERE "fact_sale"."date_key" = _changed."date_key" AND "fact_sale"."sale_id" = _changed."sale_id";

INSERT INTO "public"."fact_sale" ("date_key", "sale_id", "price") SELECT s."date_key", s."sale_id", s."price" FROM stage."96be7e22_fact_sale_<run>" s WHERE EXISTS (SELECT 1 FROM stage."96be7e22_fact_sale_<run>_diff" c WHERE s."date_key" = c."date_key" AND s."sale_id" = c."sale_id");

SELECT count(*) FROM "public"."fact_sale";

INSERT INTO etl.loads VALUES ('LoadDrawn {"date": "2014-02-02"}', 'public.fact_sale', '2014-02-02'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadDrawn {"date": "2014-02-02"}', 'public.fact_sale', '2014-02-02'::date, '<run>', '<version>', 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json', '<sha256>', '[]', NULL, 2, 2, 1, 1, 1, 0, 2, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json' AND task_key = 'LoadDrawn {"date": "2014-02-02"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractDrawn/date=2014-02-02/manifest.json', 'LoadDrawn {"date": "2014-02-02"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadDrawn {"date": "2014-02-02"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.fact_sale';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.fact_sale', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.fact_sale');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-02'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 2 WHERE table_name = 'public.fact_sale';

INSERT INTO etl.data_as_of SELECT 'public.fact_sale', CAST('2014-02-02'::date AS DATE), TIMESTAMPTZ '<moment>', 2 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.fact_sale');

DROP TABLE IF EXISTS stage."96be7e22_fact_sale_<run>", stage."96be7e22_fact_sale_<run>_in", stage."96be7e22_fact_sale_<run>_held", stage."96be7e22_fact_sale_<run>_diff";

COMMIT;

ANALYZE "public"."fact_sale";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

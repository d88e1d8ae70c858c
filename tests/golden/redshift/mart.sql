-- mart: Computed twice, from a load that its receipt names; then its SELECT has other columns than the table.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('Sums {"date": "2014-02-01"}');

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}');

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}');

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'Sums 2014-02-01 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'mart';

CREATE SCHEMA "mart";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'mart', 'usage');

GRANT USAGE ON SCHEMA "mart" TO "bi_reader";

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_9795a2c6_mart_sums';

CREATE TABLE etl."lock_9795a2c6_mart_sums" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_9795a2c6_mart_sums";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('Sums {"date": "2014-02-01"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('mart.sums' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums';

SELECT task_key, run_id, target FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}') ORDER BY 1;

CREATE TEMP TABLE columns_of_it AS SELECT * FROM (
SELECT city, SUM(price) AS price FROM public.fact_sale GROUP BY city
) q LIMIT 0;

SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'columns_of_it' AND a.attnum > 0 ORDER BY a.attnum;

DROP TABLE columns_of_it;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '9795a2c6_';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

CREATE TABLE "stage"."9795a2c6_sums_<run>" ("city" character varying(20), "price" bigint, PRIMARY KEY ("city"));

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '9795a2c6_sums_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '9795a2c6_sums_<run>';

SELECT * FROM (
SELECT city, SUM(price) AS price FROM public.fact_sale GROUP BY city
) q LIMIT 0;

INSERT INTO stage."9795a2c6_sums_<run>" ("city", "price") SELECT "city", "price" FROM (
SELECT city, SUM(price) AS price FROM public.fact_sale GROUP BY city
) q;

SELECT "city" FROM stage."9795a2c6_sums_<run>" GROUP BY "city" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE "mart"."sums" ("city" character varying(20), "price" bigint, PRIMARY KEY ("city"));

INSERT INTO "mart"."sums" SELECT * FROM stage."9795a2c6_sums_<run>";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"mart"."sums"', 'select');

GRANT SELECT ON "mart"."sums" TO "bi_reader";

INSERT INTO etl.loads VALUES ('Sums {"date": "2014-02-01"}', 'mart.sums', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('Sums {"date": "2014-02-01"}', 'mart.sums', '2014-02-01'::date, '<run>', '<version>', NULL, NULL, '[{"task": "LoadSales {\\"date\\": \\"2014-02-01\\"}", "run": "<run>", "table": "public.fact_sale"}]', NULL, NULL, 2, 2, 0, 0, 0, 2, NULL, 0.0, NULL, TIMESTAMPTZ '<moment>');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 2 WHERE table_name = 'mart.sums';

INSERT INTO etl.data_as_of SELECT 'mart.sums', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 2 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'mart.sums');

DROP TABLE IF EXISTS stage."9795a2c6_sums_<run>", stage."9795a2c6_sums_<run>_in", stage."9795a2c6_sums_<run>_held", stage."9795a2c6_sums_<run>_diff";

COMMIT;

ANALYZE "mart"."sums";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT task_key FROM etl.loads WHERE task_key IN ('Sums {"date": "2014-02-02"}');

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}');

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}');

SET application_name TO 'Sums 2014-02-02 <run>';

SET query_group TO 'Sums 2014-02-02 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_9795a2c6_mart_sums";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT task_key FROM etl.loads WHERE task_key IN ('Sums {"date": "2014-02-02"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('mart.sums' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums';

SELECT task_key, run_id, target FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}') ORDER BY 1;

CREATE TEMP TABLE columns_of_it AS SELECT * FROM (
SELECT city, SUM(price + 1) AS price FROM public.fact_sale GROUP BY city
) q LIMIT 0;

SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'columns_of_it' AND a.attnum > 0 ORDER BY a.attnum;

DROP TABLE columns_of_it;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'mart' AND c.relname = 'sums';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'mart' AND c.relname = 'sums';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '9795a2c6_';

CREATE TABLE stage."9795a2c6_sums_<run>" (LIKE "mart"."sums" INCLUDING DEFAULTS);

SELECT * FROM (
SELECT city, SUM(price + 1) AS price FROM public.fact_sale GROUP BY city
) q LIMIT 0;

INSERT INTO stage."9795a2c6_sums_<run>" ("city", "price") SELECT "city", "price" FROM (
SELECT city, SUM(price + 1) AS price FROM public.fact_sale GROUP BY city
) q;

SELECT "city" FROM stage."9795a2c6_sums_<run>" GROUP BY "city" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE stage."9795a2c6_sums_<run>_diff" AS
SELECT s."city", t."city" IS NOT NULL AS "was there" FROM stage."9795a2c6_sums_<run>" s LEFT JOIN "mart"."sums" t ON t."city" = s."city" WHERE t."city" IS NULL OR NOT (COALESCE(t."price" = s."price", t."price" IS NULL AND s."price" IS NULL));

SELECT count(*) FROM stage."9795a2c6_sums_<run>_diff";

DELETE FROM "mart"."sums" WHERE 1 = 1 AND NOT EXISTS (SELECT 1 FROM stage."9795a2c6_sums_<run>" s WHERE "sums"."city" = s."city");

DELETE FROM "mart"."sums" USING stage."9795a2c6_sums_<run>_diff" _changed WHERE "sums"."city" = _changed."city";

INSERT INTO "mart"."sums" ("city", "price") SELECT s."city", s."price" FROM stage."9795a2c6_sums_<run>" s WHERE EXISTS (SELECT 1 FROM stage."9795a2c6_sums_<run>_diff" c WHERE s."city" = c."city");

SELECT count(*) FROM "mart"."sums";

INSERT INTO etl.loads VALUES ('Sums {"date": "2014-02-02"}', 'mart.sums', '2014-02-02'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('Sums {"date": "2014-02-02"}', 'mart.sums', '2014-02-02'::date, '<run>', '<version>', NULL, NULL, '[{"task": "LoadSales {\\"date\\": \\"2014-02-01\\"}", "run": "<run>", "table": "public.fact_sale"}]', NULL, NULL, 2, 0, 2, 0, 0, 2, NULL, 0.0, NULL, TIMESTAMPTZ '<moment>');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-02'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 2 WHERE table_name = 'mart.sums';

INSERT INTO etl.data_as_of SELECT 'mart.sums', CAST('2014-02-02'::date AS DATE), TIMESTAMPTZ '<moment>', 2 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'mart.sums');

DROP TABLE IF EXISTS stage."9795a2c6_sums_<run>", stage."9795a2c6_sums_<run>_in", stage."9795a2c6_sums_<run>_held", stage."9795a2c6_sums_<run>_diff";

COMMIT;

ANALYZE "mart"."sums";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}');

SET application_name TO 'Sums 2014-02-03 <run>';

SET query_group TO 'Sums 2014-02-03 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_9795a2c6_mart_sums";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT task_key FROM etl.loads WHERE task_key IN ('Sums {"date": "2014-02-03"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('mart.sums' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums';

SELECT task_key, run_id, target FROM etl.loads WHERE task_key IN ('LoadSales {"date": "2014-02-01"}') ORDER BY 1;

CREATE TEMP TABLE columns_of_it AS SELECT * FROM (
SELECT city, SUM(price) AS price, COUNT(*) AS sales FROM public.fact_sale GROUP BY city
) q LIMIT 0;

SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relname = 'columns_of_it' AND a.attnum > 0 ORDER BY a.attnum;

DROP TABLE columns_of_it;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'mart' AND c.relname = 'sums' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'mart' AND c.relname = 'sums';

ROLLBACK;

-- copy error: Of what COPY could not read its system table tells.

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
sale_id INTEGER NOT NULL PRIMARY KEY, price DECIMAL(8,2), note VARCHAR(20)
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '96be7e22_fact_sale_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '96be7e22_fact_sale_<run>';

COPY stage."96be7e22_fact_sale_<run>" ("sale_id", "price", "note") FROM 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

ROLLBACK;

SELECT pg_last_copy_id(), pg_backend_pid();

SELECT file_name, line_number, column_name, column_type, error_code, error_message FROM sys_load_error_detail WHERE query_id = 0 AND session_id = 0 ORDER BY line_number LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '96be7e22_';

ROLLBACK;

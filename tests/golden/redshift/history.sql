-- history: Versions of a dimension's members, and columns of which only the last value is kept.

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

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_6ab857cd_public_dim_user';

CREATE TABLE etl."lock_6ab857cd_public_dim_user" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_6ab857cd_public_dim_user";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-01"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.dim_user' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'dim_user';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'dim_user' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '6ab857cd_';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

CREATE TABLE "stage"."6ab857cd_dim_user_<run>" (
user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20), email VARCHAR(20), valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31',
    is_current BOOLEAN NOT NULL DEFAULT TRUE, is_inferred BOOLEAN NOT NULL DEFAULT FALSE
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '6ab857cd_dim_user_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '6ab857cd_dim_user_<run>';

CREATE TABLE stage."6ab857cd_dim_user_<run>_in" ("user_id" bigint, "city" character varying(20), "email" character varying(20));

COPY stage."6ab857cd_dim_user_<run>_in" ("user_id", "city", "email") FROM 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

INSERT INTO stage."6ab857cd_dim_user_<run>" ("user_key", "user_id", "city", "email")
SELECT COALESCE(CAST(NULL AS BIGINT), 0 + ROW_NUMBER() OVER (PARTITION BY CAST(NULL AS BIGINT) IS NULL ORDER BY q."user_id")),
       q."user_id", q."city", q."email"
FROM (
SELECT * FROM stage."6ab857cd_dim_user_<run>_in"
) q;

INSERT INTO stage."6ab857cd_dim_user_<run>" ("user_key") VALUES (-1);

SELECT "user_id", "valid_from" FROM stage."6ab857cd_dim_user_<run>" GROUP BY "user_id", "valid_from" HAVING count(*) > 1 LIMIT 1;

SELECT "user_key" FROM stage."6ab857cd_dim_user_<run>" GROUP BY "user_key" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE "public"."dim_user" (
user_key BIGINT NOT NULL PRIMARY KEY, user_id BIGINT NOT NULL DEFAULT -1, city VARCHAR(20), email VARCHAR(20), valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31',
    is_current BOOLEAN NOT NULL DEFAULT TRUE, is_inferred BOOLEAN NOT NULL DEFAULT FALSE
);

INSERT INTO "public"."dim_user" SELECT * FROM stage."6ab857cd_dim_user_<run>";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"public"."dim_user"', 'select');

GRANT SELECT ON "public"."dim_user" TO "bi_reader";

INSERT INTO etl.loads VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.dim_user', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.dim_user', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', '<sha256>', '[]', NULL, 2, 2, 3, 0, 0, 0, 3, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' AND task_key = 'LoadDrawn {"date": "2014-02-01"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', 'LoadDrawn {"date": "2014-02-01"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadDrawn {"date": "2014-02-01"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.dim_user';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.dim_user', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.dim_user');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 3 WHERE table_name = 'public.dim_user';

INSERT INTO etl.data_as_of SELECT 'public.dim_user', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 3 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.dim_user');

DROP TABLE IF EXISTS stage."6ab857cd_dim_user_<run>", stage."6ab857cd_dim_user_<run>_in", stage."6ab857cd_dim_user_<run>_held", stage."6ab857cd_dim_user_<run>_diff";

COMMIT;

ANALYZE "public"."dim_user";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-02"}');

SET application_name TO 'LoadDrawn 2014-02-02 <run>';

SET query_group TO 'LoadDrawn 2014-02-02 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_6ab857cd_public_dim_user";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadDrawn {"date": "2014-02-02"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.dim_user' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'dim_user';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'dim_user' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'dim_user';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '6ab857cd_';

CREATE TABLE stage."6ab857cd_dim_user_<run>" (LIKE "public"."dim_user" INCLUDING DEFAULTS);

CREATE TABLE stage."6ab857cd_dim_user_<run>_in" ("user_id" bigint, "city" character varying(20), "email" character varying(20));

COPY stage."6ab857cd_dim_user_<run>_in" ("user_id", "city", "email") FROM 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

INSERT INTO stage."6ab857cd_dim_user_<run>" ("user_key", "user_id", "city", "email")
SELECT COALESCE(t."user_key", (SELECT COALESCE(MAX("user_key"), 0) FROM "public"."dim_user" WHERE "user_key" > 0) + ROW_NUMBER() OVER (PARTITION BY t."user_key" IS NULL ORDER BY q."user_id")),
       q."user_id", q."city", q."email"
FROM (
SELECT * FROM stage."6ab857cd_dim_user_<run>_in"
) q LEFT JOIN "public"."dim_user" t ON t."user_id" = q."user_id" AND t.is_current;

INSERT INTO stage."6ab857cd_dim_user_<run>" ("user_key") VALUES (-1);

SELECT "user_id", "valid_from" FROM stage."6ab857cd_dim_user_<run>" GROUP BY "user_id", "valid_from" HAVING count(*) > 1 LIMIT 1;

SELECT "user_key" FROM stage."6ab857cd_dim_user_<run>" GROUP BY "user_key" HAVING count(*) > 1 LIMIT 1;

SELECT count(*) FROM "public"."dim_user";

CREATE TABLE stage."6ab857cd_dim_user_<run>_diff" AS
SELECT s."user_id", t."user_key" AS "current one", CASE WHEN t."user_key" IS NULL THEN 'new' WHEN NOT (COALESCE((t."city" = s."city" AND OCTET_LENGTH(t."city") = OCTET_LENGTH(s."city")), t."city" IS NULL AND s."city" IS NULL)) AND t.valid_from < DATE '2014-02-02' AND NOT t.is_inferred THEN 'changed' ELSE 'overwritten' END AS "what it is" FROM stage."6ab857cd_dim_user_<run>" s LEFT JOIN "public"."dim_user" t ON t."user_id" = s."user_id" AND t.is_current WHERE t."user_key" IS NULL OR t.is_inferred OR NOT (COALESCE((t."city" = s."city" AND OCTET_LENGTH(t."city") = OCTET_LENGTH(s."city")), t."city" IS NULL AND s."city" IS NULL)) OR NOT (COALESCE((t."email" = s."email" AND OCTET_LENGTH(t."email") = OCTET_LENGTH(s."email")), t."email" IS NULL AND s."email" IS NULL));

SELECT count(*) FROM stage."6ab857cd_dim_user_<run>_diff";

UPDATE "public"."dim_user" SET "email" = _staged."email" FROM stage."6ab857cd_dim_user_<run>" _staged JOIN stage."6ab857cd_dim_user_<run>_diff" _changed ON _staged."user_id" = _changed."user_id" WHERE "dim_user"."user_id" = _staged."user_id" AND _changed."what it is" <> 'new' AND NOT (COALESCE(("dim_user"."email" = _staged."email" AND OCTET_LENGTH("dim_user"."email") = OCTET_LENGTH(_staged."email")), "dim_user"."email" IS NULL AND _staged."email" IS NULL));

UPDATE "public"."dim_user" SET "city" = _staged."city", "is_inferred" = _staged."is_inferred" FROM stage."6ab857cd_dim_user_<run>" _staged JOIN stage."6ab857cd_dim_user_<run>_diff" _changed ON _staged."user_id" = _changed."user_id" WHERE "dim_user"."user_key" = _changed."current one" AND _changed."what it is" = 'overwritten';

UPDATE "public"."dim_user" SET valid_to = DATE '2014-02-02', is_current = FALSE FROM stage."6ab857cd_dim_user_<run>_diff" _changed WHERE "dim_user"."user_key" = _changed."current one" AND _changed."what it is" = 'changed';

INSERT INTO "public"."dim_user" ("user_key", valid_from, valid_to, is_current, "user_id", "city", "email", "is_inferred")
SELECT s."user_key", DATE '0001-01-01', DATE '9999-12-31', TRUE, s."user_id", s."city", s."email", s."is_inferred" FROM stage."6ab857cd_dim_user_<run>" s JOIN stage."6ab857cd_dim_user_<run>_diff" c ON s."user_id" = c."user_id" WHERE c."what it is" = 'new'
UNION ALL
SELECT GREATEST((SELECT COALESCE(MAX("user_key"), 0) FROM stage."6ab857cd_dim_user_<run>"), (SELECT COALESCE(MAX("user_key"), 0) FROM "public"."dim_user")) + ROW_NUMBER() OVER (ORDER BY s."user_id"), DATE '2014-02-02', DATE '9999-12-31', TRUE, s."user_id", s."city", s."email", s."is_inferred" FROM stage."6ab857cd_dim_user_<run>" s JOIN stage."6ab857cd_dim_user_<run>_diff" c ON s."user_id" = c."user_id" WHERE c."what it is" = 'changed';

SELECT count(*) FROM "public"."dim_user";

INSERT INTO etl.loads VALUES ('LoadDrawn {"date": "2014-02-02"}', 'public.dim_user', '2014-02-02'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadDrawn {"date": "2014-02-02"}', 'public.dim_user', '2014-02-02'::date, '<run>', '<version>', 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json', '<sha256>', '[]', NULL, 3, 3, 2, 2, 0, 0, 5, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-02/manifest.json' AND task_key = 'LoadDrawn {"date": "2014-02-02"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractDrawn/date=2014-02-02/manifest.json', 'LoadDrawn {"date": "2014-02-02"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadDrawn {"date": "2014-02-02"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.dim_user';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.dim_user', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.dim_user');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-02'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 5 WHERE table_name = 'public.dim_user';

INSERT INTO etl.data_as_of SELECT 'public.dim_user', CAST('2014-02-02'::date AS DATE), TIMESTAMPTZ '<moment>', 5 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.dim_user');

DROP TABLE IF EXISTS stage."6ab857cd_dim_user_<run>", stage."6ab857cd_dim_user_<run>_in", stage."6ab857cd_dim_user_<run>_held", stage."6ab857cd_dim_user_<run>_diff";

COMMIT;

ANALYZE "public"."dim_user";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

-- three roles: `etl init` by an administrator and the owner, a night's load, and `etl init` once more.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_user WHERE usename = 'etl_load' AND usesuper;

SELECT 1 FROM pg_user WHERE usename = 'etl_owner' AND usesuper;

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_owner';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace;

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT current_database();

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_owner';

SELECT has_database_privilege('etl_load', '<name>', 'TEMP'), has_database_privilege('etl_owner', '<name>', 'CREATE');

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_database_privilege('etl_load', '<name>', 'CREATE');

BEGIN;

GRANT CREATE ON DATABASE "<name>" TO "etl_owner";

REVOKE CREATE ON DATABASE "<name>" FROM "etl_load", PUBLIC;

CREATE SCHEMA "raw" AUTHORIZATION "etl_load";

CREATE SCHEMA "stage" AUTHORIZATION "etl_load";

ALTER SCHEMA "public" OWNER TO "etl_owner";

COMMIT;

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace;

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('etl_load', 'public', 'USAGE'), has_schema_privilege('bi_reader', 'public', 'USAGE');

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('etl_load', 'public', 'CREATE'), has_schema_privilege('bi_reader', 'public', 'CREATE');

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

BEGIN;

CREATE SCHEMA "etl";

GRANT USAGE, CREATE ON SCHEMA "etl" TO "etl_load";

GRANT USAGE ON SCHEMA "etl" TO "bi_reader";

GRANT USAGE ON SCHEMA "public" TO "etl_load";

CREATE TABLE "etl"."loads" (
    task_key      VARCHAR(1000) NOT NULL PRIMARY KEY,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."loads" TO "etl_load";

CREATE TABLE "etl"."receipts" (
    task_key        VARCHAR(1000) NOT NULL,
    target          VARCHAR(200)  NOT NULL,
    business_date   DATE,
    run_id          VARCHAR(64)   NOT NULL,
    manifest        VARCHAR(2000),
    manifest_sha256 VARCHAR(64),
    inputs          VARCHAR(65535),
    rows_read       BIGINT,
    rows_written    BIGINT,
    rows_staged     BIGINT        NOT NULL,
    rows_inserted   BIGINT        NOT NULL,
    rows_updated    BIGINT        NOT NULL,
    rows_deleted    BIGINT        NOT NULL,
    rows_rejected   BIGINT        NOT NULL,
    rows_after      BIGINT        NOT NULL,
    bytes           BIGINT,
    seconds         DOUBLE PRECISION NOT NULL,
    code_version    VARCHAR(64)   NOT NULL,
    fingerprint     VARCHAR(64),
    loaded_at       TIMESTAMPTZ   NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."receipts" TO "etl_load";

CREATE TABLE "etl"."losses" (
    task_key      VARCHAR(1000) NOT NULL,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    column_name   VARCHAR(127)  NOT NULL,
    reason        VARCHAR(200)  NOT NULL,
    occurrences   BIGINT        NOT NULL,
    samples       VARCHAR(65535),
    loaded_at     TIMESTAMPTZ   NOT NULL
);

GRANT INSERT, DELETE, SELECT (task_key, target, business_date, run_id, column_name, reason, occurrences, loaded_at) ON TABLE "etl"."losses" TO "etl_load";

CREATE TABLE "etl"."quarantine" (
    task_key      VARCHAR(1000) NOT NULL,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    source_key    VARCHAR(65535)          NOT NULL,
    column_name   VARCHAR(65535)          NOT NULL,
    reason        VARCHAR(65535)          NOT NULL,
    source_row    VARCHAR(65535)          NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

GRANT INSERT, DELETE, SELECT (task_key, target, business_date, run_id, source_key, column_name, reason, loaded_at) ON TABLE "etl"."quarantine" TO "etl_load";

CREATE TABLE "etl"."files" (
    task      VARCHAR(200)  NOT NULL,
    file_key  VARCHAR(1024) NOT NULL,
    etag      VARCHAR(200)  NOT NULL,
    size      BIGINT        NOT NULL,
    rows      BIGINT        NOT NULL,
    run_id    VARCHAR(64)   NOT NULL,
    loaded_at TIMESTAMPTZ   NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."files" TO "etl_load";

CREATE TABLE "etl"."extracts" (
    manifest VARCHAR(2000) NOT NULL,
    task_key VARCHAR(1000) NOT NULL,
    swept_at TIMESTAMPTZ
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."extracts" TO "etl_load";

CREATE TABLE "etl"."watermarks" (
    target           VARCHAR(200) NOT NULL PRIMARY KEY,
    extracted_at     TIMESTAMPTZ,
    column_name      VARCHAR(127),
    high_water       TIMESTAMP,
    verified_through TIMESTAMP,
    seen             TIMESTAMPTZ,
    run_id           VARCHAR(64)  NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."watermarks" TO "etl_load";

CREATE TABLE "etl"."schema_changes" (
    target      VARCHAR(200) NOT NULL,
    column_name VARCHAR(127) NOT NULL,
    change      VARCHAR(40)  NOT NULL,
    was         VARCHAR(200),
    became      VARCHAR(200),
    run_id      VARCHAR(64)  NOT NULL,
    noticed_at  TIMESTAMPTZ  NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."schema_changes" TO "etl_load";

CREATE TABLE "etl"."data_as_of" (
    table_name    VARCHAR(200) NOT NULL PRIMARY KEY,
    business_date DATE,
    loaded_at     TIMESTAMPTZ  NOT NULL,
    rows          BIGINT       NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "etl"."data_as_of" TO "etl_load";

GRANT SELECT ON TABLE "etl"."data_as_of" TO "bi_reader";

CREATE TABLE "public"."fact_sale" (
sale_id INTEGER NOT NULL PRIMARY KEY, price DECIMAL(8,2), note VARCHAR(20)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."fact_sale" TO "etl_load";

GRANT SELECT ON TABLE "public"."fact_sale" TO "bi_reader";

COMMENT ON TABLE "etl"."loads" IS 'A row here means: this work is done, and its rows are in the target.';

COMMENT ON TABLE "etl"."receipts" IS 'One row a commit: what came in, what became of it. Only ever appended to.';

COMMENT ON TABLE "etl"."losses" IS 'Values that could not be kept as they were, by column, with keys of a few such rows.';

COMMENT ON TABLE "etl"."quarantine" IS 'Rows that are missing from their table because a value of theirs is what no warehouse holds: source = table + these. `source_key` is the JSON list of the key''s values, `source_row` the JSON object of all that was read.';

COMMENT ON TABLE "etl"."files" IS 'The files of partners that have been loaded: a file is known by key, etag and size, never by its time.';

COMMENT ON TABLE "etl"."extracts" IS 'Which loads require an extract; when all of them are in etl.loads, its files on S3 may go.';

COMMENT ON TABLE "etl"."watermarks" IS 'How new each table is. `extracted_at` is when the newest extract that was published began to read; an older one never overwrites its rows. Of a table that is read by the column that says when a row changed, every change up to `high_water` is there, and up to `verified_through` its rows have been counted and agree with the source''s. `seen` is, for a table computed from others, the last `loaded_at` of theirs that it has taken in.';

COMMENT ON TABLE "etl"."schema_changes" IS 'What changed in a source''s columns, and what was done about it. Only ever appended to.';

COMMENT ON TABLE "etl"."data_as_of" IS 'For analysts: which business day each table is at.';

COMMENT ON TABLE "public"."fact_sale" IS 'Sales.';

COMMIT;

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

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

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '96be7e22_';

CREATE TABLE stage."96be7e22_fact_sale_<run>" (LIKE "public"."fact_sale" INCLUDING DEFAULTS);

COPY stage."96be7e22_fact_sale_<run>" ("sale_id", "price", "note") FROM 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "sale_id" FROM stage."96be7e22_fact_sale_<run>" GROUP BY "sale_id" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE stage."96be7e22_fact_sale_<run>_diff" AS
SELECT s."sale_id", t."sale_id" IS NOT NULL AS "was there" FROM stage."96be7e22_fact_sale_<run>" s LEFT JOIN "public"."fact_sale" t ON t."sale_id" = s."sale_id" WHERE t."sale_id" IS NULL OR NOT (COALESCE(t."price" = s."price", t."price" IS NULL AND s."price" IS NULL) AND COALESCE((t."note" = s."note" AND OCTET_LENGTH(t."note") = OCTET_LENGTH(s."note")), t."note" IS NULL AND s."note" IS NULL));

SELECT count(*) FROM stage."96be7e22_fact_sale_<run>_diff";

DELETE FROM "public"."fact_sale" WHERE 1 = 1 AND NOT EXISTS (SELECT 1 FROM stage."96be7e22_fact_sale_<run>" s WHERE "fact_sale"."sale_id" = s."sale_id");

DELETE FROM "public"."fact_sale" USING stage."96be7e22_fact_sale_<run>_diff" _changed WHERE "fact_sale"."sale_id" = _changed."sale_id";

INSERT INTO "public"."fact_sale" ("sale_id", "price", "note") SELECT s."sale_id", s."price", s."note" FROM stage."96be7e22_fact_sale_<run>" s WHERE EXISTS (SELECT 1 FROM stage."96be7e22_fact_sale_<run>_diff" c WHERE s."sale_id" = c."sale_id");

SELECT count(*) FROM "public"."fact_sale";

INSERT INTO etl.loads VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.fact_sale', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadDrawn {"date": "2014-02-01"}', 'public.fact_sale', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', '<sha256>', '[]', NULL, 2, 2, 2, 0, 0, 0, 2, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractDrawn/date=2014-02-01/manifest.json' AND task_key = 'LoadDrawn {"date": "2014-02-01"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractDrawn/date=2014-02-01/manifest.json', 'LoadDrawn {"date": "2014-02-01"}', NULL);

DELETE FROM etl.quarantine WHERE target = 'public.fact_sale';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.fact_sale';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.fact_sale', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.fact_sale');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 2 WHERE table_name = 'public.fact_sale';

INSERT INTO etl.data_as_of SELECT 'public.fact_sale', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 2 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.fact_sale');

DROP TABLE IF EXISTS stage."96be7e22_fact_sale_<run>", stage."96be7e22_fact_sale_<run>_in", stage."96be7e22_fact_sale_<run>_held", stage."96be7e22_fact_sale_<run>_diff";

COMMIT;

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_user WHERE usename = 'etl_load' AND usesuper;

SELECT 1 FROM pg_user WHERE usename = 'etl_owner' AND usesuper;

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_owner';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace;

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT current_database();

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_owner';

SELECT has_database_privilege('etl_load', '<name>', 'TEMP'), has_database_privilege('etl_owner', '<name>', 'CREATE');

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_database_privilege('etl_load', '<name>', 'CREATE');

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace;

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_schema_privilege('etl_load', 'etl', 'USAGE'), has_schema_privilege('bi_reader', 'etl', 'USAGE'), has_schema_privilege('etl_load', 'public', 'USAGE'), has_schema_privilege('bi_reader', 'public', 'USAGE'), has_schema_privilege('etl_load', 'etl', 'CREATE');

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('etl_load', 'public', 'CREATE'), has_schema_privilege('bi_reader', 'public', 'CREATE');

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."loads"', 'SELECT'), has_table_privilege('etl_load', '"etl"."loads"', 'INSERT'), has_table_privilege('etl_load', '"etl"."loads"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."loads"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."loads"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'loads';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'loads';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."receipts"', 'SELECT'), has_table_privilege('etl_load', '"etl"."receipts"', 'INSERT'), has_table_privilege('etl_load', '"etl"."receipts"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."receipts"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."receipts"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'receipts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'receipts';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."losses"', 'INSERT'), has_table_privilege('etl_load', '"etl"."losses"', 'DELETE');

SELECT column_name FROM svv_column_privileges WHERE namespace_name = 'etl' AND relation_name = 'losses' AND identity_name = 'etl_load' AND privilege_type = 'SELECT';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('etl_load', '"etl"."losses"', 'SELECT'), has_table_privilege('bi_reader', '"etl"."losses"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'losses';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'losses';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."quarantine"', 'INSERT'), has_table_privilege('etl_load', '"etl"."quarantine"', 'DELETE');

SELECT column_name FROM svv_column_privileges WHERE namespace_name = 'etl' AND relation_name = 'quarantine' AND identity_name = 'etl_load' AND privilege_type = 'SELECT';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('etl_load', '"etl"."quarantine"', 'SELECT'), has_table_privilege('bi_reader', '"etl"."quarantine"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."files"', 'SELECT'), has_table_privilege('etl_load', '"etl"."files"', 'INSERT'), has_table_privilege('etl_load', '"etl"."files"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."files"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."files"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'files';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'files';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."extracts"', 'SELECT'), has_table_privilege('etl_load', '"etl"."extracts"', 'INSERT'), has_table_privilege('etl_load', '"etl"."extracts"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."extracts"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."extracts"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'extracts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'extracts';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."watermarks"', 'SELECT'), has_table_privilege('etl_load', '"etl"."watermarks"', 'INSERT'), has_table_privilege('etl_load', '"etl"."watermarks"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."watermarks"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."watermarks"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT has_table_privilege('etl_load', '"etl"."schema_changes"', 'SELECT'), has_table_privilege('etl_load', '"etl"."schema_changes"', 'INSERT'), has_table_privilege('etl_load', '"etl"."schema_changes"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."schema_changes"', 'DELETE');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."schema_changes"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('etl_load', '"etl"."data_as_of"', 'SELECT'), has_table_privilege('etl_load', '"etl"."data_as_of"', 'INSERT'), has_table_privilege('etl_load', '"etl"."data_as_of"', 'UPDATE'), has_table_privilege('etl_load', '"etl"."data_as_of"', 'DELETE'), has_table_privilege('bi_reader', '"etl"."data_as_of"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'etl_load';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('etl_load', '"public"."fact_sale"', 'SELECT'), has_table_privilege('etl_load', '"public"."fact_sale"', 'INSERT'), has_table_privilege('etl_load', '"public"."fact_sale"', 'UPDATE'), has_table_privilege('etl_load', '"public"."fact_sale"', 'DELETE'), has_table_privilege('bi_reader', '"public"."fact_sale"', 'SELECT');

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl init';

SET enable_case_sensitive_identifier TO 'true';

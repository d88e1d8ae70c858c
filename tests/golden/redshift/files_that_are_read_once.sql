-- files that are read once: Then its load is undone for `etl rerun`, and asked for again after its extract has gone.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}');

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files';

SELECT file_key, etag, size FROM etl.files WHERE task = 'ExtractGoldenNotes';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadGoldenNotes 2014-02-01 <run>';

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

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_8868b714_public_note';

CREATE TABLE etl."lock_8868b714_public_note" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_8868b714_public_note";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.note' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'note';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'note' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '8868b714_';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

CREATE TABLE "stage"."8868b714_note_<run>" (
id INTEGER NOT NULL PRIMARY KEY, text VARCHAR(20)
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relname = '8868b714_note_<run>' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'stage' AND c.relname = '8868b714_note_<run>';

COPY stage."8868b714_note_<run>" ("id", "text") FROM 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "id" FROM stage."8868b714_note_<run>" GROUP BY "id" HAVING count(*) > 1 LIMIT 1;

CREATE TABLE "public"."note" (
id INTEGER NOT NULL PRIMARY KEY, text VARCHAR(20)
);

INSERT INTO "public"."note" SELECT * FROM stage."8868b714_note_<run>";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"public"."note"', 'select');

GRANT SELECT ON "public"."note" TO "bi_reader";

INSERT INTO etl.loads VALUES ('LoadGoldenNotes {"date": "2014-02-01"}', 'public.note', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadGoldenNotes {"date": "2014-02-01"}', 'public.note', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json', '<sha256>', '[]', NULL, 1, 1, 1, 0, 0, 0, 1, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.files WHERE task = 'ExtractGoldenNotes' AND file_key = 'notes/a.csv';

INSERT INTO etl.files VALUES ('ExtractGoldenNotes', 'notes/a.csv', '<hex>', 12, 1, '<run>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json' AND task_key = 'LoadGoldenNotes {"date": "2014-02-01"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json', 'LoadGoldenNotes {"date": "2014-02-01"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadGoldenNotes {"date": "2014-02-01"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.note';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.note', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.note');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 1 WHERE table_name = 'public.note';

INSERT INTO etl.data_as_of SELECT 'public.note', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 1 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.note');

DROP TABLE IF EXISTS stage."8868b714_note_<run>", stage."8868b714_note_<run>_in", stage."8868b714_note_<run>_held", stage."8868b714_note_<run>_diff";

COMMIT;

ANALYZE "public"."note";

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT task_key, loaded_at, rows_staged FROM etl.receipts WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}') ORDER BY loaded_at;

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'rerun LoadGoldenNotes 2014-02-01';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'public';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'public', 'usage');

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_8868b714_public_note';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_8868b714_public_note";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

DELETE FROM etl.files WHERE task IN ('ExtractGoldenNotes') AND run_id IN (SELECT run_id FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}'));

DELETE FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}');

DELETE FROM etl.watermarks WHERE SUBSTRING(target, 1, 17) = 'public.note from ';

COMMIT;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}');

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files';

SELECT file_key, etag, size FROM etl.files WHERE task = 'ExtractGoldenNotes';

SET application_name TO 'LoadGoldenNotes 2014-02-01 <run>';

SET query_group TO 'LoadGoldenNotes 2014-02-01 <run>';

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_8868b714_public_note";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('public.note' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'note';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'note' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'note';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r' AND SUBSTRING(CAST(c.relname AS VARCHAR(127)), 1, 9) = '8868b714_';

CREATE TABLE stage."8868b714_note_<run>" (LIKE "public"."note" INCLUDING DEFAULTS);

COPY stage."8868b714_note_<run>" ("id", "text") FROM 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

SELECT "id" FROM stage."8868b714_note_<run>" GROUP BY "id" HAVING count(*) > 1 LIMIT 1;

SELECT count(*) FROM "public"."note";

SELECT s."id", count(*) OVER () FROM stage."8868b714_note_<run>" s JOIN "public"."note" t ON t."id" = s."id" WHERE NOT (COALESCE((t."text" = s."text" AND OCTET_LENGTH(t."text") = OCTET_LENGTH(s."text")), t."text" IS NULL AND s."text" IS NULL)) ORDER BY s."id" LIMIT 5;

INSERT INTO "public"."note" ("id", "text") SELECT s."id", s."text" FROM stage."8868b714_note_<run>" s WHERE NOT EXISTS (SELECT 1 FROM "public"."note" t WHERE t."id" = s."id");

SELECT count(*) FROM "public"."note";

INSERT INTO etl.loads VALUES ('LoadGoldenNotes {"date": "2014-02-01"}', 'public.note', '2014-02-01'::date, '<run>', TIMESTAMPTZ '<moment>');

INSERT INTO etl.receipts (task_key, target, business_date, run_id, code_version, manifest, manifest_sha256, inputs, rows_read, rows_written, rows_staged, rows_inserted, rows_updated, rows_deleted, rows_rejected, rows_after, bytes, seconds, fingerprint, loaded_at) VALUES ('LoadGoldenNotes {"date": "2014-02-01"}', 'public.note', '2014-02-01'::date, '<run>', '<version>', 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json', '<sha256>', '[]', NULL, 1, 1, 0, 0, 0, 0, 1, 0, 0.0, '<hash>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.files WHERE task = 'ExtractGoldenNotes' AND file_key = 'notes/a.csv';

INSERT INTO etl.files VALUES ('ExtractGoldenNotes', 'notes/a.csv', '<hex>', 12, 1, '<run>', TIMESTAMPTZ '<moment>');

DELETE FROM etl.extracts WHERE manifest = 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json' AND task_key = 'LoadGoldenNotes {"date": "2014-02-01"}';

INSERT INTO etl.extracts VALUES ('s3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json', 'LoadGoldenNotes {"date": "2014-02-01"}', NULL);

DELETE FROM etl.quarantine WHERE task_key = 'LoadGoldenNotes {"date": "2014-02-01"}';

UPDATE etl.watermarks SET extracted_at = GREATEST(extracted_at, CAST('<moment>' AS TIMESTAMPTZ)), run_id = '<run>' WHERE target = 'public.note';

INSERT INTO etl.watermarks (target, extracted_at, run_id) SELECT 'public.note', CAST('<moment>' AS TIMESTAMPTZ), '<run>' WHERE NOT EXISTS (SELECT 1 FROM etl.watermarks WHERE target = 'public.note');

UPDATE etl.data_as_of SET business_date = GREATEST(business_date, CAST('2014-02-01'::date AS DATE)), loaded_at = TIMESTAMPTZ '<moment>', rows = 1 WHERE table_name = 'public.note';

INSERT INTO etl.data_as_of SELECT 'public.note', CAST('2014-02-01'::date AS DATE), TIMESTAMPTZ '<moment>', 1 WHERE NOT EXISTS (SELECT 1 FROM etl.data_as_of WHERE table_name = 'public.note');

DROP TABLE IF EXISTS stage."8868b714_note_<run>", stage."8868b714_note_<run>_in", stage."8868b714_note_<run>_held", stage."8868b714_note_<run>_diff";

COMMIT;

SELECT e.manifest FROM etl.extracts e LEFT JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL GROUP BY e.manifest HAVING count(*) = count(l.task_key) AND max(l.loaded_at) <= SYSDATE - INTERVAL '7 days';

SELECT 1 FROM etl.receipts WHERE loaded_at < CURRENT_DATE - 400 AND EXISTS (SELECT 1 FROM etl.receipts n WHERE n.target = etl.receipts.target AND n.loaded_at > etl.receipts.loaded_at) LIMIT 1;

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'stage' AND c.relkind = 'r';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl completeness';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT task_key, loaded_at, rows_staged FROM etl.receipts WHERE task_key IN ('LoadGoldenNotes {"date": "2014-02-01"}') ORDER BY loaded_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts';

SELECT DISTINCT l.business_date FROM etl.extracts e JOIN etl.loads l ON l.task_key = e.task_key WHERE e.swept_at IS NULL AND l.business_date IS NOT NULL AND l.target IN (SELECT k.target FROM etl.loads k JOIN etl.extracts o ON o.task_key = k.task_key WHERE o.manifest = 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json') ORDER BY 1;

SELECT max(swept_at) FROM etl.extracts WHERE manifest = 's3://<name>/ExtractGoldenNotes/date=2014-02-01/manifest.json';

-- a migration: A column that the file of a table has gained, and one that it has no more.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl migrate';

SET enable_case_sensitive_identifier TO 'true';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl migrate';

SET enable_case_sensitive_identifier TO 'true';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'loads';

BEGIN;

CREATE TABLE "etl"."draft_of_loads" (
    task_key      VARCHAR(1000) NOT NULL PRIMARY KEY,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_loads' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_loads';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_loads';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'loads';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'loads';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'receipts';

BEGIN;

CREATE TABLE "etl"."draft_of_receipts" (
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

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_receipts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_receipts';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_receipts';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'receipts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'receipts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'losses';

BEGIN;

CREATE TABLE "etl"."draft_of_losses" (
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

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_losses' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_losses';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_losses';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'losses';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'losses';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'quarantine';

BEGIN;

CREATE TABLE "etl"."draft_of_quarantine" (
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

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_quarantine' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_quarantine';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_quarantine';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'files';

BEGIN;

CREATE TABLE "etl"."draft_of_files" (
    task      VARCHAR(200)  NOT NULL,
    file_key  VARCHAR(1024) NOT NULL,
    etag      VARCHAR(200)  NOT NULL,
    size      BIGINT        NOT NULL,
    rows      BIGINT        NOT NULL,
    run_id    VARCHAR(64)   NOT NULL,
    loaded_at TIMESTAMPTZ   NOT NULL
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_files' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_files';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_files';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'files';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'files' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'files';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'extracts';

BEGIN;

CREATE TABLE "etl"."draft_of_extracts" (
    manifest VARCHAR(2000) NOT NULL,
    task_key VARCHAR(1000) NOT NULL,
    swept_at TIMESTAMPTZ
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_extracts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_extracts';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_extracts';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'extracts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'extracts' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'extracts';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'watermarks';

BEGIN;

CREATE TABLE "etl"."draft_of_watermarks" (
    target           VARCHAR(200) NOT NULL PRIMARY KEY,
    extracted_at     TIMESTAMPTZ,
    column_name      VARCHAR(127),
    high_water       TIMESTAMP,
    verified_through TIMESTAMP,
    seen             TIMESTAMPTZ,
    run_id           VARCHAR(64)  NOT NULL
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_watermarks' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_watermarks';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_watermarks';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'schema_changes';

BEGIN;

CREATE TABLE "etl"."draft_of_schema_changes" (
    target      VARCHAR(200) NOT NULL,
    column_name VARCHAR(127) NOT NULL,
    change      VARCHAR(40)  NOT NULL,
    was         VARCHAR(200),
    became      VARCHAR(200),
    run_id      VARCHAR(64)  NOT NULL,
    noticed_at  TIMESTAMPTZ  NOT NULL
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_schema_changes' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_schema_changes';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_schema_changes';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'data_as_of';

BEGIN;

CREATE TABLE "etl"."draft_of_data_as_of" (
    table_name    VARCHAR(200) NOT NULL PRIMARY KEY,
    business_date DATE,
    loaded_at     TIMESTAMPTZ  NOT NULL,
    rows          BIGINT       NOT NULL
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_data_as_of' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'draft_of_data_as_of';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'draft_of_data_as_of';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'fact_sale';

BEGIN;

CREATE TABLE "public"."draft_of_fact_sale" (
sale_id INTEGER NOT NULL PRIMARY KEY, price DECIMAL(8,2), day DATE -- when
);

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'draft_of_fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'draft_of_fact_sale';

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'draft_of_fact_sale';

ROLLBACK;

SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale';

BEGIN;

SET statement_timeout TO 20000;

ALTER TABLE "public"."fact_sale" ADD COLUMN "day" DATE;

SET statement_timeout TO 3600000;

INSERT INTO etl.schema_changes VALUES ('public.fact_sale', 'day', 'added', NULL, 'date', '<run>', SYSDATE);

COMMIT;

SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 WHERE d.classoid = 1259 AND n.nspname = 'public' AND c.relname = 'fact_sale';

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relname = 'fact_sale' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'public' AND c.relname = 'fact_sale';

BEGIN;

COMMENT ON COLUMN "public"."fact_sale"."day" IS 'when';

COMMIT;

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

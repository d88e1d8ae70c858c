-- first preparation: The control tables are made, in a warehouse in which nothing was.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadFirst';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

CREATE SCHEMA "etl";

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

GRANT USAGE ON SCHEMA "etl" TO "bi_reader";

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_631fd8e1_etl';

CREATE TABLE etl."lock_631fd8e1_etl" (target VARCHAR(200));

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_631fd8e1_etl";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

CREATE TABLE IF NOT EXISTS etl.loads (
    task_key      VARCHAR(1000) NOT NULL PRIMARY KEY,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

CREATE TABLE IF NOT EXISTS etl.receipts (
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

CREATE TABLE IF NOT EXISTS etl.losses (
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

CREATE TABLE IF NOT EXISTS etl.quarantine (
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

CREATE TABLE IF NOT EXISTS etl.files (
    task      VARCHAR(200)  NOT NULL,
    file_key  VARCHAR(1024) NOT NULL,
    etag      VARCHAR(200)  NOT NULL,
    size      BIGINT        NOT NULL,
    rows      BIGINT        NOT NULL,
    run_id    VARCHAR(64)   NOT NULL,
    loaded_at TIMESTAMPTZ   NOT NULL
);

CREATE TABLE IF NOT EXISTS etl.extracts (
    manifest VARCHAR(2000) NOT NULL,
    task_key VARCHAR(1000) NOT NULL,
    swept_at TIMESTAMPTZ
);

CREATE TABLE IF NOT EXISTS etl.watermarks (
    target           VARCHAR(200) NOT NULL PRIMARY KEY,
    extracted_at     TIMESTAMPTZ,
    column_name      VARCHAR(127),
    high_water       TIMESTAMP,
    verified_through TIMESTAMP,
    seen             TIMESTAMPTZ,
    run_id           VARCHAR(64)  NOT NULL
);

CREATE TABLE IF NOT EXISTS etl.schema_changes (
    target      VARCHAR(200) NOT NULL,
    column_name VARCHAR(127) NOT NULL,
    change      VARCHAR(40)  NOT NULL,
    was         VARCHAR(200),
    became      VARCHAR(200),
    run_id      VARCHAR(64)  NOT NULL,
    noticed_at  TIMESTAMPTZ  NOT NULL
);

CREATE TABLE IF NOT EXISTS etl.data_as_of (
    table_name    VARCHAR(200) NOT NULL PRIMARY KEY,
    business_date DATE,
    loaded_at     TIMESTAMPTZ  NOT NULL,
    rows          BIGINT       NOT NULL
);

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_table_privilege('bi_reader', '"etl"."data_as_of"', 'select');

GRANT SELECT ON "etl"."data_as_of" TO "bi_reader";

COMMIT;

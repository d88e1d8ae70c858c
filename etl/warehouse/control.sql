-- What the pipeline knows about itself. Written in the transactions that load the data, never beside them.

-- A row here means: this work is done, and its rows are in the target.
CREATE TABLE IF NOT EXISTS etl.loads (
    task_key      VARCHAR(1000) NOT NULL PRIMARY KEY,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

-- One row a commit: what came in, what became of it. Only ever appended to.
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

-- Values that could not be kept as they were, by column, with keys of a few such rows.
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

-- Rows that are missing from their table because a value of theirs is what no warehouse holds: source = table + these.
-- `source_key` is the JSON list of the key's values, `source_row` the JSON object of all that was read.
CREATE TABLE IF NOT EXISTS etl.quarantine (
    task_key      VARCHAR(1000) NOT NULL,
    target        VARCHAR(200)  NOT NULL,
    business_date DATE,
    run_id        VARCHAR(64)   NOT NULL,
    source_key    TEXT          NOT NULL,
    column_name   TEXT          NOT NULL,
    reason        TEXT          NOT NULL,
    source_row    TEXT          NOT NULL,
    loaded_at     TIMESTAMPTZ   NOT NULL
);

-- The files of partners that have been loaded: a file is known by key, etag and size, never by its time.
CREATE TABLE IF NOT EXISTS etl.files (
    task      VARCHAR(200)  NOT NULL,
    file_key  VARCHAR(1024) NOT NULL,
    etag      VARCHAR(200)  NOT NULL,
    size      BIGINT        NOT NULL,
    rows      BIGINT        NOT NULL,
    run_id    VARCHAR(64)   NOT NULL,
    loaded_at TIMESTAMPTZ   NOT NULL
);

-- Which loads require an extract; when all of them are in etl.loads, its files on S3 may go.
CREATE TABLE IF NOT EXISTS etl.extracts (
    manifest VARCHAR(2000) NOT NULL,
    task_key VARCHAR(1000) NOT NULL,
    swept_at TIMESTAMPTZ
);

-- How new each table is. `extracted_at` is when the newest extract that was published began to read; an older one never
-- overwrites its rows. Of a table that is read by the column that says when a row changed, every change up to
-- `high_water` is there, and up to `verified_through` its rows have been counted and agree with the source's. `seen` is,
-- for a table computed from others, the last `loaded_at` of theirs that it has taken in.
CREATE TABLE IF NOT EXISTS etl.watermarks (
    target           VARCHAR(200) NOT NULL PRIMARY KEY,
    extracted_at     TIMESTAMPTZ,
    column_name      VARCHAR(127),
    high_water       TIMESTAMP,
    verified_through TIMESTAMP,
    seen             TIMESTAMPTZ,
    run_id           VARCHAR(64)  NOT NULL
);

-- What changed in a source's columns, and what was done about it. Only ever appended to.
CREATE TABLE IF NOT EXISTS etl.schema_changes (
    target      VARCHAR(200) NOT NULL,
    column_name VARCHAR(127) NOT NULL,
    change      VARCHAR(40)  NOT NULL,
    was         VARCHAR(200),
    became      VARCHAR(200),
    run_id      VARCHAR(64)  NOT NULL,
    noticed_at  TIMESTAMPTZ  NOT NULL
);

-- For analysts: which business day each table is at.
CREATE TABLE IF NOT EXISTS etl.data_as_of (
    table_name    VARCHAR(200) NOT NULL PRIMARY KEY,
    business_date DATE,
    loaded_at     TIMESTAMPTZ  NOT NULL,
    rows          BIGINT       NOT NULL
);

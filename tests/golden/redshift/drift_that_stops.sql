-- drift that stops: What looks like a rename, another type, and keys that the rows may not have.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-02 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"date": "2014-02-02", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT column_name, was, became FROM etl.schema_changes WHERE target = 'raw.sales' AND change = 'stopped';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-02 <run>';

SET enable_case_sensitive_identifier TO 'true';

INSERT INTO etl.schema_changes VALUES ('raw.sales', 'cost', 'stopped', 'price', 'cost', '<run>', TIMESTAMPTZ '<moment>');

ROLLBACK;

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-03 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"date": "2014-02-03", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT column_name, was, became FROM etl.schema_changes WHERE target = 'raw.sales' AND change = 'stopped';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-03 <run>';

SET enable_case_sensitive_identifier TO 'true';

INSERT INTO etl.schema_changes VALUES ('raw.sales', 'price', 'stopped', 'integer', 'date', '<run>', TIMESTAMPTZ '<moment>');

ROLLBACK;

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-04 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"date": "2014-02-04", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM (SELECT "id", "code" FROM "raw"."sales" GROUP BY "id", "code" HAVING count(*) > 1 OR "id" IS NULL OR "code" IS NULL) wrong LIMIT 1;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT column_name, was, became FROM etl.schema_changes WHERE target = 'raw.sales' AND change = 'stopped';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-04 <run>';

SET enable_case_sensitive_identifier TO 'true';

INSERT INTO etl.schema_changes VALUES ('raw.sales', 'the key', 'stopped', 'id', 'id, code', '<run>', TIMESTAMPTZ '<moment>');

ROLLBACK;

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-05 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SELECT 1 FROM pg_namespace WHERE nspname = 'etl';

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT has_schema_privilege('bi_reader', 'etl', 'usage');

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

SELECT 1 FROM pg_namespace WHERE nspname = 'raw';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_5feec431_raw_sales';

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 20000;

LOCK etl."lock_5feec431_raw_sales";

SET statement_timeout TO 3600000;

SELECT TIMEOFDAY();

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'loads';

SELECT task_key FROM etl.loads WHERE task_key IN ('MirrorTable {"date": "2014-02-05", "table": "sales"}');

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales';

SELECT d.business_date, d.rows, w.extracted_at FROM (SELECT CAST('raw.sales' AS VARCHAR(200)) AS target) t LEFT JOIN etl.data_as_of d ON d.table_name = t.target LEFT JOIN etl.watermarks w ON w.target = t.target;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM "raw"."sales" LIMIT 1;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT k.conname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT column_name, was, became FROM etl.schema_changes WHERE target = 'raw.sales' AND change = 'stopped';

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'MirrorTable 2014-02-05 <run>';

SET enable_case_sensitive_identifier TO 'true';

INSERT INTO etl.schema_changes VALUES ('raw.sales', 'the key', 'stopped', 'id', 'id2', '<run>', TIMESTAMPTZ '<moment>');

ROLLBACK;

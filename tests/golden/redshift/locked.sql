-- locked: Another load has the table, for longer than this one waits.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadDrawn 2014-02-02 <run>';

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

SELECT isolation_level FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database();

BEGIN;

SET statement_timeout TO 1000;

LOCK etl."lock_96be7e22_public_fact_sale";

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadDrawn 2014-02-02 <run>';

SET enable_case_sensitive_identifier TO 'true';

SELECT DISTINCT t.pid, TRIM(t.txn_owner), t.txn_start FROM svv_transactions t JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'lock_96be7e22_public_fact_sale' AND t.granted ORDER BY 3;

ROLLBACK;

COMMIT;

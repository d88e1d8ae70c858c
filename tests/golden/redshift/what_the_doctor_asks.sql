-- what the doctor asks

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl doctor';

SET enable_case_sensitive_identifier TO 'true';

SELECT version();

SELECT EXTRACT(EPOCH FROM SYSDATE);

SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'etl' AND pg_get_userbyid(nspowner) <> current_user;

SELECT current_user, current_database();

SELECT usesuper, usecreatedb FROM pg_user WHERE usename = current_user;

SELECT has_database_privilege(current_database(), 'temp'), has_database_privilege(current_database(), 'create');

SELECT nspname FROM pg_namespace WHERE nspname IN ('etl', 'stage', 'raw', 'public', 'mart');

SELECT has_schema_privilege('etl', 'create');

SELECT has_schema_privilege('public', 'create');

SELECT 1 FROM pg_user WHERE usename = 'bi_reader';

SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('etl', 'stage', 'raw', 'public', 'mart') AND c.relkind = 'r' AND (has_table_privilege('bi_reader', c.oid, 'insert') OR has_table_privilege('bi_reader', c.oid, 'delete')) ORDER BY 1, 2;

SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('etl', 'stage', 'raw', 'public', 'mart') AND c.relkind = 'r' AND ((n.nspname IN ('raw', 'stage') OR (n.nspname = 'etl' AND c.relname IN ('losses', 'quarantine'))) AND has_schema_privilege('bi_reader', n.oid, 'usage') AND has_table_privilege('bi_reader', c.oid, 'select')) ORDER BY 1, 2;

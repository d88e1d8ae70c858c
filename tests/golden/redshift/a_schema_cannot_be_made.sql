-- a schema cannot be made: And nobody else has been quicker.

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

SELECT 1 FROM pg_namespace WHERE nspname = 'stage';

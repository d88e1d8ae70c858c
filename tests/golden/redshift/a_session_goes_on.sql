-- a session goes on: The next piece of work takes the session that the last has left.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'LoadFirst';

SET enable_case_sensitive_identifier TO 'true';

SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relkind = 'r';

SET application_name TO 'LoadSecond';

SET query_group TO 'LoadSecond';

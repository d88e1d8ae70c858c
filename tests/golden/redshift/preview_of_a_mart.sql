-- preview of a mart: Nothing is written; the types of its columns are the warehouse's to tell.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl preview';

SET enable_case_sensitive_identifier TO 'true';

BEGIN READ ONLY;

SELECT * FROM (
 SELECT * FROM (
SELECT note, SUM(price) AS price FROM public.fact_sale GROUP BY note
) previewed
) q LIMIT 0;

SELECT * FROM (
SELECT note, SUM(price) AS price FROM public.fact_sale GROUP BY note
) previewed LIMIT 5;

COMMIT;

SET application_name TO 'etl preview';

SET query_group TO 'etl preview';

BEGIN READ ONLY;

CREATE TEMP TABLE columns_of_it AS SELECT * FROM (
SELECT note, SUM(price) AS price FROM public.fact_sale GROUP BY note
) q LIMIT 0;

ROLLBACK;

-- compare with an extract: Twice in one session, which drops what it has borrowed.

SET statement_timeout TO 3600000;

SET timezone TO 'UTC';

SET datestyle TO 'ISO';

SET query_group TO 'etl compare sales';

SET enable_case_sensitive_identifier TO 'true';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT manifest, run_id, business_date FROM etl.receipts WHERE target = 'raw.sales' AND manifest IS NOT NULL ORDER BY loaded_at DESC;

CREATE TEMP TABLE "compared_<hex>" ("id" INTEGER, "price" DECIMAL(9,2), "rate" DOUBLE PRECISION, "note" VARCHAR(36), "body" VARCHAR(65535), "sold" TIMESTAMP, "day" DATE, "really" SMALLINT, "page" VARCHAR(65535), "clock" DECIMAL(7,0));

COPY "compared_<hex>" ("id", "price", "rate", "note", "body", "sold", "day", "really", "page", "clock") FROM 's3://<name>/ExtractTable/date=2014-02-01,table=sales/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

BEGIN READ ONLY;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT business_date, loaded_at FROM etl.data_as_of WHERE table_name = 'raw.sales';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'schema_changes';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'quarantine';

SELECT DISTINCT source_key FROM etl.quarantine WHERE target = 'raw.sales' ORDER BY 1;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'watermarks';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT l.column_name, sum(l.occurrences) || ' ' || l.reason FROM etl.losses l JOIN (SELECT task_key, run_id FROM etl.receipts WHERE target = 'raw.sales' ORDER BY loaded_at DESC LIMIT 1) r ON l.task_key = r.task_key AND l.run_id = r.run_id GROUP BY l.column_name, l.reason ORDER BY 1, 2;

SELECT MIN("id"), MAX("id") FROM "compared_<hex>";

SELECT MIN("id"), MAX("id") FROM "raw"."sales";

SELECT CAST(((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))) - MOD((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))), CAST(1 AS DECIMAL(22,0)))) / CAST(1 AS DECIMAL(1,0)) AS DECIMAL(22,0)) AS cell, COUNT(*), COUNT("id"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("id" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("price"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("rate"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN ABS("rate") < 9007199254740992 AND "rate" = FLOOR("rate") THEN CAST(CAST("rate" AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 1 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 9007199254740992 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + -1 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 2 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 4503599627370496 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 0 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 4 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 2251799813685248 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 1 AS BIGINT) AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("note"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("note") <= 2000 THEN "note" ELSE MD5("note") END), 15), 16) AS DECIMAL(38,0))), COUNT("body"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("body") <= 2000 THEN "body" ELSE MD5("body") END), 15), 16) AS DECIMAL(38,0))), COUNT("sold"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("sold", 'YYYY-MM-DD HH24:MI:SS.US')), 15), 16) AS DECIMAL(38,0))), COUNT("day"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("day", 'YYYY-MM-DD')), 15), 16) AS DECIMAL(38,0))), COUNT("really"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("really" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("page"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("page") <= 2000 THEN "page" ELSE MD5("page") END), 15), 16) AS DECIMAL(38,0))), COUNT("clock"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("clock" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("clock" AS VARCHAR), '0'), '.') ELSE CAST("clock" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))) FROM "compared_<hex>" GROUP BY 1;

SELECT CAST(((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))) - MOD((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))), CAST(1 AS DECIMAL(22,0)))) / CAST(1 AS DECIMAL(1,0)) AS DECIMAL(22,0)) AS cell, COUNT(*), COUNT("id"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("id" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("price"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("rate"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN ABS("rate") < 9007199254740992 AND "rate" = FLOOR("rate") THEN CAST(CAST("rate" AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 1 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 9007199254740992 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + -1 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 2 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 4503599627370496 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 0 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 4 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 2251799813685248 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 1 AS BIGINT) AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("note"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("note") <= 2000 THEN "note" ELSE MD5("note") END), 15), 16) AS DECIMAL(38,0))), COUNT("body"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("body") <= 2000 THEN "body" ELSE MD5("body") END), 15), 16) AS DECIMAL(38,0))), COUNT("sold"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("sold", 'YYYY-MM-DD HH24:MI:SS.US')), 15), 16) AS DECIMAL(38,0))), COUNT("day"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("day", 'YYYY-MM-DD')), 15), 16) AS DECIMAL(38,0))), COUNT("really"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("really" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("page"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("page") <= 2000 THEN "page" ELSE MD5("page") END), 15), 16) AS DECIMAL(38,0))), COUNT("clock"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("clock" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("clock" AS VARCHAR), '0'), '.') ELSE CAST("clock" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))) FROM "raw"."sales" GROUP BY 1;

SELECT "id", CAST("id" AS VARCHAR), STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) FROM "compared_<hex>" WHERE ("id" BETWEEN 1 AND 1);

SELECT "id", CAST("id" AS VARCHAR), STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) FROM "raw"."sales" WHERE ("id" BETWEEN 1 AND 1);

SELECT CAST("id" AS VARCHAR), CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END FROM "compared_<hex>" WHERE "id" IN (1);

SELECT CAST("id" AS VARCHAR), CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END FROM "raw"."sales" WHERE "id" IN (1);

COMMIT;

DROP TABLE IF EXISTS "compared_<hex>";

SET application_name TO 'etl compare sales';

SET query_group TO 'etl compare sales';

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'receipts';

SELECT manifest, run_id, business_date FROM etl.receipts WHERE target = 'raw.sales' AND manifest IS NOT NULL ORDER BY loaded_at DESC;

CREATE TEMP TABLE "compared_<hex>" ("id" INTEGER, "price" DECIMAL(9,2), "rate" DOUBLE PRECISION, "note" VARCHAR(36), "body" VARCHAR(65535), "sold" TIMESTAMP, "day" DATE, "really" SMALLINT, "page" VARCHAR(65535), "clock" DECIMAL(7,0));

COPY "compared_<hex>" ("id", "price", "rate", "note", "body", "sold", "day", "really", "page", "clock") FROM 's3://<name>/ExtractTable/date=2014-02-01,table=sales/manifest.json' IAM_ROLE default MANIFEST FORMAT AS CSV QUOTE AS '"' ENCODING UTF8 DATEFORMAT 'auto' TIMEFORMAT 'auto' ROUNDEC COMPUPDATE OFF STATUPDATE OFF ZSTD REGION 'us-east-1';

SELECT pg_last_copy_count();

BEGIN READ ONLY;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'data_as_of';

SELECT business_date, loaded_at FROM etl.data_as_of WHERE table_name = 'raw.sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT DISTINCT source_key FROM etl.quarantine WHERE target = 'raw.sales' ORDER BY 1;

SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'raw' AND c.relname = 'sales' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;

SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'p' AND n.nspname = 'raw' AND c.relname = 'sales';

SELECT column_name, change FROM etl.schema_changes WHERE target = 'raw.sales' AND change <> 'stopped' ORDER BY noticed_at;

SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'etl' AND c.relname = 'losses';

SELECT column_name, high_water, verified_through FROM etl.watermarks WHERE target = 'raw.sales' AND high_water IS NOT NULL;

SELECT l.column_name, sum(l.occurrences) || ' ' || l.reason FROM etl.losses l JOIN (SELECT task_key, run_id FROM etl.receipts WHERE target = 'raw.sales' ORDER BY loaded_at DESC LIMIT 1) r ON l.task_key = r.task_key AND l.run_id = r.run_id GROUP BY l.column_name, l.reason ORDER BY 1, 2;

SELECT MIN("id"), MAX("id") FROM "compared_<hex>";

SELECT MIN("id"), MAX("id") FROM "raw"."sales";

SELECT CAST(((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))) - MOD((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))), CAST(1 AS DECIMAL(22,0)))) / CAST(1 AS DECIMAL(1,0)) AS DECIMAL(22,0)) AS cell, COUNT(*), COUNT("id"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("id" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("price"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("rate"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN ABS("rate") < 9007199254740992 AND "rate" = FLOOR("rate") THEN CAST(CAST("rate" AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 1 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 9007199254740992 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + -1 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 2 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 4503599627370496 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 0 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 4 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 2251799813685248 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 1 AS BIGINT) AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("note"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("note") <= 2000 THEN "note" ELSE MD5("note") END), 15), 16) AS DECIMAL(38,0))), COUNT("body"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("body") <= 2000 THEN "body" ELSE MD5("body") END), 15), 16) AS DECIMAL(38,0))), COUNT("sold"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("sold", 'YYYY-MM-DD HH24:MI:SS.US')), 15), 16) AS DECIMAL(38,0))), COUNT("day"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("day", 'YYYY-MM-DD')), 15), 16) AS DECIMAL(38,0))), COUNT("really"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("really" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("page"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("page") <= 2000 THEN "page" ELSE MD5("page") END), 15), 16) AS DECIMAL(38,0))), COUNT("clock"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("clock" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("clock" AS VARCHAR), '0'), '.') ELSE CAST("clock" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))) FROM "compared_<hex>" GROUP BY 1;

SELECT CAST(((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))) - MOD((CAST("id" AS DECIMAL(21,0)) - CAST(1 AS DECIMAL(21,0))), CAST(1 AS DECIMAL(22,0)))) / CAST(1 AS DECIMAL(1,0)) AS DECIMAL(22,0)) AS cell, COUNT(*), COUNT("id"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("id" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("price"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("rate"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN ABS("rate") < 9007199254740992 AND "rate" = FLOOR("rate") THEN CAST(CAST("rate" AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 1 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 9007199254740992 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + -1 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 2 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 4503599627370496 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 0 AS BIGINT) AS VARCHAR) WHEN ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) < 4 THEN CASE WHEN "rate" < 0 THEN '-' ELSE '' END || CAST(CAST(ABS("rate") / POWER(2, LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634)))) * 2251799813685248 AS BIGINT) AS VARCHAR) || 'b' || CAST(CAST(LEAST(1022, GREATEST(-1021, FLOOR(LN(ABS("rate")) * 1.4426950408889634))) + 1 AS BIGINT) AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))), COUNT("note"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("note") <= 2000 THEN "note" ELSE MD5("note") END), 15), 16) AS DECIMAL(38,0))), COUNT("body"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("body") <= 2000 THEN "body" ELSE MD5("body") END), 15), 16) AS DECIMAL(38,0))), COUNT("sold"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("sold", 'YYYY-MM-DD HH24:MI:SS.US')), 15), 16) AS DECIMAL(38,0))), COUNT("day"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || TO_CHAR("day", 'YYYY-MM-DD')), 15), 16) AS DECIMAL(38,0))), COUNT("really"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CAST("really" AS VARCHAR)), 15), 16) AS DECIMAL(38,0))), COUNT("page"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN OCTET_LENGTH("page") <= 2000 THEN "page" ELSE MD5("page") END), 15), 16) AS DECIMAL(38,0))), COUNT("clock"), SUM(CAST(STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("clock" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("clock" AS VARCHAR), '0'), '.') ELSE CAST("clock" AS VARCHAR) END), 15), 16) AS DECIMAL(38,0))) FROM "raw"."sales" GROUP BY 1;

SELECT "id", CAST("id" AS VARCHAR), STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) FROM "compared_<hex>" WHERE ("id" BETWEEN 1 AND 1);

SELECT "id", CAST("id" AS VARCHAR), STRTOL(LEFT(MD5(CAST("id" AS VARCHAR) || '' || CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END), 15), 16) FROM "raw"."sales" WHERE ("id" BETWEEN 1 AND 1);

SELECT CAST("id" AS VARCHAR), CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END FROM "compared_<hex>" WHERE "id" IN (1);

SELECT CAST("id" AS VARCHAR), CASE WHEN STRPOS(CAST("price" AS VARCHAR), '.') > 0 THEN RTRIM(RTRIM(CAST("price" AS VARCHAR), '0'), '.') ELSE CAST("price" AS VARCHAR) END FROM "raw"."sales" WHERE "id" IN (1);

COMMIT;

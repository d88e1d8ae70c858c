-- What the emulator's Postgres has that Redshift has: its VARCHAR, its functions, its system tables.
-- Everything is in the schema redshift, which the sessions' search path puts before pg_catalog.

CREATE SCHEMA redshift;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;
SET LOCAL search_path = redshift, pg_catalog;


-- VARCHAR: the bytes of Postgres's own, compared as CHAR is, without the blanks at the end.
CREATE TYPE redshift.varchar;
CREATE FUNCTION redshift.varcharin(cstring, oid, integer) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'varcharin';
CREATE FUNCTION redshift.varcharout(redshift.varchar) RETURNS cstring
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'varcharout';
CREATE FUNCTION redshift.varcharrecv(internal, oid, integer) RETURNS redshift.varchar
    LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'varcharrecv';
CREATE FUNCTION redshift.varcharsend(redshift.varchar) RETURNS bytea
    LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'varcharsend';
CREATE TYPE redshift.varchar (
    INPUT = redshift.varcharin,
    OUTPUT = redshift.varcharout,
    RECEIVE = redshift.varcharrecv,
    SEND = redshift.varcharsend,
    TYPMOD_IN = pg_catalog.varchartypmodin,
    TYPMOD_OUT = pg_catalog.varchartypmodout,
    STORAGE = extended,
    CATEGORY = 'S',
    COLLATABLE = true
);

CREATE CAST (redshift.varchar AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (text AS redshift.varchar) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (redshift.varchar AS pg_catalog.varchar) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE CAST (pg_catalog.varchar AS redshift.varchar) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION redshift.from_bpchar(bpchar) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'rtrim1';
CREATE CAST (bpchar AS redshift.varchar) WITH FUNCTION redshift.from_bpchar(bpchar) AS ASSIGNMENT;
CREATE CAST (redshift.varchar AS bpchar) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION redshift.from_name(name) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'name_text';
CREATE CAST (name AS redshift.varchar) WITH FUNCTION redshift.from_name(name) AS ASSIGNMENT;

-- The longest beginning of a value that has so many bytes, in whole characters.
CREATE FUNCTION redshift.cut(value text, bytes integer) RETURNS redshift.varchar
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    raw bytea := convert_to(value, 'UTF8');
    upto integer := least(bytes, pg_catalog.length(raw));
BEGIN
    WHILE upto > 0 AND upto < pg_catalog.length(raw) AND (get_byte(raw, upto) & 192) = 128 LOOP
        upto := upto - 1;
    END LOOP;
    RETURN convert_from(pg_catalog.substring(raw, 1, upto), 'UTF8');
END $$;

CREATE FUNCTION redshift.cut_blanks(value text, bytes integer) RETURNS redshift.varchar
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF octet_length(pg_catalog.rtrim(value, ' ')) > bytes THEN
        RAISE EXCEPTION USING errcode = '22001', message =
            pg_catalog.format('value too long for type character varying(%s)', bytes);
    END IF;
    RETURN redshift.cut(value, bytes);
END $$;

-- An explicit cast truncates; an assignment loses nothing but blanks. Lengths are bytes.
CREATE FUNCTION redshift.sized(value redshift.varchar, typmod integer, explicit boolean) RETURNS redshift.varchar
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN octet_length(value::text) <= typmod - 4 THEN value
                WHEN explicit THEN redshift.cut(value::text, typmod - 4)
                ELSE redshift.cut_blanks(value::text, typmod - 4) END;
CREATE CAST (redshift.varchar AS redshift.varchar)
    WITH FUNCTION redshift.sized(redshift.varchar, integer, boolean) AS IMPLICIT;

-- CHAR's comparison, for VARCHAR and TEXT in every combination.
CREATE OPERATOR FAMILY redshift.varchar_ops USING btree;
CREATE OPERATOR FAMILY redshift.varchar_ops USING hash;
DO $$
DECLARE
    pair record;
    op record;
BEGIN
    FOR pair IN SELECT l, r FROM unnest(ARRAY['redshift.varchar', 'text']) l, unnest(ARRAY['redshift.varchar', 'text']) r LOOP
        FOR op IN SELECT * FROM (VALUES
            ('=', 'bpchareq'), ('<>', 'bpcharne'), ('<', 'bpcharlt'),
            ('<=', 'bpcharle'), ('>', 'bpchargt'), ('>=', 'bpcharge'), (NULL, 'bpcharcmp')) o (sign, code)
        LOOP
            EXECUTE pg_catalog.format(
                'CREATE FUNCTION redshift.%I(%s, %s) RETURNS %s LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS %L',
                op.code, pair.l, pair.r, CASE WHEN op.sign IS NULL THEN 'integer' ELSE 'boolean' END, op.code);
        END LOOP;
        -- Negators first come as shells, which the later CREATE OPERATOR fills.
        FOR op IN SELECT * FROM (VALUES
            ('=', 'bpchareq', '=', '<>', 'eqsel', 'eqjoinsel', ', HASHES, MERGES'),
            ('<>', 'bpcharne', '<>', '=', 'neqsel', 'neqjoinsel', ''),
            ('<', 'bpcharlt', '>', '>=', 'scalarltsel', 'scalarltjoinsel', ''),
            ('<=', 'bpcharle', '>=', '>', 'scalarlesel', 'scalarlejoinsel', ''),
            ('>', 'bpchargt', '<', '<=', 'scalargtsel', 'scalargtjoinsel', ''),
            ('>=', 'bpcharge', '<=', '<', 'scalargesel', 'scalargejoinsel', ''))
            o (sign, code, commutator, negator, restriction, joining, more)
        LOOP
            EXECUTE pg_catalog.format(
                'CREATE OPERATOR redshift.%s (FUNCTION = redshift.%I, LEFTARG = %s, RIGHTARG = %s, COMMUTATOR = OPERATOR(redshift.%s), '
                'NEGATOR = OPERATOR(redshift.%s), RESTRICT = %s, JOIN = %s%s)',
                op.sign, op.code, pair.l, pair.r, op.commutator, op.negator, op.restriction, op.joining, op.more);
        END LOOP;
        EXECUTE pg_catalog.format(
            'ALTER OPERATOR FAMILY redshift.varchar_ops USING btree ADD '
            'OPERATOR 1 redshift.< (%1$s, %2$s), OPERATOR 2 redshift.<= (%1$s, %2$s), OPERATOR 3 redshift.= (%1$s, %2$s), '
            'OPERATOR 4 redshift.>= (%1$s, %2$s), OPERATOR 5 redshift.> (%1$s, %2$s), '
            'FUNCTION 1 (%1$s, %2$s) redshift.bpcharcmp(%1$s, %2$s)', pair.l, pair.r);
        EXECUTE pg_catalog.format(
            'ALTER OPERATOR FAMILY redshift.varchar_ops USING hash ADD OPERATOR 1 redshift.= (%s, %s)', pair.l, pair.r);
    END LOOP;
END $$;

CREATE FUNCTION redshift.hashbpchar(redshift.varchar) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpchar';
CREATE FUNCTION redshift.hashbpchar(text) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpchar';
CREATE FUNCTION redshift.hashbpcharextended(redshift.varchar, bigint) RETURNS bigint
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpcharextended';
CREATE FUNCTION redshift.hashbpcharextended(text, bigint) RETURNS bigint
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'hashbpcharextended';
ALTER OPERATOR FAMILY redshift.varchar_ops USING hash ADD
    FUNCTION 1 (text, text) redshift.hashbpchar(text),
    FUNCTION 2 (text, text) redshift.hashbpcharextended(text, bigint);
CREATE OPERATOR CLASS redshift.varchar_ops DEFAULT FOR TYPE redshift.varchar USING btree
    FAMILY redshift.varchar_ops AS STORAGE redshift.varchar;
CREATE OPERATOR CLASS redshift.varchar_ops DEFAULT FOR TYPE redshift.varchar USING hash
    FAMILY redshift.varchar_ops AS
    FUNCTION 1 redshift.hashbpchar(redshift.varchar),
    FUNCTION 2 redshift.hashbpcharextended(redshift.varchar, bigint);

-- A catalogue's names beside VARCHAR.
DO $$
DECLARE
    op record;
BEGIN
    FOR op IN SELECT * FROM (VALUES
        ('=', 'nameeqtext', 'name', 'redshift.varchar'), ('<>', 'namenetext', 'name', 'redshift.varchar'),
        ('=', 'texteqname', 'redshift.varchar', 'name'), ('<>', 'textnename', 'redshift.varchar', 'name'))
        o (sign, code, l, r)
    LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION redshift.%I(%s, %s) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT '
                       'PARALLEL SAFE AS %L', op.code, op.l, op.r, op.code);
        EXECUTE pg_catalog.format('CREATE OPERATOR redshift.%s (FUNCTION = redshift.%I, LEFTARG = %s, RIGHTARG = %s)',
                       op.sign, op.code, op.l, op.r);
    END LOOP;
END $$;


-- Postgres's functions that return text: the same with VARCHAR, so that what they return compares as VARCHAR does.
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN
        SELECT p.proname, p.prosrc, p.provolatile, p.proisstrict, pg_get_function_identity_arguments(p.oid) AS arguments
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prorettype = 'text'::regtype AND l.lanname = 'internal'
          AND p.prokind = 'f' AND p.provariadic = 0 AND p.proname IN (
            'btrim', 'chr', 'initcap', 'left', 'lower', 'lpad', 'ltrim', 'md5', 'quote_ident', 'quote_literal',
            'regexp_replace', 'regexp_substr', 'repeat', 'replace', 'reverse', 'right', 'rpad', 'rtrim', 'split_part',
            'substr', 'substring', 'timeofday', 'to_char', 'translate', 'upper')
    LOOP
        EXECUTE pg_catalog.format('CREATE FUNCTION redshift.%I(%s) RETURNS redshift.varchar LANGUAGE internal %s %s PARALLEL SAFE AS %L',
            f.proname, f.arguments, CASE f.provolatile WHEN 'i' THEN 'IMMUTABLE' ELSE 'STABLE' END,
            CASE WHEN f.proisstrict THEN 'STRICT' ELSE '' END, f.prosrc);
    END LOOP;
END $$;
-- SQL's own words for what Postgres writes in SQL itself.
CREATE FUNCTION redshift.trim(text) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'btrim1';
CREATE FUNCTION redshift.lpad(text, integer) RETURNS redshift.varchar
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN redshift.lpad($1, $2, ' ');
CREATE FUNCTION redshift.rpad(text, integer) RETURNS redshift.varchar
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN redshift.rpad($1, $2, ' ');
CREATE FUNCTION redshift.textcat(text, text) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textcat';
CREATE OPERATOR redshift.|| (FUNCTION = redshift.textcat, LEFTARG = text, RIGHTARG = text);
-- Of exactly two, and NULL where one of them is.
CREATE FUNCTION redshift.concat(text, text) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textcat';
CREATE FUNCTION redshift.position(text, text) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textpos';
CREATE FUNCTION redshift.charindex(looked_for text, value text) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN strpos($2, $1);
CREATE FUNCTION redshift.len(text) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textlen';
CREATE FUNCTION redshift.len(bpchar) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharlen';
CREATE FUNCTION redshift.textlen(text) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'textlen';
CREATE FUNCTION redshift.replicate(text, integer) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'repeat';
CREATE FUNCTION redshift.bpcharcmp(bpchar, bpchar) RETURNS integer
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpcharcmp';

CREATE FUNCTION redshift.larger(redshift.varchar, redshift.varchar) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpchar_larger';
CREATE FUNCTION redshift.smaller(redshift.varchar, redshift.varchar) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'bpchar_smaller';
CREATE AGGREGATE redshift.max(redshift.varchar) (
    SFUNC = redshift.larger, STYPE = redshift.varchar, SORTOP = OPERATOR(redshift.>),
    COMBINEFUNC = redshift.larger, PARALLEL = SAFE);
CREATE AGGREGATE redshift.min(redshift.varchar) (
    SFUNC = redshift.smaller, STYPE = redshift.varchar, SORTOP = OPERATOR(redshift.<),
    COMBINEFUNC = redshift.smaller, PARALLEL = SAFE);
CREATE FUNCTION redshift.listagg_result(internal) RETURNS redshift.varchar
    LANGUAGE internal PARALLEL SAFE AS 'string_agg_finalfn';
CREATE AGGREGATE redshift.listagg(text, text) (
    SFUNC = string_agg_transfn, STYPE = internal, FINALFUNC = redshift.listagg_result);

-- Sums and averages of whole numbers are whole numbers.
CREATE AGGREGATE redshift.sum(bigint) (
    SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE);
CREATE FUNCTION redshift.whole_average(bigint[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN CASE WHEN $1[1] > 0 THEN $1[2] / $1[1] END;
CREATE FUNCTION redshift.add_up(bigint[], bigint) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN ARRAY[$1[1] + 1, $1[2] + $2];
CREATE AGGREGATE redshift.avg(smallint) (
    SFUNC = int2_avg_accum, STYPE = bigint[], FINALFUNC = redshift.whole_average, INITCOND = '{0,0}');
CREATE AGGREGATE redshift.avg(integer) (
    SFUNC = int4_avg_accum, STYPE = bigint[], FINALFUNC = redshift.whole_average, INITCOND = '{0,0}');
CREATE AGGREGATE redshift.avg(bigint) (
    SFUNC = redshift.add_up, STYPE = bigint[], FINALFUNC = redshift.whole_average, INITCOND = '{0,0}');


-- Dates. SYSDATE is of the transaction's start, GETDATE of the statement's and to the second; both have no zone.
CREATE FUNCTION redshift.sysdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
    RETURN transaction_timestamp()::timestamp;
CREATE FUNCTION redshift.getdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
    RETURN pg_catalog.date_trunc('second', statement_timestamp())::timestamp;

CREATE FUNCTION redshift.step(part text, amount bigint) RETURNS interval
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN CASE
        WHEN part IN ('day', 'dayofyear', 'dayofweek') THEN make_interval(days => amount::integer)
        WHEN part = 'month' THEN make_interval(months => amount::integer)
        WHEN part = 'quarter' THEN make_interval(months => (3 * amount)::integer)
        WHEN part = 'year' THEN make_interval(years => amount::integer)
        WHEN part = 'decade' THEN make_interval(years => (10 * amount)::integer)
        WHEN part = 'century' THEN make_interval(years => (100 * amount)::integer)
        WHEN part = 'millennium' THEN make_interval(years => (1000 * amount)::integer)
        WHEN part = 'week' THEN make_interval(weeks => amount::integer)
        WHEN part = 'hour' THEN amount * interval '1 hour'
        WHEN part = 'minute' THEN amount * interval '1 minute'
        WHEN part = 'second' OR part = 'epoch' THEN amount * interval '1 second'
        WHEN part = 'millisecond' THEN amount * interval '1 millisecond'
        WHEN part = 'microsecond' THEN amount * interval '1 microsecond' END;
CREATE FUNCTION redshift.dateadd(part text, amount bigint, at timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN at + redshift.step(part, amount);
CREATE FUNCTION redshift.dateadd(part text, amount bigint, at date) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN at + redshift.step(part, amount);
CREATE FUNCTION redshift.dateadd(part text, amount bigint, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN at + redshift.step(part, amount);

-- How many boundaries of the part lie between the two.
CREATE FUNCTION redshift.datediff(part text, since timestamp, until timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN CASE
        WHEN part = 'year' THEN pg_catalog.date_part('year', until) - pg_catalog.date_part('year', since)
        WHEN part = 'quarter' THEN 4 * (pg_catalog.date_part('year', until) - pg_catalog.date_part('year', since))
            + pg_catalog.date_part('quarter', until) - pg_catalog.date_part('quarter', since)
        WHEN part = 'month' THEN 12 * (pg_catalog.date_part('year', until) - pg_catalog.date_part('year', since))
            + pg_catalog.date_part('month', until) - pg_catalog.date_part('month', since)
        WHEN part IN ('decade', 'century', 'millennium')
            THEN pg_catalog.date_part(part, until) - pg_catalog.date_part(part, since)
        WHEN part = 'day' THEN until::date - since::date
        ELSE round(pg_catalog.extract('epoch', pg_catalog.date_trunc(part, until) - pg_catalog.date_trunc(part, since))
            * CASE part WHEN 'hour' THEN 1 / 3600.0 WHEN 'minute' THEN 1 / 60.0 WHEN 'second' THEN 1
                WHEN 'millisecond' THEN 1000 WHEN 'microsecond' THEN 1000000 END) END::bigint;
CREATE FUNCTION redshift.datediff(part text, since date, until date) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN redshift.datediff(part, since::timestamp, until::timestamp);
CREATE FUNCTION redshift.datediff(part text, since timestamptz, until timestamptz) RETURNS bigint
    LANGUAGE sql STABLE STRICT PARALLEL SAFE
    RETURN redshift.datediff(part, since AT TIME ZONE 'UTC', until AT TIME ZONE 'UTC');

-- Parts of dates are whole numbers; date_part gives them as DOUBLE PRECISION, as upstream does.
CREATE FUNCTION redshift.extract(part text, at date) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN trunc(pg_catalog.extract(part, at))::integer;
CREATE FUNCTION redshift.extract(part text, at timestamp) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN trunc(pg_catalog.extract(part, at))::integer;
CREATE FUNCTION redshift.extract(part text, at timestamptz) RETURNS integer
    LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN trunc(pg_catalog.extract(part, at))::integer;
CREATE FUNCTION redshift.extract(part text, at interval) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN trunc(pg_catalog.extract(part, at))::integer;
CREATE FUNCTION redshift.date_trunc(part text, at date) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN pg_catalog.date_trunc(part, at::timestamp);
CREATE FUNCTION redshift.trunc(timestamp) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::date;
CREATE FUNCTION redshift.last_day(timestamp) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN (pg_catalog.date_trunc('month', $1) + interval '1 month' - interval '1 day')::date;
CREATE FUNCTION redshift.convert_timezone(to_zone text, at timestamp) RETURNS timestamp
    LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN at AT TIME ZONE 'UTC' AT TIME ZONE to_zone;
CREATE FUNCTION redshift.convert_timezone(from_zone text, to_zone text, at timestamp) RETURNS timestamp
    LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN at AT TIME ZONE from_zone AT TIME ZONE to_zone;


-- Hashes and numbers in other bases.
CREATE FUNCTION redshift.strtol(text, integer) RETURNS bigint LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    digits text := pg_catalog.lower(pg_catalog.btrim($1));
    negative boolean := false;
    total numeric := 0;
    digit integer;
BEGIN
    IF $2 < 2 OR $2 > 36 THEN
        RAISE EXCEPTION USING errcode = '22023', message = 'base must be between 2 and 36';
    END IF;
    IF pg_catalog."left"(digits, 1) IN ('-', '+') THEN
        negative := pg_catalog."left"(digits, 1) = '-';
        digits := pg_catalog.substr(digits, 2);
    END IF;
    IF $2 = 16 AND pg_catalog."left"(digits, 2) = '0x' THEN
        digits := pg_catalog.substr(digits, 3);
    END IF;
    FOR place IN 1 .. pg_catalog.length(digits) LOOP
        digit := pg_catalog.strpos('0123456789abcdefghijklmnopqrstuvwxyz', pg_catalog.substr(digits, place, 1)) - 1;
        IF digit < 0 OR digit >= $2 THEN
            RAISE EXCEPTION USING errcode = '22P02', message =
                pg_catalog.format('The input %s is not valid to be converted to base %s', $1, $2);
        END IF;
        total := total * $2 + digit;
    END LOOP;
    RETURN CASE WHEN negative THEN -total ELSE total END;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RAISE EXCEPTION USING errcode = '22003', message =
        pg_catalog.format('The input %s overflows a BIGINT in base %s', $1, $2);
END $$;
CREATE FUNCTION redshift.to_hex(bigint) RETURNS redshift.varchar
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'to_hex64';
CREATE FUNCTION redshift.to_hex(bytea) RETURNS redshift.varchar
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN encode($1, 'hex')::redshift.varchar;
CREATE FUNCTION redshift.from_hex(text) RETURNS bytea
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN decode($1, 'hex');
CREATE FUNCTION redshift.sha2(text, integer) RETURNS redshift.varchar LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN encode(CASE $2 WHEN 224 THEN sha224(convert_to($1, 'UTF8')) WHEN 384 THEN sha384(convert_to($1, 'UTF8'))
        WHEN 512 THEN sha512(convert_to($1, 'UTF8'))
        WHEN 256 THEN sha256(convert_to($1, 'UTF8')) WHEN 0 THEN sha256(convert_to($1, 'UTF8')) END,
        'hex')::redshift.varchar;


-- JSON: SUPER is jsonb upstream.
CREATE FUNCTION redshift.is_valid_json(text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 IS JSON;
CREATE FUNCTION redshift.can_json_parse(text) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 IS JSON;
CREATE FUNCTION redshift.json_parse(text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::jsonb;


-- The session.
CREATE SEQUENCE redshift.query_ids;
GRANT USAGE, SELECT ON SEQUENCE redshift.query_ids TO PUBLIC;
CREATE FUNCTION redshift.version() RETURNS redshift.varchar LANGUAGE sql STABLE PARALLEL SAFE
    RETURN 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, emulated Redshift 1.0'::redshift.varchar;
CREATE FUNCTION redshift.pg_last_copy_count() RETURNS bigint LANGUAGE sql STABLE
    RETURN coalesce(nullif(current_setting('redshift.last_copy_count', true), ''), '-1')::bigint;
CREATE FUNCTION redshift.pg_last_copy_id() RETURNS bigint LANGUAGE sql STABLE
    RETURN coalesce(nullif(current_setting('redshift.last_copy_id', true), ''), '-1')::bigint;
CREATE FUNCTION redshift.pg_last_query_id() RETURNS bigint LANGUAGE sql STABLE
    RETURN coalesce(nullif(current_setting('redshift.last_query_id', true), ''), '-1')::bigint;
CREATE FUNCTION redshift.current_user_id() RETURNS integer LANGUAGE sql STABLE
    RETURN (SELECT oid::bigint::integer FROM pg_catalog.pg_roles WHERE rolname = current_user);
CREATE FUNCTION redshift.array_to_string(anyarray, text) RETURNS redshift.varchar
    LANGUAGE internal STABLE STRICT PARALLEL SAFE AS 'array_to_text';


-- Types as Redshift names them.
CREATE FUNCTION redshift.format_type(type oid, typmod integer) RETURNS redshift.varchar LANGUAGE sql STABLE AS $$
    SELECT CASE type
        WHEN 'redshift.varchar'::regtype THEN
            'character varying' || CASE WHEN typmod > 4 THEN '(' || (typmod - 4) || ')' ELSE '' END
        WHEN 'jsonb'::regtype THEN 'super'
        WHEN 'bytea'::regtype THEN 'binary varying'
        ELSE pg_catalog.format_type(type, typmod) END::redshift.varchar $$;


-- Keys: declared, remembered, never enforced.
CREATE SEQUENCE redshift.key_ids START 3000000000;
CREATE TABLE redshift.declared_keys (
    oid       oid NOT NULL DEFAULT nextval('redshift.key_ids')::oid,
    conname   name NOT NULL,
    contype   "char" NOT NULL,
    conrelid  oid NOT NULL,
    conkey    smallint[] NOT NULL,
    confrelid oid NOT NULL,
    confkey   smallint[]
);
GRANT SELECT ON redshift.declared_keys TO PUBLIC;

CREATE FUNCTION redshift.column_numbers(relation regclass, columns text[]) RETURNS smallint[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    numbers smallint[] := '{}';
    wanted text;
    number smallint;
BEGIN
    FOREACH wanted IN ARRAY columns LOOP
        SELECT attnum INTO number FROM pg_catalog.pg_attribute
        WHERE attrelid = relation AND attname OPERATOR(pg_catalog.=) wanted::name AND attnum > 0 AND NOT attisdropped;
        IF number IS NULL THEN
            RAISE EXCEPTION USING errcode = '42703', message =
                pg_catalog.format('column "%s" named in key does not exist', wanted);
        END IF;
        numbers := numbers || number;
    END LOOP;
    RETURN numbers;
END $$;

-- Names are resolved as the caller, rows written as the superuser, and only for the table's owner.
CREATE PROCEDURE redshift.declare_key(
    relation text, kind text, key text, columns text[], other text, other_columns text[], once boolean)
    LANGUAGE plpgsql AS $$
DECLARE
    target regclass := relation::regclass;
    referred regclass := nullif(other, '')::regclass;
    other_keys smallint[];
BEGIN
    IF referred IS NOT NULL THEN
        other_keys := CASE WHEN other_columns <> '{}' THEN redshift.column_numbers(referred, other_columns)
            ELSE (SELECT conkey FROM redshift.declared_keys WHERE conrelid = referred AND contype = 'p') END;
        IF other_keys IS NULL THEN
            RAISE EXCEPTION USING errcode = '42704', message =
                pg_catalog.format('there is no primary key for referenced table "%s"', other);
        END IF;
    END IF;
    CALL redshift.remember_key(
        target, kind, key, redshift.column_numbers(target, columns), coalesce(referred, 0::oid), other_keys, once);
END $$;

CREATE PROCEDURE redshift.remember_key(
    target regclass, kind text, key text, columns smallint[], referred oid, other_keys smallint[], once boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = target AND pg_has_role(session_user, relowner, 'MEMBER')) THEN
        RAISE EXCEPTION USING errcode = '42501', message = format('must be owner of relation %s', target);
    END IF;
    -- CREATE TABLE IF NOT EXISTS declares the keys of a table that has them.
    IF once AND EXISTS (SELECT FROM redshift.declared_keys WHERE conrelid = target AND conname = key::name) THEN
        RETURN;
    END IF;
    IF kind = 'p' AND EXISTS (SELECT FROM redshift.declared_keys WHERE conrelid = target AND contype = 'p') THEN
        RAISE EXCEPTION USING errcode = '42P16', message =
            format('multiple primary keys for table "%s" are not allowed', target);
    END IF;
    INSERT INTO redshift.declared_keys (conname, contype, conrelid, conkey, confrelid, confkey)
    VALUES (key::name, kind::"char", target, columns, referred, other_keys);
END $$;

CREATE PROCEDURE redshift.drop_key(relation text, key text) LANGUAGE plpgsql AS $$
BEGIN
    CALL redshift.forget_key(relation::regclass, key);
END $$;
CREATE PROCEDURE redshift.forget_key(target regclass, key text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = target AND pg_has_role(session_user, relowner, 'MEMBER')) THEN
        RAISE EXCEPTION USING errcode = '42501', message = format('must be owner of relation %s', target);
    END IF;
    DELETE FROM redshift.declared_keys WHERE conrelid = target AND conname = key::name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING errcode = '42704', message =
            format('constraint "%s" of relation "%s" does not exist', key, target);
    END IF;
END $$;

CREATE VIEW redshift.pg_constraint AS
    SELECT k.oid, k.conname, c.relnamespace AS connamespace, k.contype, false AS condeferrable, false AS condeferred,
        k.conrelid, 0::oid AS contypid, k.confrelid, ' '::"char" AS confupdtype, ' '::"char" AS confdeltype,
        ' '::"char" AS confmatchtype, k.conkey, k.confkey, NULL::text AS conbin, NULL::text AS consrc
    FROM redshift.declared_keys k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    UNION ALL
    SELECT oid, conname, connamespace, contype, condeferrable, condeferred, conrelid, contypid, confrelid,
        confupdtype, confdeltype, confmatchtype, conkey, confkey, conbin::text, NULL
    FROM pg_catalog.pg_constraint WHERE contype NOT IN ('n', 'p', 'u', 'f');
GRANT SELECT ON redshift.pg_constraint TO PUBLIC;

CREATE FUNCTION redshift.column_list(relation oid, numbers smallint[]) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY n.place)
    FROM unnest(numbers) WITH ORDINALITY n (number, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = relation AND a.attnum = n.number $$;
CREATE FUNCTION redshift.pg_get_constraintdef(key oid) RETURNS redshift.varchar LANGUAGE sql STABLE AS $$
    SELECT CASE k.contype
        WHEN 'p' THEN 'PRIMARY KEY (' || redshift.column_list(k.conrelid, k.conkey) || ')'
        WHEN 'u' THEN 'UNIQUE (' || redshift.column_list(k.conrelid, k.conkey) || ')'
        ELSE 'FOREIGN KEY (' || redshift.column_list(k.conrelid, k.conkey) || ') REFERENCES ' || k.confrelid::regclass
            || '(' || redshift.column_list(k.confrelid, k.confkey) || ')' END::redshift.varchar
    FROM redshift.declared_keys k WHERE k.oid = key
    UNION ALL
    SELECT pg_catalog.pg_get_constraintdef(key)::redshift.varchar
    WHERE NOT EXISTS (SELECT FROM redshift.declared_keys k WHERE k.oid = key) $$;


-- CREATE TABLE AS: what has no length or precision yet gets the largest. No value changes by that.
CREATE PROCEDURE redshift.settle(relation text) LANGUAGE plpgsql AS $$
BEGIN
    CALL redshift.settle_columns(relation::regclass, relation::regclass, NULL);
END $$;
-- One without rows has no values to tell its precisions by: the query's own, without its LIMIT 0, have them. Where that
-- has none either, a sum has the scale of what is `summed`.
CREATE PROCEDURE redshift.settle_like(relation text, query text, summed text) LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = relation::regclass AND attnum > 0
        AND atttypmod OPERATOR(pg_catalog.=) -1 AND atttypid = 'numeric'::regtype) THEN
        CALL redshift.settle(relation);
        RETURN;
    END IF;
    EXECUTE 'CREATE TEMP TABLE redshift_settled AS ' || query;
    IF summed OPERATOR(pg_catalog.=) '' THEN
        CALL redshift.settle_columns(relation::regclass, 'pg_temp.redshift_settled'::regclass, NULL);
    ELSE
        EXECUTE 'CREATE TEMP TABLE redshift_summed AS SELECT * FROM (' || summed || ') q LIMIT 0';
        CALL redshift.settle_columns(
            relation::regclass, 'pg_temp.redshift_settled'::regclass, 'pg_temp.redshift_summed'::regclass);
        DROP TABLE pg_temp.redshift_summed;
    END IF;
    DROP TABLE pg_temp.redshift_settled;
END $$;
CREATE PROCEDURE redshift.settle_columns(target regclass, example regclass, summed regclass)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    own record;
    scale integer;
    digits integer;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_class WHERE oid = target AND pg_has_role(session_user, relowner, 'MEMBER')) THEN
        RAISE EXCEPTION USING errcode = '42501', message = format('must be owner of relation %s', target);
    END IF;
    FOR own IN
        SELECT attname, attnum, atttypid::regtype::text AS kind FROM pg_attribute
        WHERE attrelid = target AND attnum > 0 AND atttypmod = -1
          AND atttypid IN ('redshift.varchar'::regtype, 'text'::regtype, 'varchar'::regtype, 'numeric'::regtype)
    LOOP
        IF own.kind = 'numeric' THEN
            EXECUTE format('SELECT coalesce(max(scale(%1$I)), 0), coalesce(max(length(trunc(abs(%1$I))::text)), 1) FROM %2$s',
                own.attname, example) INTO scale, digits;
            scale := greatest(scale, (SELECT (atttypmod - 4) & 2047 FROM pg_attribute
                WHERE attrelid = summed AND attname = own.attname AND atttypid = 'numeric'::regtype AND atttypmod > 4));
            IF scale + digits > 38 OR scale > 37 THEN
                RAISE EXCEPTION USING errcode = '22003', message =
                    format('Numeric data overflow: column "%s" would need %s digits', own.attname, scale + digits);
            END IF;
            UPDATE pg_attribute SET atttypmod = ((38 << 16) | scale) + 4 WHERE attrelid = target AND attnum = own.attnum;
        ELSE
            UPDATE pg_attribute SET atttypid = 'redshift.varchar'::regtype, atttypmod = 65535 + 4
            WHERE attrelid = target AND attnum = own.attnum;
        END IF;
    END LOOP;
END $$;

CREATE PROCEDURE redshift.check_size(relation text, name text, bytes integer) LANGUAGE plpgsql AS $$
DECLARE
    was record;
BEGIN
    SELECT atttypid, atttypmod INTO was FROM pg_catalog.pg_attribute
    WHERE attrelid = relation::regclass AND attname OPERATOR(pg_catalog.=) name::name AND NOT attisdropped;
    IF was.atttypid <> 'redshift.varchar'::regtype THEN
        RAISE EXCEPTION USING errcode = '0A000', message = pg_catalog.format('cannot alter type of column "%s": not a VARCHAR', name);
    END IF;
    IF was.atttypmod - 4 > bytes THEN
        RAISE EXCEPTION USING errcode = '0A000', message = pg_catalog.format(
            'cannot alter column "%s" of relation "%s", target column size should be greater than current', name, relation::regclass);
    END IF;
END $$;


-- Load errors: the superuser writes them, and each user sees their own.
CREATE TABLE redshift.sys_load_error_detail (
    user_id        integer,
    query_id       bigint,
    transaction_id bigint,
    session_id     integer,
    database_name  char(64),
    table_id       integer,
    start_time     timestamp,
    file_name      char(256),
    line_number    bigint,
    column_name    char(127),
    column_type    char(10),
    column_length  char(10),
    "position"     integer,
    error_code     integer,
    error_message  char(512)
);
CREATE TABLE redshift.stl_load_errors (
    userid          integer,
    slice           integer,
    tbl             integer,
    starttime       timestamp,
    session         integer,
    query           integer,
    filename        char(256),
    line_number     bigint,
    colname         char(127),
    type            char(10),
    col_length      char(10),
    "position"      integer,
    raw_line        char(1024),
    raw_field_value char(1024),
    err_code        integer,
    err_reason      char(100),
    is_partial      integer,
    start_offset    bigint
);
ALTER TABLE redshift.sys_load_error_detail ENABLE ROW LEVEL SECURITY;
ALTER TABLE redshift.stl_load_errors ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON redshift.sys_load_error_detail FOR SELECT USING (user_id = redshift.current_user_id());
CREATE POLICY own ON redshift.stl_load_errors FOR SELECT USING (userid = redshift.current_user_id());
GRANT SELECT ON redshift.sys_load_error_detail, redshift.stl_load_errors TO PUBLIC;


-- Who holds which lock, and who waits. A session sees all of them, as a superuser does in Redshift.
CREATE FUNCTION redshift.transactions() RETURNS TABLE (
    txn_owner redshift.varchar, txn_db redshift.varchar, xid bigint, pid integer, txn_start timestamp,
    lock_mode redshift.varchar, lockable_object_type redshift.varchar, relation integer, granted boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = redshift, pg_catalog AS $$
    SELECT a.usename::redshift.varchar, a.datname::redshift.varchar, coalesce(a.backend_xid, a.backend_xmin)::text::bigint, a.pid,
        a.xact_start AT TIME ZONE 'UTC', l.mode::redshift.varchar, l.locktype::redshift.varchar,
        l.relation::bigint::integer, l.granted
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE a.xact_start IS NOT NULL AND a.datname OPERATOR(pg_catalog.=) current_database()
      AND l.locktype IN ('relation', 'transactionid') $$;
CREATE VIEW redshift.svv_transactions AS SELECT * FROM redshift.transactions();

CREATE FUNCTION redshift.locks() RETURNS TABLE (
    table_id bigint, last_commit timestamp, last_update timestamp, lock_owner bigint, lock_owner_pid bigint,
    lock_status redshift.varchar)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = redshift, pg_catalog AS $$
    SELECT DISTINCT l.relation::bigint, NULL::timestamp, a.xact_start AT TIME ZONE 'UTC',
        coalesce(a.backend_xid, a.backend_xmin)::text::bigint, a.pid::bigint,
        CASE WHEN NOT l.granted THEN 'Waiting for lock'
             WHEN l.mode = 'AccessExclusiveLock' THEN 'Holding delete lock' ELSE 'Holding write lock' END::redshift.varchar
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'relation' AND a.datname OPERATOR(pg_catalog.=) current_database() AND l.relation >= 16384
      AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') $$;
CREATE VIEW redshift.stv_locks AS SELECT * FROM redshift.locks();

CREATE VIEW redshift.svv_roles AS
    SELECT r.oid::bigint::integer AS role_id, r.rolname::redshift.varchar AS role_name, 'postgres'::redshift.varchar AS role_owner,
        NULL::redshift.varchar AS external_id
    FROM pg_catalog.pg_roles r WHERE NOT r.rolcanlogin AND r.rolname NOT LIKE 'pg\_%';
CREATE VIEW redshift.svv_user_grants AS
    SELECT u.oid::bigint::integer AS user_id, u.rolname::redshift.varchar AS user_name, r.oid::bigint::integer AS role_id,
        r.rolname::redshift.varchar AS role_name, m.admin_option
    FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles u ON u.oid = m.member
    JOIN pg_catalog.pg_roles r ON r.oid = m.roleid WHERE NOT r.rolcanlogin AND u.rolcanlogin;
CREATE VIEW redshift.stv_db_isolation_level AS
    SELECT d.datname::redshift.varchar AS db_name,
        CASE current_setting('default_transaction_isolation') WHEN 'serializable' THEN 'Serializable' ELSE 'Snapshot Isolation' END
            ::redshift.varchar AS isolation_level
    FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) current_database();
CREATE VIEW redshift.svv_redshift_databases AS
    SELECT l.db_name AS database_name, d.datdba::bigint::integer AS database_owner, 'local'::redshift.varchar AS database_type,
        NULL::redshift.varchar AS database_acl, NULL::redshift.varchar AS database_options,
        l.isolation_level AS database_isolation_level
    FROM redshift.stv_db_isolation_level l JOIN pg_catalog.pg_database d ON d.datname = l.db_name;
CREATE VIEW redshift.svv_column_privileges AS
    SELECT n.nspname::redshift.varchar AS namespace_name, c.relname::redshift.varchar AS relation_name,
        a.attname::redshift.varchar AS column_name, p.privilege_type::redshift.varchar AS privilege_type,
        p.grantee::bigint::integer AS identity_id, r.rolname::redshift.varchar AS identity_name,
        CASE WHEN r.rolcanlogin THEN 'user' ELSE 'role' END::redshift.varchar AS identity_type
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped,
        LATERAL pg_catalog.aclexplode(a.attacl) p JOIN pg_catalog.pg_roles r ON r.oid = p.grantee;
GRANT SELECT ON redshift.svv_column_privileges, redshift.svv_redshift_databases, redshift.svv_transactions, redshift.stv_locks, redshift.svv_roles, redshift.svv_user_grants,
    redshift.stv_db_isolation_level TO PUBLIC;

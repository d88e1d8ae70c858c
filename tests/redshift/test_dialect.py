"""What the emulator takes for Redshift's SQL, what it refuses, and what upstream makes of it."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from decimal import Decimal

import psycopg2
import pytest

from etl.stack import Postgres
from etl.testing import postgres_query
from tests.redshift import functions, upstream
from tests.redshift.dialect import Refused, statements
from tests.redshift.words import listed

# Postgres's, and not Redshift's.
TYPES = sorted(
    listed(
        """
        uuid json jsonb bytea serial bigserial inet money xml int4range bit interval int[] hstore regclass
        timestamp(3) varchar(65536) char(4097) decimal(39,2) decimal(5,6) varchar(0) varbyte(16777217)
        """
    )
)
FUNCTIONS = sorted(
    listed(
        """
        now statement_timestamp clock_timestamp starts_with to_jsonb hashtextextended string_agg array_agg
        json_agg pg_advisory_lock pg_advisory_xact_lock pg_sleep to_regclass unnest nextval gen_random_uuid
        format concat_ws
        """
    )
)

REFUSED = [
    # Statements
    "SAVEPOINT a",
    "ROLLBACK TO a",
    "RELEASE a",
    "PREPARE TRANSACTION 'a'",
    "COMMIT AND CHAIN",
    "LISTEN a",
    "NOTIFY a",
    "DISCARD ALL",
    "DO $$BEGIN END$$",
    "CREATE INDEX i ON t (a)",
    "CREATE SEQUENCE s",
    "CREATE DOMAIN d AS int",
    "CREATE TYPE e AS ENUM ('a')",
    "CREATE EXTENSION x",
    "CREATE RULE r AS ON INSERT TO t DO NOTHING",
    "CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()",
    "LOCK t IN SHARE MODE",
    "LOCK t NOWAIT",
    "TRUNCATE a, b",
    "TRUNCATE a CASCADE",
    "SET lock_timeout TO 1",
    "SET session_replication_role TO replica",
    "SET a.b.c TO 1",
    "SHOW work_mem",
    "DEALLOCATE ALL",
    "EXPLAIN ANALYZE SELECT 1",
    "VALUES (1)",
    "TABLE t",
    # Tables
    "CREATE UNLOGGED TABLE t (a int)",
    "CREATE TABLE t (a int CHECK (a > 0))",
    "CREATE TABLE t (a int, EXCLUDE USING gist (a WITH =))",
    "CREATE TABLE t (a int) PARTITION BY RANGE (a)",
    "CREATE TABLE t (a int) INHERITS (u)",
    "CREATE TABLE t (a int) WITH (fillfactor = 10)",
    "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
    "CREATE TABLE t (LIKE u INCLUDING ALL)",
    "CREATE TABLE t (a int REFERENCES u ON DELETE CASCADE)",
    "CREATE TABLE t (a int PRIMARY KEY DEFERRABLE)",
    "CREATE TABLE t (a int, PRIMARY KEY (b))",
    "CREATE TABLE t (a int) DISTKEY (b)",
    "CREATE TABLE t (a int) DISTSTYLE SOME",
    "CREATE TABLE t (a int) DISTSTYLE EVEN DISTSTYLE ALL",
    "CREATE TABLE t (a int ENCODE gzip)",
    "CREATE TABLE t (oid int)",
    *(f"CREATE TABLE t (a {kind})" for kind in TYPES),
    "ALTER TABLE t ADD COLUMN a int, ADD COLUMN b int",
    "ALTER TABLE t ADD COLUMN a int PRIMARY KEY",
    "ALTER TABLE t ADD COLUMN a int NOT NULL",
    "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int",
    "ALTER TABLE t ALTER COLUMN a TYPE bigint",
    "ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
    "ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
    "ALTER TABLE t SET SCHEMA s",
    "ALTER TABLE t SET UNLOGGED",
    "ALTER TABLE IF EXISTS t ADD COLUMN a int",
    "CREATE VIEW v AS SELECT a FROM t WITH NO SCHEMA BINDING",
    "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a",
    # Changes
    "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
    "INSERT INTO t VALUES (1) RETURNING a",
    "INSERT INTO t AS x VALUES (1)",
    "WITH q AS (SELECT 1) INSERT INTO t SELECT * FROM q",
    "DELETE FROM t x WHERE x.a = 1",
    "DELETE FROM t USING (SELECT 1 AS a) u WHERE t.a = u.a",
    "DELETE FROM t RETURNING a",
    "UPDATE t SET (a, b) = (1, 2)",
    "UPDATE t SET a = 1 FROM u LEFT JOIN v ON u.a = v.a WHERE t.a = u.a",
    "MERGE INTO t x USING s ON x.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.a)",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN DELETE",
    "MERGE INTO t USING (SELECT 1 a) s ON t.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.b = 1 THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "MERGE INTO t USING s ON t.a > s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1)",
    # Queries
    "SELECT DISTINCT ON (a) a FROM t",
    "SELECT a FROM t FOR UPDATE",
    "SELECT a FROM t FOR SHARE",
    "SELECT a FROM t FETCH FIRST 1 ROWS WITH TIES",
    "SELECT a FROM t, LATERAL (SELECT t.a) u",
    "SELECT * FROM (VALUES (1)) v (a)",
    "SELECT a FROM t TABLESAMPLE system (1)",
    "SELECT a FROM ONLY t",
    "SELECT * FROM (SELECT 1 AS a)",
    "SELECT a FROM t, generate_series(1, 3) g",
    "SELECT a FROM t INTERSECT ALL SELECT 1",
    "SELECT FROM t",
    "SELECT sum(a) OVER w FROM t WINDOW w AS (ORDER BY b)",
    "SELECT sum(a) OVER (ORDER BY b) FROM t",
    "SELECT sum(a) OVER (ORDER BY b RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM t",
    "WITH q AS (DELETE FROM t RETURNING a) SELECT * FROM q",
    "WITH q AS MATERIALIZED (SELECT 1) SELECT * FROM q",
    # Expressions
    "SELECT a IS DISTINCT FROM b FROM t",
    "SELECT a IS NOT DISTINCT FROM b FROM t",
    "SELECT count(*) FILTER (WHERE a > 1) FROM t",
    "SELECT mode() WITHIN GROUP (ORDER BY a) FROM t",
    "SELECT ARRAY[a] FROM t",
    "SELECT a[1] FROM t",
    "SELECT a FROM t WHERE a = ANY(ARRAY[1, 2])",
    "SELECT a FROM t WHERE a = ANY('{1,2}')",
    "SELECT ARRAY(SELECT a FROM t)",
    "SELECT a -> 'b' FROM t",
    "SELECT a @> b FROM t",
    "SELECT (a, b) = (1, 2) FROM t",
    "SELECT CAST(a AS uuid) FROM t",
    "SELECT a::jsonb FROM t",
    "SELECT 't'::regclass FROM u",
    "SELECT a::interval FROM t",
    "SELECT CURRENT_TIMESTAMP",
    "SELECT 0xff",
    "SELECT 1_000",
    "SELECT B'1'",
    "SELECT E'a'",
    *(f"SELECT {name}()" for name in FUNCTIONS),
    "SELECT has_table_privilege('t', 'select') FROM t",
    "SELECT current_schema() FROM t",
    "SELECT datediff(week, a, b) FROM t",
    "SELECT dateadd(fortnight, 1, a) FROM t",
    # Correlated subqueries that cannot be decorrelated
    "SELECT e.a FROM e WHERE NOT EXISTS (SELECT 1 FROM l WHERE NOT EXISTS (SELECT 1 FROM s WHERE e.a = s.a))",
    "SELECT * FROM c LEFT JOIN e ON c.a = e.a AND e.b = (SELECT max(s.b) FROM s WHERE s.b = e.b)",
    "SELECT a FROM s WHERE a NOT IN (SELECT sum(b) OVER () FROM l WHERE s.a = l.a)",
    # Names
    "SELECT a FROM raw.t",
    "SELECT a AS tag FROM t",
    "SELECT a FROM t open",
    "CREATE TABLE t (snapshot int)",
    "CREATE SCHEMA raw",
    f"SELECT a AS {'x' * 128} FROM t",
    # No SQL at all
    "SELEC 1",
    "SELECT 'a",
    "SELECT (1",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_redshift_does_not_have_is_refused(sql: str) -> None:
    with pytest.raises(Refused) as refused:
        statements(sql)
    assert refused.value.sqlstate[:2] in ("0A", "42", "22")


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("BEGIN", "begin"),
        ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE", "begin"),
        ("END", "commit"),
        ("ABORT", "rollback"),
        ("COPY t FROM 's3://b/k' IAM_ROLE default NULL AS '\\N' CSV", "copy"),
        ("UNLOAD ('select 1') TO 's3://b/k' IAM_ROLE default", "unload"),
        ("TRUNCATE TABLE t", "truncate"),
        ("SET emulator.fault TO 'x'", "fault"),
        ("SET query_group TO 'x'", "set"),
        ("RESET query_group", "set"),
        ("VACUUM DELETE ONLY t TO 99 PERCENT", "alone"),
        ("VACUUM", "alone"),
        ("ALTER TABLE t APPEND FROM s", "alone"),
        ("ALTER TABLE t ALTER COLUMN a TYPE varchar(20)", "alone"),
        ("ALTER TABLE t ALTER COLUMN a ENCODE zstd", "alone"),
        ("CREATE DATABASE d", "alone"),
        ("GRANT ASSUMEROLE ON 'arn' TO u FOR COPY", "ignored"),
        ("ANALYZE t", "sql"),
        ("LOCK TABLE a, b", "sql"),
    ],
)
def test_the_session_is_told_what_kind_of_statement_it_is(sql: str, kind: str) -> None:
    (statement,) = statements(sql)
    assert (statement.kind, statement.text) == (kind, sql)
    assert bool(statement.upstream) == (kind not in ("copy", "unload", "fault", "ignored"))


def test_a_message_is_split_at_its_semicolons() -> None:
    sql = "SELECT ';' AS \"a;b\" /* ; */; -- ;\n ;SELECT 'a\\';b' ;"
    assert [s.text for s in statements(sql)] == ["SELECT ';' AS \"a;b\"", "SELECT 'a\\';b'"]
    assert statements(" ; ") == []


@pytest.mark.parametrize(
    ("sql", "place"),
    [("SELECT 1;\nSELECT a\nFROM raw.t", "raw"), ("SELECT 'é', now()", "now"), ("SELECT 'a\\'b', 0xff", "0xff")],
)
def test_a_refusal_says_where(sql: str, place: str) -> None:
    with pytest.raises(Refused) as refused:
        statements(sql)
    last = sql.rsplit(";", 1)[-1].strip()
    assert refused.value.position == last.index(place) + 1


def test_a_quoted_reserved_word_is_a_name() -> None:
    (statement,) = statements('CREATE TABLE "raw"."open" ("tag" int) DISTKEY ("tag")')
    assert statement.upstream[0].startswith("CREATE TABLE raw.open (tag int")


def test_a_small_statement_takes_less_than_a_millisecond_when_it_is_known() -> None:
    sql = "SELECT a, b FROM s.t WHERE a = 1"
    statements(sql)
    started = time.perf_counter()
    for _ in range(1000):
        statements(sql)
    assert time.perf_counter() - started < 1


class Session:
    """A role of the database, as the emulator would run its statements."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url)
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        for setting in upstream.SETTINGS:
            self._cursor.execute(setting)

    def __call__(self, sql: str) -> list[tuple]:
        for statement in statements(sql):
            for text in statement.upstream:
                self._cursor.execute(text)
        return self._cursor.fetchall() if self._cursor.description else []

    def types(self, table: str) -> dict[str, str]:
        return dict(
            self(
                "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
                "JOIN pg_class c ON c.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped "
                f"AND c.relname = '{table}' ORDER BY a.attnum"
            )
        )

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[str]:
    name = f"dialect_{uuid.uuid4().hex}"
    postgres.create_database(name)
    upstream.install(postgres.url("postgres", name))
    yield name
    postgres_query(postgres.url("postgres", "postgres"), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def run(postgres: Postgres, database: str) -> Iterator[Session]:
    with contextlib.closing(Session(postgres.url(database=database))) as session:
        session(f"CREATE SCHEMA s_{uuid.uuid4().hex[:8]}")
        (schema,) = session("SELECT nspname FROM pg_namespace WHERE nspname LIKE 's\\\\_%'")[0]
        session(f"SET search_path TO {schema}")
        yield session
        session(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def blanks(run: Session) -> Session:
    run("CREATE TABLE t (a VARCHAR(5), b INT)")
    run("INSERT INTO t VALUES ('a', 1), ('a  ', 2), ('b', 3), (NULL, 4), ('', 5), ('  ', 6)")
    return run


def test_installing_again_changes_nothing(postgres: Postgres, database: str, run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(5))")
    upstream.install(postgres.url("postgres", database))
    assert run.types("t") == {"a": "character varying(5)"}


def test_every_known_function_is_there(postgres: Postgres, database: str) -> None:
    rows = postgres_query(postgres.url("postgres", database), "SELECT DISTINCT proname FROM pg_proc")
    in_the_parser = {"coalesce", "decode", "greatest", "grouping", "least", "nullif", "nvl", "nvl2"}
    assert sorted(functions.KNOWN - {name for (name,) in rows} - in_the_parser) == []


def test_blanks_at_the_end_are_equal_to_none(blanks: Session) -> None:
    assert blanks("SELECT count(*), count(DISTINCT a) FROM t") == [(6, 3)]
    assert blanks("SELECT count(*) FROM t GROUP BY a ORDER BY a") == [(2,), (2,), (1,), (1,)]
    assert blanks("SELECT x.b, y.b FROM t x JOIN t y ON x.a = y.a WHERE x.b < y.b ORDER BY 1") == [(1, 2), (5, 6)]
    assert blanks("SELECT b FROM t WHERE a = 'a ' ORDER BY b") == [(1,), (2,)]
    assert blanks("SELECT b FROM t WHERE a IN ('a   ', 'b') ORDER BY b") == [(1,), (2,), (3,)]
    assert blanks("SELECT 'a ' = 'a', 'a ' <> 'a', CAST('a ' AS VARCHAR(5)) = CAST('a' AS CHAR(5))") == [
        (True, False, True)
    ]
    assert len(blanks("SELECT a FROM t EXCEPT SELECT 'a'")) == 3
    assert len(blanks("SELECT a FROM t UNION SELECT 'a    '")) == 4
    assert blanks("SELECT b FROM t WHERE upper(a) = 'A' ORDER BY b") == [(1,), (2,)]
    assert blanks("SELECT count(*) FROM t GROUP BY upper(a) ORDER BY 1") == [(1,), (1,), (2,), (2,)]
    assert blanks("SELECT b FROM t WHERE coalesce(a, 'x') = CASE WHEN b = 4 THEN 'x ' ELSE 'zz' END") == [(4,)]
    assert blanks("WITH q AS (SELECT 'a ' AS k) SELECT t.b FROM t JOIN q ON q.k = t.a ORDER BY 1") == [(1,), (2,)]


@pytest.mark.parametrize("off", ["enable_hashjoin", "enable_mergejoin", "enable_hashagg"])
def test_blanks_do_not_count_in_any_plan(blanks: Session, off: str) -> None:
    blanks._cursor.execute(f"SET {off} TO off")
    assert blanks("SELECT x.b, y.b FROM t x JOIN t y ON x.a = y.a WHERE x.b < y.b ORDER BY 1") == [(1, 2), (5, 6)]
    assert blanks("SELECT count(*) FROM (SELECT DISTINCT a FROM t) d") == [(4,)]


def test_blanks_are_kept_and_are_part_of_the_length(blanks: Session) -> None:
    assert blanks("SELECT length(a), len(a), a || '|', octet_length(a) FROM t WHERE b = 2") == [(3, 3, "a  |", 3)]
    assert blanks("SELECT a LIKE 'a', a LIKE 'a%', max(a) FROM t WHERE b = 2 GROUP BY a") == [(False, True, "a  ")]


@pytest.mark.parametrize("value", ["abcdef", "日本", "ééé"])
def test_a_value_of_too_many_bytes_is_refused(run: Session, value: str) -> None:
    run("CREATE TABLE t (a VARCHAR(5)); CREATE TABLE u (a VARCHAR(20))")
    run(f"INSERT INTO u VALUES ('{value}')")
    for sql in (
        f"INSERT INTO t VALUES ('{value}')",
        "INSERT INTO t SELECT a FROM u",
        "INSERT INTO t SELECT a || '' FROM u",
    ):
        with pytest.raises(psycopg2.errors.StringDataRightTruncation, match=r"type character varying\(5\)"):
            run(sql)
    assert run("SELECT count(*) FROM t") == [(0,)]


def test_a_cast_truncates_to_whole_characters_and_blanks_may_be_lost(run: Session) -> None:
    assert run("SELECT CAST('日本' AS VARCHAR(5)), 'abc'::VARCHAR(2), CAST(1234 AS VARCHAR(2))") == [("日", "ab", "12")]
    run("CREATE TABLE t (a VARCHAR(5)); INSERT INTO t VALUES ('abcde   ')")
    assert run("SELECT a, length(a) FROM t") == [("abcde", 5)]


def test_types_have_redshifts_lengths(run: Session) -> None:
    run(
        "CREATE TABLE t (a TEXT, b VARCHAR, c CHAR, d DECIMAL, e DECIMAL(10, 2), f VARCHAR(MAX), g BPCHAR, h SUPER, "
        "i VARBYTE(20), j NVARCHAR(7), k TIMESTAMPTZ, l DOUBLE PRECISION, m BIGINT)"
    )
    assert list(run.types("t").values()) == [
        "character varying(256)",
        "character varying(256)",
        "character(1)",
        "numeric(18,0)",
        "numeric(10,2)",
        "character varying(65535)",
        "character(256)",
        "super",
        "binary varying",
        "character varying(7)",
        "timestamp with time zone",
        "double precision",
        "bigint",
    ]
    assert run("SELECT CAST(1.5 AS DECIMAL), CAST(1.25 AS DECIMAL(5, 1))") == [(Decimal(2), Decimal("1.3"))]


def test_keys_are_remembered_and_not_enforced(run: Session) -> None:
    run(
        "CREATE TABLE p (a INT NOT NULL, b INT, PRIMARY KEY (a, b)) DISTSTYLE KEY DISTKEY (a) COMPOUND SORTKEY (a, b);"
        "CREATE TABLE f (c INT UNIQUE ENCODE az64 DISTKEY SORTKEY, d INT, FOREIGN KEY (c, d) REFERENCES p (a, b))"
    )
    run("INSERT INTO p VALUES (1, 1), (1, 1); INSERT INTO f VALUES (7, 7), (7, 7)")
    keys = (
        "SELECT k.contype, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "WHERE c.relname IN ('p', 'f') ORDER BY 1"
    )
    assert [(kind, text.replace(" s_", "").split("(", 1)[1][:4]) for kind, text in run(keys)] == [
        ("f", "c, d"),
        ("p", "a, b"),
        ("u", "c)"),
    ]
    with pytest.raises(psycopg2.errors.NotNullViolation):
        run("INSERT INTO p VALUES (1, NULL)")
    with pytest.raises(psycopg2.errors.InvalidTableDefinition):
        run("ALTER TABLE p ADD PRIMARY KEY (a)")
    run("ALTER TABLE p RENAME TO q; ALTER TABLE q DROP CONSTRAINT p_pkey; ALTER TABLE q ADD PRIMARY KEY (a)")
    assert run("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p'") == [("PRIMARY KEY (a)",)]


def test_a_table_that_is_rolled_back_leaves_no_key(run: Session) -> None:
    run("BEGIN; CREATE TABLE t (a INT PRIMARY KEY); ROLLBACK; CREATE TABLE t (a INT)")
    assert run("SELECT conname FROM pg_constraint WHERE contype = 'p'") == []


def test_only_the_owner_declares_a_key(postgres: Postgres, database: str, run: Session) -> None:
    run("CREATE TABLE public.owned (a INT); GRANT ALL ON public.owned TO bi_reader")
    with (
        contextlib.closing(Session(postgres.url("bi_reader", database))) as other,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        other("ALTER TABLE public.owned ADD PRIMARY KEY (a)")
    run("DROP TABLE public.owned")


def test_identities_have_gaps(run: Session) -> None:
    run("CREATE TABLE t (a INT IDENTITY(0, 1), b INT GENERATED BY DEFAULT AS IDENTITY(1, 2), c INT)")
    run("INSERT INTO t (c) VALUES (1), (2), (3)")
    assert run("SELECT a, b FROM t ORDER BY c") == [(0, 1), (4, 9), (8, 17)]
    with pytest.raises(psycopg2.errors.GeneratedAlways):
        run("INSERT INTO t (a, c) VALUES (1, 1)")


def test_create_table_as_has_lengths_and_exact_values(run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(20), b DECIMAL(10, 2), c INT); INSERT INTO t VALUES ('x', 1.25, 3), ('y', 2.50, 4)")
    run(
        "CREATE TABLE u DISTKEY (a) SORTKEY (c) AS "
        "SELECT a, upper(a) AS d, b * b AS e, sum(c) AS c, 'x' AS f FROM t GROUP BY 1, 2, 3"
    )
    assert run.types("u") == {
        "a": "character varying(20)",
        "d": "character varying(65535)",
        "e": "numeric(38,4)",
        "c": "bigint",
        "f": "character varying(65535)",
    }
    assert run("SELECT e FROM u ORDER BY a") == [(Decimal("1.5625"),), (Decimal("6.2500"),)]


def test_create_table_as_without_rows_has_the_types_that_its_rows_would_have(run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(20), b DECIMAL(10, 2)); INSERT INTO t VALUES ('x', 1.25), ('y', 2.00)")
    for _ in range(2):
        run("CREATE TEMP TABLE u AS SELECT * FROM (SELECT a, SUM(b) AS b FROM t GROUP BY a) q LIMIT 0")
        assert run.types("u") == {"a": "character varying(20)", "b": "numeric(38,2)"}
        assert run("SELECT * FROM u") == []
        run("DROP TABLE u")


def test_a_sum_of_no_rows_has_the_scale_of_its_column(run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(20), b DECIMAL(10, 2))")
    run("CREATE TEMP TABLE u AS SELECT * FROM (SELECT t.a, SUM(t.b) AS b FROM t GROUP BY t.a) q LIMIT 0")
    assert run.types("u") == {"a": "character varying(20)", "b": "numeric(38,2)"}


def test_whole_numbers_have_whole_averages_and_sums(run: Session) -> None:
    run("CREATE TABLE t (a SMALLINT, b INT, c BIGINT); INSERT INTO t VALUES (1, 1, 1), (2, 2, 2), (NULL, NULL, NULL)")
    (row,) = run("SELECT avg(a), avg(b), avg(c), sum(a), sum(b), sum(c), avg(c * 1.0), 3 / 2 FROM t")
    assert row == (1, 1, 1, 3, 3, 3, Decimal("1.5"), 1)
    assert all(isinstance(value, int) for value in row[:6])
    assert run("SELECT avg(b), sum(c) FROM t WHERE a > 9") == [(None, None)]


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("datediff(month, DATE '2024-01-31', DATE '2024-02-01')", 1),
        ("datediff(month, DATE '2024-02-01', DATE '2024-01-31')", -1),
        ("datediff(day, TIMESTAMP '2024-01-01 23:00', TIMESTAMP '2024-01-02 00:00')", 1),
        ("datediff(hour, TIMESTAMP '2024-01-01 22:59', TIMESTAMP '2024-01-02 00:00')", 2),
        ("datediff('year', '2023-12-31', '2024-01-01')", 1),
        ("datediff(qtr, DATE '2023-12-31', DATE '2024-04-01')", 2),
        ("datediff(s, TIMESTAMP '2024-01-01 00:00:00.9', TIMESTAMP '2024-01-01 00:00:01.1')", 1),
        ("to_char(dateadd(month, 1, DATE '2024-01-31'), 'YYYY-MM-DD HH24:MI:SS')", "2024-02-29 00:00:00"),
        ("to_char(dateadd(hour, -25, '2024-03-01'), 'YYYY-MM-DD HH24')", "2024-02-28 23"),
        ("EXTRACT(dow FROM DATE '2024-05-06')", 1),
        ("to_char(date_trunc('week', DATE '2024-05-08'), 'YYYY-MM-DD')", "2024-05-06"),
        ("strtol('ff', 16)", 255),
        ("strtol('-0x7fffffffffffffff', 16)", -9223372036854775807),
        ("to_hex(255)", "ff"),
        ("nvl(NULL, 'a')", "a"),
        ("nvl2(NULL, 1, 2)", 2),
        ("decode(NULL, NULL, 'same', 'other')", "same"),
        ("greatest(1, NULL, 3)", 3),
        ("concat('a', NULL)", None),
        ("position('b' IN 'abc') + charindex('c', 'abc') + strpos('abc', 'a')", 6),
        ("substring('abcd' FROM 2 FOR 2) || trim('  x ')", "bcx"),
        ("'a\\\\b'", "a\\b"),
        ("'it\\'s'", "it's"),
        ("json_parse('{\"a\":1}')", {"a": 1}),
        ("pg_last_copy_count()", -1),
        ("pg_last_copy_id()", -1),
    ],
)
def test_a_function_is_redshifts(run: Session, sql: str, value: object) -> None:
    assert run(f"SELECT {sql}") == [(value,)]


def test_listagg_orders_and_takes_numbers(run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(5), b INT); INSERT INTO t VALUES ('x', 1), ('y', 2), ('x', 3)")
    assert run(
        "SELECT listagg(a, ',') WITHIN GROUP (ORDER BY b DESC), listagg(b) WITHIN GROUP (ORDER BY b) FROM t"
    ) == [("x,y,x", "123")]


def test_now_is_of_the_transaction_or_of_the_statement(run: Session) -> None:
    run("BEGIN")
    ((first, to_the_second),) = run("SELECT SYSDATE, GETDATE()")
    ((second, _),) = run("SELECT SYSDATE, GETDATE()")
    run("COMMIT")
    assert first == second
    assert first.tzinfo is None
    assert to_the_second.microsecond == 0


def test_the_version_is_an_emulators(run: Session) -> None:
    ((version,),) = run("SELECT version()")
    assert version.startswith("PostgreSQL 8.0.2 ")
    assert "emulated Redshift" in version


def test_parameters_are_remembered(run: Session) -> None:
    run("SET query_group TO 'nightly'; SET search_path TO a, b; SET enable_case_sensitive_identifier TO true")
    assert run("SHOW query_group") == [("nightly",)]
    assert run("SELECT current_setting('query_group')") == [("nightly",)]
    assert run("SHOW search_path") == [("a, b",)]
    assert run("SELECT len('x')") == [(1,)]


def test_a_varchar_grows_and_never_shrinks(run: Session) -> None:
    run("CREATE TABLE t (a VARCHAR(5), b INT); ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(9)")
    assert run.types("t")["a"] == "character varying(9)"
    for column, size in (("a", 5), ("b", 9)):
        with pytest.raises(psycopg2.errors.FeatureNotSupported):
            run(f"ALTER TABLE t ALTER COLUMN {column} TYPE VARCHAR({size})")


def test_what_only_redshift_says_runs(run: Session) -> None:
    run("CREATE TABLE t (a INT ENCODE raw, b VARCHAR(5) DEFAULT 'x') BACKUP NO SORTKEY AUTO; CREATE TABLE u (LIKE t)")
    run("INSERT INTO u VALUES (1, 'y'); ALTER TABLE t APPEND FROM u")
    assert run("SELECT a, b FROM t") == [(1, "y")]
    assert run("SELECT a FROM u") == []
    run("ALTER TABLE t ALTER DISTSTYLE ALL; ALTER TABLE t ALTER SORTKEY (a); ALTER TABLE t ALTER COLUMN a ENCODE lzo")
    run("VACUUM FULL t; ANALYZE t PREDICATE COLUMNS; ANALYZE t (a)")
    assert run("ANALYZE COMPRESSION t") == []
    run("GRANT SELECT ON t TO GROUP bi_reader; REVOKE SELECT ON t FROM ROLE bi_reader; GRANT SELECT ON t TO bi_reader")
    run("MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (u.a, u.b)")
    assert run("SELECT a FROM t MINUS SELECT 2") == [(1,)]
    run("BEGIN; LOCK t; DELETE FROM t USING u WHERE t.a = u.a; UPDATE t SET b = 'z' FROM u x WHERE t.a = x.a; COMMIT")


def test_locks_and_transactions_are_seen(postgres: Postgres, database: str, run: Session) -> None:
    run("CREATE TABLE t (a INT); BEGIN; LOCK t")
    with contextlib.closing(Session(postgres.url(database=database))) as other:
        held = "FROM svv_transactions v JOIN pg_class c ON c.oid = v.relation WHERE c.relname = 't'"
        assert other(f"SELECT v.txn_owner, v.lock_mode, v.granted {held}") == [
            ("etl_load", "AccessExclusiveLock", True)
        ]
        assert other(
            "SELECT l.lock_status FROM stv_locks l JOIN pg_class c ON c.oid = l.table_id WHERE c.relname = 't'"
        ) == [("Holding delete lock",)]
    run("ROLLBACK")


def test_load_errors_are_the_superusers_to_write(run: Session) -> None:
    assert run("SELECT count(*) FROM sys_load_error_detail WHERE session_id = pg_backend_pid()") == [(0,)]
    assert run("SELECT count(*) FROM stl_load_errors") == [(0,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run("INSERT INTO stl_load_errors (userid) VALUES (1)")


def test_the_quotes_of_a_name_are_no_part_of_its_length(run: Session) -> None:
    name = '"' * 20 + "x" * 43
    run(f'CREATE TABLE quotes ("{name.replace(chr(34), 2 * chr(34))}" INT)')
    assert run("SELECT attname FROM pg_attribute WHERE attrelid = 'quotes'::regclass AND attnum > 0") == [(name,)]
    with pytest.raises(Refused, match="63 bytes"):
        run(f'CREATE TABLE longer ("{"x" * 64}" INT)')

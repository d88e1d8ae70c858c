"""Checks of SQL, in one session."""

import hashlib
from decimal import Decimal
from typing import Any

from etl.checksums import HASH_DIGITS
from etl.conformance.ground import REFUSED, UNDERSTOOD, Ground, Like, Said, check
from etl.warehouse.names import quote

# Quotes, line ends, backslashes, blanks, UTF-8 of one to four bytes, and what stands for NULL in a file.
HARD = ("a", "", "N", r"\n", r"C:\new\\dir", "it's", 'a "b" c', "a,b", "a\nb", "a\r\nb", "tab\tb", " a ", "ä日𝄞", "%s")


@check("version() is Redshift's", Like("Redshift 1.0 and its build", r"Redshift \d"))
def version(ground: Ground) -> Said:
    """The engine is chosen by [warehouse] url, and this says that the server is of that kind."""
    return Said(ground.one("SELECT version()"))


@check("no emulator", Said("a cluster"))
def emulated(ground: Ground) -> Said:
    """What an emulator answers proves nothing about a cluster; run this on one."""
    text = ground.one("SELECT version()")
    return Said("emulated Redshift" if "emulat" in text.lower() else "a cluster" if "Redshift" in text else "neither")


@check("isolation level is known", Like("Snapshot Isolation or Serializable", r"(?i)^(snapshot|serializable)"))
def isolation(ground: Ground) -> Said:
    """Under SERIALIZABLE loads take one lock more, which all of them share; asked of STV_DB_ISOLATION_LEVEL."""
    return Said(
        ground.one("SELECT TRIM(isolation_level) FROM stv_db_isolation_level WHERE TRIM(db_name) = current_database()")
    )


@check("SVV_REDSHIFT_DATABASES", Like("Snapshot Isolation or Serializable", r"(?i)^(snapshot|serializable)"))
def isolation_of_svv(ground: Ground) -> Said:
    """Nothing of ours relies on it; it should say the same as the one before."""
    return Said(
        ground.one(
            "SELECT TRIM(database_isolation_level) FROM svv_redshift_databases "
            "WHERE TRIM(database_name) = current_database()"
        )
    )


@check("who is there", True)
def readers(ground: Ground) -> Any:
    """Whether [warehouse] reader is there is asked of PG_USER, PG_GROUP and SVV_ROLES."""
    for catalogue, column in (("pg_user", "usename"), ("pg_group", "groname"), ("svv_roles", "role_name")):
        ground.db.query(f"SELECT 1 FROM {catalogue} WHERE {column} = %s", ("nobody",))
    return bool(ground.one("SELECT 1 FROM pg_user WHERE usename = current_user"))


@check("DDL is rolled back", 0)
def ddl_rolled_back(ground: Ground) -> Any:
    """Stages, new tables and columns are made in the load's transaction, and must not outlive it."""
    name = ground.name()
    with ground.undone():
        ground.db.execute(f"CREATE TABLE {name} (a INT)")
        ground.db.execute(f"INSERT INTO {name} VALUES (1)")
    return ground.one(
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        tuple(name.split(".")),
    )


@check("DROP TABLE is rolled back", 1)
def drop_rolled_back(ground: Ground) -> Any:
    """Stages are dropped in the load's transaction, before its COMMIT can fail."""
    name = ground.table("a INT", "(7)")
    with ground.undone():
        ground.db.execute(f"DROP TABLE IF EXISTS {name}")
    return ground.one(f"SELECT count(*) FROM {name}")


@check("TRUNCATE commits", 0)
def truncate_commits(ground: Ground) -> Any:
    """Why no load of ours uses it; a rollback does not bring the rows back."""
    name = ground.table("a INT", "(7)")
    with ground.undone():
        ground.db.execute(f"TRUNCATE {name}")
    ground.recover()
    return ground.one(f"SELECT count(*) FROM {name}")


@check("rows of INSERT, DELETE, UPDATE", (3, 2, 1))
def row_counts(ground: Ground) -> Any:
    """Receipts and the check before a COMMIT are made of the numbers that the server gives for its statements."""
    source, target = ground.table("k INT, v INT", "(1, 1), (2, 2), (3, 3)"), ground.table("k INT, v INT")
    inserted = ground.db.execute(f"INSERT INTO {target} (k, v) SELECT k, v FROM {source}")
    deleted = ground.db.execute(f"DELETE FROM {target} USING {source} s WHERE {target}.k = s.k AND s.k < 3")
    updated = ground.db.execute(f"UPDATE {target} SET v = s.v + 1 FROM {source} s WHERE {target}.k = s.k")
    return inserted, deleted, updated


@check("DELETE … USING, by the table's own name", (1,))
def delete_using(ground: Ground) -> Any:
    """The rows that changed are deleted so, and inserted anew; the table has no alias, its schema is left away."""
    source, target = ground.table('"k" INT', "(1)"), ground.table('"k" INT', "(1), (2)")
    itself = quote(target.partition(".")[2])
    name = f"{quote(ground.schema)}.{itself}"
    return (ground.db.execute(f'DELETE FROM {name} USING {source} _changed WHERE {itself}."k" = _changed."k"'),)


@check("DELETE … WHERE NOT EXISTS", [(1,)])
def delete_not_exists(ground: Ground) -> Any:
    """The strategy `replace` deletes so what the stage has no more."""
    source, target = ground.table("k INT", "(1)"), ground.table("k INT", "(1), (2)")
    ground.db.execute(f"DELETE FROM {target} WHERE NOT EXISTS (SELECT 1 FROM {source} s WHERE s.k = {target}.k)")
    return ground.db.query(f"SELECT k FROM {target}")


@check("UPDATE … FROM a join", [(1, "new"), (2, "old")])
def update_from(ground: Ground) -> Any:
    """Versions of a dimension are ended so."""
    target, key = ground.table("k INT, v VARCHAR(8)", "(1, 'old'), (2, 'old')"), ground.table("k INT", "(1), (3)")
    value = ground.table("k INT, v VARCHAR(8)", "(1, 'new'), (3, 'new')")
    ground.db.execute(
        f"UPDATE {target} SET v = n.v FROM (SELECT a.k, b.v FROM {key} a JOIN {value} b ON b.k = a.k) n "
        f"WHERE {target}.k = n.k"
    )
    return ground.db.query(f"SELECT k, v FROM {target} ORDER BY k")


@check("INSERT … SELECT … WHERE NOT EXISTS", (1, 0))
def insert_not_exists(ground: Ground) -> Any:
    """etl.watermarks gets its row so, once."""
    name = ground.table("k VARCHAR(8), v INT")
    sql = f"INSERT INTO {name} (k, v) SELECT %s, %s WHERE NOT EXISTS (SELECT 1 FROM {name} WHERE k = %s)"
    return ground.db.execute(sql, ("a", 1, "a")), ground.db.execute(sql, ("a", 1, "a"))


@check("CREATE TABLE AS, then count", 2)
def create_table_as(ground: Ground) -> Any:
    """Keys that differ are set aside so; the number of them is asked for afterwards."""
    source, name = ground.table("k INT", "(1), (2)"), ground.name()
    ground.db.execute(f"CREATE TABLE {name} AS SELECT k FROM {source}")
    return ground.one(f"SELECT count(*) FROM {name}")


@check("CREATE TEMP TABLE AS", 2)
def create_temp_table_as(ground: Ground) -> Any:
    """`etl compare` borrows rows so; no other session sees them."""
    source = ground.table("k INT", "(1), (2)")
    name = f"temp_{source.partition('.')[2]}"
    ground.db.execute(f"CREATE TEMP TABLE {name} AS SELECT k FROM {source}")
    count = ground.one(f"SELECT count(*) FROM {name}")
    ground.db.execute(f"DROP TABLE {name}")
    return count


@check("LIKE … INCLUDING DEFAULTS", [(1, "x")])
def like(ground: Ground) -> Any:
    """A stage has its target's columns and defaults."""
    source, name = ground.table("k INT NOT NULL, v VARCHAR(8) DEFAULT 'x'"), ground.name()
    ground.db.execute(f"CREATE TABLE {name} (LIKE {source} INCLUDING DEFAULTS)")
    ground.db.execute(f"INSERT INTO {name} (k) VALUES (1)")
    return ground.db.query(f"SELECT k, v FROM {name}")


@check("DROP TABLE IF EXISTS of several", Said("dropped"))
def drop_several(ground: Ground) -> Any:
    """A load drops its stage and what stands beside it in one statement; some of them were never made."""
    ground.db.execute(f"DROP TABLE IF EXISTS {ground.table('k INT')}, {ground.name()}")
    return Said("dropped")


@check("a primary key is not enforced", 2)
def primary_key(ground: Ground) -> Any:
    """Why keys are proved by a count over the stage before anything is published."""
    name = ground.table("k INT NOT NULL PRIMARY KEY")
    ground.db.execute(f"INSERT INTO {name} VALUES (1), (1)")
    return ground.one(f"SELECT count(*) FROM {name}")


@check("NOT NULL is enforced", UNDERSTOOD)
def not_null(ground: Ground) -> Any:
    """Columns that are NOT NULL are not counted again by the audit."""
    return ground.refused(f"INSERT INTO {ground.table('k INT NOT NULL')} VALUES (NULL)")


@check("VARCHAR(n) counts bytes", (3, 9, Said("refused")))
def varchar_bytes(ground: Ground) -> Any:
    """The lengths of columns are chosen, and texts measured, in bytes of UTF-8."""
    name = ground.table("v VARCHAR(9)", "('日本語')")
    ((characters, octets),) = ground.db.query(f"SELECT LENGTH(v), OCTET_LENGTH(v) FROM {name}")
    longer = ground.refused(f"INSERT INTO {name} VALUES (%s)", ("日本語x",))
    return characters, octets, Said(longer[:7])


@check("a text that is too long is refused", UNDERSTOOD)
def too_long(ground: Ground) -> Any:
    """Nothing of ours cuts a text silently."""
    return ground.refused(f"INSERT INTO {ground.table('v VARCHAR(4)')} VALUES ('abcde')")


@check("trailing blanks are equal", (1, 1))
def trailing_blanks(ground: Ground) -> Any:
    """Keys that differ in them alone are one key to a join and to GROUP BY; docs/redshift.md warns of it."""
    name = ground.table("v VARCHAR(8)", "('a'), ('a  ')")
    joined = ground.one(f"SELECT count(*) FROM {name} WHERE v = 'a '") // 2
    return joined, ground.one(f"SELECT count(*) FROM (SELECT v FROM {name} GROUP BY v) q")


@check("trailing blanks are kept", (3, "a  "))
def trailing_blanks_kept(ground: Ground) -> Any:
    """A text comes back as it was loaded."""
    name = ground.table("v VARCHAR(8)", "('a  ')")
    return ground.db.query(f"SELECT OCTET_LENGTH(v), v FROM {name}")[0]


@check("avg of integers", 1)
def average(ground: Ground) -> Any:
    """SQL of ours casts before it averages; docs/redshift.md warns analysts."""
    return ground.one(f"SELECT avg(v) FROM {ground.table('v INT', '(1), (2)')}")


@check("mixed case names stay", [("Mixed Case",), ("mixed case",)])
def mixed_case(ground: Ground) -> Any:
    """Columns of a mirror have the names that the source gave them; enable_case_sensitive_identifier is on."""
    name = ground.table('"Mixed Case" INT, "mixed case" INT')
    return ground.db.query(
        "SELECT CAST(a.attname AS VARCHAR(128)) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 "
        "ORDER BY a.attnum",
        tuple(name.split(".")),
    )


@check("raw is a name in quotes", [(1,)])
def quoted_raw(ground: Ground) -> Any:
    """The schema of mirrors is called so, and RAW is a reserved word."""
    ground.db.execute(f'CREATE TABLE {ground.schema}."raw" ("raw" INT)')
    ground.db.execute(f'INSERT INTO {ground.schema}."raw" ("raw") VALUES (1)')
    return ground.db.query(f'SELECT "raw"."raw" FROM {ground.schema}."raw"')


@check("raw is no name without them", REFUSED)
def bare_raw(ground: Ground) -> Any:
    """Why SQL of loads and marts has to quote it; were it accepted, nothing would be lost."""
    return ground.refused(f"CREATE TABLE {ground.name()} (raw INT)")


@check("SYSDATE stands still in a transaction", (1, True))
def sysdate(ground: Ground) -> Any:
    """Times of markers and receipts; the second value says that it comes with a time zone."""
    name = ground.table("t TIMESTAMPTZ")
    with ground.db.transaction():
        for _ in range(2):
            ground.db.execute(f"INSERT INTO {name} SELECT CAST(SYSDATE AS TIMESTAMPTZ)")
    moments = {moment for (moment,) in ground.db.query(f"SELECT t FROM {name}")}
    return len(moments), all(moment.tzinfo is not None for moment in moments)


@check("SYSDATE has microseconds", True)
def sysdate_resolution(ground: Ground) -> Any:
    """Rows are told apart by `loaded_at` where an increment is taken in. One of five moments is not on a second."""
    moments = [ground.one("SELECT CAST(SYSDATE AS TIMESTAMPTZ)") for _ in range(5)]
    return any(moment.microsecond for moment in moments)


@check("GETDATE has seconds", True)
def getdate(ground: Ground) -> Any:
    """The moment of a statement and not of its transaction, at a coarser resolution."""
    moments = [ground.one("SELECT GETDATE()") for _ in range(3)]
    return not any(moment.microsecond for moment in moments)


@check("SYSDATE is in UTC", True)
def sysdate_utc(ground: Ground) -> Any:
    """Whatever the session's zone, `loaded_at` is a moment; its difference to this machine's clock is under a day."""
    return abs(int(ground.one("SELECT DATEDIFF(minute, CAST(SYSDATE AS TIMESTAMP), GETDATE())"))) < 2


@check(
    "TIMEOFDAY()", Like("Sat Nov 21 22:31:00.123456 2026 UTC", r"^\w{3} \w{3} \d\d \d\d:\d\d:\d\d\.\d{6} \d{4} UTC$")
)
def timeofday(ground: Ground) -> Said:
    """What is loaded under a lock is stamped with the moment at which the lock was taken, by these words."""
    return Said(ground.one("SELECT TIMEOFDAY()"))


@check("BEGIN READ ONLY", 1)
def read_only(ground: Ground) -> Any:
    """`etl compare` reads both sides of one moment so."""
    name = ground.table("k INT", "(1)")
    ground.db.execute("BEGIN READ ONLY")
    return ground.one(f"SELECT count(*) FROM {name}")


@check("columns are added in a transaction", [(1, None)])
def add_column(ground: Ground) -> Any:
    """A source's new column is added with the rows that have it."""
    name = ground.table("k INT", "(1)")
    with ground.db.transaction():
        ground.db.execute(f'ALTER TABLE {name} ADD COLUMN "v" VARCHAR(8)')
    return ground.db.query(f"SELECT k, v FROM {name}")


@check("a VARCHAR grows outside a transaction", ["character varying(16)"])
def widen(ground: Ground) -> Any:
    """The one type that can be made another where it stands; nothing is loaded meanwhile."""
    name = ground.table("v VARCHAR(8)", "('a')")
    ground.db.execute(f'ALTER TABLE {name} ALTER COLUMN "v" TYPE VARCHAR(16)')
    return _types(ground, name)


@check("a VARCHAR does not grow inside one", UNDERSTOOD)
def widen_in_transaction(ground: Ground) -> Any:
    """Why a load whose columns grow begins anew; were it accepted, nothing would be lost."""
    name = ground.table("v VARCHAR(8)")
    with ground.undone():
        return ground.refused(f'ALTER TABLE {name} ALTER COLUMN "v" TYPE VARCHAR(16)')


@check("columns are renamed and dropped", ["character varying(8)"])
def rename_column(ground: Ground) -> Any:
    """A message that asks for another type says so, in statements that can be run as they stand."""
    name = ground.table("a INT, v VARCHAR(8)")
    ground.db.execute(f'ALTER TABLE {name} DROP COLUMN "a"')
    ground.db.execute(f'ALTER TABLE {name} RENAME COLUMN "v" TO "w"')
    ground.db.query(f"SELECT w FROM {name}")
    return _types(ground, name)


@check("checksums by MD5 and STRTOL", (True, True))
def checksums(ground: Ground) -> Any:
    """`etl compare` sums such hashes; of many rows the sum is longer than a BIGINT."""
    name = ground.table("v VARCHAR(8)", "('a'), ('b')")
    hashed = f"STRTOL(LEFT(MD5(v), {HASH_DIGITS}), 16)"
    wanted = [int(hashlib.md5(text).hexdigest()[:HASH_DIGITS], 16) for text in (b"a", b"b")]
    found = [value for (value,) in ground.db.query(f"SELECT {hashed} FROM {name} ORDER BY v")]
    total = ground.one(f"SELECT SUM(CAST({hashed} AS DECIMAL(38,0))) FROM {name}")
    return found == wanted, total == sum(wanted)


@check("a group by length as well", [("a", 1), ("a ", 2)])
def group_by_length(ground: Ground) -> Any:
    """Texts that differ in trailing blanks are told apart by their length, where it matters."""
    name = ground.table("v VARCHAR(8)", "('a'), ('a ')")
    return ground.db.query(
        f"SELECT MIN(v), OCTET_LENGTH(v) FROM {name} GROUP BY v, OCTET_LENGTH(v) ORDER BY OCTET_LENGTH(v)"
    )


@check("GREATEST ignores NULL", [(2,), (3,)])
def greatest(ground: Ground) -> Any:
    """A watermark that is not there yet is moved so."""
    name = ground.table("k INT, v INT", "(1, NULL), (2, 3)")
    return ground.db.query(f"SELECT GREATEST(v, 2) FROM {name} ORDER BY k")


@check("COALESCE of comparisons", [(True,), (False,), (True,)])
def coalesce(ground: Ground) -> Any:
    """Whether a row has changed is asked so, column by column, where both may be NULL."""
    name = ground.table("k INT, a INT, b INT", "(1, 1, 1), (2, 1, NULL), (3, NULL, NULL)")
    return ground.db.query(f"SELECT COALESCE(a = b, a IS NULL AND b IS NULL) FROM {name} ORDER BY k")


@check("EXCEPT of counted rows", [(2, 2)])
def except_counts(ground: Ground) -> Any:
    """A table without a key is compared as a bag of rows."""
    one, other = ground.table("v INT", "(1), (2), (2)"), ground.table("v INT", "(1), (2)")
    return ground.db.query(
        f"SELECT v, n FROM (SELECT v, count(*) AS n FROM {one} GROUP BY v EXCEPT "
        f"SELECT v, count(*) AS n FROM {other} GROUP BY v) d"
    )


@check("window over an aggregate", [(1, 3), (2, 3)])
def window_over_aggregate(ground: Ground) -> Any:
    """The message of a foreign key that does not resolve counts all rows and shows some."""
    name = ground.table("v INT", "(1), (2), (2)")
    return [
        (value, int(total))
        for value, total in ground.db.query(
            f"SELECT v, sum(count(*)) OVER () FROM {name} GROUP BY v ORDER BY count(*), v"
        )
    ]


@check("ROW_NUMBER over IS NULL", [(1, 5), (2, 10), (3, 11)])
def row_number(ground: Ground) -> Any:
    """New members of a dimension are numbered so, after those that have a number."""
    name = ground.table("v INT, k INT", "(1, 5), (2, NULL), (3, NULL)")
    return ground.db.query(
        f"SELECT v, COALESCE(k, 9 + ROW_NUMBER() OVER (PARTITION BY k IS NULL ORDER BY v)) FROM {name} ORDER BY v"
    )


@check("IN with NULL", [(1,)])
def in_null(ground: Ground) -> Any:
    """Keys are asked for in lists; a NULL among them finds nothing and hides nothing."""
    name = ground.table("v INT", "(1), (2), (NULL)")
    return ground.db.query(f"SELECT v FROM {name} WHERE v IN %s", ((1, None),))


@check("AT TIME ZONE 'Europe/Berlin'", [("2024-01-01 13:00:00",), ("2024-07-01 14:00:00",)])
def time_zone(ground: Ground) -> Any:
    """A business day begins at midnight of [etl] timezone, in summer too."""
    name = ground.table("t TIMESTAMPTZ", "('2024-01-01 12:00:00+00'), ('2024-07-01 12:00:00+00')")
    return ground.db.query(
        f"SELECT TO_CHAR(t AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD HH24:MI:SS') FROM {name} ORDER BY t"
    )


@check("LIMIT 0 yields no row and its types", ([], ["integer", "character varying(8)"]))
def limit_zero(ground: Ground) -> Any:
    """The columns of a load's SELECT are found without running it."""
    source, name = ground.table("k INT, v VARCHAR(8)", "(1, 'a')"), ground.name()
    rows = ground.db.query(f"SELECT * FROM (SELECT k, v FROM {source}) q LIMIT 0")
    ground.db.execute(f"CREATE TABLE {name} AS SELECT k, v FROM {source} LIMIT 0")
    return rows, _types(ground, name)


@check(
    "format_type",
    ["character varying(12)", "numeric(12,2)", "timestamp with time zone", "boolean", "double precision"],
)
def format_type(ground: Ground) -> Any:
    """Whether a table still is as it was declared is told by these words."""
    return _types(ground, ground.table("a VARCHAR(12), b DECIMAL(12,2), c TIMESTAMPTZ, d BOOLEAN, e FLOAT8"))


@check("pg_get_constraintdef", "PRIMARY KEY (a, b)")
def constraint_definition(ground: Ground) -> Any:
    """The key of a table is read out of the catalogue, although the server does not keep it."""
    name = ground.table("a INT, b INT, v INT, PRIMARY KEY (a, b)")
    return ground.one(
        "SELECT pg_get_constraintdef(o.oid) FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE o.contype = 'p' AND n.nspname = %s AND c.relname = %s",
        tuple(name.split(".")),
    )


@check("has_schema_privilege", True)
def privileges(ground: Ground) -> Any:
    """A grant that is there is not made again."""
    return ground.one("SELECT has_schema_privilege(current_user, %s, 'USAGE')", (ground.schema,))


@check("a double as text is all of it", True)
def double_as_text(ground: Ground) -> Any:
    """Nothing of ours relies on it: `etl compare` takes doubles apart. An analyst's export may."""
    name = ground.table("k INT, v FLOAT8")
    values = [0.1, 1 / 3, 1e300, -1.7976931348623157e308, 2.2250738585072014e-308, 123456789.123456789]
    for number, value in enumerate(values):
        ground.db.execute(f"INSERT INTO {name} VALUES (%s, %s)", (number, value))
    texts = [text for (text,) in ground.db.query(f"SELECT CAST(v AS VARCHAR(64)) FROM {name} ORDER BY k")]
    return [float(text) for text in texts] == values or Said(f"{', '.join(texts)}")


@check("DECIMAL(38,10)", Decimal("1234567890123456789012345678.0123456789"))
def decimal(ground: Ground) -> Any:
    """The longest number that a column holds; longer ones are found before a load."""
    return ground.one(f"SELECT v FROM {ground.table('v DECIMAL(38,10)', '(1234567890123456789012345678.0123456789)')}")


@check("bound texts survive", list(HARD))
def bound_texts(ground: Ground) -> Any:
    """Run ids, keys, samples of lost values: whatever is written as a value of a statement."""
    name = ground.table("k INT, v VARCHAR(64)")
    for number, text in enumerate(HARD):
        ground.db.execute(f"INSERT INTO {name} VALUES (%s, %s)", (number, text))
    return [text for (text,) in ground.db.query(f"SELECT v FROM {name} ORDER BY k")]


@check("a backslash in a literal escapes", r"a\b")
def backslash(ground: Ground) -> Any:
    r"""The token for NULL is written with two; texts are bound, and the driver must know the same."""
    return ground.one(r"SELECT 'a\\b'")


@check("two statements in one message", 2)
def two_statements(ground: Ground) -> Any:
    """Markers, receipts and what belongs to them are sent together."""
    name = ground.table("k INT")
    ground.db.execute(f"INSERT INTO {name} VALUES (%s);\nINSERT INTO {name} VALUES (%s)", (1, 2))
    return ground.one(f"SELECT count(*) FROM {name}")


@check("LISTAGG does not cut", UNDERSTOOD)
def listagg(ground: Ground) -> Any:
    """No SQL of ours uses it; an analyst's that outgrew 65,535 bytes should fail and not lie."""
    name = ground.table("v VARCHAR(65535)")
    for _ in range(2):
        ground.db.execute(f"INSERT INTO {name} SELECT REPEAT('x', 40000)")
    return ground.refused(f"CREATE TABLE {ground.name()} AS SELECT LISTAGG(v, ',') AS v FROM {name}")


def _types(ground: Ground, name: str) -> list[str]:
    return [
        kind
        for (kind,) in ground.db.query(
            "SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 "
            "AND NOT a.attisdropped ORDER BY a.attnum",
            tuple(name.split(".")),
        )
    ]


def _never(words: str, sql: str) -> None:
    """Register the check that a statement is refused. It works on a table `{t}` of its own with a key k."""

    def refused(ground: Ground) -> Said:
        """SQL of Postgres that no file of warehouse_sql may use; where it is accepted, nothing of ours is lost."""
        return ground.refused(sql.format(t=ground.table("k INT PRIMARY KEY, v INT", "(1, 1)"), n=ground.name()))

    check(f"no {words}", REFUSED)(refused)


_never("ON CONFLICT", "INSERT INTO {t} VALUES (1, 1) ON CONFLICT DO NOTHING")
_never("RETURNING", "INSERT INTO {t} VALUES (2, 2) RETURNING k")
_never("CREATE INDEX", "CREATE INDEX turnstile_conformance ON {t} (k)")
_never("CHECK", "CREATE TABLE {n} (k INT CHECK (k > 0))")
_never("SAVEPOINT", "BEGIN; SAVEPOINT a; ROLLBACK")
_never("IS DISTINCT FROM", "SELECT k FROM {t} WHERE k IS DISTINCT FROM v")
_never("DISTINCT ON", "SELECT DISTINCT ON (k) k, v FROM {t}")
_never("FILTER", "SELECT count(*) FILTER (WHERE k > 0) FROM {t}")
_never("generate_series beside a table", "INSERT INTO {t} SELECT g, k FROM generate_series(2, 3) g, {t}")
_never("now() beside a table", "CREATE TABLE {n} AS SELECT now() AS at, k FROM {t}")
_never("alias in DELETE", "DELETE FROM {t} a WHERE a.k = 1")
_never("advisory lock", "SELECT pg_advisory_lock(1), k FROM {t}")
_never("uuid", "CREATE TABLE {n} (k UUID)")
_never("arrays", "CREATE TABLE {n} (k INT[])")
_never("VACUUM in a transaction", "BEGIN; VACUUM {t}; COMMIT")

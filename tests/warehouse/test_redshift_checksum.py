"""Redshift's form of the checksums: the same as MySQL's narrow one, and made of what Redshift documents."""

import contextlib
import math
import random
import re
import struct
from collections import Counter

import pytest
import sqlfluff

from etl.checksums import Field, Grid, kind_of
from etl.drill import Drill, _widths, as_there
from etl.mirror import MirrorTable
from etl.sources import mysql_catalogue, mysql_checksum
from etl.warehouse import connect
from etl.warehouse.checksum import WarehouseTable
from etl.warehouse.redshift_checksum import RedshiftTable, _divisors
from tests import pipeline
from tests.pipeline import day
from tests.test_compare import LOSSY, READ_AS, ROWS, TYPES, insert, mirrored_otherwise

pytest_plugins = ("tests.nights",)

# What Postgres does not have of what is asked of Redshift here.
STRTOL = """
CREATE FUNCTION strtol(digits text, base integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT ('x' || lpad(digits, 16, '0'))::bit(64)::bigint WHERE base = 16 $$
"""
# Each is in Amazon's reference, and none of them is said to run on the leader node only.
DOCUMENTED = {
    "ABS", "CAST", "COALESCE", "COUNT", "FLOOR", "GREATEST", "LEAST", "LEFT", "LN", "MAX", "MD5", "MIN", "MOD",
    "OCTET_LENGTH", "POWER", "RTRIM", "STRPOS", "STRTOL", "SUM", "TO_CHAR",
}  # fmt: skip
TYPE_NAMES = {"DECIMAL", "VARCHAR"}
# A decimal of 65 digits.
TOO_LONG = "d30"


@pytest.fixture
def shop(nights, mysql, warehouse):
    mysql_catalogue.forget()
    if warehouse.engine == "postgres":
        warehouse.query(STRTOL)
    return mysql


def mirrored():
    mysql_catalogue.forget()
    pipeline.night(MirrorTable(table="t", date=day(1)))
    mysql_catalogue.forget()


@contextlib.contextmanager
def sides(read_as=None, of=RedshiftTable):
    """t at MySQL, and its mirror as it would be asked for at Redshift."""
    with connect("test") as db:
        lost = db.query("SELECT DISTINCT column_name FROM etl.losses WHERE reason LIKE '%UTF-8%'")
        replaced = [name for (name,) in lost]
        narrow = of is RedshiftTable
        with mysql_checksum.opened("t", (), replaced, read_as or {}, narrow) as source, db.snapshot():
            fields = as_there(source.fields, db.columns("raw", "t"), "raw.t")
            yield source, of(db, '"raw".t', fields, source.key)


def all_of(side):
    """Everything that a comparison asks of a side of a small table."""
    first, last = side.span() or (0, 0)
    everything = Grid(first, last - first + 1)
    grid = Grid(first, max(1, (last - first) // 7))
    rows = sorted(side.rows(side.names, everything), key=lambda row: row.key) if side.key else []
    return {
        "span": (first, last),
        "sums": side.sums(side.names, everything, grid),
        "rows": rows,
        "count": side.count("1 = 1"),
    }


def assert_same(source, there):
    ours, theirs = all_of(source), all_of(there)
    for asked, found in ours.items():
        assert theirs[asked] == found, asked


@pytest.fixture
def every_type(shop, engine):
    """The columns of a table that has one of each."""
    types = {name: kind for name, kind in TYPES.items() if engine == "postgres" or name != TOO_LONG}
    shop.execute(f"CREATE TABLE t (id INT PRIMARY KEY, {', '.join(f'`{n}` {kind}' for n, kind in types.items())})")
    lossy = [{name: literal} for name, literals in LOSSY.items() for literal in literals]
    for number, values in enumerate(ROWS + lossy):
        insert(shop, number, {name: literal for name, literal in values.items() if name in types})
    mirrored()
    return list(types)


def test_every_type_has_the_same_checksums_and_texts(every_type, warehouse):
    with sides() as (source, there):
        assert_same(source, there)
        assert {field.kind for field in source.fields} >= {"integer", "decimal", "boolean", "double", "date", "time"}
        positions = range(len(ROWS))
        ours, theirs = (side.values(side.names, positions) for side in (source, there))
        doubles = {field.name for field in source.fields if field.kind == "double"}
        for key, values in ours.items():
            assert {name: text for name, text in values.items() if name not in doubles} == {
                name: text for name, text in theirs[key].items() if name not in doubles
            }


@pytest.mark.engines("postgres", reason="Redshift has no numeric(38,38)")
def test_what_read_as_says_has_the_same_checksums(shop):
    mirrored_otherwise(shop, "postgres")
    read_as = {name: said for name, (said, *_) in READ_AS.items()}
    with sides(read_as) as (source, there):
        assert_same(source, there)
        assert {field.name for field in source.fields if field.kind == "clock"} == {"tm", "tm3"}


@pytest.mark.engines("postgres", reason="it is about Postgres's own form")
def test_postgres_writes_the_same_where_nothing_is_narrow(every_type):
    alike = {"integer", "decimal", "boolean", "date", "time", "text", "long text"}
    with sides() as (source, there), sides(of=WarehouseTable) as (_, postgres):
        names = [field.name for field in source.fields if field.kind in alike]
        everything = Grid(0, 100)
        found = [Counter(side.rows(names, everything)) for side in (source, there, postgres)]
        assert found[0] == found[1] == found[2]


def test_a_change_in_any_type_is_found(every_type, warehouse):
    changes = ", ".join(f"{name} = (SELECT {name} FROM raw.t WHERE id = 0)" for name in every_type)
    warehouse.query(f"UPDATE raw.t SET {changes} WHERE id = 1")
    with sides() as (source, there):
        everything = Grid(0, 100)
        (ours,), (theirs,) = (side.sums(side.names, everything, everything).values() for side in (source, there))
        pairs = zip(source.names, ours.checksums, theirs.checksums, strict=True)
        assert [name for name, one, other in pairs if one != other] == every_type


def test_doubles_are_the_same_to_every_bit(shop, warehouse):
    drawn = random.Random(1)
    bits = [struct.unpack("d", struct.pack("Q", drawn.getrandbits(64)))[0] for _ in range(2000)]
    numbers = [number for number in bits if math.isfinite(number)]
    powers = [2.0**exponent for exponent in range(-1074, 1024)]
    numbers += powers + [math.nextafter(power, side) for power in powers for side in (0.0, math.inf)]
    numbers += [-number for number in drawn.sample(numbers, 500)]
    numbers += [drawn.uniform(1, 10) * 10.0**exponent for exponent in range(-5, 25) for _ in range(20)]
    numbers += [0.0, 5e-324, -5e-324, 2.0**53 - 1, 2.0**53 + 2, 0.1, 1e23, 6.429560891534334e16, 12.5]
    # The doubles of Redshift itself begin at 2.3e-308.
    least = 2.3e-308 if warehouse.engine == "redshift" else 0.0
    numbers = [number for number in numbers if math.isfinite(number) and (not number or abs(number) > least)]
    shop.execute("CREATE TABLE t (id INT PRIMARY KEY, v DOUBLE)")
    shop.execute("INSERT INTO t VALUES (%s, %s)", [(i, repr(number)) for i, number in enumerate(numbers)])
    mirrored()
    held = dict(warehouse.query("SELECT id, v FROM raw.t"))
    assert [held[i] for i in range(len(numbers))] == numbers
    with sides() as (source, there):
        assert_same(source, there)
        texts = there._query(f'SELECT {there._canonical(there.fields[1])}, v FROM "raw".t')
        assert len({text for text, _ in texts}) == len({v for _, v in texts}), "no two have one text"
        for text, v in texts:
            mantissa, _, exponent = text.partition("b")
            assert math.ldexp(int(mantissa), int(exponent) - 52 if exponent else 0) == v


# Where positions begin, how far they reach, and what the column is.
SPANS = [
    (1, 1, "integer"),
    (1, 1000, "integer"),
    (-(2**31), 2**31 - 1, "integer"),
    (-(2**63), 2**63 - 1, "bigint"),
    (0, 2**63 - 1, "bigint"),
    (0, 2**64 - 1, "numeric(20,0)"),
    (1 - 10**20, 10**20 - 1, "numeric(20,0)"),
    (2**63 - 5, 2**63 + 5, "numeric(20,0)"),
]


@pytest.mark.parametrize(("first", "last", "declared"), SPANS)
def test_a_row_is_in_the_cell_that_python_counts(warehouse, first, last, declared):
    drawn = random.Random(first)
    grids = [Grid(first, width) for width in _widths(last - first + 1)]
    edges = [drawn.choice(grid.bounds(drawn.randint(0, (last - first) // grid.width))) for grid in grids * 20]
    keys = {first, last, *(drawn.randint(first, last) for _ in range(50)), *(edge for edge in edges if edge <= last)}
    warehouse.query(f"CREATE TABLE t AS SELECT CAST(id AS {declared}) AS id FROM unnest(ARRAY{[*keys]}) id")
    warehouse.query("GRANT SELECT ON t TO PUBLIC")
    with connect("test") as db:
        there = RedshiftTable(db, "t", [Field("id", kind_of(declared))], ["id"])
        assert there.span() == (first, last)
        for grid in grids:
            rows = there._query(f"SELECT id, {there._cell('id', grid)} FROM t")
            assert {int(key): int(cell) for key, cell in rows} == {key: (key - first) // grid.width for key in keys}
            cell = (max(keys) - first) // grid.width
            inside = Grid(first, grid.width, (0, cell))
            held = {row.position for row in there.rows((), inside)}
            assert held == {key for key in keys if (key - first) // grid.width in (0, cell)}


def test_a_division_never_needs_more_digits_than_redshift_has():
    """By its rules for the precision and the scale of a quotient, of which no digit is to be cut."""
    drawn = random.Random(1)
    spans = [drawn.randint(1, 2 * 10**20) for _ in range(2000)] + [64**power for power in range(12)] + [2 * 10**20]
    for width in {width for span in spans for width in _widths(span)}:
        assert math.prod(_divisors(width)) == width
        for divisor in _divisors(width):
            digits = len(str(divisor))
            scale = max(4, digits + 1)
            # A difference of two DECIMAL(22,0) has a digit more.
            assert 23 + scale <= 38, (width, divisor)


KEYS = [
    ("a INT NOT NULL, b VARCHAR(9) NOT NULL, PRIMARY KEY (a, b)", "seq DIV 10, CONCAT('x ', seq % 10)"),
    ("a VARCHAR(30) PRIMARY KEY, b INT", "CONCAT(IF(seq % 2, 'é', 'E'), seq, ' '), 1"),
    ("a BINARY(16) PRIMARY KEY, b INT", "UNHEX(MD5(seq)), 1"),
    ("a BIGINT UNSIGNED PRIMARY KEY, b INT", "18446744073709551615 - seq, 1"),
    ("a BIGINT PRIMARY KEY, b INT", "IF(seq % 2, seq - 9223372036854775807, 9223372036854775807 - seq), 1"),
    ("a DATE PRIMARY KEY, b INT", "'2014-02-03' + INTERVAL seq DAY, 1"),
    ("a DECIMAL(9,3) PRIMARY KEY, b INT", "seq + 0.125, 1"),
]


@pytest.mark.exam_on("postgres", "redshift")
@pytest.mark.parametrize(("declared", "keys"), KEYS)
def test_keys_of_any_kind_are_drilled_to_the_row(shop, warehouse, declared, keys):
    shop.execute(f"CREATE TABLE t ({declared}, v INT)")
    shop.execute(f"INSERT INTO t SELECT {keys.replace('seq', 'CAST(seq AS SIGNED)')}, seq FROM seq_1_to_25000")
    mirrored()
    warehouse.query("DELETE FROM raw.t WHERE v = 777")
    warehouse.query("UPDATE raw.t SET v = -1 WHERE v = 20000")
    with sides() as (source, there):
        assert source.span() == there.span()
        drill = Drill(source, there, source.names, 20)
        found = list(drill)
        ours, theirs = (
            Counter(row for inside in found for row in side.rows(["v"], inside)) for side in (source, there)
        )
        assert (len(ours - theirs), len(theirs - ours)) == (2, 1)


def test_blanks_at_the_end_are_a_difference(every_type, warehouse):
    """Which a comparison of texts does not see at Redshift."""
    warehouse.query("UPDATE raw.t SET v = v || ' ' WHERE id = 2")
    with sides() as (source, there):
        everything = Grid(0, 100)
        (ours,), (theirs,) = (side.sums(side.names, everything, everything).values() for side in (source, there))
        pairs = zip(source.names, ours.checksums, theirs.checksums, strict=True)
        assert [name for name, one, other in pairs if one != other] == ["v"]


def test_a_decimal_key_that_the_warehouse_takes_for_an_integer(shop, warehouse):
    shop.execute("CREATE TABLE t (a DECIMAL(20,0) PRIMARY KEY, v INT)")
    shop.execute("INSERT INTO t VALUES (99999999999999999999, 1), (-99999999999999999999, 2), (0, 3)")
    mirrored()
    warehouse.query("ALTER TABLE raw.t ALTER COLUMN a TYPE numeric(20,0)")
    with sides() as (source, there):
        assert (source.ordered, there.ordered) == (False, True)
        assert source.span() != there.span()
        assert Drill(source, there, source.names, 20).cells == []
        assert_same(source, there)


def test_long_texts_in_a_key_and_beside_it(shop):
    shop.execute("CREATE TABLE t (a VARCHAR(700) PRIMARY KEY, b VARCHAR(9000), c TINYTEXT)")
    shop.execute("INSERT INTO t VALUES (REPEAT('é', 700), REPEAT('b ', 4500), 'x '), ('x ', REPEAT('é', 1000), '')")
    shop.execute("INSERT INTO t VALUES ('y', REPEAT('é', 1001), NULL)")
    mirrored()
    with sides() as (source, there):
        assert_same(source, there)


def test_a_table_without_a_key(shop, warehouse):
    shop.execute("CREATE TABLE t (a INT, b VARCHAR(9), c DOUBLE, d BLOB)")
    shop.execute(
        "INSERT INTO t VALUES (1, 'x', 0.1, x'ff'), (2, 'y', NULL, ''), (2, 'y', 3, NULL), (NULL, NULL, 1, '')"
    )
    mirrored()
    with sides() as (source, there):
        assert_same(source, there)
    warehouse.query("UPDATE raw.t SET a = 1 WHERE c = 3")
    with sides() as (source, there):
        assert all_of(source)["sums"] != all_of(there)["sums"]


def asked(side):
    """The statements of everything that is asked of a side."""
    said = []
    ask = side._query
    side._query = lambda sql: said.append(sql) or ask(sql)
    all_of(side)
    side.values(side.names, [1])
    first, _ = side.span()
    side.sums(side.names[:1], Grid(first, 10**15 * 2**30, (0,)), Grid(first, 10))
    return said


@pytest.mark.engines("redshift", reason="its SQL is for no other")
def test_only_what_redshift_documents_is_asked_of_it(every_type):
    with sides() as (_, there):
        statements = asked(there)
    assert len(statements) > 5
    for sql in statements:
        code = re.sub(r"'[^']*'|\"[^\"]*\"", "''", sql)
        functions = set(re.findall(r"([A-Za-z_0-9]+)\(", code)) - {"IN", "AND", "OR", "WHERE", "THEN", "NOT"}
        assert functions <= DOCUMENTED | TYPE_NAMES, functions - DOCUMENTED
        assert "::" not in code
        assert "\\" not in sql, "which Redshift takes for an escape"
        parsed = sqlfluff.parse(sql, dialect="redshift")
        assert "unparsable" not in str(parsed)

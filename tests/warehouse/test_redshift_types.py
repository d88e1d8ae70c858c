"""Redshift's types: what is declared for a column, how it is named there, and which can grow."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import DataError
from etl.warehouse.redshift_types import folded, is_wider, type_of


@pytest.mark.parametrize(
    ("declared", "bound", "expected"),
    [
        ("TEXT", "", "VARCHAR(65535)"),
        ("TEXT", "VARCHAR(320)", "VARCHAR(320)"),
        ("NUMERIC", "DECIMAL(10,2)", "DECIMAL(10,2)"),
        ("NUMERIC", "DECIMAL(38,37)", "DECIMAL(38,37)"),
        ("NUMERIC(20,0)", "", "NUMERIC(20,0)"),
        ("NUMERIC(12, 2)", "DECIMAL(12,2)", "NUMERIC(12,2)"),
        ("NUMERIC(5,-2)", "", "NUMERIC(7,0)"),
        ("NUMERIC(3,5)", "", "NUMERIC(5,5)"),
        # The largest DECIMAL(19,0) of Redshift is 9223372036854775807.
        ("NUMERIC", "DECIMAL(19,4)", "DECIMAL(20,4)"),
        ("NUMERIC(19,4)", "", "NUMERIC(20,4)"),
        *(
            (kind, "", kind)
            for kind in (
                "SMALLINT", "INTEGER", "BIGINT", "BOOLEAN", "DOUBLE PRECISION", "DATE", "TIMESTAMP", "TIMESTAMPTZ",
                "TIME", "VARCHAR(80)", "SUPER",
            )
        ),
    ],
)  # fmt: skip
def test_the_type_of_a_column(declared, bound, expected):
    assert type_of(declared, bound) == expected


@pytest.mark.parametrize(
    ("declared", "bound", "said"),
    [
        ("NUMERIC", "", "a NUMERIC without precision and scale.*read_as = {'price': 'numeric(p,s)'}.*CAST(price AS"),
        ("NUMERIC", "DECIMAL(39,0)", "a DECIMAL(39,0) has up to 39 digits.*read_as = {'price': 'text'}.*CAST(price AS"),
        ("NUMERIC(39,2)", "", "a NUMERIC(39,2) has up to 39 digits"),
        ("NUMERIC", "DECIMAL(65,30)", "a DECIMAL(65,30) has up to 65 digits, 30 of them after the point"),
        ("NUMERIC", "DECIMAL(38,38)", "a DECIMAL(38,38) has up to 38 digits, 38 of them after the point"),
        ("NUMERIC(30,-9)", "", "a NUMERIC(30,-9) has up to 39 digits"),
    ],
)
def test_what_redshift_has_no_column_for_is_refused(declared, bound, said):
    pattern = said.replace("(", r"\(").replace(")", r"\)").replace("{", r"\{").replace("}", r"\}")
    with pytest.raises(DataError, match=pattern):
        type_of(declared, bound, "price")


@given(precision=st.integers(1, 38), data=st.data())
def test_every_number_of_a_decimal_fits_its_column(precision, data):
    scale = data.draw(st.integers(0, min(precision, 37)))
    digits, decimals = type_of("NUMERIC", f"DECIMAL({precision},{scale})").removeprefix("DECIMAL(")[:-1].split(",")
    largest = Decimal("9" * precision).scaleb(-scale)
    assert int(decimals) == scale
    # Inside, Redshift has a 64-bit integer for up to 19 digits, and a 128-bit one for more.
    assert int(largest.scaleb(scale)) < (2**63 if int(digits) <= 19 else 2**127)
    assert int(digits) - int(decimals) >= precision - scale


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("VARCHAR(320)", "character varying(320)"),
        ("character varying(320)", "character varying(320)"),
        ("VARCHAR", "character varying(256)"),
        ("TEXT", "character varying(256)"),
        ("CHAR(3)", "character(3)"),
        ("char", "character(1)"),
        ("bpchar", "character(256)"),
        ("DECIMAL(10, 2)", "numeric(10,2)"),
        ("numeric ( 10 , 2 )", "numeric(10,2)"),
        ("NUMERIC(10)", "numeric(10,0)"),
        ("NUMERIC", "numeric(18,0)"),
        ("INT", "integer"),
        ("int8", "bigint"),
        ("SMALLINT", "smallint"),
        ("FLOAT", "double precision"),
        ("DOUBLE  PRECISION", "double precision"),
        ("REAL", "real"),
        ("BOOL", "boolean"),
        ("DATE", "date"),
        ("TIMESTAMP", "timestamp without time zone"),
        ("timestamp without time zone", "timestamp without time zone"),
        ("TIMESTAMPTZ", "timestamp with time zone"),
        ("TIME", "time without time zone"),
        ("TIMETZ", "time with time zone"),
        ("SUPER", "super"),
    ],
)
def test_a_type_as_the_server_writes_it(kind, expected):
    assert folded(kind) == expected
    assert folded(expected) == expected


@pytest.mark.parametrize(
    ("was", "becomes", "wider"),
    [
        ("character varying(80)", "VARCHAR(81)", True),
        ("character varying(80)", "character varying(80)", False),
        ("VARCHAR(80)", "VARCHAR(79)", False),
        ("character varying(9)", "character varying(65535)", True),
        ("character(9)", "character varying(80)", False),
        ("character varying(9)", "character(80)", False),
        ("smallint", "integer", False),
        ("numeric(10,2)", "numeric(12,2)", False),
        ("integer", "character varying(80)", False),
    ],
)
def test_only_a_varchar_can_grow_in_place(was, becomes, wider):
    assert is_wider(was, becomes) is wider

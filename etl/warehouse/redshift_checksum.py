"""A table of Redshift as one side of a comparison: the canonical texts, of what its compute nodes are known to run.

The other side is one that is `narrow`. What an engine of its own might do otherwise is not relied upon: that a decimal
division is exact, that a SUM is wider than what it sums, that CAST knows how long a text is, how a double is written.
"""

from etl.checksums import HASH_DIGITS, JOINED_BYTES, SHOWN_BYTES, Field, Grid, binary
from etl.warehouse.checksum import WarehouseTable
from etl.warehouse.names import literal, quote

_REPLACEMENT = literal("\ufffd")
# Of a difference of two keys, which have 20 digits at most.
_DIFFERENCE = "DECIMAL(22,0)"
# A decimal is divided by no more digits than leave all digits of the quotient within the 38 that Redshift has.
_LARGEST_DIVISOR = 10**14
_COARSE = 2**30


class RedshiftTable(WarehouseTable):
    """A table, by its name in SQL, in the transaction that its connection has begun; its rows that are `alive`.

    The session's time zone is UTC.
    """

    def _canonical(self, field: Field) -> str:
        text = self._text(field)
        match field.kind:
            case "double":
                return binary(quote(field.name), _whole, " || ".join)
            case "bytes" | "long text":
                return f"MD5({text})"
            case "text":
                # What is longer than a VARCHAR may be is an error, and a key may have many columns.
                return f"CASE WHEN OCTET_LENGTH({text}) <= {JOINED_BYTES} THEN {text} ELSE MD5({text}) END"
        return text

    def _readable(self, field: Field) -> str:
        text = self._text(field)
        if field.kind not in ("long text", "bytes"):
            return text
        size = f"OCTET_LENGTH({text})" + " / 2" * (field.kind == "bytes")
        long = f"CAST({size} AS VARCHAR) || ' bytes with MD5 ' || {self._canonical(field)}"
        return f"CASE WHEN {size} <= {SHOWN_BYTES} THEN {text} ELSE {long} END"

    def _text(self, field: Field) -> str:
        name = quote(field.name)
        match field.kind:
            case "boolean":
                return f"CASE WHEN {name} THEN '1' WHEN NOT {name} THEN '0' END"
            case "integer" | "double":
                return f"CAST({name} AS VARCHAR)"
            case "decimal" | "clock":
                text = f"CAST({name} AS VARCHAR)"
                return f"CASE WHEN STRPOS({text}, '.') > 0 THEN RTRIM(RTRIM({text}, '0'), '.') ELSE {text} END"
            case "date":
                return f"TO_CHAR({name}, 'YYYY-MM-DD')"
            case "time":
                return f"TO_CHAR({name}, 'YYYY-MM-DD HH24:MI:SS.US')"
        # Of any length: CAST to VARCHAR without one would cut it.
        if field.replaced:
            return f"CASE WHEN STRPOS({name}, {_REPLACEMENT}) > 0 THEN {_REPLACEMENT} ELSE {name} END"
        return name

    def _hash(self, text: str) -> str:
        return f"STRTOL(LEFT(MD5({text}), {HASH_DIGITS}), 16)"

    def _sum(self, checksum: str) -> str:
        # The sum of BIGINTs is a BIGINT, which holds no more than eight of these.
        return f"SUM(CAST({checksum} AS DECIMAL(38,0)))"

    def _cell(self, position: str, grid: Grid) -> str:
        if not self.ordered:
            return f"({position} - {grid.first}) / {grid.width}"
        cell = f"(CAST({position} AS DECIMAL(21,0)) - CAST({grid.first} AS DECIMAL(21,0)))"
        for divisor in _divisors(grid.width):
            cell = _divided(cell, divisor)
        return cell


def _whole(number: str) -> str:
    return f"CAST(CAST({number} AS BIGINT) AS VARCHAR)"


def _divisors(width: int) -> list[int]:
    """Whose product is the width, which is a multiple of a high power of 64 where it is a large number."""
    return [width] if width < _LARGEST_DIVISOR else [_COARSE, width // _COARSE]


def _divided(number: str, divisor: int) -> str:
    """Rounded down: without the remainder nothing is left to round, whatever the scale of the quotient."""
    multiple = f"({number} - MOD({number}, CAST({divisor} AS {_DIFFERENCE})))"
    return f"CAST({multiple} / CAST({divisor} AS DECIMAL({len(str(divisor))},0)) AS {_DIFFERENCE})"

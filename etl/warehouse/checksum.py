"""A table of the warehouse as one side of a comparison: the canonical texts, as expressions of Postgres's."""

from collections.abc import Sequence
from typing import Any

from etl.checksums import HASH_DIGITS, SEPARATOR, SHOWN_BYTES, Field, Grid, Side
from etl.warehouse.engine import Engine
from etl.warehouse.names import literal, quote

_REPLACEMENT = literal("\ufffd")


class WarehouseTable(Side):
    """A table, by its name in SQL, in the transaction that its connection has begun; its rows that are `alive`."""

    def __init__(self, db: Engine, name: str, fields: Sequence[Field], key: Sequence[str], alive: str = ""):
        super().__init__(name, fields, key)
        self._db, self._alive = db, alive

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._db.query(sql)

    def _quote(self, name: str) -> str:
        return quote(name)

    def _value(self, field: Field) -> str:
        return quote(field.name)

    def _canonical(self, field: Field) -> str:
        name = quote(field.name)
        match field.kind:
            case "double":
                return _double(name)
            case "bytes":
                return f"CASE WHEN {_is_hex(name)} THEN md5(decode({name}, 'hex')) ELSE 'no bytes: ' || md5({name}) END"
            case "long text":
                return f"md5({self._text(field)})"
        return self._text(field)

    def _readable(self, field: Field) -> str:
        text = self._text(field)
        if field.kind not in ("long text", "bytes"):
            return text
        size = f"octet_length({text})" + " / 2" * (field.kind == "bytes")
        long = f"{size} || ' bytes with MD5 ' || {self._canonical(field)}"
        return f"CASE WHEN {size} <= {SHOWN_BYTES} THEN {text} ELSE {long} END"

    def _text(self, field: Field) -> str:
        name = quote(field.name)
        match field.kind:
            case "boolean":
                return f"{name}::integer::text"
            case "decimal":
                return f"CASE WHEN scale({name}) > 0 THEN rtrim(rtrim({name}::text, '0'), '.') ELSE {name}::text END"
            case "time":
                return f"to_char({name}, 'YYYY-MM-DD HH24:MI:SS.US')"
        if field.replaced:
            return f"CASE WHEN position({_REPLACEMENT} IN {name}) > 0 THEN {_REPLACEMENT} ELSE {name} END"
        return f"{name}::text"

    def _excluded(self) -> str:
        return self._alive

    def _joined(self, texts: Sequence[str]) -> str:
        return f" || {literal(SEPARATOR)} || ".join(texts)

    def _hash(self, text: str) -> str:
        return f"('x' || left(md5({text}), {HASH_DIGITS}))::bit({4 * HASH_DIGITS})::bigint"

    def _cell(self, position: str, grid: Grid) -> str:
        return f"div({position}::numeric - ({grid.first}), {grid.width})"


def _is_hex(name: str) -> str:
    return f"translate({name}, '0123456789ABCDEF', '') = '' AND length({name}) % 2 = 0"


_IS_SCALED = "abs({}) BETWEEN 1e15 AND 1e41"


def _double(name: str) -> str:
    """The digits and the exponent of a double, which are the shortest that name it, in every engine.

    Engines leave the plain notation at different sizes. And where a short number lies exactly between two doubles,
    which are then at least 2^51 and below 10^41, only some engines take it for the even one: after a division by 2^100,
    which is exact, none lies there. The plain notation is taken where all agree, since it costs nothing.
    """
    shown = f"abs({_scaled(name)})::text"
    mantissa = f"split_part({shown}, 'e', 1)"
    digits = f"replace({mantissa}, '.', '')"
    exponent = (
        f"coalesce(nullif(split_part({shown}, 'e', 2), ''), '0')::integer "
        f"+ length(split_part({mantissa}, '.', 1)) - length({digits}) + length(ltrim({digits}, '0'))"
    )
    sign = f"CASE WHEN {name} < 0 THEN '-' ELSE '' END"
    mark = f"CASE WHEN {_IS_SCALED.format(name)} THEN 'b' ELSE 'e' END"
    written = f"{sign} || btrim({digits}, '0') || {mark} || ({exponent})"
    plain = f"{name} = 0 OR abs({name}) BETWEEN 1e-4 AND 999999999999999"
    return f"CASE WHEN {plain} THEN {name}::text ELSE {written} END"


def _scaled(name: str) -> str:
    return f"CASE WHEN {_IS_SCALED.format(name)} THEN {name} * 7.888609052210118e-31 ELSE {name} END"

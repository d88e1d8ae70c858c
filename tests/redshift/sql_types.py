"""Types: what Redshift calls them, and what stands for them upstream."""

from typing import Any

from pglast import ast

from tests.redshift.errors import Refused

# A node of the parser's, whose stubs take every field for one that may be missing.
Tree = Any

# By the name that Postgres's parser gives a type: what the upstream type is.
_SIMPLE = {
    "int2": "int2",
    "int4": "int4",
    "int8": "int8",
    "float4": "float4",
    "float8": "float8",
    "bool": "bool",
    "date": "date",
    "time": "time",
    "timetz": "timetz",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
    "super": "jsonb",
}
_VARCHARS = frozenset(("varchar", "nvarchar", "text"))
_CHARS = frozenset(("bpchar", "nchar"))
_VARBYTES = frozenset(("varbyte", "varbinary"))
# Postgres 8.0's own, which the leader node's catalogue has.
_CATALOGUE = frozenset(("oid", "name", "regclass", "regtype", "regproc", "char"))

_LONGEST_VARCHAR = 65535
_LONGEST_CHAR = 4096
_LONGEST_VARBYTE = 16_777_216
_DEFAULT_VARBYTE = 64_000


def column_type(given: Tree) -> ast.TypeName:
    """Of a column: a missing length is Redshift's default."""
    return _rewritten(given, in_table=True, catalogue=False)


def cast_type(given: Tree, catalogue: bool) -> ast.TypeName:
    """Of a cast: VARCHAR without a length keeps what it is given. `catalogue`: no user's table is near."""
    return _rewritten(given, in_table=False, catalogue=catalogue)


def name_of(given: Tree) -> str:
    return given.names[-1].sval if given.names else ""


def _rewritten(given: Tree, in_table: bool, catalogue: bool) -> ast.TypeName:
    name = name_of(given)
    schema = given.names[0].sval if len(given.names) > 1 else ""
    if given.arrayBounds is not None or given.setof or given.pct_type:
        raise _unsupported(f"{name}[]")
    if schema not in ("", "pg_catalog"):
        raise _missing(f"{schema}.{name}")
    if name in _SIMPLE:
        if given.typmods:
            raise Refused("42601", f"{name} takes no precision in Redshift", position=_position(given))
        return _type("pg_catalog", _SIMPLE[name])
    if name in _VARCHARS:
        length = _length(given, name, _LONGEST_VARCHAR, 256 if in_table else None)
        return _type("redshift", "varchar", length) if length else _type("redshift", "varchar")
    if name in _CHARS:
        # Postgres's parser reads a bare CHAR as bpchar(1), and leaves BPCHAR without a length.
        return _type("pg_catalog", "bpchar", _length(given, "char", _LONGEST_CHAR, 256) or 256)
    if name in _VARBYTES:
        _length(given, "varbyte", _LONGEST_VARBYTE, _DEFAULT_VARBYTE)
        return _type("pg_catalog", "bytea")
    if name == "numeric":
        return _type("pg_catalog", "numeric", *_precision(given))
    if name in _CATALOGUE and catalogue:
        return given
    raise _unsupported(name)


def interval_literal(given: Tree) -> bool:
    return name_of(given) == "interval"


def _length(given: Tree, name: str, longest: int, default: int | None) -> int | None:
    if not given.typmods:
        return default
    length = _integer(given.typmods[0]) if len(given.typmods) == 1 else None
    if length is None or length < 1:
        raise Refused("22023", f"length for type {name} must be at least 1", position=_position(given))
    if length > longest:
        raise Refused("22023", f"length for type {name} cannot exceed {longest}", position=_position(given))
    return length


def _precision(given: Tree) -> tuple[int, int]:
    if not given.typmods:
        return 18, 0
    numbers = [_integer(number) for number in given.typmods]
    precision = numbers[0] or 0
    scale = numbers[1] if len(numbers) > 1 else 0
    if not 1 <= precision <= 38:
        raise Refused("22023", f"DECIMAL precision {precision} must be between 1 and 38", position=_position(given))
    if scale is None or not 0 <= scale <= min(precision, 37):
        shown = min(precision, 37)
        raise Refused("22023", f"DECIMAL scale {scale} must be between 0 and {shown}", position=_position(given))
    return precision, scale


def _integer(node: Tree) -> int | None:
    return node.val.ival if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer) else None


def _type(schema: str, name: str, *modifiers: int) -> ast.TypeName:
    typmods = tuple(ast.A_Const(val=ast.Integer(ival=number), isnull=False) for number in modifiers)
    return ast.TypeName(names=(ast.String(sval=schema), ast.String(sval=name)), typmods=typmods or None, typemod=-1)


def _position(given: Tree) -> int | None:
    location = given.location
    return location + 1 if isinstance(location, int) and location >= 0 else None


def _unsupported(name: str) -> Refused:
    return Refused("0A000", f'Column type "{name}" is not supported.')


def _missing(name: str) -> Refused:
    return Refused("42704", f'type "{name}" does not exist')

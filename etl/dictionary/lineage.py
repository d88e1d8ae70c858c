"""What a SELECT does: for each column that it yields, which columns of which tables go into it, and by which joins.

The only module that knows sqlglot.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from etl.dictionary.model import Field
from etl.errors import ConfigError, EtlError

try:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import Scope, traverse_scope
except ModuleNotFoundError:
    raise ConfigError(
        "etl docs reads SQL by sqlglot, which is not installed: pip install 'turnstile-etl[docs]'"
    ) from None

# What it warns of, we say ourselves.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

STAGE = "{stage}"

# Left as it is in literals, names and comments.
_PIECE = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|(?P<ours>\{[^{}]*\})""", re.DOTALL)
_PUT_IN = re.compile(r"PUT_IN_(\d+)\(\)", re.IGNORECASE)
# A recursive query has no end.
_DEEP = 8
# sqlglot names its own classes, and underlines in colour.
_CLASSES = re.compile(r"<class '[\w.]*?(\w+)'>")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Unreadable(EtlError):
    """SQL that we cannot read, which says nothing of whether a warehouse can."""


@dataclass(frozen=True)
class Yielded:
    """A column of a SELECT: see model.Origin."""

    expression: str
    steps: tuple[str, ...]
    values: tuple[Field, ...]
    joins: tuple[str, ...]
    lookups: tuple[Field, ...]


@dataclass
class Selected:
    """A SELECT's columns by name, the tables that it reads, and what decides on its rows."""

    columns: dict[str, Yielded] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    conditions: list[str] = field(default_factory=list)
    rows: list[Field] = field(default_factory=list)


def read_select(sql: str, known: dict[str, Iterable[str]], dialect: str = "postgres") -> Selected:
    """`known` are columns of tables, by their names, for what a `*` means. `{stage}` is a table, `{date_key}` a value.

    Raises Unreadable.
    """
    put_in: list[str] = []

    def replaced(found: re.Match[str]) -> str:
        if not found["ours"]:
            return found[0]
        if found[0] == STAGE:
            return f'"{STAGE}"'
        put_in.append(found[0])
        return f"put_in_{len(put_in) - 1}()"

    try:
        parsed = sqlglot.parse(_PIECE.sub(replaced, sql), dialect=dialect)
        if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
            raise Unreadable("it is no single SELECT")
        query = qualify(
            parsed[0],
            dialect=dialect,
            schema=_schema(known),
            quote_identifiers=False,
            identify=False,
            validate_qualify_columns=False,
        )
        scopes = traverse_scope(query)
    except Unreadable:
        raise
    except Exception as error:
        # Also what sqlglot did not foresee: one SELECT must not keep all others from being read.
        raise Unreadable(_said(error)) from None
    return _Reader(scopes, put_in, dialect).selected()


def columns_of(expression: str, table: str, dialect: str = "postgres") -> list[Field]:
    """The columns of one table that stand in an expression."""
    try:
        found = sqlglot.parse_one(expression, dialect=dialect).find_all(exp.Column)
    except SqlglotError as error:
        raise Unreadable(_said(error)) from None
    return _once(Field(table, column.name) for column in found)


class _Reader:
    def __init__(self, scopes: list["Scope"], put_in: list[str], dialect: str) -> None:
        self._put_in, self._dialect, self._scopes = put_in, dialect, scopes
        self._top = scopes[-1]
        # Where a column stands says which tables its alias may mean.
        self._at: dict[int, Scope] = {}
        for scope in self._scopes:
            for column in scope.columns:
                # A subquery's own come first: those of outside are in its scope's too.
                self._at.setdefault(id(column), scope)
        self._resolved: dict[tuple[int, str], tuple[Field, ...]] = {}

    def selected(self) -> Selected:
        found = Selected(tables=_once(_name(table) for scope in self._scopes for table in self._tables(scope)))
        parts = list(_branches(self._top))
        for place, projection in enumerate(_selects(parts[0])):
            if projection.is_star:
                raise Unreadable("what its * stands for is not known")
            # The branches of a UNION are matched by position, and named by the first.
            made = [self._yielded(branch, _selects(branch)[place]) for branch in parts]
            found.columns[projection.alias_or_name] = Yielded(
                " | ".join(_once(one.expression for one in made)),
                tuple(_once(step for one in made for step in one.steps)),
                tuple(_once(value for one in made for value in one.values)),
                tuple(_once(join for one in made for join in one.joins)),
                tuple(_once(lookup for one in made for lookup in one.lookups)),
            )
        for scope in self._scopes:
            for condition, text in self._conditions(scope):
                found.conditions.append(text)
                found.rows += self._fields(condition)
        found.conditions, found.rows = _once(found.conditions), _once(found.rows)
        return found

    def _yielded(self, scope: "Scope", projection: "exp.Expr") -> Yielded:
        expression = projection.unalias()
        joins, lookups = [], []
        for join in self._joins(scope, {column.table for column in expression.find_all(exp.Column)}):
            joins.append(self._sql(join.args["on"]))
            lookups += self._fields(join.args["on"])
        return Yielded(
            self._sql(expression),
            tuple(_once(self._steps(scope, expression))),
            tuple(self._fields(expression)),
            tuple(_once(joins)),
            tuple(_once(lookups)),
        )

    def _steps(self, scope: "Scope", expression: "exp.Expr", depth: int = 0) -> Iterator[str]:
        """What the columns of subqueries that stand in an expression are, and so on down to those of tables."""
        for column in expression.find_all(exp.Column, bfs=False):
            source = self._source(scope, column)
            if isinstance(source, Scope) and depth < _DEEP:
                for branch, inner in self._made(source, column.name):
                    if not isinstance(inner, exp.Column) or inner.name != column.name:
                        yield f"{column.table}.{column.name} = {self._sql(inner)}"
                    yield from self._steps(branch, inner, depth + 1)

    def _joins(self, scope: "Scope", aliases: set[str]) -> Iterator["exp.Join"]:
        """Those by which the rows of these aliases are found, and of those that they are found by."""
        joins = {join.alias_or_name: join for join in scope.expression.args.get("joins") or [] if join.args.get("on")}
        waiting, seen = list(aliases), set(aliases)
        while waiting:
            if join := joins.get(waiting.pop(0)):
                yield join
                more = {column.table for column in join.args["on"].find_all(exp.Column)} - seen
                seen |= more
                waiting += sorted(more)

    def _conditions(self, scope: "Scope") -> Iterator[tuple["exp.Expr", str]]:
        begins = scope.expression.args.get("from_")
        if begins and isinstance(begins.this, exp.Table):
            yield begins, self._sql(begins).strip()
        for join in scope.expression.args.get("joins") or []:
            if join.args.get("on"):
                side = " ".join(word for word in (join.method, join.side, join.kind, "JOIN") if word)
                yield join.args["on"], f"{side} {self._sql(join.this)} ON {self._sql(join.args['on'])}"
        for part in ("where", "group", "having", "qualify", "distinct", "limit"):
            # Of a UNION `distinct` is a mere yes or no.
            if isinstance(said := scope.expression.args.get(part), exp.Expr):
                yield said, self._sql(said).strip()

    def _fields(self, expression: "exp.Expr") -> list[Field]:
        """The columns of tables that stand in an expression, looked up through subqueries."""
        return _once(
            found
            for column in expression.find_all(exp.Column, bfs=False)
            for found in self._resolve(self._at.get(id(column), self._top), column)
        )

    def _resolve(self, scope: "Scope", column: "exp.Column") -> tuple[Field, ...]:
        source = self._source(scope, column)
        if source is None and scope.parent is not None:
            # A subquery that uses a column of the query around it.
            return self._resolve(scope.parent, column)
        if source is None:
            raise Unreadable(f"which table its {self._sql(column)} is of is not known")
        if isinstance(source, exp.Table):
            # A function that yields rows is a table without a name, made of what it is given.
            return (Field(_name(source), column.name),) if source.name else tuple(self._fields(source))
        if not isinstance(source, Scope):
            return ()
        at = (id(source), column.name)
        if at not in self._resolved:
            # A recursive query meets itself.
            self._resolved[at] = ()
            self._resolved[at] = tuple(_once(self._through(source, column.name)))
        return self._resolved[at]

    def _source(self, scope: "Scope", column: "exp.Column") -> "exp.Table | Scope | None":
        if not column.table and len(scope.selected_sources) == 1:
            # Left as it is in a branch of a UNION.
            ((_, source),) = scope.selected_sources.values()
            return source
        return scope.sources.get(column.table)

    def _through(self, source: "Scope", name: str) -> Iterator[Field]:
        if isinstance(source.expression, exp.UDTF) and self._inside(source) is source:
            yield from self._fields(source.expression)
        for _, inner in self._made(source, name):
            yield from self._fields(inner)

    def _inside(self, source: "Scope") -> "Scope":
        """The subquery of a LATERAL, which has a scope of its own."""
        inner = source.expression.this if isinstance(source.expression, exp.Lateral) else None
        query = inner.unnest() if isinstance(inner, exp.Subquery) else None
        return next((one for one in self._scopes if one.expression is query), source)

    def _made(self, source: "Scope", name: str) -> Iterator[tuple["Scope", "exp.Expr"]]:
        """What a subquery yields under that name, in each branch of a UNION."""
        branches = list(_branches(self._inside(source)))
        names = [one.alias_or_name for one in _selects(branches[0])]
        if name in names:
            for branch in branches:
                yield branch, _selects(branch)[names.index(name)].unalias()

    def _tables(self, scope: "Scope") -> list["exp.Table"]:
        return [source for source in scope.sources.values() if isinstance(source, exp.Table) and source.name]

    def _sql(self, expression: "exp.Expr") -> str:
        text = expression.sql(dialect=self._dialect, comments=False, normalize_functions=False)
        return _PUT_IN.sub(lambda found: self._put_in[int(found[1])], text).replace(f'"{STAGE}"', STAGE)


def _branches(scope: "Scope") -> Iterator["Scope"]:
    """The SELECTs of a UNION, or the SELECT itself."""
    if scope.set_operation_scopes:
        for one in scope.set_operation_scopes:
            yield from _branches(one)
    else:
        yield scope


def _selects(scope: "Scope") -> list["exp.Expr"]:
    return cast("exp.Query", scope.expression).selects


def _name(table: "exp.Table") -> str:
    return f"{table.db}.{table.name}" if table.db else table.name


def _schema(known: dict[str, Iterable[str]]) -> dict[str, object]:
    """As sqlglot wants it: all tables in the same depth, so none without a schema."""
    schema: dict[str, Any] = {}
    for name, columns in known.items():
        above, dot, table = name.partition(".")
        if dot:
            schema.setdefault(above, {})[table] = dict.fromkeys(columns, "unknown")
    return schema


def _said(error: Exception) -> str:
    """The first thing that sqlglot says is wrong, and where."""
    listed = getattr(error, "errors", None)
    if listed:
        described = _CLASSES.sub(r"a \1", listed[0]["description"])
        return f"line {listed[0]['line']}: {described}"
    if isinstance(error, SqlglotError) and str(error):
        return _COLOURS.sub("", str(error)).splitlines()[0]
    return f"sqlglot gave up ({type(error).__name__})"


def _once(found: Iterable) -> list:
    return list(dict.fromkeys(found))

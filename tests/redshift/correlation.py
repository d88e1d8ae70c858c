"""Correlated subqueries that Redshift cannot decorrelate, as far as names tell."""

from typing import Any

from pglast import ast

from tests.redshift.errors import Refused
from tests.redshift.sql_types import Tree
from tests.redshift.trees import children, is_a, walk

CORRELATED = "This type of correlated subquery pattern is not supported yet"


def check_correlation(statement: Tree) -> None:
    """Refuses a subquery that refers to a query further out than the next one, by its tables' names."""
    blocks: list[tuple[ast.Node, set[str]]] = []

    def visit(value: Any) -> None:
        if isinstance(value, tuple):
            for each in value:
                visit(each)
            return
        if not isinstance(value, ast.Node):
            return
        # The two sides of a UNION are blocks, and the UNION is none.
        block = isinstance(value, (ast.SelectStmt, ast.UpdateStmt, ast.DeleteStmt)) and not getattr(value, "larg", None)
        if block:
            blocks.append((value, _visible(value)))
        table = _qualifier(value)
        if table is not None:
            away = next((back for back, (_, known) in enumerate(reversed(blocks)) if table in known), 0)
            if away > 1:
                raise Refused("0A000", CORRELATED)
            if away:
                _allowed_correlation(blocks[-1][0])
        for _, below in children(value):
            visit(below)
        if block:
            blocks.pop()

    visit(statement)


def _qualifier(node: Any) -> str | None:
    """The table that a column is said to be of."""
    fields: Any = node.fields if is_a(node, ast.ColumnRef) else ()
    return fields[-2].sval if len(fields) > 1 and is_a(fields[-2], ast.String) else None


def _allowed_correlation(inner: Tree) -> None:
    """A correlated subquery has no window function."""
    for node in walk(getattr(inner, "targetList", None) or ()):
        if isinstance(node, ast.FuncCall) and node.over is not None:
            raise Refused("0A000", CORRELATED)


def _visible(node: Tree) -> set[str]:
    """What columns of the query's own tables may be qualified with."""
    sources = [getattr(node, name, None) for name in ("fromClause", "usingClause", "relation")]
    found: set[Any] = set()

    def collect(value: Any) -> None:
        if isinstance(value, tuple):
            for each in value:
                collect(each)
        elif isinstance(value, ast.JoinExpr):
            collect((value.larg, value.rarg))
        elif isinstance(value, (ast.RangeVar, ast.RangeSubselect, ast.RangeFunction)):
            if value.alias is not None:
                found.add(value.alias.aliasname)
            elif isinstance(value, ast.RangeVar):
                found.add(value.relname)

    collect(tuple(source for source in sources if source is not None))
    return found

"""Walks over the trees of Postgres's parser: nodes, names, tables."""

from collections.abc import Callable, Iterator
from typing import Any

from pglast import ast

from tests.redshift.errors import Refused
from tests.redshift.sql_types import Tree
from tests.redshift.words import RESERVED

_CATALOGUES = ("pg_catalog", "information_schema")


def refuse(message: str, node: Tree = None, sqlstate: str = "42601") -> Refused:
    location = getattr(node, "location", None)
    position = location + 1 if isinstance(location, int) and location >= 0 else None
    return Refused(sqlstate, message, position=position)


def is_a(node: Any, kind: type) -> bool:
    """isinstance, which does not tell mypy: the stubs take every field for one that may be missing."""
    return isinstance(node, kind)


def children(node: Tree) -> Iterator[tuple[str, Any]]:
    for name in node:
        value = getattr(node, name)
        if isinstance(value, (ast.Node, tuple)):
            yield name, value


def walk(value: Any) -> Iterator[ast.Node]:
    """Every node below, and the node itself."""
    if isinstance(value, tuple):
        for each in value:
            yield from walk(each)
    elif isinstance(value, ast.Node):
        yield value
        for _, below in children(value):
            yield from walk(below)


def replaced(value: Any, change: Callable[[ast.Node], ast.Node]) -> Any:
    """The tree with every node changed, those below first."""
    if isinstance(value, tuple):
        return tuple(replaced(each, change) for each in value)
    if not isinstance(value, ast.Node):
        return value
    for name, below in list(children(value)):
        new = replaced(below, change)
        if new is not below:
            setattr(value, name, new)
    return change(value)


def names(statement: Tree) -> Iterator[Any]:
    """Every name that the statement gives or refers to: not those of functions, types and operators."""
    node: Any
    for node in walk(statement):
        if is_a(node, ast.ColumnRef):
            fields = [field.sval for field in node.fields if isinstance(field, ast.String)]
            # Redshift's catalogue has oid in columns, though it is reserved; sysdate is no column.
            yield from (name for name in fields if name != "oid" and fields != ["sysdate"])
        elif isinstance(node, ast.RangeVar):
            yield from (name for name in (node.catalogname, node.schemaname, node.relname) if name)
        elif isinstance(node, ast.ResTarget) and node.name:
            yield node.name
        elif isinstance(node, ast.Alias):
            yield node.aliasname
            yield from (column.sval for column in node.colnames or ())
        elif isinstance(node, ast.CommonTableExpr):
            yield node.ctename
            yield from (column.sval for column in node.aliascolnames or ())
        elif isinstance(node, ast.ColumnDef) and node.colname:
            yield node.colname
        elif isinstance(node, ast.Constraint):
            for listed in (node.keys, node.fk_attrs, node.pk_attrs):
                yield from (column.sval for column in listed or ())
            if node.conname:
                yield node.conname
        elif isinstance(node, ast.JoinExpr):
            yield from (column.sval for column in node.usingClause or ())
        elif isinstance(node, ast.IntoClause):
            yield from (column.sval for column in node.colNames or ())
        elif isinstance(node, (ast.AlterTableCmd, ast.CreateSchemaStmt, ast.RenameStmt)):
            given = (getattr(node, "name", None), getattr(node, "schemaname", None), getattr(node, "newname", None))
            yield from (name for name in (*given, getattr(node, "subname", None)) if name)
        elif is_a(node, ast.DropStmt):
            for named in node.objects:
                yield from (part.sval for part in (named if isinstance(named, tuple) else (named,)))


def tables(statement: Tree) -> list[ast.RangeVar]:
    """The relations that it refers to, without its common table expressions."""
    own = {node.ctename for node in walk(statement) if isinstance(node, ast.CommonTableExpr)}
    return [n for n in walk(statement) if isinstance(n, ast.RangeVar) and (n.schemaname or n.relname not in own)]


def of_catalogue(table: Tree) -> bool:
    """Whether the leader node answers for it alone."""
    if table.schemaname:
        return table.schemaname in _CATALOGUES
    return table.relname.startswith("pg_")


def reserved(statement: Tree, quoted: list[str]) -> str | None:
    """A reserved word that the statement takes for a name without quoting it; `quoted` are its quoted names."""
    counted: dict[str, int] = {}
    for name in names(statement):
        if name in RESERVED:
            counted[name] = counted.get(name, 0) + 1
    return next((name for name, count in counted.items() if count > quoted.count(name)), None)

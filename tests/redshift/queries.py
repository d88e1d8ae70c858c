"""Expressions and queries: what Redshift refuses in them, and what upstream stands for what it has."""

from collections.abc import Callable, Iterator
from typing import Any

from pglast import ast, enums

from tests.redshift import functions, sql_types
from tests.redshift.errors import Refused
from tests.redshift.sql_types import Tree
from tests.redshift.words import RESERVED, listed

_ON_TABLES = "Specified types or functions (one per INFO message) not supported on Redshift tables."
_CORRELATED = "This type of correlated subquery pattern is not supported yet"
_CATALOGUES = ("pg_catalog", "information_schema")
_OPERATORS = listed("+ - * / % ^ |/ ||/ @ & | # ~ << >> = <> != < > <= >= || ~* !~ !~* ~~ !~~ ~~* !~~*")
# Nodes that mean in Redshift what they mean in Postgres; the others have a rule below, or are refused.
_PLAIN = (
    ast.A_Const,
    ast.A_Star,
    ast.Alias,
    ast.BoolExpr,
    ast.Boolean,
    ast.BooleanTest,
    ast.CaseExpr,
    ast.CaseWhen,
    ast.CoalesceExpr,
    ast.CommonTableExpr,
    ast.CreateTableAsStmt,
    ast.DeleteStmt,
    ast.Float,
    ast.GroupingFunc,
    ast.GroupingSet,
    ast.InsertStmt,
    ast.Integer,
    ast.JoinExpr,
    ast.MergeStmt,
    ast.MergeWhenClause,
    ast.MinMaxExpr,
    ast.NullTest,
    ast.ParamRef,
    ast.RangeVar,
    ast.ResTarget,
    ast.SelectStmt,
    ast.SetToDefault,
    ast.SortBy,
    ast.String,
    ast.UpdateStmt,
    ast.WithClause,
    ast.IntoClause,
)


def refuse(message: str, node: Tree = None, sqlstate: str = "42601") -> Refused:
    location = getattr(node, "location", None)
    position = location + 1 if isinstance(location, int) and location >= 0 else None
    return Refused(sqlstate, message, position=position)


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
    for node in walk(statement):
        if isinstance(node, ast.ColumnRef):
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
        elif isinstance(node, ast.DropStmt):
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


class Query:
    """The rules for one statement. `catalogue` says that no table of a user and no system table is near."""

    def __init__(self, statement: Tree) -> None:
        self.statement = statement
        self.catalogue = all(of_catalogue(table) for table in tables(statement))

    def rewritten(self) -> Any:
        """What upstream runs; Refused where Redshift would not."""
        _no_skipping_correlation(self.statement)
        self._no_stray_values()
        # From the top: what is wrong with a statement as a whole is its own fault, not that of a clause in it.
        for node in walk(self.statement):
            if type(node) in _STATEMENT_RULES:
                _STATEMENT_RULES[type(node)](self, node)
        return replaced(self.statement, self._rule)

    def _no_stray_values(self) -> None:
        allowed = {
            id(n.selectStmt) for n in walk(self.statement) if isinstance(n, ast.InsertStmt) and n.selectStmt is not None
        }
        for node in walk(self.statement):
            if isinstance(node, ast.SelectStmt) and node.valuesLists and id(node) not in allowed:
                raise refuse('syntax error at or near "VALUES"')

    def _rule(self, node: Tree) -> ast.Node:
        rule = _RULES.get(type(node))
        if rule is not None:
            return rule(self, node)
        if isinstance(node, _PLAIN):
            return node
        raise refuse(f"{type(node).__name__} is not in Redshift, or not emulated", node, "0A000")

    def _leader_only(self, what: str, node: Tree) -> None:
        if not self.catalogue:
            raise Refused("0A000", _ON_TABLES, detail=what)

    # Expressions

    def _column(self, node: Tree) -> ast.Node:
        if len(node.fields) == 1 and isinstance(node.fields[0], ast.String) and node.fields[0].sval == "sysdate":
            return _call("sysdate")
        return node

    def _expression(self, node: Tree) -> ast.Node:
        kind = node.kind
        operator = node.name[-1].sval
        if kind in (enums.A_Expr_Kind.AEXPR_DISTINCT, enums.A_Expr_Kind.AEXPR_NOT_DISTINCT):
            raise refuse('syntax error at or near "DISTINCT"', node)
        if kind in (enums.A_Expr_Kind.AEXPR_BETWEEN_SYM, enums.A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM):
            raise refuse('syntax error at or near "SYMMETRIC"', node)
        if kind in (enums.A_Expr_Kind.AEXPR_OP_ANY, enums.A_Expr_Kind.AEXPR_OP_ALL):
            self._leader_only("ANY (array)", node)
        if len(node.name) > 1 or (kind == enums.A_Expr_Kind.AEXPR_OP and operator not in _OPERATORS):
            raise refuse(f'syntax error at or near "{operator}"', node)
        return node

    def _array(self, node: Tree) -> ast.Node:
        self._leader_only("array", node)
        return node

    def _row(self, node: Tree) -> ast.Node:
        raise refuse("rows as values are not known to be in Redshift", node, "0A000")

    def _cast(self, node: Tree) -> ast.Node:
        if sql_types.interval_literal(node.typeName) and isinstance(node.arg, ast.A_Const):
            return node
        return node

    def _type(self, node: Tree) -> ast.Node:
        if sql_types.interval_literal(node):
            return node
        return sql_types.cast_type(node, self.catalogue)

    def _value(self, node: Tree) -> ast.Node:
        kind = enums.SQLValueFunctionOp(node.op)
        if kind == enums.SQLValueFunctionOp.SVFOP_CURRENT_SCHEMA:
            self._leader_only("current_schema", node)
            return node
        kept = ("SVFOP_CURRENT_DATE", "SVFOP_CURRENT_USER", "SVFOP_SESSION_USER", "SVFOP_USER")
        if kind.name not in kept:
            shown = kind.name.removeprefix("SVFOP_").removesuffix("_N")
            raise refuse(f"{shown} is a function of the leader node alone, and deprecated: use SYSDATE", node, "0A000")
        return node

    def _sublink(self, node: Tree) -> ast.Node:
        if node.subLinkType == enums.SubLinkType.ARRAY_SUBLINK:
            raise refuse('syntax error at or near "ARRAY"', node)
        if node.subLinkType in (enums.SubLinkType.ROWCOMPARE_SUBLINK, enums.SubLinkType.MULTIEXPR_SUBLINK):
            raise refuse("rows as values are not known to be in Redshift", node, "0A000")
        return node

    def _function(self, node: Tree) -> ast.Node:
        named = [part.sval for part in node.funcname]
        name = named[-1]
        if len(named) > 1 and named[0] != "pg_catalog":
            raise _no_function(".".join(named), node)
        if name in ("similar_to_escape", "like_escape"):
            return node
        if name not in functions.KNOWN:
            raise _no_function(name, node)
        if name in functions.LEADER_ONLY:
            self._leader_only(name, node)
        if node.agg_filter is not None:
            raise refuse('syntax error at or near "FILTER"', node)
        if node.func_variadic or any(isinstance(arg, ast.NamedArgExpr) for arg in node.args or ()):
            raise refuse("arguments by name are not in Redshift", node)
        if node.agg_within_group and name not in functions.ORDERED_SET:
            raise refuse('syntax error at or near "WITHIN"', node)
        if node.agg_order and not node.agg_within_group:
            raise refuse('syntax error at or near "ORDER"', node)
        if node.over is not None:
            _window(name, node.over, node)
        return _translated(name, node)

    def _named_argument(self, node: Tree) -> ast.Node:
        raise refuse("arguments by name are not in Redshift", node)

    # Queries

    def _select(self, node: Tree) -> None:
        if node.distinctClause and node.distinctClause[0] is not None:
            raise refuse('syntax error at or near "ON"')
        if node.lockingClause:
            raise refuse('syntax error at or near "FOR"')
        if node.windowClause:
            raise refuse('syntax error at or near "WINDOW"')
        if node.limitOption == enums.LimitOption.LIMIT_OPTION_WITH_TIES:
            raise refuse('syntax error at or near "FETCH"')
        if node.op == enums.SetOperation.SETOP_NONE and not node.targetList and not node.valuesLists:
            raise refuse("a SELECT lists what it selects in Redshift")
        if node.all and node.op in (enums.SetOperation.SETOP_INTERSECT, enums.SetOperation.SETOP_EXCEPT):
            raise refuse('syntax error at or near "ALL"')
        if any(order.sortby_dir == enums.SortByDir.SORTBY_USING for order in node.sortClause or ()):
            raise refuse('syntax error at or near "USING"')
        if node.groupDistinct:
            raise refuse('syntax error at or near "DISTINCT"')

    def _expression_table(self, node: Tree) -> ast.Node:
        if not isinstance(node.ctequery, ast.SelectStmt):
            raise refuse("a common table expression is a SELECT in Redshift", node)
        if node.ctematerialized != enums.CTEMaterialize.CTEMaterializeDefault:
            raise refuse('syntax error at or near "MATERIALIZED"', node)
        if node.search_clause is not None or node.cycle_clause is not None:
            raise refuse("SEARCH and CYCLE are not in Redshift", node)
        return node

    def _subselect(self, node: Tree) -> ast.Node:
        if node.lateral:
            raise refuse('syntax error at or near "LATERAL"')
        if node.alias is None:
            raise refuse("subquery in FROM must have an alias")
        return node

    def _from_function(self, node: Tree) -> ast.Node:
        if node.lateral or node.ordinality or node.is_rowsfrom or node.coldeflist:
            raise refuse("functions in FROM are not in Redshift")
        self._leader_only("function in FROM", node)
        return node

    def _relation(self, node: Tree) -> ast.Node:
        if not node.inh:
            raise refuse('syntax error at or near "ONLY"', node)
        return node

    def _join(self, node: Tree) -> ast.Node:
        if node.join_using_alias is not None:
            raise refuse('syntax error at or near "AS"')
        if node.jointype != enums.JoinType.JOIN_INNER and node.quals is not None:
            for below in walk(node.quals):
                if isinstance(below, ast.SubLink):
                    raise Refused("0A000", _CORRELATED)
        return node

    def _insert(self, node: Tree) -> None:
        if node.onConflictClause is not None:
            raise refuse('syntax error at or near "ON"', node.onConflictClause)
        _no_returning(node)
        if node.withClause is not None:
            raise refuse('syntax error at or near "INSERT"', None)
        if node.override != enums.OverridingKind.OVERRIDING_NOT_SET:
            raise refuse('syntax error at or near "OVERRIDING"')
        if node.relation.alias is not None:
            raise refuse('syntax error at or near "AS"', node.relation)
        for column in node.cols or ():
            if column.indirection:
                raise refuse('syntax error at or near "."', column)

    def _update(self, node: Tree) -> None:
        _no_returning(node)
        for column in node.targetList:
            if isinstance(column.val, ast.MultiAssignRef):
                raise refuse('syntax error at or near "("', column)
            if column.indirection:
                raise refuse('syntax error at or near "."', column)
        for source in node.fromClause or ():
            for join in walk(source):
                if isinstance(join, ast.JoinExpr) and join.jointype != enums.JoinType.JOIN_INNER:
                    raise refuse("Target table must be part of an equijoin predicate", sqlstate="0A000")

    def _delete(self, node: Tree) -> None:
        _no_returning(node)
        if node.relation.alias is not None:
            raise refuse(f'syntax error at or near "{node.relation.alias.aliasname}"', node.relation)
        for source in node.usingClause or ():
            if not isinstance(source, ast.RangeVar):
                raise refuse("USING takes tables in Redshift")

    def _merge(self, node: Tree) -> None:
        _no_returning(node)
        if node.withClause is not None:
            raise refuse('syntax error at or near "MERGE"')
        if node.relation.alias is not None:
            raise refuse(f'syntax error at or near "{node.relation.alias.aliasname}"', node.relation)
        if not isinstance(node.sourceRelation, ast.RangeVar):
            raise refuse("the source of MERGE is a table in Redshift")
        if (node.sourceRelation.schemaname, node.sourceRelation.relname) == (
            node.relation.schemaname,
            node.relation.relname,
        ):
            raise refuse("Source and target of MERGE must be two tables", sqlstate="0A000")
        kinds = [clause.matchKind for clause in node.mergeWhenClauses]
        if kinds != [enums.MergeMatchKind.MERGE_WHEN_MATCHED, enums.MergeMatchKind.MERGE_WHEN_NOT_MATCHED_BY_TARGET]:
            raise refuse("MERGE has one WHEN MATCHED and one WHEN NOT MATCHED clause in Redshift")
        for clause in node.mergeWhenClauses:
            if clause.condition is not None:
                raise refuse('syntax error at or near "AND"')
            if clause.commandType == enums.CmdType.CMD_NOTHING or clause.override:
                raise refuse('syntax error at or near "DO"')
            if any(target.indirection for target in clause.targetList or ()):
                raise refuse('syntax error at or near "."')
        if not _equalities(node.joinCondition):
            raise refuse("the condition of MERGE is equality of columns in Redshift", sqlstate="0A000")

    def _into(self, node: Tree) -> ast.Node:
        if node.options or node.tableSpaceName or node.accessMethod or node.skipData:
            raise refuse('syntax error at or near "WITH"')
        if node.onCommit != enums.OnCommitAction.ONCOMMIT_NOOP:
            raise refuse('syntax error at or near "ON"')
        if node.rel.relpersistence == "u":
            raise refuse('syntax error at or near "UNLOGGED"')
        return node

    def _window_definition(self, node: Tree) -> ast.Node:
        if node.name or node.refname:
            raise refuse('syntax error at or near "WINDOW"')
        return node


_STATEMENT_RULES: dict[type, Callable[[Query, Any], None]] = {
    ast.SelectStmt: Query._select,
    ast.InsertStmt: Query._insert,
    ast.UpdateStmt: Query._update,
    ast.DeleteStmt: Query._delete,
    ast.MergeStmt: Query._merge,
}
_RULES: dict[type, Callable[[Query, Any], ast.Node]] = {
    ast.ColumnRef: Query._column,
    ast.A_Expr: Query._expression,
    ast.A_ArrayExpr: Query._array,
    ast.A_Indirection: Query._array,
    ast.A_Indices: Query._array,
    ast.RowExpr: Query._row,
    ast.TypeCast: Query._cast,
    ast.TypeName: Query._type,
    ast.SQLValueFunction: Query._value,
    ast.SubLink: Query._sublink,
    ast.FuncCall: Query._function,
    ast.NamedArgExpr: Query._named_argument,
    ast.CommonTableExpr: Query._expression_table,
    ast.RangeSubselect: Query._subselect,
    ast.RangeFunction: Query._from_function,
    ast.RangeVar: Query._relation,
    ast.JoinExpr: Query._join,
    ast.IntoClause: Query._into,
    ast.WindowDef: Query._window_definition,
}


def _call(name: str, *args: Tree) -> ast.FuncCall:
    return ast.FuncCall(
        funcname=(ast.String(sval="redshift"), ast.String(sval=name)),
        args=args or None,
        funcformat=enums.CoercionForm.COERCE_EXPLICIT_CALL,
        agg_within_group=False,
        agg_star=False,
        agg_distinct=False,
        func_variadic=False,
    )


def _text(value: str) -> ast.A_Const:
    return ast.A_Const(val=ast.String(sval=value), isnull=False)


def _as(node: Tree, schema: str, name: str) -> ast.TypeCast:
    names = (ast.String(sval=schema), ast.String(sval=name))
    return ast.TypeCast(arg=node, typeName=ast.TypeName(names=names, typemod=-1))


def _is_text(node: Tree) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.String)


def _no_function(name: str, node: Tree) -> Refused:
    return refuse(f"function {name} does not exist, or is not supported by Redshift", node, "42883")


def _no_returning(node: Any) -> None:
    if node.returningClause is not None:
        raise refuse('syntax error at or near "RETURNING"', node.returningClause)


def _equalities(condition: Any) -> bool:
    if isinstance(condition, ast.BoolExpr):
        return condition.boolop == enums.BoolExprType.AND_EXPR and all(_equalities(each) for each in condition.args)
    return (
        isinstance(condition, ast.A_Expr)
        and condition.kind == enums.A_Expr_Kind.AEXPR_OP
        and condition.name[-1].sval == "="
        and isinstance(condition.lexpr, ast.ColumnRef)
        and isinstance(condition.rexpr, ast.ColumnRef)
    )


_FRAME_NONDEFAULT, _FRAME_ROWS, _FRAME_EXCLUSIONS = 0x1, 0x4, 0x8000 | 0x10000 | 0x20000


def _window(name: str, over: Tree, node: Tree) -> None:
    framed = over.frameOptions & _FRAME_NONDEFAULT
    if framed and (not over.frameOptions & _FRAME_ROWS or over.frameOptions & _FRAME_EXCLUSIONS):
        raise refuse("a window's frame is of ROWS in Redshift", node)
    if over.orderClause and not framed and name in functions.FRAMED and name not in functions.ORDERED_SET:
        raise refuse("Aggregate window functions with an ORDER BY clause require a frame clause", node, "42601")


def _date_part(node: Tree, name: str) -> ast.A_Const:
    if isinstance(node, ast.ColumnRef) and len(node.fields) == 1:
        given = node.fields[0].sval
    elif isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        given = node.val.sval
    else:
        raise refuse(f"{name} wants the name of a part of a date", node, "42883")
    part = functions.DATE_PARTS.get(given.lower())
    if part is None:
        raise refuse(f'{name}: "{given}" is no part of a date', node, "22023")
    if name == "datediff" and part in ("week", "epoch", "dayofweek", "dayofyear"):
        raise refuse(f"{name}: where a {part} begins is not documented, so that it is not emulated", node, "0A000")
    if name != "dateadd":
        part = {"dayofweek": "dow", "dayofyear": "doy"}.get(part, part)
    return _text(part)


def _translated(name: str, node: Tree) -> ast.Node:
    """The call as upstream knows it. Every function that upstream has two of is Redshift's by the search path."""
    if len(node.funcname) > 1 and name not in ("timezone",):
        # Substring, trim, position and extract in SQL's own notation, which Postgres takes for pg_catalog's.
        node.funcname = (ast.String(sval="redshift"), ast.String(sval=name))
        node.funcformat = enums.CoercionForm.COERCE_EXPLICIT_CALL
    args: tuple[Tree, ...] = node.args or ()
    if name in ("dateadd", "datediff", "extract", "date_part", "date_trunc") and args:
        # A literal would be a TIMESTAMPTZ upstream, of its own choice.
        moments = [_as(arg, "pg_catalog", "timestamp") if _is_text(arg) else arg for arg in args[1:]]
        node.args = (_date_part(args[0], name), *moments)
    elif name in ("nvl", "coalesce"):
        return ast.CoalesceExpr(args=args)
    elif name == "nvl2" and len(args) == 3:
        tested: Tree = args[0]
        present = ast.NullTest(arg=tested, nulltesttype=enums.NullTestType.IS_NOT_NULL)
        return ast.CaseExpr(args=(ast.CaseWhen(expr=present, result=args[1]),), defresult=args[2])
    elif name == "decode" and len(args) >= 3:
        return _decoded(args)
    elif name == "isnull":
        raise _no_function(name, node)
    elif name == "listagg" and args:
        node.agg_within_group = False
        # The same expression has to be listed and sorted by where it is DISTINCT: that one is a string already.
        listed = args[0] if node.agg_distinct else _as(args[0], "redshift", "varchar")
        node.args = (listed, args[1] if len(args) > 1 else _text(""))
    return node


def _decoded(args: tuple[Tree, ...]) -> ast.Node:
    """DECODE, for which two NULLs are equal."""
    tested, *rest = args
    whens = []
    while len(rest) > 1:
        looked_for, result, *rest = rest
        same = ast.A_Expr(
            kind=enums.A_Expr_Kind.AEXPR_NOT_DISTINCT, name=(ast.String(sval="="),), lexpr=tested, rexpr=looked_for
        )
        whens.append(ast.CaseWhen(expr=same, result=result))
    return ast.CaseExpr(args=tuple(whens), defresult=rest[0] if rest else None)


def _no_skipping_correlation(statement: Tree) -> None:
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
        if isinstance(value, ast.ColumnRef) and len(value.fields) > 1 and isinstance(value.fields[-2], ast.String):
            table = value.fields[-2].sval
            away = next((back for back, (_, known) in enumerate(reversed(blocks)) if table in known), 0)
            if away > 1:
                raise Refused("0A000", _CORRELATED)
            if away:
                _allowed_correlation(blocks[-1][0])
        for _, below in children(value):
            visit(below)
        if block:
            blocks.pop()

    visit(statement)


def _allowed_correlation(inner: Tree) -> None:
    """A correlated subquery has no window function."""
    for node in walk(getattr(inner, "targetList", None) or ()):
        if isinstance(node, ast.FuncCall) and node.over is not None:
            raise Refused("0A000", _CORRELATED)


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


def reserved(statement: Tree, quoted: list[str]) -> str | None:
    """A reserved word that the statement takes for a name without quoting it; `quoted` are its quoted names."""
    counted: dict[str, int] = {}
    for name in names(statement):
        if name in RESERVED:
            counted[name] = counted.get(name, 0) + 1
    return next((name for name, count in counted.items() if count > quoted.count(name)), None)

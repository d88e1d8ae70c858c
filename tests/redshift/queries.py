"""Expressions and queries: what Redshift refuses in them, and what upstream stands for what it has."""

from collections.abc import Callable
from typing import Any

from pglast import ast, enums

from tests.redshift import functions, sql_types
from tests.redshift.correlation import CORRELATED, check_correlation
from tests.redshift.errors import Refused
from tests.redshift.sql_types import Tree
from tests.redshift.trees import is_a, of_catalogue, refuse, replaced, tables, walk
from tests.redshift.words import OWN_PARAMETERS, listed

_ON_TABLES = "Specified types or functions (one per INFO message) not supported on Redshift tables."
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


class Query:
    """The rules for one statement. `catalogue` says that no table of a user and no system table is near."""

    def __init__(self, statement: Tree) -> None:
        self.statement = statement
        self.catalogue = all(of_catalogue(table) for table in tables(statement))

    def rewritten(self) -> Any:
        """What upstream runs; Refused where Redshift would not."""
        check_correlation(self.statement)
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
        if sql_types.interval_literal(node.typeName) and not isinstance(node.arg, ast.A_Const):
            raise refuse('type "interval" is emulated in literals alone', node, "0A000")
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
                    raise Refused("0A000", CORRELATED)
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
    if is_a(condition, ast.BoolExpr):
        return condition.boolop == enums.BoolExprType.AND_EXPR and all(_equalities(each) for each in condition.args)
    return (
        is_a(condition, ast.A_Expr)
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
    if is_a(node, ast.ColumnRef) and len(node.fields) == 1:
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
    elif name == "current_setting" and args and _is_text(args[0]) and args[0].val.sval.lower() in OWN_PARAMETERS:
        node.args = (_text(f"redshift.{args[0].val.sval.lower()}"), ast.A_Const(val=ast.Boolean(boolval=True)))
    elif name in ("nvl", "coalesce"):
        return ast.CoalesceExpr(args=args)
    elif name == "nvl2" and len(args) == 3:
        tested: Tree = args[0]
        present = ast.NullTest(arg=tested, nulltesttype=enums.NullTestType.IS_NOT_NULL)
        return ast.CaseExpr(args=(ast.CaseWhen(expr=present, result=args[1]),), defresult=args[2])
    elif name == "decode" and len(args) >= 3:
        return _decoded(args)
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

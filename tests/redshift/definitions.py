"""CREATE TABLE and ALTER TABLE: columns in Redshift's types, keys that nobody enforces but that are remembered."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from pglast import ast, enums

from tests.redshift import sql_types
from tests.redshift.errors import Refused
from tests.redshift.printing import printed
from tests.redshift.queries import Query
from tests.redshift.sql_types import Tree
from tests.redshift.trees import refuse
from tests.redshift.words import SYSTEM_COLUMNS

_KEYS = {
    enums.ConstrType.CONSTR_PRIMARY: "p",
    enums.ConstrType.CONSTR_UNIQUE: "u",
    enums.ConstrType.CONSTR_FOREIGN: "f",
}
_UNSUPPORTED = {
    enums.ConstrType.CONSTR_CHECK: "CHECK",
    enums.ConstrType.CONSTR_EXCLUSION: "EXCLUDE",
    enums.ConstrType.CONSTR_GENERATED: "GENERATED",
    enums.ConstrType.CONSTR_ATTR_DEFERRABLE: "DEFERRABLE",
    enums.ConstrType.CONSTR_ATTR_NOT_DEFERRABLE: "NOT DEFERRABLE",
    enums.ConstrType.CONSTR_ATTR_DEFERRED: "INITIALLY",
    enums.ConstrType.CONSTR_ATTR_IMMEDIATE: "INITIALLY",
    enums.ConstrType.CONSTR_ATTR_ENFORCED: "ENFORCED",
    enums.ConstrType.CONSTR_ATTR_NOT_ENFORCED: "NOT ENFORCED",
}


@dataclass(frozen=True)
class Key:
    """A declared key: kind as pg_constraint's contype, and for a foreign key what it refers to."""

    kind: str
    name: str
    columns: tuple[str, ...]
    other: str = ""
    other_columns: tuple[str, ...] = ()


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def relation(table: Tree) -> str:
    """A table's name as regclass reads it."""
    return ".".join(identifier(part) for part in (table.schemaname, table.relname) if part)


def create_table(statement: Tree, named: Sequence[str]) -> tuple[str, ...]:
    """`named` are the columns that distribution and sort keys name."""
    _no_table_options(statement)
    keys: list[Key] = []
    elements: list[ast.Node] = []
    columns: list[ast.ColumnDef] = []
    like = False
    for element in statement.tableElts or ():
        if isinstance(element, ast.ColumnDef):
            _column(statement.relation.relname, element, keys)
            columns.append(element)
            elements.append(element)
        elif isinstance(element, ast.Constraint):
            keys.append(_key(statement.relation.relname, element, ()))
        elif isinstance(element, ast.TableLikeClause):
            if element.options not in (0, int(enums.TableLikeOption.CREATE_TABLE_LIKE_DEFAULTS)):
                raise refuse("LIKE takes { INCLUDING | EXCLUDING } DEFAULTS in Redshift")
            like = True
            elements.append(element)
        else:
            raise refuse(f"{type(element).__name__} is not in Redshift", sqlstate="0A000")
    if not elements:
        raise refuse('syntax error at or near ")"')
    statement.tableElts = tuple(elements)
    known = {column.colname for column in columns}
    for name in (*named, *(name for key in keys for name in key.columns)):
        if name not in known and not like:
            raise Refused("42703", f'column "{name}" named in key does not exist')
    if sum(key.kind == "p" for key in keys) > 1:
        table = statement.relation.relname
        raise Refused("42P16", f'multiple primary keys for table "{table}" are not allowed')
    in_primary = {name for key in keys if key.kind == "p" for name in key.columns}
    for column in columns:
        if column.colname in in_primary:
            _make_not_null(column)
    table = relation(statement.relation)
    return (printed(statement), *(declare(table, key, once=bool(statement.if_not_exists)) for key in keys))


def declare(table: str, key: Key, once: bool = False) -> str:
    """`once`: the table may have been there, and have the key."""
    listed = ", ".join(literal(name) for name in key.columns)
    others = ", ".join(literal(name) for name in key.other_columns)
    return (
        f"CALL redshift.declare_key({literal(table)}, {literal(key.kind)}, {literal(key.name)}, "
        f"ARRAY[{listed}]::text[], {literal(key.other)}, ARRAY[{others}]::text[], {str(once).lower()})"
    )


def _no_table_options(statement: Tree) -> None:
    if statement.relation.relpersistence == "u":
        raise refuse('syntax error at or near "UNLOGGED"')
    if statement.inhRelations:
        raise refuse('syntax error at or near "INHERITS"')
    if statement.partspec is not None or statement.partbound is not None:
        raise refuse('syntax error at or near "PARTITION"')
    if statement.ofTypename is not None:
        raise refuse('syntax error at or near "OF"')
    if statement.options or statement.tablespacename or statement.accessMethod:
        raise refuse('syntax error at or near "WITH"')
    if statement.oncommit != enums.OnCommitAction.ONCOMMIT_NOOP:
        raise refuse('syntax error at or near "ON"')


def _column(table: str, column: Tree, keys: list[Key]) -> None:
    """The column in upstream's type and without keys, which go to `keys`."""
    if column.colname in SYSTEM_COLUMNS:
        raise Refused("42701", f'column name "{column.colname}" conflicts with a system column name')
    if column.compression or column.storage_name or column.fdwoptions:
        raise refuse('syntax error at or near "COMPRESSION"', column)
    if column.collClause is not None:
        raise refuse('syntax error at or near "COLLATE"', column)
    column.typeName = sql_types.column_type(column.typeName)
    kept = []
    for constraint in column.constraints or ():
        kind = constraint.contype
        if kind in _UNSUPPORTED:
            raise refuse(f'syntax error at or near "{_UNSUPPORTED[kind]}"', constraint)
        if kind in _KEYS:
            keys.append(_key(table, constraint, (column.colname,)))
            continue
        if kind == enums.ConstrType.CONSTR_NOTNULL and constraint.conname:
            raise refuse('syntax error at or near "CONSTRAINT"', constraint)
        if kind == enums.ConstrType.CONSTR_IDENTITY and sql_types.name_of(column.typeName) not in ("int4", "int8"):
            raise Refused("42601", f'identity column "{column.colname}" must be INT or BIGINT')
        if kind == enums.ConstrType.CONSTR_DEFAULT:
            constraint.raw_expr = Query(constraint.raw_expr).rewritten()
        kept.append(constraint)
    column.constraints = tuple(kept) or None


def _key(table: str, constraint: Tree, own: tuple[str, ...]) -> Key:
    kind = _KEYS.get(constraint.contype)
    if kind is None:
        shown = _UNSUPPORTED.get(constraint.contype, "CONSTRAINT")
        raise refuse(f'syntax error at or near "{shown}"', constraint)
    if constraint.deferrable or constraint.initdeferred:
        raise refuse('syntax error at or near "DEFERRABLE"', constraint)
    if constraint.indexname or constraint.options or constraint.including or constraint.nulls_not_distinct:
        raise refuse('syntax error at or near "USING"', constraint)
    listed = constraint.fk_attrs if kind == "f" else constraint.keys
    columns = own or tuple(column.sval for column in listed or ())
    suffix = {"p": "pkey", "u": f"{'_'.join(columns)}_key", "f": f"{'_'.join(columns)}_fkey"}[kind]
    name = constraint.conname or f"{table}_{suffix}"
    if kind != "f":
        return Key(kind, name, columns)
    if constraint.fk_matchtype not in ("s", "\0", "") or any(
        action not in ("a", "\0", "") for action in (constraint.fk_upd_action, constraint.fk_del_action)
    ):
        raise refuse('syntax error at or near "ON"', constraint)
    others = tuple(column.sval for column in constraint.pk_attrs or ())
    return Key(kind, name, columns, relation(constraint.pktable), others)


def _make_not_null(column: Tree) -> None:
    constraints = column.constraints or ()
    if not any(constraint.contype == enums.ConstrType.CONSTR_NOTNULL for constraint in constraints):
        column.constraints = (
            *constraints,
            ast.Constraint(contype=enums.ConstrType.CONSTR_NOTNULL, initially_valid=True, is_enforced=True),
        )


def create_table_as(statement: Tree) -> tuple[str, ...]:
    """The columns get lengths and precisions once they are there: see redshift.settle."""
    if statement.if_not_exists:
        raise refuse('syntax error at or near "NOT"')
    if statement.objtype != enums.ObjectType.OBJECT_TABLE:
        raise refuse("materialized views are not emulated", sqlstate="0A000")
    summed = _summed(statement.query)
    rewritten = Query(statement).rewritten()
    table, sql = relation(statement.into.rel), printed(rewritten)
    if not _takes_no_rows(rewritten.query):
        return sql, f"CALL redshift.settle({literal(table)})"
    rewritten.query.limitCount = None
    arguments = ", ".join(map(literal, (table, printed(rewritten.query), summed)))
    return sql, f"CALL redshift.settle_like({arguments})"


def _summed(query: Tree) -> str:
    """What `SELECT * FROM (SELECT SUM(x) AS y …)` adds up, as columns of those names; '' where it sums nothing up.

    A sum has its argument's scale, also where there are no rows.
    """
    if not isinstance(query, ast.SelectStmt) or len(query.fromClause or ()) != 1:
        return ""
    inner = copy.deepcopy(getattr(query.fromClause[0], "subquery", None))
    if not isinstance(inner, ast.SelectStmt) or not inner.groupClause:
        return ""
    targets = [
        ast.ResTarget(name=target.name, val=target.val.args[0])
        for target in inner.targetList
        if target.name and isinstance(target.val, ast.FuncCall) and target.val.funcname[-1].sval == "sum"
    ]
    if not targets:
        return ""
    inner.targetList = tuple(targets)
    inner.groupClause = inner.havingClause = inner.sortClause = None
    return printed(Query(inner).rewritten())


def _takes_no_rows(query: Tree) -> bool:
    """Whether it asks for columns only, by LIMIT 0."""
    limit = getattr(query, "limitCount", None)
    return isinstance(limit, ast.A_Const) and isinstance(limit.val, ast.Integer) and not limit.val.ival


def select_into(statement: Tree) -> tuple[str, ...]:
    table = relation(statement.intoClause.rel)
    return printed(Query(statement).rewritten()), f"CALL redshift.settle({literal(table)})"


@dataclass(frozen=True)
class Alteration:
    upstream: tuple[str, ...]
    alone: bool = False


def alter_table(statement: Tree) -> Alteration:
    """One action at a time."""
    if statement.missing_ok:
        raise refuse('syntax error at or near "EXISTS"')
    if len(statement.cmds) != 1:
        raise refuse('syntax error at or near ","')
    if statement.objtype not in (enums.ObjectType.OBJECT_TABLE, enums.ObjectType.OBJECT_VIEW):
        raise Refused("0A000", "ALTER of this is not supported by Redshift, or not emulated")
    command = statement.cmds[0]
    table = relation(statement.relation)
    kinds = enums.AlterTableType
    if command.missing_ok:
        raise refuse('syntax error at or near "IF"')
    match command.subtype:
        case kinds.AT_ChangeOwner | kinds.AT_DropColumn:
            return Alteration((printed(statement),))
        case kinds.AT_AddColumn:
            _added(statement.relation.relname, command.def_)
            return Alteration((printed(statement),))
        case kinds.AT_AddConstraint:
            key = _key(statement.relation.relname, command.def_, ())
            return Alteration((declare(table, key),))
        case kinds.AT_DropConstraint:
            return Alteration((f"CALL redshift.drop_key({literal(table)}, {literal(command.name)})",))
        case kinds.AT_AlterColumnType:
            return _retyped(statement, table, command)
    raise Refused("0A000", f"ALTER TABLE {command.subtype.name[3:]} is not supported by Redshift, or not emulated")


def _added(table: str, column: Tree) -> None:
    keys: list[Key] = []
    _column(table, column, keys)
    if keys:
        raise refuse('syntax error at or near "PRIMARY"' if keys[0].kind == "p" else 'syntax error at or near "UNIQUE"')
    kinds = [constraint.contype for constraint in column.constraints or ()]
    if enums.ConstrType.CONSTR_IDENTITY in kinds:
        raise Refused("0A000", "ALTER TABLE ADD COLUMN does not support IDENTITY")
    if enums.ConstrType.CONSTR_NOTNULL in kinds and enums.ConstrType.CONSTR_DEFAULT not in kinds:
        raise Refused("0A000", "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression")


def _retyped(statement: Tree, table: str, command: Tree) -> Alteration:
    wanted: Tree = sql_types.column_type(command.def_.typeName)
    if wanted.names[-1].sval != "varchar" or command.def_.raw_default is not None:
        raise Refused("0A000", "ALTER COLUMN TYPE is not supported for this data type: only VARCHAR takes a new size")
    command.def_.typeName = wanted
    length = wanted.typmods[0].val.ival
    check = f"CALL redshift.check_size({literal(table)}, {literal(command.name)}, {length})"
    return Alteration((check, printed(statement)), alone=True)

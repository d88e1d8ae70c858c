"""SQL as Redshift takes it, and what a Postgres that has objects.sql runs for it.

What is not known to be in Redshift is refused: by its documented grammar, functions and types, and with its own
message where that is known. Nothing here knows the catalogue: what depends on it is asked upstream.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pglast import ast, enums, parse_sql
from pglast.parser import ParseError

from tests.redshift import commands, definitions
from tests.redshift.errors import Refused
from tests.redshift.printing import printed
from tests.redshift.queries import Query
from tests.redshift.tokens import Token, near, split, syntax_error
from tests.redshift.trees import refuse, reserved, tables

_LONGEST_NAME = 127
# Postgres's own names end here, silently.
_LONGEST_UPSTREAM = 63


@dataclass(frozen=True)
class Statement:
    """`text` as the client sent it. `upstream` is what Postgres runs, in this order: the last one's result and command
    tag are the client's, but for a `tag` that says otherwise. Without any the session answers by itself."""

    text: str
    kind: str
    upstream: tuple[str, ...]
    tag: str = ""


@lru_cache(maxsize=4096)
def _statements(sql: str) -> tuple[Statement, ...]:
    return tuple(_statement(text, found) for text, found in split(sql))


def statements(sql: str) -> list[Statement]:
    """The statements of one message. Refused as soon as one of them is not Redshift's."""
    return list(_statements(sql))


def _statement(text: str, found: list[Token]) -> Statement:
    own = commands.recognised(text, found)
    if own is not None:
        return Statement(text, own.kind, own.upstream, own.tag)
    stripped = commands.stripped(found)
    tree = _parsed(stripped.text)
    _check_names(tree, found)
    if stripped.late_binding:
        for table in tables(tree):
            if not table.schemaname and table is not getattr(tree, "view", None):
                raise Refused(
                    "42601",
                    "All the relation names inside should be qualified when creating VIEW WITH NO SCHEMA BINDING.",
                )
    rule = _RULES.get(type(tree))
    if rule is None:
        raise Refused("0A000", f'SQL command "{text}" not supported.')
    return rule(_Given(text, stripped, tree))


def _parsed(stripped: str) -> Any:
    try:
        return parse_sql(stripped)[0].stmt
    except ParseError as error:
        raise syntax_error(error) from error


def _check_names(tree: Any, found: list[Token]) -> None:
    word = reserved(tree, [token.name for token in found if token.quoted])
    if word is not None:
        raise near(next(token for token in found if token.word == word))
    # The parser cuts them.
    for name in (token.name for token in found if token.kind == "IDENT"):
        if len(name.encode()) > _LONGEST_NAME:
            raise Refused("42622", f'identifier "{name}" is longer than {_LONGEST_NAME} bytes')
        if len(name.encode()) > _LONGEST_UPSTREAM:
            raise Refused("0A000", f'identifier "{name}": more than {_LONGEST_UPSTREAM} bytes are not emulated')


@dataclass(frozen=True)
class _Given:
    text: str
    stripped: commands.Stripped
    tree: Any

    def sql(self, *upstream: str, kind: str = "sql", tag: str = "") -> Statement:
        return Statement(self.text, kind, upstream, tag)


def _query(given: _Given) -> Statement:
    if isinstance(given.tree, ast.SelectStmt) and given.tree.intoClause is not None:
        return given.sql(*definitions.select_into(given.tree), tag="SELECT")
    return given.sql(printed(Query(given.tree).rewritten()))


def _create_table(given: _Given) -> Statement:
    upstream = definitions.create_table(given.tree, given.stripped.columns)
    return given.sql(*upstream, tag="CREATE TABLE" if len(upstream) > 1 else "")


def _create_table_as(given: _Given) -> Statement:
    return given.sql(*definitions.create_table_as(given.tree), tag="SELECT")


def _create_view(given: _Given) -> Statement:
    view = given.tree
    if view.options or view.withCheckOption != enums.ViewCheckOption.NO_CHECK_OPTION:
        raise refuse('syntax error at or near "WITH"')
    if view.view.relpersistence != "p":
        raise refuse('syntax error at or near "VIEW"')
    view.query = Query(view.query).rewritten()
    return given.sql(printed(view))


def _alter_table(given: _Given) -> Statement:
    done = definitions.alter_table(given.tree)
    return given.sql(*done.upstream, kind="alone" if done.alone else "sql", tag="ALTER TABLE")


def _rename(given: _Given) -> Statement:
    kinds = enums.ObjectType
    allowed = (kinds.OBJECT_TABLE, kinds.OBJECT_VIEW, kinds.OBJECT_COLUMN, kinds.OBJECT_SCHEMA, kinds.OBJECT_ROLE)
    if given.tree.renameType not in (*allowed, kinds.OBJECT_DATABASE) or given.tree.missing_ok:
        raise Refused("0A000", f'SQL command "{given.text}" not supported.')
    return given.sql(given.stripped.text)


def _drop(given: _Given) -> Statement:
    kinds = enums.ObjectType
    if given.tree.removeType not in (kinds.OBJECT_TABLE, kinds.OBJECT_VIEW, kinds.OBJECT_SCHEMA):
        raise Refused("0A000", f'SQL command "{given.text}" not supported.')
    return given.sql(given.stripped.text)


def _truncate(given: _Given) -> Statement:
    tree = given.tree
    if len(tree.relations) > 1 or tree.restart_seqs or tree.behavior != enums.DropBehavior.DROP_RESTRICT:
        raise refuse("TRUNCATE takes one table and no option in Redshift")
    return given.sql(printed(tree), kind="truncate")


def _lock(given: _Given) -> Statement:
    if given.tree.nowait or not all(table.inh for table in given.tree.relations):
        raise refuse('syntax error at or near "NOWAIT"')
    return given.sql(printed(given.tree))


def _transaction(given: _Given) -> Statement:
    kinds = enums.TransactionStmtKind
    tree = given.tree
    if tree.chain:
        raise refuse('syntax error at or near "CHAIN"')
    read_only = any(o.defname == "transaction_read_only" and o.arg.val.ival for o in tree.options or ())
    if any(option.defname == "transaction_deferrable" for option in tree.options or ()):
        raise refuse('syntax error at or near "DEFERRABLE"')
    # An isolation level in BEGIN has no effect in Redshift: the database has one.
    mode = " READ ONLY" if read_only else ""
    match tree.kind:
        case kinds.TRANS_STMT_BEGIN:
            return given.sql(f"BEGIN{mode}", kind="begin")
        case kinds.TRANS_STMT_START:
            return given.sql(f"START TRANSACTION{mode}", kind="begin")
        case kinds.TRANS_STMT_COMMIT:
            return given.sql("COMMIT", kind="commit")
        case kinds.TRANS_STMT_ROLLBACK:
            return given.sql("ROLLBACK", kind="rollback")
    raise Refused("0A000", f'SQL command "{given.text}" not supported.')


def _explain(given: _Given) -> Statement:
    if any(option.defname != "verbose" for option in given.tree.options or ()):
        raise refuse("EXPLAIN takes VERBOSE and no other option in Redshift")
    if not isinstance(given.tree.query, _QUERIES):
        raise Refused("0A000", f'SQL command "{given.text}" not supported.')
    given.tree.query = Query(given.tree.query).rewritten()
    return given.sql(printed(given.tree))


# Of DECLARE: WITHOUT HOLD and nothing else, which is what drivers send.
_PLAIN_CURSOR = 0x0100


def _cursor(given: _Given) -> Statement:
    if given.tree.options & ~_PLAIN_CURSOR:
        raise refuse("DECLARE takes no option in Redshift")
    given.tree.query = Query(given.tree.query).rewritten()
    return given.sql(printed(given.tree))


def _prepare(given: _Given) -> Statement:
    given.tree.query = Query(given.tree.query).rewritten()
    return given.sql(printed(given.tree))


def _deallocate(given: _Given) -> Statement:
    if given.tree.isall:
        raise refuse('syntax error at or near "ALL"')
    return given.sql(given.stripped.text)


def _fetch(given: _Given) -> Statement:
    if given.tree.ismove or given.tree.direction != enums.FetchDirection.FETCH_FORWARD:
        raise refuse("FETCH goes forward in Redshift")
    return given.sql(given.stripped.text)


def _comment(given: _Given) -> Statement:
    kinds = enums.ObjectType
    allowed = (kinds.OBJECT_TABLE, kinds.OBJECT_COLUMN, kinds.OBJECT_VIEW, kinds.OBJECT_DATABASE, kinds.OBJECT_SCHEMA)
    if given.tree.objtype not in allowed:
        raise Refused("0A000", f'SQL command "{given.text}" not supported.')
    return given.sql(given.stripped.text)


def _create_schema(given: _Given) -> Statement:
    if given.tree.schemaElts:
        raise refuse("CREATE SCHEMA with elements is not emulated", sqlstate="0A000")
    return given.sql(given.stripped.text)


def _set(given: _Given) -> Statement:
    done = commands.parameter(given.tree)
    return given.sql(done, kind="set", tag="RESET" if given.tree.kind == enums.VariableSetKind.VAR_RESET else "SET")


def _show(given: _Given) -> Statement:
    return given.sql(commands.shown(given.tree.name), tag="SHOW")


def _analyze(given: _Given) -> Statement:
    return given.sql(given.stripped.text)


def _as_it_is(given: _Given) -> Statement:
    return given.sql(given.stripped.text)


def _database(given: _Given) -> Statement:
    return given.sql(given.stripped.text, kind="alone")


_QUERIES = (ast.SelectStmt, ast.InsertStmt, ast.UpdateStmt, ast.DeleteStmt, ast.MergeStmt)
_RULES: dict[type, Callable[[_Given], Statement]] = {
    **dict.fromkeys(_QUERIES, _query),
    ast.CreateStmt: _create_table,
    ast.CreateTableAsStmt: _create_table_as,
    ast.ViewStmt: _create_view,
    ast.AlterTableStmt: _alter_table,
    ast.RenameStmt: _rename,
    ast.DropStmt: _drop,
    ast.TruncateStmt: _truncate,
    ast.LockStmt: _lock,
    ast.TransactionStmt: _transaction,
    ast.ExplainStmt: _explain,
    ast.DeclareCursorStmt: _cursor,
    ast.FetchStmt: _fetch,
    ast.ClosePortalStmt: _as_it_is,
    ast.PrepareStmt: _prepare,
    ast.ExecuteStmt: _as_it_is,
    ast.DeallocateStmt: _deallocate,
    ast.CommentStmt: _comment,
    ast.CreateSchemaStmt: _create_schema,
    ast.AlterOwnerStmt: _as_it_is,
    ast.GrantStmt: _as_it_is,
    ast.GrantRoleStmt: _as_it_is,
    ast.AlterDefaultPrivilegesStmt: _as_it_is,
    ast.CreateRoleStmt: _as_it_is,
    ast.AlterRoleStmt: _as_it_is,
    ast.DropRoleStmt: _as_it_is,
    ast.CreatedbStmt: _database,
    ast.DropdbStmt: _database,
    ast.VariableSetStmt: _set,
    ast.VariableShowStmt: _show,
    ast.VacuumStmt: _analyze,
}

__all__ = ["Refused", "Statement", "statements"]

"""Statements and words of Redshift's own, which Postgres's parser does not know: told by their words alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pglast import ast, enums

from tests.redshift import table_attributes
from tests.redshift.errors import Refused
from tests.redshift.sql_types import Tree
from tests.redshift.tokens import Token, join, near
from tests.redshift.words import OWN_PARAMETERS, SHARED_PARAMETERS, listed

# What every session's search path ends with; a client never sees it.
UPSTREAM_PATH = "redshift, pg_catalog"


_NOT_THERE = listed("savepoint release listen unlisten notify discard do checkpoint cluster table values")


# What MAX is.
_LONGEST = {
    **dict.fromkeys(("varchar", "varying", "nvarchar"), "65535"),
    **dict.fromkeys(("char", "character", "nchar"), "4096"),
}


@dataclass(frozen=True)
class Own:
    """A statement that needs no parser. Its fields are those of a Statement."""

    kind: str
    upstream: tuple[str, ...] = ()
    tag: str = ""


@dataclass(frozen=True)
class Stripped:
    """A statement in words that Postgres parses. `columns` are those that distribution and sort keys name."""

    text: str
    columns: tuple[str, ...] = ()
    late_binding: bool = False


def recognised(text: str, found: Sequence[Token]) -> Own | None:
    """The statement where it is of Redshift's own; None where Postgres's parser is to read it."""
    words = [token.word for token in found[:4]] + [""] * 4
    match words[0]:
        case "copy":
            return Own("copy")
        case "unload":
            return Own("unload")
        case "vacuum":
            return _vacuum(found)
        case "analyze" | "analyse":
            return _analyze(found)
        case "set" if words[1] == "emulator":
            return Own("fault", tag="SET")
        case "alter" if words[1] == "table":
            return _alter_table(found)
        case "grant" | "revoke" if words[1] == "assumerole":
            return Own("ignored", tag=words[0].upper())
        case (
            "savepoint"
            | "release"
            | "listen"
            | "unlisten"
            | "notify"
            | "discard"
            | "do"
            | "checkpoint"
            | "cluster"
            | "table"
        ):
            raise Refused("0A000", f'SQL command "{text}" not supported.')
    return None


def stripped(found: Sequence[Token]) -> Stripped:
    """The statement without the words that only Redshift knows."""
    words = [token.word for token in found[:5]] + [""] * 5
    left = [_spelt(found, place) for place in range(len(found))]
    if words[0] == "create" and "table" in words[1:4] and "external" not in words[1:4]:
        done = table_attributes.strip(left)
        return Stripped(join(done.left), tuple(_name(column) for column in done.columns))
    if words[0] == "create" and "view" in words[1:4]:
        if [token.word for token in left[-4:]] == ["with", "no", "schema", "binding"]:
            return Stripped(join(left[:-4]), late_binding=True)
    elif words[0] in ("grant", "revoke") or words[:3] == ["alter", "default", "privileges"]:
        left = _grantees(left)
    elif words[0] == "lock":
        for place, token in enumerate(left):
            if token.word == "in" and left[-1].word in ("mode", "nowait"):
                raise near(left[place])
    elif words[0] in ("create", "alter") and words[1] == "user":
        left = _password(left)
    return Stripped(join(left))


def _spelt(found: Sequence[Token], place: int) -> Token:
    """A word as Postgres has it: MINUS is reserved, and can be nothing but EXCEPT; MAX is a length in types."""
    token = found[place]
    if token.word == "minus":
        return Token("EXCEPT", "except", token.kind, token.start, token.end)
    if token.word == "max" and place > 1 and found[place - 1].text == "(" and found[place + 1 : place + 2]:
        longest = _LONGEST.get(found[place - 2].word)
        if longest and found[place + 1].text == ")":
            return Token(longest, "", "ICONST", token.start, token.end)
    return token


def _name(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.quoted else token.text.lower()


def _table(found: Sequence[Token], place: int) -> tuple[str, int]:
    """A table's name that starts here, and the place after it."""
    if place >= len(found):
        raise near(None)
    end = place + 1
    while end + 1 < len(found) and found[end].text == ".":
        end += 2
    for token in found[place:end:2]:
        if token.kind in ("SCONST", "ICONST") or not (token.word or token.quoted):
            raise near(token)
    return "".join(token.text for token in found[place:end]), end


def _vacuum(found: Sequence[Token]) -> Own:
    place = 1
    words = [token.word for token in found] + ["", ""]
    if words[1] in ("full", "reindex", "recluster"):
        place = 2
    elif words[1] in ("sort", "delete"):
        if words[2] != "only":
            raise near(found[2] if len(found) > 2 else None)
        place = 3
    if place == len(found):
        return Own("alone", ("VACUUM",))
    table, place = _table(found, place)
    if words[place] == "to":
        if place + 2 >= len(found) or found[place + 1].kind != "ICONST" or words[place + 2] != "percent":
            raise near(found[place])
        place += 3
    if words[place] == "boost":
        place += 1
    if place != len(found):
        raise near(found[place])
    return Own("alone", (f"VACUUM {table}",))


def _analyze(found: Sequence[Token]) -> Own | None:
    words = [token.word for token in found] + ["", ""]
    if words[1] == "compression":
        columns = '"Table", "Column", "Encoding", "Est_reduction_pct"'
        return Own("alone", (f"SELECT * FROM (SELECT ''::text, ''::text, ''::text, ''::text) a ({columns}) LIMIT 0",))
    if words[len(found) - 1] == "columns" and words[len(found) - 2] in ("predicate", "all"):
        return Own("sql", (join(found[:-2]),))
    return None


def _alter_table(found: Sequence[Token]) -> Own | None:
    """Distribution, sort keys, encodings and APPEND, which change no row that anybody could see."""
    table, place = _table(found, 2)
    words = [token.word for token in found] + [""] * 4
    owned = f"ALTER TABLE {table} SET WITHOUT CLUSTER"
    if words[place] == "append":
        return _append(found, table, place)
    if words[place] != "alter":
        return None
    what = words[place + 1]
    if what == "column" and words[place + 3] == "encode" and len(found) == place + 5:
        column = found[place + 2].text
        return Own("alone", (f"ALTER TABLE {table} ALTER COLUMN {column} SET STATISTICS -1",), "ALTER TABLE")
    if what in ("distkey", "diststyle", "sortkey", "compound", "encode"):
        return Own("alone", (owned,), "ALTER TABLE")
    return None


def _append(found: Sequence[Token], table: str, place: int) -> Own:
    if place + 1 >= len(found) or found[place + 1].word != "from":
        raise near(found[place])
    source, end = _table(found, place + 2)
    if end != len(found):
        raise Refused("0A000", "ALTER TABLE APPEND with FILLTARGET or IGNOREEXTRA is not emulated")
    moved = f"BEGIN INSERT INTO {table} SELECT * FROM {source}; DELETE FROM {source}; END"
    return Own("alone", (f"DO $redshift${moved}$redshift$",), "ALTER TABLE APPEND")


def _grantees(found: Sequence[Token]) -> list[Token]:
    """Roles, groups and users are all roles upstream, and named without a word before them."""
    left: list[Token] = []
    for place, token in enumerate(found):
        before = found[place - 1] if place else token
        listed = before.word in ("to", "from", "grant", "revoke", "for") or (before.text == "," and left)
        follows = place + 1 < len(found) and (found[place + 1].word or found[place + 1].quoted)
        if listed and follows and token.word in ("role", "group"):
            continue
        if before.word == "for" and token.word == "user":
            left.append(Token("ROLE", "role", token.kind, token.start, token.end))
            continue
        left.append(token)
    return left


def _password(found: Sequence[Token]) -> list[Token]:
    left = list(found)
    for place in range(1, len(left)):
        if left[place - 1].word == "password" and left[place].word == "disable":
            left[place] = Token("NULL", "null", left[place].kind, left[place].start, left[place].end)
    return left


def parameter(tree: Tree) -> str:
    """SET or RESET as upstream knows it."""
    name = (tree.name or "").lower()
    kinds = enums.VariableSetKind
    if tree.kind not in (kinds.VAR_SET_VALUE, kinds.VAR_SET_DEFAULT, kinds.VAR_RESET):
        raise Refused("0A000", "SET of this is not supported by Redshift, or not emulated")
    if name not in SHARED_PARAMETERS and name not in OWN_PARAMETERS:
        raise Refused("42704", f'unrecognized configuration parameter "{name}"')
    scope = "LOCAL " if tree.is_local else ""
    upstream = name if name in SHARED_PARAMETERS else f"redshift.{name}"
    if name == "search_path" and tree.kind != kinds.VAR_SET_VALUE:
        return f'SET {scope}search_path TO "$user", public, {UPSTREAM_PATH}'
    if tree.kind != kinds.VAR_SET_VALUE:
        return f"SET {scope}{upstream} TO DEFAULT" if upstream == name else f"SET {scope}{upstream} TO ''"
    values = [_value(arg) for arg in tree.args]
    if name == "search_path":
        listed = ", ".join(_identifier(part.strip()) for value in values for part in value.split(","))
        return f"SET {scope}search_path TO {listed}, {UPSTREAM_PATH}"
    if name == "timezone" and not isinstance(tree.args[0], ast.A_Const):
        raise Refused("22023", "timezone takes a name in Redshift")
    return f"SET {scope}{upstream} TO {', '.join(_literal(value) for value in values)}"


def _value(arg: Tree) -> str:
    value: Any = arg.val if isinstance(arg, ast.A_Const) else None
    if isinstance(value, ast.String):
        return str(value.sval)
    if isinstance(value, ast.Integer):
        return str(value.ival)
    if isinstance(value, ast.Float):
        return str(value.fval)
    if isinstance(value, ast.Boolean):
        return "true" if value.boolval else "false"
    raise Refused("42601", "a parameter's value is a literal in Redshift")


def _identifier(name: str) -> str:
    bare = name.strip('"')
    return '"' + bare.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def shown(name: str) -> str:
    """What answers SHOW."""
    name = name.lower()
    if name == "search_path":
        path = f"replace(current_setting('search_path'), ', {UPSTREAM_PATH}', '')"
        return f"SELECT {path} AS search_path"
    if name in SHARED_PARAMETERS:
        return f"SHOW {name}"
    if name == "server_version":
        return "SELECT '8.0.2' AS server_version"
    if name not in OWN_PARAMETERS:
        raise Refused("42704", f'unrecognized configuration parameter "{name}"')
    return f"SELECT coalesce(current_setting('redshift.{name}', true), '') AS {name}"

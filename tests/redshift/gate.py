"""The static gate: SQL for Redshift passes sqlfluff's dialect of it, and the emulator's.

Each refuses what the other lets through: sqlfluff's knows the grammar of statements and of their clauses as AWS writes
it down, the emulator's what of SQL there is at all (functions, types, reserved words, indexes, ON CONFLICT…).
"""

import re
from collections.abc import Iterable

from sqlfluff.core import Linter

from tests.redshift import dialect
from tests.redshift.errors import Refused

# What stands between quotes, and numbers, are nothing to a grammar; without them most statements are alike.
_VARIES = re.compile(r"""--[^\n]*|'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|\b\d+\b""", re.DOTALL)
_IN_PLACE = {"-": "", "'": "'x'", '"': '"x"'}

# `{since raw.sales}` in a load's SELECT.
SINCE = re.compile(r"\{since (\w+\.\w+)\}")

Cache = dict[str, str]


def refusals(statements: Iterable[str], known: Cache) -> list[str]:
    """What of these does not pass, and why. `known` is what sqlfluff has said of shapes that it has seen: '' is good.

    It takes its time, which is why what it has said is kept.
    """
    found = []
    for statement in statements:
        shape = shaped(statement)
        if shape not in known:
            known[shape] = by_sqlfluff(shape)
        for why in (by_dialect(statement), known[shape]):
            if why:
                found.append(f"{why}: {' '.join(statement.split())[:200]}")
    return found


def shaped(statement: str) -> str:
    """A statement that is to a grammar what this one is."""
    plain = _VARIES.sub(lambda found: _IN_PLACE.get(found[0][0], "1"), statement)
    return " ".join(re.sub(r'("x")(?:, "x")+', r"\1", plain).split())


def by_sqlfluff(statement: str) -> str:
    """Why sqlfluff cannot parse it, or ''."""
    parsed = Linter(dialect="redshift").parse_string(statement)
    return "; ".join(violation.desc() for violation in parsed.violations)


def by_dialect(statement: str) -> str:
    """Why the emulator refuses it, or ''."""
    try:
        dialect.statements(statement)
    except Refused as refused:
        return refused.message
    return ""


def without_length(table: str) -> list[str]:
    """The columns of a CREATE TABLE whose type says no length, which is 256 bytes, or 18 digits without places."""
    bare = re.sub(r"--[^\n]*", "", table)
    return re.findall(r"(\w+)\s+(?:TEXT|VARCHAR|CHARACTER VARYING|NUMERIC|DECIMAL)\b(?!\s*\()", bare, re.IGNORECASE)

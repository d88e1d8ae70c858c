"""Names and literals in SQL: the one place where text becomes SQL."""

import re

from etl.errors import DataError

_LONGEST = 63


def quote(name: str) -> str:
    """An identifier, always quoted, so that reserved words and mixed case are names like any other."""
    if not name or "\0" in name or len(name.encode()) > _LONGEST:
        raise DataError(f"{name!r}: not a name for a table or column; it needs 1 to {_LONGEST} bytes")
    return '"' + name.replace('"', '""') + '"'


def plain(name: str) -> str:
    """A schema or table of ours: lower case, digits and underscores, so that both engines fold it alike."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise DataError(f"{name!r}: not a table's name; write lower case letters, digits and underscores")
    return name


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

"""The parser's tree as SQL again, for a session in which a backslash escapes in every literal."""

import re
from typing import Any

from pglast.stream import RawStream

_NAME_OR_LITERAL = re.compile(r"""("(?:[^"]|"")*")|'((?:[^']|'')*)'""")


def printed(tree: Any) -> str:
    sql = RawStream()(tree)
    return _NAME_OR_LITERAL.sub(_escaped, sql) if "\\" in sql else sql


def _escaped(match: re.Match[str]) -> str:
    """pglast writes literals in which it does not."""
    if match[1] is not None or "\\" not in match[2]:
        return match[0]
    return "E'" + match[2].replace("\\", "\\\\") + "'"

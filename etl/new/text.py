"""Text as Python, SQL and drawn tables write it."""

import re
from collections.abc import Sequence

WIDTH = 120


def literal(text: str) -> str:
    """A Python string as ruff formats it."""
    if '"' in text and "'" not in text:
        return repr(text)
    escaped = repr(text)[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{escaped}"'


def one_line(comment: str) -> str:
    """A comment of somebody else's as one line of a docstring and of SQL."""
    line = " ".join(comment.split()).replace("\\", "/").replace('"""', "'''").rstrip('"')
    # `topic: …` at the head of a table's file is for us.
    return re.sub(r"^([\w ]+):", r"\1 -", line)[:100].rstrip()


def listed(names: Sequence[str], before: int, indent: int = 4) -> str:
    """A tuple of strings behind `before` characters, a name a line where one line is too short for all."""
    words = [literal(name) for name in names]
    line = f"({', '.join(words)}{',' if len(words) == 1 else ''})"
    if before + len(line) <= WIDTH:
        return line
    gap = " " * (indent + 4)
    return "(\n" + "".join(f"{gap}{word},\n" for word in words) + " " * indent + ")"


def drawn(
    function: str, database: str, table: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]
) -> str:
    """A call of the test kit with a drawn table, as ruff formats it."""
    lines = [list(columns), *([_field(value) for value in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    body = "\n".join(
        "        " + " | ".join(value.ljust(width) for value, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    wide = "  # noqa: E501" if max(map(len, body.splitlines())) > WIDTH else ""
    head = f"    {function}(\n        {database},\n        {literal(table)},\n"
    return f'{head}        """\n{escaped(body)}\n        """,{wide}\n    )\n'


def escaped(text: str) -> str:
    """What stands between a Python string's three quotes."""
    return text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')


def _field(value: str | None) -> str:
    return "NULL" if value is None else value or "''"

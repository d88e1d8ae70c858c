"""Where etl/ sends SQL to a warehouse, by its syntax; and which of these places a run has come by."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2.extensions

ETL = Path(__file__).parents[2] / "etl"

# What an engine offers that sends SQL which its caller wrote, or parts of it.
_SENDING = {"query", "execute", "note", "note_at_once", "set_aside", "names_of", "columns_of"}
# What talks to other servers than the warehouse, or to the other kind of one.
_ELSEWHERE = (
    "sources/",
    "stack/",
    "conformance/",
    "doctor/mysql.py",
    "new/",
    "preview/rehearsal.py",
    "testing/",
    "warehouse/postgres",
    "warehouse/sessions.py",
    "increment.py",
)


@dataclass(frozen=True, order=True)
class Site:
    """A call. `source` is its first line, by which an exception to a rule names it."""

    file: str
    first: int
    last: int
    source: str

    def __str__(self) -> str:
        return f"etl/{self.file}:{self.first}: {self.source}"


def sites() -> list[Site]:
    return [
        site
        for path in sorted(ETL.rglob("*.py"))
        if not (file := path.relative_to(ETL).as_posix()).startswith(_ELSEWHERE)
        for site in _in(file, path.read_text(encoding="utf-8"))
    ]


def _in(file: str, text: str) -> Iterator[Site]:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _SENDING:
            # A method's call begins where its object does, and is at the line of its name while it runs.
            yield Site(file, node.lineno, node.end_lineno or node.lineno, lines[node.lineno - 1].strip())


# (file, line) of each frame of etl/ while a statement was sent.
Reached = set[tuple[str, int]]


def note_frames(reached: Reached) -> None:
    """Note from where in etl/ the caller was called."""
    frame = sys._getframe(1)
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ETL):
            reached.add((path.relative_to(ETL).as_posix(), frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]


def recording(reached: Reached) -> type[psycopg2.extensions.cursor]:
    """A cursor that does what psycopg2's does, and notes from where it was asked to."""

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, *arguments: Any, **words: Any) -> Any:
            note_frames(reached)
            return super().execute(*arguments, **words)

    return Cursor


def missed(reached: Reached) -> list[Site]:
    lines: dict[str, set[int]] = {}
    for file, line in reached:
        lines.setdefault(file, set()).add(line)
    return [site for site in sites() if not lines.get(site.file, set()) & set(range(site.first, site.last + 1))]

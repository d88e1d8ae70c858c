"""Golden files: the statements that a piece of work sends to a Redshift, in their order, for a person to review."""

import difflib
import os
import re
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "redshift"

# What is another one every time, and what is put in its place.
_VARIES = (
    (r"\b(?:lake|test)[-_][0-9a-f]{32}\b", "<name>"),
    (r"\b\d{8}T\d{6}-[0-9a-f]{8}(?:-[0-9a-f]{6})?", "<run>"),
    # Of a stage: its target's hash, the day on which the run began, the end of the run's id.
    (r"\b([0-9a-f]{8}_\w+?_)20(?:2[4-9]|[3-9]\d)\d{4}_[0-9a-f]{8}", r"\1<run>"),
    (r"\b20(?:2[4-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:\+00(?::00)?)?", "<moment>"),
    (r"\b[0-9a-f]{64}\b", "<sha256>"),
    # An ETag, or the end of a borrowed table's name.
    (r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", "<hex>"),
    (r"'\d+\.\d+\.\d+\+[0-9a-f]+'", "'<version>'"),
    # Of a receipt the bytes, the seconds, and the fingerprint of its extract.
    (r", (?:NULL|\d+), \d+(?:\.\d+)?(?:e-\d+)?, '[0-9a-f]{16}', (\S+ '[^']*'|SYSDATE)\)$", r", 0, 0.0, '<hash>', \1)"),
    (r", NULL, \d+(?:\.\d+)?(?:e-\d+)?, NULL, (\S+ '[^']*'|SYSDATE)\)$", r", NULL, 0.0, NULL, \1)"),
    (r"\b(query_id|query) = -?\d+ AND (session_id|session) = \d+", r"\1 = 0 AND \2 = 0"),
)


def reviewed(statement: str) -> str:
    """A statement as it stands in a golden file: without what varies, and in one paragraph."""
    text = re.sub(r"\n\s*\n", "\n", statement.strip().rstrip(";"))
    for pattern, put in _VARIES:
        text = re.sub(pattern, put, text)
    return text


def rendered(title: str, statements: Iterable[str]) -> str:
    return "\n\n".join([f"-- {title}", *(f"{reviewed(statement)};" for statement in statements)]) + "\n"


def statements(path: Path) -> list[str]:
    """The statements of a golden file."""
    return path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")[1:]


def compare(name: str, text: str) -> None:
    """AssertionError, which shows the difference, where the golden file says otherwise; GOLDEN=accept rewrites it."""
    path = FOLDER / f"{name}.sql"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if text == before:
        return
    if os.environ.get("GOLDEN") == "accept":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    where = str(path.relative_to(Path(__file__).parents[2]))
    lines = difflib.unified_diff(before.splitlines(), text.splitlines(), where, "as it was sent now", lineterm="")
    cure = f"{where}: read it; if it is meant, run GOLDEN=accept pytest tests/test_golden.py, and commit the file"
    raise AssertionError("\n".join([*lines, cure]))

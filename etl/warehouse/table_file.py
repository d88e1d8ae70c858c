"""The pieces of a CREATE TABLE: its columns as they are written, and what people are told of them."""

import re
from dataclasses import dataclass, field

# A line in front of the statement that the program reads: a hint, a check. All else there is for people.
_TOPIC = re.compile(r"[a-z][a-z ]*:\s")
_TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\n|[(),]|[^'"\n(),/-]+|.""", re.DOTALL)
_CONSTRAINT = re.compile(r"(CONSTRAINT|PRIMARY\s+KEY|FOREIGN\s+KEY|UNIQUE|CHECK|EXCLUDE|LIKE)\b", re.IGNORECASE)
_NAME = re.compile(r'("(?:[^"]|"")+"|\w+)\s+(.*)', re.DOTALL)


@dataclass
class _Piece:
    text: str = ""
    said: list[str] = field(default_factory=list)


def head_comment(text: str) -> str:
    """What stands at the head of a file for people, as one text."""
    lines = []
    for line in text.splitlines():
        if line.strip() and not line.startswith("--"):
            break
        said = line.removeprefix("--").strip()
        if said and not _TOPIC.match(f"{said} "):
            lines.append(said)
    return " ".join(lines)


def columns(body: str) -> dict[str, str]:
    """Each column's definition behind its name, from a CREATE TABLE's first bracket on."""
    return {name: " ".join(piece.text.split()) for name, piece in _columns(body).items()}


def primary_key(body: str) -> tuple[str, ...]:
    """The columns of the PRIMARY KEY, behind its column or in a line of its own."""
    for name, text in columns(body).items():
        if re.search(r"\bPRIMARY\s+KEY\b", text, re.IGNORECASE):
            return (name,)
    for piece in _pieces(body):
        if found := re.match(r"(?:CONSTRAINT\s+\S+\s+)?PRIMARY\s+KEY\s*\((.*)\)", piece.text.strip(), re.I | re.DOTALL):
            return tuple(name.strip().strip('"') for name in found[1].split(","))
    return ()


def column_comments(body: str) -> dict[str, str]:
    """What is said of columns: behind one, going on below in the same place; or in lines of its own before it."""
    return {name: " ".join(piece.said) for name, piece in _columns(body).items() if piece.said}


def selected_comments(select: str) -> dict[str, str]:
    """What is said behind `AS name` in a SELECT, by that name."""
    return dict(re.findall(r"\bAS\s+(\w+)\s*,?[ \t]*--[ \t]*(\S.*?)[ \t]*$", select, re.IGNORECASE | re.MULTILINE))


def _columns(body: str) -> dict[str, _Piece]:
    found = {}
    for piece in _pieces(body):
        text = piece.text.strip()
        named = _NAME.match(text)
        if named and not _CONSTRAINT.match(text):
            name = named[1]
            plain = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
            found[plain] = _Piece(named[2], piece.said)
    return found


def _pieces(body: str) -> list[_Piece]:
    """What the commas of the outermost brackets part."""
    pieces = [_Piece()]
    waiting: list[str] = []
    depth = place = 0
    last = -1
    blank = True
    for token in _TOKEN.findall(body):
        if token == "\n":
            place, blank = 0, True
            continue
        if token.startswith("--"):
            # The comma is behind a column when its comment comes.
            told = [piece for piece in pieces if piece.text.strip()]
            if blank and place != last:
                waiting.append(token.removeprefix("--").strip())
            elif told:
                told[-1].said.append(token.removeprefix("--").strip())
                last = place
        elif not token.startswith("/*"):
            depth += (token == "(") - (token == ")")
            if not depth:
                break
            if depth == 1 and token == ",":
                pieces.append(_Piece())
            elif not (depth == 1 and token == "("):
                if waiting and token.strip():
                    pieces[-1].said += waiting
                    waiting = []
                pieces[-1].text += token
            if token.strip():
                if blank:
                    last = -1
                blank = False
        place += len(token)
    return pieces

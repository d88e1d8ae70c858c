"""A message's words, as Postgres's own scanner sees them, and the statements that it consists of."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pglast.parser import ParseError, scan

from tests.redshift.errors import Refused


@dataclass(frozen=True)
class Token:
    """`word` is the text in lower case, or '' for what is quoted, a literal or a number: those are no keywords."""

    text: str
    word: str
    kind: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """That it stands for, where it is one."""
        return self.text[1:-1].replace('""', '"') if self.quoted else self.text

    @property
    def quoted(self) -> bool:
        return self.kind == "IDENT" and self.text.startswith('"')


# Not Postgres's newer 0xff and 1_000.
_NUMBER = re.compile(r"[0-9.]+(e[+-]?[0-9]+)?", re.IGNORECASE)
# Of a message: literals, with what they are prefixed; names; comments; anything else.
_LEXEME = re.compile(
    r"""'(?:[^'\\]|''|\\.)*'|"[^"]*"|--[^\n]*|/\*.*?\*/|(\$\w*\$).*?\1|[a-z_]\w*'(?:[^'\\]|''|\\.)*'|\w+|.""",
    re.IGNORECASE | re.DOTALL,
)
# E'…' came with Postgres 8.1, after Redshift had left it.
_NO_LITERALS = ("BCONST", "XCONST", "USCONST", "UIDENT")
_COMMENTS = ("SQL_COMMENT", "C_COMMENT")
_NO_WORDS = ("SCONST", "ICONST", "FCONST", "PARAM", "Op")


def tokens(sql: str) -> list[Token]:
    """Without comments, and at their places in `sql`. Refused where Postgres's scanner stops."""
    escaped, inserted = _with_escapes(sql)
    try:
        scanned = scan(escaped)
    except ParseError as error:
        raise syntax_error(error) from error
    found = []
    for token in scanned:
        if token.name in _COMMENTS:
            continue
        text = escaped[token.start : token.end + 1]
        start = token.start - bisect_left(inserted, token.start)
        end = token.end + 1 - bisect_left(inserted, token.end + 1)
        if token.name in ("ICONST", "FCONST") and not _NUMBER.fullmatch(text):
            raise Refused("42601", f'syntax error at or near "{text}"', position=start + 1)
        if token.name in _NO_LITERALS or (token.name == "SCONST" and sql[start] in "eEnN"):
            raise Refused("42601", f'syntax error at or near "{sql[start]}"', position=start + 1)
        word = "" if token.name in _NO_WORDS or text.startswith('"') else text.lower()
        found.append(Token(text, word, token.name, start, end))
    return found


def _with_escapes(sql: str) -> tuple[str, list[int]]:
    """With an E before every literal that has a backslash, which escapes in all of Redshift's; and where those are."""
    if "\\" not in sql:
        return sql, []
    parts = []
    inserted = []
    length = 0
    for match in _LEXEME.finditer(sql):
        text = match[0]
        if text[0] == "'" and "\\" in text:
            inserted.append(length)
            text = "E" + text
        parts.append(text)
        length += len(text)
    return "".join(parts), inserted


def syntax_error(error: ParseError) -> Refused:
    message = str(error.args[0])
    position = error.args[1] + 1 if len(error.args) > 1 and isinstance(error.args[1], int) else None
    return Refused("42601", message, position=position)


def near(token: Token | None, sql: str = "") -> Refused:
    """The syntax error at a token, or at the end where there is none."""
    if token is None:
        return Refused("42601", "syntax error at end of input", position=len(sql) + 1)
    return Refused("42601", f'syntax error at or near "{token.text}"', position=token.start + 1)


def split(sql: str) -> list[tuple[str, list[Token]]]:
    """Each statement's text with its tokens, whose places are those in that text."""
    found: list[tuple[str, list[Token]]] = []
    for part in _between_semicolons(tokens(sql)):
        start, end = part[0].start, part[-1].end
        moved = [Token(t.text, t.word, t.kind, t.start - start, t.end - start) for t in part]
        found.append((sql[start:end], moved))
    return found


def _between_semicolons(found: Sequence[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in found:
        if token.text == ";":
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def join(found: Sequence[Token]) -> str:
    """The statement again, of the tokens that are left, each at its place as far as those before it allow."""
    parts: list[str] = []
    length = before = 0
    for token in found:
        gap = max(token.start - length, int(token.start != before))
        parts.append(" " * gap + token.text)
        length += gap + len(token.text)
        before = token.end
    return "".join(parts)


def closing(found: Sequence[Token], start: int) -> int:
    """The place after the parenthesis that closes the one at `start`."""
    depth = 0
    for place in range(start, len(found)):
        if found[place].text == "(":
            depth += 1
        elif found[place].text == ")":
            depth -= 1
            if not depth:
                return place + 1
    raise near(None)

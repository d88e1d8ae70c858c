"""What CREATE TABLE says in Redshift and in no Postgres: distribution, sorting, encoding, identity."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.redshift.tokens import Token, closing, near
from tests.redshift.words import listed

_ENCODINGS = listed("az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255 text32k zstd")

# Redshift leaves gaps in what an identity column gives; so does the emulator, for nobody to count on there being none.
_IDENTITY_GAP = 4


@dataclass
class Stripped:
    """The statement without them, and the columns that they name."""

    left: list[Token]
    columns: list[Token] = field(default_factory=list)


def strip(found: Sequence[Token]) -> Stripped:
    """Of CREATE TABLE, with columns or AS. Refused where an attribute is malformed or stands twice."""
    stripped = Stripped([])
    place = 0
    seen: set[str] = set()
    while place < len(found):
        token = found[place]
        if token.text == "(":
            end = closing(found, place)
            stripped.left += _columns(found[place:end])
            place = end
            continue
        if token.word == "as" and found[place + 1 : place + 2] and found[place + 1].word in ("select", "with", ""):
            stripped.left += found[place:]
            return stripped
        after = _attribute(found, place, stripped.columns, seen)
        if after == place:
            stripped.left.append(token)
            after += 1
        place = after
    return stripped


def _at(found: Sequence[Token], place: int) -> Token | None:
    return found[place] if place < len(found) else None


def _want(found: Sequence[Token], place: int, *words: str) -> int:
    token = _at(found, place)
    if token is None or (token.word or token.text) not in words:
        raise near(token)
    return place + 1


def _attribute(found: Sequence[Token], place: int, columns: list[Token], seen: set[str]) -> int:
    """The place after a table attribute that starts here, or `place` where none does."""
    word = found[place].word
    start = place
    if word == "backup":
        place = _want(found, place + 1, "yes", "no")
    elif word == "diststyle":
        place = _want(found, place + 1, "auto", "even", "key", "all")
    elif word == "distkey":
        place = _column_list(found, place + 1, columns, 1)
    elif word in ("compound", "interleaved"):
        _want(found, place + 1, "sortkey")
        place = _column_list(found, place + 2, columns, 400 if word == "compound" else 8)
        word = "sortkey"
    elif word == "sortkey":
        following = _at(found, place + 1)
        place = (
            place + 2
            if following is not None and following.word == "auto"
            else _column_list(found, place + 1, columns, 400)
        )
    elif word == "encode":
        place = _want(found, place + 1, "auto")
    if place != start:
        if word in seen:
            raise near(found[start])
        seen.add(word)
    return place


def _column_list(found: Sequence[Token], place: int, columns: list[Token], most: int) -> int:
    _want(found, place, "(")
    end = closing(found, place)
    names = found[place + 1 : end - 1]
    if not names or len(names[::2]) > most or any(comma.text != "," for comma in names[1::2]) or len(names) % 2 == 0:
        raise near(_at(found, place + 1))
    columns += names[::2]
    return end


def _columns(found: Sequence[Token]) -> list[Token]:
    """The list of columns without column attributes; `found` has its parentheses."""
    left: list[Token] = []
    depth = place = 0
    first = False
    while place < len(found):
        token = found[place]
        if token.text == "(":
            depth += 1
        elif token.text == ")":
            depth -= 1
        if depth == 1 and token.text in "(,":
            first = True
            left.append(token)
            place += 1
            continue
        if depth == 1 and not first and token.word in ("distkey", "sortkey"):
            place += 1
        elif depth == 1 and not first and token.word == "encode":
            place = _want(found, place + 1, *_ENCODINGS)
        elif depth == 1 and not first and token.word == "collate":
            place = _want(found, place + 1, "case_sensitive")
        elif depth == 1 and not first and token.word == "identity":
            place, words = _identity(found, place, "ALWAYS")
            left += words
        elif depth == 1 and not first and token.word == "generated":
            for offset, word in enumerate(("by", "default", "as", "identity"), 1):
                _want(found, place + offset, word)
            place, words = _identity(found, place + 4, "BY DEFAULT")
            left += words
        else:
            left.append(token)
            place += 1
        first = False
    return left


def _identity(found: Sequence[Token], place: int, kind: str) -> tuple[int, list[Token]]:
    _want(found, place + 1, "(")
    end = closing(found, place + 1)
    inside = "".join(token.text for token in found[place + 2 : end - 1])
    try:
        seed, step = (int(number) for number in inside.split(","))
    except ValueError:
        raise near(_at(found, place + 2)) from None
    limit = f"MINVALUE {seed}" if step > 0 else f"MAXVALUE {seed}"
    text = f"GENERATED {kind} AS IDENTITY (START WITH {seed} INCREMENT BY {step * _IDENTITY_GAP} {limit})"
    at = found[place]
    return end, [Token(text, "", "IDENT", at.start, at.end)]

"""Keys of [redis] url that match a pattern in, some hundreds at most: a dimension of hashes or strings out, a fact of
the elements of lists, sets, sorted sets and streams."""

import itertools
import re
from collections import Counter
from dataclasses import dataclass, replace

from etl.errors import ConfigError
from etl.findings import Findings
from etl.new import samples
from etl.new.names import column_name, plural, singular, slug
from etl.new.proposal import DIMENSION, FACT, Column, Proposal, Titles, Wishes, key_column, ordinary
from etl.new.samples import Sampled
from etl.new.text import listed, literal
from etl.sources.redis import RedisExtractor
from etl.sources.redis_connection import connected
from etl.sources.redis_keys import Elements, Key, KeyReader, elements
from etl.sources.redis_text import value_text

_KEYS = 200
# Hashes with more fields than that, all together, have data in the names of their fields.
_MOST_FIELDS = 60

# What the parts of an element are called, by the key's type; those that name it among the elements of its key.
_PARTS = {
    "string": ("value",),
    "hyperloglog": ("value",),
    "hash": ("field", "value"),
    "list": ("place", "value"),
    "set": ("value",),
    "zset": ("value", "score"),
    "stream": ("entry_id", "entry"),
}
_NAMING = {"hash": 1, "list": 1, "set": 1, "zset": 1, "stream": 1}
_UNPACKED = {
    "string": "_, value, _",
    "hyperloglog": "_, value, _",
    "hash": "field, value, _",
    "list": "place, value, _",
    "set": "value, _, _",
    "zset": "value, _, score",
    "stream": "entry_id, entry, _",
}


@dataclass(frozen=True)
class _Pattern:
    """With one star a key's own name is what stands between `before` and `after`; `several` keys or one."""

    text: str
    before: str
    after: str
    several: bool

    @classmethod
    def of(cls, text: str) -> "_Pattern":
        if found := re.fullmatch(r"([^*?\[\]\\]*)\*([^*?\[\]\\]*)", text):
            return cls(text, found[1], found[2], True)
        return cls(text, "", "", bool(re.search(r"[*?\[]", text)))

    def own(self, key: str) -> str:
        return key.removeprefix(self.before).removesuffix(self.after)

    @property
    def expression(self) -> str:
        before = f".removeprefix(b{literal(self.before)})" if self.before else ""
        return f"key.name{before}" + (f".removesuffix(b{literal(self.after)})" if self.after else "")

    def example(self, number: int) -> str:
        """A key that matches a pattern of other signs than one star."""
        return re.sub(r"\[[^\]]*\]|[*?]", str(number), self.text)

    @property
    def word(self) -> str:
        """What a key is one of: user, of shop:user:*"""
        words = re.findall(r"\w+", self.before) or re.findall(r"\w+", self.after) or re.findall(r"\w+", self.text)
        return singular(slug(words[-1] if words else "key"))


def look(text: str, wishes: Wishes) -> Proposal:
    """ConfigError where no key matches, or keys of several types do."""
    if wishes.key:
        raise ConfigError("--key is for sources that do not say their key; in Redis a key's name is one")
    pattern = _Pattern.of(text)
    if not f"{pattern.before}{pattern.after}".isascii():
        pattern = _Pattern(text, "", "", True)
    found = _sampled(text)
    kind = _kind(text, found)
    if not pattern.several and kind not in _NAMING:
        raise ConfigError(f"Redis {text}: is one value and no table; write a pattern for more of them, such as 'x:*'")
    fields = list(dict.fromkeys(_text(field) for _, held in found for field in held.fields)) if kind == "hash" else []
    record = kind == "hash" and pattern.several and len(fields) <= _MOST_FIELDS
    titles = Titles.of(plural(pattern.word), wishes, DIMENSION if kind not in _NAMING or record else FACT)
    own = pattern.several or kind not in _NAMING
    parts = fields if record else list(_PARTS[kind])
    names = [f"{titles.member}_id"] if own else []
    for part in parts:
        names.append(column_name(part, titles.member, [f"{titles.member}_key", *names]))
    keys = len(names) - len(parts) + (0 if record else _NAMING.get(kind, 0))
    texts = _values(found, pattern, own, fields if record else [], kind)
    said = [*names[: len(names) - len(parts)], *(names[-len(parts) :] if record else parts)]
    seen = [_typed(part, kind, some) for part, some in zip(said, texts, strict=True)]
    if own and not (pattern.before or pattern.after) and text != "*":
        matching = (pattern.example(1), pattern.example(2))
        seen[0] = replace(seen[0], examples=matching, shown=matching)
    columns = _columns(titles, names, seen, keys, record, pattern.several)
    return Proposal(
        source=f"Redis {text}",
        titles=titles,
        columns=columns,
        key=tuple(names[:keys]),
        strategy="replace" if titles.shape == FACT else "scd1",
        about=f"{plural(titles.member).replace('_', ' ').capitalize()}, from Redis.",
        rows_of=f"{{stage}} {titles.module[0]}",
        imports=["from etl.load import BaseLoader", "from etl.sources.redis import RedisExtractor"],
        requires="",
        extract=_extract(titles, pattern, names, own, kind, fields if record else None),
        fixtures="warehouse, redis, lake",
        setup="\n".join(_setup(pattern, kind, fields, record, own, seen)),
        notes=_notes(found, kind, record),
        primary=tuple(names[:keys]) if titles.shape == FACT else (),
    )


def _sampled(pattern: str) -> list[tuple[Key, Elements]]:
    """Some keys with all or the first of their elements."""
    found: list[tuple[Key, Elements]] = []
    with connected() as server:
        reader = KeyReader(server, Findings())
        for small, replies, big in reader.groups(pattern):
            found += [(key, elements(key.type, reply)) for key, reply in zip(small, replies, strict=True)]
            found += [(key, next(iter(reader.pages(key)))) for key in itertools.islice(big, 10)]
            if len(found) >= _KEYS:
                break
        if not found:
            raise ConfigError(
                f"Redis {server.address} has no key that matches {pattern}; write another pattern, in quotes"
            )
    return found[:_KEYS]


def _kind(pattern: str, found: list[tuple[Key, Elements]]) -> str:
    kinds = Counter(key.type for key, _ in found)
    if len(kinds) > 1:
        said = ", ".join(f"{count} of type {kind}" for kind, count in kinds.most_common())
        raise ConfigError(f"Redis {pattern}: keys of several types match ({said}); write a pattern for those of one")
    return next(iter(kinds))


def _text(value: object) -> str:
    return value_text(value) or ""


def _values(
    found: list[tuple[Key, Elements]], pattern: _Pattern, own: bool, fields: list[str], kind: str
) -> list[list[str | None]]:
    """The texts of each column."""
    columns: list[list[str | None]] = []
    if own:
        columns.append([pattern.own(_text(key.name)) for key, _ in found])
    if fields:
        held = [
            {_text(name): value_text(value) for name, value in zip(one.fields, one.values, strict=True)}
            for _, one in found
        ]
        return columns + [[row.get(field) for row in held] for field in fields]
    for part in _PARTS[kind]:
        of_field = part in ("field", "place", "entry_id") or (kind in ("set", "zset") and part == "value")
        taken = [one.scores if part == "score" else one.fields if of_field else one.values for _, one in found]
        columns.append([value_text(value) for some in taken for value in some])
    return columns


def _typed(part: str, kind: str, texts: list[str | None]) -> Sampled:
    real = ("12.5", "13.5")
    known = {
        ("zset", "score"): Sampled("DOUBLE PRECISION", "CAST({} AS DOUBLE PRECISION)", real, real, "score"),
        ("list", "place"): Sampled("BIGINT", "CAST({} AS BIGINT)", ("0", "1"), ("0", "1"), "from 0"),
        ("stream", "entry_id"): Sampled("VARCHAR(64)", "{}", ("1-1", "2-1"), ("1-1", "2-1"), "entry's id"),
        ("stream", "entry"): Sampled("VARCHAR(65535)", "{}", ("", ""), ('{"a": "1"}',) * 2, "JSON"),
    }
    return known.get((kind, part)) or samples.type_of(texts, part.replace("_", " "))


def _columns(
    titles: Titles, names: list[str], seen: list[Sampled], keys: int, record: bool, several: bool
) -> list[Column]:
    alias = titles.module[0]
    columns = []
    for place, (name, sampled) in enumerate(zip(names, seen, strict=True)):
        expression = sampled.expression(f"{alias}.{name}")
        # The first column of a record is its key, and the second field is the first that may be missing.
        shown = (sampled.shown[0], None if record and place > 1 else sampled.shown[1 if _varies(place, several) else 0])
        if place < keys:
            columns.append(key_column(name, sampled.kind, expression, sampled.found, titles, shown=shown))
        else:
            columns.append(ordinary(name, sampled.kind, expression, sampled.found, titles, shown=shown))
    return columns


def _varies(place: int, several: bool) -> bool:
    """Whether a test's second row has another value: its key has, and without a key of its own its element."""
    return place == 0 or not several


def _extract(
    titles: Titles, pattern: _Pattern, names: list[str], own: bool, kind: str, fields: list[str] | None
) -> str:
    lines = [
        f"class {titles.extract}(RedisExtractor):",
        f"    pattern = {literal(pattern.text)}",
        f"    columns = {listed(names, len('    columns = '))}",
    ]
    first = [pattern.expression] if own else []
    if kind != "zset" and not set(names).isdisjoint(RedisExtractor.types):
        # Those are of the columns that an extractor has which says none.
        lines.append("    types = {}")
    if fields is not None:
        of = "self.columns[1:]"
        if fields != names[1:]:
            lines.append(f"    held = {listed(fields, len('    held = '))}")
            of = "self.held"
        row = [*first, f"*(fields.get(name.encode()) for name in {of})"]
        body = ["        fields = {field: value for field, value, _ in elements}", f"        yield {', '.join(row)}"]
    else:
        row = [*first, *_PARTS[kind]]
        last = f"{row[0]}," if len(row) == 1 else ", ".join(row)
        body = [f"        for {_UNPACKED[kind]} in elements:", f"            yield {last}"]
    return "\n".join([*lines, "", "    def rows_of(self, key, elements):", *body])


def _setup(pattern: _Pattern, kind: str, fields: list[str], record: bool, own: bool, seen: list[Sampled]) -> list[str]:
    lines = []
    for number in (0, 1):
        key = literal(f"{pattern.before}{seen[0].examples[number]}{pattern.after}" if own else pattern.text)
        parts = [sampled.examples[0 if pattern.several else number] for sampled in (seen[1:] if own else seen)]
        if record:
            held = dict(zip(fields, parts, strict=True)) if number == 0 else {fields[0]: parts[0]}
            mapping = ", ".join(f"{literal(name)}: {literal(value)}" for name, value in held.items())
            line = f"    redis.hset({key}, mapping={{{mapping}}})"
            if len(line) > 120:
                inner = "".join(f"            {literal(name)}: {literal(value)},\n" for name, value in held.items())
                line = f"    redis.hset(\n        {key},\n        mapping={{\n{inner}        }},\n    )"
            lines.append(line)
            continue
        said = [literal(part) for part in parts]
        lines.append(
            {
                "string": f"    redis.set({key}, {said[-1]})",
                "hyperloglog": f"    redis.pfadd({key}, *map(str, range(12)))",
                "hash": f"    redis.hset({key}, {', '.join(said)})",
                "list": f"    redis.rpush({key}, {said[-1]})",
                "set": f"    redis.sadd({key}, {said[-1]})",
                "zset": f"    redis.zadd({key}, {{{said[0]}: {parts[-1]}}})",
                "stream": f'    redis.xadd({key}, {{"a": "1"}}, id={said[0]})',
            }[kind]
        )
    return lines


def _notes(found: list[tuple[Key, Elements]], kind: str, record: bool) -> list[str]:
    notes = [samples.note(len(found), "keys")]
    if any(key.expires_at for key, _ in found):
        notes.append("Some keys expire. key.expires_at says when; a dimension keeps what has gone from Redis.")
    if kind == "string" and any(_text(value).startswith("hex:") for _, held in found for value in held.values):
        notes.append("Strings that are no text, such as bitmaps and HyperLogLogs, come as hex: and their digits.")
    return notes

"""An index of [elasticsearch] url in, its mapping and a sample: a fact by day where documents have a date, else a
dimension."""

import json
import re
from typing import Any

from etl import config
from etl.errors import ConfigError, SourceError
from etl.new import samples
from etl.new.names import column_name, quoted, slug
from etl.new.proposal import DIMENSION, FACT, Column, Proposal, Titles, Wishes, key_column, ordinary
from etl.new.samples import Sampled
from etl.new.text import WIDTH, listed, literal
from etl.sources.elasticsearch_fields import find
from etl.sources.elasticsearch_server import Server, index_path
from etl.sources.json_values import as_text

_DOCUMENTS = 500
_TEXTS = ("keyword", "text", "wildcard", "constant_keyword", "match_only_text", "ip", "version", "search_as_you_type")
_WHOLE = ("long", "integer", "short", "byte")
_REAL = ("double", "float", "half_float", "scaled_float")
_SKIPPED = ("alias", "join", "percolator", "completion")
_TIMES = re.compile(r"@?timestamp|(\w+[_.])?(created|occurred|happened)(_at|_on)?|\w+_at|date|day|time|ts")

_QUERY = """
    def query(self):
        begin = datetime.combine(self.date, time(), config.timezone())
        end = datetime.combine(self.date + timedelta(days=1), time(), config.timezone())
        return {"range": {%s: {"gte": begin.isoformat(), "lt": end.isoformat()}}}"""


def look(index: str, wishes: Wishes) -> Proposal:
    """ConfigError for an index that is not there or has no field."""
    if wishes.key:
        raise ConfigError("--key is for sources that do not say their key; a document has its _id")
    mapped, documents = _read(index)
    values = {path: [found for one in documents if (found := find(one, path)) is not None] for path in mapped}
    day = _day_field(mapped, values)
    titles = Titles.of(re.sub(r"[^\w]+$", "", index.rstrip("*-_.")), wishes, FACT if day else DIMENSION)
    by_day = bool(day) and titles.shape == FACT
    alias = titles.module[0]
    # The names of the extract's columns are those of the table, but for the key's.
    key = column_name(f"{titles.member}_id", titles.member, [slug(path) for path in mapped] + [f"{titles.member}_key"])
    names, paths, columns, arrays, renamed = [key], {key: "_id"}, [], [], []
    if by_day:
        columns.append(Column("date_key", "INTEGER", "{date_key}", f"the day of {day}", True, shown=("20140203",) * 2))
    columns.append(key_column(key, "VARCHAR(512)", f"{alias}.{key}", "_id", titles, shown=("0", "1")))
    document: dict[str, Any] = {}
    for path, kind in mapped.items():
        name = column_name(path, titles.member, [f"{titles.member}_key", "date_key", *names])
        names.append(name)
        if name != path:
            paths[name] = path
            if slug(path) != name:
                renamed.append(f"{path} is {name}")
        several = any(isinstance(value, list) and len(value) > 1 for value in values[path])
        if several:
            arrays.append(name)
        sampled, example = _typed(name, kind, values[path], several)
        example = "2014-02-03T10:30:00Z" if path == day and not isinstance(example, int) else example
        _put(document, path, example)
        shown = (sampled.shown[0], sampled.shown[0] if by_day and path == day else None)
        columns.append(
            ordinary(name, sampled.kind, sampled.expression(f"{alias}.{quoted(name)}"), sampled.found, titles,
                     required=False, comment="UTC" if sampled.kind == "TIMESTAMP" else "JSON" if several else "",
                     shown=shown)
        )  # fmt: skip
    lines = [
        f"class {titles.extract}(ElasticsearchExtractor):",
        f"    index = {literal(index)}",
        f"    columns = {listed(names, len('    columns = '))}",
        _dictionary("fields", paths),
    ]
    if arrays:
        lines.append(_dictionary("arrays", dict.fromkeys(arrays, "join")))
    imports = ["from etl.load import BaseLoader", "from etl.sources.elasticsearch import ElasticsearchExtractor"]
    if by_day:
        lines.append(_QUERY % literal(day))
        imports += ["from datetime import datetime, time, timedelta", "from etl import config"]
    other: dict[str, Any] = {}
    if by_day:
        _put(other, day, find(document, day))
    return Proposal(
        source=f"Elasticsearch {index}",
        titles=titles,
        columns=columns,
        key=("date_key",) if by_day else (key,),
        strategy="partition" if by_day else "scd1" if titles.shape == DIMENSION else "replace",
        about=f"{slug(titles.module).replace('_', ' ').capitalize()}, from Elasticsearch.",
        rows_of=f"{{stage}} {alias}",
        imports=imports,
        requires="",
        extract="\n".join(lines),
        fixtures="warehouse, search, lake",
        setup=_setup(index, document, other),
        notes=_notes(len(documents), day, by_day, renamed, arrays),
        primary=(key,) if titles.shape == FACT else (),
    )


def _read(index: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Each field's type by its path, and some documents."""
    server = Server(config.elasticsearch().url)
    try:
        there = [one["index"] for one in server.ask("GET", "/_cat/indices?format=json", decode=json.loads)]
        try:
            mappings = server.mapping(index)
        except SourceError as error:
            if " 404" not in str(error) and "no index matches" not in str(error):
                raise
            listed = ", ".join(sorted(name for name in there if not name.startswith("."))[:10])
            raise ConfigError(f"{server}: no index {index}; it has {listed or 'none'}") from None
        fields: dict[str, str] = {}
        for mapping in mappings.values():
            _flatten(mapping.get("properties", {}), "", fields)
        if not fields:
            raise ConfigError(f"{server}: {index} has no field in its mapping yet; put a document in and try again")
        answer = server.ask("POST", f"{index_path(index)}/_search", {"size": _DOCUMENTS, "query": {"match_all": {}}})
        return fields, [hit.get("_source") or {} for hit in answer["hits"]["hits"]]
    finally:
        server.close()


def _flatten(properties: dict[str, Any], before: str, found: dict[str, str]) -> None:
    """Objects become their fields, by dotted paths; nested ones stay whole, since they are several."""
    for name, field in properties.items():
        kind = field.get("type", "object")
        if kind in _SKIPPED:
            continue
        if kind == "object" and field.get("properties"):
            _flatten(field["properties"], f"{before}{name}.", found)
        else:
            found.setdefault(f"{before}{name}", kind)


def _day_field(mapped: dict[str, str], values: dict[str, list[Any]]) -> str:
    """The date by which documents are of a day: one that they all have, and that is called like one."""
    dates = [path for path, kind in mapped.items() if kind in ("date", "date_nanos")]
    most = max((len(values[path]) for path in dates), default=0)
    likely = [path for path in dates if len(values[path]) == most]
    return min(likely, key=lambda path: (not _TIMES.fullmatch(path), likely.index(path)), default="")


def _typed(name: str, kind: str, values: list[Any], several: bool) -> tuple[Sampled, Any]:
    """The column's type, and a value of the field for a test."""
    word = name.replace("_", " ")
    texts = [as_text(value) for value in values]
    if several:
        return Sampled("VARCHAR(65535)", "{}", ("", ""), ('["a","b"]',) * 2, f"{kind}, several"), ["a", "b"]
    if kind in _WHOLE:
        return Sampled("BIGINT", "CAST({} AS BIGINT)", ("12", "13"), ("12", "13"), kind), 12
    if kind == "unsigned_long":
        return Sampled("DECIMAL(20,0)", "CAST({} AS DECIMAL(20,0))", ("12", "13"), ("12", "13"), kind), 12
    if kind in _REAL:
        real = ("12.5", "13.5")
        return Sampled("DOUBLE PRECISION", "CAST({} AS DOUBLE PRECISION)", real, real, kind), 12.5
    if kind == "boolean":
        return Sampled("BOOLEAN", "CAST({} AS BOOLEAN)", ("true", "false"), ("true", "false"), kind), True
    if kind in ("date", "date_nanos"):
        sampled = samples.type_of(texts, word) if any(texts) else samples.moment("", ["Z"])
        if sampled.kind == "BIGINT":
            return Sampled("BIGINT", sampled.cast, *((("1391423400000",) * 2,) * 2), "date, a number"), 1391423400000
        return Sampled(sampled.kind, sampled.cast, sampled.examples, sampled.shown, kind), sampled.examples[0]
    if kind in _TEXTS:
        sampled = samples.text_of(texts, word, kind)
        example = "10.0.0.1" if kind == "ip" else word
        return Sampled(sampled.kind, "{}", (example, ""), (example, example), kind), example
    return Sampled("VARCHAR(65535)", "{}", ("", ""), ('{"a":1}',) * 2, f"{kind}, JSON"), {"a": 1}


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    *folders, last = path.split(".")
    for folder in folders:
        document = document.setdefault(folder, {})
    document[last] = value


def _dictionary(name: str, items: dict[str, str]) -> str:
    pairs = [f"{literal(key)}: {literal(value)}" for key, value in items.items()]
    line = f"    {name} = {{{', '.join(pairs)}}}"
    if len(line) <= 120:
        return line
    return f"    {name} = {{\n" + "".join(f"        {pair},\n" for pair in pairs) + "    }"


def _setup(index: str, document: dict[str, Any], other: dict[str, Any]) -> str:
    name = re.sub(r"[*]+", "1", index.partition(",")[0])
    line = f"    search.index({literal(name)}, [{_python(document)}, {_python(other)}])"
    if len(line) <= WIDTH:
        return line
    listed = "".join(f"            {_documented(one)},\n" for one in (document, other))
    return f"    search.index(\n        {literal(name)},\n        [\n{listed}        ],\n    )"


def _documented(document: dict[str, Any]) -> str:
    """A document in a test's list, a field a line where one line is too short."""
    line = _python(document)
    if len(line) + len("            ,") <= WIDTH:
        return line
    fields = "".join(f"                {literal(key)}: {_python(value)},\n" for key, value in document.items())
    return "{\n" + fields + "            }"


def _python(value: Any) -> str:
    """A value as Python and ruff write it, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {_python(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    return literal(value) if isinstance(value, str) else repr(value)


def _notes(sampled: int, day: str, by_day: bool, renamed: list[str], arrays: list[str]) -> list[str]:
    notes = [samples.note(sampled, "documents") + " So does a second value in a field that had one."]
    if by_day:
        notes.append(f"A day's documents are those whose {day} lies in it, in [etl] timezone.")
    if arrays:
        notes.append(f"Several values of a field are a JSON list: {', '.join(arrays)}.")
    if renamed:
        notes.append(f"Renamed, since their names need quotes in SQL or are taken: {', '.join(renamed)}.")
    return notes

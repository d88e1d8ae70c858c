"""The dictionary as pages of HTML: an index and a page a table, which need nothing but each other."""

import json
import re
from datetime import datetime, timezone
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from etl.dictionary import diagrams, model, trees
from etl.dictionary.model import Column, Dictionary, Field, Table

_GROUPS = (
    (model.MART, "Marts", "for people: what a report asks"),
    (model.FACT, "Facts", "what happened, a row each"),
    (model.DIMENSION, "Dimensions", "who, what, where and when"),
    (model.OTHER, "Other tables", ""),
    (model.RAW, "Raw", "as the source has it"),
    (model.SOURCE, "Sources", "where it all comes from"),
)
_STATIC = ("style.css", "dictionary.js")
_HOW = {
    model.LOOKUP: "finds the row",
    model.ROWS: "decides on its rows",
    model.MEMBERS: "its values become members",
}
_PUT_IN = {
    "{stage}": "the rows of the extract",
    "{date_key}": "the business day of the load",
    "{timezone}": "[etl] timezone",
    "{since": "up to where this load has taken that table's rows",
}


def pages(dictionary: Dictionary) -> dict[str, str]:
    """Each file's name and text. From the files alone, the same files give the same pages."""
    return _Pages(dictionary).all()


class _Pages:
    def __init__(self, dictionary: Dictionary) -> None:
        self._dictionary = dictionary
        self._names = _names(dictionary)
        self._environment = Environment(
            loader=PackageLoader("etl.dictionary"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"when": _when, "count": _count, "paragraphs": _paragraphs}
        self._environment.globals |= {
            "dictionary": dictionary,
            "page": self._names.__getitem__,
            "anchor": _anchor,
            "link": self._link,
            "how": _HOW,
            "sources": _sources,
            "put_in": _put_in,
            "said_of_keys": _said_of_keys,
        }

    def all(self) -> dict[str, str]:
        found = {name: (resources.files(__package__) / "static" / name).read_text("utf-8") for name in _STATIC}
        found["search.js"] = f"window.DICTIONARY = {json.dumps(self._index(), separators=(',', ':'))};\n"
        groups = [
            (title, said, of_kind)
            for kind, title, said in _GROUPS
            if (of_kind := [table for table in self._dictionary.tables.values() if table.kind == kind])
        ]
        found["index.html"] = self._environment.get_template("index.html").render(
            groups=groups, keys=diagrams.keys(self._dictionary), flow=diagrams.flow(self._dictionary)
        )
        template = self._environment.get_template("table.html")
        for name, table in self._dictionary.tables.items():
            found[self._names[name]] = template.render(
                table=table,
                keys=diagrams.keys(self._dictionary, name),
                flow=diagrams.flow(self._dictionary, name),
                columns=[self._column(table, column) for column in table.columns.values()],
            )
        return found

    def _column(self, table: Table, column: Column) -> dict[str, Any]:
        field = Field(table.name, column.name)
        return {
            "is": column,
            "made": trees.made_of(self._dictionary, field),
            "used": trees.used_in(self._dictionary, field),
        }

    def _link(self, field: Field) -> str:
        page = self._names[field.table]
        return f"{page}#{_anchor(field.column)}" if field.column else page

    def _index(self) -> list[list[Any]]:
        """For the search: name, kind, comment, page and columns (name, comment, anchor) of each table."""
        return [
            [
                name,
                table.kind,
                table.comment,
                self._names[name],
                [[column.name, column.comment, _anchor(column.name)] for column in table.columns.values()],
            ]
            for name, table in self._dictionary.tables.items()
        ]


def _names(dictionary: Dictionary) -> dict[str, str]:
    """A file for each table, with a name that any server and file system can have."""
    taken: dict[str, str] = {}
    for name in dictionary.tables:
        plain = re.sub(r"[^a-z0-9_]+", "-", name.lower().replace(".", "-")).strip("-") or "table"
        file, number = plain, 2
        while file in ("index", *taken.values()):
            file, number = f"{plain}-{number}", number + 1
        taken[name] = file
    return {name: f"{file}.html" for name, file in taken.items()}


def _anchor(column: str) -> str:
    """The id of a column in its table's page, whatever letters it has."""
    return "c-" + re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", column)


def _sources(column: Column) -> list[str]:
    return list(dict.fromkeys(".".join(value) for origin in column.origins for value in origin.values))


def _put_in(sql: str) -> list[tuple[str, str]]:
    """What stands in braces in a load's SQL, and what the load puts there."""
    return [(f"{name}…}}" if name == "{since" else name, said) for name, said in _PUT_IN.items() if name in sql]


def _said_of_keys(table: Table) -> list[str]:
    return [column.name for column in table.columns.values() if column.in_key]


def _paragraphs(text: str) -> list[str]:
    """Lines that only end where the file's do are joined; what is indented or a list stays as it is."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        laid_out = any(re.match(r"\s|[-*|] ", line) for line in lines[1:])
        found.append(paragraph if laid_out else " ".join(lines))
    return found


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"


def _count(number: int) -> str:
    return f"{number:,}"

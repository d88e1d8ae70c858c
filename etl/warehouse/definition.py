"""What a table should be: one CREATE TABLE in warehouse_sql/tables, with engine hints and checks as comments.

-- postgres: INDEX (full_date)
-- redshift: DISTSTYLE ALL SORTKEY (date_key)
-- foreign key: event_key -> public.dim_event (event_key)
-- history: city, country
-- What is written here without a topic, and behind a column, people read in their BI tool.
CREATE TABLE public.fact_x (...);
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from etl import config
from etl.errors import ConfigError
from etl.warehouse.names import plain, quote
from etl.warehouse.table_file import column_comments, head_comment


@dataclass(frozen=True)
class ForeignKey:
    """Every value of `column` must stand in `column_there` of `schema.table`: checked before publication."""

    column: str
    schema: str
    table: str
    column_there: str


@dataclass(frozen=True)
class Definition:
    """A table that is wanted: `body` is its CREATE TABLE from the first bracket on.

    `optional` columns are those that the rows may come without, which are then as the table's defaults have them;
    `stamps` those that say nothing of whether a row has changed; `history` those whose change makes a new version of a
    dimension's member. `comment` and `comments`, by column, are what people are told. `file` is where all this is
    written; '' where it is derived from something else.
    """

    schema: str
    table: str
    body: str
    hints: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    optional: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    history: tuple[str, ...] = ()
    comment: str = ""
    comments: dict[str, str] = field(default_factory=dict, hash=False)
    file: str = ""

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"

    def create(self, schema: str, table: str) -> str:
        """The statement that makes such a table under another name."""
        return f"CREATE TABLE {quote(schema)}.{quote(table)} {self.body}"


def read_definition(schema: str, table: str, engine: str = "postgres") -> Definition:
    """The definition in warehouse_sql/tables/<table>.sql; ConfigError says what the file lacks."""
    path = sql_path("tables", f"{plain(table)}.sql")
    text = _read(path)
    statement = _statement(text)
    if not statement:
        raise ConfigError(f"{path}: holds no CREATE TABLE {schema}.{table} (...)")
    if (statement[1], statement[2]) != (schema, table):
        raise ConfigError(
            f"{path}: creates {statement[1]}.{statement[2]}, its name and the loader say {schema}.{table}"
        )
    return _definition(path, text, statement, engine)


def read_definitions(engine: str = "postgres") -> list[Definition]:
    """Those of every file in warehouse_sql/tables, by their names."""
    found = []
    for path in sorted(sql_path("tables", "").glob("*.sql")):
        text = _read(path)
        statement = _statement(text)
        if not statement or statement[2] != path.stem:
            raise ConfigError(f"{path}: holds no CREATE TABLE schema.{path.stem} (...)")
        found.append(_definition(path, text, statement, engine))
    return found


def _statement(text: str) -> re.Match[str] | None:
    return re.search(r"^CREATE\s+TABLE\s+(\w+)\.(\w+)\s*(\(.*)", text, re.IGNORECASE | re.DOTALL | re.MULTILINE)


def _definition(path: Path, text: str, statement: re.Match[str], engine: str) -> Definition:
    topics = re.findall(r"^--[ \t]*([\w ]+):[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    return Definition(
        statement[1],
        statement[2],
        statement[3].rstrip().rstrip(";"),
        tuple(said for topic, said in topics if topic == engine),
        tuple(_foreign_key(said, path) for topic, said in topics if topic == "foreign key"),
        history=tuple(name for topic, said in topics if topic == "history" for name in re.split(r",\s*", said)),
        comment=head_comment(text),
        comments=column_comments(statement[3]),
        file=str(path),
    )


# The schema's name is a word of Redshift's own; what stands in literals, names and brackets is left as it is. A comment
# is read as well, for it may say what to infer; an apostrophe in it begins no literal.
_RAW = r"""(?<![\w".])raw\."""
_PIECE = re.compile(rf"""'(?:[^']|'')*'|"[^"]*"|\{{[^}}]*\}}|(?P<ours>--[^\n]*|{_RAW})""")


def read_sql(kind: str, file: str, **names: str) -> str:
    """The SELECT in warehouse_sql/<kind>/<file>, with each `{name}` of `names` put in."""
    text = _PIECE.sub(_quoted, _read(sql_path(kind, file))).strip().rstrip(";")
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def _quoted(found: re.Match[str]) -> str:
    return re.sub(_RAW, '"raw".', found[0]) if found["ours"] else found[0]


def sql_path(kind: str, file: str) -> Path:
    return Path(config.etl().sql) / kind / file


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; write it, or set [etl] sql to the folder that holds it") from None


def _foreign_key(said: str, path: Path) -> ForeignKey:
    found = re.fullmatch(r"(\w+)\s*->\s*(\w+)\.(\w+)\s*\((\w+)\)", said)
    if not found:
        raise ConfigError(f"{path}: '-- foreign key: {said}': write column -> schema.table (column)")
    return ForeignKey(found[1], found[2], found[3], found[4])

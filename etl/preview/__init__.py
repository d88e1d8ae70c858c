"""A preview of one task: a few rows as they would be staged, what they would lose, and the SQL of either engine.

Nothing is written anywhere. The source is read as the extract reads it, the warehouse in a transaction that may only
read; the SQL is said by the load's own code, in a rehearsal. What cannot be found out is a note, and the rest is shown.
"""

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import luigi

from etl import warehouse
from etl.errors import ConfigError, EtlError
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.mart import Mart
from etl.preview import rehearsal
from etl.preview.rows import Rows, read
from etl.shaping import only_new
from etl.warehouse.names import quote

# Stands in a load's SELECT for its landed rows: a name that no table has.
_LANDING = '"landed rows"'


@dataclasses.dataclass
class Preview:
    """`source` is what the extract would write; `creates` and `loads` are SQL by engine; `columns` and `rows` are what
    `select` yields at the warehouse."""

    task: str
    target: str = ""
    source: Rows | None = None
    select: str = ""
    columns: list[str] = dataclasses.field(default_factory=list)
    rows: list[list[Any]] = dataclasses.field(default_factory=list)
    creates: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    loads: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    notes: list[str] = dataclasses.field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        said = dataclasses.asdict(self)
        if said["source"]:
            del said["source"]["manifest"]
        return said


def preview(task: luigi.Task, limit: int) -> Preview:
    """ConfigError for a task that neither extracts nor loads; what the source refuses is raised."""
    if isinstance(task, BaseExtractor):
        found = read(task, limit)
        return Preview(task.task_key(), source=found, notes=found.notes)
    if isinstance(task, BaseLoader):
        return _of_load(task, limit)
    required = [type(one).__name__ for one in luigi.task.flatten(task.requires())]
    raise ConfigError(
        f"{task.get_task_family()} neither extracts nor loads; preview one that it requires: {', '.join(required)}"
    )


def _of_load(loader: BaseLoader, limit: int) -> Preview:
    # A task of the same parameters is one object for luigi, and what follows changes it.
    loader = copy.copy(loader)
    made = Preview(loader.task_key(), loader.target)
    extracts = [one for one in luigi.task.flatten(loader.requires()) if isinstance(one, BaseExtractor)]
    if extracts:
        made.source = read(extracts[0], limit)
        made.notes += made.source.notes
        if "key" not in vars(loader) and getattr(loader, "changed", None):
            # A mirror's key is the source's, as the manifest would say it.
            vars(loader)["key"] = tuple(made.source.manifest.findings["key"])
    made.select = loader._select(_LANDING)
    if made.select:
        _shape(loader, made, limit)
    is_mart = isinstance(loader, Mart)
    if made.columns or not is_mart:
        named, kinds = _types(made) if is_mart else ("", {})
        for db in rehearsal.engines():
            # Of a mart nobody but its own warehouse knows the types; no statement of its load names one.
            db.kinds = kinds if db.name == named else dict.fromkeys(made.columns, "bigint")
            _rehearse(loader, made, db, extracts, defined=not is_mart or db.name == named)
        if is_mart and not named:
            made.notes.append("the types of its columns are those that Redshift finds when it is loaded first")
    made.select = made.select.replace(_LANDING, "{stage}")
    return made


def _rehearse(loader: BaseLoader, made: Preview, db: Any, extracts: list[BaseExtractor], defined: bool) -> None:
    manifest = made.source.manifest if made.source else None
    try:
        definition = rehearsal.definition(db, loader, manifest)
        if defined:
            made.creates[db.name] = rehearsal.creating(db, loader, definition)
        db.names = lambda _: made.columns
        if not made.columns:
            # The warehouse has not said them: those that the table has, but for what a load numbers itself.
            offered = _offered(rehearsal.table_of(db, definition), loader)
            db.names = lambda _: offered
        output = extracts[0].output() if extracts else None
        made.loads[db.name] = rehearsal.statements(db, loader, definition, output, manifest)
    except EtlError as error:
        made.notes.append(f"{db.name}: {error}")


def _offered(table: Any, loader: BaseLoader) -> list[str]:
    numbered = table.key if loader.table.startswith("dim_") and not set(table.key) & set(loader.key) else ()
    return [name for name in table.columns if name not in numbered]


def _shape(loader: BaseLoader, made: Preview, limit: int) -> None:
    """The SELECT's own rows: of tables that are there, and of the source's rows where it reads landed ones."""

    def ask(db: warehouse.Engine) -> tuple[list[str], list[tuple[Any, ...]]]:
        select, _ = only_new(db, made.select, loader.target, loader.strategy)
        # A row more or less is nothing to the names.
        names = db.names_of(f"{_landed(db, made.source, 0)} SELECT * FROM (\n{select}\n) previewed")
        few = made.source.rows if made.source else []
        landed = _landed(db, made.source, len(few))
        values = [value for row in few for value in row]
        # What is bound stands in the first line; a % of the SELECT's own is none to the driver.
        doubled = select.replace("%", "%%") if values else select
        sql = f"{landed} SELECT * FROM (\n{doubled}\n) previewed LIMIT {limit}"
        return names, db.query(sql, values or None)

    found = _asked(ask, made.notes)
    if found:
        made.columns = found[0]
        made.rows = [list(row) for row in found[1]]


def _landed(db: warehouse.Engine, source: Rows | None, rows: int) -> str:
    """The WITH that gives the SELECT its landed rows, with a place for each value; '' for one that reads none."""
    if source is None:
        return ""
    bounds = source.manifest.bounds or ("",) * len(source.columns)
    kinds = [db.type_of(*said) for said in zip(source.types, bounds, source.columns, strict=True)]

    def row(value: str) -> str:
        casts = (f"CAST({value} AS {kind}) AS {quote(name)}" for kind, name in zip(kinds, source.columns, strict=True))
        return f"SELECT {', '.join(casts)}"

    listed = " UNION ALL ".join([row("%s")] * rows) or f"{row('NULL')} WHERE 1 = 0"
    return f"WITH {_LANDING} AS ({listed})"


def _types(made: Preview) -> tuple[str, dict[str, str]]:
    """Which engine's a mart's columns are, and their types; Redshift would have to make a table to tell."""
    return _asked(lambda db: (db.name, db.columns_of(made.select)), []) or ("", {})


def _asked(question: Callable[[warehouse.Engine], Any], notes: list[str]) -> Any:
    """The answer of the warehouse, which can only be read meanwhile; None, and a note, where there is none."""
    try:
        with warehouse.connect("etl preview") as db, db.snapshot():
            return question(db)
    except EtlError as error:
        notes.append(f"no rows of the warehouse: {error}")
        return None

"""The dictionary as the project's files and tasks say it; no server is asked."""

import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import luigi

from etl import asked
from etl.dictionary import model
from etl.dictionary.lineage import STAGE, Selected, Unreadable, columns_of, read_select
from etl.dictionary.model import Column, Dictionary, Field, Load, Origin, Table
from etl.dictionary.sources import Extracted, extracted, named
from etl.errors import ConfigError, EtlError
from etl.events import name_of
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.mart import Mart
from etl.status import freshness
from etl.warehouse import engine
from etl.warehouse.definition import read_definition, sql_path
from etl.warehouse.members import inferences
from etl.warehouse.stage import KEPT
from etl.warehouse.table_file import columns, head_comment, selected_comments
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT

_CREATES = re.compile(r"^CREATE\s+TABLE\s+(\w+)\.(\w+)", re.IGNORECASE | re.MULTILINE)
_TYPE = re.compile(
    r"(.*?)(?:\s+(?:NOT\s+NULL|NULL|DEFAULT|PRIMARY\s+KEY|UNIQUE|CHECK|REFERENCES|COLLATE|GENERATED|CONSTRAINT)\b.*)?",
    re.IGNORECASE | re.DOTALL,
)
_DEFAULT = re.compile(
    r"\bDEFAULT\s+(.*?)(?:\s+(?:NOT\s+NULL|NULL|PRIMARY\s+KEY|UNIQUE|CHECK|REFERENCES)\b.*)?$",
    re.IGNORECASE | re.DOTALL,
)
_KEY = re.compile(r"\bPRIMARY\s+KEY\s*\(([^)]*)\)", re.IGNORECASE)

_OF_A_MIRROR = {
    LOADED_AT: "when the warehouse wrote the row last",
    DELETED_AT: "when it was noticed that the source has the row no more",
}
_OF_A_DIMENSION = {
    "valid_from": "the loader's: the day from which this version is valid",
    "valid_to": "the loader's: the day on which this version is valid no more",
    "is_current": "the loader's: whether this is the member's newest version",
    "is_inferred": "the loader's: true for a member that only facts have named so far",
}


def describe(there: Mapping[str, engine.Table] | None = None) -> Dictionary:
    """All that the files and the tasks say; `there` are tables as the warehouse has them, by their names.

    What is wrong with a file is noted, and the rest described.
    """
    return _Describer(there or {}).described()


class _Describer:
    def __init__(self, there: Mapping[str, engine.Table]) -> None:
        self._there = there
        self._found = Dictionary()
        self._tables = self._found.tables
        # What marts' files say of their columns.
        self._told: dict[str, dict[str, str]] = {}
        # Loads whose rows are those of an extract as they are.
        self._as_they_are: list[tuple[Table, BaseLoader, Load, Extracted]] = []

    def described(self) -> Dictionary:
        if not sql_path("tables", "").is_dir():
            raise ConfigError(
                f"no folder {sql_path('tables', '')} in {Path.cwd()}; run etl in the project's own folder, or set "
                "[etl] sql"
            )
        for path in sorted(sql_path("tables", "").glob("*.sql")):
            try:
                self._define(path)
            except EtlError as error:
                self._found.problems.append(str(error))
        waiting = [(loader, *self._begun(loader)) for loader in self._loaders()]
        # What a * stands for may be known when another table has been read.
        while waiting:
            again = [one for one in waiting if not self._read(*one)]
            if len(again) == len(waiting):
                break
            waiting = again
        self._found.unread += [f"{load.file}: {load.problem}" for _, _, load, _ in waiting]
        self._add_what_is_used()
        for one in self._as_they_are:
            self._pass_through(*one)
        self._add_what_is_used()
        for table in self._tables.values():
            self._settle(table)
        self._found.tables = dict(sorted(self._tables.items(), key=lambda named: named[0].lower()))
        return self._found

    # ---- files

    def _define(self, path: Path) -> None:
        creates = _CREATES.search(_text(path))
        if not creates:
            raise ConfigError(f"{path}: holds no CREATE TABLE {path.stem} (...) with its schema")
        said = read_definition(creates[1], path.stem)
        table = self._table(said.name)
        table.comment, table.file, table.history = said.comment, str(path), said.history
        key = _KEY.search(said.body)
        in_key = [name.strip().strip('"').lower() for name in key[1].split(",")] if key else []
        for name, text in columns(said.body).items():
            alone = bool(re.search(r"\bPRIMARY\s+KEY\b", text, re.IGNORECASE))
            table.columns[name] = Column(
                name,
                type=_first(_TYPE, text),
                required=alone or name in in_key or bool(re.search(r"\bNOT\s+NULL\b", text, re.IGNORECASE)),
                default=_first(_DEFAULT, text),
                in_key=alone or name in in_key,
                comment=said.comments.get(name, ""),
            )
        if not table.columns:
            raise ConfigError(f"{path}: its CREATE TABLE has no column that we can read")
        for key_there in said.foreign_keys:
            if key_there.column not in table.columns:
                raise ConfigError(f"{path}: '-- foreign key: {key_there.column}': the table has no such column")
            table.columns[key_there.column].points_to = Field(
                f"{key_there.schema}.{key_there.table}", key_there.column_there
            )

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            schema, _, table = name.rpartition(".")
            self._tables[name] = Table(name, schema, table, _kind(schema, table))
        return self._tables[name]

    # ---- tasks

    def _loaders(self) -> list[BaseLoader]:
        """Each load of the project once, whatever day it is for."""
        asked.import_tasks()
        waiting: list[luigi.Task] = list(filter(None, map(_made, asked.families())))
        found: dict[tuple[str, str], BaseLoader] = {}
        seen = set()
        while waiting:
            task = waiting.pop(0)
            # What an extract requires is of no table, and may need a server to be named.
            if task.task_id in seen or isinstance(task, BaseExtractor):
                continue
            seen.add(task.task_id)
            if isinstance(task, BaseLoader):
                if not task.table:
                    continue
                found.setdefault((name_of(task), task.target), task)
            waiting += self._required(task)
        return sorted(found.values(), key=lambda task: (task.target, name_of(task)))

    def _required(self, task: luigi.Task) -> list[luigi.Task]:
        try:
            return list(luigi.task.flatten(task.requires()))
        except EtlError as error:
            # It may be the address of a server that is not here.
            if (said := f"{name_of(task)}: {error}") not in self._found.unread:
                self._found.unread.append(said)
            return []

    def _problem(self, said: str) -> None:
        if said not in self._found.problems:
            self._found.problems.append(said)

    def _begun(self, loader: BaseLoader) -> tuple[Table, Load, Extracted]:
        table = self._table(loader.target)
        # A mirror's key is what its manifest says; without a lake it is not to be had.
        key = inspect.getattr_static(type(loader), "key", ())
        load = Load(
            name_of(loader), *_told(type(loader)), str(loader.strategy), key if isinstance(key, tuple) else (),
        )  # fmt: skip
        extracts = [task for task in self._required(loader) if isinstance(task, BaseExtractor)]
        comes = extracted(extracts[0]) if extracts else Extracted([])
        for extract, (kind, what) in ((extracts[0], one) for one in comes.tables):
            source = self._tables.setdefault(named(kind, what), Table(named(kind, what), kind, what, model.SOURCE))
            source.complete = False
            source.comment = source.comment or " ".join(_told(type(extract))[1][1:])
        if comes.problem:
            self._found.unread.append(f"{name_of(extracts[0])}: {comes.problem}")
        load.reads = [named(*one) for one in comes.tables]
        try:
            kind, file = ("marts", f"{loader.table}.sql") if isinstance(loader, Mart) else ("loads", loader.sql)
            if file:
                path = sql_path(kind, file)
                load.file, load.sql = str(path), _text(path)
                for wanted in inferences(load.sql, loader.target):
                    used = columns_of(wanted.expression, wanted.source)
                    load.members.setdefault(wanted.name, []).extend(_staged(used, comes))
                if isinstance(loader, Mart):
                    table.comment, table.file = head_comment(load.sql), load.file
                    self._told[table.name] = selected_comments(load.sql)
        except Unreadable as error:
            self._found.unread.append(f"{load.file}: -- infer: {error}")
        except EtlError as error:
            self._problem(str(error))
            load.problem = str(error)
        table.loads.append(load)
        return table, load, comes

    # ---- what their SQL does

    def _read(self, loader: BaseLoader, table: Table, load: Load, comes: Extracted) -> bool:
        """Whether there is no more to find out about a load."""
        if not load.sql:
            if not load.problem:
                self._as_they_are.append((table, loader, load, comes))
            return True
        try:
            selected = read_select(load.sql, self._known(comes))
        except Unreadable as error:
            load.problem = str(error)
            # What it requires it reads, as far as one can tell.
            required = [task.target for task in self._required(loader) if isinstance(task, BaseLoader)]
            load.reads = list(dict.fromkeys([*load.reads, *required]))
            return False
        load.problem = ""
        sources = [named(*one) for one in comes.tables]
        load.reads = list(
            dict.fromkeys(one for name in selected.tables for one in (sources if name == STAGE else [name]))
        )
        load.conditions = selected.conditions
        load.rows = _staged(selected.rows, comes)
        self._add_columns(table, load, selected, comes)
        return True

    def _known(self, comes: Extracted) -> dict[str, Iterable[str]]:
        known: dict[str, Iterable[str]] = {name: table.columns for name, table in self._there.items()}
        known |= {name: of.columns for name, of in self._tables.items() if of.columns and of.kind != model.SOURCE}
        return known

    def _add_columns(self, table: Table, load: Load, selected: Selected, comes: Extracted) -> None:
        for name, made in selected.columns.items():
            column = table.column(name)
            column.comment = column.comment or self._told.get(table.name, {}).get(name, "")
            column.in_key = column.in_key or (table.kind == model.MART and name in load.key)
            column.origins.append(
                Origin(
                    load.task,
                    made.expression,
                    made.steps,
                    tuple(_staged(made.values, comes)),
                    made.joins,
                    tuple(_staged(made.lookups, comes)),
                )
            )

    def _add_what_is_used(self) -> None:
        """Columns that some SQL uses, and whose tables say nothing of them."""
        for table in list(self._tables.values()):
            for load in table.loads:
                for name in load.reads:
                    self._table(name)
                origins = [origin for column in table.columns.values() for origin in column.origins]
                made = [used for origin in origins for used in (*origin.values, *origin.lookups)]
                for used in (*made, *load.rows, *(one for some in load.members.values() for one in some)):
                    of = self._table(used.table)
                    if used.column not in of.columns and of.file:
                        self._found.unread.append(
                            f"{load.file}: uses {used.table}.{used.column}, which {of.file} lacks"
                        )
                    of.column(used.column)

    def _pass_through(self, table: Table, loader: BaseLoader, load: Load, comes: Extracted) -> None:
        """A load without SQL: each column is the extract's of the same name."""
        if there := self._there.get(table.name):
            known = dict(table.columns)
            table.columns = {name: known.pop(name, Column(name)) for name in there.columns} | known
        elif not table.file:
            table.complete = False
            if getattr(loader, "changed", ""):
                table.column(LOADED_AT)
        for name in comes.columns:
            table.column(name)
        mirror = hasattr(loader, "changed")
        for name, column in table.columns.items():
            if mirror and name in _OF_A_MIRROR:
                column.origins.append(Origin(load.task, said=_OF_A_MIRROR[name]))
            elif values := comes.fields(name):
                column.origins.append(Origin(load.task, comes.expressions.get(name, ""), values=values))

    def _settle(self, table: Table) -> None:
        if there := self._there.get(table.name):
            for name, kind in there.columns.items():
                column = table.column(name)
                column.type = column.type or kind
                column.required = column.required or name in there.required
                column.in_key = column.in_key or name in there.key
        try:
            table.fresh_by = str(freshness.rule(table.name) or "") if table.kind != model.SOURCE else ""
        except EtlError as error:
            self._problem(str(error))
        for column in table.columns.values():
            if column.points_to and not self._found.has(column.points_to):
                self._problem(
                    f"{table.file}: '-- foreign key: {column.name}' points to {'.'.join(column.points_to)}, which no "
                    f"file in {sql_path('tables', '')} creates"
                )
            if not column.origins and table.loads and not any(load.problem for load in table.loads):
                column.origins.append(Origin(table.loads[0].task, said=_unfilled(table, column)))


def _unfilled(table: Table, column: Column) -> str:
    """How a column that no load brings comes by its values."""
    if table.kind == model.DIMENSION:
        if column.in_key:
            return "numbered by the loader; -1 is the unknown member"
        if column.name in KEPT:
            return _OF_A_DIMENSION[column.name]
    return f"always its default, {column.default}" if column.default else "no load fills it"


def _staged(fields: Iterable[Field], comes: Extracted) -> list[Field]:
    """With the columns of sources in the place of those of {stage}."""
    found: dict[Field, None] = {}
    for one in fields:
        for field in comes.fields(one.column) if one.table == STAGE else (one,):
            found[field] = None
    return list(found)


def _made(family: type[luigi.Task]) -> luigi.Task | None:
    """A task of the family for yesterday; None where it needs to be told more."""
    names = [name for name, _ in family.get_params()]
    try:
        return family(date=asked.yesterday()) if "date" in names else family()
    except luigi.parameter.ParameterException:
        return None


def _told(task: type[luigi.Task]) -> tuple[str, list[str]]:
    """Its file, and what the file's head and its own docstring say; nothing of tasks of the library's."""
    module = inspect.getmodule(task)
    if module is None or not module.__name__.startswith("tasks"):
        return "", []
    said = [inspect.cleandoc(text) for text in (module.__doc__, task.__dict__.get("__doc__")) if text]
    return module.__name__.replace(".", "/") + ".py", said


def _kind(schema: str, table: str) -> str:
    if schema in (model.RAW, model.MART):
        return schema
    if table.startswith("dim_"):
        return model.DIMENSION
    return model.FACT if table.startswith("fact_") else model.OTHER


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; write it, or set [etl] sql to the folder that holds it") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.fullmatch(text) if pattern is _TYPE else pattern.search(text)
    return found[1].strip() if found else ""

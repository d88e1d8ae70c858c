"""A rehearsal of a load: its own code, run by an engine whose connection leads nowhere and writes down what it is told.

Nothing is read and nothing is written. The answers are those of a warehouse where every table is as its definition
says, and empty: so a load takes the way of an ordinary night.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import luigi

from etl import config
from etl.errors import ConfigError
from etl.load import BaseLoader
from etl.manifest import Manifest, ManifestTarget
from etl.warehouse.definition import Definition, read_definition
from etl.warehouse.engine import Engine, Parts, Table
from etl.warehouse.postgres import Postgres
from etl.warehouse.redshift import Redshift
from etl.warehouse.redshift_copy import copy_statement
from etl.warehouse.table_file import columns as written

# What a load asks the catalogue, and what it notes of itself: the same for every table.
_OURS = re.compile(r"\b(pg_\w+|svv_\w+|etl\.\w+|stv_\w+)\b|^(SHOW|SET|ALTER TABLE etl)\b|pg_last|\"etl\"")
# A word that ends a column's type.
_AFTER_THE_TYPE = re.compile(
    r"\s+(NOT\s+NULL|NULL|DEFAULT|PRIMARY|UNIQUE|CHECK|REFERENCES|GENERATED|ENCODE|IDENTITY|COLLATE|CONSTRAINT)\b", re.I
)

NamesOf = Callable[[str], list[str] | None]


class _Cursor:
    rowcount = 0
    description = ()

    def __init__(self, said: list[str]):
        self._said, self._last = said, ""

    def __enter__(self) -> "_Cursor":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, sql: str, values: object = None) -> None:
        self._last = sql
        self.rowcount = int(bool(re.match(r"CREATE (UNLOGGED )?TABLE \S+ AS\b", sql)))
        self._said.append(sql)

    def copy_expert(self, sql: str, part: object, size: int = 0) -> None:
        self.execute(sql)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """That something differs wherever it is asked, so that what is done then is said."""
        sql = self._last
        if "LEFT JOIN etl.data_as_of" in sql:
            return [(None, None, None)]
        if " EXCEPT " in sql:
            return [(1,)]
        if re.match(r"SELECT count\(\*\)", sql):
            return [(int('_diff"' in sql),)]
        if "pg_last_copy_count" in sql:
            return [(0,)]
        return [(None,)] if re.match(r"SELECT (CAST\()?MAX\(", sql) else []


class _Nowhere:
    closed = 0
    server_version = 180000
    info = SimpleNamespace(backend_pid=0)

    def __init__(self) -> None:
        self.said: list[str] = []

    def cursor(self) -> _Cursor:
        return _Cursor(self.said)

    def close(self) -> None:
        pass


class _Rehearsed(Engine):
    """What is asked of the catalogue is answered by `known` tables, and by the files of the others."""

    names: NamesOf
    kinds: Mapping[str, str]
    manifest_url = ""

    def _connect(self, application: str = "") -> Any:
        self.known: dict[str, Table] = {}
        return _Nowhere()

    @property
    def owner(self) -> str | None:  # type: ignore[override]
        return None

    @property
    def said(self) -> list[str]:
        """The statements about tables of the pipeline, in order, each once."""
        found: dict[str, None] = {}
        for sql in self._connection.said:
            if not _OURS.search(sql):
                found.setdefault(sql.strip())
        return list(found)

    def table(self, schema: str, table: str) -> Table | None:
        if f"{schema}.{table}" not in self.known and schema not in ("stage", "raw"):
            try:
                return table_of(self, read_definition(schema, table, self.name))
            except ConfigError:
                return None
        return self.known.get(f"{schema}.{table}")

    def exists(self, schema: str, table: str) -> bool:
        return self.table(schema, table) is not None

    def ensure_schema(self, schema: str, readable: bool) -> None:
        pass

    def free_disk(self) -> int | None:
        return None

    def columns_of(self, sql: str) -> dict[str, str]:
        return dict(self.kinds)

    def names_of(self, sql: str) -> list[str]:
        found = self.names(sql)
        if found is None:
            raise ConfigError("the warehouse cannot be asked which columns the SELECT yields")
        return found


class _Postgres(_Rehearsed, Postgres):
    def has_only(self, target: str, keys: Sequence[str], stage: str, new: str) -> bool:
        return False


class _Redshift(_Rehearsed, Redshift):
    def copy(self, table: str, columns: Sequence[str], parts: Parts, copied: Callable[[int], None]) -> int:
        self.execute(copy_statement(table, columns, parts, self.manifest_url, self.settings.iam_role))
        return 0


class _Extract(ManifestTarget):
    """An extract that nobody has written."""

    def __init__(self, of: ManifestTarget, manifest: Manifest):
        super().__init__(of.folder)
        self._manifest_of_it = manifest

    @property
    def url(self) -> str:
        try:
            return super().url
        except ConfigError:
            return f"s3://lake/{self.key}"

    def manifest(self) -> Manifest:
        return self._manifest_of_it

    def open_part(self, *_: object) -> Any:
        return SimpleNamespace(error=None, close=lambda: None)


def engines() -> Iterator[_Rehearsed]:
    """One of each kind."""
    try:
        settings = config.warehouse()
        said: dict[str, Any] = {"iam_role": settings.iam_role, "reader": settings.reader}
    except ConfigError:
        said = {}
    for kind, scheme in ((_Postgres, "postgresql"), (_Redshift, "redshift")):
        yield kind(config.Warehouse(url=f"{scheme}://nowhere/warehouse", copies=1, **said), "etl preview")


def definition(db: _Rehearsed, loader: BaseLoader, manifest: Manifest | None) -> Definition:
    """What the loader would make the table from, were it not there."""
    return loader._definition(db, manifest)


def creating(db: Engine, loader: BaseLoader, of: Definition) -> list[str]:
    # A mirror's own key is the source's, and stands in its definition.
    unique = loader.unique_key() if isinstance(type(loader).key, tuple) else ()
    return db.creating(of.schema, of.table, of.create(of.schema, of.table), of.hints, unique)


def statements(
    db: _Rehearsed, loader: BaseLoader, of: Definition, output: ManifestTarget | None, manifest: Manifest | None
) -> list[str]:
    """What a load into the table of this definition says, from the stage to the commit."""
    db.known[of.name] = table_of(db, of)
    extract = _Extract(output, manifest) if output and manifest else None
    db.manifest_url = extract.url if extract else ""
    # The real ones ask sources and the warehouse what is done already.
    loader.deps = lambda: luigi.task.flatten(loader.requires())  # type: ignore[method-assign]
    loader._load(db, extract, time.monotonic())
    return [_named(sql, of) for sql in db.said]


def table_of(db: Engine, of: Definition) -> Table:
    """The table that a definition makes."""
    columns = written(of.body)
    kinds = {name: _canonical(db, _AFTER_THE_TYPE.split(text, 1)[0]) for name, text in columns.items()}
    said = re.search(r"PRIMARY\s+KEY\s*\(([^)]*)\)", of.body, re.I)
    key = [name.strip().strip('"') for name in said[1].split(",")] if said else []
    key = key or [name for name, text in columns.items() if re.search(r"\bPRIMARY\s+KEY\b", text, re.I)]
    required = [name for name, text in columns.items() if name in key or re.search(r"\bNOT\s+NULL\b", text, re.I)]
    unique = frozenset({frozenset(key)}) if key and db.name == "postgres" else frozenset()
    return Table(kinds, frozenset(required), tuple(key), unique, 0)


def _canonical(db: Engine, kind: str) -> str:
    try:
        return db.canonical(kind)
    except (KeyError, ValueError):
        return kind


def _named(sql: str, of: Definition) -> str:
    """A stage's name is a run's; what is read should tell what it is for."""
    return re.sub(
        rf'stage\."[0-9a-f]{{8}}_{re.escape(of.table[:27])}_[^"_]*_[^"_]*(_\w+)?"', rf'stage."{of.table}\1"', sql
    )

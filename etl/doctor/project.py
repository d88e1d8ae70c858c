"""The project's own folder: tasks that can be imported, a Nightly that can be built, and their SQL files."""

import datetime
import importlib
import pkgutil
import traceback
from collections.abc import Iterator
from pathlib import Path

import luigi

from etl import asked, config
from etl.doctor.finding import FAILED, OK, WARNING, Finding, of_error
from etl.errors import ConfigError, EtlError


def check(missing: set[str], half_set: bool) -> Iterator[Finding]:
    """`missing` are modules that have a finding already; `half_set` says that the settings have."""
    try:
        package = importlib.import_module("tasks")
    except ModuleNotFoundError as error:
        if error.name != "tasks":
            raise
        said = f"no folder `tasks` in {Path.cwd()}"
        yield Finding("tasks", "folder", FAILED, said, "cd to the project's own folder")
        return
    found, imported = 0, 0
    for module in pkgutil.walk_packages(package.__path__, "tasks."):
        found += 1
        try:
            importlib.import_module(module.name)
        except Exception as error:  # Whatever somebody's code does.
            if not (isinstance(error, ModuleNotFoundError) and error.name in missing):
                yield _broken(module.name, error)
        else:
            imported += 1
    if imported < found:
        return
    yield Finding("tasks", "import", OK, f"{found} modules of tasks/ are imported")
    broken = False
    for finding in _tables():
        broken = True
        yield finding
    if not broken:
        yield Finding("tasks", "tables", OK, "the SQL files of all loads are there and can be read")
    yield from _nightly(half_set)


def _broken(module: str, error: Exception) -> Finding:
    path = f"{module.replace('.', '/')}.py"
    at = next(
        (frame.lineno for frame in reversed(traceback.extract_tb(error.__traceback__)) if path in frame.filename), 0
    )
    line = error.lineno if isinstance(error, SyntaxError) else at
    said = f"{path}{f', line {line}' if line else ''}: {type(error).__name__}: {str(error).partition(chr(10))[0]:.200}"
    cure = f"pip install {error.name}" if isinstance(error, ModuleNotFoundError) and error.name else "mend that line"
    return Finding("tasks", module, FAILED, said, cure)


def _nightly(half_set: bool) -> Iterator[Finding]:
    nightly = next((one for one in asked.families() if one.get_task_family() == "Nightly"), None)
    if nightly is None:
        yield Finding("tasks", "Nightly", WARNING, "there is no task Nightly", "write it in tasks/nightly.py, for cron")
        return
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    try:
        required = asked.with_all_it_requires(nightly(date=yesterday))
    except ConfigError as error:
        if not half_set:
            yield of_error("tasks", "Nightly", error)
    except Exception as error:  # Whatever somebody's code does.
        said = f"Nightly cannot say what it requires: {type(error).__name__}: {error!s:.200}"
        yield Finding("tasks", "Nightly", FAILED, said, "mend its requires()")
    else:
        yield Finding("tasks", "Nightly", OK, f"Nightly requires {len(required) - 1} tasks")


def _tables() -> Iterator[Finding]:
    from etl.load import BaseLoader
    from etl.mart import Mart
    from etl.mirror import MirrorTable
    from etl.warehouse.definition import read_definition, read_sql

    if not Path(config.etl().sql).is_dir():
        said = f"no folder {config.etl().sql} in {Path.cwd()}"
        yield Finding("tasks", "sql", FAILED, said, "name the folder that holds the SQL in [etl] sql")
        return
    for family in asked.families():
        if (
            not issubclass(family, BaseLoader)
            or issubclass(family, MirrorTable)
            or isinstance(family.table, luigi.Parameter)
        ):
            continue
        try:
            if issubclass(family, Mart):
                read_sql("marts", f"{family.table}.sql")
                continue
            read_definition(family.schema, family.table)
            if family.sql:
                read_sql("loads", family.sql)
        except EtlError as error:
            yield of_error("tasks", family.get_task_family(), error)

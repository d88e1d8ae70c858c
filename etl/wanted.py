"""The tables that warehouse_sql and the tasks want, whether they are there or not."""

from collections.abc import Iterable

from etl import asked
from etl.load import BaseLoader
from etl.mart import Mart
from etl.warehouse import Engine, control
from etl.warehouse.definition import Definition, read_definitions


def control_tables(db: Engine) -> list[Definition]:
    return control.definitions(db)


def files(db: Engine) -> list[Definition]:
    """Those of warehouse_sql/tables; of a schema `raw` the loader's own among them."""
    return read_definitions(db.name)


def marts() -> list[type[Mart]]:
    """Every mart of the project's tasks."""
    return [task for task in _loads() if issubclass(task, Mart)]


def keys() -> dict[str, tuple[str, ...]]:
    """By table, what its load knows its rows by."""
    return {f"{task.schema}.{task.table}": task.unique_key() for task in _loads()}


def _loads() -> list[type[BaseLoader]]:
    asked.import_tasks()
    return [task for task in asked.families() if issubclass(task, BaseLoader) and task.table]


def schemas(wanted: Iterable[Definition], of_marts: Iterable[type[Mart]]) -> list[str]:
    """Those in which people read, `etl` first."""
    named = ["etl", *(one.schema for one in wanted), *(one.schema for one in of_marts)]
    return [name for name in dict.fromkeys(named) if name not in ("raw", "stage")]

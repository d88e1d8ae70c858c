"""What an extract reads, as the dictionary names it: the kind of server and what of it, never its address."""

from dataclasses import dataclass, field

from etl import config
from etl.dictionary.lineage import Unreadable, read_select
from etl.dictionary.model import Field
from etl.extract import BaseExtractor


@dataclass
class Extracted:
    """The tables of sources that an extract reads, as (kind of server, what of it).

    `columns` are those that it yields, each with the columns of sources that go into it; without any it yields what the
    one source has.
    """

    tables: list[tuple[str, str]]
    columns: dict[str, tuple[Field, ...]] = field(default_factory=dict)
    expressions: dict[str, str] = field(default_factory=dict)
    problem: str = ""

    def fields(self, column: str) -> tuple[Field, ...]:
        if self.columns or not self.tables:
            return self.columns.get(column, ())
        return (Field(named(*self.tables[0]), column),)


def named(kind: str, what: str) -> str:
    return f"{kind} {what}"


def extracted(extract: BaseExtractor) -> Extracted:
    # By their names: whoever has no Redis need not have its driver.
    kinds = {kind.__name__ for kind in type(extract).__mro__}
    if "MySQLExtractor" in kinds and getattr(extract, "sql", None):
        return _of_query(str(extract.sql))  # type: ignore[attr-defined]
    table = _table(extract, kinds)
    paths = getattr(extract, "fields", {}) if "ElasticsearchExtractor" in kinds else {}
    return Extracted(
        [table], {column: (Field(named(*table), paths.get(column, column)),) for column in extract.columns}
    )


def _table(extract: BaseExtractor, kinds: set[str]) -> tuple[str, str]:
    if "MySQLExtractor" in kinds:
        return "MySQL", str(extract.table)  # type: ignore[attr-defined]
    if "ElasticsearchExtractor" in kinds:
        return "Elasticsearch", str(getattr(extract, "index", ""))
    if "S3Extractor" in kinds:
        return "S3", str(getattr(extract, "prefix", ""))
    if "_SixpackExtractor" in kinds:
        return "Redis", f"{config.sixpack().prefix}:* (Sixpack)"
    if "RedisExtractor" in kinds:
        pattern = getattr(extract, "pattern", "*")
        return "Redis", pattern.decode(errors="replace") if isinstance(pattern, bytes) else str(pattern)
    return "Task", extract.get_task_family()


def _of_query(sql: str) -> Extracted:
    try:
        selected = read_select(sql, {}, "mysql")
    except Unreadable as error:
        return Extracted([], problem=str(error))

    def at_source(fields: tuple[Field, ...]) -> tuple[Field, ...]:
        return tuple(Field(named("MySQL", table), column) for table, column in fields)

    return Extracted(
        [("MySQL", table) for table in selected.tables],
        {name: at_source(made.values) for name, made in selected.columns.items()},
        {name: made.expression for name, made in selected.columns.items()},
    )

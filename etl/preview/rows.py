"""A few rows of an extract, as they would be staged: by the extract's own code, which is stopped when it has enough."""

import copy
import dataclasses
import io
import itertools
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pyarrow as pa

from etl.errors import ConfigError, MissingData, WarehouseError
from etl.extract import BaseExtractor
from etl.findings import Findings, Loss
from etl.manifest import Manifest, ManifestTarget, _record_batches
from etl.part_files import Part
from etl.parts import NULL, PartWriter, canonical, is_anonymous, plain, warehouse_bounds, warehouse_types
from etl.text_handle import TextHandle


@dataclasses.dataclass
class Rows:
    """`rows` are texts as a part has them, NULL is None; `csv` is the part's own text. `reads` is the source's query,
    where there is one to show, and `rejected` are rows that would be put aside."""

    columns: list[str]
    types: list[str]
    rows: list[list[str | None]]
    csv: str
    losses: list[Loss]
    rejected: list[dict[str, str]]
    manifest: Manifest
    notes: list[str]
    reads: str = ""


def read(task: BaseExtractor, limit: int) -> Rows:
    """At most `limit` rows; of the source no more is read than one batch of it, and it is let go of at once."""
    # A task of the same parameters is one object for luigi, and what follows changes it.
    task = copy.copy(task)
    vars(task).pop("findings", None)
    notes: list[str] = []
    _check_files(task)
    reads, batches = _batches(task, limit, notes)
    schema, taken, kept = None, 0, []
    try:
        for raw in _record_batches(batches):
            if schema is None:
                schema = plain(raw.schema)
            some = raw.slice(0, limit - taken)
            taken += some.num_rows
            kept.append(canonical(some.cast(schema), task.findings))
            if taken >= limit:
                break
    finally:
        if isinstance(batches, Generator):
            batches.close()
    found = pa.Table.from_batches(kept) if kept else None
    return _rows(task, schema or pa.schema([]), found, task.findings, notes, reads)


def _rows(
    task: BaseExtractor, schema: pa.Schema, found: pa.Table | None, findings: Findings, notes: list[str], reads: str
) -> Rows:
    names = tuple(schema.names) or tuple(task.columns)
    values = [column.cast(pa.string()).to_pylist() for column in found.columns] if found else []
    types = tuple(warehouse_types(schema))
    losses = list(findings.losses.values())
    return Rows(
        columns=list(names),
        types=list(types) or ["TEXT"] * len(names),
        rows=[list(row) for row in zip(*values, strict=True)],
        csv=_csv(found),
        losses=losses,
        rejected=[vars(row) for row in findings.rejected],
        manifest=Manifest(
            # One part without rows: a load without any would COPY nothing.
            parts=(Part(f"s3://lake/{task.get_task_family()}/part-00000.csv.zst", 0, 0, ""),),
            width=len(names),
            columns=None if is_anonymous(names) else names,
            types=types,
            bounds=tuple(warehouse_bounds(schema)),
            null=NULL,
            compression="zstd",
            run="preview",
            started="2000-01-01T00:00:00+00:00",
            ended="2000-01-01T00:00:00+00:00",
            date=None if task.date is None else str(task.date),
            findings={
                "counted": None,
                "key": findings.key,
                "files": [],
                "skipped": {},
                "losses": [],
                "window": findings.window and dataclasses.asdict(findings.window),
            },
        ),
        notes=notes,
        reads=reads,
    )


def _csv(found: pa.Table | None) -> str:
    if found is None or not found.num_rows:
        return ""
    sink = io.BytesIO()
    sink.close = lambda: None  # type: ignore[method-assign]
    writer = PartWriter(sink, found.schema, "gzip", NULL)
    for batch in found.to_batches():
        writer.write(batch)
    writer.close()
    return pa.CompressedInputStream(pa.py_buffer(sink.getvalue()), "gzip").read().decode()


def _batches(task: BaseExtractor, limit: int, notes: list[str]) -> tuple[str, Iterable[Any]]:
    """The extract's own batches, by a way on which it reads as little as it can; and the query that they come of."""
    if _is(task, "MySQLExtractor"):
        return _of_mysql(task, limit, notes)
    if _is(task, "ElasticsearchExtractor"):
        task.page_size = min(task.page_size, limit)  # type: ignore[attr-defined]
        return "", task.batches()
    if _is(task, "S3Extractor") and "{date" not in task.prefix:  # type: ignore[attr-defined]
        _without_a_ledger(task, notes)
    if _is(task, "RedisExtractor"):
        makes_rows = task._makes_own_rows()  # type: ignore[attr-defined]
        return "", _few_of_redis(task, limit) if makes_rows else task.batches()
    if not type(task).run.__module__.startswith("etl."):
        return "", _written_by_hand(task, limit)
    if type(task).batches is BaseExtractor.batches:
        return "", _few_rows(task, limit)
    return "", task.batches()


def _is(task: BaseExtractor, kind: str) -> bool:
    """By name: a source whose driver is not installed cannot be imported to ask."""
    return any(one.__name__ == kind for one in type(task).__mro__)


def _few_rows(task: BaseExtractor, limit: int) -> Iterator[pa.RecordBatch]:
    rows = iter(task.rows())
    try:
        if some := list(itertools.islice(rows, limit)):
            yield task._as_text(some)
    finally:
        if isinstance(rows, Generator):
            rows.close()


def _few_of_redis(task: Any, limit: int) -> Iterator[pa.RecordBatch]:
    rows = iter(task.rows())
    try:
        some = list(itertools.islice(rows, limit))
        yield task._batch(list(zip(*some, strict=True)) or [()] * len(task.columns))
    finally:
        if isinstance(rows, Generator):
            rows.close()


def _written_by_hand(task: BaseExtractor, limit: int) -> Iterator[pa.RecordBatch]:
    """Of an extract that writes csv by its own run(): all of it runs, and into no lake."""
    found: list[pa.RecordBatch] = []

    def keep(batches: Iterator[pa.RecordBatch]) -> None:
        found.append(next(batches).slice(0, limit))

    handle = TextHandle(keep, task.output().folder, tuple(task.columns))
    given = type("Preview", (ManifestTarget,), {"open": lambda self, mode="w": handle})(task.output().folder)
    task.output = lambda: given  # type: ignore[method-assign]
    task.run()
    return iter(found)


def _without_a_ledger(task: Any, notes: list[str]) -> None:
    try:
        known = task.known_files()
    except (WarehouseError, ConfigError) as error:
        notes.append(f"which files were loaded before is not known, so they are taken for new: {error}")
        known = set()
    task.known_files = lambda: known


def _check_files(task: BaseExtractor) -> None:
    for required in task.deps():
        if type(required).__name__ == "S3Files" and not required.complete():
            raise MissingData(f"{required.url}: no data file is there yet; give a --date that has one")  # type: ignore[attr-defined]


def _of_mysql(task: Any, limit: int, notes: list[str]) -> tuple[str, Iterator[pa.RecordBatch]]:
    """With a LIMIT, which is the server's to keep; what it counts is those rows alone."""
    from etl.sources.mysql_connection import address, begin_snapshot, connected, explained

    to = address()
    what = f"{to.database}.{task.table}" if task.table else task.get_task_family()
    plan = task.plan()
    where = _changed(task, notes) if _is(task, "ExtractChanges") else ""
    if task.table:
        select, counted = f"{plan.select}{where} LIMIT {limit}", f"`{task.table}`"
    else:
        select, counted = f"SELECT * FROM (\n{plan.select}\n) AS previewed LIMIT {limit}", f"(\n{plan.select}\n) AS q"

    def batches() -> Iterator[pa.RecordBatch]:
        with connected(to) as connection, explained(to, what):
            query = task._query(connection, to, what)
            few = dataclasses.replace(
                query, select=select, counted=f"(SELECT 1 FROM {counted}{where} LIMIT {limit}) AS counted", fast=False
            )
            begin_snapshot(connection)
            yield from task._rows(connection, few, what)

    return f"{plan.select}{where}", batches()


def _changed(task: Any, notes: list[str]) -> str:
    """Which rows are new by the column that says when a row changed, as the warehouse knows it."""
    from etl import increment, warehouse
    from etl.sources.mysql_types import quoted

    task.findings.window = increment.Window(task.changed, None, "2000-01-01 00:00:00", None, 0)
    try:
        with warehouse.connect("etl preview") as db, db.snapshot():
            mirror = increment._Mirror.of(db, task.table)
            low = mirror.low(db, task.changed, task.plan().fields, task.table)
    except (WarehouseError, ConfigError) as error:
        notes.append(f"since when rows are new is not known, so any are shown: {error}")
        return ""
    if low is None:
        notes.append("all rows are read: the warehouse has nothing of this table that a night could go on from")
        return ""
    column = quoted(task.changed)
    return f" WHERE ({column} >= '{low}' OR {column} IS NULL OR {column} < '{increment._FIRST}')"

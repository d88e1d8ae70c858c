"""ExtractChanges: the rows of a MySQL table that have changed since its mirror was loaded last."""

import datetime
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import luigi
import pyarrow as pa

from etl import config, warehouse
from etl.checksums import Side
from etl.deletes import Unlike, unlike
from etl.drift import holds, removed
from etl.drill import as_there
from etl.errors import DataError
from etl.findings import Window
from etl.run import run_id
from etl.sources.mysql import ExtractTable, Query, columns_of
from etl.sources.mysql_catalogue import catalogue
from etl.sources.mysql_checksum import MySQLTable
from etl.sources.mysql_connection import Address, Connection, begin_snapshot
from etl.sources.mysql_rows import Decoder
from etl.sources.mysql_types import Column, Reading, quoted
from etl.warehouse import control, quarantine, watermarks
from etl.warehouse.names import quote
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT, Watermark

logger = logging.getLogger("luigi-interface.etl")

DELETES = ("keep", "soft", "hard")
MOST_DELETED = 10

# The year 0, of which zero dates are, is what no warehouse holds: they are NULL there.
_FIRST = "0001-01-01"
_TIMES = ("datetime", "timestamp")


class ExtractChanges(ExtractTable):
    """The rows of a table that are new by its column `changed` since raw.<table> was loaded last.

    All rows the first time, and when the columns have changed; those without a time always. All is read in one
    snapshot. A row that was committed late is read if its time lies within [mysql] look_back.

    With `deletes` other than keep, keys are compared besides: those of rows that the source has no more go into the
    manifest, and rows that came later than that are read too. DataError where more than `most_deleted` percent of the
    table's rows would go.
    """

    changed = luigi.Parameter(description="the column that says when a row changed")
    deletes = luigi.ChoiceParameter(
        default="keep", choices=DELETES, description="what becomes of a row that the source has no more"
    )
    most_deleted = luigi.IntParameter(
        default=MOST_DELETED, significant=False, description="percent of the rows that may be deleted in one night"
    )

    def _read(self, connection: Connection, to: Address, what: str) -> Iterator[pa.RecordBatch]:
        query = self._query(connection, to, what)
        self._check(columns_of(catalogue(connection), to, self.table), query.fields or [], what)
        column = quoted(self.changed)
        since = None
        with warehouse.connect(f"{self.get_task_family()} {self.table} {run_id()}") as db, db.snapshot():
            mirror = _Mirror.of(db, self.table)
            low = mirror.low(db, self.changed, query.fields or [], what)
            new = f"({column} >= '{low}' OR {column} IS NULL OR {column} < '{_FIRST}')" if low else "TRUE"
            guard = _clock(connection) - datetime.timedelta(seconds=config.mysql().commit_lag)
            source = MySQLTable(connection, to, self.table, mirror.held, (), self.read_as, True, db.narrow)
            begin_snapshot(connection)
            if self.deletes != "keep" and mirror.types.keys() >= set(source.key):
                there = mirror.keys(db, source)
                for found in unlike(source, there, mirror.target, self.most_deleted):
                    yield from self._settled(connection, query, what, found, f"{source.at(found.new)} AND NOT {new}")
        if low is None:
            yield from super()._read(connection, to, what)
            rows = self.findings.counted or 0
        else:
            logger.info("%s: rows whose %s is %s or later", what, self.changed, low)
            since = mirror.since(low) if self.deletes == "keep" else None
            rows = yield from self._rows(connection, query, what, f" WHERE {new}")
            rows += source.count(f"{column} < '{low}' AND {column} >= '{since or _FIRST}'")
        self.findings.window = Window(self.changed, _text(low), str(guard), _text(since), rows)

    def _settled(
        self, connection: Connection, query: Query, what: str, found: Unlike, late: str
    ) -> Iterator[pa.RecordBatch]:
        """The rows that came too `late` to be read by their time; an empty batch lets the others' keys be written."""
        self.findings.gone += found.gone
        yield Decoder(what, query.fields or [], query.keys, self.findings).rows([])
        if found.new and (rows := (yield from self._rows(connection, query, what, f" WHERE {late}"))):
            logger.info("%s: %s rows came later than [mysql] look_back allows for", what, f"{rows:,}")

    def _check(self, columns: list[Column], fields: list[tuple[str, Reading]], what: str) -> None:
        """DataError where changes cannot be told by the column, or rows not by a key, or a name is taken."""
        kinds = {column.name: column.data_type for column in columns}
        if kinds.get(self.changed) not in _TIMES or self.changed not in dict(fields):
            fit = ", ".join(name for name, kind in kinds.items() if kind in _TIMES) or "none"
            raise DataError(
                f"{what}: changed = {self.changed!r} is no DATETIME or TIMESTAMP column that is read, which are: "
                f"{fit}. Name one of them, or mirror the whole table: without `changed`"
            )
        if not self.findings.key:
            raise DataError(
                f"{what}: has no key among the columns that are read, so a changed row cannot take its old one's "
                f"place; give it a primary key, or mirror the whole table: without `changed`"
            )
        ours = (LOADED_AT, DELETED_AT) if self.deletes == "soft" else (LOADED_AT,)
        if taken := [name for name, _ in fields if name in ours]:
            cure = "say deletes = 'hard' or 'keep'" if taken == [DELETED_AT] else "mirror the whole table"
            raise DataError(
                f"{what}: has a column {taken[0]}, which is a name that its mirror needs for itself; {cure}, or leave "
                f"the column out by `columns` in an extractor of its own"
            )


@dataclass(frozen=True)
class _Mirror:
    """What the warehouse has of a table. `types` are its columns', and none where it is not there; `lost` are columns
    that it keeps although the source had lost them; `held` the keys of rows that are in quarantine."""

    target: str
    types: dict[str, str]
    mark: Watermark | None
    lost: list[str]
    held: list[tuple[str, ...]]

    @classmethod
    def of(cls, db: warehouse.Engine, table: str) -> "_Mirror":
        target = f"raw.{table}"
        lost = removed(db, target) if control.has(db, "schema_changes") else []
        return cls(target, db.columns("raw", table), watermarks.read(db, target), lost, quarantine.held(db, target))

    def low(
        self, db: warehouse.Engine, changed: str, fields: list[tuple[str, Reading]], what: str
    ) -> datetime.datetime | None:
        """The time from which on rows are to be read; None for all."""
        if not self.types or self.mark is None or self.mark.column != changed:
            return None
        # Nothing says of a row that it has another value because its column was altered, or was dropped.
        altered = [
            name
            for name, reading in fields
            if name not in self.types
            or not holds(db, self.types[name], db.canonical(db.type_of(reading.warehouse_type, reading.bound, name)))
            or name in self.lost
        ]
        ours = {LOADED_AT, DELETED_AT, *self.lost}
        altered += [name for name in self.types if name not in dict(fields) and name not in ours]
        if altered:
            logger.info("%s: %s not as in the warehouse, so all rows are read", what, ", ".join(altered))
            return None
        back = datetime.timedelta(seconds=config.mysql().look_back)
        return max(self.mark.high_water, datetime.datetime.min + back) - back

    def keys(self, db: warehouse.Engine, source: MySQLTable) -> Side:
        """The mirror as one side of a comparison of keys, without the rows that are known to be deleted."""
        schema, _, table = self.target.partition(".")
        alive = f"{DELETED_AT} IS NULL" if DELETED_AT in self.types else ""
        fields = as_there(source.fields, self.types, self.target)
        return db.side(f"{quote(schema)}.{quote(table)}", fields, source.key, alive)

    def since(self, low: datetime.datetime) -> datetime.datetime | None:
        """From when on rows are to be counted; None for all."""
        assert self.mark is not None
        return self.mark.verified_through and min(low, self.mark.verified_through)


def _text(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else str(moment)


def _clock(connection: Connection) -> datetime.datetime:
    """The source's own, in UTC: what this machine's says of rows that another has written is a guess."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT UTC_TIMESTAMP(6)")
        ((now,),) = cursor.fetchall()
    return datetime.datetime.fromisoformat(now.decode())

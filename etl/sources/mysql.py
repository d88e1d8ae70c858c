"""MySQL tables and queries, read once in one snapshot, as Arrow record batches."""

import configparser
import difflib
import logging
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import luigi
import luigi.configuration
import pyarrow as pa
import pymysql
from pymysql.constants import ER, FLAG

from etl import config
from etl.errors import DataError, SourceError
from etl.extract import BaseExtractor
from etl.sources import mysql_arrow, mysql_fingerprint, mysql_ranges
from etl.sources.mysql_catalogue import catalogue, forget, key
from etl.sources.mysql_connection import Address, address, begin_snapshot, connected, explained, streamed
from etl.sources.mysql_read_as import overridden
from etl.sources.mysql_rows import Decoder, chunked
from etl.sources.mysql_types import INTEGERS, Column, Reading, of_result, quoted
from etl.warehouse.redshift_types import type_of

logger = logging.getLogger("luigi-interface.etl")

# The character set by which MySQL marks strings of bytes.
_BINARY_CHARSET = 63
# Rows, by the server's own guess: below that a second connection costs more than it saves.
WORTH_CONNECTING = 20_000
_TOO_LARGE = 1301  # ER_WARN_ALLOWED_PACKET_OVERFLOWED, which PyMySQL has no name for


class MySQLExtractor(BaseExtractor):
    """Reads `table`, or what the query `sql` gives, from the database of [mysql] url.

    One snapshot: the rows, and the count that the manifest is checked against, are of the same moment.
    Without `columns` all of a table's are read, generated and invisible ones included, in their own order.
    What a warehouse cannot hold becomes NULL or U+FFFD and is counted as a loss, with the keys of such rows.
    `read_as` says by column which type of the warehouse it is to have, where that is not its own: docs/types.md.
    """

    table: Any = ""
    sql: str = ""
    read_as: dict[str, str] = {}

    # How many read production side by side is `[resources] mysql` in luigi.cfg.
    resources = {"mysql": 1}

    # How often one may try yet to read over several connections.
    _tries = 5
    _slowly = False
    # How often one may yet read again because the table was altered.
    _rereads = 3

    def run(self) -> None:
        try:
            super().run()
        except mysql_arrow.Moved as error:
            self._tries -= 1
            logger.info("%s: %s; read again%s", self.task_key(), error, "" if self._tries else " over one connection")
            self.run()
        except mysql_arrow.Unfit as error:
            # Nothing of the attempt is left in the lake. PyMySQL holds whatever the server sends, and explains itself.
            logger.warning("%s: connectorx gave up (%s); read again by PyMySQL", self.task_key(), error)
            self._slowly = True
            self.run()
        except mysql_fingerprint.Altered as error:
            if not self._rereads:
                raise SourceError(
                    f"{error}, and so it was each time that it was read again; nothing is published, run again when "
                    f"nobody alters it"
                ) from None
            self._rereads -= 1
            logger.warning("%s; read again", error)
            self.run()

    def plan(self) -> "Plan":
        """What `run` would read and how, found out without reading a row; the same errors as it would raise."""
        to = address()
        what = f"{to.database}.{self.table}" if self.table else self.get_task_family()
        with connected(to) as connection, explained(to, what):
            query = self._query(connection, to, what)
            if query.fields is not None:
                return Plan(what, query.driver, query.select, query.fields)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM (\n{query.select}\n) AS planned LIMIT 0")
                return Plan(what, query.driver, query.select, _result_fields(cursor, what))

    def batches(self) -> Iterator[pa.RecordBatch]:
        """An empty batch first, which says columns and types also where there are no rows."""
        if bool(self.table) == bool(self.sql):
            raise DataError(f"{self.get_task_family()}: says both or neither of `table` and `sql`; write one of them")
        to = address()
        what = f"{to.database}.{self.table}" if self.table else self.get_task_family()
        with connected(to) as connection, explained(to, what):
            try:
                yield from self._read(connection, to, what)
            except Exception as error:
                # It may be that the schema has changed: the next attempt reads it again.
                forget()
                if isinstance(error, pymysql.err.MySQLError) and error.args[0] == ER.TABLE_DEF_CHANGED:
                    raise mysql_fingerprint.Altered(f"{what}: was altered after its snapshot began") from None
                raise

    def _read(self, connection: pymysql.Connection, to: Address, what: str) -> Iterator[pa.RecordBatch]:
        query = self._query(connection, to, what)
        logger.info("%s: read by %s", what, "PyMySQL" if self._slowly else query.driver)
        if query.fast and query.fields and not self._slowly:
            decoder = Decoder(what, query.fields, query.keys, self.findings)
            taken = 0
            with mysql_fingerprint.unaltered(connection, to, self.table, query.planned, what):
                for batch in self._connectorx(connection, to, query, what):
                    if not taken:
                        yield decoder.rows([])
                    taken += batch.num_rows
                    yield decoder.columns(batch.columns)
                if taken != (self.findings.counted or 0):
                    # The stream of a connection that broke ends as if there were no more.
                    raise mysql_arrow.Unfit(f"it ended after {taken} of {self.findings.counted} rows")
            if taken:
                return
            # Without a row nothing came that says how many there are: the slow way asks, and is as fast.
        begin_snapshot(connection)
        yield from self._rows(connection, query, what)

    def _rows(
        self, connection: pymysql.Connection, query: "Query", what: str, where: str = ""
    ) -> Generator[pa.RecordBatch, None, int]:
        """What PyMySQL reads of the query's rows in the connection's snapshot; returns how many the server counts."""
        counted = _count(connection, query.counted + where)
        self.findings.counted = (self.findings.counted or 0) + counted
        if self.table:
            mysql_fingerprint.check(connection, self.table, query.planned, what)
        with streamed(connection, query.select + where) as cursor:
            fields = query.fields or _result_fields(cursor, what)
            decoder = Decoder(what, fields, query.keys, self.findings)
            yield decoder.rows([])
            yield from map(decoder.rows, chunked(cursor))
            warned = cursor.warning_count
        if warned:
            _check_warnings(connection, what)
        return counted

    def _query(self, connection: pymysql.Connection, to: Address, what: str) -> "Query":
        if self.table:
            return self._of_table(connection, to, what)
        if self.read_as:
            raise DataError(f"{what}: read_as is for the columns of a `table`; write what is to be read in `sql`")
        return _of_sql(self.sql)

    def _connectorx(
        self, connection: pymysql.Connection, to: Address, query: "Query", what: str
    ) -> Iterator[pa.RecordBatch]:
        """Raw batches, of several connections where that is worth it and they see one snapshot; counts the rows."""
        number = config.mysql().connections
        if query.leading and number > 1 and self._tries:
            begin_snapshot(connection)
            if ranges := mysql_ranges.divided(connection, self.table, query.leading, number):
                logger.info("%s: over %d connections", what, number)
                for batch in mysql_arrow.batches_of(ranges, to, query.select, query.counted, query.text, what):
                    if self.findings.counted is None:
                        self.findings.counted = _count(connection, query.counted)
                    yield batch
                return
        for self.findings.counted, batch in mysql_arrow.batches(to, query.select, query.counted, query.text, what):
            yield batch

    def _of_table(self, connection: pymysql.Connection, to: Address, what: str) -> "Query":
        tables = catalogue(connection)
        planned = columns_of(tables, to, self.table)
        columns = overridden(planned, self.read_as, what)
        chosen = _chosen(columns, tuple(self.columns), what)
        identity = key(columns)
        # A key that is not asked for is read all the same, to name the rows that lost something.
        read = chosen + [column for column in identity if column not in chosen]
        self.findings.key = [column.name for column in identity] if len(read) == len(chosen) else []
        rows = tables.rows.get(self.table, -1)
        divisible = bool(identity) and identity[0].data_type in INTEGERS and rows >= mysql_ranges.WORTH_DIVIDING
        expressions = ", ".join(column.reading.expression.format(quoted(column.name)) for column in read)
        return Query(
            select=f"SELECT {expressions} FROM {quoted(self.table)}",
            counted=quoted(self.table),
            fields=_with_room([(column.name, column.reading) for column in chosen], self.table),
            keys=[read.index(column) for column in identity],
            fast=rows >= WORTH_CONNECTING and not any(c.reading.whole for c in read),
            leading=identity[0].name if divisible else "",
            text=any(column.data_type in ("text", "blob") for column in read),
            planned=tuple(planned),
        )


class ExtractTable(MySQLExtractor):
    """A whole table as it is."""

    table = luigi.Parameter(description="the table's name at MySQL")


@dataclass(frozen=True)
class Query:
    """`counted` is what COUNT(*) is taken from; `fields` are None where only the result tells them. `planned` are the
    columns of the table as they were when all this was made of them.

    `fast` says that connectorx can read it, and that it pays; `text` that values may have up to 64 KB. `leading` is an
    integer column that a big table's key begins with.
    """

    select: str
    counted: str
    fields: list[tuple[str, Reading]] | None
    keys: list[int]
    fast: bool = False
    leading: str = ""
    text: bool = False
    planned: tuple[Column, ...] = ()

    @property
    def driver(self) -> str:
        return "connectorx" if self.fast else "PyMySQL"


@dataclass(frozen=True)
class Plan:
    """`fields` are the columns of the warehouse, in order, and how each is read."""

    what: str
    driver: str
    select: str
    fields: list[tuple[str, Reading]]

    def as_json(self) -> dict[str, Any]:
        columns = [
            {
                "column": name,
                "type": reading.warehouse_type,
                "read_as": reading.said or None,
                "expression": reading.expression.format(quoted(name)),
            }
            for name, reading in self.fields
        ]
        return {"table": self.what, "driver": self.driver, "select": self.select, "columns": columns}


def _of_sql(sql: str) -> Query:
    query = sql.strip().rstrip(";")
    # The line break ends a comment on the query's last line.
    return Query(select=query, counted=f"({query}\n) AS counted", fields=None, keys=[])


def columns_of(tables: dict[str, list[Column]], to: Address, name: str) -> list[Column]:
    if name in tables:
        return tables[name]
    near = difflib.get_close_matches(name, tables, cutoff=0.5) or sorted(tables)[:10]
    raise SourceError(
        f"{to.database}.{name}: no such table that {to.user} may read; near it: {', '.join(near) or 'none at all'}. "
        f"Correct the name, or GRANT SELECT on it to that user at MySQL"
    )


def _chosen(columns: list[Column], names: tuple[str, ...], what: str) -> list[Column]:
    by_name = {column.name: column for column in columns}
    if missing := [name for name in names if name not in by_name]:
        raise SourceError(
            f"{what}: has no column {', '.join(missing)}; its columns are {', '.join(by_name)}. Correct `columns`"
        )
    return [by_name[name] for name in names] or columns


def _count(connection: pymysql.Connection, source: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {source}")
        return int(cursor.fetchone()[0])


def _result_fields(cursor: Any, what: str) -> list[tuple[str, Reading]]:
    # The cursor's description leaves out what tells text from bytes and signed from unsigned.
    fields = cursor._result.fields
    twice = [name for name, count in Counter(field.name for field in fields).items() if count > 1]
    if twice:
        raise DataError(f"{what}: sql gives two columns named {', '.join(twice)}; name one of them with AS")
    return _with_room([(field.name, _result_field(field)) for field in fields], what)


def _result_field(field: Any) -> Reading:
    binary, unsigned = field.charsetnr == _BINARY_CHARSET, bool(field.flags & FLAG.UNSIGNED)
    return of_result(field.name, field.type_code, binary, unsigned, field.length, field.scale)


def _with_room(fields: list[tuple[str, Reading]], what: str) -> list[tuple[str, Reading]]:
    """The fields; DataError, before a row is read, where the warehouse is Redshift and has no column for one."""
    if _is_for_redshift():
        for name, reading in fields:
            try:
                type_of(reading.warehouse_type, reading.bound, name)
            except DataError as error:
                raise DataError(f"{what}.{name}: {error}") from None
    return fields


def _is_for_redshift() -> bool:
    """As far as is known here: whoever extracts need not know the warehouse's address."""
    try:
        return str(luigi.configuration.get_config().get("warehouse", "url", "")).startswith("redshift://")
    except configparser.InterpolationError:
        return False


def _check_warnings(connection: pymysql.Connection, what: str) -> None:
    """SourceError where MySQL sent NULL for a value because it was too large, of which it only warns."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        for _, code, message in cursor.fetchall():
            if int(code) == _TOO_LARGE:
                raise SourceError(
                    f"{what}: MySQL warns: {message.decode()}; nothing is published, raise max_allowed_packet at MySQL"
                )

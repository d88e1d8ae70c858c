"""MySQL tables and queries, read once in one snapshot, as Arrow record batches."""

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import luigi
import pyarrow as pa
import pymysql
from pymysql.constants import ER, FLAG

from etl.errors import DataError, SourceError
from etl.extract import BaseExtractor
from etl.sources.mysql_catalogue import catalogue, forget, key
from etl.sources.mysql_connection import Address, address, connected, explained, snapshot, streamed
from etl.sources.mysql_rows import Decoder, chunked
from etl.sources.mysql_types import Column, Reading, of_result

# The character set by which MySQL marks strings of bytes.
_BINARY_CHARSET = 63


class MySQLExtractor(BaseExtractor):
    """Reads `table`, or what the query `sql` gives, from the database of [mysql] url.

    One snapshot: the rows, and the count that the manifest is checked against, are of the same moment.
    Without `columns` all of a table's are read, generated and invisible ones included, in their own order.
    What a warehouse cannot hold becomes NULL or U+FFFD and is counted as a loss, with the keys of such rows.
    """

    table: Any = ""
    sql: str = ""

    def batches(self) -> Iterator[pa.RecordBatch]:
        """An empty batch first, which says columns and types also where there are no rows."""
        if bool(self.table) == bool(self.sql):
            raise DataError(f"{self.get_task_family()}: says both or neither of `table` and `sql`; write one of them")
        to = address()
        with connected(to) as connection:
            yield from self._table(connection, to) if self.table else self._query(connection, to)

    def _table(self, connection: pymysql.Connection, to: Address) -> Iterator[pa.RecordBatch]:
        what = f"{to.database}.{self.table}"
        with explained(to, what):
            columns = _table(catalogue(connection), to, self.table)
            chosen = _chosen(columns, tuple(self.columns), what)
            identity = key(columns)
            # A key that is not asked for is read all the same, to name the rows that lost something.
            read = chosen + [column for column in identity if column not in chosen]
            self.findings.key = [column.name for column in identity] if len(read) == len(chosen) else []
            fields = [(column.name, column.reading) for column in chosen]
            decoder = Decoder(what, fields, [read.index(column) for column in identity], self.findings)
            expressions = ", ".join(column.reading.expression.format(_quoted(column.name)) for column in read)
            source = _quoted(self.table)
            try:
                with snapshot(connection):
                    self.findings.counted = _count(connection, source)
                    with streamed(connection, f"SELECT {expressions} FROM {source}") as cursor:
                        yield decoder.batch([])
                        yield from map(decoder.batch, chunked(cursor))
                        warned = cursor.warning_count
            except pymysql.err.MySQLError as error:
                if error.args[:1] in ((ER.BAD_FIELD_ERROR,), (ER.NO_SUCH_TABLE,)):
                    forget()
                raise
            if warned:
                raise SourceError(f"{what}: {_warning(connection)}; nothing is published")

    def _query(self, connection: pymysql.Connection, to: Address) -> Iterator[pa.RecordBatch]:
        what = self.get_task_family()
        query = self.sql.strip().rstrip(";")
        with explained(to, what), snapshot(connection):
            # The line break ends a comment on the query's last line.
            self.findings.counted = _count(connection, f"({query}\n) AS counted")
            with streamed(connection, query) as cursor:
                decoder = Decoder(what, _result_fields(cursor, what), [], self.findings)
                yield decoder.batch([])
                yield from map(decoder.batch, chunked(cursor))


class ExtractTable(MySQLExtractor):
    """A whole table as it is."""

    table = luigi.Parameter(description="the table's name at MySQL")


def _table(tables: dict[str, list[Column]], to: Address, name: str) -> list[Column]:
    if name in tables:
        return tables[name]
    near = difflib.get_close_matches(name, tables, cutoff=0.5) or sorted(tables)[:10]
    raise SourceError(
        f"{to.database}.{name}: no such table that {to.user} may read; near it are: {', '.join(near) or 'none at all'}. "
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
    return [
        (
            field.name,
            of_result(
                field.name, field.type_code, field.charsetnr == _BINARY_CHARSET, bool(field.flags & FLAG.UNSIGNED)
            ),
        )
        for field in fields
    ]


def _warning(connection: pymysql.Connection) -> str:
    """A SELECT of plain columns has nothing to warn of, except that a value was cut or turned into NULL."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS")
        _, code, message = cursor.fetchone()
        return f"MySQL warns {code.decode()}: {message.decode()}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"

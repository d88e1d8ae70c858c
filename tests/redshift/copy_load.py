"""COPY: the files that a statement means, from S3, into text for Postgres's own COPY and rows for the error tables.

What the documentation leaves open is decided against the loader: a quoted field that equals the NULL token is NULL.
"""

import bisect
import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import boto3
import botocore.config
import pyarrow as pa
import pyarrow.csv
from botocore.exceptions import BotoCoreError, ClientError

from tests.redshift.column_types import BadValue, Field, NotPlain, TableColumn
from tests.redshift.copy_statement import CopyStatement
from tests.redshift.csv_fields import Chunk, Csv, Record
from tests.redshift.errors import Refused

_MISSING = ("404", "NoSuchKey", "NotFound")


@dataclass(frozen=True)
class LoadError:
    """One row of the error tables, as far as the load knows it. `position` is the field's place in the raw line."""

    file_name: str
    line_number: int
    column_name: str
    column_type: str
    column_length: str
    position: int
    raw_line: str
    raw_field_value: str
    error_code: int
    error_message: str
    start_offset: int

    def stl(self) -> dict[str, object]:
        """Its columns of STL_LOAD_ERRORS, those of type CHAR cut and padded to their length."""
        return {
            "filename": self.file_name[:256].ljust(256),
            "line_number": self.line_number,
            "colname": self.column_name[:127].ljust(127),
            "type": self.column_type[:10].ljust(10),
            "col_length": self.column_length[:10].ljust(10),
            "position": self.position,
            "raw_line": self.raw_line[:1024].ljust(1024),
            "raw_field_value": self.raw_field_value[:1024].ljust(1024),
            "err_code": self.error_code,
            "err_reason": self.error_message[:100].ljust(100),
            "is_partial": 0,
            "start_offset": self.start_offset,
        }

    def sys(self) -> dict[str, object]:
        """Its columns of SYS_LOAD_ERROR_DETAIL."""
        return {
            "file_name": self.file_name[:256],
            "line_number": self.line_number,
            "column_name": self.column_name[:127],
            "column_type": self.column_type[:10],
            "column_length": self.column_length[:10],
            "position": self.position,
            "error_code": self.error_code,
            "error_message": self.error_message[:512],
        }


class LoadFailed(Exception):
    """What the client is answered, and the `errors` that are to stay in the error tables though nothing was loaded."""

    sqlstate = "XX000"

    def __init__(self, message: str, detail: str = "", errors: Sequence[LoadError] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.errors = list(errors)


@dataclass
class Loaded:
    """`rows` went to Postgres; `errors` are those that MAXERROR let pass, `replaced` the rows with other characters."""

    rows: int = 0
    errors: list[LoadError] = field(default_factory=list)
    replaced: int = 0

    def notices(self, table: str) -> list[str]:
        """What Redshift tells a client of a load that went well."""
        told = [f"Load into table '{table}' completed, {self.rows} record(s) loaded successfully."]
        if self.errors:
            told.append(
                f"Load into table '{table}' completed, {len(self.errors)} record(s) could not be loaded.  "
                "Check 'stl_load_errors' system table for details."
            )
        if self.replaced:
            told.append(
                f"Load into table '{table}' completed, {self.replaced} record(s) were loaded with replacements "
                "made for ACCEPTINVCHARS.  Check 'stl_replacements' system table for details."
            )
        return told


def s3_client(endpoint: str) -> Any:
    """A client with the cluster's own rights: those of the environment, `test` where it has none."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=os.environ.get("AWS_REGION", "us-east-1"),
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


def chosen(statement: CopyStatement, table: Sequence[TableColumn]) -> list[TableColumn]:
    """The columns that the files have a field for, in the files' order; `table` has all of the target's."""
    if not statement.columns:
        return list(table)
    known = {column.name: column for column in table}
    for name in statement.columns:
        if name not in known:
            raise Refused("42703", f'column "{name}" of relation "{statement.table}" does not exist')
    columns = [known[name] for name in statement.columns]
    numbered = [column.name for column in columns if column.identity]
    if numbered and not statement.explicit_ids:
        raise Refused("0A000", f"cannot copy into identity column {numbered[0]} without EXPLICIT_IDS")
    if statement.explicit_ids and not numbered:
        raise Refused("42601", "EXPLICIT_IDS needs the identity column in the column list")
    return columns


def upstream_copy(statement: CopyStatement, columns: Sequence[TableColumn]) -> str:
    """The COPY that reads what `load` writes; `columns` are those given to `load`."""
    table = ".".join(_quote(name) for name in (statement.schema, statement.table) if name)
    names = ", ".join(_quote(column.name) for column in _written(statement, columns))
    return rf"COPY {table} ({names}) FROM STDIN (FORMAT csv, NULL E'\\N', ENCODING 'UTF8')"


def load(statement: CopyStatement, columns: Sequence[TableColumn], s3: Any, write: Callable[[bytes], None]) -> Loaded:
    """Write every row of every file, or raise LoadFailed; what was written until then must be rolled back."""
    loading = _Loading(statement, columns, write)
    for bucket, key in _files(statement, s3):
        loading.file(f"s3://{bucket}/{key}", _opened(s3, bucket, key))
    return loading.loaded


class _Loading:
    def __init__(self, statement: CopyStatement, columns: Sequence[TableColumn], write: Callable[[bytes], None]):
        self._said, self._write = statement, write
        self._fields = [Field(column, statement) for column in columns]
        kept = _written(statement, columns)
        self._kept = [i for i, column in enumerate(columns) if column in kept]
        self._csv = Csv(statement.delimiter, statement.quote)
        self.loaded = Loaded()

    def file(self, name: str, body: BinaryIO) -> None:
        with contextlib.closing(body):
            for chunk in self._csv.chunks(_Text(name, body, self._said).read, self._said.ignore_header):
                self._chunk(name, chunk)

    def _chunk(self, name: str, chunk: Chunk) -> None:
        columns = self._quick(chunk) or self._careful(name, chunk)
        if not columns or not len(columns[0]) or self._said.no_load:
            return
        table = pa.table([columns[i] for i in self._kept], names=[str(i) for i in self._kept])
        sink = pa.BufferOutputStream()
        options = pyarrow.csv.WriteOptions(include_header=False, null_string=r"\N", quoting_style="needed")
        pyarrow.csv.write_csv(table, sink, options)
        self._write(sink.getvalue().to_pybytes())
        self.loaded.rows += table.num_rows

    def _quick(self, chunk: Chunk) -> list[pa.Array] | None:
        """A column at a time; None where a value has to be looked at by itself, and perhaps is an error."""
        if not chunk.regular or b"\0" in chunk.data:
            return None
        columns = self._csv.columns(chunk, len(self._fields), self._said.ignore_blank_lines)
        if columns is None:
            return None
        try:
            return [
                reader.many(column) if i in self._kept else column
                for i, (reader, column) in enumerate(zip(self._fields, columns, strict=True))
            ]
        except NotPlain:
            return None

    def _careful(self, name: str, chunk: Chunk) -> list[pa.Array]:
        rows: list[list[str | None]] = []
        for record in self._csv.records(chunk):
            if not record.raw and self._said.ignore_blank_lines:
                continue
            row = self._row(name, record)
            if row is not None:
                rows.append(row)
        return [pa.array(values, pa.string()) for values in zip(*rows, strict=True)]

    def _row(self, name: str, record: Record) -> list[str | None] | None:
        """The record's values; None where it is an error that is let pass."""
        if fault := record.fault or self._shape(record):
            self._error(name, record, bisect.bisect(record.starts, fault[2]) - 1, *fault)
            return None
        row: list[str | None] = []
        replaced = False
        for i, reader in enumerate(self._fields):
            try:
                if i not in self._kept:
                    row.append(None)
                elif i >= len(record.fields):
                    reader.missing()
                    row.append(None)
                else:
                    value, changed = reader.one(record.fields[i])
                    row.append(value)
                    replaced |= changed
            except BadValue as bad:
                at = record.starts[i] if i < len(record.starts) else len(record.raw)
                self._error(name, record, i, bad.code, bad.reason, at)
                return None
        self.loaded.replaced += replaced
        return row

    def _shape(self, record: Record) -> tuple[int, str, int] | None:
        found, wanted = len(record.fields), len(self._fields)
        if not record.raw and wanted > 1 and not self._said.fill_record:
            return 1211, "Input line contained no data", 0
        if found > wanted:
            return 1202, "Extra column(s) found", record.starts[wanted] - 1
        if found < wanted and not self._said.fill_record:
            return 1203, "Input data had fewer columns than were defined in the DDL", len(record.raw)
        # A NUL as NULL's text is the only one that COPY takes.
        if b"\0" in record.raw:
            if self._said.null == "\0" and all(field == b"\0" or b"\0" not in field for field in record.fields):
                return None
            at = record.raw.index(b"\0")
            if self._said.null == "\0":
                return 1218, "NUL found within a field, and NULL AS is NUL", at
            return 1216, f"Missing newline: Unexpected character 0x00 found at location {at}", at
        return None

    def _error(self, name: str, record: Record, index: int, code: int, reason: str, position: int) -> None:
        reader = self._fields[min(index, len(self._fields) - 1)]
        raw = record.fields[index] if index < len(record.fields) else b""
        self.loaded.errors.append(
            LoadError(
                file_name=name,
                line_number=record.line,
                column_name=reader.column.name,
                column_type=reader.kind,
                column_length=reader.length,
                position=position,
                raw_line=_shown(record.raw),
                raw_field_value=_shown(raw),
                error_code=code,
                error_message=reason,
                start_offset=record.offset,
            )
        )
        if not self._said.all_errors and len(self.loaded.errors) >= max(1, self._said.max_error):
            raise LoadFailed(
                f"Load into table '{self._said.table}' failed.  Check 'stl_load_errors' system table for details.",
                errors=self.loaded.errors,
            )


class _Text:
    """A file's CSV in UTF-8, decompressed as it comes."""

    def __init__(self, name: str, body: BinaryIO, statement: CopyStatement):
        self._name = name
        self._latin = statement.encoding == "ISO88591"
        file = pa.PythonFile(body, "r")
        self._file = pa.CompressedInputStream(file, statement.compression) if statement.compression else file

    def read(self, size: int) -> bytes:
        try:
            text = self._file.read(size)
        except (OSError, pa.ArrowException, BotoCoreError) as error:
            raise _failed(f"Cannot read {self._name}", f"{error.__class__.__name__}: {error}") from None
        return text.decode("latin-1").encode() if self._latin else text


def _files(statement: CopyStatement, s3: Any) -> list[tuple[str, str]]:
    """The objects to load: what the manifest lists as often as it does, or all whose keys start as the path does."""
    bucket, key = _address(statement.url)
    if statement.manifest:
        found = list(_listed(statement.url, bucket, key, s3))
        if not found:
            raise _failed(f"No files of the manifest {statement.url} exist", f"Manifest file location={statement.url}")
        return found
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key)
        found = [(bucket, entry["Key"]) for page in pages for entry in page.get("Contents", ())]
    except (ClientError, BotoCoreError) as error:
        raise _s3_failed(error, f"Listing bucket={bucket} prefix={key}") from None
    if not found:
        raise _failed(f"The specified S3 prefix '{key}' does not exist", f"Listing bucket={bucket} prefix={key}")
    return found


def _listed(url: str, bucket: str, key: str, s3: Any) -> Iterator[tuple[str, str]]:
    context = f"Manifest file location={url}"
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        raise _s3_failed(error, context, "Problem reading manifest file - ") from None
    try:
        entries = json.loads(text)["entries"]
        wanted = [(_address(entry["url"]), entry["url"], _flag(entry)) for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _failed(f"Problem reading manifest file - not a manifest: {error}", context) from None
    for address, entry_url, mandatory in wanted:
        try:
            s3.head_object(Bucket=address[0], Key=address[1])
        except (ClientError, BotoCoreError) as error:
            if not isinstance(error, ClientError) or error.response["Error"]["Code"] not in _MISSING:
                raise _s3_failed(error, f"{context} url={entry_url}") from None
            if mandatory:
                raise _failed("Mandatory url is not present in manifest file.", f"{context} url={entry_url}") from None
        else:
            yield address


def _flag(entry: dict[str, object]) -> bool:
    mandatory = entry.get("mandatory", False)
    if not isinstance(mandatory, bool):
        raise ValueError(f"mandatory is {mandatory!r}")
    return mandatory


def _address(url: str) -> tuple[str, str]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket or not key:
        raise ValueError(f"{url} is no address of an object")
    return bucket, key


def _opened(s3: Any, bucket: str, key: str) -> BinaryIO:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"]
    except (ClientError, BotoCoreError) as error:
        raise _s3_failed(error, f"S3 key being read : s3://{bucket}/{key}") from None


def _s3_failed(error: ClientError | BotoCoreError, context: str, before: str = "") -> LoadFailed:
    if isinstance(error, ClientError):
        told = error.response["Error"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        text = f"S3ServiceException:{told.get('Message', '')},Status {status},Error {told.get('Code', '')}"
    else:
        text = f"S3CurlException: {error}"
    return _failed(before + text, context)


def _failed(message: str, context: str) -> LoadFailed:
    return LoadFailed(message, _detail(message, context))


def _detail(message: str, context: str) -> str:
    line = "-" * 47
    return f"\n  {line}\n  error:  {message}\n  code:      8001\n  context:   {context}\n  {line}\n"


def _written(statement: CopyStatement, columns: Iterable[TableColumn]) -> list[TableColumn]:
    """All columns but those that Redshift numbers itself, whose fields in the files it then passes over."""
    return [column for column in columns if not column.identity or statement.explicit_ids]


def _shown(raw: bytes) -> str:
    # Of a column of CHAR(1024) that Postgres keeps, which takes no NUL.
    return raw[:1024].decode("utf-8", "replace").replace("\0", "\ufffd")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

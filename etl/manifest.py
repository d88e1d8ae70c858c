r"""The manifest: what an extract wrote, as a file that Redshift's COPY can read, and the target that it is.

Parts first, the manifest last: its appearance is the commit. Death half-way leaves nothing that a reader
would take for data. The keys of parts carry the run and the attempt, so two runs never mix parts.
"""

import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import secrets
import sys
import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import IO, Any, BinaryIO

import luigi
import pyarrow as pa
import pyarrow.csv

from etl import config, parts
from etl.errors import ConfigError, DataError, LakeError
from etl.failpoint import failpoint
from etl.findings import Findings
from etl.lake import Bucket, Upload
from etl.progress import Progress
from etl.run import run_id

# Parts without a manifest are what a dead attempt leaves. A day is longer than any attempt lives.
_DEAD_AFTER = timedelta(days=1)
_CHUNK = 1 << 20


@dataclasses.dataclass(frozen=True)
class Part:
    """`size` in bytes and `sha256` are of the compressed object."""

    url: str
    rows: int
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What one extract wrote.

    `columns` is None where the extractor named none: then only `width` is known, and the order is the
    table's own. `types` are warehouse types. `fingerprint` changes when the columns or types do. `losses`,
    `files`, `counted`, `key` and `skipped` are the extractor's findings.
    """

    parts: tuple[Part, ...]
    width: int
    columns: tuple[str, ...] | None
    types: tuple[str, ...]
    null: str
    compression: str
    run: str
    started: str
    ended: str
    date: str | None
    findings: dict[str, Any]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(json.dumps([self.columns, self.types, self.width]).encode()).hexdigest()[:16]

    def to_json(self) -> bytes:
        """A legal COPY manifest. Ours stands under `meta`, where UNLOAD puts its own."""
        entries = [
            {
                "url": part.url,
                "mandatory": True,
                "meta": {"content_length": part.size, "record_count": part.rows, "sha256": part.sha256},
            }
            for part in self.parts
        ]
        meta = dataclasses.asdict(self) | {"rows": self.rows, "fingerprint": self.fingerprint}
        del meta["parts"]
        return json.dumps({"entries": entries, "meta": meta}, indent=1, default=str).encode()

    @classmethod
    def from_json(cls, text: bytes, where: str) -> "Manifest":
        try:
            document = json.loads(text)
            meta = {key: value for key, value in document["meta"].items() if key not in ("rows", "fingerprint")}
            manifest = cls(
                parts=tuple(
                    Part(
                        entry["url"],
                        entry["meta"]["record_count"],
                        entry["meta"]["content_length"],
                        entry["meta"]["sha256"],
                    )
                    for entry in document["entries"]
                ),
                **meta | {"columns": meta["columns"] and tuple(meta["columns"]), "types": tuple(meta["types"])},
            )
            rows, said = manifest.rows, document["meta"]["rows"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LakeError(f"{where}: not a manifest of ours ({error!r}); delete it and extract again") from None
        if rows != said:
            raise LakeError(
                f"{where}: its parts hold {rows} rows, itself it says {said}; "
                f"it was altered, delete it and extract again"
            )
        urls = [part.url for part in manifest.parts]
        if len(set(urls)) != len(urls):
            raise LakeError(f"{where}: lists a part twice, which COPY would load twice; delete it and extract again")
        return manifest


class ManifestTarget(luigi.Target):
    """An extract's output: it exists when its manifest does.

    `folder` is the extract's own place in the lake; `columns` the names of its fields, where they are known.
    """

    def __init__(self, folder: str, columns: tuple[str, ...] = (), date: object = None):
        self.folder = folder.strip("/")
        self._columns = columns
        self._date = None if date is None else str(date)

    @property
    def key(self) -> str:
        return f"{self.folder}/manifest.json"

    @property
    def url(self) -> str:
        return _bucket().url(self.key)

    @classmethod
    def at(cls, url: str) -> "ManifestTarget":
        """The target whose manifest has this URL."""
        return cls(_bucket().key(url).removesuffix("/manifest.json"))

    def exists(self) -> bool:
        """One HEAD request."""
        return _bucket().exists(self.key)

    def manifest(self) -> Manifest:
        return Manifest.from_json(_bucket().read(self.key), self.url)

    def write(
        self, batches: Iterable[Any], findings: Findings | None = None, progress: Progress | None = None
    ) -> Manifest:
        """Write Arrow record batches (or tables, or data frames) as parts, then the manifest.

        All or nothing: whatever interrupts it, no manifest appears, and unless the process is killed its
        uploads are abandoned too; those of a killed process are abandoned here, by the next attempt. When
        a twin has published the same extract meanwhile, its manifest stays and is the one returned.
        """
        bucket, findings = _bucket(), findings if findings is not None else Findings()
        self._bury_the_dead(bucket)
        writer = _Writer(bucket, self.folder, self._columns, findings, progress or Progress(self.folder))
        started = _now()
        try:
            for batch in _record_batches(batches):
                writer.write(batch)
            manifest = writer.finish(started, self._date)
            _check_count(self.folder, manifest)
        except BaseException:
            writer.abort()
            raise
        failpoint("manifest.before")
        # Should this fail without an answer, the manifest may be there all the same: its parts stay.
        if not bucket.put_new(self.key, manifest.to_json()):
            published = self.manifest()
            # A request whose answer was lost is sent again, and then finds what it wrote itself.
            if published.parts != manifest.parts:
                writer.abort()
            return published
        failpoint("manifest.after")
        return manifest

    def open(self, mode: str = "w") -> "TextHandle":
        """A text handle for csv's excel dialect without a header; the extract appears when it is closed.

        An unquoted empty field is NULL and `""` is the empty string; blank lines are ignored where a row has
        more than one field, and are NULL where it has one. csv.DictWriter cannot tell None from
        '': with its default quoting both are written unquoted, and so both are NULL.
        """
        if mode != "w":
            raise ValueError(f"mode {mode!r}: a manifest is opened with 'w', and read with manifest() and open_part()")
        return TextHandle(self)

    def open_part(self, part: Part, manifest: Manifest) -> "PartReader":
        return PartReader(_bucket(), part, manifest.compression)

    def remove(self, manifest: Manifest) -> None:
        """Delete the manifest first, so that at no moment it lists parts that are gone; then the parts."""
        bucket = _bucket()
        bucket.delete([self.key, *(bucket.key(part.url) for part in manifest.parts)])

    def _bury_the_dead(self, bucket: Bucket) -> None:
        bucket.abort_uploads(self.folder + "/")
        if bucket.exists(self.key):
            return
        now = datetime.now(timezone.utc)
        bucket.delete(found.key for found in bucket.list(self.folder + "/") if now - found.modified > _DEAD_AFTER)


class PartReader(io.RawIOBase):
    """A part's CSV text, decompressed; reading its end proves size and sha256, or raises LakeError.

    psycopg2 turns what a file raises into an error of its own, so `error` keeps the original.
    """

    def __init__(self, bucket: Bucket, part: Part, compression: str):
        self._source = _Verified(bucket.open(bucket.key(part.url)), part)
        self._text = pa.CompressedInputStream(pa.PythonFile(self._source, "r"), compression)
        self.part = part
        self.error: LakeError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._text.read(size if size >= 0 else None)
            if not data:
                self._source.drain()
            return data
        except LakeError as error:
            self.error = error
            raise
        except (OSError, pa.ArrowException) as error:
            self.error = self._source.error or self._damage(error)
            raise self.error from None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._source.close()
        super().close()

    def _damage(self, error: Exception) -> LakeError:
        """The decompressor meets damaged bytes before the last, and only then can size and checksum be known."""
        try:
            self._source.drain()
        except LakeError as altered:
            return altered
        return LakeError(f"{self.part.url}: cannot be decompressed ({error}), though it is as it was written")


class TextHandle(io.TextIOBase):
    """The handle of `ManifestTarget.open('w')`. Leaving it on an exception, or never closing it, writes nothing."""

    def __init__(self, target: ManifestTarget):
        self._target = target
        # The text is spooled on local disk, because it is read again once its width is known.
        self._spool: IO[str] | None = tempfile.TemporaryFile("w+", encoding="utf-8", newline="")  # noqa: SIM115

    def writable(self) -> bool:
        return True

    @property
    def closed(self) -> bool:
        return self._spool is None

    def write(self, text: str) -> int:
        if self._spool is None:
            raise ValueError("the handle is closed")
        return self._spool.write(text)

    def close(self) -> None:
        if self._spool is None:
            return
        spool, self._spool = self._spool, None
        with contextlib.closing(spool):
            spool.flush()
            self._target.write(_text_batches(spool, self._target))

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._discard()
        self.close()

    def __del__(self) -> None:
        self._discard()

    def _discard(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


class _Writer:
    """Turns batches into parts; a new part begins when the last has its share of compressed bytes."""

    def __init__(self, bucket: Bucket, folder: str, columns: tuple[str, ...], findings: Findings, progress: Progress):
        settings = config.lake()
        if settings.compression not in parts.SUFFIX:
            raise ConfigError(f"[lake] compression = {settings.compression}: write one of {', '.join(parts.SUFFIX)}")
        self._bucket, self._columns, self._findings, self._progress = bucket, columns, findings, progress
        self._compression = settings.compression
        self._limit = settings.part_mb * 1024 * 1024
        self._folder = folder
        self._prefix = f"{folder}/{run_id()}-{secrets.token_hex(3)}/part-"
        self._token = parts.NULL
        self._schema: pa.Schema | None = None
        self._parts: list[Part] = []
        self._upload: Upload | None = None
        self._part: parts.PartWriter | None = None

    def write(self, raw: pa.RecordBatch) -> None:
        if self._schema is None:
            self._check_columns(raw.schema.names)
            self._schema = parts.plain(raw.schema)
        batch = parts.canonical(self._as_the_first(raw, self._schema), self._findings)
        if parts.collides(batch, self._token):
            self._change_token(batch)
        if not batch.num_rows:
            return
        if self._part is None:
            self._upload = self._bucket.upload(f"{self._prefix}{len(self._parts):05}{parts.SUFFIX[self._compression]}")
            self._part = parts.PartWriter(self._upload, batch.schema, self._compression, self._token)
        assert self._upload is not None
        self._part.write(batch)
        failpoint("extract.batch")
        self._progress.add(batch.num_rows, batch.nbytes)
        if self._upload.size >= self._limit:
            self._close_part()

    def abort(self) -> None:
        """Leave nothing of this attempt in the lake."""
        if self._upload is not None:
            self._upload.abort()
        # A lake that is gone cannot be tidied; the next attempt does it, and the reason of this failure matters more.
        with contextlib.suppress(LakeError):
            self._bucket.abort_uploads(self._prefix)
            self._bucket.delete(found.key for found in self._bucket.list(self._prefix))

    def finish(self, started: str, date: str | None) -> Manifest:
        self._close_part()
        names = tuple(self._schema.names) if self._schema else self._columns
        return Manifest(
            parts=tuple(self._parts),
            width=len(names),
            columns=names if self._columns or not _anonymous(names) else None,
            types=tuple(parts.warehouse_types(self._schema)) if self._schema else (),
            null=self._token,
            compression=self._compression,
            run=run_id(),
            started=started,
            ended=_now(),
            date=date,
            findings=dataclasses.asdict(self._findings)
            | {"losses": [dataclasses.asdict(loss) for loss in self._findings.losses.values()]},
        )

    def _check_columns(self, names: list[str]) -> None:
        if self._columns and tuple(names) != self._columns:
            raise DataError(
                f"{self._folder}: declares columns {', '.join(self._columns)} "
                f"and yields {', '.join(names)}; make the two the same"
            )

    def _as_the_first(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """The batch in the first one's types; DataError where a value would not survive that (02134 as a number)."""
        if batch.schema == schema:
            return batch
        try:
            same = batch.cast(schema)
            own = parts.plain(batch.schema)
            if not same.cast(own).equals(batch.cast(own)):
                raise ValueError("a text would change")
        except (ValueError, NotImplementedError) as error:
            raise DataError(
                f"{self._folder}: a later batch ({_shape(batch.schema)}) does not fit the first one's columns "
                f"({_shape(schema)}): {error}; give every batch the same schema"
            ) from None
        return same

    def _change_token(self, batch: pa.RecordBatch) -> None:
        r"""Leave `\N` for a token that no value has, and write what was written already once more."""
        self._close_part()
        old = self._token
        while parts.collides(batch, self._token):
            self._token = f"{parts.NULL}#{secrets.token_hex(4)}"
        self._parts = [self._rewritten(part, old) for part in self._parts]

    def _rewritten(self, part: Part, old: str) -> Part:
        self._upload = upload = self._bucket.upload(self._bucket.key(part.url))
        with (
            PartReader(self._bucket, part, self._compression) as reader,
            pa.CompressedOutputStream(pa.PythonFile(upload, "w"), self._compression) as stream,
        ):
            for text in parts.retoken(iter(lambda: reader.read(_CHUNK), b""), old, self._token):
                stream.write(text)
        self._upload = None
        return Part(part.url, part.rows, upload.size, upload.sha256)

    def _close_part(self) -> None:
        if self._part is None:
            return
        assert self._upload is not None
        self._part.close()
        url = self._bucket.url(f"{self._prefix}{len(self._parts):05}{parts.SUFFIX[self._compression]}")
        self._parts.append(Part(url, self._part.rows, self._upload.size, self._upload.sha256))
        self._part = self._upload = None


class _Verified(io.RawIOBase):
    """The compressed bytes of a part as they come, hashed on their way."""

    def __init__(self, body: BinaryIO, part: Part):
        self._body, self._part = body, part
        self._digest, self._size = hashlib.sha256(), 0
        self.error: LakeError | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._body.read(size)
        except Exception as error:  # botocore and urllib3 each have their own tree of read errors
            self.error = LakeError(f"{self._part.url}: lost while it was read ({error}); run again")
            raise self.error from None
        self._digest.update(data)
        self._size += len(data)
        if not data:
            self._check()
        return data

    def drain(self) -> None:
        """Read what the decompressor left, so that the check sees every byte."""
        while self.read(_CHUNK):
            pass

    def close(self) -> None:
        self._body.close()
        super().close()

    def _check(self) -> None:
        if self._size == self._part.size and self._digest.hexdigest() == self._part.sha256:
            return
        self.error = LakeError(
            f"{self._part.url}: has {self._size} bytes, sha256 {self._digest.hexdigest()[:12]}, its manifest says "
            f"{self._part.size} bytes, {self._part.sha256[:12]}; it was altered, delete the manifest and extract again"
        )
        raise self.error


def _bucket() -> Bucket:
    return Bucket(config.lake())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _anonymous(names: tuple[str, ...]) -> bool:
    """pyarrow's own numbering, which stands for "the extractor named no columns"."""
    return all(name == f"f{i}" for i, name in enumerate(names))


def _shape(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)


def _record_batches(batches: Iterable[Any]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if isinstance(batch, pa.RecordBatch):
            yield batch
        elif isinstance(batch, pa.Table):
            yield from batch.to_batches()
        else:
            try:
                table = pa.Table.from_pandas(batch, preserve_index=False)
            except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
                raise DataError(f"a data frame cannot be written: {' '.join(map(str, error.args))}") from None
            yield from table.to_batches()


def _check_count(folder: str, manifest: Manifest) -> None:
    counted = manifest.findings["counted"]
    if counted is not None and counted != manifest.rows:
        raise DataError(
            f"{folder}: the source counts {counted} rows in the snapshot that was read, {manifest.rows} were "
            f"written; nothing is published, run it again and report it if it happens twice"
        )


def _text_batches(spool: IO[str], target: ManifestTarget) -> Iterator[pa.RecordBatch]:
    """What a csv.writer wrote, as text columns and nothing else: 02134 stays 02134."""
    where, columns = target.folder, target._columns
    first = None
    for _, first in _rows(spool):
        if first:
            break
    if first is None:
        return
    if columns and tuple(first) == columns:
        raise DataError(f"{where}: line 1 is a header ({', '.join(first)}); write the rows without it")
    names = columns or tuple(f"f{i}" for i in range(len(first) or 1))
    raw = spool.buffer  # type: ignore[attr-defined]
    raw.seek(0)
    try:
        yield from pyarrow.csv.open_csv(
            raw,
            read_options=pyarrow.csv.ReadOptions(column_names=list(names), block_size=32 << 20, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(names) > 1),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise DataError(f"{where}: {_width_error(spool, len(names)) or error}") from None


def _width_error(spool: IO[str], width: int) -> str | None:
    for line, row in _rows(spool):
        if row and len(row) != width:
            return f"line {line} has {len(row)} fields, expected {width}: {','.join(row)[:200]}"
    return None


def _rows(spool: IO[str]) -> Iterator[tuple[int, list[str]]]:
    """Its rows as csv reads them, each with its line; a blank line has no fields."""
    spool.seek(0)
    # csv's own limit of 128 KiB a field is the process's.
    before = csv.field_size_limit(sys.maxsize)
    try:
        reader = csv.reader(spool)
        for row in reader:
            yield reader.line_num, row
    finally:
        csv.field_size_limit(before)

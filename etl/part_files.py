"""The parts of an extract as objects in the lake: written one after the other, read back and verified."""

import contextlib
import dataclasses
import hashlib
import io
import secrets
from typing import BinaryIO

import pyarrow as pa

from etl import config
from etl.errors import ConfigError, DataError, LakeBusy, LakeError
from etl.failpoint import failpoint
from etl.findings import Findings
from etl.lake import Bucket, Upload
from etl.parts import NULL, SUFFIX, PartWriter, canonical, collides, pieces, plain, retoken
from etl.progress import Progress
from etl.run import run_id

_CHUNK = 1 << 20

# The columns of a part of rejected rows: fields of etl.findings.Rejected.
REJECTED = pa.schema([(name, pa.string()) for name in ("key", "column", "reason", "row")])


@dataclasses.dataclass(frozen=True)
class Part:
    """`size` in bytes and `sha256` are of the compressed object; `etag` is the store's, or '' where it said none."""

    url: str
    rows: int
    size: int
    sha256: str
    etag: str = ""


class PartsWriter:
    """Writes batches as the parts of one attempt at an extract.

    Parts come in rounds of `[warehouse] copies` with about the same compressed size: 1 MiB in the first round, twice
    as much in each that follows, up to `[lake] part_mb`. So each COPY connection has its share also of a small table.
    `schema` is the first batch's, None while there was none; `token` is what stands for NULL.
    """

    def __init__(self, bucket: Bucket, folder: str, columns: tuple[str, ...], findings: Findings, progress: Progress):
        settings = config.lake()
        if settings.compression not in SUFFIX:
            raise ConfigError(f"[lake] compression = {settings.compression}: write one of {', '.join(SUFFIX)}")
        self._bucket, self._columns, self._findings, self._progress = bucket, columns, findings, progress
        self.compression = settings.compression
        self._largest = settings.part_mb
        self._copies = config.copies()
        self._folder = folder
        self._prefix = f"{folder}/{run_id()}-{secrets.token_hex(3)}/part-"
        self.token = NULL
        self.rejected: tuple[Part, ...] = ()
        self.gone: tuple[Part, ...] = ()
        self.schema: pa.Schema | None = None
        self.parts: list[Part] = []
        self._aside = _Aside(bucket, f"{self._prefix.removesuffix('part-')}rejected", self.compression)
        self._gone = _Aside(bucket, f"{self._prefix.removesuffix('part-')}gone", self.compression)
        self._upload: Upload | None = None
        self._part: PartWriter | None = None

    def write(self, raw: pa.RecordBatch) -> None:
        if self.schema is None:
            self._check_columns(raw.schema.names)
            self.schema = plain(raw.schema)
        batch = canonical(self._as_the_first(raw, self.schema), self._findings)
        self._put_aside()
        if collides(batch, self.token):
            self._change_token(batch)
        for piece in pieces(batch):
            self._add(piece)
        if batch.num_rows:
            failpoint("extract.batch")
            self._progress.add(batch.num_rows, batch.nbytes)

    def _add(self, piece: pa.RecordBatch) -> None:
        if self._part is None:
            self._upload = self._bucket.upload(f"{self._prefix}{len(self.parts):05}{SUFFIX[self.compression]}")
            self._part = PartWriter(self._upload, piece.schema, self.compression, self.token)
        assert self._upload is not None
        self._part.write(piece)
        if self._upload.size >= min(1 << len(self.parts) // self._copies, self._largest) << 20:
            self._close_part()

    def abort(self) -> None:
        """Leave nothing of this attempt in the lake."""
        for upload in (self._upload, self._aside.upload, self._gone.upload):
            if upload is not None:
                upload.abort()
        # A lake that is gone cannot be tidied; the next attempt does it, and the reason of this failure matters more.
        with contextlib.suppress(LakeError):
            attempt = self._prefix.removesuffix("part-")
            self._bucket.abort_uploads(attempt)
            self._bucket.delete(found.key for found in self._bucket.list(attempt))

    def finish(self) -> None:
        self._close_part()
        self._put_aside()
        self.rejected, self.gone = self._aside.finish(), self._gone.finish()

    def _put_aside(self) -> None:
        """Write what was noticed of rows that are not to be loaded, beside the others."""
        findings = self._findings
        self._aside.write([vars(row) for row in findings.rejected], REJECTED)
        findings.rejected.clear()
        keys = pa.schema([(name, pa.string()) for name in findings.key])
        self._gone.write([dict(zip(findings.key, key, strict=True)) for key in findings.gone], keys)
        findings.gone.clear()

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
            own = plain(batch.schema)
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
        old = self.token
        while collides(batch, self.token):
            self.token = f"{NULL}#{secrets.token_hex(4)}"
        self.parts = [self._rewritten(part, old) for part in self.parts]

    def _rewritten(self, part: Part, old: str) -> Part:
        self._upload = upload = self._bucket.upload(self._bucket.key(part.url))
        with (
            PartReader(self._bucket, part, self.compression) as reader,
            pa.CompressedOutputStream(pa.PythonFile(upload, "w"), self.compression) as stream,
        ):
            for text in retoken(iter(lambda: reader.read(_CHUNK), b""), old, self.token):
                stream.write(text)
        self._upload = None
        return Part(part.url, part.rows, upload.size, upload.sha256, upload.etag)

    def _close_part(self) -> None:
        if self._part is None:
            return
        assert self._upload is not None
        self._part.close()
        url = self._bucket.url(f"{self._prefix}{len(self.parts):05}{SUFFIX[self.compression]}")
        upload = self._upload
        self.parts.append(Part(url, self._part.rows, upload.size, upload.sha256, upload.etag))
        self._part = self._upload = None


class _Aside:
    """Rows of another shape than the extract's, none of whose values is NULL: one part, where there are any."""

    def __init__(self, bucket: Bucket, key: str, compression: str):
        self._bucket, self._key, self._compression = bucket, key + SUFFIX[compression], compression
        self._part: PartWriter | None = None
        self.upload: Upload | None = None

    def write(self, rows: list[dict[str, str]], schema: pa.Schema) -> None:
        if not rows:
            return
        if self._part is None:
            self.upload = self._bucket.upload(self._key)
            self._part = PartWriter(self.upload, schema, self._compression, NULL)
        for piece in pieces(pa.RecordBatch.from_pylist(rows, schema=schema)):
            self._part.write(piece)

    def finish(self) -> tuple[Part, ...]:
        if self._part is None or self.upload is None:
            return ()
        self._part.close()
        upload = self.upload
        part = Part(self._bucket.url(self._key), self._part.rows, upload.size, upload.sha256, upload.etag)
        self._part = self.upload = None
        return (part,)


class PartReader(io.RawIOBase):
    """A part's CSV text, decompressed; reading its end proves size and sha256, or raises LakeBusy.

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
            self.error = LakeBusy(f"{self._part.url}: lost while it was read ({error}); run again")
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
        # What was altered on its way here comes whole the next time; what was altered where it lies never does.
        self.error = LakeBusy(
            f"{self._part.url}: has {self._size} bytes, sha256 {self._digest.hexdigest()[:12]}, its manifest says "
            f"{self._part.size} bytes, {self._part.sha256[:12]}; it was altered; delete the manifest and extract again"
        )
        raise self.error


def _shape(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)

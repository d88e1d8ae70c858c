"""S3Extractor: the files below a prefix in, rows of text out, each file once and by its etag."""

import io
import logging
from collections.abc import Iterator

import luigi
import pyarrow as pa

from etl import config, warehouse
from etl.errors import DataError, LakeBusy, LakeError, SourceError, SourceLost
from etl.extract import BaseExtractor
from etl.lake import Bucket, Object
from etl.sources import s3_formats
from etl.warehouse import control

logger = logging.getLogger("luigi-interface.etl")

FAIL, RELOAD, IGNORE = "fail", "reload", "ignore"


class S3Files(luigi.ExternalTask):
    """Complete when a data file lies below the URL, and the marker too where one is expected.

    Luigi reports it as missing data until then, and its repr names the place.
    """

    url = luigi.Parameter(description="s3://bucket/prefix")
    suffixes = luigi.TupleParameter(default=())
    marker = luigi.Parameter(default="")

    def complete(self) -> bool:
        bucket = Bucket(config.s3_source())
        found = _listed(bucket, bucket.key(self.url))
        if self.marker and not any(_name(file) == self.marker for file in found):
            return False
        return bool(_data_files(bucket, found, self.suffixes))


class S3Extractor(BaseExtractor):
    """Every data file below a prefix of [s3_source], in the order of their keys, as rows of text; or a failure.

    A subclass says

    - `prefix`: may hold `{date:%Y/%m/%d}`, and then each day is read whole. Without `{date` a file is read once:
      those that `known_files()` lists are left out;
    - `columns`: the names that the files use, in the order of the output;
    - `suffixes`: endings of the keys to read, where others lie beside them. Without it every file must be one
      that we can read (`.csv`, `.jsonl`, `.ndjson`, plain, `.gz` or `.zst`; `.parquet`), or it is a DataError;
    - `marker`: the name of a file, such as `_SUCCESS`, that the sender writes last;
    - `on_change`: what becomes of a known file with another etag or size: `fail`, `reload` it, or `ignore` it;
    - `known_files()`: the ledger of files that were loaded.

    Names that begin with `_` or `.`, and folders, are never data. LastModified is never asked: it is the time when
    an upload began, so it loses files.
    """

    prefix: str
    suffixes: tuple[str, ...] = ()
    marker = ""
    on_change = FAIL
    keeps_the_past = True

    def requires(self) -> luigi.Task:
        return S3Files(url=self._bucket().url(self._prefix()), suffixes=self.suffixes, marker=self.marker)

    def known_files(self) -> set[tuple[str, str, int]]:
        """(key, etag, size) of the files that were loaded before; of a file that changed, the last one loaded.

        From etl.files, which the load writes in the transaction that publishes a file's rows.
        """
        return control.files(warehouse.shared(), self.get_task_family())

    def batches(self) -> Iterator[pa.RecordBatch]:
        self._check()
        bucket = self._bucket()
        files = _data_files(bucket, _listed(bucket, self._prefix()), self.suffixes)
        if "{date" not in self.prefix:
            files = self._news(bucket, files)
        for file in files:
            yield from self._read(bucket, file)

    def _read(self, bucket: Bucket, file: Object) -> Iterator[pa.RecordBatch]:
        source = s3_formats.Source(
            bucket.url(file.key), lambda: _Body(bucket, file), tuple(self.columns), self.findings
        )
        rows = 0
        for batch in source.batches():
            rows += batch.num_rows
            yield batch
        if source.unknown:
            logger.warning("%s: keys that are no columns: %s", source.name, ", ".join(sorted(source.unknown)))
        self.findings.file(file.key, file.etag, file.size, rows)

    def _news(self, bucket: Bucket, files: list[Object]) -> list[Object]:
        """The files that are not in the ledger, and by `on_change` those that differ from it."""
        known = self.known_files()
        etags = {key: etag for key, etag, _ in known}
        news = []
        for file in files:
            if (file.key, file.etag, file.size) in known:
                continue
            if file.key not in etags or self.on_change == RELOAD:
                news.append(file)
            elif self.on_change == FAIL:
                raise DataError(
                    f"{bucket.url(file.key)}: changed after it was loaded: etag {etags[file.key]} then, {file.etag} "
                    f"now; say on_change = 'reload' or 'ignore', or ask the sender for a new file"
                )
            else:
                logger.warning("%s: changed after it was loaded; ignored as declared", bucket.url(file.key))
        return news

    def _prefix(self) -> str:
        if "{date" in self.prefix and self.date is None:
            raise DataError(f"{self.get_task_family()}: its prefix {self.prefix} holds the date; give --date")
        return self.prefix.format(date=self.date)

    def _bucket(self) -> Bucket:
        return Bucket(config.s3_source())

    def _check(self) -> None:
        name = self.get_task_family()
        if not self.columns:
            raise DataError(f"{name}: declares no columns; name them, files may order theirs in any way")
        if self.on_change not in (FAIL, RELOAD, IGNORE):
            raise DataError(f"{name}: on_change = {self.on_change!r}; say one of {FAIL}, {RELOAD}, {IGNORE}")


class _Body(io.RawIOBase):
    """The bytes of the version that was listed; SourceError when it is gone, SourceLost when it breaks off."""

    def __init__(self, bucket: Bucket, file: Object):
        self._url = bucket.url(file.key)
        try:
            self._body = bucket.open(file.key, etag=file.etag)
        except LakeError as error:
            raise _of_the_source(error) from None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._body.read(size)
        except Exception as error:  # botocore and urllib3 each have their own tree of read errors
            raise SourceLost(f"{self._url}: broke off while it was read ({error}); run again") from None

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


def _listed(bucket: Bucket, prefix: str) -> list[Object]:
    try:
        return list(bucket.list(prefix))
    except LakeError as error:
        raise _of_the_source(error) from None


def _of_the_source(error: LakeError) -> SourceError:
    """A bucket's error, where the bucket is not the lake."""
    return (SourceLost if isinstance(error, LakeBusy) else SourceError)(str(error))


def _data_files(bucket: Bucket, files: list[Object], suffixes: tuple[str, ...]) -> list[Object]:
    data = []
    for file in files:
        if not _name(file) or _name(file).startswith(("_", ".")):
            continue
        if suffixes and not file.key.endswith(tuple(suffixes)):
            continue
        if s3_formats.ending(file.key):
            data.append(file)
        elif file.size:
            raise DataError(
                f"{bucket.url(file.key)}: nothing here reads such a file ({', '.join(s3_formats.READERS)}); move it, "
                f"or say in `suffixes` which files to read"
            )
    return data


def _name(file: Object) -> str:
    return file.key.rpartition("/")[2]

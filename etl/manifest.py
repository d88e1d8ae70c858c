r"""The manifest: what an extract wrote, as a file that Redshift's COPY can read, and the target that it is.

Parts first, the manifest last: its appearance is the commit. Death half-way leaves nothing that a reader
would take for data. The keys of parts carry the run and the attempt, so two runs never mix parts.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import luigi
import pyarrow as pa

from etl import config
from etl.errors import DataError, LakeError
from etl.failpoint import failpoint
from etl.findings import Findings, Window
from etl.lake import Bucket
from etl.part_files import Part, PartReader, PartsWriter
from etl.parts import is_anonymous, warehouse_bounds, warehouse_types
from etl.progress import Progress
from etl.run import run_id
from etl.text_handle import TextHandle

# Parts without a manifest are what a dead attempt leaves. A day is longer than any attempt lives.
_DEAD_AFTER = timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What one extract wrote.

    `columns` is None where the extractor named none: then only `width` is known, and the order is the
    table's own. `types` are warehouse types, and `bounds` say of each how much room its values need, '' where that is
    not known; a manifest of an earlier version has none. `fingerprint` changes when the columns or types do. `losses`,
    `files`, `counted`, `key`, `skipped` and `window` are the extractor's findings. Two kinds of parts, which COPY does
    not know of, have another shape: `rejected` of the rows that are not to be loaded, with key, column, reason and the
    row as it was read; `gone` of the keys of rows that the warehouse has and the source has no more.
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
    bounds: tuple[str, ...] = ()
    rejected: tuple[Part, ...] = ()
    gone: tuple[Part, ...] = ()

    @property
    def window(self) -> Window | None:
        """None unless it is an extract of changes."""
        said = self.findings.get("window")
        return Window(**said) if said else None

    @property
    def rows_rejected(self) -> int:
        return sum(part.rows for part in self.rejected)

    @property
    def rows_gone(self) -> int:
        return sum(part.rows for part in self.gone)

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
                "meta": {
                    "content_length": part.size,
                    "record_count": part.rows,
                    "sha256": part.sha256,
                    "etag": part.etag,
                },
            }
            for part in self.parts
        ]
        meta = dataclasses.asdict(self) | {"rows": self.rows, "fingerprint": self.fingerprint}
        del meta["parts"]
        meta["sha256"] = _digest(entries, meta)
        return json.dumps({"entries": entries, "meta": meta}, indent=1, default=str).encode()

    @classmethod
    def from_json(cls, text: bytes, where: str) -> "Manifest":
        try:
            document = json.loads(text)
            meta = {key: value for key, value in document["meta"].items() if key not in _DERIVED}
            manifest = cls(
                parts=tuple(
                    Part(
                        entry["url"],
                        entry["meta"]["record_count"],
                        entry["meta"]["content_length"],
                        entry["meta"]["sha256"],
                        entry["meta"].get("etag", ""),
                    )
                    for entry in document["entries"]
                ),
                **meta
                | {
                    "columns": meta["columns"] and tuple(meta["columns"]),
                    "types": tuple(meta["types"]),
                    "bounds": tuple(meta.get("bounds", ())),
                    "rejected": tuple(Part(**part) for part in meta.get("rejected", ())),
                    "gone": tuple(Part(**part) for part in meta.get("gone", ())),
                },
            )
            rows, said = manifest.rows, document["meta"]["rows"]
            # One of an earlier version has none.
            sealed = document["meta"].pop("sha256", None)
            altered = sealed is not None and sealed != _digest(document["entries"], document["meta"])
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
        if altered:
            raise LakeError(
                f"{where}: its text does not fit its own checksum; it was altered, delete it and extract again"
            )
        return manifest


# What is said in a manifest for its readers, and follows from the rest.
_DERIVED = ("rows", "fingerprint", "sha256")


def _digest(entries: list[dict[str, Any]], meta: dict[str, Any]) -> str:
    """Of all that a manifest says, in whatever layout."""
    return hashlib.sha256(json.dumps([entries, meta], sort_keys=True, default=str).encode()).hexdigest()


def list_of(part: Part) -> str:
    """The URL of the list that a COPY of such a part needs, where it is none of a manifest's entries."""
    return f"{part.url.rpartition('.csv')[0]}.json"


# The manifests that this process has written, and not removed.
_written: set[str] = set()


class ManifestTarget(luigi.Target):
    """An extract's output: it exists when its manifest does.

    `folder` is the extract's own place in the lake; `columns` the names of its fields, where they are known;
    `policies` what becomes of values that no warehouse can hold, where the writer brings no findings of its own.
    """

    def __init__(
        self, folder: str, columns: tuple[str, ...] = (), date: object = None, policies: Mapping[str, str] | None = None
    ):
        self.folder = folder.strip("/")
        self._policies = dict(policies or {})
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
        """One HEAD request, unless this process wrote it: S3 shows what was written to whoever asks afterwards."""
        return self.url in _written or _bucket().exists(self.key)

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
        bucket, findings = _bucket(), findings if findings is not None else Findings(policies=self._policies)
        self._bury_the_dead(bucket)
        writer = PartsWriter(bucket, self.folder, self._columns, findings, progress or Progress(self.folder))
        started = _now()
        try:
            for batch in _record_batches(batches):
                writer.write(batch)
            writer.finish()
            manifest = self._manifest(writer, findings, started)
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
        _written.add(self.url)
        return manifest

    def open(self, mode: str = "w") -> TextHandle:
        """A text handle for csv's excel dialect without a header; the extract appears when it is closed.

        An unquoted empty field is NULL and `""` is the empty string; blank lines are ignored where a row has
        more than one field, and are NULL where it has one. csv.DictWriter cannot tell None from
        '': with its default quoting both are written unquoted, and so both are NULL.
        """
        if mode != "w":
            raise ValueError(f"mode {mode!r}: a manifest is opened with 'w', and read with manifest() and open_part()")
        return TextHandle(self.write, self.folder, self._columns)

    def open_part(self, part: Part, manifest: Manifest) -> PartReader:
        return PartReader(_bucket(), part, manifest.compression)

    def remove(self, manifest: Manifest) -> None:
        """Delete the manifest first, so that at no moment it lists parts that are gone; then the parts."""
        bucket = _bucket()
        _written.discard(self.url)
        aside = (*manifest.rejected, *manifest.gone)
        urls = [part.url for part in (*manifest.parts, *aside)] + [list_of(part) for part in aside]
        bucket.delete([self.key, *map(bucket.key, urls)])

    def _manifest(self, writer: PartsWriter, findings: Findings, started: str) -> Manifest:
        names = tuple(writer.schema.names) if writer.schema else self._columns
        return Manifest(
            parts=tuple(writer.parts),
            width=len(names),
            columns=None if is_anonymous(names) else names,
            types=tuple(warehouse_types(writer.schema)) if writer.schema else (),
            bounds=tuple(warehouse_bounds(writer.schema)) if writer.schema else (),
            null=writer.token,
            compression=writer.compression,
            run=run_id(),
            started=started,
            ended=_now(),
            date=self._date,
            findings={
                "counted": findings.counted,
                "key": findings.key,
                "files": findings.files,
                "skipped": findings.skipped,
                "losses": [dataclasses.asdict(loss) for loss in findings.losses.values()],
                "window": findings.window and dataclasses.asdict(findings.window),
            },
            rejected=writer.rejected,
            gone=writer.gone,
        )

    def _bury_the_dead(self, bucket: Bucket) -> None:
        bucket.abort_uploads(self.folder + "/")
        there = list(bucket.list(self.folder + "/"))
        if self.key not in [found.key for found in there]:
            now = datetime.now(timezone.utc)
            bucket.delete(found.key for found in there if now - found.modified > _DEAD_AFTER)


def _bucket() -> Bucket:
    return Bucket(config.lake())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


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
    counted, settled = manifest.findings["counted"], manifest.rows + manifest.rows_rejected
    if counted is not None and counted != settled:
        raise DataError(
            f"{folder}: the source counts {counted} rows in the snapshot that was read, {manifest.rows} were "
            f"written and {manifest.rows_rejected} put aside; nothing is published, run it again and report it if it "
            f"happens twice"
        )

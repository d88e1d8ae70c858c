"""BaseLoader: a manifest, or tables that are in the warehouse already, published as one table of it."""

import functools
import hashlib
import logging
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import luigi

from etl import warehouse
from etl.errors import ConfigError, DataError, WarehouseError
from etl.extract import BaseExtractor
from etl.failpoint import failpoint
from etl.manifest import Manifest, ManifestTarget
from etl.progress import Progress
from etl.run import run_id
from etl.sweep import sweep
from etl.task import EtlTask
from etl.warehouse import control
from etl.warehouse.definition import Definition, read_definition, read_sql
from etl.warehouse.publish import STRATEGIES, Counts, publish
from etl.warehouse.stage import Stage

logger = logging.getLogger("luigi-interface.etl")

ON_EMPTY = ("fail", "keep", "replace")

# A load needs room for the stage and for the rows that it replaces; CSV shrinks about this much when compressed.
_INFLATION = 12
_SPARE_BYTES = 64 << 20

# Which loads require an extract, as this process has seen them; workers are forked and know what it knew.
_consumers: dict[str, set[str]] = defaultdict(set)


class MarkerTarget(luigi.Target):
    """Exists when the load's marker is in the warehouse, which is when its rows are."""

    def __init__(self, key: str):
        self.key = key

    def exists(self) -> bool:
        db = warehouse.shared()
        try:
            return control.is_loaded(db, self.key)
        except WarehouseError:
            if not db.closed:
                raise
            # The server was restarted since the last question.
            db.reconnect()
            return control.is_loaded(db, self.key)


class BaseLoader(EtlTask):
    """Publishes one table: stage, audit, publication, marker and receipt, all or nothing.

    A subclass says `table`; `extractor` or its own `requires()`; and where the defaults do not fit `schema`,
    `strategy` (replace, upsert, partition), `key`, `sql` (a SELECT in warehouse_sql/loads, in which `{stage}` is
    the manifest's landed rows) and `on_empty` (what a whole-table load without rows does to a table with some).
    """

    schema = "public"
    table = ""
    extractor: type[BaseExtractor] | None = None
    strategy = "replace"
    key: tuple[str, ...] = ()  # type: ignore[assignment]
    sql = ""
    on_empty = "fail"

    def requires(self) -> Any:
        if self.extractor is None:
            raise ConfigError(f"{type(self).__name__}: say where the rows come from: `extractor`, or requires()")
        return self.extractor(date=self.date)

    def output(self) -> MarkerTarget:
        return MarkerTarget(self.task_key())

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """Those whose marker is there, asked in one query: what a range of days wants to know."""
        keys = {parameters: cls._with(parameters).task_key() for parameters in parameter_tuples}
        done = control.loaded(warehouse.shared(), keys.values()) if keys else set()
        return [parameters for parameters, key in keys.items() if key in done]

    def deps(self) -> list[luigi.Task]:
        deps = super().deps()
        for task in deps:
            if isinstance(task, BaseExtractor):
                _consumers[task.task_key()].add(self.task_key())
        return deps

    def run(self) -> None:
        self.check_date()
        self._check_declaration()
        began = time.monotonic()
        extract = self._extract()
        with warehouse.connect(self._application()) as db:
            control.prepare(db)
            try:
                with db.locked(self.target):
                    if control.is_loaded(db, self.task_key()):
                        return
                    self._load(db, extract, began)
            except warehouse.CommitUnknown:
                self._settle(db)
            db.analyze(self.schema, self.table)
            sweep(db)

    @property
    def target(self) -> str:
        return f"{self.schema}.{self.table}"

    def definition(self, db: warehouse.Postgres, manifest: Manifest | None) -> Definition:
        """What the table should be; a loader whose table is derived from something else says so here."""
        return read_definition(self.schema, self.table)

    def select(self, landing: str) -> str:
        """The SELECT that shapes the rows, or '' where they come as they are to be."""
        return read_sql("loads", self.sql, stage=landing) if self.sql else ""

    def _load(self, db: warehouse.Postgres, extract: ManifestTarget | None, began: float) -> None:
        manifest = extract.manifest() if extract else None
        definition = self.definition(db, manifest)
        self._check_disk(db, manifest)
        with Stage(db, definition, run_id()) as stage:
            receipt = control.Receipt(self.task_key(), self.target, self.date, run_id(), code_version())
            receipt.rows_staged = self._stage(db, stage, extract, manifest)
            failpoint("load.staged")
            if manifest and extract:
                receipt.manifest, receipt.manifest_sha256 = extract.url, hashlib.sha256(manifest.to_json()).hexdigest()
                receipt.rows_read = manifest.findings["counted"]
                receipt.rows_written, receipt.bytes = manifest.rows, manifest.size
                receipt.fingerprint = manifest.fingerprint
            receipt.inputs = control.receipts_of(
                db, [dep.task_key() for dep in self.deps() if isinstance(dep, BaseLoader)]
            )
            keep = self._keeps_the_old(db, stage, receipt.rows_staged)
            stage.add_unknown_member()
            stage.audit([self.key or stage.key, stage.key] if self.strategy != "partition" else [stage.key])
            with db.transaction():
                failpoint("publish.before")
                counts = self._publish(db, stage, keep)
                failpoint("publish.after")
                receipt.rows_inserted, receipt.rows_updated = counts.inserted, counts.updated
                receipt.rows_deleted, receipt.rows_after = counts.deleted, counts.after
                receipt.seconds = round(time.monotonic() - began, 3)
                findings = manifest.findings if manifest else {"losses": [], "files": []}
                control.record(db, receipt, findings["losses"], findings["files"])
                if extract:
                    control.expect(db, extract.url, self._consumers_of_the_extract())
                if not keep:
                    control.publish_day(db, self.target, self.date, counts.after)
        logger.info(
            "%s: %d staged, %d inserted, %d updated, %d deleted, %d rows now, %.1f s",
            self.target,
            receipt.rows_staged,
            counts.inserted,
            counts.updated,
            counts.deleted,
            counts.after,
            receipt.seconds,
        )

    def _stage(self, db: Any, stage: Stage, extract: ManifestTarget | None, manifest: Manifest | None) -> int:
        """Fill the stage and prove the count; rows of the manifest that do not come through are an error."""
        select = self.select(stage.landing)
        if manifest is None or extract is None:
            if not select:
                raise ConfigError(f"{type(self).__name__}: has neither an extract nor `sql` to load from")
            offered = [name for name, _ in db.columns_of(select)]
            stage.accept(offered, f"{self.sql or 'its SELECT'}")
            return stage.fill(select, offered, self.key)
        columns = manifest.columns or self._columns_by_width(stage, manifest, extract)
        if select:
            db.land(stage.landing, dict(zip(columns, manifest.types or ["TEXT"] * len(columns), strict=True)))
            self._copy(db, stage.landing, columns, extract, manifest)
            offered = [name for name, _ in db.columns_of(select)]
            stage.accept(offered, self.sql)
            return stage.fill(select, offered, self.key)
        stage.accept(columns, f"the manifest {extract.url}")
        if stage.surrogate is None:
            return self._copy(db, stage.name, columns, extract, manifest)
        db.land(stage.landing, {name: stage.columns[name] for name in columns})
        self._copy(db, stage.landing, columns, extract, manifest)
        return stage.fill(f"SELECT * FROM {stage.landing}", columns, self.key)

    def _copy(self, db: Any, table: str, columns: Any, extract: ManifestTarget, manifest: Manifest) -> int:
        progress = Progress(self.task_key(), self, "loaded", manifest.rows)
        parts = [functools.partial(extract.open_part, part, manifest) for part in manifest.parts]
        try:
            rows = db.copy(table, columns, parts, manifest.null, progress.add)
        except DataError as error:
            raise DataError(f"{self.target}: a part of {extract.url} cannot be loaded: {error}") from None
        if rows != manifest.rows:
            raise DataError(f"{self.target}: COPY took {rows} rows of {extract.url}, which lists {manifest.rows}")
        failpoint("load.copied")
        return rows

    def _publish(self, db: Any, stage: Stage, keep: bool) -> Counts:
        if keep:
            return Counts(after=db.query(f"SELECT count(*) FROM {self.schema}.{self.table}")[0][0])
        return publish(db, stage, self.strategy, self.key or stage.key, self.date)

    def _keeps_the_old(self, db: Any, stage: Stage, staged: int) -> bool:
        """Whether a whole table that became empty leaves the old rows standing; DataError where that is no choice."""
        if staged or stage.first or self.strategy != "replace" or self.on_empty == "replace":
            return False
        members = f" WHERE {stage.key[0]} <> -1" if stage.is_dimension and stage.key else ""
        had = db.query(f"SELECT count(*) FROM {self.schema}.{self.table}{members}")[0][0]
        if had and self.on_empty == "fail":
            raise DataError(
                f"{self.target}: the source gave 0 rows and the table has {had}; if that is right, set "
                f"on_empty = 'replace' (empty the table) or 'keep' (leave it) on {type(self).__name__}"
            )
        return bool(had)

    def _columns_by_width(self, stage: Stage, manifest: Manifest, extract: ManifestTarget) -> tuple[str, ...]:
        """An extract that names no columns is in the table's own order, and must be as wide."""
        if manifest.width != len(stage.columns) and manifest.rows:
            raise DataError(
                f"{self.target}: the table has {len(stage.columns)} columns, the rows of {extract.url} have "
                f"{manifest.width}; write them in the table's order: {', '.join(stage.columns)}"
            )
        return tuple(stage.columns)

    def _extract(self) -> ManifestTarget | None:
        targets = [target for target in luigi.task.flatten(self.input()) if isinstance(target, ManifestTarget)]
        if len(targets) > 1:
            raise ConfigError(f"{type(self).__name__}: requires {len(targets)} extracts; a load takes one")
        return targets[0] if targets else None

    def _consumers_of_the_extract(self) -> set[str]:
        extracts = [task.task_key() for task in self.deps() if isinstance(task, BaseExtractor)]
        return {consumer for key in extracts for consumer in _consumers[key]} | {self.task_key()}

    def _settle(self, db: warehouse.Postgres) -> None:
        """After a COMMIT without an answer, the marker says what became of it."""
        db.reconnect()
        with db.locked(self.target):
            if not control.is_loaded(db, self.task_key()):
                raise WarehouseError(
                    f"{self.target}: the connection was lost during COMMIT, and nothing was published; run again"
                )

    def _check_declaration(self) -> None:
        name = type(self).__name__
        if not self.table:
            raise ConfigError(f"{name}: say which `table` it loads")
        if self.strategy not in STRATEGIES:
            raise ConfigError(f"{name}: strategy = {self.strategy!r}; write one of {', '.join(STRATEGIES)}")
        if self.strategy != "replace" and not self.key:
            raise ConfigError(f"{name}: strategy {self.strategy} needs a `key`")
        if self.on_empty not in ON_EMPTY:
            raise ConfigError(f"{name}: on_empty = {self.on_empty!r}; write one of {', '.join(ON_EMPTY)}")

    def _check_disk(self, db: Any, manifest: Manifest | None) -> None:
        free = db.free_disk()
        if free is None:
            return
        needed = _SPARE_BYTES + 2 * db.size(self.schema, self.table) + _INFLATION * (manifest.size if manifest else 0)
        if free < needed:
            raise WarehouseError(
                f"{self.target}: about {needed >> 20} MiB of disk are needed to load it, {free >> 20} MiB are free "
                f"at the warehouse; free some space, then run again"
            )

    def _application(self) -> str:
        return f"{self.get_task_family()} {self.date or ''} {run_id()}"

    @classmethod
    def _with(cls, parameters: Any) -> "BaseLoader":
        if isinstance(parameters, dict):
            return cls(**parameters)
        return cls(*parameters) if isinstance(parameters, list | tuple) else cls(date=parameters)


@functools.cache
def code_version() -> str:
    """The package's version, and the commit when it runs from a checkout."""
    try:
        release = version("turnstile-etl")
    except PackageNotFoundError:
        release = "unknown"
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return release
    return f"{release}+{asked.stdout.strip()}" if asked.returncode == 0 else release

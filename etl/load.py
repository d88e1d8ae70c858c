"""BaseLoader: a manifest, or tables that are in the warehouse already, published as one table of it."""

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import luigi

from etl import config, warehouse
from etl.declaration import check_declaration
from etl.errors import ConfigError, DataError, WarehouseError, WarehouseLost
from etl.extract import BaseExtractor
from etl.failpoint import failpoint
from etl.manifest import Manifest, ManifestTarget
from etl.marker import MarkerTarget, loaded
from etl.past import needed
from etl.progress import Progress
from etl.retry import retried
from etl.run import code_version, run_id
from etl.shaping import add_members, only_new
from etl.staging import fill_from_manifest, fill_from_tables, land, land_rejected
from etl.sweep import sweep
from etl.task import EtlTask
from etl.warehouse import control
from etl.warehouse.definition import Definition, read_definition, read_sql
from etl.warehouse.history import check_history
from etl.warehouse.members import inferences
from etl.warehouse.names import literal
from etl.warehouse.publish import Publication, publish
from etl.warehouse.stage import Counts, Stage, drop_stages

logger = logging.getLogger("luigi-interface.etl")

# A load needs room for the stage and for the rows that it replaces; CSV shrinks about this much when compressed.
_INFLATION = 12

# A table of which no tenth has changed keeps its statistics, as it does with the server's own daemon.
_TENTHS = 10

_SPARE_BYTES = 64 << 20

# Which loads require an extract, as this process has seen them; workers are forked and know what it knew.
_consumers: dict[str, set[str]] = defaultdict(set)


class BaseLoader(EtlTask):
    """Publishes one table: stage, audit, publication, marker and receipt, all or nothing.

    A subclass says `table`; `extractor` or its own `requires()`; and where the defaults do not fit `schema`,
    `strategy` (docs/strategies.md), `key`, `sql` and `on_empty` (what a whole-table load without rows does to a table
    with some: fail, keep or replace). `sql` is a SELECT in warehouse_sql/loads, in which `{stage}` stands for the
    manifest's landed rows, `{date_key}` for the business day, `{timezone}` for its zone, and `{since raw.sales}` for
    the `loaded_at` of that table's rows up to which this load has taken them.
    """

    schema = "public"
    table = ""
    extractor: type[BaseExtractor] | None = None
    strategy = "replace"
    key: tuple[str, ...] = ()
    sql = ""
    on_empty = "fail"

    def requires(self) -> Any:
        if self.extractor is None:
            raise ConfigError(f"{type(self).__name__}: say where the rows come from: `extractor`, or requires()")
        return self.extractor(date=self.date)

    def output(self) -> MarkerTarget:
        return MarkerTarget(self.task_key())

    @property
    def target(self) -> str:
        return f"{self.schema}.{self.table}"

    @classmethod
    def bulk_complete(cls, parameter_tuples: Iterable[Any]) -> list[Any]:
        """Those whose marker is there, asked in one query: what a range of days wants to know."""
        keys = [(parameters, _task(cls, parameters).task_key()) for parameters in parameter_tuples]
        done = loaded(key for _, key in keys)
        return [parameters for parameters, key in keys if key in done]

    def deps(self) -> list[luigi.Task]:
        deps = list(needed(self, super().deps()))
        for task in deps:
            if isinstance(task, BaseExtractor):
                _consumers[task.task_key()].add(self.task_key())
        return deps

    def run(self) -> None:
        self.check_date()
        check_declaration(
            type(self).__name__, self.table, self.strategy, self.key, self.on_empty, dated=self.date is not None
        )
        began = time.monotonic()
        retried(lambda: self._attempt(began), self.target)

    def _attempt(self, began: float) -> None:
        extract = self._extract()
        with warehouse.connect(f"{self.get_task_family()} {self.date or ''} {run_id()}") as db:
            control.prepare(db)
            counts = None
            try:
                with db.locked(self.target, *self._inferred()):
                    if control.is_loaded(db, self.task_key()):
                        return
                    counts = self._load(db, extract, began)
            except warehouse.CommitUnknown:
                self._settle(db)
            self._tidy(db, counts)

    def _definition(self, db: warehouse.Engine, manifest: Manifest | None) -> Definition:
        """What the table should be; a kind of loader whose table is derived from something else says so here."""
        return read_definition(self.schema, self.table, db.name)

    def _select(self, landing: str) -> str:
        """The SELECT that shapes the rows, or '' where they come as they are to be."""
        if not self.sql:
            return ""
        day = f"{self.date:%Y%m%d}" if self.date else "-1"
        return read_sql("loads", self.sql, stage=landing, timezone=str(config.timezone()), date_key=day)

    def _inferred(self) -> list[str]:
        """Dimensions to which this load may add members."""
        sql = read_sql("loads", self.sql) if self.sql else ""
        return [wanted.name for wanted in inferences(sql, self.target)]

    def _load(self, db: warehouse.Engine, extract: ManifestTarget | None, began: float) -> Counts:
        """Stage, audit and publish under the target's lock, which the caller holds."""
        manifest = extract.manifest() if extract else None
        standing = control.standing(db, self.target)
        there = db.exists(self.schema, self.table)
        if not there:
            self._refuse_to_begin_anew(standing, manifest)
        # Of a table that somebody has dropped nothing is newer.
        older = self._is_older(standing, manifest) and there
        receipt = self._receipt(db, extract, manifest)
        if older and self.strategy == "replace":
            return self._superseded(db, receipt, standing, extract, manifest, began)
        progress = Progress(self.task_key(), self, "loaded", manifest.rows if manifest else None)
        stage = Stage(db, self._definition(db, manifest), run_id())
        self._check_disk(db, stage, manifest)
        self._tell_of_a_migration(stage)
        with stage:
            if self.strategy == "scd2":
                check_history(stage)
            select, taken = only_new(db, self._select(stage.landing), self.target, self.strategy)
            receipt.rows_staged = self._fill(db, stage, select, receipt, extract, manifest, progress)
            if extract and manifest:
                land_rejected(db, stage, extract, manifest)
            failpoint("load.staged")
            self._check_receipt(receipt, shaped=bool(select))
            keep = self._keeps_the_old(stage, receipt)
            stage.add_unknown_member()
            self._audit(stage)
            try:
                with db.transaction():
                    failpoint("publish.before")
                    counts = stage.unchanged() if keep else self._publish(db, stage, standing, manifest, older)
                    failpoint("publish.after")
                    self._record(db, receipt, counts, extract, manifest, began)
                    if manifest and not keep:
                        control.hold(db, receipt, stage.held, whole=self.strategy == "replace")
                    if not keep:
                        self._advance(db, stage, manifest)
                        control.publish_day(db, self.target, self.date, counts.after)
                    for source, loaded_at in taken.items():
                        control.note_seen(db, self.target, source, loaded_at, run_id())
                    stage.drop()
            except DataError:
                stage.refuse_duplicates()
                raise
        held = f"{receipt.rows_rejected:,} in quarantine, " if receipt.rows_rejected else ""
        said = (
            f"{receipt.rows_staged:,} rows staged, {held}{counts.inserted:,} inserted, "
            f"{counts.updated:,} updated, {counts.deleted:,} deleted, {counts.after:,} there now, "
            f"{receipt.seconds:.1f} s"
        )
        logger.info("%s: %s", self.target, said)
        progress.done(said)
        return counts

    def _tell_of_a_migration(self, stage: Stage) -> None:
        """A load after which the next one brings all rows once more may do without a column for a night."""
        if stage.lacking:
            shaped = read_sql("loads", self.sql) if self.sql else ""
            stage.may_do_without = self.strategy in ("replace", "scd1") and "{since " not in shaped
            logger.warning(
                "%s: a migration is due: %s has %s, which the table lacks; run `etl migrate`",
                self.target,
                stage.definition.file,
                ", ".join(stage.lacking),
            )

    def _is_older(self, standing: control.Standing, manifest: Manifest | None) -> bool:
        """Whether what is to be loaded was read before what is there; DataError where a history is in its way."""
        if self.strategy == "scd2" and self.date and standing.business_date and self.date < standing.business_date:
            raise DataError(
                f"{self.target}: its history is at {standing.business_date}, and {self.date} is before that, where "
                f"nothing can be put in any more; run {standing.business_date} or a later day"
            )
        if self.date and standing.business_date and self.date > standing.business_date:
            # Whatever the clocks say that the two extracts were read by.
            return False
        read_at = datetime.fromisoformat(manifest.started) if manifest else None
        return bool(read_at and standing.extracted_at and read_at < standing.extracted_at)

    def _refuse_to_begin_anew(self, standing: control.Standing, manifest: Manifest | None) -> None:
        """DataError for a table that was there, and of which these rows are but a part."""
        whole = self.strategy == "replace" or (manifest and manifest.window and manifest.window.low is None)
        if standing.rows and not whole:
            raise DataError(
                f"{self.target}: had {standing.rows:,} rows on {standing.business_date} and is not there any more, and "
                f"this load brings a part of them only; restore it, or begin anew: DELETE FROM etl.loads WHERE "
                f"target = {literal(self.target)}; DELETE FROM etl.data_as_of WHERE table_name = "
                f"{literal(self.target)}; and then `etl backfill` its days"
            )

    def _superseded(
        self,
        db: warehouse.Engine,
        receipt: control.Receipt,
        standing: control.Standing,
        extract: ManifestTarget | None,
        manifest: Manifest | None,
        began: float,
    ) -> Counts:
        """An extract of the whole table that is older than the table: it is done with, and changes nothing."""
        counts = Counts(after=standing.rows or 0)
        with db.transaction():
            self._record(db, receipt, counts, extract, manifest, began)
        logger.warning(
            "%s: holds what was read at %s; the extract of %s, read at %s, is older and was not published",
            self.target,
            standing.extracted_at,
            self.date,
            manifest and manifest.started,
        )
        return counts

    def _publish(
        self,
        db: warehouse.Engine,
        stage: Stage,
        standing: control.Standing,
        manifest: Manifest | None,
        older: bool,
    ) -> Counts:
        """Runs in the transaction that publishes; a kind of loader that publishes more than its stage says so here."""
        wanted = Publication(self.strategy, self._key(stage), self.date, older, standing.rows)
        return publish(db, stage, wanted)

    def _advance(self, db: warehouse.Engine, stage: Stage, manifest: Manifest | None) -> None:
        """Note how new the table is now, in the transaction that publishes."""
        if manifest:
            control.note_extract(db, self.target, manifest.started, run_id())

    @classmethod
    def unique_key(cls) -> tuple[str, ...]:
        """The columns by which a row of the table is known, beside its primary key."""
        if cls.strategy == "partition":
            return ()
        # The table has a member once for each of its versions; the stage has the first of each.
        return (*cls.key, "valid_from") if cls.strategy == "scd2" else cls.key

    def _audit(self, stage: Stage) -> None:
        if self.strategy in ("partition", "scd2"):
            stage.audit([self.unique_key(), stage.key], filled=self.key)
        else:
            stage.audit([self._key(stage), stage.key], whole=self.strategy == "replace")

    def _fill(
        self,
        db: warehouse.Engine,
        stage: Stage,
        select: str,
        receipt: control.Receipt,
        extract: ManifestTarget | None,
        manifest: Manifest | None,
        progress: Progress,
    ) -> int:
        if extract and manifest:
            if not select:
                return fill_from_manifest(db, stage, self.key, extract, manifest, progress)
            land(db, stage, extract, manifest, progress)
        if not select:
            raise ConfigError(f"{type(self).__name__}: has neither an extract nor `sql` to load from")
        add_members(db, select, receipt)
        return fill_from_tables(db, stage, select, self.key)

    def _receipt(
        self, db: warehouse.Engine, extract: ManifestTarget | None, manifest: Manifest | None
    ) -> control.Receipt:
        receipt = control.Receipt(self.task_key(), self.target, self.date, run_id(), code_version())
        receipt.inputs = control.loads_of(db, [task.task_key() for task in self.deps() if isinstance(task, BaseLoader)])
        if extract and manifest:
            receipt.manifest, receipt.manifest_sha256 = extract.url, hashlib.sha256(manifest.to_json()).hexdigest()
            receipt.rows_read = manifest.findings["counted"]
            receipt.rows_written, receipt.bytes = manifest.rows, manifest.size
            receipt.rows_rejected = manifest.rows_rejected
            receipt.fingerprint = manifest.fingerprint
        return receipt

    def _check_receipt(self, receipt: control.Receipt, shaped: bool) -> None:
        """Raise DataError for a row that is neither staged nor put aside; only a SELECT may filter and multiply."""
        settled = (receipt.rows_written or 0) + receipt.rows_rejected
        if receipt.rows_read not in (None, settled):
            raise DataError(
                f"{self.target}: its source counted {receipt.rows_read} rows, {receipt.rows_written} were written and "
                f"{receipt.rows_rejected} put aside; nothing was published, delete the manifest and extract again"
            )
        if receipt.rows_written not in (None, receipt.rows_staged) and not shaped:
            raise DataError(
                f"{self.target}: {receipt.rows_written} rows were written and {receipt.rows_staged} staged, because "
                f"rows in the table share a key ({', '.join(self.key)}); delete those that should not be there, "
                f"nothing was published"
            )

    def _record(
        self,
        db: warehouse.Engine,
        receipt: control.Receipt,
        counts: Counts,
        extract: ManifestTarget | None,
        manifest: Manifest | None,
        began: float,
    ) -> None:
        receipt.rows_inserted, receipt.rows_updated = counts.inserted, counts.updated
        receipt.rows_deleted, receipt.rows_after = counts.deleted, counts.after
        receipt.seconds = round(time.monotonic() - began, 3)
        findings = manifest.findings if manifest else {"losses": [], "files": []}
        reader = extract.folder.partition("/")[0] if extract else ""
        control.record(db, receipt, findings["losses"], findings["files"], reader)
        if extract:
            control.expect(db, extract.url, self._consumers_of_the_extract())

    def _tidy(self, db: warehouse.Engine, counts: Counts | None) -> None:
        """What a committed load does for its successors; it is done, so what fails here is a warning."""
        try:
            if counts is None or _TENTHS * (counts.inserted + counts.updated + counts.deleted) > counts.after:
                db.analyze(self.schema, self.table)
            sweep(db)
        except WarehouseError as error:
            logger.warning(f"{self.target}: loaded, but: {error}")

    def _key(self, stage: Stage) -> tuple[str, ...]:
        return self.key or stage.key

    def _keeps_the_old(self, stage: Stage, receipt: control.Receipt) -> bool:
        """Whether a whole table that became empty leaves the old rows standing; DataError where that is no choice."""
        if receipt.rows_staged or stage.first or self.strategy != "replace" or self.on_empty == "replace":
            return False
        had = stage.rows_of_the_target()
        if had and self.on_empty == "fail":
            gave = f"all {receipt.rows_rejected} rows of the source were put aside" if receipt.rows_rejected else ""
            raise DataError(
                f"{self.target}: {gave or 'the source gave 0 rows'} and the table has {had}; if that is right, set "
                f"on_empty = 'replace' (empty the table) or 'keep' (leave it) on {type(self).__name__}"
            )
        return bool(had)

    def _extract(self) -> ManifestTarget | None:
        targets = [target for target in luigi.task.flatten(self.input()) if isinstance(target, ManifestTarget)]
        if len(targets) > 1:
            raise ConfigError(f"{type(self).__name__}: requires {len(targets)} extracts; a load takes one")
        return targets[0] if targets else None

    def _consumers_of_the_extract(self) -> set[str]:
        extracts = [task.task_key() for task in self.deps() if isinstance(task, BaseExtractor)]
        return {consumer for key in extracts for consumer in _consumers[key]} | {self.task_key()}

    def _settle(self, db: warehouse.Engine) -> None:
        """After a COMMIT without an answer, the marker says what became of it."""
        db.reconnect()
        with db.locked(self.target):
            drop_stages(db, self.target)
            if not control.is_loaded(db, self.task_key()):
                raise WarehouseLost(
                    f"{self.target}: the connection was lost during COMMIT, and nothing was published; run again"
                )

    def _check_disk(self, db: warehouse.Engine, stage: Stage, manifest: Manifest | None) -> None:
        free = db.free_disk()
        if free is None:
            return
        there = stage.there.size if stage.there else 0
        whole = 2 * there if self.strategy == "replace" else 0
        needed = _SPARE_BYTES + whole + _INFLATION * (manifest.size if manifest else 0)
        if free < needed:
            raise WarehouseError(
                f"{self.target}: about {needed >> 20} MiB of disk are needed to load it, {free >> 20} MiB are free "
                f"at the warehouse; free some space, then run again"
            )


def _task(cls: Callable[..., BaseLoader], parameters: Any) -> BaseLoader:
    """A task of `bulk_complete`'s; luigi's ranges give the class as a partial, with parameters of its own."""
    if isinstance(parameters, dict):
        return cls(**parameters)
    return cls(*parameters) if isinstance(parameters, list | tuple) else cls(date=parameters)

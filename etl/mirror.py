"""MirrorTable: a MySQL table copied as it is into raw.<table>, so that production is read once and lightly."""

import dataclasses
import datetime
import functools
import logging

import luigi

from etl import warehouse
from etl.declaration import ON_EMPTY
from etl.drift import settle
from etl.errors import ConfigError, DataError
from etl.findings import Window
from etl.increment import DELETES, MOST_DELETED, ExtractChanges
from etl.load import BaseLoader
from etl.manifest import Manifest
from etl.manifest_parts import ManifestParts
from etl.run import run_id
from etl.sources import mysql_catalogue
from etl.sources.mysql import ExtractTable
from etl.staging import types
from etl.warehouse import control, quarantine, watermarks
from etl.warehouse.definition import Definition
from etl.warehouse.gone import remove
from etl.warehouse.names import literal, plain, quote
from etl.warehouse.stage import Counts, Stage, same_key
from etl.warehouse.watermarks import DELETED_AT, LOADED_AT, Watermark

logger = logging.getLogger("luigi-interface.etl")


def _of_ours(db: warehouse.Engine, name: str) -> str:
    """The type of a column that the mirror keeps for itself."""
    # In the order in which Redshift's ADD COLUMN is documented.
    return f"TIMESTAMPTZ DEFAULT {db.default_now} NOT NULL" if name == LOADED_AT else "TIMESTAMPTZ"


class MirrorTable(BaseLoader):
    """`raw.<table>` equals the MySQL table as it was in one snapshot; its definition is derived from the source's.

    A column that the source has gained is added last, nullable. A table that became empty fails unless `on_empty` says
    otherwise: for one night by `etl run MirrorTable --table venues --date … --on-empty replace`.

    With `changed`, the column that says when a row changed, only rows that are new by it are read. What the source
    deletes stays then, unless `deletes` says hard, which deletes it too, or soft, which says in `deleted_at` when that
    was noticed. `loaded_at` is when the warehouse wrote a row last.
    """

    schema = "raw"
    table = luigi.Parameter(description="a table of the MySQL database")  # type: ignore[assignment]
    changed = luigi.Parameter(default="", description="the DATETIME or TIMESTAMP column that says when a row changed")
    deletes = luigi.ChoiceParameter(
        default="keep", choices=DELETES, description="what becomes of a row that the source has no more"
    )

    # Not significant: how a night was let through does not make it another night.
    on_empty = luigi.ChoiceParameter(default="fail", choices=ON_EMPTY, significant=False)  # type: ignore[assignment]
    most_deleted = luigi.IntParameter(
        default=MOST_DELETED, significant=False, description="percent of the rows that may be deleted in one night"
    )

    def requires(self) -> ExtractTable:
        if not self.changed:
            return ExtractTable(table=self.table, date=self.date)
        return ExtractChanges(
            table=self.table,
            changed=self.changed,
            deletes=self.deletes,
            most_deleted=self.most_deleted,
            date=self.date,
        )

    def deps(self) -> list[luigi.Task]:
        """Asked of every mirror that is not done while luigi plans, which is before it forks."""
        mysql_catalogue.read_ahead()
        return super().deps()

    @property
    def strategy(self) -> str:  # type: ignore[override]
        return "upsert" if self.changed else "replace"

    @functools.cached_property  # type: ignore[misc]
    def key(self) -> tuple[str, ...]:  # type: ignore[override]
        """The source's own, by which rows that have changed take the place of the old ones."""
        extract = self._extract() if self.changed else None
        return tuple(extract.manifest().findings["key"]) if extract else ()

    def _definition(self, db: warehouse.Engine, manifest: Manifest | None) -> Definition:
        assert manifest is not None and manifest.columns is not None
        if self.deletes != "keep" and not self.changed:
            raise ConfigError(
                f"{self.target}: deletes = {self.deletes!r} is for a table with `changed`; without it the mirror is "
                f"the whole table, and what the source has deleted is deleted"
            )
        columns = types(db, manifest.columns, manifest)
        key = manifest.findings["key"]
        listed = [f"{quote(name)} {kind}" for name, kind in columns.items()]
        listed += [f"{name} {_of_ours(db, name)}" for name in self._ours]
        if key:
            listed.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
        # Also those of a table that was read by its changes once, and is read whole now.
        ours = [name for name in (LOADED_AT, DELETED_AT) if name not in columns]
        older = self._is_older(control.standing(db, self.target), manifest)
        drift = settle(db, self.schema, plain(self.table), columns, key, managed=ours, outdated=older)
        self._add_ours(db)
        return Definition(
            self.schema,
            self.table,
            f"({', '.join(listed)})",
            hints=db.hints_for(self._indexed),
            optional=(*drift.removed, *ours),
            stamps=tuple(name for name in ours if name == LOADED_AT),
        )

    @property
    def _ours(self) -> tuple[str, ...]:
        if not self.changed:
            return ()
        return (LOADED_AT, DELETED_AT) if self.deletes == "soft" else (LOADED_AT,)

    @property
    def _indexed(self) -> tuple[str, ...]:
        """What is asked for each night: of the rows of one day, in a table of many years."""
        return (LOADED_AT, quote(self.changed)) if self.changed else ()

    def _add_ours(self, db: warehouse.Engine) -> None:
        """What a table that was mirrored whole lacks when it is read by its changes for the first time."""
        there = db.columns(self.schema, self.table)
        if missing := [column for column in self._ours if there and column not in there]:
            db.alter(
                self.schema, self.table, [(f"ADD COLUMN {column} {_of_ours(db, column)}", ()) for column in missing]
            )
        if LOADED_AT in missing:
            db.add_indexes(self.schema, self.table, self._indexed)

    def _publish(
        self,
        db: warehouse.Engine,
        stage: Stage,
        standing: control.Standing,
        manifest: Manifest | None,
        older: bool,
    ) -> Counts:
        window = manifest.window if manifest else None
        if stage.first:
            watermarks.forget(db, self.target)
        if manifest is None or window is None:
            return super()._publish(db, stage, standing, manifest, older)
        if older and not stage.first:
            return self._outdated(db, stage, standing, manifest)
        was = None if stage.first else watermarks.read(db, self.target)
        if was and was.column != window.column:
            was = None
        self._check_gap(window, was)
        high = self._high_water(db, stage, window, was)
        quarantine.release(db, stage, self.key, manifest.rows_rejected)
        says_deleted = DELETED_AT in stage.columns and DELETED_AT not in (manifest.columns or ())
        back = self._back(db, stage) if says_deleted and not stage.first else 0
        counts = super()._publish(db, stage, standing, manifest, older)
        gone = 0 if stage.first else self._remove(db, stage, manifest)
        counts = Counts(counts.inserted + back, counts.updated - back, counts.deleted + gone, counts.after - gone)
        alive = f"{DELETED_AT} IS NULL" if says_deleted else "1 = 1"
        if says_deleted:
            counts = dataclasses.replace(counts, after=self._count(db, alive))
        if high:
            verified = was.verified_through if was else None
            if self._agrees(db, window, manifest, alive):
                verified = high
            watermarks.write(db, self.target, Watermark(window.column, high, verified), run_id())
        return counts

    def _outdated(self, db: warehouse.Engine, stage: Stage, standing: control.Standing, manifest: Manifest) -> Counts:
        """An extract of changes that is older than the table brings nothing: a later one has read all that it has."""
        if manifest.rejected:
            db.execute(f"DELETE FROM {stage.held}")
        logger.warning(
            "%s: holds what was read at %s; the extract of %s, read at %s, is older and was not published",
            self.target,
            standing.extracted_at,
            self.date,
            manifest.started,
        )
        return Counts(after=standing.rows or 0)

    def _check_gap(self, window: Window, was: Watermark | None) -> None:
        """DataError for rows that neither this extract has read nor one before it."""
        if window.low is None or (was and _time(window.low) <= was.high_water):
            return
        there = f"the table has what changed up to {was.high_water}" if was else "the table has nothing of it"
        raise DataError(
            f"{self.target}: the extract has read what changed from {window.low} on, and {there}; nothing was "
            f"published, delete its manifest and extract again"
        )

    def _high_water(
        self, db: warehouse.Engine, stage: Stage, window: Window, was: Watermark | None
    ) -> datetime.datetime | None:
        """Up to when all changes are there: the latest, but no later than the source's clock, and never back."""
        ((latest,),) = db.query(f"SELECT CAST(MAX({quote(window.column)}) AS TIMESTAMP) FROM {stage.name}")
        known = [min(latest, _time(window.guard))] if latest else []
        return max([*known, *([was.high_water] if was else [])], default=None)

    def _remove(self, db: warehouse.Engine, stage: Stage, manifest: Manifest) -> int:
        """Rows that are gone from the source, and earlier versions of those that are in quarantine now."""
        extract = self._extract()
        removed = quarantine.evict(db, stage, self.key) if manifest.rejected else 0
        if manifest.gone and extract:
            parts = ManifestParts(extract, manifest, "gone")
            removed += remove(db, stage, self.key, parts, manifest.rows_gone, soft=self.deletes == "soft")
        return removed

    def _back(self, db: warehouse.Engine, stage: Stage) -> int:
        """How many rows of the stage the table has as deleted ones, which they are no more."""
        ((rows,),) = db.query(
            f"SELECT count(*) FROM {stage.name} s JOIN {stage.target} t ON {same_key('t', 's', self.key)} "
            f"WHERE t.{DELETED_AT} IS NOT NULL"
        )
        return int(rows)

    def _count(self, db: warehouse.Engine, condition: str) -> int:
        ((rows,),) = db.query(f"SELECT count(*) FROM {quote(self.schema)}.{quote(self.table)} WHERE {condition}")
        return int(rows)

    def _agrees(self, db: warehouse.Engine, window: Window, manifest: Manifest, alive: str) -> bool:
        """Whether the table has as many rows as the source had in the snapshot, since the last time they agreed."""
        column = quote(window.column)
        since = f"({column} >= {literal(window.since)} OR {column} IS NULL)" if window.since else "1 = 1"
        there = self._count(db, f"{since} AND {alive}")
        expected = window.rows - manifest.rows_rejected
        if there != expected:
            cure = "" if self.deletes != "keep" else "; deletes = 'soft' or 'hard' takes note of deleted rows"
            logger.warning(
                "%s: the source had %s rows %s, the table has %s; verified_through stays where it is, `etl compare %s` "
                "shows what differs%s",
                self.target,
                f"{expected:,}",
                f"whose {window.column} is {window.since} or later" if window.since else "in all",
                f"{there:,}",
                self.table,
                cure,
            )
        return there == expected


def _time(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)

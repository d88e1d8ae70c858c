"""Staging: rows come into a stage, from a manifest, from tables of the warehouse, or from both by a SELECT."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from etl.errors import DataError, EtlError
from etl.failpoint import failpoint
from etl.manifest import Manifest, ManifestTarget
from etl.progress import Progress
from etl.warehouse import Part, Postgres
from etl.warehouse.stage import Stage


def fill_from_tables(db: Postgres, stage: Stage, select: str, key: Sequence[str]) -> int:
    """Fill the stage with what `select` yields; the number of its rows."""
    with _named(stage):
        offered = [name for name, _ in db.columns_of(select)]
    stage.accept(offered, "its SELECT")
    with _named(stage):
        return stage.fill(select, offered, key)


def land(db: Postgres, stage: Stage, extract: ManifestTarget, manifest: Manifest, progress: Progress) -> None:
    """COPY a manifest's rows beside the stage, in the types that it names, to be shaped there."""
    columns = manifest.columns or _in_the_tables_order(stage, extract, manifest)
    db.land(stage.landing, dict(zip(columns, manifest.types or ["TEXT"] * len(columns), strict=True)))
    _copy(db, stage, stage.landing, columns, extract, manifest, progress)


def fill_from_manifest(
    db: Postgres, stage: Stage, key: Sequence[str], extract: ManifestTarget, manifest: Manifest, progress: Progress
) -> int:
    """Fill the stage with a manifest's rows as they are; the number of rows staged.

    DataError when COPY takes another number of rows than the manifest lists. Rows go straight into the stage,
    unless they are to be numbered: then they land beside it first.
    """
    columns = manifest.columns or _in_the_tables_order(stage, extract, manifest)
    stage.accept(columns, f"the manifest {extract.url}")
    if stage.surrogate is None:
        stage.rows = _copy(db, stage, stage.name, columns, extract, manifest, progress)
        return stage.rows
    db.land(stage.landing, {name: stage.columns[name] for name in columns})
    _copy(db, stage, stage.landing, columns, extract, manifest, progress)
    return stage.fill(f"SELECT * FROM {stage.landing}", columns, key)


def _in_the_tables_order(stage: Stage, extract: ManifestTarget, manifest: Manifest) -> tuple[str, ...]:
    """The columns of an extract that names none: the table's own, and as many."""
    if manifest.width != len(stage.columns) and manifest.rows:
        raise DataError(
            f"{stage.definition.name}: the table has {len(stage.columns)} columns, the rows of {extract.url} have "
            f"{manifest.width}; write them in the table's order: {', '.join(stage.columns)}"
        )
    return tuple(stage.columns)


def land_rejected(db: Postgres, stage: Stage, extract: ManifestTarget, manifest: Manifest) -> None:
    """COPY the rows that are not to be loaded beside the stage; DataError where COPY counts otherwise."""
    if not manifest.rejected:
        return
    columns = ("source_key", "column_name", "reason", "source_row")
    parts = _opened(extract, manifest, manifest.rejected)
    with _named(stage):
        db.land(stage.held, dict.fromkeys(columns, "TEXT"))
        rows = db.copy(stage.held, columns, parts, manifest.null, lambda _: None)
    if rows != manifest.rows_rejected:
        raise DataError(
            f"{stage.definition.name}: COPY took {rows} rejected rows of {extract.url}, which lists "
            f"{manifest.rows_rejected}"
        )


def _copy(
    db: Postgres,
    stage: Stage,
    table: str,
    columns: Sequence[str],
    extract: ManifestTarget,
    manifest: Manifest,
    progress: Progress,
) -> int:
    with _named(stage):
        rows = db.copy(table, columns, _opened(extract, manifest, manifest.parts), manifest.null, progress.add)
    if rows != manifest.rows:
        raise DataError(f"{stage.definition.name}: COPY took {rows} rows of {extract.url}, which lists {manifest.rows}")
    failpoint("load.copied")
    return rows


def _opened(extract: ManifestTarget, manifest: Manifest, parts: Iterable[Any]) -> dict[str, Callable[[], Part]]:
    return {part.url: functools.partial(extract.open_part, part, manifest) for part in parts}


@contextlib.contextmanager
def _named(stage: Stage) -> Iterator[None]:
    """What the server or the lake refuses is said of the table that it was meant for."""
    try:
        yield
    except EtlError as error:
        raise type(error)(f"{stage.definition.name}: {error}") from None

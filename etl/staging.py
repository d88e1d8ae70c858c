"""Staging: rows come into a stage, from a manifest, from tables of the warehouse, or from both by a SELECT."""

import contextlib
from collections.abc import Iterator, Sequence

from etl.errors import DataError, EtlError
from etl.failpoint import failpoint
from etl.manifest import Manifest, ManifestTarget
from etl.manifest_parts import ManifestParts
from etl.progress import Progress
from etl.warehouse import Engine
from etl.warehouse.stage import Stage


def fill_from_tables(db: Engine, stage: Stage, select: str, key: Sequence[str]) -> int:
    """Fill the stage with what `select` yields; the number of its rows."""
    with _named(stage):
        offered = db.names_of(select)
    stage.accept(offered, "its SELECT")
    with _named(stage):
        return stage.fill(select, offered, key)


def land(db: Engine, stage: Stage, extract: ManifestTarget, manifest: Manifest, progress: Progress) -> None:
    """COPY a manifest's rows beside the stage, in the types that it names, to be shaped there."""
    columns = manifest.columns or _in_the_tables_order(stage, extract, manifest)
    db.land(stage.landing, types(db, columns, manifest))
    _copy(db, stage, stage.landing, columns, extract, manifest, progress)


def types(db: Engine, columns: Sequence[str], manifest: Manifest) -> dict[str, str]:
    """The types of a manifest's columns in this warehouse; DataError for one that it cannot have."""
    declared = manifest.types or ("TEXT",) * len(columns)
    bounds = manifest.bounds or ("",) * len(columns)
    found = {}
    for name, kind, bound in zip(columns, declared, bounds, strict=True):
        try:
            found[name] = db.type_of(kind, bound, name)
        except DataError as error:
            # A manifest that was written before any said them.
            again = "" if manifest.bounds else "; its extract says no bounds, so extract it again"
            raise DataError(f"{name}: {error}{again}") from None
    return found


def fill_from_manifest(
    db: Engine, stage: Stage, key: Sequence[str], extract: ManifestTarget, manifest: Manifest, progress: Progress
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


def land_rejected(db: Engine, stage: Stage, extract: ManifestTarget, manifest: Manifest) -> None:
    """COPY the rows that are not to be loaded beside the stage; DataError where COPY counts otherwise."""
    if not manifest.rejected:
        return
    columns = ("source_key", "column_name", "reason", "source_row")
    with _named(stage):
        db.land(stage.held, dict.fromkeys(columns, db.type_of("TEXT")))
        rows = db.copy(stage.held, columns, ManifestParts(extract, manifest, "rejected"), lambda _: None)
    if rows != manifest.rows_rejected:
        raise DataError(
            f"{stage.definition.name}: COPY took {rows} rejected rows of {extract.url}, which lists "
            f"{manifest.rows_rejected}"
        )


def _copy(
    db: Engine,
    stage: Stage,
    table: str,
    columns: Sequence[str],
    extract: ManifestTarget,
    manifest: Manifest,
    progress: Progress,
) -> int:
    with _named(stage):
        rows = db.copy(table, columns, ManifestParts(extract, manifest), progress.add) if manifest.parts else 0
    if rows != manifest.rows:
        raise DataError(f"{stage.definition.name}: COPY took {rows} rows of {extract.url}, which lists {manifest.rows}")
    failpoint("load.copied")
    return rows


@contextlib.contextmanager
def _named(stage: Stage) -> Iterator[None]:
    """What the server or the lake refuses is said of the table that it was meant for."""
    try:
        yield
    except EtlError as error:
        raise type(error)(f"{stage.definition.name}: {error}") from None

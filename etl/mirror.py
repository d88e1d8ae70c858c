"""MirrorTable: a MySQL table copied as it is into raw.<table>, so that production is read once and lightly."""

import luigi

from etl import warehouse
from etl.errors import DataError
from etl.load import ON_EMPTY, BaseLoader
from etl.manifest import Manifest
from etl.sources import mysql_catalogue
from etl.sources.mysql import ExtractTable
from etl.warehouse.definition import Definition
from etl.warehouse.names import plain, quote


class MirrorTable(BaseLoader):
    """raw.<table> equals the MySQL table as it was in one snapshot; its definition is derived from the source's.

    A column that the source has gained is added last, nullable. A table that became empty fails unless `on_empty` says
    otherwise: for one night by `etl run MirrorTable --table venues --date … --on-empty replace`.
    """

    schema = "raw"
    table = luigi.Parameter(description="a table of the MySQL database")  # type: ignore[assignment]

    # Not significant: how a night was let through does not make it another night.
    on_empty = luigi.ChoiceParameter(default="fail", choices=ON_EMPTY, significant=False)  # type: ignore[assignment]

    def requires(self) -> ExtractTable:
        return ExtractTable(table=self.table, date=self.date)

    def deps(self) -> list[luigi.Task]:
        """Asked of every mirror that is not done while luigi plans, which is before it forks."""
        mysql_catalogue.read_ahead()
        return super().deps()

    def _definition(self, db: warehouse.Postgres, manifest: Manifest | None) -> Definition:
        assert manifest is not None and manifest.columns is not None
        columns = dict(zip(manifest.columns, manifest.types, strict=True))
        key = manifest.findings["key"]
        listed = [f"{quote(name)} {kind}" for name, kind in columns.items()]
        if key:
            listed.append(f"PRIMARY KEY ({', '.join(map(quote, key))})")
        self._add_new_columns(db, columns)
        return Definition(self.schema, plain(self.table), f"({', '.join(listed)})")

    def _add_new_columns(self, db: warehouse.Postgres, columns: dict[str, str]) -> None:
        there = db.columns(self.schema, self.table)
        if gone := [name for name in there if name not in columns]:
            drops = ", ".join(f"DROP COLUMN {quote(name)}" for name in gone)
            raise DataError(
                f"{self.target}: the source has no column {', '.join(gone)} any more; "
                f"ALTER TABLE {self.target} {drops}, or bring it back"
            )
        for name in [name for name in columns if there and name not in there]:
            db.execute(f"ALTER TABLE {self.schema}.{quote(self.table)} ADD COLUMN {quote(name)} {columns[name]}")

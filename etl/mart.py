"""Mart: a table for people, computed from facts and dimensions inside the warehouse."""

from etl import warehouse
from etl.load import BaseLoader
from etl.manifest import Manifest
from etl.warehouse.definition import Definition, read_sql
from etl.warehouse.names import quote


class Mart(BaseLoader):
    """Publishes the SELECT in warehouse_sql/marts/<table>.sql as mart.<table>; only rows that differ are written.

    A subclass says `table`, `requires()`, and `key` where the rows have one. The columns and types are the SELECT's.
    """

    schema = "mart"
    on_empty = "replace"

    def _select(self, landing: str) -> str:
        return read_sql("marts", f"{self.table}.sql")

    def _definition(self, db: warehouse.Postgres, manifest: Manifest | None) -> Definition:
        listed = [f"{quote(name)} {kind}" for name, kind in db.columns_of(self._select(""))]
        key = [f"PRIMARY KEY ({', '.join(map(quote, self.key))})"] if self.key else []
        return Definition(self.schema, self.table, f"({', '.join(listed + key)})")

"""Mart: a table for people, computed from facts and dimensions inside the warehouse."""

from collections.abc import Mapping

from etl import warehouse
from etl.errors import DataError, WarehouseError
from etl.load import BaseLoader
from etl.manifest import Manifest
from etl.warehouse.definition import Definition, read_sql, sql_path
from etl.warehouse.names import quote
from etl.warehouse.table_file import head_comment, selected_comments


class Mart(BaseLoader):
    """Publishes the SELECT in warehouse_sql/marts/<table>.sql as mart.<table>; only rows that differ are written.

    A subclass says `table`, `requires()`, and `key` where the rows have one. The columns and types are the SELECT's.
    """

    schema = "mart"
    on_empty = "replace"

    def _select(self, landing: str) -> str:
        return read_sql("marts", f"{self.table}.sql")

    def _definition(self, db: warehouse.Engine, manifest: Manifest | None) -> Definition:
        self._check_columns(db, columns := self.columns(db))
        return self.defined_by(columns)

    @classmethod
    def columns(cls, db: warehouse.Engine) -> dict[str, str]:
        """Those of its SELECT, by name, with their types."""
        try:
            return db.columns_of(read_sql("marts", f"{cls.table}.sql"))
        except WarehouseError as error:
            raise WarehouseError(f"{cls.schema}.{cls.table}: {error}") from None

    @classmethod
    def defined_by(cls, columns: Mapping[str, str]) -> Definition:
        listed = [f"{quote(name)} {kind}" for name, kind in columns.items()]
        key = [f"PRIMARY KEY ({', '.join(map(quote, cls.key))})"] if cls.key else []
        text = sql_path("marts", f"{cls.table}.sql").read_text(encoding="utf-8")
        comments = {name: said for name, said in selected_comments(text).items() if name in columns}
        return Definition(
            cls.schema, cls.table, f"({', '.join(listed + key)})", comment=head_comment(text), comments=comments
        )

    def _check_columns(self, db: warehouse.Engine, columns: dict[str, str]) -> None:
        """A SELECT that was changed must not be cast into the table of the old one: that might round, or fail late."""
        there = db.columns(self.schema, self.table)
        actions = [f"DROP COLUMN {quote(name)}" for name in there if name not in columns]
        actions += [f"ADD COLUMN {quote(name)} {kind}" for name, kind in columns.items() if name not in there]
        changes = [db.altering(self.target, actions)] if actions else []
        changes += [
            db.retyping(self.schema, self.table, name, kind, "")
            for name, kind in columns.items()
            if there.get(name, kind) != kind
        ]
        if there and changes:
            raise DataError(
                f"{self.target}: its SELECT has other columns than the table; to follow it, {'; '.join(changes)}"
            )

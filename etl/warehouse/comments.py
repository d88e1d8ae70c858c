"""What the files say of tables and columns to people, written into the warehouse, where BI tools show it."""

from collections.abc import Collection
from dataclasses import dataclass

from etl.warehouse.definition import Definition
from etl.warehouse.engine import Engine
from etl.warehouse.names import literal, quote


@dataclass(frozen=True)
class Comment:
    """`text` is to stand on `what`, a table or a column; '' that nothing is to stand there."""

    what: str
    text: str

    @property
    def sql(self) -> str:
        """For people; it is run with its text as a value."""
        return f"COMMENT ON {self.what} IS {literal(self.text) if self.text else 'NULL'}"


def due(db: Engine, wanted: Definition, columns: Collection[str] | None = None) -> list[Comment]:
    """What differs from the files on a table; of one that is to be made, all that is said of `columns`."""
    there = {} if columns is not None else _there(db, wanted)
    listed = columns if columns is not None else db.columns(wanted.schema, wanted.table)
    said = {"": wanted.comment} | {name: wanted.comments.get(name, "") for name in listed}
    name = f"{quote(wanted.schema)}.{quote(wanted.table)}"
    return [
        Comment(f"COLUMN {name}.{quote(column)}" if column else f"TABLE {name}", text)
        for column, text in said.items()
        if text != there.get(column, "")
    ]


def write(db: Engine, comments: Collection[Comment]) -> None:
    """In one message."""
    if comments:
        statements = [f"COMMENT ON {one.what.replace('%', '%%')} IS %s" for one in comments]
        db.execute("; ".join(statements), [one.text or None for one in comments])


def _there(db: Engine, wanted: Definition) -> dict[str, str]:
    """By column, and of the table itself as ''."""
    # Descriptions of all kinds share their numbers; 1259 is pg_class's own, in every catalogue.
    found = db.query(
        "SELECT COALESCE(a.attname, ''), d.description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0 "
        "WHERE d.classoid = 1259 AND n.nspname = %s AND c.relname = %s",
        (wanted.schema, wanted.table),
    )
    return dict(found)  # type: ignore[arg-type]

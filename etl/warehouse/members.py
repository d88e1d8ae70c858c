"""Inferred members: facts that arrive before their dimension point at a row that holds their key and nothing else yet.

The load of the dimension overwrites such a row when the real one arrives; its number stays, and with it the facts.
"""

import re
from dataclasses import dataclass

from etl.errors import ConfigError, DataError
from etl.warehouse.engine import Engine
from etl.warehouse.names import quote


@dataclass(frozen=True)
class Inference:
    """Every value of `expression` in `source` is to be a member of schema.table, by that one's column `key`."""

    schema: str
    table: str
    key: str
    source: str
    expression: str

    @property
    def name(self) -> str:
        return f"{self.schema}.{self.table}"


def inferences(sql: str, where: str) -> list[Inference]:
    """What the comments of a load's SQL ask for: `-- infer: public.dim_user (user_id) from raw.sales (buyer_id)`."""
    found = []
    for said in re.findall(r"^--[ \t]*infer:[ \t]*(\S.*?)[ \t]*$", sql, re.MULTILINE):
        parsed = re.fullmatch(r"(\w+)\.(\w+)\s*\((\w+)\)\s+from\s+(\S+)\s*\((.+)\)", said)
        if not parsed:
            raise ConfigError(
                f"{where}: '-- infer: {said}': write schema.dimension (its key) from schema.table (column)"
            )
        found.append(Inference(*parsed.groups()))
    return found


def missing(db: Engine, wanted: Inference) -> bool:
    """Whether the dimension lacks a member; DataError where there is no such dimension."""
    there = db.table(wanted.schema, wanted.table)
    if there is None:
        raise DataError(f"{wanted.name}: is not there, and members are to be inferred in it; require its load")
    if "is_inferred" not in there.columns or len(there.key) != 1 or wanted.key not in there.columns:
        raise DataError(
            f"{wanted.name}: to infer members it needs the column {wanted.key}, a key of one column and is_inferred "
            f"BOOLEAN NOT NULL DEFAULT FALSE"
        )
    return bool(db.query(f"SELECT 1 FROM ({_unknown(wanted, there.columns[wanted.key])}) q LIMIT 1"))


def infer(db: Engine, wanted: Inference) -> int:
    """Add the members that the dimension lacks; how many. Its lock is held, and a transaction is open."""
    there = db.table(wanted.schema, wanted.table)
    assert there is not None
    target, number = f"{quote(wanted.schema)}.{quote(wanted.table)}", quote(there.key[0])
    return db.execute(
        f"INSERT INTO {target} ({number}, {quote(wanted.key)}, is_inferred)\n"
        f"SELECT (SELECT COALESCE(MAX({number}), 0) FROM {target} WHERE {number} > 0) "
        f"+ ROW_NUMBER() OVER (ORDER BY q.member), q.member, TRUE\n"
        f"FROM ({_unknown(wanted, there.columns[wanted.key])}) q"
    )


def _unknown(wanted: Inference, kind: str) -> str:
    target = f"{quote(wanted.schema)}.{quote(wanted.table)}"
    # In a subquery of its own: below NOT EXISTS a name of the dimension would hide the source's.
    return (
        f"SELECT DISTINCT m.member FROM (SELECT CAST({wanted.expression} AS {kind}) AS member FROM {wanted.source}) m "
        f"WHERE m.member IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM {target} t WHERE t.{quote(wanted.key)} = m.member)"
    )

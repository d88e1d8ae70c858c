"""What a warehouse holds, in a form that does not depend on the engine, and what two of them hold differently."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from etl.testing import WarehouseDatabase

Value = str | None

# Which night it was, by whose clock, and where its files are: no two warehouses have that in common.
ITS_OWN = {
    "etl.loads": {"run_id", "loaded_at"},
    "etl.receipts": {
        "run_id",
        "loaded_at",
        "seconds",
        "manifest",
        "manifest_sha256",
        "bytes",
        "inputs",
        "code_version",
    },
    "etl.losses": {"run_id", "loaded_at"},
    "etl.quarantine": {"run_id", "loaded_at"},
    "etl.files": {"run_id", "loaded_at"},
    "etl.extracts": {"manifest", "swept_at"},
    "etl.watermarks": {"run_id", "extracted_at", "seen"},
    "etl.schema_changes": {"run_id", "noticed_at"},
    "etl.data_as_of": {"loaded_at"},
}

# A type of Postgres's, and what it is in Redshift where that is another name.
TYPES = {
    r"text|character varying": r"character varying\(\d+\)",
    # What has no bounds has those there that the source's type has, or the SELECT's.
    "numeric": r"numeric\(\d+,\d+\)",
}


@dataclass(frozen=True)
class Table:
    types: dict[str, str]
    key: tuple[str, ...]
    rows: list[tuple[Value, ...]]

    def column(self, name: str) -> list[Value]:
        place = list(self.types).index(name)
        return [row[place] for row in self.rows]


@dataclass(frozen=True)
class Exempt:
    """A column that differs knowingly, perhaps in its type: its values are the same once `alike` has been at them."""

    reason: str
    alike: Callable[[str], str] = str


@dataclass
class Differences:
    """`wrong` is for a person to read; `needed` are the exemptions without which there would be more of it."""

    wrong: list[str] = field(default_factory=list)
    needed: set[str] = field(default_factory=set)


def dump(database: WarehouseDatabase) -> dict[str, Table]:
    """Every table with its rows as the server writes them; `schema.table` -> table."""
    found: dict[str, dict[str, str]] = {}
    for name, column, kind in database.query(
        "SELECT n.nspname || '.' || c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace "
        "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind = 'r' AND n.nspname IN ('raw', 'public', 'mart', 'etl') ORDER BY 1, a.attnum"
    ):
        if not name.startswith("etl.lock_") and column not in _own(name):
            found.setdefault(name, {})[column] = re.sub(r"^redshift\.\"?varchar\"?", "character varying", kind)
    keys: dict[str, tuple[str, ...]] = {
        name: tuple(columns)
        for name, columns in database.query(
            "SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text ORDER BY a.attname) FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) WHERE i.indisprimary GROUP BY 1"
        )
    }
    return {
        name: Table(types, keys.get(name, ()), _rows(database, name, types)) for name, types in sorted(found.items())
    }


def _own(table: str) -> Collection[str]:
    return ("loaded_at",) if table.startswith("raw.") else ITS_OWN.get(table, ())


def _rows(database: WarehouseDatabase, name: str, types: Mapping[str, str]) -> list[tuple[Value, ...]]:
    # When a row was found deleted is its own; that it was is not.
    asked = {"deleted_at": "(t.deleted_at IS NOT NULL)::text"} if name.startswith("raw.") else {}
    quoted = ", ".join(asked.get(column, f't."{column}"::text') for column in types)
    schema, _, table = name.partition(".")
    return database.query(f'SELECT {quoted} FROM "{schema}"."{table}" t')


def differences(
    postgres: Mapping[str, Table], redshift: Mapping[str, Table], exempt: Mapping[str, Exempt]
) -> Differences:
    """Compare all tables, column by column; rows are laid side by side by their key, or by all that they hold."""
    found = Differences()
    if set(postgres) != set(redshift):
        found.wrong.append(f"only one has {sorted(set(postgres) ^ set(redshift))}")
    for name in sorted(set(postgres) & set(redshift)):
        _compare(name, postgres[name], redshift[name], exempt, found)
    return found


def _compare(name: str, ours: Table, theirs: Table, exempt: Mapping[str, Exempt], found: Differences) -> None:
    if list(ours.types) != list(theirs.types):
        found.wrong.append(f"{name} has {', '.join(ours.types)} and {', '.join(theirs.types)}")
        return
    for column, kind in ours.types.items():
        if _same_type(kind, theirs.types[column]):
            continue
        if f"{name}.{column}" in exempt:
            found.needed.add(f"{name}.{column}")
        else:
            found.wrong.append(f"{name}.{column} is {kind} and {theirs.types[column]}")
    if len(ours.rows) != len(theirs.rows):
        found.wrong.append(f"{name} has {len(ours.rows)} rows and {len(theirs.rows)}")
    by = list(ours.key) or [column for column in ours.types if f"{name}.{column}" not in exempt]
    one, other = _sorted(ours, by), _sorted(theirs, by)
    for column in ours.types:
        mine, yours = one.column(column), other.column(column)
        if _hash(mine) == _hash(yours):
            continue
        said = exempt.get(f"{name}.{column}")
        if said and [v and said.alike(v) for v in mine] == [v and said.alike(v) for v in yours]:
            found.needed.add(f"{name}.{column}")
            continue
        # The key too can differ, and then rows are missing on either side.
        places = [place for place, (a, b) in enumerate(zip(mine, yours, strict=False)) if a != b]
        example = _example(one, other, places[0]) if places else "one has more rows"
        found.wrong.append(f"{name}.{column}: {len(places)} of {len(mine)} values differ, first {example}")


def _same_type(ours: str, theirs: str) -> bool:
    return ours == theirs or any(
        re.fullmatch(one, ours) and re.fullmatch(other, theirs) for one, other in TYPES.items()
    )


def _sorted(table: Table, by: Sequence[str]) -> Table:
    places = [list(table.types).index(name) for name in by]
    rows = sorted(table.rows, key=lambda row: [(row[place] is not None, row[place] or "") for place in places])
    return Table(table.types, table.key, rows)


def _hash(values: Sequence[Value]) -> str:
    digest = hashlib.sha256()
    for value in values:
        digest.update(b"-" if value is None else b"+%d:%s" % (len(value), value.encode()))
    return digest.hexdigest()


def _example(one: Table, other: Table, place: int) -> str:
    mine, yours = one.rows[place], other.rows[place]
    differing = [
        f"{name} {a!r:.100} and {b!r:.100}" for name, a, b in zip(one.types, mine, yours, strict=True) if a != b
    ]
    shared = [f"{name} {a!r:.60}" for name, a, b in zip(one.types, mine, yours, strict=True) if a == b][:4]
    return f"{', '.join(differing)} (where {', '.join(shared)})"

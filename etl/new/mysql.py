"""A table of [mysql] url, as its catalogue describes it, in: a dimension or a fact out. No row is read."""

import difflib
import re
from dataclasses import dataclass, replace
from typing import Any

from etl.errors import ConfigError, DataError
from etl.new.examples import Example, example
from etl.new.names import LONGEST, column_name, is_plain, quoted, slug
from etl.new.proposal import FACT, Column, Proposal, Titles, Wishes, key_column, ordinary
from etl.new.text import drawn, escaped, literal, one_line
from etl.sources import mysql_catalogue, mysql_types
from etl.sources.mysql_connection import address, connected, explained
from etl.sources.mysql_types import INTEGERS
from etl.warehouse.redshift_types import type_of

_DESCRIBED = """
SELECT COLUMN_NAME, COLUMN_TYPE, COLUMN_COMMENT, EXTRA FROM information_schema.COLUMNS
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
UNION ALL
SELECT NULL, TABLE_TYPE, TABLE_COMMENT, NULL FROM information_schema.TABLES
 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s
"""
# By the server's own guess at its rows: a table for which a whole read each night is too long.
_BIG = 200_000
_CHANGED = re.compile(r"(last_)?(updated|modified|changed)(_(at|on|time))?|(last_)?(update|change|modify)_?(time|date)")
_YES_OR_NO = re.compile(r"(is|has|can|was)_\w+")


@dataclass(frozen=True)
class _Table:
    """`columns` by name, as the catalogue has them; `declared`, `comments` and `extras` as CREATE TABLE writes them."""

    name: str
    database: str
    comment: str
    is_view: bool
    rows: int
    columns: list[mysql_types.Column]
    declared: dict[str, str]
    comments: dict[str, str]
    extras: dict[str, str]


def look(name: str, wishes: Wishes) -> Proposal:
    """ConfigError for a table that is not there, has no key, or has what no warehouse holds."""
    table = _read(name)
    titles = Titles.of(name, wishes, "dimension")
    members = _key(table, wishes)
    unread = [column.name for column in table.columns if _kind(column) is None]
    mirrored = is_plain(name) and not unread
    alias = slug(name)[0]
    taken = [f"{titles.member}_key"]
    columns: list[Column] = []
    examples: list[tuple[mysql_types.Column, Example]] = []
    renamed: list[str] = []
    for column in sorted(table.columns, key=lambda column: column.key or 1000):
        proposed, made = _column(table, column, titles, f"{alias}.{quoted(column.name)}", members, taken)
        taken.append(proposed.name)
        if not column.key and proposed.name != column.name:
            renamed.append(f"{column.name} is {proposed.name}")
        columns.append(proposed)
        examples.append((column, made))
    key = tuple(column.name for column in columns[: len(members)])
    extract, imports, requires = _mirror(name) if mirrored else _extract(name, titles, unread)
    return Proposal(
        source=f"{table.database}.{name}",
        titles=titles,
        columns=columns,
        key=key,
        strategy="scd1" if titles.shape != FACT else "replace",
        about=one_line(table.comment) or f"{slug(name).replace('_', ' ').capitalize()}, from MySQL.",
        rows_of=f"raw.{quoted(name)} {alias}" if mirrored else f"{{stage}} {alias}",
        imports=imports,
        requires=requires,
        extract=extract,
        fixtures="warehouse, mysql, lake",
        test_imports=["insert"],
        setup=_setup(table, name, members, examples),
        notes=_notes(table, titles, columns, renamed, mirrored, unread),
        primary=key if titles.shape == FACT else (),
    )


def _read(name: str) -> _Table:
    to = address()
    with connected(to) as connection, explained(to, f"{to.database}.{name}"):
        mysql_catalogue.forget()
        tables = mysql_catalogue.catalogue(connection)
        if name not in tables:
            raise ConfigError(_not_there(name, list(tables), str(to)))
        described = _described(connection, name)
    (kind, comment), *_ = [(kind, comment) for column, kind, comment, _ in described if column is None]
    is_view = "VIEW" in kind
    own = {column: (declared, said, extra) for column, declared, said, extra in described if column is not None}
    return _Table(
        name,
        to.database,
        "" if is_view else comment,
        is_view,
        tables.rows.get(name, 0),
        tables[name],
        {column: declared for column, (declared, _, _) in own.items()},
        {column: one_line(said) for column, (_, said, _) in own.items()},
        {column: extra.lower() for column, (_, _, extra) in own.items()},
    )


def _described(connection: Any, name: str) -> list[tuple[str, str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_DESCRIBED, (name, name))
        return [tuple(v if v is None else v.decode() for v in row) for row in cursor.fetchall()]  # type: ignore[misc]


def _not_there(name: str, tables: list[str], where: str) -> str:
    folded = {table.casefold(): table for table in tables}
    near = [folded[found] for found in difflib.get_close_matches(name.casefold(), folded, cutoff=0.5)]
    listed = near or sorted(tables)[:10]
    return (
        f"{name}: no such table that {where} may read; near it: {', '.join(listed) or 'none at all'}. Correct the "
        f"name, or GRANT SELECT on it to that user at MySQL"
    )


def _key(table: _Table, wishes: Wishes) -> list[str]:
    names = [column.name for column in table.columns]
    if strange := [name for name in wishes.key if name not in names]:
        raise ConfigError(f"--key {strange[0]}: {table.name} has no such column; it has {', '.join(names)}")
    if too_long := [name for name in names if len(name.encode()) > LONGEST]:
        raise ConfigError(f"{table.name}.{too_long[0]}: a name of the warehouse has {LONGEST} bytes at most; rename it")
    if braced := [name for name in names if re.search(r"\{(stage|timezone|date_key|since [^}]*)\}", name)]:
        raise ConfigError(f"{table.name}.{braced[0]}: a load's SQL takes that for its own; rename it, or read a view")
    members = list(wishes.key) or [column.name for column in mysql_catalogue.key(table.columns)]
    if not members:
        lacks = "is a view, which has no key" if table.is_view else "has no primary key, nor a unique one without NULLs"
        raise ConfigError(
            f"{table.name}: {lacks}; say which columns tell its rows apart, such as --key {names[0]}. It has "
            f"{', '.join(names)}"
        )
    table.columns[:] = [
        replace(column, key=members.index(column.name) + 1 if column.name in members else 0) for column in table.columns
    ]
    return members


def _kind(column: mysql_types.Column) -> str | None:
    """The type of the column in a table of ours; None where MySQL's has no place in a warehouse but as text."""
    try:
        reading = column.reading
        return type_of(reading.warehouse_type, reading.bound, column.name).replace("NUMERIC", "DECIMAL")
    except DataError:
        return None


def _column(
    table: _Table,
    column: mysql_types.Column,
    titles: Titles,
    expression: str,
    members: list[str],
    taken: list[str],
) -> tuple[Column, Example]:
    declared = table.declared[column.name]
    kind = _kind(column) or "VARCHAR(65535)"
    comment = table.comments[column.name]
    made = example(column, declared)
    found = " ".join(word for word in (declared, "key" if column.key else "", _generated(table, column.name)) if word)
    if kind == "TIMESTAMPTZ":
        kind, expression, comment = "TIMESTAMP", f"{expression} AT TIME ZONE 'UTC'", comment or "UTC"
    if column.data_type == "time":
        comment = comment or "seconds"
    if declared.lower().startswith("tinyint(1)") and _YES_OR_NO.fullmatch(slug(column.name)):
        kind, expression = "BOOLEAN", f"{expression} <> 0"
        made = replace(made, shown=made.shown and ("true", made.shown[1] and "true"))
    if column.key:
        if members == [column.name] and slug(column.name) in ("id", "uuid", "guid", "code", "no", "number", "key"):
            name = column_name(f"{titles.member}_{column.name}", titles.member, taken)
        else:
            name = column_name(column.name, titles.member, taken)
        if column.data_type in INTEGERS and not kind.startswith("DECIMAL"):
            kind = "BIGINT"
        comment = comment or f"{table.name}.{column.name} at MySQL"
        return key_column(name, kind, expression, found, titles, comment=comment, shown=made.shown), made
    name = column_name(column.name, titles.member, taken)
    # A date may be one that no calendar has, and a long text longer than a warehouse's: those become NULL.
    certain = column.data_type not in (
        "date",
        "datetime",
        "timestamp",
        "year",
        "mediumtext",
        "longtext",
        "text",
        "json",
    )
    required = not column.nullable and certain and not table.is_view
    return ordinary(name, kind, expression, found, titles, required, comment, made.shown), made


def _generated(table: _Table, column: str) -> str:
    return "generated" if "generated" in table.extras[column] or "virtual" in table.extras[column] else ""


def _mirror(name: str) -> tuple[str, list[str], str]:
    return (
        "",
        ["from etl.load import BaseLoader", "from etl.mirror import MirrorTable"],
        f"MirrorTable(table={literal(name)}, date=self.date)",
    )


def _extract(name: str, titles: Titles, unread: list[str]) -> tuple[str, list[str], str]:
    """A class of its own, for a name that no table of the warehouse can have, or a type that it does not."""
    lines = [f"class {titles.extract}(MySQLExtractor):", f"    table = {literal(name)}"]
    if unread:
        said = ", ".join(f'{literal(column)}: "text"' for column in unread)
        lines.append(f"    read_as = {{{said}}}")
    imports = ["from etl.load import BaseLoader", "from etl.sources.mysql import MySQLExtractor"]
    return "\n".join(lines), imports, ""


def _setup(table: _Table, name: str, members: list[str], examples: list[tuple[mysql_types.Column, Example]]) -> str:
    lines = []
    for column, made in sorted(examples, key=lambda pair: list(table.declared).index(pair[0].name)):
        declared = table.declared[column.name]
        charset = f" CHARACTER SET {column.charset}" if column.charset not in (None, "utf8mb4") else ""
        null = "NULL" if (column.nullable and not column.key) or made.texts is None else "NOT NULL"
        lines.append(f"            {mysql_types.quoted(column.name)} {declared}{charset} {null}")
    lines.append(f"            PRIMARY KEY ({', '.join(map(mysql_types.quoted, members))})")
    create = "\n".join([f"        CREATE TABLE {mysql_types.quoted(name)} (", ",\n".join(lines), "        )"])
    filled = [(column.name, made.texts) for column, made in examples if made.texts is not None]
    rows = list(zip(*(texts for _, texts in filled), strict=True))
    inserted = drawn("insert", "mysql", mysql_types.quoted(name), [name for name, _ in filled], rows)
    return f'    mysql.execute("""\n{escaped(create)}\n    """)\n{inserted.rstrip()}'


def _notes(
    table: _Table, titles: Titles, columns: list[Column], renamed: list[str], mirrored: bool, unread: list[str]
) -> list[str]:
    notes = []
    if renamed:
        notes.append(f"Renamed, since their names need quotes in SQL or are taken: {', '.join(renamed)}.")
    if hexed := [column.name for column in table.columns if column.data_type in mysql_types.BYTES]:
        notes.append(f"Bytes, written as hexadecimal digits: {', '.join(hexed)}.")
    if not mirrored and not unread:
        notes.append(f"{table.name} cannot be the name of a raw table, so it is loaded from its extract, without raw.")
    if unread:
        notes.append(f"Read as text, for want of a type that both warehouses have: {', '.join(unread)}.")
    changed = [
        column.name
        for column in table.columns
        if column.data_type in ("datetime", "timestamp")
        and (_CHANGED.fullmatch(slug(column.name)) or "on update" in table.extras[column.name])
    ]
    if changed and mirrored and table.rows >= _BIG:
        notes.append(
            f"About {table.rows:,} rows: to read only what has changed, write MirrorTable(table={literal(table.name)}, "
            f'changed={literal(changed[0])}, deletes="hard", date=self.date).'
        )
    if any(column.expression.startswith("COALESCE") for column in columns):
        notes.append("Text of up to 100 characters that is NULL there is 'unknown' here, so that one can group by it.")
    return notes

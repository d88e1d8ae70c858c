"""Drawn tables: a table as text before a load, the expectation as text after, and the database's answer between."""

Row = tuple[str | None, ...]


def rows(text: str) -> tuple[list[str], list[Row]]:
    """Columns and rows of a drawing: a header, then a row a line, fields between bars. NULL is None, '' is empty."""
    lines = [[field.strip() for field in line.split("|")] for line in text.strip().splitlines()]
    values = [tuple({"NULL": None, "''": ""}.get(field, field) for field in line) for line in lines[1:]]
    return lines[0], values


def insert(warehouse, table: str, text: str) -> None:
    """Add the drawn rows to a table, as superuser: what somebody did by hand."""
    columns, values = rows(text)
    for row in values:
        said = ", ".join("NULL" if value is None else f"$_${value}$_$" for value in row)
        warehouse.query(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({said})")


def shows(warehouse, table: str, text: str) -> None:
    """Assert that the table's rows, in the database's own text form and in any order, are the drawn ones."""
    columns, expected = rows(text)
    listed = ", ".join(f'"{name}"::text' for name in columns)
    found = warehouse.query(f"SELECT {listed} FROM {table}")
    there, wanted = _drawing(columns, found), _drawing(columns, expected)
    assert there == wanted, f"{table} holds\n{there}\nand not\n{wanted}"


def _drawing(columns: list[str], values: list[Row]) -> str:
    body = sorted(" | ".join("NULL" if value is None else value or "''" for value in row) for row in values)
    return "\n".join([" | ".join(columns), *body])

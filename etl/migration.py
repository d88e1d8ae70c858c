"""etl migrate: the tables follow their files where nothing can be lost; for all else it says what to run."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from etl import config, initialise, wanted, warehouse
from etl.errors import ConfigError, EtlError, WarehouseError, WarehouseLost
from etl.run import run_id
from etl.warehouse import Engine, comments, control
from etl.warehouse.definition import Definition
from etl.warehouse.engine import Table
from etl.warehouse.names import quote
from etl.warehouse.table_file import columns as written


@dataclass(frozen=True)
class Change:
    """How a table differs from its file, and the statement that settles it; `by_hand` is what only a person runs.

    `change` is added, created, comment, grant; by hand renamed, removed, type, required, default, key.
    """

    table: str
    column: str
    change: str
    was: str | None
    became: str | None
    statement: str
    by_hand: bool = False

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Migration:
    """What was done, or would be, and what is left to people; `later` is what cannot be created yet."""

    done: list[Change] = field(default_factory=list)
    left: list[Change] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "done": [change.as_json() for change in self.done],
            "by_hand": [change.as_json() for change in self.left],
            "later": self.later,
        }


def migrate(dry_run: bool = False) -> Migration:
    """Settle what can be settled, as whoever owns the tables; nothing is touched in a dry run."""
    found = Migration()
    three = initialise.Three.from_settings() if config.owner_url() else None
    with closing(warehouse.loader("etl migrate")) as loader:
        if three is None:
            if loader.owner:
                raise ConfigError(
                    f"[warehouse] owner_url: not set, and {loader.owner} owns what people read; write its URL"
                )
            _follow(loader, [*control.definitions(loader), *wanted.files(loader), *_marts(loader)], found, dry_run)
            return found
        with closing(warehouse.owner("etl migrate")) as owner:
            if loader.owner != three.owner.name:
                raise ConfigError(f"schema etl is not {three.owner.name}'s; run `etl init` first")
            own = [one for one in wanted.files(owner) if one.schema not in initialise.LOADERS]
            _follow(owner, [*control.definitions(owner), *own, *_marts(loader)], found, dry_run)
            raw = [one for one in wanted.files(loader) if one.schema in initialise.LOADERS]
            _follow(loader, raw, found, dry_run)
    made = initialise.plan() if dry_run else initialise.furnish(three)
    # What is said of the columns that are there was settled above.
    found.done += [_of_step(step) for step in made.as_owner if step.known and step.kind != "comment"]
    found.later = made.later
    return found


def _marts(loader: Engine) -> Iterator[Definition]:
    """As their SELECTs are now; without those of which a table is not there yet."""
    for mart in wanted.marts():
        try:
            yield mart.defined_by(mart.columns(loader))
        except WarehouseLost:
            raise
        except WarehouseError:
            continue


def _of_step(step: initialise.Step) -> Change:
    change = {"table": "created", "schema": "created", "index": "created"}.get(step.kind, step.kind)
    return Change("", "", change, None, None, step.for_people)


def _follow(db: Engine, definitions: Sequence[Definition], found: Migration, dry_run: bool) -> None:
    for definition in definitions:
        there = db.table(definition.schema, definition.table)
        if there is None:
            continue
        changes = list(_differences(db, definition, there))
        added = [one for one in changes if not one.by_hand]
        if added and not dry_run:
            db.alter(
                definition.schema, definition.table, [(_action(one, definition), _notes(db, one)) for one in added]
            )
        due = comments.due(db, definition)
        if dry_run:
            new = comments.due(db, definition, [change.column for change in added])
            due += [one for one in new if one.text and one.what.startswith("COLUMN")]
        elif due:
            with db.transaction():
                comments.write(db, due)
        said = [Change(definition.name, "", "comment", None, one.text or None, one.sql) for one in due]
        found.done += added + said
        found.left += [one for one in changes if one.by_hand]


def _action(change: Change, definition: Definition) -> str:
    return f"ADD COLUMN {quote(change.column)} {written(definition.body)[change.column]}"


def _notes(db: Engine, change: Change) -> list[tuple[str, Sequence[Any]]]:
    values = (change.table, change.column, change.change, change.was, change.became, run_id())
    return [(f"INSERT INTO etl.schema_changes VALUES (%s, %s, %s, %s, %s, %s, {db.now})", values)]


# ---- how a table differs from its file


def _differences(db: Engine, definition: Definition, there: Table) -> Iterator[Change]:
    name, says = definition.name, written(definition.body)
    becomes, defaults = _wanted(db, definition)
    stand = _defaults(db, definition.schema, definition.table)

    def change(
        column: str, what: str, was: str | None, became: str | None, statement: str, by_hand: bool = True
    ) -> Change:
        return Change(name, column, what, was, became, statement, by_hand)

    gone = {column: kind for column, kind in there.columns.items() if column not in becomes.columns}
    new = {column: kind for column, kind in becomes.columns.items() if column not in there.columns}
    for column, kind in new.items():
        adding = db.altering(name, [f"ADD COLUMN {quote(column)} {says[column]}"])
        if like := [old for old, its in gone.items() if its == kind]:
            renames = [db.altering(name, [f"RENAME COLUMN {quote(old)} TO {quote(column)}"]) for old in like]
            yield change(column, "renamed", ", ".join(like), kind, " or ".join([*renames, f"if it is none: {adding}"]))
        elif column in becomes.key:
            # The key's own line says it all.
            continue
        elif column in becomes.required and column not in defaults:
            adding = db.altering(name, [f"ADD COLUMN {quote(column)} {says[column]} DEFAULT …"])
            filled = adding.replace("…", "<what the rows that are there are to have>")
            yield change(column, "required", None, kind, filled)
        elif any(column in unique for unique in becomes.unique):
            yield change(column, "key", None, kind, adding)
        else:
            yield change(column, "added", None, kind, adding, by_hand=False)
    for column, kind in gone.items():
        yield change(column, "removed", kind, None, db.altering(name, [f"DROP COLUMN {quote(column)}"]))
    for column, kind in becomes.columns.items():
        if column in new:
            continue
        was = there.columns[column]
        if was != kind:
            cast = "" if db.is_wider(was, kind) else f"CAST({quote(column)} AS {kind})"
            retyping = db.retyping(definition.schema, definition.table, column, kind, cast)
            yield change(column, "type", was, kind, retyping)
        elif (column in becomes.required) != (column in there.required):
            is_now = "NOT NULL" if column in becomes.required else "nullable"
            verb = "SET" if column in becomes.required else "DROP"
            action = f"ALTER COLUMN {quote(column)} {verb} NOT NULL"
            statement = db.redefining(definition.schema, definition.table, column, says[column], [action])
            yield change(column, "required", "nullable" if verb == "SET" else "NOT NULL", is_now, statement)
        elif stand.get(column) != defaults.get(column):
            default = defaults.get(column)
            action = f"ALTER COLUMN {quote(column)} {f'SET DEFAULT {default}' if default else 'DROP DEFAULT'}"
            statement = db.redefining(definition.schema, definition.table, column, says[column], [action])
            yield change(column, "default", stand.get(column), default, statement)
    if becomes.key != there.key:
        lacking = {column: kind for column, kind in new.items() if column in becomes.key}
        rekeying = db.rekeying(definition.schema, definition.table, becomes.key, lacking, False)
        yield change("", "key", ", ".join(there.key) or None, ", ".join(becomes.key) or None, rekeying)


class _Seen(EtlError):
    """What was to be seen has been; it is undone."""


def _wanted(db: Engine, definition: Definition) -> tuple[Table, dict[str, str]]:
    """The table of the file as the server itself understands it, and its defaults: by one that is never committed."""
    draft = f"draft_of_{definition.table}"[:60]
    seen: list[Any] = []

    with suppress(_Seen), db.transaction():
        try:
            db.execute(definition.create(definition.schema, draft))
        except WarehouseLost:
            raise
        except WarehouseError as error:
            raise WarehouseError(f"{definition.file}: {error}") from None
        seen += [db.table(definition.schema, draft), _defaults(db, definition.schema, draft)]
        raise _Seen
    return seen[0], seen[1]


def _defaults(db: Engine, schema: str, table: str) -> dict[str, str]:
    found = db.query(
        "SELECT a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d "
        "JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum "
        "JOIN pg_class c ON c.oid = d.adrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s",
        (schema, table),
    )
    return dict(found)  # type: ignore[arg-type]

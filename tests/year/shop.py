"""The shop at work: rows come, change, go and come back, columns too, at the times of a simulated clock.

Nothing here knows the pipeline. `updated_at` is mostly the server's own doing, as it is in a real shop.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pymysql

from demo import words
from demo.business import ZERO_DATE, Business
from demo.mysql import TABLES, load
from etl.testing.servers import QuickMariaDB
from tests.year.chance import SCHEMAS, TRADE, Chance

Row = dict[str, Any]

SCALE = 0.02

# What every table has beside the demo's columns, for people who change columns to play with.
_PLAYGROUND = "ADD COLUMN score SMALLINT NULL, ADD COLUMN label VARCHAR(20) NULL, ADD COLUMN seen_on DATE NULL"

# Those of the demo's columns that no dimension or fact is made of.
_SPARE = {
    "users": {"birth_date"},
    "venues": {"latitude", "longitude", "opened_on"},
    "events": {"category", "performer", "doors_at", "season_year"},
    "listings": {"section", "delivery"},
    "ticket_sales": {"attributes", "fee", "listing_id"},
}

_NEW_COLUMNS = (
    "SMALLINT NULL",
    "INT NOT NULL DEFAULT 7",
    "VARCHAR(20) NULL",
    "VARCHAR(20) NOT NULL DEFAULT '007'",
    "DECIMAL(8,2) NULL DEFAULT 1.50",
    "DATE NULL",
    "TINYINT(1) NOT NULL DEFAULT 1",
    "DATETIME NULL DEFAULT '2001-02-03 04:05:06'",
)

# The values that are played with fit into either.
_WIDER = {
    "tinyint": "SMALLINT",
    "smallint": "INT",
    "int": "BIGINT",
    "varchar(20)": "VARCHAR(60)",
    "decimal(8,2)": "DECIMAL(14,4)",
    "date": "DATETIME",
}
_NARROWER = {"smallint": "TINYINT", "int": "SMALLINT", "bigint": "INT"}
_OTHER = {
    "varchar(20)": "INT",
    "varchar(60)": "INT",
    "smallint": "VARCHAR(20)",
    "int": "VARCHAR(20)",
    "date": "VARCHAR(20)",
}


@dataclass(frozen=True)
class SchemaChange:
    """What happened to one column. `was` and `became` are types, None where it was not there or is no more; of a
    renamed one they are names."""

    table: str
    column: str
    kind: str
    was: str | None
    became: str | None


class ClockedMariaDB(QuickMariaDB):
    """A server whose clock, as `app` and `etl_extract` see it, stands where `set_clock` has put it."""

    passwords = (*QuickMariaDB.passwords, "clock")  # type: ignore[assignment]

    def statements(self) -> list[str]:
        return [*super().statements(), "GRANT CONNECTION ADMIN, PROCESS ON *.* TO clock@'127.0.0.1'"]

    def set_clock(self, moment: datetime) -> None:
        """For sessions that begin from now on; what came before it has ended."""
        with connected(self.url("clock", "")) as connection, connection.cursor() as cursor:
            cursor.execute(f"SET GLOBAL init_connect = 'SET timestamp = {_epoch(moment)}'")

    def readers(self) -> int:
        """Sessions of the pipeline's."""
        with connected(self.url("clock", "")) as connection, connection.cursor() as cursor:
            return cursor.execute("SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = 'etl_extract'")


class Shop:
    """`day` lets a day pass. `late` is a transaction that others do not see before it is over."""

    def __init__(self, url: str, chance: Chance, opening: date) -> None:
        """The shop as it was at the end of the day before `opening`."""
        self._url, self._chance = url, chance
        load(Business(SCALE, opening - timedelta(days=1)), url, report=lambda line: None)
        self._there: dict[str, set[int]] = {}
        # Rows that were deleted, and when; those of before `_seen` a night has missed already.
        self._gone: dict[str, dict[int, datetime]] = {table: {} for table in TABLES}
        self._seen = datetime.min
        # Rows that a transaction has changed which is still open: nobody else can.
        self._held: set[tuple[str, int | None]] = set()
        self._next: dict[str, int] = {}
        self._added = 0
        self._dropped: dict[str, dict[str, str]] = {table: {} for table in TABLES}
        # By table: what has become of its columns since a night has seen it.
        self.altered: dict[str, SchemaChange] = {}
        with connected(url) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"ALTER TABLE {table} {_PLAYGROUND}")
                cursor.execute(f"SELECT id FROM {table}")
                self._there[table] = {id for (id,) in cursor.fetchall()}
                self._next[table] = max(self._there[table]) + 1

    def day(self, begin: datetime, end: datetime, schema: str) -> None:
        """What people do between two moments, after what `schema`, one of SCHEMAS, says has been done to a table."""
        with connected(self._url) as connection, connection.cursor() as cursor:
            self._alter(cursor, schema)
            self._trade(cursor, begin, end, share=1.0)

    @contextlib.contextmanager
    def late(self, begin: datetime, end: datetime) -> Iterator[None]:
        """Statements between two moments that are committed when the block is left.

        Others go on meanwhile, so that the last change that can be seen is newer than these.
        """
        with connected(self._url) as connection, connection.cursor() as cursor:
            connection.begin()
            middle = begin + (end - begin) / 2
            self._held = self._trade(cursor, begin, middle, share=0.7)
            with connected(self._url) as other, other.cursor() as quicker:
                self._trade(quicker, middle, end, share=0.4)
            yield
            connection.commit()
            self._held = set()

    def seen(self, moment: datetime) -> None:
        """A night has read all that was there at a moment."""
        self._seen = moment
        self.altered.clear()

    def rows(self) -> dict[str, list[Row]]:
        """All that is committed, values as a warehouse holds them."""
        found = {}
        with connected(self._url) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(f"SELECT * FROM {table}")
                names = [column[0] for column in cursor.description]
                found[table] = [dict(zip(names, map(held, row), strict=True)) for row in cursor.fetchall()]
        return found

    # ---- rows

    def _trade(self, cursor: Any, begin: datetime, end: datetime, share: float) -> set[tuple[str, int | None]]:
        """Which rows were touched."""
        todo = [
            (table, what)
            for table, means in TRADE.items()
            for what, mean in means.items()
            for _ in range(self._chance.about(mean * share))
        ]
        self._chance.shuffle(todo)
        moments = sorted(begin + (end - begin) * self._chance.random() for _ in todo)
        touched = set()
        for (table, what), moment in zip(todo, moments, strict=True):
            cursor.execute(f"SET timestamp = {_epoch(moment)}")
            work = {"new": self._add, "changed": self._change, "deleted": self._delete, "back": self._bring_back}[what]
            touched.add((table, work(cursor, table, moment)))
        return touched

    def _one_of(self, table: str, ids: Iterable[int]) -> int | None:
        free = sorted(id for id in ids if (table, id) not in self._held)
        return self._chance.choice(free) if free else None

    def _add(self, cursor: Any, table: str, moment: datetime) -> int:
        self._next[table] += 1
        return self._insert(cursor, table, self._next[table] - 1, moment, {})

    def _bring_back(self, cursor: Any, table: str, moment: datetime) -> int | None:
        """The key of a row that was deleted, with other values; perhaps from a backup, with a time long past."""
        if (id := self._one_of(table, self._gone[table])) is None:
            return None
        missed = self._gone[table].pop(id) < self._seen
        restored = missed and self._chance.random() < 0.5
        return self._insert(cursor, table, id, moment, {"updated_at": moment - timedelta(days=30)} if restored else {})

    def _insert(self, cursor: Any, table: str, id: int, moment: datetime, said: Row) -> int:
        row = {"id": id} | getattr(self, f"_{table}_row")(moment.replace(microsecond=0)) | said
        # A column that was dropped takes no value.
        columns = _columns(cursor, table)
        row = {name: value for name, value in row.items() if name in columns}
        names = ", ".join(f"`{name}`" for name in row)
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))
        self._there[table].add(id)
        return id

    def _change(self, cursor: Any, table: str, moment: datetime) -> int | None:
        if (id := self._one_of(table, self._there[table])) is None:
            return None
        fresh = getattr(self, f"_{table}_row")(moment.replace(microsecond=0))
        columns = _columns(cursor, table)
        kept = {"created_at", "sold_at", "starts_at", "buyer_id", "seller_id", "event_id"}
        changing = [name for name in columns if name in fresh and name not in kept]
        chosen = self._chance.sample(changing, min(len(changing), self._chance.choice((0, 1, 1, 2, 3))))
        said = {name: fresh[name] for name in chosen}
        said |= {
            name: self._value(columns[name]) for name in self._playful(table, columns) if self._chance.random() < 0.3
        }
        # A row may be saved without a change, by an application that sets the time itself.
        if not said or self._chance.random() < 0.5:
            said["updated_at"] = moment
        assigned = ", ".join(f"`{name}` = %s" for name in said)
        cursor.execute(f"UPDATE {table} SET {assigned} WHERE id = %s", [*said.values(), id])
        return id

    def _delete(self, cursor: Any, table: str, moment: datetime) -> int | None:
        if (id := self._one_of(table, self._there[table])) is not None:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", (id,))
            self._there[table].discard(id)
            self._gone[table][id] = moment
        return id

    def _users_row(self, moment: datetime) -> Row:
        chance, city = self._chance, self._chance.choice(words.CITIES)
        return {
            "email": chance.choice((None, "", "ANA@EXAMPLE.COM", f"{chance.random()}@example.org")),
            "name": chance.choice((*words.DIRT, *words.ABROAD, None)),
            "city": chance.choice((None, "", city[0], city[0])),
            "country": chance.choice((None, city[2], city[2])),
            "birth_date": chance.choice((None, ZERO_DATE, date(1990, 2, 28))),
            "is_active": int(chance.random() < 0.8),
            "marketing_opt_in": chance.choice((None, 0, 1)),
            "created_at": moment,
        }

    def _venues_row(self, moment: datetime) -> Row:
        chance, city = self._chance, self._chance.choice(words.CITIES)
        return {
            "name": f"{chance.choice(words.VENUE_OWNERS)} {chance.choice(words.DIRT)}",
            "city": chance.choice((None, city[0])),
            "state": city[1],
            "country": city[2],
            "capacity": chance.choice((None, 0, 100 * chance.randrange(1, 900))),
            "latitude": Decimal(chance.randrange(-90_000_000, 90_000_000)).scaleb(-6),
            "longitude": None,
            "opened_on": chance.choice((None, ZERO_DATE, moment.date())),
        }

    def _events_row(self, moment: datetime) -> Row:
        chance = self._chance
        return {
            # Now and then an event comes before its venue does, and its venue may have been deleted.
            "venue_id": chance.choice((None, *range(1, self._next["venues"] + 2))),
            "title": chance.choice((*words.TITLE_DIRT, *words.SHOWS)),
            "category": chance.choice(("concert", "theater")),
            "performer": chance.choice((None, *words.ACTS)),
            "starts_at": moment + timedelta(days=chance.randrange(1, 90)),
            "doors_at": chance.choice((None, time(18, 30), "-00:30:00")),
            "season_year": chance.choice((None, moment.year)),
            "status": chance.choice(("scheduled", "postponed", "cancelled", "done")),
        }

    def _listings_row(self, moment: datetime) -> Row:
        chance = self._chance
        return {
            "event_id": chance.randrange(1, self._next["events"] + 2),
            "seller_id": chance.randrange(1, self._next["users"] + 3),
            "section": chance.choice(("Floor", "Balcony")),
            "row": chance.choice((None, "007", "AA")),
            "quantity": chance.randrange(1, 9),
            "price": Decimal(chance.randrange(100, 90_000)).scaleb(-2),
            "status": chance.choice(("open", "sold", "withdrawn")),
            "delivery": chance.choice(("", "mobile", "mobile,paper")),
            "created_at": moment,
        }

    def _ticket_sales_row(self, moment: datetime) -> Row:
        chance = self._chance
        return {
            "listing_id": chance.choice((None, chance.randrange(1, self._next["listings"]))),
            "event_id": chance.randrange(1, self._next["events"] + 2),
            # Some buyers have an account that we shall only see on a later day.
            "buyer_id": chance.choice((None, *(chance.randrange(1, self._next["users"] + 4) for _ in range(9)))),
            "quantity": chance.randrange(1, 9),
            "unit_price": Decimal(chance.randrange(100, 90_000)).scaleb(-2),
            "fee": Decimal(chance.randrange(0, 900)).scaleb(-2),
            "discount": chance.choice((None, None, Decimal("1.23"))),
            "status": chance.choice(("paid", "paid", "refunded", "cancelled")),
            "note": chance.choice((None, *words.NOTES)),
            "attributes": chance.choice((None, *words.ATTRIBUTES)),
            "sold_at": moment,
        }

    # ---- columns

    def _alter(self, cursor: Any, schema: str) -> None:
        """Make such a change to one of the tables whose last change a night has seen, where one has room for it."""
        assert schema in SCHEMAS
        if schema == "as it was":
            return
        alter = getattr(self, f"_{schema.replace(' ', '_')}")
        tables = [table for table in TABLES if table not in self.altered]
        for table in self._chance.sample(tables, len(tables)):
            columns = _columns(cursor, table)
            if change := alter(cursor, table, columns, self._playful(table, columns)):
                self.altered[table] = change
                return

    def _playful(self, table: str, columns: dict[str, str]) -> list[str]:
        """Columns that may be altered at will."""
        return [name for name in columns if re.fullmatch(r"score|label|seen_on|extra_\d+", name)]

    def _column_added(self, cursor: Any, table: str, columns: dict[str, str], playful: list[str]) -> SchemaChange:
        if self._dropped[table] and self._chance.random() < 0.5:
            name, was = self._dropped[table].popitem()
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN `{name}` {was} NULL")
            return SchemaChange(table, name, "returned", None, _columns(cursor, table)[name])
        self._added += 1
        name, kind = f"extra_{self._added}", self._chance.choice(_NEW_COLUMNS)
        place = self._chance.choice(("", "", "FIRST", f"AFTER `{self._chance.choice(sorted(columns))}`"))
        cursor.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind} {place}")
        return SchemaChange(table, name, "added", None, _columns(cursor, table)[name])

    def _column_dropped(
        self, cursor: Any, table: str, columns: dict[str, str], playful: list[str]
    ) -> SchemaChange | None:
        if not (droppable := sorted({*playful, *_SPARE[table]} & set(columns))):
            return None
        name = self._chance.choice(droppable)
        cursor.execute(f"ALTER TABLE {table} DROP COLUMN `{name}`")
        self._dropped[table][name] = columns[name]
        return SchemaChange(table, name, "removed", columns[name], None)

    def _column_renamed(
        self, cursor: Any, table: str, columns: dict[str, str], playful: list[str]
    ) -> SchemaChange | None:
        if not playful:
            return None
        old = self._chance.choice(playful)
        self._added += 1
        new = f"extra_{self._added}"
        cursor.execute(f"ALTER TABLE {table} RENAME COLUMN {old} TO {new}")
        return SchemaChange(table, new, "renamed", old, new)

    def _column_widened(self, *where: Any) -> SchemaChange | None:
        return self._modified(*where, _WIDER, "widened")

    def _column_narrowed(self, *where: Any) -> SchemaChange | None:
        return self._modified(*where, _NARROWER, "narrowed")

    def _column_retyped(self, *where: Any) -> SchemaChange | None:
        return self._modified(*where, _OTHER, "retyped")

    def _modified(
        self, cursor: Any, table: str, columns: dict[str, str], playful: list[str], kinds: dict[str, str], kind: str
    ) -> SchemaChange | None:
        fitting = [name for name in playful if columns[name] in kinds]
        if not fitting:
            return None
        name = self._chance.choice(fitting)
        became = kinds[columns[name]]
        # A text that was a date is no number, and becomes what MySQL makes of it.
        cursor.execute(f"SET STATEMENT sql_mode = '' FOR ALTER TABLE {table} MODIFY COLUMN `{name}` {became} NULL")
        return SchemaChange(table, name, kind, columns[name], _columns(cursor, table)[name])

    def _value(self, declared: str) -> Any:
        """One that fits into a column of a type that we play with, and into those that it may become."""
        number = self._chance.randrange(-100, 100)
        match declared.partition("(")[0]:
            case "varchar":
                return str(abs(number))
            case "date" | "datetime":
                return date(2020, 1, 1) + timedelta(days=number)
            case "decimal":
                return Decimal(number) / 4
        return number


@contextlib.contextmanager
def connected(url: str) -> Iterator[pymysql.Connection]:
    """Every statement commits by itself, unless a transaction is begun."""
    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 0,
        user=parts.username,
        password=parts.password or "",
        database=parts.path.lstrip("/") or None,
        charset="utf8mb4",
        autocommit=True,
        # To load the certificates that the system trusts takes longer than all else here.
        ssl_disabled=True,
    )
    with connection:
        yield connection


def held(value: Any) -> Any:
    """What a warehouse holds of a value that PyMySQL gives."""
    if value == ZERO_DATE:
        return None
    if isinstance(value, bytes):
        return bool(value[-1])
    if isinstance(value, timedelta):
        return Decimal(value // timedelta(microseconds=1)).scaleb(-6)
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _columns(cursor: Any, table: str) -> dict[str, str]:
    cursor.execute(f"SHOW COLUMNS FROM {table}")
    return {name: re.sub(r"^((?:tiny|small|big)?int)\(\d+\)", r"\1", kind) for name, kind, *_ in cursor.fetchall()}


def _epoch(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=timezone.utc).timestamp():.6f}"

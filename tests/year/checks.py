"""What must be true after a night, asked with SQL and Python of its own. Each check raises AssertionError."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from etl.testing import Bucket
from tests.pipeline import until
from tests.year.history import EVER, NEVER, History, Row
from tests.year.shop import SchemaChange

Query = Callable[..., list[tuple]]

LOADS = (
    "LoadYearVenues", "LoadYearEvents", "LoadYearUsers", "LoadYearSales", "LoadYearListings", "LoadYearOffers",
)  # fmt: skip

# What MirrorTable keeps for itself in a table that it does not read whole.
_OURS = ("deleted_at", "loaded_at")
_SOFT = ("users", "listings")

_INTEGERS = ("smallint", "int", "bigint")


@dataclass(frozen=True)
class Types:
    """What a warehouse makes of the shop's declared types: those that are `alike` there, and `grows` in place."""

    alike: dict[str, str]
    grows: Callable[[str, str], bool]

    def stops(self, change: SchemaChange) -> bool:
        """Whether a mirror may not follow a change by itself."""
        was, became = self._of(change)
        return change.kind == "renamed" or (_is_modified(change) and was != became and not self.grows(was, became))

    def noted(self, change: SchemaChange) -> tuple[str, str, str] | None:
        """Table, column and kind of change as etl.schema_changes has it; None for what the warehouse does not feel."""
        if change.kind in ("added", "returned", "removed") or (_is_modified(change) and self.grows(*self._of(change))):
            return f"raw.{change.table}", change.column, change.kind
        return None

    def _of(self, change: SchemaChange) -> tuple[str, str]:
        was, became = (self.alike.get(kind or "", kind or "") for kind in (change.was, change.became))
        return was, became


def _is_modified(change: SchemaChange) -> bool:
    return change.kind in ("widened", "narrowed", "retyped")


def _is_larger(was: str, became: str) -> bool:
    return was in _INTEGERS and became in _INTEGERS and _INTEGERS.index(was) < _INTEGERS.index(became)


TYPES = {
    "postgres": Types(
        {
            "tinyint": "smallint",
            "varchar(20)": "text",
            "varchar(60)": "text",
            "decimal(8,2)": "numeric",
            "decimal(14,4)": "numeric",
        },
        _is_larger,
    ),
    # Lengths and digits are the type's here, and only a text grows where it stands.
    "redshift": Types({"tinyint": "smallint"}, lambda was, became: (was, became) == ("varchar(20)", "varchar(60)")),
}


@dataclass
class Account:
    """What was true after the night before, of what must go on from there."""

    query: Query
    zone: ZoneInfo
    # Of each mirror its rows after the last night, by key.
    mirrors: dict[str, dict[int, Row]] = field(default_factory=lambda: defaultdict(dict))
    # Of each dimension its members' numbers.
    numbers: dict[str, dict[Any, int]] = field(default_factory=lambda: defaultdict(dict))
    # How many rows the receipts say each table has, and up to when and how many of them have been read.
    rows: Counter[str] = field(default_factory=Counter)
    read_through: datetime = datetime(1970, 1, 1, tzinfo=timezone.utc)
    receipts: int = 0
    # Up to when each mirror was said to have all changes.
    water: dict[str, datetime] = field(default_factory=dict)

    def check(self, shop: dict[str, list[Row]], history: History, changes: Iterable[tuple[str, str, str]]) -> None:
        """After a night that saw these rows; `changes` is all that the mirrors should have noted so far."""
        kept = {
            "users": {id for id, user in history.users.items() if not user.is_inferred},
            "listings": set(history.listings),
        }
        for table, rows in shop.items():
            self.check_mirror(table, rows, kept.get(table, {row["id"] for row in rows}))
        self.check_watermarks()
        self.check_users(history)
        self.check_venues(history)
        self.check_events(history)
        self.check_sales(shop["ticket_sales"], history)
        self.check_listings(history, {row["id"] for row in shop["listings"]})
        self.check_offers(history)
        self.check_receipts()
        self.check_loads(history.days, list(shop))
        self.check_schema_changes(changes)
        self.check_nothing_is_left()

    # ---- the mirrors

    def check_mirror(self, table: str, rows: list[Row], kept: set[int]) -> None:
        """Every column of every row; of those that the source has no more, the `kept` are marked and the others gone.

        A column that the source has no more is NULL.
        """
        self.remember(table)
        there = self.mirrors[table]
        columns = set(rows[0])
        names = {name for row in there.values() for name in row}
        assert columns <= names, f"raw.{table} lacks {columns - names}"
        gone = names - columns - set(_OURS)

        live = {id: row for id, row in there.items() if row.get("deleted_at") is None}
        differ(
            f"raw.{table}",
            {id: {name: value for name, value in row.items() if name not in _OURS} for id, row in live.items()},
            {row["id"]: row | dict.fromkeys(gone) for row in rows},
        )
        wrong = set(there) ^ kept
        assert not wrong, f"raw.{table}: rows that were deleted are missing or too many: {sorted(wrong)[:9]}"

    def remember(self, table: str) -> None:
        self.mirrors[table] = {row["id"]: row for row in self._rows(f"raw.{table}")}

    def check_watermarks(self) -> None:
        """Of every table that is not read whole; what was read has always agreed with the source."""
        rows = self.query(
            "SELECT target, high_water, verified_through FROM etl.watermarks WHERE column_name IS NOT NULL"
        )
        assert len(rows) == 4 and all(high and verified == high for _, high, verified in rows), f"watermarks: {rows}"
        back = [target for target, high, _ in rows if self.water.get(target, high) > high]
        assert not back, f"watermarks went back: {back}"
        self.water = {target: high for target, high, _ in rows}

    # ---- the dimensions

    def check_users(self, history: History) -> None:
        columns = "user_id, valid_from, valid_to, is_current, city, country, is_active, email, name, marketing_opt_in"
        found = self._select(f"SELECT {columns}, signed_up_at, is_inferred, user_key FROM public.dim_user")
        expected = {
            (id, version.since): (
                version.until, version.until == NEVER, version.city, version.country, version.is_active, *user.known,
                user.is_inferred,
            )
            for id, user in history.users.items()
            for version in user.versions
        }  # fmt: skip
        expected[-1, EVER] = (NEVER, True, None, "unknown", None, None, None, None, None, False)
        differ("dim_user", {row[:2]: row[2:-1] for row in found}, expected)
        self._check_numbers("dim_user", [(row[:2], row[-1]) for row in found])
        periods = defaultdict(list)
        for id, *period in sorted(row[:4] for row in found):
            periods[id].append(period)
        for id, known in periods.items():
            begins, ends, currents = zip(*known, strict=True)
            whole = begins == (EVER, *ends[:-1]) and ends[-1] == NEVER
            last = currents == (*[False] * (len(known) - 1), True)
            assert whole and last, f"dim_user: the versions of {id} are {known}"

    def check_venues(self, history: History) -> None:
        found = self._select("SELECT venue_id, name, city, capacity, is_inferred, venue_key FROM public.dim_venue")
        expected: dict[int, tuple[Any, ...]] = {-1: ("unknown", None, None, False)}
        for id, row in history.venues.items():
            values = ("unknown", None, None) if row is None else (row["name"], row["city"], row["capacity"] or None)
            expected[id] = (*values, row is None)
        differ("dim_venue", {row[0]: row[1:-1] for row in found}, expected)
        self._check_numbers("dim_venue", [(row[0], row[-1]) for row in found])

    def check_events(self, history: History) -> None:
        found = self._select(
            "SELECT event_id, title, v.venue_id, starts_at, status, e.is_inferred, event_key FROM public.dim_event e "
            "LEFT JOIN public.dim_venue v USING (venue_key)"
        )
        expected: dict[int, tuple[Any, ...]] = {-1: ("unknown", -1, None, "unknown", False)}
        for id, row in history.events.items():
            values = ("unknown", None, "unknown") if row is None else (row["title"], row["starts_at"], row["status"])
            title, starts_at, status = values
            expected[id] = (title, _venue(row), starts_at, status, row is None)
        differ("dim_event", {row[0]: row[1:-1] for row in found}, expected)
        self._check_numbers("dim_event", [(row[0], row[-1]) for row in found])

    def _check_numbers(self, table: str, found: list[tuple[Any, int]]) -> None:
        """No member is there twice, no number is two members', and everybody keeps theirs for ever."""
        numbers = dict(found)
        assert len(found) == len(numbers) == len(set(numbers.values())), f"{table}: a member or number is there twice"
        moved = [member for member, number in self.numbers[table].items() if numbers[member] != number]
        assert not moved, f"{table}: these members have another number than before: {moved[:9]}"
        self.numbers[table] = numbers

    # ---- the facts

    def check_sales(self, sales: list[Row], history: History) -> None:
        rows = self._select(
            "SELECT f.sale_id, d.full_date, u.user_id, u.valid_from, e.event_id, v.venue_id, f.status, f.gross, "
            "f.discount, f.note, f.sold_at FROM public.fact_ticket_sale f "
            "LEFT JOIN public.dim_date d ON d.date_key = f.sold_date_key "
            "LEFT JOIN public.dim_user u ON u.user_key = f.buyer_key "
            "LEFT JOIN public.dim_event e USING (event_key) LEFT JOIN public.dim_venue v ON v.venue_key = f.venue_key"
        )
        expected = {}
        for row in sales:
            expected[row["id"]] = (
                *self._as_of(history, row["sold_at"], row["buyer_id"]), row["event_id"],
                _venue(history.events[row["event_id"]]),
                row["status"], row["quantity"] * row["unit_price"], row["discount"] or Decimal(0), row["note"],
                row["sold_at"],
            )  # fmt: skip
        differ("fact_ticket_sale", {row[0]: row[1:] for row in rows}, expected)

    def check_listings(self, history: History, live: set[int]) -> None:
        rows = self._select(
            "SELECT f.listing_id, d.full_date, u.user_id, u.valid_from, e.event_id, f.price, f.status, f.is_deleted "
            "FROM public.fact_listing f LEFT JOIN public.dim_date d ON d.date_key = f.listed_date_key "
            "LEFT JOIN public.dim_user u ON u.user_key = f.seller_key LEFT JOIN public.dim_event e USING (event_key)"
        )
        expected = {
            id: (
                *self._as_of(history, row["created_at"], row["seller_id"]), row["event_id"], row["price"],
                row["status"], id not in live,
            )
            for id, row in history.listings.items()
        }  # fmt: skip
        differ("fact_listing", {row[0]: row[1:] for row in rows}, expected)

    def check_offers(self, history: History) -> None:
        rows = self._select("SELECT listing_id, changed_at, price, status FROM public.fact_offer")
        assert len(set(rows)) == len(rows), "fact_offer has rows twice"
        extra, missing = set(rows) - history.offers, history.offers - set(rows)
        assert not extra and not missing, f"fact_offer has {list(extra)[:3]} too many and lacks {list(missing)[:3]}"

    def _as_of(self, history: History, moment: datetime, user: int | None) -> tuple[date, int, date]:
        """The business day of a moment of UTC's clock, and the version of a user that was valid on it."""
        day = moment.replace(tzinfo=timezone.utc).astimezone(self.zone).date()
        return (day, -1, EVER) if user is None else (day, user, history.users[user].on(day).since)

    # ---- the books

    def check_receipts(self) -> None:
        """Of each table: every receipt's rows follow from those before, and the last ones are those that are there.

        A row that is marked as deleted is counted as one that is not there.
        """
        receipts = self.query(
            "SELECT target, rows_inserted, rows_deleted, rows_after, task_key, loaded_at FROM etl.receipts "
            "WHERE loaded_at > %s ORDER BY loaded_at",
            (self.read_through,),
        )
        for target, inserted, deleted, after, task, loaded_at in receipts:
            before = self.rows[target]
            assert before + inserted - deleted == after, (
                f"receipt of {task} for {target}: {before} rows + {inserted} - {deleted} are not {after}"
            )
            self.rows[target], self.read_through = after, loaded_at
        self.receipts += len(receipts)
        assert self.query("SELECT count(*) FROM etl.receipts") == [(self.receipts,)], "a receipt is older than others"
        alive = {f"raw.{table}": " WHERE deleted_at IS NULL" for table in _SOFT}
        counts = " UNION ALL ".join(
            f"SELECT '{target}', count(*) FROM {target}{alive.get(target, '')}" for target in self.rows
        )
        differ("etl.receipts", dict(self.query(counts)), dict(self.rows))

    def check_loads(self, days: Sequence[date], tables: Sequence[str]) -> None:
        """Each night that has run has done all of its work once, with one receipt, and the others nothing."""
        done = Counter(
            (day, _table(task) if task.startswith("MirrorTable") else task.partition(" ")[0])
            for task, day in self.query("SELECT task_key, business_date FROM etl.loads WHERE business_date IS NOT NULL")
        )
        assert done == Counter((day, name) for day in days for name in (*LOADS, *tables)), "nights are half there"
        shown = self.query("SELECT DISTINCT business_date FROM etl.data_as_of WHERE business_date IS NOT NULL")
        assert shown == [(days[-1],)], f"analysts are told that the tables are at {shown}"
        # Those for the members that a fact infers in a dimension are the fact's too.
        receipts = "etl.receipts r JOIN etl.loads l USING (task_key, target)"
        differ("loads and receipts", self._counted("task_key", receipts), self._counted("task_key", "etl.loads"))

    def check_schema_changes(self, changes: Iterable[tuple[str, str, str]]) -> None:
        noted = self._counted("target, column_name, change", "etl.schema_changes WHERE change <> 'stopped'")
        differ("etl.schema_changes", noted, Counter(changes))

    def check_nothing_is_left(self) -> None:
        left = self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")
        assert not left, f"stages are left: {left}"
        sessions = (
            "SELECT application_name, state FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = 'etl_load'"
        )
        assert until(lambda: not self.query(sessions)), "sessions are left"

    def _counted(self, columns: str, table: str) -> Counter[Any]:
        return Counter(self.query(f"SELECT {columns} FROM {table}"))

    def _rows(self, table: str) -> list[Row]:
        names = [
            name
            for (name,) in self.query(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped "
                "ORDER BY attnum",
                (table,),
            )
        ]
        listed = ", ".join(f'"{name}"' for name in names)
        return [dict(zip(names, row, strict=True)) for row in self._select(f"SELECT {listed} FROM {table}")]

    def _select(self, sql: str) -> list[tuple]:
        return [tuple(_plain(value) for value in row) for row in self.query(sql)]


def check_lake(lake: Bucket) -> None:
    """Nothing is kept, so what has been loaded is gone; of no upload is there half."""
    assert "Uploads" not in lake.client.list_multipart_uploads(Bucket=lake.name), "uploads are left"
    left = [key for key in lake.keys() if key.endswith("manifest.json") and "date=" in key]
    assert not left, f"manifests are left: {left[:9]}"


def differ(what: str, found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    """Raise AssertionError, with a few of the differences, unless the two are equal."""
    if found == expected:
        return
    wrong = [key for key in {**found, **expected} if found.get(key) != expected.get(key)]
    said = "; ".join(_difference(key, found.get(key), expected.get(key)) for key in wrong[:3])
    raise AssertionError(f"{what}: {len(wrong)} of {len(expected)} rows differ: {said}")


def _difference(key: Any, found: Any, expected: Any) -> str:
    if isinstance(found, dict) and isinstance(expected, dict):
        names = [name for name in {**found, **expected} if found.get(name) != expected.get(name)]
        return f"{key}: " + ", ".join(f"{name} is {found.get(name)!r}, not {expected.get(name)!r}" for name in names)
    return f"{key} is {found!r}, not {expected!r}"


def _venue(event: Row | None) -> int:
    return -1 if event is None or event["venue_id"] is None else event["venue_id"]


def _plain(value: Any) -> Any:
    """An instant as UTC's clock shows it, which is how the shop gives it."""
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(timezone.utc).replace(tzinfo=None)
    return value


def _table(task: str) -> str:
    found = re.search(r'"table": "(\w+)"', task)
    assert found, task
    return found[1]

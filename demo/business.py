"""The marketplace's own books, table by table: two years of trade that end with a given business day.

Pure: nothing here reads a clock, a file or a network. Times are drawn as microseconds since 1970, money in
cents; rows hold datetime, Decimal, int, str and None, in the order of `COLUMNS`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np

from demo import words
from demo.draw import DAY, SECOND, Clock, Draw, chunks, micros, moments, money, pick, sprinkle, stream, weighted

SEED = 2009
HISTORY_DAYS = 730
ACCOUNT_DAYS = 4 * 365  # customers came before the trade that is kept
AHEAD_DAYS = 180  # how far ahead events are on sale

ZERO_DATE = "0000-00-00"

COLUMNS: dict[str, tuple[str, ...]] = {
    "users": (
        "id", "email", "name", "city", "country", "birth_date", "is_active", "marketing_opt_in", "created_at",
        "updated_at",
    ),
    "venues": (
        "id", "name", "city", "state", "country", "capacity", "latitude", "longitude", "opened_on", "updated_at",
    ),
    "events": (
        "id", "venue_id", "title", "category", "performer", "starts_at", "doors_at", "season_year", "status",
        "updated_at",
    ),
    "listings": (
        "id", "event_id", "seller_id", "section", "row", "quantity", "price", "status", "delivery", "created_at",
        "updated_at",
    ),
    "ticket_sales": (
        "id", "listing_id", "event_id", "buyer_id", "quantity", "unit_price", "fee", "discount", "status", "note",
        "attributes", "sold_at", "updated_at",
    ),
}  # fmt: skip

_WEEKLY_TRADE = (0.85, 0.85, 0.9, 1.1, 1.35, 1.2, 0.95)
_WEEKLY_SHOWS = (0.3, 0.5, 0.7, 1.0, 1.9, 2.3, 1.2)
_HOURLY_TRADE = (1, 0.5, 0.3, 0.2, 0.2, 0.3, 0.7, 1.5, 2.5, 3.5, 4, 4, 4.5, 4, 3.5, 3.5, 4, 5, 6.5, 8, 8.5, 7, 4.5, 2)
_HOURLY_SHOWS = (*(0.01,) * 12, 0.4, 1.5, 1, 0.5, 0.5, 1, 4, 8, 5, 1, 0.2, 0.05)
_QUANTITIES = (0, 18, 46, 10, 18, 3, 3, 1, 1)  # pairs go together

Row = tuple[Any, ...]


def user_is_deleted(user: Any) -> Any:
    """Accounts that were closed: their sales stay, they themselves do not. Takes an id or an array of them."""
    return user % 61 == 17


def venue_is_deleted(venue: Any) -> Any:
    return venue % 23 == 7


@dataclass(frozen=True)
class Business:
    """A marketplace of about 20,000 x `scale` ticket sales, whose last business day is `day`."""

    scale: float
    day: date
    seed: int = SEED

    def tables(self) -> Iterator[tuple[str, list[Row]]]:
        """Every row of every table once, in batches of (table, rows); listings go before the sales that name them."""
        yield "venues", self._venues()
        yield "events", self._events()
        for low, high in chunks(self.users):
            yield "users", self._users(low, high)
        listing = 1
        for low, high in chunks(self.sales):
            listings, sales = self._trade(low, high, listing)
            listing += len(listings)
            yield "listings", listings
            yield "ticket_sales", sales

    @cached_property
    def users(self) -> int:
        """Accounts ever opened; the closed ones are counted too."""
        return self.sized(5_000)

    @cached_property
    def sales(self) -> int:
        return self.sized(20_000)

    @cached_property
    def venues(self) -> int:
        return self.sized(40, at_least=24)

    @cached_property
    def events(self) -> int:
        return self.sized(500, at_least=100)

    def sized(self, at_scale_1: int, at_least: int = 10) -> int:
        return max(at_least, round(at_scale_1 * self.scale))

    @cached_property
    def end(self) -> int:
        """The midnight that ends the last day: nothing has happened at or after it."""
        return micros(self.day) + DAY

    def stream(self, name: str, *numbers: int) -> Draw:
        return stream(self.seed, name, *numbers)

    def clock(self, days: int) -> Clock:
        """The hours of trade of the last so many days."""
        return Clock(self.day - timedelta(days=days - 1), days, _WEEKLY_TRADE, _HOURLY_TRADE)

    def customers(self, draw: Draw, when: np.ndarray, one_in: int = 1) -> np.ndarray:
        """Ids of accounts that were open at these moments; old accounts are the busier ones."""
        known = np.floor(self._accounts.share(when) * self.users)
        chosen = (known * draw.random(len(when)) ** 1.4).astype(np.int64)
        return chosen // one_in * one_in + 1

    def upcoming(self, draw: Draw, when: np.ndarray) -> np.ndarray:
        """Positions of events that had not begun at these moments: soon rather than late, popular rather than not."""
        starts, popularity = self._starts, self._popularity
        horizon = np.array([3, 14, 45, AHEAD_DAYS])[weighted(draw, (20, 30, 30, 20), len(when))] * DAY
        # An event that begins in this very second has begun.
        low = np.searchsorted(starts, when, side="right").clip(max=len(starts) - 1)
        high = np.maximum(np.searchsorted(starts, when + horizon), low + 1)
        edges = np.concatenate([[0.0], np.cumsum(popularity)])
        wanted = edges[low] + draw.random(len(when)) * (edges[high] - edges[low])
        return (np.searchsorted(edges, wanted, side="right") - 1).clip(low, high - 1)

    def later(self, draw: Draw, when: np.ndarray, delay: np.ndarray) -> np.ndarray:
        """Moments after `when`; those that would be after the last day happen during it instead."""
        moved = when + delay.astype(np.int64)
        room = np.minimum(self.end - when, DAY)
        today = self.end - 1 - (draw.random(len(when)) * (room - 1)).astype(np.int64)
        return np.where(moved < self.end, moved, today)

    @cached_property
    def _accounts(self) -> Clock:
        return self.clock(ACCOUNT_DAYS)

    @cached_property
    def _hours(self) -> Clock:
        return self.clock(HISTORY_DAYS)

    @cached_property
    def _starts(self) -> np.ndarray:
        """When events begin, in the order of their ids: on the half hour, mostly in the evening."""
        first = self.day - timedelta(days=HISTORY_DAYS - 1)
        clock = Clock(first, HISTORY_DAYS + AHEAD_DAYS, _WEEKLY_SHOWS, _HOURLY_SHOWS)
        places = np.arange(self.events) + self.stream("starts").random(self.events)
        half_hour = 1800 * SECOND
        return clock.at(places / self.events) // half_hour * half_hour

    @cached_property
    def _popularity(self) -> np.ndarray:
        return (self.stream("popularity").pareto(1.2, self.events) + 0.2).clip(max=80)

    @cached_property
    def _categories(self) -> np.ndarray:
        return weighted(self.stream("categories"), [share for _, share, _ in words.CATEGORIES], self.events)

    @cached_property
    def _cancelled(self) -> np.ndarray:
        return self.stream("cancelled").random(self.events) < 0.03

    def _venues(self) -> list[Row]:
        draw, rows = self.stream("venues"), self.venues
        ids = np.arange(1, rows + 1)
        cities = pick(draw, words.CITIES, rows, [city[-1] for city in words.CITIES])
        names = [
            f"{owner} {kind}" for owner, kind in zip(
                pick(draw, words.VENUE_OWNERS, rows), pick(draw, words.VENUE_KINDS, rows), strict=True)
        ]  # fmt: skip
        capacity = np.exp(draw.normal(8.3, 1.2, rows)).astype(np.int64) // 10 * 10 + 50
        opened = (micros(self.day) - draw.integers(800 * DAY, 36_000 * DAY, rows)).astype("datetime64[us]")
        changed = self.later(draw, np.full(rows, self._hours.start), draw.random(rows) * HISTORY_DAYS * DAY)
        drift = draw.normal(0, 0.05, (rows, 2))
        table = zip(
            ids.tolist(),
            sprinkle(draw, names, ('The "Old" Mill, Upstairs', "Zénith 🎪", "武道館"), 0.05),
            sprinkle(draw, [city[0] for city in cities], (None,), 0.02),
            [city[1] for city in cities],
            [city[2] for city in cities],
            sprinkle(draw, capacity.tolist(), (None, 0), 0.08),
            [f"{city[3] + off:.6f}" for city, off in zip(cities, drift[:, 0].tolist(), strict=True)],
            [f"{city[4] + off:.6f}" for city, off in zip(cities, drift[:, 1].tolist(), strict=True)],
            sprinkle(draw, opened.astype("datetime64[D]").tolist(), (None, ZERO_DATE), 0.1),
            moments(changed),
            strict=True,
        )
        return [row for row in table if not venue_is_deleted(row[0])]

    def _events(self) -> list[Row]:
        draw, rows = self.stream("events"), self.events
        venues = weighted(draw, 1 / np.arange(1, self.venues + 1) ** 0.5, rows) + 1
        categories = [words.CATEGORIES[at][0] for at in self._categories.tolist()]
        performers, titles = [], []
        for category, act, tour, show, home, away in zip(
            categories,
            pick(draw, words.ACTS, rows),
            pick(draw, words.TOURS, rows),
            pick(draw, words.SHOWS, rows),
            pick(draw, words.TEAMS[::2], rows),
            pick(draw, words.TEAMS[1::2], rows),
            strict=True,
        ):
            league = category in words.LEAGUES
            performers.append(home if league else None if category in ("theater", "festival") else act)
            titles.append(f"{home} vs. {away}" if league else show if category == "theater" else f"{act}: {tour}")
        past = self._starts < self.end
        status = np.where(past, "done", np.where(draw.random(rows) < 0.04, "postponed", "scheduled"))
        status = np.where(self._cancelled, "cancelled", status)
        announced = np.minimum(self._starts, self.end) - (draw.random(rows) * 120 * DAY).astype(np.int64) - SECOND
        closed = self.later(draw, np.minimum(self._starts, self.end - SECOND), draw.exponential(DAY / 2, rows))
        doors = [f"{start.hour - 1:02}:{start.minute:02}:00" if start.hour else None for start in moments(self._starts)]
        years = [
            start.year if category in words.LEAGUES else None
            for category, start in zip(categories, moments(self._starts), strict=True)
        ]
        table = zip(
            range(1, rows + 1),
            sprinkle(draw, venues.tolist(), (None,), 0.02),
            sprinkle(draw, titles, words.TITLE_DIRT, 0.03),
            categories,
            performers,
            moments(self._starts),
            sprinkle(draw, doors, (None,), 0.1),
            years,
            status.tolist(),
            moments(np.where(past, closed, announced)),
            strict=True,
        )
        return list(table)

    def _users(self, low: int, high: int) -> list[Row]:
        draw, rows = self.stream("users", low), high - low
        ids = np.arange(low, high) + 1
        created = self._accounts.at((ids - 1 + draw.random(rows)) / self.users) // SECOND * SECOND
        first, last = pick(draw, words.FIRST, rows), pick(draw, words.LAST, rows)
        emails = [
            f"{a}.{b.replace(chr(39), '')}.{id}@{mailbox}".lower() for a, b, id, mailbox in zip(
                first, last, ids.tolist(), pick(draw, words.MAILBOXES, rows), strict=True)
        ]  # fmt: skip
        homes = pick(draw, words.CITIES, rows, [city[-1] for city in words.CITIES])
        born = (created - draw.integers(16 * 365 * DAY, 80 * 365 * DAY, rows)).astype("datetime64[us]")
        untouched = draw.random(rows) < 0.6
        delay = np.where(untouched, draw.random(rows) * SECOND, draw.exponential(150 * DAY, rows))
        names = sprinkle(draw, [f"{a} {b}" for a, b in zip(first, last, strict=True)], words.ABROAD, 0.08)
        table = zip(
            ids.tolist(),
            sprinkle(draw, emails, (None, None, "", "ANA@EXAMPLE.COM", "josé+tag@exämple.org"), 0.04),
            sprinkle(draw, names, (*words.DIRT, *(None,) * 6), 0.04),
            sprinkle(draw, [home[0] for home in homes], (None, None, ""), 0.1),
            sprinkle(draw, [home[2] for home in homes], (None,), 0.06),
            sprinkle(draw, born.astype("datetime64[D]").tolist(), (None, None, None, ZERO_DATE), 0.4),
            (draw.random(rows) < 0.93).astype(int).tolist(),
            sprinkle(draw, (draw.random(rows) < 0.55).astype(int).tolist(), (None,), 0.15),
            moments(created),
            moments(self.later(draw, created, delay)),
            strict=True,
        )
        return [row for row in table if not user_is_deleted(row[0])]

    def _trade(self, low: int, high: int, first_listing: int) -> tuple[list[Row], list[Row]]:
        """The sales with these positions, the listings they were made from, and what was on offer meanwhile in vain.

        Ids of sales follow `sold_at` throughout; ids of listings follow `created_at` within the chunk.
        """
        draw, rows = self.stream("trade", low), high - low
        sold = self._hours.at((np.arange(low, high) + draw.random(rows)) / self.sales) // SECOND * SECOND
        unsold = np.sort(self._hours.at((low + draw.random(round(rows * 0.35)) * rows) / self.sales)) // SECOND * SECOND
        waited = np.minimum(draw.exponential(9 * DAY, rows), (sold - self._hours.start) * draw.random(rows))
        created = np.concatenate([(sold - waited).astype(np.int64) // SECOND * SECOND, unsold])

        event = self.upcoming(draw, np.concatenate([sold, unsold]))
        section = weighted(draw, [share for _, share, _ in words.SECTIONS], len(event))
        price = np.array([cents for _, _, cents in words.CATEGORIES])[self._categories[event]]
        price = price * np.array([factor for _, _, factor in words.SECTIONS])[section]
        price = (price * (0.7 + self._popularity[event] ** 0.4 / 3) * draw.lognormal(0, 0.3, len(event))).astype(int)
        quantity = weighted(draw, _QUANTITIES, len(event))

        # What the box office sold was never listed.
        listed = np.ones(len(event), dtype=bool)
        listed[draw.choice(rows, round(rows * 0.03), replace=False)] = False
        order = np.flatnonzero(listed)
        order = order[np.argsort(created[order], kind="stable")]
        listing = np.zeros(len(event), dtype=np.int64)
        listing[order] = np.arange(first_listing, first_listing + len(order))

        gone = (self._starts[event] < self.end) | (draw.random(len(event)) < 0.15)
        status = np.where(np.arange(len(event)) < rows, "sold", np.where(gone, "withdrawn", "open"))
        seen = np.concatenate([sold, self.later(draw, unsold, draw.exponential(12 * DAY, len(unsold)))])
        listings = zip(
            listing[order].tolist(),
            (event[order] + 1).tolist(),
            self.customers(draw, created[order], one_in=10).tolist(),
            [words.SECTIONS[at][0] for at in section[order].tolist()],
            sprinkle(draw, pick(draw, words.ROWS, len(order)), (None,), 0.15),
            quantity[order].tolist(),
            money(price[order]),
            status[order].tolist(),
            pick(draw, words.DELIVERIES, len(order), (70, 8, 6, 6, 5, 4, 1)),
            moments(created[order]),
            moments(self.later(draw, seen[order], draw.random(len(order)) * SECOND)),
            strict=True,
        )
        offers = listing[:rows], event[:rows], quantity[:rows], price[:rows]
        return list(listings), self._sales(draw, low, sold, *offers)

    def _sales(
        self, draw: Draw, low: int, sold: np.ndarray, listing: np.ndarray, event: np.ndarray, quantity: np.ndarray,
        price: np.ndarray,
    ) -> list[Row]:  # fmt: skip
        rows = len(sold)
        chance = draw.random(rows)
        status = np.where(chance < 0.03, "refunded", np.where(chance < 0.045, "cancelled", "paid"))
        status = np.where(self._cancelled[event], "refunded", status)
        # Most sales never change; a refund, a chargeback or a correction may come months later.
        late = (status != "paid") | (draw.random(rows) < 0.06)
        delay = np.where(late, draw.exponential(35 * DAY, rows), draw.random(rows) * 20 * SECOND)
        total = price * quantity
        discount = money((total * draw.choice([0.05, 0.1, 0.15, 0.25], rows)).astype(int))
        table = zip(
            range(low + 1, low + 1 + rows),
            [id or None for id in listing.tolist()],
            (event + 1).tolist(),
            sprinkle(draw, self.customers(draw, sold).tolist(), (None,), 0.04),
            quantity.tolist(),
            money(price),
            money((total * (0.1 + 0.08 * draw.random(rows))).astype(int)),
            sprinkle(draw, discount, (None,), 0.88),
            status.tolist(),
            sprinkle(draw, [None] * rows, words.NOTES, 0.06),
            sprinkle(draw, pick(draw, words.ATTRIBUTES, rows), (None,), 0.3),
            moments(sold),
            moments(self.later(draw, sold, delay)),
            strict=True,
        )
        return list(table)

"""What the dimensions should be, kept in Python from what each night saw: no SQL has a part in it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

Row = dict[str, Any]

EVER = date(1, 1, 1)
NEVER = date(9999, 12, 31)


@dataclass
class Version:
    """Where a user lived, and whether active, from `since` on and before `until`."""

    city: str | None
    country: str
    is_active: bool | None
    since: date
    until: date = NEVER


@dataclass
class User:
    """`known` are the columns without history. An inferred user was only ever named by others."""

    versions: list[Version]
    known: tuple[Any, ...] = (None, None, None, None)
    is_inferred: bool = True

    def on(self, day: date) -> Version:
        return next(version for version in self.versions if version.since <= day < version.until)


@dataclass
class History:
    """Users by id, and of venues and events the last row that was seen, None where none was; `days` had a night."""

    days: list[date] = field(default_factory=list)
    users: dict[int, User] = field(default_factory=dict)
    venues: dict[int, Row | None] = field(default_factory=dict)
    events: dict[int, Row | None] = field(default_factory=dict)
    offers: set[tuple[Any, ...]] = field(default_factory=set)
    # Every listing that a night has seen, as it was seen last.
    listings: dict[int, Row] = field(default_factory=dict)

    def night(self, day: date, shop: dict[str, list[Row]]) -> None:
        """A night of that day saw these rows."""
        self.days.append(day)
        for row in shop["users"]:
            self._see_user(day, row)
        for table, known in (("venues", self.venues), ("events", self.events), ("listings", self.listings)):
            known.update({row["id"]: row for row in shop[table]})
        for row in shop["listings"]:
            self.offers.add((row["id"], row["updated_at"], row["price"], row["status"]))
        trade = [*self.listings.values(), *shop["ticket_sales"]]
        for named in [row.get("buyer_id", row.get("seller_id")) for row in trade]:
            if named is not None:
                self.users.setdefault(named, User([Version(None, "unknown", None, EVER)]))
        self._infer(self.events, [row["event_id"] for row in trade])
        self._infer(self.venues, [row["venue_id"] for row in shop["events"]])

    def _see_user(self, day: date, row: Row) -> None:
        seen = Version(row["city"], row["country"] or "unknown", row["is_active"] == 1, EVER)
        user = self.users.setdefault(row["id"], User([seen]))
        user.known = (row["email"], row["name"], row["marketing_opt_in"], row["created_at"])
        last = user.versions[-1]
        if user.is_inferred:
            user.versions, user.is_inferred = [seen], False
        elif (last.city, last.country, last.is_active) != (seen.city, seen.country, seen.is_active):
            seen.since = day
            if last.since == day:
                user.versions.pop()
            else:
                last.until = day
            user.versions.append(seen)

    @staticmethod
    def _infer(members: dict[int, Row | None], named: Iterable[int | None]) -> None:
        for one in named:
            if one is not None:
                members.setdefault(one, None)

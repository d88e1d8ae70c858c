"""Sixpack's A/B tests out of its Redis: what the experiments are, their numbers a day, and who saw what.

Every key is built from the names in `<prefix>:e`, never found by splitting keys: the names of experiments are not
validated and may hold ':' and '/'. The keys and their meaning are those of `sixpack/models.py` 2.7.0.

Days and `created_at` are in the local time of the Sixpack server. Deleting and resetting reuse a name, so an
experiment is (experiment, created_at). Numbers of past days can change (clients may back-date, experiments may be
reset): read a window of days again, and keep in the warehouse what has disappeared here.
"""

import functools
import math
import re
from array import array
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import redis

from etl import config
from etl.errors import ConfigError, MissingData
from etl.extract import chunked
from etl.sources.redis import RedisExtractor
from etl.sources.redis_connection import Server, connected
from etl.sources.redis_text import as_text

_EXPERIMENTS = 200  # of a pipeline
_CELLS = 1000  # days of an alternative, of a pipeline of BITCOUNTs
_BITMAPS = 64  # of a pipeline; one of a million clients is 125 kB
_CLIENTS = 10_000  # of a page; a multiple of 8

_PLACES = [tuple(place for place in range(8) if byte & 0x80 >> place) for byte in range(256)]
_NOT_EMPTY = re.compile(rb"[^\0]+")


class Experiment(NamedTuple):
    """What Redis holds of one experiment, in its own bytes. `winners` has those of KPIs under their names."""

    name: bytes
    created_at: datetime | None
    said: dict[bytes, bytes]
    alternatives: list[bytes]
    kpis: list[bytes]
    winner: bytes | None

    def scopes(self) -> list[tuple[bytes | None, bytes]]:
        """What can be converted, None for the plain conversion, and how conversion keys name it."""
        return [(None, self.name), *((kpi, self.name + b"/" + kpi) for kpi in self.kpis)]


class _SixpackExtractor(RedisExtractor):
    """Reads the experiments; a subclass makes rows of them."""

    def rows(self) -> Iterator[tuple[Any, ...]]:
        with connected() as server:
            for some in chunked(self._names(server), _EXPERIMENTS):
                yield from self.rows_of_experiments(server, self._experiments(server, some))

    def rows_of_experiments(self, server: Server, experiments: list[Experiment]) -> Iterator[tuple[Any, ...]]:
        raise NotImplementedError

    def _names(self, server: Server) -> list[bytes]:
        names = server.ask([("SMEMBERS", self._key(b"e"))])[0]
        if not names:
            raise MissingData(
                f"redis {server.address}: {as_text(self._key(b'e'))} is not there, so Sixpack knows no experiment; "
                f"mend the database number in [redis] url or [sixpack] prefix, or leave {self.get_task_family()} out"
            )
        return sorted(names)

    def _experiments(self, server: Server, names: list[bytes]) -> list[Experiment]:
        found = []
        for name, replies in zip(names, self._descriptions(server, names), strict=True):
            if any(isinstance(reply, redis.ResponseError) for reply in replies):
                # An experiment may be named like another one's key, `colour:users`.
                self.findings.skip("experiment with a key that another experiment's name has taken")
                continue
            flat, alternatives, kpis, winner = replies
            if not alternatives:
                self.findings.skip("experiment without alternatives: deleted or reset while it was read")
                continue
            said = dict(zip(flat[::2], flat[1::2], strict=True))
            created_at = self._created_at(name, said.get(b"created_at"))
            # Sixpack does not mind an alternative that is named twice; its key is one.
            once = list(dict.fromkeys(alternatives))
            found.append(Experiment(name, created_at, said, once, sorted(kpis), winner))
        return found

    def _descriptions(self, server: Server, names: list[bytes]) -> Iterator[list[Any]]:
        commands = [
            command
            for key in (self._key(b"e", name) for name in names)
            for command in (
                ("HGETALL", key),
                ("LRANGE", key + b":alternatives", 0, -1),
                ("SMEMBERS", key + b":kpis"),
                ("GET", key + b":winner"),
            )
        ]
        return chunked(server.ask(commands, mixed=True), 4)

    def _created_at(self, name: bytes, said: bytes | None) -> datetime | None:
        """To the minute; early releases wrote microseconds. An experiment whose hash was lost has none."""
        try:
            return datetime.fromisoformat((said or b"").decode())
        except ValueError:
            self.findings.loss("created_at", "not recorded by Sixpack" if not said else "no date", 1, [as_text(name)])
            return None

    @functools.cached_property
    def _prefix(self) -> bytes:
        return config.sixpack().prefix.encode()

    def _key(self, kind: bytes, *names: bytes) -> bytes:
        return b":".join((self._prefix, kind, *names))

    def _bitmap(self, kind: bytes, scope: bytes, alternative: bytes, day: date) -> bytes:
        """A conversion's key has `users` where a participation's has nothing."""
        users = (b"users",) if kind == b"c" else ()
        return self._key(kind, scope, alternative, *users, day.isoformat().encode())

    def _days(self, key: bytes, members: Iterable[bytes]) -> set[date]:
        days = set()
        for member in members:
            try:
                days.add(date.fromisoformat(member.decode()))
            except ValueError:
                self.findings.loss("date", "no date", 1, [f"{as_text(key)} {as_text(member)}"])
        return days


class SixpackExtractor(_SixpackExtractor):
    """A row a day, experiment, alternative and KPI (NULL is the plain conversion) that saw anybody.

    Participants of a day do not depend on the KPI and are repeated in each row of theirs. A row of two zeros is left
    out: Sixpack keeps no key for it. Who converts on a day need not have joined on it, so that the two make no rate of
    that day; add them up first. KPI conversions are counted from the alternatives' bitmaps: Sixpack's own totals of an
    experiment ignore the KPI.

    `[sixpack] window_days = 30` reads the task's date and the 29 days before it; 0 reads every day there is.
    """

    keeps_the_past = True
    columns = ("date", "experiment", "created_at", "alternative", "kpi", "participants", "conversions")
    types = {
        "date": pa.date32(),
        "created_at": pa.timestamp("us"),
        "participants": pa.int64(),
        "conversions": pa.int64(),
    }

    def rows_of_experiments(self, server: Server, experiments: list[Experiment]) -> Iterator[tuple[Any, ...]]:
        first, last = self._window()
        for cells in chunked(self._cells(server, experiments, first, last), _CELLS):
            counts = iter(server.ask([("BITCOUNT", key) for cell in cells for key in self._counted(*cell)]))
            for experiment, day, alternative in cells:
                participants = next(counts)
                for kpi, _ in experiment.scopes():
                    conversions = next(counts)
                    if participants or conversions:
                        yield day, experiment.name, experiment.created_at, alternative, kpi, participants, conversions

    def _counted(self, experiment: Experiment, day: date, alternative: bytes) -> Iterator[bytes]:
        yield self._bitmap(b"p", experiment.name, alternative, day)
        yield from (self._bitmap(b"c", scope, alternative, day) for _, scope in experiment.scopes())

    def _window(self) -> tuple[date, date]:
        days = config.sixpack().window_days
        if days < 0:
            raise ConfigError(f"[sixpack] window_days = {days}: write a number of days, or 0 for all")
        if not days:
            return date.min, date.max
        if self.date is None:
            raise ConfigError(
                f"[sixpack] window_days = {days} ends with a task's date and this {self.get_task_family()} has none; "
                f"give it a date, or write window_days = 0"
            )
        return self.date - timedelta(days=days - 1), self.date

    def _cells(
        self, server: Server, experiments: list[Experiment], first: date, last: date
    ) -> Iterator[tuple[Experiment, date, bytes]]:
        keys = [[self._key(b"p", e.name), *(self._key(b"c", scope) for _, scope in e.scopes())] for e in experiments]
        replies = iter(server.ask([("SMEMBERS", key + b":days") for some in keys for key in some]))
        for experiment, some in zip(experiments, keys, strict=True):
            days = {day for key in some for day in self._days(key, next(replies)) if first <= day <= last}
            yield from ((experiment, day, name) for day in sorted(days) for name in experiment.alternatives)


class SixpackExperimentExtractor(_SixpackExtractor):
    """A row an experiment, archived and paused ones included.

    `traffic_fraction` is 1 where Sixpack writes "False", as a reset does, or anything else that is no fraction.
    `winner` was chosen for the plain conversion, `kpi_winners` (JSON, KPI to alternative) while a KPI was looked at.
    `alternatives` and `kpis` are JSON lists; `control` is the first alternative.
    """

    columns = (
        "experiment",
        "created_at",
        "description",
        "traffic_fraction",
        "archived",
        "paused",
        "winner",
        "kpi_winners",
        "control",
        "alternatives",
        "kpis",
    )
    types = {
        "created_at": pa.timestamp("us"),
        "traffic_fraction": pa.float64(),
        "archived": pa.bool_(),
        "paused": pa.bool_(),
    }

    def rows_of_experiments(self, server: Server, experiments: list[Experiment]) -> Iterator[tuple[Any, ...]]:
        keys = [self._key(b"e", e.name) + b"/" + kpi + b":winner" for e in experiments for kpi in e.kpis]
        winners = iter(server.ask([("GET", key) for key in keys]))
        for e in experiments:
            kpi_winners = {kpi: winner for kpi in e.kpis if (winner := next(winners)) is not None}
            yield (
                e.name,
                e.created_at,
                e.said.get(b"description"),
                self._traffic_fraction(e),
                # The fields' presence is what Sixpack asks for, whatever they say.
                b"archived" in e.said,
                b"paused" in e.said,
                e.winner,
                kpi_winners or None,
                e.alternatives[0],
                e.alternatives,
                e.kpis,
            )

    def _traffic_fraction(self, experiment: Experiment) -> float:
        said = experiment.said.get(b"traffic_fraction", b"False")
        try:
            fraction = float(said)
        except ValueError:
            fraction = math.nan
        if 0 <= fraction <= 1:
            return fraction
        if said != b"False":
            self.findings.loss("traffic_fraction", "no fraction, read as 1", 1, [as_text(experiment.name)])
        return 1.0


class SixpackAssignmentExtractor(_SixpackExtractor):
    """A row a client and the alternative it was given, for every experiment that is not archived.

    `participated_on` and `converted_on` are the first days of either, `kpis` is JSON: KPI to the day of its conversion.
    A client outside the traffic fraction is `excluded` and, having been given no alternative, has NULL there. A client
    forced into a second alternative has a row for each. Clients that took no part have no row.

    Archiving deletes the clients' ids for ever: read them every night while an experiment lives.

    Memory: four bytes a client for each alternative and conversion of one experiment.
    """

    columns = (
        "experiment",
        "created_at",
        "client_id",
        "alternative",
        "participated_on",
        "excluded",
        "converted_on",
        "kpis",
    )
    types = {
        "created_at": pa.timestamp("us"),
        "participated_on": pa.date32(),
        "excluded": pa.bool_(),
        "converted_on": pa.date32(),
    }

    def rows_of_experiments(self, server: Server, experiments: list[Experiment]) -> Iterator[tuple[Any, ...]]:
        for experiment in experiments:
            if b"archived" in experiment.said:
                self.findings.skip("archived experiment: its clients' ids are gone")
            else:
                yield from self._assignments(server, experiment)

    def _assignments(self, server: Server, experiment: Experiment) -> Iterator[tuple[Any, ...]]:
        # Sixpack gives a client its id, then records its choice, then its conversion. Read in the opposite order,
        # every conversion meets its choice and every bit its client, however many arrive meanwhile.
        converted = self._first_days(server, experiment, b"c", experiment.scopes())
        joined = self._first_days(server, experiment, b"p", [(None, experiment.name)])
        excluded = server.ask([("GET", self._key(b"e", experiment.name) + b":excluded")])[0] or b""
        size = max(len(excluded) * 8, *map(len, converted.values()), *map(len, joined.values()))
        for firsts in (*converted.values(), *joined.values()):
            _reach(firsts, size)

        for low in range(0, size, _CLIENTS):
            clients = self._clients(server, experiment, low)
            for offset in range(low, min(low + _CLIENTS, size)):
                outside = _is_set(excluded, offset)
                given: list[bytes | None] = [
                    alternative
                    for alternative in experiment.alternatives
                    if joined[None, alternative][offset]
                    or any(converted[kpi, alternative][offset] for kpi, _ in experiment.scopes())
                ]
                if not given and not outside:
                    continue
                if offset not in clients:
                    self.findings.loss("client_id", "bit without a client", 1, [f"{as_text(experiment.name)} {offset}"])
                    continue
                for alternative in given or [None]:
                    days = {
                        kpi: _day(firsts[offset]) for (kpi, name), firsts in converted.items() if name == alternative
                    }
                    plain = days.pop(None, None)
                    kpis = {kpi: day.isoformat() for kpi, day in days.items() if day}
                    since = _day(joined[None, alternative][offset]) if alternative else None
                    yield (
                        experiment.name,
                        experiment.created_at,
                        clients[offset],
                        alternative,
                        since,
                        outside,
                        plain,
                        kpis or None,
                    )

    def _first_days(
        self, server: Server, experiment: Experiment, kind: bytes, scopes: list[tuple[bytes | None, bytes]]
    ) -> dict[tuple[bytes | None, bytes], "array[int]"]:
        """For each scope and alternative: by bit, the ordinal of the first day on which it is set, or 0."""
        days = server.ask([("SMEMBERS", self._key(kind, scope) + b":days") for _, scope in scopes])
        bitmaps = [
            (day, (kpi, alternative), self._bitmap(kind, scope, alternative, day))
            for (kpi, scope), members in zip(scopes, days, strict=True)
            for day in self._days(self._key(kind, scope), members)
            for alternative in experiment.alternatives
        ]
        firsts = {(kpi, alternative): array("I") for kpi, _ in scopes for alternative in experiment.alternatives}
        # The latest day first, so that an earlier one overwrites it.
        for some in chunked(sorted(bitmaps, key=lambda bitmap: bitmap[0], reverse=True), _BITMAPS):
            for (day, where, _), bitmap in zip(some, server.ask([("GET", key) for *_, key in some]), strict=True):
                _reach(firsts[where], len(bitmap or b"") * 8)
                for offset in offsets(bitmap or b""):
                    firsts[where][offset] = day.toordinal()
        return firsts

    def _clients(self, server: Server, experiment: Experiment, low: int) -> dict[int, bytes]:
        """The clients of the bits from `low` on. A page by score, not by rank: ids that are removed shift nothing."""
        users = self._key(b"e", experiment.name) + b":users"
        reply = server.ask([("ZRANGEBYSCORE", users, low, f"({low + _CLIENTS}", "WITHSCORES")])[0]
        clients = {int(float(score)): client for client, score in zip(reply[::2], reply[1::2], strict=True)}
        if twice := len(reply) // 2 - len(clients):
            self.findings.loss("client_id", "shares its bit with another client", twice, [as_text(experiment.name)])
        return clients


def offsets(bitmap: bytes) -> Iterator[int]:
    """The bits that are set. Redis numbers them from the top bit of the first byte."""
    for run in _NOT_EMPTY.finditer(bitmap):
        for number, byte in enumerate(run.group(), run.start()):
            for place in _PLACES[byte]:
                yield number * 8 + place


def _is_set(bitmap: bytes, offset: int) -> bool:
    return offset >> 3 < len(bitmap) and bool(bitmap[offset >> 3] & 0x80 >> (offset & 7))


def _reach(firsts: "array[int]", size: int) -> None:
    firsts.frombytes(bytes(firsts.itemsize * max(0, size - len(firsts))))


def _day(ordinal: int) -> date | None:
    return date.fromordinal(ordinal) if ordinal else None

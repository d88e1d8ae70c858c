"""Nightly as a whole: how the project hangs together, and that the warehouse says what the sources say.

What is expected is computed here a second time, from the sources by their own drivers and in plain Python:
none of our extractors and none of our SQL has a part in it.
"""

import ast
import csv
import datetime
import functools
import gzip
import importlib
import io
import json
import math
import pkgutil
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import luigi
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.mart import Mart
from etl.mirror import MirrorTable
from tasks.nightly import Nightly
from tests.marketplace import (
    DAY,
    NEXT,
    ROOT,
    ZONE,
    House,
    check_lake,
    checksums,
    foreign_keys,
    manifests,
    orphans,
    stages,
)
from tests.pipeline import session

pytest_plugins = ("tests.marketplace",)

NIGHTLY = "tasks.nightly.Nightly"
SCALE = 0.05

Row = tuple[Any, ...]
FAR_AWAY = datetime.date(9999, 12, 31)

# ---- how the project hangs together


def task_classes() -> set[type[luigi.Task]]:
    """Every task that a module of tasks/ makes."""
    modules = [importlib.import_module(f"tasks.{found.name}") for found in pkgutil.iter_modules(tasks.__path__)]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, luigi.Task) and value.__module__ == module.__name__
    }


def required(task: luigi.Task) -> Iterator[luigi.Task]:
    """The task and all that it requires, directly or not; once for each way that leads there."""
    yield task
    for one in luigi.task.flatten(task.requires()):
        yield from required(one)


@pytest.fixture
def night(settings) -> set[luigi.Task]:
    """The tasks of one night, as luigi would find them."""
    settings.set("s3_source", "url", "s3://partners")
    return set(required(Nightly(date=DAY)))


def loaders(night: set[luigi.Task]) -> list[BaseLoader]:
    return sorted((task for task in night if isinstance(task, BaseLoader)), key=lambda task: task.target)


def test_every_task_belongs_to_the_night(night):
    assert task_classes() == {type(task) for task in night if type(task).__module__.startswith("tasks.")}


def test_a_task_of_the_night_has_the_nights_date(night):
    dates = {task.task_family: task.date for task in night if isinstance(task, BaseExtractor | BaseLoader)}
    assert {family for family, date in dates.items() if date is None} == {"ExtractDateTable", "LoadDateTable"}
    assert set(dates.values()) == {None, DAY}


def test_the_night_names_each_of_our_loads_itself():
    """So that luigi's summary, and a person who reads nightly.py, see each of them."""
    named = {type(task) for task in luigi.task.flatten(Nightly(date=DAY).requires())}
    assert named == {task for task in task_classes() if issubclass(task, BaseLoader)}


def test_every_load_has_its_sql_and_every_sql_file_its_load(night):
    folder = ROOT / "warehouse_sql"
    wanted = set()
    for task in loaders(night):
        if isinstance(task, Mart):
            wanted.add(f"marts/{task.table}.sql")
        elif not isinstance(task, MirrorTable):
            wanted.add(f"tables/{task.table}.sql")
            wanted |= {f"loads/{task.sql}"} if task.sql else set()
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == wanted


def test_no_table_has_two_loads(night):
    assert [count for count in Counter(task.target for task in loaders(night)).values() if count > 1] == []


def test_every_key_of_a_fact_is_declared_foreign():
    """A fact's keys are its columns that are called so; what they point at is a dimension of that key."""
    declared = {(table, column): other for table, column, other, _ in foreign_keys()}
    for path in (ROOT / "warehouse_sql" / "tables").glob("*.sql"):
        keys = set(re.findall(r"^    (\w+_key) ", path.read_text(), re.MULTILINE))
        own = {f"{path.stem.removeprefix('dim_')}_key"}
        if path.stem.startswith("fact_"):
            assert keys == {column for table, column in declared if table == f"public.{path.stem}"}, path.name
            assert keys, f"{path.name}: a fact without a dimension"
        else:
            assert {column for table, column in declared if table == f"public.{path.stem}"} <= keys - own, path.name
    assert {other.partition("_")[0] for other in declared.values()} == {"public.dim"}


def test_a_load_requires_the_loads_of_the_dimensions_it_points_at(night):
    """So at every instant each fact's row is in its dimensions already."""
    by_target = {task.target: task for task in loaders(night)}
    for table, column, other, _ in foreign_keys():
        assert by_target[other] in set(required(by_target[table])), f"{table}.{column}"


def test_a_load_requires_what_its_sql_reads(night):
    by_target = {task.target: task for task in loaders(night)}
    for task in loaders(night):
        kind, name = ("marts", f"{task.table}.sql") if isinstance(task, Mart) else ("loads", task.sql)
        text = (ROOT / "warehouse_sql" / kind / name).read_text() if name else ""
        for schema, table in re.findall(r"\b(?:FROM|JOIN)\s+(raw|public|mart)\.(\w+)", text):
            assert by_target[f"{schema}.{table}"] in set(required(task)), f"{name} reads {schema}.{table}"


@functools.cache
def imports() -> dict[str, set[str]]:
    """Module -> what it imports, wherever in its text, of ours and of others."""
    found = {}
    for path in [path for folder in ("etl", "tasks") for path in (ROOT / folder).rglob("*.py")]:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        package = module if path.stem == "__init__" else module.rpartition(".")[0]
        names: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                origin = ".".join(filter(None, (package if node.level else "", node.module)))
                names |= {name if is_module(name := f"{origin}.{alias.name}") else origin for alias in node.names}
        found[module] = names
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def reached(graph: dict[str, set[str]], module: str) -> set[str]:
    """All of our modules that this one brings along."""
    seen, new = set(), {module}
    while new:
        seen |= new
        new = {
            name for one in new for name in graph.get(one, ()) if name.split(".")[0] in ("etl", "tasks", "demo")
        } - seen
    return seen - {module}


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in packages)


# From the design: tasks -> load, mart, mirror, sources -> extract -> manifest -> config, and
# load, mart -> warehouse -> config. What stands on the left is never reached from what stands on its right.
UPWARDS = {
    "etl.config": ("etl.lake", "etl.manifest", "etl.extract", "etl.sources", "etl.warehouse", "etl.load"),
    "etl.manifest": ("etl.extract", "etl.sources", "etl.warehouse", "etl.marker", "etl.load", "etl.mart", "etl.mirror"),
    "etl.extract": ("etl.sources", "etl.warehouse", "etl.marker", "etl.load", "etl.mart", "etl.mirror"),
    # A source may ask the warehouse which of its files were loaded.
    "etl.sources": ("etl.marker", "etl.load", "etl.mart", "etl.mirror"),
    "etl.warehouse": ("etl.lake", "etl.manifest", "etl.extract", "etl.sources", "etl.marker", "etl.load", "etl.mart"),
    "etl.load": ("etl.sources", "etl.mart", "etl.mirror"),
    "etl.mart": ("etl.sources", "etl.mirror"),
}
# Modules for people, and what runs the tasks for them: no task needs one.
PEOPLE = (
    "etl.afterwards",
    "etl.cli",
    "etl.commands",
    "etl.completion",
    "etl.dictionary",
    "etl.doctor",
    "etl.initialise",
    "etl.metrics",
    "etl.migration",
    "etl.new",
    "etl.night",
    "etl.notify",
    "etl.preview",
    "etl.run_report",
    "etl.runner",
    "etl.stack",
    "etl.status",
    "etl.testing",
)


@pytest.mark.parametrize("lower", UPWARDS)
def test_imports_go_one_way(lower):
    graph = imports()
    for module in [module for module in graph if within(module, lower)]:
        wrong = {name for name in reached(graph, module) if within(name, *UPWARDS[lower], *PEOPLE, "tasks", "demo")}
        assert wrong == set(), module


def test_only_a_test_needs_the_test_kit():
    """It needs pytest and servers, which no host of a nightly run has."""
    for module, names in imports().items():
        assert within(module, "etl.testing") or not any(within(name, "etl.testing") for name in names), module


def test_the_library_knows_no_table_of_ours():
    """The demo's commands import the demo when they are called, and nothing else does."""
    for module, names in imports().items():
        wrong = {name for name in names if within(name, "tasks", "demo")}
        if within(module, "etl") and module != "etl.commands.demo":
            assert wrong == set(), module


def test_the_tasks_know_no_mechanism():
    allowed = (
        "etl.load",
        "etl.mart",
        "etl.mirror",
        "etl.extract",
        "etl.sources",
        "etl.calendar",
        "etl.config",
        "tasks",
    )
    for module, names in imports().items():
        if within(module, "tasks"):
            ours = {name for name in names if within(name, "etl", "tasks")}
            assert {name for name in ours if not within(name, *allowed) and name != "etl"} == set(), module


@pytest.mark.parametrize(
    ("driver", "owners"),
    [
        ("psycopg2", ("etl.warehouse",)),
        ("boto3", ("etl.lake", "etl.warehouse.redshift_credentials")),
        ("botocore", ("etl.lake", "etl.warehouse.redshift_credentials")),
        ("pymysql", ("etl.sources.mysql",)),
        ("connectorx", ("etl.sources.mysql",)),
        ("redis", ("etl.sources.redis", "etl.sources.sixpack")),
        ("urllib3", ("etl.sources.elasticsearch",)),
        ("pandas", ("etl.calendar",)),
    ],
)
def test_a_driver_is_known_to_its_own_source_only(driver, owners):
    users = {module for module, names in imports().items() if any(within(name, driver) for name in names)}
    # mysql_types and its like are parts of one source; the kit gives a test a client of each server.
    apart = ("etl.stack", "etl.testing")
    strangers = {user for user in users if not user.startswith(owners) and not within(user, *apart)}
    assert users and strangers == set()


# ---- what the sources say, in plain Python


class Expected:
    """Every table of the warehouse as the sources have it, keys of ours replaced by natural ones.

    `known` remembers the members of dimensions that an earlier night has seen, which stay for ever.
    """

    def __init__(self, marketplace, day: datetime.date, before: "Expected | None" = None) -> None:
        self._market, self._day = marketplace, day
        self.shop = {table: self._rows_of(table) for table in ("users", "venues", "events", "listings", "ticket_sales")}
        self.users = self._members("dim_user", before)
        self.venues = self._members("dim_venue", before)
        self.events = self._members("dim_event", before)
        self.experiments = self._members("dim_experiment", before)
        self._before = before

    def table(self, name: str) -> list[Row]:
        return getattr(self, name)()

    def dim_user(self) -> list[Row]:
        """One row for each place that a user was seen to live in, and one for each who is known from facts only."""
        always = (datetime.date.min, FAR_AWAY, True)
        nothing = (None, None, None, "unknown", None, None, None, None, -1)
        named = {row[2] for row in (*self.fact_listing(), *self.fact_ticket_sale(), *self.fact_campaign_email())}
        named |= {row[2] for row in self.fact_search()} - {-1}
        found = [(-1, *nothing, *always, False)]
        found += [(user, *nothing, *always, True) for user in named - {-1} - self.users.keys()]
        for user, row in self.users.items():
            before = self._before.users.get(user, row) if self._before else row
            if before[3:5] == row[3:5]:
                found.append((*row, *always, False))
            else:
                found.append((*row[:3], *before[3:5], *row[5:], datetime.date.min, self._day, False, False))
                found.append((*row, self._day, FAR_AWAY, True, False))
        return found

    def dim_venue(self) -> list[Row]:
        return [(-1, "unknown", "unknown", "unknown", "unknown", None, None, None, None), *self.venues.values()]

    def dim_event(self) -> list[Row]:
        return [(-1, "unknown", "unknown", None, -1, None, -1, None, None, "unknown"), *self.events.values()]

    def dim_experiment(self) -> list[Row]:
        unknown = ("unknown", datetime.datetime(1970, 1, 1), None, None, False, False, None, None, None, None)
        return [unknown, *self.experiments.values()]

    def fact_listing(self) -> list[Row]:
        return [
            (
                row["id"], day_key(row["created_at"]), self._user(row["seller_id"]), self._event(row["event_id"]),
                row["section"], row["row"], row["quantity"], row["price"], row["status"],
                ",".join(sorted(row["delivery"].split(","), key=("mobile", "paper", "will_call", "").index)),
                row["created_at"],
            )
            for row in self.shop["listings"]
        ]  # fmt: skip

    def fact_ticket_sale(self) -> list[Row]:
        return [
            (
                row["id"], day_key(row["sold_at"]), self._user(row["buyer_id"]), self._event(row["event_id"]),
                self._venue_of(row["event_id"]), row["listing_id"], row["status"], row["quantity"], row["unit_price"],
                row["quantity"] * row["unit_price"], row["fee"], row["discount"] or Decimal(0), row["note"],
                row["sold_at"],
            )
            for row in self.shop["ticket_sales"]
        ]  # fmt: skip

    def fact_search(self) -> list[Row]:
        answer = self._market.search.request("POST", "/searches/_search", '{"size": 5000}')
        found = []
        for document in [hit["_source"] for hit in answer["hits"]["hits"]]:
            at = datetime.datetime.fromisoformat(document["searched_at"].replace("Z", "+00:00"))
            if (day := at.astimezone(ZoneInfo(ZONE)).date()) > self._day or day < DAY:
                continue
            category, limit = document.get("category"), document.get("price_max")
            found.append(
                (
                    document["search_id"], int(f"{day:%Y%m%d}"), self._user(document.get("user_id")),
                    self._event(document.get("event_clicked")), document.get("session"), document.get("query"),
                    category if category is None or isinstance(category, list) else [category],
                    document.get("results"), document.get("took_ms"), None if limit is None else Decimal(str(limit)),
                    at.replace(tzinfo=None),
                )
            )  # fmt: skip
        assert len(answer["hits"]["hits"]) == answer["hits"]["total"]["value"]
        return found

    def fact_campaign_email(self) -> list[Row]:
        days = [DAY + datetime.timedelta(days=ahead) for ahead in range((self._day - DAY).days + 1)]
        return [
            (
                mail["message_id"], int(f"{day:%Y%m%d}"), self._user(mail["user_id"]), self._event(mail["event_id"]),
                mail["campaign"], mail["sent_at"], mail["opened_at"], mail["clicked_at"], mail["bounced"],
                mail["revenue"],
            )
            for day in days
            for mail in self._mails(f"campaigns/{day:%Y/%m/%d}/")
        ]  # fmt: skip

    def fact_experiment_day(self) -> list[Row]:
        """The numbers that the real Sixpack gives for its recorded keys, and what `a_day_passes` added."""
        numbers = json.loads((ROOT / "tests" / "data" / "sixpack_numbers.json").read_text())
        found = [
            (
                int(number["day"].replace("-", "")), number["experiment"], number["alternative"], number["kpi"] or "",
                number["participants"], number["conversions"],
            )
            for number in numbers
        ]  # fmt: skip
        if self._day == DAY:
            return found
        back_dated = {(20140102, "button-color", "red", kpi): 1 for kpi in ("", "checkout")}
        found = [(*row[:4], row[4] + back_dated.get(row[:4], 0), row[5]) for row in found]
        return [*found, *((20240229, "button-color", "red", kpi, 1, 0) for kpi in ("", "checkout"))]

    def daily_sales(self) -> list[Row]:
        groups = defaultdict(list)
        for row in self.shop["ticket_sales"]:
            if row["status"] == "paid":
                groups[day_key(row["sold_at"]), self._event(row["event_id"])].append(row)
        titles = {-1: ("unknown", "unknown"), **{event: row[1:3] for event, row in self.events.items()}}
        cities = {-1: "unknown", **{venue: row[2] for venue, row in self.venues.items()}}
        return [
            (
                datetime.datetime.strptime(str(day), "%Y%m%d").date(), day, event, *titles[event],
                cities[self._venue_of(event)], len(rows), sum(row["quantity"] for row in rows),
                sum(row["quantity"] * row["unit_price"] for row in rows), sum(row["fee"] for row in rows),
                sum(row["discount"] or 0 for row in rows),
                len({self._user(row["buyer_id"]) for row in rows} - {-1}),
            )
            for (day, event), rows in groups.items()
        ]  # fmt: skip

    def experiment_results(self) -> list[Row]:
        sums: dict[Row, list[int]] = defaultdict(lambda: [0, 0])
        for _, *alternative, participants, conversions in self.fact_experiment_day():
            sums[tuple(alternative)][0] += participants
            sums[tuple(alternative)][1] += conversions
        by_name = {row[0]: row for row in self.experiments.values()}
        return [
            (
                name, alternative, kpi, alternative == by_name[name][8],
                None if by_name[name][6] is None else alternative == by_name[name][6], n, k, k / n if n else None,
                *(wilson(k, n) if n and k <= n else (None, None)),
            )
            for (name, alternative, kpi), (n, k) in sums.items()
        ]  # fmt: skip

    def _members(self, dimension: str, before: "Expected | None") -> dict[Any, Row]:
        """Those of the source now, and after them those that it had."""
        gone = dict(getattr(before, dimension.replace("dim_", "") + "s")) if before else {}
        return gone | {
            row[:2] if dimension == "dim_experiment" else row[0]: row for row in getattr(self, f"_{dimension}")()
        }

    def _dim_user(self) -> Iterator[Row]:
        for row in self.shop["users"]:
            opted = row["marketing_opt_in"]
            yield (
                row["id"], row["email"], row["name"], row["city"], row["country"] or "unknown",
                date_or_none(row["birth_date"]), row["is_active"] == 1, None if opted is None else opted == b"\1",
                row["created_at"], day_key(row["created_at"]),
            )  # fmt: skip

    def _dim_venue(self) -> Iterator[Row]:
        for row in self.shop["venues"]:
            place = (row[part] if row[part] is not None else "unknown" for part in ("city", "state", "country"))
            yield (
                row["id"], row["name"], *place, row["capacity"] or None, row["latitude"], row["longitude"],
                date_or_none(row["opened_on"]),
            )  # fmt: skip

    def _dim_event(self) -> Iterator[Row]:
        for row in self.shop["events"]:
            doors = row["doors_at"]
            yield (
                row["id"], row["title"], row["category"], row["performer"],
                row["venue_id"] if row["venue_id"] in self.venues else -1, row["starts_at"], day_key(row["starts_at"]),
                None if doors is None else Decimal(doors // datetime.timedelta(seconds=1)), row["season_year"],
                row["status"],
            )  # fmt: skip

    def _dim_experiment(self) -> Iterator[Row]:
        redis = self._market.redis
        for name in sorted(member.decode() for member in redis.smembers("sxp:e")):
            key = f"sxp:e:{name}"
            said = {field.decode(): text.decode() for field, text in redis.hgetall(key).items()}
            alternatives = [one.decode() for one in redis.lrange(f"{key}:alternatives", 0, -1)]
            winner = redis.get(f"{key}:winner")
            kpis = {kpi.decode(): redis.get(f"{key}/{kpi.decode()}:winner") for kpi in redis.smembers(f"{key}:kpis")}
            won = {kpi: one.decode() for kpi, one in kpis.items() if one}
            yield (
                name, datetime.datetime.fromisoformat(said["created_at"]), said.get("description"),
                float(said["traffic_fraction"]), "archived" in said, "paused" in said, winner and winner.decode(),
                won or None, alternatives[0], alternatives,
            )  # fmt: skip

    def _user(self, user: int | None) -> int:
        return -1 if user is None else user

    def _event(self, event: int | None) -> int:
        return event if event in self.events else -1  # type: ignore[return-value]

    def _venue_of(self, event: int) -> int:
        return self.events[event][4] if event in self.events else -1

    def _rows_of(self, table: str) -> list[dict[str, Any]]:
        names = [name for (name, *_) in self._market.mysql.query(f"SHOW COLUMNS FROM {table}")]
        return [dict(zip(names, row, strict=True)) for row in self._market.mysql.query(f"SELECT * FROM {table}")]

    def _mails(self, folder: str) -> Iterator[dict[str, Any]]:
        bucket = self._market.bucket
        times = ("sent_at", "opened_at", "clicked_at")
        for row in csv.DictReader(io.StringIO(gzip.decompress(bucket.get(folder + "mailer-a.csv.gz")).decode(), "")):
            mail: dict[str, Any] = {name: text or None for name, text in row.items()}
            mail |= {name: mail[name] and datetime.datetime.fromisoformat(mail[name]) for name in times}
            mail |= {name: mail[name] and int(mail[name]) for name in ("user_id", "event_id")}
            yield mail | {"bounced": mail["bounced"] == "true", "revenue": mail["revenue"] and Decimal(mail["revenue"])}
        packed = pa.BufferReader(bucket.get(folder + "mailer-b.jsonl.zst"))
        for line in pa.CompressedInputStream(packed, "zstd").read().decode().split("\n")[:-1]:
            mail = defaultdict(lambda: None, json.loads(line, parse_float=Decimal))
            yield mail | {name: mail[name] and datetime.datetime.fromisoformat(mail[name][:-1]) for name in times}
        for mail in pq.read_table(io.BytesIO(bucket.get(folder + "mailer-c.parquet"))).to_pylist():
            yield mail | {name: mail[name] and mail[name].replace(tzinfo=None) for name in times}


def day_key(moment: datetime.datetime) -> int:
    """The business day of a moment of UTC's clock."""
    return int(f"{moment.replace(tzinfo=datetime.timezone.utc).astimezone(ZoneInfo(ZONE)):%Y%m%d}")


def date_or_none(value: datetime.date | str | None) -> datetime.date | None:
    """PyMySQL gives a date that no calendar has as its text."""
    return value if isinstance(value, datetime.date) else None


def wilson(k: int, n: int) -> tuple[float, float]:
    """The shares that a test at 5% does not refuse: where k/n lies z standard errors away, found by bisection.

    E. B. Wilson, Probable inference, JASA 22 (1927): the score test inverted. Our SQL has the closed form.
    """
    z = statistics.NormalDist().inv_cdf(0.975)

    def edge(refused: float) -> float:
        inside = k / n
        for _ in range(200):
            middle = (refused + inside) / 2
            if abs(k / n - middle) > z * math.sqrt(middle * (1 - middle) / n):
                refused = middle
            else:
                inside = middle
        return inside

    return edge(0.0), edge(1.0)


# ---- what the warehouse says

WHERE_FROM = {
    "dim_user": "public.dim_user t",
    "dim_venue": "public.dim_venue t",
    "dim_event": "public.dim_event t JOIN public.dim_venue v USING (venue_key)",
    "dim_experiment": "public.dim_experiment t",
    "fact_listing": """public.fact_listing t JOIN public.dim_user u ON u.user_key = t.seller_key
        JOIN public.dim_event e USING (event_key)""",
    "fact_ticket_sale": """public.fact_ticket_sale t JOIN public.dim_user u ON u.user_key = t.buyer_key
        JOIN public.dim_event e USING (event_key) JOIN public.dim_venue v ON v.venue_key = t.venue_key""",
    "fact_search": """public.fact_search t JOIN public.dim_user u USING (user_key)
        JOIN public.dim_event e ON e.event_key = t.clicked_event_key""",
    "fact_campaign_email": """public.fact_campaign_email t JOIN public.dim_user u USING (user_key)
        JOIN public.dim_event e USING (event_key)""",
    "fact_experiment_day": "public.fact_experiment_day t JOIN public.dim_experiment x USING (experiment_key)",
    "daily_sales": "mart.daily_sales t JOIN public.dim_event e USING (event_key)",
    "experiment_results": "mart.experiment_results t",
}
NATURAL_KEYS = {
    "user_key": "u.user_id",
    "seller_key": "u.user_id",
    "buyer_key": "u.user_id",
    "event_key": "e.event_id",
    "clicked_event_key": "e.event_id",
    "venue_key": "v.venue_id",
    "experiment_key": "x.experiment",
}
JSON = {"dim_experiment": ("kpi_winners", "alternatives"), "fact_search": ("category",)}
OWN_NUMBER = {
    "dim_user": "user_key",
    "dim_venue": "venue_key",
    "dim_event": "event_key",
    "dim_experiment": "experiment_key",
    "experiment_results": "experiment_key",
}


def found(house: House, table: str) -> list[Row]:
    """All of a table's columns, keys of ours resolved and the table's own number left out."""
    name = WHERE_FROM[table].partition(" ")[0]
    columns = [
        column
        for (column,) in house.query(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum", (name,)
        )
        if column != OWN_NUMBER.get(table)
    ]
    natural = ", ".join(NATURAL_KEYS.get(column, f"t.{column}") for column in columns)
    rows = house.query(f"SELECT {natural} FROM {WHERE_FROM[table]}")
    assert house.query(f"SELECT count(*) FROM {name}") == [(len(rows),)]
    written_as_json = [columns.index(column) for column in JSON.get(table, ())]
    return [
        tuple(
            json.loads(value) if at in written_as_json and value is not None else value for at, value in enumerate(row)
        )
        for row in rows
    ]


def check_table(house: House, expected: Expected, table: str) -> None:
    wanted, there = expected.table(table), found(house, table)
    if table == "experiment_results":
        wanted, there = [rounded(row) for row in wanted], [rounded(row) for row in there]
    assert wanted, "nothing is compared with nothing"
    assert sorted(map(repr, map(plain, there))) == sorted(map(repr, map(plain, wanted)))


def rounded(row: Row) -> Row:
    """Two ways to the same irrational number agree to this many digits."""
    return tuple(round(value, 9) + 0.0 if isinstance(value, float) else value for value in row)


def plain(row: Row) -> Row:
    """Numbers of a value have one text, whatever their type and scale."""
    return tuple(
        Decimal(value).normalize() + 0 if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        for value in row
    )


TABLES = sorted(WHERE_FROM)


@pytest.fixture(scope="module")
def first(marketplace, builder) -> tuple[House, Expected]:
    """The warehouse after one night, kept as it is, and the sources as they were then."""
    marketplace.seed(SCALE)
    house = builder.house()
    house.run(NIGHTLY, DAY, workers=3)
    return house, Expected(marketplace, DAY)


@pytest.fixture(scope="module")
def second(first, marketplace, builder) -> tuple[House, Expected]:
    """A warehouse that had that night and one more, after a day of changes in every source."""
    before, then = first
    house = builder.house(before)
    marketplace.a_day_passes()
    house.run(NIGHTLY, NEXT, workers=3)
    return house, Expected(marketplace, NEXT, then)


@pytest.mark.parametrize("table", TABLES)
def test_a_night_says_what_the_sources_say(first, table):
    check_table(*first, table)


@pytest.mark.parametrize("table", TABLES)
def test_the_next_night_says_what_the_sources_say_then(second, table):
    check_table(*second, table)


def test_the_next_night_had_something_to_do(first, second):
    """Rows came, went and changed in every table but the calendar, or the test above would prove little."""
    for table in TABLES:
        assert sorted(map(repr, first[1].table(table))) != sorted(map(repr, second[1].table(table))), table


def test_deleted_members_stay_and_are_still_pointed_at(first, second):
    house, now = second
    for dimension, source, members in (
        ("dim_user", "users", now.users),
        ("dim_venue", "venues", now.venues),
        ("dim_event", "events", now.events),
    ):
        gone = set(members) - {row["id"] for row in now.shop[source]}
        assert len(gone) == 1, source
        key = dimension.removeprefix("dim_")
        number = f"SELECT {key}_key FROM public.{dimension} WHERE {key}_id = %s"
        assert house.query(number, (*gone,)) == first[0].query(number, (*gone,)) != []
        if source != "venues":
            column = "buyer_key" if source == "users" else "event_key"
            sales = f"SELECT count(*) FROM public.fact_ticket_sale WHERE {column} = ({number})"
            assert house.query(sales, (*gone,))[0][0] > 0


def test_a_member_keeps_its_number(first, second):
    for table, key in (("dim_user", "user"), ("dim_venue", "venue"), ("dim_event", "event")):
        before, after = (
            set(house.query(f"SELECT {key}_id, {key}_key FROM public.{table}")) for house, _ in (first, second)
        )
        assert before < after
        assert len({number for _, number in after}) == len(after)


@pytest.mark.parametrize("which", ["first", "second"])
def test_a_fact_points_at_the_user_as_they_were_on_its_day(first, second, which):
    house, _ = {"first": first, "second": second}[which]
    for table, key, day in (
        ("fact_ticket_sale", "buyer_key", "sold_date_key"),
        ("fact_listing", "seller_key", "listed_date_key"),
        ("fact_search", "user_key", "date_key"),
        ("fact_campaign_email", "user_key", "date_key"),
    ):
        wrong = (
            f"SELECT count(*), count(*) FILTER (WHERE d.full_date < u.valid_from OR d.full_date >= u.valid_to) "
            f"FROM public.{table} f JOIN public.dim_user u ON u.user_key = f.{key} "
            f"JOIN public.dim_date d ON d.date_key = f.{day} WHERE f.{key} <> -1"
        )
        ((rows, on_another_day),) = house.query(wrong)
        assert rows and not on_another_day, table


def test_a_user_who_moved_has_sales_in_both_places(second):
    """Users who are known from facts are in the dimension once a version, and none of their days is in two."""
    house, _ = second
    places = "SELECT count(*) FROM public.dim_user WHERE user_id = 2"
    assert house.query(places) == [(2,)]
    overlaps = (
        "SELECT count(*) FROM public.dim_user a JOIN public.dim_user b ON a.user_id = b.user_id "
        "AND a.user_key < b.user_key AND a.valid_from < b.valid_to AND b.valid_from < a.valid_to"
    )
    assert house.query(overlaps) == [(0,)]


def test_the_calendar(first):
    house, _ = first
    assert house.query(
        "SELECT count(*), count(full_date), min(full_date), max(full_date), "
        "count(DISTINCT full_date), bool_and(date_key = CAST(to_char(full_date, 'YYYYMMDD') AS INTEGER)) "
        "FROM public.dim_date"
    ) == [(21_916, 21_915, datetime.date(1990, 1, 1), datetime.date(2049, 12, 31), 21_915, True)]
    assert house.query(
        "SELECT date_key, year, is_holiday, month_name FROM public.dim_date WHERE full_date IS NULL"
    ) == [(-1, None, 0, "unknown")]
    assert house.query(
        "SELECT year_quarter, iso_year_week, day_name, day_of_year, is_weekend, is_last_day_in_month "
        "FROM public.dim_date WHERE date_key = 20240229"
    ) == [("2024-Q1", "2024-W09", "Thursday", 60, 0, 1)]


@pytest.mark.parametrize("which", ["first", "second"])
def test_every_foreign_key_resolves(first, second, which):
    house, _ = {"first": first, "second": second}[which]
    assert orphans(house.query) == []


@pytest.mark.parametrize("which", ["first", "second"])
def test_the_receipts_add_up(first, second, night, which):
    house, _ = {"first": first, "second": second}[which]
    by_target = defaultdict(list)
    for target, *counts in house.query(
        "SELECT target, rows_read, rows_written, rows_staged, rows_inserted, rows_deleted, rows_rejected, rows_after, "
        "manifest IS NOT NULL FROM etl.receipts ORDER BY loaded_at"
    ):
        by_target[target].append(counts)
    assert len(by_target) == len(loaders(night))
    for target, receipts in by_target.items():
        before = 0
        for read, written, staged, inserted, deleted, rejected, after, from_the_lake in receipts:
            assert after == before + inserted - deleted, target
            if from_the_lake:
                assert staged == written and (read is None or read == written + rejected), target
            before = after
        assert house.query(f"SELECT count(*) FROM {target}") == [(before,)], target
        assert house.query("SELECT rows FROM etl.data_as_of WHERE table_name = %s", (target,)) == [(before,)], target


def test_nothing_is_left_behind(second):
    house, _ = second
    assert stages(house.query) == []
    check_lake(house.lake)
    assert manifests(house.lake)


def test_the_same_night_again_does_nothing(first, builder):
    house = builder.house(first[0])
    rows = "SELECT (t.*)::text FROM {} t ORDER BY 1"
    before = house.query(rows.format("etl.receipts")), checksums(house.query, ("public", "mart", "raw", "etl"))
    house.run(NIGHTLY, DAY, workers=3)
    assert (
        house.query(rows.format("etl.receipts")),
        checksums(house.query, ("public", "mart", "raw", "etl")),
    ) == before
    assert house.lake.keys() == []


# Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I,
# method 3 (Wilson's score interval without continuity correction).
NEWCOMBE = {
    (81, 263): (0.2553, 0.3662),
    (15, 148): (0.0624, 0.1605),
    (0, 20): (0.0000, 0.1611),
    (1, 29): (0.0061, 0.1718),
}


def test_the_interval_is_the_published_one(first):
    house, _ = first
    mart = (ROOT / "warehouse_sql" / "marts" / "experiment_results.sql").read_text().strip().rstrip(";")
    with session(house.database.admin_url) as cursor:  # never committed
        for k, n in NEWCOMBE:
            # People convert on another day than they join.
            for day, participants, conversions in ((20240101, n, 0), (20240102, 0, k)):
                cursor.execute(
                    "INSERT INTO public.fact_experiment_day VALUES (%s, -1, %s, '', %s, %s)",
                    (day, f"{k}/{n}", participants, conversions),
                )
        cursor.execute(f"SELECT alternative, rate_low, rate_high FROM ({mart}) q WHERE experiment_key = -1")
        shown = {alternative: (round(low, 4), round(high, 4)) for alternative, low, high in cursor.fetchall()}
    assert shown == {f"{k}/{n}": interval for (k, n), interval in NEWCOMBE.items()}
    assert {counts: tuple(round(edge, 4) for edge in wilson(*counts)) for counts in NEWCOMBE} == NEWCOMBE

"""`etl preview`: rows as they would be staged, the load's own SQL, and not a byte written anywhere."""

import contextlib
import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import luigi
import pytest
from click.testing import CliRunner

from etl import cli
from etl.errors import MissingData
from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.mart import Mart
from etl.mirror import MirrorTable
from etl.preview import preview
from etl.sources.elasticsearch import ElasticsearchExtractor
from etl.sources.mysql import MySQLExtractor
from etl.sources.redis import RedisExtractor
from etl.sources.s3 import S3Extractor
from etl.stack import ports
from etl.testing import Bucket, Settings, ShopDatabase, WarehouseDatabase
from etl.warehouse.postgres import Postgres

DAY = date(2014, 2, 3)


class PreviewedRates(BaseExtractor):
    columns = ("currency", "rate", "note")
    taken: list[int] = []
    closed: list[bool] = []

    def rows(self) -> Iterator[tuple[Any, ...]]:
        try:
            for number in range(1000):
                self.taken.append(number)
                yield f"C{number}", number / 4, ["a\n-- b", "100 %s 'x' \\", None][number % 3]
        finally:
            self.closed.append(True)


class LoadPreviewedRates(BaseLoader):
    extractor = PreviewedRates
    table = "fact_rate"
    strategy = "upsert"
    key = ("currency",)
    sql = "fact_rate.sql"


class PreviewedByHand(BaseExtractor):
    columns = ("name", "size")

    def run(self) -> None:
        with self.output().open("w") as file:
            file.write('"small",1\n"",\n"large",3\n')


class PreviewedQuery(MySQLExtractor):
    sql = "SELECT id, CONCAT(name, '%') AS name FROM venues ORDER BY id DESC -- the last first"


class PreviewedSearches(ElasticsearchExtractor):
    index = "searches"
    columns = ("id", "tags")
    fields = {"id": "_id"}
    arrays = {"tags": "first"}


class PreviewedKeys(RedisExtractor):
    pattern = "rate:*"
    columns = ("name", "value")

    def rows_of(self, key: Any, elements: Any) -> Iterator[tuple[Any, ...]]:
        for _, value, _ in elements:
            yield key.name, value


class PreviewedFeed(S3Extractor):
    prefix = "feed/{date:%Y/%m/%d}/"
    columns = ("partner", "clicks")


class PreviewedInbox(S3Extractor):
    prefix = "inbox/"
    columns = ("partner", "clicks")


class PreviewedMart(Mart):
    table = "rates"
    key = ("currency",)

    def requires(self) -> luigi.Task:
        return LoadPreviewedRates(date=self.date)


@pytest.fixture
def sql(tmp_path: Any, settings: Settings) -> None:
    """The table and the SELECT of LoadPreviewedRates, and those of the mart."""
    for kind, name, text in (
        ("tables", "fact_rate", "-- redshift: DISTSTYLE ALL\nCREATE TABLE public.fact_rate (\n"
         "    currency VARCHAR(20) NOT NULL PRIMARY KEY,\n    rate DECIMAL(9,2),\n    note VARCHAR(200)\n);\n"),
        ("loads", "fact_rate", "-- of {stage}, each once\nWITH r AS (SELECT * FROM {stage} WHERE currency LIKE 'C%')\n"
         "SELECT r.currency AS currency, CAST(r.rate AS DECIMAL(9,2)) AS rate, r.note AS note FROM r ORDER BY 1\n"),
        ("marts", "rates", "SELECT currency, 2 * rate AS twice FROM public.fact_rate\n"),
    ):  # fmt: skip
        (tmp_path / kind).mkdir(exist_ok=True)
        (tmp_path / kind / f"{name}.sql").write_text(text)
    settings.set("etl", "sql", tmp_path)


@pytest.fixture
def venues(mysql: ShopDatabase) -> ShopDatabase:
    mysql.execute(
        "CREATE TABLE venues (id INT UNSIGNED PRIMARY KEY, name VARCHAR(40), opened_on DATE, changed DATETIME NOT NULL)"
    )
    mysql.execute(
        "INSERT INTO venues VALUES (%s, %s, %s, '2014-02-03 10:00:00')",
        [(1, "Café 🎟️", "0000-00-00"), (2, None, "1999-04-01"), *((n, f"v{n}", None) for n in range(3, 200))],
    )
    return mysql


@contextlib.contextmanager
def nothing_is_written(
    warehouse: WarehouseDatabase | None = None, lake: Bucket | None = None, shop: ShopDatabase | None = None
) -> Iterator[None]:
    def seen() -> list[Any]:
        there: list[Any] = [lake.keys() if lake else None]
        if warehouse:
            # Whoever writes is given a number, also for what he drops or takes back.
            there += warehouse.query("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return [*there, shop.query("CHECKSUM TABLE venues") if shop else None]

    before = seen()
    yield
    assert seen() == before


# ---- what is read


def test_a_mirror(warehouse: WarehouseDatabase, lake: Bucket, venues: ShopDatabase) -> None:
    with nothing_is_written(warehouse, lake, venues):
        found = preview(MirrorTable(table="venues", date=DAY), 2)
    assert found.source is not None
    assert found.source.rows == [
        ["1", "Café 🎟️", None, "2014-02-03 10:00:00"],
        ["2", None, "1999-04-01", "2014-02-03 10:00:00"],
    ]
    assert found.source.csv.splitlines()[1].startswith(r"2,\N,1999-04-01,")
    assert [(loss.column, loss.count, loss.samples) for loss in found.source.losses] == [("opened_on", 1, ["1"])]
    assert found.creates["redshift"][0].startswith('CREATE TABLE "raw"."venues" ("id" BIGINT, "name" VARCHAR(160),')
    assert found.creates["postgres"][0].startswith('CREATE TABLE "raw"."venues" ("id" BIGINT, "name" TEXT,')
    assert any(sql.startswith("COPY ") and "IAM_ROLE default MANIFEST" in sql for sql in found.loads["redshift"])
    assert any(sql.startswith("COPY ") and "FROM STDIN" in sql for sql in found.loads["postgres"])
    assert found.notes == []


def test_the_server_sends_no_more_than_is_shown(lake: Bucket, venues: ShopDatabase) -> None:
    def sent() -> int:
        return int(venues.query("SHOW GLOBAL STATUS LIKE 'Rows_sent'")[0][1])

    preview(MirrorTable(table="venues", date=DAY), 3)
    before = sent()
    preview(MirrorTable(table="venues", date=DAY), 3)
    few = sent() - before
    assert few < 100, "the table has 199 rows"


def test_a_query(lake: Bucket, venues: ShopDatabase) -> None:
    found = preview(PreviewedQuery(date=DAY), 2)
    assert found.source is not None
    assert (found.source.columns, len(found.source.rows)) == (["id", "name"], 2)


def test_a_row_that_would_be_put_aside(lake: Bucket, venues: ShopDatabase) -> None:
    venues.execute("ALTER TABLE venues ADD story LONGTEXT")
    venues.execute("UPDATE venues SET story = REPEAT('x', 70000) WHERE id = 2")
    found = preview(MirrorTable(table="venues", date=DAY), 3)
    assert found.source is not None
    assert [row[0] for row in found.source.rows] == ["1", "3"]
    assert [(row["key"], row["column"]) for row in found.source.rejected] == [('["2"]', "story")]


def test_a_mirror_by_its_changes(warehouse: WarehouseDatabase, lake: Bucket, venues: ShopDatabase) -> None:
    task = MirrorTable(table="venues", changed="changed", deletes="soft", date=DAY)
    with nothing_is_written(warehouse, lake, venues):
        found = preview(task, 2)
    assert found.source is not None and len(found.source.rows) == 2
    assert found.notes == ["all rows are read: the warehouse has nothing of this table that a night could go on from"]
    assert all("loaded_at" in found.creates[engine][0] for engine in ("postgres", "redshift"))


@pytest.mark.exam_on("redshift")
def test_a_mirror_that_was_loaded_before(
    warehouse: WarehouseDatabase, lake: Bucket, venues: ShopDatabase, settings: Settings
) -> None:
    settings.set("mysql", "look_back", 0)
    venues.execute("UPDATE venues SET changed = '2014-01-01' WHERE id > 1")
    first = MirrorTable(table="venues", changed="changed", date=DAY)
    first.requires().run()
    first.run()
    venues.execute("INSERT INTO venues VALUES (500, 'new', NULL, '2014-02-04')")
    with nothing_is_written(warehouse, lake, venues):
        found = preview(MirrorTable(table="venues", changed="changed", date=date(2014, 2, 4)), 10)
    assert found.source is not None
    assert ([row[0] for row in found.source.rows], found.notes) == (["1", "500"], [])
    assert ">= '2014-02-03 10:00:00'" in found.source.reads


def test_the_generator_is_closed(lake: Bucket) -> None:
    PreviewedRates.taken.clear()
    PreviewedRates.closed.clear()
    found = preview(PreviewedRates(date=DAY), 4)
    assert found.source is not None and len(found.source.rows) == 4
    assert (PreviewedRates.taken, PreviewedRates.closed) == ([0, 1, 2, 3], [True])
    assert lake.keys() == []


def test_an_extract_that_writes_by_hand(lake: Bucket) -> None:
    found = preview(PreviewedByHand(date=DAY), 2)
    assert found.source is not None
    assert found.source.rows == [["small", "1"], ["", None]]
    assert lake.keys() == []


def test_elasticsearch(search: Any, lake: Bucket) -> None:
    search.index("searches", [{"tags": ["a", "b"]} for _ in range(30)])
    found = preview(PreviewedSearches(date=DAY), 3)
    assert found.source is not None and len(found.source.rows) == 3
    # Of no document but those that are shown.
    assert [loss.count for loss in found.source.losses] == [3]
    assert lake.keys() == []


def test_redis(redis: Any, lake: Bucket) -> None:
    for number in range(50):
        redis.set(f"rate:{number}", number)
    found = preview(PreviewedKeys(date=DAY), 3)
    assert found.source is not None and len(found.source.rows) == 3
    assert all(name == f"rate:{value}" for name, value in found.source.rows)


def test_files(bucket: Bucket, lake: Bucket, settings: Settings) -> None:
    bucket.configure(settings, "s3_source")
    with pytest.raises(MissingData, match="feed/2014/02/03/: no data file is there yet"):
        preview(PreviewedFeed(date=DAY), 2)
    bucket.put("feed/2014/02/03/a.csv", b"partner,clicks\nx,1\ny,2\nz,3\n")
    bucket.put("inbox/a.csv", b"partner,clicks\nx,1\n")
    found = preview(PreviewedFeed(date=DAY), 2)
    assert found.source is not None and found.source.rows == [["x", "1"], ["y", "2"]]
    # There is no warehouse, and so nobody who knows which files were loaded.
    found = preview(PreviewedInbox(date=DAY), 2)
    assert found.source is not None and found.source.rows == [["x", "1"]]
    assert "taken for new" in found.notes[0]


# ---- what it becomes


def test_shaped_rows(warehouse: WarehouseDatabase, lake: Bucket, sql: None) -> None:
    """In a session that may only read, and whatever a text holds."""
    warehouse.query(f'ALTER DATABASE "{warehouse.name}" SET default_transaction_read_only = on')
    with nothing_is_written(warehouse, lake):
        found = preview(LoadPreviewedRates(date=DAY), 3)
    assert found.notes == []
    assert found.columns == ["currency", "rate", "note"]
    assert [[str(value) for value in row] for row in found.rows] == [
        ["C0", "0.00", "a\n-- b"],
        ["C1", "0.25", "100 %s 'x' \\"],
        ["C2", "0.50", "None"],
    ]
    assert "{stage}" in found.select and found.creates["redshift"][0].endswith("DISTSTYLE ALL")


def test_a_mart(warehouse: WarehouseDatabase, lake: Bucket, sql: None) -> None:
    without = preview(PreviewedMart(date=DAY), 5)
    assert without.rows == [] and "fact_rate" in without.notes[0]
    warehouse.query(
        "CREATE TABLE public.fact_rate AS SELECT 'C' || n AS currency, n AS rate FROM generate_series(1, 9) n"
    )
    warehouse.query("GRANT SELECT ON public.fact_rate TO etl_load")
    with nothing_is_written(warehouse, lake):
        found = preview(PreviewedMart(date=DAY), 5)
    assert (len(found.rows), found.columns) == (5, ["currency", "twice"])
    # Redshift would have to make a table to say its types.
    assert ("postgres" in found.creates) == (warehouse.engine == "postgres")
    assert any(statement.startswith("INSERT INTO stage.") for statement in found.loads["postgres"])


@pytest.mark.parametrize("url", ["", "postgresql://etl_load:canary-17@127.0.0.1:{port}/warehouse"])
def test_without_a_warehouse(url: str, lake: Bucket, settings: Settings, sql: None) -> None:
    if url:
        settings.set("warehouse", "url", url.format(port=ports.free_port()))
    found = preview(LoadPreviewedRates(date=DAY), 3)
    assert found.source is not None and len(found.source.rows) == 3
    assert found.rows == [] and found.notes[0].startswith("no rows of the warehouse: ")
    assert "canary" not in str(found)
    assert all(statements[-1] == "COMMIT" for statements in found.loads.values()) and len(found.loads) == 2


@pytest.mark.engines("postgres", reason="what is said to it is heard here; Redshift's is in tests/golden")
def test_it_is_what_a_load_says(
    warehouse: WarehouseDatabase, lake: Bucket, sql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a table that is there, and of rows that differ."""
    from etl.preview.rehearsal import _named
    from etl.warehouse.definition import read_definition

    found = preview(LoadPreviewedRates(date=DAY), 3)
    heard: list[str] = []
    execute = Postgres.execute

    def hear(self: Postgres, statement: str, values: Any = None) -> int:
        heard.append(_named(statement.strip(), read_definition("public", "fact_rate")))
        return execute(self, statement, values)

    for day in (DAY, date(2014, 2, 4)):
        task = LoadPreviewedRates(date=day)
        task.requires().run()
        heard.clear()
        monkeypatch.setattr(Postgres, "execute", hear)
        warehouse.query("UPDATE public.fact_rate SET rate = 99") if day != DAY else None
        task.run()
    previewed = [one for one in found.loads["postgres"] if one.startswith(("INSERT", "DELETE", "CREATE UNLOGGED"))]
    assert len(previewed) >= 5
    # The stage of landed rows has the manifest's types, and each statement is one of the load's.
    assert [one for one in previewed if one not in heard] == []


# ---- the command


def test_at_the_command_line(lake: Bucket, venues: ShopDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    asked = ["preview", "MirrorTable", "--table", "venues", "--date", "2014-02-03", "--limit", "2"]
    said = CliRunner().invoke(cli.main, asked)
    assert said.exit_code == 0, said.output
    assert "loss: opened_on: zero" in said.output.replace("the ", "") or "loss: opened_on" in said.output
    rows = said.stdout.partition("as they would be staged")[2].partition("the same in a part")[0]
    assert max(map(len, rows.splitlines())) <= 80 and "NULL" in rows and '"Café 🎟️"' in rows
    as_json = json.loads(CliRunner().invoke(cli.main, [*asked, "--json"]).stdout)
    assert len(as_json["source"]["rows"]) == 2 and set(as_json["loads"]) == {"postgres", "redshift"}


def test_what_cannot_be_previewed(lake: Bucket) -> None:
    said = CliRunner().invoke(cli.main, ["preview", "Nightly", "--date", "2014-02-03"])
    assert said.exit_code == 2
    assert "neither extracts nor loads; preview one that it requires: " in said.stderr

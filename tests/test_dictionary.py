"""The data dictionary: what it says is checked against the database, the pages by a strict parser and a browser."""

import configparser
import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import html5lib
import psycopg2
import pytest

from tests.project import Project

pytest_plugins = ["tests.project"]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = 'Who\'s <script>alert(1)</script> & "co" 🎟️ **bold** {{ 7 * 7 }} </p> <!-- '
CANARY = "c4n4ry"


# ---- with the files alone


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample business with a hostile comment, a table file and a SELECT that are wrong; no server runs."""
    made = Project(tmp_path_factory.mktemp("files"))
    sql = made.folder / "warehouse_sql"
    venue = sql / "tables/dim_venue.sql"
    text = venue.read_text(encoding="utf-8").replace("-- NULL: not known", f"-- {HOSTILE}")
    assert "opened_on DATE\n" in text
    text = text.replace("opened_on DATE\n", 'opened_on DATE,\n    "Größe & <b> #1" INTEGER\n')
    venue.write_text(f"-- {HOSTILE}\n{text}", encoding="utf-8")
    (sql / "tables/fact_search.sql").write_text("-- Nothing is created here.\n")
    (sql / "loads/fact_listing.sql").write_text("SELECT l.id AS listing_id FROM raw.listings l WHERE (\n")
    settings = made.folder / "luigi.cfg"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(text.replace("embedded", f"postgresql://etl_load:{CANARY}@127.0.0.1:1/dwh", 1), "utf-8")
    return made


@pytest.fixture(scope="module")
def built(files: Project) -> subprocess.CompletedProcess[str]:
    return files.etl("docs")


def test_what_is_wrong_is_said_and_the_rest_is_built(files: Project, built: subprocess.CompletedProcess[str]) -> None:
    assert built.returncode == 30, built.stderr
    assert built.stdout.startswith("var/docs/index.html: ")
    (wrong,) = [line for line in built.stderr.splitlines() if line.startswith("wrong: ")]
    assert "warehouse_sql/tables/fact_search.sql: holds no CREATE TABLE" in wrong
    (unread,) = [line for line in built.stderr.splitlines() if line.startswith("not read: ")]
    assert "warehouse_sql/loads/fact_listing.sql: line " in unread
    index = (files.folder / "var/docs/index.html").read_text(encoding="utf-8")
    assert "fact_search.sql" in index and "mart.daily_sales" in index
    listing = (files.folder / "var/docs/public-fact_listing.html").read_text(encoding="utf-8")
    assert "could not be read" in listing
    # Its task says what it requires.
    assert "raw-listings.html" in listing


def test_sql_that_only_we_cannot_read_is_no_failure(tmp_path: Path) -> None:
    made = Project(tmp_path)
    (tmp_path / "warehouse_sql/loads/fact_listing.sql").write_text("SELECT l.* FROM raw.listings l")
    said = made.etl("docs", "--out", "pages")
    assert said.returncode == 0, said.stderr
    assert "not read: warehouse_sql/loads/fact_listing.sql: what its * stands for" in said.stderr
    assert "wrong:" not in said.stderr
    # The same files give the same pages.
    first = _texts(tmp_path / "pages")
    assert made.etl("docs", "--out", "pages").returncode == 0
    assert _texts(tmp_path / "pages") == first


def test_a_warehouse_that_is_down_is_said_without_its_password(
    files: Project, built: subprocess.CompletedProcess[str]
) -> None:
    assert "From the files alone: " in built.stderr
    assert CANARY not in built.stdout + built.stderr
    for name, text in _texts(files.folder / "var/docs").items():
        assert CANARY not in text, name


def test_a_hostile_comment_is_shown_as_text(files: Project, built: subprocess.CompletedProcess[str]) -> None:
    page = _parsed(files.folder / "var/docs/public-dim_venue.html")
    shown = ["".join(element.itertext()) for element in page.iter()]
    assert sum(HOSTILE.strip() in text for text in shown) >= 2
    sources = [element.get("src") for element in page.iter() if str(element.tag).endswith("}script")]
    assert sources == ["search.js", "dictionary.js"]
    assert any(text == "Größe & <b> #1" for text in shown)
    assert any(HOSTILE.strip() in table[2] for table in _index(files.folder / "var/docs"))


def test_every_page_is_valid_and_every_link_leads_somewhere(
    files: Project, built: subprocess.CompletedProcess[str]
) -> None:
    folder = files.folder / "var/docs"
    pages = {path.name: _parsed(path) for path in folder.glob("*.html")}
    assert len(pages) > 25
    ids = {name: [element.get("id") for element in page.iter() if element.get("id")] for name, page in pages.items()}
    for name, page in pages.items():
        assert len(ids[name]) == len(set(ids[name])), name
        for element in page.iter():
            for said in filter(None, (element.get("href"), element.get("src"))):
                target, fragment = urldefrag(said)
                if target.startswith("data:"):
                    continue
                assert "//" not in target, "nothing is asked of a network"
                assert not target or (folder / unquote(target)).is_file(), f"{name}: {said}"
                assert not fragment or unquote(fragment) in ids[target or name], f"{name}: {said}"


def test_the_search_knows_every_table_and_column(files: Project, built: subprocess.CompletedProcess[str]) -> None:
    folder = files.folder / "var/docs"
    tables = json.loads((folder / "dictionary.json").read_text(encoding="utf-8"))["tables"]
    found = {name: (page, columns) for name, _, _, page, columns in _index(folder)}
    assert set(found) == set(tables)
    for name, (page, columns) in found.items():
        assert [column for column, _, _ in columns] == list(tables[name]["columns"])
        ids = {element.get("id") for element in _parsed(folder / page).iter()}
        assert {anchor for _, _, anchor in columns} <= ids


def test_columns_keys_and_comments_are_those_of_the_file(
    files: Project, built: subprocess.CompletedProcess[str]
) -> None:
    tables = json.loads((files.folder / "var/docs/dictionary.json").read_text(encoding="utf-8"))["tables"]
    user = tables["public.dim_user"]["columns"]
    assert list(user)[:3] == ["user_key", "user_id", "email"]
    assert (user["user_key"]["type"], user["user_key"]["in_key"]) == ("BIGINT", True)
    assert (user["country"]["default"], user["country"]["comment"]) == ("'unknown'", "ISO 3166-1 alpha-2")
    assert user["valid_from"]["default"] == "DATE '0001-01-01'"
    assert tables["public.fact_experiment_day"]["columns"]["kpi"]["in_key"]
    sale = tables["public.fact_ticket_sale"]["columns"]
    assert sale["buyer_key"]["points_to"] == {"table": "public.dim_user", "column": "user_key"}
    assert (sale["gross"]["type"], sale["gross"]["required"]) == ("DECIMAL(16,2)", True)
    # What every kind of source calls a column.
    assert _values(tables, "public.fact_ticket_sale", "gross") == [
        "raw.ticket_sales.quantity",
        "raw.ticket_sales.unit_price",
    ]
    assert _values(tables, "raw.ticket_sales", "unit_price") == ["MySQL ticket_sales.unit_price"]
    email = tables["public.fact_campaign_email"]["columns"]["revenue"]["origins"][0]["values"]
    assert email == [{"table": "S3 campaigns/{date:%Y/%m/%d}/", "column": "revenue"}]
    assert "numbered by the loader" in user["user_key"]["origins"][0]["said"]
    assert {"table": "public.dim_user", "column": None, "how": "members"} in tables["raw.ticket_sales"]["columns"][
        "buyer_id"
    ]["used_by"]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine to look at the pages")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_finds_unfolds_and_overflows_nowhere(
    files: Project, built: subprocess.CompletedProcess[str], tmp_path: Path, width: int
) -> None:
    shutil.copytree(files.folder / "var/docs", tmp_path / "docs")
    page = tmp_path / "docs/mart-daily_sales.html"
    ask = """<script>window.addEventListener("load", () => {
        const box = document.getElementById("search");
        box.value = "unit_PRICE"; box.dispatchEvent(new Event("input"));
        const said = [document.documentElement.scrollWidth <= innerWidth,
                      document.querySelector("#c-gross details").open, document.querySelector("#c-fees details").open,
                      [...document.querySelectorAll("#found a")].slice(0, 3).map((one) => one.getAttribute("href"))];
        document.body.replaceChildren(JSON.stringify(said));
    })</script></body>"""
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", ask), encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--window-size={width},900",
        f"--user-data-dir={tmp_path}/p",
    ]
    dumped = subprocess.run(
        [str(CHROMIUM), *options, "--dump-dom", f"{page.as_uri()}#c-gross"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    body = html5lib.parse(dumped.stdout).find("{*}body")
    fits, unfolded, other, found = json.loads(body.text)
    assert (fits, unfolded, other) == (True, True, False)
    assert found[0] == "public-fact_ticket_sale.html#c-unit_price"
    assert "raw-ticket_sales.html#c-unit_price" in found


# ---- folders, and what is missing


def test_a_folder_of_somebody_elses_is_left_alone(files: Project, built: subprocess.CompletedProcess[str]) -> None:
    theirs = files.folder / "theirs"
    theirs.mkdir()
    (theirs / "index.html").write_text("mine")
    said = files.etl("docs", "--out", "theirs")
    assert (said.returncode, said.stdout) == (2, "")
    assert "theirs: holds index.html and no pages of `etl docs`" in said.stderr
    assert _texts(theirs) == {"index.html": "mine"}


def test_pages_that_are_no_more_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    from etl.dictionary.folder import publish
    from etl.errors import ConfigError

    folder = tmp_path / "docs"
    publish(folder, {"index.html": "1", "old.html": "1"}, {})
    (folder / "CNAME").write_text("theirs")
    (tmp_path / "beside").write_text("theirs")
    said = json.loads((folder / "dictionary.json").read_text())
    (folder / "dictionary.json").write_text(json.dumps(said | {"files": [*said["files"], "../beside"]}))
    publish(folder, {"index.html": "2"}, {"tables": {}})
    assert _texts(folder) == {
        "index.html": "2",
        "CNAME": "theirs",
        "dictionary.json": _texts(folder)["dictionary.json"],
    }
    assert (tmp_path / "beside").exists()
    with pytest.raises(ConfigError, match="CNAME: is not of `etl docs`"):
        publish(folder, {"CNAME": "ours"}, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file: cannot be written: .*--out"):
        publish(tmp_path / "file", {}, {})


def test_without_a_project_or_the_library_one_message_says_so(files: Project, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path)
    shutil.rmtree(tmp_path / "warehouse_sql")
    said = elsewhere.etl("docs")
    assert (said.returncode, said.stdout, said.stderr.count("\n")) == (2, "", 1)
    assert "no folder warehouse_sql/tables in " in said.stderr
    (files.folder / "hidden").mkdir(exist_ok=True)
    (files.folder / "hidden/sqlglot.py").write_text("raise ModuleNotFoundError('sqlglot')\n")
    said = files.etl("docs", PYTHONPATH=f"{files.folder / 'hidden'}:{files.folder}")
    assert (said.returncode, said.stderr.count("\n")) == (2, 1)
    assert "pip install 'turnstile-etl[docs]'" in said.stderr


def test_boxes_stand_apart_and_arrows_point_to_the_right() -> None:
    from etl.dictionary.layers import layered

    arrows = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "a"), ("d", "c"), ("e", "c"), ("e", "e")]
    layout = layered(dict.fromkeys("abcde", (50.0, 20.0)), arrows)
    boxes = list(layout.boxes.values())
    for one in boxes:
        assert 0 <= one.x <= layout.width - one.width and 0 <= one.y <= layout.height - one.height
        for other in boxes:
            apart = abs(one.x - other.x) >= 50 or abs(one.y - other.y) >= 20
            assert one is other or apart
    at = {name: box.x for name, box in layout.boxes.items()}
    assert at["a"] < at["b"] < at["c"]
    assert at["d"] < at["c"]
    assert len(layout.bends["a", "c"]) == 1


# ---- what a SELECT does


def test_subqueries_unions_and_stars_are_looked_through() -> None:
    from etl.dictionary.lineage import Unreadable, read_select

    found = read_select(
        "SELECT a.x AS x, (SELECT max(b.y) FROM raw.b b WHERE b.k = a.k) AS y, q.* FROM raw.a a "
        "JOIN (SELECT k, z + w AS zw FROM raw.c UNION ALL SELECT k, v FROM raw.d) q ON q.k = a.k "
        "WHERE a.t > {since raw.a} AND a.n <> '{timezone}'",
        {},
    )
    assert {name: sorted(map(".".join, made.values)) for name, made in found.columns.items()} == {
        "x": ["raw.a.x"],
        "y": ["raw.a.k", "raw.b.k", "raw.b.y"],
        "k": ["raw.c.k", "raw.d.k"],
        "zw": ["raw.c.w", "raw.c.z", "raw.d.v"],
    }
    assert sorted(found.tables) == ["raw.a", "raw.b", "raw.c", "raw.d"]
    assert "WHERE a.t > {since raw.a} AND a.n <> '{timezone}'" in found.conditions
    lateral = read_select(
        "SELECT x.v AS v, e.item AS item FROM raw.a a, LATERAL (SELECT b.v FROM raw.b b WHERE b.k = a.k LIMIT 1) x, "
        "jsonb_array_elements(a.list) AS e(item)",
        {},
    )
    assert {name: list(map(".".join, made.values)) for name, made in lateral.columns.items()} == {
        "v": ["raw.b.v"],
        "item": ["raw.a.list"],
    }
    assert sorted(lateral.tables) == ["raw.a", "raw.b"]
    assert list(read_select("SELECT * FROM raw.a", {"raw.a": ["x", "y"]}).columns) == ["x", "y"]
    for bad in (
        "SELECT * FROM raw.a",
        "SELECT x FROM raw.a, raw.b",
        "DELETE FROM raw.a",
        "SELECT 1; SELECT 2",
        "SELECT 'a",
        "",
    ):
        with pytest.raises(Unreadable):
            read_select(bad, {})


# ---- with a warehouse


@pytest.fixture(scope="module")
def loaded(project: Project) -> Project:
    assert project.etl("demo", "night").returncode == 0
    return project


@pytest.fixture(scope="module")
def tables(loaded: Project) -> dict[str, Any]:
    """What the dictionary says of a loaded warehouse."""
    said = loaded.etl("docs", "--json")
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""
    return json.loads(said.stdout)["tables"]


@pytest.fixture
def cursor(loaded: Project) -> Iterator[Any]:
    """etl_load's, in a transaction that is rolled back."""
    settings = configparser.RawConfigParser()
    settings.read(loaded.folder / "var/luigi.cfg")
    url = settings["warehouse"]["url"].replace("%%", "%")
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.rollback()


def test_rows_days_and_raw_columns_are_the_warehouses(tables: dict[str, Any], cursor: Any) -> None:
    for name, table in tables.items():
        if table["kind"] == "source":
            continue
        cursor.execute(f"SELECT count(*) FROM {name}")
        assert cursor.fetchone() == (table["standing"]["rows"],), name
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema || '.' || table_name = %s "
            "ORDER BY ordinal_position",
            (name,),
        )
        assert [column for (column,) in cursor.fetchall()] == list(table["columns"]), name
    cursor.execute("SELECT business_date::text FROM etl.data_as_of WHERE table_name = 'public.fact_listing'")
    assert cursor.fetchone() == (tables["public.fact_listing"]["standing"]["business_date"],)
    # A column that no SQL of ours uses is known all the same, and where it comes from.
    assert _values(tables, "raw.ticket_sales", "updated_at") == ["MySQL ticket_sales.updated_at"]


def test_losses_are_counted_by_column_and_no_value_is_shown(tables: dict[str, Any], cursor: Any) -> None:
    cursor.execute("SELECT column_name, sum(occurrences)::int FROM etl.losses WHERE target = 'raw.users' GROUP BY 1")
    lost = dict(cursor.fetchall())
    assert lost["birth_date"] > 0
    found = {name: sum(column["lost"].values()) for name, column in tables["raw.users"]["columns"].items()}
    assert {name: count for name, count in found.items() if count} == lost
    cursor.execute("SELECT samples FROM etl.losses WHERE target = 'raw.users' AND samples <> '[]'")
    for (samples,) in cursor.fetchall():
        assert samples not in json.dumps(tables)


@pytest.mark.parametrize(
    "name",
    ["mart.daily_sales", "mart.experiment_results", "public.dim_event", "public.dim_user", "public.fact_listing",
     "public.fact_ticket_sale"],
)  # fmt: skip
def test_a_select_uses_what_the_database_says_that_it_uses(tables: dict[str, Any], cursor: Any, name: str) -> None:
    table = tables[name]
    (load,) = table["loads"]
    cursor.execute("CREATE SCHEMA looked_at")
    cursor.execute(f"CREATE VIEW looked_at.v AS {load['sql'].replace('{timezone}', 'UTC')}")
    cursor.execute(
        "SELECT table_schema || '.' || table_name, column_name FROM information_schema.view_column_usage "
        "WHERE view_schema = 'looked_at'"
    )
    expected = set(cursor.fetchall())
    origins = [origin for column in table["columns"].values() for origin in column["origins"]]
    used = [one for origin in origins for one in (*origin["values"], *origin["lookups"])] + load["rows"]
    assert {(one["table"], one["column"]) for one in used} == expected


@pytest.mark.parametrize(
    ("mart", "field", "change"),
    [
        ("daily_sales", "public.fact_ticket_sale.tickets", "+ 1"),
        ("daily_sales", "public.fact_ticket_sale.gross", "+ 1"),
        ("daily_sales", "public.fact_ticket_sale.fee", "+ 1"),
        ("daily_sales", "public.fact_ticket_sale.discount", "+ 1"),
        ("daily_sales", "public.fact_ticket_sale.unit_price", "+ 1"),
        ("daily_sales", "public.dim_event.title", "|| 'x'"),
        ("daily_sales", "public.dim_event.category", "|| 'x'"),
        ("daily_sales", "public.dim_venue.city", "|| 'x'"),
        ("daily_sales", "public.dim_user.city", "|| 'x'"),
        ("experiment_results", "public.fact_experiment_day.participants", "+ 100"),
        ("experiment_results", "public.fact_experiment_day.conversions", "+ 1"),
        ("experiment_results", "public.dim_experiment.control", "|| 'x'"),
        ("experiment_results", "public.dim_experiment.experiment", "|| 'x'"),
    ],
)
def test_a_changed_value_shows_where_the_lineage_says(
    tables: dict[str, Any], cursor: Any, mart: str, field: str, change: str
) -> None:
    source, _, column = field.rpartition(".")
    sql = tables[f"mart.{mart}"]["loads"][0]["sql"]
    names = list(tables[f"mart.{mart}"]["columns"])
    sums = ", ".join(f"md5(string_agg({name}::text, ',' ORDER BY {name}::text))" for name in names)

    def summed() -> tuple[str, ...]:
        cursor.execute(f"SELECT {sums} FROM ({sql}) q")
        return cursor.fetchone()

    before = summed()
    cursor.execute(f"UPDATE {source} SET {column} = {column} {change}")
    changed = {name for name, was, now in zip(names, before, summed(), strict=True) if was != now}
    said = [use for use in tables[source]["columns"][column]["used_by"] if use["table"] == f"mart.{mart}"]
    assert {use["column"] for use in said if use["how"] == "value"} == changed


def test_pages_say_how_the_tables_stand_and_the_command_is_short(loaded: Project) -> None:
    said = loaded.etl("docs", "--out", "pages")
    assert (said.returncode, said.stderr) == (0, "")
    assert max(map(len, said.stdout.splitlines())) <= 80
    page = "".join(_parsed(loaded.folder / "pages/public-dim_date.html").itertext())
    assert "21,916" in page


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def _parsed(path: Path) -> Any:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=True).parse(path.read_text(encoding="utf-8"))


def _index(folder: Path) -> list[Any]:
    text = (folder / "search.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.DICTIONARY = ").removesuffix(";\n"))


def _values(tables: dict[str, Any], table: str, column: str) -> list[str]:
    (origin,) = tables[table]["columns"][column]["origins"]
    return [".".join(value.values()) for value in origin["values"]]

"""`etl new`: what it writes of real sources is run by pytest and by `etl run`, in a project's folder."""

import ast
import datetime
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import boto3
import psycopg2
import pytest
import redis as redis_driver
import urllib3

from demo.sql import answers
from etl.errors import ConfigError, EtlError, SourceError
from etl.new import look, names, samples
from etl.new import project as folder
from etl.new.proposal import Titles, Wishes
from etl.new.text import one_line
from etl.stack import Stack
from etl.testing import Settings
from tests.project import ROOT, Project

pytest_plugins = ["tests.project"]

HOSTILE = """
CREATE TABLE `Order Details` (
    `Order ID` BIGINT UNSIGNED NOT NULL, `line-no` SMALLINT NOT NULL,
    `order` VARCHAR(20) COMMENT 'foreign key: "it" 100%',
    `discount %` DECIMAL(5,4) NOT NULL, `Größe` ENUM('S', 'it''s L', 'a|b') NOT NULL, tags SET('a', 'b'), j JSON,
    b BLOB, bits BIT(5), yes BIT(1) NOT NULL, is_paid TINYINT(1) NOT NULL, g POINT, huge DECIMAL(65,30), f FLOAT,
    d DOUBLE NOT NULL, y YEAR, t TIME(3), ts TIMESTAMP(6) NULL, dt DATETIME NOT NULL, txt LONGTEXT NOT NULL,
    l1 VARCHAR(255) CHARACTER SET latin1, total DECIMAL(12,2) GENERATED ALWAYS AS (`discount %` * 2) STORED,
    v0 VARCHAR(0), c1 CHAR(1) NOT NULL, bin BINARY(16), valid_to DATE, order_detail_key INT,
    PRIMARY KEY (`Order ID`, `line-no`)
) COMMENT 'redshift: "odd" \"\"\"';
INSERT INTO `Order Details` (`Order ID`, `line-no`, `order`, `discount %`, `Größe`, yes, is_paid, d, dt, txt, c1, ts)
VALUES
(18446744073709551615, 1, NULL, 0.5, 'a|b', b'1', 1, 1.5, '0000-00-00 00:00:00', 'long', 'c', '2014-02-03 10:30:00');
CREATE VIEW rich AS SELECT `Order ID` AS id, c1 FROM `Order Details`;
CREATE TABLE `select` (`select` INT PRIMARY KEY, `from` VARCHAR(30) NOT NULL);
INSERT INTO `select` VALUES (5, 'here');
"""

LOADS = {
    "LoadPromoters", "LoadOrderDetails", "LoadChoices", "LoadRich", "LoadVisitors", "LoadRankings", "LoadClicks",
    "LoadPageviews",
}  # fmt: skip


@pytest.fixture(scope="module")
def stack(project: Project) -> Stack:
    """The stack, with sources of this file's own in it."""
    made = Stack(project.folder / "var", project.folder / "luigi.cfg")
    urls = made.urls()
    walk = re.search(
        r"file=promoters.mysql\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert walk
    for statements in (walk[1], HOSTILE):
        assert list(answers(urls["admin_mysql"], statements.strip()))
    with redis_driver.Redis.from_url(urls["redis"]) as client:
        client.hset("visitor:7", mapping={"First Name": "Ann", "visits": "3", "score": "1.50"})
        client.hset("visitor:9", mapping={"visits": "4"})
        client.zadd("ranking", {"x": 1.5})
        client.set("mixed:1", "1")
        client.sadd("mixed:2", "1")
    store = boto3.client(
        "s3",
        endpoint_url=urls["s3_endpoint"],
        region_name="us-east-1",
        aws_access_key_id=made.s3.password("access_key_id"),
        aws_secret_access_key=made.s3.password("secret_access_key"),
    )
    body = b"click id,when,amount\n1,2014-02-03T10:00:00Z,1.50\n2,,\n"
    store.put_object(Bucket="partners", Key="clicks/2014/02/03/a.csv", Body=body)
    document = b'{"seen_at": "2014-02-03T10:30:00Z", "user": {"id": 5}, "tags": ["a", "b"], "Odd Name": "x"}'
    answer = urllib3.request(
        "PUT",
        f"{urls['elasticsearch']}/pageviews/_doc/1?refresh=true",
        body=document,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status < 300
    return made


def query(stack: Stack, sql: str) -> list[tuple]:
    with psycopg2.connect(stack.urls()["warehouse"]) as connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@pytest.fixture(scope="module")
def written(project: Project, stack: Stack) -> dict[str, str]:
    """What `etl new` said of each source."""
    said = {}
    for arguments in (
        ("mysql", "promoters"),
        ("mysql", "Order Details"),
        ("mysql", "select", "--as", "fact", "--name", "choice"),
        ("mysql", "rich", "--key", "id"),
        ("redis", "visitor:*"),
        ("redis", "ranking"),
        ("s3", "clicks/2014/02/03/"),
        ("elasticsearch", "pageviews"),
    ):
        done = project.etl("new", *arguments)
        assert done.returncode == 0, done.stderr
        said[arguments[1]] = done.stdout
    return said


def test_the_walk_of_contributing_is_what_it_writes(project: Project, written: dict[str, str]) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", text, re.DOTALL))
    del blocks["promoters.mysql"]
    assert len(blocks) == 3
    for file, expected in blocks.items():
        assert (project.folder / file).read_text(encoding="utf-8") == expected


def test_it_shows_columns_files_and_what_to_do_next(written: dict[str, str]) -> None:
    said = written["promoters"]
    assert "promoter_id   BIGINT NOT NULL        int(10) unsigned key" in said
    assert "wrote    warehouse_sql/loads/dim_promoter.sql" in said
    assert "changed  tasks/nightly.py: yield LoadPromoters(date=self.date)" in said
    assert "etl run LoadPromoters --date" in said
    assert "order is order_detail_order" in " ".join(written["Order Details"].split())
    assert max(map(len, "".join(written.values()).splitlines())) <= 80


def test_what_it_writes_passes_its_own_tests_and_ruff(project: Project, written: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout
    settings = ["--config", str(ROOT / "pyproject.toml"), "tasks", "tests"]
    # What is a package of the project's own is told from where it lies.
    for command in (["check", "--ignore", "I001", "--no-cache"], ["format", "--check", "--no-cache"]):
        checked = subprocess.run(
            [str(Path(sys.executable).with_name("ruff")), *command, *settings],
            cwd=project.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert checked.returncode == 0, checked.stdout


@pytest.fixture(scope="module")
def loaded(project: Project, written: dict[str, str]) -> None:
    """All that was written, run by one command."""
    loads = re.findall(r"from (tasks\.\w+) import (Load\w+)\n", (project.folder / "tasks/nightly.py").read_text())
    ours = [(module, load) for module, load in loads if load in LOADS]
    assert len(ours) == len(LOADS)
    (project.folder / "tasks/all_new.py").write_text(
        "import luigi\n\n"
        + "".join(f"from {module} import {load}\n" for module, load in ours)
        + "\n\nclass AllNew(luigi.WrapperTask):\n    date = luigi.DateParameter()\n\n    def requires(self):\n"
        + "".join(f"        yield {load}(date=self.date)\n" for _, load in ours)
    )
    done = project.etl("run", "AllNew", "--date", "2014-02-03")
    (project.folder / "tasks/all_new.py").unlink()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        (
            "SELECT * FROM dim_promoter ORDER BY 1",
            [
                (-1, -1, "unknown", "unknown", None),
                (1, 7, "Velvet Nights", "US", datetime.date(1999, 4, 1)),
                (2, 9, "Café 🎟️ Live", "unknown", None),
            ],
        ),
        (
            "SELECT order_id, line_no, order_detail_order, discount, groe, yes, is_paid, ts, dt, total "
            "FROM dim_order_detail WHERE order_detail_key = 1",
            [
                (
                    Decimal(18446744073709551615), 1, "unknown", Decimal("0.5000"), "a|b", True, True,
                    datetime.datetime(2014, 2, 3, 10, 30), None, Decimal("1.00"),
                )
            ],
        ),
        ("SELECT * FROM fact_choice", [(5, "here")]),
        ("SELECT rich_id, c1 FROM dim_rich WHERE rich_key > 0", [(Decimal(18446744073709551615), "c")]),
        (
            "SELECT visitor_id, first_name, visits, score FROM dim_visitor WHERE visitor_key > 0 ORDER BY 1",
            [(7, "Ann", 3, Decimal("1.5000")), (9, "unknown", 4, None)],
        ),
        ("SELECT * FROM fact_ranking", [("x", 1.5)]),
        (
            "SELECT * FROM fact_click ORDER BY 2",
            [
                (20140203, 1, datetime.datetime(2014, 2, 3, 10), Decimal("1.5000")),
                (20140203, 2, None, None),
            ],
        ),
        (
            "SELECT date_key, pageview_id, odd_name, seen_at, tags, user_id FROM fact_pageview",
            [(20140203, "1", "x", datetime.datetime(2014, 2, 3, 10, 30), '["a","b"]', 5)],
        ),
    ],
)  # fmt: skip
def test_the_load_brings_the_real_rows(stack: Stack, loaded: None, sql: str, rows: list[tuple]) -> None:
    assert query(stack, sql) == rows


def test_nightly_has_every_load_and_is_python(project: Project, written: dict[str, str]) -> None:
    text = (project.folder / "tasks/nightly.py").read_text()
    ast.parse(text)
    for load in ("LoadPromoters", "LoadOrderDetails", "LoadVisitors", "LoadClicks", "LoadPageviews"):
        assert text.count(f"        yield {load}(date=self.date)\n") == 1
        assert text.count(f"import {load}\n") == 1
    assert text.index("tasks.pageviews") < text.index("tasks.promoters") < text.index("tasks.sales")


@pytest.mark.parametrize(
    ("kind", "name", "key", "said"),
    [
        ("mysql", "promotors", (), "promotors: no such table that etl_extract.* near it: promoters"),
        ("mysql", "rich", (), "rich: is a view, which has no key; say which columns"),
        ("mysql", "rich", ("nope",), "--key nope: rich has no such column; it has id, c1"),
        ("redis", "nope:*", (), "has no key that matches nope:"),
        ("redis", "mixed:*", (), "keys of several types match"),
        ("redis", "mixed:1", (), "is one value and no table"),
        ("s3", "nope/", (), "s3://partners/nope/: no file there that can be read; s3://partners/ has .*clicks"),
        ("s3", "clicks", ("when",), "--key when: there are rows without it"),
        ("elasticsearch", "nope", (), "no index nope; it has pageviews, searches"),
    ],
)
def test_what_is_not_there_or_has_no_key_is_named(
    stack: Stack, settings: Settings, kind: str, name: str, key: tuple[str, ...], said: str
) -> None:
    at_the_stack(stack, settings)
    with pytest.raises(ConfigError, match=said):
        look(kind, name, Wishes(key=key))


def test_a_big_table_that_says_when_rows_changed_may_be_read_by_that(
    project: Project, stack: Stack, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_stack(stack, settings)
    assert project.etl("demo", "sql", "mysql", "ANALYZE TABLE ticket_sales").returncode == 0
    wishes = Wishes(shape="fact")
    assert "changed=" not in " ".join(look("mysql", "ticket_sales", wishes).notes)
    monkeypatch.setattr("etl.new.mysql._BIG", 100)
    said = " ".join(look("mysql", "ticket_sales", wishes).notes)
    assert 'MirrorTable(table="ticket_sales", changed="updated_at", deletes="hard", date=self.date)' in said


def test_the_demo_lets_one_play_the_shop(project: Project, stack: Stack) -> None:
    done = project.etl(
        "demo", "sql", "mysql", "UPDATE venues SET capacity = 9 WHERE id = 1; SELECT 'ö' AS a, NULL AS b"
    )
    assert (done.returncode, done.stdout) == (0, "rows\n1\na  b\nö  NULL\n")
    refused = project.etl("demo", "sql", "mysql", "SELEC 1")
    assert refused.returncode == 30
    assert refused.stderr.startswith("etl: MySQL answers 1064: ")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("promotors", "near it: promoters"),
        ("promoters", "tasks/promoters.py is there already, and nothing is overwritten; --name"),
        ("ticket_sales", "tasks/sales.py has a class LoadTicketSales already"),
    ],
)
def test_bad_input_is_one_message_and_code_2_and_writes_nothing(
    project: Project, written: dict[str, str], table: str, said: str
) -> None:
    before = contents(project.folder)
    done = project.etl("new", "mysql", table)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(project.folder) == before


def test_a_dry_run_shows_the_files_and_writes_none(project: Project, written: dict[str, str]) -> None:
    before = contents(project.folder)
    done = project.etl("new", "mysql", "promoters", "--name", "organiser", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "==> tasks/organisers.py <==" in done.stdout
    assert "CREATE TABLE public.dim_organiser (" in done.stdout
    assert contents(project.folder) == before


def test_outside_of_a_project_it_says_so(tmp_path: Path, project: Project) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("etl")), "new", "mysql", "promoters"],
        cwd=tmp_path,
        env=project.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"no luigi.cfg in {tmp_path}; run etl in the project's own folder" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("mysql", "mysql://u:secret@127.0.0.1:1/shop"),
        ("redis", "redis://:secret@127.0.0.1:1/0"),
        ("elasticsearch", "http://u:secret@127.0.0.1:1"),
    ],
)
def test_a_source_that_is_down_is_code_30(settings: Settings, kind: str, url: str) -> None:
    settings.set(kind, "url", url)
    with pytest.raises(SourceError, match=r"127.0.0.1:1\b") as raised:
        look(kind, "things", Wishes())
    assert raised.value.code == 30
    assert "secret" not in str(raised.value)


def test_when_one_file_cannot_be_written_none_is(tmp_path: Path) -> None:
    (tmp_path / "nightly.py").write_text("before")
    (tmp_path / "loads").write_text("no folder")
    new = {tmp_path / "tasks/a.py": "a", tmp_path / "loads/a.sql": "b"}
    with pytest.raises(EtlError, match="nothing was written"):
        folder.write(new, {tmp_path / "nightly.py": "after"})
    assert contents(tmp_path) == {"nightly.py": "before", "loads": "no folder"}
    assert not (tmp_path / "tasks").exists()


def test_a_nightly_of_another_form_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/nightly.py").write_text(
        "import luigi\n\n\nclass Nightly(luigi.WrapperTask):\n    def requires(self):\n        return [A()]\n"
    )
    night = folder.nightly(Titles("promoter", "promoters", "dimension"))
    assert night.text == ""
    assert night.lines == ("from tasks.promoters import LoadPromoters", "yield LoadPromoters(date=self.date)")


@pytest.mark.parametrize(
    ("word", "one"),
    [("promoters", "promoter"), ("categories", "category"), ("addresses", "address"), ("boxes", "box"),
     ("branches", "branch"), ("statuses", "status"), ("status", "status"), ("analysis", "analysis"), ("data", "data")],
)  # fmt: skip
def test_what_one_row_is_called(word: str, one: str) -> None:
    assert names.singular(word) == one


def test_names_need_no_quotes_and_are_unlike_each_other() -> None:
    assert names.slug("Order Details") == names.slug("orderDetails") == "order_details"
    assert names.slug("2nd größe") == "n2nd_groe"
    assert names.column_name("order", "sale", []) == "sale_order"
    assert names.column_name("is_current", "sale", []) == "sale_is_current"
    assert names.column_name("a b", "sale", ["a_b"]) == "a_b_2"
    assert len(names.column_name("x" * 200, "sale", [])) <= 63


def test_a_wished_name_may_say_what_it_is() -> None:
    assert Titles.of("promoters", Wishes(name="fact_deal"), "dimension").table == "fact_deal"
    with pytest.raises(EtlError, match="--as says dimension"):
        Titles.of("promoters", Wishes(name="fact_deal", shape="dimension"), "dimension")


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-20", None], "BIGINT"),
        (["007"], "VARCHAR(400)"),
        (["12345678901234567890"], "VARCHAR(400)"),
        (["1.5", "2"], "DECIMAL(18,3)"),
        (["1e5", "2.5"], "DOUBLE PRECISION"),
        (["true", "false"], "BOOLEAN"),
        (["2014-02-03"], "DATE"),
        (["2014-02-31"], "VARCHAR(400)"),
        (["2014-02-03T10:30:00Z"], "TIMESTAMP"),
        (["2014-02-03 10:30"], "TIMESTAMP"),
        (["x" * 300], "VARCHAR(4000)"),
        ([None], "VARCHAR(65535)"),
    ],
)
def test_the_narrowest_type_that_holds_a_sample(texts: list[str | None], kind: str) -> None:
    assert samples.type_of(texts).kind == kind


def test_a_blank_is_no_number() -> None:
    assert samples.type_of(["", "5"]).expression("x.a") == "CAST(NULLIF(x.a, '') AS BIGINT)"


def test_a_comment_of_others_is_no_line_of_ours() -> None:
    assert one_line('postgres: INDEX (a)\n"""') == "postgres - INDEX (a) '''"


def at_the_stack(stack: Stack, settings: Settings) -> None:
    settings.read(stack.cfg)
    for section in ("mysql", "redis", "elasticsearch"):
        settings.set(section, "url", stack.urls()[section])
    settings.set("s3_source", "url", "s3://partners")
    settings.set("s3_source", "endpoint_url", stack.urls()["s3_endpoint"])


def contents(root: Path) -> dict[str, str]:
    """The files of a project, without what runs in it."""
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file() and not {"var", "__pycache__"} & set(path.relative_to(root).parts)
    }

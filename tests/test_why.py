"""Why a task is not done: from tiny pipelines in a real warehouse and lake, and ledgers of runs that had them to do."""

import datetime

import click
import luigi
import pytest

from etl.errors import EtlError
from etl.status import why
from etl.task import EtlTask
from tests.ledgers import BEGAN, heard
from tests.nights import own_tasks
from tests.pipeline import day, extractor, load, loader, night

pytest_plugins = ["tests.nights", "tests.ledgers"]

PEOPLE = "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)"
ROWS = "id|name\n1|ada"
DAY = str(day(1))
RUN = "20140204T023000-00000001"


class Chain:
    """ExtractPeople, LoadPeople, and LoadSums, which is computed from it; `keeps` is whether the source keeps days."""

    def __init__(self, sql, keeps=True):
        sql.table("public.people", PEOPLE)
        sql.table("public.sums", PEOPLE)
        people = loader("people", ROWS, name="LoadPeople")
        people.extractor.keeps_the_past = keeps
        required = lambda self: [people(date=self.date)]  # noqa: E731
        select = sql.write("loads", "sums", "SELECT id, name FROM public.people")
        sums = loader("sums", name="LoadSums", requires=required, sql=select)
        self.people, self.sums = people(date=day(1)), sums(date=day(1))
        self.extract = self.people.extractor(date=day(1))


def causes(answer):
    return [(cause.task, cause.state, cause.run) for cause in answer.causes]


def test_what_is_done_is_said_with_its_run(nights, ledger):
    chain = Chain(nights)
    night(chain.sums)
    for task, words in (
        (chain.sums, "loaded into public.sums at "),
        (chain.people, "1 rows came"),
        (chain.extract, "extracted at "),
    ):
        answer = why.explain(task)
        assert words in answer.done and not answer.causes
    assert why.explain(chain.people).what == "LoadPeople 2014-02-01"


def test_the_first_thing_not_done_is_named_with_its_error(nights, ledger):
    chain = Chain(nights)
    failed = heard("ExtractPeople", "failed", why="the source is down")
    ledger(RUN, BEGAN, {"task": "LoadSums", "needs": "LoadPeople"}, failed, {"code": 30}, day=DAY)
    answer = why.explain(chain.sums)
    (cause,) = answer.causes
    assert (cause.task, cause.state, cause.said, cause.run) == ("ExtractPeople", "failed", "the source is down", RUN)
    assert cause.at == BEGAN + 5
    assert (answer.waiting, answer.next) == (3, "etl run LoadSums --date 2014-02-01")


def test_of_more_runs_the_last_counts_and_of_another_day_none(nights, ledger):
    chain = Chain(nights)
    ledger(RUN, BEGAN, heard("ExtractPeople", "failed", why="first"), {"code": 30}, day=DAY)
    ledger(
        "20140204T033000-00000002", BEGAN + 3600, heard("ExtractPeople", "failed", why="then"), {"code": 30}, day=DAY
    )
    ledger("20140205T023000-00000003", BEGAN + 86400, heard("ExtractPeople", "failed", why="other"), {"code": 30})
    assert [cause.said for cause in why.explain(chain.sums).causes] == ["then"]


def test_a_backfill_says_of_each_task_its_day(nights, ledger):
    chain = Chain(nights)
    failed = heard(f"ExtractPeople {DAY}", "failed", why="no such folder")
    ledger(RUN, BEGAN, failed, {"code": 30}, task="LoadSums", day=None)
    assert causes(why.explain(chain.sums)) == [("ExtractPeople", "failed", RUN)]


def test_what_was_never_tried_is_said_to_be(nights, ledger):
    chain = Chain(nights)
    night(chain.extract)
    (cause,) = why.explain(chain.sums).causes
    assert (cause.task, cause.state, cause.said) == ("LoadPeople", "untried", "nothing was run yet")


def test_what_was_killed_and_what_is_done_no_more(nights, ledger):
    chain = Chain(nights)
    ledger(RUN, BEGAN, heard("ExtractPeople", "running"), ended=False, day=DAY)
    assert causes(why.explain(chain.sums)) == [("ExtractPeople", "killed", RUN)]
    ledger(RUN, BEGAN, heard("ExtractPeople"), {"code": 0}, day=DAY)
    (cause,) = why.explain(chain.sums).causes
    assert (cause.state, cause.said) == ("undone", "was done, and has been undone or deleted since")


def test_what_others_bring_is_said_with_its_place(nights, ledger):
    class PartnersFile(luigi.ExternalTask):
        url = luigi.Parameter()

        def complete(self):
            return False

    url = "s3://partners/2014/02/03/"
    nights.table("public.people", PEOPLE)
    task = loader("people", name="LoadFile", requires=lambda self: [PartnersFile(url=url)])(date=day(1))
    (cause,) = why.explain(task).causes
    assert (cause.state, cause.said) == ("missing", f"expected at {url}")
    ledger(RUN, BEGAN, heard(f"PartnersFile {url}", "missing", why="not there yet"), {"code": 20}, day=DAY)
    (cause,) = why.explain(task).causes
    assert (cause.state, cause.said, cause.run) == ("missing", f"expected at {url}", RUN)


def test_a_past_day_that_no_source_shows_can_be_had_no_more(nights, ledger):
    """The next step is the last complete day."""
    chain = Chain(nights, keeps=False)
    ledger(RUN, BEGAN, heard("ExtractPeople", "failed", why="it was down"), {"code": 30}, day=DAY)
    answer = why.explain(chain.sums)
    (cause,) = answer.causes
    assert cause.state == "gone"
    assert cause.said == "its source no longer shows 2014-02-01; it failed then: it was down"
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    assert answer.next == f"etl run LoadSums --date {yesterday}"
    assert "can be had no more" in answer.notes[0]


def test_an_extract_that_was_swept_after_its_load_was_done(nights, ledger, warehouse):
    chain = Chain(nights)
    night(chain.people)
    warehouse.query("UPDATE etl.extracts SET swept_at = now()")
    chain.extract.output().remove(chain.extract.output().manifest())
    again = extractor(ROWS, "ExtractPeople")(date=day(1))
    assert "deleted from the lake" in why.explain(again).done


def test_without_a_warehouse_the_ledger_is_asked(nights, ledger, settings):
    chain = Chain(nights)
    ledger(RUN, BEGAN, heard("ExtractPeople", "failed", why="the disk is full"), {"code": 30}, day=DAY)
    settings.set("warehouse", "url", "postgresql://etl_load@127.0.0.1:1/nowhere")
    with pytest.raises(EtlError, match=r"127\.0\.0\.1"):
        why.explain(chain.sums)
    assert [(cause.task, cause.said) for cause in why.recalled(chain.sums)] == [("ExtractPeople", "the disk is full")]


class CopyTable(EtlTask):
    table = luigi.Parameter()
    deletes = luigi.Parameter(default="keep")

    def complete(self):
        return False


class CopiesFile(luigi.ExternalTask):
    url = luigi.Parameter()


class AllCopies(luigi.WrapperTask):
    date = luigi.DateParameter()

    def requires(self):
        mine = CopyTable(table="my sales", deletes="hard", date=self.date)
        return [CopyTable(table="users", date=self.date), mine, CopiesFile(url="s3://partners/1/")]


@pytest.fixture
def project(nights, monkeypatch):
    """The two are of a package `tasks`."""
    own_tasks(monkeypatch)
    for made in (CopyTable, AllCopies):
        monkeypatch.setattr(made, "__module__", "tasks.copies")


def test_a_task_is_meant_by_its_parameters_or_by_what_the_ledger_calls_it(project):
    users = CopyTable(table="users", date=day(1))
    assert why.task("CopyTable", day(1), ("--table", "users")) == users
    assert why.task("CopyTable", day(1), ("users",)) == users
    assert why.task("CopyTable", day(1), ("my", "sales", "hard")).deletes == "hard"
    # Though it has no date, `etl status` says of which day's run it is.
    assert why.task("CopiesFile", day(1), ("s3://partners/1/",)) == CopiesFile(url="s3://partners/1/")
    with pytest.raises(click.UsageError, match="no task of the project is called CopyTable venues"):
        why.task("CopyTable", day(1), ("venues",))


def test_without_a_day_it_is_the_last_complete_one(project):
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    assert why.task("CopyTable", None, ("users",)).date == yesterday
    assert why.task("AllCopies", None, ()).date == yesterday


def test_the_next_step_is_a_line_for_the_shell(project, ledger):
    answer = why.explain(CopyTable(table="my sales", deletes="hard", date=day(1)))
    assert answer.next == "etl run CopyTable --table 'my sales' --deletes hard --date 2014-02-01"


def test_a_load_of_a_closed_history_has_no_next_step(nights, ledger):
    nights.table(
        "public.dim_u",
        "u_key BIGINT NOT NULL PRIMARY KEY, id BIGINT NOT NULL DEFAULT -1, city VARCHAR(9), "
        "valid_from DATE NOT NULL DEFAULT DATE '0001-01-01', valid_to DATE NOT NULL DEFAULT DATE '9999-12-31', "
        "is_current BOOLEAN NOT NULL DEFAULT TRUE",
        "history: city",
    )
    said = {"name": "LoadU", "strategy": "scd2", "key": ("id",)}
    later = load("dim_u", "id|city\n1|Rome", date=3, **said)
    type(later).extractor.keeps_the_past = True
    answer = why.explain(type(later)(date=day(2)))
    assert answer.next == "" and "at a later day" in answer.notes[0]

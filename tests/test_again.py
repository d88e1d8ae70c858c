"""backfill, rerun and replay, as a person uses them: real commands on a real stack, and what they leave behind."""

import contextlib
import datetime
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pymysql
import pytest

from etl.stack import Stack
from tests.marketplace import killed_at_the_end
from tests.pipeline import session, until
from tests.project import Project

pytest_plugins = ["tests.project"]

NOTES = '''
from etl.load import BaseLoader
from etl.sources.s3 import S3Extractor


class ExtractNotes(S3Extractor):
    """Each file is read once."""

    prefix = "notes/"
    columns = ("id", "text")


class LoadNotes(BaseLoader):
    extractor = ExtractNotes
    table = "note"
    strategy = "append"
    key = ("id",)
'''
NOTE = "CREATE TABLE public.note (id INTEGER NOT NULL PRIMARY KEY, text VARCHAR(20));\n"


def day(back: int) -> datetime.date:
    """Yesterday is 1."""
    return datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=back)


class Desk:
    """A project whose last night has run, and how to look behind it."""

    def __init__(self, project: Project) -> None:
        self.project, self.folder = project, project.folder
        self.stack = Stack(project.folder / "var", project.folder / "luigi.cfg")

    def etl(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.project.etl(*map(str, words), **environment)

    def done(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        said = self.etl(*words, **environment)
        assert said.returncode == 0, said.stdout + said.stderr[-3000:]
        return said

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(psycopg2.connect(self.stack.urls()["admin_warehouse"])) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else []

    def shop(self, sql: str) -> None:
        url = self.stack.urls()["admin_mysql"]
        user, _, rest = url.removeprefix("mysql://").partition(":")
        password, _, rest = rest.partition("@")
        where, _, database = rest.partition("/")
        host, _, port = where.partition(":")
        with pymysql.connect(
            host=host, port=int(port), user=user, password=password, database=database, autocommit=True
        ) as connection:
            connection.cursor().execute(sql)

    def store(self, section: str) -> Any:
        """A client of the lake or of the partners' bucket."""
        parser = RawConfigParser()
        parser.read(self.folder / "var/luigi.cfg")
        said = parser[section]
        return boto3.client(
            "s3",
            endpoint_url=said["endpoint_url"],
            region_name="us-east-1",
            aws_access_key_id=said["access_key_id"],
            aws_secret_access_key=said["secret_access_key"],
        )

    def manifests(self, family: str) -> list[str]:
        found = self.store("lake").list_objects_v2(Bucket="lake", Prefix=f"{family}/").get("Contents", [])
        return [entry["Key"] for entry in found if entry["Key"].endswith("/manifest.json")]

    def etag(self, key: str) -> str:
        return self.store("lake").head_object(Bucket="lake", Key=key)["ETag"]

    def settings(self, name: str, **said: str) -> dict[str, str]:
        """The environment in which [warehouse] has these settings, too."""
        text = (self.folder / "var/luigi.cfg").read_text()
        lines = "".join(f"{key} = {value}\n" for key, value in said.items())
        path = self.folder / f"{name}.cfg"
        path.write_text(text.replace("\n[warehouse]\n", f"\n[warehouse]\n{lines}"))
        return {"LUIGI_CONFIG_PATH": str(path)}

    def loads(self, target: str) -> list[datetime.date]:
        rows = self.query("SELECT business_date FROM etl.loads WHERE target = %s ORDER BY 1", target)
        return [loaded for (loaded,) in rows]

    def receipts(self, target: str) -> int:
        return self.query("SELECT count(*) FROM etl.receipts WHERE target = %s", target)[0][0]


@pytest.fixture(scope="module")
def first_days(project: Project) -> dict[str, subprocess.CompletedProcess[str]]:
    """Before any night has run: users of two past days were extracted then, and nothing has been loaded."""
    desk = Desk(project)
    (project.folder / "tasks/notes.py").write_text(NOTES)
    (project.folder / "warehouse_sql/tables/note.sql").write_text(NOTE)
    for back in (9, 8):
        desk.done("run", "ExtractTable", "--table", "users", "--date", day(back))
    return {
        "no dimensions": desk.etl("backfill", "LoadSearches", "--from", day(3), "--to", day(2)),
        "histories": desk.done("backfill", "LoadUsers", "--from", day(9), "--to", day(8)),
        "older than a history": desk.etl("replay", "LoadUsers", "--date", day(9), "--yes"),
    }


@pytest.fixture(scope="module")
def desk(project: Project, first_days: object) -> Desk:
    made = Desk(project)
    made.done("run", "Nightly", "--date", day(1))
    return made


@contextlib.contextmanager
def without_mysql(desk: Desk) -> Iterator[None]:
    desk.stack.mariadb.stop()
    try:
        yield
    finally:
        assert desk.etl("up").returncode == 0


# ---- backfill


def test_a_backfill_runs_the_days_that_are_not_done_oldest_first(desk: Desk) -> None:
    first = desk.done("backfill", "LoadCampaignEmails", "--from", day(2), "--to", day(1))
    assert f"LoadCampaignEmails {day(2)} to {day(1)}: 2 days, 1 done already, 1 to do" in first.stderr
    second = desk.done("backfill", "LoadCampaignEmails", "--from", day(2), "--to", day(1))
    assert "2 days, 2 done already, 0 to do" in second.stderr
    assert "everything is already there" in second.stderr
    assert desk.loads("public.fact_campaign_email") == [day(2), day(1)]


def test_a_backfill_that_was_killed_goes_on_where_it_was(desk: Desk) -> None:
    """The days before the kill are the oldest, and none is loaded twice."""
    words = ["backfill", "LoadSearches", "--from", str(day(40)), "--to", str(day(21)), "--workers", "1"]
    etl = str(Path(sys.executable).with_name("etl"))
    with (desk.folder / "killed.log").open("wb") as log:
        process = subprocess.Popen(
            [etl, *words],
            cwd=desk.folder,
            env=desk.project.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    days = [day(back) for back in range(40, 20, -1)]

    def so_far() -> list[datetime.date]:
        return [loaded for loaded in desk.loads("public.fact_search") if loaded in days]

    with killed_at_the_end(process):
        until(lambda: len(so_far()) >= 3 or process.poll() is not None, 60)
        assert process.poll() is None, (desk.folder / "killed.log").read_text()[-2000:]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    left = so_far()
    assert left == days[: len(left)] and len(left) < 20
    again = desk.done(*words)
    assert f"20 days, {len(so_far())} done already" not in again.stderr
    assert f"20 days, {len(left)} done already, {20 - len(left)} to do" in again.stderr
    assert so_far() == days
    once = desk.query(
        "SELECT count(*), count(DISTINCT business_date) FROM etl.receipts WHERE target = 'public.fact_search' "
        "AND business_date BETWEEN %s AND %s",
        days[0],
        days[-1],
    )
    assert once == [(20, 20)]


def test_days_that_no_source_shows_any_more_are_refused_before_anything_runs(desk: Desk) -> None:
    before = desk.query("SELECT count(*) FROM etl.receipts")
    said = desk.etl("backfill", "Nightly", "--from", day(5), "--to", day(1))
    assert said.returncode == 2
    assert "5 days, 1 done already, 4 to do" in said.stderr
    assert "4 of 4 days can be read no more" in said.stderr
    for extract in (r"Extract\w+ users", r"Extract\w+ ticket_sales", "ExtractAssignments"):
        assert re.search(rf"\n  {extract}\b.*: {day(5)} to {day(2)}\n", said.stderr), said.stderr
    assert "ExtractSearches" not in said.stderr
    assert "etl replay TASK --date DAY" in said.stderr
    assert "LoadExperimentDays" in said.stderr.partition("backfilled by themselves")[2]
    assert desk.query("SELECT count(*) FROM etl.receipts") == before


def test_a_fact_by_day_needs_dimensions_of_its_day_or_a_later_one(
    desk: Desk, first_days: dict[str, subprocess.CompletedProcess[str]]
) -> None:
    refused = first_days["no dimensions"]
    assert refused.returncode == 2
    assert f"  ExtractTable users: {day(3)} to {day(2)}\n" in refused.stderr
    mirrored = desk.loads("raw.venues")
    desk.done("backfill", "LoadSearches", "--from", day(3), "--to", day(2))
    assert {day(3), day(2)} <= set(desk.loads("public.fact_search"))
    assert desk.loads("raw.venues") == mirrored, "MySQL was not read for the past"
    key = int(f"{day(3):%Y%m%d}")
    known = desk.query("SELECT count(*) FROM public.fact_search WHERE date_key = %s AND user_key > 0", key)
    assert known[0][0] > 0


def test_a_history_is_filled_a_day_at_a_time(first_days: dict[str, subprocess.CompletedProcess[str]]) -> None:
    said = first_days["histories"].stderr
    assert "public.dim_user keeps a history, so the days are run one after the other" in said
    assert said.index(f"LoadUsers {day(9)}:") < said.index(f"LoadUsers {day(8)}:")
    refused = first_days["older than a history"]
    assert refused.returncode == 2
    assert "public.dim_user keeps a history and is at a later day" in refused.stderr


def test_a_backfill_passes_parameters_on(desk: Desk) -> None:
    words = ("backfill", "MirrorTable", "--table", "users", "--from", day(1), "--to", day(0))
    assert "2 days, 1 done already, 1 to do" in desk.done(*words).stderr
    assert desk.loads("raw.users")[-2:] == [day(1), day(0)]


def test_a_day_that_fails_is_named_and_the_others_are_done(desk: Desk) -> None:
    """A partner never sent one of the files."""
    said = desk.etl("backfill", "LoadCampaignEmails", "--from", day(60), "--to", day(59))
    assert said.returncode == 20
    folders = [f"s3://partners/campaigns/{day(back):%Y/%m/%d}/" for back in (60, 59)]
    assert all(f"missing S3Files {folder}" in said.stderr for folder in folders)


# ---- rerun


def test_without_a_terminal_rerun_shows_its_plan_and_touches_nothing(desk: Desk) -> None:
    before = desk.loads("raw.venues"), desk.manifests("ExtractTable")
    said = desk.etl("rerun", "MirrorTable", "--table", "venues", "--date", day(1))
    assert said.returncode == 2
    assert "--yes" in said.stderr and "nothing was touched" in said.stderr
    heading, mirror, *stale = said.stdout.splitlines()
    assert heading.split() == ["task", "table", "extract", "last", "loaded", "rows"]
    rows = desk.query("SELECT count(*) FROM raw.venues")[0][0]
    loaded = desk.query("SELECT loaded_at FROM etl.loads WHERE target = 'raw.venues' AND business_date = %s", day(1))
    at = loaded[0][0].astimezone(datetime.timezone.utc)
    assert mirror.split() == [*["MirrorTable", "venues", "raw.venues", "reread"], *f"{at:%F %R}".split(), str(rows)]
    assert "LoadVenues" in stale[0] and "LoadSearches" in stale[0] and "LoadUsers" not in stale[0]
    assert (desk.loads("raw.venues"), desk.manifests("ExtractTable")) == before


def test_rerun_reads_the_source_again_and_downstream_all_that_is_computed_from_it(desk: Desk) -> None:
    """Also at once after a run, when luigid takes nobody's word that the tasks are not done."""
    targets = ("raw.venues", "public.dim_venue", "public.dim_event", "public.fact_ticket_sale", "mart.daily_sales")
    words = ("rerun", "MirrorTable", "--table", "venues", "--date", day(1), "--yes")
    before = [desk.receipts(target) for target in targets]
    desk.shop("UPDATE venues SET name = 'Once' WHERE id = 1")
    desk.done(*words)
    assert desk.query("SELECT name FROM raw.venues WHERE id = 1") == [("Once",)]
    assert desk.query("SELECT count(*) FROM public.dim_venue WHERE name = 'Once'") == [(0,)]
    assert [desk.receipts(target) for target in targets] == [before[0] + 1, *before[1:]]

    desk.shop("UPDATE venues SET name = 'Twice' WHERE id = 1")
    shown = desk.done(*words, "--downstream").stdout
    assert "Computed from these" not in shown
    places = [shown.index(f" {target} ") for target in targets]
    assert places == sorted(places), "what a table is computed from stands above it"
    assert desk.query("SELECT name FROM public.dim_venue WHERE venue_id = 1") == [("Twice",)]
    assert [desk.receipts(target) for target in targets] == [before[0] + 2, *(count + 1 for count in before[1:])]
    order = desk.query(
        "SELECT target FROM etl.receipts WHERE target IN %s AND business_date = %s AND run_id = (SELECT run_id FROM "
        "etl.receipts ORDER BY loaded_at DESC LIMIT 1) ORDER BY loaded_at",
        targets,
        day(1),
    )
    assert [target for (target,) in order] == list(targets)
    assert "everything is already there" in desk.done("run", "Nightly", "--date", day(1)).stderr


def test_rerun_of_a_table_computed_in_the_warehouse_reads_no_source(desk: Desk) -> None:
    before = desk.manifests("ExtractTable")
    with without_mysql(desk):
        said = desk.done("rerun", "LoadVenues", "--date", day(1), "--yes")
    assert said.stdout.splitlines()[1].split()[:2] == ["LoadVenues", "public.dim_venue"]
    assert "reread" not in said.stdout
    assert desk.manifests("ExtractTable") == before


def test_rerun_of_the_night_is_all_of_it(desk: Desk) -> None:
    said = desk.etl("rerun", "Nightly", "--date", day(1))
    assert said.returncode == 2
    shown = said.stdout.splitlines()
    for target in ("raw.users", "public.dim_user", "public.fact_search", "mart.experiment_results"):
        assert [line for line in shown if f" {target} " in line], target
    assert "dim_date" not in said.stdout, "it belongs to no day"
    assert max(map(len, shown)) <= 80


def test_the_calendar_belongs_to_no_day(desk: Desk) -> None:
    said = desk.etl("rerun", "LoadDateTable", "--start-year", 1990, "--end-year", 2049)
    assert said.returncode == 2
    (line,) = said.stdout.splitlines()[1:]
    assert "public.dim_date" in line and "reread" in line


def test_only_what_was_done_before_is_done_again(desk: Desk) -> None:
    """Of a past day for which one table was loaded, no other is asked for."""
    desk.done("run", "LoadVenues", "--date", day(10))
    said = desk.etl("replay", "MirrorTable", "--table", "venues", "--date", day(10))
    assert [line.split()[0] for line in said.stdout.splitlines()] == ["task", "MirrorTable"]
    words = ("rerun", "LoadSearches", "--date", day(1))
    assert "LoadVenues" not in desk.etl(*words, "--downstream").stdout
    said = desk.etl("rerun", "LoadVenues", "--date", day(10), "--downstream")
    assert [line.split()[0] for line in said.stdout.splitlines()] == ["task", "LoadVenues"]


def test_a_past_that_its_source_does_not_keep_is_not_read_again(desk: Desk) -> None:
    desk.done("run", "LoadVenues", "--date", day(6))
    before = desk.query("SELECT * FROM etl.loads ORDER BY task_key"), desk.manifests("ExtractTable")
    said = desk.etl("rerun", "MirrorTable", "--table", "venues", "--date", day(6), "--yes")
    assert said.returncode == 2
    assert f"ExtractTable venues of {day(6)}" in said.stderr
    assert "etl replay" in said.stderr
    assert (desk.query("SELECT * FROM etl.loads ORDER BY task_key"), desk.manifests("ExtractTable")) == before


def test_a_source_by_day_is_read_again_for_a_past_day(desk: Desk) -> None:
    words = ("LoadSearches", "--date", day(4))
    desk.done("run", *words)
    (rows,) = desk.query("SELECT rows_staged FROM etl.receipts WHERE target = 'public.fact_search' AND "
                         "business_date = %s ORDER BY loaded_at DESC LIMIT 1", day(4))  # fmt: skip
    desk.query("DELETE FROM public.fact_search WHERE date_key = %s", int(f"{day(4):%Y%m%d}"))
    manifest = f"ExtractSearches/date={day(4)}/manifest.json"
    old = desk.etag(manifest)
    desk.done("rerun", *words, "--yes")
    assert desk.etag(manifest) != old
    key = int(f"{day(4):%Y%m%d}")
    assert desk.query("SELECT count(*) FROM public.fact_search WHERE date_key = %s", key) == [rows]


def test_files_that_are_read_once_are_read_again_by_a_rerun(desk: Desk) -> None:
    desk.store("s3_source").put_object(Bucket="partners", Key="notes/a.csv", Body=b"id,text\n1,one\n")
    desk.done("run", "LoadNotes", "--date", day(1))
    desk.query("TRUNCATE public.note")
    desk.done("rerun", "LoadNotes", "--date", day(1), "--yes")
    assert desk.query("SELECT * FROM public.note") == [(1, "one")]
    assert desk.query("SELECT count(*) FROM etl.files WHERE task = 'ExtractNotes'") == [(1,)]


def test_a_file_that_is_gone_leaves_all_as_it_was(desk: Desk) -> None:
    desk.done("run", "LoadCampaignEmails", "--date", day(3))
    bucket, prefix = desk.store("s3_source"), f"campaigns/{day(3):%Y/%m/%d}/"
    for found in bucket.list_objects_v2(Bucket="partners", Prefix=prefix)["Contents"]:
        bucket.delete_object(Bucket="partners", Key=found["Key"])
    said = desk.etl("rerun", "LoadCampaignEmails", "--date", day(3), "--yes")
    assert said.returncode == 20
    assert prefix in said.stderr and "nothing was touched" in said.stderr
    assert day(3) in desk.loads("public.fact_campaign_email")
    desk.done("replay", "LoadCampaignEmails", "--date", day(3), "--yes")


def test_a_manifest_that_was_damaged_is_mended_by_a_rerun(desk: Desk) -> None:
    key = f"ExtractTable/date={day(1)},table=listings/manifest.json"
    desk.store("lake").put_object(Bucket="lake", Key=key, Body=b"{}")
    words = ("MirrorTable", "--table", "listings", "--date", day(1), "--yes")
    assert "not a manifest of ours" in desk.etl("replay", *words).stderr
    desk.done("rerun", *words)


def test_killed_between_marker_and_manifest_the_rows_stay_and_the_work_is_undone(desk: Desk) -> None:
    words = ("rerun", "MirrorTable", "--table", "events", "--date", day(1), "--yes")
    manifest, rows = f"ExtractTable/date={day(1)},table=events/manifest.json", "SELECT count(*) FROM raw.events"
    before = desk.receipts("raw.events"), desk.query(rows), desk.etag(manifest)
    killed = desk.etl(*words, ETL_FAILPOINT="commit.after:1")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert day(1) not in desk.loads("raw.events")
    assert (desk.receipts("raw.events"), desk.query(rows), desk.etag(manifest)) == before
    desk.done(*words)
    assert day(1) in desk.loads("raw.events")
    assert desk.receipts("raw.events") == before[0] + 1
    assert desk.etag(manifest) != before[2]


def test_a_load_that_is_at_work_is_waited_for_and_named(desk: Desk) -> None:
    patience = desk.settings("hasty", lock_timeout="1")
    before = desk.loads("public.dim_venue")
    lock = "SELECT pg_advisory_lock(hashtextextended('public.dim_venue', 20140203))"
    with session(desk.stack.urls()["admin_warehouse"], "SET application_name = 'the night'", lock):
        said = desk.etl("rerun", "LoadVenues", "--date", day(1), "--yes", **patience)
    assert said.returncode == 10
    assert "public.dim_venue" in said.stderr and "the night" in said.stderr
    assert desk.loads("public.dim_venue") == before


@pytest.mark.parametrize(("answer", "code", "receipts"), [("n", 1, 0), ("y", 0, 1)])
def test_at_a_terminal_it_asks(desk: Desk, answer: str, code: int, receipts: int) -> None:
    before = desk.receipts("public.dim_venue")
    shown, returned = desk.project.at_a_terminal("rerun", "LoadVenues", "--date", str(day(1)), answer=answer)
    assert "Do these 1 tasks again? [y/N]" in shown
    assert returned == code, shown
    assert desk.receipts("public.dim_venue") == before + receipts


# ---- replay


def test_replay_touches_no_source_and_no_newer_row(desk: Desk) -> None:
    desk.shop("UPDATE venues SET name = 'Before' WHERE id = 2")
    desk.done("run", "LoadVenues", "--date", day(7))
    desk.shop("UPDATE venues SET name = 'After' WHERE id = 2")
    desk.done("rerun", "MirrorTable", "--table", "venues", "--date", day(1), "--yes")
    manifests = desk.manifests("ExtractTable")
    with without_mysql(desk):
        shown = desk.done("replay", "MirrorTable", "--table", "venues", "--date", day(7), "--yes").stdout
        desk.done("replay", "LoadVenues", "--date", day(7), "--yes")
    assert shown.splitlines()[1].split()[:4] == ["MirrorTable", "venues", "raw.venues", "kept"]
    assert desk.manifests("ExtractTable") == manifests
    assert day(7) in desk.loads("raw.venues")
    assert desk.query("SELECT name FROM raw.venues WHERE id = 2") == [("After",)]


def test_replay_puts_back_what_was_lost_of_a_day(desk: Desk) -> None:
    desk.done("run", "LoadSearches", "--date", day(5))
    key = int(f"{day(5):%Y%m%d}")
    rows = desk.query("SELECT * FROM public.fact_search WHERE date_key = %s ORDER BY search_id", key)
    desk.query("UPDATE public.fact_search SET results = -1 WHERE date_key = %s", key)
    desk.done("replay", "LoadSearches", "--date", day(5), "--yes")
    assert desk.query("SELECT * FROM public.fact_search WHERE date_key = %s ORDER BY search_id", key) == rows


def test_replay_of_an_extract_that_was_swept_says_why_and_what_is_there(desk: Desk) -> None:
    for back in (12, 13):
        desk.done("run", "LoadSearches", "--date", day(back))
    desk.query(
        "UPDATE etl.loads SET loaded_at = loaded_at - INTERVAL '8 days' WHERE target = 'public.fact_search' "
        "AND business_date = %s",
        day(12),
    )
    desk.done("run", "LoadSearches", "--date", day(14))  # which sweeps
    said = desk.etl("replay", "LoadSearches", "--date", day(12), "--yes")
    assert said.returncode == 30
    assert f"ExtractSearches/date={day(12)}/manifest.json: was deleted on {day(0)}" in said.stderr
    assert "[lake] keep_days" in said.stderr
    assert f"{day(14)}, {day(13)}" in said.stderr
    assert day(12) in desk.loads("public.fact_search")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("backfill", "LoadSearches", "--from", day(1), "--to", day(3)), 2, (f"--from {day(1)}", f"--to {day(3)}")),
        (("backfill", "LoadSearches", "--from", day(1), "--to", day(-2)), 2, (f"--to {day(-2)}", "future")),
        (("backfill", "LoadSearches", "--from", day(1)), 2, ("--to",)),
        (("backfill", "LoadSearch", "--from", day(2), "--to", day(1)), 2, ("LoadSearches",)),
        (("backfill", "MirrorTable", "--from", day(2), "--to", day(1)), 2, ("MirrorTable", "table")),
        (("backfill", "S3Files", "--from", day(2), "--to", day(1)), 2, ("S3Files takes no date",)),
        (("rerun", "MirrorTable", "--tables", "venues", "--date", day(1)), 2, ("tables", "table", "on_empty")),
        (("rerun", "LoadVenues", "--date", day(-2)), 2, ("future",)),
        (("rerun", "LoadVenues"), 30, ("without --date", "etl run LoadVenues")),
        (("rerun", "LoadSearches", "--date", day(99)), 30, (f"etl run LoadSearches --date {day(99)}",)),
        (("replay", "LoadSearches", "--date", day(99)), 30, (f"never done for {day(99)}",)),
        (("replay", "ExtractSearches", "--date", day(1)), 2, ("loads nothing", "etl rerun")),
    ],
)
def test_what_cannot_be_done_is_said(desk: Desk, words: tuple[object, ...], code: int, says: tuple[str, ...]) -> None:
    said = desk.etl(*words)
    assert said.returncode == code, said.stderr
    assert all(word in said.stderr for word in says), said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("command", ["backfill", "rerun", "replay"])
def test_help_teaches_by_an_example(desk: Desk, command: str) -> None:
    said = desk.done(command, "--help").stdout
    assert f"    etl {command} " in said
    assert max(map(len, said.splitlines())) <= 80
    assert f"\n  {command} " in desk.done("--help").stdout

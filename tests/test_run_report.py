"""The page of a run: what it says, that it is whole in itself, and that what comes from outside stays text."""

import base64
import hashlib
import html
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl import ledger, run_report
from etl.errors import LakeError
from etl.ledger import Run, TaskRun
from etl.run import run_id
from etl.run_report.critical import critical_path
from etl.run_report.facts import Facts, Held, Load, Loss, gather
from tests.pipeline import day as day_of
from tests.pipeline import load, loader, night

pytest_plugins = ["tests.nights", "tests.project"]

BEGAN = 1391396400.0  # 2014-02-03 03:00 UTC
HOSTILE = """</style></title><script>alert("1")</script><img src=x onerror='alert(2)'> & "quotes" {{ 7*7 }}"""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def task(name: str, began: float | None, ended: float | None, *needs: str, state: str = "done", **said) -> TaskRun:
    """Times are seconds after the run's begin."""
    at = [None if moment is None else BEGAN + moment for moment in (began, ended)]
    return TaskRun(name, state if began is not None else "waiting", at[0], at[1], needs=list(needs), **said)


def run_of(*tasks: TaskRun, ended: float | None = None, code: int | None = 0, **said) -> Run:
    given = {"id": "20140203T030000-1a2b3c4d", "what": "Nightly 2014-02-02", "task": "Nightly", "day": "2014-02-02"}
    given |= {"command": ["etl", "run", "Nightly"], "host": "night-1", "pid": 7, "user": "etl", "version": "0.1.0"}
    return Run(
        **(given | {"began": BEGAN, "watched": False} | said),
        ended=ended and BEGAN + ended,
        code=code if ended else None,
        tasks={one.name: one for one in tasks},
    )


def words(page: str) -> str:
    """What a reader reads, from a parser that takes no error."""
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    for style in tree.iter("style"):
        style.text = ""
    return " ".join(" ".join(tree.itertext()).split())


# A task is how long it takes, which earlier ones it needs, and how long it waits when they are done.
PLANS = st.lists(
    st.tuples(st.integers(1, 9), st.sets(st.integers(0, 6), max_size=3), st.integers(0, 4)), min_size=1, max_size=7
)


def planned(plan: list[tuple[int, set[int], int]], waiting: bool) -> tuple[Run, dict[int, list[int]]]:
    needs = {number: [need for need in some if need < number] for number, (_, some, _) in enumerate(plan)}
    ends: list[int] = []
    tasks = []
    for number, (seconds, _, wait) in enumerate(plan):
        begin = max((ends[need] for need in needs[number]), default=0) + (wait if waiting else 0)
        ends.append(begin + seconds)
        tasks.append(task(f"t{number}", begin, begin + seconds, *(f"t{need}" for need in needs[number])))
    return run_of(*reversed(tasks), ended=max(ends)), needs


@given(PLANS)
def test_with_workers_for_all_the_critical_path_is_the_longest_chain(plan):
    run, needs = planned(plan, waiting=False)

    def longest(number: int) -> int:
        return plan[number][0] + max((longest(need) for need in needs[number]), default=0)

    steps = critical_path(run)
    assert sum(step.seconds for step in steps) == max(longest(number) for number in needs) == run.seconds
    assert not any(step.waited for step in steps)


@given(PLANS)
def test_the_critical_path_and_its_waits_are_the_whole_run_and_no_other_need_was_later(plan):
    run, _ = planned(plan, waiting=True)
    steps = critical_path(run)
    assert sum(step.waited + step.seconds for step in steps) == run.seconds
    assert steps[-1].task.ended == max(one.ended for one in run.tasks.values())
    for before, after in itertools.pairwise(steps):
        assert before.task.name in after.task.needs
        assert before.task.ended == max(run.tasks[need].ended for need in after.task.needs)
    assert not steps[0].task.needs


def test_tasks_that_are_named_in_a_circle_end_somewhere():
    run = run_of(task("a", 0, 2, "b"), task("b", 0, 3, "a", "b"), ended=3)
    assert [step.task.name for step in critical_path(run)] == ["a", "b"]


def test_a_night_that_failed_says_first_what_failed_and_what_to_do():
    page = run_report.render(
        run_of(
            task("ExtractVenues", 0, 10),
            task(
                "LoadVenues", 10, 70, "ExtractVenues", state="failed", why="dim_venue: 7 rows", table="public.dim_venue"
            ),
            task("LoadFeed", 0, 1, state="missing", why="not there yet"),
            task("Nightly", None, None, "LoadVenues"),
            ended=80,
            code=30,
        ),
        Facts(),
        {},
    )
    said = words(page)
    verdict, wrong, path = (
        said.index(part) for part in ("Failed after 1 min 20 s", "dim_venue: 7 rows", "critical path")
    )
    assert verdict < wrong < path
    assert "LoadVenues failed after 1 min 00 s, loads public.dim_venue" in said
    assert "etl run Nightly" in said and "exit code 30" in said
    assert "Never begun 1 task" in said
    # By words and by shapes, not by colour alone.
    assert "failed · 1 min 00 s" in said and 'class="mark missing"' in page
    assert re.search(r"ExtractVenues 10\.0 s 12%.*LoadVenues 1 min 00 s 75%.*after the last task 10\.0 s 12%", said)


def test_a_rerun_that_failed_goes_on_by_a_plain_run_since_its_loads_are_undone():
    command = ["etl", "rerun", "MirrorTable", "--table", "users", "--date", "2014-02-02", "--yes"]
    run = run_of(task("MirrorTable users", 0, 1, state="failed"), ended=1, code=30, command=command)
    run.task = "MirrorTable --table users"
    assert "etl run MirrorTable --table users --date 2014-02-02" in words(run_report.render(run, Facts(), {}))


def test_a_night_that_was_killed_is_told_from_the_file_that_it_left(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    ledger.FOLDER.mkdir(parents=True)
    head = {key: value for key, value in vars(run_of()).items() if key not in ("tasks", "held", "there")}
    lines = [head, *({"task": name, "state": "running", "at": BEGAN + at} for name, at in (("a", 1), ("b", 2)))]
    lines += [{"task": "a", "state": "done", "at": BEGAN + 31}, {"task": "c", "needs": "b"}]
    path = ledger.FOLDER / f"{head['id']}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"task": "b", "sta')
    said = words(run_report.render(ledger.read(head["id"]), Facts(), {}))
    assert "Died after 31.0 s with 1 task done" in said
    assert "b cut off after 29.0 s" in said and "cut off · 29.0 s" in said
    assert "Never begun 1 task c" in said


@pytest.mark.parametrize("field", ["what", "error", "host", "user", "version", "task", "why"])
def test_whatever_comes_from_outside_is_text(field):
    run = run_of(task(HOSTILE, 0, 1, state="failed", why=HOSTILE), task(HOSTILE * 9, None, None), ended=1, code=30)
    if field not in ("task", "why"):
        setattr(run, field, HOSTILE)
    facts = Facts(losses=[Loss(HOSTILE, HOSTILE, HOSTILE, 1)], held=[Held(HOSTILE, HOSTILE, HOSTILE, 1, 1)])
    run.command = ["etl", HOSTILE]
    page = run_report.render(run, facts, {})
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
    assert " ".join(HOSTILE.split()) in words(page)
    names = {element.tag.rpartition("}")[2] for element in tree.iter() if isinstance(element.tag, str)}
    assert not names & {"script", "img", "iframe", "object", "a", "form"}
    assert not [key for element in tree.iter() for key in element.attrib if key.startswith("on") or key == "style"]


def test_it_fetches_nothing_and_its_policy_admits_its_own_style_alone():
    page = run_report.render(run_of(task("a", 0, 1), ended=1), Facts(), {})
    policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1])
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ") and f"style-src 'sha256-{digest}'" in policy
    assert "script-src" not in policy
    fetched = re.findall(r"""(?:src|href)\s*=\s*["']?([^"'\s>]+)|url\(([^)]*)\)|@import\s+(\S+)""", page)
    assert {next(filter(None, found)) for found in fetched} == {"data:,", "#hatch"}


def test_no_password_of_a_url_is_shown():
    why = "could not connect to postgresql://etl_load:geh3im@db.example.com/warehouse"
    run = run_of(task("a", 0, 1, state="failed", why=why), ended=1, code=30, error=why, command=["etl", why])
    page = run_report.render(run, Facts(unknown=why), {})
    assert "geh3im" not in page and "db.example.com" in page


def test_hundreds_of_tasks_fold_but_for_those_that_matter():
    many = [task(f"t{number:03}", number, number + 1) for number in range(400)]
    bad = task("bad", 3, 3.1, state="failed")
    page = run_report.render(run_of(*many, bad, ended=401, code=30), Facts(), {})
    shown = page[: page.index("<details>")]
    assert "And 341 shorter tasks, all done" in words(page)
    assert '"bad"' in shown and shown.count('<span class="name"') == 60
    assert page.count('<span class="name"') == 401
    assert len(page) < 250_000


def test_what_took_longest_is_held_against_what_is_usual():
    facts = Facts(
        loads=[Load("raw.b", None, 1, 1, 1, 1, 0, 0, 0, 1, 10, 8.0, False)],
        usual={"raw.b": 2.0},
    )
    run = run_of(task("a", 0, 30), task("b", 0, 9, table="raw.b"), task("c", 0, 5), ended=30)
    said = words(run_report.render(run, facts, {"a": 29.0}))
    assert "a 30.0 s 29.0 s 1.0\u00d7 b 9.0 s 2.0 s 4.0\u00d7 slower c 5.0 s" in said


def test_receipts_losses_and_quarantine_of_a_run_without_a_value(nights, warehouse, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20)")
    nights.table("public.towns", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(20)", "fresh by: 07:00")
    drawn = "id | name\n424242 | mysterious\0name\n2 | bob"
    load("towns", drawn, name="LoadTowns")
    held = loader("people", drawn, name="LoadPeople")
    held.extractor.on_loss = {"name": "quarantine"}
    night(held(date=day_of(1)))
    run = run_of(task("LoadTowns", 0, 1, table="public.towns"), ended=1, id=run_id())
    page = run_report.write(run).read_text()
    said = words(page)
    assert re.search(r"public\.towns 2014-02-01 2 2 2 0 0 0 2 ", said)
    assert re.search(r"public\.people 2014-02-01 1 1 1 0 0 1 1 ", said)
    assert "public.towns name" in said and "public.towns is late : it is at 2014-02-01" in said
    assert re.search(r"public\.people name \D+ 1 1", said.partition("etl.quarantine")[2])
    for value in ("424242", "mysterious"):
        assert value not in page
    assert gather(run_of(id="another")).loads == []


def test_the_page_goes_into_the_lake_beside_the_ledger(lake, tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    settings.set("warehouse", "url", "postgresql://nobody:geh3im@127.0.0.1:9/none")
    run = run_of(task("ExtractVenues", 0, 1, rows=1234, bytes=56_000), ended=1)
    path = run_report.write(run)
    assert path == Path("var/runs/20140203T030000-1a2b3c4d.html")
    assert lake.get("runs/20140203T030000-1a2b3c4d.html") == path.read_bytes()
    said = words(path.read_text())
    assert "The warehouse did not answer" in said and "1,234" in said and "56.0 kB" in said
    assert "geh3im" not in said
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_without_a_lake_the_page_is_written_all_the_same(lake, tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    settings.set("lake", "url", "s3://no-such-bucket")
    run = run_of(task("a", 0, 1), ended=1)
    with pytest.raises(LakeError, match="no such bucket"):
        run_report.write(run)
    assert "Done in 1.0 s" in run_report.place(run).read_text()


def test_a_run_leaves_its_page_and_its_metrics_and_the_page_can_be_made_again(project):
    settings = project.folder / "var" / "luigi.cfg"
    settings.write_text(settings.read_text().replace("[metrics]\n", "[metrics]\ntextfile = turnstile.prom\n"))
    done = project.etl("run", "LoadVenues")
    assert done.returncode == 0 and "but its" not in done.stderr, done.stderr
    (path,) = (project.folder / "var" / "runs").glob("*.html")
    for part in (
        "Done in",
        "Tables loaded 2",
        "public.dim_venue",
        "zero date",
        "MirrorTable venues",
        "etl run LoadVenues",
    ):
        assert part in words(path.read_text())
    found = (project.folder / "turnstile.prom").read_text()
    assert 'turnstile_run_exit_code{task="LoadVenues"} 0.0' in found
    assert 'turnstile_table_rows{table="public.dim_venue"}' in found

    path.unlink()
    again = project.etl("report")
    assert (again.returncode, again.stdout) == (0, f"var/runs/{path.name}\n"), again.stderr
    assert path.exists()
    assert project.etl("report", path.stem).stdout == again.stdout
    assert "no run nonsense" in project.etl("report", "nonsense").stderr
    assert project.etl("metrics").stdout.startswith("# HELP turnstile_build_info")


@pytest.mark.skipif(not CHROMIUM, reason="no chromium here to look at the page with")
def test_in_a_browser_it_is_styled_fits_a_phone_and_runs_nothing(tmp_path):
    long = "x" * 300
    facts = Facts(loads=[Load(f"raw.{long[:60]}", None, *[9_999_999] * 9, 1.0, False)] * 2)
    run = run_of(
        task(long, 0, 1),
        task(HOSTILE, 1, 60, long, state="failed", why=HOSTILE + long),
        task("Nightly", None, None),
        ended=60,
        code=30,
        error=long,
    )
    (tmp_path / "page.html").write_text(run_report.render(run, facts, {}))
    (tmp_path / "frame.html").write_text(
        """<iframe src="page.html" width="390" height="800" style="border:0"></iframe><pre id="said"></pre><script>
        window.alert = () => { window.hit = true };
        document.querySelector("iframe").onload = (event) => {
          const page = event.target.contentDocument, win = event.target.contentWindow;
          document.getElementById("said").textContent = JSON.stringify({
            wide: page.documentElement.scrollWidth, room: win.innerWidth, hit: !!window.hit || !!win.hit,
            face: win.getComputedStyle(page.querySelector("h2")).fontFamily,
            bar: page.querySelector(".gantt li.failed rect").getBoundingClientRect().width,
          });
        };</script>"""
    )
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    flags += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000", "--dump-dom"]
    dumped = subprocess.run(
        [CHROMIUM, *flags, f"file://{tmp_path}/frame.html"], capture_output=True, text=True, timeout=60, check=False
    )
    found = re.search(r'id="said">(\{.*?\})<', dumped.stdout)
    assert found, dumped.stderr[-2000:]
    said = json.loads(html.unescape(found[1]))
    assert said["wide"] <= said["room"] == 390
    assert "Charter" in said["face"]
    assert said["bar"] > 300
    assert not said["hit"]

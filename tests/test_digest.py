"""What is told of a night, to whom, and when."""

import dataclasses
import datetime
import json
from pathlib import Path

import pytest

from etl import config
from etl.ledger import Run, TaskRun
from etl.notify import digest
from etl.notify.digest import Story
from etl.run_report.facts import Change, Facts, Held, Late, Load, Loss
from tests.notified import Hook, Mailbox
from tests.project import Project

pytest_plugins = ["tests.project", "tests.notified"]

FIRST = 1391481000.0  # 2014-02-04 02:30 UTC


def run(number: int, code: int | None = 0, task: str = "Nightly", day: str = "2014-02-03", **said: object) -> Run:
    """The `number`-th run, four hours after the one before; without a code it was killed."""
    began = FIRST + 4 * 3600 * number
    made = Run(
        id=f"run-{number}",
        what=f"{task} {day}",
        task=task,
        day=day,
        command=["etl", "run", *task.split()],
        host="etl1",
        pid=1,
        user="turnstile",
        version="0.1.0",
        began=began,
        watched=False,
        ended=None if code is None else began + 60,
        code=code,
    )
    return dataclasses.replace(made, **said)  # type: ignore[arg-type]


def tasks(*failed: str, why: str = "it broke", state: str = "failed", done: int = 0, waiting: int = 0) -> dict:
    made = [TaskRun(name, state, FIRST, FIRST + 1, why=why, table=f"public.{name}") for name in failed]
    made += [TaskRun(f"Done{n}", "done", FIRST, FIRST + 1, table=f"raw.t{n}") for n in range(done)]
    made += [TaskRun(f"Waits{n}") for n in range(waiting)]
    return {task.name: task for task in made}


def told(now: Run, *earlier: Run, when: str = "recovery") -> str | None:
    """The headline, where there is a message."""
    story = Story.of(now, earlier)
    return digest.message(story, Facts()).headline if story.is_told(when) else None


def text(now: Run, *earlier: Run, facts: Facts | None = None) -> str:
    return digest.message(Story.of(now, earlier), facts or Facts()).text


@pytest.mark.parametrize(
    ("when", "failed", "good_after", "good"),
    [("failure", True, False, False), ("recovery", True, True, False), ("always", True, True, True)],
)
def test_when_says_which_runs_are_told(settings, when: str, failed: bool, good_after: bool, good: bool) -> None:
    bad = run(0, 30, tasks=tasks("LoadVenues"))
    assert bool(told(bad, when=when)) == failed
    assert bool(told(run(1), bad, when=when)) == good_after
    assert bool(told(run(2), run(1), bad, when=when)) == good


def test_a_failure_begins_with_the_verdict(settings) -> None:
    bad = run(0, 30, tasks=tasks("LoadVenues", "LoadUsers", done=27, waiting=1))
    assert told(bad) == ("FAILED Nightly 2014-02-03: 2 of 30 tasks; public.LoadVenues, public.LoadUsers")


def test_causes_are_listed_and_what_waited_for_them_is_counted(settings) -> None:
    said = text(run(0, 30, tasks=tasks("LoadVenues", why="dim_venue: 41 rows where 42 are listed", waiting=17)))
    assert "failed LoadVenues (public.LoadVenues)\n  dim_venue: 41 rows where 42 are listed" in said
    assert "17 tasks waited for others and never began." in said
    assert "Waits0" not in said
    assert said.endswith("When that is mended, this does what is left: etl run Nightly --date 2014-02-03")


def test_what_is_not_there_yet_is_no_failure_of_ours(settings) -> None:
    missing = tasks("LoadEmails", state="missing")
    assert str(told(run(0, 20, tasks=missing))).startswith("MISSING DATA Nightly 2014-02-03: 1 of 1 task")
    again = told(run(1, 20, tasks=missing), run(0, 20, tasks=missing))
    assert str(again).startswith("STILL MISSING DATA Nightly")


def test_the_same_failure_again_is_no_new_story(settings) -> None:
    first, catchup = run(0, 30, tasks=tasks("A", "B")), run(1, 30, tasks=tasks("A"))
    assert told(catchup, first) == "STILL FAILING Nightly 2014-02-03: 1 of 1 task; public.A"
    assert "The same has failed since 2014-02-04 02:30 UTC, 2 times now." in text(catchup, first)
    message = digest.message(Story.of(catchup, [first]), Facts())
    assert (message.run, message.story) == ("run-1", "run-0")


def test_another_failure_is_a_new_one(settings) -> None:
    first, other = run(0, 30, tasks=tasks("A")), run(1, 30, tasks=tasks("A", "B"))
    assert told(other, first) == "FAILED Nightly 2014-02-03: 2 of 2 tasks; public.A, public.B"
    assert "It has failed since 2014-02-04 02:30 UTC, 2 times now." in text(other, first)


def test_recovery_says_what_it_recovered_from(settings) -> None:
    bad = [run(1, 30, tasks=tasks("A")), run(0, 30, day="2014-02-02", tasks=tasks("A", "B"))]
    good = run(2, tasks=tasks(done=3))
    assert told(good, *bad) == (
        "RECOVERED Nightly 2014-02-03: 3 tasks done, after 2 failed runs since 2014-02-04 02:30 UTC"
    )
    said = text(good, *bad)
    assert "What had failed: A (public.A), B (public.B)" in said
    assert "Failed for other days, which this run did not do: 2014-02-02" in said


def test_only_runs_of_the_same_task_decide_about_recovery(settings) -> None:
    users = run(0, 30, "MirrorTable --table users")
    assert told(run(1, 0, "MirrorTable --table venues"), users) is None
    assert str(told(run(2, 0, "MirrorTable --table users"), run(1), users)).startswith("RECOVERED")


def test_who_watches_a_run_fail_is_not_told_but_others_hear_of_its_recovery(settings) -> None:
    bad, seen = run(0, 30, tasks=tasks("A")), run(1, 30, tasks=tasks("A"), watched=True)
    assert told(seen, bad) is None
    assert str(told(run(2, watched=True), seen, bad)).startswith("RECOVERED")
    assert told(run(2), seen) is None


def test_a_killed_run_is_told_by_the_next_and_once(settings) -> None:
    dead = run(0, None, tasks=tasks(done=1), host="etl7")
    after = run(1)
    assert str(told(after, dead)).startswith("RECOVERED Nightly 2014-02-03: everything was already there")
    assert "Killed: Nightly 2014-02-03, begun 2014-02-04 02:30 UTC on etl7, gave its last sign" in text(after, dead)
    assert told(run(2), after, dead) is None


def test_a_killed_run_of_another_task_is_told_too(settings) -> None:
    dead = run(0, None, "LoadSearches")
    assert told(run(1), dead, when="failure") == (
        "KILLED LoadSearches 2014-02-03: it was begun 2014-02-04 02:30 UTC and never ended"
    )
    assert told(run(2), run(1), dead) is None
    # The next one began before it died, and ended after: it has told.
    beside = run(1, began=dead.began + 1, ended=dead.began + 7200)
    assert told(run(2), beside, dead) is None


def test_a_run_that_goes_on_is_nobodys_news(settings) -> None:
    assert told(run(1), run(0, None, "LoadSearches", held=True)) is None


def test_a_run_that_never_came_to_its_tasks_is_told(settings) -> None:
    bad = run(0, 2, error="[mysql] url: set the environment variable SHOP_PASSWORD")
    assert told(bad) == "FAILED Nightly 2014-02-03: [mysql] url: set the environment variable SHOP_PASSWORD"
    assert "It ended early: [mysql] url: set" in text(bad)
    assert str(told(run(1, 2, error=bad.error), bad)).startswith("STILL FAILING")
    assert str(told(run(1, 2, error="[lake] url: not set"), bad)).startswith("FAILED")


def test_a_run_that_failed_without_a_failed_task_says_its_exit_code(settings) -> None:
    assert told(run(0, 25, tasks=tasks(waiting=3))) == "FAILED Nightly 2014-02-03: exit code 25"


def test_numbers_of_the_warehouse(settings) -> None:
    load = Load("raw.users", None, 5, 5, 5, 1000, 20, 3, 0, 2000, 1, 1.0, False)
    facts = Facts(
        loads=[load, dataclasses.replace(load, table="raw.venues")],
        losses=[Loss("raw.users", "born", "zero date", 12)],
        held=[Held("raw.users", "name", "NUL", 9, 2), Held("raw.venues", "name", "NUL", 9, 0)],
        changes=[Change("raw.users", "email", "widened", "VARCHAR(40)", "VARCHAR(80)")],
        late=[Late("public.dim_date", datetime.date(2014, 2, 1), datetime.datetime.fromtimestamp(FIRST))],
    )
    said = text(run(0, 30, tasks=tasks("A")), facts=facts)
    for line in (
        "Loaded: 2 tables; 2,000 rows new, 40 changed, 6 gone.",
        "Late:\n  public.dim_date is at 2014-02-01, late since 2014-02-04 02:30 UTC",
        "Lost:\n  raw.users.born: 12 values, zero date",
        "New in quarantine:\n  raw.users.name: 2 rows, NUL\n",
        "Columns:\n  raw.users.email widened from VARCHAR(40) to VARCHAR(80)",
    ):
        assert line in said


def test_a_warehouse_that_is_down_takes_only_the_numbers(settings) -> None:
    said = text(run(0, 30, tasks=tasks("A", done=2)), facts=Facts(unknown="[warehouse] no answer"))
    assert "failed A" in said
    assert "Loaded: 2 tables. The warehouse says no more: [warehouse] no answer" in said


def test_a_thousand_failures_are_a_short_message_that_still_says_where(settings) -> None:
    names = [f"load_{n}_of_a_very_long_name_indeed" for n in range(1000)]
    facts = Facts(losses=[Loss("raw." + "t" * 100, "c" * 100, "r" * 100, n) for n in range(1000)])
    message = digest.message(Story.of(run(0, 30, tasks=tasks(*names, why="x" * 100_000)), []), facts)
    assert len(message.text) <= 3500 and len(message.headline) <= 200
    assert "public.load_0_of" in message.headline and message.headline.endswith(" and 997 more")
    assert "Run run-0 by turnstile on etl1" in message.text.splitlines()[-2]
    assert message.text.endswith("etl run Nightly --date 2014-02-03")


def test_neither_control_characters_nor_passwords_get_out(settings) -> None:
    why = "cannot \x1b[31mreach\x00 postgresql://etl:hush@db/w\r\nBcc: x"
    message = digest.message(Story.of(run(0, 30, error=why), []), Facts())
    assert "hush" not in message.headline + message.text
    # Where an error is cut, too.
    cut = digest.message(
        Story.of(run(0, 30, error="x" * 370 + " postgresql://etl:" + "hush" * 10 + "@db/w"), []), Facts()
    )
    assert "hush" not in cut.headline + cut.text
    assert "\x1b" not in message.text and message.headline.isprintable()


def test_a_day_is_told_in_the_business_own_zone(settings) -> None:
    settings.set("etl", "timezone", "America/New_York")
    bad = run(0, 30, tasks=tasks("A"))
    assert "2014-02-03 21:30 EST" in text(bad)
    settings.set("etl", "timezone", "Mars/Olympus")
    assert "2014-02-04 02:30 UTC" in text(bad)


def test_nobody_is_told_where_nobody_is_named(settings) -> None:
    digest.send(run(0, 30), [])
    assert config.notify().when == "recovery"


def notify_by(project: Project, **written: object) -> None:
    """Write [notify] of the settings that are in force while the stack is up."""
    file = project.folder / "var/luigi.cfg"
    kept = file.read_text().partition("[notify]\n")
    rest = kept[2][kept[2].index("\n[") :]
    file.write_text(kept[0] + kept[1] + "".join(f"{key} = {value}\n" for key, value in written.items()) + rest)


def test_a_night_that_fails_is_told_once_and_so_is_its_recovery(
    project: Project, mailbox: Mailbox, hook: Hook, nobody: int
) -> None:
    sql = project.folder / "warehouse_sql/loads/dim_venue.sql"
    right = sql.read_text()
    sql.write_text(right.replace("raw.venues", "raw.avenues"))
    by_mail = {"smtp": f"smtp://127.0.0.1:{mailbox.port}", "sender": "etl@example.com", "to": "team@example.com"}
    notify_by(project, **by_mail, webhook="${HOOK}")
    day = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    night = ("run", "LoadEvents", "--date", str(day))

    failed = project.etl(*night, HOOK=hook.url)
    assert failed.returncode == 30
    assert len(mailbox.mails) == len(hook.posted) == 1
    (mail,) = mailbox.mails
    assert str(mail["Subject"]).startswith(f"FAILED LoadEvents {day}: 1 of ")
    said = mail.get_content()
    assert "raw.avenues" in said and "1 task waited for others" in said and "Loaded: " in said
    (report,) = (line for line in said.splitlines() if line.startswith("Report: "))
    assert Path(report.removeprefix("Report: ")).exists()

    # Nobody takes the mail any more: that is one line, and the same exit code.
    notify_by(project, **(by_mail | {"smtp": f"smtp://127.0.0.1:{nobody}"}))
    quiet = project.etl(*night)
    assert quiet.returncode == 30
    (warning,) = (line for line in quiet.stderr.splitlines() if "digest failed" in line)
    assert "mail to team@example.com" in warning and "Connection refused" in warning

    # Somebody watches it fail. What is on the screen is for people, and the log is as it is asked for.
    notify_by(project, **by_mail, webhook=hook.url)
    settings = project.folder / "var/luigi.cfg"
    settings.write_text(settings.read_text().replace("log_format = text", "log_format = json"))
    screen, code = project.at_a_terminal(*night)
    assert code == 30 and '"ts"' not in screen
    assert len(mailbox.mails) == len(hook.posted) == 1
    (log,) = project.folder.glob("var/log/*.log")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert any("Execution Summary" in line["message"] for line in lines)

    sql.write_text(right)
    mended = project.etl(*night)
    assert mended.returncode == 0
    assert [str(mail["Subject"]).split()[0] for mail in mailbox.mails] == ["FAILED", "RECOVERED"]
    assert mailbox.mails[1]["In-Reply-To"] == mailbox.mails[0]["Message-ID"]
    assert len(hook.posted) == 2 and "RECOVERED" in hook.posted[1]["text"]

    # The first one once more, as somebody asks for it.
    again = project.etl("notify", Path(report).stem)
    assert again.returncode == 0 and again.stdout.count(": sent\n") == 2
    assert [str(mail["Subject"]) for mail in mailbox.mails][::2] == [str(mail["Subject"])] * 2

    for one in (failed, quiet, mended, again):
        assert "s3cret" not in one.stdout + one.stderr

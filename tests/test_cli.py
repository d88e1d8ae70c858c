"""The command line, as people and cron use it: real commands, a real stack, a real terminal."""

import contextlib
import datetime
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from etl.stack import Stack
from tests.project import SCALE, Project

pytest_plugins = ["tests.project"]


@pytest.fixture(scope="module")
def night(project: Project) -> subprocess.CompletedProcess[str]:
    return project.etl("demo", "night")


def yesterday() -> str:
    return str(datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1))


def test_help_teaches_and_names_the_exit_codes(project: Project) -> None:
    said = project.etl("--help")
    assert said.returncode == 0
    for word in ("up", "run", "backfill", "rerun", "replay", "status", "url", "demo", "30 failed", "20 missing data"):
        assert word in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 80


def test_up_again_starts_nothing_and_says_where_luigi_finds_it(project: Project) -> None:
    again = project.etl("up")
    assert again.returncode == 0
    assert "started" not in again.stdout
    assert again.stdout.count("running on port") == 6
    assert "LUIGI_CONFIG_PATH=var/luigi.cfg luigi --module tasks.nightly Nightly" in again.stdout


def test_the_stacks_settings_are_for_its_owner_alone(project: Project) -> None:
    assert stat.S_IMODE((project.folder / "var/luigi.cfg").stat().st_mode) == 0o600
    assert stat.S_IMODE((project.folder / "var").stat().st_mode) == 0o700


def test_seeding_again_at_the_same_scale_does_nothing(project: Project) -> None:
    again = project.etl("demo", "seed", "--scale", SCALE)
    assert again.returncode == 0
    assert f"seeded already, at scale {SCALE} up to {yesterday()}" in again.stdout


def test_a_night_shows_its_tables_a_mart_and_where_to_connect(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    assert night.returncode == 0, night.stderr
    for table in ("public.dim_user", "public.fact_ticket_sale", "mart.daily_sales", "raw.experiment_assignment"):
        assert table in night.stdout
    assert max(map(len, [line for line in night.stdout.splitlines() if "://" not in line])) <= 80
    (shown,) = [word for word in night.stdout.split() if word.startswith("postgresql://")]
    address = project.etl("url", "warehouse").stdout.strip()
    parts = urlsplit(address)
    assert shown == address.replace(f":{parts.password}@", "@")
    assert parts.username == "bi_reader"
    with contextlib.closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) > 0 FROM mart.daily_sales")
        assert cursor.fetchone() == (True,)


def test_the_same_night_again_is_done_already(project: Project, night: subprocess.CompletedProcess[str]) -> None:
    again = project.etl("demo", "night")
    assert again.returncode == 0
    assert "everything is already there" in again.stderr


def test_status_for_people_and_for_machines_agree(project: Project, night: subprocess.CompletedProcess[str]) -> None:
    people, machines = project.etl("status"), project.etl("status", "--json")
    told = json.loads(machines.stdout)
    tables = told["tables"]
    assert len(tables) == 18
    assert people.returncode == machines.returncode == told["exit_code"]
    assert people.stdout.splitlines()[0] == told["verdict"]
    assert told["verdict"].startswith(f"Nightly {yesterday()}: done, ")
    for table in tables:
        assert table["table"] in people.stdout
        assert f"{table['rows']:,}" in people.stdout
    users = next(table for table in tables if table["table"] == "raw.users")
    assert users["lost"] > 0, "the zero dates of birth"


def test_at_a_terminal_status_fits_80_columns(project: Project, night: subprocess.CompletedProcess[str]) -> None:
    shown, code = project.at_a_terminal("status")
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in shown.splitlines()]
    assert lines[0].startswith(f"Nightly {yesterday()}: done, ")
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("public.fact_ticket_sale") for line in lines)
    assert code in (0, 30)


def test_status_is_watched_until_ctrl_c_at_a_terminal_and_in_a_pipe_until_the_run_has_ended(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    told = project.etl("status")
    piped = project.etl("status", "--watch")
    assert (piped.stdout.splitlines(), piped.returncode) == (told.stdout.splitlines()[:1], told.returncode)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("etl"), "status", "--watch"],
        cwd=project.folder,
        env=project.environment | {"TERM": "xterm-256color", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown, stopped = b"", False
    with contextlib.suppress(OSError):
        while chunk := os.read(ours, 65536):
            shown += chunk
            if b"public.fact_ticket_sale" in shown and not stopped:
                process.send_signal(signal.SIGINT)
                stopped = True
    os.close(ours)
    assert process.wait(30) == told.returncode
    assert b"\x1b[?1049h" in shown and b"\x1b[?1049l" in shown, "the screen is given back as it was"
    assert b"Traceback" not in shown


def test_the_history_of_a_table_is_drawn_as_far_as_the_terminal_can(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    said = project.etl("history", "fact_search")
    assert said.returncode == 0
    assert said.stdout.startswith("public.fact_search: ")
    assert yesterday() in said.stdout and "█" in said.stdout
    assert max(map(len, said.stdout.splitlines())) <= 80
    plain = project.etl("history", "fact_search", PYTHONIOENCODING="ascii")
    assert plain.returncode == 0 and plain.stdout.isascii()
    (*_, last) = json.loads(project.etl("history", "fact_search", "--json").stdout)
    assert f"{last['rows']:,}" in said.stdout
    wrong = project.etl("history", "fact_serch")
    assert wrong.returncode == 2 and "did you mean public.fact_search?" in wrong.stderr


def test_why_says_of_what_is_done_by_which_run(project: Project, night: subprocess.CompletedProcess[str]) -> None:
    for arguments in (("MirrorTable", "--table", "users"), ("MirrorTable", "users")):
        said = project.etl("why", *arguments)
        assert said.returncode == 0, said.stderr
        assert said.stdout.startswith(f"MirrorTable users {yesterday()} is done: loaded into raw.users at ")
    assert json.loads(project.etl("why", "Nightly", "--json").stdout)["done"]


def test_plain_luigi_uses_the_stack_by_the_line_that_up_prints(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "luigi", "--module", "tasks.nightly", "Nightly", "--date", yesterday()],
        cwd=project.folder,
        env=project.environment | {"LUIGI_CONFIG_PATH": "var/luigi.cfg"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "1 complete ones were encountered" in done.stderr


@pytest.mark.parametrize("name", ["warehouse", "lake", "mysql", "redis", "elasticsearch", "luigid"])
def test_url_prints_one_address(project: Project, name: str) -> None:
    said = project.etl("url", name)
    assert said.returncode == 0
    assert len(said.stdout.split()) == 1
    assert "://" in said.stdout


def test_url_of_a_production_warehouse_is_the_readers_and_has_no_password(project: Project, tmp_path: Path) -> None:
    settings = tmp_path / "luigi.cfg"
    settings.write_text("[warehouse]\nurl = postgresql://etl_load:${SECRET}@db.example.com/dwh\nreader = analysts\n")
    said = project.etl("url", "warehouse", LUIGI_CONFIG_PATH=str(settings), SECRET="canary")
    assert said.stdout.strip() == "postgresql://analysts@db.example.com/dwh"


def test_url_for_a_group_of_readers_names_nobody(project: Project, tmp_path: Path) -> None:
    settings = tmp_path / "luigi.cfg"
    settings.write_text("[warehouse]\nurl = redshift://etl_load@db.example.com:5439/dwh\nreader = group analysts\n")
    said = project.etl("url", "warehouse", LUIGI_CONFIG_PATH=str(settings))
    assert said.stdout == "redshift://db.example.com:5439/dwh\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "Nightly", "--date", "2199-01-01"), ("2199-01-01", "future", "today is")),
        (("run", "Nightly", "--date", "tomorrow"), ("tomorrow", "%Y-%m-%d")),
        (("run", "LoadVenue"), ("no task LoadVenue", "LoadVenues")),
        (("run", "LoadVenues", "--wrong", "1"), ("--wrong",)),
        (("url", "oracle"), ("oracle", "warehouse")),
        (("demo", "seed", "--scale", "big"), ("big",)),
    ],
)
def test_wrong_usage_is_said_and_exits_2(project: Project, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    said = project.etl(*arguments)
    assert said.returncode == 2
    assert all(word in said.stderr for word in words), said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("[lake]\nkeep_dayz = 3\n", ("[lake] keep_dayz", "keep_days")),
        ("[warehouse]\nurl = ${NOT_SET_ANYWHERE}\n", ("[warehouse] url", "NOT_SET_ANYWHERE")),
        ("[lake]\npart_mb = many\n", ("[lake] part_mb = many", "whole number")),
    ],
)
def test_wrong_settings_are_named_with_their_section_before_anything_runs(
    project: Project, tmp_path: Path, section: str, words: tuple[str, ...]
) -> None:
    settings = tmp_path / "luigi.cfg"
    name, line = section.splitlines()
    key = line.partition(" ")[0]
    lines = (project.folder / "var/luigi.cfg").read_text().splitlines()
    at = lines.index(name)
    own = [i for i in range(at, len(lines)) if lines[i].startswith(f"{key} =")][:1] if key == "url" else []
    kept = [text for i, text in enumerate(lines) if i not in own]
    kept.insert(at + 1, line)
    settings.write_text("\n".join(kept) + "\n")
    said = project.etl("run", "Nightly", LUIGI_CONFIG_PATH=str(settings))
    assert said.returncode == 2
    assert all(word in said.stderr for word in words), said.stderr


def test_a_partners_missing_file_is_missing_data_and_named(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    said = project.etl("run", "ExtractCampaignEmails", "--date", "2001-02-03")
    assert said.returncode == 20
    assert "s3://partners/campaigns/2001/02/03/" in said.stderr.splitlines()[-1]


def test_a_dead_source_fails_its_tables_and_no_others(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    """MySQL is down: exit 30 and its address; the experiments, which need no MySQL, are loaded."""

    stack = Stack(project.folder / "var", project.folder / "luigi.cfg")
    day = str(datetime.date.fromisoformat(yesterday()) - datetime.timedelta(days=1))
    before = {table["table"]: table for table in json.loads(project.etl("status", "--json").stdout)["tables"]}
    stack.mariadb.stop()
    try:
        said = project.etl("run", "Nightly", "--date", day)
    finally:
        assert project.etl("up").returncode == 0
    assert said.returncode == 30
    assert "MySQL at 127.0.0.1:" in said.stderr
    assert "[mysql] url" in said.stderr
    assert "Traceback" not in said.stderr
    after = {table["table"]: table for table in json.loads(project.etl("status", "--json").stdout)["tables"]}
    assert after["public.fact_experiment_day"]["run"] != before["public.fact_experiment_day"]["run"]
    assert after["public.fact_ticket_sale"] == before["public.fact_ticket_sale"]
    told = project.etl("status")
    assert told.returncode == 30
    # Other runs of these tests have failed besides.
    assert re.search(rf"since then .*Nightly {day}.* failed", " ".join(told.stdout.splitlines()[:4]))
    assert told.stdout.count("MySQL at 127.0.0.1:") == 1, "the one root of it all"
    assert f"When that is mended: etl run Nightly --date {day}" in told.stdout
    reasons = project.etl("why", "MirrorTable", "users", "--date", day)
    assert reasons.returncode == 0
    assert f"its source no longer shows {day}; it failed then: MySQL at 127.0.0.1:" in reasons.stdout
    assert f"Next: etl run MirrorTable --table users --date {yesterday()}" in reasons.stdout


def test_what_a_failed_run_left_undone_keeps_no_other_waiting(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    """Luigid turns failed tasks to pending once a minute; a run that has left by then does not take them up."""
    stack = Stack(project.folder / "var", project.folder / "luigi.cfg")
    days = [str(datetime.date.fromisoformat(yesterday()) - datetime.timedelta(days=back)) for back in (4, 5)]
    stack.mariadb.stop()
    try:
        assert project.etl("run", "DailySales", "--date", days[0]).returncode == 30
    finally:
        assert project.etl("up").returncode == 0
    urllib.request.urlopen(f"{stack.luigid.url()}/api/prune").close()
    said = project.etl("run", "LoadVenues", "--date", days[1])
    assert said.returncode == 0, said.stderr


def test_outside_a_project_the_next_step_is_said(tmp_path: Path, project: Project) -> None:
    bare = Path(sys.executable).with_name("etl")
    environment = {key: value for key, value in project.environment.items() if key != "PYTHONPATH"}
    said = subprocess.run([bare, "up"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode != 0
    assert "run this in the project's own folder" in said.stderr
    assert not list(tmp_path.iterdir()), "nothing was started"


def test_no_password_is_printed_but_by_url_and_the_night(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    settings = (project.folder / "var/luigi.cfg").read_text()
    secrets = {line.rpartition("= ")[2] for line in settings.splitlines() if line.startswith("secret_access_key")}
    secrets |= {line.partition("@")[0].rpartition(":")[2] for line in settings.splitlines() if "@127" in line}
    assert len(secrets) >= 4
    for arguments in (("status",), ("status", "--json"), ("up",), ("run", "Nightly", "--date", yesterday())):
        said = project.etl(*arguments)
        assert not [secret for secret in secrets if secret in said.stdout + said.stderr]
    assert not [secret for secret in secrets if secret in night.stderr]


def test_at_a_terminal_progress_is_drawn_and_luigis_lines_go_to_a_file(
    project: Project, night: subprocess.CompletedProcess[str]
) -> None:
    """A day that the sources do not have yet: whole tables are read again, and the night needs no partner's file."""
    day = str(datetime.date.fromisoformat(yesterday()) + datetime.timedelta(days=1))
    shown, code = project.at_a_terminal("run", "DailySales", "--date", day)
    assert code == 0, f"{code}: {shown[-2000:]}{_newest_log(project)}"
    assert "running" in shown, "the live table"
    assert "ExtractTable" in shown
    assert f"DailySales {day}:" in shown
    assert "Informed scheduler" not in shown
    assert "Informed scheduler" in _newest_log(project)


def test_down_and_up_keep_the_data_and_clean_leaves_nothing(server_folder: Path) -> None:
    folder = server_folder / "other"
    folder.mkdir()
    other = Project(folder)
    try:
        assert other.etl("up").returncode == 0
        assert other.etl("demo", "seed", "--scale", "0.01").returncode == 0
        assert other.etl("run", "LoadVenues", "--date", yesterday()).returncode == 0
        before = json.loads(other.etl("status", "--json").stdout)["tables"]
        assert other.etl("down").returncode == 0
        down = other.etl("status")
        assert down.returncode == 30
        assert "is the server up" in down.stderr
        assert f"LoadVenues {yesterday()}: done" in down.stdout, "the ledger knows"
        assert other.etl("up").returncode == 0
        assert json.loads(other.etl("status", "--json").stdout)["tables"] == before
    finally:
        cleaned = other.etl("clean")
        left = (folder / "var").exists()
        shutil.rmtree(folder)
    assert cleaned.returncode == 0
    assert not left


def _newest_log(project: Project) -> str:
    return max((project.folder / "var/log").glob("*.log"), key=os.path.getmtime).read_text()

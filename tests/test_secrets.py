"""No secret is shown: planted ones are looked for in all that commands print, write and load, whatever goes wrong."""

import configparser
import contextlib
import datetime
import re
import secrets
from collections.abc import Iterator

import boto3
import psycopg2
import pytest

from etl import cli
from etl.stack import Stack
from tests.project import Project

pytest_plugins = ["tests.project"]

YESTERDAY = str(datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1))

# Where the stack keeps its own secrets, for its owner alone.
OF_THE_STACK = ("luigi.cfg", "postgres/", "mariadb/", "redis/", "s3/", "search/", "luigid/")

# What is run on a stack that works, and again where each server in its turn refuses a canary.
WORDS: dict[str, list[tuple[str, ...]]] = {
    "doctor": [("doctor",), ("doctor", "--json")],
    "init": [("init", "--dry-run"), ("init",)],
    "run": [("run", "Nightly"), ("run", "MirrorTable", "--table", "nowhere")],
    "migrate": [("migrate", "--dry-run"), ("migrate",)],
    "status": [("status",), ("status", "--json")],
    "history": [("history", "raw.venues"), ("history", "public.fact_search", "--json")],
    "why": [("why", "LoadVenues"), ("why", "MirrorTable", "--table", "nowhere")],
    "report": [("report",)],
    "notify": [("notify", "--test")],
    "metrics": [("metrics",)],
    "compare": [("compare", "venues"), ("compare", "venues", "--json")],
    "plan": [("plan", "MirrorTable", "--table", "venues"), ("plan", "MirrorTable", "--table", "venues", "--json")],
    "preview": [("preview", "LoadVenues"), ("preview", "MirrorTable", "--table", "users", "--json")],
    "docs": [("docs",), ("docs", "--json")],
    "new": [
        ("new", "mysql", "venues", "--dry-run"),
        ("new", "redis", "nowhere:*"),
        ("new", "elasticsearch", "nowhere"),
    ],
    "backfill": [("backfill", "LoadSearches", "--from", YESTERDAY, "--to", YESTERDAY)],
    "rerun": [("rerun", "MirrorTable", "--table", "venues", "--date", YESTERDAY, "--yes")],
    "replay": [("replay", "LoadSearches", "--date", YESTERDAY, "--yes")],
    "completion": [("completion", "bash")],
    "up": [("up",)],
    "demo": [("demo", "seed", "--scale", "0.05"), ("demo", "night")],
}
# The commands that ask a server.
ASKED = {
    "warehouse": ("doctor", "run", "status", "compare"),
    "lake": ("doctor", "run", "status", "compare"),
    "mysql": ("doctor", "run", "compare"),
    "redis": ("doctor", "run"),
    "elasticsearch": ("doctor", "run"),
}
# They print secrets by their nature, or end the stack that the others need.
LEFT_OUT = {"url", "down", "clean"}


@pytest.fixture(scope="module")
def canaries() -> dict[str, str]:
    names = ("warehouse", "owner", "mysql", "redis", "elasticsearch", "lake", "smtp", "webhook", "environment")
    return {name: f"canary{secrets.token_hex(8)}" for name in names}


@pytest.fixture(scope="module")
def said(project: Project, canaries: dict[str, str]) -> Iterator[list[str]]:
    """Everything that any command printed."""
    stack = Stack(project.folder / "var", project.folder / "luigi.cfg")
    settings = project.folder / "var/luigi.cfg"
    works = settings.read_text(encoding="utf-8")
    told = project.folder / "told"
    for section, lines in {
        "notify": (
            "when = always",
            f"smtp = smtp://etl:{canaries['smtp']}@127.0.0.1:9",
            "to = ops@example.com",
            "sender = etl@example.com",
            f"webhook = http://127.0.0.1:9/services/{canaries['webhook']}",
            f"command = tee -a {told}",
        ),
        "metrics": (f"textfile = {project.folder}/metrics.prom",),
    }.items():
        works = works.replace("when = recovery\n", "").replace(
            f"\n[{section}]\n", "\n".join(["", f"[{section}]", *lines, ""])
        )
    printed = []

    def run_all(name: str, text: str, commands: list[tuple[str, ...]]) -> None:
        path = project.folder / "var" / "luigi.cfg"
        path.write_text(text, encoding="utf-8")
        for words in commands:
            done = project.etl(*words, CANARY=canaries["environment"])
            printed.append(f"$ etl {' '.join(words)}  [{name}: {done.returncode}]\n{done.stdout}{done.stderr}")

    run_all("works", works, [words for commands in WORDS.values() for words in commands])
    for section, names in ASKED.items():
        run_all(section, refused(works, section, canaries), [WORDS[name][0] for name in names])
    settings.write_text(works, encoding="utf-8")
    yield printed
    assert stack.cfg.exists()


def refused(text: str, section: str, canaries: dict[str, str]) -> str:
    """The settings with a password of that server that is wrong."""
    head, there, rest = text.partition(f"\n[{section}]\n")
    body, end, rest = rest.partition("\n[")
    if section == "lake":
        body = re.sub(r"(?m)^secret_access_key = .*", f"secret_access_key = {canaries['lake']}", body)
    else:
        body = re.sub(r"(?m)^(url = \w+://)(?:[^@/\n]*@)?", rf"\g<1>etl:{canaries[section]}@", body, count=1)
        body = re.sub(r"(?m)^(owner_url = \w+://\w+:)[^@]*@", rf"\g<1>{canaries['owner']}@", body)
    assert canaries[section] in body
    return head + there + body + end + rest


def test_each_command_is_looked_at():
    assert set(WORDS) | LEFT_OUT == set(cli.main.commands)


def test_nothing_printed_has_a_secret(project, said, canaries):
    shown = leaks("\n".join(said), secrets_of(project, canaries))
    assert shown == []


def test_commands_said_what_was_wrong_and_no_trace(said):
    """Or there was nothing to be found in the first place."""
    wrong = [one for one in said if "Traceback" in one or "[warehouse: 0]\netl" in one]
    assert wrong == []
    assert sum("canary" in one for one in said) == 0
    for section in ("warehouse", "mysql", "redis"):
        assert any(f"[{section}: 30]" in one for one in said), section


def test_no_file_has_a_secret(project, said, canaries):
    """Logs, ledgers, run reports, the dictionary, metrics, what notifiers were told."""
    looked_at = set()
    for path in project.folder.rglob("*"):
        name = str(path.relative_to(project.folder))
        if path.is_file() and not name.startswith(tuple(f"var/{own}" for own in OF_THE_STACK)):
            looked_at.add(path.suffix)
            assert leaks(path.read_bytes().decode(errors="replace"), secrets_of(project, canaries)) == [], name
    assert {".jsonl", ".html", ".prom"} <= looked_at
    assert (project.folder / "told").stat().st_size > 0


def test_no_object_of_the_lake_has_a_secret(project, said, canaries):
    settings = configparser.RawConfigParser()
    settings.read(project.folder / "var/luigi.cfg")
    lake = dict(settings["lake"])
    client = boto3.client(
        "s3",
        endpoint_url=lake["endpoint_url"],
        region_name="us-east-1",
        aws_access_key_id=lake["access_key_id"],
        aws_secret_access_key=lake["secret_access_key"],
    )
    keys = [
        entry["Key"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket="lake")
        for entry in page.get("Contents", ())
    ]
    assert any(key.startswith("runs/") and key.endswith(".html") for key in keys)
    for key in keys:
        body = client.get_object(Bucket="lake", Key=key)["Body"].read().decode(errors="replace")
        assert leaks(body, secrets_of(project, canaries)) == [], key


def test_no_row_and_no_comment_of_the_warehouse_has_a_secret(project, said, canaries):
    url = Stack(project.folder / "var").postgres.url("postgres")
    with contextlib.closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'v') AND relnamespace >= 16384")
        names = [name for (name,) in cursor.fetchall()]
        assert "etl.receipts" in names
        for name in [*names, "pg_description"]:
            cursor.execute(f"SELECT t::text FROM {name} t")
            rows = "\n".join(row for (row,) in cursor.fetchall())
            assert leaks(rows, secrets_of(project, canaries)) == [], name


def secrets_of(project: Project, canaries: dict[str, str]) -> dict[str, str]:
    """The planted ones, and those that the stack made for itself."""
    own = {}
    for server in Stack(project.folder / "var", project.folder / "luigi.cfg").servers:
        own |= {f"{server.name} {user}": server.password(user) for user in server.passwords}
    assert len(own) > 5
    return canaries | own


def leaks(text: str, known: dict[str, str]) -> list[str]:
    """What stands before each secret, which says where it came from."""
    return [f"{name}: {text[: text.index(word)][-60:]}" for name, word in known.items() if word in text]

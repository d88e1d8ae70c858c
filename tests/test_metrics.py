"""Metrics as Prometheus reads them, and that dashboard, alerts and documentation name those that there are."""

import base64
import contextlib
import http.server
import json
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from types import SimpleNamespace

import luigi.rpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl import ledger, metrics
from etl.commands.metrics import metrics as command
from etl.errors import ConfigError, EtlError
from etl.luigid_metrics import Collector
from etl.run import code_version
from etl.stack import Luigid
from tests.pipeline import load

pytest_plugins = ["tests.nights"]

DOCS = Path(__file__).parents[1] / "docs"
BEGAN = 1391396400.0
NOWHERE = "postgresql://nobody:geh3im@127.0.0.1:9/none"


def family(name: str) -> str:
    """Counters are known by the name of their samples."""
    return name.removesuffix("_total")


def samples(text: str) -> dict[str, float]:
    """`name{label=value}`: value, from Prometheus' own parser."""
    return {
        one.name + (f"{{{', '.join(sorted(map('='.join, one.labels.items())))}}}" if one.labels else ""): one.value
        for found in text_string_to_metric_families(text)
        for one in found.samples
    }


def ran(number: int, task: str, code: int | None, **states: str) -> None:
    """The ledger of a run that began `number` hours after the first; without a code it died."""
    ledger.FOLDER.mkdir(parents=True, exist_ok=True)
    at = BEGAN + 3600 * number
    head = {"id": f"run-{number}", "what": f"{task} of a day", "task": task, "day": None, "command": ["etl"]}
    head |= {"host": "h", "pid": 1, "user": "u", "version": "0", "began": at, "watched": False}
    lines = [head]
    for name, state in states.items():
        lines += [{"task": name, "state": "running", "at": at}, {"task": name, "state": state, "at": at + 5}]
    if code is not None:
        lines += [{"code": code}, {"ended": at + 60}]
    (ledger.FOLDER / f"run-{number}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings) -> Path:
    """A project's folder whose warehouse does not answer."""
    monkeypatch.chdir(tmp_path)
    settings.set("warehouse", "url", NOWHERE)
    return tmp_path


def told() -> dict[str, float]:
    registry, _ = metrics.collect()
    return samples(metrics.text(registry).decode())


def test_of_each_task_the_last_run_and_its_last_success(folder):
    ran(1, "Nightly", 0, a="done")
    ran(2, "Nightly", 30, a="done", b="failed", c="missing")
    ran(3, "MirrorTable --table users", 0, a="done")
    found = told()
    nightly = {key.replace("{task=Nightly}", ""): value for key, value in found.items() if "Nightly" in key}
    assert nightly["turnstile_run_exit_code"] == 30
    assert nightly["turnstile_run_last_success_timestamp_seconds"] == BEGAN + 3660
    assert nightly["turnstile_run_start_timestamp_seconds"] == BEGAN + 7200
    assert nightly["turnstile_run_end_timestamp_seconds"] == BEGAN + 7260
    assert nightly["turnstile_run_duration_seconds"] == 60
    states = {
        state: found[f"turnstile_run_state{{state={state}, task=Nightly}}"] for state in ("done", "failed", "died")
    }
    assert states == {"done": 0, "failed": 1, "died": 0}
    tasks = {state: found[f"turnstile_run_tasks{{state={state}, task=Nightly}}"] for state in metrics._TASK_STATES}
    assert tasks == {"done": 1, "failed": 1, "missing": 1, "cut off": 0, "waiting": 0}
    # Of a task's parameters there may be any number.
    assert found["turnstile_run_exit_code{task=MirrorTable}"] == 0


def test_a_run_that_died_has_no_exit_code(folder):
    ran(1, "Nightly", None, a="running")
    found = told()
    assert found["turnstile_run_state{state=died, task=Nightly}"] == 1
    assert found["turnstile_run_tasks{state=cut off, task=Nightly}"] == 1
    assert not [name for name in found if "exit_code" in name or "last_success" in name]


def test_how_the_tables_stand(nights, tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    settings.set("etl", "timezone", "America/New_York")
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(9)", "fresh by: 07:30 after 2 days")
    load("people", "id | name\n1 | a\0a\n2 | bob")
    load("people", "id | name\n1 | a\0a\n3 | eve", date=2)
    settings.set("metrics", "textfile", str(tmp_path / "turnstile.prom"))
    metrics.publish()
    found = samples((tmp_path / "turnstile.prom").read_text())
    people = {key.removesuffix("{table=public.people}"): value for key, value in found.items() if "people" in key}
    assert people.pop("turnstile_load_duration_seconds") > 0
    assert time.time() - people.pop("turnstile_table_loaded_timestamp_seconds") < 600
    assert people == {
        "turnstile_table_rows": 2,
        "turnstile_table_quarantined_rows": 0,
        "turnstile_load_staged_rows": 2,
        "turnstile_load_inserted_rows": 1,
        "turnstile_load_updated_rows": 0,
        "turnstile_load_deleted_rows": 1,
        "turnstile_load_lost_values": 1,
        "turnstile_table_business_date_timestamp_seconds": datetime(2014, 2, 2, 5, tzinfo=timezone.utc).timestamp(),
        "turnstile_table_late_after_timestamp_seconds": datetime(2014, 2, 5, 12, 30, tzinfo=timezone.utc).timestamp(),
    }
    assert found["turnstile_warehouse_up"] == 1
    assert found[f"turnstile_build_info{{version={code_version()}}}"] == 1


def test_the_textfile_is_exchanged_whole_and_may_be_read_by_others(folder, settings):
    ran(1, "Nightly", 0)
    path = folder / "turnstile.prom"
    settings.set("metrics", "textfile", str(path))
    with pytest.raises(EtlError):
        metrics.publish()
    with path.open() as reading:
        first = reading.read(40)
        ran(2, "Nightly", 30)
        with pytest.raises(EtlError):
            metrics.publish()
        # Whoever is in the middle of the old one reads that to its end.
        assert samples(first + reading.read())["turnstile_run_exit_code{task=Nightly}"] == 0
    assert samples(path.read_text())["turnstile_run_exit_code{task=Nightly}"] == 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [found.name for found in folder.iterdir() if found.is_file()] == ["turnstile.prom"]


def test_without_a_warehouse_the_runs_are_told_and_that_it_is_down(folder, settings):
    ran(1, "Nightly", 0)
    settings.set("metrics", "textfile", str(folder / "turnstile.prom"))
    with pytest.raises(EtlError) as failure:
        metrics.publish()
    found = samples((folder / "turnstile.prom").read_text())
    assert found["turnstile_warehouse_up"] == 0 and found["turnstile_run_exit_code{task=Nightly}"] == 0
    assert "geh3im" not in str(failure.value)


def test_by_default_nothing_is_written_nor_asked(folder):
    metrics.publish()
    assert list(folder.iterdir()) == []


def test_a_run_that_is_in_no_ledger_is_told_too(folder):
    ran(1, "Nightly", 0)
    run = ledger.read("run-1")
    (ledger.FOLDER / "run-1.jsonl").unlink()
    ran(0, "Nightly", 30)
    registry, _ = metrics.collect(run)
    assert samples(metrics.text(registry).decode())["turnstile_run_exit_code{task=Nightly}"] == 0


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("textfile", "turnstile.txt", "end in .prom"),
        ("textfile", "/no/such/folder/turnstile.prom", "its folder must be there"),
        ("push", "pushgateway:9091", "write http://"),
    ],
)
def test_a_setting_that_cannot_be_is_named(folder, settings, key, value, said):
    ran(1, "Nightly", 0)
    settings.set("metrics", key, value)
    with pytest.raises(EtlError, match=rf"\[metrics\] {key}.*{said}"):
        metrics.publish()


@contextlib.contextmanager
def gateway(answer: int) -> Iterator[SimpleNamespace]:
    """A server that takes what is pushed and gives that answer; 0: none."""
    seen, over = SimpleNamespace(requests=[]), threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.requests.append((self.path, self.headers, body.decode()))
            if answer:
                self.send_response(answer)
                self.end_headers()
            else:
                over.wait(30)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    seen.address = f"127.0.0.1:{server.server_port}"
    try:
        yield seen
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_push_replaces_what_this_host_has_pushed(nights, tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)
    ran(1, "Nightly", 0)
    with gateway(202) as seen:
        settings.set("metrics", "push", f"http://etl:geh%%3aim@{seen.address}")
        metrics.publish()
    ((path, headers, body),) = seen.requests
    assert path == f"/metrics/job/turnstile/instance/{socket.gethostname()}"
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"etl:geh:im").decode()
    assert samples(body)["turnstile_run_exit_code{task=Nightly}"] == 0


@pytest.mark.parametrize("answer", [500, 0])
def test_a_push_that_is_not_taken_says_so_without_the_password_and_the_textfile_is_written(
    folder, settings, monkeypatch, answer
):
    ran(1, "Nightly", 0)
    monkeypatch.setattr(metrics, "_TIMEOUT", 0.3)
    settings.set("metrics", "textfile", str(folder / "turnstile.prom"))
    with gateway(answer) as seen:
        settings.set("metrics", "push", f"http://etl:geh3im@{seen.address}")
        with pytest.raises(EtlError, match=rf"{seen.address} did not take the metrics") as failure:
            metrics.publish()
    assert "geh3im" not in str(failure.value)
    assert (folder / "turnstile.prom").exists()


def test_the_library_is_asked_for_where_it_is_missing(folder, settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ConfigError, match=r"pip install 'turnstile-etl\[metrics\]'"):
        metrics.collect()


def test_to_publish_nowhere_is_refused(folder):
    with pytest.raises(ConfigError, match="neither textfile nor push"):
        command.callback(publish=True)


def test_luigid_counts_also_what_it_has_not_seen_begin(server_folder):
    settings = server_folder / "luigid.cfg"
    settings.write_text("[scheduler]\nretry_delay = -1\n")
    server = Luigid(server_folder / "luigid", settings)
    server.start()
    try:
        scheduler = luigi.rpc.RemoteScheduler(server.url())
        said = {"worker": "w", "family": "LoadVenues"}
        scheduler.add_task(task_id="begun", **said)
        assert scheduler.get_work(worker="w")["task_id"] == "begun"
        scheduler.add_task(task_id="begun", status="DONE", **said)
        # A run goes on when luigid was restarted, and the task that it was at fails.
        for status in ("FAILED", "DISABLED"):
            scheduler.add_task(task_id=status, **said)
            body = json.dumps({"task_id": status, "status": status, **said}).encode()
            asked = urllib.request.Request(
                f"{server.url()}/api/add_task", b"data=" + urllib.request.quote(body).encode()
            )
            with urllib.request.urlopen(asked, timeout=10) as answer:
                assert answer.status == 200
        with urllib.request.urlopen(f"{server.url()}/metrics", timeout=10) as answer:
            found = samples(answer.read().decode())
    finally:
        server.remove()
    counts = {state: found[f"luigi_task_{state}_total{{family=LoadVenues}}"] for state in ("started", "done", "failed")}
    assert counts == {"started": 1, "done": 1, "failed": 1}


@pytest.fixture
def exported(nights, tmp_path, monkeypatch) -> dict[str, set[str]]:
    """Every metric of ours and of luigid's, with its labels."""
    monkeypatch.chdir(tmp_path)
    nights.table("public.people", "id INTEGER NOT NULL PRIMARY KEY")
    load("people", "id\n1")
    ran(1, "Nightly", 0, a="done")
    registry, wrong = metrics.collect()
    assert wrong == []
    collector = Collector()
    ours = {
        one.name: set(one.labels)
        for found in text_string_to_metric_families(metrics.text(registry).decode())
        for one in found.samples
    }
    theirs = {
        family(found.name): {"family"} for found in text_string_to_metric_families(collector.generate_latest().decode())
    }
    return ours | theirs


@pytest.mark.engines("postgres", reason="what there is does not depend on the engine")
def test_dashboard_alerts_and_documentation_name_the_metrics_that_there_are(exported):
    dashboard = json.loads((DOCS / "grafana" / "turnstile.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    expressions += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    alerts = (DOCS / "grafana" / "alerts.yml").read_text()
    said = "\n".join([*expressions, alerts])
    names = {family(name) for name in re.findall(r"\b(?:turnstile|luigi_task)_\w+", said)}
    assert names <= set(exported)
    # Whoever adds a metric says where it is to be seen.
    seen = {family(name) for name in re.findall(r"\b(?:turnstile|luigi_task)_\w+", "\n".join(expressions))}
    assert {name for name in exported if name not in seen} <= {
        "turnstile_run_start_timestamp_seconds",
        "turnstile_run_end_timestamp_seconds",
        "turnstile_table_loaded_timestamp_seconds",
    }
    for name, matchers in re.findall(r"\b((?:turnstile|luigi_task)_\w+)\{([^}]*)\}", said):
        assert set(re.findall(r"(\w+)\s*=", matchers)) <= exported[family(name)], name
    for name, label in re.findall(r"label_values\((\w+), (\w+)\)", said):
        assert label in exported[name]
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            labels = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
            named = re.findall(r"(?:turnstile|luigi_task)_\w+", target["expr"])
            assert labels <= {label for name in named for label in exported[family(name)]}
    documented = {family(name) for name in re.findall(r"^\| `(\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE)}
    assert documented == set(exported)


def test_the_dashboard_is_nobodys_own():
    text = (DOCS / "grafana" / "turnstile.json").read_text()
    dashboard = json.loads(text)
    assert dashboard["uid"] is None and dashboard["id"] is None and dashboard["schemaVersion"] >= 36
    assert set(re.findall(r'"uid": "([^"]*)"', text)) == {"${datasource}"}
    numbers = [panel["id"] for panel in dashboard["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here to check the metrics with")
def test_prometheus_own_tool_finds_no_fault(folder):
    ran(1, "Nightly", 0, a="done")
    registry, _ = metrics.collect()
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=metrics.text(registry), capture_output=True, check=False, timeout=30
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")
    rules = subprocess.run(
        ["promtool", "check", "rules", DOCS / "grafana" / "alerts.yml"], capture_output=True, check=False, timeout=30
    )
    assert rules.returncode == 0, rules.stdout


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool here to try the alerts with")
def test_the_alerts_fire_when_nights_stop_and_when_tables_go_bad(tmp_path):
    # Every five minutes: a night at hour 1 that ends well, and none after it; a table that is late from hour 5 on, and
    # what becomes worse at hour 30.
    series = {
        'turnstile_run_last_success_timestamp_seconds{task="Nightly"}': "3600x480",
        'turnstile_table_late_after_timestamp_seconds{table="raw.users"}': "18000x480",
        'turnstile_table_quarantined_rows{table="raw.users"}': "0x359 7x120",
        'turnstile_table_rows{table="raw.users"}': "1000x359 400x120",
        'turnstile_load_lost_values{table="raw.users"}': "0x359 3x120",
        'turnstile_run_state{task="Nightly", state="failed"}': "0x359 1x120",
        "turnstile_warehouse_up": "1x480",
    }
    fires = {
        "NoSuccessfulNight": (26, 28),
        "TableLate": (4, 6),
        "QuarantineGrew": (29, 31),
        "TableShrank": (29, 31),
        "ValuesLost": (29, 31),
        "RunFailed": (29, 31),
    }

    # It is believed to be silent at both hours, and promtool says where that is wrong.
    silent = [
        {"eval_time": f"{hour}h", "alertname": alert, "exp_alerts": []}
        for alert, hours in fires.items()
        for hour in hours
    ]
    test = {
        "interval": "5m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": silent,
    }
    rules = str(DOCS / "grafana" / "alerts.yml")
    (tmp_path / "test.yml").write_text(
        json.dumps({"rule_files": [rules], "evaluation_interval": "5m", "tests": [test]})
    )
    said = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    found = re.findall(r"alertname:\s*(\w+),\s*time:\s*(?:(\d+)d)?(\d+)h", said.stdout + said.stderr)
    loud = {(alert, 24 * int(days or 0) + int(hours)) for alert, days, hours in found}
    assert loud == {(alert, after) for alert, (_, after) in fires.items()}

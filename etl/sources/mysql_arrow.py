"""The fast way out of MySQL: connectorx, which turns the server's answer into Arrow without a Python object a value.

One statement on one connection reads the rows and counts them, so both are of one snapshot whatever the server is.
Where several connections share the work, each says with its rows which snapshot they are of.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from etl.errors import EtlError, SourceError
from etl.sources import mysql_reader
from etl.sources.mysql_connection import SESSION, SNAPSHOT, Address, lost
from etl.sources.mysql_ranges import PLACE, Ranges

_ROWS_A_BATCH = 32_768
# Of a table whose values may have 64 KB each.
_ROWS_A_BATCH_OF_TEXT = 4_096


class Unfit(Exception):
    """The read failed in a way that connectorx does not explain: a value that it cannot hold, or a lost connection."""


class Moved(Exception):
    """Connections that were to see one snapshot see several: something was committed while they were opened."""


def batches(to: Address, select: str, table: str, text: bool, what: str) -> Iterator[tuple[int, pa.RecordBatch]]:
    """What `select` gives of the quoted `table`, each batch with the rows that it has; nothing where it has none.

    `text` says that values may be long. Unfit, also in the middle, where PyMySQL has to read it all instead.
    What is read ahead of the caller waits in files below $TMPDIR.
    """
    statement = _with(f"(SELECT COUNT(*) FROM {table})", select, table)
    for batch in _read(to, [statement], SESSION, text, what):
        yield _without_last(batch)


def batches_of(ranges: Ranges, to: Address, select: str, table: str, text: bool, what: str) -> Iterator[pa.RecordBatch]:
    """What `select` gives, in no order, read over a connection a range. Moved, also in the middle."""
    statements = [f"{_with(PLACE, select, table)} WHERE {condition}" for condition in ranges.conditions]
    for batch in _read(to, statements, SESSION + SNAPSHOT, text, what):
        place, rest = _without_last(batch)
        if place != ranges.place:
            raise Moved(f"one connection is at {place} of the server's log, another at {ranges.place}")
        yield rest


def _with(expression: str, select: str, table: str) -> str:
    return f"{select.removesuffix(f' FROM {table}')}, {expression} FROM {table}"


def _without_last(batch: pa.RecordBatch) -> tuple[int, pa.RecordBatch]:
    last = batch.num_columns - 1
    return batch.column(last)[0].as_py(), batch.select(range(last))


def _read(to: Address, queries: list[str], session: Sequence[str], text: bool, what: str) -> Iterator[pa.RecordBatch]:
    """Batches with rows, of all queries, in the order in which they were read."""
    with tempfile.TemporaryDirectory(prefix="turnstile-") as name, _reader(len(queries)) as process:
        folder = Path(name)
        rows = _ROWS_A_BATCH_OF_TEXT if text else _ROWS_A_BATCH
        asked = {"url": _url(to), "queries": queries, "batch_size": rows, "session": session, "folder": name}
        # It stays open: should this process die, the reader sees it end.
        print(json.dumps(asked), file=process.stdin, flush=True)
        for line in process.stdout:
            answer = json.loads(line)
            if "file" not in answer:
                _check(answer, to, what)
                return
            path = folder / answer["file"]
            with pa.memory_map(str(path)) as file:
                path.unlink()
                yield from (batch for batch in pa.ipc.open_stream(file) if batch.num_rows)
        raise Unfit(f"its process ended with {process.wait()}")


@contextlib.contextmanager
def _reader(threads: int) -> Iterator[Any]:
    """The process that reads, over as many connections at a time; it does not outlive the caller."""
    process: Any = subprocess.Popen(
        [sys.executable, str(Path(mysql_reader.__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A panic prints its trace there, of which the caller says what can be said.
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"RAYON_NUM_THREADS": str(threads)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def _check(answer: dict[str, Any], to: Address, what: str) -> None:
    """Raise what the reader's last answer says, unless it is that all was read."""
    if reason := answer.get("no_room"):
        raise EtlError(
            f"{what}: what is read ahead cannot be written ({reason}); make room in {tempfile.gettempdir()}, or name "
            f"another folder in the environment's TMPDIR"
        )
    if reason := answer.get("gave_up"):
        raise Unfit(reason)
    if reason := answer.get("refused"):
        # The text may quote the URL, and so the password.
        said = reason.replace(quote(to.password, safe=""), "…") if to.password else reason
        if lost(said):
            raise Unfit(said)
        raise SourceError(f"{what}: MySQL at {to.host}:{to.port} answers: {said}")


def _url(to: Address) -> str:
    # The socket would hop past TLS, and past what stands between us and the server.
    options = "?prefer_socket=false"
    if to.ssl_ca:
        options += f"&ssl-mode=VERIFY_IDENTITY&ssl-ca={quote(to.ssl_ca, safe='')}"
    user, password = quote(to.user, safe=""), quote(to.password, safe="")
    return f"mysql://{user}:{password}@{to.host}:{to.port}/{quote(to.database, safe='')}{options}"

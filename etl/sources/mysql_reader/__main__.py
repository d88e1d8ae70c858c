"""Reads queries with connectorx into files, at the speed of the server, however slowly they are taken away.

connectorx keeps all that it has read and nobody has taken, without a limit, and whoever waits for it stops every
thread of its process. So it has a process of its own, which puts what comes into files at once: what the lake has
not taken yet waits on disk, and memory stays flat here and there.

Asked in a line of JSON on stdin, it answers in a line of JSON each on stdout: {"file": name} for each file of Arrow's
stream format that is complete, then {"end": true}, or {"refused": why} by the server, {"gave_up": why} by connectorx
or {"no_room": why} by the disk. Whoever asked ends it; when stdin ends instead, they are dead, and it removes the
files.

It runs as a script, for which nothing but connectorx and pyarrow need be imported.
"""

import itertools
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import connectorx
import pyarrow as pa

# Of a file, in bytes: small enough to be taken soon, large enough to be few.
_ENOUGH = 8 << 20


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    folder = Path(asked.pop("folder"))
    try:
        _answer(folder, asked)
        sys.stdin.read()
    except BrokenPipeError:
        pass
    shutil.rmtree(folder, ignore_errors=True)


def _answer(folder: Path, asked: dict[str, Any]) -> None:
    try:
        for name in _files(folder, asked):
            _say(file=name)
        _say(end=True)
    except BrokenPipeError:
        raise
    except RuntimeError as error:
        _say(refused=str(error))
    except OSError as error:
        _say(no_room=str(error))
    except BaseException as error:
        # PanicException is no Exception, and connectorx does not export it.
        if type(error).__name__ != "PanicException":
            raise
        _say(gave_up=str(error).partition("\n")[0])


def _files(folder: Path, asked: dict[str, Any]) -> Iterator[str]:
    reader = connectorx.read_sql(
        asked["url"],
        asked["queries"],
        return_type="arrow_stream",
        protocol="binary",
        batch_size=asked["batch_size"],
        pre_execution_query=asked["session"],
    )
    batch = next(reader, None)
    for number in itertools.count():
        if batch is None:
            return
        with pa.OSFile(str(folder / str(number)), "wb") as file, pa.ipc.new_stream(file, batch.schema) as stream:
            while batch is not None and file.tell() < _ENOUGH:
                stream.write_batch(batch)
                batch = next(reader, None)
        yield str(number)


def _say(**answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

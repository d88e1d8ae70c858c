"""Ends what a test run leaves behind, however the run ended: `python reaper.py FOLDER`, its stdin a pipe of the run.

The pipe closes when the run is over, be it by `kill -9` or by xdist, whose workers leave without their
atexit functions. Every process that works in FOLDER is then killed, and FOLDER deleted.
"""

import shutil
import signal
import sys
from pathlib import Path

import psutil


def main(folder: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    while left := at_work_in(folder):
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=5)
    shutil.rmtree(folder, ignore_errors=True)


def at_work_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cwd"])
        if process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())

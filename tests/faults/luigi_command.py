"""What `luigi` does when it is started, in a process that was forked: tests/faults/night.py."""

import multiprocessing
import os
import resource
import sys
from pathlib import Path

import luigi.configuration
import psutil
from luigi.cmdline import luigi_run
from luigi.configuration import LuigiConfigParser

ROOT = Path(__file__).parents[2]


def main(arguments: list[str], settings: str, log: str, room: int | None) -> None:
    os.setsid()
    os.chdir(ROOT)
    for name in [name for name in os.environ if name.startswith(("ETL_", "LUIGI_", "AWS_", "PG"))]:
        del os.environ[name]
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, sys.stdout.fileno())
    os.dup2(descriptor, sys.stderr.fileno())
    # As it is in a command of its own: luigi's workers inherit what it has read.
    multiprocessing.set_start_method("fork", force=True)
    LuigiConfigParser._instance = None
    luigi.configuration.add_config_path(settings)
    if room:
        limit = psutil.Process().memory_info().vms + room
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    luigi_run(arguments)

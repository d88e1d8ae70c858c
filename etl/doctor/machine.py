"""This machine: versions, what is installed for the sources that are set, and free disk."""

import importlib.metadata
import importlib.util
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from etl.doctor.finding import FAILED, OK, WARNING, Finding
from etl.run import code_version

# By section: the extra of setup.cfg, and the modules that it brings and a night imports.
EXTRAS = {
    "mysql": ("mysql", "pymysql", "connectorx", "numpy"),
    "redis": ("redis", "redis", "hiredis"),
    "elasticsearch": ("elasticsearch", "urllib3", "msgspec"),
}

_GIB = 1 << 30
_FLOORS = {"luigi": (3, 8), "pyarrow": (26, 0), "boto3": (1, 34), "psycopg2-binary": (2, 9), "click": (8, 1)}
_PYTHON = (3, 10)


def missing(section: str) -> Finding | None:
    """A finding where a source's packages are not installed."""
    extra, *modules = EXTRAS[section]
    absent = [name for name in modules if importlib.util.find_spec(name) is None]
    if not absent:
        return None
    said = f"{', '.join(absent)} is not installed, and [{section}] needs it"
    return Finding(section, "driver", FAILED, said, f"pip install 'turnstile-etl[{extra}]'")


def check() -> Iterator[Finding]:
    yield from _versions()
    yield from _disk()


def _versions() -> Iterator[Finding]:
    if sys.version_info < _PYTHON:
        wanted = ".".join(map(str, _PYTHON))
        said = f"Python {platform.python_version()}, where {wanted} or newer is needed"
        yield Finding("machine", "python", FAILED, said, f"make the environment anew with Python {wanted}")
    found = [f"Python {platform.python_version()}"]
    for name, floor in _FLOORS.items():
        version = _version(name)
        if version is None or tuple(map(int, re.findall(r"\d+", version)[:2])) < floor:
            wanted = ".".join(map(str, floor))
            said = f"{name} {version or 'is not installed'}, where {wanted} or newer is needed"
            yield Finding("machine", name, FAILED, said, f"pip install '{name}>={wanted}'")
        else:
            found.append(f"{name.removesuffix('-binary')} {version}")
    yield Finding("machine", "versions", OK, f"code {code_version()}; {', '.join(found)}")


def _version(name: str) -> str | None:
    # Whoever builds psycopg2 himself has it under its own name.
    for candidate in (name, name.removesuffix("-binary")):
        try:
            return importlib.metadata.version(candidate)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None


def _disk() -> Iterator[Finding]:
    """Where a MySQL reader keeps files for a while, and where logs and the local stack are."""
    temporary = Path(tempfile.gettempdir())
    for folder, remedy in (
        (temporary, f"free some of it, or set TMPDIR: readers of MySQL keep files below {temporary}"),
        (Path("var"), "free some of it: logs and the ledger of runs are kept there"),
    ):
        if folder.is_dir():
            free = shutil.disk_usage(folder).free
            said = f"{free / _GIB:,.1f} GiB are free in {folder}"
            state, cure = (OK, "") if free >= _GIB else (WARNING, remedy)
            yield Finding("machine", "disk", state, said, cure)

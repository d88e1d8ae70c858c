"""The run: one id for everything that one command does, and the version of the code that does it."""

import functools
import os
import secrets
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version


def run_id() -> str:
    """`20140203T040506-1a2b3c4d`, in UTC. It travels in the environment because workers are forked."""
    if "ETL_RUN_ID" not in os.environ:
        os.environ["ETL_RUN_ID"] = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    return os.environ["ETL_RUN_ID"]


@functools.cache
def code_version() -> str:
    """The package's version, and the commit when it runs in a checkout."""
    try:
        release = version("turnstile-etl")
    except PackageNotFoundError:
        release = "unknown"
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return release
    return f"{release}+{asked.stdout.strip()}" if asked.returncode == 0 else release

"""The run: one id for everything that one command does, forked workers included."""

import os
import secrets
from datetime import datetime, timezone


def run_id() -> str:
    """`20140203T040506-1a2b3c4d`, in UTC. It travels in the environment because workers are forked."""
    if "ETL_RUN_ID" not in os.environ:
        os.environ["ETL_RUN_ID"] = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    return os.environ["ETL_RUN_ID"]

"""By a program of one's own: the text on its stdin, what is to be known at a glance in its environment."""

import os
import shlex
import signal
import subprocess

from etl import config
from etl.errors import EtlError
from etl.notify.message import Message


def send(settings: config.Notify, message: Message) -> None:
    """Run it, without a shell; what it prints goes to stderr. When its time is over it is killed, with all of its."""
    environment = os.environ | {
        "ETL_RUN_ID": message.run,
        "ETL_RUN_STATE": message.state,
        "ETL_RUN_HEADLINE": message.headline,
    }
    try:
        process = subprocess.Popen(
            shlex.split(settings.command), stdin=subprocess.PIPE, stdout=2, env=environment, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise EtlError(f"it cannot be started: {error}") from None
    try:
        process.communicate(f"{message.headline}\n\n{message.text}\n".encode(), timeout=settings.timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise EtlError(f"it was still at work after {settings.timeout} s, and was killed") from None
    if process.returncode:
        raise EtlError(f"it left with exit code {process.returncode}")

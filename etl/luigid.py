"""luigid, the scheduler that runs share: where it is, whether it answers, and how it is asked."""

import socket
import warnings
from typing import Any
from urllib.parse import urlsplit

import luigi
import luigi.rpc


def url() -> str:
    """By luigi's own settings: [core] scheduler_url, else scheduler_host and scheduler_port."""
    with warnings.catch_warnings():
        # Of settings that are luigid's own.
        warnings.simplefilter("ignore")
        settings = luigi.interface.core()
    return settings.scheduler_url or f"http://{settings.scheduler_host}:{settings.scheduler_port}"


def answers() -> bool:
    """Luigi itself would try for a minute before it gives up on a scheduler that is not there."""
    where = urlsplit(url())
    try:
        socket.create_connection((where.hostname, where.port or (443 if where.scheme == "https" else 80)), 1).close()
    except OSError:
        return False
    return True


def scheduler() -> Any:
    return luigi.rpc.RemoteScheduler(url())

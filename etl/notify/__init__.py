"""How a message is sent: by everything that [notify] names, side by side, and each within its time."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from etl import config
from etl.errors import EtlError
from etl.notify import command, smtp, webhook
from etl.notify.message import Message

__all__ = ["Message", "Sent", "named", "send"]

# Whoever notices by himself that his time is over says more of it.
_GRACE = 2


@dataclass(frozen=True)
class Sent:
    """`way` is who was to pass it on, without secrets; `error` is why he did not, or empty."""

    way: str
    error: str


def send(message: Message, settings: config.Notify) -> list[Sent]:
    """What became of it, one for each way. None waits for another, and none takes longer than its time."""
    answers: list[tuple[str, queue.Queue[str]]] = []
    for name, way in _ways(settings):
        answer: queue.Queue[str] = queue.Queue()
        answers.append((name, answer))
        # A daemon: one that hangs, in a name server say, does not keep the command from its end.
        threading.Thread(target=_send, args=(way, settings, message, answer), daemon=True).start()
    deadline = time.monotonic() + settings.timeout + _GRACE
    return [Sent(name, _answered(answer, settings.timeout, deadline)) for name, answer in answers]


def named(settings: config.Notify) -> bool:
    return bool(settings.smtp or settings.webhook or settings.command)


def _ways(settings: config.Notify) -> list[tuple[str, Callable[[config.Notify, Message], None]]]:
    found: list[tuple[str, Callable[[config.Notify, Message], None]]] = []
    if settings.smtp:
        found.append((f"mail to {settings.to} by {_address(settings.smtp)}", smtp.send))
    if settings.webhook:
        found.append((f"webhook at {_address(settings.webhook)}", webhook.send))
    if settings.command:
        found.append((f"command {settings.command.split()[0]}", command.send))
    return found


def _send(
    way: Callable[[config.Notify, Message], None], settings: config.Notify, message: Message, answer: "queue.Queue[str]"
) -> None:
    try:
        way(settings, message)
    except EtlError as error:
        answer.put(str(error))
    except Exception as error:
        # The text of what nobody expected may quote a secret.
        answer.put(f"{type(error).__name__}, which is a bug")
    else:
        answer.put("")


def _answered(answer: "queue.Queue[str]", timeout: int, deadline: float) -> str:
    try:
        return answer.get(timeout=max(0, deadline - time.monotonic()))
    except queue.Empty:
        return f"no answer within {timeout} s"


def _address(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)

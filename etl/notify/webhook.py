"""By a webhook that takes Slack's messages, as those of Slack, Mattermost and Rocket.Chat do."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from etl import config
from etl.errors import EtlError
from etl.notify.message import Message

# Of an answer, what is read and shown.
_SHOWN = 200


def send(settings: config.Notify, message: Message) -> None:
    """POST it. The address is a secret: it is in no error, and no redirect takes the message elsewhere."""
    request = urllib.request.Request(
        settings.webhook,
        data=json.dumps({"text": _marked(message)}).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    try:
        with urllib.request.build_opener(_Stay).open(request, timeout=settings.timeout) as answer:
            answer.read(_SHOWN)
    except urllib.error.HTTPError as error:
        with error:
            said = _without(settings.webhook, error.read(_SHOWN).decode(errors="replace").strip())
        raise EtlError(f"it answered {error.code} {said or error.reason}") from None
    except urllib.error.URLError as error:
        raise EtlError(_why(error.reason, settings.webhook)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise EtlError(_why(error, settings.webhook)) from None


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _marked(message: Message) -> str:
    """In Slack's markup. In code nothing is a mention or a format, but three characters are to be escaped there too."""
    headline, text = message.headline.replace("`", "'"), message.text.replace("`", "'")
    marked = f"`{headline}`\n```\n{text}\n```"
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _why(error: object, url: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message}; "
            "a CA of your own goes into the file that the environment variable SSL_CERT_FILE names"
        )
    return _without(url, str(error) or type(error).__name__)


def _without(url: str, text: str) -> str:
    """The text without what makes the address a secret."""
    parts = urlsplit(url)
    for secret in (url, parts.path, parts.query, parts.netloc.rpartition("@")[0]):
        if len(secret) > 1:
            text = text.replace(secret, "…")
    return text

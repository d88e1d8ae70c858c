"""One search server over plain HTTP: which product it is, its mapping, and whatever else it is asked.

Elasticsearch's and OpenSearch's own clients refuse each other's servers (elasticsearch-py#1639, #2046), so
neither is used. Which dialect to speak is what `GET /` says and never found by probing: a server may answer
the other product's URL with something else than an error.
"""

import contextlib
import functools
import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers, parse_url

from etl.errors import ConfigError, SourceError, SourceLost
from etl.sources.json_values import decoder, loads

_ANSWER = decoder(dict[str, Any])

_BUSY = (429, 502, 503, 504)
_BUDGET = 60.0
_FIRST_PAUSE = 0.25
_CONNECT_SECONDS, _READ_SECONDS = 10, 300


@dataclass(frozen=True)
class Product:
    name: str
    version: tuple[int, int]

    @property
    def opensearch(self) -> bool:
        return self.name == "OpenSearch"

    @property
    def pages_a_point_in_time(self) -> bool:
        """Whether a point in time has a sort key that no two documents share; without one, search_after loses rows.

        `_shard_doc` came with Elasticsearch 7.12 (elastic/elasticsearch#66093), two releases after points in
        time, and with OpenSearch 3.3 (opensearch-project/OpenSearch#18924), which had those since 2.4.
        """
        return self.version >= ((3, 3) if self.opensearch else (7, 12))

    @property
    def tiebreak(self) -> list[str]:
        """OpenSearch numbers shards within their index, so two indices of an alias share `_shard_doc` values."""
        return ["_shard_doc", "_index"] if self.opensearch else ["_shard_doc"]

    def __str__(self) -> str:
        return f"{self.name} {self.version[0]}.{self.version[1]}"


class Server:
    """A search server on one connection; every failure is a SourceError that says what was asked and what came back."""

    def __init__(self, url: str):
        parts = parse_url(url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ConfigError("[elasticsearch] url: not an address; write http://host:9200 or https://user:pw@host")
        # The password goes into a header and stays out of the address, which errors quote. Its bytes are UTF-8's, of
        # which urllib3, that writes Latin-1, is to change none.
        login = make_headers(basic_auth=unquote(parts.auth, "latin-1")) if parts.auth else {}
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"} | login
        self._address = parts._replace(auth=None).url.rstrip("/")
        self._root = (parts.path or "").rstrip("/")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.host.strip("[]"), parts.port)

    def __str__(self) -> str:
        return self._address

    def product(self) -> Product:
        answer = self.ask("GET", "/")
        version = answer.get("version") or {}
        number = re.match(r"(\d+)\.(\d+)", str(version.get("number")))
        if not number:
            raise SourceError(f"{self}: GET / names no version; is [elasticsearch] url a search server?")
        name = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
        found = Product(name, (int(number[1]), int(number[2])))
        if not found.opensearch and found.version < (7, 0):
            raise SourceError(f"{self}: {found}; versions before 7.0 are not read, upgrade it")
        return found

    def mapping(self, index: str) -> dict[str, dict[str, Any]]:
        """Each concrete index behind the name, alias or pattern, with its mapping."""
        answer = self.ask("GET", f"{index_path(index)}/_mapping")
        if not answer:
            raise SourceError(f"{self}: no index matches {index}; check the name, or create it")
        return {name: found["mappings"] for name, found in answer.items()}

    def close(self) -> None:
        self._connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        decode: Callable[[bytes], Any] = _ANSWER,
        again: bool = True,
    ) -> Any:
        """The answer; a server that is busy is asked again for a minute at most, when that is harmless."""
        return self.send(method, path, body, decode, again)()

    def send(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        decode: Callable[[bytes], Any] = _ANSWER,
        again: bool = True,
    ) -> Callable[[], Any]:
        """What `ask` does, but without waiting: the server works until what is returned is called for the answer.

        Nothing else may be asked before that.
        """
        self._send(method, path, body)
        return functools.partial(self._answer, method, path, body, decode, again)

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None, decode: Callable[[bytes], Any], again: bool
    ) -> Any:
        asked, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            response = self._receive(method, path)
            if response.status < 300:
                return self._decoded(method, path, response.data, decode)
            wanted = response.headers.get("Retry-After", "")
            pause = float(wanted) if wanted.isdigit() else pause * 2
            late = time.monotonic() + pause - asked > _BUDGET
            if not again or response.status not in _BUSY or late:
                kind = SourceLost if response.status in _BUSY else SourceError
                raise kind(self._refusal(method, path, response))
            time.sleep(pause)
            self._send(method, path, body)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        connection = self._connection
        with self._answering(method, path):
            if not connection.is_connected:
                connection.close()
                connection.timeout = _CONNECT_SECONDS
                connection.connect()
                connection.timeout = _READ_SECONDS
            connection.request(method, self._root + path, body=_json(body), headers=self._headers)

    def _receive(self, method: str, path: str) -> urllib3.BaseHTTPResponse:
        with self._answering(method, path):
            return self._connection.getresponse()

    @contextlib.contextmanager
    def _answering(self, method: str, path: str) -> Iterator[None]:
        try:
            yield
        except (HTTPError, http.client.HTTPException, OSError) as error:
            self._connection.close()
            raise SourceLost(
                f"{self}: no answer to {method} {path.partition('?')[0]} ({error}); is it running, and is "
                f"[elasticsearch] url right?"
            ) from None

    def _decoded(self, method: str, path: str, data: bytes, decode: Callable[[bytes], Any]) -> Any:
        try:
            return decode(data)
        except ValueError as error:
            raise SourceError(
                f"{self}: {method} {path.partition('?')[0]}: no search server's answer ({error}): {data[:100]!r}"
            ) from None

    def _refusal(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> str:
        advice = {
            401: "the user or the password in [elasticsearch] url is wrong",
            403: "its user may not do that; grant read and view_index_metadata on the index",
            404: "check the name of the index, or create it",
            429: f"too busy for {_BUDGET:.0f} seconds; run again when it has less to do",
        }
        asked = f"{self}: {method} {path.partition('?')[0]} answered {response.status}"
        return f"{asked}: {advice.get(response.status, 'look at the server')} ({_reason(response.data)})"


def _json(body: dict[str, Any] | None) -> bytes | None:
    """A query may hold `self.date` as it is."""
    return None if body is None else json.dumps(body, default=lambda day: day.isoformat()).encode()


def index_path(index: str) -> str:
    return "/" + quote(index, safe=",*")


def _reason(data: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        error = loads(data).get("error")
        return f"{error['type']}: {error['reason']}" if isinstance(error, dict) else str(error)
    return repr(data[:200])

"""One search server over plain HTTP: which product it is, its mapping, and every document of one snapshot.

Elasticsearch's and OpenSearch's own clients refuse each other's servers (elasticsearch-py#1639, #2046), so
neither is used. Which dialect to speak is what `GET /` says and never found by probing: a server may answer
the other product's URL with something else than an error.
"""

import contextlib
import json
import logging
import re
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.util import make_headers, parse_url

from etl.errors import ConfigError, SourceError
from etl.run import run_id
from etl.sources.json_values import loads

logger = logging.getLogger("luigi-interface.etl")

# How long a context outlives the page before it: the time in which a page must be written to the lake.
_KEEP_ALIVE = "5m"
_BUSY = (429, 502, 503, 504)
_BUDGET = 60.0
_FIRST_PAUSE = 0.25


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
    """A search server; every failure is a SourceError that says what was asked and what came back."""

    def __init__(self, url: str):
        parts = parse_url(url)
        if parts.scheme not in ("http", "https") or not parts.host:
            raise ConfigError("[elasticsearch] url: not an address; write http://host:9200 or https://user:pw@host")
        # The password goes into a header and stays out of the address, which errors quote.
        login = make_headers(basic_auth=parts.auth) if parts.auth else {}
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"} | login
        self._address = parts._replace(auth=None).url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=10, read=300), retries=False)

    def product(self) -> Product:
        answer = self._ask("GET", "/")
        version = answer.get("version") or {}
        number = re.match(r"(\d+)\.(\d+)", str(version.get("number")))
        if not number:
            raise SourceError(f"{self._address}: GET / names no version; is [elasticsearch] url a search server?")
        name = "OpenSearch" if version.get("distribution") == "opensearch" else "Elasticsearch"
        found = Product(name, (int(number[1]), int(number[2])))
        if not found.opensearch and found.version < (7, 0):
            raise SourceError(f"{self._address}: {found}; versions before 7.0 are not read, upgrade it")
        return found

    def mapping(self, index: str) -> dict[str, dict[str, Any]]:
        """Each concrete index behind the name, alias or pattern, with its mapping."""
        answer = self._ask("GET", f"{_path(index)}/_mapping")
        if not answer:
            raise SourceError(f"{self._address}: no index matches {index}; check the name, or create it")
        return {name: found["mappings"] for name, found in answer.items()}

    def documents(
        self, index: str, query: dict[str, Any], source: list[str] | bool, page_size: int
    ) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """The hits of one snapshot, page by page, each with the snapshot's total: all of them, or SourceError.

        The context is closed when the iterator is, however it ends. The total is held against `_count` just
        before and just after the snapshot was taken, on the same copies of the shards.
        """
        product = self.product()
        search = {"query": query, "_source": source, "size": page_size, "track_total_hits": True}
        counted = [self._count(index, query)]
        total, read = None, 0
        pages = self._point_in_time if product.pages_a_point_in_time else self._scroll
        with contextlib.closing(pages(index, search, product)) as answers:
            for answer in answers:
                said, hits = _total(index, answer), answer["hits"]["hits"]
                if total is None:
                    total = said
                    counted.append(self._count(index, query))
                    _check_counts(index, total, counted)
                read += len(hits)
                if said != total or read > total:
                    raise SourceError(
                        f"{index}: the snapshot held {total} documents, after {read} were read it says {said}; "
                        f"a shard was lost or a page came twice, look at the cluster's health and run again"
                    )
                yield total, hits
        if read != total:
            raise SourceError(
                f"{index}: {read} documents were read of {total} in the snapshot; look at the cluster's health "
                f"and run again"
            )

    def close(self) -> None:
        self._pool.clear()

    def _point_in_time(
        self, index: str, search: dict[str, Any], product: Product
    ) -> Generator[dict[str, Any], None, None]:
        """https://www.elastic.co/guide/en/elasticsearch/reference/current/paginate-search-results.html,
        https://docs.opensearch.org/latest/search-plugins/searching-data/point-in-time/"""
        path, said = ("/_search/point_in_time", "pit_id") if product.opensearch else ("/_pit", "id")
        opened = self._ask("POST", f"{_path(index)}{path}?keep_alive={_KEEP_ALIVE}&preference={_copies()}")
        context = opened.get(said)
        if not context:
            raise SourceError(f"{self._address}: {product} opened no point in time on {index}: {opened!r:.200}")
        try:
            _check_shards(index, opened)
            after: list[Any] | None = None
            while True:
                page = {"pit": {"id": context, "keep_alive": _KEEP_ALIVE}, "sort": product.tiebreak}
                answer = self._ask("POST", "/_search", search | page | ({"search_after": after} if after else {}))
                context = answer.get("pit_id", context)
                yield _whole(index, answer)
                hits = answer["hits"]["hits"]
                if not hits:
                    return
                last = hits[-1].get("sort")
                if not last or last == after:
                    raise SourceError(
                        f"{index}: a page ends at {last}, where the page before it ended; paging goes round in a "
                        f"loop, report it to whoever runs {self._address}"
                    )
                after = last
        finally:
            self._release(path, {said: [context] if product.opensearch else context})

    def _scroll(self, index: str, search: dict[str, Any], _product: Product) -> Generator[dict[str, Any], None, None]:
        """A page is asked for once: a server that failed to deliver one goes on with the next.

        https://www.elastic.co/guide/en/elasticsearch/reference/7.10/paginate-search-results.html#scroll-search-results
        """
        path = f"{_path(index)}/_search?scroll={_KEEP_ALIVE}&preference={_copies()}"
        answer = self._ask("POST", path, search | {"sort": ["_doc"]})
        context = answer.get("_scroll_id")
        try:
            while True:
                yield _whole(index, answer)
                if not answer["hits"]["hits"]:
                    return
                page = {"scroll": _KEEP_ALIVE, "scroll_id": context}
                answer = self._ask("POST", "/_search/scroll", page, again=False)
                context = answer.get("_scroll_id", context)
        finally:
            self._release("/_search/scroll", {"scroll_id": [context]})

    def _release(self, path: str, context: dict[str, Any]) -> None:
        """A context that cannot be closed expires by itself; it is no reason to lose what was read."""
        try:
            self._ask("DELETE", path, context, again=False)
        except SourceError as error:
            logger.warning("a search context stays open for %s: %s", _KEEP_ALIVE, error)

    def _count(self, index: str, query: dict[str, Any]) -> int:
        answer = self._ask("POST", f"{_path(index)}/_count?preference={_copies()}", {"query": query})
        _check_shards(index, answer)
        return answer["count"]

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, again: bool = True) -> dict[str, Any]:
        """The answer; a server that is busy is asked again for a minute at most, when that is harmless."""
        asked, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            response = self._send(method, path, body)
            if response.status < 300:
                return self._parsed(method, path, response.data)
            wanted = response.headers.get("Retry-After", "")
            pause = float(wanted) if wanted.isdigit() else pause * 2
            late = time.monotonic() + pause - asked > _BUDGET
            if not again or response.status not in _BUSY or late:
                raise SourceError(self._refusal(method, path, response))
            time.sleep(pause)

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.request(method, self._address + path, body=_json(body), headers=self._headers)
        except HTTPError as error:
            raise SourceError(
                f"{self._address}: no answer to {method} {path.partition('?')[0]} ({error}); is it running, and is "
                f"[elasticsearch] url right?"
            ) from None

    def _parsed(self, method: str, path: str, data: bytes) -> dict[str, Any]:
        try:
            answer = loads(data)
        except ValueError as error:
            raise SourceError(f"{self._address}: {method} {path}: not JSON ({error}): {data[:100]!r}") from None
        if not isinstance(answer, dict):
            raise SourceError(f"{self._address}: {method} {path}: not a JSON object: {data[:100]!r}")
        return answer

    def _refusal(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> str:
        advice = {
            401: "the user or the password in [elasticsearch] url is wrong",
            403: "its user may not do that; grant read and view_index_metadata on the index",
            404: "check the name of the index, or create it",
            429: f"too busy for {_BUDGET:.0f} seconds; run again when it has less to do",
        }
        asked = f"{self._address}: {method} {path.partition('?')[0]} answered {response.status}"
        return f"{asked}: {advice.get(response.status, 'look at the server')} ({_reason(response.data)})"


def _json(body: dict[str, Any] | None) -> bytes | None:
    """A query may hold `self.date` as it is."""
    return None if body is None else json.dumps(body, default=lambda day: day.isoformat()).encode()


def _path(index: str) -> str:
    return "/" + quote(index, safe=",*")


def _copies() -> str:
    """The same word asks the same copies of each shard, so that a lagging replica is no difference in counts."""
    return run_id()


def _reason(data: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        error = loads(data).get("error")
        return f"{error['type']}: {error['reason']}" if isinstance(error, dict) else str(error)
    return repr(data[:200])


def _whole(index: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The page, when each shard took part in it; a scroll loses shards quietly (elastic/elasticsearch#65381)."""
    if answer.get("timed_out"):
        raise SourceError(f"{index}: the server ran out of its own time and sent a part of a page; run again")
    _check_shards(index, answer)
    clusters = answer.get("_clusters") or {}
    if lost := sum(clusters.get(state, 0) for state in ("skipped", "partial", "failed")):
        raise SourceError(
            f"{index}: {lost} of {clusters.get('total')} remote clusters did not take part; see that they are up"
        )
    return answer


def _check_shards(index: str, answer: dict[str, Any]) -> None:
    shards = answer.get("_shards") or {}
    if not shards.get("failed"):
        return
    failures = shards.get("failures") or [{}]
    reason = failures[0].get("reason") or {}
    shard = f"shard {failures[0].get('shard', '?')} of {failures[0].get('index', index)}"
    raise SourceError(
        f"{index}: {shards['failed']} of {shards.get('total')} shards failed; {shard}: "
        f"{reason.get('type', 'no reason')} ({reason.get('reason', '')}); look at the cluster's health and run again"
    )


def _total(index: str, answer: dict[str, Any]) -> int:
    total = answer["hits"].get("total") or {}
    if total.get("relation") != "eq":
        raise SourceError(f"{index}: the server gives no exact number of hits ({total}), so completeness is unprovable")
    return total["value"]


def _check_counts(index: str, total: int, counted: list[int]) -> None:
    """Between two equal counts the snapshot must hold that number; while documents come in, one between the two."""
    if not min(counted) <= total <= max(counted):
        raise SourceError(
            f"{index}: the snapshot holds {total} documents, _count says {counted[0]} before it and {counted[1]} "
            f"after; an index or a shard is missing from it, run again and look at the cluster's health"
        )

"""search: all documents of an index of a real OpenSearch node as rows."""

import contextlib
import json
from collections.abc import Iterator

import urllib3

from bench.contests import OURS, Contest, Unavailable
from bench.contests.exports import extract, script
from bench.measure import Cost
from bench.ours_search import ExtractDocuments
from bench.servers import Servers
from etl.errors import EtlError
from tests.opensearch_node import OpenSearchNode

_DOCUMENTS = 200_000
_PAGES = (1000, 5000, 10_000)
_A_BULK = 5000

_MAPPING = {
    "settings": {"number_of_shards": 2, "number_of_replicas": 0},
    "mappings": {
        "properties": {
            "user_id": {"type": "long"},
            "query": {"type": "text"},
            "results": {"type": "integer"},
            "took_ms": {"type": "integer"},
            "price": {"type": "double"},
            "searched_at": {"type": "date"},
        }
    },
}


@contextlib.contextmanager
def contest(servers: Servers, scale: float) -> Iterator[Contest]:
    rows = round(_DOCUMENTS * scale)
    try:
        url = servers.also(OpenSearchNode(servers.folder / "opensearch")).url()
    except EtlError as error:
        raise Unavailable(str(error)) from None
    _seed(url, rows)

    def scan(page: int) -> Cost:
        return script("bench.plain_search", [url, str(page)], rows, servers)

    best = min(_PAGES, key=lambda page: scan(page).seconds)
    ways = {
        OURS: lambda number: extract(ExtractDocuments, number, rows, servers, elasticsearch=url),
        "opensearch-py scan": lambda number: scan(best),
    }
    title = f"{rows:,} documents of OpenSearch to CSV, scan by pages of {best:,}"
    yield Contest(title, dict.fromkeys(ways, rows), ways)


def _seed(url: str, documents: int) -> None:
    http = urllib3.PoolManager()
    _ask(http, "PUT", f"{url}/documents", json.dumps(_MAPPING))
    for first in range(0, documents, _A_BULK):
        lines = []
        for number in range(first, min(first + _A_BULK, documents)):
            lines += [{"index": {"_id": str(number)}}, _document(number)]
        _ask(http, "POST", f"{url}/documents/_bulk", "".join(json.dumps(line) + "\n" for line in lines))
    # One segment a shard, or merging would go on while the first are timed.
    _ask(http, "POST", f"{url}/documents/_forcemerge?max_num_segments=1&flush=true", "")
    _ask(http, "POST", f"{url}/documents/_refresh", "")


def _document(number: int) -> dict[str, object]:
    return {
        "user_id": number % 40_009,
        "query": f"konzert {number % 997} wien café",
        "results": number % 211,
        "took_ms": number % 83,
        "price": number % 10_007 / 100,
        "searched_at": f"2014-02-{1 + number % 28:02}T{number % 24:02}:{number % 60:02}:00Z",
    }


def _ask(http: urllib3.PoolManager, method: str, url: str, body: str) -> None:
    answer = http.request(method, url, body=body, headers={"Content-Type": "application/x-ndjson"}, timeout=120)
    if answer.status >= 300 or answer.json().get("errors"):
        raise EtlError(f"{method} {url}: {answer.status} {answer.data[:500]!r}")

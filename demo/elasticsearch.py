"""Index `searches`, written over plain HTTP so that Elasticsearch and OpenSearch take it alike."""

import json
from typing import Any

import urllib3
from urllib3.util import make_headers, parse_url

from demo.attention import searches
from demo.business import Business
from etl.errors import SourceError

INDEX = "searches"
# `price_max` is sent as a number, as its text or as null, which the mapping coerces and `_source` keeps.
MAPPING = {
    "mappings": {
        "properties": {
            "search_id": {"type": "keyword"},
            "user_id": {"type": "long"},
            "session": {"type": "keyword"},
            "query": {"type": "text"},
            "category": {"type": "keyword"},
            "event_clicked": {"type": "long"},
            "results": {"type": "integer"},
            "took_ms": {"type": "integer"},
            "price_max": {"type": "double"},
            "searched_at": {"type": "date"},
        }
    }
}


def load(business: Business, url: str) -> dict[str, int]:
    """Drop and recreate the index and fill it; every document is searchable when this returns."""
    with _Server(url) as server:
        server.send("DELETE", f"/{INDEX}", missing_is_fine=True)
        server.send("PUT", f"/{INDEX}", json.dumps(MAPPING))
        count = 0
        for documents in searches(business):
            lines = []
            for document in documents:
                lines.append(json.dumps({"index": {"_index": INDEX, "_id": document["search_id"]}}))
                lines.append(json.dumps(document, ensure_ascii=False))
            answer = server.send("POST", "/_bulk", "\n".join(lines) + "\n", kind="application/x-ndjson")
            if answer["errors"]:
                refused = [item["index"] for item in answer["items"] if "error" in item["index"]]
                raise SourceError(
                    f"Elasticsearch: {len(refused)} of {len(documents)} documents refused by index {INDEX}, "
                    f"the first, {refused[0]['_id']}: {refused[0]['error']}"
                )
            count += len(documents)
        server.send("POST", f"/{INDEX}/_refresh")
    return {INDEX: count}


class _Server:
    def __init__(self, url: str) -> None:
        parts = parse_url(url)
        # The password goes into a header, and stays out of the URL that errors quote.
        self._headers = make_headers(basic_auth=parts.auth) if parts.auth else {}
        self._url = parts._replace(auth=None).url.rstrip("/")
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(connect=5, read=120), retries=False)

    def __enter__(self) -> "_Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def send(
        self, method: str, path: str, body: str = "", kind: str = "application/json", missing_is_fine: bool = False
    ) -> Any:
        headers = self._headers | ({"Content-Type": kind} if body else {})
        answer = self._pool.request(method, self._url + path, body=body.encode() or None, headers=headers)
        if answer.status == 404 and missing_is_fine:
            return None
        if answer.status >= 300:
            raise SourceError(f"Elasticsearch: {method} {path} answered {answer.status}: {answer.data[:500].decode()}")
        return json.loads(answer.data)

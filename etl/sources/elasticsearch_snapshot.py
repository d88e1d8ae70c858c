"""Every hit of one snapshot, page by page: all of them, or SourceError."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from etl.errors import SourceError
from etl.run import run_id
from etl.sources.elasticsearch_pages import Hit, Page
from etl.sources.elasticsearch_server import Product, Server, index_path

logger = logging.getLogger("luigi-interface.etl")

# How long a context outlives the page before it: the time in which a page must be written to the lake.
_KEEP_ALIVE = "5m"
# What a page may take, and by how many documents of the index that is judged.
_PAGE_BYTES = 8 << 20
_SAMPLE = 100

Decoder = Callable[[bytes], Page[Any]]


def read(server: Server, index: str, search: dict[str, Any], decode: Decoder) -> Iterator[tuple[int, list[Hit[Any]]]]:
    """The hits of `search`, each page with the snapshot's total; while one is used, the server makes the next.

    The last page is empty, so that an empty snapshot has a total too. The context is closed when the
    iterator is, however it ends. The total is held against `_count` just before and just after the snapshot
    was taken, on the same copies of the shards. A page has fewer documents than `size` says where they are long.
    """
    product = server.product()
    search = search | {"size": _page_size(server, index, search)}
    counted = [_count(server, index, search)]
    kind = PointInTime if product.pages_a_point_in_time else Scroll
    total, seen = None, 0
    with contextlib.closing(kind(server, product, index, search, decode)) as context:
        context.send()
        while True:
            page = context.page()
            _check_whole(index, page)
            said, hits = _total(index, page), page.hits.hits
            if total is None:
                total = said
                counted.append(_count(server, index, search))
                _check_counts(index, total, counted)
            seen += len(hits)
            if said != total or seen > total:
                raise SourceError(
                    f"{index}: the snapshot held {total} documents, after {seen} were read it says {said}; "
                    f"a shard was lost or a page came twice, look at the cluster's health and run again"
                )
            if hits:
                context.send()
            yield total, hits
            if not hits:
                break
    if seen != total:
        raise SourceError(
            f"{index}: {seen} documents were read of {total} in the snapshot; look at the cluster's health and run "
            f"again"
        )


class _Context:
    """What holds a snapshot open at the server; `send` asks for its next page, for which `page` then waits."""

    def __init__(self, server: Server, product: Product, index: str, search: dict[str, Any], decode: Decoder) -> None:
        self._server, self._product, self._index, self._decode = server, product, index, decode
        self._search = search
        self._context: str | None = None
        self._answer: Callable[[], Page[Any]] | None = None

    def page(self) -> Page[Any]:
        assert self._answer
        answer, self._answer = self._answer, None
        return answer()

    def close(self) -> None:
        if self._answer is not None:
            # The first page names the context, and what a search still uses is better not closed.
            with contextlib.suppress(SourceError):
                self.page()
        if self._context is not None:
            self._release(self._context)

    def _release(self, context: str) -> None:
        raise NotImplementedError


class PointInTime(_Context):
    """https://www.elastic.co/guide/en/elasticsearch/reference/current/paginate-search-results.html,
    https://docs.opensearch.org/latest/search-plugins/searching-data/point-in-time/"""

    def __init__(self, server: Server, product: Product, index: str, search: dict[str, Any], decode: Decoder) -> None:
        super().__init__(server, product, index, search | {"sort": product.tiebreak}, decode)
        self._path, self._said = ("/_search/point_in_time", "pit_id") if product.opensearch else ("/_pit", "id")
        self._last: list[Any] | None = None

    def send(self) -> None:
        if self._context is None:
            self._open()
        place: dict[str, Any] = {"pit": {"id": self._context, "keep_alive": _KEEP_ALIVE}}
        if self._last:
            place["search_after"] = self._last
        self._answer = self._server.send("POST", "/_search", self._search | place, self._decode)

    def page(self) -> Page[Any]:
        page = super().page()
        self._context = page.pit_id or self._context
        if hits := page.hits.hits:
            last = hits[-1].sort.values() if hits[-1].sort else None
            if not last or last == self._last:
                raise SourceError(
                    f"{self._index}: a page ends at {last}, where the page before it ended; paging goes round in a "
                    f"loop, report it to whoever runs {self._server}"
                )
            self._last = last
        return page

    def _open(self) -> None:
        path = f"{index_path(self._index)}{self._path}?keep_alive={_KEEP_ALIVE}&{_copies()}"
        opened = self._server.ask("POST", path)
        self._context = opened.get(self._said)
        if not self._context:
            raise SourceError(
                f"{self._server}: {self._product} opened no point in time on {self._index}: {opened!r:.200}"
            )
        _check_shards(self._index, opened.get("_shards"))

    def _release(self, context: str) -> None:
        _release(self._server, self._path, {self._said: [context] if self._product.opensearch else context})


class Scroll(_Context):
    """A page is asked for once: a server that failed to deliver one goes on with the next.

    https://www.elastic.co/guide/en/elasticsearch/reference/7.10/paginate-search-results.html#scroll-search-results
    """

    def send(self) -> None:
        if self._context is None:
            path = f"{index_path(self._index)}/_search?scroll={_KEEP_ALIVE}&{_copies()}"
            self._answer = self._server.send("POST", path, self._search | {"sort": ["_doc"]}, self._decode)
        else:
            following = {"scroll": _KEEP_ALIVE, "scroll_id": self._context}
            self._answer = self._server.send("POST", "/_search/scroll", following, self._decode, again=False)

    def page(self) -> Page[Any]:
        page = super().page()
        self._context = page.scroll_id or self._context
        return page

    def _release(self, context: str) -> None:
        _release(self._server, "/_search/scroll", {"scroll_id": [context]})


def _release(server: Server, path: str, context: dict[str, Any]) -> None:
    """A context that cannot be closed expires by itself; it is no reason to lose what was read."""
    try:
        server.ask("DELETE", path, context, again=False)
    except SourceError as error:
        logger.warning("a search context stays open for %s: %s", _KEEP_ALIVE, error)


def _page_size(server: Server, index: str, search: dict[str, Any]) -> int:
    """As many documents as `size` says, or as many like the index's first ones as fit a page."""
    size: int = search["size"]
    if size <= _SAMPLE:
        return size
    sample = {"query": search["query"], "_source": search["_source"], "size": _SAMPLE, "sort": ["_doc"]}
    taken = server.ask("POST", f"{index_path(index)}/_search?{_copies()}", sample, decode=len)
    return min(size, max(1, _PAGE_BYTES * _SAMPLE // taken))


def _count(server: Server, index: str, search: dict[str, Any]) -> int:
    answer = server.ask("POST", f"{index_path(index)}/_count?{_copies()}", {"query": search["query"]})
    _check_shards(index, answer.get("_shards"))
    return answer["count"]


def _copies() -> str:
    """The same word asks the same copies of each shard, so that a lagging replica is no difference in counts."""
    return f"preference={run_id()}"


def _check_whole(index: str, page: Page[Any]) -> None:
    """Each shard must have taken part in the page; a scroll loses shards quietly (elastic/elasticsearch#65381)."""
    if page.timed_out:
        raise SourceError(f"{index}: the server ran out of its own time and sent a part of a page; run again")
    _check_shards(index, page.shards)
    if lost := sum(page.clusters.get(state, 0) for state in ("skipped", "partial", "failed")):
        raise SourceError(
            f"{index}: {lost} of {page.clusters.get('total')} remote clusters did not take part; see that they are up"
        )


def _check_shards(index: str, shards: dict[str, Any] | None) -> None:
    if not shards or not shards.get("failed"):
        return
    failures = shards.get("failures") or [{}]
    reason = failures[0].get("reason") or {}
    shard = f"shard {failures[0].get('shard', '?')} of {failures[0].get('index', index)}"
    raise SourceError(
        f"{index}: {shards['failed']} of {shards.get('total')} shards failed; {shard}: "
        f"{reason.get('type', 'no reason')} ({reason.get('reason', '')}); look at the cluster's health and run again"
    )


def _total(index: str, page: Page[Any]) -> int:
    total = page.hits.total
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

"""Elasticsearch or OpenSearch: whether it answers, which of the two it is, and its TLS."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from etl import config
from etl.doctor import machine, network
from etl.doctor.finding import OK, Finding


def check() -> Iterator[Finding]:
    if absent := machine.missing("elasticsearch"):
        yield absent
        return
    from etl.sources.elasticsearch_server import Server

    url = urlsplit(config.elasticsearch().url)
    safe = url.scheme == "https"
    server = Server(config.elasticsearch().url)
    try:
        if url.hostname and (
            gone := network.unreachable("elasticsearch", url.hostname, url.port or (443 if safe else 80))
        ):
            yield gone
            return
        product = server.product()
        pages = "points in time" if product.pages_a_point_in_time else "scrolls"
        yield Finding("elasticsearch", "connection", OK, f"{product} at {server} answers, and is read by {pages}")
        yield network.tls("elasticsearch", url.hostname or "", safe, safe, "[elasticsearch] url = https://…")
    finally:
        server.close()

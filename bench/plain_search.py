"""The export that opensearch-py's own helper makes short: every document by scroll, as rows of CSV.

Without `_source_includes`, which costs the server more than it spares the client: these fields are all there are.
"""

import csv
import sys
from pathlib import Path

from opensearchpy import OpenSearch
from opensearchpy.helpers import scan

FIELDS = ("user_id", "query", "results", "took_ms", "price", "searched_at")


def export(url: str, page: str, path: str) -> None:
    server = OpenSearch(url)
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for hit in scan(server, index="documents", size=int(page)):
            source = hit["_source"]
            writer.writerow((hit["_id"], *(source.get(field) for field in FIELDS)))


if __name__ == "__main__":
    export(*sys.argv[1:])

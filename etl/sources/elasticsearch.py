"""ElasticsearchExtractor: documents of one snapshot in, rows of text out; for Elasticsearch and OpenSearch."""

from collections.abc import Generator, Iterator
from typing import Any

from etl import config
from etl.errors import DataError, SourceError
from etl.extract import BaseExtractor
from etl.sources import elasticsearch_fields as documents
from etl.sources.elasticsearch_server import Server
from etl.sources.json_values import well_formed


class ElasticsearchExtractor(BaseExtractor):
    """Every document that the query finds in one snapshot of an index, each as one row of text; or a failure.

    A subclass says

    - `index`: a name, an alias or a pattern;
    - `columns`: the names of the output;
    - `fields`: the dotted path in the document of each column that is not called like its field; `_id` and
      `_index` are allowed;
    - `query`: a query of the search DSL, or a method that returns one and may use `self.date`;
    - `arrays`: for each column that may hold several values `first` (the others are counted as losses) or
      `join` (always a JSON array). Without one, several values are a DataError that names the document;
    - `page_size`: documents a request.

    Numbers keep their digits, a missing field and null are NULL, an object is its JSON text.
    """

    index: str
    fields: dict[str, str] = {}
    query: Any = {"match_all": {}}
    arrays: dict[str, str] = {}
    page_size = 5000

    _reading: Generator[Any, None, None] | None = None

    def run(self) -> None:
        try:
            super().run()
        finally:
            # The lake may have failed in the middle of a page; the server must not wait for the context to expire.
            if self._reading is not None:
                self._reading.close()

    def batches(self) -> Iterator[Any]:
        self._reading = self._batches()
        return self._reading

    def rows(self) -> Iterator[tuple[str | None, ...]]:
        self._check()
        paths = self._paths()
        wanted = [path for path in dict.fromkeys(paths) if path not in documents.METADATA]
        server = Server(config.elasticsearch().url)
        try:
            mappings = server.mapping(self.index)
            documents.check(self.index, mappings, paths)
            self._say_key(paths, len(mappings))
            finders = [(column, documents.finder(path)) for column, path in zip(self.columns, paths, strict=True)]
            for total, hits in server.documents(self.index, self._query(), wanted or False, self.page_size):
                self.findings.counted = total
                for hit in hits:
                    if wanted and "_source" not in hit:
                        raise SourceError(
                            f"{hit['_index']}/{hit['_id']}: the server leaves _source out; is it switched off in the "
                            f"mapping, or hidden from this user by field security?"
                        )
                    yield tuple(self._settled(column, find(hit), hit) for column, find in finders)
        finally:
            server.close()

    def _batches(self) -> Generator[Any, None, None]:
        yield from super().batches()

    def _check(self) -> None:
        name = self.get_task_family()
        if not self.columns:
            raise DataError(f"{name}: declares no columns; name them, a document has no order")
        if strange := sorted(set(self.fields) - set(self.columns)):
            raise DataError(f"{name}: fields names {strange[0]}, which is none of its columns")
        documents.check_policies(name, self.arrays, self.columns)

    def _paths(self) -> list[str]:
        return [self.fields.get(column, column) for column in self.columns]

    def _query(self) -> dict[str, Any]:
        return self.query() if callable(self.query) else self.query

    def _say_key(self, paths: list[str], indices: int) -> None:
        """`_id` is unique in one index, and with `_index` in several."""
        parts = ["_id"] if indices == 1 else ["_index", "_id"]
        if set(parts) <= set(paths):
            self.findings.key = [self.columns[paths.index(part)] for part in parts]

    def _settled(self, column: str, value: Any, hit: dict[str, Any]) -> str | None:
        if isinstance(value, str) and value.isascii() and column not in self.arrays:
            return value
        policy = self.arrays.get(column, documents.FAIL)
        try:
            settled = documents.settle(value, policy)
        except ValueError as error:
            raise DataError(
                f"{hit['_index']}/{hit['_id']}: field {self.fields.get(column, column)} holds {error}: {value!r:.80}; "
                f"say arrays = {{{column!r}: 'first'}} or 'join'"
            ) from None
        if policy == documents.FIRST and isinstance(value, list) and len(value) > 1:
            self.findings.loss(column, "array cut to its first value", 1, [hit["_id"]])
        if settled is None:
            return None
        kept = well_formed(settled)
        if kept is not settled:
            self.findings.loss(column, "half a surrogate pair replaced", 1, [hit["_id"]])
        return kept

"""ElasticsearchExtractor: documents of one snapshot in, rows of text out; for Elasticsearch and OpenSearch."""

from collections.abc import Generator, Iterator
from typing import Any

import pyarrow as pa

from etl import config
from etl.errors import DataError, SourceError
from etl.extract import BaseExtractor
from etl.sources import elasticsearch_fields as documents
from etl.sources import elasticsearch_snapshot as snapshot
from etl.sources.elasticsearch_pages import Fields, Hit
from etl.sources.elasticsearch_server import Server
from etl.sources.json_values import as_text, well_formed


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
    - `page_size`: documents a request, or fewer where they are long: a page of whole documents is in memory.

    Numbers keep their digits, a missing field and null are NULL, an object is its JSON text.
    """

    index: str
    fields: dict[str, str] = {}
    query: Any = {"match_all": {}}
    arrays: dict[str, str] = {}
    page_size = 5000
    keeps_the_past = True

    _reading: Generator[Any, None, None] | None = None

    def run(self) -> None:
        try:
            super().run()
        finally:
            # The lake may have failed in the middle of a page; the server must not wait for the context to expire.
            if self._reading is not None:
                self._reading.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        self._reading = self._pages()
        return self._reading

    def _pages(self) -> Generator[pa.RecordBatch, None, None]:
        self._check()
        paths = self._paths()
        fields = Fields(paths)
        columns = [(column, fields.column(path)) for column, path in zip(self.columns, paths, strict=True)]
        server = Server(config.elasticsearch().url)
        try:
            mappings = server.mapping(self.index)
            documents.check(self.index, mappings, paths)
            self._say_key(paths, len(mappings))
            # Whole documents: a server that leaves fields out sends the numbers of the others as doubles.
            whole = bool(fields.wanted)
            search = {"query": self._query(), "_source": whole, "size": self.page_size, "track_total_hits": True}
            for total, hits in snapshot.read(server, self.index, search, fields.decoder()):
                self.findings.counted = total
                if whole:
                    _check_source(hits)
                arrays = [self._text(column, values(hits), hits) for column, values in columns]
                yield pa.record_batch(arrays, names=list(self.columns))
        finally:
            server.close()

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

    def _text(self, column: str, values: list[Any], hits: list[Hit[Any]]) -> pa.Array:
        policy = self.arrays.get(column, documents.FAIL)
        kinds = set(map(type, values))
        if list in kinds and policy != documents.JOIN:
            self._several(column, values, hits, policy)
        if list in kinds or policy == documents.JOIN:
            values = documents.settled(values, policy)
            kinds = set(map(type, values))
        try:
            return documents.text_array(values, kinds)
        except UnicodeEncodeError:
            mended = [self._mended(column, as_text(value), hit) for value, hit in zip(values, hits, strict=True)]
            return pa.array(mended, pa.string())

    def _several(self, column: str, values: list[Any], hits: list[Hit[Any]], policy: str) -> None:
        """Each array of more than one value is a failure, or a loss when `first` of them is to be kept."""
        for value, hit in zip(values, hits, strict=True):
            if not isinstance(value, list) or len(value) < 2:
                continue
            if policy == documents.FAIL:
                raise DataError(
                    f"{hit.index}/{hit.id}: field {self.fields.get(column, column)} holds an array of {len(value)} "
                    f"values: {value!r:.80}; say arrays = {{{column!r}: 'first'}} or 'join'"
                )
            self.findings.loss(column, "array cut to its first value", 1, [hit.id])

    def _mended(self, column: str, text: str | None, hit: Hit[Any]) -> str | None:
        if text is None:
            return None
        kept = well_formed(text)
        if kept is not text:
            self.findings.loss(column, "half a surrogate pair replaced", 1, [hit.id])
        return kept


def _check_source(hits: list[Hit[Any]]) -> None:
    for hit in hits:
        if hit.source is None:
            raise SourceError(
                f"{hit.index}/{hit.id}: the server leaves _source out; is it switched off in the mapping, or hidden "
                f"from this user by field security?"
            )

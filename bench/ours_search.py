"""The search contest's work by this pipeline, in a module that imports its own source and no other."""

from etl.sources.elasticsearch import ElasticsearchExtractor


class ExtractDocuments(ElasticsearchExtractor):
    index = "documents"
    columns = ("id", "user_id", "query", "results", "took_ms", "price", "searched_at")
    fields = {"id": "_id"}

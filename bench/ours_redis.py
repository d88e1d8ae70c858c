"""The redis contest's work by this pipeline, in a module that imports its own source and no other."""

from etl.sources.redis import RedisExtractor


class ExtractKeys(RedisExtractor):
    pass

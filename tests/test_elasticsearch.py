"""ElasticsearchExtractor against real servers, and against recorded and faulty answers over real HTTP."""

import base64
import copy
import datetime
import decimal
import http.server
import json
import logging
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import luigi
import pyarrow as pa
import pytest
from luigi.task_register import Register

from etl.errors import DataError, LakeError, SourceError
from etl.sources.elasticsearch import ElasticsearchExtractor
from etl.sources.elasticsearch_fields import text_array

RECORDED = Path(__file__).parent / "data" / "elasticsearch"


MAPPED = {"title": {"type": "text"}, "price": {"type": "float"}}


class Articles(ElasticsearchExtractor):
    index = "articles"
    columns = ("id", "title", "price")
    fields = {"id": "_id"}
    page_size = 2


class ManyArticles(Articles):
    page_size = 100


class Wide(ElasticsearchExtractor):
    index = luigi.Parameter(default="wide")
    columns = luigi.TupleParameter(default=())
    fields = luigi.DictParameter(default={})
    arrays = luigi.DictParameter(default={})
    page_size = 2


@pytest.fixture(autouse=True)
def new_tasks() -> None:
    """Luigi returns the same object for the same task, with what an earlier test found."""
    Register.clear_instance_cache()


def read(task: ElasticsearchExtractor) -> list[tuple]:
    return sorted((tuple(row.values()) for batch in task.batches() for row in batch.to_pylist()), key=repr)


def test_every_document_of_many_pages_once(search, lake):
    search.index("articles", [{"title": f"t{i}", "price": i} for i in range(1003)])
    task = ManyArticles()
    task.run()
    manifest = task.output().manifest()
    assert manifest.rows == 1003 and manifest.findings["counted"] == 1003
    assert manifest.findings["key"] == ["id"]
    assert read(Articles()) == sorted(((str(i), f"t{i}", str(i)) for i in range(1003)), key=repr)


def test_an_index_without_documents(search, lake):
    search.request("PUT", "/articles", json.dumps({"mappings": {"properties": MAPPED}}))
    task = Articles()
    task.run()
    assert task.output().manifest().rows == 0 and task.findings.counted == 0


DOUBLES = {
    "9007199254740993": "9007199254740993", "0.1": "0.1", "-0.25": "-0.25", "true": "true", '"é😀"': "é😀",
    "null": None, '""': "", '{"a":0.5,"b":["é\\n"]}': '{"a":0.5,"b":["é\\n"]}',
}  # fmt: skip
NOT_DOUBLES = {
    "12345678901234567890123": "12345678901234567890123", "12345678901234567890.5": "12345678901234567890.5",
    "1.10": "1.10", "1e3": "1000", "1e400": "1" + "0" * 400, '{"a":[1.50,1e400]}': '{"a":[1.50,1E+400]}',
}  # fmt: skip


def test_values_keep_their_digits(search):
    told = {"mappings": {"properties": {"n": {"type": "object", "enabled": False}}}}
    search.request("PUT", "/wide", json.dumps(told))
    # The stand-in for Elasticsearch makes doubles of them itself.
    kept = DOUBLES if search.dialect == "elasticsearch" else DOUBLES | NOT_DOUBLES
    for number, literal in enumerate(kept):
        search.request("PUT", f"/wide/_doc/{number:02}?refresh=true", f'{{"n":{{"v":{literal}}}}}')
    search.request("PUT", "/wide/_doc/99?refresh=true", "{}")
    rows = read(Wide(columns=("i", "v"), fields={"i": "_id", "v": "n.v"}))
    assert [value for _, value in rows] == [*kept.values(), None]


COLUMNS = [
    ([], []),
    ([""], [""]),
    ([None, None], [None, None]),
    (["", "a", None, "é😀", "", None, "b\0c", "last\0"], ["", "a", None, "é😀", "", None, "b\0c", "last\0"]),
    ([7, -1, 2**63 - 1], ["7", "-1", "9223372036854775807"]),
    ([7, None, 2**63, True], ["7", None, "9223372036854775808", "true"]),
    ([decimal.Decimal("1.10"), "x", None, {"a": [1]}], ["1.10", "x", None, '{"a":[1]}']),
]


@pytest.mark.parametrize(("values", "texts"), COLUMNS)
def test_a_column_of_texts(values, texts):
    column = text_array(values, set(map(type, values)))
    column.validate(full=True)
    assert column.type == pa.string() and column.to_pylist() == texts and column.null_count == texts.count(None)


def test_columns_of_texts_do_without_pandas():
    """Its import is a good part of the time that a small extract takes."""
    code = (
        "import sys\n"
        "from etl.sources.elasticsearch_fields import text_array\n"
        "for values in ([], ['a', 'é'], ['a', None], [1, 2], [1, None, 2.5]):\n"
        "    text_array(values, set(map(type, values)))\n"
        "sys.exit('pandas' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_pages_of_long_documents_are_short(search):
    """A page of 5,000 would be 500 MB; the first documents tell, also where the long field is not wanted."""
    search.index("articles", [{"title": "t" * 100_000, "price": i} for i in range(250)])

    class Prices(Articles):
        columns = ("id", "price")
        page_size = 5000

    sizes = [batch.num_rows for batch in Prices().batches()]
    assert sum(sizes) == 250 and sizes[-1] == 0
    assert len(set(sizes[:-2])) == 1 and 75 < sizes[0] < 85


def test_dotted_names_written_in_three_ways(search):
    search.index("wide", [{"a": {"b": {"c": 1}}}, {"a.b.c": 2}, {"a": {"b.c": 3}}, {"a": [{"b": {"c": 4}}]}, {"a": {}}])
    assert read(Wide(columns=("i", "v"), fields={"i": "_id", "v": "a.b.c"})) == [
        ("0", "1"), ("1", "2"), ("2", "3"), ("3", "4"), ("4", None),
    ]  # fmt: skip


def test_array_policies(search):
    search.index("wide", [{"t": "a"}, {"t": ["b", "c"]}, {"t": []}, {"t": None}, {"t": ["d"]}, {}])
    told = {"columns": ("i", "t"), "fields": {"i": "_id"}}
    first = Wide(**told, arrays={"t": "first"})
    assert [value for _, value in read(first)] == ["a", "b", None, None, "d", None]
    (loss,) = first.findings.losses.values()
    assert (loss.column, loss.count, loss.samples) == ("t", 1, ["1"])
    assert [value for _, value in read(Wide(**told, arrays={"t": "join"}))] == [
        '["a"]', '["b","c"]', "[]", None, '["d"]', None,
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"wide/1: field t holds an array of 2 values.*'first'} or 'join'"):
        read(Wide(**told))


def test_the_query_may_use_the_date(search):
    class Day(Articles):
        def query(self) -> dict[str, Any]:
            return {"term": {"day": self.date}}

    mapping = {"properties": {"day": {"type": "date"}, "title": {"type": "keyword"}, "price": {"type": "float"}}}
    search.request("PUT", "/articles", json.dumps({"mappings": mapping}))
    search.index("articles", [{"day": "2014-02-03", "title": "in"}, {"day": "2014-02-04", "title": "out"}])
    assert read(Day(date=datetime.date(2014, 2, 3))) == [("0", "in", None)]


@pytest.mark.parametrize("name", ["wide-*", "wide-1,wide-2", "both"])
def test_two_indices_with_the_same_ids(search, caplog, name):
    """OpenSearch's `_shard_doc` is the same in both, so paging by it alone loses rows. The stand-in for
    Elasticsearch leaves one index of an alias out of a point in time, which must not pass for success."""
    for index, kind in (("wide-1", "long"), ("wide-2", "keyword")):
        told = {"mappings": {"properties": {"n": {"type": kind}}}, "aliases": {"both": {}}}
        search.request("PUT", f"/{index}", json.dumps(told))
        search.index(index, [{"n": i} for i in range(5)])
    task = Wide(index=name, columns=("index", "id", "n"), fields={"index": "_index", "id": "_id"})
    if search.dialect == "elasticsearch" and name == "both":
        with pytest.raises(SourceError, match=r"snapshot holds 5 documents, _count says 10 before it and 10 after"):
            read(task)
        return
    with caplog.at_level(logging.WARNING, "etl"):
        rows = read(task)
    assert rows == sorted(((f"wide-{w}", str(i), str(i)) for w in (1, 2) for i in range(5)), key=repr)
    assert task.findings.key == ["index", "id"]
    assert "field n is keyword in wide-2; long in wide-1" in caplog.text


def test_fields_that_no_document_can_have(search):
    mapping = {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "name": {"type": "alias", "path": "title"},
        "free": {"type": "object", "dynamic": False},
    }
    search.request("PUT", "/wide", json.dumps({"mappings": {"properties": mapping}}))
    with pytest.raises(SourceError, match=r"wide: no field titel in the mapping of wide; correct `fields`"):
        read(Wide(columns=("titel",)))
    with pytest.raises(SourceError, match=r"title.raw in .* \(it is another way to index title"):
        read(Wide(columns=("t",), fields={"t": "title.raw"}))
    with pytest.raises(SourceError, match=r"name in .* \(it is an alias of title"):
        read(Wide(columns=("name",)))
    assert read(Wide(columns=("t", "x"), fields={"t": "title", "x": "free.form"})) == []


@pytest.mark.parametrize("index", ["nowhere", "nowhere-*"])
def test_an_index_that_does_not_exist(search, index):
    with pytest.raises(SourceError, match=r"nowhere.*create it"):
        read(Wide(index=index, columns=("a",)))


def test_no_context_stays_open_when_the_lake_fails_half_way(search, lake):
    if search.dialect == "elasticsearch":
        pytest.skip("the stand-in does not list its contexts")

    class LakeGoes(Articles):
        page_size = 5000

        def query(self) -> dict[str, Any]:
            lake.client.delete_bucket(Bucket=lake.name)
            return {"match_all": {}}

    stored_only = {"type": "keyword", "index": False, "doc_values": False}
    mapping = {"properties": {"title": stored_only, "price": {"type": "long"}}}
    search.request("PUT", "/articles", json.dumps({"mappings": mapping}))
    # The first batch of 10,000 rows is more than one piece of an upload, and a second batch is still unread.
    search.index("articles", [{"title": secrets.token_hex(1000), "price": i} for i in range(10_500)])
    with pytest.raises(LakeError) as failed:
        LakeGoes().run()
    assert failed.value.__traceback__ and search.request("GET", "/_search/point_in_time/_all")["pits"] == []


def test_nobody_listens(settings):
    settings.set("elasticsearch", "url", f"http://etl:secret@127.0.0.1:{free_port()}")
    with pytest.raises(SourceError, match=r"is it running, and is \[elasticsearch\] url right") as failed:
        read(Articles())
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "declares no columns"),
        ({"columns": ("a",), "fields": {"b": "c"}}, "fields names b"),
        ({"columns": ("a",), "arrays": {"b": "first"}}, "arrays names b"),
        ({"columns": ("a",), "arrays": {"a": "last"}}, "say one of fail, first, join"),
    ],
)
def test_a_declaration_that_contradicts_itself(declared, message):
    with pytest.raises(DataError, match=message):
        read(Wide(**declared))


# ---- recorded answers


class Playback(http.server.ThreadingHTTPServer):
    """Answers as recorded, in the recorded order; anything else that is asked is a 500 and stands in `strange`."""

    def __init__(self, exchanges: list[dict[str, Any]]):
        super().__init__(("127.0.0.1", 0), _PlaybackHandler)
        self.exchanges, self.asked, self.strange = list(exchanges), [], []  # type: list, list, list
        self.headers_seen: list[Any] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _PlaybackHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Playback

    def do_GET(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        asked = f"{self.command} {self.path.partition('?')[0]}"
        self.server.asked.append(asked)
        self.server.headers_seen.append(self.headers)
        exchange = self.server.exchanges.pop(0) if self.server.exchanges else {"ask": "nothing more"}
        wrong = [key for key, value in exchange.get("body", {}).items() if body.get(key) != value]
        if asked != exchange["ask"] or wrong:
            self.server.strange.append((asked, body, exchange))
            exchange = {"status": 500, "answer": {"error": f"{asked}, recorded is {exchange['ask']} {wrong}"}}
        data = json.dumps(exchange["answer"]).encode()
        self.send_response(exchange.get("status", 200))
        for name, value in ({"Content-Length": len(data)} | exchange.get("headers", {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_DELETE = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def playback(settings) -> Iterator[Callable[[list[dict[str, Any]]], Playback]]:
    servers = []

    def start(exchanges: list[dict[str, Any]]) -> Playback:
        servers.append(Playback(exchanges))
        settings.set("elasticsearch", "url", servers[-1].url)
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def recorded(version: str) -> list[dict[str, Any]]:
    return copy.deepcopy(json.loads((RECORDED / f"elasticsearch-{version}.json").read_text())["exchanges"])


def place(exchanges: list[dict[str, Any]], ask: str, nth: int = 0) -> int:
    return [i for i, exchange in enumerate(exchanges) if exchange["ask"] == ask][nth]


@pytest.mark.parametrize("version", ["7.10", "9"])
def test_recorded_exchange_is_what_is_asked(playback, version):
    server = playback(recorded(version))
    assert read(Articles()) == [("1", "Parade", "12.5"), ("2", "Neon", None), ("3", "Harbour", None)]
    assert server.strange == [] and server.exchanges == []


@pytest.mark.parametrize(
    ("distribution", "number", "opens"),
    [
        (None, "7.11.2", "/articles/_search"),
        (None, "7.12.0", "/articles/_pit"),
        ("opensearch", "2.19.1", "/articles/_search"),
        ("opensearch", "3.3.0", "/articles/_search/point_in_time"),
    ],
)
def test_a_point_in_time_only_where_its_rows_can_be_told_apart(playback, distribution, number, opens):
    exchanges = recorded("9")[:3]
    exchanges[1]["answer"]["version"] |= {"number": number, "distribution": distribution}
    server = playback(exchanges)
    with pytest.raises(SourceError):
        read(Articles())
    assert server.asked[3] == f"POST {opens}"


@pytest.mark.parametrize(("version", "page"), [("7.10", "POST /_search/scroll"), ("9", "POST /_search")])
def test_the_next_page_is_under_way_while_one_is_used_and_the_context_is_closed_after_it(playback, version, page):
    exchanges = recorded(version)
    second = place(exchanges, page, 1 if version == "9" else 0)
    server = playback([*exchanges[: second + 1], exchanges[-1]])
    batches = Articles().batches()
    assert next(batches).num_rows == 2
    batches.close()
    assert server.asked[-2] == page and server.asked[-1].startswith("DELETE") and server.strange == []


def _failed_shard(answer: dict[str, Any]) -> None:
    reason = {"type": "node_not_connected_exception", "reason": "[node-2] not connected"}
    answer["_shards"] = {
        "total": 2, "successful": 1, "skipped": 0, "failed": 1,
        "failures": [{"shard": 1, "index": "articles", "node": "n2", "reason": reason}],
    }  # fmt: skip


def _timed_out(answer: dict[str, Any]) -> None:
    answer["timed_out"] = True


def _total_dropped(answer: dict[str, Any]) -> None:
    answer["hits"]["total"]["value"] = 2


def _total_inexact(answer: dict[str, Any]) -> None:
    answer["hits"]["total"]["relation"] = "gte"


def _cluster_skipped(answer: dict[str, Any]) -> None:
    answer["_clusters"] = {"total": 2, "successful": 1, "skipped": 1}


def _hits_lost(answer: dict[str, Any]) -> None:
    answer["hits"]["hits"] = []


FAULTS = [
    (_failed_shard, r"1 of 2 shards failed; shard 1 of articles: node_not_connected_exception \(\[node-2\]"),
    (_timed_out, "ran out of its own time"),
    (_total_dropped, "snapshot held 3 documents, after 3 were read it says 2"),
    (_total_inexact, "no exact number of hits"),
    (_cluster_skipped, "1 of 2 remote clusters did not take part"),
    (_hits_lost, "2 documents were read of 3"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS, ids=lambda value: getattr(value, "__name__", ""))
@pytest.mark.parametrize(("version", "page"), [("7.10", "POST /_search/scroll"), ("9", "POST /_search")])
def test_a_faulty_second_page_is_a_failure_and_closes_the_context(playback, version, page, fault, message):
    exchanges = recorded(version)
    wrong = place(exchanges, page, 1 if version == "9" else 0)
    fault(exchanges[wrong]["answer"])
    server = playback([*exchanges[: wrong + 1], exchanges[-1]])
    with pytest.raises(SourceError, match=message):
        read(Articles())
    assert server.asked[-1] == exchanges[-1]["ask"] and server.strange == []


@pytest.mark.parametrize("ask", ["POST /articles/_pit", "POST /articles/_count"])
def test_a_shard_that_failed_before_the_first_page(playback, ask):
    exchanges = recorded("9")
    _failed_shard(exchanges[place(exchanges, ask)]["answer"])
    playback(exchanges)
    with pytest.raises(SourceError, match="1 of 2 shards failed"):
        read(Articles())


def test_a_page_that_ends_where_the_last_one_ended(playback):
    exchanges = recorded("9")
    second = exchanges[place(exchanges, "POST /_search", 1)]["answer"]["hits"]["hits"]
    second[0]["sort"] = [1]
    server = playback(exchanges)
    with pytest.raises(SourceError, match=r"a page ends at \[1\], where the page before it ended"):
        read(Articles())
    assert server.asked[-1] == "DELETE /_pit"


def test_a_page_that_comes_twice(playback):
    exchanges = recorded("7.10")
    first = exchanges[place(exchanges, "POST /articles/_search")]["answer"]
    exchanges[place(exchanges, "POST /_search/scroll")]["answer"] = first
    playback(exchanges)
    with pytest.raises(SourceError, match="held 3 documents, after 4 were read it says 3"):
        read(Articles())


def test_documents_that_come_in_while_the_snapshot_is_taken(playback):
    exchanges = recorded("9")
    exchanges[place(exchanges, "POST /articles/_count")]["answer"]["count"] = 2
    exchanges[place(exchanges, "POST /articles/_count", 1)]["answer"]["count"] = 7
    playback(exchanges)
    assert len(read(Articles())) == 3


@pytest.mark.parametrize("ask", ["GET /", "POST /articles/_pit", "POST /_search"])
def test_a_busy_server_is_asked_again(playback, ask):
    exchanges = recorded("9")
    busy = {"ask": ask, "status": 429, "headers": {"Retry-After": "0"}, "answer": {"error": "busy"}}
    at = place(exchanges, ask)
    server = playback([*exchanges[:at], busy, busy, *exchanges[at:]])
    assert len(read(Articles())) == 3 and server.exchanges == []


def test_a_server_that_stays_busy_is_given_up(playback):
    exchanges = recorded("9")
    busy = {"status": 429, "headers": {"Retry-After": "3600"}, "answer": {"error": "busy"}}
    exchanges[1] |= busy
    playback(exchanges)
    with pytest.raises(SourceError, match=r"answered 429: too busy for 60 seconds; run again"):
        read(Articles())


def test_a_scroll_page_is_never_asked_for_twice(playback):
    """The server goes on with the next page, so the one that failed would be lost."""
    exchanges = recorded("7.10")
    at = place(exchanges, "POST /_search/scroll")
    exchanges[at] |= {"status": 429, "headers": {"Retry-After": "0"}}
    server = playback([*exchanges[: at + 1], exchanges[-1]])
    with pytest.raises(SourceError, match="answered 429"):
        read(Articles())
    assert server.asked.count("POST /_search/scroll") == 1 and server.asked[-1] == "DELETE /_search/scroll"


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "the user or the password"), (403, "grant read and view_index_metadata"), (500, "look at the server")],
)
def test_refusals_say_what_to_do(playback, settings, status, advice):
    error = {"type": "security_exception", "reason": "unable to authenticate user [etl]"}
    server = playback([{"ask": "GET /articles/_mapping", "status": status, "answer": {"error": error}}])
    settings.set("elasticsearch", "url", server.url.replace("http://", "http://etl:s3cr%%40tü@"))
    with pytest.raises(SourceError, match=rf"answered {status}: .*{advice}.*security_exception") as failed:
        read(Articles())
    login = base64.b64encode("etl:s3cr@tü".encode()).decode()
    assert server.headers_seen[0]["Authorization"] == f"Basic {login}" and "s3cr" not in str(failed.value)


def test_a_closed_context_that_cannot_be_closed_loses_nothing(playback, caplog):
    exchanges = recorded("9")
    exchanges[-1] |= {"status": 404, "answer": {"error": "gone"}}
    playback(exchanges)
    assert len(read(Articles())) == 3
    assert "a search context stays open for 5m" in caplog.text


def test_half_a_surrogate_pair_is_replaced_and_counted(playback):
    exchanges = recorded("9")
    exchanges[place(exchanges, "POST /_search")]["answer"]["hits"]["hits"][0]["_source"]["title"] = "x\ud83dy"
    playback(exchanges)
    task = Articles()
    assert read(task)[0] == ("1", "x\ufffdy", "12.5")
    (loss,) = task.findings.losses.values()
    assert (loss.column, loss.count, loss.samples) == ("title", 1, ["1"])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"_source": {"enabled": False}}, "switches _source off"),
        ({"_source": {"excludes": ["pri*"]}}, "keeps field price out of _source"),
        ({"_source": {"includes": ["title"]}}, "keeps field price out of _source"),
    ],
)
def test_a_mapping_that_keeps_no_source(playback, mapping, message):
    exchanges = recorded("9")
    exchanges[0]["answer"]["articles"]["mappings"] |= mapping
    playback(exchanges)
    with pytest.raises(SourceError, match=message):
        read(Articles())


def test_documents_that_come_without_their_source(playback):
    exchanges = recorded("9")
    del exchanges[place(exchanges, "POST /_search")]["answer"]["hits"]["hits"][1]["_source"]
    playback(exchanges)
    with pytest.raises(SourceError, match="articles/2: the server leaves _source out"):
        read(Articles())


def test_a_server_of_another_kind(playback):
    exchanges = recorded("9")
    exchanges[1]["answer"] = {"hello": "world"}
    playback(exchanges)
    with pytest.raises(SourceError, match="names no version"):
        read(Articles())


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]

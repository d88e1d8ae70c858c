"""S3Extractor: partners' files of every kind against a real S3 server, into real lake parts and back."""

import csv
import datetime
import gzip
import io
import json
import logging
from decimal import Decimal
from typing import Any

import luigi
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from luigi.execution_summary import LuigiStatusCode
from luigi.task_register import Register

from etl.errors import DataError, LakeError, SourceError
from etl.findings import Findings
from etl.lake import Bucket as LakeBucket
from etl.lake import config as lake_config
from etl.load import BaseLoader
from etl.sources import s3_formats
from etl.sources.s3 import S3Extractor, S3Files
from etl.sources.s3_formats import ROW_LIMIT

DAY = datetime.date(2014, 2, 3)
ROW_BYTES = b"partner,clicks\nada,1\n"


class Feed(S3Extractor):
    prefix = "partners/{date:%Y/%m/%d}/"
    columns = ("partner", "clicks")


class Inbox(S3Extractor):
    prefix = "inbox/"
    columns = ("partner", "clicks")

    def known_files(self) -> set[tuple[str, str, int]]:
        return getattr(Inbox, "ledger", set())


@pytest.fixture(autouse=True)
def new_tasks() -> None:
    """Luigi returns the same object for the same task, with what an earlier test found."""
    Register.clear_instance_cache()


@pytest.fixture
def source(bucket, settings):
    bucket.configure(settings, "s3_source")
    return bucket


@pytest.fixture
def feed(source):
    """Reads one file of that name as the day's feed."""

    def read(name: str, body: bytes, columns: tuple[str, ...] = ("a", "b")) -> list[tuple]:
        Register.clear_instance_cache()
        for key in source.keys("partners/"):
            source.client.delete_object(Bucket=source.name, Key=key)
        source.put(f"partners/2014/02/03/{name}", body)
        return rows(type("Feed", (Feed,), {"columns": columns})(date=DAY))

    return read


def rows(task: S3Extractor) -> list[tuple]:
    read = []
    for batch in task.batches():
        assert set(batch.schema.types) <= {pa.string()}
        read += [tuple(row.values()) for row in batch.to_pylist()]
    return read


def zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def parquet(**columns: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


PACKED = {"": bytes, ".gz": gzip.compress, ".zst": zstd}

# ---- formats


@pytest.mark.parametrize("ending", PACKED)
def test_csv(feed, ending):
    assert feed("x.csv" + ending, PACKED[ending](b'b,a\n1,\n"",x\n')) == [(None, "1"), ("x", "")]


@pytest.mark.parametrize("kind", [".jsonl", ".ndjson"])
@pytest.mark.parametrize("ending", PACKED)
def test_json_lines(feed, kind, ending):
    lines = b'{"b": 1.10, "a": "x"}\r\n\n{"a": null}\n{"a": {"k": [1, 2.50]}, "b": true}'
    assert feed("x" + kind + ending, PACKED[ending](lines)) == [
        ("x", "1.10"), (None, None), ('{"k":[1,2.50]}', "true"),
    ]  # fmt: skip


# The cases of the csv-spectrum corpus, retold with two columns.
SPECTRUM = {
    "comma in quotes": (b'a,b\n1,"x, y"\n', [("1", "x, y")]),
    "escaped quotes": (b'a,b\n1,"ha ""ha"" ha"\n', [("1", 'ha "ha" ha')]),
    "json": (b'a,b\n1,"{""t"": ""P"", ""c"": [1.5]}"\n', [("1", '{"t": "P", "c": [1.5]}')]),
    "newlines": (b'a,b\n1,2\n"once\nupon\na time",5\n', [("1", "2"), ("once\nupon\na time", "5")]),
    "newlines crlf": (b'a,b\r\n"once\r\nupon",5\r\n', [("once\r\nupon", "5")]),
    "quotes and newlines": (b'a,b\n1,"ha\n""ha""\nha"\n', [("1", 'ha\n"ha"\nha')]),
    "crlf": (b"a,b\r\n1,2\r\n", [("1", "2")]),
    "no last newline": (b"a,b\n1,2", [("1", "2")]),
    "no last newline in quotes": (b'a,b\n1,"2"', [("1", "2")]),
    "utf8": ("a,b\nʤ,😀\n".encode(), [("ʤ", "😀")]),
    "empty": (b'a,b\n1,""\n"",\n', [("1", ""), ("", None)]),
    "byte order mark": (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
    "byte order mark and quotes": (b'\xef\xbb\xbf"a","b"\n1,2\n', [("1", "2")]),
    "header in quotes": (b'"b","a"\n1,2\n', [("2", "1")]),
    "header only": (b"a,b\n", []),
    "header only, no newline": (b"a,b", []),
    "nothing": (b"", []),
    "blank lines": (b"a,b\n\n1,2\n\r\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
    "spaces": (b"a,b\n 1 , \n", [(" 1 ", " ")]),
    "quote inside": (b'a,b\n5" pipe,x"y"z\n', [('5" pipe', 'x"y"z')]),
    "looks typed": (b"a,b\n007,NULL\nNA,1e5\n", [("007", "NULL"), ("NA", "1e5")]),
}


@pytest.mark.parametrize("case", SPECTRUM)
def test_csv_spectrum(feed, case):
    body, expected = SPECTRUM[case]
    assert feed("x.csv", body) == expected
    assert feed("x.csv.gz", gzip.compress(body)) == expected


def test_one_column(feed):
    assert feed("x.csv", b'a\n1\n\n""\n2', ("a",)) == [("1",), ("",), ("2",)]


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a\n1\n", r"x.csv\S*: has no column 'b'; expected a, b"),
        (b"a,b,c\n1,2,3\n", r"has unknown column 'c'; expected a, b"),
        (b"a,b,a\n1,2,3\n", r"has column 'a' twice"),
        (b"A,b\n1,2\n", r"has no column 'a'; unknown column 'A'"),
        (b"\na,b\n1,2\n", r"line 1 is empty and should name the columns a, b"),
        (b'a,b\n1,"x\ny"\n3\n', r"line 4 has 1 fields, the header has 2: 3"),
        (b"a,b\n1,2\n\n3,4,5\n6,7\n", r"line 4 has 3 fields, the header has 2: 3,4,5"),
        (b"a,b\n1,2\n\xff,4\n", r"line 3 is not UTF-8 \(invalid start byte at byte 0"),
        (b'a,b\n1,2\n3,"4\n5,6\n7,8\n', r"line 3 opens a quote that is never closed"),
        (b'a,b\n5" x,"4\n', r"line 2 opens a quote that is never closed"),
        (b'a,b\n1,"', r"line 2 opens a quote that is never closed"),
        ("a,b\n1,2\n".encode("utf-16"), r"line 1 is not a CSV header in UTF-8"),
    ],
)
def test_csv_that_is_wrong(feed, body, message, ending):
    with pytest.raises(DataError, match=message):
        feed("x.csv" + ending, PACKED[ending](body))


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"a": 1}\n{"a": \n', r"x.jsonl\S*: line 2 is not JSON .*{\"a\": "),
        (b'{"a": 1}\n\n[1]\n', r"line 3 is not an object: b'\[1\]'"),
        (b'{"a": NaN}', r"line 1 is not JSON \(NaN is not JSON\)"),
        (b'{"a": 1e99999999999999999999}', r"line 1 is not JSON"),
        (b'{"a": "\xff"}', r"line 1 is not JSON"),
        (b"[" * 100_000, r"line 1 is not JSON"),
    ],
)
def test_json_lines_that_are_wrong(feed, body, message, ending):
    with pytest.raises(DataError, match=message):
        feed("x.jsonl" + ending, PACKED[ending](body))


@pytest.mark.parametrize(("name", "pack"), [("x.csv.gz", gzip.compress), ("x.csv.zst", zstd)])
def test_damaged_compression(feed, name, pack):
    body = pack(b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i) for i in range(50_000)))
    for damaged in (body[: len(body) // 2], body[:-3], body + b"garbage", b"a,b\n1,2\n"):
        with pytest.raises(DataError, match=r"x.csv\S+: cannot be read .* ask for it again"):
            feed(name, damaged)


def test_a_gzip_of_two_members(feed):
    assert feed("x.csv.gz", gzip.compress(b"a,b\n1,2\n") + gzip.compress(b"3,4\n")) == [("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("x.csv.gz", b"a,b\n1,2\n3," + b"x" * (ROW_LIMIT + 1) + b"\n5,6\n"),
        ("x.csv.gz", b'a,b\n1,"' + b"x\n" * (10 * ROW_LIMIT)),
        ("x.csv.gz", b"a" * (100 * ROW_LIMIT)),
        ("x.jsonl.gz", b'{"a": 1}\n{"a": "' + b"x" * (100 * ROW_LIMIT)),
    ],
    ids=["row", "open quote", "header", "json"],
)
def test_a_bomb(feed, name, body):
    with pytest.raises(DataError, match=rf"(row|line) \d.*{ROW_LIMIT}|line 2 opens a quote"):
        feed(name, gzip.compress(body, 1))


class Long(io.RawIOBase):
    """Fifty times what a row may have, in rows of a KiB; `given` counts the bytes of them that were read."""

    row = b"x" * 1021 + b",1\n"
    given = 0

    def read(self, size: int = -1) -> bytes:
        if not self.given:
            self.given = len(self.row)
            return b"a,b\n" + self.row
        size = min(size // len(self.row) * len(self.row), 50 * ROW_LIMIT - self.given)
        self.given += size
        return self.row * (size // len(self.row))


@pytest.mark.parametrize("threads", [1, 4])
def test_a_csv_file_is_not_read_far_ahead(threads):
    before = pa.cpu_count()
    pa.set_cpu_count(threads)
    try:
        body, rows, ahead = Long(), 0, 0
        for batch in s3_formats.Source("s3://in/x.csv", lambda: body, ("a", "b"), Findings()).batches():
            rows += batch.num_rows
            ahead = max(ahead, body.given - rows * len(Long.row))
    finally:
        pa.set_cpu_count(before)
    assert rows * len(Long.row) == 50 * ROW_LIMIT
    # Arrow holds what each of its threads has parsed.
    assert ahead <= (12 + threads) * ROW_LIMIT


def test_a_csv_file_that_nobody_reads_to_its_end_is_let_go():
    body = Long()
    batches = s3_formats.Source("s3://in/x.csv", lambda: body, ("a", "b"), Findings()).batches()
    next(batches)
    batches.close()
    assert body.closed


def test_parquet_is_exact(feed):
    body = parquet(
        decimal=pa.array([Decimal("0.0000000001"), Decimal("-12345678.9000000000"), None], pa.decimal128(30, 10)),
        stamp=pa.array([datetime.datetime(2014, 2, 3, 4, 5, 6, 7), datetime.datetime(9999, 12, 31), None]),
        zoned=pa.array([0, 1_500_000, None], pa.timestamp("us", tz="Europe/Berlin")),
        day=pa.array([DAY, None, None]),
        time=pa.array([datetime.time(1, 2, 3, 4), None, None]),
        flag=pa.array([True, False, None]),
        number=pa.array([2**63 - 1, -1, None]),
        real=pa.array([0.1, 1e300, None]),
        name=pa.array(["é\n", "", None]).dictionary_encode(),
        blob=pa.array([b"old spark", b"", None]),
    )
    columns = ("decimal", "stamp", "zoned", "day", "time", "flag", "number", "real", "name", "blob")
    assert feed("x.parquet", body, columns) == [
        ("0.0000000001", "2014-02-03 04:05:06.000007", "1970-01-01 00:00:00.000000+00", "2014-02-03",
         "01:02:03.000004", "true", "9223372036854775807", "0.1", "é\n", "old spark"),
        ("-12345678.9000000000", "9999-12-31 00:00:00.000000", "1970-01-01 00:00:01.500000+00", None,
         None, "false", "-1", "1e+300", "", ""),
        (None,) * 10,
    ]  # fmt: skip


def test_parquet_columns_by_name(feed):
    assert feed("x.parquet", parquet(b=[1], a=["x"])) == [("x", "1")]
    assert feed("x.parquet", parquet(b=pa.array([], pa.int8()), a=pa.array([], pa.string()))) == []


def test_int96_beyond_the_range_of_nanoseconds(feed):
    body = io.BytesIO()
    table = pa.table({"a": pa.array([datetime.datetime(9999, 12, 31, 23, 59, 59)], pa.timestamp("us")), "b": [1]})
    pq.write_table(table, body, use_deprecated_int96_timestamps=True)
    assert feed("x.parquet", body.getvalue()) == [("9999-12-31 23:59:59.000000", "1")]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (parquet(a=[1]), "no column 'b'"),
        (parquet(a=[1], b=[1], c=[1]), "unknown column 'c'"),
        (parquet(a=[[1]], b=[1]), "column a, list.* has no exact text form"),
        (parquet(a=[b"\xff"], b=[1]), "column a, binary, has no exact text form"),
        (parquet(a=pa.array([1], pa.timestamp("ns")), b=[1]), r"column a, timestamp\[ns\], has no exact text form"),
        (parquet(a=pa.array([1], pa.duration("s")), b=[1]), "a duration is no SQL type"),
        (b"PAR1 is not enough", "x.parquet: cannot be read"),
        (parquet(a=[1], b=[1])[:-20], "x.parquet: cannot be read"),
        (b"", "x.parquet: cannot be read"),
    ],
)
def test_parquet_that_is_wrong(feed, body, message):
    with pytest.raises(DataError, match=message):
        feed("x.parquet", body)


CELL = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def written(table: list[tuple[str | None, str | None]]) -> bytes:
    """CSV in which, as in ours, only NULL is an unquoted empty field."""
    lines = ["a,b"]
    for row in table:
        lines.append(",".join("" if cell is None else '"' + cell.replace('"', '""') + '"' for cell in row))
    return "".join(line + "\r\n" for line in lines).encode()


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(CELL, CELL)))
def test_any_text_comes_through_from_source_to_part(source, lake, table):
    Register.clear_instance_cache()
    lake.client.delete_object(Bucket=lake.name, Key="Plain/all/manifest.json")
    source.put("plain/x.csv", written(table))

    class Plain(S3Extractor):
        prefix = "plain/"
        columns = ("a", "b")

        def known_files(self) -> set[tuple[str, str, int]]:
            return set()

    Plain().run()
    target = Plain().output()
    manifest = target.manifest()
    read = []
    for part in manifest.parts:
        with target.open_part(part, manifest) as reader:
            text = reader.read()
        read += list(csv.reader(io.StringIO(text.decode(), newline="")))
        # Python's csv cannot tell NULL from text, so NULLs are counted where they are: outside quotes.
        parsed = pyarrow.csv.read_csv(
            io.BytesIO(text),
            read_options=pyarrow.csv.ReadOptions(column_names=["a", "b"]),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={"a": pa.string(), "b": pa.string()},
                null_values=[manifest.null], strings_can_be_null=True, quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
        assert [tuple(row.values()) for row in parsed.to_pylist()] == table
    assert len(read) == len(table) == manifest.rows


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=st.lists(st.tuples(CELL, CELL)))
def test_any_text_comes_through_in_json_lines(feed, table):
    body = "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in table).encode()
    assert feed("x.jsonl.zst", zstd(body)) == table


# ---- which files


def test_all_files_of_the_day_in_the_order_of_their_keys(source):
    folder = "partners/2014/02/03/"
    source.put(folder + "b.csv", b"clicks,partner\n2,bob\n")
    source.put(folder + "a.csv.gz", gzip.compress(b"partner,clicks\nada,1\n"))
    source.put(folder + "sub/c.jsonl.zst", zstd(b'{"partner": "cyd"}\n'))
    source.put(folder + "d.parquet", parquet(partner=["dee"], clicks=[4]))
    source.put(folder + "e.csv", b"")
    for nothing in ("_SUCCESS", "_metadata.json", ".hidden.csv", "folder/", "done"):
        source.put(folder + nothing, b"" if nothing != "_metadata.json" else b"{}")
    source.put("partners/2014/02/04/other.csv", b"nonsense")
    task = Feed(date=DAY)
    assert rows(task) == [("ada", "1"), ("bob", "2"), ("dee", "4"), ("cyd", None)]
    assert [(file["key"].rpartition("/")[2], file["rows"]) for file in task.findings.files] == [
        ("a.csv.gz", 1), ("b.csv", 1), ("d.parquet", 1), ("e.csv", 0), ("c.jsonl.zst", 1),
    ]  # fmt: skip
    head = source.client.head_object(Bucket=source.name, Key=folder + "b.csv")
    assert task.findings.files[1] == {
        "key": folder + "b.csv", "etag": head["ETag"].strip('"'), "size": head["ContentLength"], "rows": 1,
    }  # fmt: skip


def test_files_stand_in_the_manifest(source, lake):
    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    Feed(date=DAY).run()
    manifest = Feed(date=DAY).output().manifest()
    assert manifest.rows == 1 and [file["rows"] for file in manifest.findings["files"]] == [1]


def test_a_file_that_nothing_reads(source):
    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    source.put("partners/2014/02/03/b.xlsx", b"PK")
    with pytest.raises(DataError, match=r"b.xlsx: nothing here reads such a file .*`suffixes`"):
        rows(Feed(date=DAY))

    class CsvOnly(Feed):
        suffixes = (".csv",)

    assert rows(CsvOnly(date=DAY)) == [("ada", "1")]


def test_unknown_keys_of_json_lines_are_told(source, caplog):
    source.put("partners/2014/02/03/a.jsonl", b'{"partner": "ada", "clocks": 1}\n{"x": 2}\n')
    with caplog.at_level(logging.WARNING, "etl"):
        assert rows(Feed(date=DAY)) == [("ada", None), (None, None)]
    assert "a.jsonl: keys that are no columns: clocks, x" in caplog.text


def test_half_a_surrogate_pair_is_replaced_and_counted(source):
    source.put("partners/2014/02/03/a.jsonl", b'{"partner": "a\\ud83d"}\n')
    task = Feed(date=DAY)
    assert rows(task) == [("a\ufffd", None)]
    (loss,) = task.findings.losses.values()
    assert (loss.column, loss.count) == ("partner", 1) and loss.samples[0].endswith("a.jsonl:1")


def test_a_prefix_with_a_date_needs_one(source):
    with pytest.raises(DataError, match=r"partners/{date:%Y/%m/%d}/ holds the date; give --date"):
        rows(Feed())


# ---- the ledger


@pytest.fixture
def ledger(monkeypatch):
    monkeypatch.setattr(Inbox, "ledger", set(), raising=False)

    def learn(task: S3Extractor) -> None:
        Inbox.ledger = Inbox.ledger | {(file["key"], file["etag"], file["size"]) for file in task.findings.files}
        Register.clear_instance_cache()

    return learn


def test_a_file_is_read_once(source, ledger):
    source.put("inbox/a.csv", b"partner,clicks\nada,1\n")
    task = Inbox()
    assert rows(task) == [("ada", "1")]
    ledger(task)
    source.put("inbox/0-late.csv", b"partner,clicks\nbob,2\n")
    task = Inbox()
    assert rows(task) == [("bob", "2")]
    ledger(task)
    assert rows(Inbox()) == []


def test_a_day_is_read_whole_whatever_the_ledger_says(source):
    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    listed = source.client.head_object(Bucket=source.name, Key="partners/2014/02/03/a.csv")

    class Known(Feed):
        def known_files(self) -> set[tuple[str, str, int]]:
            return {("partners/2014/02/03/a.csv", listed["ETag"].strip('"'), listed["ContentLength"])}

    assert rows(Known(date=DAY)) == [("ada", "1")]


def test_a_changed_file_follows_the_policy(source, ledger, caplog):
    source.put("inbox/a.csv", b"partner,clicks\nada,1\n")
    task = Inbox()
    rows(task)
    before = task.findings.files[0]["etag"]
    ledger(task)
    source.put("inbox/a.csv", b"partner,clicks\nada,2\n")
    after = source.client.head_object(Bucket=source.name, Key="inbox/a.csv")["ETag"].strip('"')
    with pytest.raises(DataError, match=rf"inbox/a.csv: changed after it was loaded: etag {before} then, {after} now"):
        rows(Inbox())

    class Reloads(Inbox):
        on_change = "reload"

    class Ignores(Inbox):
        on_change = "ignore"

    assert rows(Reloads()) == [("ada", "2")]
    assert rows(Ignores()) == []
    assert "ignored as declared" in caplog.text


def test_a_policy_that_does_not_exist(source):
    class Guesses(Inbox):
        on_change = "guess"

    with pytest.raises(DataError, match="say one of fail, reload, ignore"):
        rows(Guesses())


# ---- a file that moves under our hands


def two_files(source) -> Any:
    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    source.put("partners/2014/02/03/b.csv", ROW_BYTES)
    batches = iter(Feed(date=DAY).batches())
    next(batches)
    return batches


def test_a_file_replaced_after_it_was_listed(source):
    batches = two_files(source)
    source.put("partners/2014/02/03/b.csv", b"partner,clicks\nada,2\n")
    with pytest.raises(SourceError, match=r"b.csv: replaced since it was listed \(etag \w+\)"):
        list(batches)


def test_a_file_that_vanished_after_it_was_listed(source):
    batches = two_files(source)
    source.client.delete_object(Bucket=source.name, Key="partners/2014/02/03/b.csv")
    with pytest.raises(SourceError, match=r"b.csv: not there any more"):
        list(batches)


def test_a_server_that_is_gone(source, settings):
    settings.set("s3_source", "url", "s3://no-such-bucket-here")
    with pytest.raises(SourceError, match=r"s3://no-such-bucket-here/partners/2014/02/03/: no such bucket"):
        rows(Feed(date=DAY))


def test_a_bucket_opens_the_version_that_was_asked_for(source):
    source.put("a", b"1")
    bucket = LakeBucket(lake_config.s3_source())
    (listed,) = bucket.list()
    assert bucket.open("a", etag=listed.etag).read() == b"1"
    with pytest.raises(LakeError, match="replaced since it was listed"):
        bucket.open("a", etag="0" * 32)


# ---- luigi


def test_data_that_is_not_there_yet(source, lake, caplog):
    source.put("partners/2014/02/03/_SUCCESS", b"")
    with caplog.at_level(logging.WARNING, "luigi-interface"):
        result = luigi.build([Feed(date=DAY)], local_scheduler=True, detailed_summary=True)
    assert result.status is LuigiStatusCode.MISSING_EXT
    assert f"s3://{source.name}/partners/2014/02/03/" in caplog.text
    assert not Feed(date=DAY).complete()


def test_data_that_is_there(source, lake):
    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    result = luigi.build([Feed(date=DAY)], local_scheduler=True, detailed_summary=True)
    assert result.status is LuigiStatusCode.SUCCESS and Feed(date=DAY).output().manifest().rows == 1


def test_a_marker_is_waited_for(source):
    class Marked(Feed):
        marker = "_SUCCESS"

    source.put("partners/2014/02/03/a.csv", ROW_BYTES)
    needed = Marked(date=DAY).requires()
    assert isinstance(needed, S3Files) and not needed.complete()
    source.put("partners/2014/02/03/_SUCCESS", b"")
    assert needed.complete()


def test_what_was_loaded_is_not_read_again_and_a_change_is_found(source, warehouse, lake, settings, tmp_path):
    """The ledger is the warehouse's: a file belongs to it once its rows are published."""
    settings.set("etl", "sql", str(tmp_path))
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "clicks.sql").write_text(
        "CREATE TABLE public.clicks (partner VARCHAR(99) NOT NULL PRIMARY KEY, clicks INTEGER);"
    )

    class ExtractClicks(S3Extractor):
        prefix = "inbox/"
        columns = ("partner", "clicks")
        on_change = "reload"

    class LoadClicks(BaseLoader):
        extractor, table, strategy, key = ExtractClicks, "clicks", "upsert", ("partner",)

    def night(day: int) -> list[tuple]:
        date = datetime.date(2014, 2, day)
        assert luigi.build([LoadClicks(date=date)], local_scheduler=True)
        return [(file["key"], file["rows"]) for file in ExtractClicks(date=date).output().manifest().findings["files"]]

    source.put("inbox/a.csv", b"partner,clicks\nada,1\n")
    assert night(3) == [("inbox/a.csv", 1)]
    source.put("inbox/b.csv", b"partner,clicks\nbob,2\ncyd,3\n")
    assert night(4) == [("inbox/b.csv", 2)]
    assert night(5) == []
    first = source.client.get_object(Bucket=source.name, Key="inbox/a.csv")["Body"].read()
    source.put("inbox/a.csv", b"partner,clicks\nada,9\n")
    assert night(6) == [("inbox/a.csv", 1)]
    source.put("inbox/a.csv", first)
    assert night(7) == [("inbox/a.csv", 1)], "changed back is changed"
    assert warehouse.query("SELECT * FROM public.clicks ORDER BY 1") == [("ada", 1), ("bob", 2), ("cyd", 3)]
    assert warehouse.query("SELECT task, file_key, rows FROM etl.files ORDER BY 2") == [
        ("ExtractClicks", "inbox/a.csv", 1),
        ("ExtractClicks", "inbox/b.csv", 2),
    ]

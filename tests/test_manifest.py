"""The manifest: all of an extract or nothing of it, whatever happens on the way."""

import contextlib
import csv
import dataclasses
import datetime
import gc
import hashlib
import http.client
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import botocore.endpoint
import psycopg2
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from etl import config, manifest
from etl.errors import ConfigError, DataError, LakeBusy, LakeError
from etl.findings import Findings
from etl.lake import Bucket
from etl.manifest import Manifest, ManifestTarget
from etl.progress import Progress

FOLDER = "ExtractThing/date=2014-02-03"


@pytest.fixture
def target(lake) -> ManifestTarget:
    return ManifestTarget(FOLDER, date=datetime.date(2014, 2, 3))


def batch(**columns: Iterable) -> pa.RecordBatch:
    return pa.record_batch({name: pa.array(values) for name, values in columns.items()})


def noise(megabytes: int) -> Iterator[pa.RecordBatch]:
    """About so many megabytes when they are compressed."""
    for _ in range(megabytes):
        yield batch(text=[os.urandom(1 << 14).hex() for _ in range(1 << 6)])


def content(target: ManifestTarget) -> str:
    listed = target.manifest()
    text = ""
    for part in listed.parts:
        with target.open_part(part, listed) as reader:
            text += reader.read().decode()
    return text


def leftovers(lake) -> list[str]:
    """Every object and every unfinished upload."""
    uploads = lake.client.list_multipart_uploads(Bucket=lake.name).get("Uploads", ())
    return lake.keys() + [upload["Key"] for upload in uploads]


def loaded(cursor, target: ManifestTarget) -> list[tuple]:
    """What COPY makes of it, as our loader calls it."""
    listed = target.manifest()
    types = listed.types or ["TEXT"] * listed.width
    columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(types))
    names = ", ".join(f"c{i}" for i in range(listed.width))
    cursor.execute(f"DROP TABLE IF EXISTS t; CREATE TEMP TABLE t (row serial, {columns})")
    for part in listed.parts:
        with target.open_part(part, listed) as reader:
            cursor.copy_expert(f"COPY t ({names}) FROM STDIN WITH (FORMAT csv, NULL '{listed.null}')", reader)
            assert cursor.rowcount == part.rows
    cursor.execute(f"SELECT {names} FROM t ORDER BY row")
    return cursor.fetchall()


@pytest.fixture
def cursor(warehouse) -> Iterator:
    with contextlib.closing(psycopg2.connect(warehouse.admin_url)) as connection, connection.cursor() as cursor:
        yield cursor


# ---- what is written


def test_it_exists_when_it_is_written(target, lake):
    assert not target.exists()
    written = target.write([batch(id=[1, 2], name=["a", None])])
    assert target.exists()
    assert target.manifest() == written
    assert target.url == f"{lake.url}/{FOLDER}/manifest.json"
    assert (written.rows, written.columns, written.width) == (2, ("id", "name"), 2)
    assert (written.types, written.null, written.date) == (("BIGINT", "TEXT"), r"\N", "2014-02-03")
    assert content(target) == '1,"a"\n2,\\N\n'
    began, ended = (datetime.datetime.fromisoformat(moment) for moment in (written.started, written.ended))
    assert began <= ended <= datetime.datetime.now(datetime.timezone.utc)


@pytest.mark.parametrize(("compression", "suffix"), [("zstd", ".csv.zst"), ("gzip", ".csv.gz")])
def test_it_is_a_manifest_that_redshift_can_read(target, lake, settings, compression, suffix):
    settings.set("lake", "compression", compression)
    settings.set("lake", "part_mb", 0)
    target.write([batch(id=[1, 2]), batch(id=[3])])
    document = json.loads(lake.get(f"{FOLDER}/manifest.json"))
    assert [entry["mandatory"] for entry in document["entries"]] == [True, True]
    for entry in document["entries"]:
        key = entry["url"].removeprefix(f"s3://{lake.name}/")
        assert key.endswith(suffix)
        body = lake.get(key)
        assert entry["meta"]["content_length"] == len(body)
        assert entry["meta"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert [entry["meta"]["record_count"] for entry in document["entries"]] == [2, 1]
    assert document["meta"]["rows"] == 3
    assert document["meta"]["compression"] == compression
    assert content(target) == "1\n2\n3\n"


def test_an_unknown_compression(target, settings):
    settings.set("lake", "compression", "lzo")
    with pytest.raises(ConfigError, match=r"\[lake\] compression = lzo: write one of zstd, gzip"):
        target.write([])


def test_nothing_to_write_is_a_manifest_too(target):
    assert target.write([]).rows == 0
    assert target.manifest().parts == ()


def test_an_empty_batch_says_its_columns(target):
    written = target.write([batch(id=[1], name=["a"]).slice(1)])
    assert (written.parts, written.columns, written.types) == ((), ("id", "name"), ("BIGINT", "TEXT"))


MIB = 1 << 20


@hypothesis_settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.integers(0, 300), max_size=4), copies=st.integers(0, 4), part_mb=st.sampled_from([0, 1, 2, 16])
)
@example(batches=[600], copies=2, part_mb=16)
@example(batches=[40] * 15, copies=3, part_mb=2)
def test_parts_of_a_round_have_one_size(lake, settings, batches, copies, part_mb):
    """However the batches come, rounds of as many parts as there are COPY connections: 1 MiB, 2 MiB, 4 MiB and on."""
    settings.set("warehouse", "copies", copies)
    settings.set("lake", "part_mb", part_mb)
    lake.client.delete_object(Bucket=lake.name, Key=f"{FOLDER}/manifest.json")
    # Each row is 16 KiB when it is compressed.
    rows = ([os.urandom(1 << 14).hex() for _ in range(count)] for count in batches)
    written = ManifestTarget(FOLDER).write(pa.record_batch([pa.array(texts, pa.string())], ["a"]) for texts in rows)
    assert written.rows == sum(batches)
    least = [min(2 ** (i // max(1, copies)), part_mb) * MIB for i in range(len(written.parts))]
    sizes = [part.size for part in written.parts]
    assert all(size >= limit for size, limit in zip(sizes[:-1], least[:-1], strict=True))
    assert all(0 < size < limit + MIB // 2 for size, limit in zip(sizes, least, strict=True))


def test_columns_that_are_declared_must_be_the_batches(lake):
    with pytest.raises(DataError, match=f"{FOLDER}: declares columns id, name and yields name, id; make the two"):
        ManifestTarget(FOLDER, ("id", "name")).write([batch(name=["a"], id=[1])])
    assert leftovers(lake) == []


def test_the_fingerprint_changes_with_columns_and_types_only(target, lake):
    def fingerprint(*batches):
        lake.client.delete_object(Bucket=lake.name, Key=target.key)
        return target.write(batches).fingerprint

    first = fingerprint(batch(a=[1]))
    assert first == fingerprint(batch(a=[5]), batch(a=[6]))
    assert len({first, fingerprint(batch(b=[1])), fingerprint(batch(a=["1"])), fingerprint(batch(a=[1], b=[1]))}) == 4


def test_a_source_that_counts_otherwise_publishes_nothing(target, lake):
    said = f"{FOLDER}: the source counts 3 rows .*, 2 were written and 0 put aside; nothing is published"
    with pytest.raises(DataError, match=said):
        target.write([batch(a=[1, 2])], Findings(counted=3))
    assert leftovers(lake) == []


def test_progress_counts_what_was_written(target):
    progress = Progress("x")
    target.write([batch(a=[1, 2]), batch(a=[3])], progress=progress)
    assert progress.rows == 3


def test_a_target_from_its_url(target):
    written = target.write([batch(a=[1])])
    again = ManifestTarget.at(target.url)
    assert (again.folder, again.manifest()) == (FOLDER, written)


def test_removing_leaves_nothing(target, lake, settings):
    settings.set("lake", "part_mb", 0)
    target.remove(target.write([batch(a=[1]), batch(a=[2])]))
    assert not target.exists()
    assert leftovers(lake) == []


# ---- batches that differ


def test_later_batches_take_the_first_ones_types(target, cursor):
    target.write(
        [
            batch(a=pa.array([1], pa.int64()), b=["x"]),
            batch(a=pa.array([2], pa.int8()), b=pa.array([None], pa.null())),
            batch(a=pa.array([3.0, None]), b=pa.array(["y", "y"]).dictionary_encode()),
        ]
    )
    assert loaded(cursor, target) == [(1, "x"), (2, None), (3, "y"), (None, "y")]


def test_a_first_batch_of_nulls_decides_nothing(target, cursor):
    target.write([batch(a=pa.nulls(1)), batch(a=["02134"]), batch(a=[7])])
    assert loaded(cursor, target) == [(None,), ("02134",), ("7",)]


def test_decimals_of_every_size_side_by_side(target, cursor):
    """Arrow prints some with an exponent and some without."""
    numbers = [pa.array([text], pa.string()).cast(pa.decimal128(20, 12)) for text in ("1.5", "0.000000000001", "-7")]
    target.write(batch(a=number) for number in numbers)
    assert loaded(cursor, target) == [(number[0].as_py(),) for number in numbers]


@pytest.mark.parametrize(
    "later",
    [
        {"a": ["02134"]},
        {"a": ["x"]},
        {"a": [1.5]},
        {"a": [[1]]},
        {"b": [1]},
        {"a": [1], "b": [1]},
    ],
)
def test_a_later_batch_that_would_lose_something_is_refused(target, lake, settings, later):
    settings.set("lake", "part_mb", 0)
    with pytest.raises(
        DataError, match=rf"{FOLDER}: a later batch .* does not fit the first one's columns \(a int64\)"
    ):
        target.write([batch(a=[1]), batch(**later)])
    assert leftovers(lake) == []


def test_a_later_decimal_with_more_places_than_the_type_says_is_refused(target):
    """The column in the warehouse would round it."""
    fine = pa.array(["1.2345"]).cast(pa.decimal128(20, 4))
    with pytest.raises(DataError, match="Rescaling Decimal value would cause data loss"):
        target.write([batch(a=fine.slice(1).cast(pa.decimal128(10, 2))), batch(a=fine)])


# ---- NULL and the strings that look like it

TEXT = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(["\\N", "\\N#", "", '"', "\\.", "\0", ",\\N,", "\n\\N\n", "😀", "NULL"]),
)
BATCHES = st.lists(st.lists(st.tuples(TEXT, st.none() | st.integers(0, 9), TEXT), min_size=1, max_size=4), min_size=1)
KINDS = {"a": pa.string(), "b": pa.int64(), "c": pa.string()}


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(BATCHES, st.sampled_from([0, 16]), st.sampled_from(["zstd", "gzip"]))
@example([[(None, 1, "a")], [("x", None, None)], [("\\N", None, None)], [(None, 2, "\\N")]], 0, "gzip")
def test_any_text_in_any_batch_survives(lake, cursor, settings, batches, part_mb, compression):
    settings.set("lake", "part_mb", part_mb)
    settings.set("lake", "compression", compression)
    target = ManifestTarget(f"Extract/{os.urandom(8).hex()}")
    written = target.write(
        batch(**{name: pa.array(column, KINDS[name]) for name, column in zip(KINDS, columns, strict=True)})
        for columns in (zip(*rows, strict=True) for rows in batches)
    )
    rows = [row for rows in batches for row in rows]
    clean = [tuple(v.replace("\0", "\ufffd") if isinstance(v, str) else v for v in row) for row in rows]
    assert loaded(cursor, target) == clean
    assert (written.null == r"\N") == all(r"\N" not in row for row in clean)
    nul = sum("\0" in value for row in rows for value in row if isinstance(value, str))
    assert sum(loss["count"] for loss in written.findings["losses"]) == nul


def test_a_collision_in_a_late_batch_rewrites_the_parts_that_were_closed(target, lake, settings, cursor):
    settings.set("lake", "part_mb", 0)
    written = target.write([batch(a=["x", None]), batch(a=[None, 'q"\\N,']), batch(a=["\\N", None])])
    assert written.null != r"\N"
    assert len(written.parts) == 3
    assert len(lake.keys()) == 4
    assert loaded(cursor, target) == [("x",), (None,), (None,), ('q"\\N,',), ("\\N",), (None,)]


def test_the_token_of_a_manifest_is_its_own(target, lake):
    """A collision in one dataset is no reason to write another differently."""
    assert target.write([batch(a=["\\N"])]).null != r"\N"
    assert ManifestTarget("Other/all").write([batch(a=["x"])]).null == r"\N"


# ---- the handle


def written_by(target: ManifestTarget, *rows: Iterable, **options) -> str:
    with target.open("w") as handle:
        csv.writer(handle, **options).writerows(rows)
    return content(target)


def test_text_stays_text(target):
    assert written_by(target, ["02134", "1e5", "true", " x ", "2014-02-03"]) == (
        '"02134","1e5","true"," x ","2014-02-03"\n'
    )
    assert target.manifest().types == ("TEXT",) * 5


def test_an_empty_field_is_null_and_two_quotes_are_not(target):
    with target.open("w") as handle:
        handle.write('a,,""\r\n')
    assert content(target) == '"a",\\N,""\n'


def test_a_dict_writer_writes_none_and_the_empty_string_as_null(target):
    """csv's own doing, which is why the docstring says so."""
    with target.open("w") as handle:
        out = csv.DictWriter(handle, ["a", "b", "c"])
        out.writerow({"a": "x", "b": None, "c": ""})
    assert content(target) == '"x",\\N,\\N\n'


@hypothesis_settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6))
@example([('a\r\nb\nc\rd"e', "\\N"), ("\\.", "")])
def test_whatever_a_csv_writer_wrote_is_read_again(lake, cursor, rows):
    target = ManifestTarget(f"Extract/{os.urandom(8).hex()}", ("a", "b"))
    written_by(target, *rows)
    expected = [tuple(value.replace("\0", "\ufffd") if value else None for value in row) for row in rows]
    assert loaded(cursor, target) == expected


def test_quoted_newlines_and_other_line_ends(target):
    assert written_by(target, ["a\nb", "c\r\nd"], ["e", "f"], lineterminator="\n") == '"a\nb","c\r\nd"\n"e","f"\n'


def test_columns_are_known_where_they_are_declared(lake):
    target = ManifestTarget(FOLDER, ("id", "name"))
    written_by(target, [1, "x"])
    assert target.manifest().columns == ("id", "name")
    plain = ManifestTarget("Extract/plain")
    written_by(plain, [1, "x"])
    assert (plain.manifest().columns, plain.manifest().width) == (None, 2)


def test_a_header_is_refused_with_its_line(lake):
    target = ManifestTarget(FOLDER, ("id", "name"))
    with pytest.raises(DataError, match=rf"{FOLDER}: line 1 is a header \(id, name\); write the rows without it"):
        written_by(target, ["id", "name"], [1, "x"])
    assert leftovers(lake) == []


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a,b", "c,d,e"], "line 2 has 3 fields, expected 2: c,d,e"),
        (["a,b", "c"], "line 2 has 1 fields, expected 2: c"),
        (["a,b", '"x', 'y",z', "c"], "line 4 has 1 fields, expected 2: c"),
        (["", "a,b", "", "c"], "line 4 has 1 fields, expected 2: c"),
        (["a,b", "x" * 3_000_000 + ",y", "c"], "line 3 has 1 fields, expected 2: c"),
    ],
)
def test_a_row_of_another_width_is_refused_with_its_line(target, lake, rows, said):
    with pytest.raises(DataError, match=re.escape(f"{FOLDER}: {said}")), target.open("w") as handle:
        handle.write("".join(row + "\r\n" for row in rows))
    assert leftovers(lake) == []


def test_a_row_narrower_than_the_declared_columns_is_refused(lake):
    with pytest.raises(DataError, match="line 1 has 1 fields, expected 2: x"):
        written_by(ManifestTarget(FOLDER, ("id", "name")), ["x"])


def test_a_row_of_another_width_far_down(target, lake):
    with pytest.raises(DataError, match="line 60001 has 1 fields"):
        written_by(target, *itertools.repeat(["a" * 600, "b" * 60], 60_000), ["late"])
    assert leftovers(lake) == []


@pytest.mark.parametrize("first", [True, False])
def test_a_value_of_three_megabytes(lake, first):
    target = ManifestTarget(FOLDER, policies={"?0": "keep", "?1": "keep"})
    value = "é\n" * 1_500_000
    rows = [["1", value], ["2", "x"]] if first else [["2", "x"], ["1", value]]
    before = csv.field_size_limit()
    assert written_by(target, *rows).count("é\n") == 1_500_000
    assert csv.field_size_limit() == before


def test_a_long_row_in_many_writes(lake):
    target = ManifestTarget(FOLDER, policies={"?0": "keep"})
    with target.open("w") as handle:
        for _ in range(3000):
            handle.write("0123456789" * 100)
        handle.write(",x\r\n")
    assert len(content(target)) == 3_000_007


def test_one_column(target):
    """csv writes a lone empty field as two quotes; a blank line is a field without them."""
    with target.open("w") as handle:
        out = csv.writer(handle)
        out.writerow(["x"])
        out.writerow([""])
        out.writerow([])
    assert content(target) == '"x"\n""\n\\N\n'


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("\r\na,b\r\n\r\n\r\nc,d\r\n\r\n", '"a","b"\n"c","d"\n'),
        ("\n\na\n\n", '\\N\n\\N\n"a"\n\\N\n'),
        ("\r\n", "\\N\n"),
        ("a,b", '"a","b"\n'),
    ],
)
def test_blank_lines(target, text, rows):
    with target.open("w") as handle:
        handle.write(text)
    assert content(target) == rows


def test_nothing_written_is_an_empty_manifest(target):
    with target.open("w"):
        pass
    assert target.manifest().rows == 0


def test_an_exception_inside_leaves_nothing(target, lake):
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error), target.open("w") as handle:
            handle.write("a,b\r\n")
            raise error
    assert leftovers(lake) == []


def test_a_handle_that_is_never_closed_leaves_nothing(target, lake):
    handle = target.open("w")
    handle.write("a,b\r\n")
    del handle
    gc.collect()
    assert leftovers(lake) == []


def test_a_handle_alive_at_the_end_of_the_process_leaves_nothing(target, lake, tmp_path):
    script = f"from etl.manifest import ManifestTarget\nhandle = ManifestTarget({FOLDER!r}).open()\nhandle.write('a')"
    assert run(script, lake, tmp_path) == 0
    assert leftovers(lake) == []


def test_a_closed_handle(target):
    handle = target.open("w")
    assert handle.writable() and not handle.closed
    handle.write("a\r\n")
    handle.close()
    assert handle.closed
    handle.close()
    with pytest.raises(ValueError, match="closed"):
        handle.write("b")
    assert content(target) == '"a"\n'


@pytest.mark.parametrize("mode", ["r", "a", "wb"])
def test_other_modes_are_refused(target, mode):
    with pytest.raises(ValueError, match=f"mode '{mode}'"):
        target.open(mode)


# ---- reading


def part_key(lake) -> str:
    return next(key for key in lake.keys() if "part-" in key)


@pytest.fixture
def damaged(target, lake) -> Callable[[Callable[[bytes], bytes]], None]:
    target.write([batch(a=["one", "two", "three"] * 100)])

    def damage(change: Callable[[bytes], bytes]) -> None:
        lake.put(part_key(lake), change(lake.get(part_key(lake))))

    return damage


DAMAGE = {
    "truncated": lambda body: body[:-5],
    "cut in half": lambda body: body[: len(body) // 2],
    "emptied": lambda body: b"",
    "longer": lambda body: body + b"\0",
    "another frame after it": lambda body: body + body,
    "one bit": lambda body: body[:30] + bytes([body[30] ^ 1]) + body[31:],
    "another file": lambda body: b"not compressed at all",
}


@pytest.mark.parametrize("change", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("size", [-1, 7, 1 << 20])
def test_a_part_that_was_altered_is_refused_with_both_numbers(target, lake, damaged, change, size):
    whole = len(lake.get(part_key(lake)))
    damaged(change)
    altered = len(lake.get(part_key(lake)))
    listed = target.manifest()
    with target.open_part(listed.parts[0], listed) as reader, pytest.raises(LakeBusy) as caught:
        while reader.read(size):
            pass
    assert re.search(rf"part-00000.csv.zst: has {altered} bytes, .* says {whole} bytes", str(caught.value))
    assert reader.error is caught.value


def test_a_part_that_was_altered_is_never_loaded(target, cursor, damaged):
    """psycopg2 hides our error behind its own, and no row stays."""
    damaged(DAMAGE["another frame after it"])
    with pytest.raises(psycopg2.Error):
        loaded(cursor, target)


def test_a_part_that_is_gone(target, lake, damaged):
    key = part_key(lake)
    lake.client.delete_object(Bucket=lake.name, Key=key)
    listed = target.manifest()
    with pytest.raises(LakeError, match=f"{key}: not there any more; extract it again"):
        target.open_part(listed.parts[0], listed)


def test_a_manifest_that_is_gone(target):
    with pytest.raises(LakeError, match=r"manifest.json: not there any more"):
        target.manifest()


def changed(target: ManifestTarget, lake, change: Callable[[dict], object]) -> str:
    target.write([batch(a=[1, 2])])
    document = json.loads(lake.get(target.key))
    change(document)
    lake.put(target.key, json.dumps(document).encode())
    with pytest.raises(LakeError) as caught:
        target.manifest()
    assert str(caught.value).startswith(target.url)
    return str(caught.value)


def test_a_manifest_that_lists_a_part_twice(target, lake):
    def twice(document: dict) -> None:
        document["entries"] *= 2
        document["meta"]["rows"] *= 2

    assert "lists a part twice, which COPY would load twice" in changed(target, lake, twice)


def test_a_manifest_whose_rows_do_not_add_up(target, lake):
    said = changed(target, lake, lambda document: document["entries"].clear())
    assert "its parts hold 0 rows, itself it says 2" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("meta"),
        lambda document: document.pop("entries"),
        lambda document: document["meta"].pop("rows"),
        lambda document: document["meta"].pop("null"),
        lambda document: document["meta"].update(more=1),
        lambda document: document["meta"].update(types=None),
        lambda document: document["entries"][0].pop("meta"),
        lambda document: document["entries"][0].update(meta=None),
        lambda document: document["entries"][0]["meta"].update(record_count="2"),
        lambda document: document.update(meta=[]),
    ],
)
def test_a_manifest_that_is_not_ours(target, lake, change):
    assert "not a manifest of ours" in changed(target, lake, change)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"entries": [], "meta"'])
def test_a_manifest_that_is_no_json(target, lake, body):
    lake.put(target.key, body)
    with pytest.raises(LakeError, match="not a manifest of ours"):
        target.manifest()


def test_a_manifest_survives_json(target):
    written = target.write([batch(a=["é"])], Findings(counted=1, key=["a"]))
    assert Manifest.from_json(written.to_json(), "here") == written
    assert Manifest.from_json(written.to_json(), "here").to_json() == written.to_json()


# ---- failures on the way


def failing(batches: Iterable[pa.RecordBatch], error: type[BaseException]) -> Iterator[pa.RecordBatch]:
    yield from batches
    raise error("on the way")


@pytest.mark.parametrize(
    ("error", "megabytes", "part_mb"),
    [
        (RuntimeError, 0, 16),
        (LakeError, 1, 16),
        (MemoryError, 2, 0),
        (SystemExit, 10, 16),
        (KeyboardInterrupt, 10, 9),
    ],
)
def test_what_fails_half_way_leaves_nothing(target, lake, settings, error, megabytes, part_mb):
    settings.set("lake", "part_mb", part_mb)
    with pytest.raises(error, match="on the way"):
        target.write(failing(noise(megabytes), error))
    gc.collect()
    assert leftovers(lake) == []


def test_a_collision_that_cannot_be_rewritten_leaves_nothing(target, lake, settings):
    settings.set("lake", "part_mb", 0)

    def batches() -> Iterator[pa.RecordBatch]:
        yield batch(a=["x"])
        lake.put(part_key(lake), b"damaged")
        yield batch(a=["\\N"])

    with pytest.raises(LakeError, match="has 7 bytes"):
        target.write(batches())
    assert leftovers(lake) == []


def test_parts_of_two_attempts_never_mix(target, lake):
    """A twin that is faster publishes; the slower one finds its manifest, and takes its own parts away."""
    twins: list[Manifest] = []

    def slow() -> Iterator[pa.RecordBatch]:
        yield batch(a=["slow"])
        twins.append(ManifestTarget(FOLDER).write([batch(a=["fast"])]))
        yield batch(a=["slow"])

    assert target.write(slow()) == twins[0] == target.manifest()
    assert content(target) == '"fast"\n'
    assert len(lake.keys()) == 2


def test_every_attempt_has_part_keys_of_its_own(target, lake):
    first = target.write([batch(a=[1])])
    lake.client.delete_object(Bucket=lake.name, Key=target.key)
    second = target.write([batch(a=[2])])
    assert first.parts[0].url != second.parts[0].url
    assert first.run == second.run and first.run in first.parts[0].url
    assert content(target) == "2\n"


def test_parts_of_the_dead_are_buried_after_a_day_and_nobody_elses(target, lake, monkeypatch):
    other = "ExtractThing/date=2014-02-04/run/part-00000.csv.zst"
    dead = f"{FOLDER}/20140203T040506-dead/part-00000.csv.zst"
    for key in (other, dead):
        lake.put(key, b"")
    target.write([])
    assert lake.keys() == [dead, f"{FOLDER}/manifest.json", other]
    lake.client.delete_object(Bucket=lake.name, Key=target.key)
    monkeypatch.setattr(manifest, "_DEAD_AFTER", -datetime.timedelta(days=1))
    target.write([])
    assert lake.keys() == [f"{FOLDER}/manifest.json", other]


# ---- a network that fails


class Proxy(ThreadingHTTPServer):
    """Stands before the lake: `lose` says of each request (method, path) whether its answer is lost."""

    daemon_threads = True

    def __init__(self, endpoint: str):
        super().__init__(("127.0.0.1", 0), _Forward)
        self.upstream = urlsplit(endpoint)
        self.refuse = self.lose = self.cut = lambda method, path: False

    def handle_error(self, request, client_address) -> None:
        """The client hung up, as clients do."""


class _Forward(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def forward(self) -> None:
        self.close_connection = True
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.refuse(self.command, self.path):
            return
        upstream = http.client.HTTPConnection(self.server.upstream.hostname, self.server.upstream.port)
        headers = {name: value for name, value in self.headers.items() if name != "Expect"}
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            data = answer.read()
        if self.server.lose(self.command, self.path):
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if self.server.cut(self.command, self.path) else data)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def proxy(lake, settings, monkeypatch) -> Iterator[Proxy]:
    """Botocore waits between its attempts, the test does not."""
    monkeypatch.setattr(botocore.endpoint.time, "sleep", lambda _: None)
    with Proxy(lake.endpoint_url) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        settings.set("lake", "endpoint_url", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()
        thread.join()


def of_the_manifest(method: str, path: str) -> bool:
    return method == "PUT" and path.endswith("manifest.json")


def test_a_manifest_whose_answer_was_lost_is_ours_when_it_is_sent_again(target, lake, proxy):
    lost = iter([True])
    proxy.lose = lambda method, path: of_the_manifest(method, path) and next(lost, False)
    written = target.write([batch(a=["x"])])
    assert next(lost, None) is None
    assert target.manifest() == written
    assert content(target) == '"x"\n'


def test_a_manifest_that_may_be_there_keeps_its_parts(target, lake, proxy):
    gone: list[bool] = []

    def lose(method: str, path: str) -> bool:
        if of_the_manifest(method, path):
            gone.append(True)
        return bool(gone)

    proxy.lose = lose
    proxy.refuse = lambda method, path: bool(gone)
    with pytest.raises(LakeError, match=r"manifest.json: "):
        target.write([batch(a=["x"])])
    proxy.refuse = proxy.lose = lambda method, path: False
    assert target.exists()
    assert content(target) == '"x"\n'


def test_a_lake_that_goes_away_half_way(target, lake, proxy, settings):
    settings.set("warehouse", "copies", 1)

    def batches() -> Iterator[pa.RecordBatch]:
        yield from noise(10)
        proxy.refuse = lambda method, path: True
        yield from noise(10)

    with pytest.raises(LakeError, match=r"part-00003\.csv\.zst: Connection was closed"):
        target.write(batches())
    gc.collect()
    assert len(leftovers(lake)) == 3, "the parts that were whole by then"
    proxy.refuse = lambda method, path: False
    target.write([batch(a=["x"])])
    assert content(target) == '"x"\n'
    assert len(leftovers(lake)) == 5


def test_an_answer_that_breaks_off(target, proxy):
    written = target.write(noise(1))
    proxy.cut = lambda method, path: method == "GET" and "part-" in path
    with target.open_part(written.parts[0], written) as reader:
        with pytest.raises(LakeBusy, match=r"part-00000\.csv\.zst: lost while it was read .*; run again") as caught:
            while reader.read(1 << 20):
                pass
        assert reader.error is caught.value


# ---- death


def run(script: str, lake, folder, **environment: str) -> int:
    """A Python of its own with the lake's settings, where each part is twice as large as the one before."""
    written = dataclasses.asdict(config.lake()).items()
    lines = [f"{key} = {value}" for key, value in written if value is not None]
    (folder / "luigi.cfg").write_text("\n".join(["[lake]", *lines, "[warehouse]", "copies = 1"]))
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=folder, env=os.environ | environment, timeout=120).returncode


WRITE = f"""
import os
import pyarrow as pa
from etl.manifest import ManifestTarget

def noise():
    for _ in range(20):
        yield pa.record_batch({{"a": [os.urandom(1 << 14).hex() for _ in range(64)]}})

ManifestTarget({FOLDER!r}).write(noise())
"""


@pytest.mark.parametrize(
    ("point", "parts", "uploads"),
    [
        ("extract.batch", 1, 0),
        ("extract.batch:19", 4, 0),
        ("upload.piece", 3, 1),
        ("upload.before_close", 0, 0),
        ("upload.before_close:4", 3, 1),
        ("upload.after_close", 1, 0),
        ("manifest.before", 5, 0),
    ],
)
def test_a_killed_process_leaves_nothing_that_a_reader_would_take_for_data(
    target, lake, tmp_path, point, parts, uploads
):
    assert run(WRITE, lake, tmp_path, ETL_FAILPOINT=point) == -signal.SIGKILL
    assert not target.exists()
    assert (len(lake.keys()), len(leftovers(lake))) == (parts, parts + uploads)
    written = target.write([batch(a=["x"])])
    assert content(target) == '"x"\n'
    assert written.parts[0].url.removeprefix(f"s3://{lake.name}/") in lake.keys()
    assert len(leftovers(lake)) == len(lake.keys()) == parts + 2


def test_death_after_the_manifest_is_no_death_of_the_extract(target, lake, tmp_path):
    assert run(WRITE, lake, tmp_path, ETL_FAILPOINT="manifest.after") == -signal.SIGKILL
    assert target.manifest().rows == 20 * 64
    assert content(target).count("\n") == 20 * 64


# ---- memory

MEASURE = """
import resource
import pyarrow as pa
from etl.manifest import ManifestTarget

def grown(since=0):
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 - since

row = "x" * 90
def batches():
    for i in range(300):
        yield pa.record_batch({"a": range(i * 10_000, (i + 1) * 10_000), "b": [f"{row}{n}" for n in range(10_000)]})

def lines(handle):
    for i in range(3_000_000):
        handle.write(f"{i},{row}\\r\\n")

before = grown()
"""


@pytest.mark.exam
@pytest.mark.parametrize(
    "write",
    ["ManifestTarget('X').write(batches())", "with ManifestTarget('X').open() as handle: lines(handle)"],
    ids=["batches", "handle"],
)
def test_300_mb_of_csv_take_little_memory(lake, tmp_path, write):
    assert run(f"{MEASURE}\n{write}\nassert grown(before) < 150, grown(before)", lake, tmp_path) == 0
    written = ManifestTarget("X").manifest()
    assert written.rows == 3_000_000


@pytest.mark.exam
def test_a_late_collision_takes_little_memory(lake, tmp_path):
    script = f"""{MEASURE}
def late():
    yield from batches()
    yield pa.record_batch({{"a": [1], "b": ["\\\\N"]}})

ManifestTarget("X").write(late())
assert grown(before) < 150, grown(before)"""
    assert run(script, lake, tmp_path) == 0
    assert ManifestTarget("X").manifest().null != r"\N"


def test_a_bucket_of_the_settings_is_used(target, lake, settings):
    """A prefix in the url goes before every key."""
    settings.set("lake", "url", f"{lake.url}/deep/down")
    written = target.write([batch(a=[1])])
    assert all(key.startswith("deep/down/ExtractThing/") for key in lake.keys())
    assert Bucket(config.lake()).key(written.parts[0].url).startswith("ExtractThing/")


@pytest.mark.parametrize(("was", "now"), [('"started": "20', '"started": "21'), ('"null": "', '"null": "x')])
def test_a_manifest_that_was_altered_anywhere_is_refused(lake, was, now):
    target = ManifestTarget("folder", ("a",))
    target.write([pa.record_batch([pa.array(["x"])], names=["a"])])
    text = lake.get(target.key).decode()
    assert was in text
    lake.put(target.key, text.replace(was, now).encode())
    with pytest.raises(LakeError, match="does not fit its own checksum; it was altered, delete it and extract again"):
        target.manifest()

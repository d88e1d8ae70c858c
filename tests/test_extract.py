"""BaseExtractor: rows, batches or a handle, each to the same manifest."""

import csv
import datetime
import decimal
import itertools
import json
import re

import luigi
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from luigi.task_register import Register

from etl.errors import DataError
from etl.extract import BaseExtractor, chunked, lake_folder, text

DAY = datetime.date(2014, 2, 3)


@pytest.fixture(autouse=True)
def new_tasks() -> None:
    """Luigi gives the same instance for the same parameters, with the findings of the test before."""
    Register.clear_instance_cache()


class ExtractRows(BaseExtractor):
    columns = ("id", "name")
    given: list = []

    def rows(self):
        yield from self.given


def extract(rows: list, columns: tuple[str, ...] = ("id", "name")) -> tuple:
    """The manifest of these rows, and what its parts hold."""
    family = type("ExtractGiven", (ExtractRows,), {"given": rows, "columns": columns})
    task = family()
    task.run()
    return task.output().manifest(), content(task)


def content(task: BaseExtractor) -> str:
    manifest = task.output().manifest()
    parts = [task.output().open_part(part, manifest) for part in manifest.parts]
    return "".join(part.read().decode() for part in parts)


def test_rows_become_quoted_text_and_none_becomes_null(lake):
    manifest, text = extract([(1, "a"), (2, None), (3, "")])
    assert text == '"1","a"\n"2",\\N\n"3",""\n'
    assert (manifest.rows, manifest.columns, manifest.types) == (3, ("id", "name"), ("TEXT", "TEXT"))


def test_no_rows_are_an_empty_manifest_and_not_an_error(lake):
    manifest, _ = extract([])
    assert (manifest.rows, manifest.parts, manifest.columns, manifest.width) == (0, (), ("id", "name"), 2)


def test_without_columns_only_the_width_is_known(lake):
    manifest, _ = extract([(1, 2, 3)], columns=())
    assert (manifest.columns, manifest.width) == (None, 3)


def test_columns_that_are_declared_are_kept_whatever_their_names(lake):
    manifest, _ = extract([(1, 2)], columns=("f0", "f1"))
    assert manifest.columns == ("f0", "f1")


@pytest.mark.parametrize("at", [0, 1, 12_345])
def test_a_row_of_another_width_is_shown(lake, at):
    rows = [(i, "x") for i in range(at)] + [(7, "seven", "too many")]
    with pytest.raises(DataError, match=r"ExtractGiven: a row has 3 fields, expected 2 \(id, name\): \(7, 'seven'"):
        extract(rows)
    assert lake.keys() == []


@pytest.mark.parametrize("at", [1, 10_000])
def test_a_row_of_another_width_than_the_first_is_refused(lake, at):
    with pytest.raises(DataError, match="ExtractGiven"):
        extract([(1, 2)] * at + [(1, 2, 3)], columns=())
    assert lake.keys() == []


def test_text_that_is_no_unicode_is_refused_with_its_column(lake):
    with pytest.raises(DataError, match=r"ExtractGiven: column name: .*surrogate"):
        extract([(1, json.loads(r'"\ud800"'))])
    assert lake.keys() == []


def test_batches_may_be_frames_tables_and_record_batches(lake):
    class ExtractMixed(BaseExtractor):
        def batches(self):
            yield pd.DataFrame({"id": [1, 2], "name": ["a", None]})
            yield pa.table({"id": [3], "name": ["c"]})
            yield pa.record_batch({"id": pa.array([4]), "name": pa.array(["d"])})

    task = ExtractMixed()
    task.run()
    assert content(task) == '1,"a"\n2,\\N\n3,"c"\n4,"d"\n'
    assert task.output().manifest().columns == ("id", "name")


def test_a_frame_that_holds_what_no_column_can(lake):
    class ExtractOdd(BaseExtractor):
        def batches(self):
            yield pd.DataFrame({"odd": [1, "a", {}]})

    with pytest.raises(DataError, match="odd"):
        ExtractOdd().run()


def test_the_listings_way_of_writing(lake):
    class ExtractHandle(BaseExtractor):
        def run(self):
            with self.output().open("w") as outfile:
                csv.writer(outfile).writerow(["02134", "", "x"])

    task = ExtractHandle(date=DAY)
    task.run()
    assert content(task) == '"02134",\\N,"x"\n'
    assert task.output().manifest().date == "2014-02-03"


def test_an_extract_that_says_nothing_is_told_what_to_write(lake):
    class ExtractNothing(BaseExtractor):
        pass

    with pytest.raises(NotImplementedError, match=r"ExtractNothing: write rows\(\), batches\(\) or run\(\)"):
        ExtractNothing().run()


def test_a_day_to_come_is_refused_before_the_source_is_asked(lake):
    task = ExtractRows(date=datetime.date.today() + datetime.timedelta(days=3))
    with pytest.raises(DataError, match="in the future"):
        task.run()
    assert not task.complete()


def test_it_is_complete_when_its_manifest_is_there(lake):
    task = ExtractRows(date=DAY)
    assert not task.complete()
    assert luigi.build([task], local_scheduler=True)
    assert task.complete()
    assert lake.get("ExtractRows/date=2014-02-03/manifest.json")


def test_findings_go_into_the_manifest(lake):
    class ExtractCounted(ExtractRows):
        given = [(1, "a\0b")]

        def rows(self):
            self.findings.counted = 1
            self.findings.key = ["id"]
            self.findings.skip("expired", 2)
            yield from super().rows()

    task = ExtractCounted()
    task.run()
    findings = task.output().manifest().findings
    assert findings == {
        "counted": 1,
        "key": ["id"],
        "files": [],
        "window": None,
        "skipped": {"expired": 2},
        "losses": [{"column": "name", "reason": "NUL character replaced", "count": 1, "samples": ["1"]}],
    }


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (2**80, str(2**80)),
        (decimal.Decimal("1E-10"), "0.0000000001"),
        (decimal.Decimal("1E+3"), "1000"),
        (decimal.Decimal("1.50"), "1.50"),
        (0.1, "0.1"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (np.float64(1.5), "1.5"),
        (datetime.date(1, 1, 1), "0001-01-01"),
        (datetime.time(1, 2, 3, 4), "01:02:03.000004"),
        (datetime.datetime(2014, 2, 3, 4, 5, 6, 7), "2014-02-03 04:05:06.000007"),
        (datetime.datetime(2014, 2, 3, tzinfo=datetime.timezone.utc), "2014-02-03 00:00:00+00:00"),
        (pd.Timestamp("2014-02-03 04:05"), "2014-02-03 04:05:00"),
    ],
)
def test_the_text_form_of_a_value(value, written):
    assert text(value) == written


@pytest.mark.parametrize("value", [b"bytes", [1], {"a": 1}, object(), np.int64(1), datetime.timedelta(1), 1j])
def test_a_value_without_a_text_form_is_named(value):
    with pytest.raises(DataError, match=re.escape(type(value).__name__)):
        text(value)


def test_chunks():
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([], 2)) == []
    assert next(chunked(itertools.count(), 2)) == [0, 1]


def test_a_folder_is_readable():
    assert lake_folder('ExtractVenues {"date": "2014-02-03"}') == "ExtractVenues/date=2014-02-03"
    assert lake_folder('X {"b": "2", "a": "1/2, 3=4"}') == "X/a=1%2F2%2C%203%3D4,b=2"


WORK = st.tuples(
    st.sampled_from(["Extract", "ExtractA", "a.Extract"]),
    st.dictionaries(st.sampled_from(["date", "a", "b", "all"]), st.text(st.characters(codec="utf-8"), max_size=4)),
)


@given(WORK, WORK)
def test_two_works_never_share_a_folder_nor_lie_one_in_the_other(one, other):
    first, second = (lake_folder(f"{family} {json.dumps(said)}") for family, said in (one, other))
    assert (first == second) == (one == other)
    if one != other:
        assert not f"{first}/".startswith(f"{second}/")
        assert not f"{second}/".startswith(f"{first}/")


def test_an_extract_leaves_the_other_extracts_of_its_family_alone(lake):
    """What it sweeps before it writes is below its own folder only."""
    other = lake.client.create_multipart_upload(Bucket=lake.name, Key="ExtractRows/date=2014-02-03/run/part-00000")
    ExtractRows().run()
    left = lake.client.list_multipart_uploads(Bucket=lake.name)["Uploads"]
    assert [upload["UploadId"] for upload in left] == [other["UploadId"]]

"""The cases of csv-spectrum (github.com/maxogden/csv-spectrum), retold: as a partner's file and by the text handle."""

import datetime
from dataclasses import dataclass

import pytest

from etl.extract import BaseExtractor
from etl.load import BaseLoader
from etl.sources.s3 import S3Extractor
from tests.pipeline import night

pytest_plugins = ("tests.nights",)

DAY = datetime.date(2014, 2, 3)


@dataclass(frozen=True)
class Case:
    """`text` is what stands below the header; `rows` what it says."""

    columns: tuple[str, ...]
    text: str
    rows: list[tuple[str | None, ...]]
    line_end: str = "\n"

    @property
    def file(self) -> bytes:
        return f"{','.join(self.columns)}{self.line_end}{self.text}".encode()


CASES = {
    "comma_in_quotes": Case(
        ("venue", "address", "zip"),
        'Bowery,"6 Delancey St, New York, NY",10002\n',
        [("Bowery", "6 Delancey St, New York, NY", "10002")],
    ),
    "empty": Case(("a", "b", "c"), '1,"",""\n2,3,4\n', [("1", "", ""), ("2", "3", "4")]),
    "empty_crlf": Case(("a", "b", "c"), '1,"",""\r\n2,3,4\r\n', [("1", "", ""), ("2", "3", "4")], "\r\n"),
    "escaped_quotes": Case(("a", "b"), '1,"so ""far"" away"\n3,4\n', [("1", 'so "far" away'), ("3", "4")]),
    "json": Case(
        ("key", "val"),
        '1,"{""type"": ""Point"", ""coordinates"": [102.0, 0.5]}"\n',
        [("1", '{"type": "Point", "coordinates": [102.0, 0.5]}')],
    ),
    "location_coordinates": Case(
        ("phone", "place", "city"),
        '0212,"40°43\'13.4""N 73°59\'36.8""W",New York\n',
        [("0212", "40°43'13.4\"N 73°59'36.8\"W", "New York")],
    ),
    "newlines": Case(
        ("a", "b", "c"),
        '1,2,3\n"Twice\nupon a\n\ntime",5,6\n7,8,9\n',
        [("1", "2", "3"), ("Twice\nupon a\n\ntime", "5", "6"), ("7", "8", "9")],
    ),
    "newlines_crlf": Case(
        ("a", "b", "c"),
        '1,2,3\r\n"Twice\r\nupon a\r\n\r\ntime",5,6\r\n7,8,9\r\n',
        [("1", "2", "3"), ("Twice\r\nupon a\r\n\r\ntime", "5", "6"), ("7", "8", "9")],
        "\r\n",
    ),
    "quotes_and_newlines": Case(
        ("a", "b"), '1,"so\n""far""\naway"\n3,4\n', [("1", 'so\n"far"\naway'), ("3", "4")]
    ),
    "simple": Case(("a", "b", "c"), "1,2,3\n", [("1", "2", "3")]),
    "simple_crlf": Case(("a", "b", "c"), "1,2,3\r\n", [("1", "2", "3")], "\r\n"),
    "utf8": Case(("a", "b", "c"), "1,2,3\n4,5,ʤ\n", [("1", "2", "3"), ("4", "5", "ʤ")]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("way", ["file", "handle"])
def test_csv_spectrum(nights, bucket, settings, warehouse, way, name):
    case = CASES[name]
    bucket.configure(settings, "s3_source")
    bucket.put(f"partners/2014/02/03/{name}.csv", case.file)
    columns = ", ".join(f"{column} TEXT" for column in case.columns)
    for table in ("fact_straight", "fact_shaped"):
        nights.table(f"public.{table}", columns)
    sql = nights.write("loads", "shaped", "SELECT * FROM {stage}")
    extract = by_file(case) if way == "file" else by_handle(case)
    night(loader("fact_straight", extract), loader("fact_shaped", extract, sql=sql))
    for table in ("fact_straight", "fact_shaped"):
        assert sorted(warehouse.query(f"SELECT * FROM {table}")) == sorted(case.rows)


def by_file(case: Case) -> type[BaseExtractor]:
    return type("ExtractFile", (S3Extractor,), {"columns": case.columns, "prefix": "partners/{date:%Y/%m/%d}/"})


def by_handle(case: Case) -> type[BaseExtractor]:
    def run(self: BaseExtractor) -> None:
        with self.output().open("w") as outfile:
            outfile.write(case.text)

    return type("ExtractByHandle", (BaseExtractor,), {"columns": case.columns, "run": run})


def loader(table: str, extract: type[BaseExtractor], **said: str) -> BaseLoader:
    return type(f"Load_{table}", (BaseLoader,), {"table": table, "extractor": extract} | said)(date=DAY)

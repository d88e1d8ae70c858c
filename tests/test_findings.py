"""What is put aside: a row that no warehouse can hold is shown as far as one can."""

import json

import pyarrow as pa
import pytest

from etl.findings import LONGEST_TEXT, Findings
from etl.parts import canonical
from tests.pipeline import loader, night

pytest_plugins = ("tests.nights",)


@pytest.mark.parametrize("text", ["x" * 70_000, "🎟️" * 40_000, '"\\' * 40_000])
def test_a_row_that_is_too_long_is_put_aside_as_json_that_fits(text):
    findings = Findings(key=["id"])
    batch = pa.record_batch({"id": [1, 2], "city": ["Ulm", "Bonn"], "note": [text, "short"]})
    assert canonical(batch, findings).column("id").to_pylist() == [2]
    (rejected,) = findings.rejected
    shown = json.loads(rejected.row)
    assert len(rejected.row.encode()) <= LONGEST_TEXT
    assert (shown["id"], shown["city"], rejected.key) == ("1", "Ulm", '["1"]')
    assert shown["note"].startswith(text[:5000]) and shown["note"].endswith(f"… ({len(text):,} characters)")


def test_it_comes_into_the_quarantine_of_either_warehouse(nights, warehouse):
    nights.table("public.page", "id INTEGER NOT NULL PRIMARY KEY, scan VARCHAR(65535)")
    task = loader("page", f"id | scan\n1 | {'x' * 70_000}\n2 | short")()
    night(task)
    assert warehouse.query("SELECT id, scan FROM public.page") == [(2, "short")]
    ((reason, row),) = warehouse.query("SELECT reason, source_row FROM etl.quarantine")
    assert reason == "longer than 65535 bytes" and json.loads(row)["id"] == "1"

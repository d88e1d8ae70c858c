"""How `make test` shares the files among its processes."""

import pytest

from tests.marketplace import ROOT
from tests.scheduling import LONGEST, ByFileAndEngine


@pytest.mark.parametrize(
    ("test", "piece"),
    [
        ("tests/test_load.py::test_a_day[postgres]", "tests/test_load.py postgres"),
        ("tests/test_load.py::test_a_day[redshift-1-x]", "tests/test_load.py redshift"),
        ("tests/test_mysql.py::test_keys[a INT-postgres]", "tests/test_mysql.py postgres"),
        ("tests/test_cli.py::test_help", "tests/test_cli.py "),
        ("tests/test_url.py::test_schemes[postgresql]", "tests/test_url.py "),
    ],
)
def test_a_piece_is_a_files_tests_on_one_engine(test, piece):
    assert ByFileAndEngine._split_scope(ByFileAndEngine.__new__(ByFileAndEngine), test) == piece


def test_each_of_the_longest_is_there():
    files = [str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")]
    assert [name for name in LONGEST if not any(file.startswith(name) for file in files)] == []

"""What is sent to a Redshift: each statement stands in a golden file, which a person has read.

A difference is shown; `GOLDEN=accept pytest tests/test_golden.py` rewrites the files.
"""

import functools

import pytest

from etl.stack import Postgres
from etl.testing.copies import Copies
from etl.testing.servers import Moto
from tests import golden
from tests.golden.call_sites import missed, sites
from tests.golden.scenarios import SCENARIOS
from tests.golden.world import Recorded, Servers, record
from tests.redshift.server import RedshiftEmulator

# Call sites that no scenario comes by, and why.
EXCEPTIONS: dict[str, str] = {
    "rows, version = db.query(sample), db.version()": "the last lines of `etl demo night`, which needs a stack",
    '((said,),) = self.query("SELECT version()")': "asked by the same",
    "_show(db.names_of(said), db.query(said))": "`etl demo sql`, which sends what a person has written",
}


class Acted:
    """Each scenario is acted out once, when it is first asked for."""

    def __init__(self, servers: Servers) -> None:
        self._record = functools.cache(lambda name: record(SCENARIOS[name], servers))

    def __getitem__(self, name: str) -> Recorded:
        return self._record(name)


@pytest.fixture(scope="module")
def acted(
    request: pytest.FixtureRequest,
    postgres: Postgres,
    database_copies: Copies,
    redshift: RedshiftEmulator,
    redshift_template: str,
    moto_s3: Moto,
) -> Acted:
    mariadb = functools.partial(request.getfixturevalue, "mariadb")
    return Acted(Servers(postgres, database_copies, redshift, redshift_template, moto_s3, mariadb))


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_is_sent_is_what_was_reviewed(name: str, acted: Acted) -> None:
    about = " ".join((SCENARIOS[name].__doc__ or "").split())
    title = f"{name.replace('_', ' ')}: {about}" if about else name.replace("_", " ")
    golden.compare(name, golden.rendered(title, acted[name].statements))


def test_every_golden_file_has_its_scenario() -> None:
    assert {path.stem for path in golden.FOLDER.glob("*.sql")} == set(SCENARIOS)


def test_every_call_site_is_reached(acted: Acted) -> None:
    """Or else what it sends to a Redshift stands in no golden file."""
    reached = set().union(*(acted[name].reached for name in SCENARIOS))
    left = [site for site in missed(reached) if site.source not in EXCEPTIONS]
    assert "\n".join(map(str, left)) == ""


def test_every_exception_is_one() -> None:
    assert set(EXCEPTIONS) <= {site.source for site in sites()}

"""The chaos tests' servers, houses and shop: tests/chaos.py on a warehouse, a source and a lake that fail on demand."""

import contextlib
import datetime
import random
import uuid
from collections.abc import Iterator
from configparser import RawConfigParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from etl.stack import MariaDB, Postgres
from etl.testing import Bucket, ShopDatabase
from etl.testing.servers import Moto, started
from tests.faults.s3 import S3Proxy
from tests.faults.tcp import HOST, TcpProxy
from tests.marketplace import ROOT, Databases, House
from tests.redshift.server import RedshiftEmulator

NIGHT, SCANS = "tests.chaos.Night", "tests.chaos.LoadPages"
DAY = datetime.date(2024, 2, 28)
NEXT = DAY + datetime.timedelta(days=1)
# Of 30,000 random bytes each: the fourth part of an extract may have 8 MiB, and then travels in pieces.
PAGES = 600
SQL = Path(__file__).parent / "sql"
# In every row of a person, and in the lake's secret key: neither may ever be in a log.
PERSON, SECRET = "canary-of-a-person", "canary-of-a-key"


class Cut:
    """Three proxies, `mysql`, `warehouse` and `lake`, and a fourth behind the last, `s3`, which knows requests.

    The third stands before the engine's own `server`. `postgres` is that in which its databases are.
    """

    def __init__(
        self, databases: Databases, postgres: Postgres, moto: Moto, s3: S3Proxy, shop: ShopDatabase, folder: Path
    ) -> None:
        self.postgres, self.shop, self.s3 = postgres, shop, s3
        self.server = databases.server
        self._databases, self._moto, self._folder = databases, moto, folder
        self._houses: list[House] = []
        self.mysql = TcpProxy(urlsplit(shop.url).port or 0)
        self.warehouse = TcpProxy(self.server.port)
        self.lake = TcpProxy(s3.port)

    @property
    def engine(self) -> str:
        return self.server.name

    @property
    def proxies(self) -> dict[str, TcpProxy]:
        return {"mysql": self.mysql, "warehouse": self.warehouse, "lake": self.lake}

    def clear(self) -> None:
        for proxy in (*self.proxies.values(), self.s3):
            proxy.clear()

    def house(self, like: House | None = None, **settings: dict[str, str]) -> House:
        """An empty warehouse, or a copy of another that nobody is connected to; its lake is empty."""
        database = self._databases.make(like.database if like else None)
        name = database.name
        made = House(database, Bucket(self._moto, name.replace("_", "-")), self._folder / f"{name}.cfg")
        self._houses.append(made)
        self.configure(made, **settings)
        return made

    def configure(self, house: House, **settings: dict[str, str]) -> None:
        """Write the house's luigi.cfg: the repository's own, where the servers are, and these settings."""
        parser = RawConfigParser()
        parser.read(ROOT / "luigi.cfg")
        parser.read_dict(
            {
                "etl": {"sql": str(SQL)},
                "core": {"lock_pid_dir": str(house.settings.with_suffix(".lock"))},
                # What fails stays failed until the next night: the harder case.
                "worker": {"keep_alive": "false"},
                "warehouse": {"url": _through(self.warehouse, house.database.setting), "lock_timeout": "5"},
                "mysql": {"url": _through(self.mysql, self.shop.url)},
                "lake": {
                    "url": house.lake.url,
                    "endpoint_url": f"http://{HOST}:{self.lake.port}",
                    "region": "us-east-1",
                    "access_key_id": "test",
                    "secret_access_key": SECRET,
                },
            }
        )
        parser.read_dict(settings)
        with house.settings.open("w") as file:
            parser.write(file)

    def remove(self, house: House) -> None:
        self._houses.remove(house)
        self._databases.drop(house.database)

    def close(self) -> None:
        for proxy in self.proxies.values():
            proxy.close()
        for house in list(self._houses):
            self.remove(house)


def _through(proxy: TcpProxy, url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")).geturl()


def open_shop(shop: ShopDatabase) -> None:
    """The shop at the end of DAY."""
    for statement in _DAY.format(PERSON=PERSON, DAY=DAY).strip().split(";\n"):
        shop.execute(statement)
    pages = [(number, random.Random(number).randbytes(30_000)) for number in range(PAGES)]
    shop.execute("INSERT INTO pages VALUES (%s, %s)", pages)


def a_day_passes(shop: ShopDatabase) -> None:
    """Every table gains rows, and those that may change and lose some do."""
    for statement in _NEXT.format(PERSON=PERSON, NEXT=NEXT).strip().split(";\n"):
        shop.execute(statement)


_DAY = """
CREATE TABLE fans (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, email VARCHAR(100), city VARCHAR(50));
INSERT INTO fans SELECT seq, CONCAT('Fan ', seq, ' é🎟️'), CONCAT('{PERSON}-', seq, '@example.com'),
    IF(seq % 7, CONCAT('City ', seq % 50), NULL) FROM seq_1_to_3000;
CREATE TABLE visits (id INT PRIMARY KEY, fan_id INT, gate VARCHAR(10), seconds INT NOT NULL, visited_on DATE NOT NULL);
INSERT INTO visits SELECT seq, IF(seq % 17, 1 + seq * 37 % 3000, NULL), ELT(1 + seq % 3, 'north', '', NULL),
    seq * 7919 % 10000, DATE_SUB('{DAY}', INTERVAL seq % 3 DAY) FROM seq_1_to_6000;
CREATE TABLE prices (id INT PRIMARY KEY, seat VARCHAR(50) NOT NULL, price DECIMAL(10,2) NOT NULL, note VARCHAR(100));
INSERT INTO prices SELECT seq, CONCAT('Block ', seq % 40, ', seat ', seq), seq * 7919 % 100000 / 100,
    IF(seq % 5, MD5(seq), NULL) FROM seq_1_to_24000;
CREATE TABLE pages (id INT PRIMARY KEY, scan MEDIUMBLOB NOT NULL);
ANALYZE TABLE prices PERSISTENT FOR ALL
"""
_NEXT = """
INSERT INTO fans SELECT seq, CONCAT('Fan ', seq), CONCAT('{PERSON}-', seq, '@example.com'), 'New' FROM seq_3001_to_3200;
UPDATE fans SET city = 'Moved', email = NULL WHERE id % 11 = 0;
DELETE FROM fans WHERE id % 97 = 1 AND id <= 3000;
INSERT INTO visits SELECT seq, IF(seq % 17, 1 + seq * 37 % 3200, NULL), 'new', seq * 7919 % 10000,
    '{NEXT}' FROM seq_6001_to_8000;
INSERT INTO prices SELECT seq, CONCAT('Block ', seq % 40, ', seat ', seq), 1234567.89, NULL FROM seq_24001_to_24500;
UPDATE prices SET price = price + 0.01, note = 'raised' WHERE id % 13 = 0;
DELETE FROM prices WHERE id % 101 = 1
"""


@pytest.fixture(scope="module")
def cut(
    request: pytest.FixtureRequest,
    engine: str,
    postgres: Postgres,
    mariadb: MariaDB,
    moto_s3: Moto,
    server_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cut]:
    """Nothing is in the shop yet. An emulated Redshift is of its own: it is killed, and reads the lake that fails."""
    name = f"shop_{uuid.uuid4().hex}"
    ShopDatabase(mariadb, "shop").execute(f"CREATE DATABASE {name}")
    shop, folder = ShopDatabase(mariadb, name), tmp_path_factory.mktemp("houses")
    with S3Proxy(moto_s3.port) as s3, contextlib.ExitStack() as stack:
        if engine == "redshift":
            server = RedshiftEmulator(server_folder / "redshift-cut", postgres, f"http://{HOST}:{s3.port}", log=True)
            stack.enter_context(started(server))
            databases = Databases(postgres, server, request.getfixturevalue("redshift_template"))
        else:
            databases = Databases(postgres, postgres, "template1")
        made = Cut(databases, postgres, moto_s3, s3, shop, folder)
        yield made
        made.close()
    shop.execute(f"DROP DATABASE {name}")

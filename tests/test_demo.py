"""The sample business: the same every time, as large as asked, dirty where it says so, and whole in every source."""

import csv
import gzip
import hashlib
import io
import json
from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pymysql
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import demo.elasticsearch
import demo.mysql
import demo.redis
from demo import partners, words
from demo.attention import DAYS, EMAIL_COLUMNS, days, emails, searches
from demo.business import COLUMNS, HISTORY_DAYS, SEED, ZERO_DATE, Business, user_is_deleted, venue_is_deleted
from demo.mysql import TABLES
from demo.redis import keyspace
from demo.seed import seed, seeded
from etl.config import Store
from etl.errors import SourceError

DAY = date(2026, 3, 1)


def tables(business):
    """Every table's rows as dicts."""
    found = {name: [] for name in COLUMNS}
    for name, rows in business.tables():
        found[name] += [dict(zip(COLUMNS[name], row, strict=True)) for row in rows]
    return found


@pytest.fixture(scope="module")
def shop():
    return tables(Business(1, DAY))


def fingerprint(business):
    digest = hashlib.sha256()
    for batch in business.tables():
        digest.update(repr(batch).encode())
    for documents in searches(business):
        digest.update(json.dumps(documents).encode())
    for name, body, rows in partners.files(business):
        digest.update(f"{name} {rows}".encode() + body)
    return digest.hexdigest()


def test_the_same_scale_day_and_seed_give_the_same_bytes():
    assert fingerprint(Business(0.3, DAY, seed=7)) == fingerprint(Business(0.3, DAY, seed=7))


@pytest.mark.parametrize("other", [Business(0.3, DAY, seed=8), Business(0.3, date(2026, 3, 2), seed=7)])
def test_another_seed_or_day_is_another_business(other):
    assert fingerprint(Business(0.3, DAY, seed=7)) != fingerprint(other)


@pytest.mark.parametrize("scale", [0.1, 1, 3])
def test_everything_grows_with_the_scale(scale):
    business = Business(scale, DAY)
    found = {name: len(rows) for name, rows in tables(business).items()}
    assert found["ticket_sales"] == round(20_000 * scale)
    assert found["listings"] == pytest.approx(26_400 * scale, rel=0.01)
    assert found["users"] == pytest.approx(5_000 * scale, rel=0.03)
    assert sum(map(len, searches(business))) == round(8_000 * scale)
    assert sum(rows for _, _, rows in partners.files(business)) == round(1_000 * scale) * 3 * DAYS


def test_chunks_join_without_a_seam():
    found = tables(Business(2.5, DAY))
    for name in ("listings", "ticket_sales"):
        assert [row["id"] for row in found[name]] == list(range(1, len(found[name]) + 1))
    sold = [row["sold_at"] for row in found["ticket_sales"]]
    assert sold == sorted(sold)


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.001, 0.2),
    seed=st.integers(0, 2**32),
    day=st.dates(date(2016, 1, 1), date(2036, 12, 31)),
)
# A sale in the very second in which an event begins.
@example(scale=0.1933799540755622, seed=0, day=date(2016, 1, 1))
def test_the_books_agree_with_each_other_at_any_scale_and_day(scale, seed, day):
    found = tables(Business(scale, day, seed))
    midnight = datetime.combine(day, time()) + timedelta(days=1)
    opening = midnight - timedelta(days=HISTORY_DAYS)
    users = {row["id"]: row for row in found["users"]}
    events = {row["id"]: row for row in found["events"]}
    listings = {row["id"]: row for row in found["listings"]}

    assert all(row["updated_at"] < midnight for rows in found.values() for row in rows)
    for listing in listings.values():
        assert opening <= listing["created_at"] <= listing["updated_at"]
        assert listing["event_id"] in events
        assert set(listing["delivery"].split(",")) <= {"mobile", "paper", "will_call", ""}
    for sale in found["ticket_sales"]:
        assert opening <= sale["sold_at"] <= sale["updated_at"]
        assert sale["sold_at"] < events[sale["event_id"]]["starts_at"]
        assert sale["unit_price"] > 0 and sale["fee"] >= 0 and sale["quantity"] > 0
        assert events[sale["event_id"]]["status"] != "cancelled" or sale["status"] == "refunded"
        if sale["listing_id"]:
            listing = listings[sale["listing_id"]]
            assert (listing["status"], listing["event_id"]) == ("sold", sale["event_id"])
            assert (listing["price"], listing["quantity"]) == (sale["unit_price"], sale["quantity"])
            assert listing["created_at"] <= sale["sold_at"]
        if sale["buyer_id"] in users:
            assert users[sale["buyer_id"]]["created_at"] <= sale["sold_at"]
        else:
            assert sale["buyer_id"] is None or user_is_deleted(sale["buyer_id"])


def test_trade_has_seasons_and_ends_on_the_last_day(shop):
    sold = [row["sold_at"] for row in shop["ticket_sales"]]
    hours, weekdays = Counter(at.hour for at in sold), Counter(at.weekday() for at in sold)
    months = Counter((at.year, at.month) for at in sold)
    assert min(sold).date() - (DAY - timedelta(days=HISTORY_DAYS - 1)) < timedelta(days=3)
    assert max(sold).date() == DAY
    assert hours[20] > 5 * hours[6] and weekdays[4] > 1.3 * weekdays[0]
    assert months[2025, 7] > 1.3 * months[2025, 2]
    assert months[2025, 7] > months[2024, 7]
    by_event = Counter(row["event_id"] for row in shop["ticket_sales"]).most_common()
    assert sum(count for _, count in by_event[: len(by_event) // 10]) > len(sold) / 4  # hits


def values(shop, table, column):
    return [row[column] for row in shop[table]]


@pytest.mark.parametrize(("table", "column"), [("users", "name"), ("ticket_sales", "note")])
def test_all_the_dirty_text_is_there(shop, table, column):
    assert set(words.DIRT) <= set(values(shop, table, column))


def test_the_dirt_breaks_what_it_is_meant_to_break():
    whole = "".join(words.DIRT)
    assert {"\\N", "\\.", "", "NULL"} <= set(words.DIRT)
    assert all(each in whole for each in ("\n", "\r\n", "\t", "\\", '"', "'", ",", "\u2028", "\ufeff", "%s"))
    assert any(ord(letter) > 0xFFFF for letter in whole)  # MySQL's three-byte utf8 cannot hold it


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("users", "email"), ("users", "name"), ("users", "city"), ("users", "country"), ("users", "birth_date"),
        ("users", "marketing_opt_in"), ("venues", "capacity"), ("venues", "opened_on"), ("events", "venue_id"),
        ("events", "performer"), ("events", "doors_at"), ("events", "season_year"), ("listings", "row"),
        ("ticket_sales", "listing_id"), ("ticket_sales", "buyer_id"), ("ticket_sales", "discount"),
        ("ticket_sales", "note"), ("ticket_sales", "attributes"),
    ],
)  # fmt: skip
def test_what_may_be_null_sometimes_is(shop, table, column):
    assert 0 < values(shop, table, column).count(None) < len(shop[table])


@pytest.mark.parametrize(("table", "column"), [("users", "birth_date"), ("venues", "opened_on")])
def test_zero_dates(shop, table, column):
    assert ZERO_DATE in values(shop, table, column)


def test_deleted_users_and_venues_are_still_named(shop):
    users, venues = set(values(shop, "users", "id")), set(values(shop, "venues", "id"))
    lost_buyers = set(values(shop, "ticket_sales", "buyer_id")) - users - {None}
    lost_venues = set(values(shop, "events", "venue_id")) - venues - {None}
    assert lost_buyers and all(map(user_is_deleted, lost_buyers))
    assert lost_venues and all(map(venue_is_deleted, lost_venues))


def test_late_updates_and_refunds(shop):
    sales = shop["ticket_sales"]
    late = [row for row in sales if row["updated_at"] - row["sold_at"] > timedelta(days=30)]
    assert len(sales) * 0.01 < len(late) < len(sales) * 0.2
    # The night's own work: old sales that changed on the last day.
    assert any(row["updated_at"].date() == DAY and row["sold_at"].date() < DAY for row in sales)
    assert {row["status"] for row in sales} == {"paid", "refunded", "cancelled"}


def test_searches_are_dirty_in_shape_too():
    found = [document for batch in searches(Business(1, DAY)) for document in batch]
    assert len({document["search_id"] for document in found}) == len(found)
    assert {document["searched_at"][:10] for document in found} == {f"{day}" for day in days(Business(1, DAY))}
    assert all(document["search_id"][2:10] == document["searched_at"][:10].replace("-", "") for document in found)
    kinds = {
        field: {type(document.get(field, ...)) for document in found}
        for field in ("user_id", "category", "event_clicked", "price_max")
    }
    assert kinds == {
        "user_id": {int, type(...)},
        "category": {str, list, type(...)},
        "event_clicked": {int, type(...)},
        "price_max": {float, str, type(None), type(...)},
    }
    queries = "".join(document["query"] for document in found)
    assert all(each in queries for each in ("🎸", '"', "\n"))
    by_session = {}
    for document in found:
        by_session.setdefault(document["session"], set()).add(document.get("user_id"))
    assert all(len(users) == 1 for users in by_session.values())


def test_three_mailers_mean_the_same():
    business = Business(0.3, DAY)
    bodies = {name: body for name, body, _ in partners.files(business)}
    for day in days(business):
        folder = f"{day:%Y/%m/%d}/"
        wanted = {
            mailer: [row for batch in emails(business, mailer, day) for row in batch]
            for mailer in ("mailer-a", "mailer-b", "mailer-c")
        }

        text = gzip.decompress(bodies[folder + "mailer-a.csv.gz"]).decode()
        header, *rows = csv.reader(io.StringIO(text, newline=""))
        assert tuple(header) == EMAIL_COLUMNS
        parsed = (int, int, *(datetime.fromisoformat,) * 3, {"true": True, "false": False}.__getitem__, Decimal)
        assert wanted["mailer-a"] == [
            (*row[:2], *(parse(cell) if cell else None for parse, cell in zip(parsed, row[2:], strict=True)))
            for row in rows
        ]

        lines = pa.CompressedInputStream(pa.BufferReader(bodies[folder + "mailer-b.jsonl.zst"]), "zstd").read()
        found = [json.loads(line, parse_float=Decimal) for line in lines.decode().rstrip("\n").split("\n")]
        assert all(value is not None for line in found for value in line.values())
        for line in found:
            for column in ("sent_at", "opened_at", "clicked_at"):
                if column in line:
                    line[column] = datetime.fromisoformat(line[column].removesuffix("Z"))
        assert wanted["mailer-b"] == [tuple(line.get(column) for column in EMAIL_COLUMNS) for line in found]

        table = pq.read_table(io.BytesIO(bodies[folder + "mailer-c.parquet"]))
        assert table.schema.equals(partners.PARQUET_SCHEMA)
        naive = [tuple(v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in row.values())
                 for row in table.to_pylist()]  # fmt: skip
        assert wanted["mailer-c"] == naive


def test_campaign_results_follow_from_each_other():
    business = Business(1, DAY)
    midnight = datetime.combine(DAY, time()) + timedelta(days=1)
    rows = [
        dict(zip(EMAIL_COLUMNS, row, strict=True))
        for day in days(business)
        for batch in emails(business, "mailer-a", day)
        for row in batch
    ]
    for row in rows:
        times = [row[column] for column in ("sent_at", "opened_at", "clicked_at") if row[column]]
        assert times == sorted(times) and times[-1] < midnight
        assert not (row["bounced"] and row["opened_at"])
        assert row["opened_at"] or not row["clicked_at"]
        assert row["clicked_at"] or row["revenue"] is None
    for column in ("user_id", "event_id", "opened_at", "clicked_at", "revenue"):
        assert 0 < sum(row[column] is None for row in rows) < len(rows)
    assert set(words.CAMPAIGNS) == {row["campaign"] for row in rows}


def test_every_table_has_its_columns_in_order():
    for table, definition in TABLES.items():
        defined = [line.split()[0].strip("`") for line in definition.strip().splitlines()]
        assert (*defined, "updated_at") == COLUMNS[table]


# From here on, real servers.


@pytest.fixture
def store(bucket):
    return Store(f"{bucket.url}/partners", bucket.endpoint_url, "us-east-1", "test", "test")


@pytest.fixture
def sources(mysql, redis, search, store):
    """Where `seed` is to write."""
    return {
        "mysql_url": mysql.app_url,
        "redis_url": redis.url,
        "elasticsearch_url": search.url,
        "store": store,
    }


def as_pymysql_reads_it(table, row):
    """PyMySQL's own types for TIME, BIT and the decimals that are drawn as text."""
    read = dict(zip(COLUMNS[table], row, strict=True))
    for column, convert in {
        "doors_at": lambda text: timedelta(hours=int(text[:2]), minutes=int(text[3:5])),
        "marketing_opt_in": lambda bit: bytes([bit]),
        "latitude": Decimal,
        "longitude": Decimal,
    }.items():
        if read.get(column) is not None:
            read[column] = convert(read[column])
    return tuple(read.values())


def read_shop(url):
    parts = urlsplit(url)
    with pymysql.connect(
        host=parts.hostname, port=parts.port, user=unquote(parts.username), password=unquote(parts.password or ""),
        database=parts.path[1:], charset="utf8mb4", init_command="SET time_zone = '+00:00'",
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT * FROM `{table}` ORDER BY id")
            found[table] = list(cursor.fetchall())
        return found


def test_mysql_gives_back_every_row_as_it_was_drawn(mysql):
    business = Business(0.3, DAY)
    wanted = {name: [] for name in COLUMNS}
    for name, rows in business.tables():
        wanted[name] += [as_pymysql_reads_it(name, row) for row in rows]
    for _ in range(2):  # the second time over the first
        counts = demo.mysql.load(business, mysql.app_url, report=print)
        assert read_shop(mysql.app_url) == wanted
        assert counts == {name: len(rows) for name, rows in wanted.items()}


def test_redis_holds_what_was_recorded_and_what_is_not_ours(redis):
    recorded = keyspace()
    redis.set("someone:else", "kept")
    redis.sadd("sxp:e", "left over")
    redis.set("sxp:e:button-color", "of another type")
    assert demo.redis.load(redis.url) == {"sixpack_keys": len(recorded)} == {"sixpack_keys": 112}
    read = {
        "string": redis.get,
        "set": redis.smembers,
        "hash": redis.hgetall,
        "list": lambda key: redis.lrange(key, 0, -1),
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    wanted = {
        "string": lambda text: bytes.fromhex(text[4:]) if text.startswith("hex:") else text.encode(),
        "set": lambda members: {member.encode() for member in members},
        "hash": lambda fields: {name.encode(): text.encode() for name, text in fields.items()},
        "list": lambda items: [item.encode() for item in items],
        "zset": lambda pairs: [[member.encode(), score] for member, score in pairs],
    }
    for key, (kind, value) in recorded.items():
        assert redis.type(key).decode() == kind
        found = read[kind](key)
        assert ([list(pair) for pair in found] if kind == "zset" else found) == wanted[kind](value)
    assert redis.get("someone:else") == b"kept"
    assert redis.dbsize() == len(recorded) + 1


def test_searches_arrive_as_they_were_drawn(search):
    business = Business(0.02, DAY)
    wanted = {document["search_id"]: document for batch in searches(business) for document in batch}
    for _ in range(2):
        assert demo.elasticsearch.load(business, search.url) == {"searches": len(wanted)}
        found = search.request("POST", "/searches/_search", '{"size": 1000}')["hits"]["hits"]
        assert {hit["_id"]: hit["_source"] for hit in found} == wanted
    mapped = search.request("GET", "/searches/_mapping")["searches"]["mappings"]["properties"]
    assert {name: field["type"] for name, field in mapped.items()} == {
        name: field["type"] for name, field in demo.elasticsearch.MAPPING["mappings"]["properties"].items()
    }


def test_documents_that_the_server_refuses_are_an_error(search, monkeypatch):
    strict = {"mappings": {"dynamic": "strict", "properties": {"search_id": {"type": "keyword"}}}}
    monkeypatch.setattr(demo.elasticsearch, "MAPPING", strict)
    with pytest.raises(SourceError, match=r"\d+ of \d+ documents refused by index searches, the first, s-2026"):
        demo.elasticsearch.load(Business(0.02, DAY), search.url)


def test_campaign_files_replace_those_of_another_day(bucket, store):
    root = "partners/campaigns/"
    bucket.put(root + "README", b"kept")
    partners.load(Business(0.02, DAY - timedelta(days=30)), store)
    partners.load(Business(0.02, DAY), store)
    found = {key.removeprefix(root): bucket.get(key) for key in bucket.keys("partners")}
    assert found.pop("README") == b"kept"
    assert found == {name: body for name, body, _ in partners.files(Business(0.02, DAY))}


def test_seed_fills_all_the_sources_and_remembers_with_what(sources, tmp_path):
    said = []
    counts = seed(0.05, DAY, **sources, report=said.append, folder=tmp_path)
    assert counts["ticket_sales"] == 1_000 and counts["sixpack_keys"] == 112
    assert set(counts) == {*COLUMNS, "sixpack_keys", "searches", "campaign_emails"}
    assert seeded(tmp_path) == {"scale": 0.05, "day": "2026-03-01", "seed": SEED, "counts": counts}
    assert [line.partition(":")[0] for line in said] == ["MySQL", "Redis", "Elasticsearch", "S3"]


def test_a_seeding_that_fails_names_the_source_and_is_not_remembered(sources, tmp_path):
    seed(0.01, DAY, **sources, report=print, folder=tmp_path)
    nobody = sources | {"redis_url": "redis://127.0.0.1:1/0"}
    with pytest.raises(SourceError, match=r"^Redis: .*seed again"):
        seed(0.01, DAY, **nobody, report=print, folder=tmp_path)
    assert seeded(tmp_path) is None

"""Database `shop`: its tables as the marketplace's developers made them, and the way to fill them quickly.

There are no foreign keys, as in many a shop that has grown: sales outlive the users and venues they name.
"""

from collections import Counter
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.connections import Connection

from demo.business import COLUMNS, Business

TABLES = {
    "users": """
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        email VARCHAR(255) NULL COMMENT 'not unique: people share mailboxes',
        name VARCHAR(120) NULL COMMENT 'as typed by its owner',
        city VARCHAR(80) NULL,
        country CHAR(2) NULL COMMENT 'ISO 3166-1 alpha-2',
        birth_date DATE NULL COMMENT 'asked since 2016; the old sign-up form saved 0000-00-00 when left out',
        is_active TINYINT(1) NOT NULL DEFAULT 1,
        marketing_opt_in BIT(1) NULL COMMENT 'NULL: never asked',
        created_at DATETIME NOT NULL COMMENT 'UTC',
    """,
    "venues": """
        id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        name VARCHAR(160) NOT NULL,
        city VARCHAR(80) NULL,
        state VARCHAR(40) NULL,
        country CHAR(2) NULL COMMENT 'ISO 3166-1 alpha-2',
        capacity INT UNSIGNED NULL COMMENT '0 or NULL: not known',
        latitude DECIMAL(9,6) NULL,
        longitude DECIMAL(9,6) NULL,
        opened_on DATE NULL COMMENT '0000-00-00 came with an import',
    """,
    "events": """
        id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        venue_id INT UNSIGNED NULL COMMENT 'NULL: to be announced; the venue may have been deleted since',
        title VARCHAR(200) NOT NULL,
        category VARCHAR(40) NOT NULL,
        performer VARCHAR(160) NULL,
        starts_at DATETIME NOT NULL COMMENT 'UTC',
        doors_at TIME NULL,
        season_year YEAR NULL COMMENT 'leagues only',
        status ENUM('scheduled','postponed','cancelled','done') NOT NULL,
    """,
    "listings": """
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        event_id INT UNSIGNED NOT NULL,
        seller_id BIGINT UNSIGNED NOT NULL COMMENT 'users.id; the account may have been closed since',
        section VARCHAR(40) NOT NULL,
        `row` VARCHAR(10) NULL COMMENT 'text: 007 and AA are rows too',
        quantity SMALLINT UNSIGNED NOT NULL,
        price DECIMAL(10,2) NOT NULL COMMENT 'one ticket, USD',
        status ENUM('open','sold','withdrawn') NOT NULL,
        delivery SET('mobile','paper','will_call') NOT NULL,
        created_at DATETIME NOT NULL COMMENT 'UTC',
    """,
    "ticket_sales": """
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        listing_id BIGINT UNSIGNED NULL COMMENT 'NULL: sold by the box office',
        event_id INT UNSIGNED NOT NULL,
        buyer_id BIGINT UNSIGNED NULL COMMENT 'users.id; NULL: bought as a guest; the account may have been closed',
        quantity SMALLINT UNSIGNED NOT NULL,
        unit_price DECIMAL(10,2) NOT NULL COMMENT 'one ticket, USD',
        fee DECIMAL(10,2) NOT NULL COMMENT 'ours, for all tickets of the sale',
        discount DECIMAL(10,2) NULL COMMENT 'for all tickets of the sale',
        status ENUM('paid','refunded','cancelled') NOT NULL,
        note TEXT NULL COMMENT 'as typed by buyer or support',
        attributes JSON NULL,
        sold_at DATETIME NOT NULL COMMENT 'UTC',
    """,
}

# Its own default and trigger are spelt out because MariaDB and MySQL differ in what they add to a bare TIMESTAMP.
_TAIL = """
        updated_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
        KEY updated_at (updated_at)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""

_PROGRESS_ROWS = 500_000


def load(business: Business, url: str, report: Callable[[str], None]) -> dict[str, int]:
    """Drop and recreate the shop's five tables and fill them; the rows of each are counted in the answer.

    The database that the URL names must exist. Whatever else it holds is left alone.
    """
    counts: Counter[str] = Counter()
    with _connect(url) as connection, connection.cursor() as cursor:
        for table, columns in TABLES.items():
            cursor.execute(f"DROP TABLE IF EXISTS `{table}`")
            cursor.execute(f"CREATE TABLE `{table}` ({columns}{_TAIL}")
        for table, rows in business.tables():
            names = ", ".join(f"`{column}`" for column in COLUMNS[table])
            places = ", ".join(["%s"] * len(COLUMNS[table]))
            cursor.executemany(f"INSERT INTO `{table}` ({names}) VALUES ({places})", rows)
            connection.commit()
            before = counts.total()
            counts[table] += len(rows)
            if counts.total() // _PROGRESS_ROWS > before // _PROGRESS_ROWS:
                report(f"MySQL: {counts.total():,} rows so far")
    return dict(counts)


def _connect(url: str) -> Connection:
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=unquote(parts.path.lstrip("/")),
        charset="utf8mb4",
        # Strict, so that nothing is cut to fit; without NO_ZERO_DATE, so that zero dates come in.
        sql_mode="STRICT_TRANS_TABLES",
        init_command="SET time_zone = '+00:00'",
    )

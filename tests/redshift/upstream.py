"""The Postgres behind the emulator: what is created in its database, and what each session sets."""

from contextlib import closing
from pathlib import Path

import psycopg2

from tests.redshift.commands import UPSTREAM_PATH

_OBJECTS = Path(__file__).with_name("objects.sql")

# Of every session, right after it has connected. The isolation level is the emulator's to choose.
SETTINGS: tuple[str, ...] = (
    f'SET search_path TO "$user", public, {UPSTREAM_PATH}',
    "SET timezone TO 'UTC'",
    "SET datestyle TO 'ISO, MDY'",
    # As in Postgres 8.0, which had nothing else: a client that hears of neither doubles its backslashes.
    "SET standard_conforming_strings TO off",
    "SET escape_string_warning TO off",
)

# Clients know VARCHAR by the OID of Postgres's own: columns of this type are to be described to them as 1043.
VARCHAR_OID = "SELECT 'redshift.varchar'::regtype::oid"


def install(admin_url: str) -> None:
    """Creates in one database everything that objects.sql has; leaves it alone where it is there."""
    with closing(psycopg2.connect(admin_url)) as connection, connection, connection.cursor() as cursor:
        # Two processes may start at once.
        cursor.execute("SELECT pg_advisory_xact_lock(5439)")
        cursor.execute("SELECT to_regnamespace('redshift') IS NOT NULL")
        if cursor.fetchone() != (True,):
            cursor.execute(_OBJECTS.read_text())

"""Errors of the warehouse's own, at a chosen statement.

Postgres has triggers that count what changes tables or their rows, and raise at the nth. The emulated Redshift counts
every statement that it is sent, and has faults of its own.
"""

import contextlib

import psycopg2

from tests.faults.watch import TABLES
from tests.marketplace import House
from tests.redshift.server import RedshiftEmulator

_COUNTERS = """
CREATE SCHEMA chaos;
-- A sequence goes on counting when the transaction is rolled back: the same fault does not come twice.
CREATE SEQUENCE chaos.passed;
CREATE TABLE chaos.plan (nth BIGINT, sqlstate TEXT, seconds DOUBLE PRECISION);
CREATE FUNCTION chaos.pass() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE plan chaos.plan;
BEGIN
    SELECT * INTO plan FROM chaos.plan WHERE nth = nextval('chaos.passed');
    IF FOUND THEN
        PERFORM pg_sleep(plan.seconds);
        IF plan.sqlstate <> '' THEN
            RAISE EXCEPTION 'planned' USING ERRCODE = plan.sqlstate;
        END IF;
    END IF;
END $$;
GRANT USAGE ON SCHEMA chaos TO PUBLIC;
CREATE FUNCTION chaos.on_rows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM chaos.pass(); RETURN NULL; END';
CREATE FUNCTION chaos.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM chaos.pass(); END';
-- At the commit itself.
CREATE CONSTRAINT TRIGGER chaos AFTER INSERT ON etl.loads DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION chaos.on_rows();
"""
_EACH = "CREATE TRIGGER chaos_rows BEFORE INSERT OR UPDATE OR DELETE ON {} EXECUTE FUNCTION chaos.on_rows();\n"
_BOOKS = ("etl.loads", "etl.receipts", "etl.watermarks", "etl.data_as_of", "etl.extracts")


def count_statements(house: House, nth: int = 0, sqlstate: str = "", seconds: float = 0) -> None:
    """The nth takes longer, and with a state it is refused. Of Postgres."""
    house.query(_COUNTERS + "".join(map(_EACH.format, (*TABLES, *_BOOKS))))
    house.query("INSERT INTO chaos.plan VALUES (%s, %s, %s)", (nth, sqlstate, seconds))
    house.query("CREATE EVENT TRIGGER chaos ON ddl_command_start EXECUTE FUNCTION chaos.on_ddl()")


def counted(house: House) -> int:
    return house.query("SELECT last_value FROM chaos.passed")[0][0]


def stop_counting(house: House) -> None:
    house.query("DROP EVENT TRIGGER chaos; DROP SCHEMA chaos CASCADE")


# Not those of the analyst who looks on.
_ANY, _COMMITS = "/^(?!SELECT [(]SELECT )/", "/^COMMIT/"


def sent(server: RedshiftEmulator, house: House, commits: bool = False) -> int:
    """How many statements the loads have sent to a house's warehouse, or how many of them are commits."""
    return sum(
        line["database"] == house.database.name
        and line["user"] == "etl_load"
        and (not commits or line["statement"] == "COMMIT")
        for line in server.logged()
    )


def arm(house: House, fault: str, nth: int, commits: bool = False) -> None:
    """Let a fault of the emulated Redshift happen to the nth of these statements."""
    tell(house, f"{fault} after {nth - 1} {_COMMITS if commits else _ANY}")


def tell(house: House, fault: str) -> None:
    """With nothing all faults are forgotten."""
    with contextlib.closing(psycopg2.connect(house.database.reader_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET emulator.fault TO %s", (fault,))

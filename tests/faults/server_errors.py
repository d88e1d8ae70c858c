"""Errors of the warehouse's own, at a chosen statement: triggers that count, and raise at the nth."""

from tests.faults.watch import TABLES
from tests.marketplace import House

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
    """Count the statements that change tables or their rows; the nth takes longer, and with a state it is refused."""
    house.query(_COUNTERS + "".join(map(_EACH.format, (*TABLES, *_BOOKS))))
    house.query("INSERT INTO chaos.plan VALUES (%s, %s, %s)", (nth, sqlstate, seconds))
    house.query("CREATE EVENT TRIGGER chaos ON ddl_command_start EXECUTE FUNCTION chaos.on_ddl()")


def counted(house: House) -> int:
    return house.query("SELECT last_value FROM chaos.passed")[0][0]


def stop_counting(house: House) -> None:
    house.query("DROP EVENT TRIGGER chaos; DROP SCHEMA chaos CASCADE")

"""etl init on a server where nothing was prepared: roles, passwords, refusals, one owner that becomes three."""

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import urlsplit, urlunsplit

import pytest

from etl import config, initialise
from etl.errors import ConfigError, WarehouseError, WarehouseLost
from etl.testing.databases import WarehouseDatabase
from tests.nights import own_tasks
from tests.pipeline import day as of_day
from tests.pipeline import load, loader, refused

pytest_plugins = ["tests.nights"]


def as_user(url: str, user: str, password: str | None = None) -> str:
    parts = urlsplit(url)
    told = user if password is None else f"{user}:{password}"
    return urlunsplit(parts._replace(netloc=f"{told}@{parts.hostname}:{parts.port}"))


@pytest.fixture
def three(warehouse: WarehouseDatabase, settings, sql, lake, postgres, monkeypatch) -> Iterator[SimpleNamespace]:
    """Settings that name users and a reader of whom the server has never heard, and a project of one table."""
    own_tasks(monkeypatch)
    tag = uuid.uuid4().hex[:8]
    made = SimpleNamespace(load=f"load_{tag}", owner=f"owner_{tag}", reader=f"reader_{tag}")
    admin = warehouse.setting.replace(
        "etl_load:" + postgres.password("etl_load"), f"postgres:{postgres.password('postgres')}"
    )
    made.url = admin
    settings.set("warehouse", "url", as_user(admin, made.load, "secret-of-load"))
    settings.set("warehouse", "owner_url", as_user(admin, made.owner, "secret-of-owner"))
    settings.set("warehouse", "admin_url", admin)
    settings.set("warehouse", "reader", made.reader)
    sql.table(
        "public.dim_city",
        "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?' -- 100%: it's \\ all",
        "Cities.",
    )
    made.sql = sql
    yield made
    for role in (made.load, made.owner, made.reader):
        if warehouse.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)):
            warehouse.query(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}; DROP ROLE {role}")


def test_roles_are_made(three, warehouse):
    # Superusers' own schema public is there already, whoever owns it.
    plan = initialise.plan()
    shown = "\n".join(step.for_people for step in plan.as_admin)
    assert f":'{three.load}_password'" in shown and f":'{three.owner}_password'" in shown
    assert "secret" not in shown and "SCRAM" not in shown and "md5" not in shown
    assert not warehouse.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (three.owner,))
    assert not warehouse.query("SELECT 1 FROM pg_namespace WHERE nspname IN ('etl', 'raw', 'stage')")
    made = [step for step in plan.as_admin if step.kind == "role"]
    assert len(made) == 3 and not any("secret" in step.sql for step in made)


@pytest.mark.engines("postgres", reason="the Postgres behind the emulator takes no MD5")
def test_from_nothing(three, warehouse):
    done = initialise.init()
    assert done.needed and not done.later
    assert initialise.init().needed is False
    verifiers = warehouse.query(
        "SELECT rolpassword FROM pg_authid WHERE rolname IN (%s, %s)", (three.load, three.owner)
    )
    assert all(verifier.startswith("SCRAM-SHA-256$") for (verifier,) in verifiers)
    load("dim_city", "city\nUlm\nRome", strategy="scd1", key=("city",))
    assert warehouse.query("SELECT city FROM public.dim_city WHERE city_key > 0 ORDER BY 1") == [("Rome",), ("Ulm",)]
    told = "SELECT has_table_privilege(%s, 'public.dim_city', 'SELECT')"
    assert warehouse.query(told, (three.reader,)) == [(True,)]
    ((said,),) = warehouse.query("SELECT col_description('public.dim_city'::regclass, 2)")
    assert said == "100%: it's \\ all"


@pytest.mark.engines("redshift", reason="what Redshift has for a password")
def test_a_user_of_redshift_has_the_digest_of_its_password(three, warehouse):
    with pytest.raises(WarehouseError):
        # The emulator's Postgres lets nobody in by MD5.
        initialise.init()
    ((verifier,),) = warehouse.query("SELECT rolpassword FROM pg_authid WHERE rolname = %s", (three.load,))
    assert verifier.startswith("md5") and len(verifier) == 35


@pytest.mark.engines("postgres", reason="only a superuser can give things away in Redshift")
def test_somebody_who_is_no_superuser_can_do_it(three, warehouse, settings, postgres):
    """As with a server that is rented: whoever creates roles there owns the database, and is no superuser."""
    admin = f"admin_{uuid.uuid4().hex[:8]}"
    warehouse.query(f"CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD 'secret'")
    warehouse.query(f"ALTER DATABASE {warehouse.name} OWNER TO {admin}")
    warehouse.query(f"ALTER SCHEMA public OWNER TO {admin}")
    settings.set("warehouse", "admin_url", as_user(three.url, admin, "secret"))
    try:
        assert initialise.init().needed
        assert not initialise.init().needed
    finally:
        for role in (three.load, three.owner, three.reader, admin):
            warehouse.query(f"REASSIGN OWNED BY {role} TO postgres; DROP OWNED BY {role}")
        for role in (three.load, three.owner, three.reader, admin):
            warehouse.query(f"DROP ROLE {role}")


def test_who_may_not_create_roles_is_told_what_to_hand_on(three, warehouse, settings, postgres):
    settings.set("warehouse", "admin_url", warehouse.setting)
    with pytest.raises(WarehouseError, match=r"permission denied.*etl init --dry-run.*admin_url|admin_url.*--dry-run"):
        initialise.init()
    assert not warehouse.query("SELECT 1 FROM pg_roles WHERE rolname = %s", (three.load,))
    assert not warehouse.query("SELECT 1 FROM pg_namespace WHERE nspname = 'raw'")


def test_an_owner_who_is_not_there_yet(three, settings):
    from luigi.configuration import get_config

    get_config().remove_option("warehouse", "admin_url")
    with pytest.raises(WarehouseError, match=r"\[warehouse\] admin_url, or hand the first part of") as said:
        initialise.init()
    assert "secret" not in str(said.value)


def test_a_server_that_is_down(three, settings):
    for key, user in (("url", three.load), ("owner_url", three.owner), ("admin_url", "postgres")):
        scheme = urlsplit(three.url).scheme
        settings.set("warehouse", key, f"{scheme}://{user}:secret@127.0.0.1:1/warehouse")
    for act in (initialise.init, initialise.plan):
        with pytest.raises(WarehouseLost, match=r"127.0.0.1:1.*cannot connect") as said:
            act()
        assert "secret" not in str(said.value)


def test_one_user_cannot_be_both(three, settings):
    settings.set("warehouse", "owner_url", config.warehouse().url)
    with pytest.raises(ConfigError, match="owner_url: is of load_"):
        initialise.init()


def test_a_superuser_is_refused(three, settings):
    settings.set("warehouse", "url", three.url)
    with pytest.raises(ConfigError, match="postgres: is a superuser, to whom nothing is ever denied"):
        initialise.init()


def test_without_an_owner_there_is_nothing_to_initialise(warehouse, settings, sql):
    with pytest.raises(ConfigError, match=r"owner_url: not set; .* a load creates its table itself"):
        initialise.init()


@pytest.fixture
def split(warehouse, settings, sql, lake, postgres, monkeypatch) -> SimpleNamespace:
    """The roles that the servers have, of a warehouse that has had one owner so far."""
    own_tasks(monkeypatch)
    for key, role in (("owner_url", "etl_owner"), ("admin_url", "postgres")):
        url = warehouse.setting.replace(
            f"etl_load:{postgres.password('etl_load')}", f"{role}:{postgres.password(role)}"
        )
        settings.set("warehouse", key, url)
    return SimpleNamespace(sql=sql, warehouse=warehouse)


CITIES = {"strategy": "scd1", "key": ("city",)}


def test_one_owner_becomes_three(split):
    split.sql.table("public.dim_city", "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?'")
    load("dim_city", "city\nUlm", **CITIES)
    done = initialise.init()
    assert 'ALTER TABLE "public"."dim_city" OWNER TO "etl_owner"' in [step.sql for step in done.as_admin]
    assert not initialise.init().needed
    load("dim_city", "city\nUlm\nRome", date=2, **CITIES)
    found = split.warehouse.query("SELECT city_key, city FROM public.dim_city ORDER BY 1")
    assert found == [(-1, "?"), (1, "Ulm"), (2, "Rome")]


@pytest.mark.engines("redshift", reason="Postgres has roles only")
def test_a_group_reads(split, settings):
    """What it has, the server does not tell, so it is granted each time and never by a load."""
    group = f"analysts_{uuid.uuid4().hex[:8]}"
    settings.set("warehouse", "reader", f"group {group}")
    split.sql.table("public.dim_city", "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?'")
    try:
        assert f'CREATE GROUP "{group}"' in [step.sql for step in initialise.init().as_admin]
        again = initialise.init()
        assert not again.needed
        assert f'GRANT SELECT ON TABLE "public"."dim_city" TO GROUP "{group}"' in [step.sql for step in again.as_owner]
        load("dim_city", "city\nUlm", **CITIES)
        told = "SELECT has_table_privilege(%s, 'public.dim_city', 'SELECT')"
        assert split.warehouse.query(told, (group,)) == [(True,)]
    finally:
        split.warehouse.query(f"DROP OWNED BY {group}; DROP ROLE {group}")


def test_a_table_that_is_not_there_is_the_owners_to_create(split):
    initialise.init()
    split.sql.table("public.dim_city", "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?'")
    said = refused(loader("dim_city", "city\nUlm", **CITIES)(date=of_day(1)), WarehouseError)
    assert "public.dim_city: is not there, and etl_owner owns what people read; run `etl migrate`" in str(said)


def test_a_control_table_that_is_not_there_is_the_owners_to_create(split):
    initialise.init()
    split.warehouse.query("DROP TABLE etl.files")
    split.sql.table("public.dim_city", "city_key BIGINT PRIMARY KEY, city VARCHAR(20) NOT NULL DEFAULT '?'")
    said = refused(loader("dim_city", "city\nUlm", **CITIES)(date=of_day(1)), WarehouseError)
    assert "has no etl.files" in str(said) and "run `etl migrate`" in str(said)


def test_a_night_needs_no_secret_of_the_owner(warehouse, settings):
    settings.set("warehouse", "owner_url", "postgresql://etl_owner:${NOBODY_HAS_SET_THIS}@host/db")
    settings.set("warehouse", "admin_url", "${NOR_THIS}")
    config.check()
    assert config.warehouse().url == warehouse.setting
    with pytest.raises(ConfigError, match=r"\[warehouse\] owner_url: set the environment variable NOBODY_HAS_SET_THIS"):
        config.owner_url()

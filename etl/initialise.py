"""etl init: a warehouse of three roles, from whatever is there: roles, schemas, tables, grants, comments.

What has to be done is found by asking the server, so that a second time there is nothing to do.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from etl import config, wanted, warehouse
from etl.errors import ConfigError, WarehouseError, WarehouseLost
from etl.warehouse import Engine, comments, control
from etl.warehouse.comments import Comment
from etl.warehouse.definition import Definition
from etl.warehouse.names import quote
from etl.warehouse.roles import SAMPLES, Right
from etl.warehouse.table_file import columns as written
from etl.warehouse.table_file import primary_key

# The loader's own.
LOADERS = ("raw", "stage")
_COMPUTED_FROM = "{}: is created as soon as the tables are there that it is computed from"

# What of schema etl the analysts read.
_OPEN = ("data_as_of",)


@dataclass(frozen=True)
class Step:
    """A statement, `kind` of which it is; `shown` is for people where it differs: a password's place for its verifier.

    `known` is False of what is done each time, because the server does not tell whether it is needed.
    """

    kind: str
    sql: str
    shown: str = ""
    comment: Comment | None = None
    known: bool = True

    @property
    def for_people(self) -> str:
        return self.shown or self.sql


@dataclass
class Plan:
    """What is to be done, by somebody who may create roles and by the owner; `later` is what cannot be done yet."""

    as_admin: list[Step] = field(default_factory=list)
    as_owner: list[Step] = field(default_factory=list)
    later: list[str] = field(default_factory=list)

    @property
    def needed(self) -> bool:
        return any(step.known for step in (*self.as_admin, *self.as_owner))


@dataclass(frozen=True)
class Account:
    """A user of a URL, and the password that stands there."""

    name: str
    password: str | None


@dataclass(frozen=True)
class Three:
    """Who loads, who owns and who reads."""

    load: Account
    owner: Account
    reader: str

    @classmethod
    def from_settings(cls) -> "Three":
        """ConfigError where they are not told apart."""
        settings = config.warehouse()
        owner_url = config.owner_url()
        if owner_url is None:
            raise ConfigError(
                "[warehouse] owner_url: not set; write the URL of the user who is to own what people read. Where url's "
                "own user is to own everything there is nothing to do: a load creates its table itself"
            )
        load, owner = _account("url", settings.url), _account("owner_url", owner_url)
        if load.name == owner.name:
            raise ConfigError(
                f"[warehouse] owner_url: is of {owner.name}, as url is; one loads what the other owns: write another"
            )
        return cls(load, owner, settings.reader)


def _account(key: str, url: str) -> Account:
    parts = urlsplit(url)
    if not parts.username:
        raise ConfigError(f"[warehouse] {key}: names no user; write postgresql://user:…@host/db or redshift://user@…")
    return Account(unquote(parts.username), unquote(parts.password) if parts.password else None)


def plan() -> Plan:
    """What `etl init` would do; nothing is touched."""
    three = Three.from_settings()
    with closing(_anybody()) as db:
        _refuse_superusers(db, three)
        made = Plan(list(_admin_steps(db, three)))
        made.as_owner = list(_owner_steps(db, three))
        steps, made.later = _mart_steps(db, three)
        if any(step.kind == "table" for step in made.as_owner):
            made.later = [_COMPUTED_FROM.format(line.partition(":")[0]) for line in made.later]
        made.as_owner += steps
    return made


def init() -> Plan:
    """Do it; returns what was done."""
    three = Three.from_settings()
    done = Plan()
    with closing(_admin()) as db:
        _refuse_superusers(db, three)
        done.as_admin = list(_admin_steps(db, three))
        if done.as_admin:
            _as_admin(db, done.as_admin)
    own = furnish(three)
    done.as_owner, done.later = own.as_owner, own.later
    return done


def furnish(three: Three) -> Plan:
    """The owner's part: all that is wanted and not there, with who may do what, and what is said of it."""
    done = Plan()
    with closing(warehouse.owner("etl init")) as db:
        done.as_owner = list(_owner_steps(db, three))
        run(db, done.as_owner)
        while True:
            steps, done.later = _mart_steps(db, three)
            run(db, steps)
            done.as_owner += steps
            # A mart may be of other marts.
            if not any(step.kind == "table" for step in steps):
                return done


def run(db: Engine, steps: Sequence[Step]) -> None:
    """All of it or nothing."""
    if not steps:
        return
    with db.transaction():
        for step in steps:
            if not step.comment:
                db.execute(step.sql)
        comments.write(db, [step.comment for step in steps if step.comment])


def summary(steps: Sequence[Step]) -> str:
    """`3 roles, 5 schemas`; '' where there is nothing that is known to be needed."""
    counts = Counter(step.kind for step in steps if step.known)
    return ", ".join(f"{n} {kind if n == 1 else _PLURALS.get(kind, f'{kind}s')}" for kind, n in counts.items())


_PLURALS = {"index": "indexes", "change of owner": "changes of owner"}


def _admin() -> Engine:
    """Who may create roles; where nobody is named, the owner, to whom they may have been handed."""
    if config.admin_url() is not None:
        return warehouse.admin("etl init")
    try:
        return warehouse.owner("etl init")
    except WarehouseLost:
        raise
    except WarehouseError as error:
        raise WarehouseError(
            f"{error}; where the role is to be created, name somebody who may do that in [warehouse] admin_url, or "
            f"hand the first part of `etl init --dry-run` to whoever may"
        ) from None


def _anybody() -> Engine:
    """Whoever can log in, to look at what is there."""
    ways = [warehouse.admin] if config.admin_url() is not None else [warehouse.owner, warehouse.loader]
    for way in ways[:-1]:
        try:
            return way("etl init")
        except WarehouseLost:
            raise
        except WarehouseError:
            continue
    return ways[-1]("etl init")


def _as_admin(db: Engine, steps: Sequence[Step]) -> None:
    try:
        run(db, steps)
    except WarehouseLost:
        raise
    except WarehouseError as error:
        raise WarehouseError(
            f"{error}; nothing was done. Name somebody who may do it in [warehouse] admin_url, or hand the first part "
            f"of `etl init --dry-run` to whoever may, and run `etl init` again"
        ) from None


def _refuse_superusers(db: Engine, three: Three) -> None:
    for account in (three.load, three.owner):
        if db.roles.is_superuser(account.name):
            raise ConfigError(
                f"{account.name}: is a superuser, to whom nothing is ever denied; name an ordinary user in [warehouse]"
            )


# ---- what somebody has to do who may create roles


def _admin_steps(db: Engine, three: Three) -> Iterator[Step]:
    roles = db.roles
    load, owner, reader = three.load.name, three.owner.name, three.reader
    for account in (three.load, three.owner, Account(reader, None)):
        if not roles.there(account.name):
            shown = roles.creating_for_people(account.name, account.password)
            yield Step("role", roles.creating(account.name, account.password), shown)
    giving = list(_giving(db, three))
    # Whoever only looks at what is to be done is given nothing.
    if giving and config.admin_url() is not None:
        yield from (Step("grant", sql) for sql in roles.membership([load, owner]))
    database = quote(db.query("SELECT current_database()")[0][0])
    rights = [
        Right("DATABASE", database, privilege, role)
        for role, privileges in zip((load, owner, reader), roles.in_the_database, strict=True)
        for privilege in privileges
    ]
    yield from _grants(db, rights)
    yield from _revocations(db, [Right("DATABASE", database, "CREATE", load)])
    yield from giving


def _giving(db: Engine, three: Three) -> Iterator[Step]:
    """Schemas and tables become whose they are to be."""
    load, owner = three.load.name, three.owner.name
    there = _schemas(db)
    for schema in LOADERS:
        if schema not in there:
            yield Step("schema", f"CREATE SCHEMA {quote(schema)} AUTHORIZATION {quote(load)}")
        elif there[schema] != load:
            yield Step("change of owner", f"ALTER SCHEMA {quote(schema)} OWNER TO {quote(load)}")
    for schema in _read_schemas(db):
        if there.get(schema, owner) != owner:
            yield Step("change of owner", f"ALTER SCHEMA {quote(schema)} OWNER TO {quote(owner)}")
    owners = _tables(db)
    for name in _wanted_tables(db):
        if owners.get(name, owner) != owner:
            yield Step("change of owner", f"ALTER TABLE {_quoted(name)} OWNER TO {quote(owner)}")


# ---- what the owner does


def _owner_steps(db: Engine, three: Three) -> Iterator[Step]:
    load, reader = three.load.name, three.reader
    there, schemas = _schemas(db), _read_schemas(db)
    for schema in schemas:
        if schema not in there:
            yield Step("schema", f"CREATE SCHEMA {quote(schema)}")
    rights = [Right("SCHEMA", quote(schema), "USAGE", role) for schema in schemas for role in (load, reader)]
    rights += [Right("SCHEMA", quote("etl"), privilege, load) for privilege in db.roles.in_etl if privilege != "USAGE"]
    yield from _grants(db, rights, [quote(one) for one in schemas if there.get(one) != three.owner.name])
    closed = [schema for schema in schemas if schema != "etl" and schema in there]
    yield from _revocations(
        db, [Right("SCHEMA", quote(schema), "CREATE", role) for schema in closed for role in (load, reader)]
    )
    for definition in (*wanted.control_tables(db), *_files(db)):
        yield from _table_steps(db, three, definition)


def _table_steps(db: Engine, three: Three, definition: Definition) -> Iterator[Step]:
    load, reader = three.load.name, three.reader
    name = f"{quote(definition.schema)}.{quote(definition.table)}"
    owner = _tables(db).get((definition.schema, definition.table))
    new = owner is None
    if new:
        made = definition.create(definition.schema, definition.table)
        key = wanted.keys().get(definition.name, ())
        unique = key if set(key) != set(primary_key(definition.body)) else ()
        statements = db.creating(definition.schema, definition.table, made, definition.hints, unique)
        yield from (Step("index" if number else "table", sql) for number, sql in enumerate(statements))
    sampled = SAMPLES.get(definition.table, ()) if definition.schema == "etl" else ()
    privileges = db.roles.writing
    rights = [Right("TABLE", name, one, load) for one in privileges if not sampled or one in ("INSERT", "DELETE")]
    if sampled:
        shown = tuple(column for column in written(definition.body) if column not in sampled)
        rights.append(Right("TABLE", name, "SELECT", load, shown))
    open_to_all = definition.schema != "etl" or definition.table in _OPEN
    if open_to_all:
        rights.append(Right("TABLE", name, "SELECT", reader))
    yield from _grants(db, rights, [name] if owner != three.owner.name else [])
    if not new:
        denied = [Right("TABLE", name, "SELECT", load)] if sampled else []
        denied += [] if open_to_all else [Right("TABLE", name, "SELECT", reader)]
        yield from _revocations(db, denied)
    due = comments.due(db, definition, list(written(definition.body)) if new else None)
    yield from (Step("comment", one.sql, comment=one) for one in due if one.text or not new)


def _mart_steps(db: Engine, three: Three) -> tuple[list[Step], list[str]]:
    """Those marts whose columns can be known by now, and what is said of the others."""
    steps: list[Step] = []
    later: list[str] = []
    owners = _tables(db)
    with closing(_asker(db)) as asker:
        for mart in wanted.marts():
            try:
                columns = db.columns(mart.schema, mart.table) if (mart.schema, mart.table) in owners else None
                steps += _table_steps(db, three, mart.defined_by(columns or mart.columns(asker)))
            except WarehouseError as error:
                if isinstance(error, WarehouseLost):
                    raise
                later.append(str(error))
    return steps, later


def _asker(db: Engine) -> Engine:
    """Whoever computes a mart at night may read all that it is of; before there is such a user, who is connected."""
    try:
        return warehouse.loader("etl init")
    except WarehouseLost:
        raise
    except WarehouseError:
        return warehouse.beside(db, "etl init")


# ---- grants


def _grants(db: Engine, rights: Sequence[Right], new: Sequence[str] = ()) -> Iterator[Step]:
    """What is lacking; all of it on what is `new`, or to whom is."""
    roles = db.roles
    asked = [one for one in rights if one.name not in new and roles.tells_of(one.role) and roles.there(one.role)]
    held = {right for right, has in zip(asked, roles.held(asked), strict=True) if has}
    for known in (True, False):
        lacking = [one for one in rights if one not in held and (one.name in new or roles.tells_of(one.role)) is known]
        yield from (Step("grant", sql, known=known) for sql in roles.granting(lacking))


def _revocations(db: Engine, rights: Sequence[Right]) -> Iterator[Step]:
    roles = db.roles
    asked = [one for one in rights if roles.tells_of(one.role) and roles.there(one.role)]
    for right, has in zip(asked, roles.held(asked), strict=True):
        if has:
            whom = f"{roles.grantee(right.role)}, PUBLIC"
            yield Step("revocation", f"REVOKE {right.privilege} ON {right.kind} {right.name} FROM {whom}")


# ---- what is there


def _files(db: Engine) -> list[Definition]:
    return [one for one in wanted.files(db) if one.schema not in LOADERS]


def _read_schemas(db: Engine) -> list[str]:
    return wanted.schemas(_files(db), wanted.marts())


def _wanted_tables(db: Engine) -> list[tuple[str, str]]:
    tables = [(one.schema, one.table) for one in (*control.definitions(db), *_files(db))]
    return tables + [(mart.schema, mart.table) for mart in wanted.marts()]


def _schemas(db: Engine) -> dict[str, str]:
    """Each schema and its owner."""
    found = db.query("SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace")
    return dict(found)  # type: ignore[arg-type]


def _tables(db: Engine) -> dict[tuple[str, str], str]:
    """Each table and its owner."""
    found = db.query(
        "SELECT n.nspname, c.relname, pg_get_userbyid(c.relowner) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"
    )
    return {(schema, table): owner for schema, table, owner in found}


def _quoted(name: tuple[str, str]) -> str:
    return ".".join(map(quote, name))

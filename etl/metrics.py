"""Metrics for Prometheus: how the last runs went, and how every table stands.

They are gauges, and as true a day later as they were when they were written: of lateness the moment from which a table
is late is told, so that an alert fires also when nothing runs any more. Labels are families of tasks and names of
tables, and no more.
"""

import datetime
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from etl import config, ledger, status, warehouse
from etl.errors import ConfigError, EtlError
from etl.ledger import Run
from etl.run import code_version
from etl.run_report.gantt import shown_state
from etl.status import freshness

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

# The last success of a task is looked for in so many runs.
_LOOKED_AT = 200
_TIMEOUT = 10.0
_RUN_STATES = ("done", "failed", "died", "running")
_TASK_STATES = ("done", "failed", "missing", "cut off", "waiting")


def publish(run: Run | None = None) -> None:
    """Write the metrics wherever [metrics] says: into the textfile, to the Pushgateway, or both; nowhere by default.

    What can be written is; EtlError says what could not, and it changes nothing else. `run` is one that has just ended.
    """
    settings = config.metrics()
    if not settings.textfile and not settings.push:
        return
    registry, wrong = collect(run)
    for write, where in ((_write, settings.textfile), (_push, settings.push)):
        try:
            if where:
                write(where, registry)
        except EtlError as error:
            wrong.append(str(error))
    if wrong:
        raise EtlError("; ".join(wrong))


def collect(run: Run | None = None) -> tuple["CollectorRegistry", list[str]]:
    """All metrics, and what could not be found out for them."""
    registry = _library().CollectorRegistry()
    runs = ledger.runs(limit=_LOOKED_AT)
    if run and run.id not in {one.id for one in runs}:
        runs.append(run)
    wrong: list[str] = []
    gauge = _gauges(registry)
    gauge("turnstile_build_info", "The version that wrote these metrics.", version=code_version()).set(1)
    gauge("turnstile_published_timestamp_seconds", "When these metrics were written.").set(time.time())
    _of_runs(gauge, sorted(runs, key=lambda one: one.began))
    up = gauge("turnstile_warehouse_up", "1 if the warehouse answered when these metrics were written.")
    try:
        with warehouse.connect("etl metrics") as db:
            tables = status.tables(db)
        up.set(1)
    except EtlError as error:
        up.set(0)
        tables = []
        wrong.append(str(error))
    wrong += _of_tables(gauge, tables)
    return registry, wrong


def text(registry: "CollectorRegistry") -> bytes:
    """As Prometheus reads it."""
    found: bytes = _library().generate_latest(registry)
    return found


def _of_runs(gauge: Callable[..., Any], runs: Iterable[Run]) -> None:
    """`runs` are in the order of time: of each family the last one is told, and when one was done the last time."""
    newest: dict[str, Run] = {}
    for run in runs:
        family = (run.task.split() or ["?"])[0]
        newest[family] = run
        if run.state == "done" and run.ended:
            gauge(
                "turnstile_run_last_success_timestamp_seconds",
                "When a run of this task ended the last time with everything done.",
                task=family,
            ).set(run.ended)
    for family, run in newest.items():
        gauge("turnstile_run_start_timestamp_seconds", "When the last run began.", task=family).set(run.began)
        gauge("turnstile_run_duration_seconds", "How long the last run took.", task=family).set(run.seconds)
        if run.ended:
            gauge("turnstile_run_end_timestamp_seconds", "When the last run ended.", task=family).set(run.ended)
        if run.code is not None:
            gauge("turnstile_run_exit_code", "The last run's exit code.", task=family).set(run.code)
        for state in _RUN_STATES:
            gauge("turnstile_run_state", "1 for the state of the last run.", task=family, state=state).set(
                run.state == state
            )
        states = [shown_state(run, task) for task in run.tasks.values()]
        for state in _TASK_STATES:
            gauge("turnstile_run_tasks", "The last run's tasks, by state.", task=family, state=state).set(
                states.count(state)
            )


def _of_tables(gauge: Callable[..., Any], tables: Iterable[status.TableStatus]) -> list[str]:
    """What could not be found out is returned."""
    wrong = []
    for row in tables:

        def of(name: str, help_text: str, value: float, table: str = row.table) -> None:
            gauge(f"turnstile_{name}", help_text, table=table).set(value)

        of("table_rows", "Rows of the table.", row.rows)
        of("table_quarantined_rows", "Rows that are in quarantine instead of the table.", row.held)
        of("table_loaded_timestamp_seconds", "When the table was loaded the last time.", row.loaded_at.timestamp())
        of("load_duration_seconds", "How long its last load took.", row.seconds)
        of("load_staged_rows", "Rows that came in the last load.", row.staged)
        of("load_inserted_rows", "Rows that the last load added.", row.inserted)
        of("load_updated_rows", "Rows that the last load changed.", row.updated)
        of("load_deleted_rows", "Rows that the last load took away.", row.deleted)
        of("load_lost_values", "Values that the last load could not keep as they were.", row.lost)
        if not row.business_date:
            continue
        day = datetime.datetime.combine(row.business_date, datetime.time(), config.timezone())
        of("table_business_date_timestamp_seconds", "The begin of the day that the table is at.", day.timestamp())
        try:
            if rule := freshness.rule(row.table):
                of(
                    "table_late_after_timestamp_seconds",
                    "From when on the table is late, unless it is at a later day by then.",
                    rule.due(row.business_date).timestamp(),
                )
        except ConfigError as error:
            wrong.append(str(error))
    return wrong


def _gauges(registry: "CollectorRegistry") -> Callable[..., Any]:
    """gauge(name, help, label=value, …): the child to be set; each metric is made when it is used first."""
    made: dict[str, Any] = {}

    def gauge(name: str, help_text: str, **labels: str) -> Any:
        if name not in made:
            made[name] = _library().Gauge(name, help_text, list(labels), registry=registry)
        return made[name].labels(**labels) if labels else made[name]

    return gauge


def _write(where: str, registry: "CollectorRegistry") -> None:
    """At once, so that node_exporter never reads half of it, and for everybody, since that is another user."""
    path = Path(where)
    # Of another ending than .prom, so that it is not read.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(text(registry))
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True) if draft.parent.is_dir() else None
        raise ConfigError(
            f"[metrics] textfile = {where}: {error.strerror}; its folder must be there, and this user may write to it"
        ) from None


def _push(where: str, registry: "CollectorRegistry") -> None:
    """In place of what this host has pushed before."""
    parts = urlsplit(where)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    library = _library()

    def handler(url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes) -> Any:
        if not parts.username:
            return library.exposition.default_handler(url, method, timeout, headers, data)
        user, password = unquote(parts.username), unquote(parts.password or "")
        return library.exposition.basic_auth_handler(url, method, timeout, headers, data, user, password)

    try:
        library.push_to_gateway(
            address, "turnstile", registry, {"instance": socket.gethostname()}, timeout=_TIMEOUT, handler=handler
        )
    except OSError as error:
        why = getattr(error, "reason", None) or error
        raise EtlError(f"[metrics] push: {address} did not take the metrics: {why}; is it a Pushgateway?") from None


def _library() -> Any:
    try:
        import prometheus_client
    except ImportError:
        raise ConfigError("[metrics] needs prometheus_client: pip install 'turnstile-etl[metrics]'") from None
    return prometheus_client

"""luigid, which keeps two runs apart, and the exit codes by which luigi tells cron the truth."""

import http.client
import json
import urllib.request
import warnings
from collections.abc import Iterator
from urllib.parse import urlsplit

import luigi.retcodes

from etl import luigid
from etl.doctor.finding import OK, WARNING, Finding

_CODES = {
    "already_running": 10,
    "missing_data": 20,
    "not_run": 25,
    "task_failed": 30,
    "scheduling_error": 35,
    "unhandled_exception": 40,
}


def check() -> Iterator[Finding]:
    yield _retcodes()
    url = luigid.url()
    # Without the user and the password of one that stands behind a proxy.
    parts = urlsplit(url.rstrip("/"))
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    where = shown.removeprefix("http://")
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/api/is_paused", timeout=4) as answer:
            paused = json.load(answer)["response"]["paused"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        said = f"does not answer at {where}: two runs at once know nothing of each other before they meet a lock"
        cure = "start it (docs/luigid.service), or mend [core] scheduler_host"
        yield Finding("luigid", "connection", WARNING, said, cure)
        return
    if paused:
        said = f"is paused at {where}: no task begins"
        yield Finding("luigid", "connection", WARNING, said, f"curl {shown}/api/unpause")
    else:
        yield Finding("luigid", "connection", OK, f"answers at {where}")


def _retcodes() -> Finding:
    with warnings.catch_warnings():
        # What luigi says of a name that it does not know is a finding of the settings.
        warnings.simplefilter("ignore")
        retcodes = luigi.retcodes.retcode()
    other = {name: getattr(retcodes, name) for name in _CODES if getattr(retcodes, name) != _CODES[name]}
    lies = [name for name, code in other.items() if code == 0]
    name = next(iter(lies or other), "")
    if not name:
        return Finding("luigid", "retcode", OK, "[retcode] tells cron the truth")
    why = "cron takes such a night for a good one" if lies else "not what the README says"
    remedy = f"[retcode] {name} = {_CODES[name]}"
    return Finding("luigid", "retcode", WARNING, f"[retcode] {name} = {other[name]}: {why}", remedy)

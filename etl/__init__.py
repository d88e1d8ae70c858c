"""Turnstile: the library. Importing it makes luigi's own command tell the truth in its exit code.

Luigi's defaults are 0 for a failed task, 0 for missing data, 0 for a task that was never run. A luigi.cfg that
says otherwise wins.
"""

import configparser
import logging
import re
import sys

try:
    import luigi.configuration
except configparser.Error as error:
    # Luigi reads luigi.cfg while it is imported: there is no later moment to say this in.
    print(f"etl: a settings file cannot be read: {error}; mend that line", file=sys.stderr)
    sys.exit(2)

from etl.errors import EtlError

_TRUTH = {
    "retcode": {
        "already_running": "10",
        "missing_data": "20",
        "not_run": "25",
        "task_failed": "30",
        "scheduling_error": "35",
        "unhandled_exception": "40",
    },
    # Without it a task that made no output counts as done.
    "worker": {"check_complete_on_run": "true"},
}


_TRACE = "Traceback (most recent call last):\n"
# Frames are indented; the first line that is not names the exception.
_OUR_ERROR = re.compile(r"(?: [^\n]*\n)*etl\.[\w.]+: (?P<message>.*)", re.DOTALL)


class _MessageOfAnEtlError(logging.Filter):
    """Luigi logs every failure with its trace; for one that a person can act upon the message says it all.

    While it plans, luigi writes the trace into the line's own text.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], EtlError):
            record.msg, record.args = f"{record.getMessage()}: {record.exc_info[1]}", ()
            record.exc_info = record.exc_text = None
        text, begins, _ = record.getMessage().partition(_TRACE)
        if begins and (ours := _OUR_ERROR.match(record.getMessage().rpartition(_TRACE)[2])):
            record.msg, record.args = text + ours["message"], ()
        return True


def _tell_the_truth() -> None:
    settings = luigi.configuration.get_config()
    for section, values in _TRUTH.items():
        for key, value in values.items():
            if not settings.has_option(section, key):
                settings.set(section, key, value)
    logging.getLogger("luigi-interface").addFilter(_MessageOfAnEtlError())


_tell_the_truth()

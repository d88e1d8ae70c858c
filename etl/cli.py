"""The command line: `etl`. What it can be told is in etl/commands, a file a subject."""

import os
import sys
from pathlib import Path
from typing import Any

import click
import luigi.configuration

from etl import stack
from etl.commands import (
    compare,
    completion,
    demo,
    docs,
    doctor,
    history,
    init,
    local,
    metrics,
    migrate,
    new,
    notify,
    plan,
    preview,
    report,
    run,
    status,
    why,
)
from etl.completion import attach
from etl.errors import EtlError

# As they are shown: who needs them, then in the order in which one meets them.
_SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Every night": (run.run, status.status, history.history, report.report, notify.notify, metrics.metrics),
    "When something is not right": (why.why, doctor.doctor, compare.compare, run.backfill, run.rerun, run.replay),
    "The warehouse": (init.init, migrate.migrate),
    "A new table": (new.new, preview.preview, plan.plan, docs.docs),
    "On one machine": (local.up, local.down, local.clean, local.url, demo.demo, completion.completion),
}


class _Commands(click.Group):
    """Turns an EtlError into one line on stderr and the exit code that cron acts upon."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except EtlError as error:
            click.echo(f"etl: {error}", err=True)
            sys.exit(error.code)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(str(command.name)) for commands in _SECTIONS.values() for command in commands)
        for section, commands in _SECTIONS.items():
            with formatter.section(section):
                room = formatter.width - width - 6
                formatter.write_dl([(f"{one.name:{width}}", one.get_short_help_str(room)) for one in commands])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Turnstile moves a company's scattered data into one warehouse every night, and proves that it did.

    \b
    Try it on one machine:      etl up, init, demo seed, demo night
    Run a night in production:  etl run Nightly
    See how it went:            etl status

    Settings are read from luigi.cfg here; while the local stack is up, from var/luigi.cfg, and LUIGI_CONFIG_PATH
    goes before both. Exit codes: 0 done or already done, 2 usage or settings, 10 locked, 20 missing data, 25 refused
    by the scheduler, 30 failed, 35 scheduling, 40 crash.
    """
    # The tasks are the folder's that one stands in, as they are for Python itself.
    sys.path.insert(0, str(Path.cwd()))
    if "LUIGI_CONFIG_PATH" not in os.environ and stack.SETTINGS.exists():
        os.environ["LUIGI_CONFIG_PATH"] = str(stack.SETTINGS.absolute())
        luigi.configuration.add_config_path(str(stack.SETTINGS))


for _commands in _SECTIONS.values():
    for _command in _commands:
        main.add_command(_command)
attach(main)

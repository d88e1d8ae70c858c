"""Luigi's central scheduler, which keeps two runs from doing the same task at once."""

import importlib.util
import os
import sys
from pathlib import Path

from etl.stack import ports
from etl.stack.server import Server

# Not in luigi.cfg, which runs without luigid read too, and then they would have to have the library.
_COUNTING = (
    "from luigi.configuration import get_config; "
    "get_config().set('scheduler', 'metrics_collector', 'custom'); "
    "get_config().set('scheduler', 'metrics_custom_import', 'etl.luigid_metrics.Collector')"
)


class Luigid(Server):
    """Its list of tasks is written when it is stopped, so a crash empties it; what is done stays done.

    How often a failed task is tried and how many may share a resource it takes from `settings`, a luigi.cfg. Where
    prometheus_client is installed it counts tasks at /metrics.
    """

    name = "luigid"
    process = "python"

    def __init__(self, folder: Path, settings: Path, port: int | None = None) -> None:
        super().__init__(folder, port)
        self._settings = settings.absolute()

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        program = "from luigi.cmdline import luigid; luigid()"
        if importlib.util.find_spec("prometheus_client"):
            program = f"{_COUNTING}; {program}"
        place = ["--address", ports.HOST, "--port", str(self.port), "--state-path", str(self.data / "tasks.pickle")]
        return [sys.executable, "-c", program, *place]

    def environment(self) -> dict[str, str]:
        return dict(os.environ) | {"LUIGI_CONFIG_PATH": str(self._settings)}

    def ready(self) -> bool:
        return ports.http_answers(self.port)

"""Luigi's central scheduler, which keeps two runs from doing the same task at once."""

import os
import sys
from pathlib import Path

from etl.stack import ports
from etl.stack.server import Server


class Luigid(Server):
    """Its list of tasks is written when it is stopped, so a crash empties it; what is done stays done.

    How often a failed task is tried and how many may share a resource it takes from `settings`, a luigi.cfg.
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
        place = ["--address", ports.HOST, "--port", str(self.port), "--state-path", str(self.data / "tasks.pickle")]
        return [sys.executable, "-c", program, *place]

    def environment(self) -> dict[str, str]:
        return dict(os.environ) | {"LUIGI_CONFIG_PATH": str(self._settings)}

    def ready(self) -> bool:
        return ports.http_answers(self.port)

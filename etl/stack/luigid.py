"""Luigi's central scheduler, which keeps two runs from doing the same task at once."""

import os
import sys

from etl.stack import ports
from etl.stack.server import Server


class Luigid(Server):
    """Its list of tasks is written when it is stopped, so a crash empties it; what is done stays done."""

    name = "luigid"
    process = "python"

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        program = "from luigi.cmdline import luigid; luigid()"
        place = ["--address", ports.HOST, "--port", str(self.port), "--state-path", str(self.data / "tasks.pickle")]
        return [sys.executable, "-c", program, *place]

    def environment(self) -> dict[str, str]:
        return {key: value for key, value in os.environ.items() if key != "LUIGI_CONFIG_PATH"}

    def ready(self) -> bool:
        return ports.http_answers(self.port)

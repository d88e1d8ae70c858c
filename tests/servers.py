"""OpenSearch's dialect, which only our own tests need."""

import os
from pathlib import Path

import osmem_server

from etl.stack import Server, ports


class OpenSearch(Server):
    """OpenSearch's dialect, in memory."""

    name = "opensearch"
    process = "osmem-server"

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        program = Path(osmem_server.__file__).parent / "bin" / "osmem-server"
        watch = ["-no-stdin-watch", "-parent-pid", str(os.getpid())]
        return [str(program), "-addr", f"{ports.HOST}:{self.port}", "-no-ja", *watch]

    def ready(self) -> bool:
        return ports.http_answers(self.port)

"""The search log's Elasticsearch: the stand-in that the noida-db wheel carries."""

from etl.stack import ports, programs
from etl.stack.server import Server


class Search(Server):
    """Speaks Elasticsearch 8's protocol without a password.

    It saves its data when it is stopped and a second or two after a change: `kill -9` may lose the latest.
    """

    name = "search"
    process = "noida-db"

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        # The program itself: the script of its name would run it as a child, which outlives a killed parent.
        program = str(programs.wheel_folder("noida_db", "noida-db") / "noida-db")
        place = ["--data-dir", str(self.data), "--host", ports.HOST, "--elasticsearch-port", str(self.port)]
        return [program, "start", "--only", "elasticsearch", *place]

    def ready(self) -> bool:
        return ports.http_answers(self.port)

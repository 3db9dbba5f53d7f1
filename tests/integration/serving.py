"""Running the API as an administrator does: uvicorn in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from attrs import frozen
from tests.integration.cli import Cli
from tests.servers.process import free_ports

TOKEN = "planted-admin-token-Xq3"
READER = "planted-reader-token-Lm8"
MAKER = "planted-maker-token-Vw2"
TOKENS = {
    "BACKUP_API_TOKEN": TOKEN,
    "BACKUP_API_TOKENS": f"reader:read:{READER},maker:read+backup:{MAKER}",
}


@frozen
class Api:
    """One running replica."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        content: str | None = None,
    ) -> httpx.Response:
        """Send a request, with a body of JSON or of anything."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        sent |= dict(headers or {})
        if body is not None:
            content = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        return httpx.request(method, self.url + path, headers=sent, content=content, timeout=60)

    def get(
        self, path: str, *, token: str | None = TOKEN, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Get something."""
        return self.request("GET", path, token=token, headers=headers)

    def post(
        self,
        path: str,
        body: object = None,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Post a body, if any."""
        return self.request("POST", path, body, token=token, headers=headers)

    def ended(self, location: str, limit: float = 60) -> dict[str, Any]:
        """Wait for the end of an operation; return it."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            document: dict[str, Any] = self.get(location).raise_for_status().json()
            if document["state"] != "running":
                return document
            time.sleep(0.1)
        raise TimeoutError(location)

    def output(self) -> str:
        """Return all that it has logged."""
        return self.log.read_text(encoding="utf-8")

    def end(self, how: signal.Signals = signal.SIGTERM, limit: float = 60) -> int:
        """End it; return its status."""
        self.process.send_signal(how)
        return self.process.wait(limit)


@contextmanager
def serving(cli: Cli, *arguments: str, **more: str) -> Iterator[Api]:
    """Serve the store and the database of a command line."""
    (port,) = free_ports(1)
    log = Path(cli.env["HOME"]) / f"api-{port}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "brownie_backup_asgi", "--port", str(port), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=cli.env | TOKENS | more,
        )
    api = Api(process, port, log)
    try:
        _wait(api)
        yield api
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()


def _wait(api: Api) -> None:
    for _ in range(600):
        assert api.process.poll() is None, api.output()
        try:
            if api.get("/health", token=None).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise TimeoutError(api.output())

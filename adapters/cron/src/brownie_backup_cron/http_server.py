"""The runner's HTTP server: /health and /metrics."""

import json
import logging
import os
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from brownie_backup.errors import BackupError, ConfigurationError
from brownie_backup.service.documents import instant
from brownie_backup_cron.metrics import RunnerMetrics, exposition

TEXT = "text/plain; version=0.0.4; charset=utf-8"
_PATIENCE_SECONDS = 30

_log = logging.getLogger(__name__)

Page = Callable[[], tuple[bytes, str]]
"""Returns the body of a page, and its content type."""


class Endpoints:
    """A small HTTP server in threads of its own.

    Args:
        host: the address to listen on.
        port: 0 for any free port.
        runner_metrics: the state and the counters of the runner.
        metrics: returns the metrics of the backups.

    Raises:
        ConfigurationError: the address is in use, or does not belong to this machine.
    """

    def __init__(self, host: str, port: int, runner_metrics: RunnerMetrics, metrics: Page) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except (OSError, OverflowError) as error:
            problem = f"cannot listen on {host}, port {port}: {error}"
            raise ConfigurationError([problem], hint="Choose another --host or --port") from None
        self._server.pages["/health"] = lambda: _health(runner_metrics)
        self._server.pages["/metrics"] = lambda: _page(runner_metrics, metrics)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the library's
        self.pages: dict[str, Page] = {}
        super().__init__(*args, **kwargs)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log it at debug level: a client that disconnects is no reason for a traceback."""
        del request, client_address
        _log.debug("a request could not be answered", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_SECONDS
    server_version = "brownie-backup-cron"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        """Answer a request."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer a request without the body."""
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the library's
        """Log nothing: probes come every few seconds."""

    def _answer(self) -> None:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self._send(HTTPStatus.NOT_FOUND, b"Not found: use /health or /metrics.\n", TEXT)
        else:
            self._send(HTTPStatus.OK, *page())

    def _send(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _health(runner_metrics: RunnerMetrics) -> tuple[bytes, str]:
    document = {
        "status": "ok",
        "pid": os.getpid(),
        "leads": runner_metrics.leads,
        "running": runner_metrics.running(),
        "next": {job: instant(due) for job, due in sorted(runner_metrics.planned().items())},
    }
    return json.dumps(document).encode() + b"\n", "application/json"


def _page(runner_metrics: RunnerMetrics, metrics: Page) -> tuple[bytes, str]:
    """Return all metrics, or only the runner's own if the store cannot be read."""
    ours = exposition(runner_metrics).encode()
    try:
        text, content_type = metrics()
    except BackupError as error:
        _log.warning("the metrics of the backups cannot be read: %s", error)
        return ours, TEXT
    return text.rstrip(b"\n") + b"\n" + ours, content_type

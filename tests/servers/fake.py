"""What the fakes of services have in common: each is an HTTP server of the test's own process.

A fake is none of the real services. It answers by what their public descriptions say, and refuses
what they would refuse.
"""

import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.unit.scripted import Answer, Asked


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True  # an answer must not wait for the client's acknowledgement
    server: "Fake"

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Handle any method, by `answer`."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.server.give(Asked(self.command, self.path, dict(self.headers), body))
        self.send_response(given.status)
        for name, value in given.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(given.body)))
        self.end_headers()
        self.wfile.write(given.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def header(asked: Asked, name: str) -> str:
    """Return a header of a request, however its name is written; empty if it is not there."""
    values = {each.lower(): value for each, value in asked.headers.items()}
    return values.get(name.lower(), "")


class Fake(ThreadingHTTPServer):
    """A service that `respond` answers for; first come the answers in `next_answers`."""

    daemon_threads = True
    request_queue_size = 64  # with fewer, a client may have to try again after a second

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[Asked] = []
        self.next_answers: deque[Answer] = deque()
        self._tls = tls
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def respond(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        raise NotImplementedError

    def give(self, asked: Asked) -> Answer:
        """Return the answer to a request, and remember the request."""
        self.asked.append(asked)
        try:
            return self.next_answers.popleft()
        except IndexError:
            return self.respond(asked)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return a connection, encrypted if that was asked for."""
        connection, address = super().get_request()
        if self._tls is None:
            return connection, address
        # The handshake is made when the thread of the connection first reads.
        return (
            self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False),
            address,
        )

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that went away."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

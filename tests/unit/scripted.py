"""An HTTP service that is none: it answers what a test tells it, and keeps what it was asked.

It shows what our stores send, and what they make of answers that no emulator gives.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from attrs import Factory, field, frozen


@frozen
class Answer:
    """What is answered."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = Factory(dict)
    missing_bytes: int = 0
    """How many bytes of the promised body never come."""

    @classmethod
    def of(cls, said: object, status: int = 200, **headers: str) -> Self:
        """Return an answer in JSON; underscores in the names of headers are hyphens."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        fields["Content-Type"] = "application/json"
        return cls(status, json.dumps(said).encode(), fields)


@frozen
class Asked:
    """What was asked."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path, still quoted."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query's fields."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def parts(self) -> tuple[dict[str, Any], bytes]:
        """The two parts of a multipart body: what is said of an object, and the object."""
        boundary = self.headers["Content-Type"].partition("boundary=")[2].strip('"').encode()
        start, first, second, end = self.body.split(b"--" + boundary)
        assert (start, end) == (b"", b"--\r\n")
        metadata = json.loads(first.partition(b"\r\n\r\n")[2])
        return metadata, second.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "ScriptedService"

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Handle any method, by `answer`."""
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(Asked(self.command, self.path, dict(self.headers), body))
        answer = self.server.next_answer()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: len(answer.body) - answer.missing_bytes])
        self.close_connection = answer.missing_bytes > 0

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ScriptedService(ThreadingHTTPServer):
    """Gives its answers in turn, the last one again and again."""

    daemon_threads = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = deque(answers)
        self.asked: list[Asked] = []
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def next_answer(self) -> Answer:
        """Return what is to be answered now."""
        return self.answers.popleft() if len(self.answers) > 1 else self.answers[0]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

"""The proxy of the tests does to a real server's clients what it is told to do, and no more."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from tests.servers.proxy import Proxy

pytestmark = pytest.mark.once

BODY = b"0123456789" * 20_000


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    seen: ClassVar[list[tuple[str, int]]]

    def do_PUT(self) -> None:
        body = self._body()
        self.seen.append((self.path, len(body)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its parent
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        pass  # a client that has gone is what these tests are about


@pytest.fixture
def seen() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """A server's URL, and what arrived there: the paths, with the lengths of the bodies."""

    class Handler(_Echo):
        seen: ClassVar[list[tuple[str, int]]] = []

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/account", Handler.seen
        server.shutdown()
        thread.join()


@pytest.fixture
def arrived(seen: tuple[str, list[tuple[str, int]]]) -> list[tuple[str, int]]:
    return seen[1]


@pytest.fixture
def proxy(seen: tuple[str, list[tuple[str, int]]]) -> Iterator[Proxy]:
    with Proxy(seen[0], seed=1) as proxy:
        yield proxy


class _Client(http.client.HTTPConnection):
    def __init__(self, proxy: Proxy) -> None:
        super().__init__("127.0.0.1", proxy.port, timeout=30)

    def put(self, path: str = "/x", body: bytes = BODY) -> tuple[int, bytes]:
        self.request("PUT", path, body)
        answer = self.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[_Client]:
    client = _Client(proxy)
    yield client
    client.close()


def test_everything_passes_unchanged_on_one_connection(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    assert client.put("/1") == (200, BODY)
    assert client.put("/2", b"") == (200, b"")
    client.request("PUT", "/3", iter([BODY, b"more"]), encode_chunked=True)
    assert client.getresponse().read() == BODY + b"more"
    assert client.put("/4", b"end") == (200, b"end")
    assert arrived == [("/1", len(BODY)), ("/2", 0), ("/3", len(BODY) + 4), ("/4", 3)]
    assert proxy.requests == ["PUT /1", "PUT /2", "PUT /3", "PUT /4"]
    assert proxy.hits == 0
    assert proxy.url == f"http://127.0.0.1:{proxy.port}/account"


def test_the_next_requests_are_answered_without_the_server(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    proxy.answer(503, headers={"Retry-After": "1"}, times=2, only="^PUT /x")
    for _ in range(2):
        client.request("PUT", "/x", BODY)
        answer = client.getresponse()
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        answer.read()
        assert client.put("/y") == (200, BODY)
    client.request("PUT", "/x", iter([BODY]), encode_chunked=True)
    assert client.getresponse().read() == BODY
    assert arrived == [(path, len(BODY)) for path in ("/y", "/y", "/x")]
    assert proxy.hits == 2


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("Content-Length: 4", b"bo", b"dy"),
        ("Transfer-Encoding: chunked", b"2\r\nbo\r\n2\r\ndy\r\n", b"0\r\nMore: x\r\n\r\n"),
    ],
)
def test_a_body_is_read_to_its_end_before_the_answer(
    proxy: Proxy, header: str, start: bytes, end: bytes
) -> None:
    proxy.answer(500)
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.settimeout(30)
        head = f"PUT / HTTP/1.1\r\n{header}\r\nExpect: 100-continue\r\n\r\n"
        client.sendall(head.encode())
        go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
        assert client.recv(len(go_on), socket.MSG_WAITALL) == go_on
        client.sendall(start)
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(30)
        client.sendall(end)
        assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 500"


def test_requests_are_reset_before_the_server_hears_of_them(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    proxy.reset(times=1)
    with pytest.raises(ConnectionError):
        client.put()
    client.close()
    assert not arrived
    assert client.put() == (200, BODY)


def test_answers_are_lost_after_the_server_has_done_its_work(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    proxy.lose_answers(times=1)
    with pytest.raises(ConnectionError):
        client.put()
    client.close()
    assert arrived == [("/x", len(BODY))]
    assert client.put() == (200, BODY)


def test_a_connection_is_reset_in_the_middle_of_a_body(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    proxy.reset_after(100_000, times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            client.put()
        client.close()
    assert client.put() == (200, BODY)
    assert arrived == [("/x", len(BODY))]
    assert proxy.hits == 2


def test_a_share_of_the_requests_fails_the_same_for_every_run(
    seen: tuple[str, list[tuple[str, int]]],
) -> None:
    def failed() -> list[int]:
        with Proxy(seen[0], seed=7) as proxy:
            proxy.answer(500, share=0.2)
            client = _Client(proxy)
            failed = [i for i in range(100) if client.put(body=b"")[0] == 500]
            client.close()
            assert proxy.hits == len(failed)
            return failed

    first = failed()
    assert 5 < len(first) < 40
    assert failed() == first


def test_refused_connections_come_back_on_the_same_port(proxy: Proxy, client: _Client) -> None:
    client.put()
    proxy.refuse()
    with pytest.raises(ConnectionError):  # on the connection that there was
        client.put()
    client.close()
    with pytest.raises(ConnectionRefusedError):
        client.put()
    client.close()
    proxy.heal()
    assert client.put() == (200, BODY)


def test_a_server_that_is_gone_resets(proxy: Proxy) -> None:
    with Proxy("http://127.0.0.1:9") as lost, pytest.raises(ConnectionError):
        _Client(lost).put()


def test_a_stall_passes_nothing_on_until_it_is_over(
    proxy: Proxy, client: _Client, arrived: list[tuple[str, int]]
) -> None:
    proxy.stall()
    client.timeout = 0.2
    with pytest.raises(TimeoutError):
        client.put()
    client.close()
    assert not arrived
    client.timeout = 30
    threading.Timer(0.1, proxy.heal).start()
    assert client.put() == (200, BODY)


def test_the_rate_is_limited(proxy: Proxy, client: _Client) -> None:
    proxy.limit_rate(1_000_000)
    start = time.monotonic()
    assert client.put() == (200, BODY)
    assert time.monotonic() - start > 2 * len(BODY) / 1_000_000
    proxy.heal()


def test_what_is_not_http_passes(seen: tuple[str, list[tuple[str, int]]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with (
            Proxy(f"https://127.0.0.1:{port}") as proxy,
            socket.create_connection(("127.0.0.1", proxy.port)) as client,
        ):
            client.sendall(b"\x16\x03\x01")
            served, _ = server.accept()
            with served:
                assert served.recv(3, socket.MSG_WAITALL) == b"\x16\x03\x01"
                served.sendall(b"\x16ok")
                assert client.recv(3, socket.MSG_WAITALL) == b"\x16ok"

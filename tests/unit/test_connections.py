"""How connections are made and used, and what is said when they fail."""

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter
from tests.servers.certificates import certificate
from tests.unit.scripted import Answer, ScriptedService

from brownie_backup.config.vocabulary import VARIABLE_NAMES
from brownie_backup.errors import AccessDenied, StoreError, StoreUnavailable
from brownie_backup.stores.connections import (
    CONNECTION_ERRORS,
    connection_error,
    is_server_error,
    mount,
)
from brownie_backup.stores.retry_policy import retry_after


def failure(url: str, timeout: tuple[float, float] = (5, 0.2)) -> StoreError:
    """Return our error for what a request to an address leads to."""
    with mount(requests.Session()) as session:
        try:
            session.get(url, timeout=timeout)
        except CONNECTION_ERRORS as error:
            return connection_error("cannot do it", error)
    pytest.fail("it did not fail")


Handler = Callable[[socket.socket], object]


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], str]]:
    """Return a function that starts a server, which does one thing to each connection."""
    listening: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(handler: Handler) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        listening.append(listener)

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    handler(connection)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listening:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()


def test_a_refused_connection_names_the_host() -> None:
    error = failure("http://127.0.0.1:1/path?with=secrets")
    assert type(error) is StoreUnavailable
    assert error.message == "cannot do it: 127.0.0.1:1: Connection refused"
    assert error.hint


def test_an_unknown_host_is_named() -> None:
    error = failure("https://no-such-host.invalid/")
    assert type(error) is StoreUnavailable
    assert error.message.startswith("cannot do it: no-such-host.invalid: ")


def test_silence_ends_in_time(serve: Callable[[Handler], str]) -> None:
    error = failure(f"http://{serve(lambda connection: connection.recv(1))}/")
    assert type(error) is StoreUnavailable
    released = threading.Event()
    address = serve(lambda _: released.wait(30))
    error = failure(f"http://{address}/")
    released.set()
    assert error.message == f"cannot do it: {address}: no answer in time"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "Remote end closed connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "IncompleteRead"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "IncompleteRead"),
        (b"nonsense\r\n\r\n", "nonsense"),
    ],
)
def test_an_answer_that_breaks_off(
    serve: Callable[[Handler], str], answer: bytes, why: str
) -> None:
    def say(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    error = failure(f"http://{serve(say)}/")
    assert type(error) is StoreUnavailable
    assert why in error.message


@pytest.mark.parametrize("url", ["127.0.0.1:1/x", "http://", "ftp://127.0.0.1/", "http://a..b/"])
def test_what_is_no_address_is_not_tried_again(url: str) -> None:
    error = failure(url)
    assert type(error) is StoreError
    assert "BACKUP_ENDPOINT_URL" in error.worded(VARIABLE_NAMES)


def test_a_missing_file_of_certificates_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    error = failure("https://127.0.0.1:1/")
    assert type(error) is StoreError
    assert "/no/such/file" in error.message
    assert "REQUESTS_CA_BUNDLE" in error.worded(VARIABLE_NAMES)


# --- TLS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "why"),
    [("127.0.0.1", "self-signed certificate"), ("127.0.0.2", "IP address mismatch")],
)
def test_a_certificate_that_is_not_right_is_not_tried_again(
    serve: Callable[[Handler], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    why: str,
) -> None:
    paths = certificate(tmp_path, host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*paths)

    def shake_hands(connection: socket.socket) -> None:
        try:
            context.wrap_socket(connection, server_side=True).close()
        except OSError:
            return

    if host != "127.0.0.1":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(paths[0]))
    error = failure(f"https://{serve(shake_hands)}/", (5, 5))
    assert type(error) is StoreError
    assert f"certificate verify failed ({why}" in error.message
    assert "REQUESTS_CA_BUNDLE" in error.worded(VARIABLE_NAMES)


def test_a_service_without_tls_is_not_tried_again(serve: Callable[[Handler], str]) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    error = failure(f"https://{serve(refuse)}/")
    assert type(error) is StoreError
    assert "BACKUP_ENDPOINT_URL" in error.worded(VARIABLE_NAMES)


def test_a_handshake_that_breaks_off_is_worth_another_try(serve: Callable[[Handler], str]) -> None:
    error = failure(f"https://{serve(lambda connection: connection.recv(65536))}/")
    assert type(error) is StoreUnavailable


# --- sending -------------------------------------------------------------------------------------


@pytest.mark.once
def test_a_slow_upload_may_take_longer_than_a_connection(serve: Callable[[Handler], str]) -> None:
    """As one piece, all of it would have to be through within the timeout for connecting."""
    size, never = 6 << 20, threading.Event()

    def receive_slowly(connection: socket.socket) -> None:
        left = size
        while left > 0 and (received := connection.recv(1 << 16)):
            left -= len(received)
            never.wait(0.02)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    address = serve(receive_slowly)
    with mount(requests.Session()) as session:
        answer = session.put(f"http://{address}/", data=bytes(size), timeout=(0.4, 10))
        assert answer.elapsed.total_seconds() > 0.8


def test_a_netrc_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with ScriptedService(Answer()) as service, mount(requests.Session()) as session:
        session.get(service.url, headers={"Authorization": "Bearer token"})
        assert service.asked[0].headers["Authorization"] == "Bearer token"


def test_there_is_a_connection_for_each_thread() -> None:
    adapter = mount(requests.Session()).get_adapter("https://storage.googleapis.com/")
    assert isinstance(adapter, HTTPAdapter)
    assert adapter.poolmanager.connection_pool_kw["maxsize"] >= 20


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 -0000"}, 0.0),
        ({"Retry-After": "Thu, 99 Jan 99999 00:00:00 GMT"}, None),
        ({"Retry-After": ""}, None),
        ({"x-ms-retry-after-ms": "250"}, 0.25),
        ({"x-ms-retry-after-ms": "soon"}, None),
    ],
)
def test_how_long_a_service_asks_us_to_wait(
    headers: Mapping[str, str], seconds: float | None
) -> None:
    assert retry_after(headers) == seconds


def test_a_date_to_wait_for_becomes_seconds() -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    seconds = retry_after({"Retry-After": f"{later:%a, %d %b %Y %H:%M:%S GMT}"})
    assert seconds is not None
    assert 200 < seconds <= 300


@pytest.mark.parametrize(
    ("status", "expected"), [(499, False), (500, True), (501, False), (599, True)]
)
def test_what_is_a_servers_fault(status: int, expected: object) -> None:
    assert is_server_error(status) == expected


def test_errors_that_refer_to_each_other_are_read_once() -> None:
    first, second = urllib3.exceptions.HTTPError("first"), urllib3.exceptions.HTTPError("second")
    first.__cause__, second.__cause__ = second, first
    assert connection_error("cannot do it", first).message == "cannot do it: second"


def test_a_file_that_a_library_cannot_read_is_named_and_not_read_again() -> None:
    error = connection_error("cannot read", PermissionError(13, "Permission denied", "/run/token"))
    assert type(error) is AccessDenied
    assert error.message == "cannot read: '/run/token' cannot be read: Permission denied"

"""A connection whose request never comes does not stay open."""

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from brownie_backup_asgi.deadline import RequestDeadline

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Hurried(RequestDeadline):
    """As in production, but sooner."""

    seconds = 0.2


async def answer(_: object, __: object, send: Callable[[MutableMapping[str, Any]], Any]) -> None:
    """Take longer than a request may."""
    await asyncio.sleep(0.5)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def exchange(sent: bytes) -> bytes:
    """Send bytes, and return all that comes until the server ends the connection."""
    config = uvicorn.Config(answer, http=Hurried, log_config=None, timeout_keep_alive=1)
    config.load()
    made = lambda: Hurried(config, ServerState(), {})  # noqa: E731 - a factory
    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    async with server:
        reading, writing = await asyncio.open_connection(*server.sockets[0].getsockname())
        writing.write(sent)
        received = await asyncio.wait_for(reading.read(), 20)
        writing.close()
    return received


@pytest.mark.parametrize("half", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\n"])
def test_a_half_sent_request_ends_its_connection(half: bytes) -> None:
    assert asyncio.run(exchange(half)) == b""


@pytest.mark.parametrize("half", [b"", b"GET / HT"])
def test_a_whole_request_is_answered_however_long_it_takes(half: bytes) -> None:
    received = asyncio.run(exchange(GET + half))
    assert received.startswith(b"HTTP/1.1 204")

"""A network that fails on demand: a TCP proxy between a client and a server of the tests."""

import asyncio
import contextlib
import math
import random
import re
import socket
import struct
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import attrs

from tests.servers.http_request import body, header
from tests.servers.process import free_ports

_CHUNK = 65_536
_DONT_LINGER = struct.pack("ii", 1, 0)


@attrs.define
class _Fault:
    """What happens to some of the requests."""

    only: str
    share: float
    left: float
    answer: bytes = b""
    """What the proxy says itself, so that the server hears nothing of the request."""
    lose: bool = False
    """Whether the server does what it is asked, but its answer gets lost."""


class _ResetError(Exception):
    """A fault wants the connection reset."""


class Proxy:
    """Passes everything on to a server, until told to do worse.

    Signatures stay right: the client signs the name that it has connected to, and the server
    checks the name that it is told. What isn't HTTP is passed on too, without the faults that
    are for requests.

    Args:
        url: where the server is; `url` is the same behind the proxy.
        seed: of the choice which requests fail, if only a share of them does.
    """

    def __init__(self, url: str, *, seed: int = 0) -> None:
        self._target = urlsplit(url)
        (self.port,) = free_ports(1)
        self.url = self._target._replace(netloc=f"127.0.0.1:{self.port}").geturl()
        self.requests: list[str] = []
        """The lines of all requests so far, such as ``PUT /bucket/key``."""
        self.hits = 0
        """How often a request has failed, or a connection was reset, because of a fault."""
        self._random = random.Random(seed)  # noqa: S311 - it has to be repeatable
        self._faults: list[_Fault] = []
        self._cut: tuple[int, float] = (0, 0)
        self._until_cut = 0
        self._rate = math.inf
        self._flowing = asyncio.Event()
        self._listening: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.heal()

    # --- Faults ----------------------------------------------------------------------------------

    def answer(
        self,
        status: int,
        *,
        headers: Mapping[str, str] | None = None,
        times: float = math.inf,
        share: float = 1,
        only: str = "",
    ) -> None:
        """Answer requests ourselves, after reading them to the end; the server sees nothing.

        Args:
            status: such as 503.
            headers: such as ``{"Retry-After": "1"}``.
            times: how many requests, before all is well again.
            share: how many of the requests: 0.05 are 5 %.
            only: a regular expression, found in the lines of the requests that are meant.
        """
        lines = (f"HTTP/1.1 {status} Fault", "Content-Length: 0", "Connection: close")
        more = (f"{name}: {value}" for name, value in (headers or {}).items())
        answer = "".join(f"{line}\r\n" for line in (*lines, *more, "")).encode()
        self._faults = [*self._faults, _Fault(only, share, times, answer=answer)]

    def reset(self, *, times: float = math.inf, share: float = 1, only: str = "") -> None:
        """Reset the connection instead of passing a request on; see `answer`."""
        self._faults = [*self._faults, _Fault(only, share, times)]

    def lose_answers(self, *, times: float = math.inf, share: float = 1, only: str = "") -> None:
        """Reset the connection when the server has done a request; see `answer`."""
        self._faults = [*self._faults, _Fault(only, share, times, lose=True)]

    def reset_after(self, count: int, *, times: float = 1) -> None:
        """Reset a connection as soon as clients have sent so many bytes; all over again `times`."""
        self._cut = (count, times)
        self._until_cut = count

    def limit_rate(self, bytes_per_second: float) -> None:
        """Pass on no more than so much, on each connection and in each direction."""
        self._rate = bytes_per_second

    def stall(self) -> None:
        """Accept connections and bytes, and pass nothing on."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def refuse(self) -> None:
        """Refuse connections, and reset those that there are."""
        self._call(self._stop_listening())

    def heal(self) -> None:
        """Take all faults away; what was stalled goes on."""
        self._faults = []
        self._cut = (0, 0)
        self._rate = math.inf
        self._loop.call_soon_threadsafe(self._flowing.set)
        self._call(self._listen())

    def close(self) -> None:
        """End it, and all connections."""
        self._call(self._stop_listening())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- Within the thread of the loop -----------------------------------------------------------

    def _call(self, work: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        if self._listening is None:
            self._listening = await asyncio.start_server(self._begin, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._listening is not None:
            for listening in self._listening.sockets:
                self._loop.remove_reader(listening.fileno())
            # Connections that have just been accepted begin: asyncio loses them in a closed server.
            await asyncio.sleep(0)
            self._listening.close()
            self._listening = None
        while sessions := asyncio.all_tasks() - {asyncio.current_task()}:
            for session in sessions:
                session.cancel()
            await asyncio.wait(sessions)

    def _begin(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        session = self._loop.create_task(self._serve(client, to_client))
        self._sessions.add(session)  # the loop itself does not keep it

        def end(_: object) -> None:
            self._sessions.remove(session)
            _reset(to_client)  # cancelled before it began, it has closed nothing

        session.add_done_callback(end)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Pass requests and answers on until one side has enough, or a fault."""
        writers = [to_client]
        try:
            address = self._target.hostname, self._target.port
            server, to_server = await asyncio.open_connection(*address)
            writers.append(to_server)
            await self._exchange(_Session(client, to_client, server, to_server))
            for writer in writers:
                writer.close()
                await writer.wait_closed()
        except (_ResetError, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            for writer in writers:
                _reset(writer)

    async def _exchange(self, session: "_Session") -> None:
        ways = [
            asyncio.create_task(self._pass_requests(session)),
            asyncio.create_task(self._pass_answers(session)),
        ]
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        for way in ended:
            way.result()

    async def _pass_requests(self, session: "_Session") -> None:
        while first := await session.client.read(1):
            if not first.isupper():  # not HTTP; TLS perhaps
                await self._send(first, session.to_server)
                while data := await session.client.read(_CHUNK):
                    await self._send(data, session.to_server)
                return
            head = first + await session.client.readuntil(b"\r\n\r\n")
            line = head.partition(b" HTTP/")[0].decode("latin-1")
            self.requests.append(line)
            fault = self._choose(line)
            if fault is not None and fault.answer:
                await _answer(session, head, fault.answer)
                return
            if fault is not None and not fault.lose:
                raise _ResetError
            session.lose_answer = fault is not None
            await self._send(head, session.to_server)
            async for data in body(session.client, head):
                await self._send(data, session.to_server)

    async def _pass_answers(self, session: "_Session") -> None:
        while data := await session.server.read(_CHUNK):
            if session.lose_answer and not data.startswith(b"HTTP/1.1 100 "):
                raise _ResetError
            await self._pass_on(data, session.to_client)

    def _choose(self, line: str) -> _Fault | None:
        """Find what is to go wrong with a request."""
        for fault in self._faults:
            meant = fault.left > 0 and re.search(fault.only, line) is not None
            if meant and self._random.random() < fault.share:
                fault.left -= 1
                self.hits += 1
                return fault
        return None

    async def _send(self, data: bytes, to_server: asyncio.StreamWriter) -> None:
        count, times = self._cut
        if times > 0 and len(data) >= self._until_cut:
            data = data[: self._until_cut]
            self._cut, self._until_cut = (count, times - 1), count
            self.hits += 1
            await self._pass_on(data, to_server)
            raise _ResetError
        self._until_cut -= len(data)
        await self._pass_on(data, to_server)

    async def _pass_on(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        while data:
            await self._flowing.wait()
            piece = data[: max(1, int(min(_CHUNK, self._rate / 20)))]
            data = data[len(piece) :]
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(len(piece) / self._rate)


@attrs.define
class _Session:
    """Both sides of a connection."""

    client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    server: asyncio.StreamReader
    to_server: asyncio.StreamWriter
    lose_answer: bool = False


async def _answer(session: _Session, head: bytes, answer: bytes) -> None:
    """Read a request to its end, then answer it."""
    if header(head, "Expect"):
        session.to_client.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    async for _ in body(session.client, head):
        pass
    session.to_client.write(answer)
    await session.to_client.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Cut a connection with RST rather than FIN, so that nobody takes it for a proper end."""
    with contextlib.suppress(OSError):
        connected: socket.socket = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DONT_LINGER)
    writer.transport.abort()

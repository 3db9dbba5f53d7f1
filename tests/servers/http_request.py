"""Just enough of HTTP to tell where a request ends."""

import asyncio
import re
from collections.abc import AsyncIterator

_CHUNK = 65_536


async def body(client: asyncio.StreamReader, head: bytes) -> AsyncIterator[bytes]:
    """Read the body of a request as it is on the wire, in pieces."""
    if "chunked" in header(head, "Transfer-Encoding").lower():
        size = 1
        while size:
            line = await client.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            yield line
            if size:
                yield await client.readexactly(size + 2)
        while (line := await client.readuntil(b"\r\n")) != b"\r\n":
            yield line
        yield line
    left = int(header(head, "Content-Length") or 0)
    while left:
        data = await client.read(min(left, _CHUNK))
        if not data:
            raise asyncio.IncompleteReadError(data, left)
        left -= len(data)
        yield data


def header(head: bytes, name: str) -> str:
    """Return the value of a header, or nothing."""
    found = re.search(rf"(?im)^{name}: *(.*?)\r$", head.decode("latin-1"))
    return found[1] if found else ""

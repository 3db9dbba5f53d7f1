"""Cut streams into pieces of the size of a blob."""

from collections.abc import Callable, Iterable, Iterator


def refilled(
    stream: Iterable[bytes], next_buffer: Callable[[], bytearray], *, head: int = 0
) -> Iterator[memoryview]:
    """Cut a stream of pieces of any length into pieces as long as a buffer, in its memory.

    A buffer is asked for when there is something to put into it. A piece is valid until its buffer
    is used again. Allocating new memory of this size would cost about as much as compressing,
    because of its page faults. With `head`, the first piece has that length instead.
    """
    whole: memoryview | None = None
    length, room = 0, head
    for piece in stream:
        view = memoryview(piece)
        while view:
            if whole is None:
                whole = memoryview(next_buffer())
                whole, length, room = whole[: room or len(whole)], 0, 0
            part = view[: len(whole) - length]
            whole[length : length + len(part)] = part
            view, length = view[len(part) :], length + len(part)
            if length == len(whole):
                yield whole
                whole = None
    if whole is not None:
        yield whole[:length]


def chunked(stream: Iterable[bytes], size: int, *, head: int = 0) -> Iterable[bytes]:
    """Cut a stream of pieces of any length into pieces of `size`; only the last may be shorter.

    With `head`, the first piece has that length instead.
    """
    pending: list[memoryview] = []
    length = 0
    room = head or size
    for piece in stream:
        view = memoryview(piece)
        while length + len(view) >= room:
            pending.append(view[: room - length])
            view = view[room - length :]
            room = size
            whole = b"".join(pending)
            pending.clear()
            length = 0
            yield whole
            del whole
        if view:
            pending.append(view)
            length += len(view)
    if pending:
        yield b"".join(pending)

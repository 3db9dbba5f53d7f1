"""A download into memory with a limit."""

from io import BytesIO


class LimitExceeded(Exception):
    """The object is larger than its reader accepts."""


class Limited(BytesIO):
    """Takes that many bytes; the library writes an object into it piece by piece."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def write(self, data: bytes, /) -> int:  # type: ignore[override] # the library gives bytes
        """Take a piece."""
        if self.tell() + len(data) > self._most_bytes:
            raise LimitExceeded
        return super().write(data)

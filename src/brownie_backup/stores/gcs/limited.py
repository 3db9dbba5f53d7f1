"""A download into memory with a limit."""

from io import BytesIO

from google.cloud.storage import Blob


def download_into_memory(blob: Blob, most_bytes: int, timeout: tuple[float, float]) -> bytes | None:
    """Return the content of an object; None if it has more bytes than that."""
    data = _Limited(most_bytes)
    try:
        blob.download_to_file(data, timeout=timeout, retry=None, checksum="md5")
    except _LimitExceededError:
        return None
    return data.getvalue()


class _LimitExceededError(Exception):
    pass


class _Limited(BytesIO):
    """Takes that many bytes; the library writes an object into it piece by piece."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__()
        self._most_bytes = most_bytes

    def write(self, data: bytes, /) -> int:  # type: ignore[override] # the library gives bytes
        """Take a piece."""
        if self.tell() + len(data) > self._most_bytes:
            raise _LimitExceededError
        return super().write(data)

"""Waiting for something to come true."""

import time
from collections.abc import Callable

LIMIT_SECONDS = 60.0


def wait_until(true: Callable[[], object], *, what: str, limit: float = LIMIT_SECONDS) -> None:
    """Return as soon as `true()` is; fail after `limit` seconds."""
    end = time.monotonic() + limit
    while not true():
        assert time.monotonic() < end, f"waited {limit} s in vain: {what}"
        time.sleep(0.02)

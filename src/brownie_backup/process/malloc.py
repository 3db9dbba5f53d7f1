"""Keeping a process small and fast that handles large blocks of memory in several threads."""

import contextlib
import ctypes

# malloc.h of glibc
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGEST_BYTES = 8 << 20
_KEPT_BYTES = 128 << 20


def share_large_blocks() -> None:
    """Make glibc keep the memory of freed blocks of up to 8 MiB in one place for all threads.

    By default it keeps freed blocks separately for each thread, and a backup of blobs that don't
    compress grows from 150 to over 400 MiB. Or it returns large blocks to the system, and getting
    them again, page by page, costs a fifth of all processor time. This is a setting of the whole
    process, so only entry points should call it. Without glibc it does nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)

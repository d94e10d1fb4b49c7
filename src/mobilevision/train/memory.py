"""Memory that a training on a CPU keeps between its steps."""

import ctypes
import sys

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4
"""glibc's numbers for `mallopt`."""

NEVER = -1
PAD = 64 * 2**20
"""Bytes that the heap grows by at least."""


def keep_memory() -> None:
    """Let the C library keep what a step gives back, for the next one, where it is glibc; elsewhere nothing changes.

    Else it hands every large map back to the system, which fills it with zeros before the next step may have it. What
    is computed does not change.
    """
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):  # not so on Alpine
        library.mallopt(MMAP_MAX, 0)
        library.mallopt(TRIM_THRESHOLD, NEVER)
        library.mallopt(TOP_PAD, PAD)

"""How a sync keeps memory: told to the interpreter and to the C library once, before there are threads."""

from __future__ import annotations

import contextlib
import gc

_ARENA_MAX = -8
"""M_ARENA_MAX in glibc's malloc.h."""


def prepare() -> None:
    """Look for garbage seldom, and let all threads share one heap.

    Rows make no circles, so looking for them often would only cost. And glibc gives each thread a heap of its own, so
    as not to wait; Python's threads allocate one at a time anyway, and what one heap has free no other can use: of five
    vendors read at once a third of the memory was that.
    """
    gc.set_threshold(50_000)
    import ctypes  # noqa: PLC0415 - only for this

    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library, another system
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)

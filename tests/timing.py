"""How long work takes, as far as that can be told on a busy machine: CPU time of one thread, the best of some tries.

Without the collector of garbage, whose share depends on what the tests before have left.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def cpu_seconds(work: Callable[[], object], tries: int = 1) -> float:
    """Return the CPU seconds of a call that starts no thread."""
    best = float("inf")
    collects = gc.isenabled()
    gc.disable()
    try:
        for _ in range(tries):
            began = time.thread_time()
            work()
            best = min(best, time.thread_time() - began)
    finally:
        if collects:
            gc.enable()
    return best

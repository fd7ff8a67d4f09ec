"""Ends a run that was told to end and cannot, since nobody takes what it writes."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 60.0
"""Seconds without a byte being taken from stdout, after a signal: then its reader is as good as dead."""
_SAID = b"tap-emaillogs: a signal came, and nobody has read stdout since: ended without a last STATE\n"


class Watchdog(threading.Thread):
    """A thread that sleeps until a signal comes. A write to a pipe that is full cannot be taken back, only left.

    Args:
        taken: Returns how many bytes stdout has taken so far.
    """

    def __init__(self, taken: Callable[[], int]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._taken = taken
        self._status = 0
        self._signalled, self._over = threading.Event(), threading.Event()

    def wake(self, status: int) -> None:
        """Begin to watch; `status` is what the process would end with. Safe in a signal handler of another thread."""
        self._status = status
        self._signalled.set()

    def close(self) -> None:
        """End it: the run has ended by itself."""
        self._over.set()
        self._signalled.set()

    def run(self) -> None:
        """Watch."""
        self._signalled.wait()
        before = -1
        while (now := self._taken()) != before:
            before = now
            if self._over.wait(PATIENCE):
                return
        with contextlib.suppress(OSError):  # whoever does not read stdout may not read stderr either
            os.set_blocking(2, False)
            os.write(2, _SAID)
        os._exit(self._status)

"""Time as the tap sees it, so that a test can run a week in a second."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime


class Stopped(BaseException):
    """The run is ending (signal or closed output): unwind without recording a failure.

    Not an `Exception`, so that no retry or failure isolation swallows it.
    """


class Clock:
    """The system's clock, with waits that end early when the run does."""

    def __init__(self) -> None:
        self._stop = threading.Event()

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Sleep for `seconds`.

        Raises:
            Stopped: The run ended meanwhile.
        """
        if self._stop.wait(max(0.0, seconds)):
            raise Stopped

    def stop(self) -> None:
        """End all present and future waits."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether the run is ending."""
        return self._stop.is_set()

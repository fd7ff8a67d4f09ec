"""Request budgets: what a vendor allows an account, kept by pacing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_emaillogs.http.clock import Clock


class Budget:
    """Paces the requests of one account, evenly: a minute's worth at once would already be a burst for some vendors.

    Shared by all endpoints and threads of the account. A vendor's `Retry-After` holds all of them back.
    """

    def __init__(self, requests_per_minute: float, clock: Clock) -> None:
        self._interval = 60 / requests_per_minute if requests_per_minute else 0.0
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 0.0

    def acquire(self) -> None:
        """Wait for this request's turn.

        Raises:
            Stopped: The run ended meanwhile.
        """
        while True:
            with self._lock:
                now = self._clock.monotonic()
                delay = self._next - now
                if delay <= 0:
                    self._next = now + self._interval
                    return
            self._clock.wait(delay)

    def pause(self, seconds: float) -> None:
        """Let no request of this account start for `seconds`."""
        with self._lock:
            self._next = max(self._next, self._clock.monotonic() + seconds)

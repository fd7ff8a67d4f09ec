"""Request budgets: what a vendor allows an account, kept by pacing."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tap_emaillogs.http.activity import Activity, Wait

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
        self._paused_until = 0.0
        """Until when the vendor asked not to be asked."""

    def acquire(self, activity: Activity | None = None) -> None:
        """Wait for this request's turn; `activity` is told of it.

        Raises:
            Stopped: The run ended meanwhile.
        """
        activity = activity or Activity()
        while True:
            with self._lock:
                now = self._clock.monotonic()
                delay = self._next - now
                if delay <= 0:
                    self._next = now + self._interval
                    return
                why = Wait.RETRY_AFTER if now < self._paused_until else Wait.BUDGET
            activity.wait(self._clock, delay, why)

    def pause(self, seconds: float) -> None:
        """Let no request of this account start for `seconds`."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.monotonic() + seconds)
            self._next = max(self._next, self._paused_until)

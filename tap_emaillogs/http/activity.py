"""What the workers of an endpoint are doing, for whoever watches: requests, retries, and what is waited for."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_emaillogs.http.clock import Clock

_logger = logging.getLogger("tap-emaillogs.waits")


class Wait(StrEnum):
    """What is waited for, as it stands after "waits"; the later one says more where two are waited for."""

    MAIL = "for a report by mail"
    EXPORT = "for an export"
    BUDGET = "for its budget"
    RETRY = "to try again"
    RETRY_AFTER = "as the vendor asks (Retry-After)"


_ORDER = {wait: place for place, wait in enumerate(Wait)}


class Activity:
    """Counts what the workers of one endpoint do, in this run; safe to share between threads.

    Args:
        label: The endpoint, for the log.
    """

    def __init__(self, label: str = "") -> None:
        self.label = label
        self.requests = 0
        self.retries = 0
        self._lock = threading.Lock()
        self._waiting: Counter[Wait] = Counter()
        self._since: dict[Wait, float] = {}
        self._waited: dict[Wait, float] = {}
        self._last: tuple[Wait, float, float] | None = None
        """The wait that ended last: for what, until when, and for how many seconds."""

    def count_request(self) -> None:
        """Note a request that is being sent."""
        with self._lock:
            self.requests += 1

    def count_retry(self) -> None:
        """Note that something failed and is tried again."""
        with self._lock:
            self.retries += 1

    def wait(self, clock: Clock, seconds: float, why: Wait) -> None:
        """Wait, as `clock.wait` does, and say for what.

        Raises:
            Stopped: The run ended meanwhile.
        """
        _logger.debug("%s: waits %.1f s %s", self.label, seconds, why)
        with self._lock:
            self._waiting[why] += 1
            began = clock.monotonic()
            self._since.setdefault(why, began)
        try:
            clock.wait(seconds)
        finally:
            with self._lock:
                now = clock.monotonic()
                self._last = why, now, now - began
                self._waiting[why] -= 1
                if not self._waiting[why]:
                    self._waited[why] = self._waited.get(why, 0.0) + now - self._since.pop(why)

    def waits_for(self, now: float) -> Wait | None:
        """Return what most of the workers that wait are waiting for; None: none waits.

        A request between two waits, shorter than these, is no end of waiting.
        """
        with self._lock:
            waits = [wait for wait, workers in self._waiting.items() if workers]
            if not waits and self._last is not None:
                why, ended, lasted = self._last
                return why if now - ended < lasted else None
            return max(waits, key=lambda wait: (self._waiting[wait], _ORDER[wait]), default=None)

    def waited(self, now: float) -> dict[Wait, float]:
        """Return for how many seconds each was waited for by at least one worker; `now` as the clock's `monotonic`."""
        with self._lock:
            waited = {**self._waited}
            for wait, since in self._since.items():
                waited[wait] = waited.get(wait, 0.0) + now - since
            return waited

"""Progress as lines of the log: when an endpoint begins and ends, and every half minute meanwhile."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from tap_emaillogs.progress import words
from tap_emaillogs.progress.stderr import takes_more

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.progress.endpoint import EndpointProgress, Snapshot
    from tap_emaillogs.progress.tracker import Tracker

EVERY = 30.0
"""Seconds of the run's clock between two lines of an endpoint."""
FEW = 20
"""With more endpoints than that, only those that take long have lines, and at most so many at a time."""
_JUST_BEGUN = 5.0
_LOOK = 0.25
"""Seconds of real time between two looks at the clock."""
_logger = logging.getLogger("tap-emaillogs.progress")


class Lines:
    """Writes the lines, those for "meanwhile" from a thread of its own."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)
        self._told: set[int] = set()
        """Endpoints of which a line was written."""
        self._many = False

    def start(self) -> None:
        """Begin, now that it is known what is to be read."""
        planned = self._tracker.planned
        self._many = len(planned) > FEW
        if self._many:
            accounts = {one.endpoint.id[:2] for one in planned}
            _logger.info("begins: %d endpoints of %d accounts", len(planned), len(accounts))
        self._tracker.on_begin, self._tracker.on_end = self._begun, self._ended
        if planned:
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _begun(self, one: EndpointProgress) -> None:
        if not self._many:
            self._tell(one, words.begins(one), self._tracker.snapshot(one))

    def _ended(self, one: EndpointProgress) -> None:
        if not self._many or id(one) in self._told:
            now = self._tracker.snapshot(one)
            self._tell(one, words.ends(one, now), now)

    def _tell(self, one: EndpointProgress, line: str, now: Snapshot) -> None:
        self._told.add(id(one))
        _logger.info("%s", line, extra=words.fields(one, now))

    def _watch(self) -> None:
        try:
            clock = self._tracker.clock
            due = clock.monotonic() + EVERY
            while not self._over.wait(_LOOK):
                now = clock.monotonic()
                if now >= due:
                    due = now + EVERY
                    self._meanwhile()
        except Exception as error:
            _logger.debug("progress cannot be shown", exc_info=error)

    def _meanwhile(self) -> None:
        running = [(one, now) for one, now in self._tracker.running() if now.running >= _JUST_BEGUN]
        if not running or not takes_more():
            return
        for one, now in running[:FEW]:
            if one.ended is None:
                self._tell(one, words.line(one, now), now)
        if self._many:
            self._tell_others([now for _, now in running[FEW:]])

    def _tell_others(self, others: Sequence[Snapshot]) -> None:
        planned = self._tracker.planned
        ended = sum(one.ended is not None for one in planned)
        if others:
            _logger.info("%s", words.totals(others, f"{len(others):,} more are being read"))
        _logger.info("%d of %d endpoints are done", ended, len(planned))

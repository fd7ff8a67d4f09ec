"""What a run learns of how an endpoint's vendor answers, and when it stops believing what it announces."""

from __future__ import annotations

import threading

from tap_emaillogs.engine.density import Density
from tap_emaillogs.http.errors import ReadError

SMALLEST_CAP = 10
"""No vendor cuts its answers at fewer rows."""
_MOST_SHORT = 50
"""So many windows that lack rows, though the vendor showed more at once, and none whose total was right: its totals are
wrong, not its rows."""
_MOST_WITHHELD = 300
"""Windows of the shortest length, one after another, of which the vendor shows nothing, or not all."""
_MOST_IN_VAIN = 2_000
"""Pages of windows that were then split, with none between that was read to its end."""


class Observed:
    """What a run has learned of how an endpoint's vendor answers; shared by the workers of the endpoint."""

    def __init__(self) -> None:
        self.density = Density()
        self.totals_are_wrong = False
        """Whether totals were seen that cannot be true: nothing is split for them any more."""
        self.has_many_short = False
        """Whether that is so since many windows lacked rows: known again only after as many requests."""
        self.answered = False
        """Whether the vendor showed a page: it accepts the key."""
        self.short = 0
        """How many have lacked rows since a total was right."""
        self._largest = self._withheld = self._in_vain = 0
        self._seams_within_moments = self._seams_with_twins = 0
        self.lock = threading.Lock()

    def note_seams(self, within_moments: int, with_twins: int) -> tuple[int, int]:
        """Count pages that end within a moment, and those of them with rows of the next page; return all so far."""
        with self.lock:
            self._seams_within_moments += within_moments
            self._seams_with_twins += with_twins
            return self._seams_within_moments, self._seams_with_twins

    def note_short(self, rows: int) -> None:
        """Count a window that shows so many rows and lacks others, unless it may be cut for its length."""
        with self.lock:
            self.short += rows < max(SMALLEST_CAP, self._largest // 2)
            self._largest = max(self._largest, rows)
            self.has_many_short = self.has_many_short or self.short >= _MOST_SHORT
            self.totals_are_wrong = self.totals_are_wrong or self.has_many_short

    def begin_with(self, short: int) -> None:
        """Take over how many windows have lacked rows in earlier runs."""
        self.short = short
        self.has_many_short = self.totals_are_wrong = short >= _MOST_SHORT

    def note_right(self) -> None:
        """Note a window with just as many rows as announced: what lacks some may be had in parts."""
        with self.lock:
            self.totals_are_wrong = self.totals_are_wrong and not self.has_many_short
            self.has_many_short, self.short = False, 0

    def note_outcome(self, status: str, reason: str | None, *, shortest: bool) -> None:
        """Count windows of the `shortest` length that the vendor withholds.

        Raises:
            ReadError: It withholds all of them.
        """
        with self.lock:
            if status == "complete":
                self._withheld = self._in_vain = 0
            elif status == "truncated" and shortest:
                self._withheld += 1
            if self._withheld <= _MOST_WITHHELD:
                return
        raise ReadError(
            f"the vendor withholds rows of even the shortest windows, {self._withheld} of them one after another "
            f"({reason})",
            "ask the vendor whether this endpoint still heeds the range of time; nothing was left out: the next run "
            "starts at this window",
        )

    def note_in_vain(self, pages: int) -> None:
        """Count pages of a window that turned out to hold too much, and is to be read in parts.

        Raises:
            ReadError: None of the parts gets any smaller.
        """
        with self.lock:
            self._in_vain += pages
            if self._in_vain <= _MOST_IN_VAIN:
                return
        raise ReadError(
            f"the vendor gave {self._in_vain} pages and always says that more follow, however short the windows",
            "ask the vendor whether this endpoint still heeds the range of time; the next run tries this window again",
        )

"""How far this machine's clock is ahead of a vendor's, as the `Date` of its answers shows."""

from __future__ import annotations

import email.utils
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

_INEXACT = timedelta(seconds=2)
"""`Date` has whole seconds, and a vendor's servers differ a little."""
_WORTH_A_WORD = timedelta(seconds=60)
_NONSENSE = timedelta(days=1)
"""A clock, or a zone set wrong, is not further off; a `Date` that is tells nothing."""


class VendorClock:
    """Compares the clocks, for one account; safe to share between threads."""

    def __init__(self, logger: logging.Logger, label: str) -> None:
        self._logger, self._label = logger, label
        self._lock = threading.Lock()
        self._told = False
        self.ahead = timedelta()
        """By how much this machine's clock is ahead at most, by the answers so far; zero: it is not."""

    def note(self, sent: datetime, received: datetime, headers: Mapping[str, str]) -> None:
        """Compare an answer's `Date` with the times here at which it was asked for and came."""
        date = date_of(headers)
        if date is None:
            return
        # The answer was made after it was asked for, and before it came.
        ahead, behind = sent - date, date - received
        with self._lock:
            if _INEXACT < ahead <= _NONSENSE:
                self.ahead = max(self.ahead, ahead)
            off = max(ahead, behind)
            if off <= _WORTH_A_WORD or self._told:
                return
            self._told = True
        self._tell(off, "ahead of" if ahead > behind else "behind")

    def be_quiet(self) -> None:
        """Say nothing: whoever asks tells it."""
        self._told = True

    def _tell(self, off: timedelta, side: str) -> None:
        what = f"this machine's clock is {_span(off)} {side} the vendor's (Date of its answers)"
        then = consequence(off if side == "ahead of" else -off)
        self._logger.warning("%s: %s: %s. Set the clock (NTP)", self._label, what, then)


def consequence(ahead: timedelta) -> str:
    """Say what follows from a clock that is so far ahead of the vendor's, or behind it (below zero)."""
    if abs(ahead) > _NONSENSE:
        return "that much is not believed, and windows end by this machine's clock"
    if ahead < timedelta():
        return "what is new is read that much later"
    return "windows end by the vendor's, so that nothing is passed over"


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """Return when an answer was made, or given out by a cache; None: it does not say."""
    try:
        date = email.utils.parsedate_to_datetime(headers.get("Date", "").strip()[:64])
        age = headers.get("Age", "").strip()
        kept = timedelta(seconds=int(age)) if age.isascii() and age.isdigit() and len(age) < 9 else timedelta()
        return date.replace(tzinfo=date.tzinfo or UTC).astimezone(UTC) + kept
    except (ValueError, OverflowError):
        return None


def _span(off: timedelta) -> str:
    seconds = off.total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"

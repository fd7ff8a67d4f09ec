"""How both versions are read: what a full answer proves, and what the vendor may forget while it is read."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.density import cut, estimate, seen_region
from tap_emaillogs.engine.paged_reader import PagedReader
from tap_emaillogs.engine.reading import Outcome, Reading, Split
from tap_emaillogs.engine.windows import subtract
from tap_emaillogs.http.errors import VendorError
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tap_emaillogs.providers.infobip.logs import EmailLogs
    from tap_emaillogs.streams.paginators import Page

_FLEETING = timedelta(minutes=1)
"""So much at the far end of the vendor's history may be gone before it can be read: that is not worth a word."""
_MARGINS = (timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1))
"""How far inside the history a window is asked for where the vendor refuses to look beyond: its clock is not ours."""
_GONE = "older than the vendor keeps by the time it could be read"
_ABOUT_TIME = re.compile(r"sent ?(since|until)|date|time|hour|period|range|histor|older|past|48", re.IGNORECASE)

_FEWEST_TIMES = 8
"""So many different times must be in order before the end of a full answer counts as the place where it was cut."""


class ProofReader(PagedReader):
    """Reads windows whose full answers are cut in silence, of a history that ends while it is read."""

    stream: EmailLogs

    def __init__(self, stream: EmailLogs) -> None:
        super().__init__(stream)
        self._asked_from: datetime | None = None
        """No earlier time is asked for in this run, once the vendor refused to look beyond its history."""
        self._refusals = 0
        """How often it did."""
        self._told_from: datetime | None = None
        """What could be read when this run began, and cannot when its turn comes, is told from here on."""
        self.cut_is_proven: bool | None = None
        """Whether the vendor was seen to cut a full answer at its end; None: not tried yet."""
        self._proving = threading.Lock()

    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window, and tell what of it has left the vendor's history since this run began.

        A vendor that refuses to look beyond its history is asked for a little less, and not again in this run.
        """
        kept_from = self._kept_from()
        if kept_from is None:
            return self._read_kept(reading)
        if self._told_from is None:
            self._told_from = kept_from + _FLEETING
        if reading.window.end <= kept_from:
            return self._tell_gone(reading.window, Outcome())
        for _ in _MARGINS:
            try:
                return self._tell_gone(reading.window, self._read_kept(reading))
            except VendorError as error:
                kept_from = self._kept_from() or kept_from
                reaches = reading.window.start - self.stream.unit < kept_from + _MARGINS[-1]
                if not reaches or error.status != 400 or not _ABOUT_TIME.search(error.text):
                    raise
                self.logger.info("%s: the vendor refuses to look beyond its history; it is asked for less", reading)
                self._asked_from = kept_from + _MARGINS[min(self._refusals, len(_MARGINS) - 1)]
                self._refusals += 1
                if reading.window.end <= self._asked_from:
                    return self._tell_gone(reading.window, Outcome())
        return self._tell_gone(reading.window, self._read_kept(reading))

    def _kept_from(self) -> datetime | None:
        """Return from when on the vendor still has its mails now; None: no history is configured."""
        return self.policy.kept_from(self.now())

    def _tell_gone(self, window: Window, result: Outcome | Split) -> Outcome | Split:
        """Set apart, in what was read of a window, the time of which the vendor may have forgotten rows meanwhile."""
        kept_from, told_from = self._kept_from(), self._told_from
        if isinstance(result, Split) or kept_from is None or told_from is None:
            return result
        gone = Window(window.start, min(window.end, kept_from))
        if gone.length <= timedelta() or gone.end <= told_from:
            return result
        records = list(result.records)
        early = [record for record in records if self._lies_in(gone, record)]
        told = Outcome(early, "truncated", reason=_GONE)
        if gone == window:
            return told
        rest = Window(gone.end, window.end)
        late = replace(result, records=[record for record in records if record not in early])
        return Split([gone, rest], {gone: told, rest: late})

    def _read_kept(self, reading: Reading) -> Outcome | Split:
        """Read a window; a millisecond that is full with its margins is tried without them."""
        result = super().read(reading)
        if isinstance(result, Outcome) and result.status == "truncated":
            return self._without_margins(reading) or result
        return result

    def _without_margins(self, reading: Reading) -> Outcome | None:
        """Leave out a margin as soon as an answer shows a row on that very bound, which so is inclusive."""
        start, end = reading.window.start, reading.window.end
        since, until = start - self.stream.unit, end
        while True:
            page = self.ask(reading, Window(since + self.stream.unit, until))
            if self._is_whole(page):
                return self.outcome(reading, self.take(reading, reading.window, page))
            times = self.stream.times(page.rows)
            narrower = start if since in times else since, start if until in times else until
            if narrower == (since, until):
                return None
            since, until = narrower

    def _keys_in(self, window: Window, rows: Sequence[Any]) -> set[Any]:
        return {row.identity for row in self.stream.take([row for row in rows if self._lies_in(window, row)])}

    def _lies_in(self, window: Window, row: Any) -> bool:
        moment = self.stream.time_of(row)
        return moment is not None and moment in window

    def context(self, window: Window) -> dict[str, Any]:
        """Tell the request not to look beyond the history, where the vendor refused that."""
        known = super().context(window)
        return known if self._asked_from is None else {**known, "not_before": self._asked_from}

    def split(self, reading: Reading, page: Page, *, more: bool) -> Split | None:
        """Split on a full answer; by cursor, where the first page promises more than memory should hold."""
        window = reading.window
        if page.token and not self._may_page(window, page.rows):
            page = replace(page, capped=True, limit=self.stream.settings.page_size)
        if window.length > self.stream.unit and (page.capped or page.token):
            times = self.stream.times(page.rows)
            total = estimate(window, times, reading.context.observed.density)
            kept = self._keep_proven(reading, page.rows) if page.capped else None
            if total > 2 * self.stream.rows_per_window and (kept or page.token):
                known = kept.outcomes if kept else {}
                rest = subtract(window, known)
                parts = [
                    part
                    for one in rest
                    for part in cut(one, times, total, self.stream.rows_per_window, self.stream.unit)
                ]
                return Split(sorted([*parts, *known]), known)
            if kept:
                return kept
        return super().split(reading, page, more=more)

    def _may_page(self, window: Window, rows: Sequence[Any]) -> bool:
        """Whether following the cursor can miss no row, even if it only stands for a number of rows to skip.

        Then a row that leaves the front of the answer while paging takes another one out of sight. Newest first, rows
        come there and do not leave, unless a filter lets them go when their status changes. At the edge of a history
        beyond which the vendor refuses to look, the next page may be refused already.
        """
        times = self.stream.times(rows)
        if self._asked_from is not None and window.start <= self._asked_from:
            return False
        return all(one >= two for one, two in pairwise(times)) and "generalStatus" not in (self.stream.filters() or {})

    def _keep_proven(self, reading: Reading, rows: Sequence[Any]) -> Split | None:
        """Keep the newest (or oldest) stretch of a full answer, and go on beside it.

        That the vendor cuts a full answer off at its old end is nowhere promised. So it is proven once per run: the
        stretches beside the cut and at the other end are asked for again, and must show the very same rows.
        """
        window = reading.window
        times = self.stream.times(rows)
        if len(set(times)) < _FEWEST_TIMES:  # a few times may be in order by chance
            return None
        region = seen_region(window, times)
        if region == window and times != sorted(times):
            self.cut_is_proven = False  # answers in no order show nothing by where they end
        start = region.start + self.stream.unit if region.start > window.start else region.start
        kept = Window(start, region.end)
        if region == window or kept.start >= kept.end or len(times) < len(rows):
            return None
        with self._proving:
            if self.cut_is_proven is None:
                self.cut_is_proven = self._prove(reading, kept, rows)
        if not self.cut_is_proven:
            return None
        inside = [row for row in rows if self._lies_in(kept, row)]
        outcome = self.outcome(Reading(kept, reading.context), self.stream.take(inside))
        return Split(sorted([kept, *subtract(window, [kept])]), {kept: outcome})

    def _prove(self, reading: Reading, kept: Window, rows: Sequence[Any]) -> bool:
        times = sorted(moment for moment in self.stream.times(rows) if moment in kept)
        middle = times[len(times) // 2] if times else kept.end
        # Both halves: an answer may show its rows newest first, and yet be the oldest rows of the window.
        halves = [half for half in (Window(kept.start, middle), Window(middle, kept.end)) if half.length]
        return bool(times) and all(self._shows_again(reading, half, rows) for half in halves)

    def _shows_again(self, reading: Reading, stretch: Window, rows: Sequence[Any]) -> bool:
        again = self.ask(reading, stretch)
        return self._is_whole(again) and self._keys_in(stretch, again.rows) == self._keys_in(stretch, rows)

    @staticmethod
    def _is_whole(page: Page) -> bool:
        return not page.capped and not page.token

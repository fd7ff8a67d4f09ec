"""The machine that reads a window page by page, by what the stream says of its vendor.

A window is attempted, judged, and then complete, truncated, or split. Whatever can be known from the first page is
decided there: a window that one reading cannot show, or memory should not hold, is split before it is read.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from singer_sdk.streams.rest import PageContext

from tap_emaillogs.engine import seams
from tap_emaillogs.engine.attempt import Attempt
from tap_emaillogs.engine.bounds import PageBounds
from tap_emaillogs.engine.headway import Headway
from tap_emaillogs.engine.reader import Reader
from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.engine.samples import sample_of
from tap_emaillogs.engine.splitting import by_first_page, by_rows
from tap_emaillogs.engine.windows import equal_parts
from tap_emaillogs.http import errors
from tap_emaillogs.streams.paginators import Page, Unpaged
from tap_emaillogs.streams.records import Packed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tap_emaillogs.engine.reading import Reading, Sample
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.paginators import PagePaginatorBase
    from tap_emaillogs.streams.prepared import PreparedRow
    from tap_emaillogs.streams.window import Window

ATTEMPTS = 3
"""How often a window is read whose pages moved, were refused or were fewer than announced."""
_MOST_SPLITS_AFTER_REFUSAL = 6
"""A vendor that still refuses to page after so many splits is not refusing because of size."""

_is_beside = attrgetter("beside")


class PagedReader(Reader):
    """Reads windows page by page."""

    def __init__(self, stream: LogStream) -> None:
        super().__init__(stream)
        self.mark: Callable[[PreparedRow], Any] = attrgetter("line" if stream.row_per_event else "identity")
        """Returns what is the same in a row that two pages show, and in exact twins."""

    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window; split one that is too much for the vendor."""
        if self.is_too_long(reading.window):
            return Split(self.halves(reading.window))
        try:
            return self._read(reading)
        except errors.TooMuch as error:
            if isinstance(error, errors.Oversized) and reading.splits >= _MOST_SPLITS_AFTER_REFUSAL:
                raise  # parts of the window are no smaller
            return self.narrowed(reading, str(error))
        except Unpaged as error:
            page = Page(error.rows, capped=True)
            if split := self.split(reading, page, more=False):
                return split
            halves = self.halves(reading.window)
            if len(halves) > 1:
                return Split(halves)
            return self.outcome(reading, self.take(reading, reading.window, page), truncated=str(error))

    def _read(self, reading: Reading) -> Outcome | Split:
        alike: list[Attempt] = []
        trouble = ""
        for number in range(1, ATTEMPTS + 1):
            try:
                attempt = self.read_pages(reading)
            except (errors.PageRefused, errors.PagingLoop) as error:
                stuck = reading.window.length <= self.stream.unit or reading.splits >= _MOST_SPLITS_AFTER_REFUSAL
                if stuck and number == ATTEMPTS:
                    raise
                trouble = str(error)
                continue
            if isinstance(attempt, Split):
                return attempt
            # Rows of another count prove nothing together with these.
            alike = [*(one for one in alike if one.total == attempt.total), attempt]
            judged = self._judge(reading, alike)
            if not isinstance(judged, str):
                return judged
            trouble = judged
        return self._give_up(reading, alike, trouble)

    def sample(self, reading: Reading) -> Sample:
        """Ask for one page."""
        paginator = self.stream.get_new_paginator()
        page = self.follow(reading, paginator)
        paginator.advance(page)
        if not paginator.count and not paginator.finished:  # a page that only tells where the first one is
            page = self.follow(reading, paginator)
            paginator.advance(page)
        return sample_of(self.stream, reading.window, page, last=paginator.finished)

    # Asking.

    def ask(self, reading: Reading, window: Window, token: Any = None) -> Page:
        """Ask for one page of a window."""
        page = PageContext(self.context(window), token)
        request = self.stream.get_http_request(page=page)
        stream, send = self.stream, self.account.client.send
        reply = send(request, reading.meter, as_json=stream.payload_as_json, decode=stream.decode)
        reading.context.observed.answered = True
        return stream.parse_page(reply.data, page)

    def context(self, window: Window) -> dict[str, Any]:
        """Return what the request for a window is told, as `stream_context`."""
        return {"account": self.account.label, "window": window}

    def follow(self, reading: Reading, paginator: PagePaginatorBase) -> Page:
        """Ask for the next page.

        Raises:
            PageRefused: A page after the first could not be had.
        """
        try:
            page = self.ask(reading, reading.window, paginator.current_value)
        except errors.TooMuch:
            raise
        except errors.VendorError as error:
            if paginator.is_before_first(error):
                return Page(())
            if paginator.count and error.status not in {401, 402, 403}:
                raise errors.PageRefused(f"page {paginator.count + 1}: {error}", error.hint) from error
            raise
        if not paginator.count:
            reading.headway = Headway()
        reading.headway.add(len(page.rows), page.total, self._edges(page))
        return page

    def _edges(self, page: Page) -> list[datetime]:
        """Return the times of a page's first and last row, for whoever watches."""
        with contextlib.suppress(Exception):  # whatever is odd about a row: reading it will say so
            times = [self.stream.time_of(row) for row in (*page.rows[:1], *page.rows[-1:])]
            return [time for time in times if time is not None]
        return []

    def take(self, reading: Reading, window: Window, page: Page) -> Sequence[PreparedRow]:  # noqa: ARG002 - for details
        """Pack those rows of a page that are the window's."""
        return self.stream.take(self.stream.inside(window, page.rows))

    def read_pages(self, reading: Reading) -> Attempt | Split:
        """Follow the pages of a window once.

        Raises:
            PageRefused: A page after the first could not be had.
            PagingLoop: The vendor leads in circles.
        """
        stream, paginator = self.stream, self.stream.get_new_paginator()
        attempt = Attempt(None if stream.row_key else self.mark, anchored=paginator.anchored)
        bounds = PageBounds.of(stream)
        shown, more = 0, True
        while more:
            page = self.follow(reading, paginator)
            seen = paginator.count
            paginator.advance(page)
            more = not paginator.finished
            if not (seen or page.capped):
                reading.announces(page.total)
            if not seen and (split := self.split(reading, page, more=more)):
                return split
            attempt.see(page, shown)
            if attempt.moved and stream.row_key:
                raise errors.PageRefused(attempt.moved)
            if paginator.count > seen:
                shown += len(page.rows)
                taken = self.take(reading, reading.window, page)
                attempt.add(taken)
                first = taken[0].identity if taken else None
                if more and bounds.see(page, first, len(attempt.rows), attempt.total):
                    break
            if more and stream.cap is not None and shown >= stream.cap:
                attempt.last = replace(page, capped=True)
                break
            if more and (split := by_rows(stream, reading.window, attempt.rows, reading.context.observed.density)):
                reading.context.observed.note_in_vain(attempt.pages)
                return split
        return attempt

    # Splitting.

    def split(self, reading: Reading, page: Page, *, more: bool) -> Split | None:
        """Decide on the first page whether the window is to be split, and where; None: read on.

        `more` says whether another page follows.
        """
        if reading.context.observed.totals_are_wrong and not page.capped:
            page = replace(page, total=None)
        return by_first_page(self.stream, reading.window, page, reading.context.observed.density, more=more)

    def _parts(self, reading: Reading, attempt: Attempt) -> Split | None:
        """Split what cannot be paged: by the rows seen, or in halves where pages show their shifts by their keys."""
        if not self.stream.row_key:
            return seams.parts_of_a_page(self, reading, attempt)
        windows = equal_parts(reading.window, 2, self.stream.unit)
        return Split(windows) if len(windows) > 1 else None

    # Judging.

    def _judge(self, reading: Reading, alike: Sequence[Attempt]) -> Outcome | Split | str:
        """Decide what the last attempt is worth; a text says why the window must be read again.

        `alike` are all attempts with the same total.
        """
        attempt, keyed = alike[-1], bool(self.stream.row_key)
        rows, total, last = self._distinct(attempt), attempt.total, attempt.last
        counted = last.total is None and len(rows) == total  # by the first page's total: the last one needs none
        if (last.capped and not counted) or _ended_in_circles(attempt):
            return self._cut_off(reading, attempt, rows)
        if not keyed and attempt.pages > 1 and (shifted := seams.doubt(self, reading, attempt)):
            return self._parts(reading, attempt) or self._shifted(reading, alike, shifted)
        if total is None or len(rows) == total:
            return self.outcome(reading, rows, total)
        if keyed and len(alike) > 1 and len(kept := _union(alike)) == total:
            return self.outcome(reading, kept, total)
        return self._miscounted(reading, attempt, rows, total)

    def _distinct(self, attempt: Attempt) -> list[PreparedRow]:
        """Return one row for each key of the vendor's, the version shown last; without such a key all rows."""
        return _union([attempt]) if self.stream.row_key else attempt.rows

    def _cut_off(self, reading: Reading, attempt: Attempt, rows: Sequence[PreparedRow]) -> Outcome | Split:
        """Meet pages whose last one says that there is more, and no way to it."""
        if attempt.pages > 1 and (parts := self._parts(reading, attempt)):
            return parts
        why = f"the vendor shows no more than {len(rows)} rows"
        return self.outcome(reading, rows, attempt.first.total, truncated=why)

    def _shifted(self, reading: Reading, alike: Sequence[Attempt], why: str) -> Outcome | str:
        """Judge pages that shift within a moment, which cannot be split."""
        attempt = alike[-1]
        kept = _union(alike)
        if len(kept) == attempt.total:  # as many different rows as there are: none came twice
            return self.outcome(reading, kept, attempt.total)
        attempt.moved = attempt.moved or why
        return why

    def _miscounted(
        self, reading: Reading, attempt: Attempt, rows: Sequence[PreparedRow], total: int
    ) -> Outcome | Split | str:
        keyed = bool(self.stream.row_key)
        trouble = f"the vendor counts {total} rows and gives {len(rows)}"
        if len(rows) > total and (attempt.pages == 1 or attempt.anchored):
            if attempt.pages == 1:  # one answer: nothing in it came twice
                self.logger.warning("%s: %s; all of them are kept", reading, trouble)
            else:  # some left while pages were read
                total = min(len(rows), attempt.first.total or total)
            return self.outcome(reading, rows, total)
        paged = attempt.pages > 1 and not keyed
        if paged and (len(rows) > total or seams.leaves_history(self, reading.window)):
            return self._parts(reading, attempt) or trouble
        if len(rows) < total and not keyed and reading.context.observed.totals_are_wrong:
            return self.outcome(reading, rows, total, truncated=f"{trouble}; its totals were wrong before")
        return trouble

    def _give_up(self, reading: Reading, alike: Sequence[Attempt], why: str) -> Outcome | Split:
        """Split a window that stays unclear after all attempts; at the vendor's resolution say what is missing."""
        attempt = alike[-1] if alike else Attempt()
        total, moved = attempt.total, bool(attempt.moved)
        # What may have come twice is written once: better told as missing than invented.
        rows = _union(alike) if self.stream.row_key or moved else attempt.rows
        if total is not None and len(rows) < total:
            reading.context.observed.note_short(len(rows))
            if not reading.lacks(total - len(rows)) or reading.context.observed.totals_are_wrong:
                why = f"{why}; the parts of windows lack more than the whole did, so its totals are wrong"
                return self.outcome(reading, rows, total, truncated=why)
        windows = equal_parts(reading.window, 2, self.stream.unit)
        if len(windows) > 1:
            return Split(windows)
        if total is not None and len(rows) >= total and not moved:
            self.logger.warning("%s: %s; all of them are kept", reading, why)
            return self.outcome(reading, rows, total)
        return self.outcome(reading, rows, total, truncated=why)

    def outcome(
        self,
        reading: Reading,
        rows: Sequence[PreparedRow],
        total: int | None = None,
        *,
        truncated: str | None = None,
    ) -> Outcome:
        """Close a window whose rows were taken, and remember how dense they were."""
        if any(map(_is_beside, rows)):
            inside = {row.identity for row in rows if not row.beside}
            rows = [row for row in rows if row.identity in inside]
        reading.context.observed.density.learn(reading.window, len(rows))
        if rows and len(rows) == total and not truncated:
            reading.context.observed.note_right()
        unkeyed = self.stream.twin_key is not None
        records = Packed.with_twins(rows) if unkeyed else Packed([row.line for row in rows])
        return Outcome(records, "truncated" if truncated else "complete", total, truncated)


def _union(attempts: Sequence[Attempt]) -> list[PreparedRow]:
    """Return the rows of several attempts, each identity once, as it was shown last."""
    return list({row.identity: row for attempt in attempts for row in attempt.rows}.values())


def _ended_in_circles(attempt: Attempt) -> bool:
    """Whether a token that led nowhere was all that ended the pages: no total, and the last page a full one."""
    last = attempt.last
    return attempt.first.total is None and bool(last.token) and 0 < len(attempt.first.rows) <= len(last.rows)

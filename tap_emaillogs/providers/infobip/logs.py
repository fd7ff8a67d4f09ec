"""The e-mail logs of both versions.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
Never the reports endpoint: reading a report consumes it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from singer_sdk.streams.rest import PageContext

from tap_emaillogs.engine.density import cut, estimate, seen_region
from tap_emaillogs.engine.reading import Outcome, Reading, Split
from tap_emaillogs.engine.windows import subtract
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.errors import Misunderstood, VendorError
from tap_emaillogs.providers.infobip.filters import renamed_in_version_4
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, Page, SinglePage
from tap_emaillogs.streams.shapes import Layout
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest

_OLD_NAMES = {renamed_in_version_4(name): name for name in ("from", "to")}
_NEW_COLUMNS = frozenset({*_OLD_NAMES, "platform"})
_LAYOUT_1 = Layout(("results",))
_LAYOUT_4 = Layout(("results",), tuple(_OLD_NAMES.items()), (("platform", ("applicationId", "entityId")),))
_FLEETING = timedelta(minutes=1)
"""So much at the far end of the vendor's history may be gone before it can be read: that is not worth a word."""
_MARGINS = (timedelta(seconds=1), timedelta(seconds=10), timedelta(minutes=1))
"""How far inside the history a window is asked for where the vendor refuses to look beyond: its clock is not ours."""
_GONE = "older than the vendor keeps by the time it could be read"
_ABOUT_TIME = re.compile(r"sent ?(since|until)|date|time|hour|period|range|histor|older|past|48", re.IGNORECASE)

_FEWEST_TIMES = 8
"""So many different times must be in order before the end of a full answer counts as the place where it was cut."""


class EmailLogs(LogStream):
    """GET /email/1/logs, which cannot be paged and cuts silently, or /email/4/logs, which has a cursor.

    Nothing is assumed of the bounds: each window is asked for with a millisecond more on either side, and rows in
    these margins are left to the neighbours. Nor of what the vendor makes of a window that reaches beyond the 48 hours
    that it keeps: it may show less, or refuse.
    """

    name = "infobip_email_logs"
    provider = "infobip"
    endpoint = "GET /email/1/logs (or 4)"
    paging = "none: window bisection (version 4: cursor)"
    path = "/email/1/logs"
    primary_keys = ("account", "messageId", "to")
    replication_key = "sentAt"
    row_key = ("messageId", "to")
    time_columns = ("sentAt",)
    unit = timestamps.MILLISECOND
    asked_from: datetime | None = None
    """No earlier time is asked for in this run, once the vendor refused to look beyond its history."""
    refusals = 0
    """How often it did."""
    told_from: datetime | None = None
    """What could be read when this run began, and cannot when its turn comes, is told from here on."""

    @property
    def _by_cursor(self) -> bool:
        return int(self.account.settings["api_version"]) == 4

    @property
    def layout(self) -> Layout:
        """Where the rows are; version 4 has other names for some fields."""
        return _LAYOUT_4 if self._by_cursor else _LAYOUT_1

    def get_url(self, context: Context | None) -> str:  # noqa: ARG002 - the SDK's signature
        """Return the address of the configured version."""
        return f"{self.url_base}/email/{self.account.settings['api_version']}/logs"

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for the window, with its margins."""
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        since = window.start - self.unit
        request.params = {
            **(self.filters() or {}),
            "sentSince": timestamps.millis(since if self.asked_from is None else max(since, self.asked_from)),
            "sentUntil": timestamps.millis(window.end),
            "limit": self.account.settings["page_size"],
        }
        if self._by_cursor:
            request.params |= {"useCursor": "true", "cursor": page.next_page_token}
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator | SinglePage:
        """Follow the cursor in version 4; version 1 has nothing to follow."""
        return ContinueTokenPaginator() if self._by_cursor else SinglePage()

    def parse_page(self, data: Any) -> Page:
        """Read `{results: [...]}` and, in version 4, `cursor.nextCursor`."""
        rows = data.get("results") if isinstance(data, dict) else None
        if not isinstance(rows, list):
            raise Misunderstood("the answer holds no list `results`")
        full = len(rows) >= self.account.settings["page_size"]
        if not self._by_cursor:
            return Page(rows, capped=full)
        cursor = data.get("cursor")
        if cursor is not None and not isinstance(cursor, dict):
            raise Misunderstood("the answer's `cursor` is no object")
        # Without any cursor, a full answer is one of a vendor that ignored `useCursor`.
        return Page(rows, token=(cursor or {}).get("nextCursor") or None, capped=full and cursor is None)

    def split(self, reading: Reading, page: Page) -> Split | None:
        """Split on a full answer; by cursor, where the first page promises more than memory should hold."""
        window = reading.window
        if page.token and not self._may_page(window, page.rows):
            page = replace(page, capped=True)
        if window.length > self.unit and (page.capped or page.token):
            times = self.times(page.rows)
            total = estimate(window, times, reading.memory.density)
            kept = self._keep_proven(reading, page.rows) if page.capped else None
            if total > 2 * self.rows_per_window and (kept or page.token):
                known = kept.outcomes if kept else {}
                rest = subtract(window, known)
                parts = [part for one in rest for part in cut(one, times, total, self.rows_per_window, self.unit)]
                return Split(sorted([*parts, *known]), known)
            if kept:
                return kept
        return super().split(reading, page)

    def _may_page(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> bool:
        """Whether following the cursor can miss no row, even if it only stands for a number of rows to skip.

        Then a row that leaves the front of the answer while paging takes another one out of sight. Newest first, rows
        come there and do not leave, unless a filter lets them go when their status changes. At the edge of a history
        beyond which the vendor refuses to look, the next page may be refused already.
        """
        times = self.times(rows)
        if self.asked_from is not None and window.start <= self.asked_from:
            return False
        return all(one >= two for one, two in pairwise(times)) and "generalStatus" not in (self.filters() or {})

    def _keep_proven(self, reading: Reading, rows: Sequence[Mapping[str, Any]]) -> Split | None:
        """Keep the newest (or oldest) stretch of a full answer, and go on beside it.

        That the vendor cuts a full answer off at its old end is nowhere promised. So it is proven once per run: the
        stretches beside the cut and at the other end are asked for again, and must show the very same rows.
        """
        window, memory = reading.window, reading.memory
        times = self.times(rows)
        if len(set(times)) < _FEWEST_TIMES:  # a few times may be in order by chance
            return None
        region = seen_region(window, times)
        if region == window and times != sorted(times):
            memory.cut_is_proven = False  # answers in no order show nothing by where they end
        start = region.start + self.unit if region.start > window.start else region.start
        kept = Window(start, region.end)
        if region == window or kept.start >= kept.end or len(times) < len(rows):
            return None
        with memory.lock:
            if memory.cut_is_proven is None:
                memory.cut_is_proven = self._prove(reading, kept, rows)
        if not memory.cut_is_proven:
            return None
        inside = [row for row in rows if any(moment in kept for moment in self.times([row]))]
        outcome = self.outcome(Reading(kept, memory), self.take(inside))
        return Split(sorted([kept, *subtract(window, [kept])]), {kept: outcome})

    def _prove(self, reading: Reading, kept: Window, rows: Sequence[Mapping[str, Any]]) -> bool:
        times = sorted(moment for moment in self.times(rows) if moment in kept)
        middle = times[len(times) // 2] if times else kept.end
        # Both halves: an answer may show its rows newest first, and yet be the oldest rows of the window.
        halves = [half for half in (Window(kept.start, middle), Window(middle, kept.end)) if half.length]
        return bool(times) and all(self._shows_again(reading, half, rows) for half in halves)

    def _shows_again(self, reading: Reading, stretch: Window, rows: Sequence[Mapping[str, Any]]) -> bool:
        again = self._ask(reading, stretch)
        return self._is_whole(again) and self._keys_in(stretch, again.rows) == self._keys_in(stretch, rows)

    def _ask(self, reading: Reading, stretch: Window) -> Page:
        context = {"account": self.account.label, "window": stretch}
        return self.parse_page(self.send(PageContext(context, None), reading.meter).data)

    @staticmethod
    def _is_whole(page: Page) -> bool:
        return not page.capped and not page.token

    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window, and tell what of it has left the vendor's history since this run began.

        A vendor that refuses to look beyond its history is asked for a little less, and not again in this run.
        """
        kept_from = self._kept_from()
        if kept_from is None:
            return self._read_kept(reading)
        if self.told_from is None:
            self.told_from = kept_from + _FLEETING
        if reading.window.end <= kept_from:
            return self._tell_gone(reading.window, Outcome())
        for _ in _MARGINS:
            try:
                return self._tell_gone(reading.window, self._read_kept(reading))
            except VendorError as error:
                kept_from = self._kept_from() or kept_from
                reaches = reading.window.start - self.unit < kept_from + _MARGINS[-1]
                if not reaches or error.status != 400 or not _ABOUT_TIME.search(error.text):
                    raise
                self.logger.info("%s: the vendor refuses to look beyond its history; it is asked for less", reading)
                self.asked_from = kept_from + _MARGINS[min(self.refusals, len(_MARGINS) - 1)]
                self.refusals += 1
                if reading.window.end <= self.asked_from:
                    return self._tell_gone(reading.window, Outcome())
        return self._tell_gone(reading.window, self._read_kept(reading))

    def _kept_from(self) -> datetime | None:
        """Return from when on the vendor still has its mails now; None: no history is configured."""
        return self.account.policy(self.unit, self.overrides).kept_from(self.account.client.clock.now())

    def _tell_gone(self, window: Window, result: Outcome | Split) -> Outcome | Split:
        """Set apart, in what was read of a window, the time of which the vendor may have forgotten rows meanwhile."""
        kept_from, told_from = self._kept_from(), self.told_from
        if isinstance(result, Split) or kept_from is None or told_from is None:
            return result
        gone = Window(window.start, min(window.end, kept_from))
        if gone.length <= timedelta() or gone.end <= told_from:
            return result
        records = list(result.records)
        early = [record for record in records if any(moment in gone for moment in self.times([record]))]
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
        since, until = start - self.unit, end
        while True:
            page = self._ask(reading, Window(since + self.unit, until))
            if self._is_whole(page):
                return self.outcome(reading, self.take(self.inside(reading.window, page.rows)))
            times = self.times(page.rows)
            narrower = start if since in times else since, start if until in times else until
            if narrower == (since, until):
                return None
            since, until = narrower

    def _keys_in(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> set[Any]:
        return {
            tuple(row.get(name) for name in self.row_key)
            for row in rows
            if any(moment in window for moment in self.times([row]))
        }

    def answer_limit(self, page: Page) -> int:  # noqa: ARG002 - the base's signature
        """One answer gives so many rows and no more."""
        return int(self.account.settings["page_size"])

    def inside(self, window: Window, rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Leave the margins to the neighbours, unless the vendor filters by something else than `sentAt`."""
        times = [next(iter(self.times([row])), window.start) for row in rows]
        if any(not window.start - self.unit <= moment <= window.end for moment in times):
            return rows
        return [row for row, moment in zip(rows, times, strict=True) if moment in window]

    def prepare(self, row: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring a row of version 4 to the columns of version 1."""
        if _NEW_COLUMNS.isdisjoint(row):
            return row
        renamed = {self._column(name, row): value for name, value in row.items() if name != "platform"}
        platform = row.get("platform")
        if isinstance(platform, dict):
            known = {"applicationId", "entityId"}
            renamed |= {name: value for name, value in platform.items() if name in known}
            if rest := {name: value for name, value in platform.items() if name not in known}:
                renamed["platform"] = rest
        elif platform is not None:
            renamed["platform"] = platform
        return renamed

    @staticmethod
    def _column(name: str, row: Mapping[str, Any]) -> str:
        old = _OLD_NAMES.get(name, name)
        return name if old in row else old

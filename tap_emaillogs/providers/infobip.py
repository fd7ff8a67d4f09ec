"""Infobip: one record per mail and recipient, whose status changes until it is final.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
Never the reports endpoint: reading a report consumes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th
from singer_sdk.streams.rest import PageContext

from tap_emaillogs import smtp, timestamps
from tap_emaillogs.client import KeyAuth
from tap_emaillogs.density import cut, estimate, seen_region
from tap_emaillogs.errors import Misunderstood
from tap_emaillogs.events import EventRow, MappingTable, Meaning
from tap_emaillogs.pagination import ContinueTokenPaginator, Page, SinglePage
from tap_emaillogs.provider import Provider
from tap_emaillogs.reading import Outcome, Reading, Split
from tap_emaillogs.stream import LogStream
from tap_emaillogs.windows import Window, subtract

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.client import Auth
    from tap_emaillogs.records import Record

_SCHEMES = ("app ", "basic ", "ibsso ", "bearer ")
_RENAMED = {"sender": "from", "destination": "to"}

GROUPS = MappingTable(
    "`status.groupName`",
    {
        "ACCEPTED": Meaning("queued", "Taken in by the vendor; more statuses follow."),
        "PENDING": Meaning("queued", "On its way."),
        "UNDELIVERABLE": Meaning(
            "bounced",
            "The receiving server refused it; `error.permanent`, where the vendor gives it, tells hard from soft.",
            bounce_class="undetermined",
        ),
        "DELIVERED": Meaning("delivered", "The receiving server took it."),
        "EXPIRED": Meaning("failed", "Its time to live ended before it could be delivered.", reject_reason="timed_out"),
        "REJECTED": Meaning(
            "rejected", "The vendor did not send it: credits, settings, a blocklist.", reject_reason="other"
        ),
    },
    streams=("infobip_email_logs",),
    at="`doneAt` when the status is final (UNDELIVERABLE, DELIVERED, EXPIRED, REJECTED), else `sentAt`",
)
PERMANENT = MappingTable(
    "`error.permanent`, of UNDELIVERABLE",
    {
        "true": Meaning("bounced", "Another try is of no use.", bounce_class="hard"),
        "false": Meaning("bounced", "Another try may help.", bounce_class="soft"),
    },
    streams=("infobip_email_logs",),
    at="as above",
)
_FINAL = frozenset({"UNDELIVERABLE", "DELIVERED", "EXPIRED", "REJECTED"})
_WITH_REASON = frozenset({"bounced", "failed", "rejected"})
_CODE_IN_NAME = re.compile(r"(?:^|_)(?:SMTP|EMAIL|EC)_([45][0-5]\d)(?:_([45])_([0-7])_(\d{1,3}))?(?:_|$)")
"""Error names are not a documented list; one counts as telling a code only where the code can be nothing else."""


class EmailLogs(LogStream):
    """GET /email/1/logs, which cannot be paged and cuts silently, or /email/4/logs, which has a cursor.

    Nothing is assumed of the bounds: each window is asked for with a millisecond more on either side, and rows in
    these margins are left to the neighbours.
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

    @property
    def _by_cursor(self) -> bool:
        return int(self.account.settings["api_version"]) == 4

    def get_url(self, context: Context | None) -> str:  # noqa: ARG002 - the SDK's signature
        """Return the address of the configured version."""
        return f"{self.url_base}/email/{self.account.settings['api_version']}/logs"

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        """Ask for the window, with its margins."""
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        request.params = {
            "sentSince": timestamps.millis(window.start - self.unit),
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
        if not self._by_cursor:
            return Page(rows, capped=len(rows) >= self.account.settings["page_size"])
        cursor = data.get("cursor") or {}
        if not isinstance(cursor, dict):
            raise Misunderstood("the answer's `cursor` is no object")
        return Page(rows, token=cursor.get("nextCursor") or None)

    def split(self, reading: Reading, page: Page) -> Split | None:
        """Split on a full answer; by cursor, where the first page promises more than memory should hold."""
        window = reading.window
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

    def _keep_proven(self, reading: Reading, rows: Sequence[Mapping[str, Any]]) -> Split | None:
        """Keep the newest (or oldest) stretch of a full answer, and go on beside it.

        That the vendor cuts a full answer off at its old end is nowhere promised. So it is proven once per run: the
        stretches beside the cut and at the other end are asked for again, and must show the very same rows.
        """
        window, memory = reading.window, reading.memory
        times = self.times(rows)
        region = seen_region(window, times)
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
        return not again.capped and self._keys_in(stretch, again.rows) == self._keys_in(stretch, rows)

    def _ask(self, reading: Reading, stretch: Window) -> Page:
        context = {"account": self.account.label, "window": stretch}
        return self.parse_page(self.send(PageContext(context, None), reading.meter).data)

    def read(self, reading: Reading) -> Outcome | Split:
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
            if not page.capped:
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
        if not self._by_cursor:
            return row
        renamed = {_RENAMED.get(name, name): value for name, value in row.items() if name != "platform"}
        platform = row.get("platform")
        if isinstance(platform, dict):
            known = {"applicationId", "entityId"}
            renamed |= {name: value for name, value in platform.items() if name in known}
            if rest := {name: value for name, value in platform.items() if name not in known}:
                renamed["platform"] = rest
        elif platform is not None:
            renamed["platform"] = platform
        return renamed


class Infobip(Provider):
    """https://www.infobip.com."""

    name = "infobip"
    title = "Infobip"
    settings: ClassVar[tuple[th.Property[Any], ...]] = (
        th.Property("base_url", th.StringType, description="The account's own root: https://xxxxx.api.infobip.com."),
        th.Property("api_key", th.StringType, secret=True, description="API key with the scope to read e-mail logs."),
        th.Property(
            "api_version", th.IntegerType, allowed_values=[1, 4], description="Version of the logs endpoint (1)."
        ),
    )
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("base_url", "api_key"),)
    defaults: ClassVar[Mapping[str, Any]] = {
        "api_version": 1,
        "history_days": 2,
        "lookback_minutes": 60,
        "revisit_minutes": [360, 1440, 2760],
        "settle_minutes": 2,
        "requests_per_minute": 60,
        "page_size": 1000,
    }
    streams = (EmailLogs,)
    event_sources = ("infobip_email_logs",)
    mappings = (GROUPS, PERMANENT)

    def defaults_for(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Version 4 allows twice the requests."""
        return {**self.defaults, "requests_per_minute": 120} if settings.get("api_version") == 4 else self.defaults

    def checks(self, settings: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Check the vendor's limits."""
        return [("page_size", "must be at most 1000")] if settings["page_size"] > 1000 else []

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Return the account's root."""
        return str(settings["base_url"])

    def auth(self, settings: Mapping[str, Any]) -> Auth:
        """Send the key as `App`, unless it names its scheme itself."""
        key = settings["api_key"].strip()
        return KeyAuth("Authorization", key if key.lower().startswith(_SCHEMES) else f"App {key}")

    def error_message(self, data: Any) -> str | None:
        """Read `{requestError: {serviceException}}` (version 1) or `{errorCode, description}` (version 4)."""
        if not isinstance(data, dict):
            return None
        request_error = data.get("requestError")
        if isinstance(request_error, dict):
            inner = next((part for part in request_error.values() if isinstance(part, dict)), {})
            return " ".join(str(inner[key]) for key in ("messageId", "text") if inner.get(key)) or "requestError"
        if data.get("errorCode"):
            return " ".join(str(data[key]) for key in ("errorCode", "description", "action") if data.get(key))
        return None

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        """One event for the state that the row reports; a later state is another event."""
        status, error = record["status"] or {}, record["error"] or {}
        group = status.get("groupName")
        meaning, permanent = GROUPS[group], error.get("permanent")
        if meaning.event_type == "bounced" and permanent is not None:
            meaning = PERMANENT["true" if permanent else "false"]
        row = EventRow(
            self.name,
            stream,
            record,
            key=(record["messageId"], record["to"]),
            message_id=record["messageId"],
            recipient=record["to"],
            sender=record["from"],
        )
        final = group is not None and group.upper() in _FINAL
        explained: dict[str, Any] = _explanation(status, error) if meaning.event_type in _WITH_REASON else {}
        yield row.event(
            meaning,
            group,
            own={"status": {"groupName": group, "name": status.get("name")}},
            at=(record["doneAt"] if final else None) or record["sentAt"],
            **explained,
        )


def _explanation(status: Mapping[str, Any], error: Mapping[str, Any]) -> dict[str, Any]:
    """Return why it failed, and the codes where the error's text or name has them."""
    if error.get("groupName") == "OK":
        return {"reason": status.get("description")}
    name, text = error.get("name"), error.get("description")
    reply = smtp.parse(text, certain=True)
    match = _CODE_IN_NAME.search(name or "") if reply == smtp.NO_REPLY else None
    if match is not None:
        code, *parts = match.groups()
        reply = smtp.Reply(int(code), ".".join(parts) if None not in parts and parts[0] == code[0] else None)
    answer = text if match is None and reply.code is not None else None
    return {"reason": text or name or status.get("description"), "smtp_response": answer, "reply": reply}


PROVIDER = Infobip()

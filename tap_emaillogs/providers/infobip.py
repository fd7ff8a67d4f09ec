"""Infobip: one record per mail and recipient, whose status changes until it is final.

https://www.infobip.com/docs/api/channels/email/get-email-logs; `docs/providers/infobip.md`.
Never the reports endpoint: reading a report consumes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import typing as th

from tap_emaillogs import timestamps
from tap_emaillogs.client import KeyAuth
from tap_emaillogs.density import cut, estimate
from tap_emaillogs.errors import Misunderstood
from tap_emaillogs.pagination import ContinueTokenPaginator, Page, SinglePage
from tap_emaillogs.provider import Provider
from tap_emaillogs.stream import LogStream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.client import Auth
    from tap_emaillogs.reading import Reading
    from tap_emaillogs.windows import Window

_SCHEMES = ("app ", "basic ", "ibsso ", "bearer ")
_RENAMED = {"sender": "from", "destination": "to"}


class EmailLogs(LogStream):
    """GET /email/1/logs, which cannot be paged and cuts silently, or /email/4/logs, which has a cursor.

    Nothing is assumed of the bounds: each window is asked for with a millisecond more on either side, and rows in
    these margins are left to the neighbours.
    """

    name = "infobip_email_logs"
    provider = "infobip"
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

    def split_windows(self, reading: Reading, page: Page) -> list[Window] | None:
        """Split on a full answer; by cursor, where the first page promises more than memory should hold."""
        if page.token and reading.window.length > self.unit:
            times = self.times(page.rows)
            total = estimate(reading.window, times, reading.memory.density)
            if total > 2 * self.rows_per_window:
                return cut(reading.window, times, total, self.rows_per_window, self.unit)
        return super().split_windows(reading, page)

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


PROVIDER = Infobip()

"""`sync_windows`: one row per window read, so that "is anything missing?" is a query."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, StreamSchema

from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.streams.records import digest
from tap_emaillogs.streams.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_emaillogs.engine.reading import Status
    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.window import Window


class SyncWindows(Stream):
    """The tap's own ledger."""

    name = "sync_windows"
    schema: ClassVar[StreamSchema[str]] = StreamSchema(SCHEMAS)
    primary_keys = ("window_id",)
    replication_key = "window_end"

    @property
    def partitions(self) -> None:
        """None: what STATE keeps under this stream are the endpoints' own notes."""

    def get_records(self, context: Context | None) -> Iterable[Record]:  # noqa: ARG002 - the SDK's signature
        """Return the rows of what streams read one by one before; a whole sync writes its rows itself."""
        rows: list[Record] = self._tap.windows_read  # type: ignore[attr-defined] # a TapEmailLogs
        if not rows:
            self.logger.warning("sync_windows tells how other streams were read: select at least one of them beside it")
        return [*{row["window_id"]: row for row in rows}.values()]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No signpost: bookmarks are window ends."""


class EndpointLedger:
    """The rows of one endpoint in one run.

    Args:
        endpoint: (provider, account, stream).
        filters: Those in force; "complete" means complete under them.
        now: Returns the current time.
    """

    def __init__(
        self, endpoint: tuple[str, str, str], filters: Mapping[str, Any] | None, now: Callable[[], datetime]
    ) -> None:
        self._endpoint, self._now = endpoint, now
        self._filter = json.dumps(filters, sort_keys=True) if filters else None
        self.rows: list[Record] = []
        """Those that wait to be written."""
        self.gaps = 0
        """How many windows are missing at the vendor, in all or in part."""

    def add(self, window: Window, status: Status, identity: Window | None = None, **values: Any) -> Record:
        """Add a row; `identity` is the window of an earlier row that this one takes the place of.

        Further `values`: records, requests, reported_total, splits, gap_reason.
        """
        start, end = millis(window.start), millis(window.end)
        # The end of a gap moves with the vendor's history: its id must not.
        edges = (start, "" if status == "unavailable" else end)
        if identity is not None:
            edges = (millis(identity.start), millis(identity.end))
        provider, account, stream = self._endpoint
        row = {
            "window_id": digest(*(part.encode() for part in (*self._endpoint, *edges))),
            "provider": provider,
            "account": account,
            "stream": stream,
            "window_start": start,
            "window_end": end,
            "status": status,
            "records": None,
            "requests": None,
            "reported_total": None,
            "splits": None,
            "gap_reason": None,
            **values,
            "filter": self._filter,
            "read_at": millis(self._now()),
        }
        self.rows.append(row)
        self.gaps += status in {"truncated", "unavailable"}
        return row

    def add_gap(self, window: Window, reason: str, identity: Window | None = None) -> Record | None:
        """Add a row for what cannot be read any more; None: it has one already."""
        known = {row["window_id"] for row in self.rows}
        row = self.add(window, "unavailable", identity, gap_reason=reason)
        if row["window_id"] not in known:
            return row
        self.rows.pop()
        self.gaps -= 1
        return None

    def take(self) -> list[Record]:
        """Hand out the rows that wait."""
        rows, self.rows = self.rows, []
        return rows

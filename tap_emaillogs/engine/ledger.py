"""`sync_windows`: one row per window read, so that "is anything missing?" is a query."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, StreamSchema

from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.streams.records import digest
from tap_emaillogs.streams.schemas import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from singer_sdk.helpers.types import Context

    from tap_emaillogs.engine.reading import Status
    from tap_emaillogs.engine.windows import Window
    from tap_emaillogs.streams.records import Record


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
        """Yield nothing: rows come into being when other streams read."""
        self.logger.warning("sync_windows tells how other streams were read: select at least one of them beside it")
        return ()

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No signpost: bookmarks are window ends."""


def ledger_row(  # noqa: PLR0913 - a row has this many columns
    *,
    endpoint: tuple[str, str, str],
    window: Window,
    status: Status,
    read_at: datetime,
    records: int | None = None,
    requests: int | None = None,
    reported_total: int | None = None,
    splits: int | None = None,
    gap_reason: str | None = None,
    filters: dict[str, Any] | None = None,
    identity: Window | None = None,
) -> Record:
    """Build a row; `endpoint` is (provider, account, stream).

    `identity` is the window of an earlier row that this one takes the place of.
    """
    provider, account, stream = endpoint
    start, end = millis(window.start), millis(window.end)
    # The end of a gap moves with the vendor's history: its id must not.
    edges = (start, "" if status == "unavailable" else end)
    if identity is not None:
        edges = (millis(identity.start), millis(identity.end))
    return {
        "window_id": digest(*(part.encode() for part in (provider, account, stream, *edges))),
        "provider": provider,
        "account": account,
        "stream": stream,
        "window_start": start,
        "window_end": end,
        "status": status,
        "records": records,
        "requests": requests,
        "reported_total": reported_total,
        "splits": splits,
        "gap_reason": gap_reason,
        "filter": json.dumps(filters, sort_keys=True) if filters else None,
        "read_at": millis(read_at),
    }

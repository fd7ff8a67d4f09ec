"""`email_events`: one vocabulary for all vendors, derived from records already read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream, StreamSchema

from tap_emaillogs.stream import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from singer_sdk.helpers.types import Context

    from tap_emaillogs.records import Record


class EmailEvents(Stream):
    """The unified stream; every provider derives its events from its own records."""

    name = "email_events"
    schema: ClassVar[StreamSchema[str]] = StreamSchema(SCHEMAS)
    primary_keys = ("event_id",)
    replication_key = "event_at"

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One partition per endpoint that feeds the stream."""
        return self._tap.event_contexts()  # type: ignore[attr-defined,no-any-return]

    def get_records(self, context: Context | None) -> Iterable[Record]:
        """Read what is due for this stream alone, as `--test` does."""
        return self._tap.records_of(self, context)  # type: ignore[attr-defined,no-any-return]

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """No signpost: bookmarks are window ends."""

    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Do nothing: bookmarks are window ends."""

"""Streams whose columns no vendor's page names: all of them are kept, and a row's identity is the whole row."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import StreamSchema

from tap_emaillogs.records import canonical, pack
from tap_emaillogs.stream import SCHEMAS, LogStream
from tap_emaillogs.twins import TwinKeys, identity_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_emaillogs.records import Record

COLUMN = {
    "type": ["string", "null"],
    "description": "Declared by the setting `columns`; text as the vendor writes it.",
}


class ExtensibleSchema(StreamSchema[str]):
    """The bundled schema, with the columns that the configuration adds."""

    def get_stream_schema(self, stream: Any, stream_class: Any) -> dict[str, Any]:
        """Return it; on the class itself, without the additions."""
        schema: dict[str, Any] = super().get_stream_schema(stream, stream_class)
        known = schema["properties"]
        added = [name for name in getattr(stream, "added_columns", ()) if name not in known]
        return {**schema, "properties": {**known, **dict.fromkeys(added, COLUMN)}} if added else schema


class UndocumentedStream(LogStream):
    """A stream of rows with columns that are likely at best.

    It sets `twin_key`, and may refine `event_at`, `column_name` and `prepare`.
    """

    schema: ClassVar[StreamSchema[str]] = ExtensibleSchema(SCHEMAS)
    own_columns: ClassVar[tuple[str, ...]] = ("account", "event_at")
    replication_key = "event_at"

    @cached_property
    def added_columns(self) -> tuple[str, ...]:
        """What the setting `columns` of the provider or of one of its accounts declares for this stream."""
        provider = self.config.get(self.provider) or {}
        given = [provider, *(provider.get("accounts") or ())]
        names = [name for one in given for name in (one.get("columns") or {}).get(self.name) or ()]
        return tuple(dict.fromkeys(map(self.column_name, names)))

    def column_name(self, name: str) -> str:
        """Return the column that a name in the setting means; streams that rename columns do so here too."""
        return name

    def event_at(self, row: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - for the vendors
        """Return the row's own time, RFC 3339 UTC; None where none is understood."""
        return None

    def record(self, row: Mapping[str, Any]) -> Record:
        """Return the record of a row, its time filled in."""
        record = super().record(row)
        record["event_at"] = self.event_at(row)
        return record

    def take(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[Any]:
        """Pack a page's rows under the digest of the whole row."""
        assert self.twin_key is not None
        lines = (pack(self.record(row), self.twin_key, ())[1] for row in rows)
        return [(identity_of(whole(row)), line) for row, line in zip(rows, lines, strict=True)]

    def each_record(self, rows: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
        """Yield the records of a whole window's rows, one by one: none but the current one is held."""
        assert self.twin_key is not None
        with TwinKeys() as twins:
            for row in rows:
                record = self.record(row)
                record[self.twin_key] = twins.key(whole(row))
                yield record


def whole(row: Mapping[str, Any]) -> bytes:
    """Write a whole row so that equal rows give equal bytes, whatever the order of their columns."""
    return canonical(row, tuple(row))

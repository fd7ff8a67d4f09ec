"""Streams whose columns no vendor's page names: all of them are kept, and a row's identity is found among them.

A row with a reference of its mail is that mail's: its identity is the reference, the recipient and the mail's own date,
none of which change while its status does. Rows of the same identity (a vendor with a row per event) are numbered by
their status's time. A row without a reference is identified by all that it holds.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.prepared import NoRow, PreparedRow
from tap_emaillogs.streams.records import canonical, pack, twin_key
from tap_emaillogs.streams.schemas import SCHEMAS, ExtensibleSchema
from tap_emaillogs.streams.twins import Ranks, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from tap_emaillogs.streams.records import Record

RECIPIENTS = ("recipient", "to", "destination")
STATUS_DATES = ("status_time", "status_date", "modified_time")


class UndocumentedStream(LogStream):
    """A stream of rows with columns that are likely at best.

    It sets `twin_key`, and may refine `event_at`, `status_at`, `column_name` and `prepare`.
    """

    schema: ClassVar[ExtensibleSchema] = ExtensibleSchema(SCHEMAS)
    own_columns: ClassVar[tuple[str, ...]] = ("account", "event_at")
    replication_key = "event_at"
    row_per_event = True
    references: ClassVar[tuple[str, ...]] = ()
    """Columns that may hold the vendor's reference of a mail; the first with a value counts."""
    own_dates: ClassVar[tuple[str, ...]] = ()
    """Columns that may hold the mail's own date, which never changes."""

    @cached_property
    def added_columns(self) -> tuple[str, ...]:
        """What the setting `columns` of the provider or of one of its accounts declares for this stream."""
        provider = self.config.get(self.provider) or {}
        given = [provider, *(provider.get("accounts") or ())]
        names = [name for one in given for name in (one.get("columns") or {}).get(self.name) or ()]
        return tuple(dict.fromkeys([self.column_name(name) for name in names]))

    def column_name(self, name: str) -> str:
        """Return the column that a name in the setting means; streams that rename columns do so here too."""
        return name

    def event_at(self, row: Mapping[str, Any]) -> str | None:  # noqa: ARG002 - for the vendors
        """Return the row's own time, RFC 3339 UTC; None where none is understood."""
        return None

    def status_at(self, row: Mapping[str, Any]) -> str | None:
        """Return when the row's status was reached, as text that sorts as time does; None: the row does not say."""
        found = first(_plain(row), STATUS_DATES)
        return None if found is None else str(found)

    @property
    def reference_columns(self) -> tuple[str, ...]:
        """The columns that may hold a reference: those of the setting `reference`, or else the likely ones."""
        given = self.settings.reference.get(self.name)
        return tuple(map(snake_case, given)) if given else self.references

    def identity_of_row(self, row: Mapping[str, Any]) -> tuple[str, ...] | None:
        """Return what tells the row's mail and recipient from all others; None: no column does."""
        columns = _plain(row)
        reference = first(columns, self.reference_columns)
        if reference is None:
            return None
        recipient, date = first(columns, RECIPIENTS), first(columns, self.own_dates)
        return tuple("" if part is None else _text(part) for part in (reference, recipient, date))

    def record(self, row: Mapping[str, Any]) -> Record:
        """Return the record of a row, its time filled in."""
        record = super().record(row)
        record["event_at"] = self.event_at(row)
        return record

    def times(self, rows: Sequence[Any]) -> list[datetime]:
        """Return the rows' own times, in the order of the answer."""
        return [moment for row in rows if (moment := self.time_of(row)) is not None]

    def time_of(self, row: Mapping[str, Any]) -> datetime | None:
        """Return a row's own time; None: none is understood."""
        text = self.event_at(row)
        return None if text is None else timestamps.parse(text)

    def take(self, rows: Sequence[Mapping[str, Any]]) -> Sequence[PreparedRow]:
        """Pack a page's rows under the digests of their identities."""
        assert self.twin_key is not None
        taken = []
        for given in rows:
            if isinstance(given, NoRow):
                taken.append(self.take_row(given))
                continue
            row = {name: self.normalise.readable(value) for name, value in given.items()}
            identity, order = self._ranked(row)
            taken.append(PreparedRow(identity, pack(self.record(row), self.twin_key, identity), order))
        return taken

    def each_record(self, rows: Callable[[], Iterable[Mapping[str, Any]]]) -> Iterator[Record]:
        """Yield the records of a whole window's rows, one by one: none but the current one is held.

        `rows` is called twice and gives the same rows each time: a row's place among others of its identity is known
        only once all have been seen.
        """
        assert self.twin_key is not None
        with Ranks() as ranks:
            for row in rows():
                ranks.add(*self._ranked(row))
            for row, (identity, place) in zip(rows(), ranks, strict=True):
                record = self.record(row)
                record[self.twin_key] = twin_key(identity, place)
                yield record

    def _ranked(self, row: Mapping[str, Any]) -> tuple[bytes, bytes]:
        """Return the digest of a row's identity, and what orders it among rows of the same one."""
        content = identity_of(canonical(row, tuple(row)))
        parts = self.identity_of_row(row)
        if parts is None:
            return content, b""
        order = (self.status_at(row) or "").encode() + b"\0" + content
        return identity_of(canonical({"": parts}, ("",))), order


def first(columns: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the first value there is under one of these names; None: there is none."""
    return next((columns[name] for name in names if name in columns), None)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that have a value, their names in snake case."""
    columns: dict[str, Any] = {}
    for name, value in row.items():
        if value not in (None, "", [], {}):
            columns.setdefault(snake_case(name), value)
    return columns


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else canonical({"": value}, ("",)).decode()

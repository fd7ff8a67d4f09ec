"""What both of Messangi's streams have in common: the identity of their rows, their times and their events."""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any, ClassVar

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.providers.messangi import mapping
from tap_emaillogs.providers.messangi.moments import dates_of
from tap_emaillogs.providers.messangi.query import MARGIN, filters_of
from tap_emaillogs.providers.messangi.rows import OWN_DATES, REFERENCES, MailKey, dates_in, mail_key
from tap_emaillogs.providers.messangi.settings import LONGEST
from tap_emaillogs.streams.undocumented import UndocumentedStream

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from tap_emaillogs.providers.messangi.settings import MessangiSettings
    from tap_emaillogs.streams.records import Record


class MessageRows(UndocumentedStream):
    """Rows of messages, whatever columns they have.

    A row with a reference is identified by that, its recipient and the mail's own date: its status may change. Windows
    begin and end at whole seconds, so that rows without milliseconds fall into one window each.
    """

    provider = "messangi"
    settings: MessangiSettings
    time_columns = ("event_at",)
    unit = timestamps.SECOND
    finest = timestamps.MILLISECOND
    longest = LONGEST - MARGIN
    references: ClassVar[tuple[str, ...]] = REFERENCES
    own_dates: ClassVar[tuple[str, ...]] = OWN_DATES
    zone: tzinfo = UTC
    """Zone of the times that name none."""

    @property
    def channel(self) -> str:
        """The channel that is asked for; empty: none is, and the vendor may show all."""
        return self.settings.channel

    def filters(self) -> dict[str, Any] | None:
        """Return the filters in force: the channel, and what `extra_params` adds."""
        return filters_of(self.settings) or None

    def filters_shown(self) -> dict[str, Any] | None:
        """Name the further parameters only: one of them may hold a token."""
        return {**(self.filters() or {}), **dict.fromkeys(self.settings.extra_params, "…")} or None

    def identity_of_row(self, row: Mapping[str, Any]) -> MailKey | None:
        """Return the mail that the row tells of; None: it does not say."""
        return mail_key(row, self.reference_columns, self.zone)

    def mail_of(self, row: Mapping[str, Any]) -> Any:
        """Return what rows of the same mail and recipient have in common; a row without a reference is alone."""
        return self.identity_of_row(row) or json_text(row)

    def event_at(self, row: Mapping[str, Any]) -> str | None:
        """Return the row's own date."""
        own = dates_of(row, self.zone).own
        return None if own is None else str(own)

    def status_at(self, row: Mapping[str, Any]) -> str | None:
        """Return the date of the status, in UTC and one width."""
        status = dates_of(row, self.zone).status
        return None if status is None else status.at.isoformat(timespec="microseconds")

    def moments_of(self, record: Record) -> Iterable[tuple[datetime, timedelta]]:
        """Yield the record's dates, each with how far the true time may lie from the one shown."""
        return ((moment.at, moment.grain) for moment in dates_in(record).all())

    def events(self, record: Record) -> Iterable[Record]:
        """Derive events by the account's channel and by the columns that the setting `reference` names."""
        return mapping.events_of(
            self.provider, self.name, record, channel=self.channel, references=self.reference_columns
        )

    def remark(self, record: Record) -> str | None:
        """Say of what a row makes no event."""
        return mapping.remark_on(record, channel=self.channel)

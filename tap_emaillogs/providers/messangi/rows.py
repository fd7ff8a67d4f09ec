"""Whose mail a row of Messangi tells of, and when it was.

No page names the columns; https://docs.messangi.com/docs/messaging-logs shows those of the console.
"""

from __future__ import annotations

import json
from datetime import UTC, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.providers.messangi.moments import Dates, dates_of, read
from tap_emaillogs.streams.records import EXTRA
from tap_emaillogs.streams.undocumented import RECIPIENTS, first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_emaillogs.streams.records import Record

REFERENCES = ("message_id", "id", "transaction_id", "external_id")
OWN_DATES = ("date",)
_OWN_COLUMNS = frozenset({"account", "record_id", "row_id", "event_at", EXTRA})


class MailKey(NamedTuple):
    """What tells one mail to one recipient from all others; it never changes."""

    reference: str
    recipient: str
    date: str
    """The mail's own date: RFC 3339 UTC where it is understood, so that no zone and no form matters."""


def mail_key(row: Mapping[str, Any], references: Sequence[str] = REFERENCES, zone: tzinfo = UTC) -> MailKey | None:
    """Return the mail that a row tells of; None: no column holds a reference of it.

    `references` are column names in snake case, the best first. `zone` is for a date that names none.
    """
    columns: dict[str, str] = {}
    for name in sorted(row):  # of two names that are one in snake case, the same counts whatever their order
        if (text := _text(row[name])) and snake_case(name) not in columns:
            columns[snake_case(name)] = text
    reference = first(columns, references)
    if reference is None:
        return None
    date = first(columns, OWN_DATES) or ""
    moment = read(date, zone)
    return MailKey(reference, first(columns, RECIPIENTS) or "", date if moment is None else str(moment))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def row_of(record: Record) -> dict[str, Any]:
    """Return the vendor's row that a record was made of, without nulls."""
    row = {name: value for name, value in record.items() if value is not None and name not in _OWN_COLUMNS}
    extra = record[EXTRA]
    return {**row, **json.loads(extra)} if extra else row


def zone_of_times(record: Record, row: Mapping[str, Any]) -> tzinfo:
    """Return the zone in which the times of a record's row were read where they name none."""
    shown = dates_of(row).own
    if shown is None or shown.zoned or record["event_at"] is None:
        return UTC
    shift = shown.at - timestamps.parse(record["event_at"])
    return timezone(shift) if abs(shift) < timedelta(days=1) else UTC


def dates_in(record: Record) -> Dates:
    """Return the dates of a record, in UTC."""
    row = row_of(record)
    return dates_of(row, zone_of_times(record, row))

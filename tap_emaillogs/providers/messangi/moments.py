"""When a row of Messangi happened: no page names its date columns, so likely ones are tried."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_emaillogs.formats import dates, timestamps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.streams.window import Window

MESSAGE_DATES = (
    *("date", "messagedate", "sentdate", "datesent", "senddate", "sentat", "senttime", "datetime", "timestamp"),
    *("createdat", "createddate", "creationdate", "created", "eventdate", "eventat", "time", "fecha"),
)
STATUS_DATES = (
    *("statusdate", "statusat", "statustime", "statustimestamp", "datestatus", "donedate", "doneat", "deliverydate"),
    *("updatedat", "updateddate", "lastupdate", "lastupdated", "fechaestado"),
)
_EPOCH = re.compile(r"(?:\d{10}|\d{13})(?:\.\d+)?")
_CLOCK = re.compile(r"(?:(?<!\s)\s|[,;T])\s*\d{1,2}:\d\d(?P<seconds>:\d\d(?:[.,](?P<fraction>\d+))?)?")
_ZONED = re.compile(r"(?:Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$")
_DAY, _MINUTE = -2, -1
_LONGEST = 100
"""Characters of a date; what is longer is none, and is not kept in memory as one either."""
_GRAINS = {_DAY: timedelta(days=1), _MINUTE: timedelta(minutes=1)}


class Moment(NamedTuple):
    """A time as a row has it."""

    at: datetime
    digits: int
    """Decimals of its seconds; negative: it has no seconds, or no time of day at all."""
    zoned: bool = True
    """Whether the text itself says which zone it is in."""

    @property
    def grain(self) -> timedelta:
        """How far the true time may lie behind the one shown."""
        if self.digits >= 3:
            return timestamps.MILLISECOND
        return _GRAINS.get(self.digits, timestamps.SECOND)

    def __str__(self) -> str:
        """RFC 3339 in UTC, at the precision it came with."""
        if self.digits <= 0:
            return timestamps.seconds(self.at)
        fraction = f"{self.at.microsecond:06d}"[: self.digits]
        return f"{timestamps.seconds(self.at)[:-1]}.{fraction}Z"


def read(value: Any, zone: tzinfo = UTC) -> Moment | None:
    """Understand a date in any form that `dates` knows, or Unix time; `zone` is for those that name none."""
    if isinstance(value, str):
        return _read(value, zone) if len(value) <= _LONGEST else None
    return _read(str(value), zone) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@lru_cache(maxsize=8192)  # a row's dates are asked for by all who handle it
def _read(text: str, zone: tzinfo) -> Moment | None:
    text = text.strip()
    if _EPOCH.fullmatch(text):
        number = float(text)
        return Moment(timestamps.from_epoch(number), 3 if number > 1e11 or number % 1 else 0)
    at: datetime | None
    try:
        at = timestamps.parse(text, zone)
    except ValueError:
        at = dates.parse(text, zone) if text else None
    except OverflowError:  # a day at the calendar's edge, in another zone
        return None
    if at is None:
        return None
    clock = _CLOCK.search(text)
    digits = _DAY if clock is None else _MINUTE if clock["seconds"] is None else min(6, len(clock["fraction"] or ""))
    return Moment(at, digits, bool(_ZONED.search(text[10:])))


@lru_cache(maxsize=4096)
def plain(name: str) -> str:
    """Bring `Status Date`, `statusDate` and `status_date` to one form."""
    return "".join(character for character in name.lower() if character.isalnum())


class Dates(NamedTuple):
    """The dates of one row, as far as they are understood."""

    message: Moment | None
    status: Moment | None

    @property
    def own(self) -> Moment | None:
        """The row's own date: the message's, or else the status's."""
        return self.message or self.status

    def all(self) -> Iterator[Moment]:
        """Yield those that there are."""
        yield from (moment for moment in self if moment is not None)


def dates_of(row: Mapping[str, Any], zone: tzinfo = UTC) -> Dates:
    """Find a row's dates by the names of its columns; where none is known, by `date` or `time` in a name."""
    columns = {plain(name): value for name, value in row.items() if value not in (None, "")}
    message, status = (_first(columns, names, zone) for names in (MESSAGE_DATES, STATUS_DATES))
    if message is None and status is None:
        likely = (name for name in sorted(columns) if "date" in name or "time" in name or "fecha" in name)
        message = _first(columns, likely, zone)
    return Dates(message, status)


def _first(columns: Mapping[str, Any], names: Iterable[str], zone: tzinfo) -> Moment | None:
    found = (read(columns[name], zone) for name in names if name in columns)
    return next((moment for moment in found if moment is not None), None)


def belongs(dates: Dates, window: Window) -> bool:
    """Whether a row is this window's own: not one of the margin that was asked for beside it and is a neighbour's.

    A row is left to a neighbour only where that one surely shows it: when a date that is precise to the millisecond
    lies in the margin, and none lies inside. Which date the vendor filters by is unknown.
    """
    moments = list(dates.all())
    if any(moment.at in window for moment in moments):
        return True
    return not any(moment.digits >= 3 and _in_margin(moment.at, window) for moment in moments)


def _in_margin(moment: datetime, window: Window) -> bool:
    before = window.start - timestamps.MILLISECOND <= moment < window.start
    return before or window.end <= moment < window.end + timestamps.MILLISECOND

"""Times in and out: whatever a vendor writes becomes RFC 3339 UTC with `Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*(Z|z|UTC|GMT|[+-]\d\d(?::?\d\d)?)?",
)
_UTC_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_SECONDS = frozenset(f"{second:02}Z" for second in range(60))
_MOST_MINUTES = 1 << 14
_minutes: set[str] = set()
"""Minutes that were seen to be in the calendar: `2026-03-01T12:00:`."""
_UTC_ENDS = frozenset({"Z", "+0000", "+00:00"})

MILLISECOND = timedelta(milliseconds=1)
SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Unix seconds reach this value in the year 5138; milliseconds passed it in 1973.
_MILLISECONDS_FROM = 100_000_000_000


def parse(value: str, zone: tzinfo = UTC) -> datetime:
    """Read an ISO 8601 date or time; one without an offset is in `zone`.

    Digits beyond microseconds are cut off.

    Raises:
        ValueError: The text is no such time.
    """
    moment = _exact(value)
    if moment is not None:
        return moment
    match = _ISO.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not an ISO 8601 date or time")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    moment = datetime(
        int(year),
        int(month),
        int(day),
        int(hour or 0),
        int(minute or 0),
        min(int(second or 0), 59),  # a leap second counts as the one before it
        int((fraction or "0")[:6].ljust(6, "0")),
        tzinfo=zone if offset is None else UTC,
    )
    try:
        if offset is not None and offset[0] in "+-":
            shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:].lstrip(":") or 0))
            moment -= shift if offset[0] == "+" else -shift
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} lies outside the calendar") from error


def _exact(value: str) -> datetime | None:
    """Read `2026-03-01T12:00:00Z` and `2026-03-01T12:00:00.123Z`, in a tenth of the time; None: it is neither."""
    end = value[19:]
    if value[4:19:3] != "--T::" or value[11:13] > "23":
        return None
    if end != "Z" and not (end[:1] == "." and end[1:4].isdecimal() and end[4:] in _UTC_ENDS):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def exact_text(value: str) -> str | None:
    """Return what `utc_text` does of the common forms of a time; None: it has another form, or is no time."""
    if value[17:] in _SECONDS and value[:17] in _minutes:
        return value
    if _exact(value) is None:
        return None
    if len(_minutes) >= _MOST_MINUTES:
        _minutes.clear()
    _minutes.add(value[:17])
    return value if value[-1] == "Z" else f"{value[:23]}Z"


def utc_text(value: str) -> str:
    """Bring an ISO 8601 time to UTC with `Z`, keeping the precision it came with.

    Raises:
        ValueError: The text is no such time.
    """
    if (text := exact_text(value)) is not None:
        return text
    moment = parse(value)  # 2024-02-31 has the form and is no date
    if _UTC_FORM.fullmatch(value) and value[17:19] < "60":
        return value
    match = _ISO.fullmatch(value.strip())
    fraction = match.group(7) if match else None
    return seconds(moment)[:-1] + (f".{fraction}" if fraction else "") + "Z"


def from_epoch(value: float) -> datetime:
    """Read a Unix time in seconds or, from 1e11 on, in milliseconds.

    Raises:
        ValueError: The number is out of range.
    """
    try:
        milliseconds = int(value) if abs(value) > _MILLISECONDS_FROM else round(value * 1000)
        return EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise ValueError(f"{value} is no Unix time") from error


def epoch_text(value: float) -> str:
    """Bring a Unix time to RFC 3339, in seconds or, where it came with milliseconds, with them."""
    if type(value) is int and 0 <= value <= _MILLISECONDS_FROM:
        return f"{datetime.fromtimestamp(value, UTC).isoformat()[:19]}Z"  # as below, in a quarter of the time
    moment = from_epoch(value)
    if abs(value) > _MILLISECONDS_FROM or value != int(value):
        return millis(moment)
    return seconds(moment)


def millis(moment: datetime) -> str:
    """Write a time with milliseconds, as STATE and the ledger do: one width, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def seconds(moment: datetime) -> str:
    """Write a time in whole seconds."""
    # Not strftime: it writes the years before 1000 without their zeros.
    return moment.astimezone(UTC).isoformat(timespec="seconds")[:19] + "Z"


def floor(moment: datetime, unit: timedelta) -> datetime:
    """Round down to a multiple of `unit` since the epoch."""
    return moment - (moment - EPOCH) % unit


def ceil(moment: datetime, unit: timedelta) -> datetime:
    """Round up to a multiple of `unit` since the epoch."""
    return moment + (EPOCH - moment) % unit

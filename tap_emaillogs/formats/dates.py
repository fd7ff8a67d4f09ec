"""Times as people and their spreadsheets write them: `19 Jul 2025 09:00 AM`, `19/02/2025, 01:00 AM`, ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.caching import cached_calls

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_CLOCK = (
    r"(?:[,;\sT]+(?P<hour>\d{1,2})(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]\d+)?)?)?"
    r"\s*+(?P<half>[AaPp])?(?:(?<=[AaPp])\.?[Mm]\.?)?\s*(?P<offset>Z|UTC|GMT|[+-]\d\d:?\d\d)?)?"
)
_WEEKDAY = r"(?:[A-Za-z]{3,9},?\s+)?"
_FORMS = tuple(
    re.compile(_WEEKDAY + date + _CLOCK)
    for date in (
        r"(?P<day>\d{1,2})[\s/.-]+(?P<month>[A-Za-z]{3,9})[\s/.,-]+(?P<year>\d{4})",
        r"(?P<month>[A-Za-z]{3,9})\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})",
        r"(?P<day>\d{1,2})[/.-](?P<month>\d{1,2})[/.-](?P<year>\d{4})",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
    )
)
_LONGEST = 100
"""No date is longer, and a longer text would take the time of its square to be told from one."""
_EPOCH = re.compile(r"\d{10}|\d{13}")
_NUMBERS = re.compile(r"(\d{1,2})([/.-])(\d{1,2})(?=\2\d{4})")
_ELSEWHERE = timezone(timedelta(hours=1))


@cached_calls  # rows of a log share their minutes
def utc_text(text: str, zone: tzinfo = UTC) -> str | None:
    """Return a time as RFC 3339 UTC in whole seconds, or finer where it came so; None: it is not understood.

    One without an offset is in `zone`, at the first of the two moments where clocks are set back. Where only numbers
    stand, the day comes before the month.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if _EPOCH.fullmatch(text):
        return timestamps.epoch_text(int(text))
    try:
        moment = timestamps.parse(text, zone)
    except ValueError:
        written = _written(text, zone)
        return None if written is None else timestamps.seconds(written)
    fraction = re.search(r":\d\d[.,](\d+)", text)
    return timestamps.seconds(moment)[:-1] + (f".{fraction.group(1)}" if fraction else "") + "Z"


def parse(text: str, zone: tzinfo = UTC) -> datetime | None:
    """Return the moment that `utc_text` writes."""
    found = utc_text(text, zone)
    return None if found is None else timestamps.parse(found)


def _written(text: str, zone: tzinfo) -> datetime | None:
    found = next((match for form in _FORMS if (match := form.fullmatch(text))), None)
    if found is None:
        return None
    part = found.groupdict()
    month = part["month"]
    hour, half = int(part["hour"] or 0), (part["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        moment = datetime(
            int(part["year"]),
            int(month) if month.isdigit() else _MONTHS[month[:3].lower()],
            int(part["day"]),
            hour,
            int(part["minute"] or 0),
            min(int(part["second"] or 0), 59),
            tzinfo=zone if part["offset"] is None else UTC,
        )
        if part["offset"] and part["offset"][0] in "+-":
            offset = part["offset"].replace(":", "")
            shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[3:]))
            moment -= shift if offset[0] == "+" else -shift
        return moment.astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None


def month_first(text: str) -> str | None:
    """Return a date of numbers with its first two parts swapped, as some write it; None: it is no such date."""
    found = _NUMBERS.match(text.strip())
    return None if found is None else f"{found[3]}{found[2]}{found[1]}{text.strip()[found.end(3) :]}"


def local(text: str, zone: tzinfo) -> datetime | None:
    """Return what a clock in `zone` shows at a time, without a zone; None: it is not understood.

    That is what the text says itself, unless it names an offset of its own.
    """
    digits, shifted = parse(text), parse(text, _ELSEWHERE)
    if digits is None or shifted is None:
        return None
    return (digits.astimezone(zone) if digits == shifted else digits).replace(tzinfo=None)


def precision(text: str) -> timedelta:
    """Return how long a time lasts as it is written: `19 Jul 2025` is a day, `19 Jul 2025 09:00 AM` a minute."""
    if _EPOCH.fullmatch(text.strip()) or re.search(r":\d\d:\d\d", text):
        return timedelta(seconds=1)
    if ":" in text:
        return timedelta(minutes=1)
    return timedelta(hours=1) if re.search(r"\d\s*[AaPp]\.?[Mm]\b", text) else timedelta(days=1)


def moments(digits: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the first and the last moment that a time without a zone can mean in `zone`.

    They differ in the hour that comes twice where clocks are set back, and in the one that never comes.
    """
    found = [digits.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    return min(found), max(found)


def floor(digits: datetime, unit: timedelta) -> datetime:
    """Round down to a multiple of `unit` since midnight."""
    return digits - (digits - digits.replace(hour=0, minute=0, second=0, microsecond=0)) % unit


def outward(start: datetime, end: datetime, zone: tzinfo, unit: timedelta) -> tuple[datetime, datetime]:
    """Return the times without a zone that one has to ask for, so that nothing of [start, end) is left out.

    They are multiples of `unit` (a minute or an hour) by the clocks in `zone`, and hold whichever of two moments of
    the same name the asked one takes them for.
    """
    first, last = (moment.astimezone(zone).replace(tzinfo=None, fold=0) for moment in (start, end))
    first = floor(first, unit)
    last = floor(last, unit) + (unit if floor(last, unit) < last else timedelta())
    while moments(first, zone)[1] > start:
        first -= unit
    while moments(last, zone)[0] < end:
        last += unit
    return first, last

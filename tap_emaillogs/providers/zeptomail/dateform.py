"""How requests write dates: the vendor's prose and its sample disagree, so the form is a setting."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TOKENS = {"YYYY": "%Y", "MM": "%m", "DD": "%d", "HH": "%H", "hh": "%I", "mm": "%M", "AM/PM": "%p"}
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_EXAMPLE = re.compile(
    r"(?P<date>(?P<one>\d{1,2})(?P<sign>[/.-])(?P<two>\d{1,2})(?P=sign)\d{4}"
    r"|\d{4}(?P<dash>[/.-])\d{1,2}(?P=dash)\d{1,2}|\d{1,2} (?P<month>[A-Za-z]{3,9}) \d{4})"
    r"(?P<between>[^\d%A-Za-z]+|T)\d{1,2}(?P<minutes>:\d\d)?(?P<blank>\s*)(?P<half>[AP]M)?"
)
"""A date as the vendor's page shows it: `19/02/2025, 01:00 AM`, `19/02/2025;10 AM`, `19/07/2025;10AM`."""
_PROBES = tuple(datetime(2025, 12, 31, hour, 59, tzinfo=UTC) for hour in (0, 1, 11, 12, 23))
_MONTHS = 12

DEFAULT = "DD/MM/YYYY, hh:mm AM/PM"


def pattern(form: str) -> str:
    """Return the strftime pattern of a form: one already, `DD/MM/YYYY, hh:mm AM/PM`, or an example of a date.

    Without AM/PM the hours go up to 23. An example's day comes before its month where both are possible.
    """
    if "%" in form:
        return form
    if example := _EXAMPLE.fullmatch(form.strip()):
        return _pattern_of(example)
    tokens = _TOKENS if "AM/PM" in form else {**_TOKENS, "hh": "%H"}
    return _TOKEN.sub(lambda found: tokens[found.group()], form)


def _pattern_of(example: re.Match[str]) -> str:
    part = example.groupdict()
    if part["month"]:
        date = "%d %b %Y" if len(part["month"]) == 3 else "%d %B %Y"
    elif part["dash"]:
        date = part["dash"].join(("%Y", "%m", "%d"))
    else:
        first, second = ("%m", "%d") if int(part["two"]) > _MONTHS else ("%d", "%m")
        date = part["sign"].join((first, second, "%Y"))
    hour = "%I" if part["half"] else "%H"
    minutes, half = ":%M" if part["minutes"] else "", f"{part['blank']}%p" if part["half"] else ""
    return f"{date}{part['between']}{hour}{minutes}{half}"


def resolution(form: str) -> timedelta | None:
    """Return the finest time that a form tells, a minute or an hour; None: it does not even tell that."""
    try:
        told = [datetime.strptime(probe.strftime(pattern(form)), pattern(form)) for probe in _PROBES]  # noqa: DTZ007
    except (ValueError, re.error):
        return None
    for unit in (timedelta(minutes=1), timedelta(hours=1)):
        if all(
            one == probe.replace(tzinfo=None) - _beyond(probe, unit) for one, probe in zip(told, _PROBES, strict=True)
        ):
            return unit
    return None


def _beyond(probe: datetime, unit: timedelta) -> timedelta:
    return timedelta(minutes=probe.minute) % unit


def written(local: datetime, form: str) -> str:
    """Write a local time in a form."""
    return local.strftime(pattern(form))

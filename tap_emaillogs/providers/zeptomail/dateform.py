"""How requests write dates: the vendor's prose and its sample disagree, so the form is a setting."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TOKENS = {
    "YYYY": "%Y",
    "MM": "%m",
    "DD": "%d",
    "HH": "%H",
    "hh": "%I",
    "mm": "%M",
    "AM/PM": "%p",
    # The page's own examples: 19/02/2025, 01:00 AM and 19/02/2025;10 AM.
    "2025": "%Y",
    "02": "%m",
    "19": "%d",
    "01": "%I",
    "10": "%I",
    "00": "%M",
    "AM": "%p",
}
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_PROBES = tuple(datetime(2025, 12, 31, hour, 59, tzinfo=UTC) for hour in (0, 1, 11, 12, 23))

DEFAULT = "DD/MM/YYYY, hh:mm AM/PM"


def pattern(form: str) -> str:
    """Return the strftime pattern of a form: one already, `DD/MM/YYYY, hh:mm AM/PM`, or an example of the page's."""
    return form if "%" in form else _TOKEN.sub(lambda found: _TOKENS[found.group()], form)


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

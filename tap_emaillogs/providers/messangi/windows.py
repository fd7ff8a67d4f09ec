"""What both of Messangi's endpoints ask for, and how a window is narrowed that they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.engine.windows import equal_parts
from tap_emaillogs.formats import timestamps
from tap_emaillogs.providers.messangi.settings import LONGEST

if TYPE_CHECKING:
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.engine.windows import Window
    from tap_emaillogs.providers.messangi.settings import MessangiSettings

MARGIN = timestamps.MILLISECOND
"""Whether the range's ends belong to it is unknown, so its start is asked for a little earlier."""


def query(settings: MessangiSettings, window: Window) -> dict[str, Any]:
    """Return the query that both endpoints share: the range, and the filters in force."""
    return {
        "from": timestamps.millis(window.start - MARGIN),
        "to": timestamps.millis(window.end),
        **filters(settings),
    }


def filters(settings: MessangiSettings) -> dict[str, Any]:
    """Return the filters in force; an empty channel is not sent."""
    channel = {"channel": settings.channel} if settings.channel else {}
    return {**channel, **settings.extra_params}


def too_long(window: Window) -> bool:
    """Whether the vendor would refuse the range, its margin included."""
    return window.length + MARGIN > LONGEST


def parts(window: Window) -> list[Window]:
    """Halve a window: at whole seconds as long as there are any inside, since rows may show no more than seconds."""
    halves = equal_parts(window, 2, timestamps.SECOND)
    return halves if len(halves) > 1 else equal_parts(window, 2, timestamps.MILLISECOND)


def narrowed(reading: Reading, why: str) -> Split | Outcome:
    """Split a window that is too much for the vendor; at its resolution say that the rest is withheld."""
    halves = parts(reading.window)
    return Split(halves) if len(halves) > 1 else Outcome(status="truncated", reason=why)

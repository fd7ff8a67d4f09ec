"""What both of Messangi's endpoints ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from tap_emaillogs.providers.messangi.settings import MessangiSettings
    from tap_emaillogs.streams.window import Window

MARGIN = timestamps.MILLISECOND
"""Whether the range's ends belong to it is unknown, so its start is asked for a little earlier."""


def query_of(settings: MessangiSettings, window: Window) -> dict[str, Any]:
    """Return the query that both endpoints share: the range, and the filters in force."""
    return {
        "from": timestamps.millis(window.start - MARGIN),
        "to": timestamps.millis(window.end),
        **filters_of(settings),
    }


def filters_of(settings: MessangiSettings) -> dict[str, Any]:
    """Return the filters in force; an empty channel is not sent."""
    channel = {"channel": settings.channel} if settings.channel else {}
    return {**channel, **settings.extra_params}

"""What both of Messangi's endpoints ask for."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.streams.window import Window

LONGEST = timedelta(days=92)
"""What the vendor answers at most; beyond it: "The date range exceeds the allowed limit: 92"."""
MARGIN = timestamps.MILLISECOND
"""Whether the range's ends belong to it is unknown, so its start is asked for a little earlier."""


def query(settings: Mapping[str, Any], window: Window) -> dict[str, Any]:
    """Return the query that both endpoints share: the range, and the filters in force."""
    return {
        "from": timestamps.millis(window.start - MARGIN),
        "to": timestamps.millis(window.end),
        **filters(settings),
    }


def filters(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters in force; an empty channel is not sent."""
    channel = {"channel": settings["channel"]} if settings["channel"] else {}
    return {**channel, **(settings.get("extra_params") or {})}

"""Moves Messangi's messages onto the edges of windows, where a wrong guess of the vendor's bounds would show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

_MS = timedelta(milliseconds=1)


def onto_edges(log: Any, start: datetime, length: timedelta, last: int) -> None:
    """Put every message of a sandbox's log onto the edge before it, or a millisecond beside it.

    Edges are `start` and multiples of `length` from there, up to the one numbered `last`.
    """
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for number, message in enumerate(log._messages):
        place = min(max((epoch + message.at_ms * _MS - start) // length, min(1, last)), last)
        at = (start + place * length - epoch) // _MS + (0, 0, -1, 1)[number % 4]
        message.steps = [(max(when, at), status) for when, status in message.steps]
        message.steps[0] = (at, message.steps[0][1])

"""Time as the sandbox counts it inside: in milliseconds since 1970."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Return an aware datetime, or a naive one in UTC, as milliseconds since 1970."""
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MS


def from_ms(ms: int) -> datetime:
    """Return milliseconds since 1970 as an aware datetime in UTC."""
    return _EPOCH + ms * _MS


def span_ms(span: timedelta) -> int:
    """Return a span of time in whole milliseconds."""
    return span // _MS


class Stamp(NamedTuple):
    """A moment by the world's clock and by the real one, in seconds."""

    world: float
    real: float

    @classmethod
    def now(cls, now_ms: Callable[[], int]) -> Stamp:
        return cls(now_ms() / 1000, time.monotonic())

    def age(self, now_ms: Callable[[], int]) -> float:
        """Return how old it is by the clock that is ahead: with a fixed clock, too, tokens end."""
        now = Stamp.now(now_ms)
        return max(now.world - self.world, now.real - self.real)

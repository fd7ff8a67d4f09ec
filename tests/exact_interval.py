"""The exact (Clopper-Pearson) interval of a share, by halving: what the models' closed form is held to."""

from __future__ import annotations

from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TAIL = 0.025


def bounds(part: int, whole: int) -> tuple[float, float]:
    """Return the ends of the 95 % interval of `part` of `whole`, to twelve digits."""
    low = 0.0 if part == 0 else _crossing(lambda p: 1 - _at_most(part - 1, whole, p) < TAIL)
    high = 1.0 if part == whole else _crossing(lambda p: _at_most(part, whole, p) > TAIL)
    return low, high


def _crossing(is_before: Callable[[float], bool]) -> float:
    """Return the probability up to which a condition holds."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if is_before(middle) else (low, middle)
    return low


def _at_most(part: int, whole: int, share: float) -> float:
    """Return the probability of so many or fewer, of so many."""
    ways = (lgamma(whole + 1) - lgamma(n + 1) - lgamma(whole - n + 1) for n in range(part + 1))
    return sum(exp(way + n * log(share) + (whole - n) * log1p(-share)) for n, way in enumerate(ways))

"""The page's closed form of the exact interval, beside the exact one; test_models_reference does so for the models'."""

from __future__ import annotations

import pytest

from dashboard.interval import highest, lowest
from exact_interval import bounds

SIZES = (1, 2, 3, 4, 5, 8, 12, 13, 50, 300, 2000)


@pytest.mark.parametrize("whole", SIZES)
def test_the_closed_form_is_nearly_exact(whole: int) -> None:
    for part in {*range(min(whole, 25) + 1), whole // 2, *range(max(0, whole - 8), whole + 1)}:
        low, high = bounds(part, whole)
        assert highest(part, whole) == pytest.approx(high, rel=0.006 if whole < 12 else 0.002), (part, whole)
        # Where five or more give an alarm, the lower bound is right to 1 %; below that it is too low.
        least = (0.99 if part >= 5 else 0.92) * low
        assert least - 1e-12 <= lowest(part, whole) <= 1.001 * low + 1e-12, (part, whole)


def test_it_is_a_known_interval() -> None:
    """5 of 100: 1.64 % to 11.28 % (Clopper and Pearson's own kind, as every table has it)."""
    assert bounds(5, 100) == pytest.approx((0.016432, 0.112835), abs=1e-6)

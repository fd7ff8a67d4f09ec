"""The page's closed form of the exact interval, beside the exact one; test_models_reference does so for the models'."""

from __future__ import annotations

import pytest

from dashboard.interval import highest, lowest
from exact_interval import bounds

CASES = [(part, whole) for whole in (1, 2, 3, 4, 5, 12, 100, 1000, 20_000) for part in range(min(whole, 30) + 1)]


@pytest.mark.parametrize("whole", sorted({whole for _, whole in CASES}))
def test_the_closed_form_is_nearly_exact(whole: int) -> None:
    for part in (part for part, all_of in CASES if all_of == whole):
        low, high = bounds(part, whole)
        assert highest(part, whole) == pytest.approx(high, rel=0.006), (part, whole)
        # Where five or more give an alarm, the lower bound is right to 1 %; below that it is too low, never too high.
        assert (0.99 if part >= 5 else 0.92) * low - 1e-12 <= lowest(part, whole) <= 1.001 * low + 1e-12, (part, whole)


def test_it_is_a_known_interval() -> None:
    """5 of 100: 1.64 % to 11.28 % (Clopper and Pearson's own kind, as every table has it)."""
    assert bounds(5, 100) == pytest.approx((0.016432, 0.112835), abs=1e-6)

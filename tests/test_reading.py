"""What the parts of a window may lack, all together, before its totals are called wrong."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from general import NOW
from tap_emaillogs.engine.reading import EndpointContext, Reading
from tap_emaillogs.engine.windows import equal_parts
from tap_emaillogs.streams.window import Window

SECOND = timedelta(seconds=1)


def reading() -> Reading:
    return Reading(Window(NOW, NOW + 64 * SECOND), EndpointContext({}, lambda: None))


@given(st.integers(1, 20), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_parts_lack_no_more_than_their_whole_did(short: int, lacking: list[int]) -> None:
    whole = reading()
    assert whole.lacks(short), "a whole window has nothing to be compared with"
    parts = whole.parts(equal_parts(whole.window, len(lacking), SECOND))
    left = short
    for part, rows in zip(parts, lacking, strict=False):
        left -= rows
        assert part.lacks(rows) == (left >= 0)


@given(st.integers(1, 20), st.integers(1, 20))
def test_the_parts_of_a_part_have_an_allowance_of_their_own(short: int, less: int) -> None:
    whole = reading()
    whole.lacks(short)
    first, second = whole.parts(equal_parts(whole.window, 2, SECOND))
    first.lacks(less)
    inner, _ = first.parts(equal_parts(first.window, 2, SECOND))
    assert inner.lacks(less)
    assert not inner.lacks(1)
    assert second.lacks(1) == (short - less >= 1)


def test_parts_of_a_window_that_lacked_nothing_are_compared_with_nothing() -> None:
    parts = reading().parts(equal_parts(reading().window, 2, SECOND))
    assert all(part.lacks(5) for part in parts)

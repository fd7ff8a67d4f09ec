"""Rows of the same identity are numbered alike in memory and on disk, and by what orders them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.streams.twins import Counts, Ranks

ROWS = st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.sampled_from([b"", b"1", b"2", b"3"])), max_size=40)


@pytest.mark.parametrize("in_memory", [3, 1000])
def test_equal_identities_are_counted_as_they_come(in_memory: int) -> None:
    seen: Counter[bytes] = Counter()
    with Counts(in_memory) as counts:
        for number in range(50):
            identity = str(number % 7).encode()
            assert counts.place(identity) == seen[identity]
            seen[identity] += 1


@given(rows=ROWS, in_memory=st.sampled_from([1, 2, 7, 1000]))
def test_places_follow_the_order_and_never_the_answer(rows: list[tuple[bytes, bytes]], in_memory: int) -> None:
    def places(given: list[tuple[bytes, bytes]]) -> Counter[tuple[bytes, bytes, int]]:
        with Ranks(in_memory) as ranks:
            for row in given:
                ranks.add(*row)
            found = list(ranks)
        assert [identity for identity, _ in found] == [identity for identity, _ in given]
        return Counter((*row, place) for row, (_, place) in zip(given, found, strict=True))

    want: Counter[tuple[bytes, bytes, int]] = Counter()
    for identity in {identity for identity, _ in rows}:
        for place, order in enumerate(sorted(order for one, order in rows if one == identity)):
            want[identity, order, place] += 1
    assert places(rows) == places(rows[::-1]) == want

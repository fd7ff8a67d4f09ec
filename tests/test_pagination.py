"""Paginators go on as long as there is a way on, and never in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_emaillogs.http.errors import PagingLoop
from tap_emaillogs.streams.paginators import (
    ContinueTokenPaginator,
    OffsetPaginator,
    Page,
    PagePaginator,
    PagePaginatorBase,
    SinglePage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def rows(*names: str) -> list[dict[str, Any]]:
    return [{"id": name} for name in names]


def follow(paginator: PagePaginatorBase, pages: Iterable[Page]) -> list[Any]:
    """Give pages one after another until the end; return what each was asked with."""
    asked = []
    for page in pages:
        asked.append(paginator.current_value)
        paginator.advance(page)
        if paginator.finished:
            break
    return asked


# Continue tokens.


def test_a_token_leads_on_until_there_is_none() -> None:
    paginator = ContinueTokenPaginator()
    pages = [Page(rows("a"), token="A"), Page(rows("b"), token="B"), Page(rows("c"))]
    assert follow(paginator, pages) == [None, "A", "B"]
    assert paginator.finished
    assert paginator.count == 3


@pytest.mark.parametrize("ending", [None, ""])
def test_no_token_or_an_empty_one_ends_at_once(ending: str | None) -> None:
    paginator = ContinueTokenPaginator()
    assert follow(paginator, [Page(rows("a"), token=ending)]) == [None]
    assert paginator.finished


def test_an_empty_page_with_a_token_goes_on() -> None:
    paginator = ContinueTokenPaginator()
    pages = [Page([], token="A"), Page([], token="B"), Page(rows("a", "b"), token="C"), Page([])]
    assert follow(paginator, pages) == [None, "A", "B", "C"]
    assert paginator.finished


def test_a_short_page_with_a_token_goes_on() -> None:
    paginator = ContinueTokenPaginator()
    pages = [Page(rows("a", "b", "c"), token="A"), Page(rows("d"), token="B"), Page(rows("e", "f", "g"))]
    assert follow(paginator, pages) == [None, "A", "B"]


def test_a_repeated_token_is_a_loop() -> None:
    paginator = ContinueTokenPaginator()
    with pytest.raises(PagingLoop, match="page 2 gives a token that an earlier page gave"):
        follow(paginator, [Page(rows("a"), token="A"), Page(rows("b"), token="A")])
    assert not paginator.finished


def test_a_loop_over_several_tokens_is_found() -> None:
    tokens = ["A", "B", "C", "A"]
    pages = [Page(rows(str(number)), token=token) for number, token in enumerate(tokens)]
    paginator = ContinueTokenPaginator()
    with pytest.raises(PagingLoop, match="page 4"):
        follow(paginator, pages)


def test_tokens_over_empty_pages_cannot_loop_either() -> None:
    paginator = ContinueTokenPaginator()
    with pytest.raises(PagingLoop):
        follow(paginator, [Page([], token="A"), Page([], token="B"), Page([], token="A")])


def test_where_an_unchanged_token_ends_a_token_further_back_is_still_a_loop() -> None:
    ending = ContinueTokenPaginator(unchanged_ends=True)
    assert follow(ending, [Page(rows("a"), token="A"), Page(rows("b"), token="A")]) == [None, "A"]
    assert ending.finished
    looping = ContinueTokenPaginator(unchanged_ends=True)
    with pytest.raises(PagingLoop):
        follow(looping, [Page(rows("a"), token="A"), Page(rows("b"), token="B"), Page(rows("c"), token="A")])


@pytest.mark.parametrize(
    "new",
    [ContinueTokenPaginator, lambda: OffsetPaginator(2), lambda: PagePaginator(2)],
)
def test_a_repeated_page_is_a_loop_under_whatever_token(new: Callable[[], PagePaginatorBase]) -> None:
    paginator = new()
    paginator.advance(Page(rows("a", "b"), token="A", more=True))
    with pytest.raises(PagingLoop, match=r"page 2 repeats the page before it \(2 rows\)"):
        paginator.advance(Page(rows("a", "b"), token="B", more=True))
    assert paginator.count == 1


# Offsets.


def test_offsets_go_on_behind_what_was_seen() -> None:
    paginator = OffsetPaginator(3)
    pages = [Page(rows("a", "b", "c")), Page(rows("d", "e", "f")), Page(rows("g"))]
    assert follow(paginator, pages) == [0, 3, 6]
    assert paginator.finished


def test_a_full_last_page_costs_one_more_unless_the_vendor_says_that_it_is_the_last() -> None:
    assert follow(OffsetPaginator(2), [Page(rows("a", "b")), Page([])]) == [0, 2]
    assert follow(OffsetPaginator(2), [Page(rows("a", "b"), more=False)]) == [0]


def test_a_short_page_goes_on_where_the_vendor_says_so() -> None:
    paginator = OffsetPaginator(100)
    assert follow(paginator, [Page(rows("a", "b"), more=True), Page(rows("c"), more=False)]) == [0, 2]
    assert paginator.finished


def test_an_empty_page_ends_even_where_more_is_promised() -> None:
    paginator = OffsetPaginator(2)
    paginator.advance(Page([], more=True))
    assert paginator.finished


@given(st.integers(0, 60), st.integers(1, 10), st.booleans(), st.booleans())
def test_every_row_is_seen_once_by_offset_and_by_page(count: int, size: int, by_page: bool, says_more: bool) -> None:
    everything = rows(*map(str, range(count)))
    paginator: PagePaginatorBase = PagePaginator(size) if by_page else OffsetPaginator(size)
    seen: list[dict[str, Any]] = []
    while not paginator.finished:
        value = paginator.current_value
        start = (value - 1) * size if by_page else value
        part = everything[start : start + size]
        seen += part
        paginator.advance(Page(part, more=start + size < count if says_more else None))
    assert seen == everything
    assert paginator.count == (max(1, -(-count // size)) if says_more else count // size + 1)


# Page numbers.


def test_pages_are_numbered_from_the_first() -> None:
    pages = [Page(rows("a", "b")), Page(rows("c", "d")), Page(rows("e"))]
    assert follow(PagePaginator(2), pages) == [1, 2, 3]
    assert follow(PagePaginator(2, first=0), pages) == [0, 1, 2]


def test_a_page_size_that_the_server_caps_silently_is_found_out() -> None:
    pages = [Page(rows("a", "b")), Page(rows("c", "d")), Page(rows("e")), Page([])]
    assert follow(PagePaginator(500, trust_short=False), pages) == [1, 2, 3]
    assert follow(PagePaginator(500, trust_short=False), [Page(rows("a")), Page([])]) == [1, 2]
    assert follow(PagePaginator(500, trust_short=False), [Page([])]) == [1]
    assert follow(PagePaginator(500), [Page(rows("a", "b"))]) == [1]


def test_a_server_that_ignores_the_page_number_ends_the_reading_with_one_page() -> None:
    paginator = PagePaginator(500, trust_short=False)
    assert follow(paginator, [Page(rows("a", "b")), Page(rows("a", "b"))]) == [1, 2]
    assert paginator.finished
    assert paginator.count == 1


def test_a_repeated_page_is_a_loop_where_the_vendor_promises_more() -> None:
    paginator = PagePaginator(500, trust_short=False)
    paginator.advance(Page(rows("a", "b"), more=True))
    with pytest.raises(PagingLoop):
        paginator.advance(Page(rows("a", "b"), more=True))


# One page.


def test_a_single_page_is_the_end() -> None:
    paginator = SinglePage()
    assert follow(paginator, [Page(rows("a"), token="A", more=True)]) == [None]
    assert paginator.finished

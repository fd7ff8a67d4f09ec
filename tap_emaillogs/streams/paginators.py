"""Paginators: how to go on from one page to the next, without knowing any stream.

They speak `Page`, a page already understood, and guard against a vendor that leads in circles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.pagination import BaseAPIPaginator

from tap_emaillogs.http.errors import Misunderstood, PagingLoop, ReadError
from tap_emaillogs.streams.prepared import NoRow
from tap_emaillogs.streams.shapes import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_emaillogs.http.errors import VendorError


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, understood."""

    rows: Sequence[Any]
    """As the stream's `take` and `times` understand them."""
    total: int | None = None
    """How many rows match the query, all pages together, as the vendor says."""
    token: str | None = None
    """What the vendor wants back to go on."""
    more: bool | None = None
    """Whether the vendor says that more follow; None: it says nothing."""
    capped: bool = False
    """The vendor says that it does not show everything."""
    limit: int | None = None
    """How many rows all pages of a capped window can show; None: no more than this one."""

    def __post_init__(self) -> None:
        """Take a total only for one where it can be."""
        object.__setattr__(self, "total", count_of(self.total))


_MOST_COUNTED = 1 << 53
"""A larger number of rows is no count: a vendor's sign for "many", or a fault."""


def count_of(value: Any) -> int | None:
    """Read a number of rows, also one written as text or with a point; None: it is none.

    >>> count_of(" 12 "), count_of(12.0), count_of(-1), count_of(float("nan")), count_of(1e30), count_of(True)
    (12, 12, None, None, None, None)
    """
    if type(value) is not int:
        if isinstance(value, bool) or value is None:
            return None
        try:
            count = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
        if not isinstance(value, str) and count != value:
            return None
        value = count
    return value if 0 <= value <= _MOST_COUNTED else None


def objects(rows: Any, missing: str) -> list[Any]:
    """Return the rows of an answer; what is no object among them as `NoRow`.

    Raises:
        Misunderstood: They are no list, which is what is `missing`, or none of them is an object.
    """
    if not isinstance(rows, list):
        raise Misunderstood(f"the answer holds no {missing}")
    if all(issubclass(kind, (dict, Row)) for kind in {*map(type, rows)}):
        return rows
    found = [row if isinstance(row, (dict, Row)) else NoRow() for row in rows]
    if all(isinstance(row, NoRow) for row in found):
        raise Misunderstood("the rows of the answer are no objects")
    return found


class Unpaged(ReadError):
    """The vendor ignores which page is asked for, and its one page may not be everything."""

    def __init__(self, rows: Sequence[Any]) -> None:
        super().__init__(f"the vendor shows no more than {len(rows)} rows, whatever page is asked for")
        self.rows = rows


class PagePaginatorBase(BaseAPIPaginator[Any]):
    """What all have in common: a page that repeats the one before is a loop, not data."""

    anchored = False
    """Whether each page proves that it goes on from the one before, so that nothing is lost when rows move."""

    def __init__(self, start_value: Any) -> None:
        super().__init__(start_value)
        self._last_rows: Sequence[Any] = ()

    def advance(self, response: Page) -> None:  # type: ignore[override] # a page understood, not a response
        """Go on to the page after `response`; `count` grows when that page was a new one.

        Raises:
            PagingLoop: The page repeats the one before, or the token one seen before.
        """
        rows = response.rows
        if rows and len(rows) == len(self._last_rows) and rows == self._last_rows:
            self.repeated(response)
        else:
            self._page_count += 1
            self._last_rows = rows
            following = self.get_next(response)  # type: ignore[arg-type] # likewise
            if following is None:
                self._finished = True
            else:
                self._value = following

    def is_before_first(self, error: VendorError) -> bool:  # noqa: ARG002 - for numbered pages
        """Whether a refusal only tells that the vendor's pages begin with a higher number; its page has no rows."""
        return False

    def repeated(self, page: Page) -> None:
        """Meet a page that equals the one before."""
        raise PagingLoop(f"page {self._page_count + 1} repeats the page before it ({len(page.rows)} rows)")


class SinglePage(PagePaginatorBase):
    """There is one page; whether it is cut is for the stream to see."""

    def __init__(self) -> None:
        super().__init__(None)

    def get_next(self, response: Page) -> None:  # type: ignore[override] # likewise
        """Nothing follows."""


class ContinueTokenPaginator(PagePaginatorBase):
    """The vendor hands out a token until nothing follows.

    An empty page, or one shorter than asked, goes on as long as there is a token. A token seen before (A → B → A) is
    a loop; so is the same page under another token. With `unchanged_ends`, a page that gives back the very token it
    was asked with is the last one: for vendors whose total then tells whether anything is missing.
    """

    def __init__(self, *, unchanged_ends: bool = False) -> None:
        super().__init__(None)
        self._tokens: set[str] = set()
        self._unchanged_ends = unchanged_ends

    def get_next(self, response: Page) -> str | None:  # type: ignore[override] # likewise
        """Return the next token; None at the end."""
        token = response.token
        if not token or (self._unchanged_ends and token == self._value):
            return None
        if token in self._tokens:
            raise PagingLoop(f"page {self._page_count} gives a token that an earlier page gave")
        self._tokens.add(token)
        return token


class OffsetPaginator(PagePaginatorBase):
    """The next page starts behind the rows already seen.

    A page shorter than asked is the last, unless the vendor says otherwise.
    """

    def __init__(self, page_size: int) -> None:
        super().__init__(0)
        self._page_size = page_size

    def get_next(self, response: Page) -> int | None:  # type: ignore[override] # likewise
        """Return the next offset; None at the end."""
        seen = len(response.rows)
        more = seen >= self._page_size if response.more is None else response.more
        return self._value + seen if seen and more else None


class PagePaginator(PagePaginatorBase):
    """Pages are numbered from `first`; a page shorter than the first one is the last unless told otherwise.

    With `trust_short` off, a first page that is shorter than asked is not taken as the last: a server may cap the
    page size silently. A server that ignores the page number repeats its page, which then ends the reading.
    """

    def __init__(self, page_size: int, *, first: int = 1, trust_short: bool = True) -> None:
        super().__init__(first)
        self._full = page_size
        self._trust_short = trust_short

    def get_next(self, response: Page) -> int | None:  # type: ignore[override] # likewise
        """Return the next page number; None at the end."""
        seen = len(response.rows)
        if self._page_count == 1 and not self._trust_short:
            self._full = min(self._full, seen)
        more = seen >= self._full if response.more is None else response.more
        following: int = self._value + 1
        return following if seen and more else None

    def repeated(self, page: Page) -> None:
        """End the reading where the server ignores the page number."""
        if self._trust_short or page.more:
            super().repeated(page)
        self._finished = True

"""A vendor that leads on and on, or announces what it has not: bounded requests, words, and never a row too few."""

from __future__ import annotations

import itertools
import json
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from general import NOW
from harness import Ticking, run
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, OffsetPaginator, Page, count_of, objects
from test_reader_shapes import PAGE, Log, Vendor, assert_rows, row_of, rows_by_day, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from outcome import Run

    Serve = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.thorough

__all__ = ["serve"]


class Tokens(Log):
    """Windows, paged by tokens, with a total."""

    name = "sixth_tokens"
    paging = "token"
    exact_bounds = True

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        token = {"token": page.next_page_token} if page.next_page_token else {}
        request.params = {"from": window.start.isoformat(), "to": window.end.isoformat(), **token}
        return request

    def get_new_paginator(self) -> Any:
        return ContinueTokenPaginator()

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        return Page(objects(data.get("items"), "list `items`"), data.get("total"), token=data.get("next"))


class Twins(Tokens):
    """The same without a key of the vendor's."""

    name = "sixth_twins"
    row_key: ClassVar[tuple[str, ...]] = ()
    twin_key = "mail_id"


class Offsets(Tokens):
    """The same by offset, where the vendor says whether more follow."""

    name = "sixth_offsets"

    def get_new_paginator(self) -> Any:
        return OffsetPaginator(PAGE)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        return Page(objects(data.get("items"), "list `items`"), data.get("total"), more=data.get("more"))


def inside(rows: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    start, end = (query[edge].replace("+00:00", ".000Z") for edge in ("from", "to"))
    return [row for row in rows if start <= row["createdAt"] < end]


class Odd(Vendor):
    """Answers as `say(rows of the window, token)` says: (items, total, next)."""

    def __init__(self, rows: Any, say: Callable[[list[Any], int], tuple[Any, Any, Any]]) -> None:
        super().__init__(rows)
        self.say = say

    def answer(self, query: dict[str, str]) -> tuple[int, Any]:
        self.asked.append(query)
        items, total, following = self.say(inside(self.rows, query), int(query.get("token") or 0))
        return 200, {"items": items, "total": total, "next": following, "more": following is not None}


def read(serve: Serve, stream: type[Log], vendor: Odd, state: Any = None, clock: Any = None) -> Run:
    return run(serve(stream, vendor), state=state, clock=clock)


def page(rows: list[Any], at: int) -> list[Any]:
    return rows[at * PAGE : (at + 1) * PAGE]


keyed_and_not = pytest.mark.parametrize("stream", [Tokens, Twins])


# Tokens that never end.


@keyed_and_not
def test_empty_pages_once_all_is_there_end_the_reading(serve: Serve, stream: type[Log]) -> None:
    vendor = Odd(rows_by_day(250, days=20), lambda rows, at: (page(rows, at), len(rows), str(at + 1)))
    found = read(serve, stream, vendor)
    assert found.status == 0, found.stderr
    assert len(found.records[stream.name]) == 250
    assert len(vendor.asked) <= 3 + 3


@keyed_and_not
@pytest.mark.parametrize("total", [None, 1_000])
def test_empty_pages_without_end_fail_in_words(serve: Serve, stream: type[Log], total: int | None) -> None:
    vendor = Odd(rows_by_day(250, days=20), lambda rows, at: (page(rows, at), total, str(at + 1)))
    found = read(serve, stream, vendor)
    assert found.status == 1
    assert len(vendor.asked) < 120
    (line,) = found.lines("ERROR")
    assert "pages without rows and says that more follow; 250 rows came on 3 other pages" in line
    assert "window 2026-01-30T12:00:00.000Z to 2026-03-01T11:55:00.000Z" in line
    assert ("of 1000 that it announced" in line) == (total is not None)


@keyed_and_not
@pytest.mark.parametrize("with_total", [True, False])
def test_an_honest_vendor_with_empty_pages_between_is_read_whole(
    serve: Serve, stream: type[Log], with_total: bool
) -> None:
    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        """Two pages without rows before each one with some, and 30 before the first one."""
        number, kind = divmod(at - 30, 3)
        items = page(rows, number) if at >= 30 and kind == 2 else []
        is_last = at >= 30 and kind == 2 and (number + 1) * PAGE >= len(rows)
        return items, len(rows) if with_total else None, None if is_last else str(at + 1)

    vendor = Odd(rows_by_day(1_500, days=20), say)
    found = read(serve, stream, vendor)
    assert found.status == 0, found.stderr
    assert len(found.records[stream.name]) == 1_500
    assert {row["status"] for row in found.ledger} == {"complete"}


@pytest.mark.thorough
@pytest.mark.parametrize("stream", [Tokens, Twins, Offsets])
def test_the_last_page_again_and_again(serve: Serve, stream: type[Log]) -> None:
    """Not quite the same each time, so that it is no plain loop."""
    numbers = itertools.count()

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        return [{**row, "shown": next(numbers)} for row in rows[-PAGE:]], None, str(at + 1)

    vendor = Odd(rows_by_day(250, days=20), say)
    found = read(serve, stream, vendor)
    assert found.status == 1
    assert len(vendor.asked) < (2_500 if stream is Twins else 60), "without a key they might all be rows"
    assert "says that more follow" in found.lines("ERROR")[0]


@pytest.mark.thorough
def test_rows_without_end(serve: Serve) -> None:
    numbers = itertools.count()

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        return [row_of(NOW - timedelta(days=3), f"n{next(numbers)}") for _ in range(PAGE)], None, str(at + 1)

    vendor = Odd([], say)
    found = read(serve, Tokens, vendor)
    assert found.status == 1
    assert "always says that more follow, however short the windows" in found.lines("ERROR")[0]
    assert len(vendor.asked) < 4_000


def test_rows_without_end_in_one_moment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tokens, "rows_per_window", 500)
    numbers = itertools.count()
    at_once = (NOW - timedelta(days=3)).replace(microsecond=0).isoformat()

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        if not vendor.asked[-1]["from"] <= at_once < vendor.asked[-1]["to"]:
            return [], None, None
        return [row_of(NOW - timedelta(days=3), f"n{next(numbers)}") for _ in range(PAGE)], None, str(at + 1)

    vendor = Odd([], say)
    found = read(serve, Tokens, vendor)
    assert found.status == 1
    assert "no such window can hold more than 5000" in found.lines("ERROR")[0]
    assert len(vendor.asked) < 400


@keyed_and_not
@pytest.mark.parametrize("total", [None, 10**9])
def test_pages_of_one_row_without_end(serve: Serve, stream: type[Log], total: int | None) -> None:
    numbers = itertools.count()
    moment = NOW - timedelta(days=3)

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        return [row_of(moment, f"n{next(numbers)}")], total, str(at + 1)

    vendor = Odd([], say)
    found = read(serve, stream, vendor)
    assert found.status == 1
    assert "pages with 1001 rows in all and says that more follow" in found.lines("ERROR")[0]
    assert len(vendor.asked) < 1_100 * (1 if total is None else 2), "a total that is too high is split for, too"


@keyed_and_not
def test_small_pages_of_an_honest_vendor_are_read_whole(serve: Serve, stream: type[Log]) -> None:
    """Five rows each on more pages than are followed for one row each."""

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        return rows[at * 5 : at * 5 + 5], None, str(at + 1) if at * 5 + 5 < len(rows) else None

    vendor = Odd(rows_by_day(6_000, days=20), say)
    found = read(serve, stream, vendor)
    assert found.status == 0, found.stderr
    assert_rows(vendor, found, stream.name)


# Totals.


@pytest.mark.parametrize("stream", [Tokens, Twins, Offsets])
@pytest.mark.parametrize("total", [1e30, -5, "many", "1e30", True, [3], {}, 10**400, 0.5, "250", 250.0], ids=repr)
def test_what_is_no_total_is_none(serve: Serve, stream: type[Log], total: Any) -> None:
    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        right = len(rows) if total in ("250", 250.0) else total
        return (
            page(rows, at),
            str(right) if total == "250" else right,
            str(at + 1) if len(rows) > PAGE * (at + 1) else None,
        )

    vendor = Odd(rows_by_day(250, days=20), say)
    if stream is Offsets:
        vendor.say = lambda rows, _: say(rows, int(vendor.asked[-1].get("token", 0)) // PAGE)
    found = read(serve, stream, vendor)
    assert found.status == 0, found.stderr
    assert len(found.records[stream.name]) == 250
    assert len(vendor.asked) <= 4


def test_counts() -> None:
    assert [count_of(one) for one in (0, 7, "7", " 7 ", 7.0)] == [0, 7, 7, 7, 7]
    assert not any(count_of(one) for one in (None, True, -1, "-1", 7.5, "x", float("nan"), float("inf"), 1e30, [], {}))


@pytest.mark.thorough
@keyed_and_not
@pytest.mark.parametrize("times", [2, 10, 10**12])
@pytest.mark.parametrize("count", [1, 40, 2_000])
def test_totals_that_are_always_too_high(serve: Serve, stream: type[Log], times: int, count: int) -> None:
    """All rows come; what cannot be proven whole is told; and a week of runs does not find that out again and again."""
    clock = Ticking()
    vendor = Odd(
        rows_by_day(count, days=3),
        lambda rows, at: (page(rows, at), times * len(rows), str(at + 1) if len(rows) > PAGE * (at + 1) else None),
    )
    config = serve(stream, vendor)
    runs = [run(config, clock=clock)]
    first = len(vendor.asked)
    assert_rows(vendor, runs, stream.name)
    assert {row["status"] for row in runs[0].ledger} <= {"complete", "truncated"}
    assert first < 1_000 + 3 * count / PAGE
    for number in range(6):
        clock.pass_time(minutes=30)
        vendor.add(row_of(clock.now() - timedelta(minutes=8), f"x{number}"))
        runs.append(run(config, clock=clock, state=runs[-1].state))
        assert runs[-1].status == 0
    again = len(vendor.asked) - first
    assert again < 1_200, "six runs of a few rows each"
    assert len(json.dumps(runs[-1].state)) < 40_000
    assert_rows(vendor, runs, stream.name, clock.now() - timedelta(minutes=5))


@keyed_and_not
def test_a_quiet_account_whose_totals_are_too_high_soon_costs_a_few_requests(serve: Serve, stream: type[Log]) -> None:
    clock = Ticking()
    vendor = Odd(rows_by_day(1, days=3), lambda rows, _: (rows, 10 * len(rows), None))
    config, state, asked = serve(stream, vendor), None, []
    for number in range(8):
        before = len(vendor.asked)
        state = run(config, clock=clock, state=state).state
        asked.append(len(vendor.asked) - before)
        clock.pass_time(minutes=30)
        vendor.add(row_of(clock.now() - timedelta(minutes=8), f"x{number}"))
    assert sum(asked) < 350, asked
    assert max(asked[4:]) <= 3, asked
    vendor.say = lambda rows, _: (rows, len(rows), None)
    state = run(config, clock=clock, state=state).state
    assert "short" not in json.dumps(state), "a total that is right is believed again"


@keyed_and_not
def test_rows_that_long_windows_lose_are_found_in_a_month_of_short_ones(serve: Serve, stream: type[Log]) -> None:
    """Far more windows lack rows than would make totals look wrong; but in short ones totals are right."""
    vendor = Odd(rows_by_day(600, days=25), lambda rows, _: (rows, len(rows), None))

    def answer(query: dict[str, str]) -> tuple[int, Any]:
        vendor.asked.append(query)
        rows = inside(vendor.rows, query)
        length = datetime.fromisoformat(query["to"]) - datetime.fromisoformat(query["from"])
        lost = rows if length <= timedelta(hours=4) else [row for row in rows if int(row["mailId"][1:]) % 7]
        return 200, {"items": lost, "total": len(rows)}

    vendor.answer = answer  # type: ignore[method-assign]
    found = read(serve, stream, vendor)
    assert_rows(vendor, found, stream.name)
    assert {row["status"] for row in found.ledger} == {"complete"}


@pytest.mark.thorough
@keyed_and_not
def test_one_total_for_all_windows(serve: Serve, stream: type[Log]) -> None:
    vendor = Odd(
        rows_by_day(500, days=20),
        lambda rows, at: (page(rows, at), 5 * 10**6, str(at + 1) if len(rows) > PAGE * (at + 1) else None),
    )
    found = read(serve, stream, vendor)
    assert found.status == 0, found.stderr
    assert_rows(vendor, found, stream.name)
    assert len(vendor.asked) < 600


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(12))
def test_totals_at_random(serve: Serve, seed: int) -> None:
    dice = random.Random(seed)
    values = [None, 0, 1, -1, 99, 100, 101, 10**6, 10**15, 1e30, "x", 0.5]

    def say(rows: list[Any], at: int) -> tuple[Any, Any, Any]:
        total = len(rows) if dice.random() < 0.5 else dice.choice(values)
        return page(rows, at), total, str(at + 1) if len(rows) > PAGE * (at + 1) else None

    vendor = Odd(rows_by_day(600, days=20), say)
    stream = dice.choice([Tokens, Twins])
    found = read(serve, stream, vendor)
    assert len(vendor.asked) < 6_000
    if found.status == 0:
        assert_rows(vendor, found, stream.name)


# Windows that are always too much.


@pytest.mark.thorough
@keyed_and_not
def test_every_window_is_refused_as_too_big(serve: Serve, stream: type[Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tap_emaillogs.engine.observed._MOST_WITHHELD", 20)

    class TooBig(stream):  # type: ignore[valid-type,misc]
        name = "sixth_big"

        def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
            window = (page.stream_context or {})["window"]
            # The same full page whatever is asked for, and no way on.
            return Page([row_of(window.start, f"k{i}") for i in range(PAGE)], capped=True)

    vendor = Odd([], lambda rows, at: ([], None, None))
    found = read(serve, TooBig, vendor)
    assert found.status == 1
    assert "withholds rows of even the shortest windows" in found.lines("ERROR")[0]
    assert len(vendor.asked) < 400

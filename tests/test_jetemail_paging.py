"""JetEmail: rows that move while pages are read, and a cap that is told in many ways."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from general import NOW, STREAMS, asked, beginning, config_of, limit
from harness import Ticking, run
from outcome import Run, assert_rows, assert_tiles, rows_of
from tap_emaillogs.http.errors import PagingLoop
from tap_emaillogs.providers.jetemail.paging import AnchoredPaginator
from tap_emaillogs.streams.paginators import Page

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

STREAM, EVENTS = STREAMS["jetemail"], "email_events"
COLUMNS = ("first_seen", "last_updated")


def uids(found: Run) -> set[str]:
    return {record["uid"] for record in found.records[STREAM]}


def statuses(found: Run) -> set[str]:
    return {row["status"] for row in found.windows(STREAM)}


def later_runs(config: dict[str, Any], first: Run, clock: Ticking) -> list[Run]:
    """Run on until every revisit age has passed."""
    runs = [first]
    for _ in range(3):
        clock.pass_time(hours=30)
        runs.append(run(config, state=runs[-1].state, clock=clock))
    return runs


# --- rows that move while pages are read

UNKNOWN = [
    {"filter_column": filtered, "sort_column": ordered, "unit": unit, "date_to_inclusive": inclusive}
    for filtered, ordered, unit, inclusive in itertools.product(
        COLUMNS, COLUMNS, ("seconds", "milliseconds"), (True, False)
    )
]
every_unknown = pytest.mark.parametrize("options", UNKNOWN, ids=lambda options: "-".join(map(str, options.values())))
both_pagings = pytest.mark.parametrize("paging", ["offset", "page"])
thorough = pytest.mark.thorough


@thorough
@both_pagings
@every_unknown
def test_rows_touched_while_pages_are_read(play: Play, options: dict[str, Any], paging: str) -> None:
    """One row changes before every other page: it moves to the end, or out of the window, and shifts the others."""
    box = play(vendors=["jetemail"], options={"jetemail": {**options, "span_days": 2}})
    before = {row["uid"]: row for row in rows_of(box, "jetemail")}
    ordered = box.fault(vendor="jetemail", kind="change", after=2, every=2, times=-1, minutes_ago=0)
    clock = Ticking()
    config = config_of(box, "jetemail", paging=paging, page_size=20)
    first = run(config, box=box, clock=clock)
    after = {row["uid"]: row for row in rows_of(box, "jetemail")}
    touched = {uid for uid, row in before.items() if after[uid] != row}
    assert ordered.struck == (asked(first, "jetemail") - 1) // 2
    assert len(touched) > 5
    assert before.keys() - touched <= uids(first)
    assert options["filter_column"] == "last_updated" or before.keys() == uids(first), "a touched row stays"
    assert statuses(first) == {"complete"}
    assert all(row["records"] >= row["reported_total"] for row in first.windows(STREAM))
    assert_tiles(first.windows(STREAM), beginning("jetemail"), limit("jetemail"))
    assert asked(first, "jetemail") <= 15 * 1.8, "the fewest are 15"
    box.clear_faults()
    assert_rows(box, later_runs(config, first, clock), "jetemail")


@both_pagings
def test_1500_rows_some_touched_lose_none(play: Play, paging: str) -> None:
    """Seven were lost here, and the ledger said complete: rows that came twice made up the number."""
    options = {"filter_column": "first_seen", "sort_column": "last_updated"}
    box = play(vendors=["jetemail"], size=1500, options={"jetemail": options})
    box.fault(vendor="jetemail", kind="change", after=2, every=2, times=-1, minutes_ago=0)
    first = run(config_of(box, "jetemail", paging=paging), box=box)
    (row,) = first.windows(STREAM)
    assert len(uids(first)) == len(first.records[STREAM]) == 1500
    assert (row["status"], row["records"], row["reported_total"]) == ("complete", 1500, 1500)
    print(f"{paging}: {asked(first, 'jetemail')} requests for a minimum of 15")  # noqa: T201 - shown by -rP
    assert asked(first, "jetemail") <= 22


@both_pagings
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("page", [2, 3, 9])
def test_a_row_leaves_and_another_comes_so_that_the_total_stays(
    play: Play, column: str, paging: str, page: int
) -> None:
    """All rows between the two places shift; the one at the page's edge was lost until a revisit."""
    box = play(vendors=["jetemail"], options={"jetemail": {"span_days": 2, "sort_column": column}})
    vendor = box.vendor("jetemail")
    (log,) = vendor.logs.values()
    handle, calls = vendor.handle, []

    def shifting(request: Any) -> Any:
        calls.append(request)
        if len(calls) == page:
            oldest, newest = log.by(column)[3], log.by(column)[-3]
            log.rows.remove(oldest)
            log.add(log.message(newest.at)[0])
        return handle(request)

    vendor.handle = shifting
    before = {row["uid"] for row in rows_of(box, "jetemail")}
    first = run(config_of(box, "jetemail", page_size=20, paging=paging), box=box)
    gone = before - {row["uid"] for row in rows_of(box, "jetemail")}
    assert len(gone) == 1
    assert before - gone <= uids(first)
    assert statuses(first) == {"complete"}
    assert asked(first, "jetemail") < 30


@thorough
@both_pagings
@pytest.mark.parametrize("filtered", COLUMNS)
@pytest.mark.parametrize("seed", range(3))
def test_rows_of_one_moment_in_any_order(play: Play, filtered: str, paging: str, seed: int) -> None:
    """Bursts of 30 rows a second, in another order in each answer, while rows are touched: all there, or told."""
    options = {"filter_column": filtered, "sort_column": "first_seen", "ties": "shuffled", "span_days": 2}
    box = play(vendors=["jetemail"], size=60, seed=seed, options={"jetemail": options})
    vendor = box.vendor("jetemail")
    (log,) = vendor.logs.values()
    for hours in range(2, 12):
        at = int((NOW - timedelta(hours=hours)).timestamp() * 1000)
        for _ in range(30):
            log.add(log.message(at)[0])
    box.fault(vendor="jetemail", kind="change", after=2, every=3, times=-1, minutes_ago=0)
    before = {row["uid"]: row for row in rows_of(box, "jetemail")}
    first = run(config_of(box, "jetemail", page_size=20, paging=paging), box=box)
    after = {row["uid"]: row for row in rows_of(box, "jetemail")}
    lost = {uid for uid, row in before.items() if after[uid] == row} - uids(first)
    told = sum(row["status"] != "complete" for row in first.windows(STREAM))
    assert not lost or told
    assert asked(first, "jetemail") < 400


@dataclass
class Server:
    """Rows in the order of their moments; `ties` shuffles those of one moment in each answer."""

    rows: list[dict[str, int]]
    chance: random.Random
    ties: bool
    most: int
    clock: int = 1000
    left: set[int] = field(default_factory=set)

    def answer(self, start: int, limit: int) -> Page:
        place = {row["uid"]: self.chance.random() if self.ties else row["uid"] for row in self.rows}
        ordered = sorted(self.rows, key=lambda row: (row["at"], place[row["uid"]]))
        page = [dict(row) for row in ordered[start : start + min(limit, self.most)]]
        return Page(page, len(ordered), more=start + len(page) < len(ordered))

    def happen(self, what: str) -> None:
        row = self.chance.choice(self.rows)
        self.clock += 1
        if what == "touch":
            row["at"] = self.clock
        elif what == "leave":
            self.rows.remove(row)
            self.left.add(row["uid"])
        elif what == "come":
            self.rows.append({"uid": self.clock, "at": self.chance.randrange(self.clock)})


@settings(max_examples=400)
@given(
    st.integers(1, 200),
    st.sampled_from([5, 30, 500]),
    st.sampled_from([1, 5, 12, 20, 100]),
    st.booleans(),
    st.booleans(),
    st.lists(st.lists(st.sampled_from(["touch", "leave", "come"]), max_size=2), max_size=30),
    st.sampled_from([0, 0, 15]),
    st.randoms(use_true_random=False),
)
def test_anchored_pages_show_every_row_that_stays(  # noqa: PLR0917 - drawn values
    count: int,
    moments: int,
    size: int,
    numbered: bool,
    ties: bool,
    changes: list[list[str]],
    most: int,
    chance: random.Random,
) -> None:
    """Where rows of one moment stand in any order, it takes as many as there are at the end, too.

    What no client can see then is a row that leaves and another that comes between the same two answers.
    """
    rows = [{"uid": uid, "at": chance.randrange(moments)} for uid in range(count)]
    server = Server(rows, chance, ties, most or size)
    paginator = AnchoredPaginator(size, "uid", ("at",), numbered=numbered)
    shown: set[int] = set()
    requests = total = 0
    try:
        while not paginator.finished:
            start, limit_ = paginator.current_value
            assert limit_ <= size
            assert not numbered or start % limit_ == 0
            page = server.answer(start, limit_)
            count_before = paginator.count
            paginator.advance(page)
            if paginator.count > count_before:
                shown.update(row["uid"] for row in page.rows)
            requests, total = requests + 1, page.total or 0
            for what in (changes.pop() if changes else [])[: 1 if ties else None]:
                if server.rows:
                    server.happen(what)
    except PagingLoop:
        return  # the window is read again
    assert requests < 500
    if paginator.anchored and (not ties or len(shown) >= total):
        assert set(range(count)) - server.left <= shown


def test_quiet_pages_cost_hardly_more_than_the_fewest() -> None:
    for numbered, most in ((False, 21), (True, 24)):
        server = Server([{"uid": uid, "at": uid // 3} for uid in range(2000)], random.Random(1), True, 100)
        paginator, requests = AnchoredPaginator(100, "uid", ("at",), numbered=numbered), 0
        while not paginator.finished:
            paginator.advance(server.answer(*paginator.current_value))
            requests += 1
        assert requests <= most


# --- the cap and its flag

CONSTANT = [
    {"flag": "always", "max_count_limit": 10_000, "max_shown": shown, "past_limit": past}
    for shown, past in itertools.product((True, False), ("empty", "error"))
]


@pytest.mark.parametrize("options", CONSTANT)
@pytest.mark.parametrize("size", [0, 5, 300])
def test_a_flag_that_is_always_up(play: Play, options: dict[str, Any], size: int) -> None:
    """An account without a row cost 1,199 requests, and every second of it was called truncated."""
    box = play(vendors=["jetemail"], size=size, options={"jetemail": {**options, "span_days": 5}})
    found = run(config_of(box, "jetemail"), box=box)
    assert statuses(found) == {"complete"}
    assert_rows(box, found, "jetemail")
    assert not found.lines("WARNING")
    print(f"{size} rows, {options}: {asked(found, 'jetemail')} requests")  # noqa: T201 - shown by -rP
    assert asked(found, "jetemail") <= (1 if size < 100 else 4 if options["max_shown"] else 6)


@thorough
@both_pagings
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("past", ["empty", "error"])
@pytest.mark.parametrize("flag", ["cut", "always"])
@pytest.mark.parametrize("shown", [True, False])
def test_a_cap_however_it_is_told(  # noqa: PLR0917 - crossed
    play: Play, shown: bool, flag: str, past: str, column: str, paging: str
) -> None:
    options = {"max_count_limit": 100, "flag": flag, "max_shown": shown, "past_limit": past, "sort_column": column}
    box = play(vendors=["jetemail"], size=700, options={"jetemail": {**options, "span_days": 5}})
    found = run(config_of(box, "jetemail", page_size=20, paging=paging), box=box)
    assert statuses(found) == {"complete"}
    assert_rows(box, found, "jetemail")
    print(f"{flag}, {shown}: {asked(found, 'jetemail')} requests for a minimum of 35")  # noqa: T201 - shown by -rP
    assert asked(found, "jetemail") <= 35 * 2


@thorough
@pytest.mark.parametrize("shown", [True, False])
def test_6000_rows_under_a_cap(play: Play, shown: bool) -> None:
    options = {"max_count_limit": 1000, "max_shown": shown}
    box = play(vendors=["jetemail"], size=6000, options={"jetemail": options})
    found = run(config_of(box, "jetemail"), box=box, checked=False)
    assert_rows(box, found, "jetemail")
    print(f"{asked(found, 'jetemail')} requests for a minimum of 60")  # noqa: T201 - shown by -rP
    assert asked(found, "jetemail") <= 76

"""SMTP2GO's pages, in every way that the vendor leaves open: every row once, told truly, at a fair cost."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, STREAMS, asked, beginning, config_of, limit
from harness import Ticking, run
from outcome import Run, assert_rows, assert_tiles, canonical, restored, rows_of, upserted, window
from sandbox.smtp2go.pages import Pages
from tap_emaillogs.formats.timestamps import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

STREAM = STREAMS["smtp2go"]
SIZE, PAGE = 390, 40
MINIMUM = -(-SIZE // PAGE)
DAYS = 2
BEGUN = NOW - timedelta(hours=40)
"""A `start_date` within the history: no row leaves it while it is read."""
ORDERS = ("newest", "oldest", "shuffled")
WAYS = [
    {"paging": paging, "later_totals": later, "order": order, "total": total}
    for paging, later, order, total in itertools.product(
        ("snapshot", "offset"), ("first", "all", "rest", "absent"), ORDERS, ("number", "absent")
    )
    if total == "number" or later == "first"
]
every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(way.values()))


def settings(box: Sandbox, **more: Any) -> dict[str, Any]:
    return config_of(box, "smtp2go", history_days=DAYS, page_size=PAGE, **more)


def assert_told(found: Run, days: int = DAYS, start: datetime | None = None) -> None:
    """The ledger tiles the history, complete, and its sums are those of the run."""
    assert found.status == 0, found.stderr
    rows = found.windows(STREAM)
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, start or NOW - timedelta(days=days), limit("smtp2go"))
    assert sum(row["records"] for row in rows) == len(found.records[STREAM])
    assert sum(row["requests"] for row in rows) == asked(found, "smtp2go")


def seams_between_twins(box: Sandbox) -> int:
    """Return how many pages end with a row that the next one begins with, oldest or newest first."""
    rows = [str(row) for row in rows_of(box, "smtp2go")]
    forth = sum(rows[i - 1] == rows[i] for i in range(PAGE, len(rows), PAGE))
    back = sum(rows[i - 1] == rows[i] for i in range(len(rows) - PAGE, 0, -PAGE))
    return max(forth, back)


# --- nothing moves


@every_way
@pytest.mark.parametrize("seed", [1, 7])
def test_pages_that_stand_still_cost_the_minimum(play: Play, way: dict[str, Any], seed: int) -> None:
    """A page that ends between twins costs one request more: they are counted in one answer."""
    options = {"span_days": 1.9, "history_days": DAYS, **way}
    box = play(vendors=["smtp2go"], size=SIZE, seed=seed, options={"smtp2go": options})
    found = run(settings(box), box=box)
    assert_rows(box, found, "smtp2go")
    assert_told(found)
    assert MINIMUM <= asked(found, "smtp2go") <= MINIMUM + seams_between_twins(box)
    assert not found.lines("WARNING")


@pytest.mark.parametrize("end", ["null", "empty", "absent", "same"])
@pytest.mark.parametrize("total", ["number", "text", "absent", "null", "zero", "true"])
def test_totals_and_ends_of_every_form(play: Play, total: str, end: str) -> None:
    for size in (0, 1, 40, 41, 80, 390):
        options = {"span_days": 1.9, "history_days": DAYS, "total": total, "end": end}
        box = play(vendors=["smtp2go"], size=size, options={"smtp2go": options})
        found = run(settings(box), box=box)
        assert_rows(box, found, "smtp2go")
        assert_told(found)
        told = total in {"number", "text"}
        odd = [line for line in found.lines("WARNING") if "announces is none" in line]
        assert len(odd) == (total == "true"), odd
        # Without a total, a last page that is full may be cut: its parts are read once more.
        most = max(1, -(-size // PAGE)) * (1 if told or size % PAGE else 3) + (seams_between_twins(box) if size else 0)
        assert asked(found, "smtp2go") <= most, size


# --- no way on


@pytest.mark.parametrize("total", ["absent", "null", "zero", "true", "number", "text"])
@pytest.mark.parametrize("order", ORDERS)
def test_full_answers_without_a_token_are_split(play: Play, order: str, total: str) -> None:
    options = {"span_days": 1.9, "history_days": DAYS, "paging": None, "order": order, "total": total}
    box = play(vendors=["smtp2go"], size=1000, options={"smtp2go": options})
    found = run(settings(box), box=box)
    assert_rows(box, found, "smtp2go")
    assert_told(found)
    assert asked(found, "smtp2go") < 4 * -(-1000 // PAGE)


def test_a_larger_limit_that_is_cut_in_silence(play: Play) -> None:
    """An older page of the vendor had 100 as the largest: answers of 100 are full ones, whatever was asked for."""
    options = {"span_days": 1.9, "history_days": DAYS, "paging": None, "total": "absent", "largest": 100}
    box = play(vendors=["smtp2go"], size=1000, options={"smtp2go": options})
    found = run(config_of(box, "smtp2go", history_days=DAYS), box=box)
    assert_rows(box, found, "smtp2go")
    assert_told(found)


@pytest.mark.parametrize("total", ["absent", "number"])
def test_a_full_second_without_a_token_is_told(play: Play, total: str) -> None:
    box = play(vendors=["smtp2go"], size=50, options={"smtp2go": {"paging": None, "total": total, "span_days": 20}})
    at = NOW - timedelta(days=3)
    for _ in range(30):
        box.vendor("smtp2go").add_events(3, at=at)
    found = run(config_of(box, "smtp2go", page_size=PAGE), box=box)
    (cut,) = [row for row in found.windows(STREAM) if row["status"] == "truncated"]
    assert (window(cut).start, window(cut).length) == (at, timedelta(seconds=1))
    assert cut["records"] == PAGE
    assert "40 rows" in cut["gap_reason"] if total == "absent" else "counts 90" in cut["gap_reason"]
    assert len(upserted(found, STREAM)) == 50 + PAGE
    assert asked(found, "smtp2go") < 80
    assert_tiles(found.windows(STREAM), beginning("smtp2go"), limit("smtp2go"))


@pytest.mark.parametrize(("total", "requests"), [("number", 1), ("absent", 3)])
def test_a_full_page_is_whole_when_its_total_says_so(play: Play, total: str, requests: int) -> None:
    box = play(vendors=["smtp2go"], size=PAGE, options={"smtp2go": {"paging": None, "total": total}})
    found = run(config_of(box, "smtp2go", page_size=PAGE), box=box)
    assert_rows(box, found, "smtp2go")
    assert asked(found, "smtp2go") == requests


def test_without_totals_a_large_history_is_read_in_windows_that_memory_can_hold(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_emaillogs.streams.base.LogStream.rows_per_window", 300)
    for order in ORDERS:
        options = {"total": "absent", "order": order}
        box = play(vendors=["smtp2go"], size=4990, options={"smtp2go": options})
        found = run(config_of(box, "smtp2go", page_size=100), box=box)
        assert_rows(box, found, "smtp2go")
        assert_told(found, days=30)
        assert max(row["records"] for row in found.windows(STREAM)) <= 700
        assert asked(found, "smtp2go") <= (80 if order != "shuffled" else 120)


# --- rows come and go between two pages


class Moving:
    """A sandbox whose events come late, and leave the history, while the tap reads.

    Each request is preceded, with the given chances, by an event at some time within the window asked for, and by a
    few minutes that pass, which takes as much of the history's old end away.
    """

    def __init__(self, play: Play, way: dict[str, Any], *, late: float, gone: float, seed: int = 1) -> None:
        self.clock = Ticking()
        span = 2.2 if gone else 1.9
        options = {"span_days": span, "history_days": DAYS, **way}
        self.box = play(
            vendors=["smtp2go"], size=SIZE, seed=seed, now=self.clock.now, live=False, options={"smtp2go": options}
        )
        self.vendor = self.box.vendor("smtp2go")
        self.dice, self.chances = random.Random(seed), (late, gone)
        self.before = rows_of(self.box, "smtp2go")
        self.minimum = -(-sum(self.kept(row) for row in self.before) // PAGE)
        self.handle, self.vendor.handle = self.vendor.handle, self.moved

    def kept(self, row: dict[str, Any]) -> bool:
        """Whether the history still has a row."""
        return datetime.fromisoformat(row["date"]) >= self.clock.now() - timedelta(days=DAYS)

    def moved(self, request: Any) -> Any:
        late, gone = self.chances
        asked_for = request.json()
        start, end = (datetime.fromisoformat(asked_for[name]) for name in ("start_date", "end_date"))
        if self.dice.random() < late:
            at = (start + (end - start) * self.dice.random()).replace(microsecond=0)
            if at >= self.clock.now() - timedelta(days=DAYS):
                self.vendor.add_events(1, at=at)
        if self.dice.random() < gone:
            self.clock.pass_time(seconds=self.dice.choice([200, 600, 900]))
        return self.handle(request)

    def still(self) -> None:
        """Let nothing move any more."""
        self.vendor.handle = self.handle

    def assert_once(self, runs: list[Run]) -> None:
        """What was there from the first to the last request is there, and nothing that the vendor never had."""
        have = canonical(restored(record) for record in upserted(runs, STREAM).values())
        lost = canonical(row for row in self.before if self.kept(row)) - have
        invented = have - canonical(rows_of(self.box, "smtp2go"))
        assert not lost, f"{lost.total()} rows are lost, such as {next(iter(lost))}"
        assert not invented, f"{invented.total()} rows came twice, such as {next(iter(invented))}"


MOVEMENTS = {"late rows": (1, 0), "some late rows": (0.3, 0), "rows that leave": (0, 0.6), "both": (0.6, 0.6)}


@every_way
@pytest.mark.parametrize("movement", MOVEMENTS)
def test_pages_that_move_lose_and_double_nothing(play: Play, way: dict[str, Any], movement: str) -> None:
    late, gone = MOVEMENTS[movement]
    moving = Moving(play, way, late=late, gone=gone)
    found = run(settings(moving.box), box=moving.box, clock=moving.clock)
    moving.still()
    moving.assert_once([found])
    assert_told(found)
    assert asked(found, "smtp2go") <= 2.6 * moving.minimum
    if not gone:  # what came too late for this run, the revisit finds: it comes when the last day is a day old
        came = [row for row in rows_of(moving.box, "smtp2go") if row["date"] > seconds(NOW - timedelta(hours=23))]
        moving.clock.pass_time(hours=26)
        moving.vendor.account().options["history_days"] = 30
        config = config_of(moving.box, "smtp2go", history_days=30, page_size=PAGE)
        again = run(config, state=found.state, box=moving.box, clock=moving.clock)
        moving.assert_once([found, again])
        have = canonical(restored(record) for record in upserted([found, again], STREAM).values())
        assert not canonical(came) - have


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("later", ["first", "all", "rest", "absent"])
def test_a_row_that_leaves_as_another_comes(play: Play, later: str, order: str) -> None:
    """The totals stand still while the pages shift."""
    clock = Ticking()
    options = {"history_days": DAYS, "paging": "offset", "later_totals": later, "order": order}
    box = play(vendors=["smtp2go"], size=0, now=clock.now, live=False, options={"smtp2go": options})
    vendor, step = box.vendor("smtp2go"), timedelta(minutes=6)
    begun = NOW - timedelta(days=DAYS)
    for number in range(SIZE):
        vendor.add_events(1, at=begun + number * step + timedelta(seconds=1))
    before, handle, came = rows_of(box, "smtp2go"), vendor.handle, itertools.count()

    def cancelling(request: Any) -> Any:
        clock.pass_time(minutes=6)  # the oldest row leaves
        vendor.add_events(1, at=NOW - timedelta(hours=8) + next(came) * timedelta(seconds=90))
        return handle(request)

    vendor.handle = cancelling
    found = run(settings(box), box=box, clock=clock)
    have = canonical(restored(record) for record in upserted(found, STREAM).values())
    edge = clock.now() - timedelta(days=DAYS)
    kept = canonical(row for row in before if datetime.fromisoformat(row["date"]) >= edge)
    assert not kept - have
    assert not have - canonical(rows_of(box, "smtp2go"))
    assert_told(found)
    assert asked(found, "smtp2go") <= 2.6 * MINIMUM


@pytest.mark.parametrize("later", ["first", "all", "rest", "absent"])
def test_the_fault_that_lets_rows_come_late(play: Play, later: str) -> None:
    """As the issue measured it: newest first, an event between every two pages; 6 of 6,012 rows were phantoms."""
    options = {"paging": "offset", "later_totals": later, "span_days": 28}
    box = play(vendors=["smtp2go"], size=1500, options={"smtp2go": options})
    before = canonical(rows_of(box, "smtp2go"))
    ordered = box.fault(vendor="smtp2go", kind="late", times=12, after=1, minutes_ago=60)
    found = run(config_of(box, "smtp2go", page_size=250), box=box)
    assert ordered.struck
    have = canonical(restored(record) for record in upserted(found, STREAM).values())
    assert not before - have
    assert not have - canonical(rows_of(box, "smtp2go"))
    assert_told(found, days=30)
    assert asked(found, "smtp2go") <= 2.5 * 6


@pytest.mark.parametrize(("total", "size"), [("number", PAGE), ("number", SIZE // 10), ("absent", PAGE)])
@pytest.mark.parametrize("page", [2, 5, 9])
def test_a_single_row_that_comes_between_crowded_seconds(play: Play, page: int, total: str, size: int) -> None:
    """One row on two pages among many seams within a second, as twins would be; also where the last page is full."""
    options = {"span_days": 1.9, "history_days": DAYS, "paging": "offset", "total": total}
    box = play(vendors=["smtp2go"], size=0, options={"smtp2go": options})
    vendor, asked_before = box.vendor("smtp2go"), itertools.count(1)
    for number in range(SIZE // 3):
        vendor.add_events(3, at=NOW - timedelta(hours=30) + number * timedelta(minutes=5))
    before, handle = rows_of(box, "smtp2go"), vendor.handle

    def shifting(request: Any) -> Any:
        if next(asked_before) == page:
            vendor.add_events(1, at=NOW - timedelta(minutes=10))
        return handle(request)

    vendor.handle = shifting
    config = config_of(box, "smtp2go", top={"start_date": BEGUN.isoformat()}, history_days=DAYS, page_size=size)
    found = run(config, box=box)
    have = canonical(restored(record) for record in upserted(found, STREAM).values())
    assert not canonical(before) - have
    assert not have - canonical(rows_of(box, "smtp2go"))
    assert_told(found, start=BEGUN)


@pytest.mark.parametrize("later", ["all", "rest"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("comes_first", [True, False])
def test_a_history_that_is_shorter_than_configured(play: Play, order: str, later: str, *, comes_first: bool) -> None:
    """A row comes and one leaves, or the other way round, at an edge that the tap does not know of."""
    clock = Ticking()
    options = {"history_days": DAYS, "paging": "offset", "later_totals": later, "order": order}
    box = play(vendors=["smtp2go"], size=0, now=clock.now, live=False, options={"smtp2go": options})
    vendor = box.vendor("smtp2go")
    for number in range(SIZE):
        vendor.add_events(1, at=NOW - timedelta(days=DAYS) + number * timedelta(minutes=6) + timedelta(seconds=1))
    before, handle, asked_before = rows_of(box, "smtp2go"), vendor.handle, itertools.count(1)

    def moving(request: Any) -> Any:
        number = next(asked_before)
        if number == (3 if comes_first else 5):
            vendor.add_events(1, at=NOW - timedelta(hours=9))
        elif number == (5 if comes_first else 3):
            clock.pass_time(minutes=6)
        return handle(request)

    vendor.handle = moving
    config = config_of(box, "smtp2go", history_days=30, page_size=PAGE)
    found = run(config, box=box, clock=clock)
    have = canonical(restored(record) for record in upserted(found, STREAM).values())
    edge = clock.now() - timedelta(days=DAYS)
    assert not canonical(row for row in before if datetime.fromisoformat(row["date"]) >= edge) - have
    assert not have - canonical(rows_of(box, "smtp2go"))


@pytest.mark.parametrize("order", ORDERS)
def test_rows_of_one_second_in_another_order_on_each_page(play: Play, order: str) -> None:
    """An offset into rows that are sorted by their second only: totals stand still, and yet rows repeat and lack."""
    options = {"span_days": 1.9, "history_days": DAYS, "paging": "offset", "order": order}
    box = play(vendors=["smtp2go"], size=0, options={"smtp2go": options})
    vendor, dice = box.vendor("smtp2go"), random.Random(4)
    for number in range(31):
        for _ in range(4):
            vendor.add_events(3, at=NOW - timedelta(hours=3) + number * timedelta(minutes=5))
    log = vendor.logs[vendor.account().key]

    def loose(request: Any) -> Any:
        places = [event.order for event in log.rows]
        dice.shuffle(places)
        for event, place in zip(log.rows, places, strict=True):
            event.order = place
        log._rows.sort(key=lambda event: (event.at, event.order))
        vendor._pages = Pages()
        return handle(request)

    handle, vendor.handle = vendor.handle, loose
    found = run(settings(box, top={"start_date": BEGUN.isoformat()}), box=box)
    if order == "shuffled":  # an answer in no order at all that changes from page to page cannot be paged through
        return
    assert_rows(box, found, "smtp2go")
    assert_told(found, start=BEGUN)


@pytest.mark.parametrize("wrong", [-7, -1, 1, 7, 100_000])
@pytest.mark.parametrize("order", ORDERS)
def test_a_constant_wrong_total_doubles_no_row_while_pages_move(play: Play, order: str, wrong: int) -> None:
    """What lacks by the vendor's count is told; no row comes twice, and the requests have an end."""
    moving = Moving(play, {"paging": "offset", "order": order, "wrong_total": wrong}, late=0.3, gone=0)
    found = run(settings(moving.box), box=moving.box, clock=moving.clock)
    moving.still()
    moving.assert_once([found])
    assert {row["status"] for row in found.windows(STREAM)} <= {"complete", "truncated"}
    assert bool(found.lines("WARNING"))
    assert asked(found, "smtp2go") < 500

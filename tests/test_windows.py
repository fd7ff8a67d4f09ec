"""Windows tile time; plans read each stretch once, and once more when it has come of age."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tap_emaillogs.engine.pace import Pace
from tap_emaillogs.engine.windows import (
    Need,
    Progress,
    cut_at,
    equal_parts,
    need,
    next_revisit,
    plan,
    subtract,
    tile,
    union,
)
from tap_emaillogs.formats.timestamps import EPOCH, MILLISECOND, SECOND, floor
from tap_emaillogs.streams.window import Policy, Window

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

units = st.sampled_from([MILLISECOND, SECOND, MINUTE])
seconds = st.integers(-4_000, 4_000)


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


@st.composite
def windows(draw: st.DrawFn, longest: int = 4_000) -> Window:
    start = draw(seconds)
    return Window(at(start), at(start + draw(st.integers(1, longest))))


def policy(**rules: object) -> Policy:
    defaults: dict[str, object] = {
        "unit": SECOND,
        "largest": timedelta(days=365),
        "history": None,
        "lookback": HOUR,
        "revisits": (6 * HOUR, DAY),
        "settle": 5 * MINUTE,
    }
    return Policy(**{**defaults, **rules})  # type: ignore[arg-type]


def covers(found: list[Window], moment: datetime) -> int:
    return sum(moment in window for window in found)


def assert_tiles(parts: list[Window], whole: Window) -> None:
    assert (parts[0].start, parts[-1].end) == (whole.start, whole.end)
    assert all(one.end == two.start for one, two in pairwise(parts))
    assert all(part.start < part.end for part in parts)


# Cutting.


@given(windows(), st.integers(1, 10_000), units)
def test_tiles_leave_no_hole_and_are_no_longer_than_allowed(window: Window, largest: int, unit: timedelta) -> None:
    whole = Window(floor(window.start, unit), floor(window.end, unit))
    assume(whole.start < whole.end)
    longest = timedelta(seconds=largest)
    parts = tile(whole, longest, unit)
    assert_tiles(parts, whole)
    assert all((part.start - EPOCH) % unit == timedelta() for part in parts)
    assert max(part.length for part in parts) <= max(longest, unit) + unit
    assert len(parts) <= -(-whole.length // max(longest, unit))


@given(windows(), st.integers(-1, 200), units)
def test_equal_parts_tile_and_differ_by_a_unit_at_most(window: Window, count: int, unit: timedelta) -> None:
    whole = Window(floor(window.start, unit), floor(window.end, unit))
    assume(whole.start < whole.end)
    parts = equal_parts(whole, count, unit)
    assert_tiles(parts, whole)
    assert len(parts) == max(1, min(count, whole.length // unit))
    lengths = {part.length for part in parts}
    assert max(lengths) - min(lengths) <= unit


@given(windows(), st.lists(st.integers(-5_000, 9_000)), units)
def test_cuts_fall_on_units_inside_the_window(window: Window, moments: list[int], unit: timedelta) -> None:
    whole = Window(floor(window.start, unit), floor(window.end, unit))
    assume(whole.start < whole.end)
    parts = cut_at(whole, [at(moment) for moment in moments], unit)
    assert_tiles(parts, whole)
    inside = {floor(at(moment), unit) for moment in moments}
    assert {part.start for part in parts[1:]} == {edge for edge in inside if whole.start < edge < whole.end}


# Sets of time.


@given(st.lists(windows(500)))
def test_a_union_is_sorted_apart_and_covers_the_same_moments(found: list[Window]) -> None:
    merged = union(found)
    assert all(one.end < two.start for one, two in pairwise(merged))
    edges = {edge for window in found for edge in (window.start, window.end)}
    for moment in edges | {edge - MILLISECOND for edge in edges}:
        assert covers(merged, moment) == bool(covers(found, moment))
    assert union(merged) == merged == union(reversed(found))


@given(windows(), st.lists(windows(500)))
def test_a_window_less_its_holes_is_what_no_hole_covers(window: Window, holes: list[Window]) -> None:
    left = subtract(window, holes)
    assert all(one.end < two.start for one, two in pairwise(left))
    edges = {edge for part in (window, *holes) for edge in (part.start, part.end)}
    for moment in edges | {edge - MILLISECOND for edge in edges}:
        assert covers(left, moment) == (moment in window and not covers(holes, moment))
    assert subtract(window, [*left, *holes]) == []


# What one consumer needs.


def test_a_first_run_goes_through_the_history_or_thirty_days() -> None:
    limit = NOW - 5 * MINUTE
    assert need(policy(history=2 * DAY), Progress(), NOW) == Need(NOW - 2 * DAY, Window(NOW - 2 * DAY, limit))
    assert need(policy(), Progress(), NOW) == Need(NOW - 30 * DAY, Window(NOW - 30 * DAY, limit))
    start = NOW - 3 * HOUR
    assert need(policy(start=start), Progress(), NOW) == Need(start, Window(start, limit))


def test_a_bookmark_wins_over_the_start_date_and_is_looked_back_from() -> None:
    found = need(policy(start=NOW - DAY), Progress(NOW - 3 * HOUR), NOW)
    assert found.forward == Window(NOW - 4 * HOUR, NOW - 5 * MINUTE)
    assert (found.bookmark, found.gap, found.pulled_back) == (NOW - 3 * HOUR, None, False)


def test_the_lookback_ends_at_the_start_date_and_at_the_history() -> None:
    bookmark = NOW - 3 * HOUR
    for bounds in ({"start": bookmark - 10 * MINUTE}, {"history": 3 * HOUR + 10 * MINUTE}):
        forward = need(policy(**bounds), Progress(bookmark), NOW).forward
        assert forward == Window(bookmark - 10 * MINUTE, NOW - 5 * MINUTE)
    # A start date after the bookmark forbids the lookback, not the reading.
    forward = need(policy(start=NOW - HOUR), Progress(bookmark), NOW).forward
    assert forward == Window(bookmark, NOW - 5 * MINUTE)


def test_a_bookmark_in_the_future_is_pulled_back_and_said_so() -> None:
    found = need(policy(), Progress(NOW + DAY), NOW)
    assert found.pulled_back
    assert found.bookmark == NOW - 5 * MINUTE
    assert found.forward == Window(NOW - 5 * MINUTE - HOUR, NOW - 5 * MINUTE)
    between = need(policy(), Progress(NOW - MINUTE), NOW)
    assert (between.bookmark, between.pulled_back) == (NOW - 5 * MINUTE, False)


@pytest.mark.parametrize("bookmark", [None, NOW - 5 * DAY])
def test_a_gap_reaches_from_bookmark_or_start_to_what_is_kept(bookmark: datetime | None) -> None:
    found = need(policy(history=2 * DAY, start=NOW - 5 * DAY), Progress(bookmark), NOW)
    assert found.gap == Window(NOW - 5 * DAY, NOW - 2 * DAY)
    assert found.forward == Window(NOW - 2 * DAY, NOW - 5 * MINUTE)
    assert found.bookmark == NOW - 2 * DAY


def test_a_lookback_past_the_history_is_no_gap() -> None:
    assert need(policy(history=2 * DAY), Progress(NOW - 2 * DAY + MINUTE), NOW).gap is None


def test_an_end_date_bounds_the_reading_and_one_before_the_bookmark_ends_it() -> None:
    end = NOW - 2 * HOUR
    assert need(policy(end=end), Progress(NOW - 3 * HOUR), NOW).forward == Window(NOW - 4 * HOUR, end)
    for bookmark in (end, NOW - HOUR):
        found = need(policy(end=end), Progress(bookmark), NOW)
        assert (found.forward, found.revisits, found.gap) == (None, (), None)
    assert need(policy(end=NOW + DAY), Progress(NOW - HOUR), NOW).forward == Window(NOW - 2 * HOUR, NOW - 5 * MINUTE)


def test_an_end_date_before_the_history_leaves_a_gap_that_ends_there() -> None:
    found = need(policy(history=2 * DAY, start=NOW - 9 * DAY, end=NOW - 4 * DAY), Progress(), NOW)
    assert found.gap == Window(NOW - 9 * DAY, NOW - 4 * DAY)
    assert found.forward is None


@given(
    st.integers(-200_000, 10_000),
    st.none() | st.integers(60, 200_000),
    st.none() | st.integers(-200_000, 10_000),
    st.integers(0, 8_000),
    st.integers(0, 4_000),
    st.integers(0, 999_999),
)
def test_no_need_passes_now_less_settle_or_begins_before_what_is_kept(  # noqa: PLR0917 - drawn values
    bookmark: int, history: int | None, end: int | None, lookback: int, settle: int, micros: int
) -> None:
    now = NOW + timedelta(microseconds=micros)
    rules = policy(
        history=None if history is None else timedelta(seconds=history),
        end=None if end is None else at(end),
        lookback=timedelta(seconds=lookback),
        settle=timedelta(seconds=settle),
    )
    progress = Progress(at(bookmark))
    found = need(rules, progress, now)
    limit = floor(now - rules.settle, SECOND)
    assert found.bookmark is not None
    assert found.bookmark <= limit or rules.end is not None
    for window in (*([found.forward] if found.forward else ()), *found.revisits):
        assert window.start < window.end <= limit
        assert (window.start - EPOCH) % SECOND == (window.end - EPOCH) % SECOND == timedelta()
        if rules.history is not None:
            assert window.start >= floor(now - rules.history, SECOND)
        if rules.end is not None:
            assert window.end <= rules.end
    if found.forward:
        assert found.forward.start <= found.bookmark
        assert found.forward.start >= floor(found.bookmark - rules.lookback, SECOND)
        assert found.bookmark in found.forward or found.bookmark == found.forward.end
    if found.gap:
        assert found.gap == Window(min(at(bookmark), limit), found.bookmark)
        assert found.gap.start < found.gap.end


# Progress.


def test_progress_moves_over_a_window_that_holds_it_and_over_no_other() -> None:
    progress, rules = Progress(at(100), {HOUR: at(50), DAY: at(500)}), policy(revisits=(HOUR, DAY))
    progress.advance(Window(at(200), at(300)), rules, NOW + DAY)
    assert (progress.bookmark, progress.marks) == (at(100), {HOUR: at(50), DAY: at(500)})
    progress.advance(Window(at(50), at(200)), rules, NOW + DAY)
    assert (progress.bookmark, progress.marks) == (at(200), {HOUR: at(200), DAY: at(500)})
    progress.advance(Window(at(50), at(150)), rules, NOW + DAY)
    assert progress.bookmark == at(200)


def test_the_next_revisit_is_when_a_run_first_finds_one_due() -> None:
    rules, progress = policy(revisits=(6 * HOUR, DAY)), Progress()
    assert next_revisit(rules, progress, NOW) is None
    first = need(rules, progress, NOW).forward
    assert first is not None
    progress.bookmark = first.start
    assert next_revisit(rules, progress, NOW) is None, "nothing was read"
    progress.advance(first, rules, NOW)
    due = next_revisit(rules, progress, NOW)
    assert due == NOW + 6 * HOUR / 4
    for later in (due - SECOND, due):
        progress.bookmark = later - 5 * MINUTE  # as runs meanwhile move it
        assert bool(need(rules, progress, later).revisits) == (later == due)
    assert next_revisit(rules, progress, due + HOUR) == due + HOUR


def test_a_mark_stops_where_the_reading_was_too_young() -> None:
    progress = Progress(at(0), {HOUR: at(0)})
    progress.advance(Window(at(0), at(10_000)), policy(revisits=(HOUR,)), at(9_600))
    assert progress.marks == {HOUR: at(6_000)}


# A life of runs.


class Life:
    """Runs one after another, as the engine does it: plan, read in order, advance."""

    def __init__(self, rules: Policy, consumers: int = 1) -> None:
        self.rules = rules
        self.progress = [Progress() for _ in range(consumers)]
        self.reads: list[tuple[Window, datetime]] = []
        self.extra: list[Window] = []
        """What was read outside the forward windows, by a run that failed nowhere before."""
        self.gaps: list[Window] = []
        self.missed: list[Window] = []
        self.pace = Pace()
        self.requests = 0

    def run(self, now: datetime, succeed: int | None = None) -> None:
        before = [(p.bookmark, dict(p.marks)) for p in self.progress]
        paced = self.pace.is_known
        self.pace.note(now)
        self.rules = replace(self.rules, pause=self.pace.longest)
        needs = [need(self.rules, progress, now) for progress in self.progress]
        for progress, found in zip(self.progress, needs, strict=True):
            progress.bookmark = found.bookmark
        self.gaps.extend(found.gap for found in needs if found.gap)
        self.missed.extend(found.missed for found in needs if found.missed and paced)
        planned = plan(needs, self.rules)
        self.requests += len(planned)
        self.extra += [
            part for window in planned for part in subtract(window, [found.forward for found in needs if found.forward])
        ]
        for window in planned[:succeed]:
            self.reads.append((window, now))
            for progress in self.progress:
                progress.advance(window, self.rules, now)
        for progress, (bookmark, marks) in zip(self.progress, before, strict=True):
            assert progress.bookmark is not None
            assert bookmark is None or progress.bookmark >= bookmark
            assert all(progress.marks[age] >= mark for age, mark in marks.items())
            assert progress.bookmark <= floor(now - self.rules.settle, self.rules.unit)

    def moments(self) -> list[datetime]:
        edges = sorted({edge for window, _ in self.reads for edge in (window.start, window.end)})
        return [*edges[:-1], *(one + (two - one) / 2 for one, two in pairwise(edges))]

    def oldest_reading(self, moment: datetime) -> timedelta:
        return max((now - moment for window, now in self.reads if moment in window), default=timedelta(-1))


ages = st.lists(st.sampled_from([10, 45, 90, 360, 1440, 2760]), max_size=3, unique=True).map(
    lambda minutes: tuple(timedelta(minutes=age) for age in sorted(minutes))
)
pauses = st.lists(st.integers(1, 1_500), min_size=1, max_size=12)


@settings(max_examples=40)
@given(
    ages,
    pauses,
    st.sampled_from([0, 5, 60]),
    st.sampled_from([0, 5, 30]),
    st.sampled_from([7 * HOUR, 365 * DAY]),
    st.integers(1, 2),
)
def test_each_moment_is_read_at_once_and_again_at_each_age(  # noqa: PLR0917 - drawn values
    revisits: tuple[timedelta, ...], pauses: list[int], lookback: int, settle: int, largest: timedelta, consumers: int
) -> None:
    begin = NOW - 2 * DAY
    rules = policy(revisits=revisits, lookback=lookback * MINUTE, settle=settle * MINUTE, largest=largest, start=begin)
    life, now = Life(rules, consumers), NOW
    life.run(now)
    for pause in pauses:
        now += pause * MINUTE
        life.run(now)
        assert life.progress[0].bookmark == now - rules.settle
        assert life.progress[0] == life.progress[-1]
        for age in revisits:
            mark, looked = life.progress[0].marks[age], now - rules.settle - rules.lookback
            assert begin <= mark <= max(now - age, begin)
            assert mark >= max(begin, min(now - age - age / 4, looked))
    assert union(window for window, _ in life.reads) == [Window(begin, now - rules.settle)]
    for moment in life.moments():
        for age in revisits:
            if moment < life.progress[0].marks[age]:
                assert life.oldest_reading(moment) >= age
        assert covers(life.extra, moment) <= len(revisits)


@settings(max_examples=40)
@given(ages, pauses, st.data())
def test_runs_that_fail_halfway_leave_no_hole_and_forget_no_revisit(
    revisits: tuple[timedelta, ...], pauses: list[int], data: st.DataObject
) -> None:
    rules = policy(revisits=revisits, lookback=timedelta(), largest=5 * HOUR, start=NOW - 2 * DAY)
    life, now = Life(rules), NOW
    for pause in pauses:
        life.run(now, data.draw(st.none() | st.integers(0, 6)))
        now += pause * MINUTE
    bookmark, marks = life.progress[0].bookmark, life.progress[0].marks
    assert bookmark is not None
    assert subtract(Window(NOW - 2 * DAY, bookmark), [window for window, _ in life.reads]) == []
    for moment in life.moments():
        for age in revisits:
            if NOW - 2 * DAY <= moment < marks[age]:
                assert life.oldest_reading(moment) >= age


@settings(max_examples=40)
@given(ages, st.lists(st.integers(1, 6_000), min_size=1, max_size=15))
def test_what_is_not_read_in_time_is_a_gap_and_nothing_else_is(
    revisits: tuple[timedelta, ...], pauses: list[int]
) -> None:
    rules = policy(revisits=revisits, history=2 * DAY, start=NOW - 4 * DAY)
    life, now = Life(rules), NOW
    life.run(now)
    for pause in pauses:
        now += pause * MINUTE
        life.run(now)
        assert all(window.start >= now - 2 * DAY for window, moment in life.reads if moment == now)
    assert union([*life.gaps, *(window for window, _ in life.reads)]) == [Window(NOW - 4 * DAY, now - rules.settle)]
    assert all(not subtract(gap, [gap]) and not covers([w for w, _ in life.reads], gap.start) for gap in life.gaps)


@settings(max_examples=5)
@given(st.lists(st.integers(1, 30), min_size=100, max_size=200))
def test_infobips_mails_are_seen_late_in_the_short_time_that_they_are_kept(pauses: list[int]) -> None:
    revisits = (6 * HOUR, DAY, 46 * HOUR)
    life = Life(policy(unit=MILLISECOND, revisits=revisits, history=2 * DAY, settle=2 * MINUTE))
    now = NOW
    for pause in pauses:
        life.run(now)
        now += pause * MINUTE
    assert life.gaps == []
    for moment in life.moments():
        if NOW - 2 * DAY <= moment < now - 2 * DAY:
            assert life.oldest_reading(moment) >= revisits[-1]


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([360, 1440, 2760]), min_size=1, max_size=3, unique=True),
    st.integers(5, 1_400),
    st.lists(st.integers(0, 10), min_size=8, max_size=40),
)
def test_every_stretch_is_revisited_at_its_last_chance(minutes: list[int], every: int, lateness: list[int]) -> None:
    """However long the regular pause between two runs is, what the vendor forgets was looked at once more before."""
    revisits, history = tuple(minute * MINUTE for minute in sorted(minutes)), 2 * DAY
    life = Life(policy(unit=MILLISECOND, revisits=revisits, history=history, settle=2 * MINUTE))
    now = NOW
    for late in lateness:
        life.run(now)
        now += every * MINUTE + min(late * MINUTE, every * MINUTE / 10)
    assert life.gaps == life.missed == []
    second = NOW + every * MINUTE  # the first pause tells nobody yet how long the next ones will be
    for moment in life.moments():
        if second <= moment < now - history:
            latest = min(history - 2 * every * MINUTE * 1.1, revisits[-1])
            assert life.oldest_reading(moment) >= max(latest, revisits[0] if every < 60 else timedelta())


def test_a_revisit_that_came_too_late_is_told() -> None:
    life = Life(policy(unit=MILLISECOND, revisits=(46 * HOUR,), history=2 * DAY, settle=2 * MINUTE))
    for minute in range(0, 3 * 24 * 60, 5):
        life.run(NOW + minute * MINUTE)
    assert life.missed == life.gaps == []
    mark, back = life.progress[0].marks[46 * HOUR], NOW + 3 * DAY + 39 * HOUR
    life.run(back)
    assert life.missed == [Window(floor(mark, MILLISECOND), back - 2 * DAY)]
    assert life.gaps == []


@pytest.mark.parametrize(("every", "outage"), [(180, 60), (180, 40), (1440, 72), (5, 50)])
def test_an_outage_is_no_schedule_and_spends_no_revisit(every: int, outage: int) -> None:
    """After it everything is looked at again at its ages as before; what could not be is told."""
    history, revisits = 2 * DAY, (6 * HOUR, DAY, 46 * HOUR)
    life = Life(policy(unit=MILLISECOND, revisits=revisits, history=history, settle=2 * MINUTE))
    now = NOW
    for _ in range(max(4, 720 // every)):
        life.run(now)
        now += every * MINUTE
    now += outage * HOUR - every * MINUTE
    back = now
    while now < back + 5 * DAY:
        life.run(now)
        now += every * MINUTE
    told = [*life.missed, *life.gaps]
    latest = min(revisits[-1], history - every * MINUTE - 16 * MINUTE)
    for moment in life.moments():
        if back <= moment < now - history - every * MINUTE and not covers(told, moment):
            assert life.oldest_reading(moment) >= latest
    assert all(window.end <= back for window in told)


def test_looking_back_does_not_cost_more_the_more_often_one_runs() -> None:
    costs = []
    for every in (5, 60):
        life = Life(policy(revisits=(6 * HOUR, DAY, 3 * DAY), start=NOW))
        for minute in range(every, 7 * 24 * 60, every):
            life.run(NOW + minute * MINUTE)
        runs = len(range(every, 7 * 24 * 60, every))
        extra = sum((window.length for window in life.extra), timedelta())
        costs.append((life.requests - runs, extra / DAY))
    assert all(requests <= 7 * (16 + 4 + 2) and days <= 3 * 7 for requests, days in costs), costs


# Plans for several consumers.


@st.composite
def needs(draw: st.DrawFn) -> Need:
    stretches = draw(st.lists(windows(2_000), max_size=3))
    return Need(None, draw(st.none() | windows()), tuple(stretches))


@given(st.lists(needs(), min_size=1, max_size=3), st.integers(10, 9_000), st.lists(windows(900), max_size=3))
def test_a_plan_reads_each_stretch_once_and_keeps_pinned_windows_whole(
    found: list[Need], largest: int, pinned: list[Window]
) -> None:
    pins = [pin for pin in union(pinned) if pin.start < pin.end]
    rules = policy(largest=timedelta(seconds=largest))
    planned = plan(found, rules, pins)
    wanted = [window for n in found for window in (*([n.forward] if n.forward else ()), *n.revisits)]
    assert sorted(planned) == sorted(set(planned))
    assert all(one.end <= two.start for one, two in pairwise(sorted(planned)))
    assert union(planned) == union([*wanted, *pins])
    assert set(pins) <= set(planned)
    assert all(window.length <= rules.largest + SECOND for window in planned if window not in pins)


def test_what_moves_a_bookmark_comes_before_revisits_and_in_order_of_time() -> None:
    forward, old = Window(at(0), at(100)), Window(at(-500), at(-400))
    planned = plan([Need(at(0), forward, (old,))], policy(largest=timedelta(seconds=50)))
    assert planned == [
        *(Window(at(0), at(50)), Window(at(50), at(100))),
        *(Window(at(-500), at(-450)), Window(at(-450), at(-400))),
    ]

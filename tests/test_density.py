"""Cut answers are cut further until nothing is hidden, in few requests."""

from __future__ import annotations

import bisect
import json
import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW
from harness import Ticking
from tap_emaillogs.engine.density import Density, cut, estimate, seen_region
from tap_emaillogs.engine.engine import Engine, WindowRead
from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.timestamps import MILLISECOND, SECOND
from tap_emaillogs.http.client import ApiClient, Reply
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.streams.output import RecordLines
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.streams.rest import HTTPRequest

    from tap_emaillogs.http.client import Meter

START = datetime(2026, 1, 1, tzinfo=UTC)
Order = "newest", "oldest", "shuffled"


def at(ms: float) -> datetime:
    return START + timedelta(milliseconds=ms)


def arranged(times: list[datetime], order: str, rng: random.Random) -> list[datetime]:
    """Return times as a vendor of this order shows them."""
    if order == "shuffled":
        return rng.sample(times, len(times))
    return sorted(times, reverse=order == "newest")


# The parts.


def test_the_density_is_unknown_until_a_window_was_read() -> None:
    density = Density()
    assert density.expect(SECOND) is None
    density.learn(Window(at(0), at(10_000)), 50)
    assert density.expect(2 * SECOND) == 10
    density.learn(Window(at(10_000), at(20_000)), 0)
    assert density.expect(2 * SECOND) == 5


def test_what_was_read_last_counts_for_more_than_what_was_read_long_ago() -> None:
    density = Density()
    density.learn(Window(at(0), at(1_000)), 1_000)
    for _ in range(8):
        density.learn(Window(at(0), at(1_000)), 10)
    assert density.expect(SECOND) == pytest.approx(10)


def test_the_order_of_an_answer_tells_what_part_it_covers() -> None:
    window = Window(at(0), at(100))
    assert seen_region(window, [at(90), at(60), at(60), at(50)]) == Window(at(50), at(100))
    assert seen_region(window, [at(10), at(10), at(40)]) == Window(at(0), at(40))
    assert seen_region(window, [at(10), at(40), at(20)]) == window
    assert seen_region(window, [at(10), at(10)]) == window
    assert seen_region(window, []) == window
    # Rows in the margins around a window tell nothing of it.
    assert seen_region(window, [at(101), at(90), at(40), at(-1)]) == Window(at(40), at(100))


def test_what_is_hidden_is_estimated_from_what_is_known_or_seen() -> None:
    window, times, density = Window(at(0), at(100)), [at(99 - n) for n in range(20)], Density()
    assert estimate(window, times, density) == pytest.approx(20 * 100 / 20)
    density.learn(Window(at(0), at(10)), 10)
    assert estimate(window, times, density) == pytest.approx(20 + 80)
    assert estimate(window, [], Density()) == 0


@given(
    st.integers(1, 50_000),
    st.lists(st.integers(-5, 60_000), max_size=80),
    st.sampled_from(Order),
    st.floats(0, 1e6),
    st.integers(1, 2_000),
    st.sampled_from([MILLISECOND, SECOND]),
    st.randoms(use_true_random=False),
)
def test_a_cut_tiles_and_cuts_at_least_once_where_there_is_room(  # noqa: PLR0917 - drawn values
    length: int, moments: list[int], order: str, total: float, target: int, unit: timedelta, rng: random.Random
) -> None:
    window = Window(START, START + length * unit)
    times = arranged([START + moment * unit for moment in moments], order, rng)
    parts = cut(window, times, total, target, unit)
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(one.end == two.start for one, two in pairwise(parts))
    assert all(part.start < part.end and (part.start - START) % unit == timedelta() for part in parts)
    assert (len(parts) >= 2) == (length > 1)


def test_a_cut_follows_what_was_seen() -> None:
    window = Window(at(0), at(1_000))
    times = [at(moment) for moment in range(999, 899, -1)]  # 100 in the newest tenth
    parts = cut(window, times, 200, 50, MILLISECOND)
    assert len(parts) == 4
    assert [part.length / MILLISECOND for part in parts] == pytest.approx([450, 450, 50, 50], abs=1)


def test_a_burst_at_one_moment_is_set_apart_on_both_sides() -> None:
    window = Window(at(0), at(1_000))
    parts = cut(window, [at(500)] * 95 + [at(400)] * 5, 100, 20, MILLISECOND)
    assert Window(at(500), at(501)) in parts


# A vendor that hides rows, with the cuts alone.


def read_by_cutting(times: list[datetime], window: Window, order: str, limit: int, unit: timedelta) -> tuple[int, int]:
    """Split until no answer is full; return (rows found, requests)."""
    density, rng = Density(), random.Random(4)
    ordered = sorted(times)
    found = requests = 0
    waiting = [window]
    while waiting:
        part = waiting.pop(0)
        requests += 1
        inside = ordered[bisect.bisect_left(ordered, part.start) : bisect.bisect_left(ordered, part.end)]
        answer = arranged(inside, order, rng)[:limit]
        if len(answer) < limit or part.length <= unit:
            found += len(answer)
            density.learn(part, len(answer))
            continue
        target = max(1, int(limit * 0.8))
        waiting = cut(part, answer, max(estimate(part, answer, density), target + 1), target, unit) + waiting
    return found, requests


@given(
    st.lists(st.integers(0, 20_000), max_size=300),
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(1, 9)), max_size=3),
    st.sampled_from(Order),
    st.integers(10, 40),
)
def test_nothing_is_lost_however_the_rows_lie_and_are_ordered(
    moments: list[int], bursts: list[tuple[int, int]], order: str, limit: int
) -> None:
    times = [at(moment) for moment in (*moments, *(moment for moment, count in bursts for _ in range(count)))]
    most = max(Counter(times).values(), default=0)
    found, _ = read_by_cutting(times, Window(at(0), at(20_001)), order, limit, MILLISECOND)
    if most < limit:
        assert found == len(times)


def test_at_the_vendors_resolution_cutting_ends() -> None:
    times = [at(7)] * 50
    found, requests = read_by_cutting(times, Window(at(0), at(1_000)), "newest", 10, MILLISECOND)
    assert found == 10
    assert requests < 40


# Infobip's engine as it is: 15,000 mails in 48 hours, 900 of them in one second.


def day_and_night(seed: int, count: int = 15_000, burst: int = 900) -> list[int]:
    """Return times of mails in ms: far more by day than by night, and a burst within a second."""
    rng = random.Random(seed)
    begin, end = (int((NOW - timedelta(hours=h)).timestamp() * 1000) for h in (47.9, 0.1))
    found: list[int] = []
    while len(found) < count - burst:
        moment = rng.randrange(begin, end)
        if rng.random() < (1 + 0.9 * math.sin((moment / 3_600_000 - 9) / 12 * math.pi)) / 1.9:
            found.append(moment)
    second = rng.randrange(begin, end - 1_000) // 1_000 * 1_000
    return found + [second + rng.randrange(1_000) for _ in range(burst)]


def shown(mails: list[tuple[int, int]], order: str, rng: random.Random) -> list[tuple[int, int]]:
    if order == "newest":
        return mails[::-1][:1000]
    if order == "any, shown newest first":  # what is left out is not what is oldest
        return sorted(rng.sample(mails, min(len(mails), 1000)), reverse=True)
    return mails[:1000] if order == "oldest" else rng.sample(mails, min(len(mails), 1000))


class Tap(TapEmailLogs):
    clock_class = Ticking


@pytest.fixture
def read_infobip(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[int], str], int]:
    def read(times: list[int], order: str) -> int:
        """Read all mails through stream and engine, at one window a time; return the number of requests."""
        mails = sorted((moment, number) for number, moment in enumerate(times))
        moments = [moment for moment, _ in mails]
        requests, rng = Counter[str](), random.Random(1)

        def send(client: ApiClient, request: HTTPRequest, meter: Meter, **_: Any) -> Reply:
            requests["sent"] += 1
            since, until = (timestamps.parse(str(request.params[name])) for name in ("sentSince", "sentUntil"))
            low, high = (round(moment.timestamp() * 1000) for moment in (since, until))
            inside = mails[bisect.bisect_left(moments, low) : bisect.bisect_right(moments, high)]
            rows = [
                {"messageId": str(number), "to": "-", "sentAt": timestamps.millis(timestamps.from_epoch(moment))}
                for moment, number in shown(inside, order, rng)
            ]
            return Reply(200, {}, b"", {"results": rows})

        monkeypatch.setattr(ApiClient, "send", send)
        account = {"base_url": "http://127.0.0.1:9", "api_key": "none", "max_concurrency": 1}
        tap = Tap(config={"infobip": account})
        found: list[str] = []
        stream = tap.streams["infobip_email_logs"]
        endpoints, _ = tap.sources.endpoints({stream.name: RecordLines(stream)}, Privacy, tap.clock.now())
        for step in Engine(endpoints, tap.clock).steps():
            if isinstance(step, WindowRead):
                assert step.done.outcome.status == "complete"
                found += [json.loads(line)["messageId"] for block in step.blocks() for line in block.lines.splitlines()]
                step.commit()
                step.close()
        assert len(found) == len(times)
        assert set(found) == set(map(str, range(len(times))))
        return requests["sent"]

    return read


@pytest.mark.parametrize("seed", range(3))
def test_fifteen_thousand_mails_take_at_most_twice_the_fewest_requests(
    read_infobip: Callable[[list[int], str], int], seed: int
) -> None:
    assert read_infobip(day_and_night(seed), "newest") <= 30


@pytest.mark.parametrize("order", ["oldest", "shuffled", "any, shown newest first"])
def test_an_order_that_nobody_promised_costs_requests_but_no_mail(
    read_infobip: Callable[[list[int], str], int], order: str
) -> None:
    assert read_infobip(day_and_night(4), order) <= 60


def test_a_quiet_account_takes_one_request(read_infobip: Callable[[list[int], str], int]) -> None:
    assert read_infobip([], "newest") == 1
    assert read_infobip(day_and_night(5, count=999, burst=0), "newest") == 1

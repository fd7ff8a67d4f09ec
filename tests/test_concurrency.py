"""Vendors and windows are read side by side, within bounds: of requests per account, and of windows in memory."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from general import LEDGER, STREAMS, config_of, facts
from harness import run
from outcome import assert_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough


class Interval(NamedTuple):
    """When a request was being answered, in real time."""

    vendor: str
    names: frozenset[str]
    start: float
    end: float


def watched(box: Sandbox) -> tuple[list[Interval], list[str]]:
    """Note when each request begins and ends: (the intervals so far, the vendors of the requests begun so far)."""
    done: list[Interval] = []
    begun: list[str] = []
    open_: dict[int, tuple[frozenset[str], float]] = {}
    take, log = box.faults.take, box.log

    def taking(vendor: str, path: str, names: set[str], text: str = "") -> Any:
        begun.append(vendor)
        open_[threading.get_ident()] = (frozenset(names), time.monotonic())
        return take(vendor, path, names, text)

    def logging(vendor: str, *arguments: Any) -> None:
        names, start = open_.pop(threading.get_ident())
        done.append(Interval(vendor, names, start, time.monotonic()))
        log(vendor, *arguments)

    box.faults.take = taking  # type: ignore[method-assign]
    box.log = logging  # type: ignore[method-assign]
    return done, begun


def most_at_once(intervals: list[Interval]) -> int:
    edges = sorted([(one.start, 1) for one in intervals] + [(one.end, -1) for one in intervals])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def overlap(one: list[Interval], two: list[Interval]) -> bool:
    return any(a.start < b.end and b.start < a.end for a in one for b in two)


def windows(box: Sandbox, *vendors: str, count: int = 24, **settings: Any) -> dict[str, Any]:
    """Return a configuration of about so many windows, each read by one request."""
    config = config_of(box, *vendors, **settings)
    for vendor, own in config.items():
        own["window_hours"] = facts(vendor).history / timedelta(hours=1) / count
    return config


@pytest.mark.needs("one request", "windows")
def test_vendors_are_read_side_by_side(play: Play, vendors: list[str]) -> None:
    box = play(size=60, vendors=vendors)
    for vendor in vendors:
        box.fault(vendor=vendor, kind="slow", seconds=0.05, times=-1)
    done, _ = watched(box)
    found = run(windows(box, count=12, max_concurrency=1), box=box)
    assert found.status == 0
    of = {vendor: [one for one in done if one.vendor == vendor] for vendor in vendors}
    for one in vendors:
        for two in vendors:
            assert overlap(of[one], of[two])
    # One after the other they would need the sum of their spans; side by side no more than about the longest.
    spans = [max(i.end for i in own) - min(i.start for i in own) for own in of.values()]
    begun, ended = min(one.start for one in done), max(one.end for one in done)
    assert ended - begun < 0.6 * sum(spans)
    for vendor in vendors:
        assert_rows(box, found, vendor)


@pytest.mark.needs("one request", "windows")
@pytest.mark.parametrize("concurrency", [1, 2, 5])
def test_max_concurrency_is_reached_and_kept(play: Play, vendor: str, concurrency: int) -> None:
    box = play(size=60, vendors=[vendor])
    box.fault(vendor=vendor, kind="slow", seconds=0.03, times=-1)
    done, _ = watched(box)
    found = run(windows(box, count=16, max_concurrency=concurrency))
    assert_rows(box, found, vendor)
    assert most_at_once(done) == concurrency


def test_accounts_have_a_concurrency_each(play: Play) -> None:
    accounts = {"api-ONEKEY0123456789": {"label": "one"}, "api-TWOKEY0123456789": {"label": "two"}}
    box = play(size=60, vendors=["smtp2go"], options={"smtp2go": {"accounts": accounts}})
    box.fault(kind="slow", seconds=0.03, times=-1)
    done, _ = watched(box)
    run(windows(box, count=12, max_concurrency=2))
    one, two = ([i for i in done if label in i.names] for label in ("one", "two"))
    assert overlap(one, two)
    assert most_at_once(one) == most_at_once(two) == 2


@pytest.mark.needs("one request", "windows")
@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_windows_are_in_flight_than_workers_and_one(play: Play, vendor: str, concurrency: int) -> None:
    """However slowly the target reads: windows begun and not yet written are bounded, and so is memory."""
    box = play(size=120, vendors=[vendor])
    _, begun = watched(box)
    written = 0
    in_flight: list[int] = []

    def slowly(data: bytes) -> None:
        nonlocal written
        time.sleep(0.005)
        in_flight.append(len(begun) - written)
        for line in data.splitlines():
            message = json.loads(line)
            written += message["type"] == "RECORD" and message["stream"] == LEDGER

    found = run(windows(box, count=40, max_concurrency=concurrency), watch=slowly)
    assert_rows(box, found, vendor)
    assert len(found.ledger) == len(begun) >= 40, "one request each, or this test measures something else"
    assert max(in_flight) <= concurrency + 1


def test_a_failing_vendor_holds_nobody_up(play: Play) -> None:
    box = play(size=60, vendors=["smtp2go", "jetemail", "infobip"])
    box.fault(vendor="infobip", kind="slow", seconds=0.3, times=-1)
    done, _ = watched(box)
    config = config_of(box) | {"timeout_seconds": 0.1, "max_tries": 3}
    found = run(config, box=box)
    assert found.status == 1
    assert {one.vendor for one in done} >= {"smtp2go", "jetemail"}
    places = [place for vendor in ("smtp2go", "jetemail") for place, _ in found.placed[STREAMS[vendor]]]
    failed = next(place for place, row in found.placed[LEDGER] if row["status"] == "failed")
    assert max(places) < failed, "what was there was written while the other was still being tried"

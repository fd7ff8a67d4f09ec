"""Budgets: requests are evenly paced, and a vendor's wish to wait holds all of an account back."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Ticking
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.clock import Clock, Stopped


def starts(budget: Budget, clock: Ticking, count: int) -> list[float]:
    found = []
    for _ in range(count):
        budget.acquire()
        found.append(clock.monotonic())
    return found


def test_requests_are_spread_over_the_minute() -> None:
    clock = Ticking()
    assert starts(Budget(60, clock), clock, 61) == pytest.approx(list(range(61)), abs=1e-3)


def test_the_first_request_does_not_wait_nor_does_one_after_a_pause() -> None:
    clock = Ticking()
    budget = Budget(6, clock)
    assert starts(budget, clock, 1) == [0]
    clock.pass_time(seconds=60)
    assert starts(budget, clock, 2) == pytest.approx([60, 70], abs=1e-3)


def test_no_budget_means_no_waiting() -> None:
    clock = Ticking()
    assert starts(Budget(0, clock), clock, 100) == [0] * 100
    assert clock.waits == []


def test_a_pause_holds_the_next_request_back_and_never_shortens_another() -> None:
    clock = Ticking()
    budget = Budget(0, clock)
    budget.pause(30)
    budget.pause(5)
    assert starts(budget, clock, 2) == pytest.approx([30, 30])


@given(st.integers(1, 600), st.lists(st.floats(0, 20), max_size=60))
def test_no_minute_holds_more_than_the_budget(per_minute: int, pauses: list[float]) -> None:
    clock = Ticking()
    budget = Budget(per_minute, clock)
    found = []
    for pause in pauses:
        found += starts(budget, clock, 1)
        clock.pass_time(seconds=pause)
    assert all(later - sooner >= 60 / per_minute - 1e-4 for sooner, later in pairwise(found))


def test_threads_share_the_budget() -> None:
    clock = Ticking()
    budget = Budget(60, clock)
    found: list[float] = []
    threads = [threading.Thread(target=lambda: found.extend(starts(budget, clock, 5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.monotonic() >= 19 - 1e-4
    assert len(found) == 20


def test_the_end_of_the_run_ends_the_waiting() -> None:
    clock = Clock()
    budget = Budget(1, clock)
    budget.acquire()
    threading.Timer(0.02, clock.stop).start()
    with pytest.raises(Stopped):
        budget.acquire()
    assert clock.stopped

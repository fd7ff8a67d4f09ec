"""Requests are the cost that counts: how many a first run, a quiet account and days of runs every few minutes take."""

from __future__ import annotations

import importlib.util
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, config_of, facts, limit, stream_of
from harness import Ticking, run
from tap_emaillogs.formats.timestamps import millis

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

_PATH = Path(__file__).parents[1] / "benchmarks" / "requests_needed.py"
_SPEC = importlib.util.spec_from_file_location("requests_needed", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
needed = importlib.util.module_from_spec(_SPEC)
sys.modules["requests_needed"] = needed
_SPEC.loader.exec_module(needed)

MOST = {"smtp2go": 1.5, "jetemail": 1.5, "infobip": 2.0}


def minutes(span: timedelta) -> float:
    return span / timedelta(minutes=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", list(needed.FIRST_RUNS))
def test_a_first_run_needs_few_requests(name: str, seed: int) -> None:
    """A tenth of the benchmark: rows, caps, bursts and pages, so that the numbers of requests are the same."""
    one = needed.first_run(name, seed=seed, share=0.1 if "SMTP2GO" not in name else 0.02)
    print(f"{name}: {one.requests} requests for a minimum of {one.minimum}")  # noqa: T201 - shown by -rP
    bound = 3.0 if "shuffled" in name else MOST[one.vendor]
    assert one.ratio <= bound


@pytest.mark.needs("lookback")
def test_a_quiet_account_costs_one_request_a_run_and_few_for_revisits(
    play: Callable[..., Sandbox], vendor: str
) -> None:
    clock = Ticking()
    box = play(size=0, now=clock.now, live=True, vendors=[vendor])
    config = config_of(box)
    state: dict[str, Any] = {}
    runs, hours = 0, 30
    for _ in range(hours * 6):
        one = run(config, state=state, clock=clock, box=box, checked=False)
        assert one.status == 0
        assert one.bookmark(stream_of(vendor)) == millis(limit(vendor, clock.now()))
        state, runs = one.state, runs + 1
        clock.pass_time(minutes=10)
    # Each age gathers a quarter of itself (or what the history leaves), but for the first stretch.
    due = 0
    for age in facts(vendor).revisits:
        gather = minutes(min(age / 4, (facts(vendor).history - age) / 2))
        due += hours * 60 // gather + 1
    total = sum(request.vendor == vendor for request in box.requests)
    print(  # noqa: T201 - shown by -rP
        f"{vendor}: {total} requests in {runs} runs, {total - runs} of them for revisits (at most {due:.0f})"
    )
    assert runs <= total <= runs + due


def test_days_of_runs_cost_less_than_looking_back_and_find_every_late_row() -> None:
    """Two and a half days, two runs an hour; `benchmarks/requests_needed.py` does a week of five minutes."""
    found, tables, box = needed.repeated_runs(days=2.5, minutes=30, size=2000, late=3)
    for vendor, one in found.items():
        print(  # noqa: T201 - shown by -rP
            f"{vendor}: {one.requests} requests in {one.runs} runs for {one.rows} rows (most in one run: {one.most}); "
            f"looking back three days each time: {one.plain}"
        )
        gone = needed.lost(box, vendor, tables[vendor], NOW + timedelta(days=1.4))
        assert not gone, f"{vendor}: {len(gone)} rows were lost, such as {gone[0]}"
        first = max(1, -(-2000 // needed.PAGE[vendor])) * 2
        ages = [minutes(age) for age in facts(vendor).revisits]
        revisits = sum(2.5 * 1440 // min(age / 4, 60 if age == 2760 else age) + 1 for age in ages)
        assert one.requests <= one.runs + first + 4 * revisits


def test_running_more_often_costs_no_more_to_look_back() -> None:
    """The law behind it: a day of mail is read once plus once per revisit, not once per run."""
    records = {}
    for minutes in (30, 90):
        found, _, _ = needed.repeated_runs(days=1.5, minutes=minutes, size=1000, vendors=("smtp2go",))
        records[minutes] = (found["smtp2go"].requests - found["smtp2go"].runs, found["smtp2go"].records)
    assert abs(records[30][0] - records[90][0]) <= 4

"""STATE stays as small as it is, however long a vendor fails, withholds or keeps waiting."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import EVENTS, LEDGER, NOW, config_of, stream_of
from harness import Ticking, catalog, run
from outcome import Run, assert_rows, upserted
from tap_emaillogs.engine.state import EndpointState, Partitions
from tap_emaillogs.engine.windows import subtract, union
from tap_emaillogs.streams.window import Window
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

ENDPOINT = {"provider": "smtp2go", "account": "default", "stream": "smtp2go_activity"}


def endpoint() -> EndpointState:
    tap = TapEmailLogs(config={"smtp2go": {"api_key": "none"}})
    return EndpointState(Partitions(tap.streams[LEDGER]), ENDPOINT)


def at(minutes: float) -> Any:
    return NOW + timedelta(minutes=minutes)


def size(found: Run) -> int:
    return len(json.dumps(found.state))


def read(box: Sandbox, state: Any, clock: Ticking, **settings: Any) -> Run:
    config = config_of(box, *box.vendors, requests_per_minute=0, **settings)
    names = [*map(stream_of, box.vendors), EVENTS, LEDGER]
    return run(config, state=state, clock=clock, catalog=catalog(config, names), box=box)


@pytest.mark.thorough
def test_a_vendor_that_fails_for_long_is_one_entry_and_one_row(play: Play) -> None:
    clock = Ticking()
    box = play(vendors=["smtp2go"], size=40, now=clock.now, future=timedelta(days=3))
    runs = [read(box, None, clock)]
    box.fault(vendor="smtp2go", kind="status", status=403, times=-1)
    sizes = []
    for _ in range(30):
        clock.pass_time(minutes=15)
        runs.append(read(box, runs[-1].state, clock))
        assert runs[-1].status == 1
        sizes.append(size(runs[-1]))
    assert max(sizes[2:]) - min(sizes[2:]) < 8, sizes
    told = [row for row in upserted(runs, LEDGER).values() if row["status"] == "failed"]
    assert [(row["window_start"], row["window_end"]) for row in told] == [
        ("2026-03-01T10:55:00.000Z", "2026-03-01T19:25:00.000Z")
    ], "the row grows with what is missing"
    box.clear_faults()
    clock.pass_time(minutes=15)
    runs.append(read(box, runs[-1].state, clock))
    assert {row["status"] for row in upserted(runs, LEDGER).values()} == {"complete"}
    assert_rows(box, runs, "smtp2go")
    assert "incomplete" not in json.dumps(runs[-1].state)


def test_a_failed_first_run_without_a_start_stays_small(play: Play) -> None:
    clock = Ticking()
    box = play(vendors=["smtp2go"], size=20, now=clock.now)
    box.fault(vendor="smtp2go", kind="status", status=403, times=-1)
    runs = [read(box, None, clock)]
    for _ in range(12):
        clock.pass_time(minutes=15)
        runs.append(read(box, runs[-1].state, clock))
    assert abs(size(runs[-1]) - size(runs[3])) < 8
    box.clear_faults()
    runs.append(read(box, runs[-1].state, clock))
    told = upserted(runs, LEDGER).values()
    assert {row["status"] for row in told} <= {"complete", "unavailable"}


@pytest.mark.thorough
def test_a_month_of_trouble_leaves_every_vendors_state_as_small_as_it_was(play: Play) -> None:
    """Runs every ten hours, of which most fail at random vendors; all that STATE holds is flat."""
    clock = Ticking()
    box = play(size=20, now=clock.now, future=timedelta(days=32), options={"zeptomail": {"file_days": 3}})
    state: Any = None
    sizes = []
    for number in range(72):
        box.clear_faults()
        for place, vendor in enumerate(box.vendors):
            if (number + place) % 3:
                path = "/v1.1" if vendor == "zeptomail" else ""
                box.fault(vendor=vendor, path=path, kind="status", status=403, times=-1)
        found = read(box, state, clock)
        state = found.state
        sizes.append(size(found))
        clock.pass_time(hours=10)
    assert max(sizes[40:]) <= 1.25 * max(sizes[10:40]), sizes


windows = st.tuples(st.integers(0, 50), st.integers(1, 20)).map(lambda one: Window(at(one[0]), at(one[0] + one[1])))


@given(st.lists(st.tuples(windows, st.sampled_from(["failed", "pending", "complete"])), max_size=25))
def test_the_ledger_tells_just_what_is_missing(steps: list[tuple[Window, Any]]) -> None:
    """Whatever fails and is read, in any order: the rows that are not complete cover what was not read since."""
    known = endpoint()
    rows: dict[Window, tuple[Window, str]] = {}
    missing: list[Window] = []
    for window, status in steps:
        if status == "complete":
            rows[window] = window, status
            for entry in known.note_complete(window):
                rows[entry.identity or entry.window] = entry.window, "complete"
            missing = [part for one in missing for part in subtract(one, [window])]
        else:
            entry = known.note_incomplete(window, status)
            rows[entry.identity or entry.window] = entry.window, status
            missing = union([*missing, window])
        left = union(part for entry in known.incomplete for part in entry.left)
        assert left == union(missing)
        told = [one for one, how in rows.values() if how != "complete"]
        if not missing:
            assert not told, "nothing is missing, and the ledger says so"
        assert bool(told) == bool(missing) or any(entry.identity is None for entry in known.incomplete)


def test_what_the_vendor_withholds_is_remembered_as_far_as_it_may_come() -> None:
    known = endpoint()
    for minute in range(2_000):
        known.note_incomplete(Window(at(minute), at(minute + 1)), "truncated")
    known.note_incomplete(Window(at(0), at(1)), "failed")
    assert len(known.incomplete) <= 301
    assert known.incomplete[-1].status == "failed"
    assert known.note_complete(Window(at(0), at(3000)))
    assert not known.incomplete


@pytest.mark.thorough
def test_an_export_that_is_pending_at_the_edge_of_the_history_is_noted_once(play: Play) -> None:
    clock = Ticking()
    box = play(vendors=["zeptomail"], size=10, now=clock.now, options={"zeptomail": {"endless_jobs": -1}})
    config = config_of(box, "zeptomail", window_hours=8760, export_timeout_minutes=1, requests_per_minute=0)
    state: Any = None
    entries = []
    for _ in range(12):
        found = run(config, state=state, clock=clock, catalog=catalog(config, ["zeptomail_mail_logs", LEDGER]))
        state = found.state
        (part,) = state["bookmarks"][LEDGER]["partitions"]
        entries.append(len(part["incomplete"]))
        clock.pass_time(minutes=30)
    assert max(entries) <= 3, entries

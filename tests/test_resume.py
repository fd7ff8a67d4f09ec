"""Stopped at any point and continued from the last STATE: the rows of a run that was never stopped."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from general import EVENTS, LEDGER, NOW, config_of, facts, general, pages, stream_of
from harness import Process, command_line, main_streams, read, run, started
from outcome import Run, assert_rows, bookmarks, canonical, uncovered, upserted, window
from tap_emaillogs.formats.timestamps import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

CONCURRENCY = 2
INFOBIP4 = {"infobip": {"api_version": 4}}


def small_windows(box: Sandbox, *vendors: str, parts: int = 4) -> dict[str, Any]:
    """Many windows and no lookback, which would hide what was lost."""
    config: dict[str, Any] = {}
    for vendor in vendors or box.vendors:
        more = {"lookback_minutes": 0, "max_concurrency": CONCURRENCY, "window_hours": facts(vendor).hours / parts}
        config |= general(box, vendor, **more, **pages(vendor, 50))
    return config


def assert_same(box: Sandbox, runs: list[Run], config: dict[str, Any]) -> None:
    """Compare with the sandbox, and with a run that was never stopped."""
    unbroken = run(config, clock=None) if box.fixed else None
    for vendor in config:
        assert_rows(box, runs, vendor)
        stream = stream_of(vendor)
        rows = [row for one in runs for row in one.windows(stream)]
        assert not uncovered(rows, min(window(row).start for row in rows), max(window(row).end for row in rows))
    if unbroken:
        for name in (*(stream_of(vendor) for vendor in config), EVENTS):
            assert canonical(upserted(runs, name).values()) == canonical(upserted(unbroken, name).values())


def grown(process: Process, size: int) -> None:
    """Wait until stdout has grown to a size, or the end."""
    for _ in range(3000):
        if process.process.poll() is not None or process.out.stat().st_size >= size:
            return
        time.sleep(0.005)
    raise AssertionError("the tap writes nothing")


@pytest.mark.timeout(240)
@pytest.mark.needs("kills")
def test_killed_at_ten_random_points(play: Play, vendors: list[str]) -> None:
    box = play(now=None, size=700, vendors=vendors)
    dice = random.Random(int(os.environ.get("TAP_EMAILLOGS_DICE", "20260301")))
    config = small_windows(box)
    for vendor in vendors:
        box.fault(vendor=vendor, kind="slow", seconds=0.02, times=-1)
    runs: list[Run] = []
    state: dict[str, Any] = {}
    kills = 0
    asked_before = len(box.requests)
    for turn in range(11):
        with started(config, state=state) as process:
            if turn < 10:
                grown(process, dice.randrange(1_000, 200_000))
                time.sleep(dice.random() * 0.05)
                found = process.finish(signal.SIGKILL)
                kills += found.status == -signal.SIGKILL
            else:
                box.clear_faults()
                found = process.finish()
                assert found.status == 0, found.stderr
        runs.append(found)
        # What a killed run wrote after its last STATE is one window per endpoint at most: the writer's.
        if found.states and found.status:
            place = found.states[-1].place
            for stream in map(stream_of, vendors):
                assert sum(at > place for at, _ in found.placed[stream]) <= 200
        for name, marks in bookmarks(state).items():
            for context, mark in marks.items():
                assert bookmarks(found.state or state)[name][context] >= mark, "a bookmark moved backwards"
        state = found.state or state
    assert kills >= 5, f"only {kills} of the runs were killed on their way"
    assert_same(box, runs, config)
    # No window is asked for again but those in flight when it was killed, and the marks' revisits.
    for vendor in vendors:
        asked = [request for request in box.requests[asked_before:] if request.vendor == vendor]
        windows = {str(sorted(request.query.items())) + request.body.decode() for request in asked}
        assert len(asked) - len(windows) <= (kills + 1) * (CONCURRENCY + 1) * 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.needs("kills")
def test_a_signal_ends_with_a_last_state(play: Play, vendors: list[str], number: signal.Signals, status: int) -> None:
    box = play(now=None, size=400, vendors=vendors)
    config = small_windows(box)
    for vendor in vendors:
        box.fault(vendor=vendor, kind="slow", seconds=0.05, times=-1)
    with started(config) as process:
        grown(process, 60_000)
        began = time.monotonic()
        found = process.finish(number)
    assert time.monotonic() - began < 10
    assert found.status == status, found.stderr
    assert not found.tail, "half a line"
    assert found.messages[-1]["type"] == "STATE"
    box.clear_faults()
    with started(config, state=found.state) as process:
        again = process.finish()
    assert again.status == 0
    assert_same(box, [found, again], config)


def infobip_is_covered(process: Process) -> None:
    """Wait until Infobip's rows are out, and the STATE that covers them."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        lines = process.out.read_bytes().split(b"\n")[:-1]
        states = (json.loads(line)["value"] for line in lines if line.startswith(b'{"type":"STATE"'))
        if any(bookmarks(state).get(stream_of("infobip")) for state in states):
            return
        time.sleep(0.05)
    pytest.fail(f"no STATE of Infobip's: {process.err.read_text('utf-8')}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_long_waits(play: Play, number: signal.Signals) -> None:
    """A vendor that asks for minutes, or that does not answer, holds nothing up."""
    box = play(now=None, vendors=["smtp2go", "jetemail", "infobip"])
    box.fault(vendor="smtp2go", kind="status", status=429, retry_after=600, times=-1)
    box.fault(vendor="jetemail", kind="slow", seconds=20, times=-1)
    with started(config_of(box)) as process:
        infobip_is_covered(process)
        began = time.monotonic()
        found = process.finish(number, timeout=15)
    assert time.monotonic() - began < 10
    assert found.status == 128 + number
    assert found.bookmark(stream_of("infobip"))
    assert not found.bookmark(stream_of("smtp2go"))
    assert_rows(box, found, "infobip")


def test_a_closed_output_ends_quietly(play: Play) -> None:
    box = play(now=None, size=3000, vendors=["smtp2go", "jetemail", "infobip"])
    with tempfile.TemporaryDirectory() as folder:
        line = command_line(Path(folder), config_of(box))
        tap = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        head = subprocess.run(["head", "-1"], stdin=tap.stdout, capture_output=True, check=True)
        assert tap.stdout is not None
        tap.stdout.close()
        _, stderr = tap.communicate(timeout=30)
    assert head.stdout.startswith(b'{"type":"SCHEMA"')
    assert tap.returncode not in (0, 1)
    text = stderr.decode()
    for word in ("Traceback", "Exception", "BrokenPipe", "Broken pipe"):
        assert word not in text, text


# --- in process, at any message


def unbroken_run(box: Sandbox, vendor: str, found: dict[str, Run]) -> Run:
    if vendor not in found:
        found[vendor] = read_small(box, vendor)
    return found[vendor]


def read_small(box: Sandbox, vendor: str, state: dict[str, Any] | None = None) -> Run:
    """Read in a dozen windows, or about fifty where that is cheap."""
    config = small_windows(box, vendor, parts=1 if "kills" in facts(vendor).unfit else 4)
    return run(config, catalog=main_streams(config, vendor), state=state)


_WHOLE: dict[str, Run] = {}


@pytest.mark.needs("kills")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_resumed_is_as_good_as_unbroken(shared_box: Sandbox, vendor: str, data: st.DataObject) -> None:
    """Cut a run's messages anywhere, any number of times: the rest comes, and not one row twice but of one window."""
    box = shared_box
    whole = unbroken_run(box, vendor, _WHOLE)
    runs: list[Run] = []
    state: dict[str, Any] | None = None
    stream = stream_of(vendor)
    for _ in range(data.draw(st.integers(1, 3))):
        one = read_small(box, vendor, state)
        place = data.draw(st.integers(0, 10_000)) * len(one.messages) // 10_000
        part = Run(0, "", one.messages[:place])
        runs.append(part)
        state = part.state or state
    last = read_small(box, vendor, state)
    runs.append(last)
    for name in (stream, EVENTS):
        assert canonical(upserted(runs, name).values()) == canonical(upserted(whole, name).values())
    ledger = upserted(runs, LEDGER)
    assert {row["status"] for row in ledger.values()} == {"complete"}
    mark = bookmarks(state or {}).get(stream)
    if mark:
        begun = parse(next(iter(mark.values())))
        assert all(
            window(row).start >= begun or window(row).end <= NOW - min(facts(vendor).revisits)
            for row in last.windows(stream)
        )


def test_every_state_is_covered_by_what_is_out(shared_box: Sandbox, vendor: str) -> None:
    """At each STATE, the records before it are all that its bookmark claims."""
    whole = unbroken_run(shared_box, vendor, _WHOLE)
    column = facts(vendor).time
    final = upserted(whole, stream_of(vendor))
    for place, state in whole.states:
        mark = next(iter(bookmarks(state).get(stream_of(vendor), {}).values()), None)
        if mark is None:
            continue
        out = upserted(Run(0, "", whole.messages[:place]), stream_of(vendor)) if place else {}
        owed = {key for key, record in final.items() if parse(record[column]) < parse(mark)}
        assert owed <= out.keys()


def test_a_state_of_another_order_of_keys_is_the_same(shared_box: Sandbox, vendor: str) -> None:
    first = read(shared_box, vendor)
    turned = {
        "bookmarks": {
            name: {"partitions": [dict(reversed(part.items())) for part in reversed(entry.get("partitions", []))]}
            for name, entry in reversed(first.state["bookmarks"].items())
        }
    }
    one, two = (read(shared_box, vendor, state=state) for state in (first.state, turned))
    for name in (stream_of(vendor), EVENTS, LEDGER):
        assert canonical(one.records[name]) == canonical(two.records[name])


def test_an_empty_state_is_none(shared_box: Sandbox, vendor: str) -> None:
    one = read(shared_box, vendor)
    for state in ({}, {"bookmarks": {}}):
        two = read(shared_box, vendor, state=state)
        assert canonical(one.records[EVENTS]) == canonical(two.records[EVENTS])
        assert bookmarks(one.state) == bookmarks(two.state)

"""STATE: what it remembers comes back, and what is not the tap's own is refused in plain words."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from general import NOW
from harness import Ticking, run
from sandbox.server import Sandbox
from tap_emaillogs.engine.state import Bookmark, EndpointState, Partitions, StateError, check
from tap_emaillogs.engine.windows import subtract
from tap_emaillogs.streams.window import Policy, Window
from tap_emaillogs.tap import TapEmailLogs

if TYPE_CHECKING:
    from singer_sdk import Stream

STREAM, ACCOUNT = "smtp2go_activity", {"account": "default"}
ENDPOINT = {"provider": "smtp2go", "account": "default", "stream": STREAM}
MINUTE = timedelta(minutes=1)
NAMES = [STREAM, "sync_windows", "email_events"]


class Tap(TapEmailLogs):
    clock_class = Ticking


def policy_of(age: timedelta) -> Policy:
    return Policy(unit=MINUTE, largest=age, history=None, lookback=MINUTE, revisits=(age,), settle=MINUTE)


def tap(state: dict[str, Any] | None = None) -> Tap:
    return Tap(config={"smtp2go": {"api_key": "none"}}, state=json.loads(json.dumps(state)))


def at(minute: float) -> Any:
    return NOW + minute * MINUTE


def bookmark_of(stream: Stream, context: dict[str, str]) -> Bookmark:
    return Bookmark(stream, Partitions(stream), context)


def endpoint(found: Tap) -> EndpointState:
    return EndpointState(Partitions(found.streams["sync_windows"]), ENDPOINT)


def stored(found: Tap, stream: str) -> list[dict[str, Any]]:
    partitions: list[dict[str, Any]] = found.state["bookmarks"][stream]["partitions"]
    return partitions


# Bookmarks.


def test_a_bookmark_and_its_marks_come_back() -> None:
    first = tap()
    bookmark = bookmark_of(first.streams[STREAM], ACCOUNT)
    assert (bookmark.progress.bookmark, bookmark.progress.marks) == (None, {})
    bookmark.progress.bookmark = at(-100)
    bookmark.progress.marks = {
        1440 * MINUTE: at(-9_999),
        12_345.67 * MINUTE: at(-8_888),
        1_234_567 * MINUTE: at(-7_777),
    }
    bookmark.advance(Window(at(-200), at(-50)), policy_of(1440 * MINUTE), NOW)
    assert stored(first, STREAM) == [
        {
            "context": ACCOUNT,
            "replication_key": "date",
            "replication_key_value": "2026-03-01T11:10:00.000Z",
            "revisits": {
                "1440": "2026-02-22T13:21:00.000Z",
                "12345.67": "2026-02-23T07:52:00.000Z",
                "1234567": "2026-02-24T02:23:00.000Z",
            },
        }
    ]
    again = bookmark_of(tap(first.state).streams[STREAM], ACCOUNT)
    assert again.progress == bookmark.progress


def test_without_progress_nothing_is_written() -> None:
    found = tap()
    bookmark_of(found.streams[STREAM], ACCOUNT).save()
    assert found.state == {}


def test_each_account_has_a_bookmark_of_its_own() -> None:
    found = tap()
    for label, minute in (("one", 1), ("two", 2)):
        bookmark = bookmark_of(found.streams[STREAM], {"account": label})
        bookmark.progress.bookmark = at(minute)
        bookmark.save()
    values = [(part["context"]["account"], part["replication_key_value"][14:16]) for part in stored(found, STREAM)]
    assert values == [("one", "01"), ("two", "02")]
    assert bookmark_of(found.streams[STREAM], {"account": "three"}).progress.bookmark is None


# What is not complete.


def test_an_incomplete_window_stays_until_complete_ones_cover_it() -> None:
    first = tap()
    endpoint(first).note_incomplete(Window(at(0), at(30)), "failed")
    known = endpoint(tap(first.state))
    assert [(entry.window, entry.status) for entry in known.incomplete] == [(Window(at(0), at(30)), "failed")]
    assert known.note_complete(Window(at(10), at(20))) == []
    assert known.note_complete(Window(at(-5), at(10))) == []
    second = tap(first.state)
    rest = endpoint(second)
    assert rest.note_complete(Window(at(10), at(20))) == []
    assert stored(second, "sync_windows")[0]["incomplete"][0]["left"] == [
        {"start": "2026-03-01T12:00:00.000Z", "end": "2026-03-01T12:10:00.000Z"},
        {"start": "2026-03-01T12:20:00.000Z", "end": "2026-03-01T12:30:00.000Z"},
    ]
    third = endpoint(tap(second.state))
    assert third.note_complete(Window(at(0), at(11))) == []
    assert [entry.window for entry in third.note_complete(Window(at(20), at(40)))] == [Window(at(0), at(30))]
    assert third.incomplete == []


def test_a_window_that_fails_again_is_remembered_once() -> None:
    found = tap()
    known = endpoint(found)
    for status in ("failed", "pending", "failed"):
        known.note_incomplete(Window(at(0), at(30)), status)  # type: ignore[arg-type]
    assert len(known.incomplete) == len(stored(found, "sync_windows")[0]["incomplete"]) == 1


def test_a_gap_whose_end_moves_is_one_gap() -> None:
    known = endpoint(tap())
    known.note_incomplete(Window(at(0), at(30)), "unavailable")
    known.note_incomplete(Window(at(0), at(60)), "unavailable")
    known.note_incomplete(Window(at(60), at(90)), "unavailable")
    assert [entry.window for entry in known.incomplete] == [Window(at(0), at(60)), Window(at(60), at(90))]


def test_a_window_that_is_complete_itself_is_not_announced_twice() -> None:
    known = endpoint(tap())
    known.note_incomplete(Window(at(0), at(30)), "failed")
    assert known.note_complete(Window(at(0), at(30))) == []
    assert known.incomplete == []


def test_an_endpoint_with_nothing_to_remember_leaves_no_trace() -> None:
    found = tap()
    known = endpoint(found)
    known.note_incomplete(Window(at(0), at(30)), "failed")
    known.notes = {"job": {"id": "x"}}
    known.save()
    assert endpoint(tap(found.state)).notes == {"job": {"id": "x"}}
    known.notes = {}
    known.note_complete(Window(at(0), at(30)))
    assert stored(found, "sync_windows") == []


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=12))
def test_what_is_left_of_a_window_is_what_was_not_read(reads: list[tuple[int, int]]) -> None:
    known, whole = endpoint(tap()), Window(at(20), at(70))
    known.note_incomplete(whole, "failed")
    windows = [Window(at(start), at(start + length)) for start, length in reads]
    filled = [entry.window for window in windows for entry in known.note_complete(window)]
    left = subtract(whole, windows)
    assert [part for entry in known.incomplete for part in sorted(entry.left)] == left
    assert len(filled) <= 1
    assert bool(filled) <= (not left)


# What is not the tap's own.


def partition(**more: Any) -> dict[str, Any]:
    return {"bookmarks": {STREAM: {"partitions": [{"context": ACCOUNT, **more}]}}}


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bookmarks": {}},
        {"bookmarks": {STREAM: {}}},
        {"bookmarks": {STREAM: {"partitions": []}}, "currently_syncing": None},
        partition(),
        partition(replication_key="date", replication_key_value="2026-03-01T00:00:00.000Z"),
        partition(replication_key_value="2026-03-01", revisits={"1440": "2026-03-01"}, notes={"a": [1]}),
        partition(incomplete=[{"start": "2026-03-01", "end": "2026-03-02", "status": "failed"}]),
    ],
)
def test_the_taps_own_state_is_taken(state: Any) -> None:
    check(state, NAMES)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ([], "no JSON object"),
        ("text", "no JSON object"),
        ({"completed": {"singer_state": {}}}, "holds no bookmarks"),
        ({"users": "2026-03-01"}, "holds no bookmarks"),
        ({"bookmarks": []}, "holds no bookmarks"),
        ({"bookmarks": {"users": {}}}, "'users', no stream of tap-emaillogs"),
        ({"bookmarks": {STREAM: {"replication_key_value": "2026-03-01"}}}, f"{STREAM} knows no accounts"),
        ({"bookmarks": {STREAM: "2026-03-01"}}, f"{STREAM} is damaged"),
        ({"bookmarks": {STREAM: {"partitions": {}}}}, f"{STREAM} is damaged"),
        ({"bookmarks": {STREAM: {"partitions": [1]}}}, f"{STREAM} is damaged"),
        ({"bookmarks": {STREAM: {"partitions": [{"replication_key_value": "2026-03-01"}]}}}, f"{STREAM} is damaged"),
        (partition(replication_key_value="yesterday"), f"{STREAM} is damaged"),
        (partition(replication_key_value="0001-01-01"), f"{STREAM} is damaged"),
        (partition(replication_key_value=5), f"{STREAM} is damaged"),
        (partition(revisits={"often": "2026-03-01"}), f"{STREAM} is damaged"),
        (partition(revisits={"1e400": "2026-03-01"}), f"{STREAM} is damaged"),
        (partition(revisits={"nan": "2026-03-01"}), f"{STREAM} is damaged"),
        (partition(revisits=["1440"]), f"{STREAM} is damaged"),
        (partition(incomplete=[{"start": "2026-03-01"}]), f"{STREAM} is damaged"),
        (partition(incomplete={"start": "2026-03-01"}), f"{STREAM} is damaged"),
        (partition(incomplete=None), f"{STREAM} is damaged"),
        (partition(notes=5), f"{STREAM} is damaged"),
    ],
)
def test_another_taps_state_or_a_damaged_one_is_refused_in_one_sentence(state: Any, said: str) -> None:
    with pytest.raises(StateError) as caught:
        check(state, NAMES)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["2026-03-01", "0001-01-01", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["1", "start", "a"]), inner),
    max_leaves=4,
)


@given(
    st.dictionaries(
        st.sampled_from(["replication_key_value", "revisits", "incomplete", "notes", "context", "partitions"]), values
    ),
    values,
)
def test_no_state_is_so_odd_that_it_breaks_the_check(entries: dict[str, Any], other: Any) -> None:
    for state in (
        partition(**entries),
        {"bookmarks": {STREAM: entries}},
        {"bookmarks": {STREAM: {"partitions": [entries, other]}}},
        other,
    ):
        try:
            check(state, NAMES)
        except StateError:
            continue
        found = state["bookmarks"].get(STREAM) if state else None
        if found and found.get("partitions"):
            loaded = tap(state)
            bookmark_of(loaded.streams[STREAM], ACCOUNT)
            endpoint(loaded)


def test_state_holds_whole_numbers_only(vendor: str) -> None:
    """Loaders read other numbers as Decimal, and cannot write those: with target-postgres a second run would fail."""
    clock, state = Ticking(), None
    with Sandbox(size=20, now=clock.now, vendors=[vendor]) as box:
        for _ in range(3):
            state = run(box.config(), state=state, clock=clock).states[-1].value
            clock.pass_time(minutes=70, seconds=0.25)
    assert state is not None
    text = json.dumps(state)
    json.loads(text, parse_float=lambda number: pytest.fail(f"{number} in {text}"))

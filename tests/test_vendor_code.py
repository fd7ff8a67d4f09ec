"""Whatever a vendor's code does wrong is the failure of its endpoint: the others finish, and the run ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from general import EVENTS, NOW
from harness import run
from tap_emaillogs.engine.paged_reader import PagedReader
from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.window import Window
from test_endless import Odd, Tokens
from test_reader_shapes import PAGE, Sixth, rows_by_day, serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from outcome import Run

    Serve = Callable[..., dict[str, Any]]

__all__ = ["serve"]

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(20)]


class Unsayable(ReadError):
    """An error that cannot even be told."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


ERRORS = [
    ValueError,
    StopIteration,
    RecursionError,
    MemoryError,
    SystemExit,
    KeyboardInterrupt,
    GeneratorExit,
    Stopped,
    BaseException,
    Unsayable,
]
HOOKS = [
    "for_account",
    "bind",
    "layout",
    "url_base",
    "decode",
    "get_url",
    "get_http_request",
    "get_new_paginator",
    "parse_page",
    "is_full",
    "filters",
    "times",
    "time_of",
    "times_of",
    "take",
    "take_row",
    "inside",
    "record",
    "prepare",
    "events",
    "remark",
    "moments_of",
    "post_process",
    "_make_codec",
]
READER_HOOKS = ["__init__", "read", "windows_in_flight", "postponed", "pinned", "ask", "outcome", "split", "take"]


def pairs(hooks: list[str]) -> list[Any]:
    """Return each hook with each kind of error: quickly each hook once and each kind once, thoroughly all of them."""
    found = []
    for place, hook in enumerate(hooks):
        for number, error in enumerate(ERRORS):
            marks = [] if number == place % len(ERRORS) else [pytest.mark.thorough]
            found.append(pytest.param(hook, error, marks=marks, id=f"{hook}-{error.__name__}"))
    return found


class Healthy(Tokens):
    name = "sixth_healthy"


class Plugged(Sixth):
    """Two streams, of which the second is at fault."""

    def __init__(self, stream: type[LogStream]) -> None:
        self.streams = (Healthy, stream)  # type: ignore[misc] # of one test
        self.event_sources = (stream.name,)  # type: ignore[misc,assignment]


def raising(error: type[BaseException], *, is_property: bool = False) -> tuple[Any, list[None]]:
    called: list[None] = []

    def fail(*_: Any, **__: Any) -> Any:
        called.append(None)
        raise error("a vendor's fault")

    return property(fail) if is_property else fail, called


class FaultyReader(PagedReader):
    """What `Faulty` is read by; tests replace parts of it."""


class Faulty(Tokens):
    name = "sixth_faulty"
    reader: ClassVar[str | None] = "test_vendor_code:FaultyReader"


@pytest.fixture
def both(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Callable[[type[LogStream]], Run]:
    monkeypatch.setattr("test_reader_shapes.Sixth", Plugged)

    def start(stream: type[LogStream]) -> Run:
        vendor = Odd(
            rows_by_day(150, days=20),
            lambda rows, at: (
                rows[at * PAGE : (at + 1) * PAGE],
                len(rows),
                str(at + 1) if len(rows) > PAGE * (at + 1) else None,
            ),
        )
        return run(serve(stream, vendor))

    return start


def assert_alone(found: Run, *, failed: bool) -> None:
    assert len(found.records["sixth_healthy"]) == 150, found.stderr
    assert found.bookmark("sixth_healthy") == "2026-03-01T11:55:00.000Z"
    assert found.messages[-1]["type"] == "STATE"
    assert {row["status"] for row in found.windows("sixth_healthy")} == {"complete"}
    if failed:
        assert found.status == 1
        assert [line for line in found.lines("ERROR") if "sixth, account default, stream sixth_" in line]
        assert found.bookmark("sixth_faulty") is None
        assert "a vendor's fault" not in found.stderr
    else:
        assert found.status == 0, found.stderr


@pytest.mark.parametrize(("hook", "error"), pairs(HOOKS))
def test_hooks_of_a_stream(both: Callable[..., Run], hook: str, error: type[BaseException]) -> None:
    fail, called = raising(error, is_property=isinstance(getattr(LogStream, hook, None), property))
    found = both(type("Broken", (Faulty,), {hook: fail}))
    # The time of a row is asked for by who watches; reading does without it here, and so loses nothing.
    only_watched = hook == "time_of" and issubclass(error, Exception)
    assert_alone(found, failed=bool(called) and not only_watched)


@pytest.mark.parametrize(("hook", "error"), pairs(READER_HOOKS))
def test_hooks_of_a_reader(
    both: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, hook: str, error: type[BaseException]
) -> None:
    fail, called = raising(error)
    monkeypatch.setattr(FaultyReader, hook, fail)
    found = both(Faulty)
    assert called
    assert_alone(found, failed=True)


@pytest.mark.parametrize("reader", ["no.such:Reader", "json:loads", "tap_emaillogs.engine.walk:Nope", "", "::", "os"])
def test_a_reader_that_is_none(both: Callable[..., Run], reader: str) -> None:
    assert_alone(both(type("Broken", (Faulty,), {"reader": reader})), failed=True)


def broken_records(error: type[BaseException]) -> Any:
    yield {"account": "default", "mail_id": "x", "created_at": None, "mail_to": None, "extra_fields": None}
    raise error


OUTCOMES: dict[str, Callable[[Window], Any]] = {
    "nothing": lambda window: None,
    "a text": lambda window: "complete",
    "no status": lambda window: Outcome(status=None),  # type: ignore[arg-type]
    "failed": lambda window: Outcome(status="failed"),
    "a reason that is none": lambda window: Outcome(status="truncated", reason=7),  # type: ignore[arg-type]
    "records that break": lambda window: Outcome(broken_records(ValueError)),
    "records that stop": lambda window: Outcome(broken_records(Stopped)),
    "records that exit": lambda window: Outcome(broken_records(SystemExit)),
    "records that are none": lambda window: Outcome(7),  # type: ignore[arg-type]
    "a time without zone": lambda window: Outcome(as_of=NOW.replace(tzinfo=None)),
    "no parts": lambda window: Split([]),
    "itself": lambda window: Split([window]),
    "a hole": lambda window: Split([Window(window.start, window.start), Window(window.end, window.end)]),
    "other parts": lambda window: Split([Window(NOW, window.start), Window(window.start, window.end)]),
}


@pytest.mark.parametrize("what", OUTCOMES)
def test_outcomes_that_are_none(both: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(FaultyReader, "read", lambda self, reading: OUTCOMES[what](reading.window))
    assert_alone(both(Faulty), failed=True)


@pytest.mark.parametrize(
    "total", [10**400, -1, float("nan"), "many", object()], ids=["huge", "negative", "NaN", "text", "object"]
)
def test_a_total_that_is_none_is_left_out(
    both: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, total: Any
) -> None:
    monkeypatch.setattr(FaultyReader, "read", lambda self, reading: Outcome(reported_total=total))
    found = both(Faulty)
    assert_alone(found, failed=False)
    assert [row["reported_total"] for row in found.windows("sixth_faulty")] == [None]


@pytest.mark.parametrize(("hook", "error"), pairs(["on_commit", "on_written", "close"]))
def test_what_is_called_around_a_window(
    both: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, hook: str, error: type[BaseException]
) -> None:
    fail, called = raising(error)
    monkeypatch.setattr(FaultyReader, "read", lambda self, reading: Outcome(**{hook: fail}))
    found = both(Faulty)
    assert called
    assert_alone(found, failed=hook == "close")
    if hook != "close":
        assert [line for line in found.lines("WARNING") if error.__name__ in line]


@pytest.mark.parametrize(
    "entry", [object(), {1, 2}, 10**400, float, b"\xff\xfe"], ids=["object", "set", "huge", "class", "bytes"]
)
def test_notes_that_are_no_json(both: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, entry: Any) -> None:
    def read(self: Any, reading: Any) -> Outcome:
        reading.context.notes.change("jobs", [entry])
        reading.context.notes.saved()
        return Outcome()

    monkeypatch.setattr(FaultyReader, "read", read)
    found = both(Faulty)
    assert len(found.records["sixth_healthy"]) == 150, found.stderr
    assert found.messages[-1]["type"] == "STATE"


def test_events_are_told_apart_from_the_healthy_stream(both: Callable[..., Run]) -> None:
    found = both(Faulty)
    assert found.status == 0, found.stderr
    assert EVENTS in found.schemas

"""Whatever a vendor or the network does: no row is lost, doubled or invented, and trouble is told in one clear line."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, asked, beginning, config_of, facts, limit, options_of, pages, stream_of, vendor_of
from harness import Ticking, run
from outcome import Run, assert_rows, assert_tiles, bookmarks, uncovered, upserted
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS as PLAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

every_kind = pytest.mark.needs("faults")
paging_kind = pytest.mark.needs("faults", "paging")
TRIES = 3
SIZE = 150


@pytest.fixture(scope="module")
def boxes() -> Iterator[dict[str, Sandbox]]:
    """The sandbox of each kind: one for all vendors, and one for each variant."""
    with contextlib.ExitStack() as stack:

        def start(vendors: list[str], options: dict[str, Any]) -> Sandbox:
            return stack.enter_context(Sandbox(size=SIZE, now=NOW, vendors=vendors, options=options))

        names = list(PLAYERS)
        found = dict.fromkeys(names, start(names, options_of(*names)))
        for vendor in names:
            for more, own in facts(vendor).variants.items():
                found[vendor + more] = start([vendor], {vendor: dict(own.options)})
        yield found


@pytest.fixture
def peace(boxes: dict[str, Sandbox]) -> Iterator[None]:
    yield
    for box in boxes.values():
        box.clear_faults()


pytestmark = pytest.mark.usefixtures("peace")


def settings(box: Sandbox, kind: str, **more: Any) -> dict[str, Any]:
    """Pages of 30 of 150 rows; Infobip's first version splits its window instead."""
    vendor, top = vendor_of(kind), {"max_tries": TRIES, "timeout_seconds": 5}
    return config_of(box, vendor, top=top, **{**facts(kind).settings, **pages(kind, 30), **more})


def assert_whole(box: Sandbox, kind: str, runs: Run | list[Run]) -> None:
    """Check that the last run succeeded and that all runs together have every row."""
    last = runs if isinstance(runs, Run) else runs[-1]
    vendor = vendor_of(kind)
    assert last.status == 0, last.stderr
    assert_rows(box, runs, vendor)


def failure(found: Run, kind: str) -> str:
    """Return the one line that tells of a failure."""
    vendor = vendor_of(kind)
    assert found.status == 1
    (line,) = found.lines("ERROR")
    for word in (vendor, "account default", stream_of(vendor), "What to do: "):
        assert word in line
    assert not line.rstrip().endswith("What to do:")
    return line


# --- what passes by itself

PASSING: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {"kind": "status", "status": 429, "retry_after": 7},
    "429 without": {"kind": "status", "status": 429},
    "408": {"kind": "status", "status": 408},
    "425": {"kind": "status", "status": 425},
    "500": {"kind": "status", "status": 500},
    "502 as html": {"kind": "status", "status": 502, "body": "<html>Bad gateway"},
    "503 with Retry-After": {"kind": "status", "status": 503, "retry_after": 3},
    "529": {"kind": "status", "status": 529},
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut"},
    "cut JSON": {"kind": "cut_json"},
    "html": {"kind": "html"},
}


@every_kind
@pytest.mark.parametrize("fault", PASSING)
def test_trouble_that_passes_is_waited_out(boxes: dict[str, Sandbox], kind: str, fault: str) -> None:
    box = boxes[kind]
    # The first request, and later ones: the second page, a part of a split window.
    ordered = box.fault(vendor=vendor_of(kind), times=3, every=3, **PASSING[fault])
    clock = Ticking()
    found = run(settings(box, kind), box=box, clock=clock)
    assert ordered.struck >= 2
    assert_whole(box, kind, found)
    stream = facts(kind).stream
    rows = found.windows(stream)
    assert_tiles(rows, beginning(vendor_of(kind)), limit(vendor_of(kind)))
    assert {row["status"] for row in rows} == {"complete"}
    assert sum(row["requests"] for row in rows) == asked(found, vendor_of(kind)), "retries count"
    assert len(upserted(found, stream)) == len(found.records[stream])
    assert len(clock.waits) >= ordered.struck
    assert len(found.lines("WARNING")) == ordered.struck
    for line in found.lines("WARNING"):
        assert f"{vendor_of(kind)}, account default" in line


@every_kind
def test_a_slow_answer_is_asked_for_again(boxes: dict[str, Sandbox], kind: str) -> None:
    box = boxes[kind]
    ordered = box.fault(vendor=vendor_of(kind), kind="slow", seconds=0.8, after=1)
    config = settings(box, kind)
    config["timeout_seconds"] = 0.25
    assert_whole(box, kind, run(config))
    assert ordered.struck == 1


@every_kind
def test_retry_after_holds_the_whole_account_back(play: Callable[..., Sandbox], kind: str) -> None:
    clock = Ticking()
    vendor = vendor_of(kind)
    box = play(now=clock.now, live=False, vendors=[vendor], options={vendor: dict(facts(kind).options)})
    box.fault(vendor=vendor, kind="status", status=429, retry_after=300, after=3)
    found = run(settings(box, kind, window_hours=facts(kind).hours), box=box, clock=clock)
    assert_whole(box, kind, found)
    (refused,) = [request.time for request in found.requests if request.status == 429]
    others = [request.time for request in found.requests if request.time > refused]
    assert others
    assert min(others) >= refused + timedelta(seconds=300)


@every_kind
def test_without_retry_after_waits_grow_past_a_minute(boxes: dict[str, Sandbox], kind: str) -> None:
    """SMTP2GO blocks an address for a minute or more: six tries must outlast that."""
    box = boxes[kind]
    box.fault(vendor=vendor_of(kind), kind="status", status=429, times=-1)
    clock = Ticking()
    config = settings(box, kind)
    del config["max_tries"]
    found = run(config, box=box, clock=clock)
    assert asked(found, vendor_of(kind)) == 6
    assert "429" in failure(found, kind)
    assert 60 < sum(clock.waits) < 600
    assert clock.waits[:4] == sorted(clock.waits[:4])  # the fifth is capped, and its jitter may be less


# --- paging that goes astray


@paging_kind
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fault", ["expire_token", "empty_page", "repeat_token", "loop_token", "repeat_page"])
def test_paging_that_goes_astray_once_costs_no_row(
    boxes: dict[str, Sandbox], kind: str, fault: str, times: int
) -> None:
    if fault in facts(kind).unfit:
        pytest.skip(facts(kind).unfit[fault])
    box = boxes[kind]
    ordered = box.fault(vendor=vendor_of(kind), kind=fault, after=2, times=times)
    found = run(settings(box, kind), box=box)
    assert ordered.struck == times
    assert_whole(box, kind, found)
    rows = found.windows(facts(kind).stream)
    assert {row["status"] for row in rows} == {"complete"}
    assert sum(row["requests"] for row in rows) == asked(found, vendor_of(kind))
    assert len(found.records[facts(kind).stream]) == SIZE, "a page that came again is not written again"


@pytest.mark.parametrize("paging", ["offset", "page"])
@pytest.mark.parametrize("fault", ["empty_page", "repeat_token", "loop_token", "repeat_page"])
def test_jetemail_pages_that_go_astray(boxes: dict[str, Sandbox], paging: str, fault: str) -> None:
    box = boxes["jetemail"]
    box.fault(vendor="jetemail", kind=fault, after=1)
    found = run(settings(box, "jetemail", paging=paging), box=box)
    assert_whole(box, "jetemail", found)
    assert len(found.records[stream_of("jetemail")]) == SIZE


@paging_kind
@pytest.mark.parametrize("fault", ["expire_token", "repeat_token", "loop_token", "repeat_page"])
def test_paging_that_never_works_ends_in_smaller_windows_or_a_clear_failure(
    boxes: dict[str, Sandbox], kind: str, fault: str
) -> None:
    """A vendor whose second page never works can still be read where one page holds a window."""
    if fault in facts(kind).unfit:
        pytest.skip(facts(kind).unfit[fault])
    box = boxes[kind]
    box.fault(vendor=vendor_of(kind), kind=fault, times=-1, contains="token" if kind == "smtp2go" else "")
    found = run(settings(box, kind), box=box)
    stream = facts(kind).stream
    assert asked(found, vendor_of(kind)) < 1500
    if found.status == 0:
        missing = uncovered(found.windows(stream), beginning(vendor_of(kind)), limit(vendor_of(kind)))
        assert missing or len(upserted(found, stream)) == SIZE, "rows are missing and nothing says so"
    else:
        failure(found, kind)
        box.clear_faults()
        assert_whole(box, kind, [found, run(settings(box, kind), state=found.state)])


# --- what does not pass

LASTING: dict[str, tuple[dict[str, Any], str, int]] = {
    "500": ({"kind": "status", "status": 500}, "HTTP 500", TRIES),
    "429": ({"kind": "status", "status": 429}, "HTTP 429", TRIES),
    "429, an hour": ({"kind": "status", "status": 429, "retry_after": 3600}, "asks to wait 3600 s", 1),
    "400": ({"kind": "status", "status": 400}, "HTTP 400", 1),
    "402": ({"kind": "status", "status": 402}, "HTTP 402", 1),
    "403": ({"kind": "status", "status": 403}, "HTTP 403", 1),
    "404": ({"kind": "status", "status": 404}, "HTTP 404", 1),
    "410": ({"kind": "status", "status": 410, "body": "gone"}, "HTTP 410", 1),
    "reset": ({"kind": "reset"}, "no answer", TRIES),
    "cut": ({"kind": "cut"}, "no answer", TRIES),
    "cut JSON": ({"kind": "cut_json"}, "without valid JSON", TRIES),
    "html": ({"kind": "html"}, "text/html", TRIES),
    "garbage": ({"kind": "garbage"}, "the answer holds no", 1),
    "redirect": ({"kind": "redirect"}, "HTTP 302", 1),
    "an error under 200": ({"kind": "error_200"}, "answers with an error", 1),
}


@every_kind
@pytest.mark.parametrize("fault", LASTING)
def test_trouble_that_lasts_fails_clearly_and_the_next_run_has_all(
    boxes: dict[str, Sandbox], kind: str, fault: str
) -> None:
    box = boxes[kind]
    order, said, tries = LASTING[fault]
    box.fault(vendor=vendor_of(kind), times=-1, **order)
    found = run(settings(box, kind), box=box)
    assert said in failure(found, kind)
    assert asked(found, vendor_of(kind)) == tries
    stream = facts(kind).stream
    assert not found.records[stream]
    assert not found.records["email_events"]
    if fault == "403":  # a first run that may read nothing tells nothing but its sentence
        assert {message["type"] for message in found.messages} == {"SCHEMA"}
    else:
        (row,) = found.windows(stream)
        assert row["status"] == "failed"
        assert row["requests"] == tries
        assert row["gap_reason"]
    assert not bookmarks(found.state).get(stream), "nothing was read, so no bookmark"
    box.clear_faults()
    again = run(settings(box, kind), state=found.state, box=box)
    assert_whole(box, kind, [found, again])
    ledger = upserted([found, again], LEDGER)
    assert {row["status"] for row in ledger.values()} == {"complete"}, "what had failed is told to be complete now"
    assert not any("incomplete" in str(entry) for entry in again.state["bookmarks"].values())


@every_kind
@pytest.mark.parametrize("fault", ["500", "garbage", "cut JSON", "403", "an error under 200"])
@pytest.mark.parametrize("after", [1, 4, 9])
def test_trouble_amid_a_run_keeps_what_is_out_and_goes_on_there(
    boxes: dict[str, Sandbox], kind: str, fault: str, after: int
) -> None:
    box = boxes[kind]
    vendor, stream = vendor_of(kind), facts(kind).stream
    # Of two windows at once the refused one may come first, and a first run that is refused at once writes nothing.
    one_by_one = {"max_concurrency": 1} if (fault, after) == ("403", 1) else {}
    config = settings(box, kind, window_hours=facts(kind).hours, lookback_minutes=0, **pages(kind, 10), **one_by_one)
    ordered = box.fault(vendor=vendor, times=-1, after=after, **LASTING[fault][0])
    found = run(config, box=box)
    assert ordered.struck
    failure(found, kind)
    done = [row for row in found.windows(stream) if row["status"] == "complete"]
    (failed,) = [row for row in found.windows(stream) if row["status"] == "failed"]
    mark = found.bookmark(stream)
    if done:
        assert mark == failed["window_start"] == max(row["window_end"] for row in done)
    else:
        assert mark is None
    assert found.bookmark("email_events") == mark
    assert len(found.records[stream]) == sum(row["records"] for row in done)
    box.clear_faults()
    again = run(config, state=found.state, box=box)
    assert_whole(box, kind, [found, again])
    if mark:
        assert min(row["window_start"] for row in again.windows(stream)) == mark
    ledger = upserted([found, again], LEDGER)
    assert {row["status"] for row in ledger.values()} == {"complete"}


@every_kind
def test_a_redirect_is_not_followed(boxes: dict[str, Sandbox], kind: str) -> None:
    box = boxes[kind]
    elsewhere = f"{box.url}/{vendor_of(kind)}/elsewhere"
    box.fault(vendor=vendor_of(kind), kind="redirect", location=elsewhere, times=-1)
    found = run(settings(box, kind), box=box)
    assert "base_url" in failure(found, kind)
    assert [request.status for request in found.requests] == [302]


@every_kind
def test_nobody_at_home(boxes: dict[str, Sandbox], kind: str) -> None:
    vendor = vendor_of(kind)
    config = settings(boxes[kind], kind)
    config[vendor]["base_url"] = "http://127.0.0.1:9"
    clock = Ticking()
    assert "no answer" in failure(run(config, clock=clock), kind)
    assert len(clock.waits) == TRIES - 1


# --- isolation


THREE = ("smtp2go", "jetemail", "infobip")


@pytest.mark.needs("faults")
def test_one_wrong_key_among_others(boxes: dict[str, Sandbox], vendor: str) -> None:
    box = boxes[vendor]
    others = [one for one in THREE if one != vendor]
    config = config_of(box, vendor, *others)
    config[vendor] |= facts(vendor).wrong
    found = run(config, box=box)
    line = failure(found, vendor)
    assert "401" in line
    assert "check the key" in line
    for other in (vendor, *others):
        stream = stream_of(other)
        if other == vendor:
            assert not found.records[stream]
            assert asked(found, other) == 1
            assert not bookmarks(found.state).get(stream)
        else:
            assert_rows(box, found, other)
            assert found.bookmark(stream)
            assert {row["status"] for row in found.windows(stream)} == {"complete"}
    config[vendor] |= box.config()[vendor]
    assert_whole(box, vendor, [found, run(config, state=found.state)])


@pytest.mark.needs("faults")
def test_one_wrong_account_among_two(boxes: dict[str, Sandbox], vendor: str) -> None:
    box = boxes[vendor]
    config = config_of(box, vendor)
    config[vendor]["accounts"] = [{"account": "good"}, {"account": "bad", **facts(vendor).wrong}]
    found = run(config, box=box)
    assert found.status == 1
    (line,) = found.lines("ERROR")
    assert "account bad" in line
    assert_rows(box, found, vendor, label="good")
    assert {row["account"] for row in found.records[stream_of(vendor)]} == {"good"}
    assert found.bookmark(stream_of(vendor), account="good")
    assert not found.bookmark(stream_of(vendor), account="bad")


@pytest.mark.parametrize("kind", ["reset", "html", "garbage", "status", "redirect"])
def test_two_of_three_fail_and_each_has_a_line(boxes: dict[str, Sandbox], kind: str) -> None:
    box = boxes["smtp2go"]
    for vendor in ("smtp2go", "infobip"):
        box.fault(vendor=vendor, kind=kind, times=-1)
    found = run(config_of(box, *THREE, top={"max_tries": 2}), box=box)
    assert found.status == 1
    lines = found.lines("ERROR")
    assert len(lines) == 2
    assert {vendor for vendor in THREE for line in lines if stream_of(vendor) in line} == {"smtp2go", "infobip"}
    assert_rows(box, found, "jetemail")


@every_kind
def test_a_vendors_words_are_quoted_without_secrets(boxes: dict[str, Sandbox], kind: str) -> None:
    """`run` checks stderr, STATE and ledger for keys and addresses; here the vendor repeats both."""
    box, vendor = boxes[kind], vendor_of(kind)
    key = box.config([vendor])[vendor]["api_key"]
    disguised = [
        "".join(f"%{ord(one):02x}" for one in key),
        "".join(f"&#{ord(one)};" for one in key),
        base64.b64encode(b"someone@example.com").decode(),
        b"someone@example.com".hex(),
    ]
    words = f"no access for {key} of someone@example.com {' '.join(disguised)}"
    body = facts(kind).said(words)
    first = run(settings(box, kind))
    for status in (403, 500):
        box.clear_faults()
        box.fault(vendor=vendor, kind="status", status=status, body=body, times=-1)
        found = run(settings(box, kind), state=first.state)
        assert "no access for [" in failure(found, kind)
        (row,) = [row for row in found.ledger if row["status"] == "failed"]
        assert key not in row["gap_reason"]
        assert "@" not in row["gap_reason"]
        assert not [one for one in disguised if one in row["gap_reason"] or one in found.stderr]


# --- answers that are understood


def test_smtp2go_errors_at_top_level(play: Callable[..., Sandbox]) -> None:
    box = play(vendors=["smtp2go"], options={"smtp2go": {"flat_errors": True}})
    config = config_of(box)
    config["smtp2go"]["api_key"] = "api-WRONG0KEY0123456789"
    assert "The API Key passed was not in the correct format" in failure(run(config), "smtp2go")


UNKNOWN: list[Any] = [
    {},
    [],
    None,
    "ok",
    7,
    {"data": None},
    {"data": []},
    {"data": {}},
    {"data": {"events": None, "total_events": 0}},
    {"data": {"events": {}}},
    {"results": None},
    {"results": {}},
    {"logs": []},
    {"success": True, "data": {}},
    {"success": True, "data": None, "pagination": {}},
    {"success": True, "data": [], "pagination": None},
    {"success": True, "data": []},
    {"results": [], "cursor": "next"},
    {"results": [7]},
    {"data": {"events": ["x"]}},
    {"success": True, "pagination": {"total_count": 1}, "data": [None]},
]


@every_kind
@pytest.mark.parametrize("number", range(len(UNKNOWN)))
def test_an_unknown_wrapper_is_an_error_and_never_zero_rows(boxes: dict[str, Sandbox], kind: str, number: int) -> None:
    body = UNKNOWN[number]
    if body in facts(kind).understood:
        pytest.skip("this is an answer of the vendor's, with no rows")
    box = boxes[kind]
    box.fault(vendor=vendor_of(kind), kind="status", status=200, body=json.dumps(body), times=-1)
    line = failure(run(settings(box, kind)), kind)
    assert "inside the tap" not in line, line

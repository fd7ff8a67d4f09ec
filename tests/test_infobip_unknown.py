"""Infobip: what no document says, both ways: bounds, order, offsets, cursors, the 48 hours, rows without a key."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import NOW, STREAMS, asked, beginning, config_of, limit
from harness import Ticking, run
from outcome import assert_rows, assert_tiles, canonical, rows_of, upserted, window
from sandbox.base import Life
from sandbox.infobip.data import PENDING, STEPS
from tap_emaillogs.formats import addresses, timestamps

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

STREAM, EVENTS = STREAMS["infobip"], "email_events"
both_versions = pytest.mark.parametrize("version", [1, 4])

# --- what no document says: bounds, order, offsets, cursors, the edge of the history

BOUNDS = list(itertools.product((True, False), (True, False)))
ORDERS = ("newest", "oldest", "changed", "shuffled")


@pytest.mark.parametrize("older", ["less", "refuse"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bounds", BOUNDS, ids=["both", "lower", "upper", "neither"])
@pytest.mark.parametrize("kind", ["1", "4 snapshot", "4 offset", "4 ignored"])
def test_every_answer_to_what_is_unknown(
    play: Play, kind: str, bounds: tuple[bool, bool], order: str, older: str
) -> None:
    version, _, cursor = kind.partition(" ")
    zone = ("Z", "+0000", "+00:00", "-03:30")[ORDERS.index(order)]
    options = {
        "api_version": int(version),
        "lower_inclusive": bounds[0],
        "upper_inclusive": bounds[1],
        "order": order,
        "offset": zone,
        "older": older,
        "cursor": cursor or "snapshot",
        "burst": [{"count": 60}, {"count": 12, "same_ms": True, "second": (NOW - timedelta(hours=9)).isoformat()}],
    }
    box = play(vendors=["infobip"], size=260, options={"infobip": options})
    found = run(config_of(box, page_size=30, window_hours=30), box=box)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "infobip")
    assert len(found.records[STREAM]) == 260, "none twice"
    rows = found.windows(STREAM)
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, beginning("infobip"), limit("infobip"))
    assert sum(row["requests"] for row in rows) == asked(found, "infobip")


@both_versions
@pytest.mark.parametrize("zone", ["Z", "+0000", "+00:00", "+05:45", "-0330"])
def test_times_of_any_zone_are_the_same_rows_and_events(play: Play, zone: str, version: int) -> None:
    plain = run(config_of(play(vendors=["infobip"], options={"infobip": {"api_version": version}})))
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version, "offset": zone}})
    found = run(config_of(box))
    for name in (STREAM, EVENTS):
        assert canonical(found.records[name]) == canonical(plain.records[name])


def keys_of(rows: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(row["messageId"], row["to"]) for row in rows}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("what", ["late", "change"])
def test_rows_that_come_and_change_while_a_cursor_pages(play: Play, order: str, what: str) -> None:
    """A cursor that only says how many rows to skip: what moves between two pages must hide no row."""
    options = {"api_version": 4, "cursor": "offset", "order": order}
    box = play(vendors=["infobip"], size=200, options={"infobip": options})
    box.late("infobip", count=40, minutes_ago=5)  # pending
    there = keys_of(rows_of(box, "infobip"))
    box.fault(vendor="infobip", kind=what, count=3, minutes_ago=4, after=1, times=5)
    found = run(config_of(box, page_size=25), box=box)
    assert box.faults.listed()[0]["struck"] == 5
    assert there <= {key[1:] for key in upserted(found, STREAM)}
    assert len(found.records[STREAM]) == len(keys_of(found.records[STREAM])), "each mail once"


@pytest.mark.parametrize("order", ORDERS)
def test_rows_that_leave_a_filter_while_a_cursor_pages(play: Play, order: str) -> None:
    options = {"api_version": 4, "cursor": "offset", "order": order}
    box = play(vendors=["infobip"], size=0, options={"infobip": options})
    box.late("infobip", count=300, minutes_ago=5)  # pending
    (log,) = box.vendor("infobip").logs.values()
    handle, asked_before = box.vendor("infobip").handle, itertools.count()

    def changing(request: Any) -> Any:
        if 1 <= next(asked_before) <= 3:  # the newest ones, which the first page shows
            for mail in [mail for mail in log.rows if mail.status == PENDING][-7:]:
                mail.finish(mail.at, STEPS["DELIVERED"])
            log.version += 1
        return handle(request)

    box.vendor("infobip").handle = changing
    found = run(config_of(box, page_size=25, filters={"generalStatus": "PENDING"}), box=box)
    assert found.status == 0, found.stderr
    left = keys_of([row for row in rows_of(box, "infobip") if row["status"]["groupName"] == "PENDING"])
    assert len(left) == 279
    assert left <= {key[1:] for key in upserted(found, STREAM)}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("older", ["less", "refuse"])
def test_rows_that_leave_the_history_while_a_cursor_pages(play: Play, order: str, older: str) -> None:
    clock = Ticking()
    options = {"api_version": 4, "cursor": "offset", "order": order, "older": older, "span_hours": 48.1}
    box = play(vendors=["infobip"], size=1000, now=clock.now, live=False, options={"infobip": options})
    vendor = box.vendor("infobip")
    handle = vendor.handle

    def slow(request: Any) -> Any:
        clock.pass_time(seconds=4)
        return handle(request)

    vendor.handle = slow
    found = run(config_of(box, page_size=50), box=box, clock=clock)
    assert found.status == 0, found.stderr
    edge = timestamps.millis(clock.now() - timedelta(hours=48) + timedelta(minutes=older == "refuse"))
    kept = keys_of([row for row in rows_of(box, "infobip") if row["sentAt"] > edge])
    assert len(kept) > 900
    assert kept <= {key[1:] for key in upserted(found, STREAM)}
    assert asked(found, "infobip") < 120
    assert_tiles(found.windows(STREAM), beginning("infobip"), limit("infobip"))
    for row in found.windows(STREAM):  # what left before its turn came is told, but for a minute
        assert row["status"] == "complete" or row["window_end"] <= edge


# --- the edge of the history


@both_versions
@pytest.mark.parametrize("ahead", [0, 0.2, 7, 45])
def test_a_vendor_that_refuses_to_look_beyond_its_history(play: Play, version: int, ahead: float) -> None:
    """It refuses by its own clock, which may be ahead, and time passes between planning and asking."""
    clock = Ticking()
    options = {"api_version": version, "older": "refuse"}
    box = play(
        vendors=["infobip"],
        now=lambda: clock.now() + timedelta(seconds=ahead),
        live=False,
        options={"infobip": options},
    )
    state: dict[str, Any] = {}
    runs = []
    for _ in range(3):
        found = run({**config_of(box, page_size=40), "on_gap": "fail"}, state=state, clock=clock, box=box)
        assert found.status == 0, found.stderr
        assert {row["status"] for row in found.windows(STREAM)} == {"complete"}
        refused = [request for request in found.requests if request.status == 400]
        assert len(refused) <= 3
        assert any(request.status == 200 for request in found.requests)
        runs.append(found)
        state = found.state
        clock.pass_time(hours=20)
    assert_rows(box, runs[0], "infobip")


@pytest.mark.parametrize("older", ["less", "refuse"])
def test_what_leaves_the_history_before_it_is_asked_for_is_told(play: Play, older: str) -> None:
    """A slow run: the bookmark is 47.9 hours old, the first windows cost minutes, a later one is past the history."""
    clock = Ticking()
    box = play(vendors=["infobip"], now=clock.now, live=False, size=400, options={"infobip": {"older": older}})
    config = {**config_of(box, window_hours=0.05, max_concurrency=1, revisit_minutes=[], lookback_minutes=0)}
    early = {**config, "end_date": (NOW - timedelta(hours=47.9)).isoformat()}
    first = run(early, clock=clock)
    assert first.status == 0
    box.fault(vendor="infobip", kind="status", status=429, retry_after=600, times=1)
    later = {**config, "infobip": {**config["infobip"], "window_hours": 0.2}}
    found = run({**later, "on_gap": "fail"}, state=first.state, clock=clock, box=box)
    assert found.status == 1, "a gap"
    rows = found.windows(STREAM)
    told = [row for row in rows if row["status"] == "truncated"]
    assert told
    assert all("older than the vendor keeps" in row["gap_reason"] for row in told)
    assert all(window(row).end <= NOW - timedelta(hours=47.7) for row in told)
    assert_tiles(rows, NOW - timedelta(hours=47.9), limit("infobip"))
    kept = clock.now() - timedelta(hours=48)
    assert not [row for row in rows if row["status"] == "complete" and window(row).end <= kept and row["records"]]
    # What cannot be read any more is not asked for again, and not remembered for ever.
    clock.pass_time(hours=1)
    again = run({**later, "on_gap": "fail"}, state=found.state, clock=clock, box=box)
    assert again.status == 0
    assert not [row for row in again.windows(STREAM) if row["status"] != "complete"]
    assert "incomplete" not in json.dumps(again.state)


def test_another_refusal_at_the_edge_fails_at_once(play: Play) -> None:
    box = play(vendors=["infobip"])
    error = {"requestError": {"serviceException": {"messageId": "BAD_REQUEST", "text": "Unknown application"}}}
    box.fault(vendor="infobip", kind="status", status=400, body=error, times=-1)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert asked(found, "infobip") == 1
    box.clear_faults()
    error["requestError"]["serviceException"]["text"] = "Date range not allowed"
    box.fault(vendor="infobip", kind="status", status=400, body=error, times=-1)
    found = run(config_of(box), box=box)
    assert found.status == 1
    assert asked(found, "infobip") == 4
    assert "Date range not allowed" in found.stderr


# --- rows without a part of their key, or without a date


@both_versions
@pytest.mark.parametrize("column", ["to", "messageId"])
@pytest.mark.parametrize("mode", ["keep", "hash", "domain", "drop"])
def test_rows_without_a_part_of_their_key(play: Play, column: str, version: int, mode: str) -> None:
    options = {"api_version": version, "lacks": {"column": column, "every": 60}}
    box = play(vendors=["infobip"], options={"infobip": options})
    privacy = {"recipient": mode} | ({} if mode == "keep" else {"salt": "0123456789abcdef"})
    found = run(config_of(box, page_size=50, top={"privacy": privacy}))
    assert found.status == 0
    rows = rows_of(box, "infobip")
    lacking = [row for row in rows if row.get(column) is None]
    assert len(lacking) == 5
    records = upserted(found, STREAM)
    assert len(records) == len(rows)
    assert sum(record[column] == "-" for record in records.values()) == 5
    if mode != "keep" and column == "to":
        assert not [record for record in records.values() if "@" in record["to"]]
    events = upserted(found, EVENTS).values()
    assert sum(event["event_type"] == "queued" for event in events) == len(rows)
    (warning,) = [line for line in found.lines("WARNING") if "primary key" in line]
    assert f"without {column}," in warning
    assert "(5 records)" in warning


def test_a_recipient_has_one_hash_however_its_domain_is_written(play: Play) -> None:
    box = play(vendors=["infobip"])
    address = "Ann@Bücher.Example"
    (log,) = box.vendor("infobip").logs.values()
    for mail, one in zip(log.rows[:2], (address, "ann@xn--bcher-kva.example"), strict=True):
        mail.person = mail.person._replace(address=one)
    privacy = {"recipient": "hash", "salt": "0123456789abcdef"}
    found = run(config_of(box, top={"privacy": privacy}))
    ids = {mail.id for mail in log.rows[:2]}
    hashes = {record["to"] for record in found.records[STREAM] if record["messageId"] in ids}
    assert len(hashes) == 1
    assert addresses.domain(address) == "xn--bcher-kva.example"


@both_versions
def test_ends_without_a_date_are_dated_when_they_were_sent(play: Play, version: int) -> None:
    clock = Ticking()
    options = {"api_version": version}
    box = play(size=0, now=clock.now, vendors=["infobip"], options={"infobip": options})
    box.live("infobip", [Life(NOW, ((timedelta(minutes=1), "UNDELIVERABLE"),))])
    clock.pass_time(hours=1)
    found = run(config_of(box), clock=clock)
    (record,) = found.records[STREAM]
    assert record["doneAt"] is None
    assert [event["event_at"] for event in found.records[EVENTS]] == ["2026-03-01T12:00:00.000Z"] * 2


@both_versions
def test_rows_of_the_other_version_are_understood(play: Play, version: int) -> None:
    """An account that answers in the other version's words loses neither recipient nor sender."""
    box = play(vendors=["infobip"], options={"infobip": {"api_version": version}})
    want = upserted(run(config_of(box)), STREAM)
    (log,) = box.vendor("infobip").logs.values()
    show = log.row
    log.row = lambda mail, _version: show(mail, 5 - version)
    assert upserted(run(config_of(box)), STREAM).keys() == want.keys()

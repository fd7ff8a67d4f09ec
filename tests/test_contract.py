"""What the contract promises of every stream, through the public surface: messages, STATE, ledger, exit status."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import (
    EVENTS,
    LEDGER,
    NOW,
    STREAMS,
    VENDORS,
    asked,
    beginning,
    config_of,
    facts,
    general,
    limit,
    needed,
    options_of,
    pages,
    stream_of,
)
from harness import Ticking, catalog, command, main_streams, read, run
from outcome import MILLIS, Run, assert_rows, assert_tiles, bookmarks, canonical, restored, rows_of, upserted, window
from tap_emaillogs.formats.timestamps import millis, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox


@pytest.fixture(scope="module")
def whole(shared_box: Sandbox) -> Run:
    """One first run over all that the general tests read."""
    names = list(shared_box.vendors)
    config = {name: own for vendor in names for name, own in general(shared_box, vendor).items()}
    return run(config, catalog=main_streams(config, *names), box=shared_box)


def event_bookmark(found: Run, vendor: str) -> str | None:
    return found.bookmark(EVENTS, provider=vendor, account="default", stream=stream_of(vendor))


def of_vendor(found: Run, stream: str, vendor: str) -> list[dict[str, Any]]:
    """Return the records of a stream that are a vendor's."""
    return [record for record in found.records[stream] if record.get("provider", vendor) == vendor]


# --- a first run


def test_a_first_run_is_complete(shared_box: Sandbox, whole: Run) -> None:
    assert whole.status == 0
    assert not whole.lines("WARNING")
    assert not whole.lines("ERROR")
    assert whole.schemas.keys() == {*map(stream_of, shared_box.vendors), EVENTS, LEDGER}
    for vendor in shared_box.vendors:
        assert_rows(shared_box, whole, vendor)


@pytest.mark.parametrize("stream", ["", EVENTS, LEDGER])
def test_keys_are_unique_and_every_other_property_is_nullable(whole: Run, vendor: str, stream: str) -> None:
    stream = stream or stream_of(vendor)
    records = of_vendor(whole, stream, vendor)
    assert records
    assert len(upserted(whole, stream)) == len(whole.records[stream])
    keys = whole.keys[stream]
    assert all(all(record[key] not in (None, "") for key in keys) for record in records)
    for name, spec in whole.schemas[stream]["properties"].items():
        kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
        assert len(set(kinds) - {"null"}) == 1, f"{name} has several types"
        assert name in keys or "null" in kinds, f"{name} is not nullable"
        assert spec.get("description"), f"{name} is not described"


@pytest.mark.parametrize("stream", ["", EVENTS, LEDGER])
def test_account_is_set_and_times_end_with_z(whole: Run, vendor: str, stream: str) -> None:
    stream = stream or stream_of(vendor)
    for record in of_vendor(whole, stream, vendor):
        assert record["account"] == "default"
        for name, spec in whole.schemas[stream]["properties"].items():
            if spec.get("format") == "date-time" and record[name] is not None:
                assert record[name].endswith("Z")
                parse(record[name])


def test_the_ledger_tiles_the_history_and_its_sums_are_the_runs(whole: Run, vendor: str) -> None:
    rows = whole.windows(stream_of(vendor))
    assert {row["status"] for row in rows} == {"complete"}
    assert {row["gap_reason"] for row in rows} == {None}
    assert {row["provider"] for row in rows} == {vendor}
    assert_tiles(rows, beginning(vendor), limit(vendor))
    assert sum(row["records"] for row in rows) == len(whole.records[stream_of(vendor)])
    assert sum(row["requests"] for row in rows) == asked(whole, vendor) > 0
    assert all(MILLIS.fullmatch(row[name]) for row in rows for name in ("window_start", "window_end", "read_at"))


@pytest.mark.needs("windows")
def test_many_windows_have_the_same_sums_and_a_state_each(shared_box: Sandbox, vendor: str) -> None:
    hours, stream = facts(vendor).hours, stream_of(vendor)
    found = read(shared_box, vendor, window_hours=hours, **pages(vendor, 20))
    rows = found.windows(stream)
    assert len(rows) > 5
    assert_rows(shared_box, found, vendor)
    assert_tiles(rows, beginning(vendor), limit(vendor))
    assert all(window(row).length <= timedelta(hours=hours) for row in rows)
    assert sum(row["records"] for row in rows) == len(found.records[stream]) == 300
    assert sum(row["requests"] for row in rows) == asked(found, vendor)
    # Ledger row, then the STATE that covers it: a bookmark is the end of the last window written before it.
    ends = [row["window_end"] for row in rows]
    written = [state for place, state in found.states if place > found.placed[LEDGER][0].place]
    for name in (stream, EVENTS):
        moves = [next(iter(bookmarks(state)[name].values())) for state in written]
        assert list(dict.fromkeys(moves)) == ends
    for place, state in found.states:
        mark = bookmarks(state).get(stream)
        if mark:
            out = [row.value["window_end"] for row in found.placed[LEDGER] if row.place < place]
            assert max(out) == next(iter(mark.values()))


def test_no_record_of_a_window_comes_after_its_state(shared_box: Sandbox, vendor: str) -> None:
    column = facts(vendor).time
    found = read(shared_box, vendor, window_hours=facts(vendor).hours)
    for place, state in found.states:
        mark = next(iter(bookmarks(state).get(stream_of(vendor), {}).values()), None)
        if mark:
            later = [record for at, record in found.placed[stream_of(vendor)] if at > place]
            assert all(parse(record[column]) >= parse(mark) for record in later)


# --- the next runs


@pytest.mark.needs("lookback")
def test_a_second_run_costs_one_window_and_changes_nothing(shared_box: Sandbox, vendor: str) -> None:
    first = read(shared_box, vendor)
    second = read(shared_box, vendor, state=first.state)
    assert needed(second, vendor) == facts(vendor).requests
    assert second.bookmark(stream_of(vendor)) == first.bookmark(stream_of(vendor)) == millis(limit(vendor))
    (row,) = second.windows(stream_of(vendor))
    assert window(row).start == limit(vendor) - facts(vendor).lookback
    assert_rows(shared_box, [first, second], vendor)


def test_an_empty_window_moves_the_bookmark(play: Callable[..., Sandbox], vendor: str) -> None:
    box = play(size=0, vendors=[vendor], options=options_of(vendor))
    clock = Ticking()
    found = read(box, vendor, top={"start_date": millis(NOW - timedelta(days=1))}, clock=clock)
    assert not found.records[stream_of(vendor)]
    assert found.bookmark(stream_of(vendor)) == millis(limit(vendor))
    assert needed(found, vendor) == facts(vendor).when_empty
    clock.pass_time(minutes=30)
    again = read(box, vendor, state=found.state, clock=clock)
    assert again.bookmark(stream_of(vendor)) == millis(limit(vendor) + timedelta(minutes=30))
    assert needed(again, vendor) == facts(vendor).when_empty
    assert [row["status"] for row in again.windows(stream_of(vendor))] == ["complete"]


def test_what_a_run_writes_is_the_same_however_often(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    again = read(shared_box, vendor)
    for name in (stream_of(vendor), EVENTS):
        assert canonical(of_vendor(whole, name, vendor)) == canonical(again.records[name])


def test_a_bookmark_in_the_future_is_pulled_back(shared_box: Sandbox, vendor: str) -> None:
    state = read(shared_box, vendor).state
    future = json.loads(json.dumps(state).replace(millis(limit(vendor)), "2031-01-01T00:00:00.000Z"))
    found = read(shared_box, vendor, state=future)
    assert found.status == 0
    assert any("future" in line for line in found.lines("WARNING"))
    assert found.bookmark(stream_of(vendor)) == event_bookmark(found, vendor) == millis(limit(vendor))


@pytest.mark.needs("end of history")
@pytest.mark.parametrize("on_gap", ["warn", "fail"])
def test_a_bookmark_past_the_history_is_a_gap(shared_box: Sandbox, vendor: str, on_gap: str) -> None:
    top = {"on_gap": on_gap}
    old = json.dumps(read(shared_box, vendor, top=top).state).replace(millis(limit(vendor)), "2025-12-01T00:00:00.000Z")
    found = read(shared_box, vendor, state=json.loads(old), top=top)
    assert found.status == (1 if on_gap == "fail" else 0)
    assert any("older than the vendor keeps" in line for line in found.lines("WARNING"))
    gap, *others = sorted(found.windows(stream_of(vendor)), key=window)
    assert gap["status"] == "unavailable"
    assert (gap["window_start"], gap["window_end"]) == ("2025-12-01T00:00:00.000Z", millis(beginning(vendor)))
    assert {row["status"] for row in others} == {"complete"}
    assert_rows(shared_box, found, vendor)
    # Written once: the next run has its bookmark within the history, and nothing new to say.
    again = read(shared_box, vendor, state=found.state, top=top)
    assert again.status == 0
    looks = {"complete"} if facts(vendor).lookback else set()
    assert {row["status"] for row in again.windows(stream_of(vendor))} == looks


@pytest.mark.needs("end of history", "lookback")
def test_the_lookback_alone_makes_no_gap(shared_box: Sandbox, vendor: str) -> None:
    state = read(shared_box, vendor).state
    old = millis(beginning(vendor) + timedelta(minutes=1))
    found = read(shared_box, vendor, state=json.loads(json.dumps(state).replace(millis(limit(vendor)), old)))
    assert {row["status"] for row in found.windows(stream_of(vendor))} == {"complete"}
    assert min(window(row).start for row in found.windows(stream_of(vendor))) == beginning(vendor)


# --- start_date and end_date


@pytest.mark.needs("edges")
def test_end_date_is_exclusive_and_start_date_inclusive(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    column = facts(vendor).time
    records = sorted(of_vendor(whole, stream_of(vendor), vendor), key=lambda record: record[column])
    start, end = records[100][column], records[200][column]
    found = read(shared_box, vendor, top={"start_date": start, "end_date": end})
    have = canonical(map(restored, found.records[stream_of(vendor)]))
    low = canonical(restored(record) for record in records if start <= record[column] < end)
    if "exclusive end" in facts(vendor).unfit:  # what lies on the edge may come
        high = canonical(restored(record) for record in records if start <= record[column] <= end)
        assert low <= have <= high
    else:
        assert have == low
    assert_tiles(found.windows(stream_of(vendor)), parse(start), parse(end))
    assert found.bookmark(stream_of(vendor)) == millis(parse(end))


def test_backfill_goes_on_where_it_ended(shared_box: Sandbox, vendor: str) -> None:
    middle = NOW - facts(vendor).history / 2
    first = read(shared_box, vendor, top={"end_date": middle.isoformat()})
    assert first.bookmark(stream_of(vendor)) == millis(middle)
    second = read(shared_box, vendor, state=first.state)
    assert second.bookmark(stream_of(vendor)) == millis(limit(vendor))
    assert_rows(shared_box, [first, second], vendor)


@pytest.mark.parametrize("hours", [0, 1, 24])
def test_end_date_before_the_bookmark_reads_nothing(shared_box: Sandbox, vendor: str, hours: int) -> None:
    state = read(shared_box, vendor).state
    end = limit(vendor) - timedelta(hours=hours)
    found = read(shared_box, vendor, top={"end_date": millis(end)}, state=state)
    assert found.status == 0
    assert not asked(found, vendor)
    assert not found.records
    assert bookmarks(found.state or state) == bookmarks(state)


def test_a_bookmark_wins_over_start_date(shared_box: Sandbox, vendor: str) -> None:
    state = read(shared_box, vendor).state
    top = {"start_date": millis(beginning(vendor))}
    found = read(shared_box, vendor, state=state, top=top, lookback_minutes=0)
    assert all(window(row).start >= NOW - timedelta(days=1) for row in found.windows(stream_of(vendor)))


def test_start_date_of_the_account_wins(shared_box: Sandbox, vendor: str) -> None:
    start = NOW - timedelta(hours=10)
    top = {"start_date": (NOW - timedelta(hours=30)).isoformat()}
    found = read(shared_box, vendor, top=top, start_date=start.isoformat())
    assert_tiles(found.windows(stream_of(vendor)), start, limit(vendor))


# --- selection


def test_a_stream_selected_later_gets_its_history(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = general(shared_box, vendor)
    first = run(config, catalog=catalog(config, [stream_of(vendor), LEDGER]))
    assert EVENTS not in first.schemas
    assert EVENTS not in first.state["bookmarks"]
    second = read(shared_box, vendor, state=first.state)
    assert canonical(second.records[EVENTS]) == canonical(of_vendor(whole, EVENTS, vendor))
    assert event_bookmark(second, vendor) == second.bookmark(stream_of(vendor)) == millis(limit(vendor))


def test_events_alone_read_the_endpoint_once(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = general(shared_box, vendor)
    found = run(config, catalog=catalog(config, [EVENTS]), box=shared_box)
    assert found.schemas.keys() == {EVENTS}
    want = of_vendor(whole, EVENTS, vendor)
    assert want
    assert canonical(found.records[EVENTS]) == canonical(want)
    assert needed(found, vendor) == needed(whole, vendor)
    assert stream_of(vendor) not in found.state["bookmarks"]
    # And the raw stream later, from the start, while the events go on.
    raw = run(config, catalog=catalog(config, [stream_of(vendor)]), state=found.state)
    assert_rows(shared_box, raw, vendor)
    assert event_bookmark(raw, vendor) == event_bookmark(found, vendor)


def test_the_ledger_alone_reads_nothing_and_says_so(shared_box: Sandbox) -> None:
    config = config_of(shared_box)
    found = run(config, catalog=catalog(config, [LEDGER]), box=shared_box)
    assert found.status == 0
    assert not found.requests
    assert not found.records
    assert any(LEDGER in line for line in found.lines("WARNING"))


def test_deselected_properties_are_left_out_and_change_no_key(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = general(shared_box, vendor)
    gone, stream = facts(vendor).column, stream_of(vendor)
    found = run(config, catalog=catalog(config, [stream, EVENTS], {stream: [gone]}))
    assert gone not in found.schemas[stream]["properties"]
    assert all(gone not in record for record in found.records[stream])
    assert upserted(found, stream).keys() == upserted(whole, stream).keys()
    want = of_vendor(whole, EVENTS, vendor)
    assert canonical(found.records[EVENTS]) == canonical(want), "events are made of what was deselected too"


# --- accounts


@pytest.fixture
def two_accounts(play: Callable[..., Sandbox], vendor: str) -> Sandbox:
    one, two = facts(vendor).keys
    accounts = {one: {"label": "one"}, two: {"label": "two", "size": 77}}
    return play(vendors=[vendor], options=options_of(vendor, accounts=accounts))


@pytest.mark.needs("lookback")
def test_two_accounts_inherit_what_they_leave_out(two_accounts: Sandbox, vendor: str) -> None:
    config = general(two_accounts, vendor, page_size=50, lookback_minutes=30)
    assert {account["account"] for account in config[vendor]["accounts"]} == {"one", "two"}
    config[vendor]["accounts"][1]["lookback_minutes"] = 90
    config[vendor]["accounts"][1]["start_date"] = (NOW - timedelta(hours=40)).isoformat()
    first = run(config, box=two_accounts)
    second = run(config, state=first.state, box=two_accounts)
    stream = stream_of(vendor)
    assert_rows(two_accounts, first, vendor, key=facts(vendor).keys[0], label="one")
    assert len(first.windows(stream, "one")) >= 1
    assert min(window(row).start for row in first.windows(stream, "two")) == NOW - timedelta(hours=40)
    for label, minutes in (("one", 30), ("two", 90)):
        assert first.bookmark(stream, account=label) == millis(limit(vendor))
        (row,) = second.windows(stream, label)
        assert window(row).start == limit(vendor) - timedelta(minutes=minutes)
    assert {facts(vendor).size_of(request) for request in first.requests} == {50}


def test_accounts_of_one_vendor_share_no_key(two_accounts: Sandbox, vendor: str) -> None:
    found = read(two_accounts, vendor)
    for stream in (stream_of(vendor), EVENTS, LEDGER):
        assert len(upserted(found, stream)) == len(found.records[stream])
        assert {record["account"] for record in found.records[stream]} == {"one", "two"}
    assert len(found.records[stream_of(vendor)]) == 377


# --- columns


@pytest.mark.parametrize("offset", ["+0000", "+00:00", "+02:00", "-0530"])
def test_infobip_times_come_in_utc(play: Callable[..., Sandbox], offset: str) -> None:
    box = play(vendors=["infobip"], options={"infobip": {"offset": offset}})
    assert_rows(box, run(config_of(box)), "infobip")


@pytest.mark.parametrize("unit", ["seconds", "milliseconds"])
def test_jetemail_integers_become_times(play: Callable[..., Sandbox], unit: str) -> None:
    box = play(vendors=["jetemail"], options={"jetemail": {"unit": unit}})
    found = run(config_of(box))
    assert_rows(box, found, "jetemail")
    width = {"seconds": len("2026-03-01T11:55:00Z"), "milliseconds": len("2026-03-01T11:55:00.000Z")}[unit]
    for record in found.records[STREAMS["jetemail"]]:
        dates = [entry["date"] for name in ("delivery_attempts", "opens", "clicks") for entry in record[name] or ()]
        assert all(len(value) == width for value in (record["first_seen"], record["last_updated"], *dates))


def test_smtp2go_filters_stand_in_the_ledger(shared_box: Sandbox) -> None:
    kinds = ["delivered", "opened"]
    found = run(config_of(shared_box, "smtp2go", event_types=kinds))
    want = [row for row in rows_of(shared_box, "smtp2go") if row["event"] in kinds]
    assert_rows(shared_box, found, "smtp2go", rows=want)
    assert [json.loads(row["filter"]) for row in found.ledger] == [{"event_types": kinds}]


def test_smtp2go_headers_are_fetched_and_change_no_key(shared_box: Sandbox, whole: Run) -> None:
    found = run(config_of(shared_box, "smtp2go", include_headers=True, custom_headers=["X-Order", "subject"]))
    stream = STREAMS["smtp2go"]
    assert upserted(found, stream).keys() == upserted(whole, stream).keys()
    assert all(record["headers"] and record["custom_headers"]["X-Order"] for record in found.records[stream])


# --- the command line


def test_the_command_line_reads_everything(play: Callable[..., Sandbox]) -> None:
    box = play(now=None, options=options_of(*VENDORS))
    config = config_of(box)
    found = command(config, box=box)
    assert found.status == 0
    for vendor in VENDORS:
        assert_rows(box, found, vendor)
        rows = [row for row in found.ledger if row["provider"] == vendor]
        assert {row["status"] for row in rows} == {"complete"}
        assert sum(row["requests"] for row in rows) == asked(found, vendor)
    again = command(config, state=found.state, catalog=catalog(config, [STREAMS["smtp2go"]]), box=box)
    assert again.schemas.keys() == {STREAMS["smtp2go"]}
    assert len(again.requests) == 1


@pytest.mark.parametrize("argument", ["--test", "--test=all", "--test=schema", "--test=records", "--test=stream"])
def test_the_sdks_test_switch(play: Callable[..., Sandbox], argument: str) -> None:
    box = play(now=None)
    config = config_of(box)
    if argument == "--test=stream":
        argument = "--test=schema"
    found = command(config, argument, box=box)
    assert found.status == 0, found.stderr
    assert "Traceback" not in found.stderr
    if argument == "--test=schema":
        assert {message["type"] for message in found.messages} == {"SCHEMA"}
        assert not found.requests
    else:  # the check: every vendor is asked, nothing is written
        assert not found.messages
        assert not found.tail
        assert {request.vendor for request in found.requests} == set(VENDORS)


def test_settings_from_the_environment(play: Callable[..., Sandbox]) -> None:
    box = play(now=None, vendors=["smtp2go"])
    smtp2go = config_of(box)["smtp2go"]
    environment = {f"TAP_EMAILLOGS_SMTP2GO_{key.upper()}": str(value) for key, value in smtp2go.items()}
    found = command({}, "--config=ENV", box=box, environment=environment, checked=False)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "smtp2go")

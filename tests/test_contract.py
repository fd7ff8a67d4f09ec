"""What the contract promises of every stream, through the public surface: messages, STATE, ledger, exit status."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harness import (
    LEDGER,
    MILLIS,
    NOW,
    STREAMS,
    VENDORS,
    Run,
    Ticking,
    asked,
    assert_rows,
    assert_tiles,
    beginning,
    bookmarks,
    canonical,
    catalog,
    command,
    config_of,
    facts,
    limit,
    restored,
    rows_of,
    run,
    upserted,
    window,
)
from tap_emaillogs.formats.timestamps import millis, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

every_vendor = pytest.mark.parametrize("vendor", VENDORS)
EVENTS = "email_events"


@pytest.fixture(scope="module")
def whole(shared_box: Sandbox) -> Run:
    """One first run over everything."""
    return run(config_of(shared_box), box=shared_box)


def event_bookmark(found: Run, vendor: str) -> str | None:
    return found.bookmark(EVENTS, provider=vendor, account="default", stream=STREAMS[vendor])


# --- a first run


def test_a_first_run_is_complete(shared_box: Sandbox, whole: Run) -> None:
    assert whole.status == 0
    assert not whole.lines("WARNING")
    assert not whole.lines("ERROR")
    assert whole.schemas.keys() == {*STREAMS.values(), EVENTS, LEDGER}
    for vendor in VENDORS:
        assert_rows(shared_box, whole, vendor)


@pytest.mark.parametrize("stream", [*STREAMS.values(), EVENTS, LEDGER])
def test_keys_are_unique_and_every_other_property_is_nullable(whole: Run, stream: str) -> None:
    records = whole.records[stream]
    assert records
    assert len(upserted(whole, stream)) == len(records)
    keys = whole.keys[stream]
    assert all(all(record[key] not in (None, "") for key in keys) for record in records)
    for name, spec in whole.schemas[stream]["properties"].items():
        kinds = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
        assert len(set(kinds) - {"null"}) == 1, f"{name} has several types"
        assert name in keys or "null" in kinds, f"{name} is not nullable"
        assert spec.get("description"), f"{name} is not described"


@pytest.mark.parametrize("stream", [*STREAMS.values(), EVENTS, LEDGER])
def test_account_is_set_and_times_end_with_z(whole: Run, stream: str) -> None:
    for record in whole.records[stream]:
        assert record["account"] == "default"
        for name, spec in whole.schemas[stream]["properties"].items():
            if spec.get("format") == "date-time" and record[name] is not None:
                assert record[name].endswith("Z")
                parse(record[name])


@every_vendor
def test_the_ledger_tiles_the_history_and_its_sums_are_the_runs(whole: Run, vendor: str) -> None:
    rows = whole.windows(STREAMS[vendor])
    assert {row["status"] for row in rows} == {"complete"}
    assert {row["gap_reason"] for row in rows} == {None}
    assert {row["provider"] for row in rows} == {vendor}
    assert_tiles(rows, beginning(vendor), limit(vendor))
    assert sum(row["records"] for row in rows) == len(whole.records[STREAMS[vendor]])
    assert sum(row["requests"] for row in rows) == asked(whole, vendor) > 0
    assert all(MILLIS.fullmatch(row[name]) for row in rows for name in ("window_start", "window_end", "read_at"))


@every_vendor
def test_many_windows_have_the_same_sums_and_a_state_each(shared_box: Sandbox, vendor: str) -> None:
    hours = 5 if vendor == "infobip" else 50
    found = run(config_of(shared_box, vendor, window_hours=hours, page_size=20), box=shared_box)
    stream = STREAMS[vendor]
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


@every_vendor
def test_no_record_of_a_window_comes_after_its_state(shared_box: Sandbox, vendor: str) -> None:
    column = {"smtp2go": "date", "jetemail": "last_updated", "infobip": "sentAt"}[vendor]
    found = run(config_of(shared_box, vendor, window_hours=5 if vendor == "infobip" else 50), box=shared_box)
    for place, state in found.states:
        mark = next(iter(bookmarks(state).get(STREAMS[vendor], {}).values()), None)
        if mark:
            later = [record for at, record in found.placed[STREAMS[vendor]] if at > place]
            assert all(parse(record[column]) >= parse(mark) for record in later)


# --- the next runs


@every_vendor
def test_a_second_run_costs_one_request_and_changes_nothing(shared_box: Sandbox, vendor: str) -> None:
    first = run(config_of(shared_box, vendor), box=shared_box)
    second = run(config_of(shared_box, vendor), state=first.state, box=shared_box)
    assert asked(second, vendor) == 1
    assert second.bookmark(STREAMS[vendor]) == first.bookmark(STREAMS[vendor]) == millis(limit(vendor))
    (row,) = second.windows(STREAMS[vendor])
    assert window(row).start == limit(vendor) - timedelta(minutes=60)
    assert_rows(shared_box, [first, second], vendor)


@every_vendor
def test_an_empty_window_moves_the_bookmark(play: Callable[..., Sandbox], vendor: str) -> None:
    box = play(size=0)
    clock = Ticking()
    found = run(config_of(box, vendor), box=box, clock=clock)
    assert not found.records[STREAMS[vendor]]
    assert found.bookmark(STREAMS[vendor]) == millis(limit(vendor))
    assert asked(found, vendor) == 1
    clock.pass_time(minutes=30)
    again = run(config_of(box, vendor), state=found.state, box=box, clock=clock)
    assert again.bookmark(STREAMS[vendor]) == millis(limit(vendor) + timedelta(minutes=30))
    assert asked(again, vendor) == 1
    assert [row["status"] for row in again.windows(STREAMS[vendor])] == ["complete"]


@every_vendor
def test_what_a_run_writes_is_the_same_however_often(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    again = run(config_of(shared_box, vendor))
    for name in (STREAMS[vendor], EVENTS):
        one = [record for record in whole.records[name] if record.get("provider", vendor) == vendor]
        assert canonical(one) == canonical(again.records[name])


@every_vendor
def test_a_bookmark_in_the_future_is_pulled_back(shared_box: Sandbox, vendor: str) -> None:
    state = run(config_of(shared_box, vendor)).state
    future = json.loads(json.dumps(state).replace(millis(limit(vendor)), "2031-01-01T00:00:00.000Z"))
    found = run(config_of(shared_box, vendor), state=future, box=shared_box)
    assert found.status == 0
    assert any("future" in line for line in found.lines("WARNING"))
    assert found.bookmark(STREAMS[vendor]) == event_bookmark(found, vendor) == millis(limit(vendor))


@pytest.mark.parametrize("vendor", ["smtp2go", "infobip"])
@pytest.mark.parametrize("on_gap", ["warn", "fail"])
def test_a_bookmark_past_the_history_is_a_gap(shared_box: Sandbox, vendor: str, on_gap: str) -> None:
    config = config_of(shared_box, vendor, top={"on_gap": on_gap})
    state = json.loads(json.dumps(run(config).state).replace(millis(limit(vendor)), "2025-12-01T00:00:00.000Z"))
    found = run(config, state=state, box=shared_box)
    assert found.status == (1 if on_gap == "fail" else 0)
    assert any("older than the vendor keeps" in line for line in found.lines("WARNING"))
    gap, *others = sorted(found.windows(STREAMS[vendor]), key=window)
    assert gap["status"] == "unavailable"
    assert (gap["window_start"], gap["window_end"]) == ("2025-12-01T00:00:00.000Z", millis(beginning(vendor)))
    assert {row["status"] for row in others} == {"complete"}
    assert_rows(shared_box, found, vendor)
    # Written once: the next run has its bookmark within the history, and nothing new to say.
    again = run(config, state=found.state, box=shared_box)
    assert again.status == 0
    assert {row["status"] for row in again.windows(STREAMS[vendor])} == {"complete"}


@pytest.mark.parametrize("vendor", ["smtp2go", "infobip"])
def test_the_lookback_alone_makes_no_gap(shared_box: Sandbox, vendor: str) -> None:
    state = run(config_of(shared_box, vendor)).state
    old = millis(beginning(vendor) + timedelta(minutes=1))
    found = run(config_of(shared_box, vendor), state=json.loads(json.dumps(state).replace(millis(limit(vendor)), old)))
    assert {row["status"] for row in found.windows(STREAMS[vendor])} == {"complete"}
    assert min(window(row).start for row in found.windows(STREAMS[vendor])) == beginning(vendor)


# --- start_date and end_date


@every_vendor
def test_end_date_is_exclusive_and_start_date_inclusive(shared_box: Sandbox, vendor: str) -> None:
    column = {"smtp2go": "date", "jetemail": "last_updated", "infobip": "sentAt"}[vendor]
    rows = sorted(rows_of(shared_box, vendor), key=lambda row: row[column])
    start, end = rows[100][column], rows[200][column]
    found = run(config_of(shared_box, vendor, top={"start_date": start, "end_date": end}), box=shared_box)
    wanted = [row for row in rows if start <= row[column] < end]
    if vendor == "jetemail":  # date_to may be inclusive: what lies on the edge may come
        low = {row["uid"] for row in wanted}
        high = {row["uid"] for row in rows if start <= row[column] <= end}
        have = {record["uid"] for record in found.records[STREAMS[vendor]]}
        assert low <= have <= high
    else:
        assert canonical(map(restored, found.records[STREAMS[vendor]])) == canonical(wanted)
    assert_tiles(found.windows(STREAMS[vendor]), parse(start), parse(end))
    assert found.bookmark(STREAMS[vendor]) == millis(parse(end))


@every_vendor
def test_backfill_goes_on_where_it_ended(shared_box: Sandbox, vendor: str) -> None:
    middle = NOW - facts(vendor).history / 2
    first = run(config_of(shared_box, vendor, top={"end_date": middle.isoformat()}))
    assert first.bookmark(STREAMS[vendor]) == millis(middle)
    second = run(config_of(shared_box, vendor), state=first.state)
    assert second.bookmark(STREAMS[vendor]) == millis(limit(vendor))
    assert_rows(shared_box, [first, second], vendor)


@every_vendor
@pytest.mark.parametrize("hours", [0, 1, 24])
def test_end_date_before_the_bookmark_reads_nothing(shared_box: Sandbox, vendor: str, hours: int) -> None:
    state = run(config_of(shared_box, vendor)).state
    end = limit(vendor) - timedelta(hours=hours)
    found = run(config_of(shared_box, vendor, top={"end_date": millis(end)}), state=state, box=shared_box)
    assert found.status == 0
    assert not asked(found, vendor)
    assert not found.records
    assert bookmarks(found.state or state) == bookmarks(state)


@every_vendor
def test_a_bookmark_wins_over_start_date(shared_box: Sandbox, vendor: str) -> None:
    state = run(config_of(shared_box, vendor)).state
    config = config_of(shared_box, vendor, top={"start_date": millis(beginning(vendor))}, lookback_minutes=0)
    found = run(config, state=state, box=shared_box)
    assert all(window(row).start >= NOW - timedelta(days=1) for row in found.windows(STREAMS[vendor]))


@pytest.mark.parametrize("vendor", ["smtp2go", "infobip"])
def test_start_date_of_the_account_wins(shared_box: Sandbox, vendor: str) -> None:
    start = NOW - timedelta(hours=10)
    top = {"start_date": (NOW - timedelta(hours=30)).isoformat()}
    found = run(config_of(shared_box, vendor, top=top, start_date=start.isoformat()))
    assert_tiles(found.windows(STREAMS[vendor]), start, limit(vendor))


# --- selection


@every_vendor
def test_a_stream_selected_later_gets_its_history(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = config_of(shared_box, vendor)
    first = run(config, catalog=catalog(config, [STREAMS[vendor], LEDGER]))
    assert EVENTS not in first.schemas
    assert EVENTS not in first.state["bookmarks"]
    second = run(config, state=first.state, box=shared_box)
    want = [record for record in whole.records[EVENTS] if record["provider"] == vendor]
    assert canonical(second.records[EVENTS]) == canonical(want)
    assert event_bookmark(second, vendor) == second.bookmark(STREAMS[vendor]) == millis(limit(vendor))


@every_vendor
def test_events_alone_read_the_endpoint_once(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = config_of(shared_box, vendor)
    found = run(config, catalog=catalog(config, [EVENTS]), box=shared_box)
    assert found.schemas.keys() == {EVENTS}
    want = [record for record in whole.records[EVENTS] if record["provider"] == vendor]
    assert want
    assert canonical(found.records[EVENTS]) == canonical(want)
    assert asked(found, vendor) == asked(whole, vendor)
    assert STREAMS[vendor] not in found.state["bookmarks"]
    # And the raw stream later, from the start, while the events go on.
    raw = run(config, catalog=catalog(config, [STREAMS[vendor]]), state=found.state)
    assert_rows(shared_box, raw, vendor)
    assert event_bookmark(raw, vendor) == event_bookmark(found, vendor)


def test_the_ledger_alone_reads_nothing_and_says_so(shared_box: Sandbox) -> None:
    config = config_of(shared_box)
    found = run(config, catalog=catalog(config, [LEDGER]), box=shared_box)
    assert found.status == 0
    assert not found.requests
    assert not found.records
    assert any(LEDGER in line for line in found.lines("WARNING"))


@every_vendor
def test_deselected_properties_are_left_out_and_change_no_key(shared_box: Sandbox, whole: Run, vendor: str) -> None:
    config = config_of(shared_box, vendor)
    gone = {"smtp2go": "recipient", "jetemail": "subject", "infobip": "status"}[vendor]
    stream = STREAMS[vendor]
    found = run(config, catalog=catalog(config, [stream, EVENTS], {stream: [gone]}))
    assert gone not in found.schemas[stream]["properties"]
    assert all(gone not in record for record in found.records[stream])
    assert upserted(found, stream).keys() == upserted(whole, stream).keys()
    want = [record for record in whole.records[EVENTS] if record["provider"] == vendor]
    assert canonical(found.records[EVENTS]) == canonical(want), "events are made of what was deselected too"


# --- accounts


@pytest.fixture
def two_accounts(play: Callable[..., Sandbox]) -> Sandbox:
    accounts: dict[str, dict[str, Any]] = {
        "smtp2go": {"api-ONEKEY0123456789": {"label": "one"}, "api-TWOKEY0123456789": {"label": "two", "size": 77}},
        "jetemail": {"api_onekey0123456789": {"label": "one"}, "api_twokey0123456789": {"label": "two", "size": 77}},
        "infobip": {"onekey0123456789ab": {"label": "one"}, "twokey0123456789ab": {"label": "two", "size": 77}},
    }
    return play(options={vendor: {"accounts": own} for vendor, own in accounts.items()})


@every_vendor
def test_two_accounts_inherit_what_they_leave_out(two_accounts: Sandbox, vendor: str) -> None:
    config = config_of(two_accounts, vendor, page_size=50, lookback_minutes=30)
    assert {account["account"] for account in config[vendor]["accounts"]} == {"one", "two"}
    config[vendor]["accounts"][1]["lookback_minutes"] = 90
    config[vendor]["accounts"][1]["start_date"] = (NOW - timedelta(hours=40)).isoformat()
    first = run(config, box=two_accounts)
    second = run(config, state=first.state, box=two_accounts)
    stream = STREAMS[vendor]
    keys = list(two_accounts.vendor(vendor).accounts)
    assert_rows(two_accounts, first, vendor, key=keys[0], label="one")
    assert len(first.windows(stream, "one")) >= 1
    assert min(window(row).start for row in first.windows(stream, "two")) == NOW - timedelta(hours=40)
    for label, minutes in (("one", 30), ("two", 90)):
        assert first.bookmark(stream, account=label) == millis(limit(vendor))
        (row,) = second.windows(stream, label)
        assert window(row).start == limit(vendor) - timedelta(minutes=minutes)
    sizes = {b'"limit": 50', b'"limit":50'}
    for request in first.requests:
        if vendor == "smtp2go":
            assert any(size in request.body for size in sizes)
        else:
            assert request.query["limit"] == ["50"]


def test_accounts_of_one_vendor_share_no_key(two_accounts: Sandbox) -> None:
    found = run(config_of(two_accounts), box=two_accounts)
    for stream in STREAMS.values():
        tables = upserted(found, stream)
        assert {key[0] for key in tables} == {"one", "two"}
        assert len(tables) == len(found.records[stream]) == 377
    assert len(upserted(found, EVENTS)) == len(found.records[EVENTS])
    assert len(upserted(found, LEDGER)) == len(found.ledger)


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
    box = play(now=None)
    config = config_of(box)
    found = command(config, box=box)
    assert found.status == 0
    for vendor in VENDORS:
        assert_rows(box, found, vendor)
        rows = found.windows(STREAMS[vendor])
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
    assert {message["type"] for message in found.messages} >= {"SCHEMA"}
    assert len(found.requests) >= (0 if argument == "--test=schema" else 3)
    if argument == "--test=schema":
        assert {message["type"] for message in found.messages} == {"SCHEMA"}
        assert not found.requests


def test_settings_from_the_environment(play: Callable[..., Sandbox]) -> None:
    box = play(now=None, vendors=["smtp2go"])
    smtp2go = config_of(box)["smtp2go"]
    environment = {f"TAP_EMAILLOGS_SMTP2GO_{key.upper()}": str(value) for key, value in smtp2go.items()}
    found = command({}, "--config=ENV", box=box, environment=environment, checked=False)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "smtp2go")

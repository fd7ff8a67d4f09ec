"""The rows of Messangi's JSON log: at the edges of windows, their keys and columns, and their events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from general import config_of
from harness import Ticking, catalog, run
from messangi_checks import LOGS, assert_whole, started
from messangi_edges import onto_edges
from outcome import assert_tiles, upserted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

pytestmark = pytest.mark.thorough

STREAM = LOGS


@pytest.fixture
def messangi(play: Callable[..., Sandbox]) -> Callable[..., Sandbox]:
    """Start a sandbox of this vendor alone, with the given options of its."""

    return partial(started, play)


# Edges.


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_rows_at_the_edge_of_windows_are_neither_lost_nor_doubled(
    messangi: Callable[..., Sandbox], bounds: str, order: str
) -> None:
    box = messangi(300, bounds=bounds, order=order)
    (log,) = box.vendor("messangi").logs.values()
    start, day = datetime(2026, 1, 30, tzinfo=UTC), timedelta(days=1)
    onto_edges(log, start, day, last=29)
    config = config_of(box, start_date=start.isoformat(), window_hours=24, top={"end_date": "2026-03-01T00:00:00Z"})
    found = run(config, box=box)
    assert_whole(box, found)
    assert_tiles(found.ledger, start, start + 30 * day)
    assert len(found.ledger) == 30
    del config["end_date"]
    later = run({**config, "messangi": {**config["messangi"], "lookback_minutes": 0}}, state=found.state, box=box)
    assert later.status == 0
    assert upserted([found, later], STREAM).keys() == upserted(found, STREAM).keys()


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
def test_rows_without_milliseconds_are_neither_lost_nor_doubled_at_edges(
    messangi: Callable[..., Sandbox], bounds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = messangi(300, bounds=bounds)
    (log,) = box.vendor("messangi").logs.values()
    start, day = datetime(2026, 1, 30, tzinfo=UTC), timedelta(days=1)
    onto_edges(log, start, day, last=29)
    shown = log.row

    def whole_seconds(message: Any) -> dict[str, Any]:
        row = shown(message)
        return {**row, "date": row["date"][:19] + "Z", "statusDate": row["statusDate"][:19] + "Z"}

    monkeypatch.setattr(log, "row", whole_seconds)
    config = config_of(box, start_date=start.isoformat(), window_hours=24, top={"end_date": "2026-03-01T00:00:00Z"})
    found = run(config, box=box)
    assert_whole(box, found)
    assert len(found.ledger) == 30


def test_the_margin_before_the_first_window_is_left_out(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50)
    rows = box.vendor("messangi").rows()
    start = datetime.fromisoformat(rows[20]["date"]) + timedelta(milliseconds=1)
    (log,) = box.vendor("messangi").logs.values()
    onto_edges(log, start.replace(microsecond=0), timedelta(days=99), last=0)  # just before, on and after the start
    for message in log._messages:
        del message.steps[1:]  # a row whose status changed after the start would be kept
    found = run(config_of(box, start_date=start.replace(microsecond=0).isoformat()), box=box)
    assert found.status == 0
    dates = {record["date"] for record in found.records[STREAM]}
    assert len(dates) == 2
    assert min(dates) == start.replace(microsecond=0).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_keys_depend_neither_on_page_nor_window_nor_columns(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(300, hide_fields=("id",))
    keys = [
        sorted(upserted(run(config_of(box, **settings)), STREAM))
        for settings in (
            {},
            {"page_size": 37},
            {"window_hours": 5},
            {"columns": {STREAM: ["campaignName", "Nothing Such"]}},
        )
    ]
    assert keys[0] == keys[1] == keys[2] == keys[3]
    assert len(keys[0]) == 300


def test_columns_are_declared_by_setting(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(20)
    found = run(config_of(box, columns={STREAM: ["campaignName"]}))
    assert found.schemas[STREAM]["properties"]["campaignName"]["type"] == ["string", "null"]
    assert {record["campaignName"] for record in found.records[STREAM]} >= {"Campaña 1000"}
    assert not any("campaignName" in (record["extra_fields"] or "") for record in found.records[STREAM])


def test_rows_without_a_date_are_kept(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50, hide_fields=("date", "statusDate"))
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    assert {record["event_at"] for record in found.records[STREAM]} == {None}


def test_a_row_that_changes_becomes_another_event(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(50)
    clock = Ticking()
    first = run(config_of(box), clock=clock)
    box.change("messangi", count=3, minutes_ago=20)
    clock.pass_time(minutes=10)
    second = run(config_of(box, lookback_minutes=60 * 24 * 30), clock=clock, state=first.state)
    before, after = upserted(first, "email_events"), upserted([first, second], "email_events")
    assert {key: after[key] for key in before} == before
    assert Counter(event["event_type"] for key, event in after.items() if key not in before) == {"opened": 3}


# Events.


def test_events_carry_what_the_row_says(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(300, new_status="SNOOZED")
    found = run(config_of(box), box=box)
    assert_whole(box, found)
    rows = {row["id"]: row for row in box.vendor("messangi").rows()}
    for event in found.records["email_events"]:
        row = rows[event["provider_event_id"]]
        assert event["message_id"] == row["id"]
        assert (event["recipient"], event["sender"]) == (row["recipient"], row["sender"])
        assert event["campaign"] == row["campaign"]
        if event["event_type"] == "queued":
            assert (event["event_at"], event["provider_event"]) == (row["date"], None)
            continue
        assert (event["event_at"], event["provider_event"]) == (row["statusDate"], row["status"])
        assert (event["bounce_class"] is not None) == (event["event_type"] == "bounced")
        if row["status"] == "BOUNCED_PERMANENT":
            assert (event["bounce_class"], event["smtp_code"], event["smtp_enhanced_code"]) == ("hard", 550, "5.1.1")
    (warning,) = [line for line in found.lines("WARNING") if "SNOOZED" in line]
    assert "unknown" in warning


def test_events_alone_are_read_from_the_logs(messangi: Callable[..., Sandbox]) -> None:
    box = messangi(40)
    found = run(config_of(box), catalog=catalog(config_of(box), ["email_events"]), box=box)
    assert found.status == 0
    events = Counter(event["event_type"] for event in found.records["email_events"])
    assert events == box.truth()["email_events"]
    assert events["queued"] == 40

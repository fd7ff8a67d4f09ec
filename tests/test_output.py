"""What workers make of a window's rows, and how they are written: as users of the SDK expect, and at a bounded cost."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from harness import LEDGER, NOW, STREAMS, Ticking, bookmarks, catalog, config_of, run, upserted
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.providers.smtp2go.activity import Activity
from tap_emaillogs.streams.output import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

EVENTS = "email_events"


# A vendor's code is called by workers: what goes wrong there is that endpoint's failure.


def test_an_error_in_a_vendors_events_ends_that_endpoint_alone(
    shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Iterator[Any]:
        raise KeyError("no such column")
        yield

    smtp2go = next(provider for provider in PROVIDERS if provider.name == "smtp2go")
    monkeypatch.setattr(type(smtp2go), "events", broken)
    found = run(config_of(shared_box), box=shared_box)
    assert found.status == 1
    assert not found.records[STREAMS["smtp2go"]]
    assert {row["status"] for row in found.windows(STREAMS["smtp2go"])} == {"failed"}
    for vendor in ("jetemail", "infobip"):
        assert len(found.records[STREAMS[vendor]]) == 300
        assert {row["status"] for row in found.windows(STREAMS[vendor])} == {"complete"}
    assert [line for line in found.lines("ERROR") if "an error inside the tap (KeyError)" in line]


# What users of the SDK expect of a RESTStream.


def test_post_process_changes_and_drops_records(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def post_process(self: Activity, row: dict[str, Any], context: Any = None) -> dict[str, Any] | None:
        assert context == {"account": "default"}
        return None if row["event"] == "opened" else {**row, "subject": "mine"}

    whole = run(config_of(shared_box, "smtp2go"), box=shared_box)
    monkeypatch.setattr(Activity, "post_process", post_process)
    found = run(config_of(shared_box, "smtp2go"), box=shared_box)
    kept = [row for row in whole.records[STREAMS["smtp2go"]] if row["event"] != "opened"]
    assert 0 < len(kept) < 300
    assert found.records[STREAMS["smtp2go"]] == [{**row, "subject": "mine"} for row in kept]
    assert upserted(found, EVENTS) == upserted(whole, EVENTS)


def test_what_post_process_adds_is_no_way_around_privacy(shared_box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Activity, "post_process", lambda _, row, context=None: {**row, "reason": row["recipient"]})
    privacy = {"recipient": "hash", "salt": "0123456789abcdef!"}
    found = run(config_of(shared_box, "smtp2go", top={"privacy": privacy}), box=shared_box)
    rows = found.records[STREAMS["smtp2go"]]
    assert rows
    assert not [row for row in rows if "@" in (row["reason"] or "")]


def test_a_stream_that_is_to_be_read_whole_begins_anew_each_time(play: Callable[..., Sandbox]) -> None:
    clock = Ticking()
    box = play(now=clock.now, vendors=["smtp2go"])
    config, name = config_of(box, "smtp2go"), STREAMS["smtp2go"]
    chosen = catalog(config, [name, LEDGER])
    for entry in chosen["streams"]:
        if entry["tap_stream_id"] == name:
            entry["replication_method"] = "FULL_TABLE"
    first = run(config, catalog=chosen, clock=clock)
    clock.pass_time(hours=1)
    second = run(config, catalog=chosen, state=first.state, clock=clock)
    assert upserted(second, name) == upserted(first, name)
    assert len(upserted(first, name)) == 300
    assert name not in bookmarks(second.state)


def test_metrics_count_what_is_written(shared_box: Sandbox) -> None:
    found = run(config_of(shared_box, "smtp2go"), box=shared_box)
    counted: dict[str, int] = {}
    timed = set()
    for text in re.findall(r"METRIC: (\{.*\})", found.stderr):
        point = json.loads(text)
        if point["metric"] == "record_count":
            counted[point["tags"]["stream"]] = counted.get(point["tags"]["stream"], 0) + point["value"]
        if point["metric"] == "sync_duration":
            timed.add(point["tags"]["stream"])
    assert counted == {name: len(records) for name, records in found.records.items()}
    assert timed == set(found.records)


@pytest.mark.parametrize("columns", [{"recipient"}, {"recipient", "delivery_attempts"}])
def test_columns_left_out_leave_the_others_as_they_are(shared_box: Sandbox, columns: set[str]) -> None:
    config, name = config_of(shared_box, "smtp2go"), STREAMS["smtp2go"]
    whole = run(config, box=shared_box)
    found = run(config, catalog=catalog(config, [name, EVENTS], without={name: sorted(columns)}), box=shared_box)
    rest = [{key: value for key, value in row.items() if key not in columns} for row in whole.records[name]]
    assert found.records[name] == rest
    assert upserted(found, EVENTS) == upserted(whole, EVENTS)


# STATE may cost a tenth of the output, and nothing may grow with the number of accounts but the work.


def quiet_run(box: Sandbox, accounts: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, int]:
    """Read many quiet accounts; return the bytes of output and of STATE, and how many STATEs there were."""
    sizes: list[int] = []
    lines = LineWriter.write_lines

    def counted(self: LineWriter, block: bytes) -> None:
        sizes.extend(len(line) for line in block.splitlines() if line.startswith(b'{"type":"STATE"'))
        lines(self, block)

    with monkeypatch.context() as patched:
        patched.setattr(LineWriter, "write_lines", counted)
        config = config_of(box, "smtp2go", start_date=(NOW - timedelta(minutes=30)).isoformat())
        config["smtp2go"]["accounts"] = [{"account": f"a{number}"} for number in range(accounts)]
        found = run(config, box=box)
    assert found.status == 0
    assert len(found.ledger) == accounts
    assert len(bookmarks(found.state)[STREAMS["smtp2go"]]) == accounts
    return sum(len(json.dumps(message)) for message in found.messages), sum(sizes), len(sizes)


def test_state_does_not_follow_each_of_many_quiet_accounts(
    play: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    box = play(size=0, vendors=["smtp2go"])
    few, many = (quiet_run(box, accounts, monkeypatch) for accounts in (10, 200))
    assert many[0] < 25 * few[0]
    assert many[2] < 60  # on a machine so slow that a run takes a minute, one a second


def test_state_follows_each_window_that_is_worth_it(play: Callable[..., Sandbox]) -> None:
    box = play(size=3000, vendors=["smtp2go"])
    config = config_of(box, "smtp2go", window_hours=72)
    quiet = {"start_date": (NOW - timedelta(minutes=30)).isoformat()}
    config["smtp2go"]["accounts"] = [{"account": f"a{number}", **(quiet if number else {})} for number in range(30)]
    found = run(config, box=box)
    ends = {row["window_end"] for row in found.windows(STREAMS["smtp2go"], "a0")}
    reached = {bookmarks(state.value).get(STREAMS["smtp2go"], {}).get((("account", "a0"),)) for state in found.states}
    assert len(ends) > 5
    assert ends <= reached

"""`--plan`: what a sync would read, in how many requests and minutes, without a question to any vendor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

import cappedmail
import cursormail
from general import config_of, facts, options_of, stream_of
from harness import Ticking, run
from outcome import assert_private
from plugging import plugged
from sandbox.vendors import VENDORS
from tap_emaillogs.formats.timestamps import parse
from test_bad_input import _as_it_was, call, file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]
    File = Callable[..., Path]

__all__ = ["_as_it_was", "file"]


def planned(file: File, config: dict[str, Any], **files: Any) -> dict[str, Any]:
    """Return the plan's JSON; status, stdout and stderr are checked."""
    more = [part for name, content in files.items() for part in (f"--{name}", file(f"{name}.json", content))]
    ended = call("--config", file("config.json", config), "--plan", "--format=json", *more)
    assert ended.status == 0, ended.stderr
    assert_private("stdout", ended.stdout, config)
    return dict(json.loads(ended.stdout))


def of(plan: dict[str, Any], stream: str, account: str = "default") -> dict[str, Any]:
    """Return what a plan says of an endpoint."""
    (found,) = [one for one in plan["endpoints"] if (one["stream"], one["account"]) == (stream, account)]
    return dict(found)


def test_a_first_run_goes_back_through_the_history(box: Sandbox, vendor: str, file: File) -> None:
    plan = planned(file, config_of(box, vendor, requests_per_minute=30))
    found = of(plan, stream_of(vendor))
    now, history = parse(plan["at"]), facts(vendor).history
    assert abs(parse(found["from"]) - (now - history)) <= timedelta(minutes=1)
    assert abs(parse(found["to"]) - (now - facts(vendor).settle)) <= timedelta(minutes=1)
    assert found["requests"]["at_least"] >= found["windows"] >= 1
    assert found["requests"]["expected"] is None
    assert found["minutes"]["at_least"] >= found["requests"]["at_least"] / 30
    assert found["gaps"] == []
    if found["history_days"] is None:
        assert found["lost_from"] is None
        assert "nothing" in found["what_waiting_loses"]
    else:
        assert "each hour of waiting loses an hour" in found["what_waiting_loses"]
    assert not box.requests


def test_small_windows_are_counted(box: Sandbox, file: File) -> None:
    found = of(planned(file, config_of(box, "smtp2go", window_hours=24)), "smtp2go_activity")
    assert (found["windows"], found["requests"]["at_least"]) == (30, 30)


def test_it_goes_on_where_state_stands(play: Play, file: File) -> None:
    real = datetime.now(UTC).replace(microsecond=0)
    box = play(now=real, options=options_of(*VENDORS), vendors=["smtp2go"])
    config = config_of(box, window_hours=24)
    first = run(config, clock=Ticking(real), box=box)
    asked = len(box.requests)
    found = of(planned(file, config, state=first.state), "smtp2go_activity")
    assert found["windows"] == 1
    assert parse(found["from"]) >= real - timedelta(hours=1, minutes=10)
    assert "nothing before" in found["what_waiting_loses"]
    assert abs(parse(found["lost_from"]) - (parse(found["from"]) + timedelta(days=30))) < timedelta(minutes=1)
    assert len(box.requests) == asked


def test_state_knows_how_dense_the_log_was(play: Play, file: File, vendor: str) -> None:
    real = datetime.now(UTC).replace(microsecond=0)
    box = play(now=real, size=6000, options=options_of(vendor), vendors=[vendor])
    first = run(config_of(box), clock=Ticking(real), box=box)
    config = config_of(box, window_hours=24, history_days=20)
    del first.state["bookmarks"][stream_of(vendor)]  # a stream that is read anew
    found = of(planned(file, config, state=first.state), stream_of(vendor))
    assert found["requests"]["expected"] >= found["requests"]["at_least"]
    if vendor in {"smtp2go", "jetemail"}:  # whose rows are a stream's, spread over the month
        shown = len(first.records[stream_of(vendor)]) / 30
        assert found["requests"]["expected"] >= 20 * shown / 1000


def test_what_is_too_old_is_told_as_a_gap(box: Sandbox, file: File) -> None:
    found = of(planned(file, config_of(box, "infobip", top={"start_date": "2026-01-01"})), "infobip_email_logs")
    assert "Set a later start_date, or raise history_days if the vendor keeps more" in found["warnings"][0]
    assert "Run the tap" not in found["warnings"][0]
    (gap,) = found["gaps"]
    assert gap["from"] == "2026-01-01T00:00:00.000Z"
    assert found["warnings"]


def test_the_catalogue_says_what_is_read(box: Sandbox, file: File) -> None:
    config = config_of(box)
    names = {one["stream"] for one in planned(file, config)["endpoints"]}
    assert names == {*map(stream_of, VENDORS), "zeptomail_activity_logs", "zeptomail_suppression_list"}
    catalog = json.loads(call("--config", file("config.json", config), "--discover").stdout)
    for entry in catalog["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] == "zeptomail_emails"
    assert [one["stream"] for one in planned(file, config, catalog=catalog)["endpoints"]] == ["zeptomail_emails"]


def test_accounts_of_one_budget_add_up_and_others_go_side_by_side(box: Sandbox, file: File) -> None:
    plan = planned(file, config_of(box, "zeptomail", "smtp2go", requests_per_minute=10))
    requests = sum(one["requests"]["at_least"] for one in plan["endpoints"] if one["provider"] == "zeptomail")
    assert plan["minutes"] == pytest.approx(requests / 10, abs=0.1)


def test_minutes_add_up_as_they_are_shown(box: Sandbox, file: File) -> None:
    plan = planned(file, config_of(box, "smtp2go", "jetemail", requests_per_minute=60))
    assert [one["minutes"]["at_least"] for one in plan["endpoints"]] == [0.1, 0.1]
    assert plan["minutes"] == 0.1
    without = config_of(box, "smtp2go", requests_per_minute=0)
    assert planned(file, without)["minutes"] is None
    ended = call("--config", file("config.json", without), "--plan")
    assert "In all at least 1 request, without a budget that limits them. No vendor was asked." in ended.stderr


def test_the_table_is_on_stderr(box: Sandbox, file: File) -> None:
    ended = call("--config", file("config.json", config_of(box)), "--plan")
    assert (ended.status, ended.stdout) == (0, "")
    assert "what waiting loses" in ended.stderr
    assert "No vendor was asked." in ended.stderr
    assert not box.requests


def test_plugged_vendors_are_planned(play: Play, file: File) -> None:
    with plugged(cappedmail.PLUGGED, cursormail.PLUGGED):
        box = play(vendors=["cappedmail", "cursormail"])
        plan = planned(file, box.config())
        assert {one["stream"]: one["windows"] for one in plan["endpoints"]} == {
            "cappedmail_log": 1,
            "cursormail_messages": 1,
        }


def test_the_plan_is_what_a_sync_then_does(play: Play, file: File, vendor: str) -> None:
    """Where rows are few, the fewest requests are those that are made, tokens aside."""
    real = datetime.now(UTC).replace(microsecond=0)
    box = play(now=real, size=20, vendors=[vendor], options=options_of(vendor))
    config = config_of(box)
    plan = planned(file, config)
    found = run(config, clock=Ticking(real), box=box)
    least = plan["requests"]["at_least"]
    assert least <= len(found.requests)
    windows = [row for row in found.ledger if row["stream"] == stream_of(vendor)]
    assert of(plan, stream_of(vendor))["windows"] <= len(windows)

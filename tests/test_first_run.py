"""A first run that no vendor lets read anything is a mistake in the configuration: it writes no record."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, NOW, config_of, facts, stream_of
from harness import Ticking, command_line, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]


def test_a_first_run_without_authorization_writes_no_record(box: Sandbox, vendor: str) -> None:
    config = config_of(box, vendor)
    config[vendor] |= facts(vendor).wrong
    found = run(config, box=box)
    assert found.status == 1
    assert {message["type"] for message in found.messages} == {"SCHEMA"}
    errors = found.lines("ERROR")
    assert all("What to do: " in line for line in errors)
    assert any(f"stream {stream_of(vendor)}" in line for line in errors)


def test_all_providers_at_once_write_no_record_either(box: Sandbox, vendors: list[str]) -> None:
    config = config_of(box)
    for vendor in vendors:
        config[vendor] |= facts(vendor).wrong
    found = run(config, box=box)
    assert found.status == 1
    assert {message["type"] for message in found.messages} == {"SCHEMA"}


def test_beside_an_account_that_is_right_the_ledger_tells_of_the_wrong_one(box: Sandbox, vendor: str) -> None:
    config = config_of(box, vendor)
    config[vendor]["accounts"] = [{"account": "bad", **facts(vendor).wrong}, {"account": "good"}]
    found = run(config, box=box)
    assert found.status == 1
    stream = stream_of(vendor)
    assert {row["status"] for row in found.windows(stream, "bad")} == {"failed"}
    assert {row["status"] for row in found.windows(stream, "good")} == {"complete"}
    assert found.bookmark(stream, account="good")


def test_a_later_run_tells_in_the_ledger_what_it_could_not_read(box: Sandbox, vendor: str) -> None:
    config = config_of(box, vendor)
    first = run(config, box=box)
    config[vendor] |= facts(vendor).wrong
    found = run(config, state=first.state, clock=Ticking(NOW + timedelta(hours=2)), box=box)
    assert found.status == 1
    assert "failed" in {row["status"] for row in found.windows(stream_of(vendor))}


@pytest.mark.parametrize("state", [{}, {"bookmarks": {}}])
def test_an_empty_state_is_none(box: Sandbox, state: dict[str, Any]) -> None:
    config = config_of(box, "smtp2go", api_key="api-wrong-0123456789")
    assert not run(config, state=state, box=box).records


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, None),
        (400, {"data": {"error": "No.", "error_code": "E_ApiResponseCodes.ENDPOINT_PERMISSION_DENIED"}}),
    ],
)
def test_a_missing_permission_counts_as_a_wrong_key(box: Sandbox, status: int, body: Any) -> None:
    box.fault(vendor="smtp2go", kind="status", status=status, body=body, times=-1)
    found = run(config_of(box, "smtp2go"), box=box)
    assert (found.status, dict(found.records), found.states) == (1, {}, [])
    assert "permission" in found.lines("ERROR")[0]


def test_the_sentence_is_the_last_line_where_both_outputs_are_one(play: Play, tmp_path: Path) -> None:
    """`meltano config test` shows the last line of both."""
    box = play(now=None, vendors=["smtp2go"])
    line = command_line(tmp_path, config_of(box, api_key="api-wrong-0123456789"))
    ended = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    assert ended.returncode == 1
    assert "What to do: check the key" in ended.stdout.splitlines()[-1]
    assert '"RECORD"' not in ended.stdout


def test_a_missing_scope_counts_as_a_wrong_key(play: Play) -> None:
    box = play(vendors=["zeptomail"], options={"zeptomail": {"scopes": "Zeptomail.email.READ"}})
    found = run(config_of(box), box=box)
    assert (found.status, dict(found.records), found.states) == (1, {}, [])
    assert "create a refresh token with the scope" in found.lines("ERROR")[0]


def test_gaps_found_before_are_no_data_either(box: Sandbox) -> None:
    config = config_of(box, "infobip", api_key="wrong-0123456789", start_date="2026-01-01")
    assert not run(config, box=box).records


def test_trouble_of_another_kind_is_told_in_the_ledger(box: Sandbox) -> None:
    box.fault(vendor="smtp2go", kind="status", status=500, times=-1)
    config = config_of(box, "smtp2go", "infobip", top={"max_tries": 1})
    config["infobip"]["api_key"] = "wrong-0123456789"
    found = run(config, box=box)
    assert found.status == 1
    assert {(row["stream"], row["status"]) for row in found.records[LEDGER]} == {
        ("smtp2go_activity", "failed"),
        ("infobip_email_logs", "failed"),
    }


def test_a_run_that_finds_nothing_due_leaves_its_state(box: Sandbox) -> None:
    found = run(config_of(box, "smtp2go", top={"start_date": "2026-02-01", "end_date": "2026-02-02"}), box=box)
    again = run(
        config_of(box, "smtp2go", top={"start_date": "2026-02-01", "end_date": "2026-02-02"}), state=found.state
    )
    assert found.states
    assert again.states


def test_once_the_key_is_right_everything_is_read(box: Sandbox) -> None:
    config = config_of(box, "smtp2go")
    wrong = run({"smtp2go": {**config["smtp2go"], "api_key": "api-wrong-0123456789"}})
    found = run(config, state=wrong.state, box=box)
    assert found.status == 0
    assert found.records[stream_of("smtp2go")]

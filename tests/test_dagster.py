"""A real Dagster on `deploy/dagster`: queue, daemon, PostgreSQL, strict vendors that ban, a killed worker, an outage.

It takes minutes, so it is run by hand: `TAP_EMAILLOGS_PLAY=1 scripts/test tests/test_dagster.py`. `scripts/simulate`
plays the same at any size.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from dagster_play import Play, played
from dagster_stage import needs_dagster
from postgres import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    needs_dagster,
    pytest.mark.thorough,
    pytest.mark.skipif(not os.environ.get("TAP_EMAILLOGS_PLAY"), reason="takes minutes: TAP_EMAILLOGS_PLAY=1"),
    pytest.mark.skipif(bool(ABSENT), reason=ABSENT or ""),
    pytest.mark.timeout(700),
]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """3 accounts and 10 days: one worker is killed on the way, one vendor is down for a while."""
    with played(tmp_path_factory.mktemp("dagster"), accounts=3, days=10) as found:
        found.until_whole(600)
        yield found


def test_every_partition_is_whole_in_the_end(play: Play) -> None:
    verdicts = play.stage.verdicts()
    assert len(verdicts) >= play.accounts * play.days
    assert all(verdicts.values())


def test_a_worker_was_killed_and_its_run_began_again(play: Play) -> None:
    runs = {run.run_id: run for run in play.stage.runs()}
    assert play.killed is not None
    assert runs[play.killed].status == "FAILURE"
    later = [run for run in runs.values() if run.kind == "backfill" and run.group == runs[play.killed].group]
    assert [run.status for run in later][-1] == "SUCCESS"


def test_a_vendor_was_down_and_its_run_failed_in_words(play: Play) -> None:
    assert play.fault
    assert play.fault.struck
    failed = "select event from event_logs where dagster_event_type in ('STEP_UP_FOR_RETRY', 'STEP_FAILURE')"
    assert any("503" in text for (text,) in play.stage.ask(failed))


def test_the_rows_are_the_vendors(play: Play) -> None:
    assert play.tables() == play.truth()


def test_no_budget_was_ever_overdrawn(play: Play) -> None:
    """The vendors count strictly, and ban for a minute: none of them ever refused."""
    assert {logged.status for logged in play.box.requests} <= {200, 503}
    most = play.most_a_minute()
    assert max(most.values()) > 10, "what was asked for was worth counting"
    assert all(count <= (60 if who.startswith("smtp2go") else 240) for who, count in most.items())


def test_no_two_runs_spent_one_purse_at_once(play: Play) -> None:
    assert play.overlaps("backfill", "backfill") == []
    assert play.overlaps("forward", "forward") == []


def test_forward_runs_went_on_meanwhile(play: Play) -> None:
    ended = [run for run in play.stage.runs() if run.kind == "forward" and run.status == "SUCCESS"]
    assert {run.group for run in ended} == set(play.groups)
    assert play.overlaps("forward", "backfill"), "they may overlap: keys make that safe"
    # One of them was killed, and one was tried again until its vendor was up.
    assert play.longest_wait() <= 3 * play.every_minutes


def test_a_backfill_leaves_the_forward_state_alone(play: Play) -> None:
    rows = play.stage.ask("select scope, run_id from tap_emaillogs_state")
    kinds = {run.run_id: run.kind for run in play.stage.runs()}
    assert {(scope, kinds[run_id]) for scope, run_id in rows} == {("forward", "forward")}, "whole stretches need none"


def test_no_secret_is_in_anything_that_dagster_stored(play: Play) -> None:
    stored = play.everything_stored()
    assert len(stored) > 100_000
    for secret in play.secrets.values():
        assert secret.encode() not in stored


def test_somebody_is_told_without_secrets(play: Play) -> None:
    texts = "\n".join(play.alerts)
    assert str(play.killed) in texts
    assert not any(secret in texts for secret in play.secrets.values())


def test_statuses_and_last_lines_are_shown(play: Play) -> None:
    events = play.stage.ask("select event from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'")
    text = "\n".join(row[0] for row in events)
    assert "tap exit status" in text
    assert "windows: " in text


def test_nothing_is_left_running(play: Play) -> None:
    """Last of all: Dagster ends, and with it what it started."""
    play.stage.stop()
    assert play.stage.processes("tap_emaillogs") == []

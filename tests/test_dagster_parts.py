"""The parts of `deploy/dagster` that need no Dagster: the ledger's verdict, STATE, the two processes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent / "deploy" / "dagster"
sys.path.append(str(PROJECT))

from emaillogs_dagster import accounts, ledger, process, state  # noqa: E402 - found where the line above says
from emaillogs_dagster.settings import Settings  # noqa: E402

DAY = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


# The ledger.


def window(
    start: float, end: float, status: str = "complete", read_at: float = 0, stream: str = "smtp2go_activity"
) -> Any:
    at = [DAY + hours * HOUR for hours in (start, end)]
    return ledger.Window("smtp2go", "acme", stream, *at, status, DAY + (48 + read_at) * HOUR, 5, 1)


def judge(*windows: Any) -> list[tuple[float, float, str]]:
    account = accounts.Account("smtp2go", "acme", {})
    found = ledger.verdict(windows, [account], DAY, DAY + 24 * HOUR)
    assert found.whole is not bool(found.gaps)
    return [((gap.start - DAY) / HOUR, (gap.end - DAY) / HOUR, gap.why) for gap in found.gaps]


@pytest.mark.parametrize(
    ("windows", "gaps"),
    [
        ([window(0, 24)], []),
        ([window(-5, 8), window(8, 30)], []),
        ([window(8, 30), window(-5, 9)], []),
        ([], [(0, 24, "never read")]),
        ([window(0, 8), window(9, 24)], [(8, 9, "never read")]),
        ([window(0, 12), window(12, 24, "pending")], [(12, 24, "pending")]),
        ([window(0, 12), window(12, 20, "failed")], [(12, 20, "failed"), (20, 24, "never read")]),
        ([window(0, 12, "failed"), window(0, 24, read_at=1)], []),  # read again, and whole
        ([window(0, 24), window(3, 4, "truncated", read_at=1)], [(3, 4, "truncated")]),
        ([window(0, 24, stream="other")], [(0, 24, "never read")]),
        ([window(-9, 2, "unavailable"), window(2, 24)], [(0, 2, "unavailable")]),
    ],
)
def test_a_stretch_is_whole_when_complete_windows_cover_all_of_it(windows: list[Any], gaps: list[Any]) -> None:
    assert judge(*windows) == gaps


def test_what_is_lost_for_good_is_not_asked_for_again() -> None:
    account = accounts.Account("smtp2go", "acme", {})
    judged = [
        ledger.verdict([window(0, 24, status)], [account], DAY, DAY + 24 * HOUR).curable
        for status in ("truncated", "unavailable", "pending", "failed")
    ]
    assert judged == [set(), set(), {("smtp2go", "acme")}, {("smtp2go", "acme")}]


# STATE.


def one_state(bookmark: str) -> dict[str, Any]:
    part = {"replication_key_value": bookmark}
    return {
        "bookmarks": {
            "smtp2go_activity": {"partitions": [{"context": {"account": name}, **part} for name in ("acme", "beta")]},
            "email_events": {
                "partitions": [
                    {"context": {"provider": "smtp2go", "account": name, "stream": "smtp2go_activity"}, **part}
                    for name in ("acme", "beta")
                ]
            },
        }
    }


def test_state_is_kept_by_account_and_goes_with_it_to_another_group(tmp_path: Path) -> None:
    url, names = f"sqlite:///{tmp_path / 'state'}", [("smtp2go", "acme"), ("smtp2go", "beta")]
    first = state.States(url, "forward", "run 1")
    assert first.load(names) is None
    first.save(one_state("2026-02-01"))
    first.save(one_state("2026-02-02"))
    assert state.States(url, "forward", "run 2").load(names) == one_state("2026-02-02")
    (moved,) = [state.States(url, "forward", "run 3").load(names[:1])]
    assert moved is not None
    assert [part["context"]["account"] for part in moved["bookmarks"]["smtp2go_activity"]["partitions"]] == ["acme"]
    assert state.States(url, "2026-02-01", "run 4").load(names) is None


def test_backfills_of_a_stretch_that_is_whole_leave_no_state(tmp_path: Path) -> None:
    url, names = f"sqlite:///{tmp_path / 'state'}", [("smtp2go", "acme"), ("smtp2go", "beta")]
    for scope in ("forward", "2026-02-01", "2026-02-08"):
        state.States(url, scope, "").save(one_state("2026-02-03"))
    state.States(url, "2026-02-01", "").forget(names, "2026-02-01", "2026-02-08")
    left = [scope for scope in ("forward", "2026-02-01", "2026-02-08") if state.States(url, scope, "").load(names)]
    assert left == ["forward", "2026-02-08"]


def test_what_other_runs_left_is_forgotten_and_what_this_one_read_is_not(tmp_path: Path) -> None:
    url, names = f"sqlite:///{tmp_path / 'state'}", [("smtp2go", "acme"), ("smtp2go", "beta")]
    state.States(url, "2026-02-01", "before").save(one_state("2026-02-03"))
    mine = state.States(url, "2026-02-01", "mine")
    mine.forget(names, "2026-02-01", "2026-02-08", but_mine=True)
    assert mine.load(names) is None
    mine.save(one_state("2026-02-04"))
    mine.forget(names, "2026-02-01", "2026-02-08", but_mine=True)
    assert mine.load(names) == one_state("2026-02-04")


def test_a_run_that_was_thought_dead_moves_no_state(tmp_path: Path) -> None:
    url, names = f"sqlite:///{tmp_path / 'state'}", [("smtp2go", "acme"), ("smtp2go", "beta")]
    for last in ("2026-02-02", "2026-02-03"):
        dead, alive = state.States(url, "forward", "dead"), state.States(url, "forward", "alive")
        dead.load(names)
        alive.load(names)
        alive.save(one_state(last))
        with pytest.raises(state.StateMoved):
            dead.save(one_state("2026-02-01"))
        assert state.States(url, "forward", "").load(names) == one_state(last)


# The processes.

TAP = """
import json, sys, time
config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))
print('METRIC: {"metric":"record_count","value":3,"tags":{"stream":"s"}}', file=sys.stderr)
print("begins with", config["key"], "--state" in sys.argv, file=sys.stderr)
print(json.dumps({"type": "STATE", "value": {"bookmarks": {}}}), flush=True)
time.sleep(float(config["sleep"]))
sys.exit(int(config["status"]))
"""
LOADER = """
import json, sys
json.load(open(sys.argv[2]))
for line in sys.stdin:
    print(json.dumps(json.loads(line)["value"]), flush=True)
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name, text in {"tap": TAP, "loader": LOADER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = Settings.load()
    commands = {name: (sys.executable, str(tmp_path / name)) for name in ("tap", "loader")}
    return replace(found, warehouse=f"duckdb:///{tmp_path}/w.duckdb", **commands)


@pytest.mark.parametrize("status", [0, 1, 143])
def test_what_became_of_both_processes_is_told_without_secrets(settings: Settings, status: int) -> None:
    states: list[dict[str, Any]] = []
    config = {"key": "very-secret-key", "sleep": 0, "status": status}
    outcome = process.run(settings, config, {"very-secret-key"}, {"bookmarks": {}}, states.append)
    assert (outcome.tap, outcome.loader, outcome.ok) == (status, 0, status == 0)
    assert outcome.records == {"s": 3}
    assert list(outcome.lines) == ["begins with *** True"]
    assert outcome.said == {"tap": "begins with *** True"}
    assert states == [{"bookmarks": {}}]


def test_a_loader_that_cannot_start_ends_the_tap(settings: Settings) -> None:
    began = time.monotonic()
    with pytest.raises(FileNotFoundError):
        process.run(
            replace(settings, loader=("/nonexistent",)),
            {"key": "k", "sleep": 60, "status": 0},
            (),
            None,
            lambda _: None,
        )
    assert time.monotonic() - began < 20


def test_a_worker_that_is_killed_takes_the_tap_with_it(settings: Settings, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    sleeper = f"import time, os; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    tap = shlex.join([sys.executable, "-c", sleeper])
    script = (
        "from dataclasses import replace; from emaillogs_dagster import process; "
        "from emaillogs_dagster.settings import Settings; "
        "process.run(Settings.load(), {}, (), None, print)"
    )
    environ = {**os.environ, "EMAILLOGS_TAP": tap, "EMAILLOGS_LOADER": shlex.join(settings.loader)}
    environ["PYTHONPATH"] = os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")])
    worker = subprocess.Popen([sys.executable, "-c", script], env=environ, cwd=tmp_path)
    deadline = time.monotonic() + 30
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    pid = int(mark.read_text())
    while Path(f"/proc/{pid}").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)

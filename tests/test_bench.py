"""The bench stays alive: its server, the floor, ours, a strict budget, the report."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks import plot, reading, report, rows, runs
from benchmarks.contestants import EVENTS, FLOOR, OURS, RAW
from benchmarks.server import Budget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 2_500


@pytest.fixture(scope="module")
def bench() -> Iterator[runs.Bench]:
    with runs.serving() as server:
        yield runs.Bench(server, {"ours": sys.executable, "floor": sys.executable})


def test_a_run_is_counted_and_measured(bench: runs.Bench) -> None:
    found = bench.run(FLOOR, runs.Load(ROWS))
    assert found.records == ROWS
    assert found.requests == runs.fewest(runs.Load(ROWS)) == 3
    assert found.wall > 0
    assert found.cpu > 0
    assert 10 < found.rss_mb < 500


def test_a_wrong_count_is_no_result(bench: runs.Bench) -> None:
    with pytest.raises(RuntimeError, match="brought 2,500 of 5,000 records"):
        bench.run(FLOOR, runs.Load(ROWS, accounts=2))


def test_ours_brings_the_same_rows_and_their_events_and_goes_on_from_its_state(bench: runs.Bench) -> None:
    load = runs.Load(ROWS, streams=(RAW, EVENTS), accounts=2)
    first = bench.run(OURS, load)  # raises where the count is another one
    assert first.records > 2 * 2 * ROWS
    assert first.requests == runs.fewest(load) == 6
    quiet = bench.run(OURS, load, first.state)
    assert quiet.records < first.records / 10
    assert quiet.requests == 2


def test_pages_are_whole_rows_newest_first_and_no_mail_is_there_twice() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    made = rows.Rows(rows.TEMPLATES + 500, now)
    first, behind = made.between(now - timedelta(days=30), now)
    assert (first, behind) == (0, made.count)
    shown = [*part(made, 0, 700), *part(made, 700, made.count)]
    assert len(shown) == made.count
    dates = [row["date"] for row in shown]
    assert dates == sorted(dates, reverse=True)
    start, end = now - timedelta(days=9), now - timedelta(days=8)
    inside = [row for row in shown if start.isoformat() <= row["date"].replace("Z", "+00:00") < end.isoformat()]
    assert part(made, *made.between(start, end)) == inside
    assert len({row["email_id"] for row in shown[:500]} & {row["email_id"] for row in shown[500:]}) < 500
    assert not any(re.search("%|\x01", row["recipient"] + row["email_id"]) for row in shown)


def part(made: rows.Rows, first: int, behind: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(b"[%b]" % made.text(first, behind))
    return found


def test_a_strict_budget_bans_who_asks_once_too_often() -> None:
    budget = Budget(requests=2, seconds=10, ban=5)
    assert [budget.admits(at) for at in (0, 1, 2, 6.5, 20)] == [True, True, False, False, True]


def test_ratios_are_of_the_floor_and_goals_are_told(monkeypatch: pytest.MonkeyPatch, bench: runs.Bench) -> None:
    context = reading.Context(bench, frozenset({"ours", "floor"}), rounds=2, quick=True)
    made = {FLOOR: runs.Result(2.0, 1, 30, 100, 0), OURS: runs.Result(8.0, 4, 90, 100, 0)}
    monkeypatch.setattr(bench, "run", lambda contestant, _: made[contestant])
    section = reading.one_stream(context, 1_000_000)
    assert [row[0] for row in section.rows] == [FLOOR.title, OURS.title]
    assert section.rows[1][2] == "0.25 (0.25 to 0.25)"
    assert [(goal.value, goal.met) for goal in section.goals] == [(0.25, False), (90, True)]


def test_a_report_is_a_table_and_a_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr(report, "PLOT", tmp_path / "results.svg")
    section = report.Section("one", "One", ("", "figure"), [("a <b>", "1")])
    section.goals.append(report.Goal("speed", 0.5, 0.65, at_least=True))
    section.bars.append(plot.Bar("One", "a <b>", 0.5, 0.4, 0.6))
    report.write([section], "scripts/bench", 5)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "| a <b> | 1 |" in text
    assert "speed: 0.5 x (goal ≥ 0.65 x): NOT MET" in text
    assert ET.parse(tmp_path / "results.svg").getroot().tag.endswith("svg")
    report.write([report.Section("two", "Two", ("", "figure"), [("b", "2")])], "scripts/bench two", 5)
    report.write([report.Section("one", "One", ("", "figure"), [("c", "3")])], "scripts/bench one", 5)
    text = (tmp_path / "RESULTS.md").read_text()
    assert [line for line in text.splitlines() if line.startswith(("## ", "| b", "| c", "| a"))] == [
        *("## One", "| c | 3 |", "## Two", "| b | 2 |")
    ]

"""The demo ends with the truth whenever it runs: by day and by night, and on the days when clocks are changed."""

from __future__ import annotations

import importlib.util
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from general import LEDGER, config_of
from harness import Ticking, catalog, run
from outcome import upserted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parent.parent
BEGINNING = datetime(2026, 3, 28, 0, 20, tzinfo=UTC)
"""A day before Europe puts its clocks forward; 29 steps of 99 minutes lead two days on."""


@pytest.fixture(scope="module")
def demo() -> Any:
    """Return the part of the demo that says what changes between its runs, and which streams it leaves out."""
    spec = importlib.util.spec_from_file_location("demo_report", ROOT / "scripts" / "demo_report.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.setdefault("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize("number", range(30))
def test_every_row_is_there_once(play: Play, demo: Any, tmp_path: Path, number: int) -> None:
    clock = Ticking(BEGINNING + number * timedelta(minutes=99))
    options = {"messangi": {"directory": str(tmp_path)}}
    box = play(seed=7, size=60, now=clock.now, live=False, vendors=None, options=options)
    config = config_of(box)
    report = {"emails": ["reports@example.com"], "from": "shop@example.com", "directory": str(tmp_path)}
    config["messangi"]["report"] = report
    names = {*box.truth()["streams"], LEDGER} - demo.NOT_SELECTED
    select = catalog(config, names)
    first = run(config, catalog=select, clock=clock)
    assert first.status == 0, first.stderr
    clock.pass_time(seconds=20)
    for act, counts in ((box.late, demo.LATE), (box.change, demo.CHANGED)):
        for vendor, count in counts.items():
            assert act(vendor, count=count, minutes_ago=30) == count
    second = run(config, state=first.state, catalog=select, clock=clock)
    assert second.status == 0, second.stderr
    truth = box.truth()
    for name in names - {LEDGER}:
        want = sum(
            account["distinct_keys"].get(name, 0) for vendor in truth["vendors"].values() for account in vendor.values()
        )
        assert len(upserted([first, second], name)) == want, name
    found: dict[tuple[str, str], int] = {}
    for event in upserted([first, second], "email_events").values():
        key = event["provider"], event["event_type"]
        found[key] = found.get(key, 0) + 1
    assert found == {
        (provider, kind): count
        for provider, accounts in truth["vendors"].items()
        for account in accounts.values()
        for kind, count in account["email_events"].items()
        if count
    }
    assert {row["status"] for row in upserted([first, second], LEDGER).values()} == {"complete"}

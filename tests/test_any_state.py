"""Any STATE of any earlier run, given again: the rows come, the ledger ends without a hole, and nobody waits long."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from general import EVENTS, LEDGER, config_of, stream_of
from harness import Ticking, catalog, run
from outcome import Run, assert_rows, upserted

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox

    Play = Callable[..., Sandbox]

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]
FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 403},
    {"kind": "status", "status": 503, "times": 9},
    {"kind": "reset", "times": 2},
    {"kind": "cut_json", "times": 2},
    {"kind": "html", "times": 30},
]


@pytest.mark.parametrize("seed", range(int(os.environ.get("TAP_EMAILLOGS_SEEDS", "3"))))
def test_any_earlier_state(play: Play, vendor: str, seed: int) -> None:
    dice = random.Random(f"{vendor} {seed}")
    clock = Ticking()
    box = play(vendors=[vendor], size=40, now=clock.now)
    hours = dice.choice([7, 30, 200, 2000])
    config = config_of(box, vendor, requests_per_minute=0, window_hours=hours, top={"max_tries": 3})
    select = catalog(config, [stream_of(vendor), EVENTS, LEDGER])
    runs: list[Run] = []
    states: list[Any] = [None]
    for turn in range(8):
        box.clear_faults()
        if turn and turn < 7 and dice.random() < 0.6:
            path = "/v1.1/" if vendor == "zeptomail" else ""
            box.fault(vendor=vendor, path=path, **{"times": -1, **dice.choice(FAULTS)})
        # The last one may be any too: what it does not hold was not forgotten, it is read again.
        state = dice.choice(states[-12:])
        clock.waits.clear()
        found = run(config, catalog=select, state=state, clock=clock, box=box)
        assert found.status == 0 or turn < 7, found.stderr
        assert sum(clock.waits) < 1_000, "a wait that nobody asked for"
        place = dice.randrange(len(found.messages)) if turn < 7 and dice.random() < 0.4 else len(found.messages)
        runs.append(Run(found.status, found.stderr, found.messages[:place]))  # the loader may die anywhere
        states += [value for _, value in runs[-1].states]
        clock.pass_time(minutes=dice.choice([1, 20, 70, 400]))
    assert_rows(box, runs, vendor)
    kept = clock.now() - timedelta(days=2)
    told = [row for row in upserted(runs, LEDGER).values() if row["status"] in {"failed", "pending"}]
    later = [row for row in told if row["window_end"] > kept.isoformat()]
    covered = [row for row in runs[-1].ledger if row["status"] == "complete"]
    assert covered
    assert all(row["read_at"] < runs[-1].ledger[-1]["read_at"] for row in later), "none of the last run's"

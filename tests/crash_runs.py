"""The crash matrix: a tap and its target, stopped at random points, until all rows are there after all.

As a program it goes on for as long as it is told: `scripts/crashes --count 5000 --seed 1`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import strict_target
from general import EVENTS, LEDGER, NOW, config_of, facts, pages
from harness import catalog
from outcome import assert_private
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS as PLAYERS
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.provider import name_of
from zygote import Order, SharedClock, Zygote

if TYPE_CHECKING:
    from zygote import Ended

SIZE = 120
LONGEST = 8
"""So many crashes, and then a run is left in peace."""
BATCHES = (5, 40, 100_000)
"""So many records the target writes at once."""
PEACE, LATER = 3, timedelta(minutes=35)
"""A run that was killed while it asked for a report leaves a request that may not have been made, and no mail may ever
come: half an hour later it is made again. Till then the ledger says `pending`."""
STALL = 120.0
"""No run of the tap waits longer than this for anything, by its clock: nothing is amiss at the vendors."""
_SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
KINDS = (*_SIGNALS, "the target is killed", "the target leaves", "both are killed")


@dataclass
class Crashes:
    """All vendors behind one port, and a tap that is not let be.

    `count` tells how often what has happened, `chains` how many times everything was there in the end.
    """

    seed: int
    count: Counter[str] = field(default_factory=Counter)
    chains: int = 0

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="crashes-")))
        self._dice = random.Random(self.seed)
        clock = str(self._folder / "clock")
        self._clock = SharedClock(clock, NOW)
        self._box = self._stack.enter_context(Sandbox(size=SIZE, now=self._clock.now, live=False, vendors=[]))
        self._zygote = self._stack.enter_context(Zygote())
        self._begin()
        self._config = self._configuration()
        streams = [name_of(kind) for provider in PROVIDERS for kind in provider.streams]
        self._write("config", self._config)
        self._write("catalog", catalog(self._config, [*streams, EVENTS, LEDGER]))
        ended = self._run(batch=100)
        assert ended.tap == ended.target == 0, self._errors()
        self._whole = self._tables()
        assert {stream for stream, _ in self._whole} == {*streams, EVENTS}
        self._seconds = ended.seconds
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def chain(self) -> None:
        """Crash a few times, each run from the STATE that the target had committed, and compare in the end."""
        self._begin()
        for _ in range(self._dice.randint(2, LONGEST)):
            if self._crash():
                break
        for _ in range(PEACE):
            ended = self._run(batch=self._dice.choice(BATCHES))
            assert (ended.tap, ended.target) == (0, 0), f"{ended}\n{self._errors()}"
            if not self._incomplete():
                break
            self._clock.pass_time(LATER)
        assert not (left := self._incomplete()), f"{len(left)} windows are not complete, such as {left[0]}"
        found = self._tables()
        missing, invented = self._whole.keys() - found.keys(), found.keys() - self._whole.keys()
        assert not missing, f"{len(missing)} rows are missing, such as {min(missing)}"
        assert not invented, f"{len(invented)} rows too many, such as {min(invented)}"
        wrong = [key for key, record in found.items() if record != self._whole[key]]
        assert not wrong, f"{len(wrong)} rows are wrong, such as {wrong[0]}"
        self.chains += 1

    def _crash(self) -> bool:
        """Let something happen at a random point; return whether the run had ended before."""
        kind, at = self._dice.choice(KINDS), self._dice.uniform(0, 0.8 * self._seconds)
        load: dict[str, Any] = {"batch": self._dice.choice(BATCHES), "pause": self._dice.choice((0, 0, 0.002))}
        kills: list[tuple[float, str, int]] = []
        if kind in _SIGNALS:
            kills = [(at, "tap", _SIGNALS[kind])]
        elif kind == "both are killed":
            kills = [(at, "tap", signal.SIGKILL), (at + self._dice.choice((0, 0.02)), "target", signal.SIGKILL)]
        else:
            load |= {"die_at": self._dice.randint(1, len(self._whole)), "how": kind.split()[-1]}
        ended = self._run(kills=kills, **load)
        self._check(kind, ended)
        if ended.tap == 0 and ended.target == 0 and "leaves" not in kind:
            return True
        self.count[kind] += 1
        return False

    def _check(self, kind: str, ended: Ended) -> None:
        """Check how a run ended that was stopped."""
        said = f"{kind}: {ended}\n{self._errors()}"
        assert not ended.hung, said
        number = _SIGNALS.get(kind)
        if number in (signal.SIGTERM, signal.SIGINT):
            assert ended.tap in (0, 128 + number, -number), said  # the last before Python has begun
            assert ended.target == 0, said
            assert strict_target.last(self._database) in ("", "STATE"), said  # nothing at all, or a STATE in the end
        elif number == signal.SIGKILL or "both" in kind:
            assert ended.tap in (0, -signal.SIGKILL, 141), said
        else:
            assert ended.tap in (0, 141), said
        assert "Traceback" not in self._errors(), said
        assert_private("stderr", self._errors(), self._config)

    def _run(self, *, kills: list[tuple[float, str, int]] | None = None, **load: Any) -> Ended:
        state = strict_target.state(self._database)
        files = ["config", "catalog", *(["state"] if state else [])]
        if state:
            self._write("state", state)
        arguments = [part for name in files for part in (f"--{name}", str(self._folder / f"{name}.json"))]
        target = {"database": str(self._database), **load}
        before = self._clock.monotonic()
        ended = self._zygote.run(
            Order(
                arguments,
                str(self._folder / "err"),
                target=target,
                kills=kills or [],
                clock=str(self._folder / "clock"),
            )
        )
        waited = self._clock.monotonic() - before
        assert waited < STALL, f"it has waited for {waited:.0f} s, by its clock\n{self._errors()}"
        return ended

    def _begin(self) -> None:
        """Let vendors without a past meet an empty target; the clock stays where it is."""
        self._clock.pass_time(NOW - self._clock.now())
        reports = self._folder / "reports"
        shutil.rmtree(reports, ignore_errors=True)
        reports.mkdir()
        options: dict[str, dict[str, Any]] = {}
        for vendor in PLAYERS:
            options[vendor] = dict(facts(vendor).options)
            for endpoint in facts(vendor).endpoints.values():
                options[vendor] |= endpoint.options(str(reports))
        self._box.renew(options, PLAYERS)
        self._box.fault(kind="slow", seconds=0.004, times=-1)
        self._database = self._folder / "target.db"
        self._database.unlink(missing_ok=True)

    def _configuration(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for vendor in PLAYERS:
            # Small windows, and no lookback, which would hide what was lost.
            given = {"window_hours": facts(vendor).hours, "lookback_minutes": 0, "max_concurrency": 2}
            given |= {**facts(vendor).settings, **pages(vendor, 50)}
            # Nothing that the vendor forgets while a chain goes on.
            given["start_date"] = (NOW - facts(vendor).history + timedelta(hours=3)).isoformat()
            for endpoint in facts(vendor).endpoints.values():
                given |= endpoint.settings(self._box.world.options[vendor])
            found |= config_of(self._box, vendor, **given)
        return found

    def _incomplete(self) -> list[str]:
        """Return the rows of the ledger that are not complete."""
        rows = strict_target.tables(self._database).items()
        return [record for (stream, _), record in rows if stream == LEDGER and '"status": "complete"' not in record]

    def _tables(self) -> dict[tuple[str, str], str]:
        return {key: record for key, record in strict_target.tables(self._database).items() if key[0] != LEDGER}

    def _errors(self) -> str:
        return (self._folder / "err").read_text("utf-8")

    def _write(self, name: str, value: Any) -> None:
        (self._folder / f"{name}.json").write_text(json.dumps(value), "utf-8")


def crash(count: int, seed: int) -> Crashes:
    """Crash so many times; everything is there at the end of every chain."""
    with Crashes(seed) as found:
        while found.count.total() < count:
            found.chain()
    return found


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="scripts/crashes", description=__doc__)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    found = crash(given.count, given.seed)
    minutes = (time.monotonic() - began) / 60
    head = (
        f"{found.count.total():,} crashes in {found.chains} chains, {minutes:.1f} minutes; no row missing, none wrong:"
    )
    sys.stdout.write("\n".join([head, *(f"- {kind}: {found.count[kind]:,}" for kind in KINDS), ""]))


if __name__ == "__main__":
    main()

"""The soak: months of runs, one every simulated quarter of an hour, of everything that happens in months.

Mails live as their vendors' do: they are taken, and their status changes minutes, hours or a day later; some rows
appear late. Requests fail for a moment; vendors are down for hours and days, the tap is as well; targets lose the end
of a run. In the end the tables are those of one look at everything, nothing is incomplete in the ledger, and neither
memory nor STATE nor the number of requests has grown.

    scripts/soak --days 90 --seed 7 --providers smtp2go infobip
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from general import EVENTS, LEDGER, NOW, config_of, facts
from harness import catalog
from outcome import assert_private
from sandbox.base import Life
from sandbox.server import Sandbox
from sandbox.vendors import VENDORS as PLAYERS
from soak_figures import Figures
from tap_emaillogs.providers import PROVIDERS
from tap_emaillogs.streams.provider import name_of
from zygote import Order, SharedClock, Zygote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zygote import Ended

EVERY = timedelta(minutes=15)
SETTLING = timedelta(days=3, hours=6)
"""At the end so long nothing new happens, until the last revisit has been due."""
KEPT_MAILS = 200
"""So many reports stay in their directory: its owner puts the older ones away."""
SIZE = 28 * 12
"""Mails that a vendor has in the four weeks before, and goes on to have at that pace."""
LIVES = 6
"""Mails a day and vendor whose status changes late."""
FAULTS: tuple[dict[str, Any], ...] = (
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503)),
    {"kind": "status", "status": 429, "retry_after": 90},
    *({"kind": kind} for kind in ("reset", "cut", "cut_json", "html")),
)
DOWN: tuple[dict[str, Any], ...] = ({"kind": "status", "status": 503}, {"kind": "reset"}, {"kind": "html"})


class Soak:
    """A world and a tap that reads it for `days`."""

    def __init__(self, days: float, seed: int, providers: Sequence[str] = ()) -> None:
        self.vendors = list(providers) or [provider.name for provider in PROVIDERS]
        self.end = NOW + max(timedelta(days=1), timedelta(days=days) - SETTLING)
        self.dice = random.Random(seed)
        self.figures = Figures()
        self.tables: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.state: dict[str, Any] | None = None

    def play(self) -> Figures:
        """Live through it.

        Raises:
            AssertionError: Something is lost, a ghost, or growing.
        """
        began = time.monotonic()
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-")))
            self.clock = SharedClock(str(self.folder / "clock"), NOW)
            self.box = stack.enter_context(
                Sandbox(
                    seed=self.dice.randrange(1_000),
                    size=SIZE,
                    now=self.clock.now,
                    live=True,
                    future=self.end - NOW,
                    vendors=self.vendors,
                    options=self._options(),
                )
            )
            self.zygote = stack.enter_context(Zygote())
            self._prepare()
            self._months()
            self._compare(self._once())
        self.figures.seconds = time.monotonic() - began
        return self.figures

    # The world.

    def _options(self) -> dict[str, dict[str, Any]]:
        reports = self.folder / "reports"
        reports.mkdir()
        found: dict[str, dict[str, Any]] = {}
        for vendor in self.vendors:
            found[vendor] = dict(facts(vendor).options)
            for endpoint in facts(vendor).endpoints.values():
                found[vendor] |= endpoint.options(str(reports))
        return found

    def _prepare(self) -> None:
        self.config = config_of(self.box, *self.vendors)
        for vendor in self.vendors:
            for endpoint in facts(vendor).endpoints.values():
                self.config[vendor] |= endpoint.settings(self.box.world.options[vendor])
        names = [name_of(kind) for one in PROVIDERS if one.name in self.vendors for kind in one.streams]
        self._write("config", self.config)
        self._write("catalog", catalog(self.config, [*names, EVENTS, LEDGER]))
        for vendor in self.vendors:
            count = round(LIVES * ((self.end - NOW) / timedelta(days=1)))
            self.box.live(vendor, [self._life(vendor) for _ in range(count)])

    def _life(self, vendor: str) -> Life:
        """Return a mail's life; its last change comes before the last revisit, with some hours to spare."""
        at = NOW + self.dice.random() * (self.end - NOW)
        left, steps, before = max(facts(vendor).revisits) / 2, [], ""
        while (following := PLAYERS[vendor].transitions.get(before)) and len(steps) < 6 and self.dice.random() < 0.85:
            before = self.dice.choice(following)
            wait = self.dice.choice((timedelta(seconds=5), timedelta(minutes=7), timedelta(hours=2), left / 3))
            if wait > left:
                break
            left -= wait
            steps.append((wait, before))
        return Life(at.replace(microsecond=0), tuple(steps))

    def _outages(self) -> list[tuple[datetime, datetime, str]]:
        """Return (start, end, vendor) of what is down, about one a week for each; of "tap" there are no runs."""
        found: list[tuple[datetime, datetime, str]] = []
        for who in (*self.vendors, "tap"):
            # What the vendor with the shortest memory forgets meanwhile nobody can read.
            memory = min(facts(name).history for name in (self.vendors if who == "tap" else [who]))
            at = NOW + self.dice.uniform(0.1, 0.6) * min(self.end - NOW, timedelta(days=9))
            long = min(timedelta(days=3), memory / 4, (self.end - NOW) / 3)
            while at < self.end:
                found.append((at, at + self.dice.uniform(0.2, 1) * long, who))
                at = found[-1][1] + timedelta(days=self.dice.uniform(1, 9))
                long = min(timedelta(days=3), memory / 4) if self.dice.random() < 0.3 else timedelta(hours=4)
        self.figures.outages = [(end - start) / timedelta(hours=1) for start, end, _ in found]
        return found

    # Its months.

    def _months(self) -> None:
        outages = self._outages()
        at = NOW
        while at < self.end + SETTLING:
            at += EVERY
            down = {who for start, end, who in outages if start <= at < end}
            if "tap" in down:
                continue
            if at > self.clock.now():
                self.clock.pass_time(at - self.clock.now())
            settling = at >= self.end
            clean = self._disturb(set() if settling else down, quiet=settling)
            self._read(clean=clean, cut=not settling and self.dice.random() < 0.08)

    def _disturb(self, down: set[str], *, quiet: bool) -> bool:
        """Let things go wrong; tell whether nothing does."""
        self.box.clear_faults()
        self.box.requests.clear()
        for old in sorted((self.folder / "reports").iterdir(), key=lambda mail: mail.stat().st_mtime_ns)[:-KEPT_MAILS]:
            old.unlink()
        for vendor in down:
            self.box.fault(vendor=vendor, times=-1, **self.dice.choice(DOWN))
        if quiet:
            return True
        if self.dice.random() < 0.05:
            self.box.late(
                self.dice.choice(self.vendors), count=self.dice.randint(1, 3), minutes_ago=self.dice.uniform(1, 50)
            )
        if struck := self.dice.random() < 0.15:
            fault = {**self.dice.choice(FAULTS), "times": self.dice.choice((1, 1, 3, 9))}
            self.box.fault(vendor=self.dice.choice(self.vendors), after=self.dice.choice((0, 0, 1, 3)), **fault)
        return not down and not struck

    def _read(self, *, clean: bool, cut: bool) -> None:
        ended = self._run(self.state)
        figures = self.figures
        figures.runs += 1
        figures.failed += ended.tap == 1
        figures.cut += cut
        figures.requests += len(self.box.requests)
        figures.struck += sum(request.fault is not None for request in self.box.requests)
        said = f"at {self.clock.now()}: {ended}\n{self._errors()}"
        assert ended.tap == 0 or (ended.tap == 1 and not clean), said
        assert not ended.hung, said
        assert "Traceback" not in said, said
        assert_private("stderr", said, self.config)
        lines = (self.folder / "out").read_bytes().splitlines()
        for line in lines[: self.dice.randrange(len(lines)) if cut else None]:
            message = json.loads(line)
            if message["type"] == "RECORD":
                self._upsert(self.tables, message)
            elif message["type"] == "STATE":
                self.state = message["value"]
        figures.state.append(len(json.dumps(self.state)))
        figures.memory.append(ended.memory)
        figures.asked.append(len(self.box.requests))

    def _run(self, state: Any) -> Ended:
        files = ["config", "catalog", *(["state"] if state else [])]
        if state:
            self._write("state", state)
        arguments = [part for name in files for part in (f"--{name}", str(self.folder / f"{name}.json"))]
        out, err, clock = (str(self.folder / name) for name in ("out", "err", "clock"))
        return self.zygote.run(Order(arguments, err, out=out, clock=clock))

    # What came of them.

    def _once(self) -> dict[str, dict[str, str]]:
        """Return the tables of one look at everything, by vendors that have forgotten nothing."""
        days = (self.end - NOW).days + 40
        for vendor in self.vendors:
            for account in self.box.vendor(vendor).accounts.values():
                for name, factor in (("history_days", 1), ("history_hours", 24)):
                    if name in account.options:
                        account.options[name] = days * factor
            self.config[vendor] |= {"history_days": days, "revisit_minutes": []}
        self.config["start_date"] = (NOW - timedelta(days=30)).isoformat()
        self._write("config", self.config)
        ended = self._run(None)
        assert ended.tap == 0, self._errors()
        found: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for line in (self.folder / "out").read_bytes().splitlines():
            message = json.loads(line)
            if message["type"] == "RECORD":
                self._upsert(found, message)
        return found

    def _upsert(self, tables: dict[str, dict[str, str]], message: dict[str, Any]) -> None:
        stream, record = message["stream"], message["record"]
        text = json.dumps(record, sort_keys=True)
        tables[stream][json.dumps([record[name] for name in self._keys(stream)])] = text

    @staticmethod
    def _keys(stream: str) -> Sequence[str]:
        if stream in (EVENTS, LEDGER):
            return ("event_id",) if stream == EVENTS else ("window_id",)
        kinds = (kind for one in PROVIDERS for kind in one.streams)
        return next(tuple(kind.primary_keys or ()) for kind in kinds if name_of(kind) == stream)

    def _compare(self, once: dict[str, dict[str, str]]) -> None:
        have = self.tables
        for stream in {*have, *once} - {LEDGER}:
            missing, over = once[stream].keys() - have[stream].keys(), have[stream].keys() - once[stream].keys()
            assert not missing, f"{stream}: {len(missing)} rows are missing, such as {once[stream][min(missing)]}"
            ghosts = [one for one in over if not self._happened(stream, json.loads(have[stream][one]), once)]
            assert not ghosts, f"{stream}: {len(ghosts)} ghosts, such as {have[stream][min(ghosts)]}"
            wrong = [key for key, text in once[stream].items() if have[stream][key] != text]
            if wrong:
                one, two = have[stream][wrong[0]], once[stream][wrong[0]]
                raise AssertionError(f"{stream}: {len(wrong)} rows of an older version: {one}, not {two}")
            self.figures.rows[stream] = len(have[stream])
        incomplete = [row for row in map(json.loads, have[LEDGER].values()) if row["status"] != "complete"]
        # While a tap is down for longer than lies between the last revisit and the end of a vendor's memory, it misses
        # the revisit, and says so.
        self.figures.unvisited = sum("not once more" in (row["gap_reason"] or "") for row in incomplete)
        incomplete = [row for row in incomplete if "not once more" not in (row["gap_reason"] or "")]
        assert not incomplete, f"{len(incomplete)} windows are not complete, such as {incomplete[0]}"
        self.figures.check_flat()

    def _happened(self, stream: str, record: dict[str, Any], once: dict[str, dict[str, str]]) -> bool:
        """Whether an event is of a status that its vendor has overwritten since: such events stay, they happened."""
        if stream != EVENTS or record["event_type"] == "queued":
            return False
        if not hasattr(self, "_messages"):
            self._messages = {json.loads(text)["message_id"] for text in once[EVENTS].values()}
        return record["provider"] in ("zeptomail", "messangi") and record["message_id"] in self._messages

    def _errors(self) -> str:
        return (self.folder / "err").read_text("utf-8")

    def _write(self, name: str, value: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(value), "utf-8")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__.split("\n\n")[0] if __doc__ else "")
    parser.add_argument("--days", type=float, default=30, help="simulated days, of 96 runs each")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--providers", nargs="+", metavar="NAME", default=(), choices=[one.name for one in PROVIDERS])
    given = parser.parse_args()
    figures = Soak(given.days, given.seed, given.providers).play()
    sys.stdout.write("\n".join([f"{given.days:g} days, seed {given.seed}:", *figures.lines(), ""]))


if __name__ == "__main__":
    main()

"""Prints how many requests the tap needs beside the fewest that can do: large histories, and a week of runs.

    python benchmarks/requests_needed.py [--days 7] [--minutes 5] [--seed 7]

First runs: 100,000 SMTP2GO events, 6,000 JetEmail rows under a cap of 1,000, 15,000 Infobip mails with 900 in one
second; every row is compared with the sandbox's. Then runs every few minutes over some days, on a clock that jumps,
beside what looking back three days at every run would cost.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / part) for part in ("tests", ".")]

from general import LEDGER, NOW, STREAMS, asked, beginning, config_of, facts, limit  # noqa: E402 - the path comes first
from harness import Ticking, catalog, run  # noqa: E402 - the path comes first
from outcome import Run, assert_rows, assert_tiles, restored, rows_of  # noqa: E402 - the path comes first
from sandbox.server import Sandbox  # noqa: E402 - likewise

MEASURED = ("smtp2go", "jetemail", "infobip")
PAGE = {vendor: facts(vendor).most_rows for vendor in MEASURED}


@dataclass(frozen=True)
class Needed:
    """What one reading took."""

    name: str
    vendor: str
    rows: int
    requests: int
    minimum: int
    seconds: float
    windows: int

    @property
    def ratio(self) -> float:
        return self.requests / self.minimum


FIRST_RUNS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "SMTP2GO, 100,000 events": ("smtp2go", 100_000, {}),
    "JetEmail, 6,000 rows, cap 1,000": ("jetemail", 6_000, {"max_count_limit": 1000}),
    "JetEmail, the same by first_seen": ("jetemail", 6_000, {"max_count_limit": 1000, "filter_column": "first_seen"}),
    "Infobip v1, 15,000 mails, 900 in a second": ("infobip", 15_000, {"burst": {"count": 900}}),
    "Infobip v1, the same, oldest first": ("infobip", 15_000, {"burst": {"count": 900}, "order": "oldest"}),
    "Infobip v1, the same, shuffled": ("infobip", 15_000, {"burst": {"count": 900}, "order": "shuffled"}),
    "Infobip v4, 15,000 mails": ("infobip", 15_000, {"burst": {"count": 900}, "api_version": 4}),
}


def first_run(name: str, *, seed: int = 7, share: float = 1.0) -> Needed:
    """Read a large history and compare every row; `share` makes it smaller, cap and burst included."""
    vendor, size, options = FIRST_RUNS[name]
    size = int(size * share)
    options = dict(options)
    if "max_count_limit" in options:
        options["max_count_limit"] = int(options["max_count_limit"] * share)
    if "burst" in options:
        options["burst"] = {"count": int(options["burst"]["count"] * share)}
    page = max(1, int(PAGE[vendor] * share))
    with Sandbox(seed=seed, size=size, now=NOW, vendors=[vendor], options={vendor: options}) as box:
        config = config_of(box, vendor, page_size=page)
        began = time.perf_counter()
        found = run(
            config, catalog=catalog(config, [STREAMS[vendor], LEDGER]), box=box, clock=Ticking(), checked=share < 1
        )
        seconds = time.perf_counter() - began
        check_first_run(box, found, vendor, size)
        return Needed(name, vendor, size, asked(found, vendor), -(-size // page), seconds, len(found.ledger))


def check_first_run(box: Sandbox, found: Run, vendor: str, size: int) -> None:
    """Stop at the first row that is lost, doubled or invented, and at a hole in the ledger."""
    assert found.status == 0, found.stderr
    records = found.records[STREAMS[vendor]]
    assert len(records) == size
    assert len({tuple(record[key] for key in found.keys[STREAMS[vendor]]) for record in records}) == size
    assert_rows(box, found, vendor)
    rows = found.windows(STREAMS[vendor])
    assert {row["status"] for row in rows} == {"complete"}
    assert_tiles(rows, beginning(vendor), limit(vendor))
    assert sum(row["requests"] for row in rows) == asked(found, vendor)
    assert sum(row["records"] for row in rows) == size


@dataclass
class Repeated:
    """What many runs in a row took, of one vendor."""

    vendor: str
    runs: int = 0
    requests: int = 0
    most: int = 0
    plain_once: int = 0
    plain: int = 0
    """The requests of runs that each look back three days, pages counted at their best."""
    records: int = 0
    rows: int = 0


def repeated_runs(  # noqa: PLR0913 - settings, all by name
    *,
    days: float,
    minutes: float,
    seed: int = 7,
    size: int = 6000,
    vendors: tuple[str, ...] = MEASURED,
    late: int = 0,
) -> tuple[dict[str, Repeated], dict[str, dict[str, Any]], Sandbox]:
    """Run the tap again and again on live data; return the counts, the rows of all runs by key, and the sandbox.

    At the start each log holds `size` rows of the last three days (Infobip: two), and goes on at that pace.
    `late` rows appear every six hours in each log, in turn 10 minutes to 20 hours after their time.
    """
    clock = Ticking()
    future = timedelta(days=days)
    busy = {"smtp2go": {"span_days": 3, "late_share": 0.01}, "jetemail": {"span_days": 3}, "infobip": {}}
    options = {vendor: busy[vendor] for vendor in vendors}
    found = {vendor: Repeated(vendor) for vendor in vendors}
    tables: dict[str, dict[str, Any]] = {vendor: {} for vendor in vendors}
    box = Sandbox(seed=seed, size=size, now=clock.now, vendors=vendors, future=future, options=options)
    with box:
        config = config_of(box)
        chosen = catalog(config, [*(STREAMS[vendor] for vendor in vendors), LEDGER])
        state: dict[str, Any] = {}
        next_late, delays = NOW, [10, 50, 170, 600, 1200]
        end = NOW + future
        while clock.now() <= end:
            if late and clock.now() >= next_late and clock.now() < end - timedelta(hours=31):
                delays = [*delays[1:], delays[0]]
                for vendor in vendors:
                    box.late(vendor, count=late, minutes_ago=delays[0])
                next_late += timedelta(hours=6)
            one = run(config, state=state, catalog=chosen, clock=clock, box=box, checked=False)
            assert one.status == 0, one.stderr
            state = one.state
            for vendor in vendors:
                count(found[vendor], one, box, clock.now())
                for record in one.records[STREAMS[vendor]]:
                    tables[vendor][str([record[key] for key in one.keys[STREAMS[vendor]]])] = record
            clock.pass_time(minutes=minutes)
    for vendor in vendors:
        found[vendor].rows = len(tables[vendor])
    return found, tables, box


def count(into: Repeated, one: Run, box: Sandbox, now: datetime) -> None:
    """Add a run, and what it would have cost to look back three days."""
    requests = asked(one, into.vendor)
    into.runs += 1
    into.requests += requests
    into.most = max(into.most, requests)
    into.records += len(one.records[STREAMS[into.vendor]])
    if into.runs % 12 == 1:  # it changes slowly
        days = 2 if into.vendor == "infobip" else 3
        start, end = now - timedelta(days=days), now - facts(into.vendor).settle
        into.plain_once = max(1, -(-visible(box, into.vendor, start, end) // PAGE[into.vendor]))
    into.plain += into.plain_once


def visible(box: Sandbox, vendor: str, start: datetime, end: datetime) -> int:
    """Count the rows of a stretch of time."""
    log = next(iter(box.vendor(vendor).logs.values()))
    low, high = start.timestamp() * 1000, end.timestamp() * 1000
    if vendor == "smtp2go":
        return sum(low <= event.at < high for event in log.rows)
    if vendor == "jetemail":
        return sum(low <= row.updated < high for row in log.rows)
    return sum(low <= mail.at < high for mail in log.rows)


def lost(box: Sandbox, vendor: str, table: dict[str, Any], before: datetime) -> list[Any]:
    """Return the rows older than `before` that no run has brought."""
    if vendor == "smtp2go":
        have = {str(sorted(restored(record).items())) for record in table.values()}
        return [
            row
            for row in rows_of(box, vendor)
            if row["date"] < before.isoformat() and str(sorted(row.items())) not in have
        ]
    key = ("uid",) if vendor == "jetemail" else ("messageId", "to")
    have = {str([record[name] for name in key]) for record in table.values()}
    return [
        row
        for row in rows_of(box, vendor)
        if row[facts(vendor).time] < before.isoformat() and str([row[name] for name in key]) not in have
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    print(f"{'first run':<44}{'rows':>9}{'requests':>10}{'minimum':>9}{'ratio':>7}{'windows':>9}{'seconds':>9}")
    for name in FIRST_RUNS:
        one = first_run(name, seed=given.seed)
        print(
            f"{name:<44}{one.rows:>9,}{one.requests:>10}{one.minimum:>9}{one.ratio:>7.2f}{one.windows:>9}"
            f"{one.seconds:>9.1f}"
        )
    began = time.perf_counter()
    found, tables, box = repeated_runs(days=given.days, minutes=given.minutes, seed=given.seed, late=5)
    print(f"\n{given.days:g} days of runs every {given.minutes:g} minutes ({time.perf_counter() - began:.0f} s)")
    print(f"{'vendor':<12}{'runs':>7}{'rows':>9}{'requests':>10}{'per run':>9}{'most':>6}{'plain':>9}{'lost':>6}")
    for vendor, runs in found.items():
        gone = lost(box, vendor, tables[vendor], NOW + timedelta(days=given.days - 1))
        print(
            f"{vendor:<12}{runs.runs:>7}{runs.rows:>9,}{runs.requests:>10}{runs.requests / runs.runs:>9.2f}"
            f"{runs.most:>6}{runs.plain:>9}{len(gone):>6}"
        )
    print("plain: what looking back three days (Infobip: two) at every run would cost, with full pages")


if __name__ == "__main__":
    main()

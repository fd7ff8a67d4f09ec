"""The bench: `scripts/bench` runs it. Reads the same rows with everybody, and says how the tap stands beside them."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import growth, reading, report, vendors
from benchmarks.contestants import CONTESTANTS, python_of
from benchmarks.loading import loading
from benchmarks.runs import Bench, serving
from benchmarks.start import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.report import Section

CASES: dict[str, Callable[[reading.Context], Section]] = {
    "raw-10k": partial(reading.one_stream, count=10_000),
    "raw-100k": partial(reading.one_stream, count=100_000),
    "raw-1m": partial(reading.one_stream, count=1_000_000),
    "raw-100ms": partial(reading.one_stream, count=100_000, latency=100),
    "raw-300ms": partial(reading.one_stream, count=30_000, latency=300),
    "streams": reading.streams,
    "concurrency": reading.concurrency,
    "five": vendors.five,
    "everything": vendors.everything,
    "polite": vendors.polite,
    "accounts": growth.accounts,
    "budget": growth.budget,
    "start": start,
    "loading": loading,
    "huge": reading.huge,
}
ASKED_FOR = ("huge",)
"""Cases that run only when they are named, or with `--huge`."""


def main() -> int:
    """Run the command line; status 1 when a goal is not met."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"all but huge by default: {', '.join(CASES)}")
    parser.add_argument("--only", metavar="NAMES", help=f"contestants, with commas: {', '.join(CONTESTANTS)}")
    parser.add_argument("--rounds", type=int, help="interleaved runs of each (5; quick: 1)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, one round")
    parser.add_argument("--huge", action="store_true", help="also five million rows: 4 GB of memory and of disk")
    parser.add_argument("--write", action="store_true", help="write into benchmarks/RESULTS.md; a full bench does")
    given = parser.parse_args()
    if unknown := [name for name in given.cases if name not in CASES]:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    names = given.cases or [name for name in CASES if name not in ASKED_FOR or given.huge]
    contestants = frozenset(given.only.split(",") if given.only else CONTESTANTS)
    if unknown := sorted(contestants - CONTESTANTS.keys()):
        parser.error(f"no contestant {', '.join(unknown)}; there are {', '.join(CONTESTANTS)}")
    rounds = given.rounds or (1 if given.quick else 5)
    # The floor and ours are in every case; a bare SDK tap is what starts are compared with.
    needed = contestants | {"ours", "floor"} | ({"sdk"} if "start" in names else set())
    pythons = {name: python_of(CONTESTANTS[name]) for name in CONTESTANTS if name in needed}
    sections = []
    with serving() as server:
        context = reading.Context(Bench(server, pythons), contestants | {"floor"}, rounds, given.quick)
        for name in names:
            print(f"==> {name}", flush=True)
            sections.append(CASES[name](context))
            print(sections[-1].text(), flush=True)
    if given.write or not (given.cases or given.only or given.quick):
        report.write(sections, "scripts/bench " + " ".join(sys.argv[1:]), rounds)
        print(f"\nwritten: {report.RESULTS}")
    missed = [goal for section in sections for goal in section.goals if not goal.met]
    print("\n" + "\n".join(["Goals not met:", *(f"  {goal}" for goal in missed)] if missed else ["No goal is missed."]))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

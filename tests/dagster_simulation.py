"""Many accounts and days through a real Dagster, as `docs/scaling.md` tells of it; prints a table.

scripts/simulate --accounts 1000 --days 30 --groups 20
scripts/simulate --accounts 3 --days 10 --groups 0 --trouble      what the test plays
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

import dagster_screens
from dagster_meter import Meter
from dagster_play import Play, played

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dagster_stage import Ran


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; status 1 when anything is missing, doubled, refused or banned."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--groups", type=int, default=20, help="accounts share so many; 0: each is alone")
    parser.add_argument("--rows", type=int, default=60, help="rows of each account over all days")
    parser.add_argument("--stretches", type=int, default=30, help="days that one run takes at most")
    parser.add_argument("--page-size", type=int, default=20, help="rows that a vendor shows at once")
    parser.add_argument("--runs", type=int, default=2, help="runs at the same time")
    parser.add_argument("--every", type=int, default=10, help="minutes between forward runs")
    parser.add_argument("--minutes", type=float, default=60, help="give up after so long")
    parser.add_argument("--screens", type=Path, metavar="FOLDER", help="put pictures of Dagster's pages there")
    parser.add_argument("--trouble", action="store_true", help="kill a worker, and let a vendor be down for a while")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="simulate-") as folder:
        play_of = played(
            Path(folder),
            given.accounts,
            given.days,
            quiet_groups=given.groups,
            size=given.rows,
            trouble=given.trouble,
            every_minutes=given.every,
            runs=given.runs,
            stretches=given.stretches,
            page_size=given.page_size,
        )
        with play_of as play, Meter(play.stage) as meter:
            play.until_whole(given.minutes * 60)
            if given.screens:
                dagster_screens.take(play, given.screens)
            mistakes = wrong(play)
            sys.stdout.write("\n".join([*told(play, meter), *mistakes, ""]))
    return 1 if mistakes else 0


def told(play: Play, meter: Meter) -> Iterator[str]:
    """Yield the table's lines."""
    runs = play.stage.runs()
    yield "| | |"
    yield "| --- | --- |"
    sizes = (play.accounts, len(play.groups), play.days, len(play.verdicts))
    yield f"| accounts, groups, days, partitions | {', '.join(f'{size:,}' for size in sizes)} |"
    yield f"| minutes until every partition was whole | {play.seconds / 60:.1f} |"
    yield f"| requests; refused | {len(play.box.requests):,}; {sum(one.status == 429 for one in play.box.requests)} |"
    yield f"| rows loaded (raw, events) | {', '.join(f'{count:,}' for count in rows(play))} |"
    for kind in ("backfill", "forward"):
        mine = [run for run in runs if run.kind == kind]
        waits, lasts = times(mine)
        ended = Counter(run.status.lower() for run in mine)
        yield (
            f"| {kind} runs | {', '.join(f'{count} {status}' for status, count in sorted(ended.items()))}; "
            f"in the queue {median(waits):.0f} s, at work {median(lasts):.0f} s (medians) |"
        )
    yield f"| minutes from one forward run of a group to the next, at most | {play.longest_wait():.1f} |"
    for kind, used in meter.used().items():
        each = used.cpu / used.processes
        said = f"{used.cpu:.0f} ({used.processes} processes, {each:.1f} each), largest {used.peak:.0f} MB"
        yield f"| CPU s of {kind} | {said} |"
    for name, count in sorted(play.stored().items()):
        yield f"| Dagster's `{name}` | {count:,} rows |"
    for name, query in SIZES.items():
        yield f"| {name} | {play.stage.ask(query)[0][0]} |"


SIZES = {
    "Dagster's tables": "select pg_size_pretty(sum(pg_total_relation_size(relid))) from pg_stat_user_tables "
    "where schemaname = 'public' and relname <> 'tap_emaillogs_state'",
    "the data": "select pg_size_pretty(sum(pg_total_relation_size(relid))) from pg_stat_user_tables "
    "where schemaname = 'tap_emaillogs'",
    "rows of the ledger": "select count(*) from tap_emaillogs.sync_windows",
    "rows of STATE, the longest": "select count(*) || ', ' || max(length(state)) from tap_emaillogs_state",
}


def times(runs: list[Ran]) -> tuple[list[float], list[float]]:
    """Return the seconds that runs waited, and those that they took; [0] where none did."""
    waits = [(run.started - run.created).total_seconds() for run in runs if run.started]
    lasts = [(run.ended - run.started).total_seconds() for run in runs if run.started and run.ended]
    return waits or [0.0], lasts or [0.0]


def rows(play: Play) -> tuple[int, int]:
    """Return the rows of the raw streams and the events."""
    tables = play.tables()
    raw = sum(count for name, count in tables.items() if " " in name)
    return raw, sum(tables.values()) - raw


_LATE = 2
"""A forward run may miss its time by one interval: while the one before it still runs, it waits in the queue."""


def wrong(play: Play) -> list[str]:
    """Return what is not as it should be."""
    found = []
    if play.tables() != play.truth():
        found.append("WRONG: the tables are not what the vendors have")
    if any(logged.status == 429 for logged in play.box.requests):
        found.append("WRONG: a budget was overdrawn")
    if play.overlaps("backfill", "backfill") or play.overlaps("forward", "forward"):
        found.append("WRONG: two runs spent one purse")
    if play.longest_wait() > _LATE * play.every_minutes:
        found.append(f"WRONG: a group waited {play.longest_wait():.1f} minutes for its forward run")
    stored = play.everything_stored()
    if any(secret.encode() in stored for secret in play.secrets.values()):
        found.append("WRONG: a secret was stored")
    return found


if __name__ == "__main__":
    sys.exit(main())

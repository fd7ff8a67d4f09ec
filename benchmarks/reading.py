"""Cases: reading SMTP2GO's log, beside the floor and the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contestants import AIRBYTE, CLASSIC, DLT, EVENTS, FLOOR, OURS, RAW, STOCK, Contestant
from benchmarks.plot import Bar
from benchmarks.report import Goal, Section, median, spread
from benchmarks.runs import Bench, Load, Result, fewest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ALL = (FLOOR, OURS, STOCK, CLASSIC, AIRBYTE, DLT)
_BOTH = (RAW, EVENTS)
_HASHING = {
    "privacy": {"recipient": "hash", "subject": "hash", "ip": "hash", "salt": "a salt of the benchmark, not secret"}
}


@dataclass(frozen=True)
class Context:
    """What every case gets."""

    bench: Bench
    contestants: frozenset[str]
    rounds: int
    quick: bool

    def rows(self, count: int) -> int:
        """Return the size of a load; a tenth of it in a quick bench."""
        return count // 10 if self.quick else count

    def interleaved(self, runs: Mapping[str, Callable[[], Result]], most: int | None = None) -> dict[str, list[Result]]:
        """Run everything once per round, each round beginning with another, so that a slow minute hits all alike.

        `most` bounds the rounds of what takes long.
        """
        found: dict[str, list[Result]] = {label: [] for label in runs}
        labels = list(runs)
        for number in range(min(self.rounds, most or self.rounds)):
            start = number % len(labels)
            for label in [*labels[start:], *labels[:start]]:
                found[label].append(runs[label]())
                print(f"    {label}: {found[label][-1].wall:.2f} s", flush=True)
        return found


def _compare(  # noqa: PLR0913, PLR0917 - what a comparison is
    context: Context,
    name: str,
    title: str,
    entries: Mapping[str, tuple[Contestant, Load]],
    base: str,
    most: int | None = None,
) -> tuple[Section, Callable[[str], float]]:
    """Measure loads beside each other; return the section, and the ratio of an entry to `base`."""
    chosen = {
        label: (contestant, load)
        for label, (contestant, load) in entries.items()
        if contestant.name in context.contestants or label == base
    }
    found = context.interleaved(
        {label: lambda pair=pair: context.bench.run(*pair) for label, pair in chosen.items()},  # type: ignore[misc]
        most,
    )
    headers = ("", "records/s", "of the floor", "by CPU", "wall s", "CPU s", "peak MB", "requests", "fewest")
    section = Section(name, title, headers)
    ratios = {
        label: [one.rate / beside.rate for one, beside in zip(results, found[base], strict=True)]
        for label, results in found.items()
    }
    by_cpu = median([one.records / one.cpu for one in found[base]])
    for label, results in found.items():
        middle = median(ratios[label])
        section.rows.append(
            (
                label,
                f"{median([one.rate for one in results]):,.0f}",
                spread(ratios[label]),
                f"{median([one.records / one.cpu for one in results]) / by_cpu:.2f}",
                f"{median([one.wall for one in results]):.2f}",
                f"{median([one.cpu for one in results]):.2f}",
                f"{max(one.rss_mb for one in results):.0f}",
                f"{median([one.requests for one in results]):.0f}",
                str(fewest(chosen[label][1])),
            )
        )
        section.bars.append(Bar(title, label, middle, min(ratios[label]), max(ratios[label])))
    return section, lambda label: median(ratios[label])


def one_stream(context: Context, count: int, latency: int = 0) -> Section:
    """Everybody reads one stream."""
    load = Load(context.rows(count), latency)
    title = f"One raw stream, {load.rows:,} rows, {latency} ms"
    entries = {one.title: (one, load) for one in _ALL}
    # Waiting takes the same time in each round.
    section, ratio = _compare(context, f"raw-{count}-{latency}", title, entries, FLOOR.title, 1 if latency else None)
    if OURS.name in context.contestants and not latency and count == 1_000_000:
        section.goals.append(Goal("one raw stream, of the floor", ratio(OURS.title), 0.65, at_least=True))
        peak = float(next(row[6] for row in section.rows if row[0] == OURS.title))
        section.goals.append(Goal(f"peak memory for {load.rows:,} rows", peak, 120, at_least=False, unit="MB"))
    return section


def streams(context: Context) -> Section:
    """Ours with more to do: `email_events`, hashing, windows one after the other or eight at a time."""
    rows = context.rows(300_000)
    ours = {
        f"{OURS.title}, raw": Load(rows),
        f"{OURS.title}, raw + events": Load(rows, streams=_BOTH),
        f"{OURS.title}, raw + events, hashed": Load(rows, streams=_BOTH, top=_HASHING),
        f"{OURS.title}, raw, hashed": Load(rows, top=_HASHING),
        f"{OURS.title}, events only": Load(rows, streams=(EVENTS,)),
        f"{OURS.title}, raw, max_concurrency 1": Load(rows, settings={"max_concurrency": 1}),
        f"{OURS.title}, raw, max_concurrency 8": Load(rows, settings={"max_concurrency": 8}),
    }
    entries = {FLOOR.title: (FLOOR, Load(rows)), **{label: (OURS, load) for label, load in ours.items()}}
    title = f"What ours does beside reading, {rows:,} rows, 0 ms"
    section, ratio = _compare(context, "streams", title, entries, FLOOR.title)
    section.note = "Counted in written records: with `email_events` about twice as many."
    for label, text, bound in (
        ("raw + events", "raw + email_events, of the floor", 0.4),
        ("raw + events, hashed", "the same with hashing", 0.2),
    ):
        section.goals.append(Goal(text, ratio(f"{OURS.title}, {label}"), bound, at_least=True))
    return section


def concurrency(context: Context) -> Section:
    """Eight windows at a time, where each answer takes its time."""
    rows = context.rows(1_000_000)
    entries = {FLOOR.title: (FLOOR, Load(rows, 100))}
    for number in (1, 8):
        label = f"{OURS.title}, max_concurrency {number}"
        entries[label] = (OURS, Load(rows, 100, settings={"max_concurrency": number}))
    title = f"Windows at the same time, {rows:,} rows, 100 ms"
    section, ratio = _compare(context, "concurrency", title, entries, FLOOR.title, 1)
    text = "100 ms, max_concurrency 8, of the sequential floor"
    section.goals.append(Goal(text, ratio(f"{OURS.title}, max_concurrency 8"), 6, at_least=True))
    section.bars.clear()  # another scale
    return section


def huge(context: Context) -> Section:
    """Whether memory grows with the rows."""
    entries: dict[str, tuple[Contestant, Load]] = {}
    for count in (1_000_000, 5_000_000):
        load = Load(context.rows(count))
        entries |= {f"{one.title}, {load.rows:,} rows": (one, load) for one in (FLOOR, OURS)}
    section, _ = _compare(context, "huge", "Five times the rows", entries, next(iter(entries)))
    few, many = (float(row[6]) for row in section.rows if row[0].startswith(OURS.title))
    section.goals.append(Goal("peak memory of five times the rows", many / few, 1.1, at_least=False))
    section.bars.clear()
    return section

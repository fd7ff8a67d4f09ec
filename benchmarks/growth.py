"""Cases: whether cost grows with the work (accounts), and what is used of a budget."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contestants import OURS
from benchmarks.report import Goal, Section, median, spread
from benchmarks.runs import Load, Result

if TYPE_CHECKING:
    from benchmarks.reading import Context

_ROWS = 100
_FEW, _MANY, _MOST = 30, 600, 1000


def accounts(context: Context) -> Section:
    """First and quiet runs of 1 to 1,000 accounts, each with a hundred rows."""
    counts = (1, _FEW, _MANY) if context.quick else (1, _FEW, _MANY, _MOST)
    quiet: dict[int, list[Result]] = {count: [] for count in counts}

    def both(count: int) -> Result:
        load = Load(_ROWS, accounts=count)
        first = context.bench.run(OURS, load)
        quiet[count].append(context.bench.run(OURS, load, first.state))
        return first

    first = context.interleaved({f"{count} accounts": partial(both, count) for count in counts})
    headers = ("accounts", "run", "wall s", "CPU s", "MB out", "peak MB", "records", "requests")
    section = Section("accounts", f"Many accounts, {_ROWS} rows each", headers)
    cpu: dict[tuple[str, int], float] = {}
    size: dict[tuple[str, int], float] = {}
    for kind, found in (("first", dict(zip(counts, first.values(), strict=True))), ("quiet", quiet)):
        for count, results in found.items():
            cpu[kind, count] = median([one.cpu for one in results])
            size[kind, count] = median([one.bytes_out for one in results])
            section.rows.append(
                (
                    f"{count:,}",
                    kind,
                    f"{median([one.wall for one in results]):.2f}",
                    spread([one.cpu for one in results]),
                    f"{size[kind, count] / 1e6:.2f}",
                    f"{max(one.rss_mb for one in results):.0f}",
                    f"{results[-1].records:,}",
                    str(results[-1].requests),
                )
            )
        for what, figures in (("CPU", cpu), ("bytes out", size)):
            ratio = (figures[kind, _MANY] - figures[kind, 1]) / (figures[kind, _FEW] - figures[kind, 1])
            text = f"{kind} run, {what} of {_MANY} accounts beside {_FEW}, start aside"
            section.goals.append(Goal(text, ratio, 25, at_least=False))
        peak = max(one.rss_mb for one in found[counts[-1]])
        section.goals.append(Goal(f"{kind} run, peak memory, {counts[-1]:,} accounts", peak, 150, False, "MB"))
    section.note = "Start: what one account takes."
    return section


def budget(context: Context) -> Section:
    """A server that counts requests in any ten seconds, and bans who asks for one too many."""
    allowed, seconds = 60, 10.0
    load = Load(
        100_000,
        settings={"requests_per_minute": allowed * 60 / seconds, "max_concurrency": 8},
        budget={"requests": allowed, "seconds": seconds, "ban": 10.0},
    )
    results = context.interleaved({"budget": lambda: context.bench.run(OURS, load)}, most=3)["budget"]
    used = [(one.requests - 1) / one.asked_for / (allowed / seconds) for one in results]
    section = Section("budget", f"A budget of {allowed} requests in {seconds:g} s", ("", "used", "requests", "refused"))
    refused = sum(one.refused for one in results)
    section.rows.append((OURS.title, spread(used), str(results[-1].requests), str(refused)))
    section.goals.append(Goal("budget used", median(used), 0.95, at_least=True))
    section.goals.append(Goal("requests over the budget", refused, 0, at_least=False, unit="requests"))
    return section

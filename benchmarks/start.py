"""Case: how long the tap takes to say its version, or what it has, beside a bare SDK tap."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.contestants import OURS, STOCK, TAPS
from benchmarks.report import Goal, Section, median, spread
from benchmarks.runs import Result, measured, own_environ

if TYPE_CHECKING:
    from benchmarks.reading import Context

_EACH = 5


def _best(command: list[str], environ: dict[str, str]) -> Result:
    return min((measured(command, environ) for _ in range(_EACH)), key=lambda one: one.cpu)


def start(context: Context) -> Section:
    """Measure `--version` and `--discover`, several times a round since they are short."""
    pythons, environ, runs = context.bench.pythons, own_environ(), {}
    for option in ("--version", "--discover"):
        ours = [pythons[OURS.name], *OURS.arguments, option]
        stock = [pythons[STOCK.name], str(TAPS / "stock.py"), option]
        for label, command in ((OURS.title, ours), (STOCK.title, stock)):
            runs[f"{label} {option}"] = partial(_best, command, environ)
    found = context.interleaved(runs)
    section = Section("start", "Start", ("", "wall s", "CPU s", "of a bare SDK tap", "peak MB"))
    section.note = f"Each figure is the best of {_EACH} starts, files cached."
    for label, results in found.items():
        beside = found[f"{STOCK.title} {label.split()[-1]}"]
        ratios = [one.cpu / other.cpu for one, other in zip(results, beside, strict=True)]
        section.rows.append(
            (
                label,
                spread([one.wall for one in results]),
                spread([one.cpu for one in results]),
                spread(ratios),
                f"{max(one.rss_mb for one in results):.0f}",
            )
        )
        if label.startswith(OURS.title):
            text = f"{label.split()[-1]}, of a bare SDK tap (CPU)"
            section.goals.append(Goal(text, median(ratios), 1.2, at_least=False))
    return section

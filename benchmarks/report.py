"""What is shown: sections of figures and goals, on the terminal and in RESULTS.md."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.plot import Bar, bars_svg

if TYPE_CHECKING:
    from collections.abc import Sequence

RESULTS = Path(__file__).with_name("RESULTS.md")
PLOT = Path(__file__).with_name("results.svg")


@dataclass(frozen=True)
class Goal:
    """A figure and what it shall be."""

    text: str
    value: float
    bound: float
    at_least: bool
    unit: str = "x"

    @property
    def met(self) -> bool:
        """Whether the figure is on the right side of its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "met" if self.met else "NOT MET"
        return f"{self.text}: {self.value:.3g} {self.unit} (goal {sign} {self.bound:g} {self.unit}): {verdict}"


@dataclass
class Section:
    """The figures of one case."""

    name: str
    title: str
    headers: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    note: str = ""

    def text(self) -> str:
        """Return the section for the terminal."""
        cells = [list(self.headers), *map(list, self.rows)]
        widths = [max(len(row[place]) for row in cells) for place in range(len(self.headers))]
        lines = [
            "  ".join(
                cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in enumerate(pairs)
            )
            for pairs in (list(zip(row, widths, strict=True)) for row in cells)
        ]
        return "\n".join([f"\n{self.title}", *lines, *(f"  {goal}" for goal in self.goals)])

    def markdown(self, made: str) -> str:
        """Return the section for RESULTS.md; `made` says when and how."""
        aligned = ["---", *["---:"] * (len(self.headers) - 1)]
        table = "\n".join(f"| {' | '.join(row)} |" for row in [self.headers, aligned, *self.rows])
        goals = "\n".join(f"- {goal}" for goal in self.goals)
        return "\n\n".join(part for part in (f"## {self.title}", self.note, table, goals, made) if part)


def median(values: Sequence[float]) -> float:
    """Return the middle one."""
    return statistics.median(values)


def spread(values: Sequence[float], form: str = ".2f") -> str:
    """Write the median, and the least and the largest where there are several."""
    middle = format(median(values), form)
    return middle if len(values) < 2 else f"{middle} ({min(values):{form}} to {max(values):{form}})"


def write(sections: Sequence[Section], command: str, rounds: int) -> None:
    """Write sections into RESULTS.md, in place of older ones of the same case, and the plot where all bars are new."""
    made = (
        f"By `{command}` on {datetime.now(UTC):%Y-%m-%d}: Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.machine()}, {rounds} rounds at most."
    )
    known = _known() | {section.title: section.markdown(made) for section in sections}
    if len(sections) == len(known):
        bars = [bar for section in sections for bar in section.bars]
        PLOT.write_text(bars_svg("Records a second, beside a bare requests + msgspec loop (1.0)", bars), "utf-8")
    text = "\n".join(known.values())
    met, missed = text.count("): met"), text.count("): NOT MET")
    parts = [
        "# Results",
        "Medians of interleaved runs, least and largest; whole processes. Ratios are of runs of the same round.",
        f"Goals met: {met} of {met + missed}.",
        f"![Records a second beside the floor]({PLOT.name})",
        *known.values(),
    ]
    RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _known() -> dict[str, str]:
    """Return the sections of RESULTS.md by title."""
    _, *parts = RESULTS.read_text(encoding="utf-8").split("\n## ") if RESULTS.exists() else ("",)
    return {part.partition("\n")[0]: f"## {part.strip()}" for part in parts}

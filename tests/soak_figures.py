"""What a soak came to: how much happened, and whether anything has grown."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass
class Figures:
    """What came of it."""

    runs: int = 0
    failed: int = 0
    cut: int = 0
    """Runs of which the target lost the end."""
    requests: int = 0
    struck: int = 0
    """Requests that a fault met."""
    seconds: float = 0
    rows: Counter[str] = field(default_factory=Counter)
    state: list[int] = field(default_factory=list)
    """Bytes of each run's last STATE."""
    memory: list[int] = field(default_factory=list)
    """Bytes of each run at its largest."""
    asked: list[int] = field(default_factory=list)
    """Requests of each run."""
    outages: list[float] = field(default_factory=list)
    """Hours of each."""
    unvisited: int = 0
    """Stretches that an outage let slip before the last look at them, as the ledger tells."""

    def lines(self) -> Iterator[str]:
        """Yield them in words."""
        yield f"- {self.runs:,} runs in {self.seconds / 60:.1f} minutes"
        yield f"- {self.requests:,} requests, of which {self.struck:,} met a fault; {self.failed:,} runs with status 1"
        yield f"- {self.cut:,} runs of which the end was lost"
        yield f"- {len(self.outages)} outages, the longest of {max(self.outages):.0f} h"
        yield f"- {self.rows.total():,} rows in {len(self.rows)} tables: none missing, none too many, none out of date"
        if self.unvisited:
            yield f"- {self.unvisited:,} stretches forgotten by a vendor before the last look, as the ledger tells"
        for name, values, unit in (
            ("STATE", self.state, "bytes"),
            ("memory", [value >> 20 for value in self.memory], "MB"),
            ("requests a run", self.asked, ""),
        ):
            first, second = halves(values)
            yield (
                f"- {name}: median {median(first):,.0f} in the first half, {median(second):,.0f} in the second; "
                f"most {max(first):,} and {max(second):,} {unit}".rstrip()
            )

    def check_flat(self) -> None:
        """Check that nothing has grown.

        Raises:
            AssertionError: Something has.
        """
        for name, values, most in (
            ("STATE", self.state, 3.0),  # an outage may come in one half only, and a catching up after it
            ("memory", self.memory, 1.25),
            ("the number of requests", self.asked, 4.0),
        ):
            first, second = halves(values)
            assert median(second) <= 1.1 * median(first) + 1, f"{name} grows: {median(first)}, {median(second)}"
            assert median(second[-len(second) // 5 :]) <= 1.1 * median(first) + 1, f"{name} grows in the end"
            assert max(second) <= most * max(first), f"{name} grows: {max(first)}, {max(second)} at most"


def halves(values: Sequence[int]) -> tuple[Sequence[int], Sequence[int]]:
    """Return what was measured in the first half, but for its first tenth, and in the second."""
    return values[len(values) // 10 : len(values) // 2], values[len(values) // 2 :]

"""What is given when vendors are played: seed, size, clock, options, and the lives that a test plans."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class World:
    """What all vendors of one sandbox have in common.

    Attributes:
        seed: Same seed, size and clock: same data.
        size: Rows of each vendor's main stream per account at the start.
        now: The clock, aware UTC.
        options: Per vendor name, what differs from the vendor's `defaults`.
        live: Whether data follows the clock: rows planned after the start appear and change when it gets there.
            Otherwise nothing changes but by `late` and `change`, and exact comparisons are easy.
        future: How far beyond the start rows are planned, at the same density (only seen when `live`).
        quiet: The youngest row at the start is at least this old, so that a first run can read all.
    """

    seed: int = 1
    size: int = 1000
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    options: dict[str, Any] = field(default_factory=dict)
    live: bool = False
    future: timedelta = timedelta(0)
    quiet: timedelta = timedelta(minutes=10)
    born: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.born = self.now()

    def now_ms(self) -> int:
        return to_ms(self.now())

    def data_ms(self) -> int:
        """Return the moment up to which data has happened."""
        return self.now_ms() if self.live else to_ms(self.born - self.quiet)


@dataclass(frozen=True)
class Account:
    """One account, found by its key; `options` are the vendor's defaults under its options under its own."""

    vendor: str
    key: str
    label: str
    size: int
    seed: str
    options: dict[str, Any]

    def rng(self, name: str) -> random.Random:
        """Return a generator of its own for each name."""
        return random.Random(f"{self.seed}/{self.vendor}/{self.label}/{name}")


class Life(NamedTuple):
    """What becomes of one mail: the vendor takes it at `at`, then each step comes so long after the one before."""

    at: datetime
    steps: tuple[tuple[timedelta, str], ...] = ()
    """(wait, what happens), the latter a name of the vendor's `transitions`."""

    def moments(self) -> list[tuple[int, str]]:
        """Return (when, what happens) of each step."""
        at, found = self.at, []
        for wait, what in self.steps:
            at += wait
            found.append((to_ms(at), what))
        return found

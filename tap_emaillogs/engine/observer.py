"""What a run tells whoever watches it; nothing in the run depends on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.failure import Failure
    from tap_emaillogs.engine.reading import Outcome, Reading


@dataclass
class Headway:
    """How far the reading of a window has come, as far as its pages tell."""

    rows: int = 0
    total: int | None = None
    """What the vendor says there are; None: nothing."""
    at: datetime | None = None
    """The time of the row seen last; None: none is known, or rows come in no order."""
    backwards: bool = False
    """Whether the newest rows come first."""
    _directions: set[bool] = field(default_factory=set)

    def add(self, rows: int, total: int | None, times: Iterable[datetime]) -> None:
        """Note a page, and the times of its first and its last row."""
        self.rows += rows
        self.total = self.total if total is None else total
        for time in times:
            if self.at is not None and time != self.at:
                self.backwards = time < self.at
                self._directions.add(self.backwards)
            self.at = time if len(self._directions) < 2 else None


class Observer:
    """Is told what happens in a run; does nothing. Whatever it does must neither raise nor take long."""

    def run_begins(self, endpoints: Sequence[Endpoint], failures: Sequence[Failure]) -> None:
        """The run is planned; some endpoints may have failed in that."""

    def window_begins(self, endpoint: Endpoint, reading: Reading) -> None:
        """A worker begins to read a window; told in its thread."""

    def window_is_split(self, endpoint: Endpoint, reading: Reading, parts: int) -> None:
        """A window is read in parts instead; told in the worker's thread."""

    def window_ends(self, endpoint: Endpoint, reading: Reading, outcome: Outcome, rows: int | None) -> None:
        """A window is written (`rows` of them), pending or failed."""

    def run_ends(self, failures: Sequence[Failure]) -> None:
        """Everything is read and written; what failed is told after this."""

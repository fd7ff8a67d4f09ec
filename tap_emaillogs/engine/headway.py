"""How far the reading of a window has come, for whoever watches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


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

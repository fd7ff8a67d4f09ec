"""What the engine and the readers exchange: a window to read, and what came of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tap_emaillogs.engine.density import Density
from tap_emaillogs.engine.notes import Notes
from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.http.client import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.window import Window

Status = Literal["complete", "truncated", "unavailable", "pending", "failed"]


class Observed:
    """What a run has learned of how an endpoint's vendor answers; shared by the workers of the endpoint."""

    def __init__(self) -> None:
        self.density = Density()
        self.totals_are_wrong = False
        """Whether parts of a window were seen to lack more rows than the whole did."""
        self.answered = False
        """Whether the vendor showed a page: it accepts the key."""
        self._seams_within_moments = self._seams_with_twins = 0
        self.lock = threading.Lock()

    def note_seams(self, within_moments: int, with_twins: int) -> tuple[int, int]:
        """Count pages that end within a moment, and those of them with rows of the next page; return all so far."""
        with self.lock:
            self._seams_within_moments += within_moments
            self._seams_with_twins += with_twins
            return self._seams_within_moments, self._seams_with_twins


class EndpointContext:
    """What the readings of an endpoint share: what the run learned, the notes in STATE, and whether they are wanted."""

    def __init__(self, notes: Mapping[str, Any], on_change: Callable[[], None] = lambda: None) -> None:
        self.observed = Observed()
        self.notes = Notes(notes, on_change)
        self.cancelled = False
        """Whether the endpoint has ended: nobody waits for what is still being read."""


@dataclass
class Reading:
    """One window to be read."""

    window: Window
    context: EndpointContext
    splits: int = 0
    """How many splits led to this window."""
    meter: Meter = field(init=False)
    short: int | None = None
    """How many rows the vendor announced and did not give, where the window is split for that."""
    allowance: list[int] | None = None
    """What the parts of such a window may lack, all together; shared by them."""

    def __post_init__(self) -> None:
        self.meter = Meter(lambda: self.context.cancelled)

    def lacks(self, rows: int) -> bool:
        """Note how many rows this part lacks; tell whether the parts lack no more than their whole did."""
        self.short = rows
        if self.allowance is None:
            return True
        learned = self.context.observed
        with learned.lock:
            self.allowance[0] -= rows
            learned.totals_are_wrong = learned.totals_are_wrong or self.allowance[0] < 0
            return self.allowance[0] >= 0

    def parts(self, windows: Iterable[Window]) -> list[Reading]:
        """Return the readings that replace this one; the first inherits the requests spent so far."""
        allowance = None if self.short is None else [self.short]
        readings = [Reading(window, self.context, self.splits + 1, allowance=allowance) for window in windows]
        readings[0].meter = self.meter
        return readings

    def __str__(self) -> str:
        return f"window {millis(self.window.start)} to {millis(self.window.end)}"


@dataclass(frozen=True)
class Outcome:
    """The records of a window and how sure it is that they are all."""

    records: Iterable[Record] = ()
    status: Status = "complete"
    reported_total: int | None = None
    reason: str | None = None
    """Why the window is not complete, in words for the ledger."""
    as_of: datetime | None = None
    """The moment that the records show, where that lies before this run."""
    on_commit: Callable[[], None] | None = None
    """Called when the records are out, before the STATE that says so; may change the endpoint's notes."""
    on_written: Callable[[], None] | None = None
    """Called once the records and the STATE that covers them are out."""
    close: Callable[[], None] | None = None
    """Called when the records are no longer needed, written or not."""


@dataclass(frozen=True)
class Sample:
    """What one cheap question told of an endpoint; nothing of it is written."""

    rows: int | None = None
    """Rows of the time that was asked for; None: the question was about something else."""
    at_least: bool = False
    """Whether there may be more of them."""
    newest: datetime | None = None
    """The latest time that a row shows."""
    newest_is_sure: bool = False
    """Whether no row can be newer."""
    authorised: bool | None = True
    """Whether the key may read this; None: the question did not show it."""
    note: str | None = None
    """What was asked, where that was no row; and what was not."""


@dataclass(frozen=True)
class Split:
    """The window holds more than can be read at once: read these instead, in the order of time."""

    windows: list[Window]
    outcomes: Mapping[Window, Outcome] = field(default_factory=dict)
    """What is known already of some of them."""

"""What is exchanged between the engine and the streams: a window to read, and what came of it."""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tap_emaillogs.engine.density import Density
from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.http.client import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tap_emaillogs.engine.windows import Window
    from tap_emaillogs.streams.records import Record

Status = Literal["complete", "truncated", "unavailable", "pending", "failed"]


class Memory:
    """What an endpoint of an account remembers: within a run its density, from run to run what lives at the vendor.

    `notes` go into STATE (JSON only); call `saved` after changing them. Workers may do both, and wait for the STATE.
    """

    def __init__(self, notes: Mapping[str, Any], on_change: Callable[[], None] = lambda: None) -> None:
        self.density = Density()
        self.cut_is_proven: bool | None = None
        """Whether this vendor was seen to cut a full answer at its end; None: not tried yet."""
        self.seams_within_moments = self.seams_with_twins = 0
        """How many pages were seen to end within a moment, and how many of these with rows of the next page."""
        self.totals_are_wrong = False
        """Whether parts of a window were seen to lack more rows than the whole did."""
        self.lock = threading.RLock()
        self.notes = copy.deepcopy(dict(notes))
        """To be read and changed with `lock` held."""
        self.on_change = on_change
        """Called when the notes are to be written; set by whoever writes them."""
        self._waiting: list[threading.Event] = []
        self.closed = False
        """Whether the run is over: no further STATE will hold the notes."""
        self.abandoned = False
        """Whether the endpoint has ended: nobody waits for what is still being read."""

    def close(self) -> None:
        """End all waiting for STATE, since the run is over."""
        with self.lock:
            self.closed = True
            waiting, self._waiting = self._waiting, []
        for written in waiting:
            written.set()

    def saved(self) -> threading.Event:
        """Have the notes written to STATE as soon as the writer is free; the event is set once that STATE is out."""
        written = threading.Event()
        with self.lock:
            if self.closed:
                written.set()
            else:
                self._waiting.append(written)
        self.on_change()
        return written

    def snapshot(self) -> tuple[dict[str, Any], list[threading.Event]]:
        """Return a copy of the notes, and the events to set once it is written."""
        with self.lock:
            waiting, self._waiting = self._waiting, []
            return copy.deepcopy(self.notes), waiting


@dataclass
class Reading:
    """One window to be read."""

    window: Window
    memory: Memory
    splits: int = 0
    """How many splits led to this window."""
    meter: Meter = field(init=False)
    short: int | None = None
    """How many rows the vendor announced and did not give, where the window is split for that."""
    allowance: list[int] | None = None
    """What the parts of such a window may lack, all together; shared by them."""

    def __post_init__(self) -> None:
        self.meter = Meter(lambda: self.memory.abandoned)

    def lacks(self, rows: int) -> bool:
        """Note how many rows this part lacks; tell whether the parts lack no more than their whole did."""
        self.short = rows
        if self.allowance is None:
            return True
        with self.memory.lock:
            self.allowance[0] -= rows
            self.memory.totals_are_wrong = self.memory.totals_are_wrong or self.allowance[0] < 0
            return self.allowance[0] >= 0

    def parts(self, windows: Iterable[Window]) -> list[Reading]:
        """Return the readings that replace this one; the first inherits the requests spent so far."""
        allowance = None if self.short is None else [self.short]
        readings = [Reading(window, self.memory, self.splits + 1, allowance=allowance) for window in windows]
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
class Split:
    """The window holds more than can be read at once: read these instead, in the order of time."""

    windows: list[Window]
    outcomes: Mapping[Window, Outcome] = field(default_factory=dict)
    """What is known already of some of them."""

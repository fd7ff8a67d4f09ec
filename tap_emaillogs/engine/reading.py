"""What the engine and the readers exchange: a window to read, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal

from tap_emaillogs.engine.headway import Headway
from tap_emaillogs.engine.notes import Notes
from tap_emaillogs.engine.observed import SMALLEST_CAP, Observed
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.activity import Activity
from tap_emaillogs.http.client import Meter
from tap_emaillogs.streams.paginators import count_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tap_emaillogs.streams.records import Record
    from tap_emaillogs.streams.window import Window

Status = Literal["complete", "truncated", "unavailable", "pending", "failed"]
_TOTALS = "totals"
_TRUSTED_AGAIN = timedelta(days=7)
_WORTH_KEEPING = 10
"""So many windows that lack rows: fewer are found again soon."""
_TIMES_THE_WHOLE = 10
"""Parts of a window that announce so many times what it announced itself: a total of something else."""


class EndpointContext:
    """What the readings of an endpoint share: what the run learned, the notes in STATE, and whether they are wanted."""

    def __init__(
        self,
        notes: Mapping[str, Any],
        on_change: Callable[[], None] = lambda: None,
        *,
        label: str = "",
        now: datetime | None = None,
    ) -> None:
        self.observed = Observed()
        self.activity = Activity(label)
        self.notes = Notes(notes, on_change)
        self._now = now
        self._since = self._known_totals()
        self.cancelled = False
        """Whether the endpoint has ended: nobody waits for what is still being read."""

    def _known_totals(self) -> datetime | None:
        """Take over what earlier runs found of the vendor's totals, which cost many requests; for a week at most."""
        for entry in self.notes.entries(_TOTALS):
            try:
                since, short = timestamps.parse(entry["since"]), int(entry["short"])
            except (TypeError, ValueError, KeyError):
                continue
            if self._now is not None and timedelta() <= self._now - since < _TRUSTED_AGAIN:
                self.observed.begin_with(short)
                return since
        return None

    def note_totals(self) -> None:
        """Keep in STATE how many windows lack rows since a total was right."""
        short = self.observed.short
        if self._now is not None:
            since = timestamps.millis(self._since or self._now)
            self.notes.change(_TOTALS, [{"since": since, "short": short}] if short >= _WORTH_KEEPING else [])


@dataclass
class Reading:
    """One window to be read."""

    window: Window
    context: EndpointContext
    splits: int = 0
    """How many splits led to this window."""
    meter: Meter = field(init=False)
    headway: Headway = field(init=False)
    """For whoever watches."""
    short: int | None = None
    """How many rows the vendor announced and did not give, where the window is split for that."""
    allowance: list[int] | None = None
    """What the parts of such a window may lack, all together; shared by them."""
    total: int | None = None
    """How many rows the vendor announced at first."""
    announced: list[int] | None = None
    """What the parts of a window may announce, all together; shared by them."""

    def __post_init__(self) -> None:
        self.meter = Meter(lambda: self.context.cancelled, self.context.activity)
        self.headway = Headway()

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

    def announces(self, total: int | None) -> None:
        """Note the total of the first page, the first time."""
        if total is None or self.total is not None:
            return
        self.total = total
        if self.announced is not None:
            learned = self.context.observed
            with learned.lock:
                self.announced[0] -= total
                learned.totals_are_wrong = learned.totals_are_wrong or self.announced[0] < 0

    def parts(self, windows: Iterable[Window]) -> list[Reading]:
        """Return the readings that replace this one; the first inherits the requests spent so far."""
        allowance = None if self.short is None else [self.short]
        announced = None if self.total is None else [_TIMES_THE_WHOLE * (self.total + SMALLEST_CAP)]
        readings = [
            Reading(window, self.context, self.splits + 1, allowance=allowance, announced=announced)
            for window in windows
        ]
        readings[0].meter = self.meter
        return readings

    def __str__(self) -> str:
        return f"window {timestamps.millis(self.window.start)} to {timestamps.millis(self.window.end)}"


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


def checked(outcome: Outcome) -> Outcome:
    """Return an outcome that can be written, whoever made it.

    Raises:
        TypeError: It is none.
    """
    if outcome.status not in {"complete", "truncated", "pending"} or not isinstance(outcome.reason, (str, NoneType)):
        raise TypeError("a reader's outcome has no status or reason that the ledger knows")
    if outcome.as_of is not None and outcome.as_of.tzinfo is None:
        raise TypeError("a reader's outcome is as of a time without a zone")
    return replace(outcome, reported_total=count_of(outcome.reported_total))


def check_split(window: Window, split: Split) -> None:
    """Refuse parts that would lose time, or never end.

    Raises:
        ValueError: They are not two or more that tile the window.
    """
    parts = split.windows
    tiles = all(one.end == two.start for one, two in pairwise(parts)) and all(one.start < one.end for one in parts)
    if len(parts) < 2 or (parts[0].start, parts[-1].end) != (window.start, window.end) or not tiles:
        raise ValueError("the parts of a window do not tile it")

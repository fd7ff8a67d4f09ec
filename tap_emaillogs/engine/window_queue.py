"""The windows of one endpoint in the order of writing, and what became of each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_emaillogs.engine.finish import Finished
    from tap_emaillogs.engine.reading import Outcome, Reading
    from tap_emaillogs.streams.window import Window


@dataclass
class Done:
    """A window that was read, its lines finished; without lines where it is pending."""

    outcome: Outcome
    finished: Finished | None = None

    def close(self) -> None:
        """Give memory and disk back."""
        if self.finished is not None:
            self.finished.close()


@dataclass
class Parts:
    """A window to be read in parts, some of which may be done."""

    windows: list[Window]
    done: dict[Window, Done] = field(default_factory=dict)

    def close(self) -> None:
        """Give memory and disk back."""
        for done in self.done.values():
            done.close()


Result = Done | Parts | Exception
"""What became of a window that was to be read."""


@dataclass
class Slot:
    """A place in the order of writing: a window, being read or read."""

    reading: Reading
    submitted: bool = False
    result: Done | Exception | None = None


class WindowQueue:
    """Windows to be read and written; a window that is split is replaced by its parts where it stood."""

    def __init__(self) -> None:
        self._slots: deque[Slot] = deque()
        self.in_flight = 0
        """How many are being read."""

    def __len__(self) -> int:
        return len(self._slots)

    def extend(self, readings: Iterable[Reading]) -> None:
        """Add windows at the end."""
        self._slots.extend(map(Slot, readings))

    def windows(self) -> list[Window]:
        """Return those that are still to be written, in their order."""
        return [slot.reading.window for slot in self._slots]

    def submit_next(self, limit: int) -> Slot | None:
        """Return the next window to read, while no more than `limit` are read or waiting to be written."""
        if self.in_flight >= limit:
            return None
        for place, slot in enumerate(self._slots):
            if place > limit or isinstance(slot.result, Exception):
                return None
            if not slot.submitted:
                slot.submitted = True
                self.in_flight += 1
                return slot
        return None

    def settle(self, slot: Slot, result: Result) -> None:
        """Take what a worker brings."""
        if not isinstance(result, Parts):
            slot.result = result
            return
        place = self._slots.index(slot)
        del self._slots[place]
        for number, reading in enumerate(slot.reading.parts(result.windows)):
            done = result.done.get(reading.window)
            self._slots.insert(place + number, Slot(reading, submitted=done is not None, result=done))

    def ready(self) -> Slot | None:
        """Return the window to be written next, if it has been read."""
        return self._slots.popleft() if self._slots and self._slots[0].result is not None else None

    def clear(self) -> None:
        """Drop everything, and give memory and disk back."""
        for slot in self._slots:
            if isinstance(slot.result, Done):
                slot.result.close()
        self._slots.clear()

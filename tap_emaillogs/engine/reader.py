"""What all readers have in common: how the windows of one endpoint are read, whatever it takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.engine.windows import equal_parts

if TYPE_CHECKING:
    from datetime import datetime

    from tap_emaillogs.engine.notes import Notes
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.window import Window


class Reader(ABC):
    """Reads the windows of one endpoint, in one run.

    Workers call `read`; the writer's thread calls `pinned` and `postponed` before any window is read.
    """

    stream: LogStream

    def __init__(self, stream: LogStream) -> None:
        self.stream = stream
        self.account = stream.account
        self.logger = stream.logger
        self.policy = self.account.policy(stream.unit, stream.defaults)

    @abstractmethod
    def read(self, reading: Reading) -> Outcome | Split:
        """Read a window: all its records, or the parts to read instead, or what the vendor withholds.

        Raises:
            ReadError: It could not be read at all.
        """

    def windows_in_flight(self) -> int:
        """How many windows of this endpoint may be read at the same time."""
        return self.stream.settings.max_concurrency

    def postponed(self, since: datetime | None, now: datetime) -> str | None:  # noqa: ARG002 - for jobs
        """Say why this endpoint is left for a later run; None: it is not.

        `since` is how far it was read; None where something is to be read for the first time.
        """
        return None

    def pinned(self, notes: Notes) -> list[Window]:  # noqa: ARG002 - likewise
        """Return the windows that must be read just as they are, since something at the vendor waits for them."""
        return []

    def least_requests(self, rows: int, windows: int) -> int:
        """Return how many requests at least it takes to read so many rows of so many windows."""
        return max(windows, -(-rows // self.stream.settings.page_size))

    def now(self) -> datetime:
        """Return the time by the run's clock."""
        return self.account.client.clock.now()

    def halves(self, window: Window) -> list[Window]:
        """Halve a window, at the finest edges that the vendor knows; itself alone where there are none inside."""
        parts = equal_parts(window, 2, self.stream.unit)
        return parts if len(parts) > 1 else equal_parts(window, 2, self.stream.finest or self.stream.unit)

    def is_too_long(self, window: Window) -> bool:
        """Whether the vendor would refuse it for its length alone."""
        return self.stream.longest is not None and window.length > self.stream.longest

    def narrowed(self, reading: Reading, why: str) -> Outcome | Split:
        """Halve a window that is too much for the vendor; at its resolution say that the rest is withheld."""
        halves = self.halves(reading.window)
        return Split(halves) if len(halves) > 1 else Outcome(status="truncated", reason=why)

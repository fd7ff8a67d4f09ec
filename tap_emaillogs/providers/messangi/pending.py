"""Requests for a report that are under way, kept in STATE so that no run asks twice.

A request is in STATE before it is made. Its id is unguessable: whoever holds it has seen the request.
"""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.engine.reading import Memory
    from tap_emaillogs.http.clock import Clock

LIFE = timedelta(days=3)
"""A report that has not come by then never comes."""
CONFIRMATION = timedelta(minutes=30)
"""A run that was killed while it asked left a request that may not have been made; after this it is made again."""
_REQUESTS, _USED = "reports", "used"
_MOST_USED = 200
_PATIENCE = 12_000
"""Ten minutes, in twentieths of a second: the writer may be busy with a long window."""


@dataclass(frozen=True, slots=True)
class Pending:
    """One request for the report of a window."""

    ident: str
    window: Window
    asked: datetime
    zone: str
    """Zone of the times in the report, `GMT-5`."""
    filters: str
    """Digest of the filters it was asked with; they may name people."""
    made: bool = False
    """Whether the vendor is known to have taken it."""

    @classmethod
    def new(cls, window: Window, now: datetime, zone: str, filters: str) -> Pending:
        """Return a request with an id of its own."""
        return cls(f"r{secrets.token_hex(12)}", window, now, zone, filters)

    @classmethod
    def load(cls, note: Mapping[str, Any]) -> Pending:
        """Read it from STATE."""
        window = Window(timestamps.parse(note["start"]), timestamps.parse(note["end"]))
        asked = timestamps.parse(note["asked"])
        return cls(note["id"], window, asked, note["timezone"], note["filters"], bool(note["made"]))

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        return {
            "id": self.ident,
            "start": timestamps.millis(self.window.start),
            "end": timestamps.millis(self.window.end),
            "asked": timestamps.millis(self.asked),
            "timezone": self.zone,
            "filters": self.filters,
            "made": self.made,
        }


class Requests:
    """The requests of one endpoint."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def all(self) -> list[Pending]:
        """Return those under way; what somebody damaged in STATE is none."""
        found = []
        with self._memory.lock:
            for note in self._memory.notes.get(_REQUESTS, []):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    found.append(Pending.load(note))
        return found

    def of(self, window: Window) -> Pending | None:
        """Return the one for exactly this window."""
        return next((request for request in self.all() if request.window == window), None)

    def put(self, request: Pending, clock: Clock) -> None:
        """Add a request, or a new version of it, and wait until it is in STATE.

        Raises:
            ReadError: STATE is not written any more.
        """
        self._change(request.ident, request)
        written = self._memory.saved()
        # Not the clock's wait: the writer is to be waited for in real time, whatever clock the run goes by.
        for _ in range(_PATIENCE):
            is_written = written.wait(0.05)
            if clock.stopped or self._memory.closed:
                raise Stopped
            if is_written:
                return
        raise ReadError("the request for a report could not be written to STATE, and so it was not made")

    def confirm(self, request: Pending) -> Pending:
        """Note that the vendor has taken a request."""
        made = replace(request, made=True)
        self._change(request.ident, made)
        self._memory.saved()
        return made

    def drop(self, ident: str) -> None:
        """Forget a request."""
        self._change(ident, None)
        self._memory.saved()

    def keep_only(self, filters: str) -> None:
        """Forget requests that were made with other filters: their reports answer another question."""
        for request in self.all():
            if request.filters != filters:
                self._change(request.ident, None)

    def use(self, mail: str) -> None:
        """Remember that a mail was taken for a report, so that it is not taken for another one."""
        with self._memory.lock:
            self._memory.notes[_USED] = [*self._memory.notes.get(_USED, []), mail][-_MOST_USED:]

    def used(self, mail: str) -> bool:
        """Whether a mail was taken for a report before."""
        with self._memory.lock:
            return mail in self._memory.notes.get(_USED, [])

    def _change(self, ident: str, request: Pending | None) -> None:
        with self._memory.lock:
            notes = [note for note in self._memory.notes.get(_REQUESTS, []) if note.get("id") != ident]
            if request is not None:
                notes.append(request.dump())
            self._memory.notes[_REQUESTS] = notes
            if not notes:
                del self._memory.notes[_REQUESTS]

"""Requests for a report that are under way, kept in STATE so that no run asks twice.

A request is in STATE before it is made. Its id is unguessable: whoever holds it has seen the request.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.notes import NoteList
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import ReadError
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_emaillogs.engine.notes import Notes
    from tap_emaillogs.http.clock import Clock

LIFE = timedelta(days=3)
"""A report that has not come by then never comes."""
CONFIRMATION = timedelta(minutes=30)
"""A run that was killed while it asked left a request that may not have been made; after this it is made again."""
_IDENT = re.compile(rb"r[0-9a-f]{24}", re.IGNORECASE)
_MOST_USED = 200
_PATIENCE = 12_000
"""Ten minutes, in twentieths of a second: the writer may be busy with a long window."""


def idents_in(texts: Iterable[bytes]) -> Iterator[str]:
    """Yield what looks like the id of a request, in lower case; NULs are passed over (UTF-16)."""
    for text in texts:
        yield from (found.decode().lower() for found in _IDENT.findall(text.replace(b"\0", b"")))


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
        asked = timestamps.parse(note["asked"])
        return cls(note["id"], Window.load(note), asked, note["timezone"], note["filters"], bool(note["made"]))

    def is_like(self, other: Pending) -> bool:
        """Whether it is another version of the same request."""
        return other.ident == self.ident

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        return {
            "id": self.ident,
            **self.window.dump(),
            "asked": timestamps.millis(self.asked),
            "timezone": self.zone,
            "filters": self.filters,
            "made": self.made,
        }


class Requests(NoteList[Pending]):
    """The requests of one endpoint."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes, "reports", Pending.load, Pending.dump, order=lambda request: request.window)
        self._used = NoteList(notes, "used", str, str, order=lambda _: 0)

    def of(self, window: Window) -> Pending | None:
        """Return the one for exactly this window."""
        return next((request for request in self.all() if request.window == window), None)

    def put(self, request: Pending, clock: Clock) -> None:
        """Add a request, or a new version of it, and wait until it is in STATE.

        Raises:
            ReadError: STATE is not written any more.
        """
        self.replace(request.is_like, [request])
        written = self.notes.saved()
        # Not the clock's wait: the writer is to be waited for in real time, whatever clock the run goes by.
        for _ in range(_PATIENCE):
            is_written = written.wait(0.05)
            if clock.stopped or self.notes.closed:
                raise Stopped
            if is_written:
                return
        raise ReadError("the request for a report could not be written to STATE, and so it was not made")

    def confirm(self, request: Pending) -> Pending:
        """Note that the vendor has taken a request."""
        made = replace(request, made=True)
        self.replace(made.is_like, [made])
        self.notes.saved()
        return made

    def drop(self, request: Pending) -> None:
        """Forget a request."""
        self.replace(request.is_like)
        self.notes.saved()

    def use(self, mail: str) -> None:
        """Remember that a mail was taken for a report, so that it is not taken for another one."""
        with self.notes.lock:
            forgotten = self._used.all()[: 1 - _MOST_USED]
            self._used.replace(forgotten.__contains__, [mail])

    def used(self, mail: str) -> bool:
        """Whether a mail was taken for a report before."""
        return mail in self._used.all()

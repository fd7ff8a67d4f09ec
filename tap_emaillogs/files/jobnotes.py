"""What STATE keeps of jobs that live at the vendor: which window, which id, and since when; no password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from tap_emaillogs.engine.reading import Memory

_KEY = "jobs"


@dataclass(frozen=True, slots=True)
class JobNote:
    """One job of the tap."""

    window: Window
    id: str
    nonce: str
    """Made of everything that was asked for; with the account's secret it gives the file's password."""
    asked: datetime
    """When the vendor was asked: what the file holds is of this moment."""
    pending: bool = False
    """Whether a run has reported the window as pending."""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> JobNote:
        """Read it from STATE."""
        start, end, asked = (timestamps.parse(entry[key]) for key in ("start", "end", "asked"))
        return cls(Window(start, end), entry["id"], entry["nonce"], asked, bool(entry.get("pending")))

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        return {
            "start": timestamps.millis(self.window.start),
            "end": timestamps.millis(self.window.end),
            "id": self.id,
            "nonce": self.nonce,
            "asked": timestamps.millis(self.asked),
            **({"pending": True} if self.pending else {}),
        }


class JobNotes:
    """The notes of one endpoint; changed by workers, written to STATE by the writer."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def all(self) -> list[JobNote]:
        """Return every note; one that cannot be read (a state edited by hand) is left out."""
        with self._memory.lock:
            entries = list(self._memory.notes.get(_KEY, ()))
        found = []
        for entry in entries:
            try:
                found.append(JobNote.load(entry))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
        return found

    def find(self, nonce: str) -> JobNote | None:
        """Return the job that was asked for just this."""
        return next((note for note in self.all() if note.nonce == nonce), None)

    def put(self, note: JobNote) -> None:
        """Keep a note, in place of an older one of the same job or the same question, and have STATE written."""
        self._change([note], note)

    def drop(self, note: JobNote) -> None:
        """Forget a job; STATE is written by whoever ends the window."""
        self._change([], note, saved=False)

    def forget(self, useless: Callable[[JobNote], bool]) -> None:
        """Drop notes that nobody can use any more; the next STATE is without them."""
        for note in self.all():
            if useless(note):
                self.drop(note)

    def _change(self, added: list[JobNote], old: JobNote, *, saved: bool = True) -> None:
        with self._memory.lock:
            kept = [note for note in self.all() if note.id != old.id and note.nonce != old.nonce]
            notes = [note.dump() for note in sorted([*kept, *added], key=lambda note: note.window)]
            self._memory.notes.pop(_KEY, None)
            if notes:
                self._memory.notes[_KEY] = notes
        if saved:
            self._memory.saved()

"""What STATE keeps of jobs that live at the vendor: which window, which id, and since when; no password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.notes import NoteList
from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from tap_emaillogs.engine.notes import Notes


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
    listed: bool = False
    """Whether the vendor's list has shown it: from then on one that is missing there is gone."""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> JobNote:
        """Read it from STATE."""
        pending = bool(entry.get("pending"))
        listed = pending or bool(entry.get("listed"))  # what is pending was looked for as long as a run waits
        asked = timestamps.parse(entry["asked"])
        return cls(Window.load(entry), entry["id"], entry["nonce"], asked, pending, listed)

    def is_like(self, other: JobNote) -> bool:
        """Whether it is of the same job or the same question."""
        return other.id == self.id or other.nonce == self.nonce

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        return {
            **self.window.dump(),
            "id": self.id,
            "nonce": self.nonce,
            "asked": timestamps.millis(self.asked),
            **({"pending": True} if self.pending else {"listed": True} if self.listed else {}),
        }


class JobNotes(NoteList[JobNote]):
    """The jobs of one endpoint."""

    def __init__(self, notes: Notes) -> None:
        super().__init__(notes, "jobs", JobNote.load, JobNote.dump, order=lambda note: note.window)

    def find(self, nonce: str) -> JobNote | None:
        """Return the job that was asked for just this."""
        return next((note for note in self.all() if note.nonce == nonce), None)

    def put(self, note: JobNote) -> None:
        """Keep a note, in place of an older one of the same job or the same question, and have STATE written."""
        self.replace(note.is_like, [note])
        self.notes.saved()

    def drop(self, note: JobNote) -> None:
        """Forget a job; STATE is written by whoever ends the window."""
        self.replace(note.is_like)

"""What an endpoint keeps in STATE from run to run, such as the jobs it waits for."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_T = TypeVar("_T")


class Notes:
    """Lists of JSON values by their kind (`{"jobs": [...]}`); workers change them, the writer brings them into STATE.

    Args:
        kept: What STATE holds.
        on_change: Called, by any worker, when there is something for STATE.
    """

    def __init__(self, kept: Mapping[str, Any], on_change: Callable[[], None]) -> None:
        self.lock = threading.RLock()
        """To be held from reading entries to changing them."""
        self.closed = False
        """Whether the run is over: no further STATE will hold the notes."""
        self._kept = copy.deepcopy(dict(kept))
        self.on_change = on_change
        """Called when they are to be written; set by whoever writes them."""
        self._waiting: list[threading.Event] = []

    def entries(self, kind: str) -> list[Any]:
        """Return the entries of a kind."""
        with self.lock:
            return list(self._kept.get(kind, ()))

    def change(self, kind: str, entries: list[Any]) -> None:
        """Replace the entries of a kind; the next STATE has them, `saved` makes that soon.

        Raises:
            TypeError: They are no JSON values; so it is the worker that fails, and not whoever writes STATE.
        """
        kept = msgspec.json.decode(msgspec.json.encode(entries))
        with self.lock:
            self._kept.pop(kind, None)
            if kept:
                self._kept[kind] = kept

    def saved(self) -> threading.Event:
        """Have STATE written as soon as the writer is free; the event is set once it is out, or the run is over."""
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
            return copy.deepcopy(self._kept), waiting

    def close(self) -> None:
        """End all waiting for STATE, since the run is over."""
        with self.lock:
            self.closed = True
            waiting, self._waiting = self._waiting, []
        for written in waiting:
            written.set()


class NoteList(Generic[_T]):
    """The notes of one kind as objects: `load` reads an entry, `dump` writes it, and `order` sorts them in STATE."""

    def __init__(
        self,
        notes: Notes,
        kind: str,
        load: Callable[[Any], _T],
        dump: Callable[[_T], Any],
        order: Callable[[_T], Any],
    ) -> None:
        self.notes = notes
        self._kind, self._load, self._dump, self._order = kind, load, dump, order

    def all(self) -> list[_T]:
        """Return every note; an entry that cannot be read (a state edited by hand) is left out."""
        found = []
        for entry in self.notes.entries(self._kind):
            try:
                found.append(self._load(entry))
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
        return found

    def replace(self, is_old: Callable[[_T], bool], new: Iterable[_T] = ()) -> None:
        """Forget the notes that are old, and add others."""
        with self.notes.lock:
            kept = sorted([*(note for note in self.all() if not is_old(note)), *new], key=self._order)
            self.notes.change(self._kind, [self._dump(note) for note in kept])

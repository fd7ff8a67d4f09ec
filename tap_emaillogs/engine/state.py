"""STATE: where each consumer of an endpoint stands, and which windows are not complete yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.incomplete import TO_BE_READ, Incomplete
from tap_emaillogs.engine.pace import Pace
from tap_emaillogs.engine.windows import Progress, subtract
from tap_emaillogs.formats import timestamps
from tap_emaillogs.streams.window import Window

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from singer_sdk import Stream

    from tap_emaillogs.engine.reading import Status
    from tap_emaillogs.streams.window import Policy

BOOKMARK = "replication_key_value"
_REVISITS = "revisits"
_LAST_SEEN = "last_seen"
_INCOMPLETE = "incomplete"
NOTES = "notes"
_RUNS = "runs"
_MOST_WITHHELD = 300
"""So many windows that the vendor does not show whole are remembered, the newest; it grows by some with every run."""
_SEEN = "seen"
_WEEK = 7 * 24.0


class StateError(ValueError):
    """The state given to the tap is not one of its own."""


def check(state: Any, streams: Collection[str]) -> None:
    """Refuse a state that another tap wrote, or that is damaged.

    Raises:
        StateError: In one plain sentence.
    """
    if not isinstance(state, dict):
        raise StateError("the state is no JSON object")
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict) or (state and "bookmarks" not in state):
        raise StateError("the state holds no bookmarks: it was not written by tap-emaillogs")
    foreign = sorted(set(bookmarks) - set(streams))
    if foreign:
        raise StateError(
            f"the state has a bookmark for {foreign[0]!r}, no stream of tap-emaillogs: is it another tap's?"
        )
    for name, entry in bookmarks.items():
        partitions = entry.get("partitions", []) if isinstance(entry, dict) else None
        if not isinstance(partitions, list) or not all(
            isinstance(part, dict) and isinstance(part.get("context"), dict) for part in partitions
        ):
            raise StateError(f"the state of stream {name} is damaged")
        if BOOKMARK in entry:
            raise StateError(f"the state of stream {name} knows no accounts: it was not written by tap-emaillogs")
        for part in partitions:
            _check_partition(name, part)


def _check_partition(name: str, part: Mapping[str, Any]) -> None:
    try:
        _progress(part)
        for entry in part.get(_INCOMPLETE, []):
            Incomplete.load(entry)
        dict(part.get(NOTES, {}))
        Pace.load(part.get(_RUNS, {}))
        [float(part.get(_SEEN, {}).get(name, 0)) for name in ("rows", "minutes")]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise StateError(
            f"the state of stream {name} is damaged (a bookmark, mark or window is no time): restore an older state"
        ) from error


def _progress(partition: Mapping[str, Any]) -> Progress:
    bookmark = partition.get(BOOKMARK)
    if bookmark is not None and timestamps.parse(bookmark) < timestamps.EPOCH:
        raise ValueError(f"{bookmark} is before e-mail was")
    marks, seen = partition.get(_REVISITS) or {}, partition.get(_LAST_SEEN)
    return Progress(
        None if bookmark is None else timestamps.parse(bookmark),
        {timedelta(minutes=float(age)): timestamps.parse(mark) for age, mark in marks.items()},
        None if seen is None else timestamps.parse(seen),
    )


class Partitions:
    """The partitions of a stream in STATE, found by their context without looking at all of them each time."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._known = {_frozen(part["context"]): part for part in stream.state_manager.get_state_partitions() or ()}

    def find(self, context: Mapping[str, str]) -> dict[str, Any]:
        """Return what STATE holds of a context; empty: nothing."""
        return self._known.get(_frozen(context), {})

    def of(self, context: Mapping[str, str]) -> dict[str, Any]:
        """Return the partition of a context, to be changed; made where there is none."""
        found = self._known.get(_frozen(context))
        if found is None:
            found = self._known[_frozen(context)] = {"context": dict(context)}
            self._stream.stream_state.setdefault("partitions", []).append(found)
        return found

    def drop(self, context: Mapping[str, str]) -> None:
        """Take the partition of a context out of STATE."""
        self._stream.stream_state["partitions"].remove(self._known.pop(_frozen(context)))


def _frozen(context: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(context.items()))


class Bookmark:
    """The progress of one consumer of an endpoint, kept in the tap's STATE.

    A stream that the catalog wants read whole (`FULL_TABLE`) begins anew in each run, and leaves no bookmark.
    """

    def __init__(self, stream: Stream, partitions: Partitions, context: dict[str, str]) -> None:
        self._stream, self._partitions, self._context = stream, partitions, context
        self._kept = stream.replication_method != "FULL_TABLE"
        self.progress = _progress(partitions.find(context) if self._kept else {})

    def advance(self, window: Window, policy: Policy, now: datetime) -> None:
        """Move over a window whose records are out, and write that into STATE."""
        self.progress.advance(window, policy, now)
        self.save()

    def save(self) -> None:
        """Write the progress into STATE."""
        if self.progress.bookmark is None or not self._kept:
            return
        partition = self._partitions.of(self._context)
        partition["replication_key"] = self._stream.replication_key
        partition[BOOKMARK] = timestamps.millis(self.progress.bookmark)
        if self.progress.marks:
            partition[_REVISITS] = {
                f"{age / timedelta(minutes=1):.15g}": timestamps.millis(mark)
                for age, mark in sorted(self.progress.marks.items())
            }
        if self.progress.last_seen is not None:
            partition[_LAST_SEEN] = timestamps.millis(self.progress.last_seen)


class EndpointState:
    """What STATE holds of an endpoint itself, whichever streams it feeds: under `sync_windows`."""

    def __init__(self, partitions: Partitions, context: dict[str, str]) -> None:
        self._partitions, self._context = partitions, context
        found = partitions.find(context)
        self.incomplete: list[Incomplete] = []
        for entry in map(Incomplete.load, found.get(_INCOMPLETE, [])):
            if entry not in self.incomplete:  # what is pending at the edge of the history is noted anew by each run
                self.incomplete.append(entry)
        self.notes: dict[str, Any] = dict(found.get(NOTES, {}))
        self.pace = Pace.load(found.get(_RUNS, {}))
        seen = found.get(_SEEN, {})
        self._seen = float(seen.get("rows", 0)), float(seen.get("minutes", 0)) / 60

    @property
    def rows_a_day(self) -> float | None:
        """How many rows a day has, by the last week that was read; None: nothing was."""
        rows, hours = self._seen
        return rows / hours * 24 if hours else None

    def note_seen(self, window: Window, rows: int) -> None:
        """Remember how dense a window was, for those who plan the next run."""
        hours = window.length / timedelta(hours=1)
        rows_seen, hours_seen = self._seen[0] + rows, self._seen[1] + hours
        fade = min(1.0, _WEEK / hours_seen) if hours_seen else 1.0
        self._seen = rows_seen * fade, hours_seen * fade
        self.save()

    def note_incomplete(self, window: Window, status: Status) -> Incomplete:
        """Remember a window that was not read completely; return what stands for it, in the ledger too.

        A window that fails again and again begins where it did, and ends a little later each time: it stays one entry,
        and one row of the ledger, under the id of the first try. Of what the vendor withholds the newest are kept.
        """
        entry = Incomplete(window, status, [window])
        if status in TO_BE_READ:
            before = next((one for one in self.incomplete if one.holds_up(window)), None)
            if before is not None:
                entry = before.grown(window, status)
            self.incomplete = [one for one in self.incomplete if one is not before and one.window != entry.window]
        else:
            self.incomplete = [one for one in self.incomplete if not self._same(one, window, status)]
        self.incomplete.append(entry)
        withheld = [one for one in self.incomplete if one.status not in TO_BE_READ]
        for old in withheld[:-_MOST_WITHHELD]:
            self.incomplete.remove(old)
        self.save()
        return entry

    @staticmethod
    def _same(entry: Incomplete, window: Window, status: Status) -> bool:
        # The end of a gap moves with the vendor's history; its start tells which gap it is.
        gap = entry.status == status == "unavailable" and entry.window.start == window.start
        return gap or entry.window == window

    def begin_at(self, start: datetime) -> None:
        """Ask nothing of the time before `start` where no bookmark was reached yet.

        A first run without `start_date` begins a little later each time it is tried; the sliver between is wanted by
        nobody, and must not keep a failed window from ever becoming complete.
        """
        for entry in self.incomplete:
            wanted = [Window(max(part.start, start), part.end) for part in entry.left if part.end > start]
            if wanted and entry.status in TO_BE_READ:
                entry.left = wanted

    def lose(self, before: datetime) -> list[tuple[Incomplete, Window]]:
        """Forget what is missing `before` a time, since the vendor has forgotten it too.

        Returns:
            The windows that failed or never came, as far as they can still be read or were, each with the part that
            never will be. One of which nothing is left to read is no longer kept here.
        """
        lost = []
        kept = []
        for entry in self.incomplete:
            gone = [Window(part.start, min(part.end, before)) for part in entry.left if part.start < before]
            left = [Window(max(part.start, before), part.end) for part in entry.left if part.end > before]
            rest = entry
            if gone:
                rest = Incomplete(
                    Window(gone[-1].end, entry.window.end), entry.status, left, entry.identity or entry.window
                )
                if entry.status in TO_BE_READ:
                    lost.append((rest, Window(gone[0].start, gone[-1].end)))
            if left:
                kept.append(rest)
        if lost or len(kept) != len(self.incomplete):
            self.incomplete = kept
            self.save()
        return lost

    def note_complete(self, window: Window) -> list[Incomplete]:
        """Take a complete window off what is missing; return the windows that are complete by it, without itself."""
        filled = []
        remaining = []
        for entry in self.incomplete:
            entry.left = [rest for part in entry.left for rest in subtract(part, [window])]
            if entry.left:
                if entry.identity == window:  # whose row in the ledger now is this window's own
                    entry.window, entry.identity = Window(entry.left[0].start, entry.left[-1].end), None
                remaining.append(entry)
            elif entry.window != window or entry.identity is not None:
                filled.append(entry)
        if len(remaining) != len(self.incomplete) or remaining:
            self.incomplete = remaining
            self.save()
        return filled

    def save(self) -> None:
        """Write it into STATE; an endpoint with nothing to remember leaves no trace."""
        held = {
            _INCOMPLETE: [entry.dump() for entry in self.incomplete],
            NOTES: self.notes,
            _RUNS: self.pace.dump(),
            # Whole numbers: loaders read others as Decimal, and cannot write those.
            _SEEN: {"rows": round(self._seen[0]), "minutes": round(60 * self._seen[1])} if self._seen[1] else {},
        }
        if any(held.values()):
            partition = self._partitions.of(self._context)
            for key, value in held.items():
                partition.pop(key, None)
                if value:
                    partition[key] = value
        elif self._partitions.find(self._context):
            self._partitions.drop(self._context)

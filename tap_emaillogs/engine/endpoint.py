"""One endpoint of one account in one run: its windows in order, its consumers, and how far they have come."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.finish import Finished, Finisher
from tap_emaillogs.engine.ledger import ledger_row
from tap_emaillogs.engine.reading import Memory, Outcome, Reading
from tap_emaillogs.engine.windows import Need, Window, need, plan
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import Abandoned

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from singer_sdk import Stream

    from tap_emaillogs.engine.reading import Status
    from tap_emaillogs.engine.spool import Block
    from tap_emaillogs.engine.state import Bookmark, EndpointState
    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.events import Deriving
    from tap_emaillogs.streams.output import RecordLines
    from tap_emaillogs.streams.records import Record


@dataclass
class Consumer:
    """A stream that is fed by an endpoint: the raw stream itself, or `email_events`."""

    stream: Stream
    bookmark: Bookmark
    deriving: Deriving
    """What the consumer writes for the records of a window of the endpoint."""
    output: RecordLines
    """What makes lines of that."""


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


@dataclass
class Failure:
    """An endpoint that could not be read to the end."""

    endpoint: Endpoint
    reading: Reading | None
    error: Exception


@dataclass
class Endpoint:
    """Everything the engine knows of an endpoint; touched by the writer's thread only, but for `memory`."""

    stream: LogStream
    consumers: list[Consumer]
    state: EndpointState
    now: datetime
    privacy: Privacy
    slots: deque[Slot] = field(default_factory=deque)
    in_flight: int = 0
    ended: bool = False
    rows: list[Record] = field(default_factory=list)
    """Ledger rows waiting to be written."""
    gaps: int = 0
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = self.stream.account.policy(self.stream.unit, self.stream.defaults)
        self.memory = Memory(self.state.notes)
        self._finisher = Finisher(self.stream, self.consumers, self.privacy, self._check)
        self._paced = False
        self._shown: tuple[datetime, set[str]] | None = None
        """The end of the window written last, and the rows at it."""
        self._unwritten: list[threading.Event] = []

    @property
    def id(self) -> tuple[str, str, str]:
        """(provider, account, stream)."""
        account = self.stream.account
        return account.provider.name, account.label, self.stream.name

    def __str__(self) -> str:
        provider, account, stream = self.id
        return f"{provider}, account {account}, stream {stream}"

    def plan(self) -> None:
        """Lay out this run's windows, and note what the vendor no longer keeps."""
        if self.policy.history is not None and self.policy.revisits:
            self._paced = self.state.pace.is_known
            self.state.pace.note(self.now)
            self.state.save()
            self.policy = replace(self.policy, pause=self.state.pace.longest)
        first = any(consumer.bookmark.progress.bookmark is None for consumer in self.consumers)
        needs = [self._need(consumer) for consumer in self.consumers]
        nothing = all(n.forward is None and not n.revisits for n in needs)
        pinned = [] if nothing else self.stream.pinned(self.memory)
        windows = plan(needs, self.policy, pinned)
        if first and windows:
            self.state.begin_at(min(windows).start)
        self._note_lost()
        asked = begun = min((n.bookmark for n in needs if n.bookmark is not None), default=None)
        for pin in sorted(pinned):  # what was asked for counts as read
            asked = pin.end if asked is not None and asked in pin else asked
        since = None if first and asked == begun else asked
        reason = self.stream.postponed(since, self.now) if windows else None
        if reason is not None:
            self.stream.logger.info("%s: %s", self, reason)
            windows = [window for window in windows if window in pinned]  # what lives at the vendor is still taken up
        self.slots.extend(Slot(Reading(window, self.memory)) for window in windows)

    def _need(self, consumer: Consumer) -> Need:
        bookmark = consumer.bookmark
        wanted = need(self.policy, bookmark.progress, self.now)
        if wanted.pulled_back:
            self.warnings.append(
                f"the bookmark of {consumer.stream.name} lies in the future; it is pulled back to now minus "
                "settle_minutes. Check this machine's clock, and the state if it was edited"
            )
        bookmark.progress.bookmark = wanted.bookmark
        if wanted.pulled_back:
            bookmark.save()
        if wanted.gap is not None:
            self._note_gap(wanted.gap)
            bookmark.save()
        if wanted.missed is not None and self._paced:  # what a first run read had its last chance there
            self._note_missed(wanted.missed)
            bookmark.save()
        return wanted

    def _note_gap(self, gap: Window) -> None:
        self._note_unavailable(
            gap,
            "older than the vendor keeps",
            "are older than the vendor keeps (history_days): this gap cannot be read any more. Run the tap more often "
            "than that",
        )

    def _note_missed(self, missed: Window) -> None:
        history, ages = self.policy.history, self.policy.revisits
        assert history is not None
        often = max(history - max(ages), history / 24) / timedelta(hours=1)
        self._note_unavailable(
            missed,
            "read when it was new, but not once more before the vendor forgot it: late events may be missing",
            "were to be read once more (revisit_minutes) and are older than the vendor keeps by now: late events and "
            f"last changes of that time may be missing. Running the tap at least every {often:.3g} hours is safe",
        )

    def _note_lost(self) -> None:
        """Tell what failed in earlier runs and cannot be read any more; the rest of it is whole, or is read now."""
        why = "failed when it was to be read, and is older than the vendor keeps by now"
        kept_from = self.policy.kept_from(self.now)
        for entry, part in self.state.lose(kept_from) if kept_from is not None else ():
            if not entry.window.length:
                self._note_unavailable(part, why, why, identity=entry.identity)
                continue
            self._note_unavailable(part, why, why)
            if not entry.left:
                self.rows.append(self._row(entry.window, "complete", identity=entry.identity))

    def _note_unavailable(self, window: Window, reason: str, warning: str, identity: Window | None = None) -> None:
        row = self._row(window, "unavailable", gap_reason=reason, identity=identity)
        if any(known["window_id"] == row["window_id"] for known in self.rows):
            return
        self.rows.append(row)
        self.gaps += 1
        self.warnings.append(f"events from {row['window_start']} to {row['window_end']} {warning}")

    def _row(self, window: Window, status: Status, **values: Any) -> Record:
        read_at = self.stream.account.client.clock.now()
        filters = self.stream.filters()
        return ledger_row(endpoint=self.id, window=window, status=status, read_at=read_at, filters=filters, **values)

    # In a worker's thread.

    def read(self, reading: Reading) -> Result:
        """Read a window and finish its lines; whatever goes wrong is this endpoint's failure alone.

        Raises:
            Stopped: The run is ending.
        """
        try:
            result = self.stream.read(reading)
            if isinstance(result, Outcome):
                return self._done(reading.window, result)
            parts = Parts(result.windows)
            try:
                for window, outcome in result.outcomes.items():
                    parts.done[window] = self._done(window, outcome)
            except BaseException:
                parts.close()
                raise
        except Exception as error:  # noqa: BLE001 - isolation
            return error
        return parts

    def _done(self, window: Window, outcome: Outcome) -> Done:
        try:
            is_read = outcome.status in {"complete", "truncated"}
            return Done(outcome, self._finisher.finish(window, outcome) if is_read else None)
        finally:
            if outcome.close is not None:
                outcome.close()

    def _check(self) -> None:
        if self.stream.account.client.clock.stopped:
            raise Stopped
        if self.memory.abandoned:
            raise Abandoned("the endpoint ended before this window was read")

    # Submitting and taking windows.

    def next_to_submit(self) -> Slot | None:
        """Return the next window to read, while no more than may be in flight are read or waiting to be written."""
        limit = self.stream.windows_in_flight()
        if self.ended or self.in_flight >= limit:
            return None
        for place, slot in enumerate(self.slots):
            if place > limit or isinstance(slot.result, Exception):
                return None
            if not slot.submitted:
                return slot
        return None

    def settle(self, slot: Slot, result: Result) -> None:
        """Take what a worker brings; the parts of a window take its place."""
        if not isinstance(result, Parts):
            slot.result = result
            return
        place = self.slots.index(slot)
        del self.slots[place]
        for number, reading in enumerate(slot.reading.parts(result.windows)):
            done = result.done.get(reading.window)
            self.slots.insert(place + number, Slot(reading, submitted=done is not None, result=done))

    def ready(self) -> Slot | None:
        """Return the window to be written next, if it has been read."""
        if self.ended or not self.slots or self.slots[0].result is None:
            return None
        return self.slots.popleft()

    def end(self) -> None:
        """Read no more in this run; workers that are still at it are to stop."""
        self.ended = self.memory.abandoned = True
        for slot in self.slots:
            if isinstance(slot.result, Done):
                slot.result.close()
        self.slots.clear()

    # Writing a window.

    def blocks(self, window: Window, finished: Finished) -> Iterator[Block]:
        """Yield a window's lines, without rows that the window before it already showed at their common edge."""
        shown = self._shown[1] if self._shown is not None and self._shown[0] == window.start else set()
        yield from finished.blocks(shown)
        self._shown = window.end, finished.at_end

    def commit(self, reading: Reading, outcome: Outcome, count: int) -> None:
        """Move on after a window's records are out: ledger, bookmarks, marks."""
        if outcome.on_commit is not None:
            outcome.on_commit()
        self.note(reading, outcome, count)
        if outcome.status == "complete":
            filled = self.state.note_complete(reading.window)
            self.rows.extend(self._row(entry.window, "complete", identity=entry.identity) for entry in filled)
        for consumer in self.consumers:
            consumer.bookmark.advance(reading.window, self.policy, min(outcome.as_of or self.now, self.now))

    def note(self, reading: Reading, outcome: Outcome, count: int | None = None) -> None:
        """Enter a window into the ledger, and remember it where it is not complete."""
        row = self._row(
            reading.window,
            outcome.status,
            records=count,
            requests=reading.meter.requests,
            reported_total=outcome.reported_total,
            splits=reading.splits,
            gap_reason=outcome.reason,
        )
        self.rows.append(row)
        if outcome.status != "complete":
            self.gaps += outcome.status == "truncated"
            self.state.note_incomplete(reading.window, outcome.status)

    @property
    def is_waited_for(self) -> bool:
        """Whether a worker waits for a STATE with its notes."""
        return bool(self._unwritten)

    def keep_notes(self) -> None:
        """Bring what the workers noted into STATE."""
        notes, waiting = self.memory.snapshot()
        self._unwritten.extend(waiting)
        if notes != self.state.notes:
            self.state.notes = notes
            self.state.save()

    def notes_written(self) -> None:
        """Tell the workers that the STATE with their notes is out."""
        waiting, self._unwritten = self._unwritten, []
        for written in waiting:
            written.set()

    def take_rows(self) -> list[Record]:
        """Hand out the ledger rows that wait."""
        rows, self.rows = self.rows, []
        return rows

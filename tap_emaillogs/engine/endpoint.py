"""One endpoint of one account in one run: its windows in order, its consumers, and how far they have come."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tap_emaillogs.engine.failure import ForeignError
from tap_emaillogs.engine.finish import Consumer, Finisher
from tap_emaillogs.engine.ledger import EndpointLedger
from tap_emaillogs.engine.pace import retention_warning, revisit_interval
from tap_emaillogs.engine.readers import reader_of
from tap_emaillogs.engine.reading import EndpointContext, Outcome, Reading, check_split, checked
from tap_emaillogs.engine.window_queue import Done, Parts, WindowQueue
from tap_emaillogs.engine.windows import Need, hull, need, needs_a_step, plan, tile_in_steps
from tap_emaillogs.formats.timestamps import floor
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import Abandoned

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from tap_emaillogs.engine.finish import Finished
    from tap_emaillogs.engine.spool import Block
    from tap_emaillogs.engine.state import EndpointState
    from tap_emaillogs.engine.window_queue import Result, Slot
    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.base import LogStream
    from tap_emaillogs.streams.window import Window

_logger = logging.getLogger("tap-emaillogs.engine")


@dataclass
class Endpoint:
    """Everything the engine knows of an endpoint; touched by the writer's thread only, but for `context`."""

    stream: LogStream
    consumers: list[Consumer]
    state: EndpointState
    now: datetime
    privacy: Privacy
    slots: WindowQueue = field(default_factory=WindowQueue)
    ended: bool = False
    denied: bool = False
    """Whether it ended since the vendor does not accept the key, or does not let it read this."""
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.policy = self.stream.account.policy(self.stream.unit, self.stream.defaults)
        self.reader = reader_of(self.stream)
        self.context = EndpointContext(self.state.notes, label=str(self), now=self.now)
        self.on_window_end: Callable[[Reading, Outcome, int | None], None] = lambda *_: None
        """Called with each window that was written (with how many rows), is pending, or failed."""
        clock = self.stream.account.client.clock
        self.ledger = EndpointLedger(self.id, self.stream.filters_shown(), clock.now)
        self.in_flight = max(1, int(self.reader.windows_in_flight()))
        """How many windows may be read at the same time."""
        self._finisher = Finisher(self.stream, self.consumers, self.privacy, self._check)
        self._paced = False
        self._shown: tuple[datetime, set[str]] | None = None
        """The end of the window written last, and the rows at it."""
        self._unwritten: list[threading.Event] = []
        self._whole: set[Window] = set()
        """Windows that are read as they are, however long."""

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
        stood = min((one for consumer in self.consumers if (one := consumer.bookmark.progress.bookmark)), default=None)
        needs = [self._need(consumer) for consumer in self.consumers]
        if stood is not None and not self.ledger.gaps:  # a gap tells of itself
            self.warnings.extend(filter(None, [retention_warning(stood, self.now, self.policy)]))
        nothing = all(n.forward is None and not n.revisits for n in needs)
        pinned = [] if nothing else self.reader.pinned(self.context.notes)
        windows = plan(needs, self.policy, pinned)
        if not self.stream.time_filter:
            windows = hull(windows)
        if first and windows:
            self.state.begin_at(min(windows).start)
        self._note_lost()
        asked = begun = min((n.bookmark for n in needs if n.bookmark is not None), default=None)
        for pin in sorted(pinned):  # what was asked for counts as read
            asked = pin.end if asked is not None and asked in pin else asked
        since = None if first and asked == begun else asked
        reason = self.reader.postponed(since, self.now) if windows else None
        if reason is not None:
            self.stream.logger.info("%s: %s", self, reason)
            windows = [window for window in windows if window in pinned]  # what lives at the vendor is still taken up
        self._whole = {*pinned} if self.stream.time_filter else {*windows}
        self.slots.extend(Reading(window, self.context) for window in windows)

    def _need(self, consumer: Consumer) -> Need:
        bookmark = consumer.bookmark
        never_read = bookmark.progress.bookmark is None
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
            self._note_gap(wanted.gap, first=never_read)
            bookmark.save()
        if wanted.missed is not None and self._paced:  # what a first run read had its last chance there
            self._note_missed(wanted.missed)
            bookmark.save()
        return wanted

    def _note_gap(self, gap: Window, *, first: bool) -> None:
        advice = "Run the tap more often than that"
        if first:
            advice = "Set a later start_date, or raise history_days if the vendor keeps more"
        self._note_unavailable(
            gap,
            "older than the vendor keeps",
            f"are older than the vendor keeps (history_days): this gap cannot be read any more. {advice}",
        )

    def _note_missed(self, missed: Window) -> None:
        often = revisit_interval(self.policy) / timedelta(hours=1)
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
                self.ledger.add(entry.window, "complete", identity=entry.identity)

    def _note_unavailable(self, window: Window, reason: str, warning: str, identity: Window | None = None) -> None:
        if row := self.ledger.add_gap(window, reason, identity):
            self.warnings.append(f"events from {row['window_start']} to {row['window_end']} {warning}")

    # In a worker's thread.

    def read(self, reading: Reading) -> Result:
        """Read a window and finish its lines; whatever goes wrong is this endpoint's failure alone.

        Raises:
            Stopped: The run is ending.
        """
        try:
            if needs_a_step(reading.window, self.policy) and reading.window not in self._whole:
                return Parts(tile_in_steps(reading.window, self.policy))
            result = self.reader.read(reading)
            if isinstance(result, Outcome):
                return self._done(reading.window, result)
            check_split(reading.window, result)
            parts = Parts(result.windows)
            try:
                for window, outcome in result.outcomes.items():
                    parts.done[window] = self._done(window, outcome)
            except BaseException:
                parts.close()
                raise
        except Exception as error:  # noqa: BLE001 - isolation
            return error
        except BaseException as error:
            if isinstance(error, Stopped) and self.stream.account.client.clock.stopped:
                raise
            # A thread that ends without a word would be waited for.
            return ForeignError(type(error).__name__)
        return parts

    def _done(self, window: Window, outcome: Outcome) -> Done:
        with ExitStack() as unless_done:
            with ExitStack() as stack:
                if outcome.close is not None:
                    stack.callback(outcome.close)
                done = Done(checked(outcome))
                unless_done.callback(done.close)
                shortest = window.length <= self.stream.unit
                self.context.observed.note_outcome(done.outcome.status, done.outcome.reason, shortest=shortest)
                if outcome.status in {"complete", "truncated"}:
                    done.finished = self._finisher.finish(window, done.outcome)
            unless_done.pop_all()
            return done

    def _check(self) -> None:
        if self.stream.account.client.clock.stopped:
            raise Stopped
        if self.context.cancelled:
            raise Abandoned("the endpoint ended before this window was read")

    # Submitting and taking windows.

    def submit_next(self) -> Slot | None:
        """Return the next window to read, if there is one and it may be read now."""
        return None if self.ended else self.slots.submit_next(self.in_flight)

    def ready(self) -> Slot | None:
        """Return the window to be written next, if it has been read."""
        return None if self.ended else self.slots.ready()

    def end(self) -> None:
        """Read no more in this run; workers that are still at it are to stop."""
        self.ended = self.context.cancelled = True
        self.slots.clear()

    # Writing a window.

    def blocks(self, window: Window, done: Done) -> Iterator[Block]:
        """Yield a window's lines, without rows that the window before it already showed at their common edge."""
        if self._settled(window, done.outcome) is None or done.finished is None:
            return
        shown = self._shown[1] if self._shown is not None and self._shown[0] == window.start else set()
        yield from done.finished.blocks(shown)
        self._shown = window.end, done.finished.at_end

    def commit(self, reading: Reading, outcome: Outcome, finished: Finished) -> None:
        """Move on after a window's records are out: ledger, bookmarks, marks."""
        if outcome.on_commit is not None:
            try:
                outcome.on_commit()
            except BaseException as error:
                if self.stream.account.client.clock.stopped:
                    raise
                # The rows are out all the same.
                _logger.warning("%s, %s: an error inside the tap (%s) while keeping notes", self, reading, type(error))
                _logger.debug("where it came from", exc_info=error)
        window = self._settled(reading.window, outcome)
        if window is None:
            return
        self.note(reading, outcome, finished.rows, window)
        if outcome.status == "complete":
            self.state.note_seen(window, finished.rows)
            filled = self.state.note_complete(window)
            for entry in filled:
                self.ledger.add(entry.window, "complete", identity=entry.identity)
        for consumer in self.consumers:
            if consumer.note_remarks is not None:
                consumer.note_remarks(finished.remarks)
            consumer.bookmark.advance(window, self.policy, self._seen(outcome))

    def _seen(self, outcome: Outcome) -> datetime:
        """Return the moment that a window's records show, by the vendor's clock."""
        return min(outcome.as_of or self.now, self.now) - self.stream.account.client.vendor_clock.ahead

    def _settled(self, window: Window, outcome: Outcome) -> Window | None:
        """Return what of a window was settled by the vendor's clock when it was read; None: nothing.

        Windows end `settle_minutes` before now by this machine's clock. Where that is ahead, a later run has the rest.
        """
        if not self.stream.account.client.vendor_clock.ahead:
            return window
        end = min(window.end, floor(self._seen(outcome) - self.policy.settle, self.policy.unit))
        return replace(window, end=end) if end > window.start else None

    def note(self, reading: Reading, outcome: Outcome, count: int | None = None, window: Window | None = None) -> None:
        """Enter a window into the ledger, as far as it was settled, and remember it where it is not complete."""
        self.context.note_totals()
        window, identity = window or reading.window, None
        if outcome.status != "complete":
            entry = self.state.note_incomplete(window, outcome.status)
            window, identity = entry.window, entry.identity
        self.ledger.add(
            window,
            outcome.status,
            identity,
            records=count,
            requests=reading.meter.requests,
            reported_total=outcome.reported_total,
            splits=reading.splits,
            gap_reason=outcome.reason,
        )
        self.on_window_end(reading, outcome, count)

    @property
    def is_waited_for(self) -> bool:
        """Whether a worker waits for a STATE with its notes."""
        return bool(self._unwritten)

    def keep_notes(self) -> None:
        """Bring what the workers noted into STATE."""
        notes, waiting = self.context.notes.snapshot()
        self._unwritten.extend(waiting)
        if notes != self.state.notes:
            self.state.notes = notes
            self.state.save()

    def notes_written(self) -> None:
        """Tell the workers that the STATE with their notes is out."""
        waiting, self._unwritten = self._unwritten, []
        for written in waiting:
            written.set()

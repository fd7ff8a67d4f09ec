"""The engine: windows are read concurrently by a bounded pool, and written in order by one thread.

Workers know nothing of messages and STATE; the thread that iterates over `steps` is the only one that touches
endpoints and output. A window that is split is replaced by its parts where it stood, so that the order of time is kept
and a bookmark never passes a hole. What happens to one endpoint costs nothing at the others, however many there are.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tap_emaillogs.engine.failure import Failure
from tap_emaillogs.engine.observer import Observer
from tap_emaillogs.engine.pool import Pool
from tap_emaillogs.engine.reading import Outcome
from tap_emaillogs.engine.window_queue import Done, Parts
from tap_emaillogs.http import handles
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import NotAuthorized, NotPermitted, ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.engine.spool import Block
    from tap_emaillogs.engine.window_queue import Result, Slot
    from tap_emaillogs.http.clock import Clock

_MOST_THREADS = 256
"""Many of them only wait for jobs at a vendor; none of these may keep another endpoint from being read."""
_logger = logging.getLogger("tap-emaillogs.engine")


@dataclass
class WindowRead:
    """A window whose lines can be written now; `blocks` are to be exhausted before `commit`."""

    endpoint: Endpoint
    reading: Reading
    done: Done

    def blocks(self) -> Iterator[Block]:
        """Yield the window's lines."""
        assert self.done.finished is not None
        return self.endpoint.blocks(self.reading.window, self.done)

    def commit(self) -> None:
        """Move bookmarks over the window."""
        assert self.done.finished is not None
        self.endpoint.commit(self.reading, self.done.outcome, self.done.finished)

    def close(self) -> None:
        """Free what the lines were kept in."""
        self.done.close()


@dataclass
class EndpointChanged:
    """An endpoint has rows for the ledger, or notes for STATE."""

    endpoint: Endpoint


@dataclass
class CheckpointDue:
    """Nothing arrived for so long that STATE is to be written."""


Step = WindowRead | EndpointChanged | CheckpointDue


@dataclass
class _Arrival:
    """What a worker brings."""

    endpoint: Endpoint
    slot: Slot
    result: Result


class _Cleaned:
    """Something was cleaned up."""


class Engine:
    """Reads the planned windows of all endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint], clock: Clock, observer: Observer | None = None) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._observer = observer or Observer()
        # A SimpleQueue may be put to from a signal handler, whatever the interrupted thread holds.
        self._arrivals: queue.SimpleQueue[_Arrival | _Cleaned | None] = queue.SimpleQueue()
        self._noted: queue.SimpleQueue[Endpoint] = queue.SimpleQueue()
        """Endpoints whose workers noted something for STATE."""
        wanted = sum(endpoint.in_flight for endpoint in endpoints)
        self._pool = Pool(min(_MOST_THREADS, handles.share(5), wanted))
        self._in_flight = 0
        """Windows being read at endpoints that have not ended."""
        self._cleaning = 0
        """What is cleaned up at vendors meanwhile."""
        self._over = False
        self.failures: list[Failure] = []
        for endpoint in endpoints:
            endpoint.context.notes.on_change = self._notes_changed(endpoint)
            endpoint.on_window_end = partial(self._observer.window_ends, endpoint)

    def wake(self) -> None:
        """Make a waiting `steps` look at the clock; callable from anywhere."""
        self._arrivals.put(None)

    def clean_up(self, task: Callable[[], None]) -> None:
        """Have a worker do what a vendor is asked for once a window is out; the run waits for it at its end."""

        def clean() -> None:
            try:
                task()
            except BaseException as error:
                if self._clock.stopped:
                    raise
                _logger.warning("cleaning up at a vendor failed (%s)", type(error).__name__)
                _logger.debug("where it came from", exc_info=error)
            finally:  # whatever happened: the run waits for it
                self._arrivals.put(_Cleaned())

        self._cleaning += 1
        self._pool.submit(clean)

    def _notes_changed(self, endpoint: Endpoint) -> Callable[[], None]:
        def changed() -> None:
            self._noted.put(endpoint)
            self.wake()

        return changed

    def noted(self) -> Iterator[Endpoint]:
        """Yield the endpoints with new notes for STATE, each time once."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._noted.get_nowait()

    def steps(self, due_in: Callable[[], float | None] = lambda: None) -> Iterator[Step]:
        """Yield what is to be written, each endpoint's windows in order.

        `due_in` tells in how many seconds STATE is to be written where nothing arrives; None: it need not be.

        Raises:
            Stopped: The run is ending.
        """
        try:
            for endpoint in self._endpoints:
                if endpoint.ledger.rows:  # gaps, found when the run was planned
                    yield EndpointChanged(endpoint)
                self._submit(endpoint)
            while True:
                if self._in_flight or self._cleaning:
                    yield from self._next(due_in)
                elif due_in() is not None:
                    yield CheckpointDue()  # after which there may be something to clean up
                else:
                    break
        finally:
            for endpoint in self._endpoints:
                endpoint.end()
                endpoint.context.notes.close()
            self._pool.close()
            self._over = True
            self._discard()

    def _next(self, due_in: Callable[[], float | None]) -> Iterator[Step]:
        try:
            arrival = self._arrivals.get_nowait()
        except queue.Empty:
            try:
                arrival = self._arrivals.get(timeout=due_in())
            except queue.Empty:
                yield CheckpointDue()
                return
        if self._clock.stopped:
            _close(arrival)
            raise Stopped
        if isinstance(arrival, _Cleaned):
            self._cleaning -= 1
            return
        if arrival is None:
            yield from map(EndpointChanged, self.noted())
            return
        endpoint, slot, result = arrival.endpoint, arrival.slot, arrival.result
        endpoint.slots.in_flight -= 1
        if endpoint.ended:
            _close(arrival)
            return
        self._in_flight -= 1
        endpoint.slots.settle(slot, result)
        while (ready := endpoint.ready()) is not None:
            yield self._step(endpoint, ready)
            self._submit(endpoint)
        self._submit(endpoint)

    def _submit(self, endpoint: Endpoint) -> None:
        """Keep the workers busy."""
        while (slot := endpoint.submit_next()) is not None:
            self._in_flight += 1
            self._pool.submit(lambda slot=slot: self._read(endpoint, slot))  # type: ignore[misc]

    def _read(self, endpoint: Endpoint, slot: Slot) -> None:
        self._observer.window_begins(endpoint, slot.reading)
        result = endpoint.read(slot.reading)
        if isinstance(result, Parts):
            self._observer.window_is_split(endpoint, slot.reading, len(result.windows))
        self._arrivals.put(_Arrival(endpoint, slot, result))
        if self._over:
            self._discard()

    def _discard(self) -> None:
        """Free what came too late to be written."""
        with contextlib.suppress(queue.Empty):
            while True:
                _close(self._arrivals.get_nowait())

    def _step(self, endpoint: Endpoint, slot: Slot) -> Step:
        done = slot.result
        if isinstance(done, Done) and done.finished is not None:
            if done.outcome.status == "truncated":
                _logger.warning("%s, %s: truncated: %s", endpoint, slot.reading, done.outcome.reason)
            return WindowRead(endpoint, slot.reading, done)
        if isinstance(done, Done):
            _logger.warning("%s, %s: %s; a later run takes it up", endpoint, slot.reading, done.outcome.reason)
            endpoint.note(slot.reading, done.outcome)
        else:
            self._fail(endpoint, slot, done or ReadError("nothing was read"))
        self._in_flight -= endpoint.slots.in_flight
        endpoint.end()
        return EndpointChanged(endpoint)

    def _fail(self, endpoint: Endpoint, slot: Slot, error: Exception) -> None:
        names = (consumer.stream.name for consumer in endpoint.consumers)
        failure = Failure.of(f"{endpoint}, {slot.reading}", error, endpoint.stream.account, names)
        refused = isinstance(error, (NotAuthorized, NotPermitted))
        endpoint.denied = refused and not endpoint.context.observed.answered
        endpoint.note(slot.reading, Outcome(status="failed", reason=failure.said))
        self.failures.append(failure)


def _close(arrival: _Arrival | _Cleaned | None) -> None:
    """Free what nobody will write."""
    if isinstance(arrival, _Arrival) and not isinstance(arrival.result, Exception):
        arrival.result.close()

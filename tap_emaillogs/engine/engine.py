"""The engine: windows are read concurrently by a bounded pool, and written in order by one thread.

Workers know nothing of messages; the thread that iterates over `deliveries` is the only one that touches endpoints,
STATE and output. A split window is replaced by its parts where it stood, so that the order of time is kept and a
bookmark never passes a hole.
"""

from __future__ import annotations

import contextlib
import logging
import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_emaillogs.engine.endpoint import Failure
from tap_emaillogs.engine.pool import Pool
from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.http.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_emaillogs.engine.endpoint import Endpoint, Slot
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.streams.records import Record

_MOST_THREADS = 256
"""Many of them only wait for jobs at a vendor; none of these may keep another endpoint from being read."""
_logger = logging.getLogger("tap-emaillogs.sync")
_Arrival = tuple["Endpoint", "Slot | None", "Outcome | Split | Exception | None"]


@dataclass
class Delivery:
    """A window whose records can be written now; `records` is to be exhausted before `commit`."""

    endpoint: Endpoint
    reading: Reading
    outcome: Outcome
    count: int = 0

    def records(self) -> Iterator[Record]:
        """Yield the window's records and count them."""
        for record in self.endpoint.records(self.reading, self.outcome):
            self.count += 1
            yield record

    def commit(self) -> None:
        """Move bookmarks over the window."""
        self.endpoint.commit(self.reading, self.outcome, self.count)

    def written(self) -> None:
        """Let the stream act once the STATE that covers the window is out."""
        if self.outcome.on_written is not None:
            self.outcome.on_written()

    def close(self) -> None:
        """Free what the records were kept in."""
        if self.outcome.close is not None:
            self.outcome.close()


class Engine:
    """Reads the planned windows of all endpoints."""

    def __init__(self, endpoints: Sequence[Endpoint], clock: Clock) -> None:
        self._endpoints = endpoints
        self._clock = clock
        # A SimpleQueue may be put to from a signal handler, whatever the interrupted thread holds.
        self._arrivals: queue.SimpleQueue[_Arrival | None] = queue.SimpleQueue()
        self._pool = Pool(min(_MOST_THREADS, sum(e.reader.windows_in_flight() for e in endpoints)))
        self._over = False
        self.failures: list[Failure] = []

    def wake(self) -> None:
        """Make a waiting `deliveries` look at the clock; callable from anywhere."""
        self._arrivals.put(None)

    def notes_changed(self, endpoint: Endpoint) -> None:
        """Have an endpoint's notes delivered to STATE; callable from a worker."""
        self._arrivals.put((endpoint, None, None))

    def deliveries(self) -> Iterator[Delivery | Endpoint]:
        """Yield windows to write, each endpoint's in order; an endpoint alone has something for ledger or STATE.

        Raises:
            Stopped: The run is ending.
        """
        try:
            yield from self._endpoints  # what planning found: gaps
            while True:
                if self._clock.stopped:
                    raise Stopped
                self._submit()
                delivered = False
                for endpoint in self._endpoints:
                    while (slot := endpoint.ready()) is not None:
                        yield self._deliver(endpoint, slot)
                        delivered = True
                        self._submit()
                if delivered:
                    continue
                if not any(endpoint.in_flight for endpoint in self._endpoints if not endpoint.ended):
                    return
                yield from self._arrive()
        finally:
            for endpoint in self._endpoints:
                endpoint.end()
                endpoint.memory.notes.close()
            self._pool.close()
            self._over = True
            self._discard()

    def _submit(self) -> None:
        """Keep the workers busy, giving each endpoint its turn."""
        submitted = True
        while submitted:
            submitted = False
            for endpoint in self._endpoints:
                limit = endpoint.reader.windows_in_flight()
                slot = endpoint.next_to_submit(limit) if endpoint.in_flight < limit else None
                if slot is not None:
                    slot.submitted = submitted = True
                    endpoint.in_flight += 1
                    self._pool.submit(lambda endpoint=endpoint, slot=slot: self._read(endpoint, slot))  # type: ignore[misc]

    def _read(self, endpoint: Endpoint, slot: Slot) -> None:
        try:
            result: Outcome | Split | Exception = endpoint.reader.read(slot.reading)
        except Exception as error:  # noqa: BLE001 - isolation: whatever happened is this endpoint's failure
            result = error
        self._arrivals.put((endpoint, slot, result))
        if self._over:
            self._discard()

    def _discard(self) -> None:
        """Free what came too late to be written."""
        with contextlib.suppress(queue.Empty):
            while True:
                arrival = self._arrivals.get_nowait()
                if arrival is not None and isinstance(arrival[2], Outcome) and arrival[2].close:
                    arrival[2].close()

    def _arrive(self) -> Iterator[Endpoint]:
        arrival = self._arrivals.get()
        if arrival is None:
            return
        endpoint, slot, result = arrival
        if slot is None or result is None:
            yield endpoint
        elif endpoint.ended:
            endpoint.in_flight -= 1
            if isinstance(result, Outcome) and result.close:
                result.close()
        else:
            endpoint.settle(slot, result)

    def _deliver(self, endpoint: Endpoint, slot: Slot) -> Delivery | Endpoint:
        result = slot.result
        if isinstance(result, Outcome) and result.status in {"complete", "truncated"}:
            if result.status == "truncated":
                _logger.warning("%s, %s: truncated: %s", endpoint, slot.reading, result.reason)
            return Delivery(endpoint, slot.reading, result)
        if isinstance(result, Outcome):
            _logger.warning("%s, %s: %s; a later run takes it up", endpoint, slot.reading, result.reason)
            endpoint.note(slot.reading, result)
        else:
            self._fail(endpoint, slot, result if isinstance(result, Exception) else ReadError("nothing was read"))
        endpoint.end()
        return endpoint

    def _fail(self, endpoint: Endpoint, slot: Slot, error: Exception) -> None:
        if not isinstance(error, ReadError):
            _logger.debug("%s", endpoint, exc_info=error)
            error = ReadError(
                f"an error inside the tap ({type(error).__name__})", "report it, with the log of LOGLEVEL=DEBUG"
            )
        reason = endpoint.stream.account.client.redact(str(error))
        endpoint.note(slot.reading, Outcome(status="failed", reason=reason))
        self.failures.append(Failure(endpoint, slot.reading, error))

"""One run over all selected streams: reads through the engine, writes messages, keeps STATE, reports failures."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tap_emaillogs.engine.engine import Delivery, Engine
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.streams.output import Emitter
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk import Stream

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.output import LineWriter

_logger = logging.getLogger("tap-emaillogs")
_STOP_CHECK = 512
"""So many records are written between two looks at whether the run is ending."""


class Run:
    """Writes what the engine delivers."""

    def __init__(  # noqa: PLR0913 - its collaborators, all named
        self,
        *,
        endpoints: Sequence[Endpoint],
        engine: Engine,
        streams: Mapping[str, Stream],
        writer: LineWriter,
        write_state: Callable[[], None],
        privacy: Privacy,
        clock: Clock,
        ledger: str,
    ) -> None:
        self._endpoints, self._engine, self._clock = endpoints, engine, clock
        self._privacy, self._write_state = privacy, write_state
        self._ledger = ledger
        self._emitters = {name: Emitter(stream, writer, clock.now()) for name, stream in streams.items()}

    def execute(self) -> None:
        """Read and write everything.

        Raises:
            Stopped: The run is ending early; what is out so far is covered by STATE as far as it can be.
        """
        for endpoint in self._endpoints:
            for warning in endpoint.warnings:
                _logger.warning("%s: %s", endpoint, warning)
        try:
            for item in self._engine.deliveries():
                if isinstance(item, Delivery):
                    self._write(item)
                else:
                    self._finish(item)
        finally:
            for endpoint in self._endpoints:  # what workers noted last
                endpoint.keep_notes()
        self._write_state()

    def _write(self, delivery: Delivery) -> None:
        endpoint = delivery.endpoint
        emitters = [self._emitters[consumer.stream.name] for consumer in endpoint.consumers]
        lines = None if self._privacy.hides or not emitters[0].plain else endpoint.untouched(delivery.outcome)
        try:
            if lines is not None:
                self._write_lines(lines, emitters[0])
                delivery.count = len(lines)
            else:
                self._write_records(delivery, emitters)
            for emitter in emitters:
                emitter.end_window()
            delivery.commit()
            self._finish(endpoint)
            delivery.written()
        finally:
            delivery.close()

    def _write_lines(self, lines: Sequence[bytes], emitter: Emitter) -> None:
        for start in range(0, len(lines), _STOP_CHECK):
            emitter.write_encoded(lines[start : start + _STOP_CHECK])
            self._look_up()

    def _write_records(self, delivery: Delivery, emitters: Sequence[Emitter]) -> None:
        endpoint = delivery.endpoint
        kinds = [type(consumer.stream) for consumer in endpoint.consumers]
        plan = self._privacy.plan(columns(type(endpoint.stream)), *map(columns, kinds))
        with ExitStack() as stack:
            derives = [stack.enter_context(consumer.deriving()) for consumer in endpoint.consumers]
            for record in delivery.records():
                # All are derived before any is written: writing may take fields out of the record.
                derived = plan.hide(record, [derive(record) for derive in derives])
                for records, emitter in zip(derived, emitters, strict=True):
                    emitter.write_all(records)
                if not delivery.count % _STOP_CHECK:
                    self._look_up()

    def _look_up(self) -> None:
        """See, in the middle of a window, whether the run is ending or a worker has something for STATE."""
        if self._clock.stopped:
            raise Stopped
        noted = [endpoint for endpoint in self._endpoints if endpoint.memory.unsaved]
        for endpoint in noted:
            endpoint.keep_notes()
        if noted:
            self._write_state()
        for endpoint in noted:
            endpoint.notes_written()

    def _finish(self, endpoint: Endpoint) -> None:
        """Write ledger rows, then STATE."""
        endpoint.keep_notes()
        rows = endpoint.take_rows()
        emitter = self._emitters.get(self._ledger)
        if emitter is not None:
            plan = self._privacy.plan(columns(SyncWindows), columns(SyncWindows))
            for row in rows:  # filters may name a recipient
                emitter.write_all(plan.hide(row, [[row]])[0])
            emitter.end_window()
        self._write_state()
        endpoint.notes_written()

    def report(self) -> int:
        """Say in one line each what failed; return how many failures there were."""
        for failure in self._engine.failures:
            redact = failure.endpoint.stream.account.client.redact
            window = f", {failure.reading}" if failure.reading else ""
            hint = getattr(failure.error, "hint", "")
            _logger.error(
                "%s%s: failed: %s. What to do: %s", failure.endpoint, window, redact(str(failure.error)), hint
            )
        return len(self._engine.failures)

    def gaps(self) -> int:
        """Return how many gaps and truncated windows this run met."""
        return sum(endpoint.gaps for endpoint in self._endpoints)

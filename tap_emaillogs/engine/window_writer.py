"""One run over all selected streams: reads through the engine, writes lines, keeps STATE, reports failures."""

from __future__ import annotations

import contextlib
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from tap_emaillogs.engine.checkpoint import Checkpoints
from tap_emaillogs.engine.engine import CheckpointDue, EndpointChanged, Engine, WindowRead
from tap_emaillogs.engine.incomplete import TO_BE_READ
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.streams.output import BatchFiles
from tap_emaillogs.streams.schemas import columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from singer_sdk.metrics import Counter, Timer

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.privacy.plan import Privacy
    from tap_emaillogs.streams.output import LineWriter, RecordLines
    from tap_emaillogs.streams.records import Record

_logger = logging.getLogger("tap-emaillogs")
_decode = msgspec.json.Decoder().decode
_NOT_TAKEN = "its records were not all taken"


class WindowWriter:
    """Writes what the engine delivers."""

    def __init__(  # noqa: PLR0913 - its collaborators, all named
        self,
        *,
        endpoints: Sequence[Endpoint],
        engine: Engine,
        outputs: Mapping[str, RecordLines],
        writer: LineWriter,
        state: Mapping[str, Any],
        privacy: Privacy,
        clock: Clock,
        ledger: str,
        first_run: bool = False,
    ) -> None:
        self._held: list[Endpoint] | None = [] if first_run and not engine.failures else None
        """Endpoints of a first run with rows for the ledger, while nothing happened but that keys were refused."""
        self._endpoints, self._engine, self._clock = endpoints, engine, clock
        self._writer, self._privacy, self._state = writer, privacy, state
        self._checkpoints = Checkpoints(writer, state, self._write_ledger, self._write_open)
        self._rows: list[Record] = []
        self._outputs, self._ledger = outputs, ledger
        self._streams = {name: output.stream for name, output in outputs.items()}
        batches = {name: stream.get_batch_config(stream.config) for name, stream in self._streams.items()}
        self._batches = {name: BatchFiles(self._streams[name], config) for name, config in batches.items() if config}
        self._counters: dict[str, Counter] = {}

    def execute(self) -> None:
        """Read and write everything.

        Raises:
            Stopped: The run is ending early; what is out so far is covered by STATE as far as it can be.
        """
        for endpoint in self._endpoints:
            for warning in endpoint.warnings:
                _logger.warning("%s: %s", endpoint, warning)
        with ExitStack() as stack:
            self._counters = {
                name: stack.enter_context(stream.get_record_counter()) for name, stream in self._streams.items()
            }
            timers = {name: stream.get_sync_timer().__enter__() for name, stream in self._streams.items()}
            stack.callback(self._log_durations, timers)
            try:
                for step in self._engine.steps(self._checkpoints.due_in):
                    if isinstance(step, CheckpointDue):
                        self._checkpoints.write()
                    elif isinstance(step, WindowRead):
                        self._write(step)
                    else:
                        self._finish(step.endpoint)
            finally:
                for endpoint in self._endpoints:  # what workers noted last
                    endpoint.keep_notes()
            if self._held is not None and not all(endpoint.denied for endpoint in self._endpoints):
                self._release()
                if self._state:
                    self._checkpoints.write()

    def _log_durations(self, timers: Mapping[str, Timer]) -> None:
        failed = {name: failure.error for failure in self._engine.failures for name in failure.streams}
        for name, timer in timers.items():
            error = failed.get(name)
            timer.__exit__(None if error is None else type(error), error, None)

    def write_state(self) -> None:
        """Write STATE as it stands: whatever else was written, a run that ends early ends with it."""
        self._release()
        self._checkpoints.write(again=True)

    def _write(self, step: WindowRead) -> None:
        names = [consumer.stream.name for consumer in step.endpoint.consumers]
        try:
            for consumer, lines, count in step.blocks():
                self._emit(names[consumer], lines, count)
                self._look_up()
            self._end_window(names)
            step.commit()
            self._finish(step.endpoint, step)
        finally:
            step.close()

    def _emit(self, name: str, lines: bytes, count: int) -> None:
        self._counters[name].increment(count)
        if name in self._batches:
            self._batches[name].add(lines)
        else:
            self._writer.write_lines(lines)

    def _end_window(self, names: Iterable[str]) -> None:
        for name in self._batches.keys() & names:
            self._batches[name].end_window()

    def _look_up(self) -> None:
        """See, in the middle of a window, whether the run is ending or a worker has something for STATE."""
        if self._clock.stopped:
            raise Stopped
        for endpoint in self._engine.noted():
            endpoint.keep_notes()
            self._checkpoints.note(endpoint)

    def _finish(self, endpoint: Endpoint, step: WindowRead | None = None) -> None:
        """Have ledger rows and STATE written where that is due."""
        endpoint.keep_notes()
        if self._held is not None:
            if step is None and (endpoint.denied or not endpoint.ended):
                self._held.append(endpoint)
                if endpoint.is_waited_for:
                    self._checkpoints.note(endpoint)
                return
            self._release()
        self._rows.extend(endpoint.ledger.take())
        then = step.done.outcome.on_written if step else None
        self._checkpoints.note(endpoint, then and (lambda: self._engine.clean_up(then)))

    def _release(self) -> None:
        """Hold nothing back any more: something was read, or failed in another way.

        A first run in which no vendor accepts its key is a mistake in the configuration. It writes no row of the
        ledger, which a reader such as `meltano config test` takes for data, and no STATE: as if it had never been.
        """
        held, self._held = self._held or [], None
        for endpoint in held:
            self._finish(endpoint)

    def _write_ledger(self) -> None:
        rows, self._rows = self._rows, []
        self._rows = [row for row in rows if row["status"] in TO_BE_READ]
        self._write_rows([row for row in rows if row["status"] not in TO_BE_READ])

    def _write_open(self) -> bool:
        """Write the rows of windows that a later run is to read: only a STATE that knows them makes them complete."""
        rows, self._rows = self._rows, []
        return self._write_rows(rows)

    def _write_rows(self, rows: list[Record]) -> bool:
        wanted = self._ledger in self._outputs and bool(rows)
        if wanted:
            self._emit(self._ledger, *self._outputs[self._ledger].of_records(_cleared(rows, self._privacy)))
            self._end_window([self._ledger])
        return wanted

    def report(self) -> int:
        """Say in one line each what failed; return how many failures there were."""
        self._writer.flush()  # where both go to one place, as `meltano config test` has it, this comes last
        for failure in self._engine.failures:
            _logger.error("%s: failed: %s. What to do: %s", failure.where, failure.said.rstrip("."), failure.error.hint)
        return len(self._engine.failures)

    def gaps(self) -> int:
        """Return how many gaps and truncated windows this run met."""
        return sum(endpoint.ledger.gaps for endpoint in self._endpoints)


def records_of(endpoints: Sequence[Endpoint], clock: Clock, privacy: Privacy, ledger: list[Record]) -> Iterator[Record]:
    """Yield the records of endpoints that feed one stream, whose output makes plain lines of them.

    `ledger` gets a row for every window. One whose records were not all taken, since whoever asked wanted no more, is
    pending: nothing was kept of it.

    Raises:
        ReadError: An endpoint failed.
    """
    engine = Engine(endpoints, clock)
    try:
        for step in engine.steps():
            if isinstance(step, WindowRead):
                with contextlib.closing(step):
                    try:
                        for block in step.blocks():
                            yield from map(_decode, block.lines.splitlines())
                    except GeneratorExit:
                        step.endpoint.ledger.add(step.reading.window, "pending", gap_reason=_NOT_TAKEN)
                        raise
                    step.commit()
            elif isinstance(step, EndpointChanged):
                step.endpoint.keep_notes()
                step.endpoint.notes_written()
    finally:
        for endpoint in endpoints:
            ledger.extend(_cleared(endpoint.ledger.take(), privacy))
    for failure in engine.failures:
        raise failure.error


def _cleared(rows: Sequence[Record], privacy: Privacy) -> list[Record]:
    """Hide what is personal in rows of the ledger: filters may name a recipient."""
    plan = privacy.plan(columns(SyncWindows), columns(SyncWindows))
    return [one for row in rows for one in plan.hide(row, [[row]])[0]]

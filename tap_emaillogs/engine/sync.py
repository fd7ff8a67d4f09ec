"""A sync as a whole: plans the endpoints of the selected streams, runs them, and says how it ended."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_emaillogs.engine.engine import Engine
from tap_emaillogs.engine.ledger import SyncWindows
from tap_emaillogs.engine.observer import Observer
from tap_emaillogs.engine.window_writer import WindowWriter, records_of
from tap_emaillogs.http.clock import Stopped
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.events import EmailEvents
from tap_emaillogs.streams.output import RecordLines, output_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context

    from tap_emaillogs.engine.planning import Sources
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.streams.output import LineWriter
    from tap_emaillogs.streams.records import Record

_ENDPOINT = ("provider", "account", "stream")
_logger = logging.getLogger("tap-emaillogs")


class Sync:
    """One sync of the selected streams.

    Args:
        sources: All streams and accounts.
        selected: The streams to be written.
        config: The tap's configuration.
        writer: Where messages go.
        state: The tap's STATE, which is changed as windows are written.
        clock: The run's clock.
        observer: Is told what happens.
    """

    def __init__(  # noqa: PLR0913 - all named
        self,
        *,
        sources: Sources,
        selected: Sequence[Stream],
        config: Mapping[str, Any],
        writer: LineWriter,
        state: Mapping[str, Any],
        clock: Clock,
        observer: Observer | None = None,
    ) -> None:
        now, privacy = clock.now(), Privacy.of(config)
        self._first_run = not any(state.get("bookmarks", {}).values())
        outputs = {stream.name: output_of(stream, now) for stream in selected}
        endpoints, failures = sources.endpoints(outputs, privacy, now)
        for sentence in sources.unread:
            _logger.warning("%s", sentence)
        if not (endpoints or failures):
            _logger.warning("%s", sources.why_nothing(outputs))
        self._streams = [*(endpoint.stream for endpoint in endpoints), *selected]
        self._config, self._state = config, state
        self._observer = observer or Observer()
        self._engine = Engine(endpoints, clock, self._observer)
        self._engine.failures += failures
        self._observer.run_begins(endpoints, failures)
        self._run = WindowWriter(
            endpoints=endpoints,
            engine=self._engine,
            outputs=outputs,
            writer=writer,
            state=state,
            privacy=privacy,
            clock=clock,
            ledger=SyncWindows.name,
            first_run=self._first_run,
        )

    def wake(self) -> None:
        """Make a waiting run look at the clock; callable from anywhere."""
        self._engine.wake()

    def execute(self) -> int | None:
        """Read and write everything; return the exit status, or None where the run was stopped."""
        if self._state and not self._first_run:
            self._run.write_state()
        try:
            self._run.execute()
        except Stopped:
            self._run.write_state()
            return None
        for stream in self._streams:
            if isinstance(stream, (EmailEvents, LogStream)):
                stream.tell_remarks()
        self._observer.run_ends(self._engine.failures)
        failures, gaps = self._run.report(), self._run.gaps()
        if gaps and self._config.get("on_gap") == "fail":
            _logger.error("%d windows are missing at the vendor; on_gap is fail, so this run failed", gaps)
            return 1
        return 1 if failures else 0


def records(  # noqa: PLR0913 - all named
    sources: Sources,
    stream: Stream,
    context: Context | None,
    *,
    config: Mapping[str, Any],
    clock: Clock,
    ledger: list[Record],
) -> Iterator[Record]:
    """Yield what is due for one stream in one partition; the windows read are added to `ledger`.

    Raises:
        ReadError: An endpoint failed.
    """
    privacy = Privacy.of(config)
    endpoints, failures = sources.endpoints({stream.name: RecordLines(stream)}, privacy, clock.now())
    for failure in failures:
        raise failure.error
    wanted = [
        endpoint
        for endpoint in endpoints
        if not context or dict(context) in ({"account": endpoint.id[1]}, dict(zip(_ENDPOINT, endpoint.id, strict=True)))
    ]
    yield from records_of(wanted, clock, privacy, ledger)

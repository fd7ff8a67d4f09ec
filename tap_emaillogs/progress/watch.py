"""Watches one run for the person who started it."""

from __future__ import annotations

import importlib.util
import logging
import signal
from typing import TYPE_CHECKING, Self

from singer_sdk import metrics

from tap_emaillogs.progress import summary
from tap_emaillogs.progress.lines import Lines
from tap_emaillogs.progress.live import Live, table_of
from tap_emaillogs.progress.stderr import is_terminal
from tap_emaillogs.progress.tracker import Tracker, harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.failure import Failure
    from tap_emaillogs.http.clock import Clock

_logger = logging.getLogger("tap-emaillogs.progress")


class Watch(Tracker):
    """Shows progress where the log's level has room for it (INFO), inside a `with` block.

    On a terminal that is a display, elsewhere lines. A display needs rich, which every ordinary installation has;
    without it a terminal has lines too.
    """

    def __init__(self, clock: Clock, redact: Callable[[str], str]) -> None:
        super().__init__(clock, redact)
        self._shown: Live | Lines | None = None
        self._fewer_metrics = metrics.MetricExclusionFilter(metrics=[metrics.Metric.HTTP_REQUEST_DURATION])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    @harmless
    def run_begins(self, endpoints: Sequence[Endpoint], failures: Sequence[Failure]) -> None:
        """Show it from now on."""
        super().run_begins(endpoints, failures)
        if not _logger.isEnabledFor(logging.INFO):
            return
        if is_terminal() and importlib.util.find_spec("rich") is not None:
            self._shown = Live(self)
            # One line for each request would push everything else off the screen.
            metrics.get_metrics_logger().addFilter(self._fewer_metrics)
        else:
            self._shown = Lines(self)
        self._shown.start()

    @harmless
    def run_ends(self, failures: Sequence[Failure]) -> None:  # noqa: ARG002 - they are told after this, each by itself
        """Say what was done."""
        display = self._shown
        self._close()
        if not _logger.isEnabledFor(logging.INFO):
            return
        entries = summary.entries(self)
        if isinstance(display, Live) and display.drawn:
            table_of(entries)
        else:
            for entry in entries:
                _logger.info("%s", entry.line())

    @harmless
    def stopped(self, number: int) -> None:
        """Say what is kept of a run that a signal ended."""
        self._close()
        for line in summary.kept(self, signal.Signals(number).name):
            _logger.warning("%s", line)

    def _close(self) -> None:
        shown, self._shown = self._shown, None
        if shown is not None:
            shown.close()
            metrics.get_metrics_logger().removeFilter(self._fewer_metrics)

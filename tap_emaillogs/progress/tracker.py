"""Follows a run: which endpoints are being read, and how far each has come."""

from __future__ import annotations

import functools
import logging
import threading
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from tap_emaillogs.engine.observer import Observer
from tap_emaillogs.progress.endpoint import EndpointProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.failure import Failure
    from tap_emaillogs.engine.reading import Outcome, Reading
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.progress.endpoint import Snapshot

_P = ParamSpec("_P")
_T = TypeVar("_T", bound="Tracker")
_logger = logging.getLogger("tap-emaillogs.progress")


def harmless(method: Callable[Concatenate[_T, _P], None]) -> Callable[Concatenate[_T, _P], None]:
    """Let nothing that goes wrong here reach the run."""

    @functools.wraps(method)
    def call(self: _T, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            _logger.debug("progress cannot be shown", exc_info=error)

    return call


class Tracker(Observer):
    """Keeps what is known of each endpoint; its costs grow with the windows read.

    Args:
        clock: The run's clock.
        redact: Hides what must not be shown: a label of an account may be an address.
    """

    def __init__(self, clock: Clock, redact: Callable[[str], str]) -> None:
        self.clock, self._redact = clock, redact
        self.endpoints: list[EndpointProgress] = []
        self.planned: list[EndpointProgress] = []
        """Those that have something to read."""
        self.failed_to_plan = 0
        self.on_begin: Callable[[EndpointProgress], None] = _ignore
        """Called, by the worker, when the first window of an endpoint is read."""
        self.on_end: Callable[[EndpointProgress], None] = _ignore
        """Called, by the writer, when its last window is written."""
        self.began = clock.monotonic()
        self._lock = threading.Lock()
        self._by_endpoint: dict[int, EndpointProgress] = {}
        self._running: dict[int, EndpointProgress] = {}

    @harmless
    def run_begins(self, endpoints: Sequence[Endpoint], failures: Sequence[Failure]) -> None:
        """Learn what is planned."""
        self.failed_to_plan = len(failures)
        for endpoint in endpoints:
            provider, account, stream = endpoint.id
            name = _printable(self._redact(f"{provider}/{account} {stream}"))
            one = EndpointProgress(endpoint, name, endpoint.slots.windows())
            self.endpoints.append(one)
            self._by_endpoint[id(endpoint)] = one
        self.planned = [one for one in self.endpoints if one.windows]

    @harmless
    def window_begins(self, endpoint: Endpoint, reading: Reading) -> None:
        """Note it."""
        one = self._by_endpoint[id(endpoint)]
        _logger.debug("%s: begins %s", one.name, reading)
        with self._lock:
            if one.ended is not None:
                return
            first = one.begin(reading, self.clock.monotonic())
            self._running[id(endpoint)] = one
        if first:
            self.on_begin(one)

    @harmless
    def window_is_split(self, endpoint: Endpoint, reading: Reading, parts: int) -> None:
        """Note it."""
        one = self._by_endpoint[id(endpoint)]
        _logger.debug("%s: %s is read in %d parts, after %d requests", one.name, reading, parts, reading.meter.requests)
        with self._lock:
            one.drop(reading)

    @harmless
    def window_ends(self, endpoint: Endpoint, reading: Reading, outcome: Outcome, rows: int | None) -> None:
        """Note it."""
        one = self._by_endpoint[id(endpoint)]
        said = f"{rows or 0:,} rows, {reading.meter.requests} requests, {outcome.status}"
        _logger.debug("%s: %s: %s", one.name, reading, said)
        with self._lock:
            if one.begun is None:
                one.begin(reading, self.clock.monotonic())
            last = one.end(reading, outcome, rows, self.clock.monotonic())
            if last:
                self._running.pop(id(endpoint), None)
        if last:
            self.on_end(one)

    def running(self) -> list[tuple[EndpointProgress, Snapshot]]:
        """Return the endpoints that are being read, those first that began first."""
        now = self.clock.monotonic()
        with self._lock:
            return [(one, one.snapshot(now)) for one in self._running.values()]

    def snapshot(self, one: EndpointProgress) -> Snapshot:
        """Return how far an endpoint is."""
        with self._lock:
            return one.snapshot(self.clock.monotonic())


def _ignore(_: EndpointProgress) -> None:
    """Do nothing."""


def _printable(text: str) -> str:
    """Return a text without what a terminal might obey."""
    return "".join(char if char.isprintable() else "?" for char in text)

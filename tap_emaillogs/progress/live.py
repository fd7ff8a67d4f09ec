"""Progress on a terminal: a display that is drawn anew about once a second, with the log above it."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from tap_emaillogs.progress import words
from tap_emaillogs.progress.stderr import takes_more

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from tap_emaillogs.progress.endpoint import EndpointProgress, Snapshot
    from tap_emaillogs.progress.summary import Entry
    from tap_emaillogs.progress.tracker import Tracker

_FIRST = 3.0
"""Seconds before anything is drawn: importing rich takes a hundredth of that, and a run that ends sooner needs none."""
_LOOK = 0.1
_PAUSE = 0.5
_SHARE = 400
"""Drawing takes at most one part in so many of the time."""
_MOST_ROWS = 20
_MOST_LINES = 10_000
"""So many lines of the log wait for a terminal that was stopped; what is older is given up."""
_BAR = 10
_logger = logging.getLogger("tap-emaillogs.progress")


class Live:
    """Draws the display, from a thread of its own; while it is there, the log goes through it."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self.drawn = False
        """Whether there was a display, and it did well."""

    def start(self) -> None:
        """Begin, now that it is known what is to be read."""
        if self._tracker.planned:
            self._thread.start()

    def close(self) -> None:
        """Take the display away."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def _run(self) -> None:
        try:
            while self._tracker.clock.monotonic() - self._tracker.began < _FIRST:
                if self._over.wait(_LOOK):
                    return
            with _log_kept() as log:
                self._draw(log)
        except Exception as error:
            self.drawn = False
            _logger.debug("progress cannot be shown", exc_info=error)

    def _draw(self, log: deque[str]) -> None:
        # Only on a terminal, and only once a run takes a while.
        from rich.live import Live as Screen  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        console = _console()
        screen = Screen(
            console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        with screen:
            console.show_cursor(True)
            self.drawn = True
            pause = 0.0
            while not self._over.wait(pause):
                began = time.thread_time()
                if takes_more():
                    if text := _taken(log):
                        console.print(Text(text), end="", soft_wrap=True)
                    screen.update(self._table(console), refresh=True)
                pause = max(_PAUSE, _SHARE * (time.thread_time() - began))
            screen.update("", refresh=True)

    def _table(self, console: Console) -> Table:
        from rich.table import Table  # noqa: PLC0415 - see above

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("endpoint", overflow="ellipsis", no_wrap=True)
        table.add_column("done", no_wrap=True)
        for name in ("rows", "requests"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("waits", overflow="ellipsis", no_wrap=True)
        table.add_column("left", justify="right", no_wrap=True)
        running = self._tracker.running()
        room = max(1, min(_MOST_ROWS, console.height - 4))
        for one, now in running[:room]:
            table.add_row(*_cells(one, now))
        if others := [now for _, now in running[room:]]:
            table.add_row(words.totals(others, f"{len(others):,} more"))
        planned = self._tracker.planned
        ended = sum(one.ended is not None for one in planned)
        rows = sum(one.rows for one in planned)
        table.add_row(
            f"{ended:,} of {len(planned):,} endpoints done",
            "",
            f"{rows + _unwritten(running):,}",
            f"{sum(one.requests for one in planned):,}",
            "",
            words.span(self._tracker.clock.monotonic() - self._tracker.began),
            style="dim",
        )
        return table


def table_of(found: Sequence[Entry]) -> None:
    """Print the summary as a table."""
    from rich import box  # noqa: PLC0415 - see above
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("endpoint", overflow="ellipsis", no_wrap=True)
    for name in ("rows", "requests", "at least"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("windows")
    table.add_column("retries", justify="right")
    table.add_column("waited")
    table.add_column("next revisit due")
    for one in found:
        numbers = (f"{one.rows:,}", f"{one.requests:,}", f"{one.least:,}")
        table.add_row(one.name, *numbers, one.statuses(), f"{one.retries or ''}", one.waits(), one.late())
    _console().print(table)


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - see above

    return Console(file=sys.stderr, highlight=False, markup=False, emoji=False)


def _cells(one: EndpointProgress, now: Snapshot) -> Sequence[str]:
    full = int(_BAR * now.share)
    bar = "━" * full + "╺" * (_BAR - full)
    return (
        one.name,
        f"{bar} {int(100 * now.share):>3} %",
        f"{now.rows:,}",
        f"{now.requests:,}",
        "" if now.waits_for is None else words.waiting(one, now.waits_for),
        "" if now.left is None else words.span(now.left),
    )


def _unwritten(running: Sequence[tuple[EndpointProgress, Snapshot]]) -> int:
    return sum(now.rows - one.rows for one, now in running)


class _Kept(io.TextIOBase):
    """Takes what handlers of the log write to stderr, so that it appears above the display, and never holds them up."""

    def __init__(self, log: deque[str]) -> None:
        self._log = log

    def write(self, text: str) -> int:
        self._log.append(text)
        return len(text)


@contextlib.contextmanager
def _log_kept() -> Iterator[deque[str]]:
    """Gather what is logged to stderr, and write at the end what is left of it."""
    log: deque[str] = deque(maxlen=_MOST_LINES)
    kept = _Kept(log)
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
    ]
    for handler in handlers:
        handler.setStream(kept)
    try:
        yield log
    finally:
        _write(log)
        for handler in handlers:
            handler.setStream(sys.stderr)
        _write(log)


def _taken(log: deque[str]) -> str:
    parts = []
    with contextlib.suppress(IndexError):
        while True:
            parts.append(log.popleft())
    return "".join(parts)


def _write(log: deque[str]) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(_taken(log))
        sys.stderr.flush()

"""When STATE is written: after each window that is worth it, else once a second, before a wait, and at the end.

STATE holds every endpoint of every account, so writing it after each window of thousands of quiet accounts would cost
more than their records.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib import StateMessage

from tap_emaillogs.streams.output import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.streams.output import LineWriter

_WORTH = 10
"""STATE may cost a tenth of the output."""
_SMALL = 4 << 10
"""Bytes of a STATE that costs nothing worth a thought: it follows every window."""
_OFTEN = 1.0
"""Seconds of real time, whatever clock the run goes by: what is out may be lost to a kill for so long."""


class Checkpoints:
    """Writes STATE, and does what may be done only once it is out.

    Args:
        writer: Where it goes.
        state: The tap's STATE, as it is at any time.
        before: Called just before STATE is written: rows of the ledger wait for that, so that a kill between them and
            the STATE that remembers them is as good as impossible.
        after: Called just after it, for rows that only a STATE can make right again; tells whether it wrote any.
    """

    def __init__(
        self,
        writer: LineWriter,
        state: Mapping[str, Any],
        before: Callable[[], None],
        after: Callable[[], bool] = lambda: False,
    ) -> None:
        self._writer, self._state, self._before, self._after = writer, state, before, after
        self._endpoints: dict[int, Endpoint] = {}
        self._waiting: list[Callable[[], None]] = []
        self._last = b""
        self._due_at = 0.0
        self._out = writer.written

    def note(self, endpoint: Endpoint, then: Callable[[], None] | None = None) -> None:
        """Count on STATE to be written for an endpoint, at once where that is worth it or somebody waits for it.

        `then` is called once it is out.
        """
        self._endpoints[id(endpoint)] = endpoint
        if then is not None:
            self._waiting.append(then)
        worth = self._writer.written - self._out >= _WORTH * len(self._last)
        if worth or len(self._last) <= _SMALL or endpoint.is_waited_for or self.due_in() == 0:
            self.write()

    def due_in(self) -> float | None:
        """Return in how many seconds STATE is to be written, if nothing happens till then; None: it is not."""
        return max(0.0, self._due_at - time.monotonic()) if self._endpoints else None

    def write(self, *, again: bool = False) -> None:
        """Write STATE where it is not as it was, or `again`."""
        endpoints, self._endpoints = list(self._endpoints.values()), {}
        waiting, self._waiting = self._waiting, []
        self._before()
        self._write(again=again)
        if self._after():
            self._write(again=True)
        self._out, self._due_at = self._writer.written, time.monotonic() + _OFTEN
        for endpoint in endpoints:
            endpoint.notes_written()
        for then in waiting:
            then()

    def _write(self, *, again: bool) -> None:
        line = encoded(StateMessage(value=dict(self._state)))
        if again or line != self._last:
            self._writer.write_lines(line + b"\n")
            self._writer.flush()
            self._last = line

"""The vendor's list of jobs, as all windows that wait for one of them see it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tap_emaillogs.http.errors import ReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tap_emaillogs.http.client import Meter


@dataclass(frozen=True, slots=True)
class RemoteJob:
    """An entry of the vendor's list of jobs."""

    id: str
    state: Literal["waiting", "done", "failed", "expired"]
    said: str
    """The vendor's own word for the state."""
    created: datetime | None = None
    fetched: bool = False
    """Whether its file was downloaded before."""
    size: int | None = None
    """Bytes of the file, as announced."""
    query: Any = None
    """What it was asked for, in the vendor's form."""


class Gone(ReadError):
    """The vendor has no file for a job any more."""

    hint = "the next run asks for the window anew"


class Vanished(Gone):
    """The vendor does not list a job any more: its file was read and deleted, by a run whose STATE was lost."""


class JobFailed(ReadError):
    """The vendor gave a job up, or never ended it."""

    hint = "the next run asks for the window anew"


Origin = Literal["noted", "found", "new"]
"""Where a job is known from: STATE, the vendor's list, or this run's own request."""


class Board:
    """The vendor's list of one kind of jobs, read once for all the windows that wait for one of them."""

    def __init__(self, fetch: Callable[[Meter], Sequence[RemoteJob]], monotonic: Callable[[], float]) -> None:
        self._fetch, self._monotonic = fetch, monotonic
        self._lock = threading.Lock()
        self._seen: tuple[float, Sequence[RemoteJob]] | None = None

    def look(self, newer_than: float, meter: Meter) -> tuple[float, Sequence[RemoteJob]]:
        """Return a list asked for after `newer_than`, and when that was, by the clock's `monotonic`."""
        with self._lock:
            if self._seen is None or self._seen[0] <= newer_than:
                asked = self._monotonic()
                self._seen = asked, self._fetch(meter)
            return self._seen

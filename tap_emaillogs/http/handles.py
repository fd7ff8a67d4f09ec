"""How many files and connections this process may have open at the same time, and who may have how many of them.

Each account keeps connections open for its next request; each window in work may need one, and a file or two. Two
hundred accounts are more than some machines permit: then connections are closed earlier, and fewer windows are read at
a time.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable

_UNKNOWN = 512
_ENOUGH = 16_384


def raise_limit() -> None:
    """Take as many handles as the system gives for the asking."""
    if sys.platform != "win32":
        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _counted(most)
        if _counted(now) < wanted:
            with contextlib.suppress(ValueError, OSError):  # some systems promise more than they give
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def limit() -> int:
    """Return how many handles this process may have."""
    return _UNKNOWN if sys.platform == "win32" else _counted(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _counted(handles: int) -> int:
    return _ENOUGH if handles < 0 else min(handles, _ENOUGH)  # less than none: no limit


def share(parts: int) -> int:
    """Return a part of the handles, one at least."""
    return max(1, limit() // parts)


class Kept:
    """Connections that are kept open between requests: at most a share of the handles, those used last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: OrderedDict[int, tuple[int, Callable[[], None]]] = OrderedDict()
        self._busy: Counter[int] = Counter()

    def begin(self, who: object) -> None:
        """Leave somebody's connections alone for now."""
        with self._lock:
            self._busy[id(who)] += 1
            self._idle.pop(id(who), None)

    def end(self, who: object, count: int, close: Callable[[], None]) -> None:
        """Keep `count` connections of somebody, and `close` those of others that were not used for longest."""
        with self._lock:
            self._busy[id(who)] -= 1
            if self._busy[id(who)] > 0:
                return
            del self._busy[id(who)]
            self._idle[id(who)] = count, close
            kept, most = sum(number for number, _ in self._idle.values()), share(8)
            while kept > most:
                _, (number, close_others) = self._idle.popitem(last=False)
                kept -= number
                close_others()


KEPT = Kept()

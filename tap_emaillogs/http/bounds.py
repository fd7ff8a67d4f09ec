"""Bounds of an answer on the wire: its header, its bytes and its time, whatever a server does.

A socket's time-out ends each silence only: one byte a second, header lines or `100 Continue` without end would go on
for ever. Here every read of an answer looks at the whole of it. An answer may last three times the time-out, and a
second more for each 64 kB of it: so a slow vendor that goes on sending is waited for, and one that only drips is not.
"""

from __future__ import annotations

import errno
import http.client
import io
import time
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    import socket

    import urllib3

_PATIENCE = 3
"""So many time-outs may an answer last that sends next to nothing."""
_SLOWEST = 64 << 10
"""Bytes that are worth a further second."""
_HEADER = 256 << 10
"""Bytes of status lines and header lines, interim answers (`100 Continue`) among them."""
_LINE = 64 << 10
"""Bytes of one line: a header, the size of a chunk, a trailer."""
_OVERHEAD = 64 << 20
"""Bytes by which the framing of an answer may exceed its content."""

most: ContextVar[int] = ContextVar("most", default=256 << 20)
"""Bytes of content that whoever asks is ready to take; set around a request."""


class _Wire(io.RawIOBase):
    """What comes through a socket as one answer."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self._silence = sock.gettimeout()
        self._most = most.get() + _OVERHEAD
        self._began, self._received = time.monotonic(), 0
        self.in_header = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there.

        Raises:
            TimeoutError: The answer lasts too long, or the server is silent.
            OSError: It is too long.
        """
        last_call = self._wait_no_longer()
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError:
            if not last_call:
                raise
            raise self._too_slow() from None
        self._received += count or 0
        if self._received > (_HEADER if self.in_header else self._most):
            what = "header" if self.in_header else "answer"
            raise OSError(errno.EMSGSIZE, f"the {what} does not end within {self._received >> 10:,} kB")
        return count

    def _wait_no_longer(self) -> bool:
        """Bound the next read by what is left of the whole answer's time; tell whether that is less than a silence."""
        if self._silence is None:
            return False
        left = _PATIENCE * self._silence + self._received / _SLOWEST - (time.monotonic() - self._began)
        if left <= 0:
            raise self._too_slow()
        if left < self._silence:
            self._sock.settimeout(left)
        return left < self._silence

    def _too_slow(self) -> TimeoutError:
        took = time.monotonic() - self._began
        return TimeoutError(errno.ETIMEDOUT, f"too slow: {self._received:,} bytes in {took:.0f} s, and no end")

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reader(io.BufferedReader):
    """Reads lines that are short: a chunk's size or a trailer would otherwise be read to its end, if it has one."""

    def readline(self, size: int | None = -1, /) -> bytes:
        bounded = size is not None and 0 <= size <= _LINE + 1
        line = super().readline(size if bounded else _LINE + 1)
        if not bounded and len(line) > _LINE:
            raise OSError(errno.EMSGSIZE, f"a line of the answer's framing is longer than {_LINE >> 10} kB")
        return line


class BoundedAnswer(http.client.HTTPResponse):
    """An answer that ends, whatever the server does."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._wire = _Wire(self.fp.detach(), sock)  # the reader of a connection that lasts was made just now
        self.fp = _Reader(self._wire)

    def begin(self) -> None:
        """Read the header; cookies are no part of any vendor's API, so none is kept.

        Raises:
            OSError: Where it would end is not clear, so what came after it could be taken for another request's answer.
        """
        super().begin()
        self._wire.in_header = False
        lengths = {part.strip() for text in self.headers.get_all("Content-Length", ()) for part in text.split(",")}
        if len(lengths) > 1:
            raise OSError(errno.EBADMSG, "the answer has several lengths")
        if self.status < 200:  # http.client skips 100 only
            raise OSError(errno.EBADMSG, f"HTTP {self.status}, which is no answer yet")
        del self.headers["Set-Cookie"]


class BoundedAdapter(HTTPAdapter):
    """Connections whose answers are bounded, through proxies too."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the connections' pools."""
        super().init_poolmanager(*args, **kwargs)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Make the pools of connections through a proxy."""
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _bound(manager)
        return manager


def _bound(manager: urllib3.PoolManager) -> None:
    """Have the pools of a manager make connections with bounded answers."""
    manager.pool_classes_by_scheme = {scheme: _bounded(pool) for scheme, pool in manager.pool_classes_by_scheme.items()}


@cache
def _bounded(pool: Any) -> Any:
    """Return the kind of pool that makes such connections: one for all accounts."""
    connection = type("Connection", (pool.ConnectionCls,), {"response_class": BoundedAnswer})
    return type("Pool", (pool,), {"ConnectionCls": connection})

"""The connection to a mail server, bounded in time and bytes: whatever the server does, a command ends."""

from __future__ import annotations

import contextlib
import errno
import imaplib
import socket
import time
from typing import TYPE_CHECKING

from imap_tools import BaseMailBox

from tap_emaillogs.http.clock import Stopped

if TYPE_CHECKING:
    import ssl

    from tap_emaillogs.http.clock import Clock

_TICK = 0.5
"""Seconds after which a wait for the server looks whether the run is ending."""
_LONGEST_CONNECTING = 20.0
_LIFE = 900.0
"""Seconds that one connection may last."""
_SLOWEST = 4096
"""Bytes a second that a long answer must bring."""
_LONGEST_LINE = 2 << 20
"""The UIDs of 200,000 mails."""
_LARGEST_LITERAL = 2 << 20
"""No more is ever asked for at once."""
_MOST_LINES = 250_000
_MOST_BYTES = 1 << 30
_CHUNK = 1 << 16


class Wire:
    """One connection to a mail server.

    Args:
        host: Where it is.
        port: Its port.
        silence: Seconds that the server may take for a line.
        clock: Tells when the run is ending; it does not measure the waits, for these are real ones.

    Raises:
        OSError: It cannot be reached, or breaks off, or does not keep to the bounds.
        Stopped: The run is ending.
    """

    def __init__(self, host: str, port: int, *, silence: float, clock: Clock) -> None:
        self.host, self.port = host, port
        self._silence, self._clock = silence, clock
        self._end = time.monotonic() + _LIFE
        self._buffer = bytearray()
        self._lines = self._bytes = 0
        self._socket = socket.create_connection((host, port), timeout=min(silence, _LONGEST_CONNECTING))
        self._socket.settimeout(_TICK)

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS; what came before it in plain text is no answer to what is asked in it."""
        if self._buffer:
            raise OSError(errno.EPROTO, "it speaks before TLS has begun")
        wrapped = context.wrap_socket(self._socket, server_hostname=self.host, do_handshake_on_connect=False)
        self._socket = wrapped
        limit = self._limit()
        while True:
            try:
                return wrapped.do_handshake()
            except TimeoutError:
                self._check(limit)

    def readline(self) -> bytes:
        """Return the next line with its end; none at the end of the connection."""
        limit, looked_at = self._limit(), 0
        while (place := self._buffer.find(b"\n", looked_at)) < 0:
            looked_at = len(self._buffer)
            if looked_at > _LONGEST_LINE:
                raise OSError(errno.EMSGSIZE, "it sends a line without end")
            if not self._receive(limit):
                return b""
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise OSError(errno.EMSGSIZE, "it sends lines without end")
        return self._taken(place + 1)

    def read(self, size: int) -> bytes:
        """Return so many bytes; fewer at the end of the connection."""
        if size > _LARGEST_LITERAL:
            raise OSError(errno.EMSGSIZE, f"it announces {size:.3g} bytes that nobody asked for")
        limit = self._limit(size)
        while len(self._buffer) < size and self._receive(limit):
            pass
        return self._taken(size)

    def send(self, data: bytes) -> None:
        """Send all of it."""
        limit = self._limit(len(data))
        while data:
            try:
                data = data[self._socket.send(data) :]
            except TimeoutError:
                self._check(limit)

    def close(self) -> None:
        """Break the connection off."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _limit(self, size: int = 0) -> float:
        return min(self._end, time.monotonic() + self._silence + size / _SLOWEST)

    def _check(self, limit: float) -> None:
        if self._clock.stopped:
            raise Stopped
        if time.monotonic() > limit:
            raise TimeoutError(errno.ETIMEDOUT, "it takes too long to answer")

    def _receive(self, limit: float) -> bool:
        while True:
            self._check(limit)
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                continue
            self._bytes += len(data)
            if self._bytes > _MOST_BYTES:
                raise OSError(errno.EMSGSIZE, "it sends without end")
            self._buffer += data
            return bool(data)

    def _taken(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class Client(imaplib.IMAP4):
    """The library's IMAP, over a wire of ours."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(wire.host, wire.port)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002 - the wire's
        """Do nothing: the wire is there."""
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        """Read a literal."""
        return self._wire.read(size)

    def readline(self) -> bytes:
        """Read a line."""
        return self._wire.readline()

    def send(self, data: bytes) -> None:  # type: ignore[override] # only bytes come
        """Send a command."""
        self._wire.send(data)

    def shutdown(self) -> None:
        """Break the connection off."""
        self._wire.close()

    def secure(self, context: ssl.SSLContext) -> None:
        """Go on in TLS (STARTTLS); a server that does not offer it is not spoken to without."""
        kind, _ = self.xatom("STARTTLS")
        if kind != "OK":
            raise self.error("no STARTTLS")
        self._wire.secure(context)


class Box(BaseMailBox):
    """The mailbox that a client speaks to."""

    def __init__(self, client: Client) -> None:
        self._given = client
        super().__init__()

    def _get_mailbox_client(self) -> imaplib.IMAP4:
        return self._given

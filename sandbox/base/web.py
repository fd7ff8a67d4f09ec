"""HTTP on loopback: a request, a response, and the socket; what is answered is decided elsewhere.

One thread per connection, HTTP/1.1 with keep-alive, every answer in one write.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.base.faults import Fault


def to_json(value: Any) -> bytes:
    """Encode as compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass
class Request:
    """One request as a vendor sees it; `path` begins after `/<vendor name>`, so with the vendor's own API root."""

    method: str
    path: str
    query: dict[str, list[str]] = field(default_factory=dict)
    headers: Message = field(default_factory=Message)  # looks names up without regard to case
    body: bytes = b""
    raw_query: str = ""
    fault: Fault | None = None
    """What is to go wrong: the vendor plays `faults.BY_VENDOR` and what it takes, the server the rest."""

    def json(self) -> Any:
        """Decode the body; raises ValueError when it is no JSON."""
        return json.loads(self.body)

    def has(self, kind: str) -> bool:
        """Tell whether this request is to suffer the fault `kind`."""
        return self.fault is not None and self.fault.kind == kind

    def take(self, kind: str) -> Fault | None:
        """Return the fault `kind`, if this request is to suffer it, for the vendor to play it in the server's place."""
        if not self.has(kind):
            return None
        taken, self.fault = self.fault, None
        return taken


@dataclass
class Response:
    """An answer. `body` is sent as it is when it is bytes, and as JSON otherwise."""

    status: int = 200
    """0: the connection is reset, and nothing sent."""
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """Whether the connection ends after half of the body."""
    pause: float = 0
    """Seconds between any two bytes of the body."""
    last: bool = False
    """Whether the connection stays open after it, and nobody listens any more."""

    def encoded(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else to_json(self.body)


class Refused(Exception):
    """Ends a request with the vendor's own error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Server(ThreadingHTTPServer):
    """The listening socket; closing it also ends connections that clients keep alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Callable[[Request], Response], port: int) -> None:
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection and serve it in a thread."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close one connection."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Stop listening and end every connection."""
        super().server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    """One connection: requests one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: Any) -> None:
        """Keep stderr quiet; the log is `/_control/requests`."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        self._send(self.server.answer(Request(self.command, parts.path, query, self.headers, body, parts.query)))

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _any  # noqa: N815 - http.server's names

    def _send(self, answer: Response) -> None:
        if answer.status == 0:
            self._reset()
            return
        body = answer.encoded()
        head = [f"HTTP/1.1 {answer.status} {phrase(answer.status)}", f"Content-Length: {len(body)}"]
        headers = {"Content-Type": "application/json", **answer.headers}
        head += [f"{name}: {value}" for name, value in headers.items()]
        sent = b"" if self.command == "HEAD" else body[: len(body) // 2] if answer.cut else body
        with contextlib.suppress(OSError):
            self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if answer.pause else sent))
            if answer.pause:
                self._drip(sent, answer.pause)
        if answer.last:
            self._fall_silent()
        if answer.cut:
            self.close_connection = True

    def _drip(self, body: bytes, pause: float) -> None:
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            time.sleep(pause)

    def _fall_silent(self) -> None:
        """Take in what comes, and answer nothing, until the other side gives up."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            while self.connection.recv(1 << 16):
                pass

    def _reset(self) -> None:
        """End the connection with an RST; the descriptor is closed here, since an orderly shutdown would send a FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def phrase(status: int) -> str:
    """Return the words beside a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

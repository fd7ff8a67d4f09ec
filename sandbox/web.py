"""HTTP on loopback: finds the vendor, plays the faults that look alike for all, and logs.

One thread per connection, HTTP/1.1 with keep-alive, every answer in one write.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sandbox.base import Refused, Request, Response
from sandbox.control import control
from sandbox.faults import BY_VENDOR

if TYPE_CHECKING:
    from sandbox.base import Vendor
    from sandbox.faults import Fault
    from sandbox.server import Sandbox


class Server(ThreadingHTTPServer):
    """The listening socket; closing it also ends connections that clients keep alive."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, port: int) -> None:
        self.sandbox = sandbox
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
    """One connection: requests one after another, answers in one write each."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: Any) -> None:
        """Keep stderr quiet; the log is `/_control/requests`."""

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        _, name, rest = (*parts.path.split("/", 2), "")[:3]
        if name in ("_control", "truth"):
            self._send(control(self.server.sandbox, self.command, parts.path, body))
            return
        vendor = self.server.sandbox.vendors.get(name)
        if vendor is None:
            self._send(Response(404, {"error": f"no vendor {name!r} here"}))
            return
        query = parse_qs(parts.query, keep_blank_values=True)
        self._serve(vendor, Request(self.command, f"/{rest}", query, self.headers, body), parts.query)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = _any  # noqa: N815 - http.server's names

    def _serve(self, vendor: Vendor, request: Request, query: str) -> None:
        sandbox = self.server.sandbox
        key = vendor.key_of(request)
        names = {key, vendor.accounts[key].label} if key in vendor.accounts else {key}
        text = f"{query}\n{request.body.decode(errors='replace')}"
        fault = sandbox.faults.take(vendor.name, request.path, {name for name in names if name is not None}, text)
        if fault:
            time.sleep(fault.seconds)
            request.fault = fault if fault.kind in BY_VENDOR else None
        answer = spoiled(fault, vendor, request) or self._answer(vendor, request)
        if fault and fault.kind == "cut_json":
            whole = answer.encoded()
            answer = Response(answer.status, whole[: len(whole) // 2], answer.headers)
        sandbox.log(vendor.name, request, answer.status, key, fault.kind if fault else None)
        self._send(answer, cut=fault is not None and fault.kind == "cut")

    def _answer(self, vendor: Vendor, request: Request) -> Response:
        budgets = self.server.sandbox.budgets
        if budgets and (refusal := budgets.refusal(vendor, request)):
            return refusal
        try:
            if request.has("error_200"):
                return Response(200, vendor.error_for(request, 500, "Internal error").body)
            with vendor.lock:
                return vendor.handle(request)
        except Refused as refused:
            return refused.response

    def _send(self, answer: Response, *, cut: bool = False) -> None:
        if answer.status == 0:
            self._reset()
            return
        body = answer.encoded()
        head = [f"HTTP/1.1 {answer.status} {_phrase(answer.status)}", f"Content-Length: {len(body)}"]
        headers = {"Content-Type": "application/json", **answer.headers}
        head += [f"{name}: {value}" for name, value in headers.items()]
        with contextlib.suppress(OSError):
            data = body[: len(body) // 2] if cut else body
            self.wfile.write("\r\n".join([*head, "", ""]).encode("latin-1") + (b"" if self.command == "HEAD" else data))
        if cut:
            self.close_connection = True

    def _reset(self) -> None:
        """End the connection with an RST; the descriptor is closed here, since an orderly shutdown would send a FIN."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())


def spoiled(fault: Fault | None, vendor: Vendor, request: Request) -> Response | None:
    """Return what the server answers instead of the vendor, or None when the vendor is to answer."""
    match fault.kind if fault else None:
        case "status":
            assert fault
            answer = vendor.error_for(request, fault.status, _phrase(fault.status))
            after = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            body = answer.body if fault.body is None else fault.body
            return Response(fault.status, body.encode() if isinstance(body, str) else body, after)
        case "late" | "change":
            assert fault
            with vendor.lock:
                if fault.kind == "late":
                    vendor.late(fault.count, fault.minutes_ago)
                else:
                    vendor.change(fault.count)
        case "reset":
            return Response(0)
        case "html":
            return Response(200, b"<!doctype html><title>Maintenance</title>", {"Content-Type": "text/html"})
        case "garbage":
            return Response(200, {"unexpected": True})
        case "redirect":
            assert fault
            return Response(302, b"", {"Location": fault.location})
    return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"

"""Whatever a server sends: an answer ends, in bounded time and memory, and is either whole or an error in words."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import os
import signal
import socket
import threading
import time
import tracemalloc
import unicodedata
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.streams.rest import HTTPRequest

from general import config_of
from harness import Ticking, run, started
from outcome import assert_rows
from tap_emaillogs.http import client as http_client
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.budget import Budget
from tap_emaillogs.http.client import ApiClient, Meter
from tap_emaillogs.http.errors import Oversized, Unreachable, VendorError
from tap_emaillogs.http.redaction import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

    Play = Callable[[socket.socket], None]

pytestmark = pytest.mark.thorough

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SILENCE = 0.3
"""Seconds of `timeout_seconds` here: an answer may last three times as long."""


class Raw:
    """Plays whatever it is told to, byte by byte; the last one for ever."""

    def __init__(self) -> None:
        self.plays: list[Play] = []
        self.asked: list[bytes] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := self._request(connection):
                self.asked.append(request)
                self.plays[0 if len(self.plays) == 1 else len(self.asked) - 1](connection)

    @staticmethod
    def _request(connection: socket.socket) -> bytes:
        found = b""
        while b"\r\n\r\n" not in found:
            if not (part := connection.recv(65536)):
                return b""
            found += part
        return found

    def send(self, *parts: bytes) -> None:
        self.plays.append(lambda connection: connection.sendall(b"".join(parts)))

    def endless(self, start: bytes, again: bytes, pause: float = 0) -> None:
        def play(connection: socket.socket) -> None:
            connection.sendall(start)
            while True:
                connection.sendall(again)
                time.sleep(pause)

        self.plays.append(play)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Raw]:
    found = Raw()
    yield found
    found.close()


def client(*, tries: int = 1, timeout: float = SILENCE, clock: Any = None) -> ApiClient:
    clock = clock or Ticking()
    return ApiClient(
        auth=KeyAuth("Authorization", "App key-0123456789"),
        budget=Budget(0, clock),
        clock=clock,
        redact=Redactor(["key-0123456789"]),
        logger=logging.getLogger("test-bounds"),
        vendor_message=lambda data: data.get("error") if isinstance(data, dict) else None,
        label="server, account default",
        timeout=timeout,
        max_tries=tries,
        user_agent="tap-emaillogs/test",
        connections=2,
    )


def get(server: Raw, **settings: Any) -> Any:
    return client(**settings).send(HTTPRequest(method="GET", url=f"{server.url}/logs"), Meter()).data


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    blank = b" " * (1 << 20)
    return b"".join([packer.compress(b"[")] + [packer.compress(blank) for _ in range(megabytes)] + [packer.flush()])


# What has no end.

ENDLESS: dict[str, tuple[bytes, bytes, float]] = {
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0),
    "100 Continue, slowly": (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "headers": (OK, b"X-More: yes\r\n" * 100, 0),
    "headers, slowly": (OK, b"X-More: yes\r\n", 0.05),
    "one header": (OK + b"X-Long: ", b"x" * 1000, 0),
    "status line": (b"HTTP/1.1 200 ", b"O" * 1000, 0),
    "header, a byte at a time": (b"HTTP/1.1 200 ", b"O", 0.05),
    "body, a byte at a time": (OK + b"Content-Length: 1000000\r\n\r\n[", b" ", 0.05),
    "body without length, a byte at a time": (OK + b"\r\n[", b" ", 0.05),
    "chunks, slowly": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05),
    "a chunk's size": (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000, 0),
    "a chunk's extension": (OK + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, 0),
    "trailers, slowly": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n", b"X: y\r\n", 0.05),
    "a trailer": (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\nX: ", b"x" * 1000, 0),
    "an error's body, slowly": (b"HTTP/1.1 503 No\r\nContent-Length: 1000000\r\n\r\n", b" ", 0.05),
    "nothing": (b"", b"", 0.05),
}


@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_ends_in_words(server: Raw, what: str) -> None:
    server.endless(*ENDLESS[what])
    began = time.monotonic()
    with pytest.raises(Unreachable) as caught:
        get(server)
    assert time.monotonic() - began < 8 * SILENCE
    assert "(1 try)" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("what", ["body, a byte at a time", "header, a byte at a time"])
def test_what_only_drips_is_called_too_slow(server: Raw, what: str) -> None:
    server.endless(*ENDLESS[what])
    with pytest.raises(Unreachable, match=r"no answer \(too slow: [\d,]+ bytes in 1 s, and no end\)") as caught:
        get(server)
    assert "timeout_seconds" in caught.value.hint


def test_a_slow_vendor_that_goes_on_sending_is_waited_for(server: Raw) -> None:
    """200 kB in two seconds, seven time-outs: it is not silent, and faster than 64 kB a second."""

    def play(connection: socket.socket) -> None:
        body = json.dumps({"rows": "x" * 200_000}).encode()
        connection.sendall(OK + f"Content-Length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 10_000):
            connection.sendall(body[start : start + 10_000])
            time.sleep(0.1)

    server.plays.append(play)
    assert get(server) == {"rows": "x" * 200_000}


# What is too large.


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Take answers of a megabyte at most."""
    kind = http_client._Exchange
    monkeypatch.setattr(kind.__new__, "__defaults__", (1 << 20,))
    return 1 << 20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "none, by length", "none, in chunks", "none, to the end"])
def test_an_answer_past_the_limit_is_refused(server: Raw, small: int, encoding: str) -> None:
    body = b"[" + b" " * (2 << 20) + b"]"
    match encoding:
        case "gzip":
            server.send(answer(gzip.compress(body), "Content-Encoding: gzip"))
        case "deflate":
            server.send(answer(zlib.compress(body), "Content-Encoding: deflate"))
        case "none, by length":
            server.send(answer(body))
        case "none, in chunks":
            server.endless(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n")
        case _:
            server.endless(OK + b"\r\n[", b" " * 65536)
    with pytest.raises(Oversized, match=r"the answer is larger than 1,048,576 bytes") as caught:
        get(server, tries=4)
    assert "page_size" in caught.value.hint
    assert len(server.asked) == 1, "a second one would be no smaller"


def test_a_bomb_costs_no_more_memory_than_the_limit(server: Raw, small: int) -> None:
    server.send(answer(bomb(200), "Content-Encoding: gzip"))
    tracemalloc.start()
    try:
        with pytest.raises(Oversized):
            get(server)
        assert tracemalloc.get_traced_memory()[1] < 8 * small
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("status", ["302 Found", "400 Bad Request", "503 Busy"])
def test_of_an_error_only_the_beginning_is_read(server: Raw, status: str) -> None:
    server.send(answer(bomb(200), "Content-Encoding: gzip", "Location: http://127.0.0.1:9/", status=status))
    tracemalloc.start()
    try:
        with pytest.raises((VendorError, Unreachable), match=f"HTTP {status[:3]}"):
            get(server)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_an_answer_as_large_as_vendors_have_them_is_taken(server: Raw) -> None:
    """10,000 rows of 2 kB."""
    rows = [{"number": number, "text": "x" * 2000} for number in range(10_000)]
    server.send(answer(gzip.compress(json.dumps(rows).encode(), 1), "Content-Encoding: gzip"))
    assert get(server, timeout=5) == rows


def test_a_download_past_its_limit_leaves_no_more_on_disk(server: Raw) -> None:
    server.endless(OK + b"\r\n", b"x" * 65536)
    file = io.BytesIO()
    with pytest.raises(Oversized):
        client().download(HTTPRequest(method="GET", url=server.url), Meter(), file, 1_000_000)
    assert len(file.getvalue()) <= 1_000_000


@pytest.fixture
def tiny(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Take answers of so many bytes at most."""
    size: int = request.param
    monkeypatch.setattr(http_client._Exchange.__new__, "__defaults__", (size,))
    return size


@pytest.mark.parametrize("tiny", [30_000], indirect=True)
def test_a_window_whose_answer_is_too_large_is_read_in_parts(play: Callable[..., Sandbox], tiny: int) -> None:
    box = play(size=300, vendors=["smtp2go"])
    found = run(config_of(box, "smtp2go", page_size=1000), box=box)
    assert found.status == 0, found.stderr
    assert_rows(box, found, "smtp2go")
    assert any(row["splits"] for row in found.ledger)


@pytest.mark.parametrize("tiny", [50], indirect=True)
def test_answers_that_stay_too_large_fail_in_words(play: Callable[..., Sandbox], tiny: int) -> None:
    box = play(size=300, vendors=["smtp2go"])
    found = run(config_of(box, "smtp2go"), box=box)
    assert found.status == 1
    (line,) = found.lines("ERROR")
    assert "smtp2go, account default, stream smtp2go_activity, window " in line
    assert "the answer is larger than 50 bytes. What to do: lower page_size or window_hours" in line
    assert len(found.requests) < 20


HOSTILE = {
    "letters": "a" * 100_000,
    "quotes": '"' * 100_000,
    "ats": "@" * 100_000,
    "halves of addresses": '"a@(' * 25_000,
    "schemes and blanks": ("Bearer" + " " * 1000) * 100,
    "what a terminal obeys": "\x1b[2J\x1b]0;x\x07\u202e\u2066\x9b" * 10_000,
    "megabytes": "word " * 100_000,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_vendors_long_words_hold_nobody_up(play: Callable[..., Sandbox], what: str) -> None:
    box = play(size=3, vendors=["messangi"])
    box.fault(kind="status", status=400, body=json.dumps({"message": HOSTILE[what]}))
    began = time.monotonic()
    found = run(config_of(box, "messangi"), box=box)
    assert time.monotonic() - began < 5
    (line,) = found.lines("ERROR")
    assert "HTTP 400" in line
    assert len(line) < 800
    told = found.stderr + "".join(row["gap_reason"] for row in found.ledger)
    assert not [one for one in told if unicodedata.category(one) in {"Cc", "Cf", "Cs"} and one not in "\n\t"]


# What is broken.

BROKEN: dict[str, bytes] = {
    "HTTP/0.9": b"<html>hello</html>\r\n\r\n",
    "no HTTP": os.urandom(2000).replace(b"\n", b""),
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n[]   ",
    "two lengths in one": OK + b"Content-Length: 2, 5\r\n\r\n[]   ",
    "a negative length": OK + b"Content-Length: -5\r\n\r\n",
    "too short a body": OK + b"Content-Length: 50\r\nConnection: close\r\n\r\n[]",
    "101 headers": OK + b"X: y\r\n" * 101 + b"\r\n[]",
    "no number of a chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[]",
    "no gzip": answer(b"[]", "Content-Encoding: gzip"),
    "gzip, cut": answer(gzip.compress(b"[1, 2, 3]")[:-12], "Content-Encoding: gzip"),
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n[]",
    "103 alone": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    "101": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
    "204": b"HTTP/1.1 204 Nothing\r\n\r\n",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_is_asked_for_again(server: Raw, what: str) -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(BROKEN[what])
        connection.close()  # what still comes on it is not heard

    server.plays = [play, lambda connection: connection.sendall(answer(b'{"rows": [1]}'))]
    # A connection that seems usable still, and is closed just then, costs one more.
    assert get(server, tries=3) == {"rows": [1]}
    assert len(server.asked) == 2


@pytest.mark.parametrize("what", BROKEN)
def test_what_stays_broken_is_no_fault_of_the_key(server: Raw, what: str) -> None:
    def play(connection: socket.socket) -> None:
        connection.sendall(BROKEN[what])
        connection.close()  # what still comes on it is not heard

    server.plays = [play]
    with pytest.raises(Unreachable) as caught:
        get(server)
    assert "base_url" in caught.value.hint


def test_an_answer_that_comes_after_an_interim_one_answers_nothing_else(server: Raw) -> None:
    """http.client takes 103 for the answer; what follows on the connection must not answer the next request."""

    def play(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.1)
        connection.sendall(answer(b'{"rows": ["of the first request"]}'))

    server.plays = [play, lambda connection: connection.sendall(answer(b'{"rows": ["of the second"]}'))]
    assert get(server, tries=2) == {"rows": ["of the second"]}
    assert server.connections == 2


def test_cookies_are_not_kept(server: Raw) -> None:
    server.send(answer(b"[]", "Set-Cookie: session=abc; Path=/", "Set-Cookie: other=def"))
    asking = client()
    for _ in range(2):
        asking.send(HTTPRequest(method="GET", url=server.url), Meter())
    assert server.connections == 1
    assert b"ookie" not in b"".join(server.asked)


@pytest.mark.parametrize("location", ["http://[", "//", "\x1b[2J", "http://" + "a" * 5000, "javascript:x"])
def test_a_redirect_to_nowhere_is_a_redirect(server: Raw, location: str) -> None:
    server.send(answer(b"", f"Location: {location}", status="302 Found"))
    with pytest.raises(VendorError, match="HTTP 302") as caught:
        get(server)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["0", "-5", "Sun, 01 Mar 2020 11:00:00 GMT", "soon", "1e9", "\x00"])
def test_a_retry_after_that_is_no_wait_hurries_nobody(server: Raw, value: str) -> None:
    server.send(answer(b"{}", f"Retry-After: {value}", status="503 Busy"))
    clock = Ticking()
    with pytest.raises(Unreachable, match="HTTP 503"):
        get(server, tries=4, clock=clock)
    assert clock.monotonic() > 3


def test_a_password_of_the_proxy_stands_in_no_message(server: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    server.send(answer(b'{"error": "bad proxy login someone:pass%2Fword-1 or pass/word-1"}', status="407 No"))
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//someone:pass%2Fword-1@"))
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(VendorError, match="HTTP 407: bad proxy login someone") as caught:
        client().send(HTTPRequest(method="GET", url="http://vendor.example/logs"), Meter())
    assert "word-1" not in str(caught.value)


# A run that is stopped in the middle.


@pytest.mark.parametrize("what", ["body, a byte at a time", "header, a byte at a time", "100 Continue, slowly"])
def test_a_run_ends_on_sigterm_in_the_middle_of_an_answer(server: Raw, what: str) -> None:
    server.endless(*ENDLESS[what])
    config = {"smtp2go": {"api_key": "api-0123456789ABCDEF", "base_url": server.url}}
    with started(config) as tap:
        deadline = time.monotonic() + 60
        while not server.asked and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.asked
        began = time.monotonic()
        found = tap.finish(signal.SIGTERM)
    assert found.status == 143
    assert time.monotonic() - began < 10

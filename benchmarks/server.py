"""The HTTP server of all contestants: pages from memory, kept-alive connections, a latency, a budget that bans.

    python -m benchmarks.server

It prints one line of JSON, `{"url": ...}`, and serves until its stdin ends. `POST <url>/<rows>/v3/activity/search`
is SMTP2GO's search over so many rows, whatever the key. `POST <url>/control` sets latency and budget, and
counts from zero; `GET <url>/stats` tells what was counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    Answer = tuple[int, Sequence[bytes | memoryview]]

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_SEARCH = re.compile(r"/(\d+)/v3/activity/search")
_PHRASES = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests"}


class Search(msgspec.Struct):
    """SMTP2GO's parameters; others are ignored."""

    start_date: str
    end_date: str
    limit: int = 1000
    continue_token: str | None = None


class Budget:
    """At most `requests` in any `seconds`; one more, and all is refused for `ban` seconds."""

    def __init__(self, requests: int, seconds: float, ban: float) -> None:
        self.requests, self.seconds, self.ban = requests, seconds, ban
        self._seen: deque[float] = deque()
        self._banned_until = 0.0

    def admits(self, now: float) -> bool:
        """Count a request that comes at `now`; tell whether it is answered."""
        while self._seen and self._seen[0] <= now - self.seconds:
            self._seen.popleft()
        self._seen.append(now)
        if len(self._seen) > self.requests:
            self._banned_until = now + self.ban
        return now >= self._banned_until


class Site:
    """What is served, and what was counted."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC)
        self._rows: dict[int, Rows] = {}
        self._search = msgspec.json.Decoder(Search).decode
        self.reset({})

    def reset(self, wanted: dict[str, Any]) -> None:
        """Count from zero, with other settings: `latency_ms`, `budget` (`Budget`'s arguments), `rows` to keep ready."""
        self.latency = wanted.get("latency_ms", 0) / 1000
        budget = wanted.get("budget")
        self.budget = Budget(**budget) if budget else None
        self.requests = self.refused = self.sent = 0
        self.first = self.last = 0.0
        keep = wanted.get("rows")
        if keep:
            self._rows = {keep: self._rows.get(keep) or Rows(keep, self._now)}

    def answer(self, method: bytes, path: str, body: bytes) -> Answer:
        """Answer a request."""
        if path == "/control":
            self.reset(json.loads(body))
            return 200, (json.dumps({count: rows.events for count, rows in self._rows.items()}).encode(),)
        if path == "/stats":
            names = ("requests", "refused", "sent", "first", "last")
            return 200, (json.dumps({name: getattr(self, name) for name in names}).encode(),)
        found = _SEARCH.fullmatch(path)
        if method != b"POST" or not found:
            return 404, (b'{"data":{"error":"no such page"}}',)
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.requests += 1
        if self.budget and not self.budget.admits(self.last):
            self.refused += 1
            return 429, (b'{"data":{"error":"too many requests"}}',)
        try:
            return 200, self._page(int(found[1]), self._search(body))
        except (msgspec.DecodeError, ValueError) as error:
            return 400, (json.dumps({"data": {"error": str(error)}}).encode(),)

    def _page(self, count: int, asked: Search) -> Sequence[bytes | memoryview]:
        rows = self._rows.get(count)
        if rows is None:
            rows = self._rows[count] = Rows(count, self._now)
        first, behind = rows.between(_moment(asked.start_date), _moment(asked.end_date))
        start = first + int((asked.continue_token or "p0")[1:])
        end = min(behind, start + min(asked.limit, 1000))
        self.sent += end - start
        token = b'"p%d"' % (end - first) if end < behind else b"null"
        tail = b'],"total_events":%d,"continue_token":%b}}' % (behind - first, token)
        return b'{"request_id":"bench","data":{"events":[', rows.text(start, end), tail


class Connection(asyncio.Protocol):
    """One kept-alive connection; a client waits for an answer before it asks again."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(1 << 24)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is there in full."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end]
            length = _LENGTH.search(head)
            behind = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < behind:
                return
            body, self._received = self._received[end + 4 : behind], self._received[behind:]
            method, path, _ = head.split(b"\r\n", 1)[0].split(b" ")
            answer = self._site.answer(method, path.decode(), body)
            if self._site.latency and path not in (b"/control", b"/stats"):
                asyncio.get_running_loop().call_later(self._site.latency, self._send, answer)
            else:
                self._send(answer)

    def _send(self, answer: Answer) -> None:
        status, parts = answer
        length = sum(len(part) for part in parts)
        head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.writelines([head % (status, _PHRASES[status], length), *parts])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def main() -> None:
    """Serve until stdin ends."""
    loop, site = asyncio.get_running_loop(), Site()
    server = await loop.create_server(lambda: Connection(site), "127.0.0.1", 0, backlog=2048)
    host, port = server.sockets[0].getsockname()
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())

"""SMTP2GO's events, rendered once and kept as one text: a page is a slice of it.

Rows are the sandbox's. 20,000 of them are templates; more are made by giving templates other times, mail ids and
recipients, so that five million rows take seconds and no two mails are the same.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATES = 20_000


class Rows:
    """`count` rows of SMTP2GO's, newest first, as bytes: four weeks up to ten minutes before `now`."""

    def __init__(self, count: int, now: datetime) -> None:
        shown = _rows(min(count, TEMPLATES), now)
        templates = [(_template(row), _events(row)) for row in shown]
        self.count = count
        self.events = 0
        """How many rows they make in `email_events`."""
        self._times = _spread([_seconds(row["date"]) for row in shown], count)
        self._starts = array("q", [0])
        parts: list[bytes] = []
        at = 0
        for place in range(count - 1, -1, -1):
            cycle, number = divmod(place, len(templates))
            template, made = templates[number]
            date = datetime.fromtimestamp(self._times[place], UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
            text = template % {b"date": date, b"tag": b"%d." % cycle if cycle else b""}
            parts.append(text)
            at += len(text) + 1
            self._starts.append(at)
            self.events += made
        self._text = memoryview(b",".join(parts))

    def between(self, start: datetime, end: datetime) -> tuple[int, int]:
        """Return the first place and the one behind the last of the rows in `[start, end)`."""
        first = self.count - bisect_left(self._times, end.timestamp())
        return first, self.count - bisect_left(self._times, start.timestamp())

    def text(self, first: int, behind: int) -> memoryview:
        """Return the rows from `first` up to `behind` as JSON objects with commas between."""
        return self._text[self._starts[first] : max(self._starts[first], self._starts[behind] - 1)]


def _rows(count: int, now: datetime) -> list[dict[str, Any]]:
    """Return the sandbox's rows by time: busy by day, slow by night."""
    rows: list[dict[str, Any]] = Sandbox(seed=7, size=count, now=now, vendors=["smtp2go"]).vendor("smtp2go").rows()
    return sorted(rows, key=lambda row: row["date"])


def _events(row: Mapping[str, Any]) -> int:
    """Count what a row makes in `email_events`: one, or one for each recipient of a mail that was taken."""
    several = row["event"] == "processed" and len({address.lower() for address in row.get("recipients") or ()})
    return several or 1


def _spread(times: list[int], count: int) -> array[int]:
    """Return `count` times in order, as dense as the given ones wherever one looks."""
    step = (len(times) - 1) / max(1, count - 1)
    found = array("q")
    for place in range(count):
        before = int(place * step)
        after = min(before + 1, len(times) - 1)
        found.append(times[before] + int((times[after] - times[before]) * (place * step - before)))
    return found


def _template(row: Mapping[str, Any]) -> bytes:
    """Return a row as JSON in which date, mail and recipient are left open, for `%`."""
    text = msgspec.json.encode(row).replace(b"%", b"%%")
    for name, before, length in ((b"date", b'"date":"', len(row["date"])), (b"tag", b'"email_id":"', 0)):
        start = text.index(before) + len(before)
        text = text[:start] + b"%%(%b)b" % name + text[start + length :]
    address = re.escape(msgspec.json.encode(row["recipient"])[1:-1].replace(b"%", b"%%"))
    return re.sub(address, lambda found: b"%(tag)b" + found[0], text, flags=re.IGNORECASE)


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())

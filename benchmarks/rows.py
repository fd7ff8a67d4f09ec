"""SMTP2GO's events, rendered once and kept as one text: a page is a slice of it.

Rows are the sandbox's. 20,000 of them are templates; more are made by giving templates other times, mail ids and
recipients, so that five million rows take seconds and no two mails are the same.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.base import World, to_json
from sandbox.data import moments
from sandbox.smtp2go import Smtp2go
from sandbox.smtp2go_data import row

if TYPE_CHECKING:
    import random

    from sandbox.smtp2go_data import Event

TEMPLATES = 20_000
SPAN = timedelta(days=28)
"""So much time the rows cover, up to `QUIET` before the server's start; busy by day, slow by night."""
QUIET = timedelta(minutes=10)


class Rows:
    """`count` rows of SMTP2GO's, newest first, as bytes."""

    def __init__(self, count: int, now: datetime) -> None:
        end = (now - QUIET).replace(microsecond=0)
        templates, rng = _templates(min(count, TEMPLATES), now)
        moments_ms = moments(rng, count, _ms(end - SPAN), _ms(end))
        self.count = count
        self.events = 0
        """How many rows they make in `email_events`."""
        self._times = array("q", (at // 1000 for at in moments_ms))
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
        first = self.count - bisect_left(self._times, -(-_ms(end) // 1000))
        return first, self.count - bisect_left(self._times, -(-_ms(start) // 1000))

    def text(self, first: int, behind: int) -> memoryview:
        """Return the rows from `first` up to `behind` as JSON objects with commas between."""
        return self._text[self._starts[first] : max(self._starts[first], self._starts[behind] - 1)]


def _templates(count: int, now: datetime) -> tuple[list[tuple[bytes, int]], random.Random]:
    """Return rows in which date, mail and recipient are left open, each with the number of its events."""
    world = World(7, count, lambda: now, {}, live=False, future=timedelta(0), quiet=QUIET)
    log = next(iter(Smtp2go(world).logs.values()))
    return [(_template(event), len(event.made)) for event in log.rows], log.account.rng("bench")


def _template(event: Event) -> bytes:
    shown = row(event)
    address = shown["recipient"]
    text = to_json(shown).replace(b"%", b"%%")
    for name, before in ((b"date", b'"date":"'), (b"tag", b'"email_id":"')):
        start = text.index(before) + len(before)
        length = len(shown["date"]) if name == b"date" else 0
        text = text[:start] + b"%%(%b)b" % name + text[start + length :]
    whole = re.compile(re.escape(to_json(address)[1:-1].replace(b"%", b"%%")), re.IGNORECASE)
    return whole.sub(lambda found: b"%(tag)b" + found[0], text)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

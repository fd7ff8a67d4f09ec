"""How SMTP2GO's search hands out its pages; whatever the vendor's page leaves open is an option of `DEFAULTS`."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.base import DAY
from sandbox.base.paging import Answers, cut, seal
from sandbox.smtp2go.search import matching

if TYPE_CHECKING:
    from sandbox.base import Request
    from sandbox.smtp2go.data import Event
    from sandbox.smtp2go.log import Events

DEFAULTS: dict[str, Any] = {
    "order": "newest",  # of events in an answer: newest, oldest or shuffled
    "paging": "snapshot",  # what a token means: rows as they were at the first page, or an offset into those of now
    "end": "null",  # the last page's token: null, empty, absent, or same (as the one sent)
    "largest": 1000,  # a larger limit is taken as this one, without a word
    "wrong_total": 0,  # added to total_events
    "total": "number",  # form of total_events: number, text, absent, null, zero or true
    "later_totals": "first",  # on later pages: as on the first; all there is now; the rest, this page too; or absent
}
"""`paging` may be None: no page has a token."""
_FORMS: dict[str, Any] = {
    "number": int,
    "text": str,
    "zero": lambda _: 0,
    "true": lambda _: True,
    "null": lambda _: None,
}


class Asked(NamedTuple):
    """A search without its token; times in milliseconds."""

    given: dict[str, Any]
    start: int
    end: int
    now: int


class Pages:
    """Cuts answers into pages, and remembers the last few."""

    def __init__(self) -> None:
        self._answers: Answers[Event] = Answers()

    def begin(self, log: Events, name: str, now: int) -> dict[str, Any]:
        """Return what a token to the first page of the search `name` would hold."""
        history = now - int(log.options["history_days"] * DAY)
        return {"of": name, "at": 0, "seen": len(log.rows), "from": history, "now": now}

    def page(
        self, request: Request, log: Events, asked: Asked, state: dict[str, Any]
    ) -> tuple[list[Event], dict[str, Any]]:
        """Return the events of a page, and what is said beside them; `state` is what the token held.

        Faults of the request are played.
        """
        options, at = log.options, state["at"]
        current = self.begin(log, state["of"], asked.now)
        shown = self._found(log, asked, current if options["paging"] == "offset" else state)
        there = len(self._found(log, asked, current)) if options["later_totals"] in ("all", "rest") else 0
        first = state.setdefault("total", len(shown))
        page, following = cut(request, shown, at, min(asked.given.get("limit", options["largest"]), options["largest"]))
        if options["paging"] == "offset" and options["later_totals"] == "first" and following is not None:
            following = following if following < first else None  # counted once, and paged until so many came
        totals = {"first": first, "all": there, "rest": there - at, "absent": None}
        total = totals[options["later_totals"]] if at else first
        said: dict[str, Any] = {}
        if options["total"] != "absent" and total is not None:
            said["total_events"] = _FORMS[options["total"]](total + options["wrong_total"])
        if following is not None and options["paging"]:
            said["continue_token"] = seal({**state, "at": following})
        elif options["end"] == "same" and at:
            said["continue_token"] = seal(state)
        elif options["end"] != "absent":
            said["continue_token"] = "" if options["end"] == "empty" else None
        return page, said

    def _found(self, log: Events, asked: Asked, state: dict[str, Any]) -> list[Event]:
        """Return all events of a search in the order of its pages, as they were when `state` began."""
        name = f"{state['of']} {state['seen']} {state['from']} {state['now']}"

        def make() -> list[Event]:
            found = matching(log.rows, asked.given, max(asked.start, state["from"]), asked.end, state["seen"])
            if log.options["order"] == "newest":
                found.reverse()
            elif log.options["order"] == "shuffled":
                found.sort(key=lambda event: zlib.crc32(b"%d" % event.order))
            return found

        return self._answers.get(name, make)

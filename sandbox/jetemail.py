"""JetEmail: GET /outbound/logs, as on the vendor's page.

Strict where the page is: documented parameters within their documented ranges, each once, and `page` or `offset` but
not both. What the page leaves open (which column the dates and the order mean, the order of rows of one moment,
whether `date_to` counts, the unit of times, where counting stops and how that is told) is an option.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar
from zlib import crc32

from sandbox.base import SECOND, Account, Refused, Request, Response, Schedule, Vendor, World, from_ms, to_json, to_ms
from sandbox.jetemail_data import EVENT_TYPES, TRANSITIONS, History, Row, Step, row
from sandbox.jetemail_search import PARAMETERS, day, fits
from sandbox.paging import cut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from sandbox.base import Life

_MAX = 100


class Log:
    """One account's rows."""

    def __init__(self, account: Account, world: World) -> None:
        self.account = account
        self.history = History(account)
        self.schedule = Schedule()
        self.rows: list[Row] = []
        self.lives = 0
        self.asked = 0
        self.scale = 1 if account.options["unit"] == "milliseconds" else SECOND
        self._sorted: dict[str, list[Row]] = {}
        end = to_ms(world.born - world.quiet) // SECOND * SECOND
        for planned in self.history.span(end, int(world.future.total_seconds() * SECOND)):
            self.plan(*planned)
        self.schedule.advance(end)

    def plan(self, row: Row, steps: list[Step]) -> None:
        """Let a row appear, and what happens to it, when the clock gets there."""
        self.schedule.plan(row.at, lambda: self.add(row))
        for step in steps:
            self.schedule.plan(step.at, lambda step=step: self.happen(row, step))  # type: ignore[misc]

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self._sorted.clear()

    def happen(self, row: Row, step: Step) -> None:
        row.add(step)
        self._sorted.clear()

    def by(self, column: str) -> list[Row]:
        """Return the rows sorted by a time."""
        if column not in self._sorted:
            self._sorted[column] = sorted(self.rows, key=_KEYS[column])
        return self._sorted[column]


_KEYS: dict[str, Callable[[Row], tuple[int, str]]] = {
    "first_seen": lambda row: (row.at, row.uid),
    "last_updated": lambda row: (row.updated, row.uid),
}


class JetEmail(Vendor):
    """The vendor; its one endpoint is the account's."""

    name = "jetemail"
    budget = 240
    penalty = 300
    default_key = "api_sandbox0jetemail0key"
    defaults: ClassVar[dict[str, Any]] = {
        "span_days": 28,  # how far back the data goes
        "filter_column": "last_updated",  # what date_from and date_to mean; or first_seen
        "sort_column": None,  # what sort_by=date means: last_updated or first_seen; None: the filter's column
        "ties": "stable",  # the order of rows of one second: the same in every answer, or shuffled
        "date_to_inclusive": True,
        "unit": "seconds",  # or milliseconds: first_seen, last_updated and every date; never the parameters
        "max_count_limit": 1_000_000,  # where counting stops: beyond it count_limited is true, and
        "past_limit": "empty",  # what an offset past it gets: empty or error
        "flag": "cut",  # when count_limited is true: when the count was cut, or always
        "max_shown": True,  # whether the answer tells max_count_limit
        "attempts": "shown",  # or missing: an outcome is told by delivery_status, final_ and bounce_ columns alone
        "receivers": 1,  # to how many receivers the attempts of every third message go
    }
    transitions = TRANSITIONS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.logs = {key: Log(account, world) for key, account in self.accounts.items()}

    def key_of(self, request: Request) -> str | None:
        scheme, _, key = (request.headers.get("Authorization") or "").partition(" ")
        return key if scheme == "Bearer" else None

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        del code
        return Response(status, {"success": False, "error": message})

    def too_many(self, seconds: float) -> Response:
        answer = self.error(429, "Too many requests, the account is blocked for 5 minutes")
        return Response(429, answer.body, {"Retry-After": str(int(seconds) + 1)})

    def handle(self, request: Request) -> Response:
        log = self.logs.get(self.key_of(request) or "")
        if log is None:
            raise Refused(self.error(401, "Invalid or missing API key"))
        log.schedule.advance(self.world.data_ms())
        if request.path != "/outbound/logs":
            raise Refused(self.error(404, "Not found"))
        if request.method != "GET" or request.body:
            raise Refused(self.error(405, "Method not allowed"))
        given = self.single(request, PARAMETERS)
        for name, value in given.items():
            if not PARAMETERS[name](value):
                raise Refused(self.error(400, f"Invalid value of parameter {name}: {value}"))
        if "page" in given and "offset" in given:
            raise Refused(self.error(400, "Parameters page and offset are alternatives"))
        return self._page(request, log, given)

    def _page(self, request: Request, log: Log, given: dict[str, str]) -> Response:
        limit = int(given.get("limit", 50))
        offset = int(given["offset"]) if "offset" in given else (int(given.get("page", 1)) - 1) * limit
        found, cap = self._found(log, given), log.account.options["max_count_limit"]
        limited, found = len(found) > cap, found[:cap]
        if limited and offset >= cap and log.account.options["past_limit"] == "error":
            raise Refused(self.error(400, f"offset must be less than {cap}"))
        page, following = cut(request, found, offset, limit)
        before = max(0, offset - limit) if offset else None
        pagination = {
            "total_count": len(found),
            "total_pages": -(-len(found) // limit),
            "current_page": offset // limit + 1,
            "per_page": limit,
            "offset": offset,
            "has_next_page": following is not None,
            "has_previous_page": before is not None,
            "next_offset": following,
            "previous_offset": before,
            "showing_from": offset + 1 if page else 0,
            "showing_to": offset + len(page),
            "count_limited": limited or log.account.options["flag"] == "always",
            **({"max_count_limit": cap} if log.account.options["max_shown"] else {}),
        }
        rows = b",".join(row.blob(log.scale) for row in page)
        return Response(body=b'{"success":true,"pagination":%b,"data":[%b]}' % (to_json(pagination), rows))

    def _found(self, log: Log, given: dict[str, str]) -> list[Row]:
        """Return all rows that the parameters ask for, in the order of the answer."""
        options = log.account.options
        column = options["filter_column"]
        rows = log.by(column)
        # In whole seconds, as the parameters are, whatever the unit of the answer.
        low, high = 0, len(rows)
        start, end = given.get("date_from"), given.get("date_to")
        if start is not None or "from" in given:
            low = _place(rows, column, int(start) if start is not None else day(given["from"]))
        if end is not None or "to" in given:
            last = int(end) if end is not None else day(given["to"])
            high = _place(rows, column, last + 1 if options["date_to_inclusive"] else last)
        found = rows[low:high]
        for name, value in given.items():
            found = fits(name, value, found, log.scale)
        order = given.get("sort_by", "date")
        order = (options["sort_column"] or column) if order == "date" else order
        if options["ties"] == "shuffled":
            log.asked += 1
            found.sort(key=lambda row: (_KEYS[order](row)[0] // SECOND, _shuffled(row.uid, log.asked)))
        elif order != column:
            found.sort(key=_KEYS[order])
        if given.get("sort_order", "DESC") == "DESC":
            found.reverse()
        return found

    def truth(self) -> dict[str, Any]:
        """Return the counts of all rows, and of the events that they make as they are now."""
        found = {}
        for log in self.logs.values():
            log.schedule.advance(self.world.data_ms())
            events: Counter[str] = Counter()
            for message in log.rows:
                events.update(message.events())
            requests = max(1, -(-len(log.rows) // _MAX))
            found[log.account.label] = self.summary(
                {"jetemail_outbound_logs": len(log.rows)}, events, requests=requests
            )
        return found

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        del stream
        with self.lock:
            log = self.logs[self.account(key).key]
            log.schedule.advance(self.world.data_ms())
            return [row(message, log.scale) for message in log.by("first_seen")]

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        return len(self.add_events(count, from_ms(self.world.now_ms() - int(minutes_ago * 60_000)), key))

    def add_events(self, count: int, at: datetime | None = None, key: str | None = None) -> list[Row]:
        """Let messages appear, two to a second from `at` (default: now) backwards, as they are by then."""
        end = to_ms(at or self.world.now())
        with self.lock:
            log = self.logs[self.account(key).key]
            made = [log.history.message(end - (1 + i // 2) * SECOND) for i in reversed(range(count))]
            for message, steps in made:
                log.add(message)
                for step in steps:
                    if step.at <= end:
                        log.happen(message, step)
        return [message for message, _ in made]

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        return len(self.mutate(count, at=from_ms(self.world.now_ms() - int(minutes_ago * 60_000)), key=key))

    def mutate(
        self, count: int = 1, kind: str | None = None, at: datetime | None = None, key: str | None = None
    ) -> list[Row]:
        """Let something happen at `at` (default: now) to `count` rows: a `kind` of `EVENT_TYPES`, or each in turn."""
        kinds = [kind] if kind else ["open", "click", "DEFERRED", "ACCEPTED"]
        when = to_ms(at or self.world.now())
        with self.lock:
            log = self.logs[self.account(key).key]
            rng = log.account.rng(f"change {sum(len(row.steps) for row in log.rows)}")
            rows = [message for message in log.by("first_seen") if message.at <= when]
            changed = rng.sample(rows, min(count, len(rows)))
            for number, message in enumerate(changed):
                assert kinds[number % len(kinds)] in EVENT_TYPES
                log.happen(message, Step(when, kinds[number % len(kinds)], rng.randrange(1 << 16)))
        return changed

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        with self.lock:
            log = self.logs[self.account(key).key]
            for life in lives:
                log.plan(*log.history.planned(life, log.lives))
                log.lives += 1

    def config(self, origin: str) -> dict[str, Any]:
        return self.tap_config(origin, lambda account: {"api_key": account.key})


def _shuffled(uid: str, number: int) -> int:
    """Return a place that differs from request to request."""
    return crc32(f"{uid} {number}".encode())


def _place(rows: list[Row], column: str, seconds: int) -> int:
    """Return where the rows of `seconds` and later begin."""
    return bisect_left(rows, (seconds * SECOND, ""), key=_KEYS[column])

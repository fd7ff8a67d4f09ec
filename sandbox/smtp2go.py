"""SMTP2GO: POST /v3/activity/search, as in `docs/providers/smtp2go.md`.

Strict where the page is: JSON only, documented parameters of documented types, `limit` 1 to 1000, start inclusive and
end exclusive, and a continue token that is good for the same parameters only. What the page leaves open is an option.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import (
    SECOND,
    Account,
    Refused,
    Request,
    Response,
    Schedule,
    Vendor,
    World,
    from_ms,
    to_json,
    to_ms,
)
from sandbox.paging import digest, unseal
from sandbox.smtp2go_data import Event, History, extras, row
from sandbox.smtp2go_lives import TRANSITIONS, grow, plan
from sandbox.smtp2go_pages import DEFAULTS, Asked, Pages
from sandbox.smtp2go_search import PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.base import Life

_MAX = 1000
_INVALID = (
    "An error occurred processing the json data you sent with the request. Please make sure the data conforms to the "
    "specification for this call (see the documentation here: https://developers.smtp2go.com/reference/introduction-1) "
    "and try again. Don't forget to set Content-Type to 'application/json'."
)


class Log:
    """One account's events."""

    def __init__(self, account: Account, world: World) -> None:
        self.account = account
        self.history = History(account)
        self.schedule = Schedule()
        self.events: Counter[str] = Counter()
        """What all visible events make in `email_events`."""
        self.lives = 0
        self._rows: list[Event] = []
        self._sorted = True
        rng, late = account.rng("late"), account.options
        end = to_ms(world.born - world.quiet)
        for event in self.history.span(account, end, world.future // timedelta(milliseconds=1)):
            seen = event.at + (
                int(rng.random() * late["late_minutes"] * 60_000) if rng.random() < late["late_share"] else 0
            )
            if seen <= end:
                self.add([event])
            else:
                self.schedule.plan(seen, lambda event=event: self.add([event]))  # type: ignore[misc]

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            event.order = len(self._rows)
            self._rows.append(event)
            self.events.update(event.made)
        self._sorted = False

    @property
    def rows(self) -> list[Event]:
        """All visible events by time; in one second, as they appeared."""
        if not self._sorted:
            self._rows.sort(key=attrgetter("at", "order"))
            self._sorted = True
        return self._rows


class Smtp2go(Vendor):
    """The vendor; a wrong key is 401, all else that is wrong 400."""

    name = "smtp2go"
    root = "/v3"
    budget = 60
    penalty = 60
    default_key = "api-SANDBOX0SMTP2GO0KEY"
    defaults: ClassVar[dict[str, Any]] = {
        "history_days": 30,  # older events are not found
        "span_days": 28,  # how far back the data goes
        "late_share": 0.0,  # of planned events that appear after their time, by up to
        "late_minutes": 45,
        "drop": None,  # {"longer_than": seconds, "every": n}: longer windows silently lose each n-th row
        "flat_errors": False,  # error keys at top level, as some of the vendor's pages show them
        "attempts": "fixed",  # or grow: a `processed` event's delivery_attempts, by `change` and in lives
        **DEFAULTS,
    }
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.logs = {key: Log(account, world) for key, account in self.accounts.items()}
        self._pages = Pages()

    def key_of(self, request: Request) -> str | None:
        key: str | None = request.headers.get("X-Smtp2go-Api-Key")
        return key

    def handle(self, request: Request) -> Response:
        log = self.logs.get(self.key_of(request) or "")
        if log is None:
            raise Refused(self.error(401, "The API Key passed was not in the correct format or was not found."))
        log.schedule.advance(self.world.data_ms())
        if request.path != "/v3/activity/search":
            raise Refused(self.error(404, "No such endpoint", "E_ApiResponseCodes.ENDPOINT_NOT_FOUND"))
        if request.method != "POST":
            raise Refused(self.error(405, "Method not allowed", "E_ApiResponseCodes.METHOD_NOT_ALLOWED"))
        return self._search(request, log, self._parameters(request))

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        return self._failure(status, {"error": message, "error_code": code or f"E_ApiResponseCodes.HTTP_{status}"})

    def _failure(self, status: int, data: dict[str, Any]) -> Response:
        head = {"request_id": _request_id(to_json(data))}
        return Response(status, {**head, **data} if self.account().options["flat_errors"] else {**head, "data": data})

    def _invalid(self, field: str, message: str) -> Refused:
        code = "E_ApiResponseCodes.NON_VALIDATING_IN_PAYLOAD"
        errors = {"fieldname": field, "message": f"{message}, Please correct your JSON payload and try again."}
        return Refused(self._failure(400, {"error": _INVALID, "error_code": code, "field_validation_errors": errors}))

    def _parameters(self, request: Request) -> dict[str, Any]:
        if request.headers.get_content_type() != "application/json":
            raise self._invalid("", "Content-Type is not application/json")
        try:
            given = request.json()
        except ValueError:
            raise self._invalid("", "The payload is not JSON") from None
        if not isinstance(given, dict):
            raise self._invalid("", "The payload is not an object")
        if request.query:
            raise self._invalid("", "Parameters belong into the payload")
        for name, value in given.items():
            if name not in PARAMETERS:
                raise self._invalid(name, f"The field '{name}' is not a parameter of this call")
            if problem := PARAMETERS[name](value):
                raise self._invalid(name, f"The field '{name}' was expecting {problem} but instead found '{value}'")
        return given

    def _search(self, request: Request, log: Log, given: dict[str, Any]) -> Response:
        token = given.get("continue_token")
        plain = {name: value for name, value in given.items() if name != "continue_token"}
        name, now = digest(log.account.key, plain), self.world.now_ms()
        if token is None:
            state = self._pages.begin(log, name, now)
        else:
            state = self._open(token, name)
            if request.has("expire_token"):
                raise Refused(self.error(400, "The continue_token has expired.", "E_ApiResponseCodes.INVALID_TOKEN"))
        asked = Asked(plain, *self._range(plain, state["now"]), now)
        page, said = self._pages.page(request, log, asked, state)
        drop = log.account.options["drop"]
        if drop and asked.end - asked.start > drop["longer_than"] * SECOND:
            page = [event for event in page if event.order % drop["every"]]
        if plain.get("include_headers") or plain.get("custom_headers"):
            names, headers = plain.get("custom_headers", []), plain.get("include_headers", False)
            blobs = [to_json(row(event) | extras(event, headers=headers, names=names)) for event in page]
        else:
            blobs = [event.blob for event in page]
        head = _request_id(f"{name}{state['at']}".encode()).encode()
        tail = b"".join(b',"%b":%b' % (key.encode(), to_json(value)) for key, value in said.items())
        return Response(body=b'{"request_id":"%b","data":{"events":[%b]%b}}' % (head, b",".join(blobs), tail))

    def _range(self, given: dict[str, Any], now: int) -> tuple[int, int]:
        midnight = from_ms(now).replace(hour=0, minute=0, second=0, microsecond=0)
        start = _time(given["start_date"]) if "start_date" in given else to_ms(midnight)
        end = _time(given["end_date"]) if "end_date" in given else now
        if start > end:
            raise self._invalid("start_date", "The field 'start_date' lies after 'end_date'")
        return start, end

    def _open(self, token: str, name: str) -> dict[str, Any]:
        state = unseal(token)
        if state is None:
            raise self._invalid("continue_token", "The field 'continue_token' holds no token of this API")
        if state["of"] != name:
            raise self._invalid(
                "continue_token", "The field 'continue_token' belongs to a search with other parameters"
            )
        return state

    def truth(self) -> dict[str, Any]:
        """Return the counts of all events that ever were visible, also where they are past the history by now."""
        found = {}
        for log in self.logs.values():
            log.schedule.advance(self.world.data_ms())
            rows = len(log.rows)
            found[log.account.label] = self.summary(
                {"smtp2go_activity": rows}, log.events, requests=max(1, -(-rows // _MAX))
            )
        return found

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        del stream
        with self.lock:
            log = self.logs[self.account(key).key]
            log.schedule.advance(self.world.data_ms())
            return [row(event) for event in log.rows]

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        return len(self.add_events(count, from_ms(self.world.now_ms() - int(minutes_ago * 60_000)), key))

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        """Let delivery_attempts grow, where the option `attempts` says that they do; no other row changes."""
        with self.lock:
            return grow(self.logs[self.account(key).key], count, self.world.now_ms() - int(minutes_ago * 60_000))

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        with self.lock:
            plan(self.logs[self.account(key).key], lives)

    def add_events(self, count: int, at: datetime | None = None, key: str | None = None) -> list[Event]:
        """Let events appear, three to a second from `at` (default: now) backwards, however old that is."""
        end = to_ms(at or self.world.now()) // SECOND * SECOND
        with self.lock:
            log = self.logs[self.account(key).key]
            events = list(log.history.events([end - i // 3 * SECOND for i in reversed(range(count))]))
            log.add(events)
        return events

    def config(self, origin: str) -> dict[str, Any]:
        return self.tap_config(origin, lambda account: {"api_key": account.key})


def _time(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _request_id(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]

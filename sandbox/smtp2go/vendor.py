"""SMTP2GO: POST /v3/activity/search, as in `docs/providers/smtp2go.md`.

Strict where the page is: JSON only, documented parameters of documented types, `limit` 1 to 1000, start inclusive and
end exclusive, and a continue token that is good for the same parameters only. What the page leaves open is an option.
"""

from __future__ import annotations

import contextlib
import hashlib
from datetime import datetime
from typing import Any, ClassVar

from sandbox.base import SECOND, Refused, Request, Response, Vendor, World, from_ms, to_json, to_ms
from sandbox.base.paging import digest, unseal
from sandbox.smtp2go.data import extras
from sandbox.smtp2go.facts import FACTS
from sandbox.smtp2go.log import TRANSITIONS, Events
from sandbox.smtp2go.pages import DEFAULTS, Asked, Pages
from sandbox.smtp2go.search import PARAMETERS

_INVALID = (
    "An error occurred processing the json data you sent with the request. Please make sure the data conforms to the "
    "specification for this call (see the documentation here: https://developers.smtp2go.com/reference/introduction-1) "
    "and try again. Don't forget to set Content-Type to 'application/json'."
)


class Smtp2go(Vendor[Events]):
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
    transitions = TRANSITIONS
    facts = FACTS
    log_class = Events

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._pages = Pages()

    def key_of(self, request: Request) -> str | None:
        key: str | None = request.headers.get("X-Smtp2go-Api-Key")
        return key

    def handle(self, request: Request) -> Response:
        log = self.asked(request, "The API Key passed was not in the correct format or was not found.")
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
        given: Any = None
        with contextlib.suppress(ValueError):
            given = request.json()
        for wrong, message in (
            (request.headers.get_content_type() != "application/json", "Content-Type is not application/json"),
            (not isinstance(given, dict), "The payload is no JSON object"),
            (request.query, "Parameters belong into the payload"),
        ):
            if wrong:
                raise self._invalid("", message)
        for name, value in given.items():
            if name not in PARAMETERS:
                raise self._invalid(name, f"The field '{name}' is not a parameter of this call")
            fits, want = PARAMETERS[name]
            if not fits(value):
                raise self._invalid(name, f"The field '{name}' was expecting {want} but instead found '{value}'")
        return dict(given)

    def _search(self, request: Request, log: Events, given: dict[str, Any]) -> Response:
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
        drop = log.options["drop"]
        if drop and asked.end - asked.start > drop["longer_than"] * SECOND:
            page = [event for event in page if event.order % drop["every"]]
        if plain.get("include_headers") or plain.get("custom_headers"):
            names, headers = plain.get("custom_headers", []), plain.get("include_headers", False)
            blobs = [to_json(log.row(event) | extras(event, headers=headers, names=names)) for event in page]
        else:
            blobs = [log.blob(event, len(event.attempts)) for event in page]
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


def _time(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


def _request_id(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]

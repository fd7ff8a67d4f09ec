"""Infobip: GET /email/1/logs and /email/4/logs, as in `docs/providers/infobip.md`.

v1 has no paging: it gives the newest `limit` mails and says nothing of the rest. v4 goes on by cursor. Strict: only
documented parameters, each once, dates in the documented form. What no document says is an option: how bounds count,
the order, what a cursor stands for, what comes of asking beyond the history. `/reports`, which would consume what it
shows, is refused and remembered.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import timedelta
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import Account, Refused, Request, Response, Vendor, World, to_json, to_ms
from sandbox.base.paging import Answers, cut, digest, seal, unseal
from sandbox.infobip.data import TRANSITIONS, span_ms
from sandbox.infobip.facts import FACTS
from sandbox.infobip.log import Mails
from sandbox.infobip.search import V1, V4, matching, moment

if TYPE_CHECKING:
    from sandbox.infobip.data import Mail


class Infobip(Vendor[Mails]):
    """The vendor; both versions show the same mails."""

    name = "infobip"
    budget = 60
    overdrawn = "Too many requests"
    says_when = True
    default_key = "sandbox0infobip0key"
    scheme = "App"
    defaults: ClassVar[dict[str, Any]] = {
        "api_version": 1,  # what `config` tells the tap
        "history_hours": 48,  # older mails are not found
        "span_hours": 47,  # how far back the data goes
        "older": "less",  # asked for what is older than that, shows less, or must "refuse"
        "order": "newest",  # of an answer: newest, oldest, changed last or shuffled; what is cut off is always its end
        "cursor": "snapshot",  # of v4: of the mails there were at first; an "offset" among those there are; "ignored"
        "lower_inclusive": True,  # whether a mail sent exactly at sentSince is found
        "upper_inclusive": False,  # likewise sentUntil
        "offset": "Z",  # how dates are written: Z, +0000, +00:00, or the account's own such as +02:00
        "burst": None,  # {count, second?, same_ms?} or a list: that many of the mails in one second
        "lacks": None,  # {column: "messageId" or "to", every}: mails whose row does not show that part of their key
    }
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS
    facts = FACTS
    log_class = Mails

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reports_called = 0
        self._answers: Answers[Mail] = Answers()

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        names = {400: "BAD_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 429: "TOO_MANY_REQUESTS"}
        failure = {"messageId": code or names.get(status, "GENERAL_ERROR"), "text": message}
        return Response(status, {"requestError": {"serviceException": failure}})

    def error_for(self, request: Request, status: int, message: str) -> Response:
        """v1 and v4 have errors of different forms; 401 is the gateway's and the same for both."""
        if not request.path.startswith("/email/4/") or status == 401:
            return self.error(status, message)
        action = "Check the request and the API documentation."
        return Response(
            status,
            {"errorCode": f"E{status}", "description": message, "action": action, "violations": [], "resources": []},
        )

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        version, limit = ("4", 120) if request.path.startswith("/email/4/") else ("1", 60)
        return f"{self.key_of(request)}/{version}", limit

    def handle(self, request: Request) -> Response:
        log = self.asked(request, "Invalid login details")
        if request.path.endswith("/reports"):
            self.reports_called += 1
        if request.path not in ("/email/1/logs", "/email/4/logs"):
            raise Refused(self.error_for(request, 404, "Requested URL not found"))
        if request.method != "GET" or request.body:
            raise Refused(self.error_for(request, 405, "Method not allowed"))
        version, known = (1, V1) if request.path == "/email/1/logs" else (4, V4)
        given = self.single(request, known)
        self._check_history(request, log, given)
        return self._first(log, given) if version == 1 else self._page(request, log, given)

    def _check_history(self, request: Request, log: Mails, given: dict[str, str]) -> None:
        options = log.options
        kept_from = self.world.now() - timedelta(milliseconds=span_ms(options["history_hours"]))
        if options["older"] == "refuse" and "sentSince" in given and moment(given["sentSince"]) < to_ms(kept_from):
            raise Refused(self.error_for(request, 400, "sentSince must not be older than 48 hours"))

    def _first(self, log: Mails, given: dict[str, str]) -> Response:
        """v1: as many as `limit` allows, and silence about the rest."""
        name = digest(1, log.account.key, given, log.version, self.world.now_ms())
        found = self._found(log, given, name, self.world.now_ms(), 1)[: int(given.get("limit", 50))]
        return Response(body=b'{"results":[%b]}' % self._shown(log, found, 1))

    def _page(self, request: Request, log: Mails, given: dict[str, str]) -> Response:
        """v4: by cursor, which carries the search; parameters beside it must be the first call's."""
        search = {name: value for name, value in given.items() if name not in ("useCursor", "cursor")}
        if "cursor" in given:
            state = unseal(given["cursor"])
            if state is None or request.has("expire_token"):
                raise Refused(self.error_for(request, 400, "Invalid or expired cursor"))
            if state["key"] != log.account.key or search.items() - state["search"].items():
                raise Refused(self.error_for(request, 400, "The cursor belongs to a request with other parameters"))
        elif given.get("useCursor") != "true":
            raise Refused(self.error_for(request, 400, "useCursor must be true"))
        else:
            state = {"key": log.account.key, "search": search, "at": 0, "now": self.world.now_ms()}
        search, kind = state["search"], log.options["cursor"]
        limit = int(search.get("limit", 50))
        now, version = (state["now"], 0) if kind == "snapshot" else (self.world.now_ms(), log.version)
        found = self._found(log, search, digest(4, log.account.key, search, now, version), now, 4)
        page, following = cut(request, found, state["at"], limit)
        if kind == "ignored":
            return Response(body=b'{"results":[%b]}' % self._shown(log, page, 4))
        cursor: dict[str, Any] = {"limit": limit}
        if following is not None:
            cursor["nextCursor"] = seal({**state, "at": following})
        return Response(body=b'{"results":[%b],"cursor":%b}' % (self._shown(log, page, 4), to_json(cursor)))

    def _found(self, log: Mails, given: dict[str, str], name: str, now: int, version: int) -> list[Mail]:
        """Return all mails of a search in the order of the answer."""

        def make() -> list[Mail]:
            options, mails = log.options, log.rows
            oldest = now - span_ms(options["history_hours"])
            low = high = None
            if "sentSince" in given:
                low = moment(given["sentSince"]) + (not options["lower_inclusive"])
            if "sentUntil" in given:
                high = moment(given["sentUntil"]) + bool(options["upper_inclusive"])
            first = bisect_left(mails, oldest if low is None else max(low, oldest), key=attrgetter("at"))
            last = len(mails) if high is None else bisect_left(mails, high, key=attrgetter("at"))
            found = matching(mails[first:last], given, version)
            if options["order"] == "newest":
                found.reverse()
            elif options["order"] == "changed":
                found.sort(key=lambda mail: mail.done or mail.at, reverse=True)
            elif options["order"] == "shuffled":
                random.Random(name).shuffle(found)
            return found

        return self._answers.get(name, make)

    @staticmethod
    def _shown(log: Mails, mails: list[Mail], version: int) -> bytes:
        return b",".join(to_json(log.row(mail, version)) for mail in mails)

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return every mail in the shape of v1, or of v4 when `stream` is "4"."""
        with self.lock:
            log = self.log(key)
            return [log.row(mail, 4 if stream == "4" else 1) for mail in log.rows]

    def secrets(self, account: Account) -> dict[str, Any]:
        return {"api_key": account.key, "api_version": account.options["api_version"]}

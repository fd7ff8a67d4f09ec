"""Messangi: GET /v3/mlog, the CSV report by e-mail, and the login, as in `docs/providers/messangi.md`.

Strict where the page is: both times in the one form it shows, 92 days, one channel, documented parameters. Paging,
envelope and bounds, which no page tells, are options. An account's key is its API key.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import DAY, MINUTE, Account, Refused, Request, Response, Vendor, World, to_ms
from sandbox.messangi_data import TRANSITIONS, Log
from sandbox.messangi_report import Post

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sandbox.base import Life

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ZONE = re.compile(r"GMT(?:([+-])(\d{1,2})(?::?([0-5]\d))?)?")
_FILTERS = {"from", "to", "recipient", "campaign", "channel", "sender", "status"}
_CHANNELS = "SEPWR"
_TOO_LONG = "The date range exceeds the allowed limit: 92"
_TOO_BIG = "The size of the report is too big. Please contact support"
_BODY = ("emails", "from", "timezone", "id")


class Messangi(Vendor):
    """The vendor; `post(key)` holds the reports of an account, `logins` counts tokens."""

    name = "messangi"
    budget = 60
    default_key = "sandbox-messangi-key"
    defaults: ClassVar[dict[str, Any]] = {
        "username": "",  # default: sandbox-<label>
        "password": "sandbox-pässword",
        "login": False,  # whether `config` gives user and password instead of the key
        "token_seconds": 86400,
        "token_form": "Bearer {}",  # of the header that a login answers with
        "report_path": "/v3/mlog",
        "export_path": "/v3/mlog/export",
        "export_method": "POST",
        "body_keys": {},  # other names of the body's keys; an empty one is not known at all
        "span_days": 28,  # how far back the data goes
        "envelope": "data",  # where the rows are, such as data.records; "list": the answer is a bare list
        "rows": "mail",  # a row per mail, whose status is overwritten, or per "event"
        "filter_by": "date",  # the date that a range is about: the message's, or "statusDate"
        "ignore_channel": False,  # whether the filter is ignored
        "bounds": "[)",  # what belongs to a span: "[)", "[]", "(]" or "()"
        "order": "newest",  # or oldest
        "page_param": "page",
        "size_param": "size",
        "default_page_size": 100,
        "page_cap": 1000,  # a larger size is silently this one
        "first_page": 1,  # or 0
        "page_zero": "refused",  # what page 0 is where the first is 1: "refused", the "first", or "empty"
        "ignore_page": False,  # every page is the first
        "too_big": 0,  # more rows in a request's range than this: explain; 0: never
        "explain_status": 400,  # HTTP status of `explain` about range, size and page: 200 or 400
        "success_explain": None,  # `explain` of a good answer, where it has one
        "new_status": "",  # a status that the documents do not list
        "hide_fields": (),  # fields that rows do not have; without `id` there are exact twins
        "smtp": None,  # {"host", "port"}: deliver reports there
        "directory": None,  # write reports there as .eml
        "report_delay": 0,  # seconds; None: until post().release()
        "lost_reports": 0,  # so many first reports never come; -1: none does
        "report_sender": "Messangi <no-reply@messangi.example>",
        "valid_senders": None,  # addresses that the body's `from` may be; None: any
        "attachment": "csv",  # csv, csv.gz or zip
        "id_in": "subject",  # subject, body, filename or nowhere
        "csv_delimiter": ",",
        "csv_encoding": "utf-8",
    }

    transitions = TRANSITIONS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.logs = {key: Log(account, world) for key, account in self.accounts.items()}
        self._posts = {key: Post(account.options, world.now) for key, account in self.accounts.items()}
        self._tokens: dict[str, tuple[str, float, float]] = {}
        self.logins: Counter[str] = Counter()

    def post(self, key: str | None = None) -> Post:
        """Return an account's reports: `requests`, `held`, `sent`, `failures`, `release()`."""
        return self._posts[self.account(key).key]

    def expire_tokens(self) -> None:
        """End every login now; the fault `expire_token` does it before a request."""
        with self.lock:
            self._tokens.clear()

    def key_of(self, request: Request) -> str | None:
        return self._owner(self._shown(request)) or self._shown(request) or None

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        return None if request.path.startswith("/kingslanding/") else super().limit_of(request)

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        return Response(status, {"code": code or str(status), "explain": message})

    def handle(self, request: Request) -> Response:
        if request.has("expire_token"):
            self._tokens.clear()
        if request.path == "/kingslanding/login":
            return self._login(request)
        account = self.accounts.get(self._owner(self._shown(request)) or "")
        if account is None:
            raise Refused(self.error(401, "Unauthorized"))
        match request.method, request.path:
            case "GET", path if path == account.options["report_path"]:
                return self._report(request, account)
            case method, path if (method, path) == (account.options["export_method"], account.options["export_path"]):
                return self._export(request, account)
        raise Refused(self.error(404, "Not found"))

    @staticmethod
    def _shown(request: Request) -> str:
        """Return the key or token of a request, which may come bare or as Bearer."""
        return re.sub(r"^bearer ", "", request.headers.get("Authorization", ""), flags=re.IGNORECASE)

    def _owner(self, shown: str) -> str | None:
        """Return the API key that is shown or stands behind a token."""
        if shown in self.accounts:
            return shown
        key, *born = self._tokens.get(shown, ("", 0.0, 0.0))
        if not key:
            return None
        age = max(self.world.now_ms() / 1000 - born[0], time.monotonic() - born[1])
        return key if age < self.accounts[key].options["token_seconds"] else None

    @staticmethod
    def username(account: Account) -> str:
        return str(account.options["username"] or f"sandbox-{account.label}")

    def _login(self, request: Request) -> Response:
        body = self._body(request, {"username", "password"})
        for key, account in self.accounts.items():
            if (body.get("username"), body.get("password")) == (self.username(account), account.options["password"]):
                self.logins[key] += 1
                token = f"{account.rng(f'login {self.logins[key]}').getrandbits(160):040x}"
                self._tokens[token] = (key, self.world.now_ms() / 1000, time.monotonic())
                return Response(200, {"explain": "OK"}, {"authorization": account.options["token_form"].format(token)})
        raise Refused(self.error(401, "Invalid username or password"))

    def _body(self, request: Request, known: Collection[str]) -> dict[str, Any]:
        try:
            body = request.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            body = None
        if request.path == "/kingslanding/login" and request.method != "POST":
            raise Refused(self.error(405, "POST"))
        if request.headers.get_content_type() != "application/json":
            raise Refused(self.error(415, "application/json"))
        if not isinstance(body, dict):
            raise Refused(self.error(400, "The body must be a JSON object"))
        self.check_known(body, known)
        return body

    def _find(self, given: dict[str, str], account: Account) -> list[Any]:
        """Check what the report and its export have in common; return the entries, oldest first."""
        span, log = [], self.logs[account.key]
        for name in ("from", "to"):
            if not _TIME.fullmatch(given.get(name, "")):
                raise Refused(self.error(400, f"The parameter {name} is required as 2015-03-04T00:00:00.000Z"))
            try:
                span.append(to_ms(datetime.fromisoformat(given[name])))
            except ValueError:
                raise Refused(self.error(400, f"The parameter {name} is no time")) from None
        if span[1] <= span[0]:
            raise Refused(self.error(400, "The parameter to must be after from"))
        status = account.options["explain_status"]
        if span[1] - span[0] > 92 * DAY:
            raise Refused(self.error(status, _TOO_LONG))
        if given.get("channel", "E") not in tuple(_CHANNELS):
            raise Refused(self.error(400, "Invalid channel"))
        if "status" in given and not all(log.known(one) for one in given["status"].split(",")):
            raise Refused(self.error(400, "Invalid status"))
        found = log.find((span[0], span[1]), given)
        if 0 < account.options["too_big"] < len(found):
            raise Refused(self.error(status, _TOO_BIG))
        return found

    def _report(self, request: Request, account: Account) -> Response:
        options = account.options
        given = self.single(request, _FILTERS | {options["page_param"], options["size_param"]})
        page = self._number(given, options["page_param"], options["first_page"], 0) - options["first_page"]
        if page < 0 and options["page_zero"] == "refused":
            raise Refused(self.error(options["explain_status"], f"Invalid {options['page_param']}"))
        size = min(self._number(given, options["size_param"], options["default_page_size"]), options["page_cap"])
        found = self._find(given, account)
        if options["order"] == "newest":
            found.reverse()
        if options["ignore_page"] or (page < 0 and options["page_zero"] == "first"):
            page = 0
        elif request.has("repeat_page"):
            page = max(0, page - 1)
        shown = [] if page < 0 or request.has("empty_page") else found[page * size : (page + 1) * size]
        log = self.logs[account.key]
        body = _wrapped(options["envelope"], [log.row(entry) for entry in shown])
        if options["success_explain"] is not None and isinstance(body, dict):
            body = {"explain": options["success_explain"], **body}
        return Response(body=body)

    def _number(self, given: dict[str, str], name: str, default: int, least: int = 1) -> int:
        text = given.get(name, str(default))
        if not text.isdecimal() or int(text) < least:
            raise Refused(self.error(400, f"Invalid {name}"))
        return int(text)

    def _export(self, request: Request, account: Account) -> Response:
        given = self.single(request, _FILTERS)
        names = {part: account.options["body_keys"].get(part, part) for part in _BODY}
        given_body = self._body(request, {name for name in names.values() if name})
        body = {part: given_body[name] for part, name in names.items() if name in given_body}
        standing = {"emails": ["set@console.example"], "from": "set@console.example", "timezone": "GMT"}
        body |= {part: value for part, value in standing.items() if not names[part]}  # set in the console, then
        emails, sender, zone = body.get("emails"), body.get("from"), _ZONE.fullmatch(str(body.get("timezone")))
        if not isinstance(emails, list) or not emails or not all(isinstance(one, str) and "@" in one for one in emails):
            raise Refused(self.error(400, "emails must be an array of addresses"))
        valid = account.options["valid_senders"]
        if not isinstance(sender, str) or "@" not in sender or (valid is not None and sender not in valid):
            raise Refused(self.error(400, "from must be a valid sender of the space"))
        if zone is None:
            raise Refused(self.error(400, "timezone must be in GMT"))
        ident = body.get("id", "a")
        if not isinstance(ident, str) or not re.fullmatch(r"[A-Za-z0-9]+", ident):
            raise Refused(self.error(400, "id must be alphanumeric"))
        sign, hours, minutes = zone.groups()
        offset = (int(hours or 0) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1)
        found = self._find(given, account)
        self._posts[account.key].order(body, self.logs[account.key], found, offset)
        return Response(body={"explain": "OK", "data": {"id": body.get("id")}})

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return an account's e-mails as GET /v3/mlog shows them; with `ignore_channel` all messages."""
        del stream
        log = self.logs[self.account(key).key]
        return [log.row(entry) for entry in log.shown()]

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        self.logs[self.account(key).key].late(count, self.world.now_ms() - round(minutes_ago * MINUTE))
        return count

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        """Let sent e-mails be opened as of then: their rows change, or others are added where a row is an event."""
        return self.logs[self.account(key).key].change(count, self.world.now_ms() - round(minutes_ago * MINUTE))

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        self.logs[self.account(key).key].live(lives)

    def truth(self) -> dict[str, Any]:
        """Count e-mails only, which is the tap's default channel, unless the vendor ignores that filter."""
        return {account.label: self._truth(account) for account in self.accounts.values()}

    def _truth(self, account: Account) -> dict[str, Any]:
        rows = self.rows(account.key)
        events = self.logs[account.key].events()
        streams = {"messangi_message_logs": len(rows), "messangi_message_reports": len(rows)}
        return self.summary(streams, events, requests=max(1, -(-len(rows) // account.options["page_cap"])))

    def config(self, origin: str) -> dict[str, Any]:
        def secrets(account: Account) -> dict[str, Any]:
            if account.options["login"]:
                return {"username": self.username(account), "password": account.options["password"]}
            return {"api_key": account.key}

        return self.tap_config(origin, secrets)


def _wrapped(envelope: str, rows: list[Any]) -> Any:
    """Put rows where the option `envelope` says."""
    body: Any = rows
    for name in [] if envelope == "list" else reversed(envelope.split(".")):
        body = {name: body}
    return body

"""Messangi: GET /v3/mlog, the CSV report by e-mail, and the login, as in `docs/providers/messangi.md`.

Strict where the page is: both times in the one form it shows, 92 days, one channel, documented parameters. Paging,
envelope and bounds, which no page tells, are options. An account's key is its API key.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import DAY, Account, Refused, Request, Response, Vendor, World, to_ms
from sandbox.base.checks import readable
from sandbox.base.tokens import Tokens
from sandbox.messangi.facts import FACTS
from sandbox.messangi.log import TRANSITIONS, Messages
from sandbox.messangi.report import Post

if TYPE_CHECKING:
    from collections.abc import Collection

    from sandbox.messangi.log import Entry

_TIME = readable(datetime.fromisoformat, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_ZONE = re.compile(r"GMT(?:([+-])(\d{1,2})(?::?([0-5]\d))?)?")
_FILTERS = {"from", "to", "recipient", "campaign", "channel", "sender", "status"}
_CHANNELS = "SEPWR"
_TOO_LONG = "The date range exceeds the allowed limit: 92"
_TOO_BIG = "The size of the report is too big. Please contact support"
_BODY = ("emails", "from", "timezone", "id")


class Messangi(Vendor[Messages]):
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
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS
    facts = FACTS
    log_class = Messages

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._posts = {key: Post(account.options, world.now) for key, account in self.accounts.items()}
        self._tokens = Tokens(world.now_ms)
        self.logins = self._tokens.issued

    def post(self, key: str | None = None) -> Post:
        """Return an account's reports: `requests`, `held`, `sent`, `failures`, `release()`."""
        return self._posts[self.account(key).key]

    def expire_tokens(self) -> None:
        """End every login now; the fault `expire_token` does it before a request."""
        with self.lock:
            self._tokens.expire_all()

    def key_of(self, request: Request) -> str | None:
        """Return the API key that is shown or stands behind a token; either may come bare or as Bearer."""
        shown = re.sub(r"^bearer ", "", request.headers.get("Authorization", ""), flags=re.IGNORECASE)
        return shown if shown in self.accounts else self._tokens.owner(shown) or shown or None

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        return None if request.path.startswith("/kingslanding/") else super().limit_of(request)

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        return Response(status, {"code": code or str(status), "explain": message})

    def handle(self, request: Request) -> Response:
        if request.has("expire_token"):
            self._tokens.expire_all()
        if request.path == "/kingslanding/login":
            return self._login(request)
        log = self.asked(request, "Unauthorized")
        match request.method, request.path:
            case "GET", path if path == log.options["report_path"]:
                return self._report(request, log)
            case method, path if (method, path) == (log.options["export_method"], log.options["export_path"]):
                return self._export(request, log)
        raise Refused(self.error(404, "Not found"))

    @staticmethod
    def username(account: Account) -> str:
        return str(account.options["username"] or f"sandbox-{account.label}")

    def _login(self, request: Request) -> Response:
        if request.method != "POST":
            raise Refused(self.error(405, "POST"))
        body = self._body(request, {"username", "password"})
        for key, account in self.accounts.items():
            if (body.get("username"), body.get("password")) == (self.username(account), account.options["password"]):
                token = f"{account.rng(f'login {self.logins[key] + 1}').getrandbits(160):040x}"
                self._tokens.hold(key, token, account.options["token_seconds"])
                return Response(200, {"explain": "OK"}, {"authorization": account.options["token_form"].format(token)})
        raise Refused(self.error(401, "Invalid username or password"))

    def _body(self, request: Request, known: Collection[str]) -> dict[str, Any]:
        if request.headers.get_content_type() != "application/json":
            raise Refused(self.error(415, "application/json"))
        return self.body(request, known)

    def _find(self, given: dict[str, str], log: Messages) -> list[Entry]:
        """Check what the report and its export have in common; return the entries, oldest first."""
        span = []
        for name in ("from", "to"):
            if not _TIME(given.get(name, "")):
                raise Refused(self.error(400, f"The parameter {name} is required as 2015-03-04T00:00:00.000Z"))
            span.append(to_ms(datetime.fromisoformat(given[name])))
        if span[1] <= span[0]:
            raise Refused(self.error(400, "The parameter to must be after from"))
        status = log.options["explain_status"]
        if span[1] - span[0] > 92 * DAY:
            raise Refused(self.error(status, _TOO_LONG))
        if given.get("channel", "E") not in tuple(_CHANNELS):
            raise Refused(self.error(400, "Invalid channel"))
        if "status" in given and not all(log.known(one) for one in given["status"].split(",")):
            raise Refused(self.error(400, "Invalid status"))
        found = log.find((span[0], span[1]), given)
        if 0 < log.options["too_big"] < len(found):
            raise Refused(self.error(status, _TOO_BIG))
        return found

    def _report(self, request: Request, log: Messages) -> Response:
        options = log.options
        given = self.single(request, _FILTERS | {options["page_param"], options["size_param"]})
        page = self.number(request, given, options["page_param"], options["first_page"]) - options["first_page"]
        if page < 0 and options["page_zero"] == "refused":
            raise Refused(self.error(options["explain_status"], f"Invalid {options['page_param']}"))
        size = self.number(request, given, options["size_param"], options["default_page_size"], least=1)
        size = min(size, options["page_cap"])
        found = self._find(given, log)
        if options["order"] == "newest":
            found.reverse()
        if options["ignore_page"] or (page < 0 and options["page_zero"] == "first"):
            page = 0
        elif request.has("repeat_page"):
            page = max(0, page - 1)
        shown = [] if page < 0 or request.has("empty_page") else found[page * size : (page + 1) * size]
        body = _wrapped(options["envelope"], [log.row(entry) for entry in shown])
        if options["success_explain"] is not None and isinstance(body, dict):
            body = {"explain": options["success_explain"], **body}
        return Response(body=body)

    def _export(self, request: Request, log: Messages) -> Response:
        given = self.single(request, _FILTERS)
        names = {part: log.options["body_keys"].get(part, part) for part in _BODY}
        given_body = self._body(request, {name for name in names.values() if name})
        body = {part: given_body[name] for part, name in names.items() if name in given_body}
        standing = {"emails": ["set@console.example"], "from": "set@console.example", "timezone": "GMT"}
        body |= {part: value for part, value in standing.items() if not names[part]}  # set in the console, then
        emails, sender, zone = body.get("emails"), body.get("from"), _ZONE.fullmatch(str(body.get("timezone")))
        if not isinstance(emails, list) or not emails or not all(isinstance(one, str) and "@" in one for one in emails):
            raise Refused(self.error(400, "emails must be an array of addresses"))
        valid = log.options["valid_senders"]
        if not isinstance(sender, str) or "@" not in sender or (valid is not None and sender not in valid):
            raise Refused(self.error(400, "from must be a valid sender of the space"))
        if zone is None:
            raise Refused(self.error(400, "timezone must be in GMT"))
        ident = body.get("id", "a")
        if not isinstance(ident, str) or not re.fullmatch(r"[A-Za-z0-9]+", ident):
            raise Refused(self.error(400, "id must be alphanumeric"))
        sign, hours, minutes = zone.groups()
        offset = (int(hours or 0) * 60 + int(minutes or 0)) * (-1 if sign == "-" else 1)
        self._posts[log.account.key].order(body, log, self._find(given, log), offset, request.take("row"))
        return Response(body={"explain": "OK", "data": {"id": body.get("id")}})

    def fewest(self, log: Messages) -> int:
        return max(1, -(-len(log.rows) // int(log.options["page_cap"])))

    def secrets(self, account: Account) -> dict[str, Any]:
        if account.options["login"]:
            return {"username": self.username(account), "password": account.options["password"]}
        return {"api_key": account.key}


def _wrapped(envelope: str, rows: list[Any]) -> Any:
    """Put rows where the option `envelope` says."""
    body: Any = rows
    for name in [] if envelope == "list" else reversed(envelope.split(".")):
        body = {name: body}
    return body

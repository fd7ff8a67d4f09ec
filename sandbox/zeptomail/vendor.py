"""ZeptoMail: export jobs, GET /email, and Zoho's token endpoint, as in `docs/providers/zeptomail.md`.

Strict where the page is: the authorization scheme, the scopes, the documented body parameters and the one date form of
the option `date_format`. What the page leaves open (bytes of the file, states, shapes, zone, bounds) is an option.
An account's key is its refresh token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import MINUTE, Refused, Request, Response, Vendor, World
from sandbox.zeptomail.emails import EMAIL_PARAMETERS, detail, nested, page
from sandbox.zeptomail.facts import FACTS
from sandbox.zeptomail.jobs import PARAMETERS, Job, parse_date
from sandbox.zeptomail.log import AGENTS, KINDS, MAIL_LOGS, STREAMS, Book
from sandbox.zeptomail.mail import FLAGS, TRANSITIONS
from sandbox.zeptomail.options import DEFAULTS
from sandbox.zeptomail.zoho import Grants

if TYPE_CHECKING:
    from sandbox.base import Account

_TOKEN = "/oauth/v2/token"  # noqa: S105 - a path
_EXPORTS = re.compile(r"/v1\.1/([\w-]+)/exports(?:/([\w-]+)/download)?")


class ZeptoMail(Vendor[Book]):
    """The vendor; `jobs()` is the log of all export jobs ever created, `tokens.issued` counts access tokens."""

    name = "zeptomail"
    root = "/v1.1"
    budget = 60
    default_key = "1000.sandbox-refresh.zeptomail"
    scheme = "Zoho-oauthtoken"
    defaults: ClassVar[dict[str, Any]] = DEFAULTS
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS
    facts = FACTS
    log_class = Book

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.tokens = Grants(self.accounts, world.now_ms)
        self._jobs: dict[str, list[Job]] = {key: [] for key in self.accounts}

    def jobs(self, key: str | None = None) -> list[Job]:
        """Return every job ever created for an account, deleted ones too."""
        return self._jobs[self.account(key).key]

    def expire_tokens(self) -> None:
        """End every access token now; the fault `expire_token` does it before a request."""
        with self.lock:
            self.tokens.expire_all()

    def key_of(self, request: Request) -> str | None:
        if request.path == _TOKEN:
            found = re.search(rb"(?:^|&)refresh_token=([^&]*)", request.body)
            return found.group(1).decode("latin-1") if found else None
        token = super().key_of(request)
        return token and (self.tokens.owner(token) or token)

    def limit_of(self, request: Request) -> tuple[str, int] | None:
        return None if request.path == _TOKEN else super().limit_of(request)

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        code = code or {401: "TM_4001", 403: "TM_4001", 404: "TM_3601", 429: "TM_5001"}.get(status, "TM_3201")
        if self.account().options["error_shape"] == "data":
            return Response(status, {"data": {"error_code": code, "message": message}})
        details = [{"code": "GE_102", "message": message, "target": "request"}]
        return Response(status, {"error": {"code": code, "message": message, "details": details}})

    def handle(self, request: Request) -> Response:
        if request.path == _TOKEN:
            return self.tokens.grant(request)
        if request.has("expire_token"):
            self.tokens.expire_all()
        book = self.asked(request, "Invalid OAuth token", "INVALID_OAUTHTOKEN")
        if found := _EXPORTS.fullmatch(request.path):
            return self._exports(request, book, *found.groups())
        if request.path == "/v1.1/email" and request.method == "GET":
            return self._emails(request, book)
        if request.path.startswith("/v1.1/email/email-reference/") and request.method == "GET":
            return self._email(request, book)
        raise Refused(self.error(404, "Resource not found"))

    def _exports(self, request: Request, book: Book, kind: str, export_id: str | None) -> Response:
        if kind not in KINDS:
            raise Refused(self.error(404, f"Unknown export type {kind}"))
        jobs = [job for job in self._jobs[book.account.key] if job.kind == kind and not job.deleted]
        match request.method, export_id is not None:
            case "POST", False:
                self._allow(book, "Zeptomail.Exports", "CREATE")
                return self._create(request, book, kind)
            case "GET", False:
                self._allow(book, "Zeptomail.Exports", "READ")
                self.single(request, ())
                for job in jobs:
                    job.polls += 1
                    job.look(self.world.now())
                listed: Any = [job.listed() for job in reversed(jobs)]
                if book.options["list_answer"] == "object":
                    listed = {"exports": listed, "count": len(listed)}
                return Response(body={"data": listed, "status": "success"})
            case "GET", True:
                self._allow(book, "Zeptomail.Exports", "READ")
                self.single(request, ())
                return self._download(jobs, export_id)
            case "DELETE", False:
                self._allow(book, "Zeptomail.Exports", "DELETE")
                return self._delete(request, book, jobs)
        raise Refused(self.error(405, "Method not allowed"))

    def _allow(self, book: Book, area: str, action: str) -> None:
        held = {scope.strip().lower() for scope in book.options["scopes"].split(",")}
        if not held & {f"{area}.ALL".lower(), f"{area}.{action}".lower()}:
            message = f"Invalid OAuth scope: {area}.{action} is required"
            raise Refused(self.error(book.options["scope_status"], message, "INVALID_OAUTHSCOPE"))

    def _create(self, request: Request, book: Book, kind: str) -> Response:
        self.single(request, ())
        body = self.body(request, PARAMETERS[kind])
        for name, value in body.items():
            if name in FLAGS:
                kinds = {"json": (bool,), "string": (str,), "any": (bool, str)}[book.options["booleans"]]
                if not isinstance(value, kinds) or value not in (True, False, "true", "false"):
                    raise Refused(self.error(400, f"{name} must be a Boolean"))
            elif not isinstance(value, str) or not value:
                raise Refused(self.error(400, f"{name} must be a String"))
        if body.get("dndType", "email") not in ("email", "domain"):
            raise Refused(self.error(400, "dndType must be email or domain"))
        query = {name: value for name, value in body.items() if name != "password"}
        if agent := query.get("mailagent_key"):
            query["mailagent_key"] = self._agent(agent)
        understood = round(book.options["misread_minutes"] * MINUTE)
        start, end = self._span(query, book, book.options["date_format"])
        span = start + understood, end + understood
        jobs = self._jobs[book.account.key]
        password = body.get("password", "")
        job = Job(len(jobs), kind, query, password, self.world.now(), span, book, request.take("row"))
        jobs.append(job)
        job.look(self.world.now())
        listed = job.listed()
        return Response(
            body={"data": [listed] if book.options["create_answer"] == "list" else listed, "status": "success"}
        )

    def _agent(self, key: str) -> str:
        if key not in AGENTS:
            raise Refused(self.error(400, "Invalid mailagent_key"))
        return AGENTS[key]

    def _span(self, query: dict[str, Any], book: Book, form: str) -> tuple[int, int]:
        times = []
        for name in ("date_from", "date_to"):
            if name not in query:
                raise Refused(self.error(400, f"Mandatory field missing: {name}"))
            try:
                times.append(parse_date(query[name], form, book))
            except ValueError:
                raise Refused(self.error(400, f"Invalid date format: {name}")) from None
        start, end = times
        if end < start or (end == start and not book.options["date_to_inclusive"]):
            raise Refused(self.error(400, "date_to must be after date_from"))
        return start, end

    def _download(self, jobs: list[Job], export_id: str | None) -> Response:
        job = next((job for job in jobs if job.id == export_id), None)
        if job is None:
            raise Refused(self.error(404, "Export not found"))
        job.look(self.world.now())
        if job.status == "expired":
            raise Refused(self.error(410, "The export has expired"))
        if job.status != "completed":
            raise Refused(self.error(400, "The export is not completed"))
        kind = "application/zip" if job.book.options["container"] == "zip" else "text/csv"
        return Response(200, job.content(), {"Content-Type": kind, "Content-Disposition": "attachment"})

    def _delete(self, request: Request, book: Book, jobs: list[Job]) -> Response:
        given = self.single(request, {"export_ids"})
        wanted = given.get("export_ids", "").split(",")
        found = [job for job in jobs if job.id in wanted]
        if book.options["refuse_delete"]:
            raise Refused(self.error(403, "You do not have permission to delete exports"))
        if len(found) != len(wanted):
            raise Refused(self.error(404, "Export not found"))
        for job in found:
            job.deleted = True
        return Response(body={"data": [], "message": "OK", "status": "success"})

    def _emails(self, request: Request, book: Book) -> Response:
        self._allow(book, "Zeptomail.email", "READ")
        query = self.single(request, EMAIL_PARAMETERS)
        options = book.options
        offset, limit = (self.number(request, query, name, default) for name, default in (("offset", 0), ("limit", 10)))
        if not 1 <= limit <= options["email_limit"]:
            raise Refused(self.error(400, f"limit must be between 1 and {options['email_limit']}"))
        start, end = self._span(query, book, options["email_date_format"])
        end += MINUTE if options["date_to_inclusive"] else 0
        if "mailagent_key" in query:
            self._agent(query["mailagent_key"])
        if wrong := [name for name in FLAGS if query.get(name, "true") not in ("true", "false")]:
            raise Refused(self.error(400, f"{wrong[0]} must be true or false"))
        if request.has("repeat_page"):
            offset = max(0, offset - limit)
        found = page(book, query, (start, end), offset, limit)
        if request.has("empty_page"):
            found["data"] = {"logs": []} if isinstance(found["data"], dict) else []
        return Response(body=found)

    def _email(self, request: Request, book: Book) -> Response:
        self._allow(book, "Zeptomail.email", "READ")
        self.single(request, ())
        found = detail(book, request.path.rsplit("/", 1)[1])
        if found is None:
            raise Refused(self.error(404, "Invalid email reference"))
        return Response(body={"data": found, "message": "OK", "status": "success"})

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return rows of `zeptomail_mail_logs` (default) or another stream: by CSV column, or GET /email's objects."""
        book = self.log(key)
        if stream == "zeptomail_emails":
            return [nested(book, mail, mail.status(book.seen_ms())) for mail in book.visible()]
        kind = next((kind for kind, name in STREAMS.items() if name == stream), MAIL_LOGS)
        return [book.row(line) for line in book.lines(kind)]

    def fewest(self, log: Book) -> int:
        return 1 + len(KINDS) * (2 + max(1, int(log.options["polls"])))

    def secrets(self, account: Account) -> dict[str, Any]:
        zone = account.options["timezone"]
        return {
            "client_id": account.options["client_id"],
            "client_secret": account.options["client_secret"],
            "refresh_token": account.key,
            **({"timezone": zone} if zone != "UTC" else {}),
        }

    def config(self, origin: str) -> dict[str, Any]:
        return {"accounts_url": f"{origin}/{self.name}", "poll_seconds": 0.05, **super().config(origin)}

"""ZeptoMail: export jobs, GET /email, and Zoho's token endpoint, as in `docs/providers/zeptomail.md`.

Strict where the page is: the authorization scheme, the scopes, the documented body parameters and the one date form of
the option `date_format`. What the page leaves open (bytes of the file, states, shapes, zone, bounds) is an option.
An account's key is its refresh token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from sandbox.base import MINUTE, Refused, Request, Response, Vendor, World
from sandbox.zeptomail_data import AGENTS, COLUMNS, KINDS, MAIL_LOGS, Book
from sandbox.zeptomail_emails import EMAIL_PARAMETERS, detail, nested, page
from sandbox.zeptomail_jobs import PARAMETERS, Job, parse_date
from sandbox.zeptomail_mail import FLAGS, TRANSITIONS
from sandbox.zeptomail_options import DEFAULTS
from sandbox.zoho import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.base import Account, Life

_TOKEN = "/oauth/v2/token"  # noqa: S105 - a path
_EXPORTS = re.compile(r"/v1\.1/([\w-]+)/exports(?:/([\w-]+)/download)?")
_STREAMS = dict(
    zip(KINDS, ("zeptomail_mail_logs", "zeptomail_activity_logs", "zeptomail_suppression_list"), strict=True)
)


class ZeptoMail(Vendor):
    """The vendor; `jobs()` is the log of all export jobs ever created, `tokens.issued` counts access tokens."""

    name = "zeptomail"
    root = "/v1.1"
    budget = 60
    default_key = "1000.sandbox-refresh.zeptomail"
    defaults: ClassVar[dict[str, Any]] = DEFAULTS
    transitions: ClassVar[dict[str, tuple[str, ...]]] = TRANSITIONS

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.books = {key: Book(account, world) for key, account in self.accounts.items()}
        self.tokens = Tokens(self.accounts, world.now_ms)
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
        token = request.headers.get("Authorization", "").removeprefix("Zoho-oauthtoken ")
        return self.tokens.owner(token) or token or None

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
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        key = self.tokens.owner(token) if scheme == "Zoho-oauthtoken" else None
        if key is None:
            raise Refused(self.error(401, "Invalid OAuth token", "INVALID_OAUTHTOKEN"))
        if found := _EXPORTS.fullmatch(request.path):
            return self._exports(request, self.accounts[key], *found.groups())
        if request.path == "/v1.1/email" and request.method == "GET":
            return self._emails(request, self.accounts[key])
        if request.path.startswith("/v1.1/email/email-reference/") and request.method == "GET":
            return self._email(request, self.accounts[key])
        raise Refused(self.error(404, "Resource not found"))

    def _exports(self, request: Request, account: Account, kind: str, export_id: str | None) -> Response:
        if kind not in KINDS:
            raise Refused(self.error(404, f"Unknown export type {kind}"))
        jobs = [job for job in self._jobs[account.key] if job.kind == kind and not job.deleted]
        match request.method, export_id is not None:
            case "POST", False:
                self._allow(account, "Zeptomail.Exports", "CREATE")
                return self._create(request, account, kind)
            case "GET", False:
                self._allow(account, "Zeptomail.Exports", "READ")
                self.single(request, ())
                for job in jobs:
                    job.polls += 1
                    job.look(self.world.now())
                listed: Any = [job.listed() for job in reversed(jobs)]
                if account.options["list_answer"] == "object":
                    listed = {"exports": listed, "count": len(listed)}
                return Response(body={"data": listed, "status": "success"})
            case "GET", True:
                self._allow(account, "Zeptomail.Exports", "READ")
                self.single(request, ())
                return self._download(jobs, export_id)
            case "DELETE", False:
                self._allow(account, "Zeptomail.Exports", "DELETE")
                return self._delete(request, account, jobs)
        raise Refused(self.error(405, "Method not allowed"))

    def _allow(self, account: Account, area: str, action: str) -> None:
        held = {scope.strip().lower() for scope in account.options["scopes"].split(",")}
        if not held & {f"{area}.ALL".lower(), f"{area}.{action}".lower()}:
            message = f"Invalid OAuth scope: {area}.{action} is required"
            raise Refused(self.error(account.options["scope_status"], message, "INVALID_OAUTHSCOPE"))

    def _create(self, request: Request, account: Account, kind: str) -> Response:
        self.single(request, ())
        try:
            body = request.json()
        except ValueError:
            body = None
        if request.headers.get_content_type() != "application/json" or not isinstance(body, dict):
            raise Refused(self.error(400, "The body must be a JSON object"))
        self.check_known(body, PARAMETERS[kind])
        for name, value in body.items():
            if name in FLAGS:
                kinds = {"json": (bool,), "string": (str,), "any": (bool, str)}[account.options["booleans"]]
                if not isinstance(value, kinds) or value not in (True, False, "true", "false"):
                    raise Refused(self.error(400, f"{name} must be a Boolean"))
            elif not isinstance(value, str) or not value:
                raise Refused(self.error(400, f"{name} must be a String"))
        if body.get("dndType", "email") not in ("email", "domain"):
            raise Refused(self.error(400, "dndType must be email or domain"))
        query = {name: value for name, value in body.items() if name != "password"}
        if agent := query.get("mailagent_key"):
            query["mailagent_key"] = self._agent(agent)
        understood = round(account.options["misread_minutes"] * MINUTE)
        start, end = self._span(query, account, account.options["date_format"])
        span = start + understood, end + understood
        jobs = self._jobs[account.key]
        password = body.get("password", "")
        job = Job(len(jobs), kind, query, password, self.world.now(), span, self.books[account.key])
        jobs.append(job)
        job.look(self.world.now())
        listed = job.listed()
        return Response(
            body={"data": [listed] if account.options["create_answer"] == "list" else listed, "status": "success"}
        )

    def _agent(self, key: str) -> str:
        if key not in AGENTS:
            raise Refused(self.error(400, "Invalid mailagent_key"))
        return AGENTS[key]

    def _span(self, query: dict[str, Any], account: Account, form: str) -> tuple[int, int]:
        times = []
        for name in ("date_from", "date_to"):
            if name not in query:
                raise Refused(self.error(400, f"Mandatory field missing: {name}"))
            try:
                times.append(parse_date(query[name], form, self.books[account.key]))
            except ValueError:
                raise Refused(self.error(400, f"Invalid date format: {name}")) from None
        start, end = times
        if end < start or (end == start and not account.options["date_to_inclusive"]):
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
        kind = "application/zip" if job.book.account.options["container"] == "zip" else "text/csv"
        return Response(200, job.content(), {"Content-Type": kind, "Content-Disposition": "attachment"})

    def _delete(self, request: Request, account: Account, jobs: list[Job]) -> Response:
        given = self.single(request, {"export_ids"})
        wanted = given.get("export_ids", "").split(",")
        found = [job for job in jobs if job.id in wanted]
        if account.options["refuse_delete"]:
            raise Refused(self.error(403, "You do not have permission to delete exports"))
        if len(found) != len(wanted):
            raise Refused(self.error(404, "Export not found"))
        for job in found:
            job.deleted = True
        return Response(body={"data": [], "message": "OK", "status": "success"})

    def _emails(self, request: Request, account: Account) -> Response:
        self._allow(account, "Zeptomail.email", "READ")
        query = self.single(request, EMAIL_PARAMETERS)
        options, book = account.options, self.books[account.key]
        offset, limit = (self._number(query, name, default) for name, default in (("offset", 0), ("limit", 10)))
        if not 1 <= limit <= options["email_limit"]:
            raise Refused(self.error(400, f"limit must be between 1 and {options['email_limit']}"))
        start, end = self._span(query, account, options["email_date_format"])
        end += MINUTE if options["date_to_inclusive"] else 0
        if "mailagent_key" in query:
            self._agent(query["mailagent_key"])
        if wrong := [name for name in FLAGS if query.get(name, "true") not in ("true", "false")]:
            raise Refused(self.error(400, f"{wrong[0]} must be true or false"))
        return Response(body=page(book, query, (start, end), offset, limit))

    def _number(self, query: dict[str, str], name: str, default: int) -> int:
        text = query.get(name, str(default))
        if not text.isdecimal():
            raise Refused(self.error(400, f"{name} must be a number"))
        return int(text)

    def _email(self, request: Request, account: Account) -> Response:
        self._allow(account, "Zeptomail.email", "READ")
        self.single(request, ())
        found = detail(self.books[account.key], request.path.rsplit("/", 1)[1])
        if found is None:
            raise Refused(self.error(404, "Invalid email reference"))
        return Response(body={"data": found, "message": "OK", "status": "success"})

    def rows(self, key: str | None = None, stream: str | None = None) -> list[dict[str, Any]]:
        """Return rows of `zeptomail_mail_logs` (default) or another stream: by CSV column, or GET /email's objects."""
        book = self.books[self.account(key).key]
        if stream == "zeptomail_emails":
            return [nested(book, mail, mail.status(book.seen_ms())) for mail in book.visible()]
        kind = next((kind for kind, name in _STREAMS.items() if name == stream), MAIL_LOGS)
        shown = book.shown(kind)
        return [{COLUMNS[kind][place]: cells[place] for place in shown} for cells in book.table(kind)]

    def late(self, count: int = 1, minutes_ago: float = 30, key: str | None = None) -> int:
        at = self.world.now_ms() - round(minutes_ago * MINUTE)
        self.books[self.account(key).key].add(count, at)
        return count

    def change(self, count: int = 1, minutes_ago: float = 0, key: str | None = None) -> int:
        """Let unfinished mails be delivered, the youngest of that age first: their rows change."""
        before = self.world.now_ms() - round(minutes_ago * MINUTE)
        return self.books[self.account(key).key].change(count, before)

    def live(self, lives: Iterable[Life], key: str | None = None) -> None:
        self.books[self.account(key).key].live(lives)

    def truth(self) -> dict[str, Any]:
        """Count per account; `email_events` are those of the mail logs."""
        return {account.label: self._truth(account) for account in self.accounts.values()}

    def _truth(self, account: Account) -> dict[str, Any]:
        book = self.books[account.key]
        streams = {name: sum(1 for _ in book.table(kind)) for kind, name in _STREAMS.items()}
        streams["zeptomail_emails"] = len(book.visible())
        jobs = 2 + max(1, account.options["polls"])
        return self.summary(streams, book.events(), requests=1 + len(KINDS) * jobs)

    def config(self, origin: str) -> dict[str, Any]:
        common = {"accounts_url": f"{origin}/{self.name}", "poll_seconds": 0.05}
        return {
            **common,
            **self.tap_config(
                origin,
                lambda account: {
                    "client_id": account.options["client_id"],
                    "client_secret": account.options["client_secret"],
                    "refresh_token": account.key,
                    **({"timezone": zone} if (zone := account.options["timezone"]) != "UTC" else {}),
                },
            ),
        }

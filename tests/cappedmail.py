"""A vendor of the tests: offsets up to a cap, beside a total of all that can be trusted.

GET /log?from=&to=&offset=&limit= answers {"total": n, "log": [{id, sent, to, subject, state}]}, in no promised order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import StreamSchema

from plugging import Plug
from sandbox.base import DAY, SECOND, Account, Life, Log, Refused, Request, Response, Vendor, World, from_ms, to_ms
from sandbox.base.checks import integer, readable
from sandbox.base.data import SUBJECTS, Person
from sandbox.base.facts import Facts
from sandbox.base.paging import cut
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.errors import Action, ErrorRule, Misunderstood
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning
from tap_emaillogs.streams.paginators import OffsetPaginator, Page, objects
from tap_emaillogs.streams.provider import Provider
from tap_emaillogs.streams.schemas import AnnotatedSchemas
from tap_emaillogs.streams.settings import Settings, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.streams.records import Record

# The tap's part.

_TAKEN = Meaning("queued", "Cappedmail took the mail.")
STATES = MappingTable(
    "`state`",
    {"sent": Meaning("sent", "It left."), "bounced": Meaning("bounced", "It came back.", bounce_class="undetermined")},
    streams=("cappedmail_log",),
    at="`sent`",
    cases={"every row": _TAKEN},
)


@dataclass(frozen=True, kw_only=True)
class CappedmailSettings(Settings):
    """A Cappedmail account."""

    api_key: str = option("", "API key.", secret=True, in_header=True)
    max_rows: int = option(1000, "Rows that a search shows at most, as the account's plan says.", positive=True)
    base_url: str = "https://cappedmail.example"
    history_days: float | None = 30
    page_size: int = option(100, most=500)

    def auth(self) -> KeyAuth:
        return KeyAuth("Authorization", f"Bearer {self.api_key}")


class CappedLog(LogStream):
    """GET /log."""

    name = "cappedmail_log"
    provider = "cappedmail"
    endpoint = "GET /log"
    paging = "offset"
    path = "/log"
    schema: ClassVar[StreamSchema[str]] = StreamSchema(AnnotatedSchemas(Path(__file__).parent / "schemas"))
    primary_keys = ("account", "id")
    replication_key = "sent"
    row_key = ("id",)
    time_columns = ("sent",)
    exact_bounds = True
    exact_totals = True
    settings: CappedmailSettings

    def bind(self) -> None:
        self.cap = self.settings.max_rows

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        window = (page.stream_context or {})["window"]
        offset, settings = page.next_page_token or 0, self.settings
        request.params = {"from": f"{window.start:%Y-%m-%dT%H:%M:%SZ}", "to": f"{window.end:%Y-%m-%dT%H:%M:%SZ}"}
        request.params |= {"offset": offset, "limit": min(settings.page_size, settings.max_rows - offset)}
        return request

    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(self.settings.page_size)

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        if not isinstance(data, dict) or not isinstance(data.get("total"), int):
            raise Misunderstood("the answer holds no number `total`")
        rows, total = objects(data.get("log"), "list `log`"), data["total"]
        return Page(rows, total, more=(page.next_page_token or 0) + len(rows) < total)


class Cappedmail(Provider):
    name = "cappedmail"
    title = "Cappedmail"
    settings = CappedmailSettings
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    streams = (CappedLog,)
    errors: ClassVar[tuple[ErrorRule, ...]] = (ErrorRule(Action.SPLIT, pattern="a search shows no more than"),)
    event_sources = ("cappedmail_log",)
    mappings = (STATES,)

    def error_message(self, data: Any) -> str | None:
        return data.get("error") if isinstance(data, dict) else None

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        row = EventRow(self.name, stream, record, key=record["id"], recipient=record["to"], subject=record["subject"])
        yield row.queued(_TAKEN, at=record["sent"])
        yield row.event(STATES, record["state"], own={"state": record["state"]}, at=record["sent"])


# The sandbox's part.


class Mail:
    def __init__(self, number: int, at: int, person: Person, state: str) -> None:
        self.number, self.at, self.person, self.state = number, at, person, state


class Mails(Log[Mail]):
    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self.end -= self.end % SECOND
        for at in self.times(account.size, 28 * DAY, self.end):
            self.plan(at, lambda at=at: self._new(at))  # type: ignore[misc,arg-type]
        self.advance(self.end)

    def _new(self, at: int) -> Mail:
        number = len(self._rows)
        mail = Mail(number, at, self.people[number % len(self.people)], "bounced" if number % 9 == 0 else "sent")
        self.add(mail)
        return mail

    def row(self, one: Mail) -> dict[str, Any]:
        sent, subject = f"{from_ms(one.at):%Y-%m-%dT%H:%M:%SZ}", SUBJECTS[one.number % len(SUBJECTS)]
        ident = f"{self.account.label}-{one.number}"
        return {"id": ident, "sent": sent, "to": one.person.address, "subject": subject, "state": one.state}

    def events(self) -> Counter[str]:
        return Counter(one.state for one in self._rows) + Counter(queued=len(self._rows))

    def appear(self, count: int, at_ms: int) -> list[Mail]:
        return [self._new((at_ms // SECOND - i // 3) * SECOND) for i in range(count)]

    def live(self, life: Life, number: int) -> None:
        self.plan(to_ms(life.at), lambda: self._new(to_ms(life.at)))  # type: ignore[arg-type]


def _time(text: str) -> int:
    return to_ms(datetime.fromisoformat(text))


class Player(Vendor[Mails]):
    name = "cappedmail"
    default_key = "capped-key-0123456789"
    log_class = Mails
    defaults: ClassVar[dict[str, Any]] = {"cap": 1000}
    facts = Facts(
        stream="cappedmail_log",
        time="sent",
        settle=timedelta(minutes=5),
        history=timedelta(days=30),
        most_rows=500,
        hours=50,
        column="to",
        recipients=("to",),
        keys=("capped-one-0123456789", "capped-two-0123456789"),
        said=lambda words: {"error": words},
        options={"cap": 100},
        settings={"max_rows": 100},
        unfit={"expire_token": "pages are asked for by offset", "change": "its rows are final"},
    )
    parameters: ClassVar[dict[str, Any]] = {
        "from": readable(_time),
        "to": readable(_time),
        "offset": integer(0),
        "limit": integer(1, 500),
    }

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        return Response(status, {"error": message})

    def handle(self, request: Request) -> Response:
        log = self.asked(request, "Wrong key")
        if (request.method, request.path) != ("GET", "/log"):
            raise Refused(self.error(404, "Not found"))
        given = self.single(request, self.parameters)
        start, end, offset, limit = _time(given["from"]), _time(given["to"]), int(given["offset"]), int(given["limit"])
        if offset + limit > (cap := log.options["cap"]):
            raise Refused(self.error(400, f"a search shows no more than {cap} rows"))
        found = [mail for mail in log.rows if start <= mail.at < end]
        page, _ = cut(request, found, offset, limit)
        return Response(body={"total": len(found), "log": [log.row(mail) for mail in page]})


PLUGGED = Plug(Cappedmail(), Player)

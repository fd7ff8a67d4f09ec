"""A vendor of the tests: a cursor through all that there is, the newest first, and no way to ask for a range of time.

GET /messages?limit=&cursor= answers {"messages": [{messageId, createdAt, recipientAddress, emailSubject, …}],
"nextCursor": …}. Its columns have the vendor's own names, which say nothing to privacy: the schema does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import StreamSchema

from plugging import Plug
from sandbox.base import (
    DAY,
    MINUTE,
    SECOND,
    Account,
    Life,
    Log,
    Refused,
    Request,
    Response,
    Vendor,
    World,
    from_ms,
    to_ms,
)
from sandbox.base.checks import integer, text
from sandbox.base.data import SENDERS, SUBJECTS, Person
from sandbox.base.facts import Facts
from sandbox.base.paging import cut, seal, unseal
from tap_emaillogs.http.auth import KeyAuth
from tap_emaillogs.http.errors import Misunderstood
from tap_emaillogs.streams.base import LogStream
from tap_emaillogs.streams.events import EventRow
from tap_emaillogs.streams.meanings import MappingTable, Meaning
from tap_emaillogs.streams.paginators import ContinueTokenPaginator, Page, objects
from tap_emaillogs.streams.provider import Provider
from tap_emaillogs.streams.schemas import AnnotatedSchemas
from tap_emaillogs.streams.settings import Settings, option
from tap_emaillogs.streams.shapes import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_emaillogs.streams.records import Record

# The tap's part.

_TAKEN = Meaning("queued", "Cursormail took the mail.")
_OPENED = Meaning("opened", "The row says when it was opened first.")
STATES = MappingTable(
    "`deliveryStatus`",
    {
        "accepted": Meaning("queued", "Waits for its turn: no event beside the row's one `queued` (below)."),
        "delivered": Meaning("delivered", "The receiving server took it."),
        "bounced": Meaning("bounced", "It came back.", bounce_class="undetermined"),
    },
    streams=("cursormail_messages",),
    at="`createdAt`, of `opened` `openedAt`",
    cases={"every row": _TAKEN, "rows with `openedAt`": _OPENED},
)


@dataclass(frozen=True, kw_only=True)
class CursormailSettings(Settings):
    """A Cursormail account."""

    api_key: str = option("", "API key.", secret=True, in_header=True)
    base_url: str = "https://cursormail.example"
    history_days: float | None = 30
    page_size: int = option(100, most=100)

    def auth(self) -> KeyAuth:
        return KeyAuth("Authorization", f"Bearer {self.api_key}")


class CursorMessages(LogStream):
    """GET /messages."""

    name = "cursormail_messages"
    provider = "cursormail"
    endpoint = "GET /messages"
    paging = "cursor"
    path = "/messages"
    schema: ClassVar[StreamSchema[str]] = StreamSchema(AnnotatedSchemas(Path(__file__).parent / "schemas"))
    primary_keys = ("account", "messageId")
    replication_key = "createdAt"
    row_key = ("messageId",)
    time_columns = ("createdAt",)
    time_filter = False
    order = "newest"

    @property
    def layout(self) -> Layout:
        return Layout(("messages",))

    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params = {"limit": self.settings.page_size}
        request.params |= {"cursor": page.next_page_token} if page.next_page_token else {}
        return request

    def get_new_paginator(self) -> ContinueTokenPaginator:
        return ContinueTokenPaginator()

    def parse_page(self, data: Any, page: PageContext[Any]) -> Page:
        if not isinstance(data, dict) or "nextCursor" not in data:
            raise Misunderstood("the answer holds no `nextCursor`")
        return Page(objects(data.get("messages"), "list `messages`"), token=data["nextCursor"])


class Cursormail(Provider):
    name = "cursormail"
    title = "Cursormail"
    settings = CursormailSettings
    required: ClassVar[tuple[tuple[str, ...], ...]] = (("api_key",),)
    streams = (CursorMessages,)
    event_sources = ("cursormail_messages",)
    mappings = (STATES,)

    def error_message(self, data: Any) -> str | None:
        return data.get("errorMessage") if isinstance(data, dict) else None

    def events(self, stream: str, record: Record) -> Iterator[Record]:
        row = EventRow(
            self.name,
            stream,
            record,
            key=record["messageId"],
            recipient=record["recipientAddress"],
            sender=record["senderAddress"],
            subject=record["emailSubject"],
        )
        yield row.queued(_TAKEN, at=record["createdAt"])
        if (status := record["deliveryStatus"]) != "accepted":
            reason = record["failureReason"]
            yield row.event(STATES, status, own={"status": status}, at=record["createdAt"], reason=reason)
        if record["openedAt"]:
            yield row.event(_OPENED, None, own={"opened": True}, at=record["openedAt"], ip=record["openedFrom"])


# The sandbox's part.


class Mail:
    def __init__(self, number: int, at: int, person: Person) -> None:
        self.number, self.at, self.person = number, at, person
        self.status = "accepted"
        self.opened: int | None = None

    def happen(self, what: str, at: int) -> None:
        if what == "opened":
            self.opened = at
        else:
            self.status = what


class Mails(Log[Mail]):
    def __init__(self, account: Account, world: World) -> None:
        super().__init__(account, world)
        self.end -= self.end % SECOND
        for at in self.times(account.size, 28 * DAY, self.end):
            self.plan(at, lambda at=at: self._new(at))  # type: ignore[misc,arg-type]
        self.advance(self.end)

    def _new(self, at: int) -> Mail:
        number = len(self._rows)
        mail = Mail(number, at, self.people[number % len(self.people)])
        mail.happen("bounced" if number % 9 == 0 else "delivered", at)
        if number % 4 == 1:
            mail.happen("opened", at + MINUTE)
        self.add(mail)
        return mail

    def row(self, one: Mail) -> dict[str, Any]:
        address, opened = one.person.address, one.opened
        return {
            "messageId": f"{self.account.label}-{one.number}",
            "createdAt": _text(one.at),
            "recipientAddress": one.person.full,
            "senderAddress": SENDERS[one.number % len(SENDERS)],
            "emailSubject": SUBJECTS[one.number % len(SUBJECTS)],
            "deliveryStatus": one.status,
            "failureReason": f"550 no such user: <{address}>" if one.status == "bounced" else None,
            "openedAt": _text(opened) if opened else None,
            "openedFrom": f"198.51.100.{one.number % 250}" if opened else None,
            "campaignTag": f"for {address}",  # declared nowhere
        }

    def events(self) -> Counter[str]:
        found = Counter(one.status for one in self._rows if one.status != "accepted")
        return found + Counter(queued=len(self._rows), opened=sum(one.opened is not None for one in self._rows))

    def appear(self, count: int, at_ms: int) -> list[Mail]:
        return [self._new((at_ms // SECOND - i // 3) * SECOND) for i in range(count)]

    def mutate(self, count: int, at_ms: int, kind: str | None = None) -> list[Mail]:
        found = [one for one in self._rows if one.opened is None and one.at <= at_ms][-count:]
        for one in found:
            one.happen("opened", at_ms)
        self.touch()
        return found

    def live(self, life: Life, number: int) -> None:
        mail = Mail(number, to_ms(life.at), self.people[number % len(self.people)])
        self.plan(mail.at, lambda: self.add(mail))
        for at, what in life.moments():
            self.plan(at, lambda at=at, what=what: mail.happen(what, at))  # type: ignore[misc]


def _text(at_ms: int) -> str:
    return from_ms(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Player(Vendor[Mails]):
    name = "cursormail"
    default_key = "cursor-key-0123456789"
    log_class = Mails
    transitions: ClassVar[dict[str, tuple[str, ...]]] = {"": ("delivered", "bounced"), "delivered": ("opened",)}
    facts = Facts(
        stream="cursormail_messages",
        time="createdAt",
        settle=timedelta(minutes=5),
        history=timedelta(days=30),
        most_rows=100,
        hours=50,
        column="emailSubject",
        recipients=("recipientAddress",),
        named=("recipientAddress",),
        keys=("cursor-one-0123456789", "cursor-two-0123456789"),
        said=lambda words: {"errorMessage": words},
        unfit={"windows": "it cannot be asked for a range of time: each run is one walk from the newest row on"},
    )
    parameters: ClassVar[dict[str, Any]] = {"limit": integer(1, 100), "cursor": text(500, 1)}

    def error(self, status: int, message: str, code: str | None = None) -> Response:
        return Response(status, {"errorMessage": message})

    def handle(self, request: Request) -> Response:
        log = self.asked(request, "Wrong key")
        if (request.method, request.path) != ("GET", "/messages"):
            raise Refused(self.error(404, "Not found"))
        given = self.single(request, self.parameters)
        found, at = log.rows[::-1], 0
        if "cursor" in given:
            behind = unseal(given["cursor"])
            if behind is None or request.has("expire_token"):
                raise Refused(self.error(400, "cursor is not valid"))
            at = sum([one.at, one.number] >= behind["row"] for one in found)
        page, following = cut(request, found, at, int(given["limit"]))
        last = found[following - 1] if following else None
        token = None if following is None else seal({"row": [last.at, last.number] if last else [1 << 60, 0]})
        return Response(body={"messages": [log.row(mail) for mail in page], "nextCursor": token})


PLUGGED = Plug(Cursormail(), Player)

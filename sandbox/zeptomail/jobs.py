"""An export job of ZeptoMail: asked for, in progress, a file for three days."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.base import DAY, MINUTE, SECOND, to_ms
from sandbox.base.strange import spoiled
from sandbox.zeptomail.files import Shape, build
from sandbox.zeptomail.log import ACTIVITY_LOGS, COLUMNS, KINDS, MAIL_LOGS, SUPPRESSION_LIST, Book, Line
from sandbox.zeptomail.mail import FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.base.faults import Fault

FORMS = {
    "comma": "%d/%m/%Y, %I:%M %p",
    "semicolon": "%d/%m/%Y;%I:%M %p",
    "hour": "%d/%m/%Y;%I %p",
    "tight": "%d/%m/%Y;%I%p",
}
"""Date forms by the option's name: `19/02/2025, 01:00 AM`, `19/02/2025;01:00 AM`, `19/02/2025;01 AM`, `…;01AM`."""
ECHOES = {
    "page": "%d %b %Y %I:%M %p",
    "numeric": "%d/%m/%Y, %I:%M %p",
    "us": "%m/%d/%Y %H:%M",
    "offset": "%Y-%m-%dT%H:%M:%S%z",
    "day": "%d %b %Y",
    "odd": "the day %j of %Y",
}
"""How `search_query` repeats the dates, by the option `echo`; with `none` it does not."""
_DATES = {"date_from", "date_to"}
_ADDRESSES = {"from": "From", "to": "To", "cc": "Cc", "bcc": "Bcc"}
PARAMETERS: dict[str, set[str]] = {
    MAIL_LOGS: _DATES | FLAGS.keys() | _ADDRESSES.keys()
    | {"bounce_category", "mailagent_key", "password", "subject", "client_reference"},
    ACTIVITY_LOGS: _DATES | {"entity", "password", "modified_by"},
    SUPPRESSION_LIST: _DATES | {"dndType", "password"},
}  # fmt: skip
"""The body's documented parameters, per export type."""
_EQUAL = {
    "bounce_category": "Bounce Category",
    "client_reference": "Client Reference",
    "entity": "Entity",
    "modified_by": "Modified By",
    "dndType": "Suppression Type",
}


def parse_date(text: str, form: str, book: Book) -> int:
    """Read a time in one of the accepted forms (`any`: each) to the minute, in the account's zone.

    Raises:
        ValueError: It is in none of them, letter by letter.
    """
    for pattern in FORMS.values() if form == "any" else [FORMS[form]]:
        try:
            moment = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is the account's
        except ValueError:
            continue
        if moment.strftime(pattern) == text:
            return to_ms(moment.replace(tzinfo=book.zone))
    raise ValueError(f"{text!r} is not in the form {form}")


@dataclass
class Job:
    """One export; `query` is the body without the password."""

    number: int
    kind: str
    query: dict[str, Any]
    password: str
    created: datetime
    span: tuple[int, int]
    book: Book
    fault: Fault | None = None
    """That of its request: a `row` is in its file."""
    polls: int = 0
    downloads: int = 0
    deleted: bool = False
    status: str = ""
    id: str = field(init=False)
    _rows: list[list[str]] = field(default_factory=list)
    _file: bytes = b""

    def __post_init__(self) -> None:
        rng = self.book.account.rng(f"job {self.number}")
        self.id = str(uuid.UUID(int=rng.getrandbits(128), version=1))
        self.status = self.book.options["progress_text"]
        if not self._big:
            self._rows = list(self._matching())

    @property
    def _big(self) -> bool:
        return self.kind == MAIL_LOGS and self.book.big > 0

    def look(self, now: datetime) -> None:
        """Let the job become what it is to be by now; each listing counts as a poll."""
        options = self.book.options
        age = (now - self.created).total_seconds()
        if self.status == "completed":
            if age >= timedelta(days=options["file_days"]).total_seconds():
                self.status = "expired"
            return
        unfinished = self.polls < options["polls"] or age < options["job_seconds"]
        if unfinished or self._among(options["endless_jobs"]):
            return
        if self._among(options["fail_jobs"]):
            self.status = options["failed_text"]
        elif self.status == options["progress_text"]:
            self.status = "completed"
            self._file = self._build()

    def content(self) -> bytes:
        """Return the whole file, or half of it while `cut_downloads` has not been reached."""
        self.downloads += 1
        cut = self.downloads <= self.book.options["cut_downloads"]
        return self._file[: len(self._file) // 2] if cut else self._file

    def listed(self) -> dict[str, Any]:
        """Return the job as the vendor's page shows it."""
        stamp, created = self.book.stamp, to_ms(self.created)
        options = self.book.options
        fetched: Any = self.downloads > 0
        return {
            "created_time": stamp(created),
            "export_type": self.kind,
            "modified_time": stamp(created),
            "is_content_included": False,
            "file_status": self.status,
            "file_name": f"{self._name()} - {stamp(created)}.{self._shape().container}",
            "is_downloaded": fetched if options["booleans"] != "string" else str(fetched).lower(),
            "export_id": self.id,
            **({"search_query": self._echo()} if options["echo"] != "none" else {}),
            "expiry_time": stamp(created + round(options["file_days"] * DAY)),
            "created_by": "Rebecca",
            "file_size": len(self._file),
        }

    def _echo(self) -> dict[str, Any]:
        """Return what the request is taken for."""
        options = self.book.options
        agent = {"mailagent_name": "All Agents"} if self.kind == MAIL_LOGS else {}
        edges = (datetime.fromtimestamp(ms / 1000, self.book.zone) for ms in self.span)
        start, end = (edge.strftime(ECHOES[options["echo"]]) for edge in edges)
        filters = {name: value for name, value in self.query.items() if name not in _DATES}
        return {**agent, **filters, **options["echo_filters"], "date_to": end, "date_from": start}

    def _among(self, first: int) -> bool:
        return first < 0 or self.number < first

    def _name(self) -> str:
        return dict(zip(KINDS, ("MailReport", "ActivityReport", "SuppressionReport"), strict=True))[self.kind]

    def _shape(self) -> Shape:
        options = self.book.options
        return Shape(**{name: options[name] for name in Shape.__dataclass_fields__})

    def _build(self) -> bytes:
        rows, self._rows = self._matching() if self._big else iter(self._rows), []
        columns = [COLUMNS[self.kind][place] for place in self.book.shown(self.kind)]
        cells = (list(self.book.row(Line(self.kind, row)).values()) for row in rows)
        content = build(self._shape(), self._name(), columns, cells, self.password)
        return spoiled(content, self.fault)

    def _matching(self) -> Iterator[list[str]]:
        start, end = self.span
        if self.book.options["date_to_inclusive"]:
            end += MINUTE
        if self.book.options["ignore_dates"]:
            start, end = 0, 1 << 62
        accept = matcher(self.kind, self.query, omitted=self.book.options["omitted_flags"] == "all")
        return (row for row in self.book.table(self.kind, start - start % SECOND, end) if accept(row))


def matcher(kind: str, query: Mapping[str, Any], *, omitted: bool = True) -> Callable[[list[str]], bool]:
    """Return what tells whether a row of an export fulfils the filters of its request.

    `omitted`: a request without a filter by kind of mail wants all kinds; else it wants none of those that have one.
    """
    at = {name: position for position, name in enumerate(COLUMNS[kind])}
    flags = {status for name, status in FLAGS.items() if query.get(name) in (True, "true")}
    unnamed = set() if omitted or kind != MAIL_LOGS else set(FLAGS.values())
    equal = [(at[column], query[name]) for name, column in _EQUAL.items() if name in query]
    within = [(at[column], query[name].lower()) for name, column in _ADDRESSES.items() if name in query]
    if "subject" in query:
        within.append((at["Subject"], query["subject"].lower()))
    if "mailagent_key" in query:
        equal.append((at["Mail Agent"], query["mailagent_key"]))

    def accept(row: list[str]) -> bool:
        return (
            (row[at["Status"]] in flags if flags else not unnamed or row[at["Status"]] not in unnamed)
            and all(row[position] == value for position, value in equal)
            and all(value in row[position].lower() for position, value in within)
        )

    return accept

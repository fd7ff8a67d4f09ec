"""`messangi_message_reports`: the CSV report of a window, asked for by API and collected from where its mail arrives.

https://docs.messangi.com/reference/exportmlog-2
"""

from __future__ import annotations

import copy
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, Self, cast

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.engine.reading import Outcome, Split
from tap_emaillogs.files.archives import BrokenFile
from tap_emaillogs.files.tables import snake_case
from tap_emaillogs.formats import timestamps
from tap_emaillogs.http.errors import ReadError, TooMuch, VendorError
from tap_emaillogs.providers.messangi import candidates, windows
from tap_emaillogs.providers.messangi.collect import Collector
from tap_emaillogs.providers.messangi.folder import Folder
from tap_emaillogs.providers.messangi.mailbox import ImapMailbox
from tap_emaillogs.providers.messangi.moments import belongs, dates_of
from tap_emaillogs.providers.messangi.pending import CONFIRMATION, LIFE, Pending, Requests
from tap_emaillogs.providers.messangi.settings import zone_of, zone_text
from tap_emaillogs.providers.messangi.streams import MessageRows
from tap_emaillogs.streams.records import digest, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import tzinfo

    from tap_emaillogs.engine.reading import Memory, Reading
    from tap_emaillogs.engine.windows import Window
    from tap_emaillogs.providers.messangi.collect import Look, Report, Source
    from tap_emaillogs.providers.messangi.settings import ReportSettings
    from tap_emaillogs.streams.provider import Account

    _Rows = Callable[[], Iterable[Mapping[str, Any]]]
    """Returns the same rows whenever it is called."""

_FIRST_WAIT, _GROWTH, _LONGEST_WAIT = 2.0, 1.5, 60.0
"""Seconds between two looks into the mailbox."""
_REPORTS_IN_FLIGHT = 8


class MessageReports(MessageRows):
    """One record per line of the report, whatever columns it has.

    The request is in STATE before it is made; the report may come in this run, or in a later one, which then reads
    just the window that was asked for.
    """

    name = "messangi_message_reports"
    endpoint = "CSV report by e-mail"
    paging = "asynchronous"
    primary_keys = ("account", "row_id")
    twin_key = "row_id"
    collector: Collector

    def __init__(self, tap: Any) -> None:
        super().__init__(tap)
        # Shared with the copies for each account: who looks into the same mailbox, and what is pending there.
        self._readers: dict[tuple[Any, ...], list[Memory]] = {}

    def for_account(self, account: Account) -> Self:
        """Bind the stream to an account and its mailbox."""
        bound = cast("Self", super().for_account(account))
        report = bound._report  # noqa: SLF001 - a copy of this object
        client = account.client
        source: Source = ImapMailbox(report.mailbox, client.clock) if report.mailbox else Folder(report.directory)
        bound.collector = Collector(source, report.trusted_sender, client.redact, bound.known_columns())
        return bound

    def known_columns(self) -> frozenset[str]:
        """Return the columns by which a table is recognised as a report."""
        own = (given.get(self.name, ()) for given in (self.settings.columns, self.settings.reference))
        return candidates.known_columns([*self.normalise.declared, *(name for names in own for name in names)])

    def windows_in_flight(self) -> int:
        """Return how many reports are waited for at the same time: waiting costs neither side anything."""
        return max(_REPORTS_IN_FLIGHT, super().windows_in_flight())

    def column_name(self, name: str) -> str:
        """Return a column's name in snake case, as those of the file are."""
        return snake_case(name)

    def pinned(self, memory: Memory) -> list[Window]:
        """Return the windows whose reports are under way."""
        requests = Requests(memory)
        requests.keep_only(self._asked_with)
        self._register(memory)
        return [request.window for request in requests.all()]

    @property
    def _asked_with(self) -> str:
        return digest(json_text(self.filters()).encode())

    @property
    def _report(self) -> ReportSettings:
        report = self.settings.report
        assert report is not None  # or there would be no such stream
        return report

    def _register(self, memory: Memory) -> None:
        known = self._readers.setdefault(self.collector.source.identity, [])
        if not any(memory is other for other in known):
            known.append(memory)

    def _rivals(self) -> Iterator[Pending]:
        """Yield all requests whose reports come to this mailbox, those of other accounts included."""
        for memory in list(self._readers[self.collector.source.identity]):
            yield from Requests(memory).all()

    # Reading a window.

    def read(self, reading: Reading) -> Outcome | Split:
        """Ask for the window's report unless that was done before, and wait for it."""
        if windows.too_long(reading.window):
            return Split(windows.parts(reading.window))
        self._register(reading.memory)
        requests = Requests(reading.memory)
        clock = self.account.client.clock
        request = requests.of(reading.window)
        if request is not None and not request.made and clock.now() - request.asked >= CONFIRMATION:
            look = self.collector.look(request, requests, self._rivals, thorough=False)
            if look.report is not None:
                return self._outcome(reading, requests, request, look.report)
            request = Pending(request.ident, request.window, clock.now(), zone_text(self._zone), request.filters)
            return self._ask(reading, requests, request)
        if request is None:
            self.collector.check()  # before anything is asked for that could not be collected
            request = Pending.new(reading.window, clock.now(), zone_text(self._zone), self._asked_with)
            return self._ask(reading, requests, request)
        return self._wait(reading, requests, request)

    @property
    def _zone(self) -> tzinfo:
        return zone_of(self._report.timezone) or UTC

    def _ask(self, reading: Reading, requests: Requests, request: Pending) -> Outcome | Split:
        """Make a request that is in STATE."""
        account = self.account
        requests.put(request, account.client.clock)
        values = {
            "emails": list(self._report.emails),
            "from": self._report.from_,
            "timezone": request.zone,
            "id": request.ident,
        }
        body = {name: values[part] for part, name in self._report.body_keys.used().items()}
        method = self._report.method
        url = f"{account.base_url}/{self.settings.export_path.lstrip('/')}"
        query = windows.query(self.settings, reading.window)
        try:
            account.client.send(
                HTTPRequest(url, method, params=query, data=body), reading.meter, as_json=True, any_body=True
            )
        except VendorError as error:
            requests.drop(request.ident)
            if not isinstance(error, TooMuch):
                raise
            return windows.narrowed(reading, str(error))
        return self._wait(reading, requests, requests.confirm(request))

    def _wait(self, reading: Reading, requests: Requests, request: Pending) -> Outcome:
        clock = self.account.client.clock
        deadline = request.asked + timedelta(minutes=self._report.wait_minutes)
        pause = _FIRST_WAIT
        while True:
            reading.meter.check()
            left = (deadline - clock.now()).total_seconds()
            look = self.collector.look(request, requests, self._rivals, thorough=left <= 0)
            if look.report is not None:
                return self._outcome(reading, requests, request, look.report)
            if left <= 0:
                return self._not_come(requests, request, look)
            clock.wait(min(pause, left))
            pause = min(pause * _GROWTH, _LONGEST_WAIT)

    def _not_come(self, requests: Requests, request: Pending, look: Look) -> Outcome:
        if look.broken is not None:
            requests.drop(request.ident)
            raise BrokenFile(f"the report came, but {look.broken}", "the next run asks for the report anew")
        age = self.account.client.clock.now() - request.asked
        asked = f"the report asked for at {timestamps.seconds(request.asked)} (id {request.ident})"
        if age > LIFE:
            requests.drop(request.ident)
            raise ReadError(
                f"{asked} has not come within {LIFE.days} days{look.told()}",
                "see whether the mails sent to report.emails arrive where the tap looks for them; the next run asks "
                "for the report anew",
            )
        return Outcome(status="pending", reason=f"{asked} has not come yet{look.told()}")

    # Its rows.

    def _outcome(self, reading: Reading, requests: Requests, request: Pending, report: Report) -> Outcome:
        reader = copy.copy(self)
        reader.zone = zone_of(request.zone) or UTC

        def committed() -> None:
            if self._report.trusted_sender:
                requests.use(report.mail)
            requests.drop(request.ident)

        return Outcome(
            reader.each_record(reader.own_rows(reading.window, report.rows)), as_of=request.asked, on_commit=committed
        )

    def own_rows(self, window: Window, rows: _Rows) -> _Rows:
        """Leave out what is a neighbour's; a row of the margin stays where its mail has another row inside.

        The rows of a mail are numbered together, so no window may show a part of them.
        """

        def is_inside(row: Mapping[str, Any]) -> bool:
            return belongs(dates_of(row, self.zone), window)

        beside = {self.mail_of(row) for row in rows() if not is_inside(row)}
        if not beside:
            return rows
        kept = {mail for row in rows() if is_inside(row) and (mail := self.mail_of(row)) in beside}
        return lambda: (row for row in rows() if is_inside(row) or self.mail_of(row) in kept)

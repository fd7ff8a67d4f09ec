"""Reads windows of `messangi_message_reports`: asks for a report by API, and collects it from where its mail arrives.

https://docs.messangi.com/reference/exportmlog-2
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from singer_sdk.streams.rest import HTTPRequest

from tap_emaillogs.engine.reader import Reader
from tap_emaillogs.engine.reading import Outcome, Sample, Split
from tap_emaillogs.files.archives import BrokenFile, TooLong
from tap_emaillogs.formats import timestamps
from tap_emaillogs.formats.values import json_text
from tap_emaillogs.http.activity import Wait
from tap_emaillogs.http.answers import decode_any
from tap_emaillogs.http.errors import ReadError, TooMuch, VendorError
from tap_emaillogs.http.retries import waits
from tap_emaillogs.providers.messangi import candidates
from tap_emaillogs.providers.messangi.collect import Collector
from tap_emaillogs.providers.messangi.folder import Folder
from tap_emaillogs.providers.messangi.mailbox import ImapMailbox, MailboxDown
from tap_emaillogs.providers.messangi.pending import CONFIRMATION, LIFE, Pending, Requests
from tap_emaillogs.providers.messangi.query import query_of
from tap_emaillogs.providers.messangi.settings import zone_of, zone_text
from tap_emaillogs.providers.messangi.trust import Trust
from tap_emaillogs.streams.records import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from tap_emaillogs.engine.notes import Notes
    from tap_emaillogs.engine.reading import Reading
    from tap_emaillogs.providers.messangi.look import Look, Report, Source
    from tap_emaillogs.providers.messangi.reports import MessageReports
    from tap_emaillogs.providers.messangi.settings import ReportSettings
    from tap_emaillogs.streams.window import Window

    _Rows = Callable[[], Iterable[Mapping[str, Any]]]
    """Returns the same rows whenever it is called."""

_FIRST_WAIT, _GROWTH, _LONGEST_WAIT = 2.0, 1.5, 60.0
"""Seconds between two looks into the mailbox."""
_REPORTS_IN_FLIGHT = 8
_TRIES = 3
"""So often the mailbox is tried, however little time is left."""
_T = TypeVar("_T")


class ReportReader(Reader):
    """Reads windows by asking for a report and waiting for its mail.

    The request is in STATE before it is made; the report may come in this run, or in a later one, which then reads
    just the window that was asked for.
    """

    stream: MessageReports

    def __init__(self, stream: MessageReports) -> None:
        super().__init__(stream)
        report, client = self._report, self.account.client
        mailbox, logger = report.mailbox, self.logger
        source: Source = ImapMailbox(mailbox, client.clock, client.timeout) if mailbox else Folder(report.directory)
        trust = Trust(report.trusted_sender, report.authserv_id)
        self._collector = Collector(source, trust, client.redact, self._known_columns(), logger)
        self._is_told = False

    def windows_in_flight(self) -> int:
        """Return how many reports are waited for at the same time: waiting costs neither side anything."""
        return max(_REPORTS_IN_FLIGHT, super().windows_in_flight())

    def pinned(self, notes: Notes) -> list[Window]:
        """Return the windows whose reports are under way."""
        requests = Requests(notes)
        # What was asked with other filters answers another question.
        requests.replace(lambda request: request.filters != self._asked_with)
        self._register(requests)
        return [request.window for request in requests.all()]

    def least_requests(self, rows: int, windows: int) -> int:  # noqa: ARG002 - a report has any number of rows
        """Return how many requests it takes to ask for a report each."""
        return windows

    def _known_columns(self) -> frozenset[str]:
        """Return the columns by which a table is recognised as a report."""
        stream = self.stream
        own = (given.get(stream.name, ()) for given in (stream.settings.columns, stream.settings.reference))
        return candidates.known_columns([*stream.normalise.declared, *(name for names in own for name in names)])

    @property
    def _asked_with(self) -> str:
        return digest(json_text(self.stream.filters()).encode())

    @property
    def _report(self) -> ReportSettings:
        return self.stream.report

    def _register(self, requests: Requests) -> None:
        known = self.stream.mailboxes.setdefault(self._collector.source.identity, [])
        if all(requests.notes is not other.notes for other in known):
            known.append(requests)

    def _rivals(self) -> Iterator[Pending]:
        """Yield all requests whose reports come to this mailbox, those of other accounts included."""
        for requests in list(self.stream.mailboxes[self._collector.source.identity]):
            yield from requests.all()

    def sample(self, reading: Reading) -> Sample:  # noqa: ARG002 - no report is asked for
        """Open the place that reports come to."""
        self._collector.check()
        opened = "the mailbox or directory opens; no report is asked for, since that would send a mail"
        return Sample(authorised=None, note=opened)

    # Reading a window.

    def read(self, reading: Reading) -> Outcome | Split:
        """Ask for the window's report unless that was done before, and wait for it."""
        if self.is_too_long(reading.window):
            return Split(self.halves(reading.window))
        self._tell_of_trust()
        requests = Requests(reading.context.notes)
        self._register(requests)
        request = requests.of(reading.window)
        if request is not None and not request.made and self.now() - request.asked >= CONFIRMATION:
            look = self._look(reading, request, requests, until=self.now())
            if look.report is not None:
                return self._outcome(reading, requests, request, look.report)
            request = Pending(request.ident, request.window, self.now(), zone_text(self.stream.zone), request.filters)
            return self._ask(reading, requests, request)
        if request is None:
            # Before anything is asked for that could not be collected.
            self._persistently(reading, self._collector.check, until=self.now())
            request = Pending.new(reading.window, self.now(), zone_text(self.stream.zone), self._asked_with)
            return self._ask(reading, requests, request)
        return self._wait(reading, requests, request)

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
        url = f"{account.base_url}/{self.stream.settings.export_path.lstrip('/')}"
        query = query_of(self.stream.settings, reading.window)
        try:
            account.client.send(
                HTTPRequest(url, method, params=query, data=body), reading.meter, as_json=True, decode=_taken
            )
        except VendorError as error:
            requests.drop(request)
            if not isinstance(error, TooMuch):
                raise
            return self.narrowed(reading, str(error))
        return self._wait(reading, requests, requests.confirm(request))

    def _wait(self, reading: Reading, requests: Requests, request: Pending) -> Outcome | Split:
        clock = self.account.client.clock
        deadline = request.asked + timedelta(minutes=self._report.wait_minutes)
        pause = _FIRST_WAIT
        while True:
            reading.meter.check()
            look = self._look(reading, request, requests, until=deadline)
            if look.report is not None:
                return self._outcome(reading, requests, request, look.report)
            if look.thorough:
                return self._not_come(reading, requests, request, look)
            left = max(0.0, (deadline - self.now()).total_seconds())
            reading.context.activity.wait(clock, min(pause, left), Wait.MAIL)
            pause = min(pause * _GROWTH, _LONGEST_WAIT)

    def _look(self, reading: Reading, request: Pending, requests: Requests, *, until: datetime) -> Look:
        """Look for the report; the look that comes when the waiting is over is a thorough one."""
        return self._persistently(
            reading,
            lambda: self._collector.look(request, requests, self._rivals, thorough=self.now() >= until),
            until=until,
        )

    def _persistently(self, reading: Reading, use: Callable[[], _T], *, until: datetime) -> _T:
        """Use the mailbox; where that is down, try again until then, and some times in any case.

        Raises:
            MailboxDown: It stays so.
        """
        for tries, wait in enumerate(waits(), 1):
            try:
                return use()
            except MailboxDown as error:
                if tries >= _TRIES and self.now() >= until:
                    raise error.after(tries) from error
                self.logger.warning(
                    "%s, %s: %s; try %d follows in %.1f s", self.account.client.label, reading, error, tries + 1, wait
                )
                reading.context.activity.wait(self.account.client.clock, wait, Wait.RETRY)
        raise AssertionError  # pragma: no cover - waits() does not end

    def _tell_of_trust(self) -> None:
        """Say once in a run on whose word mails are believed."""
        if self._report.trusted_sender and not self._report.authserv_id and not self._is_told:
            self.logger.warning(
                "%s: a mail counts as the one of report.trusted_sender by its From line alone, which anybody can "
                "write: set report.authserv_id to the name under which your mail server writes what it found "
                "(Authentication-Results)",
                self.account.client.label,
            )
        self._is_told = True

    def _not_come(self, reading: Reading, requests: Requests, request: Pending, look: Look) -> Outcome | Split:
        if isinstance(look.broken, TooLong):
            requests.drop(request)
            return self.narrowed(reading, f"the report came, but {look.broken}")
        if look.broken is not None:
            requests.drop(request)
            raise BrokenFile(f"the report came, but {look.broken}", "the next run asks for the report anew")
        age = self.now() - request.asked
        asked = f"the report asked for at {timestamps.seconds(request.asked)} (id {request.ident})"
        if age > LIFE:
            requests.drop(request)
            raise ReadError(
                f"{asked} has not come within {LIFE.days} days{look.told()}",
                "see whether the mails sent to report.emails arrive where the tap looks for them; the next run asks "
                "for the report anew",
            )
        return Outcome(status="pending", reason=f"{asked} has not come yet{look.told()}")

    def _outcome(self, reading: Reading, requests: Requests, request: Pending, report: Report) -> Outcome:
        stream = self.stream.for_account(self.account)
        stream.zone = zone_of(request.zone) or UTC  # as it was asked for, maybe with other settings

        def committed() -> None:
            if self._report.trusted_sender:
                requests.use(report.mail)
            requests.drop(request)

        try:
            rows = stream.own_rows(reading.window, report.rows)
        except BaseException:
            report.close()
            raise
        return Outcome(stream.each_record(rows), as_of=request.asked, on_commit=committed, close=report.close)


def _taken(body: bytes) -> Any:
    """Read what is said to a request that was taken, of which no page tells the form.

    Raises:
        ValueError: It is a page of HTML: something in between answers, and no report is on its way.
    """
    if body.lstrip()[:1] == b"<":
        raise ValueError("a page of HTML")
    return decode_any(body)

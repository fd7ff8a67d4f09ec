"""Which mail is whose report.

A mail belongs to a request when the request's id stands in its subject, body or file name. Where a sender is trusted,
a mail of its may do without: when it came after the request, every date in its table lies in the request's window, and
no other pending request of whoever reads this mailbox fits as well. Anything else is left alone, and named where it
might be the one.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from tap_emaillogs.archives import BrokenFile
from tap_emaillogs.providers.messangi.moments import dates_of
from tap_emaillogs.providers.messangi.settings import zone_of
from tap_emaillogs.tabular import Table, open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import tzinfo

    from tap_emaillogs.providers.messangi.mails import Mail
    from tap_emaillogs.providers.messangi.pending import Pending, Requests

_SKEW = timedelta(minutes=5)
"""So far the clocks of here and of the mail's sender may differ."""
_LATEST = 100
"""So many mails are searched for one that might be the report."""
_MOST_NAMED = 3


class View(Protocol):
    """A place where reports arrive, open for one look; mails come the newest first."""

    def holding(self, ident: str, since: datetime) -> Iterator[Mail]:
        """Yield mails in which `ident` stands, as far as the place can tell."""

    def from_sender(self, sender: str, since: datetime) -> Iterator[Mail]:
        """Yield mails that seem to come from an address or domain."""

    def latest(self, since: datetime, most: int) -> Iterator[Mail]:
        """Yield the latest mails that may hold a table."""


class Source(Protocol):
    """Where reports arrive."""

    @property
    def identity(self) -> tuple[Any, ...]:
        """What two accounts have in common that look into the same place."""

    def opened(self) -> AbstractContextManager[View]:
        """Open it for one look; raises ReadError where it cannot be read."""


@dataclass(frozen=True)
class Report:
    """A report that was found."""

    mail: str
    """Key of the mail that brought it."""
    tables: tuple[Table, ...]

    def rows(self) -> Iterator[dict[str, str]]:
        """Yield its rows."""
        for table in self.tables:
            yield from table.rows()


@dataclass
class Look:
    """What one look into the mailbox found for a request."""

    report: Report | None = None
    clues: list[str] = field(default_factory=list)
    """Mails that might be the one, and why they are not taken."""
    broken: BrokenFile | None = None
    """What is wrong with a report that came."""

    def told(self) -> str:
        """Return the clues as the end of a sentence."""
        more = len(self.clues) - _MOST_NAMED
        return "".join(f"; {clue}" for clue in self.clues[:_MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")


class Collector:
    """Looks for the reports of one account; one look at a time."""

    def __init__(self, source: Source, trusted: str | None, redact: Callable[[str], str]) -> None:
        self.source = source
        self._trusted, self._redact = trusted, redact
        self._lock = threading.Lock()

    def check(self) -> None:
        """See whether there is a mailbox to look into at all.

        Raises:
            ReadError: There is not.
        """
        with self._lock, self.source.opened():
            pass

    def look(
        self, request: Pending, requests: Requests, rivals: Callable[[], Iterable[Pending]], *, thorough: bool
    ) -> Look:
        """Look for one report; when `thorough`, also at mails that do not show at first sight what they are.

        Raises:
            ReadError: The mailbox cannot be read.
        """
        look = Look()
        with self._lock, self.source.opened() as view:
            seen: set[str] = set()
            for mail in self._candidates(view, request, thorough=thorough):
                if mail.key in seen:
                    continue
                seen.add(mail.key)
                if mail.holds(request.ident):
                    self._open(mail, look)
                elif not requests.used(mail.key):
                    self._weigh(mail, request, list(rivals()), look)
                if look.report is not None:
                    break
        return look

    def _candidates(self, view: View, request: Pending, *, thorough: bool) -> Iterator[Mail]:
        since = request.asked - _SKEW
        yield from view.holding(request.ident, since)
        if self._trusted:
            yield from view.from_sender(self._trusted, since)
        if thorough:
            yield from view.latest(since, _LATEST)

    def _open(self, mail: Mail, look: Look) -> None:
        """Take a mail that holds the request's id."""
        try:
            tables = _tables(mail)
        except BrokenFile as error:
            look.broken = error
            return
        if tables:
            look.report = Report(mail.key, tables)
        else:
            look.clues.append(
                f"{mail.shown(self._redact)} holds the request's id but no .csv, .csv.gz or .zip file (links in a mail "
                "are never followed)"
            )

    def _weigh(self, mail: Mail, request: Pending, pending: list[Pending], look: Look) -> None:
        """Take a mail without an id if its sender is trusted and it fits; name it where it might be the one."""
        since = request.asked - _SKEW
        if any(mail.holds(other.ident) for other in pending) or not (mail.name or mail.after(since)):
            return
        try:
            tables = _tables(mail)
        except BrokenFile:
            return
        if not tables or not _fits(tables, request):
            return
        shown = f"{mail.shown(self._redact)} holds a table of this span, but not the id {request.ident}"
        if mail.name:
            look.clues.append(f"{shown}: if it is the report, rename it so that its name holds the id")
        elif not self._trusted or not mail.is_from(self._trusted):
            look.clues.append(
                f"{shown}: if it is the report, set messangi.report.trusted_sender to the address it came from"
            )
        elif any(other != request and mail.after(other.asked - _SKEW) and _fits(tables, other) for other in pending):
            look.clues.append(f"{shown}, and more than one pending request fits it")
        else:
            look.report = Report(mail.key, tables)


def _tables(mail: Mail) -> tuple[Table, ...]:
    # What a mail holds is whole, or else the mail would not have come.
    return tuple(open_table(io.BytesIO(content), announced=len(content)) for content in mail.files())


def _fits(tables: Iterable[Table], request: Pending) -> bool:
    """Whether a table has dates, and all of them lie in the request's window."""
    zone: tzinfo | None = zone_of(request.zone)
    assert zone is not None
    dated = False
    for table in tables:
        for row in table.rows():
            own = dates_of(row, zone).own
            if own is None:
                continue
            dated = True
            if not request.window.start - own.grain <= own.at <= request.window.end:
                return False
    return dated

"""Which mail is whose report.

A mail belongs to a request when the request's id stands in its subject, body or file name, and its table answers the
request (`candidates`): others may quote the id. Where a sender is trusted, a mail of its may do without the id: when it
came after the request, every date in its table lies in the request's window, and no other pending request of whoever
reads this mailbox fits as well. Anything else is left alone, and named where it might be the one.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from tap_emaillogs.providers.messangi.candidates import (
    Candidate,
    best,
    is_doubtful,
    judged,
    open_candidate,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from tap_emaillogs.files.archives import BrokenFile
    from tap_emaillogs.files.tables import Table
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

    def __init__(
        self, source: Source, trusted: str | None, redact: Callable[[str], str], known: frozenset[str]
    ) -> None:
        self.source = source
        self._trusted, self._redact, self._known = trusted, redact, known
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
            since = request.asked - _SKEW
            found = [self._examined(mail, request, look) for mail in _new(view.holding(request.ident, since), seen)]
            self._choose(found, look, thorough=thorough)
            for mail in _new(self._others(view, since, thorough=thorough), seen):
                if look.report is not None:
                    break
                if mail.holds(request.ident):  # where a mail server does not find it
                    self._choose([self._examined(mail, request, look)], look, thorough=thorough)
                elif not requests.used(mail.key):
                    self._weigh(mail, request, list(rivals()), look)
        return look

    def _others(self, view: View, since: datetime, *, thorough: bool) -> Iterator[Mail]:
        if self._trusted:
            yield from view.from_sender(self._trusted, since)
        if thorough:
            yield from view.latest(since, _LATEST)

    def _examined(self, mail: Mail, request: Pending, look: Look) -> Candidate:
        """Read a mail that holds the request's id, and note why it is not the answer."""
        if not mail.holds(request.ident):  # a mail server may compare in its own way
            return Candidate(mail)
        candidate = open_candidate(mail, request, self._known)
        shown = f"{mail.shown(self._redact)} holds the request's id"
        if candidate.broken is not None:
            look.broken = candidate.broken
        elif not candidate.judgements:
            look.clues.append(f"{shown} but no .csv, .csv.gz or .zip file (links in a mail are never followed)")
        else:
            look.clues.extend(f"{shown}, but its table {refusal}" for refusal in candidate.refusals)
        return candidate

    def _choose(self, candidates: Iterable[Candidate], look: Look, *, thorough: bool) -> None:
        """Take the best of the mails that hold the request's id.

        A reply is taken only where dates prove it and nothing else came in all the time that the run waits.
        """
        usable = []
        for candidate in candidates:
            if is_doubtful(candidate, self._trusted) and not (thorough and candidate.dated):
                if candidate.tables:
                    shown = candidate.mail.shown(self._redact)
                    look.clues.append(
                        f"{shown} holds the request's id, but it is a reply, and its table proves nothing"
                    )
            else:
                usable.append(candidate)
        chosen = best(usable, self._trusted)
        if chosen is not None:
            look.report = Report(chosen.mail.key, chosen.tables)

    def _weigh(self, mail: Mail, request: Pending, pending: list[Pending], look: Look) -> None:
        """Take a mail without an id if its sender is trusted and it fits; name it where it might be the one."""
        since = request.asked - _SKEW
        if any(mail.holds(other.ident) for other in pending) or not (mail.name or mail.after(since)):
            return
        candidate = open_candidate(mail, request, self._known)
        if not candidate.dated or not candidate.tables:
            return
        shown = f"{mail.shown(self._redact)} holds a table of this span, but not the id {request.ident}"
        if mail.name:
            look.clues.append(f"{shown}: if it is the report, rename it so that its name holds the id")
        elif not self._trusted or not mail.is_from(self._trusted):
            look.clues.append(
                f"{shown}: if it is the report, set messangi.report.trusted_sender to the address it came from"
            )
        elif any(
            other != request and mail.after(other.asked - _SKEW) and self._fits(candidate, other) for other in pending
        ):
            look.clues.append(f"{shown}, and more than one pending request fits it")
        else:
            look.report = Report(mail.key, candidate.tables)

    def _fits(self, candidate: Candidate, request: Pending) -> bool:
        return any(judged(table, request, self._known).dated for table in candidate.tables)


def _new(mails: Iterable[Mail], seen: set[str]) -> Iterator[Mail]:
    """Yield the mails that were not seen before."""
    for mail in mails:
        if mail.key not in seen:
            seen.add(mail.key)
            yield mail

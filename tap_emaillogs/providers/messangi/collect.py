"""Which mail is whose report.

A mail belongs to a request when the request's id stands in its subject, body or file name, and its table answers the
request (`candidates`): others may quote the id. Where a sender is trusted (`trust`), a mail of its may do without the
id: when it came after the request, every date in its table lies in the request's window, and no other pending request
of whoever reads this mailbox fits as well. Anything else is left alone, and named where it might be the one; to see
that, the first rows of its tables are glanced at, for anybody may send it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tap_emaillogs.files.archives import BrokenFile
from tap_emaillogs.providers.messangi.candidates import (
    Candidate,
    best,
    is_doubtful,
    judged,
    open_candidate,
)
from tap_emaillogs.providers.messangi.look import MOST_NAMED, Look, Report

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator

    from tap_emaillogs.providers.messangi.look import Source, View
    from tap_emaillogs.providers.messangi.mails import Mail
    from tap_emaillogs.providers.messangi.pending import Pending, Requests
    from tap_emaillogs.providers.messangi.trust import Trust

_SKEW = timedelta(minutes=5)
"""So far the clocks of here and of the mail's sender may differ."""
_MOST_EXAMINED = 50
"""So many mails with the id are read in one look, the newest."""
_MOST_GLANCES = 100
_PATIENCE_WITH_IDS, _PATIENCE = 300.0, 60.0
"""Seconds that reading mails with the id, and mails without it, may take in one look."""


class Collector:
    """Looks for the reports of one account; one look at a time."""

    def __init__(
        self, source: Source, trust: Trust, redact: Callable[[str], str], known: frozenset[str], logger: logging.Logger
    ) -> None:
        self.source = source
        self._trust, self._redact, self._known, self._logger = trust, redact, known, logger
        self._lock = threading.Lock()
        self._warned: set[str] = set()
        self._unfit: set[tuple[str, str]] = set()
        """Requests and mails without an id that do not fit them."""

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
        look = Look(thorough)
        with self._lock, contextlib.ExitStack() as stack:
            stack.callback(look.close_others)
            view = stack.enter_context(self.source.opened())
            seen: set[str] = set()
            since = request.asked - _SKEW
            found = self._holders(view, view.holding(request.ident, since), seen, request, look)
            self._choose(found, look)
            if look.report is not None:
                return look
            others = list(self._new(view.all(since, thorough=thorough), seen))
            # Where the mail server does not find it.
            found += self._holders(view, others, set(), request, look)
            self._choose(found, look)
            if look.report is None:
                self._weigh([mail for mail in others if not requests.used(mail.key)], view, request, rivals, look)
            if view.unseen:
                look.clues.append(
                    f"{view.unseen} mails could not be looked at in time: have the reports delivered into a folder of "
                    "their own (report.mailbox.folder)"
                )
        return look

    def _new(self, mails: Iterable[Mail], seen: set[str]) -> Iterator[Mail]:
        """Yield the mails that were not seen before and can be read; warn of the others, once in a run."""
        for mail in mails:
            if mail.place in seen:
                continue
            seen.add(mail.place)
            if not mail.unreadable:
                yield mail
            elif mail.place not in self._warned:
                self._warned.add(mail.place)
                if len(self._warned) <= MOST_NAMED:
                    self._logger.warning("%s is left alone: %s", mail.shown(self._redact), mail.unreadable)
                elif len(self._warned) == MOST_NAMED + 1:
                    self._logger.warning("more mails that cannot be read are left alone without a word")

    def _holders(
        self, view: View, mails: Iterable[Mail], seen: set[str], request: Pending, look: Look
    ) -> list[Candidate]:
        """Read the mails that hold the request's id; where they are too many, the likeliest."""
        holders = [mail for mail in self._new(mails, seen) if mail.holds(request.ident)]
        holders.sort(key=lambda mail: (not self._trust.allows(mail), not mail.has_tables, mail.is_reply))
        end = time.monotonic() + _PATIENCE_WITH_IDS
        found = [
            self._examined(view, mail, request, look) for mail in holders[:_MOST_EXAMINED] if time.monotonic() < end
        ]
        if len(found) < len(holders):
            look.clues.append(f"of {len(holders)} mails that hold the request's id only {len(found)} were looked at")
        return found

    def _opened(self, view: View, mail: Mail, request: Pending, look: Look, *, glance: bool = False) -> Candidate:
        try:
            candidate = open_candidate(mail, view.tables(mail), request, self._known, glance=glance)
        except BrokenFile as error:
            return Candidate(mail, broken=error)
        look.opened.append(candidate)
        return candidate

    def _examined(self, view: View, mail: Mail, request: Pending, look: Look) -> Candidate:
        """Read a mail that holds the request's id, and note why it is not the answer."""
        candidate = self._opened(view, mail, request, look)
        shown = f"{mail.shown(self._redact)} holds the request's id"
        if candidate.broken is not None:
            look.broken = candidate.broken
        elif not candidate.judgements:
            look.clues.append(f"{shown} but no .csv, .csv.gz or .zip file (links in a mail are never followed)")
        else:
            look.clues.extend(f"{shown}, but its table {refusal}" for refusal in candidate.refusals)
        return candidate

    def _choose(self, candidates: Iterable[Candidate], look: Look) -> None:
        """Take the best of the mails that hold the request's id.

        A reply is taken only where dates prove it and nothing else came in all the time that the run waits.
        """
        usable = []
        for candidate in candidates:
            if is_doubtful(candidate, self._trust) and not (look.thorough and candidate.dated):
                if candidate.tables:
                    shown = candidate.mail.shown(self._redact)
                    look.clues.append(
                        f"{shown} holds the request's id, but it is a reply, and its table proves nothing"
                    )
            else:
                usable.append(candidate)
        chosen = best(usable, self._trust)
        if chosen is not None:
            look.report = Report(chosen)

    def _weigh(
        self, mails: Iterable[Mail], view: View, request: Pending, rivals: Callable[[], Iterable[Pending]], look: Look
    ) -> None:
        """Take a mail without an id if its sender is trusted and it fits; name those that might be the one."""
        since = request.asked - _SKEW
        pending = list(rivals())
        end = time.monotonic() + _PATIENCE
        strange = []
        for mail in mails:
            if any(mail.holds(other.ident) for other in pending) or not mail.has_tables:
                continue
            if not mail.name and mail.after(since) and self._trust.allows(mail):
                if (request.ident, mail.place) in self._unfit or time.monotonic() > end:
                    continue
                if (report := self._trusted(view, mail, request, pending, look)) is not None:
                    look.report = report
                    return
            elif mail.name or mail.after(since):
                strange.append(mail)
        for mail in strange[: _MOST_GLANCES if look.thorough else 0]:
            if time.monotonic() < end:
                self._hint(self._opened(view, mail, request, look, glance=True), request, look)

    def _trusted(
        self, view: View, mail: Mail, request: Pending, pending: Iterable[Pending], look: Look
    ) -> Report | None:
        """Take the mail of a trusted sender, if it fits this request and no other."""
        candidate = self._opened(view, mail, request, look)
        shown = mail.shown(self._redact)
        if not candidate.dated or not candidate.tables:
            self._unfit.add((request.ident, mail.place))
            return None
        if any(
            not other.is_like(request) and mail.after(other.asked - _SKEW) and self._fits(candidate, other)
            for other in pending
        ):
            look.clues.append(
                f"{shown} holds a table of this span, but not the id {request.ident}, and more than one pending "
                "request fits it"
            )
            return None
        self._logger.info(
            "%s is taken for the report %s, which it does not name: it is from trusted_sender%s, and its dates fit",
            *(shown, request.ident, ", for which the mail server vouches" if self._trust.authserv_id else ""),
        )
        return Report(candidate)

    def _hint(self, candidate: Candidate, request: Pending, look: Look) -> None:
        """Name a mail of somebody who is not trusted, where it might be the report."""
        if not candidate.dated or not candidate.tables:
            return
        mail = candidate.mail
        shown = f"{mail.shown(self._redact)} holds a table of this span, but not the id {request.ident}"
        if mail.name:
            look.clues.append(f"{shown}: if it is the report, rename it so that its name holds the id")
        elif self._trust.is_named(mail):
            look.clues.append(
                f"{shown}, and the mail server of report.authserv_id does not vouch for its sender, who is trusted"
            )
        else:
            look.clues.append(
                f"{shown}: if it is the report, set messangi.report.trusted_sender to the address it came from"
            )

    def _fits(self, candidate: Candidate, request: Pending) -> bool:
        return any(judged(table, request, self._known).dated for table in candidate.tables)

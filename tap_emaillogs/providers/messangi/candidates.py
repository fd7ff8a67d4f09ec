"""Whether a table answers a request for a report, and which of several mails that hold one is the best.

A table that nobody understands is no answer, whatever mail it came in: it must have a column that is known or holds
dates, and its rows must lie in the time that was asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_emaillogs.files.archives import BrokenFile, Limits
from tap_emaillogs.files.tables import Table, open_table
from tap_emaillogs.providers.messangi.mapping import COLUMNS, WHOSE
from tap_emaillogs.providers.messangi.moments import MESSAGE_DATES, STATUS_DATES, dates_of, plain
from tap_emaillogs.providers.messangi.query import MARGIN
from tap_emaillogs.providers.messangi.settings import zone_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tap_emaillogs.providers.messangi.mails import Attachment, Mail
    from tap_emaillogs.providers.messangi.moments import Moment
    from tap_emaillogs.providers.messangi.pending import Pending
    from tap_emaillogs.providers.messangi.trust import Trust

_FORWARD = re.compile(r"\s*(?:fwd?|rv|wg|enc|tr|i)\s*:", re.IGNORECASE)
_REPLY = re.compile(r"\s*(?:re|aw|sv|antw|res|rta|odp)\s*(?:\[\d+\]\s*)?:", re.IGNORECASE)
_KNOWN_WITHOUT_DATES = 2
"""So many columns must be known where no date shows that it is the one; of rows, one must tell whose they are."""
_ORIGINAL, _FORWARDED, _REPLIED = 2, 1, 0
_LIMITS = Limits(
    unpacked=256 << 20,
    ratio=100,
    harmless=3 << 20,  # less than `rows` take, so that a bomb of rows is known for one
    members=20,
    columns=500,
    name=200,
    row=256 << 10,
    rows=2_000_000,
)
"""What all files of a mail may hold: what is longer is asked for in parts, what is no report is refused."""
_GLANCE = 200
"""So many rows show whether a stranger's table might be the report."""


def known_columns(names: Iterable[str]) -> frozenset[str]:
    """Return the columns that mean something to the tap, `names` among them, as `moments.plain` writes them."""
    return frozenset(map(plain, names)) | COLUMNS | frozenset((*MESSAGE_DATES, *STATUS_DATES))


@dataclass(frozen=True)
class Judgement:
    """What one table is worth as the answer to a request."""

    table: Table
    refusal: str = ""
    """Why it is none, in words that hold nothing of it; empty: it may be the one."""
    dated: bool = False
    """Whether it has rows with a date, which then lie in the time asked for."""


@dataclass(frozen=True)
class Candidate:
    """A mail and what is in it."""

    mail: Mail
    judgements: tuple[Judgement, ...] = ()
    broken: BrokenFile | None = None
    """What is wrong with a file in it: then the rest may be a part of the whole."""
    files: tuple[Attachment, ...] = ()
    """What the tables are read from."""

    def close(self) -> None:
        """Free the files."""
        for one in self.files:
            one.close()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that may be the answer; none where the mail is not the one."""
        return () if self.broken else tuple(one.table for one in self.judgements if not one.refusal)

    @property
    def dated(self) -> bool:
        """Whether dates show that it answers the request."""
        return any(one.dated for one in self.judgements if not one.refusal)

    @property
    def refusals(self) -> list[str]:
        """Why tables in it are no answer."""
        return [one.refusal for one in self.judgements if one.refusal]

    @property
    def rows(self) -> int:
        """How many rows the answer has."""
        return sum(table.count for table in self.tables)


def open_candidate(
    mail: Mail, files: Sequence[Attachment], request: Pending, known: frozenset[str], *, glance: bool = False
) -> Candidate:
    """Read the tables of a mail and judge each; at a `glance`, by its first rows.

    The files are the candidate's to close.
    """
    judgements: list[Judgement] = []
    broken = None
    assert _LIMITS.rows is not None
    parts = max(1, len(files))
    limits = replace(_LIMITS, unpacked=_LIMITS.unpacked // parts, rows=_LIMITS.rows // parts)
    for one in files:
        try:
            # What a mail holds is whole, or else the mail would not have come; where it was cut itself, its last
            # boundary is missing.
            opened = open_table(
                one.file,
                announced=one.size if one.closed else None,
                limits=limits,
                most=_GLANCE if glance else None,
            )
            judgements.extend(judged(table, request, known) for table in opened.parts())
        except BrokenFile as error:
            broken = error
            break
    return Candidate(mail, tuple(judgements), broken, tuple(files))


def judged(table: Table, request: Pending, known: frozenset[str]) -> Judgement:
    """Decide whether a table may be the answer to a request."""
    if not table.columns:
        return Judgement(table, "is empty, without even a header")
    zone = zone_of(request.zone)
    assert zone is not None
    dated = 0
    outside = {"message": 0, "status": 0}
    for row in table.rows():
        dates = dates_of(row, zone)
        if dates.own is None:
            continue
        dated += 1
        # Which of the two dates the vendor filters by is unknown.
        outside["message"] += not _is_asked_for(dates.own, request)
        outside["status"] += not _is_asked_for(dates.status or dates.own, request)
    names = {plain(column) for column in table.columns}
    too_few = len(names & known) < _KNOWN_WITHOUT_DATES or (table.count and names.isdisjoint(WHOSE))
    if not dated and too_few:
        return Judgement(
            table,
            f"has {len(table.columns)} column(s), of which none holds dates and too few are known to call it a report",
        )
    if beyond := min(outside.values()):
        return Judgement(
            table,
            f"has {beyond} of {table.count} rows outside of the time that was asked for (if it is the report, "
            "report.timezone may not be the zone it was written in)",
        )
    return Judgement(table, dated=bool(dated))


def _is_asked_for(moment: Moment, request: Pending) -> bool:
    margin = MARGIN + moment.grain  # a time may be rounded, either way
    return request.window.start - margin <= moment.at <= request.window.end + margin


def _kind(mail: Mail) -> int:
    if _FORWARD.match(mail.subject):
        return _FORWARDED
    return _REPLIED if mail.is_reply or _REPLY.match(mail.subject) else _ORIGINAL


def is_doubtful(candidate: Candidate, trust: Trust) -> bool:
    """Whether somebody else may have written it: a reply that quotes the request's id."""
    return _kind(candidate.mail) == _REPLIED and not trust.allows(candidate.mail)


def best(candidates: Iterable[Candidate], trust: Trust) -> Candidate | None:
    """Return the best answer: the trusted sender's; what dates show to be it; originals before forwarded; the longest.

    `candidates` come the newest first; of two as good the newer one is taken, since it knows more.
    """

    def rank(candidate: Candidate) -> tuple[bool, bool, int, int]:
        mail = candidate.mail
        return trust.allows(mail), candidate.dated, _kind(mail), candidate.rows

    return max((one for one in candidates if one.tables), key=rank, default=None)

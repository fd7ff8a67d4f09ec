"""Whether an export answers its question: what the vendor says it understood, and the dates of its rows.

The vendor documents neither the form of dates in requests nor the zone they are in, so a job may hold other days than
were asked for. Both signs are compared with the question; what is not understood proves nothing either way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tap_emaillogs.files.jobboard import JobFailed
from tap_emaillogs.formats import dates
from tap_emaillogs.formats.names import snake_case
from tap_emaillogs.providers.zeptomail import dateform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import tzinfo

    from tap_emaillogs.streams.window import Window

EDGES = ("date_from", "date_to")
_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_SLACK = timedelta(minutes=15)
"""The vendor may place a row by another of its dates than the file shows: handed over, delivered."""
_MANY = 100
"""Of so many rows one may be far from what was asked for: an odd row, not another answer."""
HINT = (
    "set export_date_format to the form of dates that the vendor understands, such as DD/MM/YYYY, hh:mm AM/PM or "
    "19/02/2025;10 AM, and timezone to the zone of the vendor's times"
)


class WrongAnswer(JobFailed):
    """An export holds something else than was asked for."""

    hint = HINT


@dataclass(frozen=True)
class Question:
    """What one request asks for.

    Attributes:
        window: What is wanted.
        start: The first time asked for, as a clock in `zone` shows it: without a zone, no later than the window's.
        end: Likewise the end, no earlier than the window's.
    """

    window: Window
    start: datetime
    end: datetime
    zone: tzinfo
    form: str

    @classmethod
    def of(cls, window: Window, zone: tzinfo, form: str) -> Question:
        """Round a window outward to what the form can tell."""
        start, end = dates.outward(window.start, window.end, zone, dateform.resolution(form) or _MINUTE)
        return cls(window, start, end, zone, form)

    @property
    def written(self) -> tuple[str, str]:
        """`date_from` and `date_to`."""
        return dateform.written(self.start, self.form), dateform.written(self.end, self.form)

    @property
    def wider(self) -> bool:
        """Whether more is asked for than wanted, since the form cannot tell the window's edges."""
        return (self.start, self.end) != tuple(
            edge.astimezone(self.zone).replace(tzinfo=None) for edge in (self.window.start, self.window.end)
        )

    def fits(self, query: Mapping[str, Any]) -> bool:
        """Whether an export that was found in the list asks for just this."""
        echoed = [dates.local(text, self.zone) for text in _edges(query)]
        return echoed == [self.start, self.end]

    def agrees(self, query: Mapping[str, Any]) -> bool | None:
        """Whether the vendor understood the dates; None: it does not say, or not in a form that is known.

        It may round outward, by a day at most. Of dates in numbers either part may be the month.
        """
        given = _edges(query)
        verdicts = []
        for texts in (given, [dates.month_first(text) or text for text in given]):
            first, last = (dates.local(text, self.zone) for text in texts)
            if first is None and last is None:
                continue
            # The end may be told as the last minute or day that still belongs to it.
            begin, end = (_told(edge, text) for edge, text in zip((self.start, self.end - _MINUTE), texts, strict=True))
            verdicts.append(
                (first is None or self.start - _DAY < first <= begin)
                and (last is None or end <= last < self.end + _DAY)
            )
        return any(verdicts) if verdicts else None


def search_query(value: Any) -> dict[str, Any]:
    """Return a job's `search_query`, its names in snake case; empty where there is none that is understood."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return {snake_case(str(name)): one for name, one in value.items()} if isinstance(value, dict) else {}


def _edges(query: Mapping[str, Any]) -> list[str]:
    return [str(query.get(name) or "") for name in EDGES]


def _told(digits: datetime, text: str) -> datetime:
    """Round a time down to what a text tells: to the day where that has no hour."""
    return dates.floor(digits, max(dates.precision(text), _MINUTE))


class RowDates:
    """Compares the dates of a file's rows with the question.

    A row counts as asked for when any of its dates is: which of them the vendor goes by is not documented. Rows
    without a date that is understood do not count.
    """

    def __init__(self, question: Question) -> None:
        self._question = question
        self._from = dates.moments(question.start, question.zone)[0]
        self._until = dates.moments(question.end, question.zone)[1]
        self.rows = self.dated = self.outside = self.far = 0

    def add(self, texts: Iterable[str]) -> None:
        """Look at the dates of one row, its own first."""
        self.rows += 1
        nearest: timedelta | None = None
        for begin, end in (span for text in texts for span in _spans(text, self._question.zone)):
            distance = max(self._from - end, begin - self._until, timedelta())
            nearest = distance if nearest is None else min(nearest, distance)
            if nearest <= _SLACK:
                break
        if nearest is not None:
            self.dated += 1
            self.outside += nearest > _SLACK
            self.far += nearest > _DAY

    def are_wrong(self, agreed: bool | None, *, own: bool = True) -> bool:
        """Whether the file holds something else than was asked for.

        So it does when most rows are of another time, or several, more than one in a hundred, are more than a day off.
        Where the vendor says that it understood (`agreed`), a single row proves nothing, and many do only where they
        have a date of their `own`, one that never changes.
        """
        if agreed and (not own or self.outside < 2):
            return False
        return 2 * self.outside > self.dated or (self.far > 1 and _MANY * self.far > self.dated)


@lru_cache(maxsize=8192)  # rows of a log share their minutes
def _spans(text: str, zone: tzinfo) -> tuple[tuple[datetime, datetime], ...]:
    """Return when a date begins and ends as it is written, in either reading of one in numbers."""
    readings = (one for one in (text, dates.month_first(text)) if one is not None)
    found = ((dates.parse(one, zone), dates.precision(one)) for one in readings)
    return tuple((moment, moment + lasting) for moment, lasting in found if moment is not None)


def lies_in(window: Window, text: str | None, zone: tzinfo) -> bool:
    """Whether a row with this date of its own may belong to the window; one that is not understood may."""
    digits = dates.local(text, zone) if text else None
    if text is None or digits is None:
        return True
    return any(
        moment < window.end and moment + dates.precision(text) > window.start for moment in dates.moments(digits, zone)
    )


def checked(
    question: Question,
    query: Any,
    rows: Callable[[], Iterable[Mapping[str, str]]],
    texts: Callable[..., list[str]],
    *,
    own: bool,
) -> RowDates:
    """Compare an export with its question, and return what its rows' dates showed.

    Args:
        question: What was asked for.
        query: The job's `search_query`, as the vendor gives it.
        rows: The rows of its file.
        texts: Returns the dates of a row, as they are written, its own first.
        own: Whether rows have a date of their own, which never changes.

    Raises:
        WrongAnswer: It answers another question.
    """
    echo = search_query(query)
    agreed = question.agrees(echo)
    asked = " to ".join(question.written)
    if agreed is False:
        raise WrongAnswer(f"the vendor exported other dates than asked for: {' to '.join(_edges(echo))}, not {asked}")
    found = RowDates(question)
    for row in rows():
        found.add(texts(row))
    if found.are_wrong(agreed, own=own):
        raise WrongAnswer(
            f"the file holds other dates than asked for: of {found.dated} rows {found.outside} lie outside {asked}"
        )
    return found

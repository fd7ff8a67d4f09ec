"""What the streams of an account tell of each other within a run, for warnings; each is given once.

The vendor does not say whether a kind of mail that a request does not name (`is_hb`, …) is in the file or left out.
Where another stream shows such a mail on a day of which a file has none, that is said.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tap_emaillogs.formats import timestamps
from tap_emaillogs.providers.zeptomail.events import STATUSES

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping
    from datetime import date

    from tap_emaillogs.http.client import ApiClient
    from tap_emaillogs.streams.provider import Account
    from tap_emaillogs.streams.window import Window

FLAGS = {
    "is_delivered": ("delivered", None),
    "is_sb": ("bounced", "soft"),
    "is_hb": ("bounced", "hard"),
    "is_mailfailure": ("failed", None),
}
"""The request's filters by kind, and the events that each stands for."""
_WORDS = {
    "is_delivered": "delivered mail",
    "is_sb": "soft bounce",
    "is_hb": "hard bounce",
    "is_mailfailure": "mail that could not be processed",
}
_BUSY = 100
"""From so many rows on a file without a kind of mail is remarkable."""
_DAY = timedelta(days=1)
_QUARTER, _WAITING, _INEXACT = timedelta(minutes=15), timedelta(minutes=20), timedelta(minutes=3)


class Crosscheck:
    """One account in one run; shared by the workers of all its streams."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shown: defaultdict[str, dict[date, str]] = defaultdict(dict)
        self._without: defaultdict[str, list[tuple[Window, int]]] = defaultdict(list)
        self._told: set[str] = set()

    def once(self, subject: str) -> bool:
        """Whether something is to be said now, for the first time."""
        with self._lock:
            first = subject not in self._told
            self._told.add(subject)
        return first

    def shown(self, logger: logging.Logger, flag: str, moment: str | None, stream: str) -> None:
        """Note that a stream shows a mail of this kind at a moment, RFC 3339 UTC."""
        if moment is not None:
            with self._lock:
                self._shown[flag].setdefault(timestamps.parse(moment).date(), stream)
            self._compare(logger, flag)

    def file(self, logger: logging.Logger, window: Window, kinds: Mapping[str, int], rows: int) -> None:
        """Note how many mails of each kind the mail logs of a window have."""
        if rows < _BUSY:
            return
        for flag in FLAGS:
            if not kinds.get(flag):
                with self._lock:
                    self._without[flag].append((window, rows))
                self._compare(logger, flag)

    def _compare(self, logger: logging.Logger, flag: str) -> None:
        with self._lock:
            found = next(
                (
                    (window, rows, stream)
                    for window, rows in self._without[flag]
                    for day, stream in self._shown[flag].items()
                    if _well_inside(day, window)
                ),
                None,
            )
        if found is not None and self.once(flag):
            window, rows, stream = found
            logger.warning(
                "the mail logs from %s to %s have %d rows and no %s, while %s shows one at that time: the vendor may "
                "leave out what a request does not name. Set is_delivered, is_sb, is_hb and is_mailfailure in "
                "mail_logs to true",
                timestamps.seconds(window.start),
                timestamps.seconds(window.end),
                rows,
                _WORDS[flag],
                stream,
            )

    def created(self, logger: logging.Logger, asked: datetime, created: datetime | None, zone: str) -> None:
        """Compare when a job was asked for with the vendor's own date of it, read in the configured zone."""
        if created is None or abs(created - asked) < _WAITING:
            return
        quarters = round((created - asked) / _QUARTER)
        if abs(created - asked - quarters * _QUARTER) <= _INEXACT and self.once("timezone"):
            logger.warning(
                "the vendor dates an export that was asked for just now %+.4g hours from now: its times are not in "
                "the zone of the setting timezone (%s). Rows carry wrong times, and the newest may come a day late",
                quarters * _QUARTER / timedelta(hours=1),
                zone,
            )


def _well_inside(day: date, window: Window) -> bool:
    """Whether a mail that ended on this day was taken within the window: it may have waited for a day."""
    midnight = datetime.combine(day, time(), UTC)
    return window.start <= midnight - _DAY and midnight + _DAY <= window.end


def flag_of(status: str | None) -> str | None:
    """Return the filter that a status belongs to; None: no filter has it."""
    meaning = STATUSES[status]
    return next((flag for flag, kind in FLAGS.items() if kind == (meaning.event_type, meaning.bounce_class)), None)


_runs: WeakKeyDictionary[ApiClient, Crosscheck] = WeakKeyDictionary()
_lock = threading.Lock()


def crosscheck(account: Account) -> Crosscheck:
    """Return what is known of an account in this run: each run has a client of its own."""
    with _lock:
        return _runs.setdefault(account.client, Crosscheck())

"""How often and how long after something failed it is tried again: in one way for requests and files."""

from __future__ import annotations

import email.utils
import re
from datetime import UTC
from typing import TYPE_CHECKING

import backoff

from tap_emaillogs.http.activity import Wait
from tap_emaillogs.http.errors import Unreachable

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from tap_emaillogs.http.activity import Activity
    from tap_emaillogs.http.budget import Budget
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.http.errors import Rule

_LONGEST_WAIT = 60.0
_LONGEST_RETRY_AFTER = 900.0
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]+)?")


def waits(first: float = 1.0) -> Iterator[float]:
    """Yield the seconds before each further try: `first`, then twice as long each time, and a minute at most.

    Each is shorter by chance, by up to a half, so that those who failed together do not come back together.
    """
    planned = backoff.expo(factor=first, max_value=_LONGEST_WAIT)
    next(planned)
    for seconds in planned:
        yield seconds / 2 + backoff.full_jitter(seconds / 2)


def tries(count: int) -> str:
    """Return `1 try`, `6 tries`."""
    return "1 try" if count == 1 else f"{count} tries"


class TryAgain(Exception):
    """One try failed in a way that another may not.

    Args:
        message: What happened.
        rule: How long to wait before the first retry, and the hint should all tries fail.
        retry_after: Seconds that the vendor asks to wait.
        status: The HTTP status, if there was an answer.
    """

    def __init__(self, message: str, rule: Rule, retry_after: float | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.rule, self.retry_after, self.status = rule, retry_after, status


class Tries:
    """The tries of one request."""

    def __init__(  # noqa: PLR0913 - all named
        self, most: int, *, clock: Clock, budget: Budget, logger: logging.Logger, label: str, activity: Activity
    ) -> None:
        self._most, self._clock, self._budget, self._logger, self._label = most, clock, budget, logger, label
        self._activity = activity
        self._made = 0
        self._waits: Iterator[float] | None = None

    def wait(self, failure: TryAgain) -> None:
        """Wait until the next try; what the vendor asks to wait holds the whole account back.

        Raises:
            Unreachable: There is no next one.
            Stopped: The run ended meanwhile.
        """
        self._made += 1
        if self._made >= self._most:
            raise Unreachable(f"{failure} ({tries(self._made)})", failure.rule.hint) from failure
        if self._waits is None:
            self._waits = waits(failure.rule.wait)
        delay = next(self._waits)
        if failure.retry_after:  # none, or one that is over: as long as without
            if failure.retry_after > _LONGEST_RETRY_AFTER:
                said = f"{failure}; it asks to wait {failure.retry_after:.0f} s"
                raise Unreachable(said, failure.rule.hint) from failure
            delay = failure.retry_after + backoff.full_jitter(0.1)
        self._logger.warning("%s: %s; try %d follows in %.1f s", self._label, failure, self._made + 1, delay)
        self._activity.count_retry()
        if failure.status == 429 or failure.retry_after is not None:
            self._budget.pause(delay)
        else:
            self._activity.wait(self._clock, delay, Wait.RETRY)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read `Retry-After`, in seconds or as an HTTP date; None where it is absent or unreadable."""
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())

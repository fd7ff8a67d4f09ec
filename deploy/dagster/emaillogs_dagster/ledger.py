"""What the ledger, `sync_windows`, says of a stretch of time: whole, or what is missing and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from emaillogs_dagster.accounts import Account

NEVER_READ = "never read"
FOR_GOOD = frozenset({"truncated", "unavailable"})
"""Reading again does not help: the vendor withholds it, or has forgotten it."""


class Window(NamedTuple):
    """One row of the ledger; times are aware UTC, `[start, end)`."""

    provider: str
    account: str
    stream: str
    start: datetime
    end: datetime
    status: str
    read_at: datetime
    records: int
    requests: int

    @property
    def endpoint(self) -> tuple[str, str, str]:
        """Provider, account, stream."""
        return self.provider, self.account, self.stream


class Gap(NamedTuple):
    """A stretch of an endpoint that is not known to be complete."""

    endpoint: tuple[str, str, str]
    start: datetime
    end: datetime
    why: str
    """A status of the ledger, or `never read`."""


@dataclass(frozen=True)
class Verdict:
    """What is known of a stretch."""

    gaps: tuple[Gap, ...]
    records: dict[str, int]
    """Rows read, per stream, in windows that begin in the stretch; a row that was read again counts again."""
    requests: int
    windows: dict[str, int]
    """Windows per status."""

    @property
    def whole(self) -> bool:
        """Whether every hour of every endpoint was read completely."""
        return not self.gaps

    @property
    def curable(self) -> set[tuple[str, str]]:
        """The accounts (provider, account) that reading again may help."""
        return {gap.endpoint[:2] for gap in self.gaps if gap.why not in FOR_GOOD}


def verdict(windows: Iterable[Window], accounts: Iterable[Account], start: datetime, end: datetime) -> Verdict:
    """Judge `[start, end)` of all endpoints of the accounts."""
    by_endpoint: defaultdict[tuple[str, str, str], list[Window]] = defaultdict(list)
    records: Counter[str] = Counter()
    statuses: Counter[str] = Counter()
    requests = 0
    for window in windows:
        if window.start < end and window.end > start:
            by_endpoint[window.endpoint].append(window)
            if start <= window.start:
                statuses[window.status] += 1
                records[window.stream] += window.records
                requests += window.requests
    expected = [(*account.name, stream) for account in accounts for stream in account.streams]
    gaps = [gap for endpoint in expected for gap in missing(endpoint, by_endpoint[endpoint], start, end)]
    return Verdict(tuple(gaps), dict(records), requests, dict(statuses))


def missing(endpoint: tuple[str, str, str], windows: Sequence[Window], start: datetime, end: datetime) -> list[Gap]:
    """Return what of `[start, end)` no complete window covers, or a worse one that was read later."""
    complete = [window for window in windows if window.status == "complete"]
    gaps: list[Gap] = []
    for worse in (window for window in windows if window.status != "complete"):
        span = (max(start, worse.start), min(end, worse.end))
        later = [(one.start, one.end) for one in complete if one.read_at >= worse.read_at]
        gaps += [Gap(endpoint, *left, worse.status) for left in subtract(span, later)]
    known = [(one.start, one.end) for one in complete] + [(gap.start, gap.end) for gap in gaps]
    gaps += [Gap(endpoint, *left, NEVER_READ) for left in subtract((start, end), known)]
    return sorted(gaps, key=lambda gap: gap.start)


def subtract(
    span: tuple[datetime, datetime], taken: Iterable[tuple[datetime, datetime]]
) -> list[tuple[datetime, datetime]]:
    """Return the parts of `span` that are in none of `taken`."""
    left, (at, end) = [], span
    for start, stop in sorted(taken):
        if start >= end:
            break
        if start > at:
            left.append((at, start))
        at = max(at, stop)
    return [*left, (at, end)] if at < end else left

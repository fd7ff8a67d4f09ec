"""What the ledger, `sync_windows`, says of a stretch of time: whole, or what is missing and why."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import sqlalchemy as sa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from emaillogs_dagster.accounts import Account
    from emaillogs_dagster.settings import Settings

_PATIENCE = 60
"""Seconds to wait for a DuckDB file that a loader has open: it has one writer, and no reader beside it."""
NEVER_READ = "never read"
FOR_GOOD = frozenset({"truncated", "unavailable"})
"""Reading again does not help: the vendor withholds it, or has forgotten it."""
Span = tuple[datetime, datetime]


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
    def curable(self) -> bool:
        """Whether reading again may help."""
        return any(gap.why not in FOR_GOOD for gap in self.gaps)


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


def subtract(span: Span, taken: Iterable[Span]) -> list[Span]:
    """Return the parts of `span` that are in none of `taken`."""
    left, (at, end) = [], span
    for start, stop in sorted(taken):
        if start >= end:
            break
        if start > at:
            left.append((at, start))
        at = max(at, stop)
    return [*left, (at, end)] if at < end else left


def read(settings: Settings, accounts: Iterable[Account], start: datetime, end: datetime) -> list[Window]:
    """Return the rows of the ledger that touch `[start, end)`; none where there is no table yet.

    Raises:
        duckdb.IOException: A loader had the file open for a minute.
    """
    wanted = {account.name for account in accounts}
    columns = "provider, account, stream, window_start, window_end, status, read_at, records, requests"
    query = f"select {columns} from {settings.schema}.sync_windows where window_start < {{0}} and window_end > {{1}}"  # noqa: S608 - the schema's name is the deployment's own
    bounds = [moment.astimezone(UTC).replace(tzinfo=None) for moment in (end, start)]
    rows = (_duckdb if settings.warehouse.startswith("duckdb:") else _postgresql)(settings, query, bounds, wanted)
    return [
        Window(*row[:3], _aware(row[3]), _aware(row[4]), row[5], _aware(row[6]), int(row[7] or 0), int(row[8] or 0))
        for row in rows
        if (row[0], row[1]) in wanted
    ]


def _duckdb(settings: Settings, query: str, bounds: list[datetime], _: set[tuple[str, str]]) -> list[Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            with duckdb.connect(settings.warehouse.removeprefix("duckdb:///"), read_only=True) as connection:
                return connection.execute(query.format("?", "?"), bounds).fetchall()
        except duckdb.CatalogException:
            return []
        except duckdb.IOException as error:
            if "does not exist" in str(error):
                return []
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def _postgresql(settings: Settings, query: str, bounds: list[datetime], wanted: set[tuple[str, str]]) -> list[Any]:
    engine = sa.create_engine(settings.warehouse, poolclass=sa.NullPool)
    text = sa.text(query.format(":end", ":start") + " and account in :accounts")
    text = text.bindparams(sa.bindparam("accounts", expanding=True))
    given = {"end": bounds[0], "start": bounds[1], "accounts": sorted({account for _, account in wanted})}
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("sync_windows", schema=settings.schema):
            return []
        return list(connection.execute(text, given).fetchall())


def _aware(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

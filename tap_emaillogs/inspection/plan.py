"""The plan: what a sync would read now and what that takes, without a question to any vendor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.timestamps import millis
from tap_emaillogs.privacy.plan import Privacy
from tap_emaillogs.streams.output import RecordLines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_emaillogs.engine.endpoint import Endpoint
    from tap_emaillogs.engine.failure import Failure
    from tap_emaillogs.engine.planning import Sources
    from tap_emaillogs.http.clock import Clock
    from tap_emaillogs.streams.window import Window

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Planned:
    """What a sync would read of one endpoint."""

    endpoint: Endpoint
    windows: Sequence[Window]
    """In the order in which they would be read; none where nothing is due."""

    @property
    def least_requests(self) -> int:
        """The fewest requests: those that it takes when the windows hold next to nothing."""
        return self.endpoint.reader.least_requests(0, len(self.windows))

    @property
    def expected_requests(self) -> int | None:
        """The requests that full pages take at the density that STATE remembers; None: it knows none."""
        density = self.endpoint.state.rows_a_day
        if density is None:
            return None
        rows = density * sum(window.length / _DAY for window in self.windows)
        return self.endpoint.reader.least_requests(math.ceil(rows), len(self.windows))

    @property
    def lost_from(self) -> datetime | None:
        """From when on waiting loses records that this run would still get; None: it never does."""
        history = self.endpoint.policy.history
        if history is None or not self.windows:
            return None
        return max(self.endpoint.now, min(self.windows).start + history)


@dataclass(frozen=True)
class Plan:
    """What a sync would read."""

    at: datetime
    endpoints: Sequence[Planned]
    failures: Sequence[Failure]
    """What could not be planned."""
    warnings: Sequence[str] = ()
    """What is selected and is not read."""

    def minutes(self, requests: Iterable[tuple[Planned, int]]) -> float | None:
        """Return how long requests take at the accounts' budgets, all accounts side by side; None: without any."""
        by_account: dict[tuple[str, str], float] = {}
        for planned, count in requests:
            if pace := budget(planned):
                account = planned.endpoint.id[:2]
                by_account[account] = by_account.get(account, 0) + count / pace
        return _rounded_up(max(by_account.values())) if by_account else None


def budget(planned: Planned) -> float:
    """Return how many requests a minute an endpoint's account may make; 0: no limit."""
    return planned.endpoint.stream.settings.requests_per_minute


def plan(sources: Sources, selected: Iterable[str], config: Mapping[str, Any], clock: Clock) -> Plan:
    """Plan a sync of the selected streams as the engine would; STATE is changed in memory only."""
    now = clock.now()
    outputs = {name: RecordLines(sources.streams[name]) for name in selected}
    endpoints, failures = sources.endpoints(outputs, Privacy.of(config), now)
    nothing = [] if endpoints or failures else [sources.why_nothing(outputs)]
    planned = [Planned(endpoint, endpoint.slots.windows()) for endpoint in endpoints]
    return Plan(now, planned, failures, [*sources.unread, *nothing])


def waiting(planned: Planned) -> str:
    """Say what is lost when this run comes later."""
    history, from_ = planned.endpoint.policy.history, planned.lost_from
    if not planned.windows:
        return "nothing is due"
    if history is None or from_ is None:
        return "nothing that the vendor states: it names no end of its history"
    if from_ <= planned.endpoint.now:
        return "each hour of waiting loses an hour of the log, the oldest first"
    return f"nothing before {millis(from_)[:16]}Z; from then on an hour of the log with each hour"


def minutes_of(requests: int, pace: float) -> float | None:
    """Return how long requests take at a budget; None: it has no limit."""
    return _rounded_up(requests / pace) if pace else None


def _rounded_up(minutes: float) -> float:
    return math.ceil(round(minutes * 10, 6)) / 10

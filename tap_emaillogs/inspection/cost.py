"""What reading costs in requests, by what is known of an endpoint: pure functions, no clock and no I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_emaillogs.engine.reader import Reader

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
SHOWN = (timedelta(minutes=15), timedelta(hours=1), _DAY)
"""How often a run may come, for those who decide on it."""
_SCHEDULES = tuple(_MINUTE * minutes for minutes in (60, 120, 180, 240, 360, 720, 1440))
_SHORTER = tuple(_MINUTE * minutes for minutes in (30, 15, 10, 5))
_SHARE = 0.5
"""So much of a budget may be spent day by day: the rest is for backfills, retries, and whoever else uses the key."""


@dataclass(frozen=True)
class Cost:
    """What it costs to run every so often, at least: retries and tokens come on top."""

    every: timedelta
    per_run: int
    """Requests of a run that has no revisit due."""
    per_day: int
    """Requests of a day's runs, revisits included."""


def cost(reader: Reader, every: timedelta, rows_a_day: float) -> Cost:
    """Return what an endpoint costs whose log grows by so many rows a day."""
    policy = reader.policy
    pause = max(every, reader.least_pause())  # what comes sooner is postponed, and costs nothing
    per_run = _requests(reader, pause + policy.lookback, rows_a_day)
    per_day = _DAY / pause * per_run
    for age in policy.revisits:
        gathered = age / 4 if policy.history is None else min(age / 4, max(policy.history - age, timedelta()) / 2)
        stretch = max(gathered, pause)
        per_day += _DAY / stretch * _requests(reader, stretch, rows_a_day)
    return Cost(every, per_run, math.ceil(per_day))


def _requests(reader: Reader, length: timedelta, rows_a_day: float) -> int:
    windows = max(1, math.ceil(length / reader.policy.largest))
    return reader.least_requests(math.ceil(rows_a_day * (length / _DAY)), windows)


def schedule(reader: Reader, rows_a_day: float) -> timedelta:
    """Suggest how often to run: hourly, but less often where the budget asks for it, more where the history does.

    A history must leave room for one run that fails: what is to be read once more is then still there.
    """
    policy, budget = reader.policy, reader.stream.settings.requests_per_minute
    fitting = [every for every in _SCHEDULES if every >= reader.least_pause()]
    if policy.history is not None:
        safe = (policy.history - max(policy.revisits, default=timedelta())) / 2
        fitting = [every for every in fitting if every <= safe] or [
            next((every for every in _SHORTER if every <= safe), _SHORTER[-1])
        ]
    if budget:
        a_day = budget * 24 * 60 * _SHARE
        fitting = [every for every in fitting if cost(reader, every, rows_a_day).per_day <= a_day] or fitting[-1:]
    return next(iter(fitting), _DAY)

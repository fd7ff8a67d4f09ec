"""How often the tap runs: what its last runs say of the next one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats import timestamps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_emaillogs.streams.window import Policy

_DAYS = 3
"""Nights and lunch breaks come back; what was longer ago does not tell the next pause."""


@dataclass
class Pace:
    """The runs of an endpoint: when the last one was, and the two longest pauses that ended on each day."""

    last: datetime | None = None
    pauses: dict[str, list[timedelta]] = field(default_factory=dict)
    """By day, `2026-11-21`; the longer one first."""

    @classmethod
    def load(cls, entry: Mapping[str, Any]) -> Pace:
        """Read it from STATE."""
        last = entry.get("last")
        pauses = {
            day: [timedelta(seconds=float(seconds)) for seconds in longest]
            for day, longest in entry.get("pauses", {}).items()
        }
        return cls(None if last is None else timestamps.parse(last), pauses)

    def dump(self) -> dict[str, Any]:
        """Write it for STATE."""
        if self.last is None:
            return {}
        # Whole seconds: loaders read other numbers as Decimal and cannot write them. Up, lest a pause be too short.
        pauses = {day: [ceil(pause.total_seconds()) for pause in longest] for day, longest in self.pauses.items()}
        return {"last": timestamps.millis(self.last), "pauses": pauses}

    def note(self, now: datetime) -> None:
        """Note a run that begins now."""
        if self.last is not None and now > self.last:
            day = f"{now:%Y-%m-%d}"
            self.pauses[day] = sorted([*self.pauses.get(day, []), now - self.last], reverse=True)[:2]
        days = sorted(self.pauses)
        oldest = f"{now - timedelta(days=_DAYS - 1):%Y-%m-%d}"
        # Two days at least: one alone may be that of an outage.
        self.pauses = {day: self.pauses[day] for day in days if day >= oldest or day in days[-2:]}
        self.last = now

    @property
    def is_known(self) -> bool:
        """Whether there were two runs to learn from."""
        return bool(self.pauses)

    @property
    def longest(self) -> timedelta:
        """The longest pause that was made twice in the last days: an outage is no schedule. Zero: none is known."""
        longest = sorted((pause for day in self.pauses.values() for pause in day), reverse=True)
        return next(iter(longest[1:] or longest), timedelta())


def revisit_interval(policy: Policy) -> timedelta:
    """Return how often one has to run so that each revisit comes before the vendor has forgotten what it is about."""
    assert policy.history is not None
    return max(policy.history - max(policy.revisits, default=timedelta()), policy.history / 24)


def retention_warning(bookmark: datetime, now: datetime, policy: Policy) -> str | None:
    """Say that a bookmark is within the last quarter of the vendor's history, and which schedule is safe; None: not.

    One that is past the history already is a gap, of which the ledger tells; a backfill (`end_date`) is no schedule.
    """
    history = policy.history
    if history is None or policy.end is not None or not history * 3 / 4 < now - bookmark < history:
        return None
    # A run that fails, and the one after it, may still be made good.
    often = min(revisit_interval(policy), history / 4)
    return (
        f"it was last read up to {timestamps.seconds(bookmark)}, {_span(now - bookmark)} ago, and the vendor keeps "
        f"{_span(history)} (history_days): had this run come {_span(history - (now - bookmark))} later, events would "
        f"have been lost. Running the tap at least every {_span(often)} is safe"
    )


def _span(span: timedelta) -> str:
    hours = span / timedelta(hours=1)
    if hours < 1:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.3g} hours" if hours < 72 else f"{hours / 24:.3g} days"

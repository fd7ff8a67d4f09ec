"""The calendar of completeness: a bar per endpoint over the days, with what is missing in red and with a sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dashboard.charts import days
from dashboard.drawing import NAMED, SOFT, STATUS, Key
from dashboard.words import LOST, endpoint

if TYPE_CHECKING:
    from dashboard.database import Rows
    from dashboard.facts import Facts

MOST_BARS = 30
"""More endpoints than a reader looks through: then only those are drawn to which something happened, the worst."""
LONGEST = 36
"""Letters of an endpoint's name beside a bar; the table has all of them."""


@dataclass
class Calendar:
    """What the calendar shows, and how much it does not."""

    spec: dict[str, Any]
    key: Key
    complete: int
    """Endpoints that are complete on every day and not drawn."""
    more: int
    """Endpoints that are not complete and not drawn."""


def calendar(facts: Facts) -> Calendar:
    """Lay the calendar out."""
    rows = _rows(facts.hours)
    drawn = list(rows)
    complete = 0
    if len(rows) > MOST_BARS:
        drawn = [name for name, row in rows.items() if any(one["status"] != "complete" for one in row)]
        complete = len(rows) - len(drawn)
        drawn.sort(key=lambda name: tuple(-n for n in _damage(rows[name])))
    shown = sorted(drawn[:MOST_BARS], key=str)
    labels = _labels([endpoint(rows[name][0]) for name in shown])
    values = [run for label, name in zip(labels, shown, strict=True) for run in _runs(label, rows[name])]
    there = {run["status"] for run in values}
    return Calendar(
        _spec(facts, values, labels),
        [(NAMED[colour], name) for name, colour in STATUS.items() if name in there],
        complete,
        len(drawn) - len(shown),
    )


def _rows(hours: Rows) -> dict[tuple[str, str, str], Rows]:
    found: dict[tuple[str, str, str], Rows] = {}
    for row in hours:
        found.setdefault((row["provider"], row["account"], row["stream"]), []).append(row)
    return found


def _labels(names: list[str]) -> list[str]:
    """Cut names that a phone has no room for, and tell apart what reads the same: no account's address is shown."""
    names = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def _damage(row: Rows) -> tuple[int, int]:
    """Return the days with something lost, and those with anything but completeness."""
    return sum(one["status"] in LOST for one in row), sum(one["status"] != "complete" for one in row)


def _runs(label: str, row: Rows) -> Rows:
    """Join the days of an endpoint that follow each other and have the same status."""
    numbered = enumerate(sorted(row, key=lambda one: one["day"]))
    found = []
    for (status, _), run in groupby(numbered, lambda one: (one[1]["status"], one[1]["day"] - timedelta(one[0]))):
        dates = [one["day"] for _, one in run]
        found.append(
            {
                "endpoint": label,
                "status": status,
                "day": str(dates[0]),
                "end": str(dates[-1] + timedelta(1)),
                "middle": f"{dates[0] + timedelta(len(dates) // 2)}T{'12' if len(dates) % 2 else '00'}:00:00Z",
                "sign": "" if status == "complete" else "✕" if status in LOST else "…",
            }
        )
    return found


def _spec(facts: Facts, values: Rows, names: list[str]) -> dict[str, Any]:
    """Draw names above their bars, where long ones have room on a phone too."""
    y = {"field": "endpoint", "type": "nominal", "sort": names, "title": None, "axis": None}
    x = days(facts, 1)
    colour = {
        "field": "status",
        "type": "nominal",
        "scale": {"domain": list(STATUS), "range": list(STATUS.values())},
        "legend": None,
    }
    bar = {"type": "bar", "stroke": SOFT, "strokeWidth": 1, "height": 14, "yOffset": 7}
    name = {"type": "text", "align": "left", "fontSize": 12, "dy": -9}
    return {
        "height": {"step": 36},
        "layer": [
            {
                "data": {"values": values},
                "mark": bar,
                "encoding": {"x": x, "x2": {"field": "end"}, "y": y, "color": colour},
            },
            {
                "data": {"values": values},
                "mark": {"type": "text", "fontSize": 10, "dy": 7},
                "encoding": {"x": {**x, "field": "middle"}, "y": y, "text": {"field": "sign"}},
            },
            {
                "data": {"values": [{"endpoint": one} for one in names]},
                "mark": name,
                "encoding": {"x": {"value": 0}, "y": y, "text": {"field": "endpoint"}},
            },
        ],
    }

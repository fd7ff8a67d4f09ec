"""The charts of rates, ends, times and readers, in Vega-Lite's words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from dashboard.drawing import BAR, DASHES, ENDS, GRID, INK, NAMED, SERIES, SOFT, Key
from dashboard.words import named

if TYPE_CHECKING:
    from dashboard.database import Rows
    from dashboard.facts import Facts

KEY_OF_READERS: Key = [("bar", "people"), ("grid", "machines only")]


def key_of_providers(facts: Facts) -> Key:
    """Return the key of a chart with a line per provider."""
    return [(f"s{min(number, 9)}", named(one)) for number, one in enumerate(facts.providers, 1)]


def key_of_ends(facts: Facts) -> Key:
    """Return the key of what became of mails, as far as it happened."""
    there = {row["outcome"] for row in facts.ends}
    return [(NAMED[colour], name) for name, colour in ENDS.items() if name in there]


def rates(facts: Facts, name: str, thresholds: list[tuple[str, float]]) -> dict[str, Any]:
    """A line per provider: the share of the mails of each day, with thresholds (grade, rate) as lines."""
    values = [
        {"day": str(row["day"]), "who": named(row["provider"]), "rate": float(row[name]) / float(row["queued"])}
        for row in facts.daily
        if row["queued"] and (name != "delivered" or row["provider"] in facts.tell_of_delivery)
    ]
    axis = {"field": "rate", "type": "quantitative", "title": None, "axis": {"format": ".2~%", "tickCount": 5}}
    layers = [_lines(facts, values, axis)]
    for place, (grade, value) in enumerate(thresholds):
        data = {"values": [{"rate": value, "text": f"{100 * value:g} %: {grade}"}]}
        mark = {
            "type": "text",
            "align": "left",
            "baseline": "bottom",
            "dx": 3 + 110 * (place % 2),
            "dy": -2,
            "fontSize": 11,
        }
        layers += [
            {"data": data, "mark": {"type": "rule", "color": INK, "strokeDash": [3, 3]}, "encoding": {"y": axis}},
            {"data": data, "mark": mark, "encoding": {"y": axis, "x": {"value": 0}, "text": {"field": "text"}}},
        ]
    return {"height": 170, "layer": layers}


def times(facts: Facts) -> dict[str, Any]:
    """A line per provider: the seconds within which nine of ten delivered mails arrived."""
    values = [
        {"day": str(row["day"]), "who": named(row["provider"]), "seconds": max(0.1, float(row["p90"]))}
        for row in facts.times
    ]
    axis = {
        "field": "seconds",
        "type": "quantitative",
        "title": None,
        "scale": {"type": "log", "nice": True},
        "axis": {"tickCount": 5, "labelExpr": "format(datum.value, ',.3~f') + ' s'"},
    }
    return {"height": 170, "layer": [_lines(facts, values, axis)]}


def _lines(facts: Facts, values: Rows, y: dict[str, Any]) -> dict[str, Any]:
    """Return a layer with a line per provider, told apart by colour and by dashes."""
    names = [named(one) for one in facts.providers]
    colours = [SERIES[min(number, 8)] for number in range(len(names))]
    dashes = [DASHES[number % 8] for number in range(len(names))]
    return {
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.8, "point": len(values) < 40},
        "encoding": {
            "x": days(facts),
            "y": y,
            **{
                channel: {
                    "field": "who",
                    "type": "nominal",
                    "scale": {"domain": names, "range": looks},
                    "legend": None,
                }
                for channel, looks in (("color", colours), ("strokeDash", dashes))
            },
        },
    }


def days(facts: Facts, after: int = 0) -> dict[str, Any]:
    """Return the axis of days, of the field `day`; `after` makes room for the width of the last one."""
    count = (facts.last - facts.first).days + 1
    before = int(count == 1 and not after)
    span = [str(facts.first - timedelta(before)), str(facts.last + timedelta(before + after))]
    return {
        "field": "day",
        "type": "temporal",
        "title": None,
        "scale": {"type": "utc", "domain": span},
        "axis": {
            "format": "%d %b",
            "tickCount": 6 if count > 12 else {"interval": "day", "step": 1},
            "grid": False,
            "labelOverlap": "greedy",
            "labelSeparation": 8,
        },
    }


def flow(facts: Facts) -> dict[str, Any]:
    """A bar per provider: what became of its queued mails."""
    order = list(ENDS)
    values = [
        {
            "who": named(row["provider"]),
            "end": row["outcome"],
            "mails": int(row["mails"]),
            "place": order.index(row["outcome"]),
        }
        for row in facts.ends
    ]
    return {
        "height": {"step": 30},
        "data": {"values": values},
        "mark": {"type": "bar", "stroke": SOFT, "strokeWidth": 1},
        "encoding": {
            "y": {"field": "who", "type": "nominal", "title": None, "axis": {"grid": False}},
            "x": {
                "aggregate": "sum",
                "field": "mails",
                "stack": "normalize",
                "title": None,
                "axis": {"format": "%", "tickCount": 5},
            },
            "order": {"field": "place"},
            "color": {
                "field": "end",
                "type": "nominal",
                "scale": {"domain": order, "range": list(ENDS.values())},
                "legend": None,
            },
        },
    }


def engagement(rows: Rows) -> dict[str, Any]:
    """Bars per provider: opens and clicks by people, and by machines only."""
    return {
        "height": {"step": 24},
        "data": {"values": rows},
        "mark": "bar",
        "encoding": {
            "y": {"field": "label", "type": "nominal", "title": None, "sort": None, "axis": {"grid": False}},
            "x": {
                "field": "share",
                "type": "quantitative",
                "stack": "zero",
                "title": None,
                "axis": {"format": ".0%", "tickCount": 5},
            },
            "order": {"field": "place"},
            "color": {
                "field": "by",
                "type": "nominal",
                "scale": {"domain": ["people", "machines only"], "range": [BAR, GRID]},
                "legend": None,
            },
        },
    }

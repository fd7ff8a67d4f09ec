"""Charts as SVG, by Vega-Lite; the page's style gives their colours values: one drawing serves light and dark."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import vl_convert

from dashboard.words import LOST, endpoint, named

if TYPE_CHECKING:
    from dashboard.database import Rows
    from dashboard.facts import Facts

_VEGA_LITE = "6.4"
WIDTHS = {"wide": 760, "narrow": 330}
"""Drawn twice: for screens and for phones, since letters do not shrink with a drawing."""
_INK, _GRID, _BAR, _SOFT = "#010101", "#020202", "#030303", "#040404"
_SERIES = [f"#0a0a{number:02x}" for number in range(1, 10)]
"""Eight that can be told apart, and a grey that all others share (their dashes differ)."""
_STATUS = {
    "complete": "#0b0b01",
    "not read yet": "#0b0b07",
    "pending": "#0b0b02",
    "failed": "#0b0b03",
    "truncated": "#0b0b04",
    "never read": "#0b0b05",
    "unavailable": "#0b0b06",
}
_ENDS = {
    "delivered": "#0c0c01",
    "sent, no word since": "#0c0c02",
    "no word yet": "#0c0c03",
    "still being tried": "#0c0c04",
    "failed": "#0c0c05",
    "rejected": "#0c0c06",
    "bounced": "#0c0c07",
}
_NAMED = {_INK: "ink", _GRID: "grid", _BAR: "bar", _SOFT: "soft"}
_NAMED |= {colour: f"s{number}" for number, colour in enumerate(_SERIES, 1)}
_NAMED |= {colour: "st-" + name.replace(" ", "-") for name, colour in _STATUS.items()}
_NAMED |= {colour: f"e{number}" for number, colour in enumerate(_ENDS.values(), 1)}
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3], [6, 2, 1, 2]]
_CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": _INK,
        "titleColor": _INK,
        "gridColor": _GRID,
        "domainColor": _GRID,
        "tickColor": _GRID,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "text": {"color": _INK},
}


def drawn(spec: dict[str, Any], alternative: str) -> dict[str, str]:
    """Draw a chart in each width; `alternative` is read to those who do not see it."""
    made = {}
    for name, width in WIDTHS.items():
        fitted = {
            "config": {**_CONFIG, "axisY": {"labelLimit": width // 3}},
            "width": width,
            "autosize": {"type": "fit-x", "contains": "padding"},
            **spec,
        }
        made[name] = _themed(vl_convert.vegalite_to_svg(fitted, vl_version=_VEGA_LITE), alternative)
    return made


def _themed(svg: str, alternative: str) -> str:
    text = re.sub(
        r'"(#[0-9a-f]{6})"', lambda found: f'"var(--{_NAMED[found[1]]})"' if found[1] in _NAMED else found[0], svg
    )
    text = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", text)  # of its parts: the whole has one name
    size = re.search(r'width="(\d+)[^"]*" height="(\d+)', text)
    assert size
    label = alternative.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    start = f'<svg class="chart" role="img" aria-label="{label}" viewBox="0 0 {size[1]} {size[2]}" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"^.*?<svg[^>]*>", start, text, count=1, flags=re.DOTALL)


def _series(providers: list[str]) -> dict[str, Any]:
    names = [named(one) for one in providers]
    return {
        "color": {
            "field": "who",
            "type": "nominal",
            "scale": {"domain": names, "range": [_SERIES[min(number, 8)] for number in range(len(names))]},
            "legend": None,
        },
        "strokeDash": {
            "field": "who",
            "type": "nominal",
            "scale": {"domain": names, "range": [_DASHES[number % 8] for number in range(len(names))]},
            "legend": None,
        },
    }


Key = list[tuple[str, str]]
"""Names of a chart's colours and what they stand for: the page writes the legend, in the reader's own letters."""


def key_of_providers(facts: Facts) -> Key:
    """Return the key of a chart with a line per provider."""
    return [(f"s{min(number, 9)}", named(one)) for number, one in enumerate(facts.providers, 1)]


def key_of_ends(facts: Facts) -> Key:
    """Return the key of what became of mails, as far as it happened."""
    there = {row["outcome"] for row in facts.ends}
    return [(_NAMED[colour], name) for name, colour in _ENDS.items() if name in there]


def key_of_statuses(facts: Facts) -> Key:
    """Return the key of the calendar."""
    there = {row["status"] for row in facts.hours}
    return [(_NAMED[colour], name) for name, colour in _STATUS.items() if name in there]


KEY_OF_READERS: Key = [("bar", "people"), ("grid", "machines only")]


def rates(facts: Facts, name: str, thresholds: list[tuple[float, str]]) -> dict[str, Any]:
    """A line per provider: the share of the mails of each day, with thresholds as lines."""
    values = [
        {
            "day": str(row["day"]),
            "who": named(row["provider"]),
            "rate": float(row[name]) / float(row["queued"]),
        }
        for row in facts.daily
        if row["queued"] and (name != "delivered" or row["provider"] in facts.tell_of_delivery)
    ]
    axis = {"field": "rate", "type": "quantitative", "title": None, "axis": {"format": ".2~%", "tickCount": 5}}
    layers: list[dict[str, Any]] = [
        {
            "data": {"values": values},
            "mark": {"type": "line", "strokeWidth": 1.8, "point": len(values) < 40},
            "encoding": {"x": _days(facts), "y": axis, **_series(facts.providers)},
        }
    ]
    for place, (value, text) in enumerate(thresholds):
        data = {"values": [{"rate": value, "text": text}]}
        layers.append(
            {"data": data, "mark": {"type": "rule", "color": _INK, "strokeDash": [3, 3]}, "encoding": {"y": axis}}
        )
        mark = {
            "type": "text",
            "align": "left",
            "baseline": "bottom",
            "dx": 3 + 110 * (place % 2),
            "dy": -2,
            "fontSize": 11,
        }
        layers.append(
            {"data": data, "mark": mark, "encoding": {"y": axis, "x": {"value": 0}, "text": {"field": "text"}}}
        )
    return {"height": 170, "layer": layers}


def _days(facts: Facts, after: int = 0) -> dict[str, Any]:
    """Return the axis of days; `after` makes room for the width of the last one."""
    count = (facts.last - facts.first).days + 1
    before = int(count == 1 and not after)
    span = [str(facts.first - timedelta(before)), str(facts.last + timedelta(before + after))]
    return {
        "field": "day",
        "type": "temporal",
        "timeUnit": "utcyearmonthdate",
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
    order = list(_ENDS)
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
        "mark": {"type": "bar", "stroke": _SOFT, "strokeWidth": 1},
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
                "scale": {"domain": order, "range": list(_ENDS.values())},
                "legend": None,
            },
        },
    }


def times(facts: Facts) -> dict[str, Any]:
    """A line per provider: the seconds within which nine of ten delivered mails arrived."""
    values = [
        {
            "day": str(row["day"]),
            "who": named(row["provider"]),
            "seconds": max(0.1, float(row["p90"])),
        }
        for row in facts.times
    ]
    scale = {"type": "log", "nice": True}
    axis = {"tickCount": 5, "labelExpr": "format(datum.value, ',.3~f') + ' s'"}
    return {
        "height": 170,
        "data": {"values": values},
        "mark": {"type": "line", "strokeWidth": 1.8, "point": len(values) < 40},
        "encoding": {
            "x": _days(facts),
            "y": {"field": "seconds", "type": "quantitative", "title": None, "scale": scale, "axis": axis},
            **_series(facts.providers),
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
                "scale": {"domain": ["people", "machines only"], "range": [_BAR, _GRID]},
                "legend": None,
            },
        },
    }


def calendar(facts: Facts) -> dict[str, Any]:
    """A square per day and endpoint: whether everything is read; what is missing has a sign too."""
    values = [
        {
            "day": str(row["day"]),
            "endpoint": endpoint(row),
            "status": row["status"],
            "sign": "" if row["status"] == "complete" else "✕" if row["status"] in LOST else "…",
        }
        for row in facts.hours
    ]
    y = {"field": "endpoint", "type": "nominal", "title": None, "axis": {"grid": False}}
    x = {**_days(facts, 1), "bandPosition": 0.5}
    return {
        "height": {"step": 22},
        "data": {"values": values},
        "layer": [
            {
                "mark": {"type": "rect", "stroke": _SOFT, "strokeWidth": 1},
                "encoding": {
                    "x": _days(facts, 1),
                    "y": y,
                    "color": {
                        "field": "status",
                        "type": "nominal",
                        "scale": {"domain": list(_STATUS), "range": list(_STATUS.values())},
                        "legend": None,
                    },
                },
            },
            {"mark": {"type": "text", "fontSize": 10}, "encoding": {"x": x, "y": y, "text": {"field": "sign"}}},
        ],
    }

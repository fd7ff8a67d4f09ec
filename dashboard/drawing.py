"""How a chart becomes SVG: by Vega-Lite, with names for colours whose values the page's style gives, light or dark."""

from __future__ import annotations

import re
from typing import Any

import vl_convert

_VEGA_LITE = "6.4"
WIDTHS = {"wide": 760, "narrow": 330}
"""Drawn twice: for screens and for phones, since letters do not shrink with a drawing."""
INK, GRID, BAR, SOFT = "#010101", "#020202", "#030303", "#040404"
SERIES = [f"#0a0a{number:02x}" for number in range(1, 10)]
"""Eight that can be told apart, and a grey that all others share (their dashes differ)."""
STATUS = {
    "complete": "#0b0b01",
    "not read yet": "#0b0b07",
    "pending": "#0b0b02",
    "failed": "#0b0b03",
    "truncated": "#0b0b04",
    "never read": "#0b0b05",
    "unavailable": "#0b0b06",
}
ENDS = {
    "delivered": "#0c0c01",
    "sent, no word since": "#0c0c02",
    "no word yet": "#0c0c03",
    "still being tried": "#0c0c04",
    "failed": "#0c0c05",
    "rejected": "#0c0c06",
    "bounced": "#0c0c07",
}
NAMED = {INK: "ink", GRID: "grid", BAR: "bar", SOFT: "soft"}
"""The name in the page's style of each colour."""
NAMED |= {colour: f"s{number}" for number, colour in enumerate(SERIES, 1)}
NAMED |= {colour: "st-" + name.replace(" ", "-") for name, colour in STATUS.items()}
NAMED |= {colour: f"e{number}" for number, colour in enumerate(ENDS.values(), 1)}
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 4], [10, 4], [1, 3], [6, 2, 1, 2]]
Key = list[tuple[str, str]]
"""Names of a chart's colours and what they stand for: the page writes the legend, in the reader's own letters."""
_CONFIG = {
    "background": None,
    "font": "system-ui, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": GRID,
        "tickColor": GRID,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "text": {"color": INK},
}
_PADDING = {"left": 16, "right": 16, "top": 5, "bottom": 5}
"""Room for the reader's letters, which may be wider than those that the drawing was measured with."""


def drawn(spec: dict[str, Any], alternative: str) -> dict[str, str]:
    """Draw a chart in each width; `alternative` is read to those who do not see it."""
    made = {}
    for name, width in WIDTHS.items():
        fitted = {
            "config": {**_CONFIG, "axisY": {"labelLimit": width // 3}},
            "width": width,
            "autosize": {"type": "fit-x", "contains": "padding"},
            "padding": _PADDING,
            **spec,
        }
        made[name] = _themed(vl_convert.vegalite_to_svg(fitted, vl_version=_VEGA_LITE), alternative)
    return made


def _themed(svg: str, alternative: str) -> str:
    text = re.sub(
        r'"(#[0-9a-f]{6})"', lambda found: f'"var(--{NAMED[found[1]]})"' if found[1] in NAMED else found[0], svg
    )
    text = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", text)  # of its parts: the whole has one name
    size = re.search(r'width="(\d+)[^"]*" height="(\d+)', text)
    assert size
    label = alternative.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    start = f'<svg class="chart" role="img" aria-label="{label}" viewBox="0 0 {size[1]} {size[2]}" xmlns="http://www.w3.org/2000/svg">'
    return re.sub(r"^.*?<svg[^>]*>", start, text, count=1, flags=re.DOTALL)

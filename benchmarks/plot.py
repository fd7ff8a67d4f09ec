"""A bar chart as SVG, by hand."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LEFT, _WIDTH, _STEP, _TOP = 330, 420, 22, 48


class Bar(NamedTuple):
    """One bar: its value, and the least and largest of the runs."""

    group: str
    label: str
    value: float
    low: float
    high: float


def bars_svg(title: str, bars: Sequence[Bar]) -> str:
    """Draw horizontal bars, a gap between groups; a thin line shows the spread."""
    scale = _WIDTH / max(1.0, *(bar.high for bar in bars))
    parts, y, group = [], _TOP, ""
    for bar in bars:
        if bar.group != group:
            y += _STEP // 2
            parts.append(f'<text x="8" y="{y + 15}" class="group">{escape(bar.group)}</text>')
            y += _STEP
            group = bar.group
        colour = "#c2410c" if bar.label.startswith("tap-emaillogs") else "#94a3b8"
        middle = y + _STEP / 2
        parts += [
            f'<text x="{_LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>',
            f'<rect x="{_LEFT}" y="{y + 4}" width="{bar.value * scale:.1f}" height="{_STEP - 8}" fill="{colour}"/>',
            f'<path d="M{_LEFT + bar.low * scale:.1f} {middle}H{_LEFT + bar.high * scale:.1f}" stroke="#111"/>',
            f'<text x="{_LEFT + bar.high * scale + 6:.1f}" y="{y + 15}">{bar.value:.2f}</text>',
        ]
        y += _STEP
    one = _LEFT + scale
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 60}" height="{y + 16}">',
            "<style>text{font:13px sans-serif;fill:#111}.group{font-weight:bold}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="8" y="24" class="group">{escape(title)}</text>',
            f'<path d="M{one:.1f} {_TOP - 8}V{y}" stroke="#111" stroke-dasharray="3 3"/>',
            *parts,
            "</svg>\n",
        ]
    )

"""Puts words, charts and tables into one file."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboard import charts
from dashboard.calendar import Calendar, calendar
from dashboard.drawing import Key, drawn
from dashboard.lines import MEASURES, lines
from dashboard.private import shown
from dashboard.words import LOST, NOTHING, endpoint, named, percent

if TYPE_CHECKING:
    from dashboard.database import Rows
    from dashboard.facts import Facts

_HERE = Path(__file__).parent
RATES = {
    "delivered": ("Delivered", ""),
    "bounced_hard": ("Hard bounces", "hard_bounce"),
    "complained": ("Complaints", "complaint"),
}
"""Rates that are drawn day by day: their titles, and the measures of `health` whose thresholds are drawn with them."""
MOST_GAPS, MOST_SENDERS = 100, 200
"""So many rows stand in the tables; a sentence tells how many there are."""


def written(facts: Facts) -> str:
    """Return the whole file as text."""
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "name": named,
        "endpoint": endpoint,
        "shown": shown,
        "moment": _moment,
        "percent": percent,
        "range": _range,
        "seconds": _seconds,
    }
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    policy += "; base-uri 'none'; form-action 'none'"
    hours = calendar(facts) if facts.hours else None
    text: str = environment.get_template("page.html.j2").render(
        facts=facts,
        lines=lines(facts),
        sections=_charts(facts, hours),
        calendar=hours,
        senders=facts.past_thresholds[:MOST_SENDERS],
        measures=MEASURES,
        gaps=sorted(facts.gaps, key=lambda row: (row["status"] in LOST, row["end"]), reverse=True)[:MOST_GAPS],
        engagement=_engagement(facts),
        totals=_totals(facts),
        policy=Markup(policy),  # noqa: S704 - made above, of hashes
        style=Markup(style),  # noqa: S704 - a file of ours
        script=Markup(script),  # noqa: S704 - likewise
        rates=RATES,
        now=facts.now,
    )
    return text


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _moment(moment: datetime) -> Markup:
    """Write a time that the page's script shows in the reader's zone."""
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{} UTC</time>').format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M}")


def _range(row: dict[str, Any], name: str) -> str:
    """Write a rate of `health` with its interval."""
    rate, low, high = (row[f"{name}_rate{part}"] for part in ("", "_low", "_high"))
    return NOTHING if rate is None else f"{percent(rate, 1)} ({percent(low, 1)} {NOTHING} {percent(high, 1)})"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def _charts(facts: Facts, hours: Calendar | None) -> dict[str, dict[str, Any]]:
    """Draw what there are facts for."""
    specs: dict[str, tuple[dict[str, Any], Key, str]] = {}
    providers = charts.key_of_providers(facts)
    tells = {named(one) for one in facts.tell_of_delivery}
    numbers = "The table below has the numbers."
    if facts.ends:
        text = f"Stacked bars: what became of the queued mails of each provider. {numbers}"
        specs["flow"] = charts.flow(facts), charts.key_of_ends(facts), text
    if any(row["queued"] for row in facts.daily):
        for name, (title, measure) in RATES.items():
            text = f"Lines: {title.lower()} per day and provider, as a share of the queued mails. {numbers}"
            told = [one for one in providers if name != "delivered" or one[1] in tells]
            if told:
                specs[name] = charts.rates(facts, name, facts.thresholds(measure)), told, text
        if rows := [row for row in _engagement(facts) if row["share"]]:
            text = f"Bars: opens and clicks by people and by machines. {numbers}"
            specs["engagement"] = charts.engagement(rows), charts.KEY_OF_READERS, text
    if facts.times:
        text = f"Lines: seconds until nine of ten mails of a day were delivered, per provider. {numbers}"
        specs["times"] = charts.times(facts), providers, text
    if hours:
        text = "Calendar: a bar per endpoint over the days, whether they are read completely. Gaps are listed below."
        specs["calendar"] = hours.spec, hours.key, text
    return {
        name: {"key": key, **{width: Markup(svg) for width, svg in drawn(spec, text).items()}}  # noqa: S704 - Vega's, texts escaped
        for name, (spec, key, text) in specs.items()
    }


def _totals(facts: Facts) -> Rows:
    """Add up the days of each provider."""
    totals: dict[str, dict[str, Any]] = {}
    for row in facts.daily:
        total = totals.setdefault(row["provider"], {"provider": row["provider"]})
        for name, value in row.items():
            if name not in {"day", "provider"}:
                total[name] = total.get(name, 0) + int(value)
    return list(totals.values())


def _engagement(facts: Facts) -> Rows:
    """Shares of queued mails that were opened and clicked, by people and by machines only."""
    rows = []
    for total in _totals(facts):
        for name in ("opened", "clicked"):
            if not (total["queued"] and total[name]):
                continue
            label = f"{named(total['provider'])}, {name}"
            people, everybody = total[f"{name}_by_person"], total[name]
            rows += [
                {"label": label, "by": "people", "share": people / total["queued"], "mails": people, "place": 0},
                {
                    "label": label,
                    "by": "machines only",
                    "share": (everybody - people) / total["queued"],
                    "mails": everybody - people,
                    "place": 1,
                },
            ]
    return rows

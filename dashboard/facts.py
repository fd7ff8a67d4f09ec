"""What the page says, as the models have it; no address, no subject and no link is ever asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.database import Rows

DAYS = 90
FEWEST_MAILS = 10
"""A recipient's domain with fewer mails is not named: it may be a person's own."""
MOST_ROWS = 15
_ADDRESS = re.compile(r"[^\s<>]*@[^\s<>]*")
_COUNTS = [
    *("queued", "messages", "sent", "delivered", "bounced", "bounced_hard", "bounced_soft", "deferred", "rejected"),
    *("rejected_before_queued", "failed", "complained", "unsubscribed"),
    *("opened", "opened_by_person", "clicked", "clicked_by_person"),
]
_SUMS = ", ".join(f"sum({name}) as {name}" for name in _COUNTS)
_HOUR_DAY, _QUEUED_DAY = (f"cast({name} at time zone 'UTC' as date)" for name in ("hour", "first_queued_at"))
_QUANTILES = ", ".join(
    f"percentile_cont({share}) within group (order by seconds_to_deliver) as {name}"
    for name, share in (("p50", 0.5), ("p90", 0.9))
)
_ENDS = """\
case
  when bounced_events > 0 then 'bounced'
  when rejected_events > 0 then 'rejected'
  when failed_events > 0 then 'failed'
  when delivered_events > 0 then 'delivered'
  when deferred_events > 0 then 'still being tried'
  when sent_events > 0 then 'sent, no word since'
  else 'no word yet'
end"""


@dataclass
class Facts:
    """All that the page shows of a span of days, `[first, last]`, in UTC."""

    first: date
    last: date
    daily: Rows = field(default_factory=list)
    """Per day and provider: counts of mails."""
    ends: Rows = field(default_factory=list)
    """Per provider: how many queued mails ended how."""
    domains: Rows = field(default_factory=list)
    """Per recipient's domain: queued, bounced, and `harm`: the bounces above what all mails together would have had."""
    reasons: Rows = field(default_factory=list)
    """Causes of bounces, deferrals, rejections and failures, the commonest first."""
    times: Rows = field(default_factory=list)
    """Per day and provider: seconds to deliver, half and nine of ten mails."""
    health: Rows = field(default_factory=list)
    hours: Rows = field(default_factory=list)
    """Per day and endpoint: the worst status, the hours of each, the share that is complete."""
    gaps: Rows = field(default_factory=list)
    """Stretches of hours that are missing at an endpoint, or still to come."""

    @property
    def providers(self) -> list[str]:
        """All providers, in the order of their names."""
        return sorted({row["provider"] for row in (*self.daily, *self.hours)})


def gathered(ask: Callable[[str], Rows], days: int = DAYS) -> Facts:
    """Read the facts of the last days that the models know."""
    (span,) = ask(
        "select min(day) as first, max(day) as last from (select day from agg_deliverability_daily "
        f"union all select {_HOUR_DAY} from completeness_hourly) as known"
    )
    last = span["last"] or date(1970, 1, 1)
    first = max(last - timedelta(days - 1), span["first"] or last)
    since, queued_since, hours_since = (f"{day} >= date '{first}'" for day in ("day", _QUEUED_DAY, _HOUR_DAY))
    hours = ask(f"""
        select provider, account, stream, {_HOUR_DAY} as day, hour, status, share_complete
        from completeness_hourly where {hours_since} order by provider, account, stream, hour""")
    reasons = ask(f"""
        select event_type, bounce_class, smtp_enhanced_code as code, reason, sum(messages) as mails
        from bounce_reasons where {since} group by 1, 2, 3, 4 order by mails desc, reason limit {MOST_ROWS}""")
    domains = ask(f"""
        select
            recipient_domain as domain, sum(queued) as queued, sum(bounced) as bounced, sum(complained) as complained,
            sum(deferred) as deferred
        from agg_deliverability_daily where {since} and recipient_domain is not null group by 1""")
    return Facts(
        first,
        last,
        daily=ask(f"""
            select day, provider, {_SUMS} from agg_deliverability_daily
            where {since} group by day, provider order by provider, day"""),
        ends=ask(f"""
            select provider, {_ENDS} as outcome, count(*) as mails from dim_messages
            where {queued_since} group by 1, 2 order by 1, 2"""),
        domains=_by_harm(domains),
        reasons=[{**row, "reason": _ADDRESS.sub("…", row["reason"] or "")} for row in reasons],
        times=ask(f"""
            select {_QUEUED_DAY} as day, provider, count(*) as mails, {_QUANTILES} from dim_messages
            where seconds_to_deliver is not null and {queued_since} group by 1, 2 order by 2, 1"""),
        health=ask("select * from health where grade <> 'good' order by provider, account, sender_domain"),
        hours=_per_day(hours),
        gaps=_stretches(hours),
    )


def _by_harm(rows: Rows) -> Rows:
    """Add `harm`, volume times excess bounce rate, and leave the domains that do the most."""
    queued, bounced = sum(int(row["queued"]) for row in rows), sum(int(row["bounced"]) for row in rows)
    rate = bounced / queued if queued else 0
    harmed = [
        {**row, "harm": float(row["bounced"]) - rate * float(row["queued"])}
        for row in rows
        if row["queued"] >= FEWEST_MAILS
    ]
    harmed.sort(key=lambda row: (-row["harm"], row["domain"]))
    return [row for row in harmed if row["harm"] > 0][:MOST_ROWS]


_SAME = ("provider", "account", "stream", "status")
BADNESS = ("complete", "pending", "failed", "truncated", "never read", "unavailable")
"""From what is well to what is lost for good."""


def _per_day(hours: Rows) -> Rows:
    days: dict[tuple[str, str, str, date], Rows] = {}
    for row in hours:
        days.setdefault((row["provider"], row["account"], row["stream"], row["day"]), []).append(row)
    return [
        {
            **dict(zip(("provider", "account", "stream", "day"), key, strict=True)),
            "status": max((row["status"] for row in rows), key=BADNESS.index),
            "complete": sum(float(row["share_complete"]) for row in rows) / len(rows),
        }
        for key, rows in days.items()
    ]


def _stretches(hours: Rows) -> Rows:
    """Join hours of one endpoint that follow each other and are missing in the same way."""
    found: Rows = []
    for row in hours:
        if row["status"] == "complete":
            continue
        end = row["hour"] + timedelta(hours=1)
        if found and found[-1]["end"] == row["hour"] and all(found[-1][name] == row[name] for name in _SAME):
            found[-1]["end"] = end
        else:
            found.append({**row, "start": row["hour"], "end": end})
    return found

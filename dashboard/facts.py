"""What the page says, as the models have it; no address, no subject and no link is ever asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dashboard.reasons import named
from dashboard.words import BADNESS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dashboard.database import Rows

DAYS = 90
WEEKS = timedelta(days=28)
"""Before a day, or a week: what it is compared with."""
MOST_DOMAINS = 15
_COUNTS = [
    *("queued", "messages", "sent", "delivered", "bounced", "bounced_hard", "bounced_soft"),
    *("bounced_undetermined", "deferred", "rejected"),
    *("rejected_before_queued", "failed", "complained", "unsubscribed"),
    *("opened", "opened_by_person", "clicked", "clicked_by_person"),
]
_SUMS = ", ".join(f"sum({name}) as {name}" for name in _COUNTS)
_HOUR_DAY = "cast(hour at time zone 'UTC' as date)"
_QUANTILES = ", ".join(
    f"percentile_cont({share}) within group (order by seconds_to_deliver) as {name}"
    for name, share in (("p50", 0.5), ("p90", 0.9))
)
GRADES = ("critical", "bad", "watch")
"""Past a threshold; the worst first."""


@dataclass
class Facts:
    """All that the page shows of a span of days, `[first, last]`, in UTC."""

    first: date
    last: date
    daily: Rows = field(default_factory=list)
    """Per day and provider: counts of mails."""
    before: Rows = field(default_factory=list)
    """The same of the four weeks before `first`, to compare with."""
    delivering: Rows = field(default_factory=list)
    """Each `provider` that ever told of a delivery."""
    ends: Rows = field(default_factory=list)
    """Per provider: how many queued mails ended how."""
    domains: Rows = field(default_factory=list)
    """Per recipient's domain: queued, bounced, and `harm`: the bounces above what all mails together would have had."""
    reasons: Rows = field(default_factory=list)
    """Causes of bounces, deferrals, rejections and failures, the commonest first."""
    times: Rows = field(default_factory=list)
    """Per day and provider: seconds to deliver, half and nine of ten mails."""
    past_thresholds: Rows = field(default_factory=list)
    """Of `health`: senders past a threshold, the worst and largest first."""
    settings: dict[str, float] = field(default_factory=dict)
    """Vars that the models were made with."""
    hours: Rows = field(default_factory=list)
    """Per day and endpoint: the worst status, the hours of each, the share that is complete."""
    arrivals: Rows = field(default_factory=list)
    """Per day, provider and account: mails that are a day old or whose end is known (`mails`), and how many arrived;
    `sent_lately` are younger and only sent."""
    read: Rows = field(default_factory=list)
    """Per endpoint: `until`, up to when it was read, as the ledger has it."""
    filters: Rows = field(default_factory=list)
    """Per provider: `filters` under which windows of these days were read, as the ledger has them, in JSON."""
    odd: Rows = field(default_factory=list)
    """Per provider: mails without a time (`undated`), and those of the future (`ahead`)."""
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """When the facts were gathered."""
    gaps: Rows = field(default_factory=list)
    """Stretches of hours that are missing at an endpoint, or still to come."""

    @property
    def providers(self) -> list[str]:
        """All providers, in the order of their names."""
        return sorted({row["provider"] for row in (*self.daily, *self.hours, *self.read, *self.odd)}, key=str)

    @property
    def tell_of_delivery(self) -> frozenset[str]:
        """The providers that say when a mail was delivered; some only say that they sent it."""
        return frozenset(row["provider"] for row in self.delivering)

    def is_partial(self, provider: str, day: date) -> bool:
        """Whether something of a day is missing or not read yet: then its rates are of what is there."""
        return (provider, day) in self._partial

    @cached_property
    def _partial(self) -> set[tuple[str, date]]:
        return {(row["provider"], row["day"]) for row in self.hours if row["status"] != "complete"}

    def accounts(self, provider: str) -> set[str]:
        """Return the accounts of a provider."""
        rows = (*self.arrivals, *self.hours, *self.read, *self.past_thresholds)
        return {row["account"] for row in rows if row["provider"] == provider}

    @property
    def fewest(self) -> int:
        """How many mails there must be for a domain or a reason to be named."""
        return int(self.settings["named_from_mails"])

    def thresholds(self, measure: str) -> list[tuple[str, float]]:
        """Return the grades of a measure of `health` with the rates from which they are given, the lowest first."""
        start = f"{measure}_rate_"
        found = [(name.removeprefix(start), rate) for name, rate in self.settings.items() if name.startswith(start)]
        return sorted(found, key=lambda one: one[1])


def gathered(ask: Callable[..., Rows], days: int = DAYS, now: datetime | None = None) -> Facts:
    """Read the facts of the last days that the models know; what is dated after `now` counts for nothing."""
    now = now or datetime.now(UTC)
    today = now.astimezone(UTC).date()
    yesterday = f"{now.astimezone(UTC) - timedelta(days=1):%Y-%m-%d %H:%M:%S}+00"
    (span,) = ask(
        "select min(day) as first, max(day) as last from (select day from agg_deliverability_daily "
        f"union all select {_HOUR_DAY} from completeness_hourly) as known where day <= date '{today}'"
    )
    last = span["last"] or date(1970, 1, 1)
    if today - last < timedelta(days):
        last = today
    first = max(last - timedelta(days - 1), span["first"] or last)
    day_counts = f"select day, provider, {_SUMS} from agg_deliverability_daily"
    compared = f"day >= date '{min(first, last - timedelta(7) - WEEKS)}' and day <= date '{last}'"
    since, hours_since = (f"{day} >= date '{first}' and {day} <= date '{last}'" for day in ("day", _HOUR_DAY))
    settings = {row["name"]: float(row["value"]) for row in ask("select name, value from model_vars")}
    read = ask("""
        select provider, account, stream, max(case when status = 'complete' then window_end end) as until
        from stg_sync_windows group by 1, 2, 3 order by 1, 2, 3""")
    filters = ask(f"""
        select distinct provider, stg_sync_windows.filter as filters from stg_sync_windows
        where stg_sync_windows.filter is not null
            and window_end > cast('{first} 00:00:00+00' as timestamp with time zone)""")
    hours = ask(f"""
        select provider, account, stream, {_HOUR_DAY} as day, hour, status, share_complete
        from completeness_hourly where {hours_since} order by provider, account, stream, hour""")
    ends = ask("select provider, account, stream, max(hour) as hour from completeness_hourly group by 1, 2, 3")
    hours += _not_read_yet(ends, first, last, now)
    hours.sort(key=lambda row: (*(row[name] or "" for name in _SAME[:3]), row["hour"]))
    domains = ask(f"""
        select
            recipient_domain as domain, sum(queued) as queued, sum(bounced) as bounced, sum(complained) as complained,
            sum(deferred) as deferred
        from agg_deliverability_daily where {since} and recipient_domain is not null group by 1""")
    arrivals = ask(f"""
        select provider, account, day, count(case when is_old or outcome <> 'sent, no word since' then 1 end) as mails,
            count(case when outcome = 'delivered' then 1 end) as delivered,
            count(case when outcome = 'sent, no word since' then 1 end) as sent,
            count(case when outcome = 'sent, no word since' and not is_old then 1 end) as sent_lately
        from (
            select provider, account, day, outcome,
                counted_at <= cast('{yesterday}' as timestamp with time zone) as is_old
            from dim_messages where {compared} and queued_events + rejected_events + failed_events > 0
        ) as ended
        where is_old or outcome not in ('no word yet', 'still being tried')
        group by 1, 2, 3""")
    odd = ask(f"""
        select provider, undated, ahead from (
            select provider, sum(case when day is null then messages else 0 end) as undated,
                sum(case when day > date '{today}' then messages else 0 end) as ahead
            from agg_deliverability_daily group by 1
        ) as counted where undated + ahead > 0""")
    return Facts(
        first,
        last,
        daily=ask(f"{day_counts} where {since} group by day, provider order by provider, day"),
        before=ask(f"{day_counts} where day < date '{first}' and day >= date '{first - WEEKS}' group by day, provider"),
        delivering=ask("select distinct provider from agg_deliverability_daily where delivered > 0"),
        ends=ask(f"""
            select provider, outcome, count(*) as mails from dim_messages
            where queued_events > 0 and {since} group by 1, 2 order by 1, 2"""),
        domains=_by_harm(domains, int(settings["named_from_mails"])),
        reasons=_reasons(ask, since, int(settings["named_from_mails"])),
        times=ask(f"""
            select day, provider, count(*) as mails, {_QUANTILES} from dim_messages
            where seconds_to_deliver is not null and {since} group by 1, 2 order by 2, 1"""),
        past_thresholds=_worst_first(ask("select * from health where likely_cause is not null")),
        settings=settings,
        hours=_per_day(hours),
        gaps=_stretches(hours),
        arrivals=arrivals,
        read=read,
        filters=filters,
        odd=odd,
        now=now,
    )


def _not_read_yet(ends: Rows, first: date, last: date, now: datetime) -> Rows:
    """Return the hours of the page's days between the end of what was read of each endpoint and now."""
    span = (
        datetime.combine(first, datetime.min.time(), UTC),
        datetime.combine(last + timedelta(1), datetime.min.time(), UTC),
    )
    found = []
    for row in ends:
        hour = max(row["hour"].astimezone(UTC) + timedelta(hours=1), span[0])
        while hour + timedelta(hours=1) <= now and hour < span[1]:
            found.append({**row, "day": hour.date(), "hour": hour, "status": "not read yet", "share_complete": 0})
            hour += timedelta(hours=1)
    return found


def _reasons(ask: Callable[..., Rows], since: str, fewest: int) -> Rows:
    """Return why mails did not arrive, as it may be shown."""
    code = "coalesce(smtp_enhanced_code, '')"
    rows = ask(f"""
        select event_type, bounce_class, {code} as code, reason, count(distinct message_key) as mails
        from message_reasons where {since} group by 1, 2, 3, 4""")
    kinds = ask(f"""
        select event_type, bounce_class, count(distinct message_key) as mails
        from message_reasons where {since} group by 1, 2""")

    def together(same: Rows) -> int:
        codes, reasons = ({row[name] for row in same} for name in ("code", "reason"))
        (found,) = ask(
            f"""
            select count(distinct message_key) as mails from message_reasons
            where {since} and event_type = ? and coalesce(bounce_class, '') = ?
                and {code} in ({", ".join("?" * len(codes))}) and reason in ({", ".join("?" * len(reasons))})""",
            same[0]["event_type"],
            same[0]["bounce_class"] or "",
            *codes,
            *reasons,
        )
        return int(found["mails"])

    return named(rows, fewest, kinds, together)


def _worst_first(rows: Rows) -> Rows:
    return sorted(
        rows,
        key=lambda row: (
            GRADES.index(row["grade"]),
            -int(row["asked_for"]),
            *(row[name] or "" for name in ("provider", "account", "sender_domain")),
        ),
    )


def _by_harm(rows: Rows, fewest: int) -> Rows:
    """Add `harm`, volume times excess bounce rate, and leave the domains that do the most."""
    queued, bounced = sum(int(row["queued"]) for row in rows), sum(int(row["bounced"]) for row in rows)
    rate = bounced / queued if queued else 0
    harmed = [
        {**row, "harm": float(row["bounced"]) - rate * float(row["queued"])} for row in rows if row["queued"] >= fewest
    ]
    harmed.sort(key=lambda row: (-row["harm"], row["domain"]))
    return [row for row in harmed if row["harm"] > 0][:MOST_DOMAINS]


_SAME = ("provider", "account", "stream", "status")


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

"""The page's first lines: one per provider, in words, worst first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from dashboard.facts import WEEKS
from dashboard.interval import highest
from dashboard.private import shown
from dashboard.words import LOST, endpoint, interval, named, percent

if TYPE_CHECKING:
    from datetime import date

    from dashboard.database import Rows
    from dashboard.facts import Facts

LEVELS = ("ok", "watch", "bad")
MARKS = {"ok": "✓", "watch": "!", "bad": "✕"}
"""Beside colour, for who sees none."""
MOST_SAID = 3
"""So many senders, or accounts, are named in the first lines of a provider; a number tells of the others."""
_STALE, _LONG_AGO = timedelta(days=1), timedelta(days=7)
_FAR = 0.05
"""So much less of the mails arrives, surely, when it is far less."""
_FEW = 10
"""Fewer mails prove nothing, but are worth a look."""
_NO_FILTER = {"channel": "E"}
"""Messangi's channel of e-mails: what the tap is for."""
MEASURES = {
    "hard_bounce": "hard bounces",
    "bounce": "all bounces",
    "not_sent": "rejected or failed",
    "complaint": "complaints",
}


@dataclass
class Line:
    """What is to be said of a provider."""

    provider: str
    level: str
    title: str
    says: list[str]

    @property
    def name(self) -> str:
        """Return the provider's name as it is written."""
        return named(self.provider)

    @property
    def mark(self) -> str:
        """Return a sign for the level."""
        return MARKS[self.level]


def lines(facts: Facts) -> list[Line]:
    """Return the lines, the worst first."""
    found = [_line(facts, provider) for provider in facts.providers]
    return sorted(found, key=lambda one: (-LEVELS.index(one.level), str(one.provider)))


def _line(facts: Facts, provider: str) -> Line:
    says, level = _missing(facts, provider)
    for judge in (_read, _filtered, _arrived, _odd):
        said, found = judge(facts, provider)
        says += said
        level = max(level, found, key=LEVELS.index)
    mails = [row for row in facts.daily if row["provider"] == provider]
    with_mails = [row["day"] for row in mails if row["queued"]]
    if with_mails:
        today = facts.now.astimezone(UTC).date()
        mails += [row for row in facts.before if row["provider"] == provider]
        says.append(_rates(mails, max(with_mails), today, provider in facts.tell_of_delivery))
        if max(with_mails) != today and facts.is_partial(provider, max(with_mails)):  # of today it says "so far"
            says[-1] += " Something of that day is missing or not read yet: its rates are of what is there."
    else:
        says.append(f"No mails in the {(facts.last - facts.first).days + 1} days shown.")
    said, found = _senders(facts, provider)
    says += said
    level = max(level, found, key=LEVELS.index)
    title = {"ok": "nothing is wrong", "watch": "worth a look", "bad": "something is wrong"}[level]
    return Line(provider, level, title, says)


def _senders(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say which senders are past a threshold: the worst by name."""
    rows = [row for row in facts.past_thresholds if row["provider"] == provider]
    says = []
    for row in rows[:MOST_SAID]:
        who = (shown(row["sender_domain"]) or "an unknown sender") + _of_account(facts, provider, row["account"])
        if facts.last - row["last_day"] > _LONG_AGO:
            who += f", up to its last mails on {row['last_day']}"
        rates = ", ".join(f"{what} {interval(row, name)}" for name, what in MEASURES.items() if _counts(row, name))
        says.append(f"{who}: {row['grade']}. {rates.capitalize()}: {shown(row['likely_cause'])}.")
    if says and any(row["provider"] == provider and row["status"] in LOST for row in facts.gaps):
        says[-1] += " Events are missing: true rates may lie outside."
    if len(rows) > MOST_SAID:
        more = len(rows) - MOST_SAID
        says.append(
            f"{more:,} more {'senders are' if more > 1 else 'sender is'} past a threshold: see the table below."
        )
    grades = {row["grade"] for row in rows}
    return says, "bad" if grades - {"watch"} else "watch" if grades else "ok"


def _of_account(facts: Facts, provider: str, account: str | None) -> str:
    """Name the account where a provider has several."""
    return f" (account {shown(account) or 'unknown'})" if len(facts.accounts(provider)) > 1 else ""


def _counts(row: dict[str, Any], name: str) -> bool:
    """Whether a measure belongs to the two that are always told, or is past a threshold."""
    return name in {"hard_bounce", "complaint"} or row[f"{name}_grade"] in {"watch", "bad", "critical"}


def _read(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say up to when everything was read, and whether the tap stopped."""
    rows = [row for row in facts.read if row["provider"] == provider]
    if not rows:
        return [], "ok"
    never = [row for row in rows if row["until"] is None]
    read = sorted((row for row in rows if row["until"] is not None), key=lambda row: row["until"])
    if not read:
        return ["Nothing of it was read completely yet."], "bad"
    oldest, newest = read[0], read[-1]
    says = [f"Read up to {newest['until'].astimezone(UTC):%Y-%m-%d %H:%M} UTC."]
    level = "ok"
    if facts.now - newest["until"] > _STALE:
        says = [f"{says[0]} That is {_age(facts, newest)} before this page was written: does the tap still run?"]
        level = "bad"
    elif facts.now - oldest["until"] > _STALE:
        moment = f"{oldest['until'].astimezone(UTC):%Y-%m-%d %H:%M}"
        says.append(f"{endpoint(oldest)} only up to {moment} UTC, {_age(facts, oldest)} before this page was written.")
        level = "watch"
    if never:
        says.append(f"{endpoint(never[0])} was never read completely.")
        level = max(level, "watch", key=LEVELS.index)
    return says, level


def _filtered(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say which filters leave something out: "complete" means complete under them."""
    names = set()
    for row in facts.filters:
        if row["provider"] == provider:
            names |= _names_of(row["filters"])
    if not names:
        return [], "ok"
    listed = ", ".join(shown(name) for name in sorted(names))
    return [f"Read under filters of the tap's settings ({listed}): what they leave out is in no figure here."], "ok"


def _names_of(filters: str) -> set[str]:
    """Return the names of the settings in a ledger row's filter, which a user may have masked or mapped."""
    try:
        found = json.loads(filters)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return {"which cannot be read here"}
    return {name for name, value in found.items() if _NO_FILTER.get(name) != value}


def _age(facts: Facts, row: dict[str, Any]) -> str:
    hours = int((facts.now - row["until"]).total_seconds() // 3600)
    return f"{hours} hours" if hours < 72 else f"{hours // 24:,} days"


def _arrived(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Compare the last day and the last week of each account with the four weeks before."""
    says: list[tuple[int, str]] = []
    level = "ok"
    for account in sorted(facts.accounts(provider), key=str):
        rows = [row for row in facts.arrivals if row["provider"] == provider and row["account"] == account]
        said, found = _arrived_of(rows, provider in facts.tell_of_delivery)
        says += [(LEVELS.index(found), f"{text}{_of_account(facts, provider, account)}.") for text in said]
        level = max(level, found, key=LEVELS.index)
    says.sort(key=lambda one: -one[0])
    more = [f"The same is so at {len(says) - MOST_SAID:,} more of its accounts."] if len(says) > MOST_SAID else []
    return [text for _, text in says[:MOST_SAID]] + more, level


def _arrived_of(rows: Rows, tells_of_delivery: bool) -> tuple[list[str], str]:
    if not rows:
        return [], "ok"
    last = max(row["day"] for row in rows)
    for days in (7, 1):
        start = last - timedelta(days)
        mails, arrived = _sums([row for row in rows if row["day"] > start], tells_of_delivery)
        before, arrived_before = _sums([row for row in rows if start - WEEKS < row["day"] <= start], tells_of_delivery)
        span = f"{last:%Y-%m-%d}" if days == 1 else f"the {days} days up to {last:%Y-%m-%d}"
        text = f"Of {mails:,} {'mail' if mails == 1 else 'mails'} of {span} only {percent(arrived, mails)} arrived"
        if 2 * arrived < mails:
            return [text], "bad" if mails >= _FEW else "watch"
        if mails >= _FEW and before and highest(arrived, mails) < arrived_before / before - _FAR:
            return [f"{text}, of those of the four weeks before {percent(arrived_before, before)}"], "watch"
    return [], "ok"


def _sums(rows: Rows, tells_of_delivery: bool) -> tuple[int, int]:
    """Return mails and those that arrived; of a vendor that only tells that it sent a mail, sent ones did."""
    all_of: tuple[str, ...] = ("mails",)
    arrived: tuple[str, ...] = ("delivered",)
    if not tells_of_delivery:
        all_of, arrived = ("mails", "sent_lately"), ("delivered", "sent")
    return (
        sum(int(row[name]) for row in rows for name in all_of),
        sum(int(row[name]) for row in rows for name in arrived),
    )


def _odd(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say which mails are in no day."""
    says = []
    for row in facts.odd:
        if row["provider"] == provider:
            for name, what in (("undated", "without any time"), ("ahead", "dated in the future")):
                if row[name]:
                    says.append(f"Mails {what}, which are in no figure here: {int(row[name]):,}.")
    return says, "watch" if says else "ok"


def _missing(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say what the ledger lacks."""
    gaps = [row for row in facts.gaps if row["provider"] == provider and row["status"] != "not read yet"]
    lost = [row for row in gaps if row["status"] in LOST]
    if not any(row["provider"] == provider for row in (*facts.hours, *facts.read)):
        return ["The ledger says nothing of it."], "watch"
    if lost:
        worst = max(lost, key=lambda row: (row["end"] - row["start"], row["end"]))
        stretches = "" if len(lost) == 1 else f" in {len(lost)} stretches, the longest"
        text = f"Events are missing: {_hours(lost)}{stretches or ','} {worst['status']} from "
        text += f"{worst['start']:%Y-%m-%d %H:%M} to {worst['end']:%Y-%m-%d %H:%M} UTC ({endpoint(worst)})."
        return [text], "bad"
    if gaps:
        statuses = " and ".join(sorted({row["status"] for row in gaps}))
        return [f"Not everything is read yet: {_hours(gaps)} {statuses}; a later run takes it up."], "watch"
    if not any(row["provider"] == provider for row in facts.hours):
        return ["The ledger says nothing of the hours of these days."], "watch"
    return ["Every hour of these days is read completely."], "ok"


def _hours(rows: Rows) -> str:
    hours = round(sum((row["end"] - row["start"]).total_seconds() for row in rows) / 3600)
    endpoints = len({(row["account"], row["stream"]) for row in rows})
    over = f" (over {endpoints} endpoints)" if endpoints > 1 else ""
    return f"{hours} hour" if hours == 1 else f"{hours:,} hours{over}"


def _rates(mails: Rows, day: date, today: date, tells_of_delivery: bool) -> str:
    now = [row for row in mails if row["day"] == day]
    before = [row for row in mails if day - WEEKS <= row["day"] < day]

    def said(name: str, rows: Rows) -> str:
        return percent(sum(float(row[name]) for row in rows), sum(float(row["queued"]) for row in rows))

    queued = sum(int(row["queued"]) for row in now)
    so_far = " so far" if day == today else ""
    text = f"{day:%Y-%m-%d}{so_far}: {queued:,} {'mail' if queued == 1 else 'mails'}, "
    # Some vendors only tell that they sent a mail.
    arrived = "delivered" if tells_of_delivery else "sent"
    text += ", ".join(
        f"{said(name, now)} {name} ({said(name, before)} in the four weeks before)" for name in (arrived, "bounced")
    )
    return text + f", {said('complained', now)} complaints ({said('complained', before)})."

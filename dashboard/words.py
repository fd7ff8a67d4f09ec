"""The page's first lines: one per provider, in words, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from dashboard.database import Rows
    from dashboard.facts import Facts

NAMES = {
    "smtp2go": "SMTP2GO",
    "jetemail": "JetEmail",
    "infobip": "Infobip",
    "zeptomail": "ZeptoMail",
    "messangi": "Messangi",
}
LEVELS = ("ok", "watch", "bad")
MARKS = {"ok": "✓", "watch": "!", "bad": "✕"}
"""Beside colour, for who sees none."""
LOST = frozenset({"truncated", "never read", "unavailable"})
"""What no later run can bring."""
NOTHING = "\N{EN DASH}"
_WEEKS = timedelta(days=28)


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
        return NAMES.get(self.provider, self.provider)

    @property
    def mark(self) -> str:
        """Return a sign for the level."""
        return MARKS[self.level]


def lines(facts: Facts) -> list[Line]:
    """Return the lines, the worst first."""
    found = [_line(facts, provider) for provider in facts.providers]
    return sorted(found, key=lambda one: (-LEVELS.index(one.level), one.provider))


def percent(part: float, whole: float) -> str:
    """Return a share in words; a dash where there is nothing to share among."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    return f"{share:.2f} %" if 0.005 < share < 1 else f"{share:.1f} %"


def _line(facts: Facts, provider: str) -> Line:
    says, level = _missing(facts, provider)
    mails = [row for row in facts.daily if row["provider"] == provider]
    with_mails = [row["day"] for row in mails if row["queued"]]
    if with_mails:
        says.append(_rates(mails, max(with_mails)))
    else:
        says.append(f"No mails in the {(facts.last - facts.first).days + 1} days shown.")
    for row in facts.health:
        if row["provider"] == provider and row["likely_cause"]:
            level = max(level, "watch" if row["grade"] == "watch" else "bad", key=LEVELS.index)
            who = row["sender_domain"] or "an unknown sender"
            bounces, complaints = (_with_interval(row, name) for name in ("hard_bounce", "complaint"))
            says.append(
                f"{who}: {row['grade']}. Hard bounces {bounces}, complaints {complaints}: {row['likely_cause']}."
            )
    title = {"ok": "nothing is wrong", "watch": "worth a look", "bad": "something is wrong"}[level]
    return Line(provider, level, title, says)


def _with_interval(row: dict[str, Any], name: str) -> str:
    rate, low, high = (row[f"{name}_rate{part}"] for part in ("", "_low", "_high"))
    if rate is None:
        return NOTHING
    return f"{percent(rate, 1)} (surely between {percent(low, 1)} and {percent(high, 1)})"


def _missing(facts: Facts, provider: str) -> tuple[list[str], str]:
    """Say what the ledger lacks."""
    gaps = [row for row in facts.gaps if row["provider"] == provider]
    lost = [row for row in gaps if row["status"] in LOST]
    if not any(row["provider"] == provider for row in facts.hours):
        return ["The ledger says nothing of it."], "watch"
    if lost:
        worst = max(lost, key=lambda row: (row["end"] - row["start"], row["end"]))
        stretches = "one stretch" if len(lost) == 1 else f"{len(lost)} stretches"
        text = f"Events are missing: {_hours(lost)} in {stretches}, the longest {worst['status']} from "
        text += f"{worst['start']:%Y-%m-%d %H:%M} to {worst['end']:%Y-%m-%d %H:%M} UTC ({worst['stream']})."
        return [text], "bad"
    if gaps:
        statuses = " and ".join(sorted({row["status"] for row in gaps}))
        return [f"Not everything is read yet: {_hours(gaps)} {statuses}; a later run takes it up."], "watch"
    return ["Every hour is read completely."], "ok"


def _hours(rows: Rows) -> str:
    hours = round(sum((row["end"] - row["start"]).total_seconds() for row in rows) / 3600)
    return f"{hours} hour" if hours == 1 else f"{hours:,} hours"


def _rates(mails: Rows, today: date) -> str:
    now = [row for row in mails if row["day"] == today]
    before = [row for row in mails if today - _WEEKS <= row["day"] < today]

    def said(name: str, rows: Rows) -> str:
        return percent(sum(float(row[name]) for row in rows), sum(float(row["queued"]) for row in rows))

    queued = sum(int(row["queued"]) for row in now)
    text = f"{today:%Y-%m-%d}: {queued:,} {'mail' if queued == 1 else 'mails'}, "
    # Some vendors only tell that they sent a mail.
    arrived = "delivered" if any(row["delivered"] for row in mails) else "sent"
    text += ", ".join(
        f"{said(name, now)} {name} ({said(name, before)} in the four weeks before)" for name in (arrived, "bounced")
    )
    return text + f", {said('complained', now)} complaints ({said('complained', before)})."

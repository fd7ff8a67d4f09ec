"""What the dbt models should say of some events, in Python: slow, plain, and written from their documentation."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from tap_emaillogs.streams.meanings import EventType

Event = dict[str, Any]
SEED = Path(__file__).resolve().parent.parent / "dbt" / "seeds" / "machine_user_agents.csv"
TYPES = [kind for kind in get_args(EventType) if kind not in {"subscribed", "unknown"}]
TEXTS = (
    "provider",
    "account",
    "message_id",
    "recipient",
    "recipient_domain",
    "sender",
    "sender_domain",
    "campaign",
    "subject",
)
_RANK = {"queued": 0, "sent": 1, "deferred": 2, "delivered": 3}
_OUTCOMES = (
    ("rejected", ("rejected",)),
    ("failed", ("failed",)),
    ("delivered", ("delivered", "opened", "clicked", "complained", "unsubscribed")),
    ("still being tried", ("deferred",)),
    ("sent, no word since", ("sent",)),
)


def mail_of(event: Event) -> tuple[Any, ...]:
    """Return what tells a mail to a recipient from all others."""
    for kind in ("message_id", "provider_event_id", "event_id"):
        if event[kind] is not None:
            break
    recipient = None if event["recipient"] is None else event["recipient"].lower()
    return event["provider"], event["account"], kind, event[kind], recipient


def mails(events: list[Event]) -> dict[tuple[Any, ...], list[Event]]:
    """Group events by mail."""
    found = defaultdict(list)
    for event in events:
        found[mail_of(event)].append(event)
    return dict(found)


def machine_reasons(events: list[Event]) -> dict[str, str]:
    """Return why events of one mail count as a machine's, by `event_id`; people's are left out."""
    with SEED.open(encoding="utf-8", newline="") as file:
        seed = [(_like(row["pattern"]), row["kind"]) for row in csv.DictReader(file) if row["is_machine"] == "true"]
    delivered = min((e["event_at"] for e in events if e["event_type"] == "delivered" and e["event_at"]), default=None)
    links = defaultdict(set)
    for event in events:
        if event["event_type"] == "clicked" and event["event_at"] and event["url"] is not None:
            links[event["event_at"].replace(microsecond=0)].add(event["url"])
    found = {}
    for event in events:
        if event["event_type"] not in {"opened", "clicked"}:
            continue
        agent, at = (event["user_agent"] or "").strip(" ").lower(), event["event_at"]
        kinds = [kind for pattern, kind in seed if event["user_agent"] is not None and pattern.fullmatch(agent)]
        most = timedelta(seconds=5 if event["event_type"] == "clicked" else 2)
        if kinds:
            found[event["event_id"]] = f"user agent: {min(kinds)}"
        elif event["event_type"] == "clicked" and at and len(links[at.replace(microsecond=0)]) >= 3:
            found[event["event_id"]] = "many links in one second"
        elif at and delivered and timedelta(seconds=-60) <= at - delivered <= most:
            found[event["event_id"]] = "within seconds of delivery"
    return found


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile("".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern), re.DOTALL)


def message(events: list[Event]) -> dict[str, Any]:
    """Return the row of `dim_messages` of the events of one mail."""
    machines = machine_reasons(events)
    row: dict[str, Any] = {name: _least(event[name] for event in events) for name in TEXTS}
    times = [event["event_at"] for event in events if event["event_at"]]
    row |= {"first_event_at": min(times, default=None), "last_event_at": max(times, default=None)}
    newest = [event for event in events if event["event_at"] == row["last_event_at"]]
    last = min(newest, key=lambda event: (-_RANK.get(event["event_type"], 4), event["event_id"]))
    kinds = {kind: [event for event in events if event["event_type"] == kind] for kind in TYPES}
    kinds |= {
        f"bounced_{kind}": [e for e in kinds["bounced"] if e["bounce_class"] == kind] for kind in ("hard", "soft")
    }
    kinds["bounced_undetermined"] = [e for e in kinds["bounced"] if e["bounce_class"] not in {"hard", "soft"}]
    for kind in ("opened", "clicked"):
        kinds[f"{kind}_by_person"] = [event for event in kinds[kind] if event["event_id"] not in machines]
    for kind, those in kinds.items():
        row[f"first_{kind}_at"] = _least(event["event_at"] for event in those)
        row[f"{kind}_events"] = len(those)
    for name, start, end in (
        ("seconds_to_deliver", "queued", "delivered"),
        ("seconds_from_delivery_to_open", "delivered", "opened"),
        ("seconds_from_delivery_to_click", "delivered", "clicked"),
    ):
        edges = row[f"first_{start}_at"], row[f"first_{end}_at"]
        row[name] = (edges[1] - edges[0]).total_seconds() if all(edges) else None
    row |= {"last_status": last["event_type"], "events": len(events)}
    row["counted_at"] = row["first_queued_at"] or row["first_event_at"]
    row["day"] = row["counted_at"].date() if row["counted_at"] else None
    bounced, delivered = row["first_bounced_at"], row["first_delivered_at"]
    if row["bounced_hard_events"] or (row["bounced_events"] and not (bounced and delivered and delivered > bounced)):
        row["outcome"] = "bounced"
    else:
        ends = (end for end, names in _OUTCOMES if any(row[f"{name}_events"] for name in names))
        row["outcome"] = next(ends, "no word yet")
    return row


def _least(values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)


def daily(messages: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return the counts of `agg_deliverability_daily`, by its key."""
    names = [name.removesuffix("_events") for name in messages[0] if name.endswith("_events")]
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    of_queued: dict[tuple[Any, ...], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in messages:
        key = tuple(row[name] for name in ("day", "provider", "account", "sender_domain", "recipient_domain"))
        sums = found.setdefault(key, defaultdict(int))
        queued, rejected, failed = (row[f"{name}_events"] > 0 for name in ("queued", "rejected", "failed"))
        sums["messages"] += 1
        sums["events"] += row["events"]
        sums["rejected_before_queued"] += rejected and not queued
        sums["not_sent"] += rejected or failed
        sums["asked_for"] += queued or rejected or failed
        for name in names:
            sums[f"{name}_events"] += row[f"{name}_events"]
            of_queued[key][name] += row[f"{name}_events"] if queued else 0
            sums[name] += row[f"{name}_events"] > 0 and (queued or name == "rejected")
    for key, sums in found.items():
        for name in set(names) - {"queued", "rejected"}:
            sums[f"{name}_rate"] = sums[name] / sums["queued"] if sums["queued"] else None
            sums[f"{name}_total_rate"] = of_queued[key][name] / sums["queued"] if sums["queued"] else None
        taken = sums["queued"] + sums["rejected_before_queued"]
        sums["rejected_rate"] = sums["rejected"] / taken if taken else None
    return {key: dict(sums) for key, sums in found.items()}

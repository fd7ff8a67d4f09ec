"""Progress in words and numbers, as lines and display show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_emaillogs.http.activity import Wait

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_emaillogs.progress.endpoint import EndpointProgress, Snapshot

_UNITS = ((86400.0, "days"), (3600.0, "h"), (60.0, "min"))


def moment(time: datetime) -> str:
    """Return `2026-11-19 04:00`, in UTC as all times here."""
    return f"{time:%Y-%m-%d %H:%M}"


def span(seconds: float) -> str:
    """Return how long, roughly: `40 s`, `5 min`, `2.5 h`, `3 days`."""
    for unit, name in _UNITS:
        if seconds >= 1.5 * unit:
            count = seconds / unit
            return f"{count:.1f}".removesuffix(".0") + f" {name}" if count < 3 else f"{count:,.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def left(seconds: float) -> str:
    """Return how long it may still take: `about 5 min left`."""
    return f"about {span(max(1.0, seconds))} left"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return `1 row`, `4,900 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def waiting(one: EndpointProgress, wait: Wait) -> str:
    """Return what is waited for: `its budget (30/min)`."""
    budget = f" ({one.per_minute:g}/min)" if wait is Wait.BUDGET and one.per_minute else ""
    return f"{wait}{budget}"


def place(now: Snapshot) -> str:
    """Return how far it is: `to 2026-11-19 04:00 (62 %)`."""
    share = f"{int(100 * now.share)} %"
    return f"{'back ' if now.backwards else ''}to {moment(now.at)} ({share})" if now.at else share


def line(one: EndpointProgress, now: Snapshot, ending: str = "") -> str:
    """Return the line of an endpoint; `ending` says how it ended."""
    parts = [count(now.rows, "row"), place(now), count(now.requests, "request")]
    if ending:
        parts.append(ending)
    if now.waits_for is not None:
        parts.append(f"waits {waiting(one, now.waits_for)}")
    if now.left is not None:
        parts.append(left(now.left))
    return f"{one.name}: {', '.join(parts)}"


def begins(one: EndpointProgress) -> str:
    """Return the line of an endpoint that begins."""
    start, end = min(one.windows).start, max(window.end for window in one.windows)
    budget = f", up to {one.per_minute:g} requests a minute" if one.per_minute else ""
    return f"{one.name}: begins, {moment(start)} to {moment(end)}, {count(len(one.windows), 'window')}{budget}"


def ends(one: EndpointProgress, now: Snapshot) -> str:
    """Return the line of an endpoint that ended."""
    how = f"done in {span(now.running)}"
    if one.statuses["failed"]:
        how = "failed"
    elif one.statuses["pending"]:
        how = "not ready yet, a later run takes it up"
    return line(one, now, how)


def fields(one: EndpointProgress, now: Snapshot) -> dict[str, object]:
    """Return what a log that keeps fields (`singer_sdk.logging.StructuredFormatter`) has beside the line."""
    provider_account, _, stream = one.name.rpartition(" ")
    return {
        "stream_name": stream,
        "endpoint": provider_account,
        "rows": now.rows,
        "requests": now.requests,
        "share": round(now.share, 4),
    }


def totals(running: Sequence[Snapshot], name: str) -> str:
    """Return one line for many endpoints."""
    longest = max((now.left for now in running if now.left is not None), default=None)
    waits = sum(now.waits_for is not None for now in running)
    parts = [
        count(sum(now.rows for now in running), "row"),
        count(sum(now.requests for now in running), "request"),
        *([f"{waits:,} wait"] if waits else []),
        *([left(longest)] if longest is not None else []),
    ]
    return f"{name}: {', '.join(parts)}"


def waited(seconds: Mapping[Wait, float]) -> list[str]:
    """Return `95 s for its budget`, the longest first."""
    longest = sorted(seconds.items(), key=lambda item: -item[1])
    return [f"{span(long)} {wait}" for wait, long in longest if long >= 0.05]

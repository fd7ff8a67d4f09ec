"""The check and the plan as people read them, and as JSON; the fields are described in `docs/check-and-plan.md`."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_emaillogs.formats.timestamps import seconds
from tap_emaillogs.inspection.plan import budget, minutes_of, waiting
from tap_emaillogs.inspection.tables import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from tap_emaillogs.inspection.check import Checked
    from tap_emaillogs.inspection.plan import Plan, Planned

_MINUTE = timedelta(minutes=1)


# The check.


def check_text(found: Sequence[Checked], warnings: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a check; `warnings` tell of what is selected and is not read."""
    yield from warnings
    if not found:
        return
    head = ("provider", "account", "stream", "reachable", "authorised", "newest record", "rows in a day", "history")
    yield from table((*head, "clock", "budget"), [_checked_row(one) for one in found])
    right = [one for one in found if one.costs]
    if right:
        yield ""
        yield "Requests a day, at least, if run"
        rows = [(*_name(one), *(f"{cost.per_day:,}" for cost in one.costs), _every(one.schedule)) for one in right]
        yield from table(("provider", "account", "stream", "every 15 min", "hourly", "daily", "suggested"), rows)
    notes = [f"{', '.join(_name(one))}: {one.sample.note}" for one in found if one.sample.note]
    if notes:
        yield ""
        yield from notes
    yield ""
    wrong = [one for one in found if one.said]
    for one in wrong:
        provider, account, stream = _name(one)
        yield f"{provider}, account {account}, stream {stream}: {one.said}. What to do: {one.hint}"
    if wrong:
        are = "is not as it" if len(wrong) == 1 else "are not as they"
        yield f"{len(wrong)} of {_count(len(found), 'stream')} {are} should be."
    else:
        all_ = f"All {len(found)} streams" if len(found) > 1 else "The stream"
        yield f"{all_} can be read. Suggested schedule: run {_every(_shortest(found))}."


def check_json(found: Sequence[Checked], warnings: Sequence[str], at: datetime) -> dict[str, Any]:
    """Return a check as JSON."""
    return {
        "at": seconds(at),
        "ok": bool(found) and all(one.said is None for one in found),
        "warnings": [*warnings],
        "suggested_every_minutes": _minutes(_shortest(found)),
        "checks": [_checked_json(one) for one in found],
    }


def _checked_json(one: Checked) -> dict[str, Any]:
    provider, account, stream = _name(one)
    sample, pace = one.sample, one.account.settings.requests_per_minute
    return {
        "provider": provider,
        "account": account,
        "stream": stream,
        "ok": one.said is None,
        "reachable": one.reachable,
        "authorised": one.authorised,
        "error": one.said,
        "what_to_do": one.hint,
        "newest_record": None if sample.newest is None else seconds(sample.newest),
        "newest_record_is_sure": sample.newest_is_sure,
        "rows_in_a_day": sample.rows,
        "rows_in_a_day_is_at_least": sample.at_least,
        "history_days": one.history_days,
        "history_source": one.history_source,
        "clock_ahead_seconds": None if one.clock_ahead is None else round(one.clock_ahead, 1),
        "requests_per_minute": pace or None,
        "requests": one.requests,
        "costs": [
            {
                "every_minutes": _minutes(cost.every),
                "requests_per_run": cost.per_run,
                "requests_per_day": cost.per_day,
                "share_of_budget": round(cost.per_day / (pace * 24 * 60), 4) if pace else None,
            }
            for cost in one.costs
        ],
        "suggested_every_minutes": _minutes(one.schedule),
        "note": sample.note,
    }


def _name(one: Checked) -> tuple[str, str, str]:
    return one.account.provider.name, one.account.label, one.stream


def _checked_row(one: Checked) -> tuple[str, ...]:
    sample, pace = one.sample, one.account.settings.requests_per_minute
    newest, rows = "-", "-"
    if one.costs and sample.newest is not None:
        newest = ("" if sample.newest_is_sure else "≥ ") + seconds(sample.newest)
    elif one.costs and sample.rows is not None:
        newest = "none in a day"
    if one.costs and sample.rows is not None:
        rows = ("≥ " if sample.at_least else "") + f"{sample.rows:,}"
    history = "no limit stated" if one.history_days is None else f"{one.history_days:g} days ({one.history_source})"
    clock = "-" if one.clock_ahead is None else _clock(one.clock_ahead)
    said = (_said(one.reachable), _said(one.authorised))
    return (*_name(one), *said, newest, rows, history, clock, _pace(pace))


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _said(value: bool | None) -> str:
    return {True: "yes", False: "NO", None: "?"}[value]


def _pace(pace: float) -> str:
    return f"{pace:g}/min" if pace else "no limit"


def _clock(ahead: float) -> str:
    return "right" if abs(ahead) < 2 else f"{abs(ahead):.0f} s {'ahead' if ahead > 0 else 'behind'}"


def _shortest(found: Sequence[Checked]) -> timedelta | None:
    return min((one.schedule for one in found if one.schedule is not None), default=None)


def _minutes(span: timedelta | None) -> float | None:
    return None if span is None else span / _MINUTE


def _every(span: timedelta | None) -> str:
    if span is None:
        return "-"
    minutes = span / _MINUTE
    return {60.0: "hourly", 1440.0: "daily"}.get(minutes) or f"every {minutes:g} min"


# The plan.


def plan_text(found: Plan) -> Iterator[str]:
    """Yield the lines of a plan."""
    yield from found.warnings
    if not (found.endpoints or found.failures):
        return
    head = ("provider", "account", "stream", "from", "to", "windows", "requests", "expected", "minutes")
    yield from table(head, [_planned_row(one) for one in found.endpoints])
    yield ""
    for one in found.endpoints:
        yield f"{one.endpoint}: what waiting loses: {waiting(one)}"
        yield from (f"{one.endpoint}: {warning}" for warning in one.endpoint.warnings)
    yield from (f"{failure.where}: cannot be planned: {failure.said}" for failure in found.failures)
    yield ""
    least = sum(one.least_requests for one in found.endpoints)
    minutes, count = _total(found), _count(least, "request")
    takes = "without a budget that limits them" if minutes is None else f"{minutes:,.1f} minutes at the budgets"
    beside = " (accounts are read side by side)" if len({one.endpoint.id[:2] for one in found.endpoints}) > 1 else ""
    yield f"In all at least {count}, {takes}{beside}. No vendor was asked."


def plan_json(found: Plan) -> dict[str, Any]:
    """Return a plan as JSON."""
    expected = [one.expected_requests for one in found.endpoints]
    known = [count for count in expected if count is not None]
    return {
        "at": seconds(found.at),
        "requests": {
            "at_least": sum(one.least_requests for one in found.endpoints),
            "expected": sum(known) if known and len(known) == len(expected) else None,
        },
        "minutes": _total(found),
        "endpoints": [_planned_json(one) for one in found.endpoints],
        "warnings": [*found.warnings],
        "failures": [{"where": failure.where, "error": failure.said} for failure in found.failures],
    }


def _total(found: Plan) -> float | None:
    return found.minutes((one, one.expected_requests or one.least_requests) for one in found.endpoints)


def _planned_json(one: Planned) -> dict[str, Any]:
    provider, account, stream = one.endpoint.id
    expected, pace = one.expected_requests, budget(one)
    history = one.endpoint.policy.history
    return {
        "provider": provider,
        "account": account,
        "stream": stream,
        "from": seconds(min(one.windows).start) if one.windows else None,
        "to": seconds(max(window.end for window in one.windows)) if one.windows else None,
        "windows": len(one.windows),
        "requests": {"at_least": one.least_requests, "expected": expected},
        "requests_per_minute": pace or None,
        "minutes": {
            "at_least": minutes_of(one.least_requests, pace),
            "expected": None if expected is None else minutes_of(expected, pace),
        },
        "history_days": None if history is None else history / timedelta(days=1),
        "lost_from": None if one.lost_from is None else seconds(one.lost_from),
        "what_waiting_loses": waiting(one),
        "gaps": [
            {"from": row["window_start"], "to": row["window_end"], "reason": row["gap_reason"]}
            for row in one.endpoint.ledger.rows
        ],
        "warnings": one.endpoint.warnings,
    }


def _planned_row(one: Planned) -> tuple[str, ...]:
    edges = ("-", "-")
    if one.windows:
        edges = seconds(min(one.windows).start), seconds(max(window.end for window in one.windows))
    expected, pace = one.expected_requests, budget(one)
    minutes = minutes_of(expected or one.least_requests, pace)
    return (
        *one.endpoint.id,
        *edges,
        f"{len(one.windows):,}",
        f"≥ {one.least_requests:,}" if one.windows else "0",
        "-" if expected is None else f"{expected:,}",
        "-" if minutes is None else f"{minutes:,g}",
    )

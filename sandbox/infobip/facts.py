"""What the general tests must know of Infobip."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.base.facts import Endpoint, Facts, millis, without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of either version with the names of v1, and with its times in UTC."""
    found = without_nulls(row)
    found |= {name: millis(datetime.fromisoformat(found[name])) for name in ("sentAt", "doneAt") if name in found}
    if "destination" in found:  # version 4
        found["to"], found["from"] = found.pop("destination"), found.pop("sender")
        found |= found.pop("platform", {})
    return found


_V1 = Facts(
    stream="infobip_email_logs",
    time="sentAt",
    settle=timedelta(minutes=2),
    history=timedelta(days=2),
    most_rows=1000,
    hours=5,
    column="status",
    recipients=("to",),
    keys=("onekey0123456789ab", "twokey0123456789ab"),
    said=lambda words: {"requestError": {"serviceException": {"messageId": "X", "text": words}}},
    revisits=(timedelta(hours=6), timedelta(days=1), timedelta(hours=46)),
    unit=timedelta(milliseconds=1),
    understood=[{"results": [], "cursor": "next"}],  # v1 has no cursor
    crowd=timedelta(milliseconds=30),
    shown=shown,
    recent={"span_hours": 3},
    endpoints={
        "infobip_email_logs": Endpoint(
            unfit=dict.fromkeys(("empty_page", "repeat_token", "repeat_page", "expire_token"), "v1 has no pages")
        )
    },
    unfit={
        "paging": "v1 has no pages: a full answer splits its window (v4 has, and is tried beside it)",
        "still history": "it keeps two days: the first rows have left them when a test looks again days later",
    },
)
_V4 = replace(
    _V1,
    options={"api_version": 4},
    endpoints={},
    understood=(),
    said=lambda words: {"errorCode": "E403", "description": words},
    unfit={name: why for name, why in _V1.unfit.items() if not name.startswith("paging")},
)
FACTS = replace(_V1, variants={"4": _V4})

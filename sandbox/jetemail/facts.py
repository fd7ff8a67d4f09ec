"""What the general tests must know of JetEmail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.base.facts import Endpoint, Facts, millis, without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping

_EPOCHS = {"first_seen", "last_updated", "date"}


def _text(value: int) -> str:
    if value > 1e11:
        return millis(datetime.fromtimestamp(value / 1000, UTC))
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its times in text."""

    def converted(value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: converted(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [converted(item) for item in value]
        return _text(value) if name in _EPOCHS else value

    return dict(converted(without_nulls(row)))


FACTS = Facts(
    stream="jetemail_outbound_logs",
    time="last_updated",
    settle=timedelta(minutes=5),
    history=timedelta(days=30),
    most_rows=100,
    hours=50,
    column="subject",
    recipients=("receiver",),
    keys=("api_onekey0123456789", "api_twokey0123456789"),
    said=lambda words: {"success": False, "error": words},
    revisits=(timedelta(hours=6), timedelta(days=1), timedelta(days=3)),
    shown=shown,
    endpoints={
        "jetemail_outbound_logs": Endpoint(
            unfit={
                "repeat_token": "pages are asked for by offset or number",
                "expire_token": "pages are asked for by offset or number",
            }
        )
    },
    unfit={
        "end of history": "no page says how long the vendor keeps its logs, so no bookmark is too old",
        "exclusive end": "date_to may be inclusive: what lies on an edge may come in both windows",
        "expire_token": "pages are asked for by offset or number",
    },
)

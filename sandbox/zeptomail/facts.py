"""What the general tests must know of ZeptoMail: of the mail logs, the export that events are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.base.facts import Facts

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a file by the tap's columns; an empty cell is none."""
    return {name.lower().replace(" ", "_"): cell for name, cell in row.items() if cell}


FACTS = Facts(
    stream="zeptomail_mail_logs",
    time="event_at",
    settle=timedelta(minutes=15),
    history=timedelta(days=30),
    most_rows=1 << 30,
    hours=50,
    column="status",
    recipients=("to",),
    keys=("1000.one-refresh", "1000.two-refresh"),
    said=lambda words: {"error": {"code": "X", "message": words}},
    wrong={"refresh_token": "1000.wrong-refresh-token"},
    settings={"export_interval_minutes": 0},
    shown=shown,
    own=frozenset({"account", "row_id", "event_at", "extra_fields"}),
)

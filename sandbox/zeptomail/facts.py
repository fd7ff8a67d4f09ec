"""What the general tests must know of ZeptoMail: of the mail logs, the export that events are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.base.facts import Endpoint, Facts

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of a file by the tap's columns; an empty cell is none."""
    return {name.lower().replace(" ", "_"): cell for name, cell in row.items() if cell}


_FILE = dict.fromkeys(("empty_page", "repeat_token", "repeat_page"), "an export is one file")


def _export(kind: str, text: str) -> Endpoint:
    return Endpoint(f"/{kind}/", rows="date_from", text=text, unfit=_FILE)


FACTS = Facts(
    stream="zeptomail_mail_logs",
    time="event_at",
    settle=timedelta(minutes=15),
    history=timedelta(days=60),
    most_rows=1 << 30,
    hours=120,
    column="message_id",
    recipients=("to",),
    named=("cc",),
    keys=("1000.one-refresh", "1000.two-refresh"),
    said=lambda words: {"error": {"code": "X", "message": words}},
    wrong={"refresh_token": "1000.wrong-refresh-token"},
    lookback=timedelta(0),
    counted=lambda request: request.method != "DELETE",
    options={"polls": 1, "encryption": "none", "token_limit": 1 << 30},
    settings={"export_interval_minutes": 0},
    youngest=20,
    unit=timedelta(minutes=1),
    crowd=timedelta(minutes=2),
    requests=3,
    when_empty=3,
    waits=lambda request: request.method == "GET" and request.path.endswith("/exports"),
    shown=shown,
    endpoints={
        "zeptomail_mail_logs": _export("mail-logs", "Subject"),
        "zeptomail_activity_logs": _export("activity-logs", "Details"),
        "zeptomail_suppression_list": _export("suppression-list", "Reason"),
        "zeptomail_emails": Endpoint(
            "/v1.1/email",
            settings=lambda _: {"page_size": 8},
            unfit={"repeat_token": "pages are asked for by offset"},
        ),
    },
    unfit={
        "faults": "a run begins with a token and a job that must not be asked for twice: test_zeptomail and test_jobs",
        "kills": "what a killed run leaves at the vendor, its jobs, is tried in test_jobs and test_convergence",
        "one request": "an export is asked for, looked at and fetched",
        "change": "statuses go by the clock, so a world that stands still shows no new one (test_convergence)",
        "page size": "an export is one file, however many rows it has",
        "lookback": "it looks back by asking for exports of their own, once a day, since each costs a job",
    },
    own=frozenset({"account", "row_id", "event_at", "extra_fields"}),
)

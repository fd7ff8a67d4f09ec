"""What tests of Messangi share: starting its sandbox, and comparing a run with what the sandbox knows."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from outcome import upserted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from outcome import Run
    from sandbox.server import Sandbox

LOGS, REPORTS = "messangi_message_logs", "messangi_message_reports"
EVENTS = "email_events"
OWN = {"account", "record_id", "event_at", "extra_fields"}


def started(play: Callable[..., Sandbox], size: int = 300, **options: Any) -> Sandbox:
    """Start a sandbox of this vendor alone, with the given options of its."""
    return play(size=size, vendors=["messangi"], options={"messangi": options})


def rebuilt(record: dict[str, Any]) -> dict[str, Any]:
    """Return the vendor's row that a record was made of, without nulls."""
    row = {**record, **json.loads(record["extra_fields"] or "{}")}
    return {name: value for name, value in row.items() if name not in OWN and value is not None}


def counted(rows: Iterable[dict[str, Any]]) -> Counter[str]:
    return Counter(
        json.dumps({name: value for name, value in row.items() if value is not None}, sort_keys=True) for row in rows
    )


def assert_whole(box: Sandbox, found: Run, *, status: int = 0) -> None:
    """Every row of the sandbox is there once, each under a key of its own, and made the events that it should."""
    assert found.status == status, found.stderr
    records = found.records[LOGS]
    assert counted(map(rebuilt, records)) == counted(box.vendor("messangi").rows())
    assert len(upserted(found, LOGS)) == len(records)
    events = found.records[EVENTS]
    assert len({event["event_id"] for event in events}) == len(events)
    assert Counter(event["event_type"] for event in events) == box.truth()["email_events"]
    assert sum(row["records"] for row in found.ledger) == len(records)

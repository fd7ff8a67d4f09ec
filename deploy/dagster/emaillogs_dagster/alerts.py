"""Who is told of failures: Dagster's log and what takes `{"text": …}` at `EMAILLOGS_ALERT_URL`, as chat services do."""

import json
import logging
import re
import urllib.request
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from emaillogs_dagster.coordinator import GROUP, KIND
from emaillogs_dagster.settings import Settings

_CHECKS, _TOLD = 500, 20
"""So many results of checks are looked at in one tick, and so many failures are named."""
_LONGEST = 12 * 3600
"""Seconds that a run takes at most; while it goes, its start is all that Dagster has as its last change."""
_PLAIN = ("Failure", "AccountsError")
"""What is raised with a sentence for the reader, which needs no name before it."""


def failed_runs(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that tells of each failed run."""

    @dg.run_failure_sensor(
        name="failed_runs", default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=15
    )
    def tell(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        errors = [event.step_failure_data.error for event in context.get_step_failure_events()]
        said = next((cause(error) for error in errors if error), context.failure_event.message or "")
        who = f"{run.tags.get(KIND, run.job_name)} of {run.tags.get(GROUP, '?')}"
        alert(settings, f"{who} failed ({run.run_id}): {said}")

    return tell


def cause(error: Any) -> str:
    """Return the innermost cause of an error that Dagster keeps, in one line."""
    while error.cause:
        error = error.cause
    lines, name = error.message.strip().splitlines(), error.cls_name or ""
    said = lines[0] if lines else name
    return re.sub(rf"^[\w.]*\b{re.escape(name)}: ", "" if name in _PLAIN else f"{name}: ", said) if name else said


def failed_checks(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that tells of each check that failed since it was switched on."""

    @dg.sensor(name="failed_checks", minimum_interval_seconds=60, default_status=dg.DefaultSensorStatus.RUNNING)
    def tell(context: dg.SensorEvaluationContext) -> None:
        kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION
        sharded = context.instance.event_log_storage.is_run_sharded
        if context.cursor is None:
            newest = context.instance.get_event_records(dg.EventRecordsFilter(event_type=kind), limit=1)
            context.update_cursor(_place(newest[0], sharded=sharded) if newest else "0")
            return
        wanted = dg.EventRecordsFilter(event_type=kind, **_after(context.cursor, sharded=sharded))
        records = context.instance.get_event_records(wanted, limit=_CHECKS, ascending=True)
        events = [record.event_log_entry.dagster_event for record in records]
        checks = [event.asset_check_evaluation_data for event in events if event]
        failed = [f"{one.check_name} {one.partition or ''}: {one.description}" for one in checks if not one.passed]
        if failed:
            alert(settings, "\n".join([f"{len(failed)} checks failed", *failed[:_TOLD]]))
        if records:
            context.update_cursor(_place(records[-1], sharded=sharded))

    return tell


def _place(record: dg.EventLogRecord, *, sharded: bool) -> str:
    """Return the cursor of a record. SQLite has a file per run, each with ids of its own: there it is the time."""
    return str(record.timestamp if sharded else record.storage_id)


def _after(cursor: str, *, sharded: bool) -> dict[str, Any]:
    if not sharded:
        return {"after_cursor": int(cursor)}
    runs = datetime.fromtimestamp(max(0.0, float(cursor) - _LONGEST), UTC)
    return {"after_timestamp": float(cursor), "after_cursor": dg.RunShardedEventsCursor(id=0, run_updated_after=runs)}


def alert(settings: Settings, text: str) -> None:
    """Log a text, and post it where the deployment wants it."""
    logging.getLogger("emaillogs").error(text)
    if settings.alert_url:
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"text": text}).encode()
        request = urllib.request.Request(settings.alert_url, body, headers)  # noqa: S310 - the deployment names it
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - likewise

"""What watches: groups become partitions, what is missing is queued again, and failures are told."""

from __future__ import annotations

import json
import logging
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from emaillogs_dagster import accounts, ledger, warehouse
from emaillogs_dagster.coordinator import GROUP, KIND, PURSE
from emaillogs_dagster.forward import in_progress
from emaillogs_dagster.stretches import Stretch, all_stretches, groups, range_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emaillogs_dagster.accounts import Group
    from emaillogs_dagster.settings import Settings

_SETTLED = timedelta(minutes=20)
"""A stretch is asked for when it is over for so long: then no endpoint's windows stop short of its end."""
_GROUPS = 50
"""So many groups are looked at in one tick."""
_LONGEST = timedelta(hours=6)


def new_groups(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that makes a partition of each group in the file. None is taken away: runs tell of it."""

    @dg.sensor(
        name="groups", minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING, target=None
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = context.instance.get_dynamic_partitions(groups.name or "")
        new = sorted(accounts.load(settings.accounts).keys() - set(known))
        return dg.SensorResult(dynamic_partitions_requests=[groups.build_add_request(new)] if new else [])

    return watch


def missing(settings: Settings, target: Any) -> dg.SensorDefinition:
    """Return the sensor that asks for what is missing: never read, failed or pending; not what is lost for good.

    It looks at groups with a `since`, some at a time, and at those that have no backfill waiting or going. A group whose
    last runs failed waits longer each time.
    """

    @dg.sensor(
        name="missing",
        target=target,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = set(context.instance.get_dynamic_partitions(groups.name or ""))
        busy = in_progress(context.instance, "backfill")
        mine = [one for one in accounts.load(settings.accounts).values() if one.since and one.name in known]
        at = int(context.cursor or 0) % max(1, len(mine))
        turn = (mine[at:] + mine[:at])[:_GROUPS]
        requests = [
            request
            for group in turn
            if group.name not in busy and not _resting(settings, context.instance, group)
            for request in _asked(settings, group)
        ]
        return dg.SensorResult(run_requests=requests, cursor=str(at + len(turn)))

    return watch


def _asked(settings: Settings, group: Group) -> Iterator[dg.RunRequest]:
    """Yield the first range of stretches that wants reading."""
    stretches = all_stretches(settings, datetime.now(UTC) - _SETTLED, group.since)
    if not stretches:
        return
    windows = warehouse.read(settings, group.accounts, stretches[0].start, stretches[-1].end)
    wanted = [
        stretch
        for stretch in stretches
        if ledger.verdict(windows, group.accounts, stretch.start, stretch.end).curable
    ]
    if first := _neighbours(wanted, settings.stretches_per_run):
        tags = {KIND: "backfill", GROUP: group.name, **range_tags(group.name, first[0].key, first[-1].key)}
        yield dg.RunRequest(tags=tags)


def _neighbours(wanted: Sequence[Stretch], most: int) -> list[Stretch]:
    """Return the first stretches that follow each other: what the vendor will forget first."""
    found: list[Stretch] = []
    for stretch in wanted[:most]:
        if found and found[-1].end != stretch.start:
            break
        found.append(stretch)
    return found


def _resting(settings: Settings, instance: dg.DagsterInstance, group: Group) -> bool:
    """Say whether a group's last backfills failed, and the pause after that, which doubles, is not over."""
    tags = {PURSE: group.purse("backfill"), KIND: "backfill", GROUP: group.name}
    records = instance.get_run_records(dg.RunsFilter(tags=tags), limit=8)
    failed = 0
    for record in records:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failed += 1
    if not failed:
        return False
    ended = records[0].end_time or 0
    return datetime.now(UTC).timestamp() - ended < min(timedelta(minutes=settings.pause_minutes * 2 ** (failed - 1)), _LONGEST).total_seconds()


def alert(settings: Settings) -> dg.SensorDefinition:
    """Return the sensor that tells of each failed run, and posts it where `EMAILLOGS_ALERT_URL` says."""

    @dg.run_failure_sensor(name="alert", default_status=dg.DefaultSensorStatus.RUNNING, minimum_interval_seconds=15)
    def tell(context: dg.RunFailureSensorContext) -> None:
        run, error = context.dagster_run, context.failure_event.message or ""
        steps = [event.step_failure_data.error for event in context.get_step_failure_events()]
        said = next((one.message.strip() for one in steps if one), error)
        text = f"{run.tags.get(KIND, run.job_name)} of {run.tags.get(GROUP, '?')} failed ({run.run_id}): {said}"
        logging.getLogger("emaillogs").error(text)
        if settings.alert_url:
            request = urllib.request.Request(
                settings.alert_url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request, timeout=10).close()

    return tell

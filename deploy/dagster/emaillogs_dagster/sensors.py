"""What watches: groups become partitions, and what is missing is queued, again if need be."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from emaillogs_dagster import accounts, ledger, warehouse
from emaillogs_dagster.accounts import Group
from emaillogs_dagster.coordinator import GROUP, KIND
from emaillogs_dagster.forward import in_progress
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.stretches import RANGE_START, Stretch, all_stretches, groups, key_of, range_tags

_SETTLED = timedelta(minutes=20)
"""A stretch is asked for when it is over for so long: then no endpoint's windows stop short of its end."""
_GROUPS = 50
"""So many groups are looked at in one tick."""
_REMEMBERED = 8
"""So many of a group's last runs say what was tried."""
_LONGEST = timedelta(hours=6)


def missing(settings: Settings, target: Any) -> dg.SensorDefinition:
    """Return the sensor that asks for what is missing: never read, failed or pending; not what is lost for good.

    New groups of the file become partitions first; none is taken away, runs tell of it. Then it looks at groups that
    have a `since`, fifty at a time, and asks for a range of stretches of each that has no backfill waiting or going.
    """

    @dg.sensor(
        name="missing", target=target, minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING
    )
    def watch(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        every = accounts.load(settings.accounts)
        new = sorted(every.keys() - set(context.instance.get_dynamic_partitions(groups.name or "")))
        busy = in_progress(context.instance, "backfill")
        mine = [group for group in every.values() if group.since]
        at = int(context.cursor or 0) % max(1, len(mine))
        turn = (mine[at:] + mine[:at])[:_GROUPS]
        found = [_request(settings, context.instance, group) for group in turn if group.name not in busy]
        return dg.SensorResult(
            run_requests=[one for one in found if one],
            dynamic_partitions_requests=[groups.build_add_request(new)] if new else [],
            cursor=str(at + len(turn)),
        )

    return watch


def _request(settings: Settings, instance: dg.DagsterInstance, group: Group) -> dg.RunRequest | None:
    """Return what to ask for now: of what is missing, what was tried least, the oldest of that first.

    So a stretch that fails again and again holds nothing else up, and is tried after pauses that double.
    """
    ranges = _ranges(settings, group)
    if not ranges:
        return None
    records = instance.get_run_records(dg.RunsFilter(tags={KIND: "backfill", GROUP: group.name}), limit=_REMEMBERED)
    tried = Counter(record.dagster_run.tags.get(RANGE_START) for record in records)
    chosen = min(ranges, key=lambda one: tried[key_of(group.name, one[0].key)])
    tries = tried[key_of(group.name, chosen[0].key)]
    if tries:
        pause = min(timedelta(minutes=settings.pause_minutes * 2 ** (tries - 1)), _LONGEST)
        if datetime.now(UTC) < datetime.fromtimestamp(records[0].end_time or 0, UTC) + pause:
            return None
    own = {KIND: "backfill", GROUP: group.name}
    return dg.RunRequest(tags=own | range_tags(group.name, chosen[0].key, chosen[-1].key))


def _ranges(settings: Settings, group: Group) -> list[list[Stretch]]:
    """Return the ranges of stretches that are not whole, and may be after another reading.

    Their edges never move, so that each try goes on from the STATE that the one before it left.
    """
    ranges: dict[int, list[Stretch]] = {}
    for place, stretch in enumerate(all_stretches(settings, datetime.now(UTC) - _SETTLED)):
        if group.since and stretch.end > group.since:
            ranges.setdefault(place // settings.stretches_per_run, []).append(stretch)
    if not ranges:
        return []
    every = [stretch for found in ranges.values() for stretch in found]
    windows = warehouse.read(settings, group.accounts, every[0].start, every[-1].end)
    return [
        found
        for found in ranges.values()
        if any(ledger.verdict(windows, group.accounts, one.start, one.end).curable for one in found)
    ]

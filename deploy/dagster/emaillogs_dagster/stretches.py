"""Partitions: groups of accounts by stretches of time.

Dagster advises at most 100,000 partitions per asset, and both dimensions count. Two years are 104 weeks, so 960 groups
fit; or 24 months, and 4,160 groups. (274 accounts, each alone, by the days of a year are too many: 100,010.)

Started in the UI, a run takes one partition; asked for by the sensor (`sensors.missing`), a range of one group's
stretches. No `BackfillPolicy` makes such ranges: Dagster holds that dimension constant that has fewer keys, and lets
the range go over the other, be it the groups; but the queue's limit goes by group, so a run must not have two.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from emaillogs_dagster.settings import Settings

GROUPS, TIME = "accounts", "stretch"
RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
groups = dg.DynamicPartitionsDefinition(name="emaillogs_groups")
_CRON = {"day": "0 0 * * *", "week": "0 0 * * 1", "month": "0 0 1 * *"}


class Stretch(NamedTuple):
    """One stretch of time, `[start, end)`, aware UTC, and its key."""

    key: str
    start: datetime
    end: datetime


def times(settings: Settings) -> dg.TimeWindowPartitionsDefinition:
    """Return the stretches of time; the first one holds `since`."""
    since = settings.since.replace(hour=0, minute=0, second=0, microsecond=0)
    if settings.stretch == "week":
        since -= timedelta(days=since.weekday())
    elif settings.stretch == "month":
        since = since.replace(day=1)
    return dg.TimeWindowPartitionsDefinition(
        start=since.replace(tzinfo=None), cron_schedule=_CRON[settings.stretch], fmt="%Y-%m-%d", timezone="UTC"
    )


def partitions(settings: Settings) -> dg.MultiPartitionsDefinition:
    """Return groups by stretches."""
    return dg.MultiPartitionsDefinition({GROUPS: groups, TIME: times(settings)})


def all_stretches(settings: Settings, now: datetime) -> list[Stretch]:
    """Return the stretches that are over by `now`, in order."""
    windows = times(settings)
    found = []
    for key in windows.get_partition_keys(current_time=now):
        start, end = windows.time_window_for_partition_key(key)
        found.append(Stretch(key, start.astimezone(UTC), end.astimezone(UTC)))
    return found


def asked_for(settings: Settings, keys: Sequence[str]) -> tuple[str, list[Stretch]]:
    """Return the group and the stretches that a run is to read, in order of time.

    Raises:
        dg.Failure: They are of several groups.
    """
    both = partitions(settings)
    found: dict[str, list[Stretch]] = {}
    for key in keys:
        parts = both.get_partition_key_from_str(key).keys_by_dimension
        start, end = times(settings).time_window_for_partition_key(parts[TIME])
        found.setdefault(parts[GROUPS], []).append(Stretch(parts[TIME], start.astimezone(UTC), end.astimezone(UTC)))
    if len(found) != 1:
        raise dg.Failure(f"one run reads one group of accounts, and was asked for {len(found)}: {', '.join(found)}")
    ((group, stretches),) = found.items()
    return group, sorted(stretches, key=lambda one: one.start)


def key_of(group: str, stretch: str) -> str:
    """Return the key of a partition."""
    return str(dg.MultiPartitionKey({GROUPS: group, TIME: stretch}))


def range_tags(group: str, first: str, last: str) -> dict[str, str]:
    """Return the tags of a run that takes all stretches from `first` to `last` of a group."""
    return {RANGE_START: key_of(group, first), RANGE_END: key_of(group, last)}

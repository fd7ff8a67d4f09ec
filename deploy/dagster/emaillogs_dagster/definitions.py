"""What Dagster loads."""

from __future__ import annotations

import dagster as dg

from emaillogs_dagster import alerts, backfill, forward, sensors
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.stretches import partitions

_settings = Settings.load()
_tables = backfill.assets(_settings)
_fresh = forward.lateness(_settings)
_backfill_job = dg.define_asset_job(
    "backfill_job", selection=dg.AssetSelection.assets(*_tables.keys), partitions_def=partitions(_settings)
)

defs = dg.Definitions(
    assets=[_tables, forward.asset(_settings)],
    asset_checks=[_fresh],
    jobs=[
        _backfill_job,
        forward.job(),
        dg.define_asset_job("fresh_job", selection=dg.AssetSelection.checks(_fresh)),
    ],
    schedules=[
        forward.schedule(_settings),
        dg.ScheduleDefinition(
            job_name="fresh_job",
            cron_schedule="*/15 * * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        ),
    ],
    sensors=[
        sensors.missing(_settings, _backfill_job),
        alerts.failed_runs(_settings),
        alerts.failed_checks(_settings),
    ],
)

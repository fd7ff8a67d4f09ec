"""Forward runs: every few minutes each group is read on from its STATE, with the tap's own lookback and revisits."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from emaillogs_dagster import accounts, ledger, process, warehouse
from emaillogs_dagster.backfill import facts, metadata, said, words
from emaillogs_dagster.coordinator import GROUP, KIND, PREFIX
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.state import FORWARD as SCOPE
from emaillogs_dagster.state import States
from emaillogs_dagster.stretches import groups

FORWARD = dg.AssetKey([PREFIX, "forward"])
IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_LATE = 3
"""So many intervals may pass without a run before a group is late."""
_SETTLING, _EXPORTS = timedelta(minutes=10), timedelta(minutes=90)
"""How long before now windows end, and a run's own time; ZeptoMail's exports are asked for once an hour."""
_MINUTE = timedelta(minutes=1)
_SILENT = timedelta(hours=1)
"""After so long without any forward run Dagster's own freshness policy fails."""


def asset(settings: Settings) -> dg.AssetsDefinition:
    """Return the asset of forward runs, partitioned by group."""

    @dg.asset(
        key=FORWARD,
        partitions_def=groups,
        group_name="emaillogs",
        kinds={"singer"},
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=_SILENT),
        retry_policy=dg.RetryPolicy(max_retries=1, delay=settings.retry_seconds),
    )
    def forward(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        """One run of the tap from the group's STATE into the loader."""
        group = accounts.load(settings.accounts).get(context.partition_key)
        if group is None:
            raise dg.Failure(f"{settings.accounts} has no group {context.partition_key} any more", allow_retries=False)
        states = States(settings.state, SCOPE, context.run_id)
        config, secrets = group.config("forward")
        outcome = process.run(settings, config, secrets, states.load(accounts.names(group.accounts)), states.save)
        if not outcome.ok:
            raise dg.Failure(words(outcome), metadata=metadata(outcome))
        return dg.MaterializeResult(metadata=metadata(outcome))

    return forward


def job() -> Any:
    """Return the job of forward runs."""
    return dg.define_asset_job(
        "forward_job",
        selection=dg.AssetSelection.assets(FORWARD).without_checks(),
        partitions_def=groups,
        tags={KIND: "forward"},
        executor_def=dg.in_process_executor,  # a process less: the start is most of what a quiet run costs
    )


def schedule(settings: Settings) -> dg.ScheduleDefinition:
    """Return the schedule that asks every minute which groups are due; each has a minute of its own in its interval."""

    @dg.schedule(
        name="forward_schedule",
        job_name="forward_job",
        cron_schedule="* * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def due(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        minute = int(context.scheduled_execution_time.timestamp() // 60)
        known = set(context.instance.get_dynamic_partitions(groups.name or ""))
        busy = in_progress(context.instance, "forward")
        for group in accounts.load(settings.accounts).values():
            turn = int.from_bytes(hashlib.sha256(group.name.encode()).digest()[:4], "big")
            if (minute + turn) % group.every_minutes == 0 and group.name in known - busy:
                yield dg.RunRequest(
                    run_key=f"{group.name}:{minute}",
                    partition_key=group.name,
                    tags={KIND: "forward", GROUP: group.name},
                )

    return due


def in_progress(instance: dg.DagsterInstance, kind: str) -> set[str]:
    """Return the groups of which a run of this kind waits or goes."""
    runs = instance.get_runs(dg.RunsFilter(statuses=IN_PROGRESS, tags={KIND: kind}))
    return {run.tags[GROUP] for run in runs if GROUP in run.tags}


def lateness(settings: Settings) -> dg.AssetChecksDefinition:
    """Return the check that no endpoint is further behind than three intervals of its group."""

    @dg.asset_check(asset=FORWARD, name="fresh")
    def fresh() -> dg.AssetCheckResult:
        """Of each endpoint the minute that should have been read by now is complete."""
        now = datetime.now(UTC)
        every = accounts.load(settings.accounts).values()
        due = {group.name: now - _behind(group) for group in every}
        start, end = min(due.values(), default=now) - _MINUTE, max(due.values(), default=now)
        windows = warehouse.read(settings, [account for group in every for account in group.accounts], start, end)
        gaps = [
            gap
            for group in every
            for gap in ledger.verdict(windows, group.accounts, due[group.name] - _MINUTE, due[group.name]).gaps
        ]
        found = ledger.Verdict(tuple(gaps), {}, 0, {})
        return dg.AssetCheckResult(passed=found.whole, metadata=facts(found), description=said(found))

    return fresh


def _behind(group: accounts.Group) -> timedelta:
    """Return how old the newest complete minute of a group may be."""
    exports = any(account.provider == "zeptomail" for account in group.accounts)
    return _LATE * group.every_minutes * _MINUTE + (_EXPORTS if exports else _SETTLING)

"""The assets: one table per stream, partitioned by group and stretch; one run of the tap makes all of them.

A run reads its stretches with `start_date` and `end_date`, in one process of the tap, and never sees the STATE of the
forward runs. It keeps a STATE of its own until the stretch is whole, so that a worker that died, or an export that had
not come, goes on where it was.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from emaillogs_dagster import accounts, ledger, process, warehouse
from emaillogs_dagster.coordinator import PREFIX
from emaillogs_dagster.ledger import Verdict
from emaillogs_dagster.process import Outcome
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.state import States
from emaillogs_dagster.stretches import asked_for, key_of, partitions

LEDGER = dg.AssetKey([PREFIX, "sync_windows"])
CHECK = "whole"
_SHOWN = 20


def table(stream: str) -> dg.AssetKey:
    """Return the asset of a stream's table."""
    return dg.AssetKey([PREFIX, stream])


def assets(settings: Settings) -> dg.AssetsDefinition:
    """Return the tables, with the check of each partition."""
    both = partitions(settings)
    streams = [stream for names in accounts.STREAMS.values() for stream in names]
    streams += ["messangi_message_reports", "email_events", "sync_windows"]
    check = dg.AssetCheckSpec(
        CHECK,
        asset=LEDGER,
        partitions_def=both,
        description="The ledger has every hour of every endpoint of the group in this stretch as `complete`.",
    )

    @dg.multi_asset(
        name="backfill",
        specs=[
            dg.AssetSpec(table(stream), group_name="emaillogs", kinds={"singer"}, skippable=True) for stream in streams
        ],
        partitions_def=both,
        check_specs=[check],
        retry_policy=dg.RetryPolicy(
            max_retries=2, delay=settings.retry_seconds, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
    )
    def backfill(context: dg.AssetExecutionContext) -> Iterator[Any]:
        group_name, stretches = asked_for(settings, context.partition_keys)
        group = accounts.load(settings.accounts).get(group_name)
        if group is None:
            raise dg.Failure(f"{settings.accounts} has no group {group_name} any more", allow_retries=False)
        start, end = stretches[0].start, stretches[-1].end
        before = warehouse.read(settings, group.accounts, start, end)
        lacking = ledger.verdict(before, group.accounts, start, end).curable
        # One account is new in its group, or failed: the others are not read again. All whole: somebody wants it all.
        readers = group.only(lacking) if lacking else group
        names = accounts.names(readers.accounts)
        states = States(settings.state, start.date().isoformat(), context.run_id)
        days = [moment.date().isoformat() for moment in (start, end)]
        # A STATE that an earlier run left of what is whole by now would say that nothing is due.
        states.forget(accounts.names(group.accounts) - lacking, *days, but_mine=True)
        config, secrets = readers.config("backfill", start_date=start, end_date=end)
        outcome = process.run(settings, config, secrets, states.load(names), states.save)
        windows = warehouse.read(settings, group.accounts, start, end)
        whole = ledger.verdict(windows, group.accounts, start, end)
        yield _result(whole)
        for stretch in stretches if len(stretches) > 1 else ():
            # Dagster knows the partition of a check's result by its run, which here has many: so each is told alone.
            found = ledger.verdict(windows, group.accounts, stretch.start, stretch.end)
            event = _evaluated(context.job_name, key_of(group.name, stretch.key), found)
            context.instance.report_dagster_event(event, context.run_id)
        if whole.whole:
            states.forget(accounts.names(group.accounts), *days)
        if not outcome.ok:
            raise dg.Failure(words(outcome), metadata=metadata(outcome))
        fed = {stream for account in group.accounts for stream in account.streams} | {"email_events", "sync_windows"}
        for stream in [stream for stream in streams if stream in fed]:
            more = metadata(outcome) if stream == "sync_windows" else {}
            yield dg.MaterializeResult(table(stream), metadata={"rows": outcome.records.get(stream, 0), **more})

    return backfill


def _result(found: Verdict) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=LEDGER, check_name=CHECK, passed=found.whole, description=said(found), metadata=facts(found)
    )


def _evaluated(job: str, key: str, found: Verdict) -> dg.DagsterEvent:
    evaluation = dg.AssetCheckEvaluation(
        asset_key=LEDGER,
        check_name=CHECK,
        passed=found.whole,
        description=said(found),
        metadata=facts(found),
        partition=key,
    )
    kind = dg.DagsterEventType.ASSET_CHECK_EVALUATION.value
    return dg.DagsterEvent(event_type_value=kind, job_name=job, message=said(found), event_specific_data=evaluation)


def facts(found: Verdict) -> dict[str, Any]:
    """Return what a check shows."""
    gaps = [
        {"endpoint": "/".join(gap.endpoint), "start": f"{gap.start}", "end": f"{gap.end}", "why": gap.why}
        for gap in found.gaps[:_SHOWN]
    ]
    return {
        "missing": len(found.gaps),
        "gaps": dg.MetadataValue.json(gaps),
        "windows": dg.MetadataValue.json(found.windows),
        "rows": dg.MetadataValue.json(found.records),
        "requests": found.requests,
    }


def said(found: Verdict) -> str:
    """Return a verdict in one sentence."""
    if found.whole:
        return "every hour of every endpoint is complete"
    gap = found.gaps[0]
    where = f"{'/'.join(gap.endpoint)} from {gap.start:%Y-%m-%d %H:%M} to {gap.end:%Y-%m-%d %H:%M}"
    return f"{len(found.gaps)} stretches are missing; the first is {where}: {gap.why}"


def metadata(outcome: Outcome) -> dict[str, Any]:
    """Return what a run shows: exit statuses, records, the last lines."""
    return {
        "tap exit status": outcome.tap,
        "loader exit status": outcome.loader,
        "seconds": outcome.seconds,
        "records": dg.MetadataValue.json(outcome.records),
        "last lines": dg.MetadataValue.text("\n".join(outcome.lines)),
    }


def words(outcome: Outcome) -> str:
    """Return how a run failed."""
    last = outcome.said.get("loader" if outcome.loader else "tap", "")  # the loader's failure explains the tap's
    return f"the tap ended with status {outcome.tap}, the loader with {outcome.loader}: {last}"

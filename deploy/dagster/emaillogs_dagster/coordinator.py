"""The run queue, with the tag that its limits go by on every run, however it was started.

`dagster.yaml` limits `emaillogs/purse` to one run per value, so that no account's budget is spent twice. Dagster puts
tags on the runs of a schedule or sensor, but not on what somebody starts in the UI; here all runs pass, as Dagster's
documents have it for attributing runs. A purse is a group, or a group and `forward` or `backfill` where the two share
its budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import QueuedRunCoordinator
from dagster._core.storage.tags import PRIORITY_TAG, RETRY_STRATEGY_TAG

from emaillogs_dagster import accounts
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.stretches import GROUPS, RANGE_START

if TYPE_CHECKING:
    from dagster import DagsterRun
    from dagster._core.run_coordinator.base import SubmitRunContext

PURSE, KIND, GROUP = "emaillogs/purse", "emaillogs/kind", "emaillogs/group"
JOBS, PREFIX = ("forward_job", "backfill_job"), "emaillogs"
"""Runs of these jobs, or of assets whose keys begin so, are ours."""
_PRIORITY = {"forward": "10", "backfill": "-10"}


class BudgetRunCoordinator(QueuedRunCoordinator):
    """Dagster's own queue; a run of ours is given its purse and its priority first."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Put the tags on, and the run into the queue."""
        run = context.dagster_run
        if found := whose(run):
            group, kind = found
            tags = {PURSE: _purse(group, kind), KIND: kind, GROUP: group}
            # ALL_STEPS: a worker that died leaves nothing that could be left out the next time.
            defaults = {PRIORITY_TAG: _PRIORITY[kind], RETRY_STRATEGY_TAG: "ALL_STEPS"}
            tags |= {name: value for name, value in defaults.items() if name not in run.tags}
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)


def _purse(group: str, kind: str) -> str:
    """Return the purse of a run; where the file cannot be read, one for both kinds, which is never too much."""
    try:
        return accounts.load(Settings.load().accounts)[group].purse(kind)
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, no run must miss its limits, or the queue stop
        return group


def whose(run: DagsterRun) -> tuple[str, str] | None:
    """Return the group and the kind of a run; None: it is none that runs the tap."""
    prefixes = {key.path[0] for key in run.asset_selection or ()}
    if run.job_name not in JOBS and prefixes != {PREFIX}:
        return None  # another team's
    if group := run.tags.get(f"dagster/partition/{GROUPS}"):
        return group, "backfill"
    if start := run.tags.get(RANGE_START):
        return start.partition("|")[0], "backfill"
    if group := run.tags.get("dagster/partition"):
        return group, "forward"
    return None

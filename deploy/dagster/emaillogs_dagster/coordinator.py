"""The run queue, with the tag that its limits go by on every run, however it was started.

`dagster.yaml` limits `emaillogs/purse` to one run per value, so that no account's budget is spent twice. Dagster puts tags on
the runs of a schedule or sensor, but not on what somebody starts in the UI; here all runs pass, as Dagster's documents
have it for attributing runs. A purse is a group, or a group and `forward` or `backfill` where the two share its budget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dagster import QueuedRunCoordinator
from dagster._core.storage.tags import PRIORITY_TAG

from emaillogs_dagster import accounts
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.stretches import GROUPS, RANGE_START

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterRun
    from dagster._core.run_coordinator.base import SubmitRunContext

PURSE, KIND, GROUP = "emaillogs/purse", "emaillogs/kind", "emaillogs/group"
_PRIORITY = {"forward": "10", "backfill": "-10"}


class BudgetRunCoordinator(QueuedRunCoordinator):
    """Dagster's own queue; a run of ours is given its purse and its priority first."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Put the tags on, and the run into the queue."""
        run = context.dagster_run
        if found := whose(run.tags):
            group, kind = found
            known = accounts.load(Settings.load().accounts).get(group)
            purse = known.purse(kind) if known else f"{group}:{kind}"
            tags = {PURSE: purse, KIND: kind, GROUP: group, PRIORITY_TAG: run.tags.get(PRIORITY_TAG, _PRIORITY[kind])}
            self._instance.add_run_tags(run.run_id, tags)
        return super().submit_run(context)


def whose(tags: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the group and the kind of a run; None: it is none of ours."""
    if group := tags.get(f"dagster/partition/{GROUPS}"):
        return group, "backfill"
    if start := tags.get(RANGE_START):
        return start.partition("|")[0], "backfill"
    if tags.get(KIND) == "forward" or "dagster/partition" in tags:
        return tags.get("dagster/partition", ""), "forward"
    return None

"""`python -m emaillogs_dagster.restarted`: run before the code location's server starts, in a container of its own.

Runs are processes in that container (`DefaultRunLauncher`), so none of before can still be there when it starts.
Dagster's monitoring does not see that, and their purses would stay closed for `max_runtime_seconds`. So they fail
here, and begin again at once (`run_retries`). Not for Kubernetes: there runs have pods of their own, which Dagster
looks after.
"""

from __future__ import annotations

import dagster as dg

from emaillogs_dagster.coordinator import whose

_GOING = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


def main() -> None:
    """Let the runs fail whose processes are gone."""
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_GOING)):
            if whose(run) and run.status == dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run)
            elif whose(run):
                instance.report_run_failed(run, "the code location was started anew, and this run's process is gone")


if __name__ == "__main__":
    main()

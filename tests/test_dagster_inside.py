"""`deploy/dagster` in Dagster's own environment: on a laptop, tags of runs, what the sensor asks for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pytest
import yaml

from dagster_stage import BIN, PROJECT, loader, needs_dagster
from sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [needs_dagster, pytest.mark.thorough]


def inside(script: str, folder: Path, **environ: str) -> str:
    """Run a script in Dagster's environment, with what a laptop has; return what it prints."""
    shutil.copy(PROJECT / "laptop" / "dagster.yaml", folder)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("EMAILLOGS_", "DAGSTER_"))}
    own |= {
        "PYTHONPATH": os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
        "DAGSTER_HOME": str(folder),
    }
    done = subprocess.run(
        [f"{BIN}/python", "-W", "ignore", "-c", script],
        cwd=folder,
        env={**own, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done.stdout


LAPTOP = """
import dagster as dg
from datetime import UTC, datetime
from emaillogs_dagster.definitions import defs, _settings
from emaillogs_dagster.stretches import all_stretches, key_of

instance = dg.DagsterInstance.get()
assert type(instance.run_coordinator).__name__ == "BudgetRunCoordinator"
instance.add_dynamic_partitions("emaillogs_groups", ["alone"])
stretches = all_stretches(_settings, datetime.now(UTC))
job = defs.resolve_job_def("backfill_job")
for stretch in stretches[-2:]:
    done = job.execute_in_process(instance=instance, partition_key=key_of("alone", stretch.key))
    (check,) = done.get_asset_check_evaluations()
    print(stretch.key, check.passed, check.partition)
from emaillogs_dagster.state import States
forget = States.forget
for forgets in (lambda *_, **__: None, forget):  # a run leaves STATE of a whole stretch; the next one reads all of it
    States.forget = forgets
    done = job.execute_in_process(instance=instance, partition_key=key_of("alone", stretches[-2].key))
found = [event.event_specific_data.materialization for event in done.get_asset_materialization_events()]
(rows,) = [one.metadata["rows"].value for one in found if one.asset_key.path[-1] == "jetemail_outbound_logs"]
print("again", rows > 0)
done = defs.resolve_job_def("forward_job").execute_in_process(instance=instance, partition_key="alone")
print(done.success)
"""


def test_on_a_laptop_with_sqlite_and_duckdb(tmp_path: Path) -> None:
    with Sandbox(seed=3, size=40, vendors=["jetemail"], options={"jetemail": {"span_days": 9}}) as box:
        account = {"provider": "jetemail", "group": "alone", "api_key": "$KEY", "base_url": box.base_url("jetemail")}
        (tmp_path / "accounts.yaml").write_text(yaml.safe_dump({"accounts": [account]}), encoding="utf-8")
        printed = inside(
            LAPTOP,
            tmp_path,
            KEY=box.config()["jetemail"]["api_key"],
            EMAILLOGS_TAP=f"{sys.executable} -m tap_emaillogs",
            EMAILLOGS_LOADER=loader("target-duckdb"),
            EMAILLOGS_STRETCH="day",
            EMAILLOGS_SINCE=(datetime.now(UTC) - timedelta(days=5)).date().isoformat(),
        )
        *days, again, forward = printed.splitlines()
        assert again == "again True"
        assert [line.split()[1] for line in days] == ["True", "True"]
        assert all(line.endswith(f"alone|{line.split()[0]}") for line in days)
        assert forward == "True"
        with duckdb.connect(str(tmp_path / "emaillogs.duckdb"), read_only=True) as connection:
            counted = connection.execute("select count(*) from tap_emaillogs.jetemail_outbound_logs").fetchall()
        assert counted == [(box.truth()["streams"]["jetemail_outbound_logs"],)]


RESTARTED = """
import dagster as dg
from dagster._core.test_utils import create_run_for_test
from emaillogs_dagster import restarted

with dg.DagsterInstance.get() as instance:
    for job in ("forward_job", "theirs"):
        tags = {"dagster/partition": "a"}
        create_run_for_test(instance, job_name=job, tags=tags, status=dg.DagsterRunStatus.STARTED)
    restarted.main()
    print(sorted((run.job_name, run.status.value) for run in instance.get_runs()))
"""
SENSOR = """
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace as Any

import dagster as dg
from dagster._core.test_utils import create_run_for_test
from emaillogs_dagster import sensors
from emaillogs_dagster.accounts import Account, Group
from emaillogs_dagster.ledger import Window
from emaillogs_dagster.settings import Settings
from emaillogs_dagster.stretches import RANGE_START, Stretch

since, day = datetime(2026, 2, 1, tzinfo=UTC), timedelta(days=1)
stretches = [Stretch(f"{since + n * day:%Y-%m-%d}", since + n * day, since + (n + 1) * day) for n in range(6)]
sensors.all_stretches = lambda *_: stretches
settings = replace(Settings.load(), stretches_per_run=2, pause_minutes=10)
group = Group("g", (Account("smtp2go", "acme", {}),), 10, since, 0.7, {})
instance = dg.DagsterInstance.ephemeral()
ledger = []
sensors.warehouse = Any(read=lambda *_: ledger)


def window(first, days, status="complete"):
    start, read_at = since + first * day, since + 30 * day + timedelta(minutes=len(ledger))
    return Window("smtp2go", "acme", "smtp2go_activity", start, start + days * day, status, read_at, 1, 1)


def asked():
    sensors.datetime = type("Later", (datetime,), {"now": classmethod(lambda cls, zone: datetime.now(zone) + waited)})
    request = sensors._request(settings, instance, group)
    if request is None:
        return None
    run = create_run_for_test(instance, job_name="backfill_job", tags=request.tags, status=dg.DagsterRunStatus.STARTED)
    instance.report_run_failed(run)
    return (datetime.fromisoformat(request.tags[RANGE_START].partition("|")[2]).replace(tzinfo=UTC) - since).days


waited = timedelta()
print("each is tried, though all fail:", asked(), asked(), asked())
print("then not at once:", asked())
waited = timedelta(minutes=11)
print("but after a pause:", asked())
for again in (window(0, 4), window(4, 1, "pending"), window(5, 1)):
    ledger.append(again)
print("an export that had not come:", asked())
ledger[1] = window(4, 1, "unavailable")
print("what is lost:", asked())
ledger.append(window(2, 1, "failed"))
print("a window that failed since:", asked())
"""
WHOSE = """
from types import SimpleNamespace as Run
from dagster import AssetKey
from emaillogs_dagster.coordinator import whose
from emaillogs_dagster.stretches import range_tags

ours = {AssetKey(["emaillogs", "email_events"])}
print(whose(Run(job_name="__ASSET_JOB", asset_selection=ours, tags={"dagster/partition/accounts": "a"})))
print(whose(Run(job_name="backfill_job", asset_selection=None, tags=range_tags("b", "2026-02-02", "2026-02-09"))))
print(whose(Run(job_name="forward_job", asset_selection=None, tags={"dagster/partition": "c"})))
print(whose(Run(job_name="__ASSET_JOB", asset_selection={AssetKey(["theirs"])}, tags={"dagster/partition": "d"})))
"""

ALERTS = """
import dagster as dg
from dagster._core.test_utils import create_run_for_test
from emaillogs_dagster import alerts
from emaillogs_dagster.backfill import _evaluated
from emaillogs_dagster.ledger import Gap, Verdict
from emaillogs_dagster.settings import Settings

since = Settings.load().since
texts = []
alerts.alert = lambda _, text: texts.append(text.replace(chr(10), " / "))
checks, runs = alerts.failed_checks(Settings.load()), alerts.failed_runs(Settings.load())


def tick(instance, cursor):
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    checks(context)
    return context.cursor


with dg.DagsterInstance.get() as instance:
    print("sharded:", instance.event_log_storage.is_run_sharded)
    cursor = tick(instance, None)
    for day in ("d1", "d2"):
        for passed in (True, False):
            run = create_run_for_test(instance, job_name="backfill_job")
            gaps = () if passed else (Gap(("smtp2go", "acme", "x"), since, since, "failed"),)
            event = _evaluated("backfill_job", "g|" + day, Verdict(gaps, {}, 0, {}))
            instance.report_dagster_event(event, run.run_id)
        cursor = tick(instance, cursor)
    tick(instance, cursor)
print([text.split(":")[0] for text in texts])


@dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
def fails():
    raise dg.Failure("the tap ended with status 1")


@dg.op
def breaks():
    raise ValueError("no such thing")


for op in (fails, breaks):
    instance = dg.DagsterInstance.ephemeral()
    done = dg.GraphDefinition("j", node_defs=[op]).to_job().execute_in_process(instance=instance, raise_on_error=False)
    (event,) = [one for one in done.all_events if one.event_type_value == "PIPELINE_FAILURE"]
    context = dg.build_run_status_sensor_context("failed_runs", event, instance, instance.get_run_by_id(done.run_id))
    texts.clear()
    runs(context.for_run_failure())
    print(texts[0].partition("): ")[2])
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each script prints, all run by one process: to import Dagster takes longer than they do."""
    named = {"restarted": RESTARTED, "sensor": SENSOR, "whose": WHOSE, "alerts": ALERTS}
    script = f"for name, text in {named!r}.items():\n    print('##', name)\n    exec(text, {{}})"
    parts = inside(script, tmp_path_factory.mktemp("inside")).split("## ")[1:]
    return {lines[0]: lines[1:] for lines in map(str.splitlines, parts)}


def test_runs_that_went_with_their_container_fail_and_no_others(printed: dict[str, list[str]]) -> None:
    assert printed["restarted"] == ["[('forward_job', 'FAILURE'), ('theirs', 'STARTED')]"]


def test_what_is_missing_is_asked_for_again_after_pauses_and_what_is_lost_is_not(printed: dict[str, list[str]]) -> None:
    assert printed["sensor"] == [
        "each is tried, though all fail: 0 2 4",
        "then not at once: None",
        "but after a pause: 0",
        "an export that had not come: 4",
        "what is lost: None",
        "a window that failed since: 2",
    ]


def test_every_run_of_ours_has_a_purse_however_it_was_started_and_no_other(printed: dict[str, list[str]]) -> None:
    assert printed["whose"] == ["('a', 'backfill')", "('b', 'backfill')", "('c', 'forward')", "None"]


def test_failures_are_told_once_on_sqlite_and_with_their_cause(printed: dict[str, list[str]]) -> None:
    told = [f"1 checks failed / whole g|{day}" for day in ("d1", "d2")]
    assert printed["alerts"] == [
        "sharded: True",
        str(told),
        "the tap ended with status 1",
        "ValueError: no such thing",
    ]

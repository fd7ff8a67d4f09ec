"""The dbt models over all vendors' tables: nothing is lost or doubled on the way, and what they say is so.

Random events, late and changed ones, and builds in parts are in test_models_reference.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from general import EVENTS, LEDGER, NOW, config_of
from harness import Ticking, run
from outcome import Run
from sandbox.server import Sandbox
from warehouse import Warehouse, needs_dbt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [needs_dbt, pytest.mark.thorough]


Truth = dict[tuple[str, str, str], int]
"""Events by provider, account and type."""


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, Truth]]:
    """All vendors read once, and what the sandbox knows of them."""
    clock = Ticking(NOW)
    mail = tmp_path_factory.mktemp("mail")
    with Sandbox(seed=3, size=300, now=clock.now, options={"messangi": {"directory": str(mail)}}) as box:
        found = run(config_of(box), clock=clock)
        assert found.status == 0, found.stderr
        with urlopen(box.url + "/truth") as answer:
            vendors = json.load(answer)["vendors"]
        yield (
            found,
            {
                (provider, account, kind): count
                for provider, accounts in vendors.items()
                for account, known in accounts.items()
                for kind, count in known["email_events"].items()
                if count
            },
        )


@pytest.fixture(scope="module")
def built(played: tuple[Run, Truth], tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """All models over all vendors; their own tests passed."""
    warehouse = Warehouse(tmp_path_factory.mktemp("built"))
    warehouse.load(played[0], "2026-03-01 12:00:00")
    warehouse.build()
    return warehouse


def test_models_add_up_to_the_truth(played: tuple[Run, Truth], built: Warehouse) -> None:
    found, truth = played
    rows = built.ask("select provider, account, event_type, count(*) from fct_email_events group by all")
    assert {row[:3]: row[3] for row in rows} == truth
    types = sorted({kind for _, _, kind in truth} - {"subscribed", "unknown"})
    for model in ("dim_messages", "agg_deliverability_daily"):
        sums = ", ".join(f"sum({name}_events)" for name in types)
        rows = built.ask(f"select provider, account, {sums} from {model} group by all")
        have = {(*row[:2], kind): int(n) for row in rows for kind, n in zip(types, row[2:], strict=True) if n}
        assert have == {key: n for key, n in truth.items() if key[2] in types}, model
    assert built.ask("select sum(events) from dim_messages") == [(len(found.records[EVENTS]),)]
    assert built.ask("select distinct status from completeness_hourly") == [("complete",)]
    ((queued, messages),) = built.ask("select sum(queued), sum(messages) from agg_deliverability_daily")
    assert queued == sum(count for (_, _, kind), count in truth.items() if kind == "queued") <= messages


def test_a_vendor_that_nobody_uses_is_an_empty_view(played: tuple[Run, Truth], tmp_path: Path) -> None:
    found, _ = played
    alone = Run(0, "", [one for one in found.messages if one.get("stream") in {"smtp2go_activity", EVENTS, LEDGER}])
    warehouse = Warehouse(tmp_path)
    warehouse.load(alone, "2026-03-01 12:00:00")
    warehouse.build("--exclude", "test_type:unit")
    assert warehouse.ask("select count(*) from stg_jetemail_outbound_logs") == [(0,)]
    assert warehouse.ask("select count(*) from stg_smtp2go_activity") == [(300,)]


def test_a_sender_past_a_threshold_fails_the_alert(built: Warehouse) -> None:
    strict = json.dumps({"complaint_rate_bad": 0.0001, "complaint_rate_watch": 0.0001, "health_days": 60})
    built.dbt("build", "--select", "health", "health_is_not_bad", "--vars", strict, status=1)
    names = ["complaint_rate_watch", "complaint_rate_bad"]
    names += [f"hard_bounce_rate_{grade}" for grade in ("watch", "bad", "critical")]
    lax = json.dumps(dict.fromkeys(names, 1))
    built.dbt("build", "--select", "health", "health_is_not_bad", "health_is_not_critical", "--vars", lax)


def test_a_gap_is_in_the_hours(tmp_path: Path) -> None:
    """A vendor that was not read for a day longer than it keeps its log."""
    warehouse = Warehouse(tmp_path)
    for found in gap():
        warehouse.load(found, "2026-03-05 12:00:00")
    warehouse.build("--exclude", "test_type:unit")
    missing = warehouse.ask(
        "select hour::varchar, status from completeness_hourly where status <> 'complete' order by hour"
    )
    assert {status for _, status in missing} == {"unavailable"}
    assert 24 <= len(missing) <= 26
    said = warehouse.dbt("test", "--select", "nothing_is_missing")
    assert "WARN" in said


def without(found: Run, stream: str, *columns: str) -> Run:
    """Return a run whose catalog deselects columns of a stream."""
    messages = deepcopy([one for one in found.messages if one.get("stream") == stream])
    for one in messages:
        for name in columns:
            del (one["record"] if one["type"] == "RECORD" else one["schema"]["properties"])[name]
    return Run(0, "", messages + [one for one in found.messages if one.get("stream") != stream])


@pytest.mark.parametrize("columns", [("account",), ("provider", "account", "stream")])
def test_hours_are_there_without_the_names_of_their_endpoint(tmp_path: Path, columns: tuple[str, ...]) -> None:
    warehouse = Warehouse(tmp_path)
    for found in gap():
        warehouse.load(without(found, LEDGER, *columns), "2026-03-05 12:00:00")
    warehouse.dbt("run", "--select", "+completeness_hourly", "stg_email_events")
    statuses = dict(warehouse.ask("select status, count(*) from completeness_hourly group by status"))
    assert statuses.keys() == {"complete", "unavailable"}
    assert 24 <= statuses["unavailable"] <= 26
    for name in columns:
        assert warehouse.ask(f"select distinct {name} from completeness_hourly") == [("(none)",)]
    assert "WARN" in warehouse.dbt("test", "--select", "nothing_is_missing")
    said = warehouse.dbt("test", "--select", "email_events_has_its_columns")
    assert f"Got {len(columns)} result" in said, "nobody can tell endpoints apart, and the build says so"


def test_events_without_a_ledger_are_not_known_to_be_all(played: tuple[Run, Truth], tmp_path: Path) -> None:
    found, truth = played
    warehouse = Warehouse(tmp_path)
    warehouse.dbt("run", "--select", "+completeness_hourly", "stg_email_events")
    said = warehouse.dbt("test", "--select", "nothing_is_missing")
    assert "PASS=1 WARN=0" in said, "nothing was loaded, and nothing is missing"
    alone = Run(0, "", [one for one in found.messages if one.get("stream") == EVENTS])
    warehouse.load(alone, "2026-03-01 12:00:00")
    warehouse.dbt("run", "--select", "+completeness_hourly", "stg_email_events")
    said = warehouse.dbt("test", "--select", "nothing_is_missing", "--store-failures")
    assert "PASS=0 WARN=1" in said
    rows = warehouse.ask(
        "select distinct provider, account, status from email_analytics_dbt_test__audit.nothing_is_missing"
    )
    assert set(rows) == {(provider, account, "no ledger") for provider, account, _ in truth}


def test_without_the_provider_the_build_only_warns(played: tuple[Run, Truth], tmp_path: Path) -> None:
    found, _ = played
    warehouse = Warehouse(tmp_path)
    warehouse.load(without(found, EVENTS, "provider"), "2026-03-01 12:00:00")
    said = warehouse.build("--exclude", "test_type:unit")
    assert "Warning in test email_events_has_its_columns" in said
    ((events, graded),) = warehouse.ask(
        "select (select sum(events) from agg_deliverability_daily), (select count(*) from health)"
    )
    assert events == len(found.records[EVENTS])
    assert graded, "senders without a provider's name are graded all the same"


def gap() -> list[Run]:
    """Read Infobip, which keeps two days, and again three days later."""
    clock = Ticking(NOW)
    with Sandbox(seed=3, size=300, now=clock.now, vendors=["infobip"]) as box:
        first = run(config_of(box, "infobip"), clock=clock)
        clock.pass_time(days=3)
        second = run(config_of(box, "infobip"), state=first.state, clock=clock)
    assert (first.status, second.status) == (0, 0), second.stderr
    return [first, second]

"""The dbt models over all vendors' tables: nothing is lost or doubled on the way, and what they say is so.

Random events, late and changed ones, and builds in parts are in test_models_reference.
"""

from __future__ import annotations

import json
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


def gap() -> list[Run]:
    """Read Infobip, which keeps two days, and again three days later."""
    clock = Ticking(NOW)
    with Sandbox(seed=3, size=300, now=clock.now, vendors=["infobip"]) as box:
        first = run(config_of(box, "infobip"), clock=clock)
        clock.pass_time(days=3)
        second = run(config_of(box, "infobip"), state=first.state, clock=clock)
    assert (first.status, second.status) == (0, 0), second.stderr
    return [first, second]

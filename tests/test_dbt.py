"""The dbt models over tables as loaders make them: nothing is lost or doubled on the way, and what they say is so."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

from harness import EVENTS, LEDGER, NOW, Run, Ticking, config_of, run
from sandbox.server import Sandbox
from warehouse import Warehouse, needs_dbt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [needs_dbt, pytest.mark.thorough]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Run, dict[str, int]]]:
    """All vendors read once, and what the sandbox knows of them."""
    clock = Ticking(NOW)
    mail = tmp_path_factory.mktemp("mail")
    with Sandbox(seed=3, size=300, now=clock.now, options={"messangi": {"directory": str(mail)}}) as box:
        found = run(config_of(box), clock=clock)
        assert found.status == 0, found.stderr
        with urlopen(box.url + "/truth") as answer:
            yield found, json.load(answer)["email_events"]


def totals(warehouse: Warehouse, truth: dict[str, int]) -> dict[str, int]:
    types = [name for name in truth if name not in {"subscribed", "unknown"}]
    sums = ", ".join(f"sum({name}_events)" for name in types)
    (row,) = warehouse.ask(f"select {sums} from agg_deliverability_daily")
    return {name: int(count) for name, count in zip(types, row, strict=True)}


def test_models_add_up_to_the_truth(played: tuple[Run, dict[str, int]], tmp_path: Path) -> None:
    found, truth = played
    warehouse = Warehouse(tmp_path)
    warehouse.load(found, "2026-03-01 12:00:00")
    warehouse.build()
    assert totals(warehouse, truth) == {name: n for name, n in truth.items() if name not in {"subscribed", "unknown"}}
    assert warehouse.ask("select count(*), sum(events) from dim_messages")[0][1] == len(found.records[EVENTS])
    assert warehouse.ask("select distinct status from completeness_hourly") == [("complete",)]
    ((queued, messages),) = warehouse.ask("select sum(queued), sum(messages) from agg_deliverability_daily")
    assert queued == truth["queued"] <= messages


def test_events_that_come_late_change_whole_mails(played: tuple[Run, dict[str, int]], tmp_path: Path) -> None:
    """In any order of arrival, one build after another ends like one build over everything."""
    found, _ = played
    ids = [row["event_id"] for row in found.records[EVENTS]]
    random.Random(4).shuffle(ids)
    late, whole = Warehouse(tmp_path), Warehouse(tmp_path / "whole")
    (tmp_path / "whole").mkdir()
    third = len(ids) // 3
    for day, part in enumerate((ids[:third], ids[third : 2 * third], ids[2 * third :]), 1):
        late.load(found, f"2026-03-0{day} 12:00:00", {EVENTS: set(part)})
        late.build("--exclude", "test_type:unit", "--exclude", "every_raw_row_has_events")
    whole.load(found, "2026-03-05 12:00:00")
    whole.build("--exclude", "test_type:unit")
    for model in ("fct_email_events", "dim_messages"):
        query = f"select columns(* exclude (arrived_at))::varchar from {model}"
        assert Counter(map(repr, late.ask(query))) == Counter(map(repr, whole.ask(query))), model


def test_a_vendor_that_nobody_uses_is_an_empty_view(played: tuple[Run, dict[str, int]], tmp_path: Path) -> None:
    found, _ = played
    alone = Run(0, "", [one for one in found.messages if one.get("stream") in {"smtp2go_activity", EVENTS, LEDGER}])
    warehouse = Warehouse(tmp_path)
    warehouse.load(alone, "2026-03-01 12:00:00")
    warehouse.build("--exclude", "test_type:unit")
    assert warehouse.ask("select count(*) from stg_jetemail_outbound_logs") == [(0,)]
    assert warehouse.ask("select count(*) from stg_smtp2go_activity") == [(300,)]


def test_a_sender_past_a_threshold_fails_the_alert(played: tuple[Run, dict[str, int]], tmp_path: Path) -> None:
    found, _ = played
    warehouse = Warehouse(tmp_path)
    warehouse.load(found, "2026-03-01 12:00:00")
    warehouse.build("--exclude", "test_type:unit")
    strict = json.dumps({"complaint_rate_bad": 0.0001, "complaint_rate_watch": 0.0001, "health_days": 60})
    warehouse.dbt("build", "--select", "health", "health_is_not_bad", "--vars", strict, status=1)
    names = ["complaint_rate_watch", "complaint_rate_bad"]
    names += [f"hard_bounce_rate_{grade}" for grade in ("watch", "bad", "critical")]
    lax = json.dumps(dict.fromkeys(names, 1))
    warehouse.dbt("build", "--select", "health", "health_is_not_bad", "health_is_not_critical", "--vars", lax)


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

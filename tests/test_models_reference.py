"""Random events, in parts, changed, late and by loaders with wrong clocks: the models say what Python says of them."""

from __future__ import annotations

import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exact_interval import bounds
from reference_models import Event, daily, machine_reasons, mail_of, mails, message
from warehouse import Warehouse, needs_dbt

pytestmark = [needs_dbt, pytest.mark.thorough]
SCHEMAS = Path(__file__).resolve().parent.parent / "tap_emaillogs" / "schemas"
SCHEMA = json.loads((SCHEMAS / "email_events.json").read_text(encoding="utf-8"))
BORDER = datetime(2026, 2, 20)  # noqa: DTZ001 - UTC, as loaders write it
KINDS = (
    *("queued", "queued", "queued", "sent", "delivered", "delivered", "deferred", "bounced", "rejected", "failed"),
    *("opened", "opened", "clicked", "clicked", "clicked", "complained", "unsubscribed", "subscribed", "unknown"),
)
AGENTS = (
    None,
    None,
    None,
    "Mozilla/5.0",
    "Mozilla/5.0 (X11) Gecko",
    " Proofpoint bot/1 ",
    "GoogleImageProxy",
    "curl/8",
)


def some_time(dice: random.Random) -> datetime | None:
    """Return a moment at or near the end of a day, at times none."""
    if dice.random() < 0.03:
        return None
    near = dice.choice([0, 0, 1, -1, 2, 5, 6, -60, -61, 3600, 40_000]) + dice.choice([0, 0, 0.000001, 0.5, -0.000001])
    return BORDER + timedelta(days=dice.randrange(-2, 3), seconds=near)


def some_events(dice: random.Random, number: int) -> list[Event]:
    """Return events of mails whose names are made to be mistaken for each other; some follow the one before at once."""
    found: list[Event] = []
    for n in range(number):
        event: Event = dict.fromkeys(SCHEMA["properties"])
        event |= {
            "event_id": f"e{n}",
            "provider": dice.choice(["p", "q"]),
            "account": dice.choice([None, "default", "1:p", "-"]),
            "stream": "s",
            "provider_event_id": dice.choice([None, *(f"o{dice.randrange(9)}" for _ in range(6))]),
            "message_id": dice.choice([None, *(f"m{dice.randrange(9)}" for _ in range(6)), "1:-", "-"]),
            "recipient": dice.choice([None, "a@x.example", "A@x.example", "b@x.example", "1:a", "-"]),
            "recipient_domain": dice.choice([None, "x.example", "y.example"]),
            "sender_domain": dice.choice([None, "s.example"]),
            "subject": dice.choice([None, "ä", "z"]),
            "event_type": dice.choice(KINDS),
            "url": dice.choice([None, "u1", "u2", "u3", "u4"]),
            "user_agent": dice.choice(AGENTS),
            "reason": dice.choice([None, "full", "unknown user", "blocked"]),
            "event_at": some_time(dice),
        }
        if found and dice.random() < 0.5:
            same = ("provider", "account", "message_id", "recipient", "event_at")
            event |= {name: found[-1][name] for name in same}
            event["event_type"] = dice.choice(["clicked", found[-1]["event_type"], event["event_type"]])
        if event["event_type"] == "bounced":
            event["bounce_class"] = dice.choice(["hard", "soft", "undetermined", None])
        found.append(event)
    return found


def load(warehouse: Warehouse, events: list[Event], arrived: str) -> None:
    rows = [{**one, "event_at": one["event_at"] and f"{one['event_at'].isoformat()}Z"} for one in events]
    warehouse.write("email_events", SCHEMA, ["event_id"], rows, arrived)


def make(warehouse: Warehouse, *more: str) -> None:
    left_out = ("resource_type:test", "resource_type:unit_test")
    warehouse.dbt("build", "--select", "+health", "+bounce_reasons", "--exclude", *left_out, *more)


MODELS = {
    "fct_email_events": "select * exclude (arrived_at) from fct_email_events",
    "dim_messages": "select * exclude (arrived_at) from dim_messages",
    "agg": "select * from agg_deliverability_daily",
    "bounce_reasons": "select * from bounce_reasons",
    "health": "select * from health",
}


def contents(warehouse: Warehouse) -> dict[str, list[str]]:
    return {
        name: sorted(map(repr, warehouse.ask(f"select columns(*)::varchar from ({query})")))
        for name, query in MODELS.items()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Warehouse, list[Event]]:
    """A warehouse that was filled and modelled in two parts, and the events that are in it at the end."""
    dice = random.Random(11)
    events = some_events(dice, 3000)
    dice.shuffle(events)
    warehouse = Warehouse(tmp_path_factory.mktemp("parts"))
    load(warehouse, events[:1700], "2030-01-01 00:00:00")  # a loader whose clock is years ahead
    make(warehouse)
    changed = dice.sample(range(1700), 150)
    for number, fresh in zip(changed, some_events(dice, 150), strict=True):  # another time, type, even another mail
        events[number] = {**fresh, "event_id": events[number]["event_id"]}
    load(warehouse, [events[number] for number in changed] + events[1700:], "2026-03-01 12:00:00")
    make(warehouse)
    return warehouse, events


def test_twice_and_anew_are_the_same(made: tuple[Warehouse, list[Event]]) -> None:
    warehouse, _ = made
    once = contents(warehouse)
    assert len(once["fct_email_events"]) == 3000
    make(warehouse)
    assert contents(warehouse) == once
    make(warehouse, "--full-refresh")
    assert contents(warehouse) == once


def rows(warehouse: Warehouse, query: str) -> list[dict[str, Any]]:
    names = [name for name, *_ in warehouse.ask(f"describe {query}")]
    plain = {"timestamp with time zone": "({} at time zone 'UTC')"}
    kinds = {name: kind.lower() for name, kind, *_ in warehouse.ask(f"describe {query}")}
    chosen = ", ".join(f"{plain.get(kinds[name], '{}').format(name)} as {name}" for name in names)
    return [dict(zip(names, row, strict=True)) for row in warehouse.ask(f"select {chosen} from ({query})")]


def alike(row: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}


def test_events_and_mails_are_as_in_python(made: tuple[Warehouse, list[Event]]) -> None:
    warehouse, events = made
    machines = {key: why for those in mails(events).values() for key, why in machine_reasons(those).items()}
    found = rows(warehouse, MODELS["fct_email_events"])
    assert {row["event_id"]: row["machine_reason"] for row in found if row["is_machine"]} == machines
    assert set(machines.values()) >= {"many links in one second", "within seconds of delivery", "user agent: preload"}
    keys: dict[tuple[Any, ...], set[str]] = {}
    by_id = {event["event_id"]: event for event in events}
    for row in found:
        keys.setdefault(mail_of(by_id[row["event_id"]]), set()).add(row["message_key"])
    assert all(len(one) == 1 for one in keys.values())
    wanted = {keys[key].pop(): message(those) for key, those in mails(events).items()}
    have = {row["message_key"]: row for row in rows(warehouse, MODELS["dim_messages"])}
    assert have.keys() == wanted.keys()
    for key, row in wanted.items():
        assert alike({name: have[key][name] for name in row}) == alike(row), key


def test_days_and_causes_are_as_in_python(made: tuple[Warehouse, list[Event]]) -> None:
    warehouse, events = made
    messages = [message(those) for those in mails(events).values()]
    wanted = daily(messages)
    names = ("day", "provider", "account", "sender_domain", "recipient_domain")
    have = {tuple(row[name] for name in names): row for row in rows(warehouse, MODELS["agg"])}
    assert have.keys() == wanted.keys()
    for key, row in wanted.items():
        assert alike({name: have[key][name] for name in row}) == alike(row), key
    said = {
        (mail_of(event), event["event_type"], event["bounce_class"], event["reason"] or "(none given)")
        for event in events
        if event["event_type"] in {"bounced", "deferred", "rejected", "failed"}
    }
    ((mailed,),) = warehouse.ask("select sum(messages) from bounce_reasons")
    assert mailed == len(said)


def test_grades_rest_on_the_exact_interval(made: tuple[Warehouse, list[Event]]) -> None:
    warehouse, _ = made
    names = {"complaint": "complained", "hard_bounce": "bounced_hard", "bounce": "bounced", "not_sent": "not_sent"}
    found = rows(warehouse, "select * from health")
    assert len(found) > 10
    for row in found:
        for measure, part in names.items():
            whole = int(row["asked_for" if measure == "not_sent" else "queued"])
            have = [row[f"{measure}_rate_{end}"] for end in ("low", "high")]
            if not whole:
                assert have == [None, None]
                continue
            low, high = bounds(int(row[part]), whole)
            assert have[1] == pytest.approx(high, rel=0.006)
            assert 0.92 * low <= have[0] <= 1.001 * low
